// SPDX-License-Identifier: Apache-2.0
/** Own addresses that belong to no interface: tunnel end points live on the loopback device. */
import { equalBytes, formatAddress, hostPrefix } from '../lib/ip.js';
import { encodeAddress } from './codec/address.js';
import { NLM_F, RTM } from './codec/constants.js';
import { errnoOf } from './errors.js';
import type { NamespaceMonitor } from './monitor.js';

/** Adds the address to `lo` unless some device of the namespace has it. True when it was added. */
export async function ensureOwnAddress(
  monitor: NamespaceMonitor,
  address: Uint8Array,
): Promise<boolean> {
  const host = hostPrefix(address);
  if (host === undefined) return false;
  const present = monitor
    .links()
    .flatMap(({ index }) => monitor.addresses(index))
    .some(({ prefix }) => equalBytes(prefix.address, address));
  if (present) return false;
  const { index } = monitor.mustLink('lo');
  const what = `add address ${formatAddress(address)} to lo`;
  const payload = encodeAddress(index, host);
  await monitor.netlink.request(RTM.NEWADDR, NLM_F.CREATE | NLM_F.REPLACE, payload, what);
  return true;
}

/** Takes an address off `lo`; one that is not there is no error. */
export async function removeOwnAddress(
  monitor: NamespaceMonitor,
  address: Uint8Array,
): Promise<void> {
  const host = hostPrefix(address);
  if (host === undefined) return;
  const { index } = monitor.mustLink('lo');
  const what = `remove address ${formatAddress(address)} from lo`;
  try {
    await monitor.netlink.request(RTM.DELADDR, 0, encodeAddress(index, host), what);
  } catch (error) {
    if (errnoOf(error) !== 'EADDRNOTAVAIL') throw error;
  }
}
