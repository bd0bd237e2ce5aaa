// SPDX-License-Identifier: Apache-2.0
/** The BGP speaker and BFD as the supervisor gives them to the VPN service: sockets in the namespaces of its VRFs. */
import type { Scheduler } from '../bgp/rib/api.js';
import { BgpSpeaker, type SpeakerDeps } from '../bgp/session/speaker.js';
import type { Kernel } from '../lib/kernel-api.js';
import type { Logger } from '../lib/log.js';
import type { BfdPort } from '../vpn/bgp/bfd.js';
import type { BgpDeps } from '../vpn/bgp/service-deps.js';
import type { BfdSessions } from './bfd-sessions.js';
import { oneLine } from './errors.js';

/** Event loop turns and timers. */
export const LOOP: Scheduler = {
  soon: (slice) => void setImmediate(slice),
  after: (delayMs, action) => {
    const timer = setTimeout(action, delayMs);
    return () => {
      clearTimeout(timer);
    };
  },
};

/** What the VPN service measures and draws by. */
export const REAL_TIME: Pick<BgpDeps, 'clock' | 'wallClock' | 'random' | 'scheduler'> = {
  clock: { now: () => performance.now() },
  wallClock: () => Math.round(1000 * (performance.timeOrigin + performance.now())),
  random: Math.random,
  scheduler: LOOP,
};

/** Descriptors of namespaces, each opened once while it is used. */
export class Namespaces {
  readonly #kernel: Kernel;
  /** Path of the namespace of a VRF, or of the core; undefined: our own. */
  readonly #pathOf: (vrf: string | undefined) => string | undefined;
  readonly #open = new Map<string | undefined, number>();

  constructor(kernel: Kernel, pathOf: (vrf: string | undefined) => string | undefined) {
    this.#kernel = kernel;
    this.#pathOf = pathOf;
  }

  of(vrf: string | undefined): number {
    let fd = this.#open.get(vrf);
    if (fd === undefined) {
      fd = this.#kernel.openNetns(this.#pathOf(vrf));
      this.#open.set(vrf, fd);
    }
    return fd;
  }

  /** Lets go of those of other VRFs: one that comes back has another namespace of the same name. */
  keep(vrfs: ReadonlySet<string>): void {
    for (const [vrf, fd] of this.#open) {
      if (vrf === undefined || vrfs.has(vrf)) continue;
      this.#kernel.closeDescriptor(fd);
      this.#open.delete(vrf);
    }
  }

  close(): void {
    for (const fd of this.#open.values()) this.#kernel.closeDescriptor(fd);
    this.#open.clear();
  }
}

export function bgpSpeaker(
  kernel: Kernel,
  namespaces: Namespaces,
  rest: Omit<SpeakerDeps, 'kernel' | 'netnsOf' | 'random'>,
): BgpSpeaker {
  const netnsOf = (vrf: string | undefined): number => namespaces.of(vrf);
  return new BgpSpeaker({ ...rest, kernel, netnsOf, random: Math.random });
}

/** BFD for BGP's neighbours, run by the worker. `pathOf`: see {@link Namespaces}. */
export function bfdPort(
  sessions: Pick<BfdSessions, 'add' | 'removeOthers'>,
  log: Logger,
  pathOf: (vrf: string | undefined) => string | undefined,
): BfdPort {
  return {
    add: ({ vrf, ...peer }, terms, onNews) =>
      sessions.add({ ...peer, netns: pathOf(vrf) }, terms, onNews),
    removeOthers: () => {
      sessions.removeOthers().catch((error: unknown) => {
        log.warning('BFD sessions of before could not be ended', { why: oneLine(error) });
      });
    },
  };
}
