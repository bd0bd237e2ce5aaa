// SPDX-License-Identifier: Apache-2.0
/**
 * AGGREGATOR (RFC 4271 §5.1.7) and AS4_AGGREGATOR (RFC 6793 §3):
 *
 *     | AS number, 2 or 4 octets (AS4_AGGREGATOR: 4) | IPv4 address 4 |
 */
import { asn, u16, u32 } from '../bytes.js';
import { UPDATE_ERROR } from '../notification-codes.js';
import { AS_TRANS } from './as-path.js';
import { type AttributeCodec, type AttributeScan, setSpan, TYPE } from './types.js';

export const aggregator: AttributeCodec = {
  type: TYPE.aggregator,
  name: 'AGGREGATOR',
  flags: 0xc0,
  malformed: 'discard',
  scan(bytes, at, length, _environment, out) {
    if (length !== 4 + out.asWidth) return UPDATE_ERROR.attributeLength;
    if (asn(bytes, at, out.asWidth) === 0) return UPDATE_ERROR.optionalAttribute; // RFC 7607
    setSpan(out.aggregator, at, length);
    return 0;
  },
  decode(bytes, scan, into) {
    const { at } = scan.aggregator;
    if (at < 0) return;
    const at4 = scan.as4Aggregator.at;
    into.aggregator =
      at4 >= 0
        ? { asn: u32(bytes, at4), address: bytes.slice(at4 + 4, at4 + 8) }
        : {
            asn: asn(bytes, at, scan.asWidth),
            address: bytes.slice(at + scan.asWidth, at + scan.asWidth + 4),
          };
  },
  encode(attributes, context, out) {
    if (attributes.aggregator === undefined) return false;
    const { asn: number, address } = attributes.aggregator;
    const width = context.as4 ? 4 : 2;
    out.asn(width === 2 && number > 0xffff ? AS_TRANS : number, width);
    out.copy(address);
    return true;
  },
};

export const as4Aggregator: AttributeCodec = {
  type: TYPE.as4Aggregator,
  name: 'AS4_AGGREGATOR',
  flags: 0xc0,
  malformed: 'discard',
  wrongFlags: 'discard',
  scan(bytes, at, length, { context }, out) {
    if (context.as4 || length !== 8 || u32(bytes, at) === 0) return UPDATE_ERROR.optionalAttribute;
    setSpan(out.as4Aggregator, at, length);
    return 0;
  },
  decode() {
    // aggregator.decode takes it.
  },
  encode(attributes, context, out) {
    if (attributes.aggregator === undefined) return false;
    const { asn: number, address } = attributes.aggregator;
    if (context.as4 || number <= 0xffff) return false;
    out.u32(number);
    out.copy(address);
    return true;
  },
};

/**
 * After all attributes of a 2-octet peer, RFC 6793 §4.2.3: an AGGREGATOR of another AS than AS_TRANS was made
 * by an old speaker on the way, which makes AS4_AGGREGATOR and AS4_PATH outdated.
 */
export function settleAs4Aggregator(bytes: Uint8Array, scan: AttributeScan): void {
  if (scan.as4Aggregator.at < 0) return;
  if (scan.aggregator.at < 0) {
    setSpan(scan.as4Aggregator, -1, 0);
  } else if (u16(bytes, scan.aggregator.at) !== AS_TRANS) {
    setSpan(scan.as4Aggregator, -1, 0);
    setSpan(scan.as4Path, -1, 0);
  }
}
