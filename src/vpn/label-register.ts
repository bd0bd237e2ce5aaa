// SPDX-License-Identifier: Apache-2.0
/**
 * The part of the label register that follows routes: which value means what, which were freed and when,
 * and which comes next. What is noted here is to be on disk before it is acted upon; {@link LabelRecord}s
 * are that form, in the order in which things happened. Nothing here waits or writes.
 */
import { LABEL_QUARANTINE_SECONDS } from './kept-routes.js';

/** Values below are the configuration's and its pool's (label-plan.ts), from here on routes' alone. */
export const FIRST_ROUTE_LABEL = 32_768;
const LAST_LABEL = 0xfffff;

/** Values of routes that all SPs together can make us use for swapping: our own VRFs keep the others. */
export const SWAP_LABELS = Math.floor((LAST_LABEL - FIRST_ROUTE_LABEL + 1) / 2);

/** One thing that happened to a label. */
export type LabelRecord =
  | {
      readonly label: number;
      /** What it means, in words. Equal texts are one meaning. */
      readonly text: string;
      readonly vrf: string;
      /** Who makes us use it; absent: we do ourselves. */
      readonly source?: string;
    }
  | {
      readonly label: number;
      /** Seconds since 1970. */
      readonly freedAt: number;
      /** How long from then it keeps its meaning, seconds; default {@link LABEL_QUARANTINE_SECONDS}. */
      readonly quarantine?: number;
    }
  /** Where the search for a value goes on. */
  | { readonly next: number };

export interface Meaning {
  readonly label: number;
  readonly text: string;
  readonly vrf: string;
  /** Who makes us use it; undefined: we do ourselves. */
  readonly source: string | undefined;
  /** Seconds since 1970 at which it was freed; undefined: in use. */
  freedAt: number | undefined;
  /** How long from then it keeps its meaning, seconds; undefined: in use. */
  quarantine: number | undefined;
}

export interface LabelRange {
  readonly first: number;
  readonly last: number;
}
const ROUTE_LABELS: LabelRange = { first: FIRST_ROUTE_LABEL, last: LAST_LABEL };

export class RouteLabelRegister {
  readonly #range: LabelRange;
  readonly #byLabel = new Map<number, Meaning>();
  readonly #byText = new Map<string, Meaning>();
  readonly #bySource = new Map<string, number>();
  /** By length of their quarantine, of which there are few; the one freed first in front. */
  readonly #freed = new Map<number, Set<Meaning>>();
  /** The configuration's labels of the range. */
  #avoided: ReadonlySet<number> = new Set();
  #next: number;

  constructor(records: Iterable<LabelRecord> = [], range: LabelRange = ROUTE_LABELS) {
    this.#range = range;
    this.#next = range.first;
    for (const record of records) this.#replay(record);
    // Freed by different hands, or by a clock that was set back.
    for (const [quarantine, meanings] of this.#freed) {
      const freed = [...meanings].sort((a, b) => (a.freedAt ?? 0) - (b.freedAt ?? 0));
      this.#freed.set(quarantine, new Set(freed));
    }
  }

  #replay(record: LabelRecord): void {
    if ('next' in record) {
      this.#next = this.#clamped(record.next);
    } else if ('freedAt' in record) {
      const meaning = this.#byLabel.get(record.label);
      const { freedAt, quarantine = LABEL_QUARANTINE_SECONDS } = record;
      if (meaning !== undefined) this.free(meaning, freedAt, quarantine);
    } else {
      const known = this.#byLabel.get(record.label);
      if (known === undefined) this.#next = this.#clamped(record.label + 1);
      else this.#forget(known);
      const { source } = record;
      this.#put({ ...record, source, freedAt: undefined, quarantine: undefined });
    }
  }

  #clamped(label: number): number {
    const { first, last } = this.#range;
    return label < first || label > last ? first : label;
  }

  get size(): number {
    return this.#byLabel.size;
  }
  get freed(): number {
    let count = 0;
    for (const meanings of this.#freed.values()) count += meanings.size;
    return count;
  }

  /** Values that the configuration has: never chosen. */
  avoid(labels: Iterable<number>): void {
    const { first, last } = this.#range;
    this.#avoided = new Set([...labels].filter((label) => label >= first && label <= last));
  }

  get(label: number): Meaning | undefined {
    return this.#byLabel.get(label);
  }
  find(text: string): Meaning | undefined {
    return this.#byText.get(text);
  }
  all(): IterableIterator<Meaning> {
    return this.#byLabel.values();
  }

  /** Takes a value for a new meaning; undefined: all are in use or in quarantine. */
  choose(text: string, vrf: string, source?: string): Meaning | undefined {
    const { first, last } = this.#range;
    const size = last - first + 1;
    // Nearly always the first that is tried; a pool without a free value is not searched.
    if (this.#byLabel.size + this.#avoided.size >= size) return undefined;
    for (let tried = 0; tried < size; tried++) {
      const label = this.#next;
      this.#next = this.#clamped(label + 1);
      if (this.#byLabel.has(label) || this.#avoided.has(label)) continue;
      const meaning = { label, text, vrf, source, freedAt: undefined, quarantine: undefined };
      this.#put(meaning);
      return meaning;
    }
    return undefined;
  }

  #put(meaning: Meaning): void {
    this.#byLabel.set(meaning.label, meaning);
    this.#byText.set(meaning.text, meaning);
    const { source } = meaning;
    if (source !== undefined) this.#bySource.set(source, this.countOf(source) + 1);
  }

  /** Values in use and in quarantine that somebody makes us use. */
  countOf(source: string): number {
    return this.#bySource.get(source) ?? 0;
  }

  #forget(meaning: Meaning): void {
    this.#byLabel.delete(meaning.label);
    this.#unfree(meaning);
    const { source } = meaning;
    if (source !== undefined) this.#bySource.set(source, this.countOf(source) - 1);
    if (this.#byText.get(meaning.text) === meaning) this.#byText.delete(meaning.text);
  }

  /** Begins a quarantine. `now`: seconds since 1970; `quarantine`: seconds. */
  free(meaning: Meaning, now: number, quarantine: number): void {
    this.#unfree(meaning);
    meaning.freedAt = now;
    meaning.quarantine = quarantine;
    const meanings = this.#freed.get(quarantine) ?? new Set();
    this.#freed.set(quarantine, meanings.add(meaning));
  }

  /** Ends a quarantine before its time, with the same meaning. */
  revive(meaning: Meaning): void {
    this.#unfree(meaning);
    meaning.freedAt = undefined;
    meaning.quarantine = undefined;
  }

  #unfree(meaning: Meaning): void {
    const { quarantine = -1 } = meaning;
    const meanings = this.#freed.get(quarantine);
    meanings?.delete(meaning);
    if (meanings?.size === 0) this.#freed.delete(quarantine);
  }

  /** Forgets what has been in quarantine long enough. Returns how many values that gave. */
  expire(now: number): number {
    let given = 0;
    for (const [quarantine, meanings] of this.#freed) {
      for (const meaning of meanings) {
        if (meaning.freedAt === undefined || meaning.freedAt + quarantine > now) break;
        this.#forget(meaning);
        given++;
      }
    }
    return given;
  }

  /** All that is known, in as few records as can be. */
  records(): LabelRecord[] {
    const kept: LabelRecord[] = [];
    for (const { label, text, vrf, source, freedAt, quarantine } of this.#byLabel.values()) {
      kept.push({ label, text, vrf, ...(source !== undefined && { source }) });
      if (freedAt === undefined) continue;
      kept.push({ label, freedAt, ...(quarantine !== undefined && { quarantine }) });
    }
    return [...kept, { next: this.#next }];
  }
}
