// SPDX-License-Identifier: Apache-2.0
/** Rows of `sealane show lags`: what LACP (IEEE 802.1AX) knows of each member, asked of the worker. */
import { deviceKey } from '../config/defaults.js';
import type * as rows from '../rpc/backend.js';
import type { LagEnd, LagMember } from '../rpc/gen/worker.js';
import { formatMac, type ShowSource } from './show-rows.js';

/** Bits of Actor_State and Partner_State (5.4.2.2), lowest first. */
const STATE_BITS = [
  ...['activity', 'short-timeout', 'aggregation', 'synchronization'],
  ...['collecting', 'distributing', 'defaulted', 'expired'],
] as const;
const COLLECTING = 0x10;
const DISTRIBUTING = 0x20;

const stateText = (state: number): string =>
  STATE_BITS.filter((_, bit) => ((state >> bit) & 1) === 1).join(' ');

/** As `ip link` and switches write it: priority, then MAC address. */
const systemText = (end: LagEnd): string =>
  end.system.every((byte) => byte === 0) ? '' : `${end.systemPriority},${formatMac(end.system)}`;

const NOBODY: LagEnd = {
  ...{ systemPriority: 0, system: Buffer.alloc(6), key: 0, portPriority: 0, port: 0, state: 0 },
};

function lagRow(interfaces: string, member: LagMember): rows.LagRow {
  const { actor = NOBODY, partner = NOBODY } = member;
  return {
    ...{ interfaces, member: member.name, link: member.linkUp ? 'up' : 'down' },
    selected: member.selected,
    collecting: (actor.state & COLLECTING) !== 0,
    distributing: (actor.state & DISTRIBUTING) !== 0,
    ...{ state: stateText(actor.state), system: systemText(actor) },
    ...{ key: actor.key, port: actor.port },
    ...{ partnerSystem: systemText(partner), partnerKey: partner.key, partnerPort: partner.port },
    partnerState: stateText(partner.state),
    ...{ rxLacpdus: member.rxLacpdus, txLacpdus: member.txLacpdus },
    rxMalformed: member.rxMalformed,
    ...{ rxPackets: member.rxPackets, rxBytes: member.rxBytes },
    ...{ txPackets: member.txPackets, txBytes: member.txBytes },
  };
}

export async function lagRows({
  instance,
  worker,
  tables,
}: Pick<ShowSource, 'instance' | 'tables'> & {
  readonly worker: Pick<ShowSource['worker'], 'lags'>;
}): Promise<readonly rows.LagRow[]> {
  const interfaces = new Map<number, string>();
  for (const [name, { device }] of Object.entries(instance.inForce?.plan.config.interfaces ?? {})) {
    if (!('lag' in device)) continue;
    const port = tables.portId(deviceKey(device));
    const others = interfaces.get(port);
    interfaces.set(port, others === undefined ? name : `${others} ${name}`);
  }
  return (await worker.lags()).map((one) => lagRow(interfaces.get(one.port) ?? '', one));
}
