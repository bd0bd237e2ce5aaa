// SPDX-License-Identifier: Apache-2.0
/**
 * A chain of payloads, each behind its generic header (RFC 7296 §3.2):
 *
 *                         1                   2                   3
 *     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *    | Next Payload  |C|  RESERVED   |         Payload Length        |
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *
 * The length counts this header. Next Payload is the type of the payload behind, 0 for none; of SK and SKF it
 * is the type of the first payload inside, and these end the chain. The critical bit of a payload that is
 * understood means nothing (RFC 7296 §3.2) and is sent as 0.
 */
import { ByteWriter, u16, u8 } from '../../lib/octets.js';
import { type IkeFault, invalidSyntax, isFault, unsupportedCriticalPayload } from './fault.js';
import { LIMITS } from './limits.js';
import { type Payload, PAYLOADS, type PayloadKind, type PayloadOf } from './payload.js';
import { inOctet, must, type PayloadCodec } from './payload-codec.js';

const GENERIC_HEADER = 4;
const CRITICAL = 0x80;
const NO_NEXT_PAYLOAD = 0;

/**
 * Where SK or SKF lies, as indices into the octets it was decoded from or encoded to. Authenticated are the
 * octets from the IKE header to the end (RFC 7296 §3.14) without the checksum itself; the associated data of an
 * AEAD ends at `bodyAt` (RFC 5282 §5.1, RFC 7383 §2.5).
 */
export interface Protection {
  /** The generic header. */
  readonly headerAt: number;
  /** IV, ciphertext and checksum: [bodyAt, end). */
  readonly bodyAt: number;
  readonly end: number;
}

export interface Chain {
  readonly payloads: readonly Payload[];
  /** Present when the last payload is SK or SKF. */
  readonly protection?: Protection;
}

interface Decoder {
  readonly decode: (
    bytes: Uint8Array,
    start: number,
    end: number,
    next: number,
  ) => PayloadOf<PayloadKind> | IkeFault;
  /** Of those that end a chain: octets in front of the protected body. */
  readonly lead?: number;
}

/** The codec's decoder, whose answers carry their kind. */
const decoderOf = <Kind extends PayloadKind, Body extends object>(
  kind: Kind,
  { type, decode, last }: PayloadCodec<Body>,
) => {
  const tagged = (bytes: Uint8Array, start: number, end: number, next: number) => {
    const body = decode(bytes, start, end, next);
    return isFault(body) ? body : { kind, ...body };
  };
  const decoder = last === undefined ? { decode: tagged } : { decode: tagged, lead: last.lead };
  return [type, decoder] as const;
};

const DECODERS: ReadonlyMap<number, Decoder> = new Map<number, Decoder>([
  decoderOf('SA', PAYLOADS.SA),
  decoderOf('KE', PAYLOADS.KE),
  decoderOf('IDi', PAYLOADS.IDi),
  decoderOf('IDr', PAYLOADS.IDr),
  decoderOf('CERT', PAYLOADS.CERT),
  decoderOf('CERTREQ', PAYLOADS.CERTREQ),
  decoderOf('AUTH', PAYLOADS.AUTH),
  decoderOf('Nonce', PAYLOADS.Nonce),
  decoderOf('N', PAYLOADS.N),
  decoderOf('D', PAYLOADS.D),
  decoderOf('V', PAYLOADS.V),
  decoderOf('TSi', PAYLOADS.TSi),
  decoderOf('TSr', PAYLOADS.TSr),
  decoderOf('SK', PAYLOADS.SK),
  decoderOf('CP', PAYLOADS.CP),
  decoderOf('EAP', PAYLOADS.EAP),
  decoderOf('SKF', PAYLOADS.SKF),
]);

/**
 * Reads the chain in bytes[start..end), which it must fill, beginning with a payload of type `first`: that of a
 * message, or of what was decrypted (without padding). The first fault ends it.
 */
export function decodeChain(
  bytes: Uint8Array,
  first: number,
  start: number,
  end: number,
): Chain | IkeFault {
  const payloads: Payload[] = [];
  if (end - start > LIMITS.octets) return invalidSyntax(start, `${end - start} octets of payloads`);
  let type = first;
  let at = start;
  while (type !== NO_NEXT_PAYLOAD) {
    if (payloads.length === LIMITS.payloads) return invalidSyntax(at, 'too many payloads');
    if (end - at < GENERIC_HEADER) return invalidSyntax(at, `payload ${type} cut off`);
    const next = u8(bytes, at);
    const length = u16(bytes, at + 2);
    if (length < GENERIC_HEADER || length > end - at) {
      return invalidSyntax(at + 2, `payload ${type} of ${length} octets`);
    }
    const bodyAt = at + GENERIC_HEADER;
    const bodyEnd = at + length;
    const decoder = DECODERS.get(type);
    if (decoder === undefined) {
      if ((u8(bytes, at + 1) & CRITICAL) !== 0) return unsupportedCriticalPayload(at, type);
      const data = bytes.subarray(bodyAt, bodyEnd);
      payloads.push({ kind: 'unknown', type, critical: false, data });
    } else {
      const payload = decoder.decode(bytes, bodyAt, bodyEnd, next);
      if (isFault(payload)) return payload;
      payloads.push(payload);
      if (decoder.lead !== undefined) {
        if (bodyEnd !== end) return invalidSyntax(bodyEnd, `octets behind payload ${type}`);
        const protection = { headerAt: at, bodyAt: bodyAt + decoder.lead, end };
        return { payloads, protection };
      }
    }
    type = next;
    at = bodyEnd;
  }
  return at === end
    ? { payloads }
    : invalidSyntax(at, `${end - at} octets behind the last payload`);
}

/** How a payload is written: its type, the body, and for one that ends a chain what it says and where. */
interface Writable {
  readonly type: number;
  readonly critical: boolean;
  readonly write: (writer: ByteWriter) => void;
  readonly last?: { readonly next: number; readonly lead: number };
}

function writableOf<Kind extends PayloadKind>(kind: Kind, payload: PayloadOf<Kind>): Writable {
  const codec: (typeof PAYLOADS)[Kind] = PAYLOADS[kind];
  const { type, last } = codec;
  const write = (writer: ByteWriter): void => {
    codec.encode(payload, writer);
  };
  if (last === undefined) return { type, critical: false, write };
  return { type, critical: false, write, last: { next: last.next(payload), lead: last.lead } };
}

function writable(payload: Payload): Writable {
  if (payload.kind !== 'unknown') return writableOf(payload.kind, payload);
  const { type, critical, data } = payload;
  must(inOctet(type) && type !== NO_NEXT_PAYLOAD && !DECODERS.has(type), 'type of a payload');
  const write = (writer: ByteWriter): void => {
    writer.copy(data);
  };
  return { type, critical, write };
}

/** Writes one payload; returns where its protected body lies when it has one. */
function writePayload(payload: Writable, next: number, writer: ByteWriter): Protection | undefined {
  const headerAt = writer.length;
  const { last } = payload;
  writer.u8(last?.next ?? next);
  writer.u8(payload.critical ? CRITICAL : 0);
  writer.u16(0);
  payload.write(writer);
  const end = writer.length;
  must(end - headerAt <= 0xffff, 'payload of more than 65535 octets');
  writer.setU16(headerAt + 2, end - headerAt);
  if (last === undefined) return undefined;
  return { headerAt, bodyAt: headerAt + GENERIC_HEADER + last.lead, end };
}

/** Appends the payloads. Returns the type of the first (0 for none), and where SK or SKF lies. */
export function writeChain(
  payloads: readonly Payload[],
  writer: ByteWriter,
): { readonly first: number; readonly protection?: Protection } {
  must(payloads.length <= LIMITS.payloads, 'too many payloads');
  const all = payloads.map(writable);
  const first = all[0]?.type ?? NO_NEXT_PAYLOAD;
  let protection: Protection | undefined;
  all.forEach((payload, i) => {
    must(protection === undefined, 'payload behind SK or SKF');
    protection = writePayload(payload, all[i + 1]?.type ?? NO_NEXT_PAYLOAD, writer);
  });
  return protection === undefined ? { first } : { first, protection };
}

/** The payloads alone, as they go into SK, and the type of the first: its Next Payload. */
export function encodeChain(payloads: readonly Payload[]): {
  readonly first: number;
  readonly octets: Uint8Array;
} {
  const writer = new ByteWriter();
  const { first } = writeChain(payloads, writer);
  must(writer.length <= LIMITS.octets, 'more octets than a peer would take');
  return { first, octets: writer.slice() };
}
