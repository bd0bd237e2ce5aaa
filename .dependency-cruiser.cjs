// The direction of dependencies, of docs/adr/0004-toolchain.md. `import type` counts like any
// import: a type from a wrong layer is the first step of a wrong dependency.
'use strict';

/** What each folder of src/ may import, besides itself. Widening a row is a design decision. */
const layers = {
  lib: [],
  kernel: ['lib'],
  telemetry: ['lib'],
  config: ['lib'],
  rpc: ['lib'],
  ike: ['lib', 'config', 'telemetry'],
  bgp: ['lib', 'config', 'telemetry'],
  forwarding: ['lib', 'config', 'rpc', 'telemetry'],
  vlink: ['lib', 'config', 'kernel', 'telemetry'],
  vpn: ['lib', 'config', 'bgp', 'forwarding', 'telemetry'],
  cli: ['rpc', 'lib'],
  supervisor: [
    ...['lib', 'kernel', 'telemetry', 'config', 'rpc', 'ike', 'bgp', 'forwarding', 'vlink'],
    'vpn',
  ],
};

const folders = Object.keys(layers);
const layerRules = folders.map((layer) => ({
  name: `layer-${layer}`,
  comment: `src/${layer} may import only: ${[layer, ...layers[layer]].join(', ')}`,
  severity: 'error',
  from: { path: `^src/${layer}/` },
  to: { path: '^src/', pathNot: `^src/(${[layer, ...layers[layer]].join('|')})/` },
}));

const sockets = '^(node:)?(net|dgram|tls|http|https|http2)$';
// A transport or driver says so in its name: ike/transport.ts, bgp/session/driver.ts,
// kernel/netlink-transport.ts, or a folder transport/ or driver/.
const mayOpenSockets = ['^src/rpc/', '[/-](transport|driver)[/.]'];

module.exports = {
  forbidden: [
    ...layerRules,
    {
      name: 'known-folder',
      comment: `Code of src/ lives in one of: ${folders.join(', ')}, or is src/main.ts`,
      severity: 'error',
      from: { path: '^src/', pathNot: `^src/((${folders.join('|')})/|main\\.ts$)` },
      to: {},
    },
    {
      name: 'entry',
      comment: 'src/main.ts wires supervisor, config and cli; nothing imports it',
      severity: 'error',
      from: { path: '^src/main\\.ts$' },
      to: { path: '^src/', pathNot: '^src/(supervisor|config|cli|lib)/' },
    },
    {
      name: 'codec-only-lib',
      comment: 'Codecs know bytes and nothing else',
      severity: 'error',
      from: { path: '^src/(ike|bgp|kernel)/codec/' },
      to: { path: '^src/', pathNot: '^src/($1/codec|lib)/' },
    },
    {
      name: 'codec-no-builtins',
      comment: 'Codecs know bytes and nothing else',
      severity: 'error',
      from: { path: '^src/(ike|bgp|kernel)/codec/' },
      to: { dependencyTypes: ['core'], pathNot: '^(node:)?(buffer|util)$' },
    },
    {
      name: 'ike-crypto-alone',
      comment: 'The cryptography of IKEv2 knows neither messages nor state: it can be read alone',
      severity: 'error',
      from: { path: '^src/ike/crypto/' },
      to: { path: '^src/', pathNot: '^src/(ike/crypto|lib)/' },
    },
    {
      name: 'ike-crypto-builtins',
      severity: 'error',
      from: { path: '^src/ike/crypto/', pathNot: '^src/ike/crypto/pool-' },
      to: { dependencyTypes: ['core'], pathNot: '^(node:)?crypto$' },
    },
    {
      name: 'ike-crypto-packages',
      severity: 'error',
      from: { path: '^src/ike/crypto/' },
      to: { path: 'node_modules/', pathNot: 'node_modules/@(noble/post-quantum|types/node)/' },
    },
    {
      name: 'lib-and-codecs-no-packages',
      severity: 'error',
      from: { path: '^src/(lib/|(ike|bgp|kernel)/codec/)' },
      to: { path: 'node_modules/' },
    },
    {
      name: 'sockets-only-in-transports-and-drivers',
      comment: 'Only transports and drivers open sockets; machines are sans-I/O',
      severity: 'error',
      from: { path: '^src/', pathNot: mayOpenSockets },
      to: { dependencyTypes: ['core'], path: sockets },
    },
    {
      name: 'grpc-only-in-rpc',
      comment: 'The gRPC package is used by src/rpc; others use its typed faces',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/rpc/' },
      to: { path: 'node_modules/@grpc/' },
    },
    {
      name: 'addon-only-in-forwarding',
      comment: 'Only src/forwarding/addon loads native code',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/forwarding/addon(/|\\.ts$)' },
      to: { dependencyTypes: ['core'], path: '^(node:)?module$' },
    },
    {
      name: 'addon-path',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/forwarding/addon(/|\\.ts$)' },
      to: { path: '(^addon/|\\.node$)' },
    },
    {
      name: 'product-not-from-tests',
      severity: 'error',
      from: { path: '^src/' },
      to: { path: '^(test|scripts|perf|examples)/' },
    },
    {
      name: 'no-dev-packages',
      severity: 'error',
      from: { path: '^src/', pathNot: '\\.test\\.ts$' },
      to: {
        dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'],
        pathNot: 'node_modules/@types/node/',
      },
    },
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'resolvable',
      severity: 'error',
      from: { pathNot: '^examples/' },
      to: { couldNotResolve: true, pathNot: '^sealane$' },
    },
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^(build|node_modules)/' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'require', 'node', 'default', 'types'],
    },
  },
};
