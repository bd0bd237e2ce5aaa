// SPDX-License-Identifier: Apache-2.0
/** The TAPs and host TUNs of a plan, by the name of their interface row. */
import { hostInterfaceName } from '../forwarding/model.js';
import { hostMtu } from '../forwarding/names.js';
import type { PortMacs } from '../forwarding/project.js';
import { setSysctls, type NamespaceContext } from '../kernel/device.js';
import { ensureHostTun, ensureTap, type KernelDevice } from '../kernel/tap.js';
import { formatAddress, formatPrefix } from '../lib/ip.js';
import type { Plan } from './plan.js';

/** Name of every VRF's TUN in its namespace. */
export const HOST_DEVICE = 'sealane0';

interface Held {
  readonly device: KernelDevice;
  /** What it was set up as; equal: nothing to do. */
  readonly spec: string;
}

/**
 * The worker's packets confirm nothing to the kernel, so a managed neighbour is asked again when its
 * entry has aged: by default up to 45 s, then 5 s of waiting for a confirmation that cannot come. A
 * neighbour that changed its MAC address or died is found within about 20 s with these, for one
 * unicast question each 10 s or so.
 */
function neighbourTiming(name: string): Readonly<Record<string, string>> {
  return Object.fromEntries(
    ['ipv4', 'ipv6'].flatMap((family) => [
      [`${family}/neigh/${name}/base_reachable_time_ms`, '10000'],
      [`${family}/neigh/${name}/delay_first_probe_time`, '1'],
    ]),
  );
}

export class DeviceSet {
  readonly #held = new Map<string, Held>();

  async ensureInterface(
    context: NamespaceContext,
    plan: Plan,
    name: string,
    macs: PortMacs,
  ): Promise<void> {
    const model = plan.model.interfaces.get(name);
    const mac = model && macs.get(model.port);
    if (model === undefined || mac === undefined) return;
    const { mtu, addresses } = model;
    const spec = [context.netns, formatAddress(mac), mtu, ...addresses.map(formatPrefix)].join(' ');
    await this.#ensure(name, spec, async () => {
      const device = await ensureTap(context, { name, mac, mtu, addresses });
      setSysctls(context, neighbourTiming(name));
      return device;
    });
  }

  async ensureHost(context: NamespaceContext, plan: Plan, vrf: string): Promise<void> {
    const model = plan.model.vrfs.get(vrf);
    if (model === undefined) return;
    const { addresses } = model;
    const own = model.interfaces.flatMap((one) => one.addresses);
    const source4 = own.find(({ family }) => family === 4)?.address;
    const source6 = own.find(({ family }) => family === 6)?.address;
    const mtu = hostMtu(model);
    const all = [...addresses, ...own].map(formatPrefix);
    const spec = [context.netns, mtu, addresses.length, ...all].join(' ');
    await this.#ensure(hostInterfaceName(vrf), spec, async () =>
      ensureHostTun(context, {
        ...{ name: HOST_DEVICE, mtu, addresses },
        ...(source4 && { source4 }),
        ...(source6 && { source6 }),
      }),
    );
  }

  async #ensure(row: string, spec: string, make: () => Promise<KernelDevice>): Promise<void> {
    const held = this.#held.get(row);
    if (held?.spec === spec) return;
    const device = await make();
    if (held !== undefined) device.takeWorkerQueue(held.device);
    this.#held.set(row, { device, spec });
    // The new holding queue is there before the old one goes: the carrier stays.
    held?.device.close();
  }

  /** The worker's queue; stays ours. */
  workerQueue(row: string): number {
    const held = this.#held.get(row);
    if (held === undefined) throw new Error(`interface ${row} has no kernel device`);
    return held.device.workerQueue();
  }

  removeExcept(plan: Plan): void {
    const hosts = new Set([...plan.model.vrfs.keys()].map(hostInterfaceName));
    for (const [row, { device }] of [...this.#held]) {
      if (hosts.has(row) || plan.model.interfaces.has(row)) continue;
      device.remove();
      this.#held.delete(row);
    }
  }

  removeAll(): void {
    for (const { device } of this.#held.values()) device.remove();
    this.#held.clear();
  }

  close(): void {
    for (const { device } of this.#held.values()) device.close();
    this.#held.clear();
  }
}
