// SPDX-License-Identifier: Apache-2.0
/**
 * The schema of {@link Config}: what can be said about each value alone. What depends on several
 * (references, uniqueness, protections against algorithms) is in checks/.
 */
import type { z } from 'zod';
import { ALGORITHMS } from '../lib/esp-suites.js';
import { bgpSchema, vrfBgpSchema } from './bgp/schema.js';
import { asn } from './bgp/scalars.js';
import { ikeSchema } from './ike/schema.js';
import { IMPLICIT_NULL, MAX_LCORES } from './defaults.js';
import {
  encapsulation,
  entity,
  exportClass,
  LONGEST,
  protection,
  replayWindow,
} from './common-schema.js';
import {
  address,
  boolean,
  cpuList,
  directory,
  integer,
  kernelName,
  name,
  network,
  nonEmpty,
  oneOf,
  ownAddress,
  pciAddress,
  scalar,
  vdev,
} from './scalars.js';
import { egress, police, trafficClasses } from './qos-schema.js';
import {
  choiceByKey,
  choiceByWord,
  list,
  set,
  strict,
  table,
  wordOr,
  type Equal,
  type Plain,
} from './shapes.js';
import type { Config } from './types.js';

/** Secured label tables: one per SP, the own one included. */
export const MAX_SPS = 63;

const netns = name(LONGEST.netns);
const algorithm = oneOf(...ALGORITHMS);
/** RFC 3032 §2.1: 0..15 are reserved. */
const label = integer(16, 1_048_575, 'a label');

const instance = scalar<string>('a name', (value) => {
  if (typeof value === 'string' && /^[a-z0-9][a-z0-9-]{0,11}$/.test(value)) return value;
  return {
    reason: 'not the name of an instance',
    remedy: '1..12 characters a-z, 0-9, "-"; a letter or digit first',
  };
});

const singleDevices = <T extends object>(options: T) => ({
  kernel: strict({
    kernel: kernelName,
    netns: netns.exactOptional(),
    driver: oneOf('af_packet', 'af_xdp').exactOptional(),
    ...options,
  }),
  pci: strict({
    pci: pciAddress,
    options: nonEmpty('driver options', '"rx_desc=1024"').exactOptional(),
    ...options,
  }),
  vdev: strict({ vdev, ...options }),
});
const portOptions = { offloads: boolean.exactOptional() };
const device = choiceByKey({
  ...singleDevices(portOptions),
  lag: strict({
    lag: list(choiceByKey(singleDevices({}))),
    lacpRate: oneOf('fast', 'slow').exactOptional(),
    ...portOptions,
  }),
});

const interfaceCommon = {
  device,
  vlan: integer(1, 4094, 'a VLAN id').exactOptional(),
  serviceVlan: integer(1, 4094, 'a VLAN id').exactOptional(),
  serviceTag: oneOf('802.1ad', '802.1q').exactOptional(),
  addresses: list(ownAddress),
  /** RFC 8200 §5 asks for 1280 at least; 9216 is what data room and NICs take. */
  mtu: integer(1280, 9216, 'largest IP packet in bytes').exactOptional(),
};
const ceInterface = strict({
  ...interfaceCommon,
  role: oneOf('ce'),
  vrf: entity,
  police: police.exactOptional(),
  egress: egress.exactOptional(),
});
const coreInterface = strict({
  ...interfaceCommon,
  role: oneOf('core'),
  mpls: oneOf('off', 'own-sp', 'other-sp').exactOptional(),
  // An empty list says the same as none, and is what a generated configuration may hold.
  acceptClear: list(encapsulation).exactOptional(),
});
const anInterface = choiceByWord(
  'role',
  oneOf('ce', 'core'),
  { ce: ceInterface, core: coreInterface },
  (value) => (Object.hasOwn(value, 'vrf') ? 'ce' : 'core'),
);

const staticRoute = choiceByKey({
  via: strict({
    prefix: network,
    via: address({ linkLocal: true }),
    interface: name(LONGEST.interface).exactOptional(),
  }),
  tunnel: strict({ prefix: network, tunnel: entity, label }),
  discard: strict({ prefix: network, discard: oneOf('silent', 'unreachable') }),
});

const labelFor = wordOr('vrf', '{ ce: ADDRESS }', strict({ ce: address() }));

const exportRule = strict({
  name: entity,
  ...exportClass,
  prefixes: set(network).exactOptional(),
  label,
  labelFor: labelFor.exactOptional(),
});

const dscpValue = integer(0, 63, 'a DSCP');
const vrf = strict({
  netns: netns.exactOptional(),
  addresses: list(ownAddress).exactOptional(),
  ttl: oneOf('pipe', 'uniform').exactOptional(),
  trafficClass: oneOf('pipe', 'short-pipe', 'uniform').exactOptional(),
  dscp: dscpValue.exactOptional(),
  clampMss: boolean.exactOptional(),
  routes: list(staticRoute).exactOptional(),
  exports: list(exportRule).exactOptional(),
  importsFrom: list(entity).exactOptional(),
  bgp: vrfBgpSchema.exactOptional(),
});

const dscp = scalar<'copy' | number>('"copy" or 0..63', (value) => {
  if (value === 'copy') return value;
  const bits = typeof value === 'number' && Number.isInteger(value) ? value : -1;
  if (bits >= 0 && bits <= 63) return bits;
  return { reason: 'no DSCP', remedy: '"copy" or a whole number 0..63' };
});

const ecn = oneOf('normal', 'compatibility');
const tunnel = strict({
  local: address(),
  remote: address(),
  protection,
  encapsulation: oneOf('gre', 'ip', 'none'),
  dscp: dscp.exactOptional(),
  ecn: ecn.exactOptional(),
  ttl: integer(1, 255, 'TTL or hop limit').exactOptional(),
  sa: entity.exactOptional(),
});

const transportLabel = scalar<number>('a transport label', (value) => {
  if (typeof value === 'number' && Number.isInteger(value)) {
    if (value === IMPLICIT_NULL || (value >= 16 && value <= 0xf_ffff)) return value;
  }
  return { reason: 'no transport label', remedy: '16..1048575, or 3 (implicit null) for none' };
});

const lsp = strict({
  via: address({ linkLocal: true }),
  interface: name(LONGEST.interface).exactOptional(),
  labels: list(transportLabel),
  forIp: boolean.exactOptional(),
});

/** RFC 791: every module forwards 68 bytes, and a host takes 576; RFC 8201 §4: IPv6 has no less than 1280. */
const pathMtuProbes = strict({
  interval: integer(1, 3_600, 'seconds').exactOptional(),
  raise: integer(1, 86_400, 'seconds').exactOptional(),
});
const pathMtu = strict({
  floor: integer(576, 9216, 'a path MTU in bytes').exactOptional(),
  age: integer(1, 86_400, 'seconds').exactOptional(),
  probes: pathMtuProbes.exactOptional(),
});

const core = strict({
  netns: netns.exactOptional(),
  tunnelAddresses: list(address()),
  encapsulations: set(encapsulation).exactOptional(),
  lsps: table(lsp).exactOptional(),
  ecn: ecn.exactOptional(),
  trafficClasses: table(integer(0, 7, 'a traffic class')).exactOptional(),
  pathMtu: pathMtu.exactOptional(),
  /** Those above are labels of routes: src/vpn/label-register.ts. */
  transportLabels: list(integer(16, 32_767, 'a transport label of this PE')).exactOptional(),
});

const manualSa = strict({
  direction: oneOf('in', 'out'),
  local: address(),
  remote: address(),
  encapsulation,
  algorithm,
  /** RFC 4303 §2.1: 1..255 are reserved, 0 never goes on the wire. */
  spi: integer(256, 0xffff_ffff, 'an SPI'),
  sp: entity.exactOptional(),
  keyFile: directory(4095),
  replayWindow: replayWindow.exactOptional(),
  esn: boolean.exactOptional(),
});

const worker = strict({
  lcores: integer(1, MAX_LCORES, 'packet-path threads').exactOptional(),
  memoryMb: integer(64, 65_536, 'memory in MB').exactOptional(),
  hugepages: oneOf('auto', 'never', 'require').exactOptional(),
  idle: oneOf('adaptive', 'poll').exactOptional(),
  cpus: cpuList.exactOptional(),
  eal: list(nonEmpty('an EAL argument', '"--log-level=7"')).exactOptional(),
});

/** Leaves room for "/control.sock" and the like in a socket's 108 bytes. */
const socketDirectory = directory(80);

/** Each part of the configuration, so that one broken part does not hide what is wrong with another. */
export const configSchema = strict({
  instance,
  lab: strict({ manualSas: boolean.exactOptional() }).exactOptional(),
  runtimeDirectory: socketDirectory.exactOptional(),
  stateDirectory: directory(1024).exactOptional(),
  segmentDirectory: directory(1024).exactOptional(),
  worker: worker.exactOptional(),
  ownSp: entity,
  otherSps: list(entity).exactOptional(),
  sps: table(
    strict({ number: asn.exactOptional(), asns: list(asn).exactOptional() }),
  ).exactOptional(),
  core,
  classes: trafficClasses.exactOptional(),
  interfaces: table(anInterface),
  vrfs: table(vrf).exactOptional(),
  tunnels: table(tunnel).exactOptional(),
  manualSas: table(manualSa).exactOptional(),
  ike: ikeSchema.exactOptional(),
  bgp: bgpSchema.exactOptional(),
});

// The schema and the type of types.ts say the same: this fails to compile when they do not.
true satisfies Equal<Plain<z.output<typeof configSchema>>, Plain<Config>>;
