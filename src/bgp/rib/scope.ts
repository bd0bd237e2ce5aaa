// SPDX-License-Identifier: Apache-2.0
/**
 * Routing tables by number: VRF << 3 | family + 1; VRF 0 is the core. A net belongs to one table by its
 * key, so a VPN route cannot be looked up, decided or sent as one of another family or VRF.
 */
import { FAMILY, type FamilyId } from '../codec/types.js';
import { NetTable, type Scope } from './net-table.js';

/** A VRF's small number while it is configured; 0 is the core. Below 2^21. */
export type VrfId = number;
export const CORE: VrfId = 0;

export const scopeOf = (vrf: VrfId, family: FamilyId): Scope => (vrf << 3) | (family + 1);
export const vrfOfScope = (scope: Scope): VrfId => scope >>> 3;

const FAMILY_IDS: readonly FamilyId[] = [0, 1, 2, 3, 4, 5, 6];
export const familyOfNumber = (id: number): FamilyId => FAMILY_IDS[id] ?? 0;
export const familyOfScope = (scope: Scope): FamilyId => familyOfNumber((scope & 7) - 1);

/** How a family's keys are built: an RD of 8 octets or none, and the octets of a full-length prefix. */
export interface KeyShape {
  readonly rdBytes: 0 | 8;
  readonly prefixBytes: 4 | 16 | 12;
}

const V4: KeyShape = { rdBytes: 0, prefixBytes: 4 };
const V6: KeyShape = { rdBytes: 0, prefixBytes: 16 };
const SHAPES: readonly KeyShape[] = [
  V4,
  V6,
  { rdBytes: 8, prefixBytes: 4 },
  { rdBytes: 8, prefixBytes: 16 },
  V4,
  V6,
  { rdBytes: 0, prefixBytes: 12 },
];
export const shapeOf = (family: FamilyId): KeyShape => SHAPES[family] ?? V4;

export const isVpn = (family: number): boolean =>
  family === FAMILY.vpnv4 || family === FAMILY.vpnv6;

export const unicastFamilies: readonly FamilyId[] = [FAMILY.ipv4Unicast, FAMILY.ipv6Unicast];

/** The unicast family a VPN family's routes become in a VRF. */
export const unicastOfVpn = (family: FamilyId): FamilyId =>
  family === FAMILY.vpnv6 ? FAMILY.ipv6Unicast : FAMILY.ipv4Unicast;

/** The nets of all tables, one hash per shape of key. */
export class Nets {
  readonly v4 = new NetTable(1);
  readonly v6 = new NetTable(4);
  readonly vpn4 = new NetTable(3);
  readonly vpn6 = new NetTable(6);
  readonly routeTargets = new NetTable(3);
  readonly all: readonly NetTable[] = [this.v4, this.v6, this.vpn4, this.vpn6, this.routeTargets];
  readonly #byFamily: readonly NetTable[] = [
    ...[this.v4, this.v6, this.vpn4, this.vpn6, this.v4, this.v6, this.routeTargets],
  ];

  of(family: number): NetTable {
    return this.#byFamily[family] ?? this.v4;
  }
}
