// SPDX-License-Identifier: Apache-2.0
/**
 * Sealane as one PE, a Linux kernel (esp4, ip_gre, mpls, vrf; User Mode Linux) as the other: a VPN for
 * each encapsulation, outer family and suite, side by side, with static labels and manual SAs.
 *
 *   ce-0 ... ce-N (namespaces) -- Sealane -- wan0 ------ wan0 -- Linux PE (guest; its customers inside)
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Lab, eventually, outcome } from '../../scripts/lib/lab.js';
import type { Config, ExportRule, ManualSa as SealaneSa } from '../../src/config/types.js';
import { type Algorithm, encrypts } from '../../src/lib/esp-suites.js';
import { readKeyFile, writeKeyFile } from '../../src/lib/key-file.js';
import {
  bootLinuxPe,
  type EspSuite,
  randomSa,
  type LinuxPe,
  type ManualSa,
} from './linux-pe/linux-pe.js';
import { dissect, makeWire, type Wire } from './linux-pe/wire.js';

interface Variant {
  readonly encap: 'gre' | 'ip';
  readonly outer: 4 | 6;
  readonly suite?: Algorithm;
  readonly esn?: true;
}

/** Suites of ours in the guest's words. */
const THEIRS: Readonly<Partial<Record<Algorithm, EspSuite>>> = {
  'aes-gcm-128': 'aes-gcm-128',
  'aes-gcm-256': 'aes-gcm-256',
  'aes-gmac-128': 'aes-gmac-128',
  'aes-gmac-256': 'aes-gmac-256',
  'chacha20-poly1305': 'chacha20-poly1305',
  'aes-cbc-128-sha-256': 'aes-cbc-128-hmac-sha256',
  'aes-cbc-256-sha-384': 'aes-cbc-256-hmac-sha384',
  'aes-cbc-256-sha-512': 'aes-cbc-256-hmac-sha512',
  'null-sha-256': 'null-hmac-sha256',
};
function theirs(suite: Algorithm): EspSuite {
  const name = THEIRS[suite];
  if (name === undefined) throw new Error(`the guest has no ${suite}`);
  return name;
}

const variants: readonly Variant[] = [
  { encap: 'gre', outer: 4, suite: 'aes-gcm-128' },
  { encap: 'gre', outer: 4, suite: 'aes-gmac-128' },
  { encap: 'gre', outer: 6, suite: 'aes-gcm-256' },
  { encap: 'ip', outer: 4, suite: 'aes-gcm-256' },
  { encap: 'ip', outer: 6, suite: 'aes-gmac-256' },
  { encap: 'gre', outer: 4, suite: 'aes-gcm-256', esn: true },
  { encap: 'gre', outer: 6, suite: 'aes-gmac-128', esn: true },
  { encap: 'gre', outer: 4, suite: 'chacha20-poly1305' },
  { encap: 'ip', outer: 4, suite: 'chacha20-poly1305', esn: true },
  { encap: 'gre', outer: 4, suite: 'aes-cbc-128-sha-256' },
  { encap: 'ip', outer: 6, suite: 'aes-cbc-256-sha-384' },
  { encap: 'gre', outer: 4, suite: 'aes-cbc-256-sha-512', esn: true },
  { encap: 'gre', outer: 4, suite: 'null-sha-256' },
  { encap: 'gre', outer: 4, suite: 'null-sha-256', esn: true },
  { encap: 'gre', outer: 4 },
  { encap: 'ip', outer: 6 },
];

const MAIN = fileURLToPath(new URL('../../build/js/main.js', import.meta.url));
const CLI = fileURLToPath(new URL('../../build/js/cli/main.js', import.meta.url));
const SEALANE = 1;
const LINUX = 2;
const outer = (v: Variant, n: number, side: number): string =>
  v.outer === 4 ? `192.0.2.${String(n * 4 + side)}` : `2001:db8::${String(n)}:${String(side)}`;
const label = (n: number, side: number): number => 1000 * side + n;
const suiteName = (v: Variant): string => `${v.suite ?? 'clear'}${v.esn ? ', ESN' : ''}`;
const protection = (v: Variant): 'encrypt' | 'authenticate' | 'tunnel' =>
  v.suite === undefined ? 'tunnel' : encrypts(v.suite) ? 'encrypt' : 'authenticate';

interface Keyed {
  readonly toLinux: ManualSa;
  readonly toSealane: ManualSa;
}

let dir = '';
let wire: Wire | undefined;
let lab: Lab | undefined;
let linux: LinuxPe | undefined;
const sas = new Map<number, Keyed>();
const spisOf = (pair: Keyed): string[] =>
  [pair.toLinux, pair.toSealane].map((sa) => `0x${sa.spi.toString(16).padStart(8, '0')}`);

function up(): { wire: Wire; lab: Lab; linux: LinuxPe } {
  if (wire === undefined || lab === undefined || linux === undefined) throw new Error('not up');
  return { wire, lab, linux };
}

async function makeSas(): Promise<void> {
  for (const [n, v] of variants.entries()) {
    if (v.suite === undefined) continue;
    const make = async (from: number, to: number, name: string): Promise<ManualSa> => {
      const file = `${dir}/${name}-${String(n)}`;
      const suite = v.suite ?? 'aes-gcm-128';
      await writeKeyFile(file, suite);
      const sa = randomSa(outer(v, n, from), outer(v, n, to), theirs(suite), {
        ...(v.esn && { esn: true, replayWindow: 1024 }),
      });
      const { keying } = await readKeyFile(file);
      const authKey = keying.subarray(keying.length - sa.authKey.length);
      return { ...sa, key: keying.subarray(0, keying.length - sa.authKey.length), authKey };
    };
    sas.set(n, {
      toLinux: await make(SEALANE, LINUX, 'to-linux'),
      toSealane: await make(LINUX, SEALANE, 'to-sealane'),
    });
  }
}

function manualSas(): Record<string, SealaneSa> {
  const all: Record<string, SealaneSa> = {};
  for (const [n, keyed] of sas) {
    const v = variants[n];
    if (v?.suite === undefined) continue;
    const common = {
      local: outer(v, n, SEALANE),
      remote: outer(v, n, LINUX),
      encapsulation: v.encap,
      algorithm: v.suite,
      ...(v.esn && { esn: true }),
    };
    const number = String(n);
    all[`out-${number}`] = {
      ...common,
      direction: 'out',
      spi: keyed.toLinux.spi,
      keyFile: `${dir}/to-linux-${number}`,
    };
    all[`in-${number}`] = {
      ...common,
      direction: 'in',
      spi: keyed.toSealane.spi,
      keyFile: `${dir}/to-sealane-${number}`,
    };
  }
  return all;
}

function sealaneConfig(): Config {
  const each = <T>(make: (v: Variant, n: number) => readonly [string, T]): Record<string, T> =>
    Object.fromEntries(variants.map(make));
  const exportRule = (v: Variant, n: number): ExportRule => ({
    name: 'all',
    protections: [protection(v)],
    encapsulations: [v.encap],
    label: label(n, SEALANE),
  });
  return {
    instance: 'slx',
    lab: { manualSas: true },
    runtimeDirectory: `${dir}/run`,
    stateDirectory: `${dir}/state`,
    segmentDirectory: `${dir}/segments`,
    worker: { memoryMb: 128 },
    ownSp: 'here',
    core: { tunnelAddresses: variants.map((v, n) => outer(v, n, SEALANE)) },
    interfaces: {
      core0: {
        role: 'core',
        device: { kernel: 'wan0' },
        addresses: variants.map((v, n) => `${outer(v, n, SEALANE)}/${v.outer === 4 ? '24' : '64'}`),
        acceptClear: ['gre', 'ip'],
      },
      ...each((_, n) => [
        `ce${String(n)}`,
        {
          role: 'ce',
          vrf: `v${String(n)}`,
          device: { kernel: `to-ce${String(n)}` },
          addresses: ['10.1.0.1/24', 'fd00:1::1/64'],
        },
      ]),
    },
    vrfs: each((v, n) => [
      `v${String(n)}`,
      {
        routes: ['10.2.0.0/24', 'fd00:2::/64'].map((prefix) => ({
          prefix,
          tunnel: `t${String(n)}`,
          label: label(n, LINUX),
        })),
        exports: [exportRule(v, n)],
      },
    ]),
    tunnels: each((v, n) => [
      `t${String(n)}`,
      {
        local: outer(v, n, SEALANE),
        remote: outer(v, n, LINUX),
        protection: protection(v),
        encapsulation: v.encap,
        ...(v.suite === undefined ? {} : { sa: `out-${String(n)}` }),
      },
    ]),
    manualSas: manualSas(),
  };
}

async function bootLinux(netns: string, nic: string): Promise<LinuxPe> {
  return bootLinuxPe({
    name: netns,
    netns,
    nics: [nic],
    config: {
      underlay: variants.map((v, n) => ({
        nic,
        address: `${outer(v, n, LINUX)}/${v.outer === 4 ? '24' : '64'}`,
      })),
      sas: [...sas.values()].flatMap((k) => [k.toLinux, k.toSealane]),
      tunnels: variants.map((v, n) => ({
        name: `t${String(n)}`,
        encap: v.encap,
        protection: v.suite === undefined ? 'clear' : 'esp',
        local: outer(v, n, LINUX),
        remote: outer(v, n, SEALANE),
        inner: [
          { local: `10.255.${String(n)}.2`, nextHop: `10.255.${String(n)}.1` },
          { local: `fd00:ff:${String(n)}::2`, nextHop: `fd00:ff:${String(n)}::1` },
        ],
      })),
      vrfs: variants.map((_, n) => ({
        name: `vrf${String(n)}`,
        table: 1000 + n,
        customer: [
          { pe: '10.2.0.1/24', host: '10.2.0.2/24' },
          { pe: 'fd00:2::1/64', host: 'fd00:2::2/64' },
        ],
        labelsIn: [label(n, LINUX)],
        routes: ['10.1.0.0/24', 'fd00:1::/64'].map((prefix) => ({
          prefix,
          label: label(n, SEALANE),
          tunnel: `t${String(n)}`,
        })),
      })),
    },
  });
}

async function startSealane(netns: string): Promise<void> {
  if (lab === undefined) throw new Error('no lab');
  for (const [n] of variants.entries()) {
    const ce = `slx-ce${String(n)}`;
    await lab.namespace(ce);
    await lab.link(netns, `to-ce${String(n)}`, ce, 'eth0');
    await lab.ip(ce, [
      'addr add 10.1.0.2/24 dev eth0',
      'addr add fd00:1::2/64 dev eth0 nodad',
      'route add default via 10.1.0.1',
      '-6 route add default via fd00:1::1',
    ]);
    lab.own(`slx-v${String(n)}`);
  }
  writeFileSync(`${dir}/config.json`, JSON.stringify(sealaneConfig()));
  const log = `${dir}/sealane.log`;
  lab.start(netns, ['node', MAIN, 'run', `${dir}/config.json`], log);
  const show = ['node', CLI, '--socket', `${dir}/run/control.sock`, 'show', 'tunnels', '--json'];
  await eventually(
    'all tunnels up',
    async () => {
      const { code, stdout } = await outcome(show);
      if (code !== 0) return undefined;
      const rows = JSON.parse(stdout) as { state: string }[];
      return rows.length === variants.length && rows.every((r) => r.state === 'up')
        ? true
        : undefined;
    },
    60_000,
  ).catch((error: unknown) => {
    throw new Error(`${String(error)}\n${readFileSync(log, 'utf8').slice(-4000)}`);
  });
}

beforeAll(async () => {
  dir = mkdtempSync('/dev/shm/sealane-linux-pe-');
  for (const sub of ['run', 'state', 'segments']) mkdirSync(`${dir}/${sub}`, { mode: 0o700 });
  await makeSas();
  lab = await Lab.open('sealane-linux-pe');
  wire = await makeWire('slx');
  // Captures are taken at end a: what Sealane sends bypasses those at its own end.
  const { a, b } = wire;
  [linux] = await Promise.all([bootLinux(a.netns, a.nic), startSealane(b.netns)]);
}, 300_000);

afterAll(async () => {
  // The worker outlives its supervisor by design: it is told to stop.
  await outcome(['node', CLI, '--socket', `${dir}/run/control.sock`, 'stop']);
  await linux?.stop();
  await lab?.close();
  await wire?.remove();
  rmSync(dir, { recursive: true, force: true });
});

const fromSealane = (n: number, command: readonly string[]): Promise<string> =>
  up().lab.must(`slx-ce${String(n)}`, command);
const fromLinux = (n: number, command: string): Promise<string> =>
  up().linux.exec(`ip netns exec ce-vrf${String(n)} ${command}`);

/** 200,000 bytes by TCP to `address`; both ends' digests. */
async function tcpToLinux(n: number): Promise<{ sent: string; got: string }> {
  const got = `/tmp/got${String(n)}`;
  const listening = `grep -q ' 00000000:1389 .* 0A ' /proc/net/tcp`;
  await up().linux.exec(
    `(ip netns exec ce-vrf${String(n)} nc.openbsd -l 5001 >${got}.part; mv ${got}.part ${got}) </dev/null >/dev/null 2>&1 &
     until ip netns exec ce-vrf${String(n)} sh -c "${listening}"; do sleep 0.1; done`,
  );
  const sent = await fromSealane(n, [
    ...[
      'sh',
      '-c',
      `head -c 200000 /dev/urandom >${dir}/sent
      nc.openbsd -N -w 10 10.2.0.2 5001 <${dir}/sent; md5sum <${dir}/sent`,
    ],
  ]);
  const there = await up().linux.exec(`until [ -e ${got} ]; do sleep 0.1; done; md5sum <${got}`);
  return { sent: sent.trim(), got: there.trim() };
}

async function tcpToSealane(n: number): Promise<{ sent: string; got: string }> {
  const { lab: l, linux: guest } = up();
  const ce = `slx-ce${String(n)}`;
  const file = `${dir}/received`;
  const server = l.start(ce, ['sh', '-c', `nc.openbsd -l 5002 >${file}`], `${dir}/nc.log`);
  await eventually('nc listens', async () =>
    (await l.must(ce, ['ss', '-Hltn', 'sport = :5002'])).includes(':5002') ? true : undefined,
  );
  const sent = await guest.exec(
    `head -c 200000 /dev/urandom >/tmp/sent${String(n)}
     ip netns exec ce-vrf${String(n)} nc.openbsd -N -w 10 10.1.0.2 5002 </tmp/sent${String(n)}
     md5sum </tmp/sent${String(n)}`,
  );
  await eventually('nc ended', () => (server.exitCode === null ? undefined : true));
  const got = (await outcome(['sh', '-c', `md5sum <${file}`])).stdout;
  return { sent: sent.trim(), got: got.trim() };
}

describe('Sealane and a Linux kernel PE', () => {
  const cases = variants.map((v, n) => ({
    title: `MPLS-in-${v.encap.toUpperCase()} over IPv${String(v.outer)}, ${suiteName(v)}`,
    v,
    n,
  }));

  test.each(cases)('$title: ping and TCP both ways, only that on the wire', async ({ v, n }) => {
    const capture = await up().wire.capture();
    for (const address of ['10.2.0.2', 'fd00:2::2']) {
      await fromSealane(n, ['ping', '-q', '-c', '3', '-i', '0.2', '-W', '2', address]);
    }
    for (const address of ['10.1.0.2', 'fd00:1::2']) {
      await fromLinux(n, `ping -q -c 3 -i 0.2 -W 2 ${address}`);
    }
    const there = await tcpToLinux(n);
    expect(there.got).toBe(there.sent);
    const back = await tcpToSealane(n);
    expect(back.got).toBe(back.sent);
    const file = await capture.stop();

    const keyed = sas.get(n);
    // Without keys where dissect() has no row for the suite: opened by another one, the end of a packet
    // is noise that now and then says "ESP follows". That TCP crossed says enough.
    const readable = !/gmac|chacha|sha-384|sha-512/.test(suiteName(v));
    const rows = await dissect(file, ['frame.protocols', 'mpls.label', 'esp.spi'], {
      sas: keyed === undefined || !readable ? [] : [keyed.toLinux, keyed.toSealane],
    });
    // The case before may still be closing its TCP connections, by SAs of its own.
    const others = new Set([...sas].flatMap(([m, pair]) => (m === n ? [] : spisOf(pair))));
    const tunnelled = rows.filter(
      (r) =>
        !others.has(r['esp.spi']) &&
        !/^eth:ethertype:(arp|ip:icmp|ipv6(:ipv6.hopopts)?:icmpv6)/.test(r['frame.protocols']),
    );
    expect(tunnelled.length).toBeGreaterThan(100);
    if (keyed !== undefined) {
      const spis = spisOf(keyed);
      expect(new Set(tunnelled.map((r) => r['esp.spi']))).toEqual(new Set(spis));
    }
    if (readable) {
      const labels = [label(n, SEALANE), label(n, LINUX)].map(String);
      expect(new Set(tunnelled.map((r) => r['mpls.label']))).toEqual(new Set(labels));
    }
  });

  test('the kernel dropped nothing, and neither did Sealane by an IPsec reason', async () => {
    expect(await up().linux.ipsecDrops()).toEqual({});
    const show = ['node', CLI, '--socket', `${dir}/run/control.sock`, 'show', 'drops', '--json'];
    const drops = JSON.parse((await outcome(show)).stdout) as { reason: string; packets: string }[];
    const unwanted = drops.filter(
      (d) => /^(esp|label|gre|route_not|inner)/.test(d.reason) && Number(d.packets) > 0,
    );
    expect(unwanted).toEqual([]);
  });
});
