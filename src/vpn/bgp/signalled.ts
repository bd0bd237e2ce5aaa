// SPDX-License-Identifier: Apache-2.0
/** What ingresses are told of export classes: the IPsec Extended Community (docs/ipsec-extended-community.md). */
import type { IpsecMeaning, Protection as Tunnelled } from '../../bgp/codec/communities/ipsec.js';
import type { ExportClass } from '../../config/types.js';
import type { Classes } from '../export-changes.js';

const TUNNELLED: readonly Tunnelled[] = ['encrypt', 'authenticate', 'tunnel'];

const takesMpls = ({ protections }: ExportClass): boolean => protections.includes('mpls');

/** A class that some ingresses may reach by plain MPLS: `mpls`, or inside our own SP. */
const takesSomeMpls = (one: ExportClass): boolean =>
  takesMpls(one) || one.clearInsideOwnSp === true;

/**
 * The meaning of the community; undefined: there is none, a plain LSP will do.
 *
 * Of several classes, which a label accepts while a change is announced, it is their union. Who may send
 * plain MPLS by all of them need not be told more; by some of them, may go on doing so: `alsoMpls`.
 */
export function signalledBy(classes: Classes): IpsecMeaning | undefined {
  const asking = classes.filter((one) => !takesMpls(one));
  // A community cannot say that nothing is asked, so one class alone that takes plain MPLS says it by none.
  if (asking.length === 0) return undefined;
  const named = new Set(classes.flatMap(({ protections }) => protections));
  const encapsulations = new Set(
    classes.flatMap((one) => one.encapsulations ?? (['gre', 'ip'] as const)),
  );
  const alsoMpls =
    asking.length < classes.length || (classes.length > 1 && classes.some(takesSomeMpls));
  return {
    protections: TUNNELLED.filter((protection) => named.has(protection)),
    encapsulations: (['gre', 'ip'] as const).filter((each) => encapsulations.has(each)),
    onlyOutsideSp: undefined,
    ...(alsoMpls && { alsoMpls: true }),
  };
}
