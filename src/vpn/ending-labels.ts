// SPDX-License-Identifier: Apache-2.0
/**
 * Labels of routes passed on whose class the configuration allows no more: `accepts` of a neighbour is stricter now.
 * From that moment they are not accepted in clear. What is secured has the bounded grace time of export rules
 * (export-changes.ts), in which the neighbours are told the new labels, whatever routes still have the old ones.
 */
import type { AcceptSet } from '../forwarding/addon/api.js';
import { formatAddress } from '../lib/ip.js';
import { DEFAULT_TIMING, dueOf, type Timing } from './export-changes.js';

const SWAP = 'swap for ';

/** A swap label in words. `nextHop`: 4 or 16 octets; `by`: how packets go on; `exported`: how they may come. */
export const swapText = (
  label: number,
  nextHop: Uint8Array,
  by: string,
  exported: string,
): string => `${SWAP}${label} of ${formatAddress(nextHop)} by ${by}, ${exported}`;

/** What `exported` was for {@link swapText}; undefined: it is no swap label. */
export function swapClassOf(text: string): string | undefined {
  const at = text.startsWith(SWAP) ? text.indexOf(', ') : -1;
  return at < 0 ? undefined : text.slice(at + 2);
}

/** undefined: nothing is left of it. */
export function securedOnly({ secured }: AcceptSet): AcceptSet | undefined {
  return secured.length === 0 ? undefined : { secured, clear: [] };
}

interface Ending {
  /** Monotonic, s. */
  readonly since: number;
  until: number | undefined;
}

/** When each of some labels is to go. */
export class EndingLabels<Label> {
  readonly #ending = new Map<Label, Ending>();
  timing: Timing = DEFAULT_TIMING;

  get size(): number {
    return this.#ending.size;
  }

  has(label: Label): boolean {
    return this.#ending.has(label);
  }

  /** `now`: monotonic, s. One that is ending already goes no later for that. */
  add(label: Label, now: number): void {
    if (!this.#ending.has(label)) this.#ending.set(label, { since: now, until: undefined });
  }

  delete(label: Label): void {
    this.#ending.delete(label);
  }

  /** Those that are to go now. `told`: everybody has been sent what is told instead. */
  due(now: number, told: boolean): Label[] {
    return [...this.#ending].flatMap(([label, ending]) => {
      ending.until = dueOf(sinceUntil(ending), now, told, this.timing);
      return ending.until !== undefined && ending.until <= now ? [label] : [];
    });
  }

  get all(): Label[] {
    return [...this.#ending.keys()];
  }
}

const sinceUntil = ({ since, until }: Ending): { since: number; until?: number } =>
  until === undefined ? { since } : { since, until };
