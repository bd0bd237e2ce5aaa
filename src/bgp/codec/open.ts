// SPDX-License-Identifier: Apache-2.0
/**
 * OPEN (RFC 4271 §4.2), behind the header:
 *
 *      0                   1                   2                   3
 *      0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *     +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *     |    Version    |     My Autonomous System      |   Hold Time   :
 *     +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *     : Hold Time     |              BGP Identifier                   :
 *     +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *     : BGP Identifier| Opt Parm Len  | (type 1 | length 1 | value)*  |
 *     +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *
 * Extended (RFC 9072 §2), when the first type is 255:
 *
 *     | 255 | 255 | Extended Opt. Parm Length 2 | (type 1 | length 2 | value)* |
 */
import { ByteWriter, u16, u32, u8 } from './bytes.js';
import { AS_TRANS } from './attributes/as-path.js';
import { type Capability, decodeCapabilities, encodeCapability } from './capabilities.js';
import { encodeMessage, MESSAGE } from './message.js';
import { openError } from './notification.js';
import type { Notification } from './types.js';

export interface Open {
  readonly version: 4;
  /** My Autonomous System: 2 octets, AS_TRANS when the number does not fit; see the as4 capability. */
  readonly asn2: number;
  /** Seconds. */
  readonly holdTime: number;
  readonly routerId: number;
  readonly capabilities: readonly Capability[];
}

const VERSION = 4;
const FIXED = 10;
const PARAMETER_CAPABILITIES = 2;
const EXTENDED = 255;

/**
 * The body, bytes[start..end). Refused: other versions, optional parameters that do not fit or are not
 * known (RFC 4271 §6.2; authentication, type 1, is one of these since RFC 5492). What the values mean for
 * a session (AS, hold time, identifier) is the session's to judge.
 */
export function decodeOpen(bytes: Uint8Array, start: number, end: number): Open | Notification {
  if (end - start < FIXED) return openError('unspecific', `an OPEN of ${end - start} octets`);
  const version = u8(bytes, start);
  if (version !== VERSION) {
    // RFC 4271 §6.2: the data is the largest version we speak.
    return openError('unsupportedVersion', `version ${version}`, Uint8Array.of(0, VERSION));
  }
  const capabilities: Capability[] = [];
  const fault = decodeParameters(bytes, start + FIXED - 1, end, capabilities);
  if (fault !== undefined) return fault;
  return {
    version: VERSION,
    asn2: u16(bytes, start + 1),
    holdTime: u16(bytes, start + 3),
    routerId: u32(bytes, start + 5),
    capabilities,
  };
}

/** Optional parameters, from their length octet at `at` to the end of the message. */
function decodeParameters(
  bytes: Uint8Array,
  lengthAt: number,
  end: number,
  into: Capability[],
): Notification | undefined {
  const short = u8(bytes, lengthAt);
  // RFC 9072 §2: known by the type; a length of 0 means no parameters in either format.
  const extended = short !== 0 && end - lengthAt >= 4 && u8(bytes, lengthAt + 1) === EXTENDED;
  const first = lengthAt + (extended ? 4 : 1);
  const length = extended ? u16(bytes, lengthAt + 2) : short;
  if (first + length !== end) {
    return openError('unspecific', `optional parameters of ${length} octets in ${end - first}`);
  }
  const head = extended ? 3 : 2;
  for (let at = first; at < end;) {
    if (end - at < head) return openError('unspecific', 'a cut-off optional parameter');
    const type = u8(bytes, at);
    const next = at + head + (extended ? u16(bytes, at + 1) : u8(bytes, at + 1));
    if (next > end) return openError('unspecific', `optional parameter ${type} is cut off`);
    if (type !== PARAMETER_CAPABILITIES) {
      return openError('unsupportedParameter', `optional parameter ${type}`);
    }
    if (!decodeCapabilities(bytes, at + head, next, into)) {
      return openError('unspecific', 'a capability is cut off');
    }
    at = next;
  }
  return undefined;
}

/**
 * The whole message. Throws RangeError when the capabilities do not fit a message of 4096 octets, which OPEN
 * never exceeds (RFC 8654 §4).
 */
export function encodeOpen(open: Open): Uint8Array {
  const capabilities = new ByteWriter();
  for (const capability of open.capabilities) capabilities.copy(encodeCapability(capability));
  const length = capabilities.length;
  const out = new ByteWriter();
  out.u8(VERSION);
  out.u16(open.asn2);
  out.u16(open.holdTime);
  out.u32(open.routerId);
  if (length === 0) {
    out.u8(0);
  } else if (length + 2 <= 254) {
    out.u8(length + 2);
    out.u8(PARAMETER_CAPABILITIES);
    out.u8(length);
  } else {
    out.u8(EXTENDED);
    out.u8(EXTENDED);
    out.u16(length + 3);
    out.u8(PARAMETER_CAPABILITIES);
    out.u16(length);
  }
  out.copy(capabilities.bytes, 0, length);
  const message = encodeMessage(MESSAGE.open, out.slice());
  if (message.length > 4096) throw new RangeError(`an OPEN of ${message.length} octets`);
  return message;
}

/** The value for Open.asn2 of an AS number. */
export const shortAsn = (asn: number): number => (asn > 0xffff ? AS_TRANS : asn);

/** The AS of the sender: from the as4 capability when there is one (RFC 6793 §4.1). */
export function asnOf(open: Open): number {
  for (const capability of open.capabilities) {
    if (capability.kind === 'as4') return capability.asn;
  }
  return open.asn2;
}
