// SPDX-License-Identifier: Apache-2.0
/**
 * Checks a list of path attributes (RFC 4271 §6.3 as revised by RFC 7606) and notes them as numbers, without
 * allocating while nothing is wrong.
 */
import { hex, u8 } from '../bytes.js';
import { notification, updateError } from '../notification.js';
import { ERROR, UPDATE_ERROR } from '../notification-codes.js';
import type { AttributeFault, Severity } from '../types.js';
import { settleAs4Aggregator } from './aggregator.js';
import { settleAs4Path } from './as-path.js';
import { ATTRIBUTE_BY_TYPE, attributeName } from './table.js';
import {
  type AttributeScan,
  FLAG,
  newAttributeScan,
  resetScan,
  type ScanEnvironment,
  type ScanVerdict,
  TYPE,
} from './types.js';
import { headLength, valueLength } from './walk.js';

const NOTHING = new Uint8Array(0);
const NO_FAULTS: readonly AttributeFault[] = [];
const SEVERITIES: readonly Severity[] = ['ok', 'discard', 'withdraw', 'disable', 'reset'];

/** The gravest of some faults (RFC 7606 §3 h). */
export function severityOf(faults: readonly AttributeFault[]): Severity {
  let gravest = 0;
  for (const { severity } of faults) gravest = Math.max(gravest, SEVERITIES.indexOf(severity));
  return SEVERITIES[gravest] ?? 'ok';
}

/**
 * When a type was last seen: equal to `visit`, in this list. A number per list instead of clearing 256
 * entries each time; 2^53 lists are enough for ever.
 */
const lastSeen = new Float64Array(256);
let visit = 0;

/** The surroundings of no list at all. */
const NOWHERE: ScanEnvironment = {
  classic: false,
  context: {
    ibgp: false,
    as4: true,
    maxMessage: 4096,
    families: 0,
    addPathReceive: 0,
    addPathSend: 0,
    extendedNextHop: 0,
  },
};

/** One scanner for all lists: it keeps nothing from one to the next. */
class Scanner {
  private bytes: Uint8Array = NOTHING;
  private environment: ScanEnvironment = NOWHERE;
  private out: AttributeScan = newAttributeScan();
  private faults: readonly AttributeFault[] = NO_FAULTS;

  run(
    bytes: Uint8Array,
    start: number,
    end: number,
    environment: ScanEnvironment,
    out: AttributeScan,
  ): readonly AttributeFault[] {
    this.bytes = bytes;
    this.environment = environment;
    this.out = out;
    this.faults = NO_FAULTS;
    resetScan(out, environment.context.as4 ? 4 : 2);
    visit++;
    this.list(start, end);
    if (!environment.context.as4) {
      settleAs4Aggregator(bytes, out);
      settleAs4Path(bytes, out);
    }
    if (environment.routeless !== true) this.findMissing();
    this.bytes = NOTHING;
    return this.faults;
  }

  private list(start: number, end: number): void {
    const { bytes } = this;
    for (let at = start; at < end;) {
      const head = headLength(bytes, at, end);
      const next = head === 0 ? end + 1 : at + head + valueLength(bytes, at, head);
      if (head === 0 || next > end) {
        // RFC 7606 §4; the splitter finds it first in an UPDATE.
        this.fault('withdraw', UPDATE_ERROR.malformedAttributeList, 'exceeds the list', at, end);
        return;
      }
      const type = u8(bytes, at + 1);
      if (lastSeen[type] === visit) {
        // RFC 7606 §3 g: the first one counts.
        this.fault('discard', UPDATE_ERROR.malformedAttributeList, 'appears again', at, next);
      } else {
        lastSeen[type] = visit;
        this.attribute(at, at + head, next);
      }
      at = next;
    }
  }

  /** The attribute at bytes[at..next), its value from `value` on: flags first (RFC 7606 §3 c). */
  private attribute(at: number, value: number, next: number): void {
    const flags = u8(this.bytes, at);
    const codec = ATTRIBUTE_BY_TYPE[u8(this.bytes, at + 1)];
    if (codec === undefined) {
      this.unrecognized(flags, at, next);
      return;
    }
    if (codec.internalOnly === true && !this.environment.context.ibgp) {
      const words = 'from an external neighbour';
      this.fault('discard', UPDATE_ERROR.malformedAttributeList, words, at, next);
      return;
    }
    if ((flags & (FLAG.optional | FLAG.transitive)) !== codec.flags) {
      const severity = codec.wrongFlags ?? 'withdraw';
      this.fault(severity, UPDATE_ERROR.attributeFlags, 'wrong flags', at, next);
      return;
    }
    const verdict = codec.scan(this.bytes, value, next - value, this.environment, this.out);
    if (verdict !== 0) this.fault(codec.malformed, verdict, 'malformed', at, next);
  }

  private unrecognized(flags: number, at: number, next: number): void {
    if ((flags & FLAG.optional) === 0) {
      // RFC 4271 §6.3; RFC 7606 leaves this one as it is.
      const words = 'well-known, but not recognized';
      this.fault('reset', UPDATE_ERROR.unrecognizedWellKnown, words, at, next);
    } else if ((flags & FLAG.transitive) !== 0) {
      this.out.others++;
    }
  }

  /** RFC 7606 §3 d. One that was seen and thrown out has its fault already. */
  private findMissing(): void {
    this.missing(TYPE.origin);
    this.missing(TYPE.asPath);
    this.missing(this.environment.classic ? TYPE.nextHop : TYPE.mpReach);
  }

  private missing(type: number): void {
    if (lastSeen[type] === visit) return;
    // RFC 4271 §6.3: the data is its type.
    const reason = `${attributeName(type)} is missing`;
    const error = updateError('missingWellKnown', reason, Uint8Array.of(type));
    this.add({ severity: 'withdraw', type, notification: error });
  }

  private fault(
    severity: AttributeFault['severity'],
    subcode: Exclude<ScanVerdict, 0>,
    words: string,
    at: number,
    end: number,
  ): void {
    const octets = this.bytes.slice(at, end);
    const type = u8(octets, 1);
    const reason = `${attributeName(type)}: ${words} (${hex(octets)})`;
    const error = notification(ERROR.update, subcode, reason, octets);
    this.add({ severity, type, notification: error });
  }

  private add(fault: AttributeFault): void {
    this.faults = [...this.faults, fault];
  }
}

const scanner = new Scanner();

/**
 * Scans bytes[start..end), a list of attributes without NLRI (copyAttributes makes one), into `out`. Where
 * an UPDATE has routes in the classic fields and in MP_REACH_NLRI, the same octets are scanned once for
 * each (ScanEnvironment.classic). The attributes are usable when severityOf(faults) is 'ok' or 'discard'.
 */
export function scanAttributes(
  bytes: Uint8Array,
  start: number,
  end: number,
  environment: ScanEnvironment,
  out: AttributeScan,
): readonly AttributeFault[] {
  return scanner.run(bytes, start, end, environment, out);
}
