// SPDX-License-Identifier: Apache-2.0
/** What a configuration means where it is silent. types.ts names the same values in words. */
import type { Config, Device, Interface, SingleDevice } from './types.js';

export const DEFAULT_MTU = 1500; // bytes, largest IP packet
/** The class of all that is in no other; its number is 0. */
export const DEFAULT_CLASS = 'default';
export const DEFAULT_REPLAY_WINDOW = 1024; // packets
/** RFC 3032 §2.1: never on the wire. In a list of transport labels it says that there is none. */
export const IMPLICIT_NULL = 3;
/** Pipe model: as if the first hop of a path of its own (RFC 3443 section 3.3). */
export const DEFAULT_LSP_TTL = 255;
export const DEFAULT_TUNNEL_TTL = 64;
export const DEFAULT_LACP_RATE = 'fast';
export const DEFAULT_LCORES = 1;
/** As many as rows in the segments have room for. */
export const MAX_LCORES = 32;
/** Of a worker of few threads: each has rings and lists of its own, and queues of every port. */
export const DEFAULT_MEMORY_MB = 256;
export const DEFAULT_MEMORY_MB_PER_LCORE = 64;

/** Memory for packets and DPDK. */
export function memoryMb({ worker }: Config): number {
  const forThreads = DEFAULT_MEMORY_MB_PER_LCORE * (worker?.lcores ?? DEFAULT_LCORES);
  return worker?.memoryMb ?? Math.max(DEFAULT_MEMORY_MB, forThreads);
}

export function runtimeDirectory(config: Config): string {
  return config.runtimeDirectory ?? `/run/sealane/${config.instance}`;
}

export function stateDirectory(config: Config): string {
  return config.stateDirectory ?? `/var/lib/sealane/${config.instance}`;
}

export function segmentDirectory(config: Config): string {
  return config.segmentDirectory ?? `/dev/shm/sealane/${config.instance}`;
}

/** Namespace of a VRF's kernel side, by name. */
export function vrfNetns(config: Config, vrf: string): string {
  return config.vrfs?.[vrf]?.netns ?? `${config.instance}-${vrf}`;
}

/** Namespace an interface's TAP lives in; undefined: the supervisor's own. */
export function tapNetns(config: Config, configured: Interface): string | undefined {
  return configured.role === 'ce' ? vrfNetns(config, configured.vrf) : config.core.netns;
}

/** Interfaces with equal keys share one port. Driver and options are attributes, not identity. */
export function deviceKey(device: Device): string {
  if ('kernel' in device) return `kernel ${device.kernel}@${device.netns ?? ''}`;
  if ('pci' in device) return `pci ${device.pci}`;
  if ('lag' in device) {
    // The first member's MAC address is the group's.
    return `lag of ${device.lag[0] === undefined ? '' : deviceKey(device.lag[0])}`;
  }
  return `vdev ${device.vdev.split(',')[0] ?? ''}`;
}

/** The devices that a port is made of: itself, or the members of a group. */
export function singleDevices(device: Device): readonly SingleDevice[] {
  return 'lag' in device ? device.lag : [device];
}

/** MTU of the port, bytes: a device has room for one tag above its MTU, and may have none for a second one. */
export function portMtu({ mtu = DEFAULT_MTU, serviceVlan }: Interface): number {
  return mtu + (serviceVlan === undefined ? 0 : 4);
}

/** EtherTypes of the tag in front of another one (IEEE 802.1Q; before 802.1ad, and often still, that of any tag). */
const SERVICE_TAG_TYPE = { '802.1ad': 0x88a8, '802.1q': 0x8100 } as const;

/** The tag in front of the other, as a property; none: nothing. */
export function serviceTagOf({ serviceVlan: vlan, serviceTag = '802.1ad' }: Interface): {
  readonly serviceTag?: { readonly vlan: number; readonly type: 0x88a8 | 0x8100 };
} {
  return vlan === undefined ? {} : { serviceTag: { vlan, type: SERVICE_TAG_TYPE[serviceTag] } };
}

/** What the core says of path MTUs: lowest that is believed, bytes, and for how long, seconds (RFC 8201 §4). */
export const DEFAULT_PATH_MTU_FLOOR = 1280;
export const DEFAULT_PATH_MTU_AGE_S = 600;
export const DEFAULT_PROBE_INTERVAL_S = 30;
export const DEFAULT_PROBE_RAISE_S = 600;
