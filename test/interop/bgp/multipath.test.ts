// SPDX-License-Identifier: Apache-2.0
/**
 * Multipath EBGP: a site with two CEs (FRR) at one PE. Flows that another PE's customer sends there arrive by the
 * PE's one label, and leave by both CEs.
 *
 *                                          +-- 10.1.0.0/24 -- NAMEce1 (FRR, AS 65100)  \
 *   NAMEce2 -- NAMEpe2 == core == NAMEpe1 --+                                            198.51.100.0/24
 *   10.2.0.2                               +-- 10.4.0.0/24 -- NAMEceb (FRR, AS 65100)  /
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../../scripts/lib/lab.js';
import type { Config } from '../../../src/config/types.js';
import { missing, startBgpPeer, type BgpPeer } from '../../lib/bgp-peers.js';
import { countAt, FlowLab, type Arrivals } from '../../system/bgp/flows.js';
import { otherEnd, TwoPes, type End } from '../../system/supervisor/two-pes.js';
import { peConfig, routeTo, type RouteRow } from './pe-net.js';

const absent = missing('frr');
const SITE = '198.51.100.0/24';
const FLOWS = 300;
/** Five standard deviations and more of a fair coin thrown 300 times. */
const MOST = FLOWS / 2 + 50;

const folder = mkdtempSync(`${tmpdir()}/pem-`);
let net: TwoPes;
let flowLab: FlowLab;
const ces = new Map<'a' | 'b', BgpPeer>();

const second = (): string => `${net.name}ceb`;

function config(end: End): Config {
  const timers = { connectRetry: 1 };
  const targets = ['65001:100'];
  const base = peConfig(net, end, {
    bgp: {
      ...{ ebgpRequiresPolicy: false, maximumPaths: { ebgp: 2 } },
      neighbours: { [`192.0.2.${otherEnd(end)}`]: { asn: 65001, timers } },
    },
    vrfs: {
      A: {
        bgp: {
          ...{ rd: `65001:${end}`, importTargets: targets, exportTargets: targets },
          redistribute: { connected: true },
          ...(end === 1 && {
            neighbours: {
              '10.1.0.2': { asn: 65100, timers },
              '10.4.0.2': { asn: 65100, timers },
            },
          }),
        },
      },
    },
  });
  if (end === 2) return base;
  const more = { role: 'ce', vrf: 'A', device: { kernel: 'cust2' } } as const;
  return {
    ...base,
    interfaces: { ...base.interfaces, 'ce-b': { ...more, addresses: ['10.4.0.1/24'] } },
  };
}

async function startCe(which: 'a' | 'b'): Promise<void> {
  const subnet = which === 'a' ? '10.1.0' : '10.4.0';
  const lines = [
    'router bgp 65100',
    ` bgp router-id ${subnet}.2`,
    ' no bgp ebgp-requires-policy',
    ' no bgp network import-check',
    ` neighbor ${subnet}.1 remote-as 65001`,
    ` neighbor ${subnet}.1 timers connect 1`,
    ' address-family ipv4 unicast',
    `  network ${SITE}`,
    ' exit-address-family',
    '',
  ];
  const netns = which === 'a' ? net.ce(1) : second();
  const options = { netns, name: `ce${which}`, folder, config: lines.join('\n') };
  ces.set(which, await startBgpPeer(net.lab, 'frr', options));
}

/** PE 1's ways to the site. */
async function ways(): Promise<RouteRow[]> {
  const rows = await net.show(1, 'routes');
  return rows.filter(({ vrf, prefix, owner }) => vrf === 'A' && prefix === SITE && owner === 'bgp');
}

async function usable(...vias: string[]): Promise<void> {
  await eventually(
    `ways by ${vias.join(', ')}`,
    async () => {
      const rows = await ways().catch(() => []);
      const found = rows.flatMap((row) => (row.usable ? [row.via] : []));
      return found.sort().join() === vias.sort().join() ? true : undefined;
    },
    60_000,
  );
}

async function flows(): Promise<Arrivals> {
  const from = { netns: net.ce(2), address: '10.2.0.2', to: '198.51.100' };
  const places = {
    a: { netns: net.ce(1), device: 'eth0' },
    b: { netns: second(), device: 'eth0' },
  };
  return flowLab.send(from, places, FLOWS);
}

describe.skipIf(absent !== undefined)('two CEs of one site', { timeout: 300_000 }, () => {
  let usual: Arrivals = new Map();

  beforeAll(async () => {
    net = await TwoPes.open('imul');
    flowLab = new FlowLab(net.lab, net.run);
    await net.lab.namespace(second());
    await net.lab.link(net.pe(1), 'cust2', second(), 'eth0');
    await net.lab.ip(second(), ['addr add 10.4.0.2/24 dev eth0']);
    for (const end of [1, 2] as const) {
      net.write(end, config(end));
      net.start(end);
    }
    for (const end of [1, 2] as const) await net.tunnelUp(end);
    for (const which of ['a', 'b'] as const) await startCe(which);
  });
  afterAll(async () => {
    await net.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it('are both ways of the route, which is exported once', async () => {
    await usable('10.1.0.2', '10.4.0.2');
    const rows = await ways();
    expect(rows.map(({ ways: count, nexthop }) => [count, nexthop])).toEqual([
      [2, 'adjacency'],
      [2, 'adjacency'],
    ]);
    expect(rows.map(({ accept }) => accept !== '')).toEqual([true, true]);
    const remote = await routeTo(net, 2, SITE);
    expect(remote).toMatchObject({ nexthop: 'tunnel', ways: 1 });
  });

  it('share the flows, each flow by one of them', async () => {
    await net.reach(2, '10.1.0.2');
    usual = await flows();
    for (const which of ['a', 'b']) expect(countAt(usual, which)).toBeLessThan(MOST);
    expect(await flows()).toEqual(usual);
  });

  it('lose no flow to a CE that does not answer any more, before BGP knows', async () => {
    await net.lab.ip(second(), ['link set eth0 arp off']);
    await usable('10.1.0.2');
    expect(await ways()).toHaveLength(2);
    expect(countAt(await flows(), 'a')).toBe(FLOWS);
    await net.lab.ip(second(), ['link set eth0 arp on']);
    await usable('10.1.0.2', '10.4.0.2');
    expect(await flows()).toEqual(usual);
  });

  it('go on with one when the other ends its session', async () => {
    await ces.get('b')?.stop();
    await usable('10.1.0.2');
    await eventually('one way', async () => ((await ways()).length === 1 ? true : undefined));
    const [row] = await ways();
    expect(row).toMatchObject({ ways: 1 });
    expect(countAt(await flows(), 'a')).toBe(FLOWS);
    await startCe('b');
    await usable('10.1.0.2', '10.4.0.2');
    expect(await flows()).toEqual(usual);
  });
});
