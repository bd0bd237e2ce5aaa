// SPDX-License-Identifier: Apache-2.0
/**
 * The demo's network:
 *
 *   ce-a1 --\                                              /-- ce-a2
 *            pe1 ---------------- p ---------------- pe2
 *   ce-b1 --/      an ordinary IP router: an           \-- ce-b2
 *                  eavesdropper and an attacker sit here
 *
 * Behind p there is also a PE of another provider, transit, which turns out to be a rogue.
 *
 * pe1 and pe2 are namespaces in which Sealane runs; each VRF's kernel side is a namespace of its own
 * (pe1-A, pe1-B, ...), made by Sealane. p knows the PEs' addresses and nothing of the customers.
 */
import { mkdirSync, rmSync } from 'node:fs';
import { eventually, Lab } from '../lib/lab.js';

export const RUN = '/run/sealane-demo';
export const SEGMENTS = '/dev/shm/sealane-demo';
/** Made by openssl for this run alone; the configurations name its files. */
export const PKI = `${RUN}/pki`;
/** Where PE1 and the rogue PE write the keys of their SAs (--debug-keys). */
export const KEYS = `${RUN}/keys`;
export const LAB = 'sealane-demo';

export interface Site {
  readonly netns: string;
  readonly pe: 'pe1' | 'pe2';
  readonly vpn: 'A' | 'B';
  readonly link: string; // the PE's end
  readonly address4: string;
  readonly address6: string;
  readonly gateway4: string;
  readonly gateway6: string;
}

function site(vpn: 'A' | 'B', end: 1 | 2): Site {
  const name = `ce-${vpn.toLowerCase()}${String(end)}`;
  return {
    netns: name,
    pe: end === 1 ? 'pe1' : 'pe2',
    vpn,
    link: `to-${name}`,
    address4: `10.${String(end)}.0.2`,
    address6: `2001:db8:a:${String(end)}::2`,
    gateway4: `10.${String(end)}.0.1`,
    gateway6: `2001:db8:a:${String(end)}::1`,
  };
}

/** Both VPNs use the same addresses: only the VRF tells them apart. */
export const SITES = {
  a1: site('A', 1),
  a2: site('A', 2),
  b1: site('B', 1),
  b2: site('B', 2),
} as const;

/** A host that only VPN B has, behind ce-b2. */
export const ONLY_IN_B = '10.9.0.9';

export const PES = {
  pe1: {
    core4: '198.51.100.1',
    p4: '198.51.100.2',
    core6: '2001:db8:0:1::1',
    p6: '2001:db8:0:1::2',
    tunnel4: '192.0.2.1',
    tunnel6: '2001:db8::1',
    pLink: 'to-pe1',
  },
  pe2: {
    core4: '198.51.100.5',
    p4: '198.51.100.6',
    core6: '2001:db8:0:2::1',
    p6: '2001:db8:0:2::2',
    tunnel4: '192.0.2.2',
    tunnel6: '2001:db8::2',
    pLink: 'to-pe2',
  },
} as const;

export type PeName = keyof typeof PES;

/** The PE of the other provider; no customer is behind it. */
export const TRANSIT = {
  core4: '198.51.100.9',
  p4: '198.51.100.10',
  tunnel4: '192.0.2.66',
} as const;

/** Makes all namespaces and links; the PEs' kernels get what an operator would configure: core routes. */
export async function build(): Promise<Lab> {
  const lab = await Lab.open(LAB);
  for (const dir of [RUN, SEGMENTS]) {
    rmSync(dir, { recursive: true, force: true });
    mkdirSync(dir, { recursive: true, mode: 0o700 });
  }
  for (const netns of ['pe1', 'pe2', 'transit', 'p', ...Object.values(SITES).map((s) => s.netns)]) {
    await lab.namespace(netns);
  }
  for (const netns of ['pe1-A', 'pe1-B', 'pe2-A', 'pe2-B']) lab.own(netns);

  for (const [name, pe] of Object.entries(PES)) {
    await lab.link(name, 'wan', 'p', pe.pLink);
    await lab.ip('p', [
      `addr add ${pe.p4}/30 dev ${pe.pLink}`,
      `addr add ${pe.p6}/64 dev ${pe.pLink} nodad`,
      `route add ${pe.tunnel4}/32 via ${pe.core4}`,
      `-6 route add ${pe.tunnel6}/128 via ${pe.core6}`,
    ]);
    await lab.ip(name, [
      `addr add ${pe.tunnel4}/32 dev lo`,
      `addr add ${pe.tunnel6}/128 dev lo nodad`,
    ]);
  }
  await lab.link('transit', 'wan', 'p', 'to-transit');
  await lab.ip('p', [
    `addr add ${TRANSIT.p4}/30 dev to-transit`,
    `route add ${TRANSIT.tunnel4}/32 via ${TRANSIT.core4}`,
  ]);
  await lab.ip('transit', [`addr add ${TRANSIT.tunnel4}/32 dev lo`]);
  await lab.must('p', ['sysctl', '-qw', 'net.ipv4.ip_forward=1', 'net.ipv6.conf.all.forwarding=1']);
  for (const s of Object.values(SITES)) {
    await lab.link(s.pe, s.link, s.netns, 'eth0');
    await lab.ip(s.netns, [
      `addr add ${s.address4}/24 dev eth0`,
      `addr add ${s.address6}/64 dev eth0 nodad`,
      `route add default via ${s.gateway4}`,
      `-6 route add default via ${s.gateway6}`,
    ]);
  }
  await lab.ip('ce-b2', [`addr add ${ONLY_IN_B}/32 dev lo`]);
  return lab;
}

/** Core routes of a PE's kernel, once Sealane has made the interface they go out of. */
export async function addCoreRoutes(lab: Lab, name: PeName | 'transit'): Promise<void> {
  const pe: { core4: string; p4: string; core6?: string; p6?: string } =
    name === 'transit' ? TRANSIT : PES[name];
  const own = [pe.core4, ...(pe.core6 === undefined ? [] : [pe.core6])];
  await eventually(`${name}: interface core0 with its addresses`, async () => {
    const { stdout } = await lab.exec(name, ['ip', '-br', 'addr', 'show', 'dev', 'core0']);
    return own.every((address) => stdout.includes(address)) ? true : undefined;
  });
  await lab.ip(name, [
    `route replace default via ${pe.p4} dev core0`,
    ...(pe.p6 === undefined ? [] : [`-6 route replace default via ${pe.p6} dev core0`]),
  ]);
}

export const PICTURE = `
   ce-a1 ----\\                                                    /---- ce-a2    VPN A: 10.1.0.0/24, 10.2.0.0/24
   10.1.0.2   \\                                                  /   10.2.0.2    encrypted, MPLS-in-GRE, IPv4 core
               pe1 ------------------- p -------------------- pe2
   10.1.0.2   /  192.0.2.1      ordinary IP router     192.0.2.2 \\   10.2.0.2    VPN B: the same addresses
   ce-b1 ----/   2001:db8::1    eavesdropper, attacker 2001:db8::2 \\---- ce-b2    authenticated, MPLS-in-IP, IPv6 core
`;
