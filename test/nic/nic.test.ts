// SPDX-License-Identifier: Apache-2.0
/** Sealane's worker on PCI NICs with DPDK's poll-mode drivers, in a protected VPN with a Linux kernel PE. */
import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually } from '../../scripts/lib/lab.js';
import { dissect } from '../lib/tshark.js';
import { Bed, CORE, CORE_MAC, CUSTOMER, CUSTOMER_MAC, type InterfaceRow } from './bed.js';
import { LABELS, largest } from './bed.js';
import { LINUX, type Machine, OURS, SEALANE, TAGGED, THEIRS, VLAN } from './bed.js';
import { nicAddress } from './vm/vm.js';

const TAGGED_PY = fileURLToPath(new URL('tagged.py', import.meta.url));

const DAMAGED_PY = fileURLToPath(new URL('damaged.py', import.meta.url));

const machines: readonly (Machine & { readonly driver: string; readonly offloads: string })[] = [
  {
    ...{ model: 'e1000e', bind: 'uio_pci_generic', mtu: 1500, driver: 'net_e1000_em' },
    offloads: 'vlan-strip ip4-checksum',
  },
  {
    ...{ model: 'virtio-net-pci', bind: 'uio_pci_generic', mtu: 1500, driver: 'net_virtio' },
    offloads: '', // its driver strips tags in software
  },
];

const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;

/** What is neither ESP nor IKE, and no address resolution or listener report of the kernels on either side. */
const isOther = (protocols: string): boolean =>
  !/^eth:ethertype:(arp|ip:esp|ip:udp:isakmp|ipv6:(ipv6\.hopopts:)?icmpv6)\b/.test(protocols);

describe.each(
  machines.map((machine): [string, (typeof machines)[number]] => [
    `${machine.model} by ${machine.driver} and ${machine.bind}, MTU ${String(machine.mtu)}`,
    machine,
  ]),
)('%s', (_title, { driver, offloads, ...machine }) => {
  const LARGEST = largest(machine.mtu);
  let bed: Bed;

  beforeAll(async () => {
    bed = await Bed.open(machine);
    const begun = Date.now();
    await bed.start();
    const words = `booted in ${seconds(bed.vm.bootMs)}, first packet across ${seconds(Date.now() - begun)} after`;
    process.stderr.write(`${machine.model}, ${machine.bind}: ${words} Sealane's start\n`);
  }, 600_000);

  afterAll(async () => {
    await (bed as Bed | undefined)?.close();
  });

  test('its NICs are driven by that driver, in hugepages, with their own MAC addresses', async () => {
    const log = await bed.workerSaid();
    for (const nic of [CORE, CUSTOMER]) {
      expect(log).toMatch(new RegExp(`port \\d+ pci ${nicAddress(nic)}: ${driver}, 1 queues`));
    }
    expect(log).toMatch(/packet buffers of \d+ bytes in hugepages/);
    expect(log).toContain('no privileges left');
    const rows = await bed.show<InterfaceRow>('interfaces');
    expect(rows.filter(({ name }) => !name.startsWith('host/'))).toMatchObject([
      { name: 'core0', device: `pci ${nicAddress(CORE)}`, mac: CORE_MAC, link: 'up' },
      { name: 'ce-a', device: `pci ${nicAddress(CUSTOMER)}`, link: 'up' },
      { name: 'ce-b', device: `pci ${nicAddress(CUSTOMER)}`, vlan: VLAN, link: 'up' },
    ]);
  });

  test('what its NICs can do is left to them', async () => {
    const rows = await bed.show<{ device: string; offloads: string }>('ports');
    expect(rows.map((row) => [row.device, row.offloads])).toEqual([
      [`pci ${nicAddress(CORE)}`, offloads],
      [`pci ${nicAddress(CUSTOMER)}`, offloads],
    ]);
  });

  test('IKE came by the core NIC, and nothing in clear before it', async () => {
    const rows = await dissect(bed.beginning, [
      'frame.protocols',
      'isakmp.exchangetype',
      'eth.src',
    ]);
    expect(rows.map((row) => row['frame.protocols']).filter(isOther)).toEqual([]);
    const ours = rows.filter((row) => row['eth.src'] === CORE_MAC);
    // IKE_SA_INIT, IKE_AUTH
    for (const type of ['34', '35']) {
      expect(ours.filter((row) => row['isakmp.exchangetype'] === type).length).toBeGreaterThan(0);
    }
    const [sa] = await bed.charon.established();
    expect(sa?.children.map(({ fields }) => fields)).toMatchObject([
      { name: 'gre', state: 'INSTALLED', mode: 'TRANSPORT' },
    ]);
  });

  test('pings cross both ways; on the wire is ESP, and in it what it should be', async () => {
    const capture = await bed.capture();
    const pings = ['-c', '10', '-i', '0.1'];
    expect((await bed.fromUs(...pings)).stdout).toContain(' 10 received');
    expect(await bed.fromLinux(...pings)).toContain(' 10 received');
    const file = await capture.stop();
    const outer = await dissect(file, ['frame.protocols']);
    expect(outer.map((row) => row['frame.protocols']).filter(isOther)).toEqual([]);
    const inner = await dissect(file, ['mpls.label', 'icmp.type', 'ip.src', 'eth.src'], {
      espSas: bed.keys('esp_sa'),
      filter: 'icmp',
    });
    const seen = (label: number, type: number, ...addresses: readonly string[]): number =>
      inner.filter(
        (row) =>
          row['mpls.label'] === String(label) &&
          row['icmp.type'] === String(type) &&
          row['ip.src'] === addresses.join(','),
      ).length;
    expect(seen(LABELS.theirs, 8, SEALANE, OURS)).toBe(10);
    expect(seen(LABELS.ours, 0, LINUX, THEIRS)).toBe(10);
    expect(seen(LABELS.ours, 8, LINUX, THEIRS)).toBe(10);
    expect(seen(LABELS.theirs, 0, SEALANE, OURS)).toBe(10);
  });

  test.each([
    ['from Sealane', async (...words: string[]) => (await bed.fromUs(...words)).stdout],
    ['from Linux', (...words: string[]) => bed.fromLinux(...words)],
  ])('%s: the largest packet fills a frame, of a larger one the sender hears', async (_, ping) => {
    // 20 of IPv4 and 8 of ICMP
    const dont = ['-c', '1', '-M', 'do', '-s'];
    expect(await ping(...dont, String(LARGEST - 28))).toContain(' 1 received');
    expect(await ping(...dont, String(LARGEST - 27))).toMatch(
      new RegExp(`mtu ?= ?${String(LARGEST)}\\b`),
    );
  });

  test('a tag is there both ways, also in the largest frame', async () => {
    for (const octets of [100, machine.mtu]) {
      const words = [String(VLAN), TAGGED.host, TAGGED.router, String(octets)].join(' ');
      const { stdout, stderr } = await bed.customer(
        `/usr/bin/python3 -B ${TAGGED_PY} ce0 ${words}`,
      );
      expect(stdout.trim(), stderr).toBe(`${String(VLAN)} ${String(octets)}`);
    }
  });

  test('TCP: 2 MiB each way arrive as they were, and nobody drops anything for its checksum', async () => {
    const data = randomBytes(2 << 20);
    const refused = await bed.linux.ipsecDrops();
    writeFileSync(`${bed.dir}/sent`, data);
    writeFileSync(`${bed.linux.folder}/sent`, data);
    const inside = (script: string) => bed.linux.run(`ip netns exec ce-A sh -c '${script}'`);
    const there = inside('nc.openbsd -l -N 5001 </dev/null >/peer/got');
    const to = `until nc.openbsd -N ${THEIRS} 5001 <${bed.dir}/sent >/dev/null; do sleep 0.2; done`;
    expect((await bed.customer(to)).code).toBe(0);
    expect((await there).status).toBe(0);
    expect(readFileSync(`${bed.linux.folder}/got`).equals(data)).toBe(true);
    const here = bed.customer(`nc.openbsd -l -N 5002 </dev/null >${bed.dir}/got`);
    const from = `until nc.openbsd -N ${OURS} 5002 </peer/sent >/dev/null; do sleep 0.2; done`;
    expect((await inside(from)).status).toBe(0);
    expect((await here).code).toBe(0);
    expect(readFileSync(`${bed.dir}/got`).equals(data)).toBe(true);
    expect(await bed.linux.ipsecDrops()).toEqual(refused);
    const drops = await bed.show<{ reason: string; packets: string }>('drops');
    const unwanted = /^(ip4_checksum|rx_|esp|label|gre|no_mbuf|tx_)/;
    expect(drops.filter((d) => unwanted.test(d.reason) && Number(d.packets) > 0)).toEqual([]);
  });

  test('frames with a wrong IPv4 checksum are dropped for that, tagged or not', async () => {
    const dropped = async (): Promise<number> =>
      Number(
        (await bed.show<{ reason: string; packets: string }>('drops')).find(
          ({ reason }) => reason === 'ip4_checksum',
        )?.packets ?? 0, // only those that happened
      );
    const before = await dropped();
    for (const [vlan, source] of [
      [0, OURS],
      [VLAN, TAGGED.host],
    ] as const) {
      const words = [CUSTOMER_MAC, String(vlan), source, THEIRS, '20'].join(' ');
      const { code, stderr } = await bed.customer(`/usr/bin/python3 -B ${DAMAGED_PY} ce0 ${words}`);
      expect(code, stderr).toBe(0);
    }
    await eventually('all are counted', async () =>
      (await dropped()) === before + 40 ? true : undefined,
    );
  });

  test.each([
    ['core', CORE],
    ['customer', CUSTOMER],
  ])('the cable of the %s NIC out and in again: said, and packets cross again', async (_, nic) => {
    const port = `port="pci ${nicAddress(nic)}"`;
    const from = bed.said().length;
    const says = (what: string): Promise<true> =>
      eventually(what, () => bed.said().slice(from).includes(`${what} ${port}`) || undefined);
    await bed.vm.setLink(nic, false);
    await says('link down');
    const rows = await bed.show<InterfaceRow>('interfaces');
    const down = rows.filter(({ link }) => link === 'down').map(({ device }) => device);
    expect(new Set(down)).toEqual(new Set([`pci ${nicAddress(nic)}`]));
    expect((await bed.fromUs('-c', '1')).stdout).toContain(' 0 received');
    await bed.vm.setLink(nic, true);
    await bed.answered();
    await says('link up');
  });

  test('a worker is replaced with a gap, and says so', async () => {
    const { code, stdout, stderr } = await bed.cli('worker', 'restart');
    expect(code, stderr).toBe(0);
    expect(stdout).toMatch(/packets were lost for \d+ ms/);
    expect(stdout).toContain(`${driver} gives its frames to one process only`);
    await bed.answered();
  });

  test('a worker that is killed leaves NICs that the next one can use', async () => {
    const from = bed.said().length;
    await bed.vm.must('kill -9 $(pidof sealane-worker)');
    await eventually('the next worker forwards', () =>
      bed.said().slice(from).includes('the worker forwards') ? true : undefined,
    );
    // Not the first ten: how long the links take to come up is the NIC's affair.
    await eventually('ten answers to ten pings', async () =>
      (await bed.fromUs('-c', '10', '-i', '0.1')).stdout.includes(' 10 received')
        ? true
        : undefined,
    );
  });
});
