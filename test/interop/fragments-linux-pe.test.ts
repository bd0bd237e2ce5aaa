// SPDX-License-Identifier: Apache-2.0
/**
 * A Linux kernel PE (User Mode Linux) whose ESP packets have no DF, and a core router with a link of 1280 bytes on the
 * way: Sealane gets fragments of them.
 *
 *   frg-ce --- frg-pe (Sealane) ===1280=== frg-core (router) ===1500=== frg-linux (guest; its customer inside)
 *   10.1.0.2   192.0.2.1                                                198.51.100.2          10.2.0.2
 */
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { show as showAt } from '../../scripts/lib/control.js';
import { Lab, eventually, outcome } from '../../scripts/lib/lab.js';
import type { Config } from '../../src/config/types.js';
import { readKeyFile, writeKeyFile } from '../../src/lib/key-file.js';
import type { Topic, TopicRows } from '../../src/rpc/client.js';
import { bootLinuxPe, randomSa, type LinuxPe, type ManualSa } from './linux-pe/linux-pe.js';
import { dissect, startCapture } from './linux-pe/wire.js';

const MAIN = fileURLToPath(new URL('../../build/js/main.js', import.meta.url));
const CLI = fileURLToPath(new URL('../../build/js/cli/main.js', import.meta.url));
const HERE = '192.0.2.1';
const THERE = '198.51.100.2';
const CORE_MTU = 1280;
const LABEL = { here: 1001, there: 1002 };

let dir = '';
let lab: Lab;
let linux: LinuxPe;
let sas: { readonly in: ManualSa; readonly out: ManualSa };
/** Undone in reverse. */
const undo: (() => Promise<unknown>)[] = [];

async function makeSa(name: string, from: string, to: string): Promise<ManualSa> {
  const file = `${dir}/${name}`;
  await writeKeyFile(file, 'aes-gcm-128');
  const { keying } = await readKeyFile(file);
  return { ...randomSa(from, to, 'aes-gcm-128', { replayWindow: 1024 }), key: keying };
}

function config(): Config {
  const common = {
    ...{ local: HERE, remote: THERE },
    ...({ encapsulation: 'gre', algorithm: 'aes-gcm-128' } as const),
  };
  return {
    instance: 'frg',
    lab: { manualSas: true },
    runtimeDirectory: `${dir}/run`,
    stateDirectory: `${dir}/state`,
    segmentDirectory: `${dir}/segments`,
    worker: { memoryMb: 64 },
    ownSp: 'here',
    core: { tunnelAddresses: [HERE] },
    interfaces: {
      core0: {
        ...{ role: 'core', device: { kernel: 'wan' }, mtu: CORE_MTU },
        addresses: [`${HERE}/24`],
      },
      ce: { role: 'ce', vrf: 'A', device: { kernel: 'cust' }, addresses: ['10.1.0.1/24'] },
    },
    vrfs: {
      A: {
        routes: [{ prefix: '10.2.0.0/24', tunnel: 'peer', label: LABEL.there }],
        exports: [
          {
            ...{ name: 'all', label: LABEL.here },
            ...{ protections: ['encrypt'], encapsulations: ['gre'] },
          },
        ],
      },
    },
    tunnels: {
      peer: {
        ...{ local: HERE, remote: THERE, encapsulation: 'gre', protection: 'encrypt' },
        sa: 'out',
      },
    },
    manualSas: {
      out: { ...common, direction: 'out', spi: sas.out.spi, keyFile: `${dir}/out` },
      in: { ...common, direction: 'in', spi: sas.in.spi, keyFile: `${dir}/in` },
    },
  };
}

async function makeCore(): Promise<void> {
  for (const name of ['pe', 'core', 'linux', 'ce']) await lab.namespace(`frg-${name}`);
  lab.own('frg-A');
  await lab.link('frg-pe', 'wan', 'frg-core', 'south');
  await lab.link('frg-linux', 'wan0', 'frg-core', 'north');
  await lab.link('frg-pe', 'cust', 'frg-ce', 'eth0');
  await lab.ip('frg-pe', [`link set wan mtu ${String(CORE_MTU)}`]);
  await lab.ip('frg-core', [
    `link set south mtu ${String(CORE_MTU)}`,
    'addr add 192.0.2.254/24 dev south',
    'addr add 198.51.100.1/24 dev north',
  ]);
  await lab.must('frg-core', ['sysctl', '-qw', 'net.ipv4.ip_forward=1']);
  await lab.ip('frg-ce', ['addr add 10.1.0.2/24 dev eth0', 'route add default via 10.1.0.1']);
}

const bootLinux = async (): Promise<LinuxPe> =>
  bootLinuxPe({
    ...{ name: 'frg-linux', netns: 'frg-linux', nics: ['wan0'] },
    config: {
      underlay: [{ nic: 'wan0', address: `${THERE}/24`, gateway: '198.51.100.1' }],
      sas: [sas.in, sas.out],
      tunnels: [
        {
          ...{ name: 't0', encap: 'gre', protection: 'esp', local: THERE, remote: HERE },
          inner: [{ local: '10.255.0.2', nextHop: '10.255.0.1' }],
          options: 'nopmtudisc', // the outer header then has no DF
        },
      ],
      vrfs: [
        {
          ...{ name: 'vrfA', table: 1000, labelsIn: [LABEL.there] },
          customer: [{ pe: '10.2.0.1/24', host: '10.2.0.2/24' }],
          routes: [{ prefix: '10.1.0.0/24', label: LABEL.here, tunnel: 't0' }],
        },
      ],
    },
  });

const show = async <T extends Topic>(topic: T): Promise<TopicRows[T][]> =>
  showAt(`${dir}/run/control.sock`, topic);

async function startSealane(): Promise<void> {
  writeFileSync(`${dir}/config.json`, JSON.stringify(config()));
  const log = `${dir}/sealane.log`;
  lab.start('frg-pe', ['node', MAIN, 'run', `${dir}/config.json`], log);
  undo.push(async () => outcome(['node', CLI, '--socket', `${dir}/run/control.sock`, 'stop']));
  const route = ['ip', 'route', 'replace', '198.51.100.0/24', 'via', '192.0.2.254'];
  await eventually('the tunnel is up', async () => {
    await lab.exec('frg-pe', route); // when its interface is there
    const rows = await show('tunnels').catch(() => []);
    return rows.some(({ state }) => state === 'up') ? true : undefined;
  }).catch((error: unknown) => {
    throw new Error(`${String(error)}\n${readFileSync(log, 'utf8').slice(-4000)}`);
  });
}

beforeAll(async () => {
  dir = mkdtempSync('/dev/shm/sealane-fragments-');
  for (const sub of ['run', 'state', 'segments']) mkdirSync(`${dir}/${sub}`, { mode: 0o700 });
  undo.push(async () => rm(dir, { recursive: true, force: true }));
  sas = { in: await makeSa('in', THERE, HERE), out: await makeSa('out', HERE, THERE) };
  lab = await Lab.open('sealane-fragments');
  undo.push(async () => lab.close());
  await makeCore();
  linux = await bootLinux();
  undo.push(async () => linux.stop());
  await startSealane();
}, 300_000);
afterAll(async () => {
  for (const step of undo.reverse()) await step();
});

const fromCustomer = async (command: string): Promise<string> =>
  linux.exec(`ip netns exec ce-vrfA ${command}`);

const reassembled = async (): Promise<bigint> =>
  (await show('interfaces')).find(({ name }) => name === 'core0')?.reassembled ?? -1n;

/** While `during` runs: datagrams that came in pieces, as tshark sees them at the PE, and as the PE counts them. */
async function counted(during: () => Promise<void>): Promise<{ seen: number; ours: number }> {
  const before = await reassembled();
  const capture = await startCapture({ netns: 'frg-pe', nic: 'wan' }, `${dir}/wan.pcap`);
  await during();
  const file = await capture.stop();
  const pieces = await dissect(file, ['ip.id'], {
    filter: `ip.src==${THERE} && (ip.flags.mf==1 || ip.frag_offset>0)`,
  });
  const seen = new Set(pieces.map((piece) => piece['ip.id'])).size;
  return { seen, ours: Number((await reassembled()) - before) };
}

async function unwantedDrops(): Promise<unknown[]> {
  return (await show('drops')).filter(
    ({ reason, packets }) => /^(esp|label|gre|outer|reassembly|ip4)/.test(reason) && packets > 0n,
  );
}

it('pings of every size round the core’s MTU arrive, those in pieces put together', async () => {
  await eventually('a first answer', async () =>
    (await linux.run('ip netns exec ce-vrfA ping -q -c 1 -W 1 10.1.0.2')).status === 0
      ? true
      : undefined,
  );
  // 1218 bytes, headers of 28 counted, fit the core; larger answers are cut before they are encapsulated
  const sizes = [1180, 1189, 1190, 1191, 1192, 1200, 1300, 1368];
  const found = await counted(async () => {
    for (const size of sizes) {
      const said = await fromCustomer(
        `ping -q -c 2 -i 0.1 -W 2 -M dont -s ${String(size)} 10.1.0.2`,
      );
      expect(said).toContain('2 received');
    }
  });
  expect(found).toEqual({ seen: 2 * 5, ours: 2 * 5 });
  expect(await unwantedDrops()).toEqual([]);
});

it('TCP crosses both ways', async () => {
  const [received, sent] = [`${dir}/received`, `${dir}/sent`];
  const server = lab.start(
    'frg-ce',
    ['sh', '-c', `nc.openbsd -l 5002 >${received}`],
    `${dir}/nc.log`,
  );
  await eventually('nc listens', async () =>
    (await lab.must('frg-ce', ['ss', '-Hltn', 'sport = :5002'])) === '' ? undefined : true,
  );
  const found = await counted(async () => {
    const theirs = await linux.exec(
      `head -c 300000 /dev/urandom >/tmp/sent
       ip netns exec ce-vrfA nc.openbsd -N -w 10 10.1.0.2 5002 </tmp/sent
       md5sum </tmp/sent`,
    );
    await eventually('nc ended', () => (server.exitCode === null ? undefined : true));
    expect((await outcome(['sh', '-c', `md5sum <${received}`])).stdout).toBe(theirs);
  });
  expect(found.seen).toBeGreaterThan(100);
  expect(found.ours).toBe(found.seen);

  const listening = `grep -q ' 00000000:1389 .* 0A ' /proc/net/tcp`;
  await linux.exec(
    `(ip netns exec ce-vrfA nc.openbsd -l 5001 >/tmp/got.part; mv /tmp/got.part /tmp/got) </dev/null >/dev/null 2>&1 &
     until ip netns exec ce-vrfA sh -c "${listening}"; do sleep 0.1; done`,
  );
  const send = `head -c 300000 /dev/urandom >${sent}; nc.openbsd -N -w 10 10.2.0.2 5001 <${sent}; md5sum <${sent}`;
  const ours = await lab.must('frg-ce', ['sh', '-c', send]);
  const got = await linux.exec('until [ -e /tmp/got ]; do sleep 0.1; done; md5sum </tmp/got');
  expect(got).toBe(ours);
  expect(await unwantedDrops()).toEqual([]);
  expect(await linux.ipsecDrops()).toEqual({});
});
