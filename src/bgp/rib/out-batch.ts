// SPDX-License-Identifier: Apache-2.0
/**
 * Some routes of an update group as messages. Routes are packed by attribute set and by the neighbour they
 * came from: a member is sent the parts that are for it, and who needs the same parts shares the octets.
 */
import { encodeAttributes } from '../codec/attributes/encode.js';
import { newNlri } from '../codec/nlri/reader.js';
import type { FamilyId, Nlri, UpdateContext } from '../codec/types.js';
import { UpdateWriter } from '../codec/update-writer.js';
import type { PeerId } from '../types.js';
import { ownAttributesStart } from './attribute-codec.js';
import type { Core } from './core.js';
import { NO_LABEL, stackOctets } from './label-stacks.js';
import { type NodeId, type OutLog, SOURCE_CHANGED } from './out-log.js';
import { shapeOf } from './scope.js';

/** Routes with one set from one neighbour. */
export interface Part {
  readonly set: number;
  readonly source: number;
  readonly entries: NodeId[];
  octets: Uint8Array | undefined;
}

const NO_OCTETS = new Uint8Array(0);
const NO_ADDRESS = new Uint8Array(0);

export class OutBatch {
  readonly parts: Part[] = [];
  readonly withdrawn: NodeId[] = [];
  /** Of {@link withdrawn}: the neighbour that alone was never told, since the route was its own; 0: none. */
  readonly #owners: number[] = [];
  readonly #ownerSet = new Set<number>();
  /** Routes that fit no message. */
  unsendable = 0;
  readonly #core: Core;
  readonly #log: OutLog;
  readonly #family: FamilyId;
  readonly #context: UpdateContext;
  readonly #writer: UpdateWriter;
  readonly #byOrigin = new Map<number, Part>();
  readonly #nlri: Nlri = newNlri();
  readonly #key = new Uint8Array(24);
  /** Of all parts, as most members need it. */
  #whole: Uint8Array | undefined;
  #withdrawal: Uint8Array | undefined;

  constructor(core: Core, log: OutLog, family: FamilyId, context: UpdateContext) {
    this.#core = core;
    this.#log = log;
    this.#family = family;
    this.#context = context;
    this.#writer = new UpdateWriter(context);
  }

  announce(entry: NodeId): void {
    const set = this.#log.set(entry);
    const source = this.#log.source(entry);
    const key = set * 65536 + source;
    let part = this.#byOrigin.get(key);
    if (part === undefined) {
      part = { set, source, entries: [], octets: undefined };
      this.#byOrigin.set(key, part);
      this.parts.push(part);
    }
    part.entries.push(entry);
  }

  withdraw(entry: NodeId): void {
    const owner = this.#log.has(entry, SOURCE_CHANGED) ? 0 : this.#log.source(entry);
    this.withdrawn.push(entry);
    this.#owners.push(owner);
    this.#ownerSet.add(owner);
  }

  /** Messages for a member that is sent these parts, what is withdrawn, and withdrawals of `others`. */
  messages(peer: PeerId, parts: ReadonlySet<Part>, others: readonly NodeId[]): Uint8Array {
    const withdrawal = this.#withdrawals(peer, others);
    const chosen = this.parts.filter((part) => parts.has(part));
    if (chosen.length === this.parts.length) {
      this.#whole ??= joined(this.parts.map((part) => this.#octetsOf(part)));
      return joined([withdrawal, this.#whole]);
    }
    return joined([withdrawal, ...chosen.map((part) => this.#octetsOf(part))]);
  }

  #withdrawals(peer: PeerId, others: readonly NodeId[]): Uint8Array {
    if (this.#ownerSet.has(peer)) {
      const told = this.withdrawn.filter((_, i) => this.#owners[i] !== peer);
      return this.#encodeWithdrawn([...told, ...others]);
    }
    if (others.length > 0) return this.#encodeWithdrawn([...this.withdrawn, ...others]);
    this.#withdrawal ??= this.#encodeWithdrawn(this.withdrawn);
    return this.#withdrawal;
  }

  #encodeWithdrawn(entries: readonly NodeId[]): Uint8Array {
    if (entries.length === 0) return NO_OCTETS;
    const writer = this.#writer;
    writer.withdrawing(this.#family);
    for (const entry of entries) {
      this.#load(entry, NO_LABEL);
      if (!writer.add(this.#nlri, this.#key)) this.unsendable++;
    }
    return writer.take();
  }

  #octetsOf(part: Part): Uint8Array {
    part.octets ??= this.#encode(part);
    return part.octets;
  }

  #encode(part: Part): Uint8Array {
    const { attributes } = this.#core;
    const octets = attributes.octets(part.set);
    const start = ownAttributesStart(octets);
    // Ours are kept as they go to peers with 4-octet AS numbers.
    const encoded = this.#context.as4
      ? octets.subarray(start)
      : encodeAttributes(attributes.decoded(part.set), this.#context);
    const [nextHopSize = 0] = octets;
    const nextHop = octets.subarray(2, 2 + nextHopSize);
    const linkLocal = octets.subarray(2 + nextHopSize, start);
    const writer = this.#writer;
    writer.announcing(
      this.#family,
      encoded,
      nextHop.length === 0 ? NO_ADDRESS : nextHop,
      linkLocal.length === 0 ? undefined : linkLocal,
    );
    for (const entry of part.entries) {
      const stack = this.#load(entry, this.#log.label(entry));
      if (!writer.add(this.#nlri, this.#key, stack)) this.unsendable++;
    }
    return writer.take();
  }

  /** Puts a route into #nlri and #key; the answer holds its labels. */
  #load(entry: NodeId, label: number): Uint8Array {
    const { nets, labels } = this.#core;
    const table = nets.of(this.#family);
    const net = this.#log.net(entry);
    table.copyKey(net, this.#key, 0);
    const { rdBytes } = shapeOf(this.#family);
    const nlri = this.#nlri;
    nlri.pathId = entry;
    nlri.length = table.length(net);
    nlri.keyAt = 0;
    nlri.keyBytes = rdBytes + ((nlri.length + 7) >> 3);
    const all = labels.labels(label);
    nlri.label = all[0] ?? 0;
    nlri.labelCount = all.length;
    nlri.labelsAt = 0;
    return all.length < 2 ? NO_OCTETS : stackOctets(all);
  }
}

function joined(pieces: readonly Uint8Array[]): Uint8Array {
  const present = pieces.filter(({ length }) => length > 0);
  const [only] = present;
  if (only === undefined) return NO_OCTETS;
  if (present.length === 1) return only;
  // No Buffer: its slice() would share memory with what other members are sent.
  const all = new Uint8Array(present.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of present) {
    all.set(piece, at);
    at += piece.length;
  }
  return all;
}
