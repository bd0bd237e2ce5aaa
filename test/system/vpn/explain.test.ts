// SPDX-License-Identifier: Apache-2.0
/** `sealane explain` on two running PEs: each verdict beside what becomes of real packets. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../../scripts/lib/lab.js';
import type { BgpExportRule, Config } from '../../../src/config/types.js';
import type { ExplainRow } from '../../../src/rpc/client.js';
import { IkePes } from '../ike/ike-pes.js';
import { MAIN, otherEnd, type End } from '../supervisor/two-pes.js';

let pes: IkePes;
const TARGETS = ['65001:100'];
const PACKETS = 3;

function config(end: End, exported: Partial<BgpExportRule> = {}): Config {
  return {
    ...pes.config(end),
    tunnels: {},
    bgp: {
      ...{ asn: 65001, routerId: `192.0.2.${end}` },
      neighbours: { [`192.0.2.${otherEnd(end)}`]: { asn: 65001, timers: { connectRetry: 1 } } },
    },
    vrfs: {
      A: {
        addresses: [`10.255.0.${end}/32`],
        routes: [{ prefix: '198.51.100.0/24', discard: 'silent' }],
        bgp: {
          rd: `65001:${end}`,
          imports: [{ name: 'all', targets: TARGETS, floor: 'encrypt' }],
          exports: [{ name: 'all', targets: TARGETS, protections: ['encrypt'], ...exported }],
          redistribute: { connected: true },
        },
      },
    },
  };
}

/** The core loses what IKE sends. */
async function withoutIke(): Promise<void> {
  const rules = [
    'table bridge noike {',
    '  chain forward {',
    '    type filter hook forward priority 0;',
    '    ether type ip udp dport 500 drop',
    '  }',
    '}',
  ];
  await pes.net.lab.must(pes.net.core, ['nft', '-f', '-'], { input: `${rules.join('\n')}\n` });
}

beforeAll(async () => {
  pes = await IkePes.open('vexp', { proof: 'psk' });
  const { net } = pes;
  await withoutIke();
  for (const end of [1, 2] as const) {
    net.write(end, config(end));
    net.start(end);
  }
  for (const end of [1, 2] as const) {
    await eventually(`PE ${end} has the other's route`, async () => {
      if (net.supervisor(end).exitCode !== null) throw new Error(net.logText(end));
      const rows = await net.show(end, 'routes').catch(() => []);
      const prefix = `10.${otherEnd(end)}.0.0/24`;
      return rows.some((row) => row.prefix === prefix) ? true : undefined;
    });
    await net.reach(end, `10.${String(end)}.0.1`); // the CE is known to its PE
  }
});
afterAll(async () => {
  await pes.close();
});

const explain = async (address: string): Promise<readonly ExplainRow[]> =>
  pes.net.client(1, async (client) => client.explainRoute('A', address));

const step = (rows: readonly ExplainRow[], name: string): ExplainRow | undefined =>
  rows.find((row) => row.step === name);

/** By how much a counter of an end rises meanwhile. */
async function rise(end: End, reason: string, during: () => Promise<unknown>): Promise<number> {
  const count = async (): Promise<number> => Number((await pes.net.drops(end)).get(reason) ?? 0);
  const before = await count();
  await during();
  return (await count()) - before;
}

describe('before there is an SA', () => {
  it('says that the first packet is held and the rest dropped, and they are', async () => {
    const { net } = pes;
    const rows = await eventually('the tunnel is there', async () => {
      const found = await explain('10.2.0.2');
      return found.at(-1)?.drop === 'sa_missing' ? found : undefined;
    });
    expect(step(rows, 'chosen')).toMatchObject({ ok: true, what: 'encrypt, MPLS-in-GRE' });
    expect(rows.at(-1)).toMatchObject({ step: 'verdict', ok: false });
    expect(rows.at(-1)?.what).toMatch(/^the first packet is held/);
    expect(rows.at(-1)?.why).toMatch(/IKE|SA/);
    const rose = await rise(1, 'sa_missing', async () => {
      expect(await net.ping(1, '10.2.0.2', { count: 1 + PACKETS })).toBe(0);
    });
    expect(rose).toBe(PACKETS);
    expect((await net.show(1, 'workers')).map(({ held }) => held)).toEqual([1n]);
    await net.lab.must(net.core, ['nft', 'delete', 'table', 'bridge', 'noike']);
    await net.reach(1, '10.2.0.2', 60_000);
    await pes.settled();
  });
});

describe('a destination', () => {
  it('behind the other PE: said to go out, and it does', async () => {
    const { net } = pes;
    const rows = await explain('10.2.0.2');
    expect(rows.at(-1)).toMatchObject({ step: 'verdict', ok: true, what: 'goes out by core0' });
    expect(rows.filter(({ ok }) => ok === false)).toEqual([]);
    expect(step(rows, 'route')?.what).toBe('10.2.0.0/24, owner bgp');
    expect(step(rows, 'best path')?.what).toMatch(
      /from 192\.0\.2\.2.*RD 65001:2, next hop 192\.0\.2\.2/,
    );
    expect(step(rows, 'signalled')?.what).toBe('ipsec:encrypt:gre,ip');
    expect(step(rows, 'exporter')?.what).toBe('192.0.2.2 of SP example');
    expect(step(rows, 'chosen')).toMatchObject({ ok: true, what: 'encrypt, MPLS-in-GRE' });
    const others = rows.filter((row) => row.step === 'not chosen');
    expect(others.map(({ what, why }) => [what, why])).toContainEqual([
      'authenticate, MPLS-in-GRE',
      'not accepted by the egress',
    ]);
    expect(await net.ping(1, '10.2.0.2', { count: PACKETS })).toBe(PACKETS);
  });

  it('behind the other PE: says the same as the tables that show has', async () => {
    const { net } = pes;
    const rows = await explain('10.2.0.2');
    const [tunnel] = await net.show(1, 'tunnels');
    const [child] = await pes.children(1);
    expect(step(rows, 'SA')?.what).toContain(`out ${child?.outboundSpi ?? 'no SPI'}, in `);
    expect(step(rows, 'core')?.what).toBe(`by 192.0.2.2 at ${tunnel?.mac ?? ''}`);
    expect(step(rows, 'MTU')?.what).toContain(`${tunnel?.mtu ?? 0} bytes`);
    const [label] = (await net.show(2, 'labels')).filter(({ vrf }) => vrf === 'A');
    expect(step(rows, 'label')?.what).toBe(`${label?.label ?? 0} is pushed`);
  });

  it.each([
    ['203.0.113.1', 'no_route'],
    ['198.51.100.1', 'blackhole'],
    ['10.1.0.77', 'neighbour_pending'],
    ['239.1.2.3', 'ip_multicast'],
  ])('%s: said to be dropped as %s, and is', async (address, drop) => {
    const { net } = pes;
    // What is on the CE's own link it would not send to us.
    if (drop === 'neighbour_pending') {
      await net.lab.must(net.ce(1), ['ip', 'route', 'add', `${address}/32`, 'via', '10.1.0.1']);
    }
    expect((await explain(address)).at(-1)).toMatchObject({ step: 'verdict', ok: false, drop });
    const rose = await rise(1, drop, async () => {
      expect(await net.ping(1, address, { count: PACKETS })).toBe(0);
    });
    expect(rose).toBe(PACKETS);
  });

  it.each(['10.1.0.1', '10.255.0.1'])('%s: said to be our own, and answers', async (address) => {
    const verdict = (await explain(address)).at(-1);
    expect(verdict).toMatchObject({ ok: true, drop: '' });
    expect(verdict?.what).toMatch(/our own/);
    expect(await pes.net.ping(1, address, { count: PACKETS })).toBe(PACKETS);
  });

  it('the CE: said to go out by its interface, and it does', async () => {
    const rows = await explain('10.1.0.2');
    expect(rows.at(-1)).toMatchObject({ ok: true, what: 'goes out by ce-a' });
    expect(step(rows, 'adjacency')?.what).toMatch(/^10\.1\.0\.2 at ..:..:/);
    expect(await pes.net.ping(2, '10.1.0.2', { count: PACKETS })).toBe(PACKETS);
  });
});

describe('a label', () => {
  const labelOf = async (): Promise<number> => {
    const [row] = (await pes.net.show(2, 'labels')).filter(({ vrf }) => vrf === 'A');
    if (row === undefined) throw new Error('PE 2 has no label');
    return row.label;
  };
  const ask = async (
    label: number,
    protection: string,
    encapsulation = '',
  ): Promise<readonly ExplainRow[]> =>
    pes.net.client(2, async (client) =>
      client.explainLabel({ label, protection, encapsulation, fromSp: '' }),
    );

  it('out of an SA: said to be accepted, and is counted so', async () => {
    const label = await labelOf();
    const rows = await ask(label, 'encrypt');
    expect(rows.at(-1)).toMatchObject({ ok: true, what: 'goes on to a lookup in VRF A' });
    const count = async (): Promise<number> =>
      Number((await pes.net.show(2, 'labels')).find((row) => row.label === label)?.packets);
    const before = await count();
    expect(await pes.net.ping(1, '10.2.0.2', { count: PACKETS })).toBe(PACKETS);
    expect(await count()).toBe(before + PACKETS);
    const table = rows.filter((row) => row.step === 'arrival');
    expect(table.map(({ what, ok, drop }) => [what, ok, drop])).toEqual([
      ['encrypt, MPLS-in-GRE, from SP example', true, ''],
      ['encrypt, MPLS-in-IP, from SP example', true, ''],
      ['authenticate, MPLS-in-GRE, from SP example', false, 'label_wrong_protection'],
      ['authenticate, MPLS-in-IP, from SP example', false, 'label_wrong_protection'],
      ['MPLS-in-GRE in clear', false, 'gre_clear'],
      ['MPLS-in-IP in clear', false, 'mpls_in_ip_clear'],
      ['plain MPLS of our own SP', false, 'mpls_not_accepted'],
    ]);
  });

  it.each([
    ['gre', 47, '00008847', 'gre_clear'],
    ['ip', 137, '', 'mpls_in_ip_clear'],
  ])('in clear %s: said to be dropped, and is', async (encapsulation, protocol, front, drop) => {
    const label = await labelOf();
    expect((await ask(label, 'tunnel', encapsulation)).at(-1)).toMatchObject({ ok: false, drop });
    const { net } = pes;
    const outsider = await net.router(protocol);
    const entry = ((label << 12) | 0x1ff).toString(16).padStart(8, '0');
    const inner = '450000140000000040010000' + '0a010002' + '0a020002';
    const program = [
      'import socket',
      `s = socket.socket(socket.AF_INET, socket.SOCK_RAW, ${String(protocol)})`,
      `[s.sendto(bytes.fromhex("${front}${entry}${inner}"), ("192.0.2.2", 0)) for _ in range(${String(PACKETS)})]`,
    ];
    await net.lab.must(outsider, ['ping', '-c', '1', '-W', '5', '192.0.2.2']);
    const rose = await rise(2, drop, async () => {
      await net.lab.must(outsider, ['/usr/bin/python3', '-c', program.join('\n')]);
      await new Promise((wake) => setTimeout(wake, 500));
    });
    expect(rose).toBe(PACKETS);
  });
});

describe('the command', () => {
  it('prints lines, and JSON of the same', async () => {
    const socket = `${pes.net.run}/pe1/control.sock`;
    const argv = [
      ...MAIN.slice(0, 1),
      new URL('../../../build/js/cli/main.js', import.meta.url).pathname,
    ];
    const run = async (...more: string[]): Promise<string> =>
      pes.net.lab.must(pes.net.pe(1), [...argv, '--socket', socket, 'explain', ...more]);
    const text = await run('vrf', 'A', '10.2.0.2');
    expect(text).toMatch(/^yes verdict +goes out by core0$/m);
    const rows: unknown = JSON.parse(await run('vrf', 'A', '10.2.0.2', '--json'));
    expect(rows).toContainEqual({
      ...{ way: 0, step: 'verdict', what: 'goes out by core0', ok: true, why: '', drop: '' },
    });
    expect(await run('label', '1048575', '--protection', 'encrypt')).toContain(
      'counted as: label_unknown',
    );
  });
});

describe('a route whose policy cannot be met', () => {
  it('says what was asked for, what is accepted, and that nothing goes out, which is so', async () => {
    const { net } = pes;
    const path = net.write(2, config(2, { protections: ['authenticate'] }));
    await net.client(2, async (client) => client.reload(path, false));
    const rows = await eventually('the route is gone', async () => {
      const found = await explain('10.2.0.2');
      return found.at(-1)?.drop === 'no_route' ? found : undefined;
    });
    expect(rows.at(-1)).toMatchObject({ ok: false, why: '10.2.0.0/24 cannot be used' });
    expect(step(rows, 'not installed')).toMatchObject({ what: '10.2.0.0/24, known by BGP' });
    expect(step(rows, 'signalled')?.what).toBe('ipsec:authenticate:gre,ip');
    expect(step(rows, 'import rule')?.what).toBe('all: believes example, floor encrypt');
    const why = rows.filter((row) => row.step === 'not chosen').map((row) => [row.what, row.why]);
    expect(why).toContainEqual(['encrypt, MPLS-in-GRE', 'not accepted by the egress']);
    expect(why).toContainEqual(['authenticate, MPLS-in-GRE', 'below the floor, encrypt']);
    expect(step(rows, 'chosen')).toMatchObject({ ok: false, what: 'nothing' });
    const rose = await rise(1, 'no_route', async () => {
      expect(await net.ping(1, '10.2.0.2', { count: PACKETS })).toBe(0);
    });
    expect(rose).toBe(PACKETS);
  });
});
