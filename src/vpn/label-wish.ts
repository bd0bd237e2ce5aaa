// SPDX-License-Identifier: Apache-2.0
/** What labels of routes are asked for to mean, and the rows that this makes: see route-labels.ts. */
import type { FamilyId } from '../bgp/codec/types.js';
import type { AcceptSet } from '../forwarding/addon/api.js';
import type { GatewayModel } from '../forwarding/model.js';
import { adjacency } from '../forwarding/names.js';
import { acceptKey } from '../forwarding/rows.js';
import { formatAddress } from '../lib/ip.js';

/** Why a label was refused: there is none at all, or whose routes these are has had its share. */
export type LabelRefusal = 'no value is free' | 'the source has its share';

/** Who makes us use labels, and how many it may: others' are not to go to one that changes its own all the time. */
export interface LabelSource {
  /** An SP. */
  readonly name: string;
  /** Values in use and in quarantine. */
  readonly most: number;
}

/** What a label is to mean. */
export interface LabelWish {
  /** In words, for the register: what stays the same as long as the value does. */
  readonly text: string;
  /** CORE_VRF of one that is swapped or popped. */
  readonly vrf: string;
  /** Name of the export rule, or who is told. */
  readonly rule: string;
  /** The CE it leads to; undefined: a lookup in the VRF. */
  readonly gateway: GatewayModel | undefined;
  /** Packets go on with another label. */
  readonly swap?: LabelSwap;
  readonly accept: AcceptSet;
  /** Who makes us use it; absent: we do ourselves. */
  readonly source?: LabelSource;
}

/** A label; 'later': not yet, LabelUser.askAgain will be called; else why there is none. */
export type LabelAnswer = number | 'later' | LabelRefusal;

/** As the RIB asks: undefined: the route must not be told. */
export const toldLabel = (answer: LabelAnswer): number | 'later' | undefined =>
  typeof answer === 'number' || answer === 'later' ? answer : undefined;

/** Where packets go on, and with which label. */
export interface LabelSwap {
  /** Row of a tunnel or LSP. */
  readonly nexthop: string;
  readonly label: number;
}

/** A route of a VRF, `vrf` by its number in the RIB. */
export interface LabelledRoute {
  readonly vrf: number;
  readonly family: FamilyId;
  readonly prefix: Uint8Array;
  readonly length: number;
  /** Of one that is passed on: its number in the table of its family, instead of the prefix. */
  readonly net?: number;
}

export interface RouteLabelRow {
  readonly label: number;
  readonly vrf: string;
  readonly gateway: GatewayModel | undefined;
  readonly swap?: LabelSwap;
  readonly accept: AcceptSet;
}

/** One for each route. */
export const keyOf = ({ vrf, family, prefix, length, net }: LabelledRoute): string =>
  net === undefined
    ? `${vrf} ${family} ${formatAddress(prefix)}/${length}`
    : `net ${net} of ${family}`;

export const rowOf = (label: number, { vrf, gateway, swap, accept }: LabelWish): RouteLabelRow => ({
  ...{ label, vrf, gateway, accept },
  ...(swap && { swap }),
});

/** Whether the row in the tables is right for both. */
export function leadsAlike(a: LabelWish | undefined, b: LabelWish): boolean {
  if (a === b) return true;
  if (a?.vrf !== b.vrf) return false;
  if (a.accept !== b.accept && acceptKey(a.accept) !== acceptKey(b.accept)) return false;
  if (a.swap?.nexthop !== b.swap?.nexthop || a.swap?.label !== b.swap?.label) return false;
  const [from, to] = [a.gateway, b.gateway];
  if (from === undefined || to === undefined) return from === to;
  return adjacency(from) === adjacency(to);
}
