// SPDX-License-Identifier: Apache-2.0
/** Sets of address families and their AFI/SAFI numbers. */
import { FAMILIES, type FamilyId, type FamilyName, type FamilySet } from './types.js';

export const FAMILY_IDS: readonly FamilyId[] = [0, 1, 2, 3, 4, 5, 6];

export const familyBit = (id: FamilyId): FamilySet => 1 << id;
export const hasFamily = (set: FamilySet, id: FamilyId): boolean => ((set >> id) & 1) === 1;
export const familyName = (id: FamilyId): FamilyName => FAMILIES[id].name;

/** The family of an AFI and SAFI; undefined when it is none of ours. */
export function familyOf(afi: number, safi: number): FamilyId | undefined {
  for (const id of FAMILY_IDS) {
    if (FAMILIES[id].afi === afi && FAMILIES[id].safi === safi) return id;
  }
  return undefined;
}

/** "vpnv4-unicast", or "AFI 25 SAFI 70" for one that is none of ours. */
export function describeFamily(afi: number, safi: number): string {
  const id = familyOf(afi, safi);
  return id === undefined ? `AFI ${afi} SAFI ${safi}` : familyName(id);
}

export const familySet = (ids: Iterable<FamilyId>): FamilySet => {
  let set = 0;
  for (const id of ids) set |= familyBit(id);
  return set;
};

export const familiesOf = (set: FamilySet): FamilyId[] =>
  FAMILY_IDS.filter((id) => hasFamily(set, id));
