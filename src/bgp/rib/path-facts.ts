// SPDX-License-Identifier: Apache-2.0
/** What the decision process compares of an attribute set, kept for the sets that were asked for last. */

export interface PathFacts {
  /** 100 when there is none. */
  localPref: number;
  /** 0 when there is none: see flag HAS_MED. */
  med: number;
  /** First AS of the path; 0: none, or a set. */
  neighbourAs: number;
  pathLength: number;
  /** Numbers in CLUSTER_LIST. */
  clusterLength: number;
  origin: number;
  /** 0 when there is none: see flag HAS_ORIGINATOR. */
  originatorId: number;
}

export const newPathFacts = (): PathFacts => ({
  ...{ localPref: 0, med: 0, neighbourAs: 0, pathLength: 0 },
  ...{ clusterLength: 0, origin: 0, originatorId: 0 },
});

const BITS = 10;
const SET = 0;
const WORDS = 8;

export class PathFactCache {
  /** A place for each hash of a number: number of the set, then the facts. */
  readonly #words = new Uint32Array(WORDS << BITS);
  /** What is handed out: filled again by each call. */
  readonly scratch: PathFacts = newPathFacts();

  get(set: number): PathFacts | undefined {
    const words = this.#words;
    const at = placeOf(set);
    if (words[at + SET] !== set) return undefined;
    const facts = this.scratch;
    facts.localPref = words[at + 1] ?? 0;
    facts.med = words[at + 2] ?? 0;
    facts.neighbourAs = words[at + 3] ?? 0;
    facts.pathLength = words[at + 4] ?? 0;
    facts.clusterLength = words[at + 5] ?? 0;
    facts.origin = words[at + 6] ?? 0;
    facts.originatorId = words[at + 7] ?? 0;
    return facts;
  }

  keep(set: number, facts: PathFacts): void {
    const words = this.#words;
    const at = placeOf(set);
    words[at + SET] = set;
    words[at + 1] = facts.localPref;
    words[at + 2] = facts.med;
    words[at + 3] = facts.neighbourAs;
    words[at + 4] = facts.pathLength;
    words[at + 5] = facts.clusterLength;
    words[at + 6] = facts.origin;
    words[at + 7] = facts.originatorId;
  }

  /** The number may be another set's from now on. */
  forget(set: number): void {
    const at = placeOf(set);
    if (this.#words[at + SET] === set) this.#words[at + SET] = 0;
  }
}

const placeOf = (set: number): number => (Math.imul(set, 0x9e3779b1) >>> (32 - BITS)) * WORDS;
