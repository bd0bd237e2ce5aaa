// SPDX-License-Identifier: Apache-2.0
/**
 * The decision process of RFC 4271 §9.1.2, as elimination rounds over the usable paths of one net:
 *
 *   1. our own routes; 2. among ways by tunnels, the protection (policy-model 11, 12: before BGP's own
 *   criteria; the way to a CE has none, and competes by those alone); 3. not long-lived stale (RFC 9494 §4.3); 4. LOCAL_PREF; 5. AS_PATH length; 6. ORIGIN;
 *   7. MED, among paths of one neighbouring AS; 8. EBGP before IBGP; 9. cost of the way to the next hop;
 *   then, between paths that may be used together: 10. lowest ORIGINATOR_ID or BGP identifier;
 *   11. shortest CLUSTER_LIST (RFC 4456 §9); 12. lowest neighbour address; 13. lowest RD and path identifier.
 *
 * MED is compared by elimination within each group of equal neighbouring AS, so the outcome does not
 * depend on the order in which paths came ("deterministic MED").
 */

/** What is compared. Filled again and again by the caller. */
export interface Candidate {
  path: number;
  local: boolean;
  /** Higher wins; 0: not by a tunnel, so neither better nor worse than one. */
  rank: number;
  /** Candidates that differ here are never used together. */
  strength: number;
  longLivedStale: boolean;
  localPref: number;
  pathLength: number;
  origin: number;
  med: number;
  neighbourAs: number;
  external: boolean;
  metric: number;
  /** ORIGINATOR_ID, else the peer's BGP identifier. */
  routerId: number;
  clusterLength: number;
  address: Uint8Array;
  /** Of a route imported into a VRF: its route distinguisher. */
  rdHigh: number;
  rdLow: number;
  identifier: number;
}

export interface DecisionOptions {
  /** Compare MED between paths of different neighbouring ASes too. */
  readonly alwaysCompareMed: boolean;
  /** A missing MED is the worst instead of 0. */
  readonly missingMedWorst: boolean;
  /** Most paths used together, when they came by EBGP and by IBGP; 1: the best one alone. */
  readonly maximumPaths: { readonly ebgp: number; readonly ibgp: number };
  /** Paths through different neighbouring ASes may be used together. */
  readonly multipathRelax: boolean;
}

export const DEFAULT_DECISION: DecisionOptions = {
  alwaysCompareMed: false,
  missingMedWorst: false,
  maximumPaths: { ebgp: 1, ibgp: 1 },
  multipathRelax: false,
};

export function emptyCandidate(): Candidate {
  return {
    path: 0,
    local: false,
    rank: 0,
    strength: 0,
    longLivedStale: false,
    localPref: 0,
    pathLength: 0,
    origin: 0,
    med: 0,
    neighbourAs: 0,
    external: false,
    metric: 0,
    routerId: 0,
    clusterLength: 0,
    address: new Uint8Array(0),
    rdHigh: 0,
    rdLow: 0,
    identifier: 0,
  };
}

/** Negative: `a` wins. */
const compareOwn = (a: Candidate, b: Candidate): number => Number(b.local) - Number(a.local);

/** Negative: `a` wins. Criteria between protection and MED. */
function compareBeforeMed(a: Candidate, b: Candidate): number {
  if (a.longLivedStale !== b.longLivedStale) return a.longLivedStale ? 1 : -1;
  if (a.localPref !== b.localPref) return b.localPref - a.localPref;
  if (a.pathLength !== b.pathLength) return a.pathLength - b.pathLength;
  return a.origin - b.origin;
}

/** Criteria between MED and the point up to which paths may be used together. */
function compareAfterMed(a: Candidate, b: Candidate): number {
  if (a.external !== b.external) return a.external ? -1 : 1;
  return a.metric - b.metric;
}

function compareAddresses(a: Uint8Array, b: Uint8Array): number {
  if (a.length !== b.length) return a.length - b.length;
  for (let i = 0; i < a.length; i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

function compareTies(a: Candidate, b: Candidate): number {
  if (a.routerId !== b.routerId) return a.routerId - b.routerId;
  if (a.clusterLength !== b.clusterLength) return a.clusterLength - b.clusterLength;
  const byAddress = compareAddresses(a.address, b.address);
  if (byAddress !== 0) return byAddress;
  // Imports of one prefix under several RDs from one neighbour tie in all the rest.
  return a.rdHigh - b.rdHigh || a.rdLow - b.rdLow || a.identifier - b.identifier;
}

/** Keeps in `set` those that none beats; the order stays. */
function keepBest(set: Candidate[], compare: (a: Candidate, b: Candidate) => number): void {
  let kept = 0;
  for (const candidate of set) {
    const first = set[0];
    const order = kept === 0 || first === undefined ? 0 : compare(candidate, first);
    if (order > 0) continue;
    if (order < 0) kept = 0;
    set[kept++] = candidate;
  }
  set.length = kept;
}

/** Drops every path by a tunnel that protects less than another's. */
function eliminateByProtection(set: Candidate[]): void {
  const best = set.reduce((most, { rank }) => Math.max(most, rank), 0);
  let kept = 0;
  for (const candidate of set) {
    if (candidate.rank === 0 || candidate.rank === best) set[kept++] = candidate;
  }
  set.length = kept;
}

/** Drops every path that another of the same neighbouring AS beats by MED. */
function eliminateByMed(set: Candidate[], options: DecisionOptions): void {
  const lowest = new Map<number, number>();
  for (const { neighbourAs, med } of set) {
    const group = options.alwaysCompareMed ? 0 : neighbourAs;
    lowest.set(group, Math.min(med, lowest.get(group) ?? Infinity));
  }
  let kept = 0;
  for (const candidate of set) {
    const group = options.alwaysCompareMed ? 0 : candidate.neighbourAs;
    if (candidate.med === lowest.get(group)) set[kept++] = candidate;
  }
  set.length = kept;
}

/**
 * Leaves in `set` the best path, first, and behind it, best first, those used together with it. An
 * empty set stays empty.
 */
export function decide(set: Candidate[], options: DecisionOptions): void {
  if (set.length < 2) return;
  keepBest(set, compareOwn);
  eliminateByProtection(set);
  keepBest(set, compareBeforeMed);
  if (set.length > 1) eliminateByMed(set, options);
  if (set.length > 1) keepBest(set, compareAfterMed);
  if (set.length < 2) return;
  set.sort(compareTies);
  const [best] = set;
  if (best === undefined) return;
  const most = best.local
    ? 1
    : Math.max(1, best.external ? options.maximumPaths.ebgp : options.maximumPaths.ibgp);
  let kept = 0;
  for (const candidate of set) {
    const alike =
      candidate.strength === best.strength &&
      (options.multipathRelax || candidate.neighbourAs === best.neighbourAs);
    const together = kept === 0 || (kept < most && alike);
    if (together) set[kept++] = candidate;
  }
  set.length = kept;
}
