// SPDX-License-Identifier: Apache-2.0
/**
 * A link aggregation group between Sealane and a Linux kernel (User Mode Linux) whose bonding driver speaks IEEE 802.3ad:
 * a protected VPN over two links, one of which is pulled at a time. What the kernel says of us is in /proc/net/bonding.
 *
 *   ce (namespace) -- Sealane -- lag of wan0, wan1 ====== w0, w1 in bond0 -- Linux PE (guest; its customer inside)
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Lab, eventually, outcome } from '../../scripts/lib/lab.js';
import type { Config, ManualSa as SealaneSa } from '../../src/config/types.js';
import { readKeyFile, writeKeyFile } from '../../src/lib/key-file.js';
import { bootLinuxPe, randomSa, type LinuxPe, type ManualSa } from './linux-pe/linux-pe.js';
import { dissect, startCapture } from './linux-pe/wire.js';

const MAIN = fileURLToPath(new URL('../../build/js/main.js', import.meta.url));
const CLI = fileURLToPath(new URL('../../build/js/cli/main.js', import.meta.url));
const OURS = '192.0.2.1';
const THEIRS = '192.0.2.2';
const LINKS = [0, 1] as const;
/** LACP's short timeout is 3 s, counted from the last LACPDU; the rest is for a busy machine. */
const SILENCE_MS = 6000;
const PING_INTERVAL_S = 0.05;

let dir = '';
let lab: Lab | undefined;
let linux: LinuxPe | undefined;
const up = (): { lab: Lab; linux: LinuxPe } => {
  if (lab === undefined || linux === undefined) throw new Error('not up');
  return { lab, linux };
};

async function makeSa(src: string, dst: string, name: string): Promise<ManualSa> {
  const file = `${dir}/${name}`;
  await writeKeyFile(file, 'aes-gcm-128');
  const { keying } = await readKeyFile(file);
  return { ...randomSa(src, dst, 'aes-gcm-128'), key: keying };
}

function config(out: ManualSa, inbound: ManualSa): Config {
  const sa = (direction: 'in' | 'out', { spi }: ManualSa): SealaneSa => ({
    ...{ direction, spi, local: OURS, remote: THEIRS, encapsulation: 'gre' },
    ...{ algorithm: 'aes-gcm-128', keyFile: `${dir}/${direction}` },
  });
  return {
    instance: 'lag',
    lab: { manualSas: true },
    runtimeDirectory: `${dir}/run`,
    stateDirectory: `${dir}/state`,
    segmentDirectory: `${dir}/segments`,
    worker: { memoryMb: 128 },
    ownSp: 'here',
    core: { tunnelAddresses: [OURS] },
    interfaces: {
      core0: {
        role: 'core',
        device: { lag: LINKS.map((n) => ({ kernel: `wan${n}` })) },
        addresses: [`${OURS}/24`],
      },
      ce0: { role: 'ce', vrf: 'a', device: { kernel: 'to-ce' }, addresses: ['10.1.0.1/24'] },
    },
    vrfs: {
      a: {
        routes: [{ prefix: '10.2.0.0/24', tunnel: 't', label: 2000 }],
        exports: [{ name: 'all', protections: ['encrypt'], encapsulations: ['gre'], label: 1000 }],
      },
    },
    tunnels: {
      t: {
        ...{ local: OURS, remote: THEIRS, protection: 'encrypt', encapsulation: 'gre', sa: 'out' },
      },
    },
    manualSas: { out: sa('out', out), in: sa('in', inbound) },
  };
}

/**
 * The guest's NIC says neither speed nor duplex, and the bonding driver has no LACP on what is not full duplex. So the slave
 * is a veth, and what leaves its other end leaves by the NIC, unchanged: a bridge would keep slow protocols to itself.
 */
function slave(n: number): readonly string[] {
  const redirect = (from: string, to: string): readonly string[] => [
    `tc qdisc add dev ${from} clsact`,
    `tc filter add dev ${from} ingress matchall action mirred egress redirect dev ${to}`,
  ];
  return [
    `ip link add s${n} type veth peer name p${n}`,
    `ip link set p${n} up`,
    ...redirect(`w${n}`, `p${n}`),
    ...redirect(`p${n}`, `w${n}`),
    `ip link set s${n} master bond0`,
  ];
}

async function bootLinux(sas: readonly ManualSa[]): Promise<LinuxPe> {
  return bootLinuxPe({
    name: 'lag-linux',
    netns: 'lag-linux',
    nics: LINKS.map((n) => `w${n}`),
    config: {
      underlay: [],
      sas,
      tunnels: [
        {
          ...{ name: 't', encap: 'gre', protection: 'esp', local: THEIRS, remote: OURS },
          inner: [{ local: '10.255.0.2', nextHop: '10.255.0.1' }],
        },
      ],
      vrfs: [
        {
          ...{ name: 'a', table: 1000, labelsIn: [2000] },
          customer: [{ pe: '10.2.0.1/24', host: '10.2.0.2/24' }],
          routes: [{ prefix: '10.1.0.0/24', label: 1000, tunnel: 't' }],
        },
      ],
      extra: [
        'modprobe -a bonding sch_ingress cls_matchall act_mirred; ip link del bond0 || true',
        'ip link add bond0 type bond mode 802.3ad lacp_rate fast miimon 100 xmit_hash_policy layer3+4',
        ...LINKS.flatMap(slave),
        `ip link set bond0 up; ip addr add ${THEIRS}/24 dev bond0`,
      ],
    },
  });
}

interface LagRow {
  readonly member: string;
  readonly link: string;
  readonly collecting: boolean;
  readonly distributing: boolean;
  readonly system: string;
  readonly key: number;
  readonly partnerSystem: string;
  readonly txPackets: string;
}

async function show<Row>(topic: string): Promise<Row[]> {
  const socket = `${dir}/run/control.sock`;
  const { code, stdout } = await outcome([
    'node',
    CLI,
    '--socket',
    socket,
    'show',
    topic,
    '--json',
  ]);
  return code === 0 ? (JSON.parse(stdout) as Row[]) : [];
}

const links = async (): Promise<boolean[]> =>
  (await show<LagRow>('lags')).map((row) => row.distributing && row.collecting);

/** Both ends use exactly these links. */
async function used(...wanted: readonly number[]): Promise<void> {
  const expected = LINKS.map((n) => wanted.includes(n));
  await eventually(
    `links ${wanted.join(', ')} used by both ends`,
    async () => {
      const ours = await links();
      const { ports } = await bonding();
      return JSON.stringify(ours) === JSON.stringify(expected) && ports === wanted.length
        ? true
        : undefined;
    },
    40_000,
  ).catch(async (error: unknown) => {
    const seen = `${JSON.stringify(await show('lags'))}\n${(await bonding()).text}`;
    throw new Error(`${String(error)}\n${seen}`);
  });
}

/** What the kernel's bonding driver says: of its active aggregator, and who is in it. */
async function bonding(): Promise<{ text: string; ports: number; partner: string; key: number }> {
  const text = await up().linux.exec('cat /proc/net/bonding/bond0');
  const field = (pattern: RegExp): string => pattern.exec(text)?.[1] ?? '';
  return {
    text,
    ports: Number(field(/Number of ports: (\d+)/)),
    partner: field(/Partner Mac Address: (\S+)/),
    key: Number(field(/Partner Key: (\d+)/)),
  };
}

const macOf = async (nic: string): Promise<string> => {
  const said = await up().lab.must('lag-pe', ['ip', '-j', 'link', 'show', 'dev', nic]);
  return (JSON.parse(said) as { address: string }[])[0]?.address ?? '';
};

/** Pings from Sealane's customer for so long; how many of how many were lost. */
async function ping(seconds: number): Promise<{ sent: number; lost: number }> {
  const count = Math.round(seconds / PING_INTERVAL_S);
  const argv = ['ping', '-q', '-n', '-W', '1', '-i', String(PING_INTERVAL_S), '-c', String(count)];
  const { stdout } = await up().lab.exec('lag-ce', [...argv, '10.2.0.2']);
  const [, sent, got] = /(\d+) packets transmitted, (\d+) received/.exec(stdout) ?? [];
  return { sent: Number(sent), lost: Number(sent) - Number(got) };
}

async function startSealane(out: ManualSa, inbound: ManualSa): Promise<void> {
  const { lab: l } = up();
  writeFileSync(`${dir}/config.json`, JSON.stringify(config(out, inbound)));
  const log = `${dir}/sealane.log`;
  l.start('lag-pe', ['node', MAIN, 'run', `${dir}/config.json`], log);
  await used(0, 1).catch((error: unknown) => {
    const worker = readFileSync(`${dir}/run/worker.log`, 'utf8');
    throw new Error(`${String(error)}\n${readFileSync(log, 'utf8')}\n${worker}`);
  });
  // Both ends learn the other's MAC address.
  await eventually('the other customer answers', async () =>
    (await ping(0.05)).lost === 0 ? true : undefined,
  );
}

beforeAll(async () => {
  dir = mkdtempSync('/dev/shm/sealane-lag-');
  for (const sub of ['run', 'state', 'segments']) mkdirSync(`${dir}/${sub}`, { mode: 0o700 });
  lab = await Lab.open('sealane-lag');
  for (const netns of ['lag-linux', 'lag-pe', 'lag-ce']) await lab.namespace(netns);
  for (const n of LINKS) await lab.link('lag-linux', `w${n}`, 'lag-pe', `wan${n}`);
  await lab.link('lag-pe', 'to-ce', 'lag-ce', 'eth0');
  await lab.ip('lag-ce', ['addr add 10.1.0.2/24 dev eth0', 'route add default via 10.1.0.1']);
  lab.own('lag-a');
  const out = await makeSa(OURS, THEIRS, 'out');
  const inbound = await makeSa(THEIRS, OURS, 'in');
  linux = await bootLinux([out, inbound]);
  await startSealane(out, inbound);
}, 300_000);

afterAll(async () => {
  await outcome(['node', CLI, '--socket', `${dir}/run/control.sock`, 'stop']);
  await linux?.stop();
  await lab?.close();
  rmSync(dir, { recursive: true, force: true });
});

describe('a link aggregation group with the Linux bonding driver', () => {
  test('both ends know each other by the same systems and keys', async () => {
    const rows = await show<LagRow>('lags');
    const mac = await macOf('wan0');
    const theirs = (await up().linux.exec('cat /sys/class/net/bond0/address')).trim();
    expect(rows.map(({ system }) => system)).toEqual([`32768,${mac}`, `32768,${mac}`]);
    expect(rows.map((row) => row.partnerSystem)).toEqual([`65535,${theirs}`, `65535,${theirs}`]);
    const { ports, partner, key } = await bonding();
    expect({ ports, partner, key }).toEqual({ ports: 2, partner: mac, key: rows[0]?.key });
  });

  test('tshark reads our LACPDUs', async () => {
    const capture = await startCapture({ netns: 'lag-linux', nic: 'w1' }, `${dir}/lacp.pcap`);
    await new Promise((resolve) => setTimeout(resolve, 3500));
    const file = await capture.stop();
    const mac = await macOf('wan1');
    const system = await macOf('wan0');
    const fields = [
      ...(['eth.dst', 'lacp.actor.sysid', 'lacp.actor.state_str', 'lacp.actor.port'] as const),
      ...(['lacp.partner.sysid', 'lacp.version', '_ws.malformed'] as const),
    ];
    const rows = await dissect(file, fields, { filter: `lacp && eth.src == ${mac}` });
    const theirs = (await up().linux.exec('cat /sys/class/net/bond0/address')).trim();
    const [{ key }] = (await show<LagRow>('lags')) as [LagRow];
    expect(rows.length).toBeGreaterThanOrEqual(3); // the guest asks for one a second
    expect(rows.length).toBeLessThanOrEqual(5);
    for (const row of rows) {
      expect(row).toMatchObject({
        ...{ 'eth.dst': '01:80:c2:00:00:02', 'lacp.version': '0x01', '_ws.malformed': '' },
        ...{ 'lacp.actor.sysid': system, 'lacp.partner.sysid': theirs },
        'lacp.actor.port': String(key * 16 + 2),
      });
      expect(row['lacp.actor.state_str']).toContain('DCSGSA');
    }
  });

  test('pings and TCP cross it', async () => {
    expect(await ping(2)).toEqual({ sent: 40, lost: 0 });
    const { lab: l, linux: guest } = up();
    await guest.exec(
      `(ip netns exec ce-a nc.openbsd -l 5001 >/tmp/got.part; mv /tmp/got.part /tmp/got) </dev/null >/dev/null 2>&1 &
       until ip netns exec ce-a sh -c "grep -q ' 00000000:1389 .* 0A ' /proc/net/tcp"; do sleep 0.1; done`,
    );
    const sent = await l.must('lag-ce', [
      ...['sh', '-c'],
      `head -c 500000 /dev/urandom >${dir}/sent
       nc.openbsd -N -w 10 10.2.0.2 5001 <${dir}/sent; md5sum <${dir}/sent`,
    ]);
    const got = await guest.exec('until [ -e /tmp/got ]; do sleep 0.1; done; md5sum </tmp/got');
    expect(got.trim()).toBe(sent.trim());
  });

  test.each(LINKS)('link %i is pulled and put back', async (n) => {
    const other = 1 - n;
    const { linux: guest } = up();
    const pinging = ping(20);
    await new Promise((resolve) => setTimeout(resolve, 2000));
    // The guest's driver sees its link go; what we see is silence.
    await guest.exec(`ip link set p${n} down`);
    await used(other);
    const [row] = (await show<LagRow>('lags')).filter(({ member }) => member === `wan${n}`);
    expect(row).toMatchObject({ link: 'up', collecting: false, distributing: false });
    const { sent, lost } = await pinging;
    expect(sent).toBe(400);
    expect(lost * PING_INTERVAL_S * 1000).toBeLessThan(SILENCE_MS);
    // On one link, and while the other comes back: nothing.
    expect(await ping(2)).toEqual({ sent: 40, lost: 0 });
    const after = ping(10);
    await guest.exec(`ip link set p${n} up`);
    await used(0, 1);
    expect(await after).toEqual({ sent: 200, lost: 0 });
  });

  test('a worker with a group is replaced with a gap, and it says so', async () => {
    const { stdout } = await outcome([
      ...['node', CLI, '--socket', `${dir}/run/control.sock`],
      ...['worker', 'restart'],
    ]);
    expect(stdout).toMatch(/packets were lost for \d+ ms: .*LACP begins anew with the next worker/);
    await used(0, 1);
    expect(await ping(2)).toEqual({ sent: 40, lost: 0 });
  });
});
