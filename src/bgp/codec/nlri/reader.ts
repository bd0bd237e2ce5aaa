// SPDX-License-Identifier: Apache-2.0
/**
 * NLRI in place. What stands between brackets depends on family and NlriMode:
 *
 *     unicast       [path id 4] | length 1 | prefix                         RFC 4271 §4.3, 4760 §5
 *     labelled      [path id 4] | length 1 | label 3 ... | prefix           RFC 8277 §2.2, 2.3
 *     VPN           [path id 4] | length 1 | label 3 ... | RD 8 | prefix    RFC 4364 §4.3.4, 4659 §3.2
 *     route-target  [path id 4] | length 1 | origin AS 4 | route target 8   RFC 4684 §4
 *
 * `length` counts bits of all that follows it; prefixes end in the octet with their last bit. A label is
 *
 *      0                   1                   2
 *      0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3
 *     +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *     |           Label (20 bits)             |Exp  |S|
 *     +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 */
import { hex, u24, u32, u8 } from '../bytes.js';
import { familyName } from '../families.js';
import { updateError } from '../notification.js';
import {
  type FamilyId,
  type Nlri,
  NLRI_MODE,
  type NlriMode,
  type NlriRun,
  type Notification,
} from '../types.js';

/** The value of Nlri.label for a withdrawal of whatever label (RFC 8277 §2.4). */
export const WITHDRAWN_LABEL = 0x800000;

/**
 * Reads the NLRI at bytes[at], which end before `end`, into `out`. Returns the offset of the next one, or -1
 * when it is malformed (RFC 7606 §5.3). Sets the bits behind the prefix to zero, in `bytes`.
 */
export type NlriReader = (
  mode: NlriMode,
  bytes: Uint8Array,
  at: number,
  end: number,
  out: Nlri,
) => number;

export const newNlri = (): Nlri => ({
  pathId: 0,
  label: 0,
  labelsAt: 0,
  labelCount: 0,
  keyAt: 0,
  keyBytes: 0,
  length: 0,
});

/** Ends the reading: key of `extra` octets (RD) and `bits` of prefix at `at`. */
function key(bytes: Uint8Array, at: number, extra: number, bits: number, out: Nlri): number {
  const size = extra + ((bits + 7) >> 3);
  const rest = bits & 7;
  const next = at + size;
  if (rest !== 0) bytes[next - 1] = u8(bytes, next - 1) & (0xff00 >> rest);
  out.keyAt = at;
  out.keyBytes = size;
  out.length = bits;
  return next;
}

/**
 * Length octet and path identifier: returns the offset behind them, or -1 when they or what they announce do
 * not lie before `end`. The length is in out.length.
 */
function head(mode: NlriMode, bytes: Uint8Array, start: number, end: number, out: Nlri): number {
  let at = start;
  if ((mode & NLRI_MODE.addPath) !== 0) {
    if (end - at < 5) return -1;
    out.pathId = u32(bytes, at);
    at += 4;
  } else {
    out.pathId = 0;
  }
  if (at >= end) return -1;
  const bits = u8(bytes, at++);
  if ((bits + 7) >> 3 > end - at) return -1;
  out.length = bits;
  out.label = 0;
  out.labelCount = 0;
  out.labelsAt = at;
  return at;
}

/**
 * Labels at `at`, which take part of out.length bits: returns how many bits, or -1. `fixed` are the bits
 * that must follow them.
 */
function labels(mode: NlriMode, bytes: Uint8Array, at: number, fixed: number, out: Nlri): number {
  const bits = out.length;
  if (bits < 24 + fixed) return -1;
  const first = u24(bytes, at);
  const withdrawn = (mode & NLRI_MODE.withdrawn) !== 0;
  out.label = withdrawn && first === WITHDRAWN_LABEL ? WITHDRAWN_LABEL : first >> 4;
  let count = 1;
  if ((mode & NLRI_MODE.labelStack) !== 0 && !withdrawn) {
    while ((u8(bytes, at + 3 * count - 1) & 1) === 0) {
      count++;
      if (bits < 24 * count + fixed) return -1;
    }
  }
  out.labelCount = count;
  return 24 * count;
}

const unicast =
  (most: 32 | 128): NlriReader =>
  (mode, bytes, start, end, out) => {
    const at = head(mode, bytes, start, end, out);
    if (at < 0 || out.length > most) return -1;
    return key(bytes, at, 0, out.length, out);
  };

const labelled =
  (most: 32 | 128): NlriReader =>
  (mode, bytes, start, end, out) => {
    const at = head(mode, bytes, start, end, out);
    if (at < 0) return -1;
    const used = labels(mode, bytes, at, 0, out);
    const bits = out.length - used;
    if (used < 0 || bits > most) return -1;
    return key(bytes, at + used / 8, 0, bits, out);
  };

const vpn =
  (most: 32 | 128): NlriReader =>
  (mode, bytes, start, end, out) => {
    const at = head(mode, bytes, start, end, out);
    if (at < 0) return -1;
    const used = labels(mode, bytes, at, 64, out);
    const bits = out.length - used - 64;
    if (used < 0 || bits > most) return -1;
    return key(bytes, at + used / 8, 8, bits, out);
  };

/** RFC 4684 §4: 0 (the default route target) or 32 to 96 bits. */
const routeTarget: NlriReader = (mode, bytes, start, end, out) => {
  const at = head(mode, bytes, start, end, out);
  if (at < 0 || out.length > 96 || (out.length !== 0 && out.length < 32)) return -1;
  return key(bytes, at, 0, out.length, out);
};

const READERS: Readonly<Record<FamilyId, NlriReader>> = {
  0: unicast(32),
  1: unicast(128),
  2: vpn(32),
  3: vpn(128),
  4: labelled(32),
  5: labelled(128),
  6: routeTarget,
};

/** The reader of a family: to be fetched once for a run. */
export const nlriReader = (family: FamilyId): NlriReader => READERS[family];

/** The NLRI at `at` of a run; see NlriReader. */
export const readNlri = (run: NlriRun, bytes: Uint8Array, at: number, out: Nlri): number =>
  READERS[run.family](run.mode, bytes, at, run.end, out);

/** What to close the session with when the NLRI at `at` of a run is malformed (RFC 7606 §3 j, §5.3). */
export function nlriFault(run: NlriRun, bytes: Uint8Array, at: number): Notification {
  const octets = bytes.slice(at, Math.min(run.end, at + 32));
  const reason = `malformed NLRI of ${familyName(run.family)}: ${hex(octets)}`;
  return updateError(run.classic ? 'invalidNetworkField' : 'optionalAttribute', reason);
}
