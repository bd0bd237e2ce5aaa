// SPDX-License-Identifier: Apache-2.0
/**
 * The devices through which a namespace's kernel takes part: one TAP per interface, whose frames the
 * worker exchanges with the wire, and per VRF one TUN ("host device") whose default routes lead into the
 * worker's VRF lookup.
 *
 *      worker ── queue ──► TAP ce-a1   10.1.0.1/24            ARP, ND, BGP with the CE, ping
 *        └────── queue ──► TUN host    10.255.0.1/32, default  everything beyond connected subnets
 *
 * All of it may be run again on what is there: only what differs is changed. The supervisor keeps a
 * detached queue of each device, which holds the carrier while the worker is away.
 */
import { isLinkLocal, type Prefix } from '../lib/ip.js';
import type { Kernel } from '../lib/kernel-api.js';
import { ADDR_GEN_MODE } from './codec/constants.js';
import {
  findLink,
  mustFindLink,
  type NamespaceContext,
  setAddresses,
  setDeviceRoute,
  setLink,
  setNoQueue,
  setSysctls,
} from './device.js';
import { KernelPartError } from './errors.js';
import { deviceForwardingOff, turnForwardingOff } from './forwarding.js';

/** Loses to any default route that a routing daemon or an operator sets. */
const DEFAULT_ROUTE_METRIC = 1_000_000;

export interface TapSpec {
  readonly name: string;
  /** 6 bytes: the port's own address, which frames to us carry. */
  readonly mac: Uint8Array;
  /** Largest IP packet, bytes. */
  readonly mtu: number;
  /** Own addresses with the length of their subnet. */
  readonly addresses: readonly Prefix[];
}

export interface HostTunSpec {
  readonly name: string;
  readonly mtu: number;
  /** The VRF's own addresses beside its interfaces'; the first of each family is the default route's source. */
  readonly addresses: readonly Prefix[];
  /** Preferred sources where `addresses` has none of the family: an interface's own address. */
  readonly source4?: Uint8Array;
  readonly source6?: Uint8Array;
}

/** fe80::/64 with the modified EUI-64 of a MAC address, RFC 4291 appendix A. */
export function linkLocalOf(mac: Uint8Array): Uint8Array {
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0] = mac;
  const address = new Uint8Array(16);
  address.set([0xfe, 0x80]);
  address.set([a ^ 0x02, b, c, 0xff, 0xfe, d, e, f], 8);
  return address;
}

/** A device that is set up, and the queue that holds its carrier. */
export class KernelDevice {
  readonly name: string;
  readonly index: number;
  readonly kind: 'tap' | 'tun';
  readonly #kernel: Kernel;
  readonly #netns: number;
  #holder: number | undefined;
  #workers: number | undefined;

  constructor(
    context: Pick<NamespaceContext, 'kernel' | 'netns'>,
    device: { readonly name: string; readonly index: number; readonly kind: 'tap' | 'tun' },
    holder: number,
  ) {
    this.name = device.name;
    this.index = device.index;
    this.kind = device.kind;
    this.#kernel = context.kernel;
    this.#netns = context.netns;
    this.#holder = holder;
  }

  /**
   * The attached queue, the same for each worker: what the kernel sends while one goes on for another waits in it.
   * Stays ours.
   */
  workerQueue(): number {
    this.#workers ??= this.openQueue();
    return this.#workers;
  }

  /** Of `before`, which stands for the same device, and is closed afterwards. */
  takeWorkerQueue(before: KernelDevice): void {
    if (before.index !== this.index || before.#netns !== this.#netns) return;
    this.#workers = before.#workers;
    before.#workers = undefined;
  }

  /** A fresh attached queue. The caller closes it. */
  openQueue(): number {
    const { name, kind } = this;
    return this.#kernel.openTap({ netns: this.#netns, name, kind, attached: true });
  }

  /** Lets go of the holding queue and the worker's; the device stays. */
  close(): void {
    for (const queue of [this.#holder, this.#workers]) {
      if (queue !== undefined) this.#kernel.closeDescriptor(queue);
    }
    this.#holder = undefined;
    this.#workers = undefined;
  }

  /** The device goes as soon as the worker, too, has let go of it. */
  remove(): void {
    this.#kernel.removeTap(this.#netns, this.name);
    this.close();
  }
}

/** Once per namespace of ours: loopback up, forwarding off, addresses of one subnet independent. */
export async function prepareNamespace(context: NamespaceContext): Promise<void> {
  await turnForwardingOff(context);
  setSysctls(context, {
    // The strictest of "all" and the device's own counts: TAPs see packets of any source.
    'ipv4/conf/all/rp_filter': '0',
    'ipv4/conf/default/rp_filter': '0',
    // Else removing the first address of a subnet removes the others.
    'ipv4/conf/all/promote_secondaries': '1',
  });
  await setLink(context.netlink, await mustFindLink(context.netlink, 'lo'), { up: true });
}

/** What the kernel must not do on a device of ours on its own account. */
function deviceSysctls(name: string): Readonly<Record<string, string>> {
  const ipv4 = `ipv4/conf/${name}`;
  const ipv6 = `ipv6/conf/${name}`;
  return {
    ...deviceForwardingOff(name),
    [`${ipv4}/rp_filter`]: '0',
    [`${ipv4}/accept_redirects`]: '0',
    [`${ipv4}/send_redirects`]: '0',
    // A router answers for the addresses of the link that asks, and asks with one of them.
    [`${ipv4}/arp_ignore`]: '1',
    [`${ipv4}/arp_announce`]: '2',
    [`${ipv6}/disable_ipv6`]: '0',
    [`${ipv6}/accept_ra`]: '0',
    [`${ipv6}/autoconf`]: '0',
    [`${ipv6}/accept_redirects`]: '0',
    // Addresses are usable at once and stay when the device is set down and up.
    [`${ipv6}/accept_dad`]: '0',
    [`${ipv6}/dad_transmits`]: '0',
    [`${ipv6}/keep_addr_on_down`]: '1',
    [`${ipv6}/router_solicitations`]: '0',
  };
}

interface DeviceSpec {
  readonly name: string;
  readonly kind: 'tap' | 'tun';
  readonly mac?: Uint8Array;
  readonly mtu: number;
  readonly addresses: readonly Prefix[];
}

async function ensureDevice(context: NamespaceContext, spec: DeviceSpec): Promise<KernelDevice> {
  const { kernel, netns, netlink } = context;
  const { name, kind, mac, mtu } = spec;
  const before = await findLink(netlink, name);
  if (before !== undefined && before.kind !== 'tun') {
    throw new KernelPartError(
      'INTERFACE_KIND',
      `interface ${name} exists and is no TAP or TUN device (${before.kind ?? 'hardware'})`,
      'rename it, choose another name, or another namespace for the kernel side',
    );
  }
  const holder = kernel.openTap({
    ...{ netns, name, kind, attached: false },
    ...(mac === undefined ? {} : { mac }),
  });
  try {
    const link = await mustFindLink(netlink, name);
    setSysctls(context, deviceSysctls(name));
    await setNoQueue(netlink, link); // before "up", when the default would be made
    // Not at once with "up": the kernel would make its own link-local address first.
    await setLink(netlink, link, { mtu, addrGenMode: ADDR_GEN_MODE.NONE });
    await setLink(netlink, link, { up: true });
    await setAddresses(netlink, link, spec.addresses);
    return new KernelDevice(context, { name, index: link.index, kind }, holder);
  } catch (error) {
    kernel.closeDescriptor(holder);
    throw error;
  }
}

/** The TAP of an interface, with the link-local address that its MAC gives. */
export async function ensureTap(context: NamespaceContext, spec: TapSpec): Promise<KernelDevice> {
  const linkLocal: Prefix = { family: 6, address: linkLocalOf(spec.mac), length: 64 };
  const ownLinkLocal = spec.addresses.some(({ address }) => isLinkLocal(address));
  return ensureDevice(context, {
    ...spec,
    kind: 'tap',
    addresses: ownLinkLocal ? spec.addresses : [...spec.addresses, linkLocal],
  });
}

/**
 * The TUN that carries a VRF's default routes into the worker. To be made after the VRF's TAPs: a
 * route's source must be an address that is there.
 */
export async function ensureHostTun(
  context: NamespaceContext,
  spec: HostTunSpec,
): Promise<KernelDevice> {
  const { name, mtu, addresses } = spec;
  const device = await ensureDevice(context, { name, mtu, addresses, kind: 'tun' });
  try {
    // ICMP errors about our own packets (path MTU, unreachable) come from one of our own addresses.
    setSysctls(context, { [`ipv4/conf/${name}/accept_local`]: '1' });
    for (const family of [4, 6] as const) {
      const own = addresses.find((prefix) => prefix.family === family)?.address;
      const source = own ?? (family === 4 ? spec.source4 : spec.source6);
      const usable = source !== undefined && !isLinkLocal(source);
      await setDeviceRoute(context.netlink, {
        destination: { family, address: new Uint8Array(family === 4 ? 4 : 16), length: 0 },
        index: device.index,
        metric: DEFAULT_ROUTE_METRIC,
        ...(usable ? { source } : {}),
      });
    }
    return device;
  } catch (error) {
    device.close();
    throw error;
  }
}
