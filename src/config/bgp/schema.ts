// SPDX-License-Identifier: Apache-2.0
/** The schema of the `bgp` sections; the types are in types.ts. */
import type { z } from 'zod';
import { MAX_U32 } from '../../lib/bgp-words.js';
import { encapsulation, entity, exportClass, LONGEST, protection } from '../common-schema.js';
import {
  address,
  boolean,
  directory,
  integer,
  name,
  network,
  nonEmpty,
  oneOf,
  scalar,
} from '../scalars.js';
import { byType, list, set, strict, table, type Equal, type Plain } from '../shapes.js';
import { bgpPolicy, policyName, prefixMatch } from './policy-schema.js';
import { asn, rd, routerId, routeTargetText, siteOfOriginText } from './scalars.js';
import type { Bgp, VrfBgp } from './types.js';

const seconds = (low: number, high: number, what: string): ReturnType<typeof integer> =>
  integer(low, high, `${what} in seconds`);
const port = integer(1, 65_535, 'a TCP port');
/** A path of a file that only its owner may read; never its contents. */
const keyFile = directory(4095);

// ---- Neighbours ----------------------------------------------------------------------------------

const timers = strict({
  hold: seconds(0, 65_535, 'hold time').exactOptional(),
  keepalive: seconds(1, 21_845, 'keepalive interval').exactOptional(),
  connectRetry: seconds(1, 3600, 'wait before connecting again').exactOptional(),
  connectRetryMax: seconds(1, 86_400, 'longest wait before connecting again').exactOptional(),
  sendHold: seconds(0, 86_400, 'send hold time').exactOptional(),
  open: seconds(1, 3600, 'wait for the OPEN').exactOptional(),
});

const maxPrefixes = strict({
  limit: integer(1, MAX_U32, 'prefixes'),
  warnAt: integer(1, 100, 'percent').exactOptional(),
  action: oneOf('close', 'warn').exactOptional(),
  restartAfter: seconds(1, 86_400, 'wait before starting again').exactOptional(),
});

const family = strict({
  addPath: oneOf('send', 'receive', 'both').exactOptional(),
  addPathLimit: integer(1, 255, 'paths').exactOptional(),
  extendedNextHop: boolean.exactOptional(),
  maxPrefixes: maxPrefixes.exactOptional(),
}).exactOptional();

const families = strict({
  'ipv4-unicast': family,
  'ipv6-unicast': family,
  'vpnv4-unicast': family,
  'vpnv6-unicast': family,
  'ipv4-labelled': family,
  'ipv6-labelled': family,
  'route-target': family,
});

const gracefulRestart = strict({
  restartTime: seconds(0, 4095, 'restart time').exactOptional(),
  notification: boolean.exactOptional(),
});

const never = scalar<false>('false', (value) =>
  value === false
    ? value
    : { reason: 'true says nothing more than leaving it out', remedy: 'false, or an object' },
);
const milliseconds = integer(10, 60_000, 'an interval in milliseconds');
const bfd = strict({
  minTx: milliseconds.exactOptional(),
  minRx: milliseconds.exactOptional(),
  multiplier: integer(1, 255, 'detection multiplier').exactOptional(),
});

const tcpAo = strict({
  keyFile,
  algorithm: oneOf('hmac-sha-1', 'aes-128-cmac').exactOptional(),
  sendId: integer(0, 255, 'a key id'),
  receiveId: integer(0, 255, 'a key id'),
});

/** RFC 9003 §2: at most 255 octets of UTF-8. */
const shutdownText = scalar<string>('a text for the neighbour', (value) => {
  const bytes = typeof value === 'string' ? Buffer.byteLength(value) : 0;
  if (typeof value === 'string' && bytes > 0 && bytes <= 255) return value;
  return { reason: `text of ${bytes} octets`, remedy: '1..255 octets of UTF-8 (RFC 9003)' };
});

const options = {
  asn: byType('an AS number, a list of them, or "external"', {
    number: asn,
    list: list(asn),
    string: oneOf('external'),
  }).exactOptional(),
  description: nonEmpty('a description', '"reflector 1"').exactOptional(),
  localAsn: asn.exactOptional(),
  localAddress: address({ linkLocal: true }).exactOptional(),
  port: port.exactOptional(),
  passive: boolean.exactOptional(),
  shutdown: byType('true, false or a text for the neighbour', {
    boolean,
    string: shutdownText,
  }).exactOptional(),
  multihop: integer(2, 255, 'hops').exactOptional(),
  ttlSecurity: integer(1, 254, 'hops').exactOptional(),
  md5KeyFile: keyFile.exactOptional(),
  tcpAo: tcpAo.exactOptional(),
  timers: timers.exactOptional(),
  families: families.exactOptional(),
  gracefulRestart: byType('false or an object: { ... }', {
    boolean: never,
    object: gracefulRestart,
  }).exactOptional(),
  longLived: strict({ staleTime: seconds(1, 16_777_215, 'stale time') }).exactOptional(),
  advertisementInterval: seconds(0, 600, 'advertisement interval').exactOptional(),
  policyIn: policyName.exactOptional(),
  policyOut: policyName.exactOptional(),
  routeReflectorClient: boolean.exactOptional(),
  nextHopSelf: boolean.exactOptional(),
  nextHopUnchanged: boolean.exactOptional(),
  vpnNextHop: address().exactOptional(),
  accepts: strict({
    protections: set(protection),
    encapsulations: set(encapsulation).exactOptional(),
  }).exactOptional(),
  transitFloor: protection.exactOptional(),
  unmarkedToSp: boolean.exactOptional(),
  asOverride: boolean.exactOptional(),
  allowAsIn: integer(0, 10, 'occurrences of the own AS number').exactOptional(),
  siteOfOrigin: siteOfOriginText.exactOptional(),
  removePrivateAs: oneOf('remove', 'replace').exactOptional(),
  passCe: set(oneOf('route-target', 'ipsec', 'encapsulation', 'color')).exactOptional(),
  sp: entity.exactOptional(),
  ipsec: oneOf('require', 'off').exactOptional(),
  bfd: byType('true, false or an object: { ... }', { boolean, object: bfd }).exactOptional(),
};

const neighbour = strict({
  ...options,
  template: policyName.exactOptional(),
  interface: name(LONGEST.interface).exactOptional(),
});
const dynamicNeighbours = strict({
  ...options,
  template: policyName.exactOptional(),
  prefixLimit: integer(1, 65_535, 'sessions').exactOptional(),
});

// ---- VRFs ----------------------------------------------------------------------------------------

const targets = set(routeTargetText);
const labelPer = oneOf('vrf', 'ce', 'prefix');

const importRule = strict({
  name: entity,
  targets,
  fromSps: set(entity).exactOptional(),
  floor: protection.exactOptional(),
  preferProtected: boolean.exactOptional(),
  protections: set(oneOf('encrypt', 'authenticate', 'tunnel')).exactOptional(),
  unsignalled: protection.exactOptional(),
  policy: policyName.exactOptional(),
});

const exportRule = strict({
  ...exportClass,
  protections: exportClass.protections.exactOptional(),
  name: entity,
  rd: rd.exactOptional(),
  targets,
  prefixes: set(network).exactOptional(),
  policy: policyName.exactOptional(),
  labelPer: labelPer.exactOptional(),
  nextHop: address().exactOptional(),
});

const byPolicy = byType('true, false or { policy: NAME }', {
  boolean,
  object: strict({ policy: policyName }),
}).exactOptional();

// As many as a next-hop group of the tables has members.
const maximumPaths = strict({
  ebgp: integer(1, 16, 'paths').exactOptional(),
  ibgp: integer(1, 16, 'paths').exactOptional(),
});
const networks = list(strict({ prefix: network, policy: policyName.exactOptional() }));

export const vrfBgpSchema = strict({
  rd,
  routerId: routerId.exactOptional(),
  importTargets: targets.exactOptional(),
  exportTargets: targets.exactOptional(),
  imports: list(importRule).exactOptional(),
  exports: list(exportRule).exactOptional(),
  labelPer: labelPer.exactOptional(),
  redistribute: strict({ connected: byPolicy, static: byPolicy, kernel: byPolicy }).exactOptional(),
  networks: networks.exactOptional(),
  maximumPaths: maximumPaths.exactOptional(),
  neighbours: table(neighbour).exactOptional(),
  dynamicNeighbours: table(dynamicNeighbours).exactOptional(),
});

// ---- The whole -----------------------------------------------------------------------------------

const bmpStation = strict({
  address: address(),
  port: port.exactOptional(),
  localAddress: address().exactOptional(),
  monitor: set(oneOf('adj-in-pre', 'adj-out-post', 'loc-rib')).exactOptional(),
  statistics: seconds(0, 86_400, 'time between statistics').exactOptional(),
  bufferMb: integer(1, 1024, 'memory in MB').exactOptional(),
});

const mrtDump = strict({
  file: directory(4095),
  what: oneOf('messages', 'tables'),
  every: seconds(60, 604_800, 'time between files').exactOptional(),
  neighbours: set(address({ linkLocal: true })).exactOptional(),
});

export const bgpSchema = strict({
  asn,
  routerId,
  clusterId: routerId.exactOptional(),
  port: port.exactOptional(),
  ebgpRequiresPolicy: boolean.exactOptional(),
  alwaysCompareMed: boolean.exactOptional(),
  routeTargetConstraint: boolean.exactOptional(),
  keepAllVpnRoutes: boolean.exactOptional(),
  selectionDeferral: seconds(0, 3600, 'wait for neighbours after a restart').exactOptional(),
  exportClass: strict(exportClass).exactOptional(),
  tightening: strict({
    announce: seconds(0, 600, 'announcement of a stricter class').exactOptional(),
    grace: seconds(0, 600, 'grace time of an old label').exactOptional(),
  }).exactOptional(),
  ipsecCommunitySubType: integer(0, 255, 'a sub-type').exactOptional(),
  maximumPaths: maximumPaths.exactOptional(),
  prefixLists: table(list(prefixMatch)).exactOptional(),
  policies: table(bgpPolicy).exactOptional(),
  templates: table(strict(options)).exactOptional(),
  neighbours: table(neighbour).exactOptional(),
  dynamicNeighbours: table(dynamicNeighbours).exactOptional(),
  networks: networks.exactOptional(),
  labelledUnicast: strict({
    announce: byType('"implicit-null", "explicit-null" or a label', {
      number: integer(16, 1_048_575, 'a label'),
      string: oneOf('implicit-null', 'explicit-null'),
    }).exactOptional(),
    forIp: boolean.exactOptional(),
  }).exactOptional(),
  bmp: table(bmpStation).exactOptional(),
  mrt: table(mrtDump).exactOptional(),
});

true satisfies Equal<Plain<z.output<typeof bgpSchema>>, Plain<Bgp>>;
true satisfies Equal<Plain<z.output<typeof vrfBgpSchema>>, Plain<VrfBgp>>;
