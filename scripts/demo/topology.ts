// SPDX-License-Identifier: Apache-2.0
/**
 * The demo's network: two providers, north (AS 65001) and south (AS 65002), three customers with a site at each PE.
 *
 *   ce-a1 ce-b1 ce-c1                rr                     ce-a3 ce-b3 ce-c3
 *            \ | /                   |                              \ | /
 *             pe1 ------------------ p1 ------------ p2 ------------ pe3
 *                                  / |  \            | \
 *                 rogue-n --------   |   \           |  -------- rogue-s
 *                                   pe2 ------------ +
 *                                  / | \   south0: a second link of pe2, into the other provider
 *                         ce-a2 ce-b2 ce-c2
 *
 * p1 and p2 are ordinary IP routers, in which an eavesdropper and an attacker sit; they know the PEs' addresses and
 * nothing of the customers. rr is GoBGP, the customers' routers are FRR. Sealane runs in pe1, pe2, pe3, and in
 * rogue-n and rogue-s, PEs with good certificates and bad intentions. Each VRF's kernel side is a namespace of its
 * own (pe1-A, pe1-B, ...), made by Sealane.
 */
import { mkdirSync, rmSync } from 'node:fs';
import { eventually, Lab } from '../lib/lab.js';

export const RUN = '/run/sealane-demo';
export const SEGMENTS = '/dev/shm/sealane-demo';
/** Made by openssl for this run alone; the configurations name its files. */
export const PKI = `${RUN}/pki`;
/** Where PEs write the keys of their SAs (--debug-keys). */
export const KEYS = `${RUN}/keys`;
export const LAB = 'sealane-demo';

export const VPNS = ['A', 'B', 'C'] as const;
export type Vpn = (typeof VPNS)[number];
export const NUMBERS = [1, 2, 3] as const;
export type SiteNumber = (typeof NUMBERS)[number];

/** Of core routers: their namespace, which are the same as their names. */
interface Node {
  readonly sp: 'north' | 'south';
  /** Router id, tunnel address, BGP next hop. */
  readonly loopback: string;
  /** On its link into the core; `p` is the other end, of the router `via`. */
  readonly core: string;
  readonly p: string;
  readonly via: 'p1' | 'p2';
}

export const NODES = {
  pe1: { sp: 'north', loopback: '192.0.2.1', core: '198.51.100.1', p: '198.51.100.2', via: 'p1' },
  pe2: { sp: 'north', loopback: '192.0.2.2', core: '198.51.100.5', p: '198.51.100.6', via: 'p1' },
  rr: { sp: 'north', loopback: '192.0.2.9', core: '198.51.100.9', p: '198.51.100.10', via: 'p1' },
  'rogue-n': {
    ...{
      sp: 'north',
      loopback: '192.0.2.66',
      core: '198.51.100.13',
      p: '198.51.100.14',
      via: 'p1',
    },
  },
  pe3: {
    ...{
      sp: 'south',
      loopback: '203.0.113.3',
      core: '198.51.100.21',
      p: '198.51.100.22',
      via: 'p2',
    },
  },
  'rogue-s': {
    ...{
      sp: 'south',
      loopback: '203.0.113.66',
      core: '198.51.100.25',
      p: '198.51.100.26',
      via: 'p2',
    },
  },
} as const satisfies Record<string, Node>;

export type NodeName = keyof typeof NODES;
export type PeName = 'pe1' | 'pe2' | 'pe3';
export type RogueName = 'rogue-n' | 'rogue-s';
export const PES = ['pe1', 'pe2', 'pe3'] as const satisfies readonly PeName[];

/** Between the providers, and pe2's link into the south. */
export const BORDER = { p1: '198.51.100.17', p2: '198.51.100.18' } as const;
export const SOUTH0 = { pe2: '198.51.100.29', p2: '198.51.100.30' } as const;

export interface Site {
  readonly netns: string;
  readonly pe: PeName;
  readonly vpn: Vpn;
  readonly number: SiteNumber;
  /** The PE's end of the link. */
  readonly link: string;
  /** The CE's own, on the link. */
  readonly link4: string;
  readonly link6: string;
  /** The PE's. */
  readonly gateway4: string;
  readonly gateway6: string;
  /** The customer's network that the CE announces, and the host in it that is pinged. */
  readonly lan4: string;
  readonly lan6: string;
  readonly address4: string;
  readonly address6: string;
}

/** All VPNs use the same addresses: only the VRF tells them apart. */
export function site(vpn: Vpn, number: SiteNumber): Site {
  const name = `ce-${vpn.toLowerCase()}${String(number)}`;
  const n = String(number);
  return {
    netns: name,
    pe: `pe${number}`,
    vpn,
    number,
    link: `to-${name}`,
    ...{ link4: `10.${n}.0.2`, link6: `2001:db8:a:${n}::2` },
    ...{ gateway4: `10.${n}.0.1`, gateway6: `2001:db8:a:${n}::1` },
    ...{ lan4: `10.${n}.1.0/24`, lan6: `2001:db8:b:${n}::/64` },
    ...{ address4: `10.${n}.1.1`, address6: `2001:db8:b:${n}::1` },
  };
}

export const SITES: readonly Site[] = VPNS.flatMap((vpn) => NUMBERS.map((n) => site(vpn, n)));

/** A network that only VPN B has, behind ce-b2. */
export const ONLY_IN_B = { prefix: '10.9.0.0/24', host: '10.9.0.9' } as const;

/** Further networks of VPN C behind ce-c2, by how they are exported: P §2.7 b.i and b.ii. */
export const EXTRA_C = {
  plain: { prefix: '10.2.2.0/24', host: '10.2.2.1' },
  scoped: { prefix: '10.2.3.0/24', host: '10.2.3.1' },
} as const;

/** Further networks of a site's customer, with a host in each. */
export function extras({ vpn, number }: Site): readonly { prefix: string; host: string }[] {
  if (number !== 2) return [];
  return vpn === 'B' ? [ONLY_IN_B] : vpn === 'C' ? Object.values(EXTRA_C) : [];
}

async function coreRouter(lab: Lab, name: 'p1' | 'p2'): Promise<void> {
  for (const [node, { via, p, core, loopback }] of Object.entries(NODES)) {
    if (via !== name) continue;
    await lab.link(node, 'wan', name, `to-${node}`);
    await lab.ip(name, [`addr add ${p}/30 dev to-${node}`, `route add ${loopback}/32 via ${core}`]);
    await lab.ip(node, [`addr add ${loopback}/32 dev lo`]);
  }
  await lab.must(name, ['sysctl', '-qw', 'net.ipv4.ip_forward=1']);
}

async function allCore(lab: Lab): Promise<void> {
  for (const name of ['p1', 'p2'] as const) await coreRouter(lab, name);
  await lab.link('p1', 'to-p2', 'p2', 'to-p1');
  await lab.ip('p1', [
    `addr add ${BORDER.p1}/30 dev to-p2`,
    `route add 203.0.113.0/24 via ${BORDER.p2}`,
  ]);
  await lab.ip('p2', [
    `addr add ${BORDER.p2}/30 dev to-p1`,
    `route add 192.0.2.0/24 via ${BORDER.p1}`,
  ]);
  await lab.link('pe2', 'wan2', 'p2', 'to-pe2');
  await lab.ip('p2', [`addr add ${SOUTH0.p2}/30 dev to-pe2`]);
  const { core: own, p } = NODES.rr;
  await lab.ip('rr', [`addr add ${own}/30 dev wan`, `route add default via ${p}`]);
}

async function customer(lab: Lab, s: Site): Promise<void> {
  await lab.link(s.pe, s.link, s.netns, 'eth0');
  const hosts = [s.address4, ...extras(s).map(({ host }) => host)];
  await lab.ip(s.netns, [
    `addr add ${s.link4}/24 dev eth0`,
    `addr add ${s.link6}/64 dev eth0 nodad`,
    ...hosts.map((host) => `addr add ${host}/32 dev lo`),
    `addr add ${s.address6}/128 dev lo nodad`,
  ]);
}

/** Makes all namespaces and links; where Sealane does not run, addresses and routes. */
export async function build(): Promise<Lab> {
  const lab = await Lab.open(LAB);
  for (const dir of [RUN, SEGMENTS]) {
    rmSync(dir, { recursive: true, force: true });
    mkdirSync(dir, { recursive: true, mode: 0o711 });
  }
  for (const netns of [...Object.keys(NODES), 'p1', 'p2', ...SITES.map((s) => s.netns)]) {
    await lab.namespace(netns);
  }
  for (const pe of PES) for (const vpn of VPNS) lab.own(`${pe}-${vpn}`);
  await allCore(lab);
  await Promise.all(SITES.map((s) => customer(lab, s)));
  return lab;
}

/** The core route of a PE's kernel, once Sealane has made the interface it goes out of. */
export async function addCoreRoute(lab: Lab, name: PeName | RogueName): Promise<void> {
  const { core: own, p } = NODES[name];
  await eventually(`${name}: interface core0 with its address`, async () => {
    const { stdout } = await lab.exec(name, ['ip', '-br', 'addr', 'show', 'dev', 'core0']);
    return stdout.includes(own) ? true : undefined;
  });
  await lab.ip(name, [`route replace default via ${p} dev core0`]);
}

export const PICTURE = `
   north, AS 65001                                                    south, AS 65002

   ce-a1 --\\                      rr (GoBGP)                                        /-- ce-a3
   ce-b1 --- pe1 192.0.2.1 ------- p1 --------------------- p2 ------ 203.0.113.3 pe3 --- ce-b3
   ce-c1 --/                       |  eavesdropper,         |                       \\-- ce-c3
   ce-a2 --\\                       |  attacker              |
   ce-b2 --- pe2 192.0.2.2 --------+                        |
   ce-c2 --/     \\------------------------------------------+
   rogue-n 192.0.2.66 at p1, rogue-s 203.0.113.66 at p2: PEs with certificates, and bad intentions

   VPN A encrypted; VPN B authenticated; VPN C a clear tunnel inside north, encrypted between north and south.
   All three have the same addresses: site N is 10.N.1.0/24 and 2001:db8:b:N::/64.
`;
