// SPDX-License-Identifier: Apache-2.0
/**
 * Encrypted and Authenticated Fragment payload SKF (RFC 7383 §2.5), behind its generic header:
 *
 *                         1                   2                   3
 *     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *    |        Fragment Number        |        Total Fragments        |
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *    ~      Initialization Vector to Integrity Checksum Data as in SK ~
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *
 * The two numbers are authenticated but not encrypted.
 */
import { u16 } from '../../../lib/octets.js';
import { invalidSyntax } from '../fault.js';
import { inTwoOctets, must, type PayloadCodec } from '../payload-codec.js';

export interface EncryptedFragment {
  /** Of the first fragment: type of the first payload inside; of the others 0. */
  readonly firstInner: number;
  /** 1 to `total`. */
  readonly number: number;
  readonly total: number;
  /** IV to checksum. */
  readonly body: Uint8Array;
}

const LEAD = 4;
const numbersFit = (number: number, total: number): boolean => number >= 1 && number <= total;

export const encryptedFragment: PayloadCodec<EncryptedFragment> = {
  type: 53,
  decode(bytes, start, end, next) {
    if (end - start < LEAD) return invalidSyntax(start, `SKF payload of ${end - start} octets`);
    const number = u16(bytes, start);
    const total = u16(bytes, start + 2);
    if (!numbersFit(number, total)) return invalidSyntax(start, `fragment ${number} of ${total}`);
    if (number > 1 && next !== 0) return invalidSyntax(start, `Next Payload of fragment ${number}`);
    return { firstInner: next, number, total, body: bytes.subarray(start + LEAD, end) };
  },
  encode({ firstInner, number, total, body }, writer) {
    must(inTwoOctets(number) && inTwoOctets(total) && numbersFit(number, total), 'fragment number');
    must(number === 1 || firstInner === 0, 'Next Payload of a later fragment');
    writer.u16(number);
    writer.u16(total);
    writer.copy(body);
  },
  last: { next: ({ firstInner }) => firstInner, lead: LEAD },
};
