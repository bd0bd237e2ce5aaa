// SPDX-License-Identifier: Apache-2.0
/** Next hops of BGP in the core, followed in the kernel's routes there; the namespace may become another. */
import type { CoreRoutes, Resolution } from '../kernel/routes.js';
import { formatAddress } from '../lib/ip.js';
import type { CoreWay } from '../vpn/bgp/tracker.js';

interface Watched {
  readonly address: Uint8Array;
  readonly onChange: (way: CoreWay) => void;
  stop: (() => void) | undefined;
}

export class CoreHops {
  readonly #watched = new Set<Watched>();
  #routes: CoreRoutes | undefined;

  /** From now on these routes count; undefined: none are known for now. */
  attach(routes: CoreRoutes | undefined): void {
    if (routes === this.#routes) return;
    for (const watched of this.#watched) watched.stop?.();
    this.#routes = routes;
    for (const watched of this.#watched) this.#track(watched);
  }

  /** Tells the way to an address soon, and whenever it becomes another. Returns a function that ends it. */
  watch(address: Uint8Array, onChange: (way: CoreWay) => void): () => void {
    const watched: Watched = { address, onChange, stop: undefined };
    this.#watched.add(watched);
    this.#track(watched);
    return () => {
      this.#watched.delete(watched);
      watched.stop?.();
    };
  }

  #track(watched: Watched): void {
    const { address, onChange } = watched;
    watched.stop = this.#routes?.track(address, (resolution) => {
      onChange(wayOf(address, resolution));
    });
  }
}

function wayOf(address: Uint8Array, resolution: Resolution): CoreWay {
  const text = formatAddress(address);
  switch (resolution.kind) {
    case 'reachable':
      return { interface: resolution.interface, metric: resolution.metric };
    case 'local':
      // RFC 4271 §5.1.3: nobody else leads to us by our own address.
      return { unreachable: `${text} is an address of this machine` };
    case 'unreachable':
      return { unreachable: `no way to ${text}: ${resolution.reason}` };
  }
}
