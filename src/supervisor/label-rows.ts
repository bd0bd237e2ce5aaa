// SPDX-License-Identifier: Apache-2.0
/** Labels of routes (src/vpn/route-labels.ts) with the state directory, the tables and the worker around them. */
import type { Reconciler } from '../forwarding/reconcile.js';
import { adjacency } from '../forwarding/names.js';
import type { DesiredLabel } from '../forwarding/rows.js';
import type { Logger } from '../lib/log.js';
import { quarantineOf, type Offers } from '../vpn/kept-routes.js';
import { RouteLabelRegister } from '../vpn/label-register.js';
import type { RouteLabelRow } from '../vpn/label-wish.js';
import { RouteLabels } from '../vpn/route-labels.js';
import { LOOP } from './bgp-speaker.js';
import { oneLine } from './errors.js';
import { FileLabelJournal, readLabelJournal } from './label-journal.js';
import type { InstancePaths } from './paths.js';

export interface LabelRowsDeps {
  readonly paths: Pick<InstancePaths, 'routeLabels'>;
  readonly log: Logger;
  /** Seconds since 1970. */
  readonly epoch: () => number;
  /** How long neighbours may keep our routes, as the plan in force has it. */
  readonly offers: () => Offers | undefined;
  /** Asked when there are rows to write, not before. */
  readonly reconciler: () => Pick<Reconciler, 'setLabels' | 'clearLabel'>;
  /** Has the worker count packets of labels below this. */
  readonly reserve: (labels: number) => Promise<void>;
}

/** Throws CONFIG when the journal cannot be read. */
export function routeLabels(deps: LabelRowsDeps): RouteLabels {
  const { paths, log, epoch, offers, reconciler } = deps;
  let reserved = 0;
  return new RouteLabels({
    register: new RouteLabelRegister(readLabelJournal(paths.routeLabels)),
    journal: new FileLabelJournal(paths.routeLabels),
    ...{ scheduler: LOOP, clock: { now: () => performance.now() }, epoch, log },
    quarantine: () => quarantineOf(offers() ?? { offered: 0 }, epoch()),
    set: (rows) => {
      reconciler().setLabels(rows.map(desired));
    },
    clear: (label) => {
      reconciler().clearLabel(label);
    },
    reserve: (labels) => {
      if (labels <= reserved) return;
      reserved = labels;
      // Only counters wait for it; a worker that is made anew is told again.
      deps.reserve(labels).catch((error: unknown) => {
        log.debug('the worker was not told of new labels', { why: oneLine(error) });
      });
    },
  });
}

function desired({ label, vrf, gateway, swap, accept }: RouteLabelRow): DesiredLabel {
  if (swap !== undefined) {
    return { label, action: 'swap', target: swap.nexthop, out: swap.label, accept };
  }
  if (gateway === undefined) return { label, action: 'vrf', target: vrf, accept };
  return { label, action: 'nexthop', target: adjacency(gateway), accept };
}
