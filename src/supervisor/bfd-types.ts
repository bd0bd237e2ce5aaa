// SPDX-License-Identifier: Apache-2.0
/** BFD (RFC 5880, 5881, 5883) as a routing protocol asks for it and hears of it. */
import { createHash } from 'node:crypto';
import { familyOf, formatAddress, type Family } from '../lib/ip.js';
import { BfdAuthType, type BfdParameters } from '../rpc/gen/worker.js';

/** Who watches whom. Two sessions may not have the same. */
export interface BfdPeer {
  /** Namespace file, e.g. /run/netns/NAME; undefined: the supervisor's own. */
  readonly netns: string | undefined;
  /** Network order, 4 or 16 bytes, both of one family. */
  readonly local: Uint8Array;
  readonly remote: Uint8Array;
  /** RFC 5883; else a single hop, whose packets must come with TTL 255. */
  readonly multihop: boolean;
  /** Device of a single hop: needed for link-local addresses. */
  readonly interface?: string;
}

export interface BfdAuthentication {
  readonly type: 'keyed-sha1' | 'meticulous-keyed-sha1';
  readonly keyId: number; // 0..255
  readonly key: Uint8Array; // 1..20 bytes; secret
}

export interface BfdSettings {
  /** Microseconds, 10,000..60,000,000. While the session is not up it is a second at least. */
  readonly desiredMinTxUs: number;
  readonly requiredMinRxUs: number;
  readonly detectMult: number; // 1..255
  /** Multihop: packets with a lower TTL or hop limit are dropped. Default 1: any. */
  readonly minTtl?: number;
  readonly adminDown?: boolean;
  readonly authentication?: BfdAuthentication;
}

/** RFC 5880 §4.1, and 'unknown' while no worker has the session. */
export const BFD_STATES = ['admin-down', 'down', 'init', 'up'] as const;
export type BfdStateName = (typeof BFD_STATES)[number] | 'unknown';

export interface BfdStatus {
  readonly state: BfdStateName;
  /** Number of RFC 5880 §4.1: why the last change of our state came. */
  readonly diagnostic: number;
  readonly remoteState: BfdStateName;
  readonly remoteDiagnostic: number;
  /** The peer's C bit: its BFD shares no fate with its control plane (RFC 5882 §4.3). */
  readonly remoteIndependent: boolean;
  /**
   * The path failed since the last status: the session left Up, and not because one of the ends is
   * administratively down (RFC 5882 §3.2). May be true with state 'up': it failed and came back.
   */
  readonly failed: boolean;
  /** Why there is no session in the worker; it is tried again. */
  readonly problem: string | undefined;
}

/** Words of RFC 5880 §4.1. */
export const BFD_DIAGNOSTICS: readonly string[] = [
  'No Diagnostic',
  'Control Detection Time Expired',
  'Echo Function Failed',
  'Neighbor Signaled Session Down',
  'Forwarding Plane Reset',
  'Path Down',
  'Concatenated Path Down',
  'Administratively Down',
  'Reverse Concatenated Path Down',
];

/** What the worker keeps as a name: equal for equal peers in every supervisor, at most 127 printable bytes. */
const NAME_BYTES = 127;

function shortened(name: string): string {
  const printable = name.replaceAll(/[^ -~]/g, '?');
  if (printable === name && name.length <= NAME_BYTES) return name;
  const digest = createHash('sha256').update(name).digest('hex').slice(0, 32);
  return `${printable.slice(0, NAME_BYTES - digest.length - 1)} ${digest}`;
}

export function familyOfPeer(peer: BfdPeer): Family {
  const family = familyOf(peer.remote);
  if (family === undefined || peer.local.length !== peer.remote.length) {
    throw new TypeError('the addresses of a BFD session are 4 or 16 bytes, both the same');
  }
  return family;
}

export function sessionName(peer: BfdPeer): string {
  const { local, remote, multihop, netns } = peer;
  const device = peer.interface === undefined ? '' : `%${peer.interface}`;
  const hops = multihop ? 'multihop' : 'single-hop';
  return shortened(
    `${hops} ${formatAddress(local)}${device} ${formatAddress(remote)} ${netns ?? '-'}`,
  );
}

export function listenerName(peer: BfdPeer): string {
  const hops = peer.multihop ? 'multihop' : 'single-hop';
  return shortened(`${hops} IPv${familyOfPeer(peer)} ${peer.netns ?? '-'}`);
}

const AUTH_TYPES = {
  'keyed-sha1': BfdAuthType.BFD_AUTH_KEYED_SHA1,
  'meticulous-keyed-sha1': BfdAuthType.BFD_AUTH_METICULOUS_SHA1,
} as const;

export function toParameters(settings: BfdSettings): BfdParameters {
  const { desiredMinTxUs, requiredMinRxUs, detectMult, authentication } = settings;
  return {
    ...{ desiredMinTxUs, requiredMinRxUs, detectMult, adminDown: settings.adminDown ?? false },
    authType:
      authentication === undefined ? BfdAuthType.BFD_AUTH_NONE : AUTH_TYPES[authentication.type],
    authKeyId: authentication?.keyId ?? 0,
    authKey: Buffer.from(authentication?.key ?? []),
    minTtl: settings.minTtl ?? 1,
  };
}
