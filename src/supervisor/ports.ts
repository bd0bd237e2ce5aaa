// SPDX-License-Identifier: Apache-2.0
/** Ports as the worker is told of them. */
import { DEFAULT_LACP_RATE } from '../config/defaults.js';
import type { Device, SingleDevice } from '../config/types.js';
import type { PortModel } from '../forwarding/model.js';
import type { PortInfo } from '../rpc/gen/worker.js';

/** DPDK device arguments. The stable port id makes the name of a virtual device unique. */
export function devargs(id: number, device: Device): string {
  if (!('lag' in device)) return singleDevargs(String(id), device);
  const members = device.lag.map((one, i) => singleDevargs(`${id}_${i}`, one));
  return [`lag,rate=${device.lacpRate ?? DEFAULT_LACP_RATE}`, ...members].join(';');
}

function singleDevargs(id: string, device: SingleDevice): string {
  if ('kernel' in device) {
    return `net_${device.driver ?? 'af_packet'}${id},iface=${device.kernel}`;
  }
  if ('pci' in device) {
    return device.options === undefined ? device.pci : `${device.pci},${device.options}`;
  }
  return device.vdev;
}

/** The wanted ports by stable id. */
export interface WantedPort {
  readonly id: number;
  readonly model: PortModel;
  readonly devargs: string;
}

/** As the worker is told of it. */
export const noOffloads = ({ model }: WantedPort): boolean => model.device.offloads === false;

/** Ports cannot be added to or removed from a running worker: whether it has other ones than wanted. */
export function portsDiffer(wanted: readonly WantedPort[], live: readonly PortInfo[]): boolean {
  if (wanted.length !== live.length) return true;
  return wanted.some((port) => {
    const found = live.find(({ port: id }) => id === port.id);
    // A port with a larger MTU than needed will do.
    if (found?.devargs !== port.devargs || found.noOffloads !== noOffloads(port)) return true;
    return found.mtu < port.model.mtu;
  });
}
