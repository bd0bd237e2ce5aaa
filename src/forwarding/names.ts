// SPDX-License-Identifier: Apache-2.0
/**
 * Identity names of next hops: what a restarted supervisor recognises its rows by. At most 95 bytes
 * (SL_ROW_NAME_LEN): the longest the configuration allows, a neighbour's, has 91.
 *
 *   local/VRF/INTERFACE   own addresses on an interface    glean/INTERFACE     its subnets
 *   local/VRF             other own addresses              discard/VRF/HOW     discard routes
 *   ce/VRF/INTERFACE/ADDRESS   a neighbour                 tunnel/NAME         a tunnel
 */
import { DEFAULT_MTU } from '../config/defaults.js';
import { formatAddress } from '../lib/ip.js';
import {
  gatewayOf,
  type ForwardingModel,
  type GatewayModel,
  type InterfaceModel,
  type VrfModel,
} from './model.js';
import type { PlannedLabel } from './rows.js';

export const localOf = (own: Pick<InterfaceModel, 'vrf' | 'name'>): string =>
  `local/${own.vrf}/${own.name}`;
export const localLoopback = (vrf: string): string => `local/${vrf}`;
export const glean = (interfaceName: string): string => `glean/${interfaceName}`;
export const discard = (vrf: string, how: 'silent' | 'unreachable'): string =>
  `discard/${vrf}/${how}`;
export const tunnel = (name: string): string => `tunnel/${name}`;
/** The tunnel's name; undefined: the row is another's. */
export const tunnelOf = (row: string): string | undefined =>
  row.startsWith('tunnel/') ? row.slice('tunnel/'.length) : undefined;
export const adjacency = (gateway: GatewayModel): string =>
  `ce/${gateway.vrf}/${gateway.interface}/${formatAddress(gateway.address)}`;

/** The neighbour a label leads to; undefined for a VRF label, or when no interface reaches it. */
export function gatewayOfLabel(
  model: ForwardingModel,
  label: PlannedLabel,
): GatewayModel | undefined {
  const vrf = model.vrfs.get(label.vrf);
  if (label.ce === undefined || vrf === undefined) return undefined;
  const out = gatewayOf(vrf.interfaces, label.ce, undefined);
  return out && { vrf: label.vrf, interface: out.name, address: label.ce };
}

/** MTU of a VRF's host TAP: what its largest interface takes; paths that take less say so by ICMP. */
export function hostMtu(vrf: VrfModel): number {
  return Math.max(DEFAULT_MTU, ...vrf.interfaces.map(({ mtu }) => mtu));
}
