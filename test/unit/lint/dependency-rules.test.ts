import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

/**
 * The dependency rules are worth what they catch. Every violation below is planted in a copy of
 * the project that is otherwise empty, each in files of its own; one run must then blame exactly
 * the planted files, each for exactly the rule named here.
 */

interface Case {
  readonly what: string;
  readonly rule: string | null; // null: allowed
  readonly from: string;
  readonly files: Readonly<Record<string, string>>;
}

const aType = 'export interface T { a: number }\n';
const aValue = 'export const v = 1;\n';
const importType = (from: string) => `import type { T } from '${from}';\nexport type U = T;\n`;
const importValue = (from: string) => `import { v } from '${from}';\nexport const w = v;\n`;
const importFrom = (name: string, from: string) =>
  `import { ${name} } from '${from}';\nexport { ${name} };\n`;

/** `from` imports `to`, once as a type and once as a value. */
function edge(from: string, to: string, rule: string | null): Case[] {
  const target = `src/${to}/x.ts`;
  const a = `src/${from}/to-${to.replaceAll('/', '-')}-type.ts`;
  const b = `src/${from}/to-${to.replaceAll('/', '-')}-value.ts`;
  const up = '../'.repeat(from.split('/').length);
  const both = aType + aValue;
  return [
    {
      what: `import type: ${from} -> ${to}`,
      rule,
      from: a,
      files: { [target]: both, [a]: importType(`${up}${to}/x.js`) },
    },
    {
      what: `import: ${from} -> ${to}`,
      rule,
      from: b,
      files: { [target]: both, [b]: importValue(`${up}${to}/x.js`) },
    },
  ];
}

function one(what: string, rule: string | null, from: string, text: string): Case {
  return { what, rule, from, files: { [from]: text } };
}

const socketRule = 'sockets-only-in-transports-and-drivers';

const forbidden: Case[] = [
  ...edge('lib', 'config', 'layer-lib'),
  ...edge('kernel', 'config', 'layer-kernel'),
  ...edge('telemetry', 'rpc', 'layer-telemetry'),
  ...edge('config', 'vpn', 'layer-config'),
  ...edge('rpc', 'config', 'layer-rpc'),
  ...edge('ike', 'bgp', 'layer-ike'),
  ...edge('ike', 'vpn', 'layer-ike'),
  ...edge('ike/exchange', 'forwarding', 'layer-ike'),
  ...edge('bgp', 'ike', 'layer-bgp'),
  ...edge('bgp/rib', 'vpn', 'layer-bgp'),
  ...edge('bgp', 'forwarding', 'layer-bgp'),
  ...edge('forwarding', 'vpn', 'layer-forwarding'),
  ...edge('vlink', 'bgp', 'layer-vlink'),
  ...edge('vpn', 'ike', 'layer-vpn'),
  ...edge('vpn', 'supervisor', 'layer-vpn'),
  ...edge('cli', 'config', 'layer-cli'),
  ...edge('cli', 'supervisor', 'layer-cli'),
  ...edge('supervisor', 'cli', 'layer-supervisor'),
  ...edge('ike/codec', 'ike/exchange', 'codec-only-lib'),
  ...edge('ike/codec/payloads', 'telemetry', 'codec-only-lib'),
  ...edge('ike/crypto', 'ike/codec', 'ike-crypto-alone'),
  ...edge('ike/crypto', 'config', 'ike-crypto-alone'),
  one(
    'threads in the cryptography, outside its pool',
    'ike-crypto-builtins',
    'src/ike/crypto/x25519.ts',
    importFrom('Worker', 'node:worker_threads'),
  ),
  one(
    'another package in the cryptography',
    'ike-crypto-packages',
    'src/ike/crypto/zod.ts',
    importFrom('z', 'zod'),
  ),
  ...edge('bgp/codec/nlri', 'config', 'codec-only-lib'),
  one(
    'cryptography in a codec',
    'codec-no-builtins',
    'src/ike/codec/crypto.ts',
    importFrom('randomBytes', 'node:crypto'),
  ),
  one(
    'file system in a codec',
    'codec-no-builtins',
    'src/bgp/codec/fs.ts',
    importFrom('open', 'node:fs/promises'),
  ),
  one('a package in lib', 'lib-and-codecs-no-packages', 'src/lib/zod.ts', importFrom('z', 'zod')),
  one('TCP in a machine', socketRule, 'src/bgp/session/fsm.ts', importFrom('Socket', 'node:net')),
  one(
    'a type of dgram, without node:, in netlink code',
    socketRule,
    'src/kernel/netlink.ts',
    "import type { Socket } from 'dgram';\nexport type S = Socket;\n",
  ),
  one(
    'TLS by a dynamic import',
    socketRule,
    'src/vpn/tls.ts',
    "export const tls = await import('node:tls');\n",
  ),
  one(
    'gRPC outside rpc',
    'grpc-only-in-rpc',
    'src/cli/grpc.ts',
    importFrom('Client', '@grpc/grpc-js'),
  ),
  one(
    'createRequire beside the addon loader',
    'addon-only-in-forwarding',
    'src/forwarding/rows.ts',
    importFrom('createRequire', 'node:module'),
  ),
  {
    what: 'the folder of the addon, directly',
    rule: 'addon-path',
    from: 'src/vpn/native.ts',
    files: { 'addon/x.ts': aValue, 'src/vpn/native.ts': importValue('../../addon/x.js') },
  },
  {
    what: 'test code in the product',
    rule: 'product-not-from-tests',
    from: 'src/vpn/from-test.ts',
    files: { 'test/x.ts': aValue, 'src/vpn/from-test.ts': importValue('../../test/x.js') },
  },
  one(
    'a development package in the product',
    'no-dev-packages',
    'src/config/dev.ts',
    "import type * as fc from 'fast-check';\nexport type A = typeof fc;\n",
  ),
  {
    what: 'a cycle of types',
    rule: 'no-cycles',
    from: 'src/lib/cycle-a.ts',
    files: {
      'src/lib/cycle-a.ts':
        "import type { B } from './cycle-b.js';\nexport interface A { b?: B }\n",
      'src/lib/cycle-b.ts':
        "import type { A } from './cycle-a.js';\nexport interface B { a?: A }\n",
    },
  },
  {
    what: 'an entry that reaches into the layers',
    rule: 'entry',
    from: 'src/main.ts',
    files: { 'src/bgp/x.ts': aType + aValue, 'src/main.ts': importValue('./bgp/x.js') },
  },
  {
    what: 'a folder nobody planned',
    rule: 'known-folder',
    from: 'src/utils/a.ts',
    files: { 'src/lib/x.ts': aType + aValue, 'src/utils/a.ts': importValue('../lib/x.js') },
  },
  one('a missing file', 'resolvable', 'src/lib/nowhere.ts', importValue('./not-there.js')),
];

const allowed: Case[] = [
  ...edge('ike', 'config', null),
  ...edge('ike/codec', 'lib', null),
  ...edge('ike/codec', 'ike/codec/payloads', null),
  ...edge('vpn', 'bgp', null),
  ...edge('vpn', 'forwarding', null),
  ...edge('cli', 'rpc', null),
  ...edge('supervisor', 'ike', null),
  ...edge('supervisor', 'forwarding', null),
  one('TCP in a driver', null, 'src/bgp/session/driver.ts', importFrom('Socket', 'node:net')),
  one('UDP in a transport', null, 'src/ike/transport.ts', importFrom('createSocket', 'node:dgram')),
  one('gRPC in rpc', null, 'src/rpc/server.ts', importFrom('Server', '@grpc/grpc-js')),
  one(
    'the addon loader',
    null,
    'src/forwarding/addon.ts',
    importFrom('createRequire', 'node:module'),
  ),
];

const root = fileURLToPath(new URL('../../..', import.meta.url));
let copy = '';
let blamed = new Map<string, Set<string>>();

beforeAll(() => {
  copy = mkdtempSync(join(tmpdir(), 'sealane-lint-'));
  for (const file of ['.dependency-cruiser.cjs', 'tsconfig.json', 'package.json']) {
    cpSync(join(root, file), join(copy, file));
  }
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
  for (const { files } of [...forbidden, ...allowed]) {
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(join(copy, dirname(path)), { recursive: true });
      writeFileSync(join(copy, path), text);
    }
  }
  blamed = cruise();
}, 60_000);

afterAll(() => {
  rmSync(copy, { recursive: true });
});

/** Runs the check over the copy. */
function run(outputType: 'err' | 'json'): ReturnType<typeof spawnSync> & { stdout: string } {
  const args = ['node_modules/dependency-cruiser/bin/dependency-cruise.mjs'];
  args.push('--config', '.dependency-cruiser.cjs', '--output-type', outputType, 'src');
  return spawnSync('node', args, { cwd: copy, encoding: 'utf8', maxBuffer: 1 << 26 });
}

/** Which file breaks which rules. */
function cruise(): Map<string, Set<string>> {
  const report = JSON.parse(run('json').stdout) as {
    summary: { violations: { from: string; rule: { name: string } }[] };
  };
  const found = new Map<string, Set<string>>();
  for (const { from, rule } of report.summary.violations) {
    found.set(from, (found.get(from) ?? new Set()).add(rule.name));
  }
  return found;
}

describe('dependency rules', () => {
  it.each(forbidden)('forbidden: $what ($rule)', ({ from, rule }) => {
    expect([...(blamed.get(from) ?? [])]).toEqual([rule]);
  });

  it.each(allowed)('allowed: $what', ({ from }) => {
    expect([...(blamed.get(from) ?? [])]).toEqual([]);
  });

  it('fails the lint', () => {
    expect(run('err').status).not.toBe(0);
  });

  it('blames nothing but what was planted', () => {
    const planted = new Set(forbidden.flatMap(({ files }) => Object.keys(files)));
    expect([...blamed.keys()].filter((file) => !planted.has(file))).toEqual([]);
  });

  it('plants at least one violation of every rule there is', () => {
    const print = "process.stdout.write(JSON.stringify(require('./.dependency-cruiser.cjs')))";
    const config = JSON.parse(
      execFileSync('node', ['-e', print], { cwd: root, encoding: 'utf8' }),
    ) as { forbidden: { name: string }[] };
    const planted = new Set(forbidden.map(({ rule }) => rule));
    const unproven = config.forbidden.map(({ name }) => name).filter((name) => !planted.has(name));
    expect(unproven).toEqual([]);
  });
});
