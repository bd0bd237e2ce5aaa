// SPDX-License-Identifier: Apache-2.0
/**
 * Two PEs whose packets a Linux router (User Mode Linux) carries by its label table alone: encrypted VPN traffic
 * whose outer IP header is under a transport label (P3), and plain MPLS of a VPN by the same LSP (P1).
 *
 *   PE 1 (192.0.2.1) --.                                        PE N is sent to by label
 *                       bridge -- P router (192.0.2.9)            100 + N   that P swaps for PE N's own, 30 + N
 *   PE 2 (192.0.2.2) --'                                          110 + N   for explicit null
 *                                                                 120 + N   for nothing (penultimate hop popping)
 *
 * VRF A: IPv4 encrypted with a manual SA, IPv6 in plain MPLS.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Config } from '../../src/config/types.js';
import { otherEnd, TwoPes, type End } from '../system/supervisor/two-pes.js';
import { bootLinuxPe, type LinuxPe } from './linux-pe/linux-pe.js';

const ENDS = [1, 2] as const;
const KINDS = [
  { name: 'swapped for a label of the PE’s', base: 100, arrives: (end: End) => [30 + end] },
  { name: 'swapped for explicit null', base: 110, arrives: () => [0] },
  { name: 'popped by the P router', base: 120, arrives: () => [] },
] as const;

let net: TwoPes;
let p: LinuxPe;
/** Undone in reverse. */
const undo: (() => Promise<void>)[] = [];

function config(end: End, base: number): Config {
  const other = otherEnd(end);
  const from = net.config(end);
  const a = from.vrfs?.['A'];
  const core0 = from.interfaces['core0'];
  const peer = from.tunnels?.['peer'];
  if (a === undefined || core0?.role !== 'core' || peer === undefined) throw new Error('no VPN');
  const [v6, ...v4] = [...(a.routes ?? [])].reverse();
  if (v6 === undefined) throw new Error('no IPv6 route');
  return {
    ...from,
    core: {
      ...from.core,
      lsps: {
        [`192.0.2.${other}/32`]: { via: '192.0.2.9', labels: [base + other], forIp: true },
      },
      transportLabels: [30 + end],
    },
    interfaces: { ...from.interfaces, core0: { ...core0, mpls: 'own-sp' } },
    tunnels: {
      peer,
      lsp: { local: peer.local, remote: peer.remote, protection: 'mpls', encapsulation: 'none' },
    },
    vrfs: {
      A: {
        ...a,
        routes: [...v4, { prefix: v6.prefix, tunnel: 'lsp', label: 2000 + other }],
        exports: [
          ...[{ name: 'secret', protections: ['encrypt'], label: 1000 + end } as const].map(
            (rule) => ({ ...rule, prefixes: [`10.${end}.0.0/24`, `10.255.0.${end}/32`] }),
          ),
          {
            ...{ name: 'plain', protections: ['mpls'], label: 2000 + end },
            prefixes: [`2001:db8:a:${end}::/64`],
          },
        ],
      },
    },
  };
}

beforeAll(async () => {
  net = await TwoPes.open('mplsp', { switched: true });
  undo.push(async () => net.close());
  const netns = await net.router(9, { pe: true });
  const routes = ENDS.flatMap((end) => {
    const via = `via inet 192.0.2.${end} dev wan`;
    return [
      `ip -f mpls route add ${100 + end} as ${30 + end} ${via}`,
      `ip -f mpls route add ${110 + end} as 0 ${via}`,
      `ip -f mpls route add ${120 + end} ${via}`,
    ];
  });
  p = await bootLinuxPe({
    ...{ name: 'mplsp-p', netns, nics: ['wan'] },
    config: {
      underlay: [{ nic: 'wan', address: '192.0.2.9/24' }],
      ...{ sas: [], tunnels: [], vrfs: [] },
      extra: ['apply', 'echo 1 >/proc/sys/net/mpls/conf/wan/input', ...routes],
    },
  });
  undo.push(async () => p.stop());
  for (const end of ENDS) {
    net.write(end, config(end, KINDS[0].base));
    net.start(end);
  }
  for (const end of ENDS) await net.tunnelUp(end);
});
afterAll(async () => {
  for (const step of undo.reverse()) await step();
});

interface Core {
  readonly type: number;
  readonly source: string;
  readonly labels: readonly number[];
  /** Behind the stack. */
  readonly rest: Buffer;
}

/** A frame of the core, label stack and what is behind it. */
function read(frame: Buffer): Core {
  const labels: number[] = [];
  const type = frame.readUInt16BE(12);
  let at = 14;
  for (let bottom = type !== 0x8847; !bottom; at += 4) {
    const entry = frame.readUInt32BE(at);
    labels.push(entry >>> 12);
    bottom = (entry & 0x100) !== 0;
  }
  return { type, source: frame.toString('hex', 6, 12), labels, rest: frame.subarray(at) };
}

describe.each(KINDS)('a transport label that is $name', ({ base, arrives }) => {
  it('is pushed by both PEs', async () => {
    for (const end of ENDS) {
      const file = net.write(end, config(end, base));
      await net.client(end, async (client) => client.reload(file, false));
    }
    for (const end of ENDS) {
      await net.tunnelUp(end);
      const rows = await net.show(end, 'tunnels');
      const labels = String(base + otherEnd(end));
      expect(rows.map((row) => [row.name, row.labels, row.nextHop, row.mtu])).toEqual([
        ['peer', labels, '192.0.2.9', 1434],
        ['lsp', labels, '192.0.2.9', 1492],
      ]);
    }
  });

  it.each([
    ['encrypted, under the label', '10.2.0.2', '10.1.0.2'],
    ['in plain MPLS', '2001:db8:a:2::2', '2001:db8:a:1::2'],
  ])('carries pings both ways: %s', async (_, there, here) => {
    await net.reach(1, there);
    expect(await net.ping(1, there, { count: 20 })).toBe(20);
    expect(await net.ping(2, here, { count: 20 })).toBe(20);
  });

  it('is all that the core sees', async () => {
    const seen = await net.capture(async () => {
      expect(await net.ping(1, '10.2.0.2', { count: 10 })).toBe(10);
      expect(await net.ping(1, '2001:db8:a:2::2', { count: 10 })).toBe(10);
    });
    const mac = (await p.exec('cat /sys/class/net/wan/address')).trim().replaceAll(':', '');
    for (const end of ENDS) {
      const labels = arrives(end);
      const frames = seen[end].map(read).filter(({ type }) => type !== 0x0806);
      const plain = frames.filter((one) => one.labels.at(-1) === 2000 + end);
      expect(plain).toHaveLength(10);
      for (const one of plain) expect(one.labels).toEqual([...labels, 2000 + end]);
      const esp = frames.filter(
        ({ rest, labels: own }) => own.at(-1) !== 2000 + end && rest.readUInt8(9) === 50,
      );
      expect(esp).toHaveLength(10);
      for (const one of esp) {
        expect(one.labels).toEqual(labels);
        expect(one.rest.readUInt32BE(20)).toBe(net.spi(otherEnd(end)));
      }
      // by the P router, not past it
      expect(new Set([...plain, ...esp].map(({ source }) => source))).toEqual(new Set([mac]));
    }
  });
});

it('large packets fit by the MTU that the PE tells', async () => {
  // 1434: 1500 - 4 (label) - 20 - 8 - 8 - 4 (GRE) - 4 (VPN label) - trailer and ICV
  for (const [size, answers] of [
    [1434 - 28, 3],
    [1435 - 28, 0],
  ] as const) {
    const more = ['-M', 'do', '-s', String(size)];
    expect(await net.ping(1, '10.2.0.2', { more })).toBe(answers);
  }
});

it('counts what comes by its own transport label', async () => {
  for (const end of ENDS) {
    const file = net.write(end, config(end, 100));
    await net.client(end, async (client) => client.reload(file, false));
  }
  for (const end of ENDS) await net.tunnelUp(end);
  const own = async (): Promise<bigint> => {
    const row = (await net.show(2, 'labels')).find(({ label }) => label === 32);
    expect(row).toMatchObject({ action: 'pop', accept: 'clear mpls' });
    return row?.packets ?? -1n;
  };
  const before = { label: await own(), drops: await net.drops(2) };
  expect(await net.ping(1, '10.2.0.2', { count: 5 })).toBe(5);
  expect((await own()) - before.label).toBe(5n);
  const rose = [...(await net.drops(2))].filter(([name, n]) => n !== before.drops.get(name));
  expect(rose).toEqual([]);
});
