// SPDX-License-Identifier: Apache-2.0
/** Rows of `sealane show policers` and `sealane show queues`. */
import type { Policer, PolicerAction } from '../config/types.js';
import { actionsOf, classNumbers, policersOf, slotOf } from '../forwarding/qos.js';
import { egressOf, queueSlot } from '../forwarding/egress.js';
import { dscpOf, dscpText } from '../lib/dscp.js';
import type * as rows from '../rpc/backend.js';
import type { ShowSource } from './show-rows.js';

const actionText = (action: PolicerAction): string =>
  typeof action === 'object' ? `dscp ${dscpText(dscpOf(action.dscp) ?? 0)}` : action;

function describe(policer: Policer): Omit<rows.PolicerRow, 'interface' | 'vrf' | 'class' | Counts> {
  const { green, yellow, red } = actionsOf(policer);
  return {
    meter: policer.peakRate === undefined ? 'srtcm' : 'trtcm',
    ...{ rate: BigInt(policer.rate), burst: policer.burst },
    ...{ excessBurst: policer.excessBurst ?? 0, peakRate: BigInt(policer.peakRate ?? 0) },
    ...{ peakBurst: policer.peakBurst ?? 0, colourAware: policer.colourAware ?? false },
    ...{ green: actionText(green), yellow: actionText(yellow), red: actionText(red) },
  };
}

type Counts = `${'green' | 'yellow' | 'red'}${'Packets' | 'Bytes'}`;

export function* policerRows({
  tables,
  instance,
}: Pick<ShowSource, 'tables' | 'instance'>): Generator<rows.PolicerRow> {
  const config = instance.inForce?.plan.config;
  if (config === undefined) return;
  for (const [name, configured] of Object.entries(config.interfaces)) {
    if (configured.role !== 'ce') continue;
    for (const [named, policer] of policersOf(configured)) {
      const id = instance.reconciler.live.interface(name);
      const numbers = classNumbers(tables.classes().names, Object.keys(config.classes ?? {}));
      const slot = slotOf(named, numbers);
      if (id === undefined || slot === undefined) continue;
      const { packets, bytes } = tables.policerCounters(id, slot);
      yield {
        ...{ interface: name, vrf: configured.vrf, class: named },
        ...describe(policer),
        ...{ greenPackets: packets[0] ?? 0n, greenBytes: bytes[0] ?? 0n },
        ...{ yellowPackets: packets[1] ?? 0n, yellowBytes: bytes[1] ?? 0n },
        ...{ redPackets: packets[2] ?? 0n, redBytes: bytes[2] ?? 0n },
      };
    }
  }
}

export function* queueRows({
  tables,
  instance,
}: Pick<ShowSource, 'tables' | 'instance'>): Generator<rows.QueueRow> {
  const config = instance.inForce?.plan.config;
  if (config === undefined) return;
  const numbers = classNumbers(tables.classes().names, Object.keys(config.classes ?? {}));
  for (const [name, configured] of Object.entries(config.interfaces)) {
    const id = instance.reconciler.live.interface(name);
    const egress = egressOf(configured);
    if (id === undefined || egress === undefined || configured.role !== 'ce') continue;
    for (const queue of egress.queues) {
      const slot = queueSlot(queue.class, numbers);
      if (slot === undefined) continue;
      yield {
        ...{ interface: name, vrf: configured.vrf, rate: BigInt(egress.rate) },
        ...{ burst: egress.burst, ...queue, ...tables.queueCounters(id, slot) },
      };
    }
  }
}
