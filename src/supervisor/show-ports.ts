// SPDX-License-Identifier: Apache-2.0
/** Rows of `sealane show ports`: what drivers and the kernel count, which is of no interface. */
import { deviceKey } from '../config/defaults.js';
import type { Interface } from '../config/types.js';
import type * as rows from '../rpc/backend.js';
import { deviceText, formatMac, type ShowSource } from './show-rows.js';

type Named = readonly [name: string, configured: Interface];

function portRow(
  { tables, worker }: Pick<ShowSource, 'tables' | 'worker'>,
  port: string,
  on: readonly [Named, ...Named[]],
): rows.PortRow {
  const id = tables.portId(port);
  const mac = worker.macs.get(port);
  const up = mac === undefined ? undefined : worker.linkUp(id);
  return {
    device: deviceText(on[0][1].device),
    interfaces: on.map(([name]) => name).join(' '),
    mac: mac ? formatMac(mac) : '',
    link: up === undefined ? 'unknown' : up ? 'up' : 'down',
    ...tables.portCounters(id),
    offloads: worker.offloads(id),
  };
}

/** A row for each device, in the order of the configuration. */
export function* portRows(
  source: Pick<ShowSource, 'tables' | 'worker' | 'instance'>,
): Generator<rows.PortRow> {
  const config = source.instance.inForce?.plan.config;
  const ports = new Map<string, [Named, ...Named[]]>();
  for (const named of Object.entries(config?.interfaces ?? {})) {
    const port = deviceKey(named[1].device);
    const there = ports.get(port);
    if (there === undefined) ports.set(port, [named]);
    else there.push(named);
  }
  for (const [port, on] of ports) yield portRow(source, port, on);
}
