// SPDX-License-Identifier: Apache-2.0
/** Kernel routes of the VRFs that redistribute them. */
import { LearntRoutes, type LearntRoute } from '../kernel/learnt-routes.js';
import { HOST_DEVICE } from './device-set.js';
import type { KernelPortEvents } from './kernel-port.js';
import type { KernelSpace } from './kernel-space.js';

interface Followed {
  readonly space: KernelSpace;
  readonly routes: LearntRoutes;
}

export class VrfKernelRoutes {
  readonly #events: Pick<KernelPortEvents, 'onChange' | 'onFault'>;
  readonly #followed = new Map<string, Followed>();

  constructor(events: Pick<KernelPortEvents, 'onChange' | 'onFault'>) {
    this.#events = events;
  }

  /** Follows exactly these VRFs; resolves when each has been read once. */
  async follow(wanted: ReadonlyMap<string, KernelSpace>): Promise<void> {
    for (const [vrf, { space, routes }] of [...this.#followed]) {
      if (wanted.get(vrf) === space) continue;
      routes.close();
      this.#followed.delete(vrf);
    }
    for (const [vrf, space] of wanted) {
      if (this.#followed.has(vrf)) continue;
      const routes = await LearntRoutes.open(space.monitor, {
        ownDevices: [HOST_DEVICE],
        onChange: this.#events.onChange,
        onError: (error) => {
          this.#events.onFault(`kernel routes of VRF ${vrf}: ${String(error)}`);
        },
      });
      this.#followed.set(vrf, { space, routes });
    }
  }

  current(): ReadonlyMap<string, readonly LearntRoute[]> {
    return new Map([...this.#followed].map(([vrf, { routes }]) => [vrf, routes.current()]));
  }

  close(): void {
    for (const { routes } of this.#followed.values()) routes.close();
    this.#followed.clear();
  }
}
