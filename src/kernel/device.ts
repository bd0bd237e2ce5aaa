// SPDX-License-Identifier: Apache-2.0
/** Devices of a namespace: look, compare, change only what differs. */
import { equalBytes, formatPrefix, type Prefix } from '../lib/ip.js';
import type { Kernel } from '../lib/kernel-api.js';
import { decodeAddress, encodeAddress, encodeGetAddresses } from './codec/address.js';
import type { InterfaceAddress } from './codec/address.js';
import { NLM_F, RT_TABLE, RTM } from './codec/constants.js';
import { decodeLink, encodeGetLink, encodeSetLink } from './codec/link.js';
import type { Link, LinkChange } from './codec/link.js';
import { encodeRootQdisc } from './codec/qdisc.js';
import { decodeRoute, encodeDeviceRoute, encodeGetRoutes } from './codec/route.js';
import type { DeviceRoute, Route } from './codec/route.js';
import { errnoOf, KernelPartError } from './errors.js';
import type { Netlink } from './netlink.js';

/** Where work is done: descriptors and sockets stay the caller's. */
export interface NamespaceContext {
  readonly kernel: Kernel;
  /** Descriptor of the namespace. */
  readonly netns: number;
  /** A netlink socket of the namespace. */
  readonly netlink: Netlink;
}

export async function findLink(netlink: Netlink, name: string): Promise<Link | undefined> {
  try {
    const answer = await netlink.get(RTM.GETLINK, encodeGetLink(name), `find interface ${name}`);
    return answer && decodeLink(answer.payload);
  } catch (error) {
    if (errnoOf(error) === 'ENODEV') return undefined;
    throw error;
  }
}

export async function mustFindLink(netlink: Netlink, name: string): Promise<Link> {
  const link = await findLink(netlink, name);
  if (link !== undefined) return link;
  throw new KernelPartError('NO_INTERFACE', `no network interface ${name} in this namespace`);
}

async function dumpAll<T>(
  netlink: Netlink,
  type: number,
  query: Uint8Array,
  decode: (payload: Uint8Array) => T | undefined,
): Promise<readonly T[]> {
  let found: T[] = [];
  await netlink.dump(type, query, 'read the kernel', {
    onMessage: ({ payload }) => {
      const entry = decode(payload);
      if (entry !== undefined) found.push(entry);
    },
    onRestart: () => {
      found = [];
    },
  });
  return found;
}

export async function readLinks(netlink: Netlink): Promise<readonly Link[]> {
  return dumpAll(netlink, RTM.GETLINK, encodeGetLink(), decodeLink);
}

export async function readAddresses(
  netlink: Netlink,
  index: number,
): Promise<readonly InterfaceAddress[]> {
  const all = await dumpAll(netlink, RTM.GETADDR, encodeGetAddresses(), decodeAddress);
  return all.filter((address) => address.index === index);
}

export async function readRoutes(netlink: Netlink, family: 4 | 6): Promise<readonly Route[]> {
  return dumpAll(netlink, RTM.GETROUTE, encodeGetRoutes(family), decodeRoute);
}

export async function setLink(netlink: Netlink, link: Link, wanted: LinkChange): Promise<void> {
  const change: LinkChange = {
    ...(wanted.up === undefined || wanted.up === link.up ? {} : { up: wanted.up }),
    ...(wanted.mtu === undefined || wanted.mtu === link.mtu ? {} : { mtu: wanted.mtu }),
    ...(wanted.addrGenMode === undefined || wanted.addrGenMode === link.addrGenMode
      ? {}
      : { addrGenMode: wanted.addrGenMode }),
  };
  if (Object.keys(change).length === 0) return;
  const what = `set ${Object.keys(change).join(', ')} of ${link.name}`;
  await netlink.request(RTM.NEWLINK, 0, encodeSetLink(link.index, change), what);
}

/**
 * Without a queueing discipline. A multi-queue TAP has 256 queues, and the kernel's default gives each its
 * own rings: 6 MB a device. An economy only: a kernel without traffic control is left as it is.
 */
export async function setNoQueue(netlink: Netlink, link: Link): Promise<void> {
  if (link.qdisc === 'noqueue') return;
  const flags = NLM_F.CREATE | NLM_F.REPLACE;
  const payload = encodeRootQdisc(link.index, 'noqueue');
  try {
    await netlink.request(RTM.NEWQDISC, flags, payload, `set the queueing of ${link.name}`);
  } catch (error) {
    if (!['EOPNOTSUPP', 'ENOENT'].includes(errnoOf(error) ?? '')) throw error;
  }
}

/**
 * Makes the device have exactly these addresses. New ones come before old ones go, so that a changed
 * prefix length does not lose neighbours. Link-local addresses that are not wanted are left alone.
 */
export async function setAddresses(
  netlink: Netlink,
  link: Link,
  wanted: readonly Prefix[],
): Promise<void> {
  const present = await readAddresses(netlink, link.index);
  const same = (a: Prefix, b: Prefix): boolean =>
    a.length === b.length && equalBytes(a.address, b.address);
  const flags = NLM_F.CREATE | NLM_F.REPLACE;
  for (const prefix of wanted) {
    if (present.some((address) => same(address.prefix, prefix))) continue;
    const what = `add address ${formatPrefix(prefix)} to ${link.name}`;
    await netlink.request(RTM.NEWADDR, flags, encodeAddress(link.index, prefix), what);
  }
  for (const { prefix, scope } of present) {
    if (scope !== 0 || wanted.some((address) => same(address, prefix))) continue;
    await removeAddress(netlink, link, prefix);
  }
}

async function removeAddress(netlink: Netlink, link: Link, prefix: Prefix): Promise<void> {
  const what = `remove address ${formatPrefix(prefix)} from ${link.name}`;
  try {
    await netlink.request(RTM.DELADDR, 0, encodeAddress(link.index, prefix), what);
  } catch (error) {
    if (errnoOf(error) !== 'EADDRNOTAVAIL') throw error;
  }
}

/** Makes one unicast route to a device, replacing one of equal destination and metric that differs. */
export async function setDeviceRoute(netlink: Netlink, route: DeviceRoute): Promise<void> {
  const { destination, index, metric, source } = route;
  const present = await readRoutes(netlink, destination.family);
  const there = present.some(
    (other) =>
      other.table === RT_TABLE.MAIN &&
      other.metric === metric &&
      other.destination.length === destination.length &&
      equalBytes(other.destination.address, destination.address) &&
      other.nextHops.length === 1 &&
      other.nextHops[0]?.index === index &&
      equalBytes(other.source ?? new Uint8Array(0), source ?? new Uint8Array(0)),
  );
  if (there) return;
  const what = `add route ${formatPrefix(destination)}`;
  const flags = NLM_F.CREATE | NLM_F.REPLACE;
  await netlink.request(RTM.NEWROUTE, flags, encodeDeviceRoute(route), what);
}

/** Writes those of `/proc/sys/net` that differ; see {@link readSysctl} for what is passed over. */
export function setSysctls(
  context: Pick<NamespaceContext, 'kernel' | 'netns'>,
  values: Readonly<Record<string, string>>,
): void {
  for (const [path, value] of Object.entries(values)) {
    const present = readSysctl(context, path);
    if (present !== undefined && present !== value) {
      context.kernel.writeSysctl(context.netns, path, value);
    }
  }
}

/** undefined for an IPv6 value where the kernel has no IPv6, or is older than the value. */
export function readSysctl(
  { kernel, netns }: Pick<NamespaceContext, 'kernel' | 'netns'>,
  path: string,
): string | undefined {
  try {
    return kernel.readSysctl(netns, path);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' && path.startsWith('ipv6/')) return undefined;
    throw error;
  }
}
