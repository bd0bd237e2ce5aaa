// SPDX-License-Identifier: Apache-2.0
/** What ingresses are told of export classes: the IPsec Extended Community (docs/ipsec-extended-community.md). */
import type { IpsecMeaning, Protection as Tunnelled } from '../../bgp/codec/communities/ipsec.js';
import type { ExportClass } from '../../config/types.js';
import type { Classes } from '../export-changes.js';

const TUNNELLED: readonly Tunnelled[] = ['encrypt', 'authenticate', 'tunnel'];

const takesMpls = ({ protections }: ExportClass): boolean => protections.includes('mpls');

/** A class that ingresses of our own SP may reach by plain MPLS (P §2.7 case ii), or all. */
const takesMplsInside = (one: ExportClass): boolean =>
  takesMpls(one) || one.clearInsideOwnSp === true;

/**
 * The meaning of the community; undefined: there is none, a plain LSP will do. `ownSp`: our number, of which
 * ingresses nothing is asked where plain MPLS will do inside (P6); undefined: all are asked.
 *
 * Of several classes, which a label accepts while a change is announced, it is their union. Who may send
 * plain MPLS by all of them need not be told more; by some of them, may go on doing so: `alsoMpls`.
 */
export function signalledBy(classes: Classes, ownSp: number | undefined): IpsecMeaning | undefined {
  // Plain MPLS cannot be one of several in the community: who may send that need not be told more.
  if (classes.every(takesMpls)) return undefined;
  const named = new Set(classes.flatMap(({ protections }) => protections));
  const encapsulations = new Set(
    classes.flatMap((one) => one.encapsulations ?? (['gre', 'ip'] as const)),
  );
  const outside = classes.every(takesMplsInside);
  const alsoMpls = classes.some(takesMpls) || (!outside && classes.some(takesMplsInside));
  return {
    protections: TUNNELLED.filter((protection) => named.has(protection)),
    encapsulations: (['gre', 'ip'] as const).filter((each) => encapsulations.has(each)),
    onlyOutsideSp: outside ? ownSp : undefined,
    ...(alsoMpls && { alsoMpls: true }),
  };
}
