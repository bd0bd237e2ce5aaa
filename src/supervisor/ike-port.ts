// SPDX-License-Identifier: Apache-2.0
/** IKE, as the instance that is in force uses it. */
import type { TunnelModel } from '../forwarding/model.js';
import type { TunnelSa } from '../forwarding/overlay.js';
import type { IkePlan } from './ike-plan.js';
import type { Plan } from './plan.js';

export interface IkePort {
  /**
   * This configuration is in force: its peers and tunnels are wanted, what it does not allow ends. `ike`: undefined
   * when it has none.
   */
  apply(plan: Plan, ike: IkePlan | undefined, tunnels: Iterable<TunnelModel>): Promise<void>;
  /** Exactly these tunnels want SAs from now on. */
  want(tunnels: Iterable<TunnelModel>): void;
  /** How it stands with the SAs of those of the tunnels that get theirs by IKE, by name. */
  states(tunnels: Iterable<TunnelModel>): ReadonlyMap<string, TunnelSa>;
  /** Packets wait for the tunnel's SA. */
  hurry(tunnel: TunnelModel): void;
}
