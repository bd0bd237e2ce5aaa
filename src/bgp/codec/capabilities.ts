// SPDX-License-Identifier: Apache-2.0
/**
 * Capabilities (RFC 5492 §4), one after the other in the Capabilities optional parameter of OPEN:
 *
 *     | Capability Code 1 | Capability Length 1 | Capability Value ... |
 *
 * One that is not known, or whose value has an impossible length, is kept as `unknown` and means nothing.
 */
import { ByteWriter, u16, u24, u32, u8 } from './bytes.js';

export const CAPABILITY = {
  multiprotocol: 1, // RFC 4760
  routeRefresh: 2, // RFC 2918
  extendedNextHop: 5, // RFC 8950
  extendedMessages: 6, // RFC 8654
  multipleLabels: 8, // RFC 8277
  role: 9, // RFC 9234
  gracefulRestart: 64, // RFC 4724, 8538
  as4: 65, // RFC 6793
  addPath: 69, // RFC 7911
  enhancedRefresh: 70, // RFC 7313
  longLived: 71, // RFC 9494
  fqdn: 73, // draft-walton-bgp-hostname-capability
} as const;

export interface AfiSafi {
  readonly afi: number;
  readonly safi: number;
}

/** IPv4 or IPv6 next hops (1, 2) of NLRI of another family. */
export type NextHopEntry = AfiSafi & { readonly nextHopAfi: number };
export type LabelsEntry = AfiSafi & { readonly count: number };
export type RestartEntry = AfiSafi & { readonly forwarding: boolean };
export type AddPathEntry = AfiSafi & { readonly send: boolean; readonly receive: boolean };
/** staleTime in seconds, 24 bits. */
export type LongLivedEntry = AfiSafi & { readonly forwarding: boolean; readonly staleTime: number };

/** What each kind says besides being there. */
interface Values {
  readonly multiprotocol: AfiSafi;
  readonly routeRefresh: unknown;
  readonly extendedNextHop: { readonly entries: readonly NextHopEntry[] };
  readonly extendedMessages: unknown;
  readonly multipleLabels: { readonly entries: readonly LabelsEntry[] };
  readonly role: { readonly role: number };
  readonly gracefulRestart: {
    readonly restarting: boolean;
    readonly notification: boolean;
    /** Seconds, 12 bits. */
    readonly restartTime: number;
    readonly entries: readonly RestartEntry[];
  };
  readonly as4: { readonly asn: number };
  readonly addPath: { readonly entries: readonly AddPathEntry[] };
  readonly enhancedRefresh: unknown;
  readonly longLived: { readonly entries: readonly LongLivedEntry[] };
  readonly fqdn: { readonly host: string; readonly domain: string };
}

type KnownKind = keyof Values;
/** In this form the compiler sees that a kind and its codec belong together. */
type Known<Kind extends KnownKind = KnownKind> = {
  [Each in Kind]: { readonly kind: Each } & Values[Each];
}[Kind];
export type GracefulRestart = Known<'gracefulRestart'>;

export type Capability =
  Known | { readonly kind: 'unknown'; readonly code: number; readonly value: Uint8Array };

interface CapabilityCodec<Kind extends KnownKind> {
  /** undefined: the value cannot be right. */
  decode(value: Uint8Array): Known<Kind> | undefined;
  encode(capability: Known<Kind>, out: ByteWriter): void;
}

/** Entries of `size` octets each from `from` on; undefined when they do not come out even. */
function entriesOf<Entry>(
  value: Uint8Array,
  from: number,
  size: number,
  read: (at: number) => Entry,
): Entry[] | undefined {
  if (value.length < from || (value.length - from) % size !== 0) return undefined;
  const count = (value.length - from) / size;
  return Array.from({ length: count }, (_, i) => read(from + size * i));
}

const afiSafi = (value: Uint8Array, at: number): AfiSafi => ({
  afi: u16(value, at),
  safi: u8(value, at + 2),
});

function writeAfiSafi({ afi, safi }: AfiSafi, out: ByteWriter): void {
  out.u16(afi);
  out.u8(safi);
}

/** | AFI 2 | reserved 1 | SAFI 1 | */
const multiprotocol: CapabilityCodec<'multiprotocol'> = {
  decode: (value) =>
    value.length === 4
      ? { kind: 'multiprotocol', afi: u16(value, 0), safi: u8(value, 3) }
      : undefined,
  encode({ afi, safi }, out) {
    out.u16(afi);
    out.u8(0);
    out.u8(safi);
  },
};

const empty = <Kind extends KnownKind>(capability: Known<Kind>): CapabilityCodec<Kind> => ({
  decode: (value) => (value.length === 0 ? capability : undefined),
  encode() {
    // It has no value.
  },
});

/** (AFI 2 | SAFI 2 | next hop AFI 2)* */
const extendedNextHop: CapabilityCodec<'extendedNextHop'> = {
  decode(value) {
    const entries = entriesOf(value, 0, 6, (at) => ({
      afi: u16(value, at),
      safi: u16(value, at + 2),
      nextHopAfi: u16(value, at + 4),
    }));
    return entries === undefined ? undefined : { kind: 'extendedNextHop', entries };
  },
  encode({ entries }, out) {
    for (const { afi, safi, nextHopAfi } of entries) {
      out.u16(afi);
      out.u16(safi);
      out.u16(nextHopAfi);
    }
  },
};

/** (AFI 2 | SAFI 1 | count 1)* */
const multipleLabels: CapabilityCodec<'multipleLabels'> = {
  decode(value) {
    const entries = entriesOf(value, 0, 4, (at) => ({
      ...afiSafi(value, at),
      count: u8(value, at + 3),
    }));
    return entries === undefined ? undefined : { kind: 'multipleLabels', entries };
  },
  encode({ entries }, out) {
    for (const entry of entries) {
      writeAfiSafi(entry, out);
      out.u8(entry.count);
    }
  },
};

const role: CapabilityCodec<'role'> = {
  decode: (value) => (value.length === 1 ? { kind: 'role', role: u8(value, 0) } : undefined),
  encode(capability, out) {
    out.u8(capability.role);
  },
};

/** | R 1 bit | N 1 bit | 0 | restart time 12 bits | (AFI 2 | SAFI 1 | F 1 bit, 0)* | */
const gracefulRestart: CapabilityCodec<'gracefulRestart'> = {
  decode(value) {
    const entries = entriesOf(value, 2, 4, (at) => ({
      ...afiSafi(value, at),
      forwarding: (u8(value, at + 3) & 0x80) !== 0,
    }));
    if (entries === undefined) return undefined;
    const word = u16(value, 0);
    return {
      kind: 'gracefulRestart',
      restarting: (word & 0x8000) !== 0,
      notification: (word & 0x4000) !== 0,
      restartTime: word & 0xfff,
      entries,
    };
  },
  encode({ restarting, notification, restartTime, entries }, out) {
    const flags = (restarting ? 0x8000 : 0) | (notification ? 0x4000 : 0);
    out.u16(flags | Math.min(restartTime, 0xfff));
    for (const entry of entries) {
      writeAfiSafi(entry, out);
      out.u8(entry.forwarding ? 0x80 : 0);
    }
  },
};

const as4: CapabilityCodec<'as4'> = {
  decode: (value) => (value.length === 4 ? { kind: 'as4', asn: u32(value, 0) } : undefined),
  encode({ asn }, out) {
    out.u32(asn);
  },
};

/** (AFI 2 | SAFI 1 | 1 receive, 2 send, 3 both)*; entries of other values are ignored (RFC 7911 §4). */
const addPath: CapabilityCodec<'addPath'> = {
  decode(value) {
    const entries = entriesOf(value, 0, 4, (at) => {
      const bits = u8(value, at + 3);
      return { ...afiSafi(value, at), send: (bits & 2) !== 0, receive: (bits & 1) !== 0, bits };
    });
    if (entries === undefined) return undefined;
    const good = entries.filter(({ bits }) => bits >= 1 && bits <= 3);
    return {
      kind: 'addPath',
      entries: good.map(({ afi, safi, send, receive }) => ({ afi, safi, send, receive })),
    };
  },
  encode({ entries }, out) {
    for (const entry of entries) {
      writeAfiSafi(entry, out);
      out.u8((entry.receive ? 1 : 0) | (entry.send ? 2 : 0));
    }
  },
};

/** (AFI 2 | SAFI 1 | F 1 bit, 0 | stale time 3)* */
const longLived: CapabilityCodec<'longLived'> = {
  decode(value) {
    const entries = entriesOf(value, 0, 7, (at) => ({
      ...afiSafi(value, at),
      forwarding: (u8(value, at + 3) & 0x80) !== 0,
      staleTime: u24(value, at + 4),
    }));
    return entries === undefined ? undefined : { kind: 'longLived', entries };
  },
  encode({ entries }, out) {
    for (const entry of entries) {
      writeAfiSafi(entry, out);
      out.u8(entry.forwarding ? 0x80 : 0);
      out.u24(Math.min(entry.staleTime, 0xffffff));
    }
  },
};

/** | host length 1 | host | domain length 1 | domain |, UTF-8 */
const fqdn: CapabilityCodec<'fqdn'> = {
  decode(value) {
    const hostEnd = 1 + u8(value, 0);
    const end = hostEnd + 1 + u8(value, hostEnd);
    if (value.length <= hostEnd || value.length !== end) return undefined;
    const text = (from: number, to: number): string =>
      new TextDecoder().decode(value.subarray(from, to));
    return { kind: 'fqdn', host: text(1, hostEnd), domain: text(hostEnd + 1, end) };
  },
  encode({ host, domain }, out) {
    for (const name of [host, domain]) {
      const octets = new TextEncoder().encode(name);
      // The capability has 255 octets in all; a name of 126 is longer than any host's.
      const size = Math.min(octets.length, 126);
      out.u8(size);
      out.copy(octets, 0, size);
    }
  },
};

const CODECS: { readonly [Kind in KnownKind]: CapabilityCodec<Kind> } = {
  multiprotocol,
  routeRefresh: empty({ kind: 'routeRefresh' }),
  extendedNextHop,
  extendedMessages: empty({ kind: 'extendedMessages' }),
  multipleLabels,
  role,
  gracefulRestart,
  as4,
  addPath,
  enhancedRefresh: empty({ kind: 'enhancedRefresh' }),
  longLived,
  fqdn,
};

const isKnown = (key: string): key is KnownKind => key in CODECS;
const KIND_OF_CODE = new Map<number, KnownKind>(
  Object.keys(CAPABILITY)
    .filter(isKnown)
    .map((kind) => [CAPABILITY[kind], kind]),
);

/**
 * The capabilities in one parameter's value, bytes[start..end), appended to `into`. false: the last one
 * ends behind the parameter.
 */
export function decodeCapabilities(
  bytes: Uint8Array,
  start: number,
  end: number,
  into: Capability[],
): boolean {
  for (let at = start; at < end;) {
    if (end - at < 2) return false;
    const code = u8(bytes, at);
    const next = at + 2 + u8(bytes, at + 1);
    if (next > end) return false;
    const value = bytes.slice(at + 2, next);
    const kind = KIND_OF_CODE.get(code);
    const known = kind === undefined ? undefined : CODECS[kind].decode(value);
    into.push(known ?? { kind: 'unknown', code, value });
    at = next;
  }
  return true;
}

function encodeKnown<Kind extends KnownKind>(capability: Known<Kind>, out: ByteWriter): void {
  CODECS[capability.kind].encode(capability, out);
}

/** One capability. Throws RangeError when its value is longer than 255 octets. */
export function encodeCapability(capability: Capability): Uint8Array {
  const out = new ByteWriter(32);
  out.u8(capability.kind === 'unknown' ? capability.code : CAPABILITY[capability.kind]);
  out.u8(0);
  if (capability.kind === 'unknown') out.copy(capability.value);
  else encodeKnown(capability, out);
  const length = out.length - 2;
  if (length > 255) throw new RangeError(`a capability of ${length} octets`);
  out.bytes[1] = length;
  return out.slice();
}
