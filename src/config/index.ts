// SPDX-License-Identifier: Apache-2.0
/**
 * What a configuration file imports:
 *
 *   import { defineConfig, kernelInterface } from 'sealane';
 *   export default defineConfig({ ... });
 *
 * Every function here returns plain data; nothing is read, opened or remembered.
 */
import type { Config, Device, SingleDevice, StaticRoute } from './types.js';

export type * from './types.js';
export {
  accept,
  between,
  change,
  exactly,
  match,
  orLonger,
  policy,
  reject,
  set,
} from './bgp/builders.js';

/** The configuration as it is: gives completion and type errors in an editor. */
export function defineConfig(config: Config): Config {
  return config;
}

/**
 * A kernel network interface, taken over through AF_PACKET (default) or AF_XDP and made deaf: the
 * kernel no longer answers or forwards what arrives there.
 */
export function kernelInterface(
  name: string,
  options: { readonly netns?: string; readonly driver?: 'af_packet' | 'af_xdp' } = {},
): SingleDevice {
  return { kernel: name, ...options };
}

/**
 * A NIC by its PCI address, e.g. "0000:03:00.0", bound to vfio-pci or another DPDK driver.
 * @param options driver options, e.g. "rx_desc=1024"
 */
export function pci(address: string, options?: string): SingleDevice {
  return options === undefined ? { pci: address } : { pci: address, options };
}

/** A DPDK virtual device by its arguments, e.g. "net_memif0,role=client,socket=/run/m.sock". */
export function vdev(devargs: string): SingleDevice {
  return { vdev: devargs };
}

/**
 * Several devices as one port by LACP (IEEE 802.1AX). The group has the MAC address of the first.
 * @param options.rate how often the other end shall send LACPDUs: every second (default) or every 30
 */
export function lag(
  members: readonly SingleDevice[],
  options: { readonly rate?: 'fast' | 'slow' } = {},
): Device {
  return { lag: members, ...(options.rate !== undefined && { lacpRate: options.rate }) };
}

/** A static route to a CE. The interface is needed for a link-local next hop only. */
export function via(
  prefix: string,
  nextHop: string,
  options: { readonly interface?: string } = {},
): StaticRoute {
  return { prefix, via: nextHop, ...options };
}

/** Static routes to another PE, all with the VPN label that PE gave the VRF. */
export function overTunnel(
  prefixes: readonly string[],
  tunnel: string,
  label: number,
): readonly StaticRoute[] {
  return prefixes.map((prefix) => ({ prefix, tunnel, label }));
}

/** A route that drops: silently, or with an ICMP unreachable. */
export function discard(prefix: string, how: 'silent' | 'unreachable' = 'silent'): StaticRoute {
  return { prefix, discard: how };
}
