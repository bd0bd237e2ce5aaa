// SPDX-License-Identifier: Apache-2.0
/**
 * How large a packet may be to pass between two ends, by packets that do or do not come (RFC 4821, RFC 8899): the search,
 * without clock or sockets. Sizes are those that a packet of the SA can have: `largest` less whole steps, down to the first
 * that is not above `least`.
 *
 *             all of them come                     so often three times lost: a black hole
 *   searching -----------------> complete -------------------------------------------------> searching
 *        \                          |  ^                                                         below
 *         \  not even the least      |  | the size that passed is tried again and again
 *          `--> error                `--'        raise(): searching above
 *
 * A packet that does not come may have been lost for another reason: a size that is lost is tried three times before it
 * counts as too large. One that comes counts at once.
 */

export interface SearchRange {
  /** Octets of the outer IP packet. */
  readonly least: number;
  readonly largest: number;
  readonly step: number;
}

export type SearchState = 'searching' | 'complete' | 'error';

/** RFC 8899 §5.1.2: MAX_PROBES. */
const TRIES = 3;
/** Sizes that are tried at once. */
const AT_ONCE = 8;

export class PathSearch {
  readonly range: SearchRange;
  /** Sizes are numbered from 0, the least. */
  readonly #last: number;
  /** The largest that passed; -1: none has. */
  #passes = -1;
  /** The smallest that does not; one more than there are: none is known. */
  #lost: number;
  /** What was asked for last, ascending. */
  #asked: readonly number[] = [];
  #tries = 0;
  #isVerifying = false;
  #state: SearchState = 'searching';

  constructor(range: SearchRange) {
    const { least, largest, step } = range;
    this.range = range;
    this.#last = Math.max(0, Math.ceil((largest - least) / step));
    this.#lost = this.#last + 1;
  }

  get state(): SearchState {
    return this.#state;
  }

  /** Times that the sizes of {@link next} have been tried and not all come. */
  get tries(): number {
    return this.#tries;
  }

  /** The largest size that passed; undefined: none has. */
  get passes(): number | undefined {
    return this.#passes < 0 ? undefined : this.#size(this.#passes);
  }

  /** What the largest packet is passes. */
  get isWhole(): boolean {
    return this.#passes === this.#last;
  }

  #size(index: number): number {
    const { largest, step } = this.range;
    return largest - (this.#last - index) * step;
  }

  /** Sizes to be tried, ascending; one of them at least. */
  next(): readonly number[] {
    if (this.#tries === 0) this.#asked = this.#isVerifying ? [this.#passes] : this.#spread();
    return this.#asked.map((index) => this.#size(index));
  }

  /** Evenly over what is open, its ends included: the largest is what most ways pass. */
  #spread(): number[] {
    const [first, last] = [this.#passes + 1, this.#lost - 1];
    const n = Math.min(AT_ONCE, last - first + 1);
    if (n === 1) return [last];
    return Array.from({ length: n }, (_, i) => first + Math.round(((last - first) * i) / (n - 1)));
  }

  /** The largest of what was tried that came, octets; 0: none. */
  answer(octets: number): void {
    const came = this.#asked.filter((index) => this.#size(index) <= octets).at(-1) ?? -1;
    const missing = this.#asked.find((index) => index > came);
    this.#passes = Math.max(this.#passes, came);
    if (missing === undefined) {
      this.#settle();
    } else if (this.#asked[0] !== missing) {
      // The smallest of those that did not come: the others follow from it.
      this.#asked = [missing];
      this.#tries = 1;
    } else if (++this.#tries === TRIES) {
      this.#tooLarge(missing);
    }
  }

  #tooLarge(index: number): void {
    this.#lost = index;
    if (this.#isVerifying) this.#passes = -1;
    this.#settle();
  }

  /** What was asked is known now. */
  #settle(): void {
    this.#tries = 0;
    this.#isVerifying = false;
    const isDone = this.#lost - this.#passes === 1;
    if (!isDone) this.#state = 'searching';
    else this.#state = this.#passes < 0 ? 'error' : 'complete';
  }

  /** Of one that is complete: whether it still is. Of one in error: anew. */
  verify(): void {
    if (this.#state === 'error') {
      this.raise();
    } else if (this.#state === 'complete') {
      this.#tries = 0;
      this.#isVerifying = true;
    }
  }

  /** The way may have become wider (RFC 8899 §5.1.1, PMTU_RAISE_TIMER). */
  raise(): void {
    if (this.#state === 'searching' || this.isWhole) return;
    this.#lost = this.#last + 1;
    this.#tries = 0;
    this.#isVerifying = false;
    this.#state = 'searching';
  }
}
