// SPDX-License-Identifier: Apache-2.0
/**
 * Makes a kernel interface deaf that the worker reads through AF_PACKET or AF_XDP (policy-model 20): packet
 * sockets get copies, so without this the kernel would answer and forward the same packets.
 *
 *      wire ──► interface ──► packet socket ──► worker
 *                   └──► netdev ingress hook: dropped, before ARP, IP, VLANs and bridges
 *
 * Deaf means: no address of any kind and no way to get one, everything received dropped by an nftables
 * table of ours, forwarding off in the namespace. Each of them alone is enough against a worker that is dead;
 * all of them are checked at the start and while running.
 *
 * What merges or splits frames is switched off, too: a super-packet is longer than any port's buffers. A veth
 * peer's transmit checksum offload cannot be switched from here: its packets arrive with
 * unfinished checksums, which is noted.
 */
import { formatPrefix } from '../lib/ip.js';
import type { OffloadName, Offloads } from '../lib/kernel-api.js';
import { ADDR_GEN_MODE } from './codec/constants.js';
import type { Link } from './codec/link.js';
import {
  mustFindLink,
  type NamespaceContext,
  readAddresses,
  readLinks,
  setLink,
  readSysctl,
  setSysctls,
} from './device.js';
import { errnoOf, KernelPartError } from './errors.js';
import {
  deviceForwardingOff,
  FORWARDING_SYSCTLS,
  forwardingProblems,
  turnForwardingOff,
} from './forwarding.js';
import { ingressDropProblem, installIngressDrop, removeIngressDrop } from './ingress-drop.js';

/** What an interface was like before: plain data, to be kept over restarts of the supervisor. */
export interface BeforeDeaf {
  readonly up: boolean;
  readonly addrGenMode: number;
  readonly sysctls: Readonly<Record<string, string>>;
  readonly offloads: Offloads;
}

export interface DeafResult {
  readonly before: BeforeDeaf;
  /** What an operator should know; nothing that makes it less deaf. */
  readonly notes: readonly string[];
}

/** Must be off, or frames arrive that no port takes. */
const MERGING: readonly OffloadName[] = ['gro', 'lro'];
const UNWANTED: readonly OffloadName[] = [...MERGING, 'tso', 'gso', 'rxChecksum', 'txChecksum'];
const STACKED = new Set(['vlan', 'macvlan', 'macvtap', 'ipvlan']);

const interfaceSysctls = (name: string): readonly string[] => [
  ...Object.keys(deviceForwardingOff(name)),
  `ipv6/conf/${name}/disable_ipv6`,
];

/**
 * Makes the interface deaf and up. Refuses one that the kernel is using (ADDRESS_PRESENT,
 * INTERFACE_IN_USE) and throws NOT_DEAF when the result is not deaf. May be repeated; with `before` of an
 * earlier run that is what is returned.
 */
export async function makeDeaf(
  context: NamespaceContext,
  name: string,
  before?: BeforeDeaf,
): Promise<DeafResult> {
  const { kernel, netns, netlink } = context;
  const link = await mustFindLink(netlink, name);
  await refuseUsed(context, link);
  const recorded = before ?? record(context, link);
  await installIngressDrop(netns, name);
  await turnForwardingOff(context);
  setSysctls(context, { [`ipv6/conf/${name}/disable_ipv6`]: '1' });
  await setLink(netlink, link, { addrGenMode: ADDR_GEN_MODE.NONE });
  const notes: string[] = [];
  for (const offload of UNWANTED) {
    if (!kernel.readOffloads(netns, name)[offload]) continue;
    if (!tryOffload(context, name, offload, false)) notes.push(`${offload} cannot be switched off`);
  }
  await setLink(netlink, link, { up: true });
  if (link.kind === 'veth') {
    notes.push('veth: the other end must have transmit checksum and segmentation offload off');
  }
  const problems = await deafProblems(context, name);
  if (problems.length === 0) return { before: recorded, notes };
  throw new KernelPartError('NOT_DEAF', `interface ${name}: ${problems.join('; ')}`);
}

/** Every way in which the interface is not deaf, one line each; empty: it is. */
export async function deafProblems(
  context: NamespaceContext,
  name: string,
): Promise<readonly string[]> {
  const { kernel, netns, netlink } = context;
  const problems: string[] = [];
  const link = await mustFindLink(netlink, name);
  if (!link.up) problems.push('it is down');
  if (link.master !== undefined) problems.push('it is a port of another device');
  if (link.addrGenMode !== undefined && link.addrGenMode !== ADDR_GEN_MODE.NONE) {
    problems.push('IPv6 may generate a link-local address (addrgenmode)');
  }
  for (const { prefix } of await readAddresses(netlink, link.index)) {
    problems.push(`it has address ${formatPrefix(prefix)}`);
  }
  const silence = readSysctl(context, `ipv6/conf/${name}/disable_ipv6`);
  if (silence !== undefined && silence !== '1') problems.push('disable_ipv6 is 0');
  problems.push(...(await forwardingProblems(context)));
  const offloads = kernel.readOffloads(netns, name);
  for (const offload of MERGING) if (offloads[offload]) problems.push(`${offload} is on`);
  const drop = await ingressDropProblem(netns, name);
  if (drop !== undefined) problems.push(drop);
  return problems;
}

/**
 * Gives the interface back as it was. `last`: no other interface of this namespace is still deaf, so
 * forwarding is restored as well.
 */
export async function undoDeaf(
  context: NamespaceContext,
  name: string,
  before: BeforeDeaf,
  options: { readonly last: boolean },
): Promise<void> {
  const { netlink } = context;
  const link = await mustFindLink(netlink, name);
  await setLink(netlink, link, { addrGenMode: before.addrGenMode });
  if (!before.up) await setLink(netlink, link, { up: false });
  for (const offload of UNWANTED) {
    if (before.offloads[offload]) tryOffload(context, name, offload, true);
  }
  // "all" first: it rewrites the interface's own value.
  const paths = [...(options.last ? FORWARDING_SYSCTLS : []), ...interfaceSysctls(name)];
  for (const path of paths) {
    const value = before.sysctls[path];
    if (value !== undefined) setSysctls(context, { [path]: value });
  }
  await removeIngressDrop(context.netns, name);
}

async function refuseUsed({ netlink }: NamespaceContext, link: Link): Promise<void> {
  const { name, index } = link;
  if (link.master !== undefined) {
    throw new KernelPartError(
      'INTERFACE_IN_USE',
      `interface ${name} is a port of a bridge, bond or VRF device`,
      `release it: ip link set ${name} nomaster`,
    );
  }
  const upper = (await readLinks(netlink)).find(
    (other) => other.lower === index && STACKED.has(other.kind ?? ''),
  );
  if (upper !== undefined) {
    throw new KernelPartError(
      'INTERFACE_IN_USE',
      `the kernel's interface ${upper.name} (${upper.kind ?? ''}) is built on ${name}`,
      `remove it: ip link del ${upper.name}; VLANs are Sealane's own on such an interface`,
    );
  }
  // Link-local IPv6 addresses are the kernel's own making and go with disable_ipv6.
  const addresses = (await readAddresses(netlink, index)).filter(
    ({ prefix, scope }) => prefix.family === 4 || scope === 0,
  );
  const first = addresses[0];
  if (first === undefined) return;
  throw new KernelPartError(
    'ADDRESS_PRESENT',
    `interface ${name} has address ${formatPrefix(first.prefix)}: the kernel is using it`,
    `put the address into Sealane's configuration and take it from the kernel: ip addr flush dev ${name}`,
  );
}

function record(context: NamespaceContext, link: Link): BeforeDeaf {
  const paths = [...FORWARDING_SYSCTLS, ...interfaceSysctls(link.name)];
  const values = paths.flatMap((path) => {
    const value = readSysctl(context, path);
    return value === undefined ? [] : [[path, value] as const];
  });
  return {
    up: link.up,
    addrGenMode: link.addrGenMode ?? ADDR_GEN_MODE.EUI64,
    sysctls: Object.fromEntries(values),
    offloads: context.kernel.readOffloads(context.netns, link.name),
  };
}

/** False when the device does not let it be switched. */
function tryOffload(
  { kernel, netns }: NamespaceContext,
  name: string,
  offload: OffloadName,
  enabled: boolean,
): boolean {
  try {
    kernel.writeOffload(netns, name, offload, enabled);
    return kernel.readOffloads(netns, name)[offload] === enabled;
  } catch (error) {
    if (['EOPNOTSUPP', 'EINVAL'].includes(errnoOf(error) ?? '')) return false;
    throw error;
  }
}
