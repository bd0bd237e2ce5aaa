// SPDX-License-Identifier: Apache-2.0
/**
 * One VPN of Sealane and a Linux kernel (User Mode Linux) with FRR and strongSwan. Sealane is told of a BGP neighbour and
 * of a CA; the tunnel, its labels and its SAs come of the next hop and of what strongSwan agrees to.
 *
 *   ce (namespace) -- Sealane 192.0.2.1 -- wan0 ---- wan0 -- 192.0.2.2 Linux PE (guest; its customer inside)
 *   10.1.0.2                    VPNv4, IKEv2 by certificates, MPLS-in-GRE in ESP                10.2.0.2
 */
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually } from '../../scripts/lib/lab.js';
import type { Config } from '../../src/config/types.js';
import { Charon, guestSite, missingStrongswan } from '../lib/strongswan.js';
import { swanctlConf } from './ike/bed.js';
import { frrVpnConf, missingFrr, startFrr, type GuestFrr } from './linux-pe/frr.js';
import { Beside, LINUX, type Pki, SEALANE } from './linux-pe/beside.js';
import { bootLinuxPe, type LinuxPe } from './linux-pe/linux-pe.js';
import { dissect } from './linux-pe/wire.js';

/** Customers. */
const [OURS, THEIRS] = ['10.1.0.2', '10.2.0.2'];
const CE = 'vlx-ce';
const TUNNEL = `pe/${LINUX}/encrypt/gre`;
const TARGET = '65001:100';
/**
 * Largest customer packet of 1500 octets: IPv4 20, ESP 8, IV 8, ICV 16 (RFC 4106), of the rest the largest multiple of 4
 * that holds GRE 4, label 4 and the trailer's 2.
 */
const LARGEST = 1500 - 20 - 8 - 8 - 16 - 2 - 4 - 4;
const absent = missingStrongswan() ?? missingFrr();

let bed: Beside;
let linux: LinuxPe;
let charon: Charon;
let frr: GuestFrr;

function sealaneConfig(pki: Pki): Config {
  return {
    ...bed.base(),
    core: { tunnelAddresses: [SEALANE], encapsulations: ['gre'] },
    interfaces: {
      core0: { role: 'core', device: { kernel: 'wan0' }, addresses: [`${SEALANE}/24`] },
      'ce-a': { role: 'ce', vrf: 'A', device: { kernel: 'to-ce' }, addresses: ['10.1.0.1/24'] },
    },
    bgp: {
      ...{ asn: 65001, routerId: SEALANE },
      neighbours: {
        [LINUX]: { asn: 65001, timers: { connectRetry: 1 }, families: { 'vpnv4-unicast': {} } },
      },
    },
    vrfs: {
      A: {
        addresses: ['10.255.1.1/32'],
        bgp: {
          rd: '65001:1',
          // FRR signals nothing: it would be plain MPLS.
          imports: [{ name: 'all', targets: [TARGET], unsignalled: 'encrypt' }],
          exports: [{ name: 'all', targets: [TARGET], protections: ['encrypt'] }],
          redistribute: { connected: true },
        },
      },
    },
    ike: bed.ike(pki),
  };
}

async function bootGuest({ root, theirs: own }: Pki): Promise<void> {
  const { netns, nic } = bed.wire.a;
  linux = await bootLinuxPe({
    ...{ name: netns, netns, nics: [nic], memory: 256 },
    config: {
      underlay: [{ nic, address: `${LINUX}/24` }],
      sas: [],
      tunnels: [
        {
          ...{ name: 'gre1', encap: 'gre', protection: 'ike', local: LINUX, remote: SEALANE },
          inner: [{ local: '10.255.0.2', nextHop: '10.255.0.1' }],
          mtu: LARGEST + 4, // Linux counts the label
        },
      ],
      vrfs: [
        {
          ...{ name: 'A', table: 10, labelsIn: [], routes: [] },
          customer: [{ pe: '10.2.0.1/24', host: `${THEIRS}/24` }],
        },
      ],
    },
  });
  charon = await Charon.start(guestSite(linux), { logLevel: 1 });
  await charon.load(
    swanctlConf({
      ...{ local: LINUX, remote: SEALANE, certificate: 'own.pem' },
      proposals: 'aes256gcm16-prfsha384-x25519-ecp256',
      auth: { local: 'pubkey', remote: 'pubkey' },
      children: [{ name: 'gre', protocol: '47', esp: 'aes256gcm16-aes128gcm16-x25519' }],
    }),
    {
      'x509ca/root.pem': root.pem,
      'x509/own.pem': own.pem,
      'private/own.pem': readFileSync(own.files.key),
    },
  );
  frr = await startFrr(
    linux,
    frrVpnConf({
      ...{ asn: 65001, routerId: LINUX, local: LINUX, remote: SEALANE, intoTunnel: '10.255.0.1' },
      vrfs: [{ name: 'A', rd: '65001:2', target: TARGET }],
    }),
  );
}

interface Route {
  readonly vrf: string;
  readonly prefix: string;
  readonly tunnel: string;
  readonly label: number;
  readonly usable: boolean;
}

const sealaneRoute = (): Promise<Route> =>
  eventually('Sealane can use the route of FRR', async () => {
    if (bed.supervisor?.exitCode !== null) throw new Error('the supervisor has ended');
    const rows = await bed.show<Route>('routes');
    return rows?.find(
      ({ vrf, prefix, usable }) => vrf === 'A' && prefix === '10.2.0.0/24' && usable,
    );
  });

/** Waits until what the PE before the restart has left is replaced by what FRR says now. */
async function fresh(): Promise<void> {
  await eventually('FRR has told its route again', async () => {
    const rows = await bed.show<{ prefix: string; stale: boolean; usable: boolean }>(
      'bgp',
      'routes',
    );
    const row = rows?.find(({ prefix }) => prefix === '10.2.0.0/24');
    return row?.usable === true && !row.stale ? true : undefined;
  });
}

const PING = ['ping', '-W', '2'];
const fromUs = (...words: readonly string[]) =>
  bed.lab.exec(CE, [...PING, ...words, THEIRS], { timeoutMs: 120_000 });
const fromLinux = (...words: readonly string[]) =>
  linux.run(`ip netns exec ce-A ${[...PING, ...words].join(' ')} ${OURS}`);

beforeAll(async () => {
  if (absent !== undefined) return;
  bed = await Beside.open('vlx');
  const pki = bed.pki();
  await bootGuest(pki);
  const { lab, wire } = bed;
  await lab.namespace(CE);
  await lab.link(wire.b.netns, 'to-ce', CE, 'eth0');
  await lab.ip(CE, [`addr add ${OURS}/24 dev eth0`, 'route add default via 10.1.0.1']);
  lab.own('vlx-A');
  bed.start(sealaneConfig(pki));
  try {
    await frr.established(SEALANE);
    await sealaneRoute();
    await charon.until('a child SA', ([sa]) => sa?.children.length === 1);
    await eventually('an answer', async () =>
      (await fromUs('-c', '1')).code === 0 ? true : undefined,
    );
  } catch (error) {
    const said = bed.said();
    const log = `${linux.folder}/frr.log`;
    const ofFrr = existsSync(log) ? readFileSync(log, 'utf8').slice(-4000) : '';
    throw new Error(`${String(error)}\n${said}\n${charon.readableLog()}\n${ofFrr}`, {
      cause: error,
    });
  }
}, 400_000);

afterAll(async () => {
  if (absent !== undefined) return;
  await (bed as Beside | undefined)?.close(linux);
});

describe.skipIf(absent !== undefined)('a VPN of Sealane and Linux, FRR and strongSwan', () => {
  test('its routes come by BGP, with labels of both', async () => {
    const { tunnel, label } = await sealaneRoute();
    expect(tunnel).toBe(TUNNEL);
    // What FRR has allocated is what its kernel takes for the VRF, and what we push.
    expect(await linux.exec('ip -f mpls route')).toMatch(new RegExp(`^${label} dev A `, 'm'));
    const [own] = (await bed.show<{ label: number }>('labels')) ?? [];
    const there = await eventually('a route in the kernel of Linux', async () => {
      const text = await linux.exec('ip route show vrf A 10.1.0.0/24');
      return text === '' ? undefined : text;
    });
    expect(there).toMatch(
      new RegExp(`encap mpls +${own?.label ?? 0} via 10\\.255\\.0\\.1 dev gre1`),
    );
    expect(await bed.show('tunnels')).toMatchObject([
      { remote: LINUX, protection: 'encrypt', encapsulation: 'gre', state: 'up' },
    ]);
  });

  test('by one IKE SA of certificates and one child SA in transport mode', async () => {
    expect(await bed.show('ike')).toMatchObject([
      { state: 'established', remote: LINUX, authentication: 'ecdsa' },
    ]);
    const [sa] = await charon.established();
    expect(sa?.children.map(({ fields }) => fields)).toMatchObject([
      { name: 'gre', state: 'INSTALLED', mode: 'TRANSPORT' },
    ]);
  });

  test('pings cross both ways; but for BGP, IKE and ARP all is ESP', async () => {
    const capture = await bed.wire.capture();
    const pings = ['-c', '5', '-i', '0.2'];
    expect((await fromUs(...pings)).stdout).toContain('5 received');
    expect((await fromLinux(...pings)).stdout).toContain('5 received');
    const rows = await dissect(await capture.stop(), ['frame.protocols', 'esp.spi', 'tcp.port']);
    expect(rows.filter((row) => row['esp.spi'] !== '')).toHaveLength(20);
    const known = (row: (typeof rows)[number]): boolean =>
      /:(esp|arp|isakmp)\b/.test(row['frame.protocols']) ||
      row['tcp.port'].split(',').includes('179');
    expect(rows.filter((row) => !known(row))).toEqual([]);
  });

  test.each([
    ['from Sealane', fromUs],
    ['from Linux', fromLinux],
  ])('%s: the largest packet passes, of a larger one the sender hears', async (_, ping) => {
    // 20 of IPv4 and 8 of ICMP
    const dont = ['-c', '1', '-M', 'do', '-s'];
    expect((await ping(...dont, String(LARGEST - 28))).stdout).toContain(' 1 received');
    const { stdout, stderr } = await ping(...dont, String(LARGEST - 27));
    expect(stdout).toContain(' 0 received');
    expect(`${stdout}${stderr}`).toMatch(new RegExp(`mtu ?= ?${LARGEST}\\b`));
  });

  test('TCP finds the size by itself: 4 MiB each way arrive as they were', async () => {
    const data = randomBytes(4 << 20);
    const [sent, got] = [`${bed.dir}/sent`, `${bed.dir}/got`];
    writeFileSync(sent, data);
    writeFileSync(`${linux.folder}/sent`, data);
    const shell = (script: string) =>
      bed.lab.exec(CE, ['sh', '-c', script], { timeoutMs: 120_000 });
    const inside = (script: string) => linux.run(`ip netns exec ce-A sh -c '${script}'`);
    const there = inside('nc.openbsd -l -N 5001 </dev/null >/peer/got');
    const to = `until nc.openbsd -N ${THEIRS} 5001 <${sent} >/dev/null; do sleep 0.2; done`;
    expect((await shell(to)).code).toBe(0);
    expect((await there).status).toBe(0);
    expect(readFileSync(`${linux.folder}/got`).equals(data)).toBe(true);
    const here = shell(`nc.openbsd -l -N 5002 </dev/null >${got}`);
    const from = `until nc.openbsd -N ${OURS} 5002 </peer/sent >/dev/null; do sleep 0.2; done`;
    expect((await inside(from)).status).toBe(0);
    expect((await here).code).toBe(0);
    expect(readFileSync(got).equals(data)).toBe(true);
  });

  const count = 1000;
  const all = `${String(count)} packets transmitted, ${String(count)} received`;
  const flood = () => fromUs('-q', '-c', String(count), '-i', '0.01', '-W', '5');

  test('a rekey of the child SA by either end loses nothing', async () => {
    const drops = await linux.ipsecDrops();
    const [before] = await charon.established();
    const pinging = flood();
    expect((await bed.cli('ike', 'rekey', '--all', '--child')).code).toBe(0);
    await charon.rekey('child', 'gre');
    expect((await pinging).stdout).toContain(all);
    const [after] = await charon.until('one child SA', ([sa]) => sa?.children.length === 1);
    const spi = (sa: typeof before) => sa?.children[0]?.fields['spi-in'];
    expect(spi(after)).not.toBe(spi(before));
    expect(await linux.ipsecDrops()).toEqual(drops);
  });

  test('nothing is lost while the supervisor is killed and comes back, with the same SAs', async () => {
    const drops = await linux.ipsecDrops();
    const [before] = await charon.established();
    const gone = new Promise((resolve) => bed.supervisor?.once('exit', resolve));
    // Not quiet: who sends an ICMP error is told.
    const pinging = fromUs('-c', '3000', '-i', '0.01', '-W', '5');
    bed.supervisor?.kill('SIGKILL');
    await gone;
    await eventually('FRR has missed us', async () =>
      /"bgpState": *"Established"/.test(await frr.vtysh('show bgp neighbors json'))
        ? undefined
        : true,
    );
    bed.start();
    await frr.established(SEALANE);
    await fresh();
    const { stdout } = await pinging;
    expect(stdout.split('\n').filter((line) => line.startsWith('From '))).toEqual([]);
    expect(stdout).toContain('3000 packets transmitted, 3000 received');
    const [after] = await charon.established();
    expect(after?.fields['uniqueid']).toBe(before?.fields['uniqueid']);
    expect(await linux.ipsecDrops()).toEqual(drops);
    expect((await fromLinux('-c', '3', '-i', '0.2')).stdout).toContain(' 3 received');
  });

  test('what strongSwan will not protect any more goes nowhere in clear', async () => {
    // From now on it has no connection for us: the SA is deleted, and none agreed on.
    await charon.load('connections {\n}\n');
    const capture = await bed.wire.capture();
    await charon.terminate('ike', 'pe');
    await eventually('the SA is gone', async () => {
      const rows = await bed.show<{ state: string }>('tunnels');
      return rows?.every(({ state }) => state !== 'up') === true ? true : undefined;
    });
    expect((await fromUs('-c', '3', '-i', '0.2', '-W', '1')).stdout).toContain(' 0 received');
    const rows = await dissect(await capture.stop(), ['frame.protocols']);
    const clear = rows.filter((row) => /:(gre|mpls|icmp)\b/.test(row['frame.protocols']));
    expect(clear).toEqual([]);
  });
});
