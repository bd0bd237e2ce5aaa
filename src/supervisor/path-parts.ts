// SPDX-License-Identifier: Apache-2.0
/** What is known of the ways to far ends, put together: by ICMP, and by probes. */
import { randomBytes } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import type { Logger } from '../lib/log.js';
import { pairSaKeys } from './ike-sa-row.js';
import { TIMERS } from './ike-timers.js';
import { PathMtus } from './path-mtus.js';
import { probePaths, type PathSources } from './path-probe-paths.js';
import { PathProbes } from './path-probes.js';
import type { SaFollower } from './sa-follower.js';
import type { WorkerLink } from './worker-link.js';

export interface PathOwner extends PathSources {
  readonly worker: Pick<WorkerLink, 'sendProbes'>;
}

/** `owner` is read when probes are sent, so it need not be whole yet. */
export function pathParts(
  owner: PathOwner,
  follower: Pick<SaFollower, 'soon'>,
  log: Logger,
): { readonly mtus: PathMtus; readonly probes: PathProbes } {
  const mtus = new PathMtus({
    ...{ now: Date.now, timers: TIMERS, log },
    changed: (ends) => {
      for (const key of pairSaKeys(ends)) follower.soon(key);
    },
  });
  const probes = new PathProbes(
    {
      now: () => performance.now(),
      sleep: async (ms) => setTimeout(ms, undefined, { ref: false }),
      paths: () => probePaths(owner),
      send: async ({ nexthop, sa }, round, sizes) =>
        owner.worker.sendProbes({ nexthop, sa, round, bytes: [...sizes] }),
      found: (ends, mtu) => {
        mtus.probed(ends, mtu);
      },
      log,
    },
    randomBytes(4).readUInt32BE(),
  );
  return { mtus, probes };
}
