// SPDX-License-Identifier: Apache-2.0
/**
 * What the instance needs of the host's kernel. kernel-sync.ts does it; a test may do it otherwise.
 */
import type { Device } from '../config/types.js';
import type { GatewayModel, LspModel, TunnelModel } from '../forwarding/model.js';
import type { CoreRoute, Neighbour } from '../forwarding/overlay.js';
import type { PortMacs } from '../forwarding/project.js';
import type { KernelRoute } from '../vpn/bgp/kernel-routes.js';
import type { CoreWay } from '../vpn/bgp/tracker.js';
import type { Plan } from './plan.js';

export interface KernelPort {
  /**
   * Makes the kernel interfaces behind the plan's ports deaf (policy-model 20). Idempotent; throws
   * when one cannot be, and then it must not be used.
   */
  deafen(plan: Plan): Promise<void>;
  /** What is not deaf any more, one line each; empty: all is well. */
  checkDeaf(): Promise<readonly string[]>;

  /**
   * Makes what the plan needs: namespaces, TAPs, addresses, routes of the host TAPs; and starts
   * watching neighbours. When it resolves, {@link neighbours} says what the kernel knows now. What is right already is not touched. `macs`: by port.
   */
  apply(plan: Plan, macs: PortMacs): Promise<void>;
  /** Removes what an earlier plan needed and this one does not. */
  retire(plan: Plan): Promise<void>;
  /** Removes everything that was made, and gives deaf interfaces back. */
  removeAll(): Promise<void>;
  /** Lets go of descriptors and sockets; what was made stays. */
  close(): void;

  /** The queue of an interface's TAP that is the worker's. Stays the callee's. Name as in the rows. */
  workerQueue(interfaceRow: string): number;
  /** Namespace descriptor to probe a device in; undefined when it needs none. Stays the callee's. */
  portNamespace(device: Device): number | undefined;
  /** Namespace of a VRF's kernel side, by name. */
  vrfNamespace(vrf: string): string;

  /** Neighbours with a known link address, on configured interfaces. */
  neighbours(): readonly Neighbour[];
  /** As {@link neighbours} has it of one; undefined: not known. */
  neighbourMac(interfaceName: string, address: Uint8Array): Uint8Array | undefined;
  /** By tunnel name. */
  coreRoutes(): ReadonlyMap<string, CoreRoute>;
  /** As {@link coreRoutes} has it of one. */
  coreRoute(tunnel: string): CoreRoute | undefined;
  /** Kernel routes of the VRFs that redistribute them, by VRF. */
  kernelRoutes(): ReadonlyMap<string, readonly KernelRoute[]>;
  /** Follows the core's way to the far end of exactly these; resolves when each has been looked up once. */
  followTunnels(tunnels: ReadonlyMap<string, TunnelModel>): Promise<void>;
  /** Goes by the LSPs of BGP that the supervisor before us went by, until there are others. */
  restoreLearntLsps(): void;
  /** LSPs that BGP tells of, beside the configuration's, which go before them. */
  setLearntLsps(lsps: readonly LspModel[]): void;
  /** Keeps these next hops of routing protocols resolved, beside the plan's gateways. */
  followGateways(gateways: readonly GatewayModel[]): void;
  /** Follows the way through the core to an address; `onChange` is called soon. The answer ends it. */
  watchCore(address: Uint8Array, onChange: (way: CoreWay) => void): () => void;
  /** A packet is waiting for this address: resolve it. */
  probe(interfaceName: string, address: Uint8Array): void;
}

export interface KernelPortEvents {
  /** Neighbours, core routes or kernel routes of VRFs may have changed. */
  readonly onChange: () => void;
  /** Something could not be done or does not hold any more. */
  readonly onFault: (what: string) => void;
  /** Changes of the kernel cannot be seen any more. */
  readonly onBlind: (why: string) => void;
}
