// SPDX-License-Identifier: Apache-2.0
/**
 * Traffic Selector payloads TSi and TSr (RFC 7296 §3.13):
 *
 *                         1                   2                   3
 *     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *    | Number of TSs |                 RESERVED                      |
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *    ~                       <Traffic Selectors>                     ~
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *
 * each of them, with addresses of 4 octets (TS type 7) or 16 (TS type 8),
 *
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *    |   TS Type     |IP Protocol ID*|       Selector Length         |
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *    |           Start Port          |           End Port            |
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *    ~                       Starting Address                        ~
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *    ~                       Ending Address                          ~
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *
 * Of other types (TS_FC_ADDR_RANGE, TS_SECLABEL) only the first four octets have this meaning.
 */
import { type ByteWriter, u16, u8 } from '../../../lib/octets.js';
import { type IkeFault, invalidSyntax, isFault } from '../fault.js';
import { inOctet, inTwoOctets, must, type PayloadCodec } from '../payload-codec.js';

/** Addresses and ports from start to end, both included. */
export interface RangeSelector {
  readonly tsType: 7 | 8;
  /** 0: any. */
  readonly ipProtocol: number;
  /** 0 to 65535: any; 65535 to 0: OPAQUE (RFC 7296 §3.13.1). Of ICMP: type and code, in this order. */
  readonly startPort: number;
  readonly endPort: number;
  /** Of 4 or 16 octets. A start behind the end is a range of nothing, and left to narrowing. */
  readonly startAddress: Uint8Array;
  readonly endAddress: Uint8Array;
}

/** One of a type that is not ours, kept: whoever narrows leaves it out. */
export interface OtherSelector {
  readonly tsType: number;
  /** The octet in the place of the IP Protocol ID. */
  readonly second: number;
  /** Behind the Selector Length. */
  readonly data: Uint8Array;
}

export interface TrafficSelectors {
  /** 1 to 255. */
  readonly selectors: readonly (RangeSelector | OtherSelector)[];
}

const SELECTOR_HEADER = 4;
const PORTS = 4;
const isRangeType = (type: number): type is 7 | 8 => type === 7 || type === 8;
const addressSize = (type: 7 | 8): 4 | 16 => (type === 7 ? 4 : 16);

export const isRange = (ts: RangeSelector | OtherSelector): ts is RangeSelector =>
  'startAddress' in ts;

/** The selector of `length` octets at `at`, all of which are there. */
function decodeSelector(
  bytes: Uint8Array,
  at: number,
  length: number,
): RangeSelector | OtherSelector | IkeFault {
  const tsType = u8(bytes, at);
  const second = u8(bytes, at + 1);
  if (!isRangeType(tsType)) {
    return { tsType, second, data: bytes.subarray(at + SELECTOR_HEADER, at + length) };
  }
  const size = addressSize(tsType);
  const addressAt = at + SELECTOR_HEADER + PORTS;
  if (length !== SELECTOR_HEADER + PORTS + 2 * size) {
    return invalidSyntax(at + 2, `selector of type ${tsType} of ${length} octets`);
  }
  return {
    tsType,
    ipProtocol: second,
    startPort: u16(bytes, at + 4),
    endPort: u16(bytes, at + 6),
    startAddress: bytes.subarray(addressAt, addressAt + size),
    endAddress: bytes.subarray(addressAt + size, addressAt + 2 * size),
  };
}

function decode(bytes: Uint8Array, start: number, end: number): TrafficSelectors | IkeFault {
  if (end - start < 4) return invalidSyntax(start, `TS payload of ${end - start} octets`);
  const count = u8(bytes, start);
  const selectors: (RangeSelector | OtherSelector)[] = [];
  for (let at = start + 4; at < end;) {
    if (selectors.length === count) return invalidSyntax(at, `more than ${count} selectors`);
    if (end - at < SELECTOR_HEADER) return invalidSyntax(at, 'selector cut off');
    const length = u16(bytes, at + 2);
    if (length < SELECTOR_HEADER || length > end - at) {
      return invalidSyntax(at + 2, `selector of ${length} octets`);
    }
    const selector = decodeSelector(bytes, at, length);
    if (isFault(selector)) return selector;
    selectors.push(selector);
    at += length;
  }
  if (count === 0 || selectors.length !== count) {
    return invalidSyntax(start, `${selectors.length} selectors of ${count}`);
  }
  return { selectors };
}

function encodeRange(range: RangeSelector, writer: ByteWriter): void {
  const { ipProtocol, startPort, endPort, startAddress, endAddress } = range;
  const size = addressSize(range.tsType);
  must(inOctet(ipProtocol) && inTwoOctets(startPort) && inTwoOctets(endPort), 'selector');
  must(startAddress.length === size && endAddress.length === size, 'addresses of a selector');
  writer.u8(range.tsType);
  writer.u8(ipProtocol);
  writer.u16(SELECTOR_HEADER + PORTS + 2 * size);
  writer.u16(startPort);
  writer.u16(endPort);
  writer.copy(startAddress);
  writer.copy(endAddress);
}

function encodeOther({ tsType, second, data }: OtherSelector, writer: ByteWriter): void {
  must(inOctet(tsType) && !isRangeType(tsType) && inOctet(second), 'selector type');
  must(inTwoOctets(SELECTOR_HEADER + data.length), 'size of a selector');
  writer.u8(tsType);
  writer.u8(second);
  writer.u16(SELECTOR_HEADER + data.length);
  writer.copy(data);
}

function encode({ selectors }: TrafficSelectors, writer: ByteWriter): void {
  must(selectors.length > 0 && selectors.length <= 255, 'number of selectors');
  writer.u8(selectors.length);
  writer.u24(0);
  for (const selector of selectors) {
    if (isRange(selector)) encodeRange(selector, writer);
    else encodeOther(selector, writer);
  }
}

export const trafficSelectorsInitiator: PayloadCodec<TrafficSelectors> = {
  type: 44,
  decode,
  encode,
};
export const trafficSelectorsResponder: PayloadCodec<TrafficSelectors> = {
  type: 45,
  decode,
  encode,
};
