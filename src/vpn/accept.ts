// SPDX-License-Identifier: Apache-2.0
/**
 * From an export class to the arrivals it accepts (policy-model 1-4, P §2.7):
 *
 *   encrypt, authenticate   the secured tables of the SPs named, that protection only
 *   tunnel, mpls            clear MPLS-in-GRE/IP or plain MPLS, and, because an ingress may use
 *                           IPsec unasked (P4), the secured tables of the SPs with either protection
 *   clearInsideOwnSp        case ii: the SPs named as above; our own SP with either protection, or
 *                           as plain MPLS on an interface marked `mpls: own-sp`; never clear
 *                           MPLS-in-GRE or MPLS-in-IP, whose outer addresses can be forged
 */
import type { Encapsulation, ExportClass } from '../config/types.js';
import type { AcceptSet } from '../forwarding/addon/api.js';
import { ACCEPT_NOTHING, acceptKey } from '../forwarding/rows.js';
import { OWN_SP_TABLE, type SpTables } from './sp-tables.js';

/** Tables by SP. */
export type TablesOfSps = Pick<SpTables, 'own' | 'table'>;

type Secured = 'encrypt' | 'authenticate';
type Clear = AcceptSet['clear'][number];

const ENCAPSULATIONS: readonly Encapsulation[] = ['gre', 'ip'];
const SECURED: readonly Secured[] = ['encrypt', 'authenticate'];
const CLEAR: readonly Clear[] = ['gre', 'ip', 'mpls', 'mpls-own-sp'];

/** Collects arrivals and writes them in one canonical order. */
class Arrivals {
  readonly #secured = new Map<string, Set<number>>();
  readonly #clear = new Set<Clear>();

  secured(
    protections: readonly Secured[],
    encapsulations: readonly Encapsulation[],
    sps: Iterable<number>,
  ): void {
    for (const protection of protections) {
      for (const encapsulation of encapsulations) {
        const key = `${protection} ${encapsulation}`;
        const tables = this.#secured.get(key) ?? new Set<number>();
        for (const sp of sps) tables.add(sp);
        this.#secured.set(key, tables);
      }
    }
  }

  clear(...arrivals: readonly Clear[]): void {
    for (const arrival of arrivals) this.#clear.add(arrival);
  }

  add(set: AcceptSet): void {
    for (const entry of set.secured) {
      this.secured([entry.protection], [entry.encapsulation], entry.sps);
    }
    this.clear(...set.clear);
  }

  toSet(): AcceptSet {
    const secured: AcceptSet['secured'][number][] = [];
    for (const protection of SECURED) {
      for (const encapsulation of ENCAPSULATIONS) {
        const sps = [...(this.#secured.get(`${protection} ${encapsulation}`) ?? [])];
        if (sps.length === 0) continue;
        secured.push({ protection, encapsulation, sps: sps.sort((a, b) => a - b) });
      }
    }
    return { secured, clear: CLEAR.filter((arrival) => this.#clear.has(arrival)) };
  }
}

const isSecured = (protection: string): protection is Secured =>
  protection === 'encrypt' || protection === 'authenticate';

/**
 * The set of a class. An SP that is not configured has no table and adds nothing: a name unknown
 * here can only make the set smaller (the configuration check refuses it before).
 */
export function acceptSetOf(exported: ExportClass, sps: TablesOfSps): AcceptSet {
  const arrivals = new Arrivals();
  const encapsulations = exported.encapsulations ?? ENCAPSULATIONS;
  const tables = (exported.toSps ?? [sps.own])
    .map((name) => sps.table(name))
    .filter((table): table is number => table !== undefined);
  arrivals.secured(exported.protections.filter(isSecured), encapsulations, tables);

  const unprotected = exported.protections.filter((protection) => !isSecured(protection));
  if (unprotected.length > 0) arrivals.secured(SECURED, encapsulations, tables);
  if (unprotected.includes('tunnel')) arrivals.clear(...encapsulations);
  if (unprotected.includes('mpls')) arrivals.clear('mpls');

  if (exported.clearInsideOwnSp === true) {
    arrivals.secured(SECURED, encapsulations, [OWN_SP_TABLE]);
    arrivals.clear('mpls-own-sp');
  }
  return arrivals.toSet();
}

/** What any of the sets accepts: a route exported by several rules. */
export function unionOf(sets: Iterable<AcceptSet>): AcceptSet {
  const arrivals = new Arrivals();
  for (const set of sets) arrivals.add(set);
  const union = arrivals.toSet();
  return union.secured.length === 0 && union.clear.length === 0 ? ACCEPT_NOTHING : union;
}

/** Whether `outer` accepts whatever `inner` does. */
export const acceptsAll = (outer: AcceptSet, inner: AcceptSet): boolean =>
  acceptKey(unionOf([outer, inner])) === acceptKey(outer);

/** A set in words, for `show`: "encrypt gre,ip from sp-a,sp-b; clear gre". Empty: nothing. */
export function describeAccept(set: AcceptSet, sps: SpTables): string {
  const groups = new Map<string, Encapsulation[]>();
  for (const { protection, encapsulation, sps: tables } of set.secured) {
    const from = tables.map((table) => sps.name(table) ?? `table ${table}`).join(',');
    const key = `${protection} % from ${from}`;
    groups.set(key, [...(groups.get(key) ?? []), encapsulation]);
  }
  const secured = [...groups].map(([text, encaps]) => text.replace('%', encaps.join(',')));
  const clear = set.clear.length === 0 ? [] : [`clear ${set.clear.join(',')}`];
  const { mplsInterface } = set;
  const other = mplsInterface === undefined ? [] : [`mpls on ${mplsInterface}`];
  return [...secured, ...clear, ...other].join('; ');
}
