// SPDX-License-Identifier: Apache-2.0
/**
 * Brings the rows behind what is known of the network. What there is to follow comes in bursts, so that each kind is done
 * once for all that came before it began.
 */
import type { Logger } from '../lib/log.js';
import type { BgpService } from '../vpn/bgp/service.js';
import { oneLine } from './errors.js';
import type { Instance } from './instance.js';
import type { KernelPort } from './kernel-port.js';
import type { Serial } from './serial.js';

/** Neighbour changes come in bursts. */
const REFRESH_DELAY_MS = 5;

export interface FollowingDeps {
  readonly serial: Pick<Serial, 'run'>;
  readonly log: Logger;
  readonly instance: () => Pick<Instance, 'refresh' | 'retunnel'>;
  readonly kernelPort: () => Pick<KernelPort, 'followGateways'>;
  readonly bgp: () => Pick<BgpService, 'gateways'>;
}

export class Following {
  readonly #deps: FollowingDeps;
  #ended = false;
  #retunnelling = false;
  #refresh: Promise<void> | undefined;
  #refreshTimer: NodeJS.Timeout | undefined;
  #gatewaysTimer: NodeJS.Timeout | undefined;

  constructor(deps: FollowingDeps) {
    this.#deps = deps;
  }

  /** Neighbours, routes or SAs are others. */
  refreshSoon(): void {
    if (this.#refreshTimer !== undefined || this.#ended) return;
    this.#refreshTimer = setTimeout(() => {
      this.#refreshTimer = undefined;
      this.refreshNow().catch((error: unknown) => {
        this.#deps.log.error('following the network failed', { why: oneLine(error) });
      });
    }, REFRESH_DELAY_MS);
  }

  /** Resolves when the rows follow what is known now. Whoever asks before one has begun shares it. */
  async refreshNow(): Promise<void> {
    const { serial, log, instance } = this.#deps;
    this.#refresh ??= serial.run(async () => {
      this.#refresh = undefined;
      const { nexthops, routes } = await instance().refresh();
      if (nexthops + routes > 0) log.debug('followed the network', { nexthops, routes });
    });
    return this.#refresh;
  }

  /** Routes lead to other CEs. */
  gatewaysSoon(): void {
    this.#gatewaysTimer ??= setTimeout(() => {
      this.#gatewaysTimer = undefined;
      if (this.#ended) return;
      const { kernelPort, bgp } = this.#deps;
      kernelPort().followGateways(bgp().gateways());
      this.refreshSoon();
    }, REFRESH_DELAY_MS);
  }

  /** Routes lead to other tunnels than before: many may come at once. */
  retunnel(): void {
    if (this.#retunnelling || this.#ended) return;
    this.#retunnelling = true;
    this.#deps.serial
      .run(async () => {
        this.#retunnelling = false;
        await this.#deps.instance().retunnel();
      })
      .catch((error: unknown) => {
        this.#deps.log.error('following the tunnels failed', { why: oneLine(error) });
      });
  }

  /** Nothing new is begun, unless by {@link refreshNow}: what waits for that is to end well. */
  end(): void {
    this.#ended = true;
  }

  close(): void {
    this.end();
    clearTimeout(this.#refreshTimer);
    clearTimeout(this.#gatewaysTimer);
  }
}
