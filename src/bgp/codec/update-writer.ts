// SPDX-License-Identifier: Apache-2.0
/**
 * Packs routes into UPDATEs: whole messages, one after the other, in one growing buffer. Layouts are those of
 * update-split.ts. MP_REACH_NLRI goes first in the list of attributes (RFC 7606 §5.1), so that a peer finds
 * the routes even when an attribute behind is malformed; what a message carries is one kind of routes alone.
 */
import { FLAG, TYPE } from './attributes/types.js';
import { headLength, valueLength } from './attributes/walk.js';
import { ByteWriter, u8 } from './bytes.js';
import { hasFamily } from './families.js';
import { HEADER_LENGTH, MESSAGE, writeHeader } from './message.js';
import { encodeNextHop } from './next-hop.js';
import { NlriWriter } from './nlri/writer.js';
import {
  FAMILIES,
  FAMILY,
  type FamilyId,
  type Nlri,
  NLRI_MODE,
  type NlriMode,
  type UpdateContext,
} from './types.js';

/** One message's beginning, in full but for lengths, and what follows its NLRI. */
interface Frame {
  readonly head: Uint8Array;
  readonly tail: Uint8Array;
  /** Where two octets in `head` count what follows them up to the end of `tail` or of the NLRI. */
  readonly lengths: readonly { readonly at: number; readonly withTail: boolean }[];
  readonly nlri: NlriWriter;
}

const NOTHING = new Uint8Array(0);

export class UpdateWriter {
  private readonly context: UpdateContext;
  private readonly out: ByteWriter;
  private frame: Frame | undefined;
  /** Start of the message being filled; -1: there is none. */
  private open = -1;
  /** Finished since the last `take`. */
  messages = 0;

  constructor(context: UpdateContext, initialSize = 4096) {
    this.context = context;
    this.out = new ByteWriter(initialSize);
  }

  /** Octets written since the last `take`, those of the unfinished message included. */
  get size(): number {
    return this.out.length;
  }

  /**
   * What is added from now on is announced with these attributes (encodeAttributes) and this next hop of 4
   * or 16 octets, with `linkLocal` behind it (RFC 2545 §3). Throws RangeError for other sizes.
   */
  announcing(
    family: FamilyId,
    attributes: Uint8Array,
    nextHop: Uint8Array,
    linkLocal?: Uint8Array,
  ): void {
    this.finish();
    const nlri = new NlriWriter(family, this.modeOf(family, false));
    this.frame =
      family === FAMILY.ipv4Unicast && nextHop.length === 4
        ? classicFrame(attributes, nextHop, nlri)
        : reachFrame(family, attributes, encodeNextHop(family, nextHop, linkLocal), nlri);
  }

  /** What is added from now on is withdrawn. */
  withdrawing(family: FamilyId): void {
    this.finish();
    const nlri = new NlriWriter(family, this.modeOf(family, true));
    this.frame =
      family === FAMILY.ipv4Unicast
        ? {
            head: new Uint8Array(HEADER_LENGTH + 2),
            tail: new Uint8Array(2),
            lengths: [{ at: HEADER_LENGTH, withTail: false }],
            nlri,
          }
        : unreachFrame(family, nlri);
  }

  private modeOf(family: FamilyId, withdrawn: boolean): NlriMode {
    const { addPathSend, multipleLabels = 0 } = this.context;
    return (
      (hasFamily(addPathSend, family) ? NLRI_MODE.addPath : 0) |
      (hasFamily(multipleLabels, family) ? NLRI_MODE.labelStack : 0) |
      (withdrawn ? NLRI_MODE.withdrawn : 0)
    );
  }

  /**
   * Adds one route, whose key lies in `keys` and whose labels, when there are several, in `labels`. false: it
   * cannot be sent, since it does not fit a message with these attributes or the peer takes one label only;
   * nothing was written. Throws when neither announcing nor withdrawing.
   */
  add(nlri: Nlri, keys: Uint8Array, labels: Uint8Array = keys): boolean {
    const { frame } = this;
    if (frame === undefined) throw new Error('neither announcing nor withdrawing');
    const size = frame.nlri.size(nlri);
    const most = this.context.maxMessage - frame.tail.length;
    if (size < 0 || frame.head.length + size > most) return false;
    if (this.open >= 0 && this.out.length - this.open + size > most) this.finishMessage(frame);
    if (this.open < 0) {
      this.open = this.out.length;
      this.out.copy(frame.head);
    }
    frame.nlri.write(this.out, nlri, keys, labels);
    return true;
  }

  /** End-of-RIB of a family (RFC 4724 §2). */
  endOfRib(family: FamilyId): void {
    this.finish();
    this.frame = undefined;
    const start = this.out.length;
    this.out.copy(new Uint8Array(HEADER_LENGTH + 4));
    if (family !== FAMILY.ipv4Unicast) {
      const { afi, safi } = FAMILIES[family];
      this.out.setU16(this.out.length - 2, 6);
      this.out.u8(FLAG.optional);
      this.out.u8(TYPE.mpUnreach);
      this.out.u8(3);
      this.out.u16(afi);
      this.out.u8(safi);
    }
    this.header(start);
  }

  /** Ends the message being filled; `announcing` and the others do so themselves. */
  finish(): void {
    if (this.open >= 0 && this.frame !== undefined) this.finishMessage(this.frame);
  }

  private finishMessage(frame: Frame): void {
    const { out, open } = this;
    const nlriEnd = out.length;
    out.copy(frame.tail);
    for (const { at, withTail } of frame.lengths) {
      out.setU16(open + at, (withTail ? out.length : nlriEnd) - (open + at + 2));
    }
    this.header(open);
    this.open = -1;
  }

  private header(start: number): void {
    writeHeader(this.out.bytes, start, MESSAGE.update, this.out.length - start);
    this.messages++;
  }

  /** All messages so far, in memory of their own; then it is empty. The run goes on. */
  take(): Uint8Array {
    this.finish();
    const taken = this.out.slice();
    this.out.length = 0;
    this.messages = 0;
    return taken;
  }
}

/** NEXT_HOP among the attributes, by its type; NLRI at the end of the message. */
function classicFrame(attributes: Uint8Array, nextHop: Uint8Array, nlri: NlriWriter): Frame {
  let at = 0;
  for (;;) {
    const head = headLength(attributes, at, attributes.length);
    if (head === 0 || u8(attributes, at + 1) > TYPE.nextHop) break;
    at += head + valueLength(attributes, at, head);
  }
  const head = new ByteWriter(HEADER_LENGTH + 11 + attributes.length);
  head.copy(new Uint8Array(HEADER_LENGTH + 2));
  head.u16(attributes.length + 7);
  head.copy(attributes, 0, at);
  head.u8(FLAG.transitive);
  head.u8(TYPE.nextHop);
  head.u8(4);
  head.copy(nextHop);
  head.copy(attributes, at);
  return { head: head.slice(), tail: NOTHING, lengths: [], nlri };
}

function reachFrame(
  family: FamilyId,
  attributes: Uint8Array,
  nextHop: Uint8Array,
  nlri: NlriWriter,
): Frame {
  const head = multiprotocolHead(family, TYPE.mpReach);
  head.u8(nextHop.length);
  head.copy(nextHop);
  head.u8(0);
  return multiprotocolFrame(head.slice(), attributes, nlri);
}

const unreachFrame = (family: FamilyId, nlri: NlriWriter): Frame =>
  multiprotocolFrame(multiprotocolHead(family, TYPE.mpUnreach).slice(), NOTHING, nlri);

function multiprotocolHead(family: FamilyId, type: number): ByteWriter {
  const head = new ByteWriter(64);
  head.copy(new Uint8Array(HEADER_LENGTH + 4));
  head.u8(FLAG.optional | FLAG.extended);
  head.u8(type);
  head.u16(0);
  head.u16(FAMILIES[family].afi);
  head.u8(FAMILIES[family].safi);
  return head;
}

/** Total Path Attribute Length counts the attributes behind, too; that of the first one its NLRI. */
const multiprotocolFrame = (head: Uint8Array, tail: Uint8Array, nlri: NlriWriter): Frame => ({
  head,
  tail,
  lengths: [
    { at: HEADER_LENGTH + 2, withTail: true },
    { at: HEADER_LENGTH + 6, withTail: false },
  ],
  nlri,
});
