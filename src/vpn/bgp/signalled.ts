// SPDX-License-Identifier: Apache-2.0
/** What ingresses are told of export classes: the IPsec Extended Community (docs/ipsec-extended-community.md). */
import type { IpsecMeaning, Protection as Tunnelled } from '../../bgp/codec/communities/ipsec.js';
import type { Encapsulation, ExportClass } from '../../config/types.js';
import type { AcceptSet } from '../../forwarding/addon/api.js';
import type { TablesOfSps } from '../accept.js';
import { acceptOfClasses, type Classes } from '../export-changes.js';

const TUNNELLED: readonly Tunnelled[] = ['encrypt', 'authenticate', 'tunnel'];

const takesMpls = ({ protections }: ExportClass): boolean => protections.includes('mpls');

/** A class that ingresses of our own SP may reach by plain MPLS (P §2.7 case ii), or all. */
const takesMplsInside = (one: ExportClass): boolean =>
  takesMpls(one) || one.clearInsideOwnSp === true;

/** A rule as it is told: see VrfExport. */
export interface Told {
  readonly classes: Classes;
  readonly announced: Classes;
}

/**
 * SPs that are told: those that every class is exported to. One that a change adds is told once it is over, of the new
 * class alone; one that it takes out is told no more. Where none is in all of them, those of before are.
 */
export function toldSps({ announced }: Pick<Told, 'announced'>, own: string): readonly string[] {
  const [first = [], ...more] = announced.map(({ toSps = [own] }) => [...new Set(toSps)]);
  const common = first.filter((sp) => more.every((list) => list.includes(sp)));
  return common.length > 0 ? common : first;
}

/**
 * The meaning of the community; undefined: there is none, a plain LSP will do. `ownSp`: our number, of which
 * ingresses nothing is asked where plain MPLS will do inside (P6); undefined: all are asked.
 *
 * Of several classes, which a label accepts while a change is announced, it is as much as one community can say: each
 * of its protections in each of its encapsulations is accepted from every SP that is told. Who may send plain MPLS by
 * all of the classes need not be told more; by some of them, may go on doing so: `alsoMpls`.
 */
export function signalledBy(
  told: Told,
  sps: TablesOfSps,
  ownSp: number | undefined,
): IpsecMeaning | undefined {
  const own = toldSps(told, sps.own);
  const isForAll = ({ toSps = [sps.own] }: ExportClass): boolean =>
    own.every((sp) => toSps.includes(sp));
  const announced = told.announced.filter(isForAll);
  // Plain MPLS cannot be one of several in the community: who may send that need not be told more.
  if (announced.every(takesMpls)) return undefined;
  const outside = announced.every(takesMplsInside);
  const alsoMpls = announced.some(takesMpls) || (!outside && announced.some(takesMplsInside));
  return {
    ...pairsOf(announced, acceptOfClasses(told.classes, sps), tablesOf(own, sps)),
    onlyOutsideSp: outside ? ownSp : undefined,
    ...(alsoMpls && { alsoMpls: true }),
  };
}

type Pairs = Pick<IpsecMeaning, 'protections' | 'encapsulations'>;

const BOTH = ['gre', 'ip'] as const;

const tablesOf = (names: readonly string[], sps: TablesOfSps): readonly number[] =>
  names.flatMap((name) => sps.table(name) ?? []);

/** Of the protections that are named those that are accepted in every encapsulation: of most classes, and most pairs. */
function pairsOf(classes: Classes, accept: AcceptSet, tables: readonly number[]): Pairs {
  const [only, ...more] = classes;
  const named = new Set(classes.flatMap(({ protections }) => protections));
  const protections = TUNNELLED.filter((protection) => named.has(protection));
  if (only !== undefined && more.length === 0) {
    const { encapsulations = BOTH } = only;
    return { protections, encapsulations: BOTH.filter((one) => encapsulations.includes(one)) };
  }
  const candidates = [BOTH, [BOTH[0]], [BOTH[1]]].map((encapsulations): Pairs => {
    const isAccepted = (one: Tunnelled): boolean =>
      encapsulations.every((each) => accepts(accept, one, each, tables));
    return { protections: protections.filter(isAccepted), encapsulations };
  });
  // As many as can be of those that differ in protection, that of before in any case, then as many pairs as can be.
  const score = (pairs: Pairs): number =>
    100 * new Set(classes.filter((one) => meets(one, pairs)).map(protectionsOf)).size +
    (only !== undefined && meets(only, pairs) ? 10 : 0) +
    pairs.protections.length * pairs.encapsulations.length;
  return candidates.reduce((best, one) => (score(one) > score(best) ? one : best));
}

const protectionsOf = ({ protections }: ExportClass): string => [...protections].sort().join();

const meets = ({ protections, encapsulations = BOTH }: ExportClass, pairs: Pairs): boolean =>
  pairs.protections.some((one) => protections.includes(one)) &&
  pairs.encapsulations.some((one) => encapsulations.includes(one));

function accepts(
  { secured, clear }: AcceptSet,
  protection: Tunnelled,
  encapsulation: Encapsulation,
  tables: readonly number[],
): boolean {
  if (protection === 'tunnel') return clear.includes(encapsulation);
  return secured.some(
    (one) =>
      one.protection === protection &&
      one.encapsulation === encapsulation &&
      tables.every((table) => one.sps.includes(table)),
  );
}
