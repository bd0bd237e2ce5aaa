// SPDX-License-Identifier: Apache-2.0
/** `sealane show bgp` and `sealane bgp clear` as an operator runs them, against two PEs that speak BGP. */
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../../scripts/lib/lab.js';
import type { Config } from '../../../src/config/types.js';
import { otherEnd, TwoPes, type End } from '../supervisor/two-pes.js';

const CLI = ['node', fileURLToPath(new URL('../../../build/js/cli/main.js', import.meta.url))];
const TARGETS = ['65001:100'];
type Row = Readonly<Record<string, string | number | boolean | null>>;

let net: TwoPes;
beforeAll(async () => {
  net = await TwoPes.open('tshow');
  for (const end of [1, 2] as const) {
    net.write(end, config(end));
    net.start(end);
  }
  for (const end of [1, 2] as const) await net.tunnelUp(end);
  for (const end of [1, 2] as const) await routesOf(end, `10.${otherEnd(end)}.0.0/24`);
});
afterAll(async () => {
  await net.close();
});

function config(end: End, protection: 'encrypt' | 'authenticate' = 'encrypt'): Config {
  const base = net.config(end);
  return {
    ...base,
    bgp: {
      ...{ asn: 65001, routerId: `192.0.2.${end}` },
      neighbours: {
        [`192.0.2.${otherEnd(end)}`]: {
          ...{ asn: 65001, description: 'the other PE', timers: { connectRetry: 1 } },
          // One side calls, so that no second connection is opened and closed again.
          passive: end === 2,
          bfd: true,
        },
        // On one side alone, and told to stay down.
        ...(end === 1 && { '192.0.2.77': { asn: 65077, shutdown: 'out of order' } }),
      },
    },
    vrfs: {
      A: {
        addresses: [`10.255.0.${end}/32`],
        bgp: {
          ...{ rd: `65001:${end}`, importTargets: TARGETS },
          exports: [{ name: 'all', targets: TARGETS, protections: [protection] }],
          redistribute: { connected: true },
          // Nobody has come out of it.
          dynamicNeighbours: { '10.77.0.0/24': { asn: 'external' } },
        },
      },
    },
  };
}

interface Run {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

async function sealane(end: End, ...args: string[]): Promise<Run> {
  const socket = ['--socket', `${net.run}/pe${end}/control.sock`];
  const done = await net.lab.exec(net.pe(end), [...CLI, ...socket, ...args]);
  return { code: done.code, out: done.stdout, err: done.stderr };
}

async function json(end: End, ...args: string[]): Promise<Row[]> {
  const { code, out, err } = await sealane(end, ...args, '--json');
  expect([code, err]).toEqual([0, '']);
  const rows = JSON.parse(out) as Row[];
  for (const value of rows.flatMap((row) => Object.values(row))) {
    if (value !== null) expect(['string', 'number', 'boolean']).toContain(typeof value);
  }
  return rows;
}

/** Waits until a VRF has a usable path to this prefix of the other PE. */
async function routesOf(end: End, prefix: string, usable = true): Promise<Row[]> {
  return eventually(`PE ${end} knows ${prefix}`, async () => {
    const { code, out } = await sealane(end, 'show', 'bgp', 'routes', prefix, '--json');
    const rows = code === 0 ? (JSON.parse(out) as Row[]) : [];
    const there = rows.some((row) => row['vrf'] === 'A' && row['usable'] === usable);
    return there ? rows : undefined;
  });
}

async function neighbour(end: End): Promise<Row> {
  const [row] = await json(end, 'show', 'bgp', 'neighbors', `192.0.2.${otherEnd(end)}`);
  if (row === undefined) throw new Error(`PE ${end} has lost its neighbour`);
  return row;
}

async function established(end: End, times: number): Promise<Row> {
  return eventually(`session ${times} of PE ${end}`, async () => {
    const row = await neighbour(end);
    const up = row['state'] === 'established' && row['establishedCount'] === times;
    return up ? row : undefined;
  });
}

describe('show bgp summary', () => {
  it('is a row per session: the one that is up, the one that is to stay down', async () => {
    const rows = await json(1, 'show', 'bgp', 'summary');
    expect(rows).toHaveLength(2);
    const [up, down] = rows;
    expect(up).toMatchObject({
      ...{ neighbor: '192.0.2.2', vrf: '', description: 'the other PE', asn: '65001' },
      ...{ state: 'established', lastError: '' },
    });
    expect(down).toMatchObject({
      ...{ neighbor: '192.0.2.77', asn: '65077', state: 'shutdown', uptimeSeconds: null },
      ...{ received: 0, accepted: 0, sent: 0, messagesIn: 0, messagesOut: 0 },
    });
    // 10.2.0.0/24, 10.255.0.2/32, 2001:db8:a:2::/64 and the route target; we tell as many.
    expect(up).toMatchObject({ received: 4, accepted: 4 });
    const other = await json(2, 'show', 'bgp', 'summary');
    expect(other).toMatchObject([{ neighbor: '192.0.2.1', received: 4 }]);
    expect(await json(1, 'show', 'bgp', 'summary', '--vrf', 'A')).toEqual([]);
  });
});

describe('show bgp neighbors', () => {
  it('says what was agreed on, and counts what the other side counts', async () => {
    const [one, two] = [await neighbour(1), await neighbour(2)];
    expect(one).toMatchObject({
      ...{ neighbor: '192.0.2.2', configured: '192.0.2.2', localAddress: '192.0.2.1' },
      ...{ routerId: '192.0.2.2', asn: 65001, localAsn: 65001, kind: 'ibgp' },
      ...{ families: 'vpnv4-unicast vpnv6-unicast route-target', holdTime: 90, keepaliveTime: 30 },
      ...{ routeRefresh: true, enhancedRefresh: true, fourOctetAs: true, maxMessage: 65535 },
      ...{ restartTime: 120, restartNotification: true, establishedCount: 1, opensIn: 1 },
      familyRoutes: expect.stringMatching(
        /^vpnv4-unicast 2\/0\/\d+, vpnv6-unicast 1\/0\//,
      ) as unknown,
      endOfRib: 'vpnv4-unicast vpnv6-unicast route-target',
    });
    expect(one['updatesIn']).toBe(two['updatesOut']);
    expect(two['updatesIn']).toBe(one['updatesOut']);
    expect(one['lastChange']).toMatch(/^open-confirm -> established: /);
  });

  it('tells the state of BFD, where there is any', async () => {
    await eventually('BFD is up', async () =>
      (await neighbour(1))['bfd'] === 'up' ? true : undefined,
    );
    expect(await json(1, 'show', 'bgp', 'neighbors', '192.0.2.77')).toMatchObject([{ bfd: '' }]);
  });

  it('--detail is a paragraph', async () => {
    const { out } = await sealane(1, 'show', 'bgp', 'neighbors', '192.0.2.77', '--detail');
    expect(out).toMatch(/^neighbor +192\.0\.2\.77\n/);
    expect(out).toMatch(/^shutdown +yes$/m);
    expect(out).not.toMatch(/^families/m);
  });
});

describe('show bgp routes', () => {
  it('has the route as received, and as the VRF imports it', async () => {
    const rows = await json(1, 'show', 'bgp', 'routes', '10.2.0.0/24');
    const labels = await net.show(2, 'labels');
    const common = {
      ...{ rd: '65001:2', prefix: '10.2.0.0/24', best: true, usable: true, reason: '' },
      ...{ neighbor: '192.0.2.2', nextHop: '192.0.2.2', asPath: '', origin: 'incomplete' },
      ...{ localPref: 100, label: String(labels[0]?.label), state: 'fresh' },
      extendedCommunities: 'target:65001:100 ipsec:encrypt:gre,ip export-to:65001',
    };
    expect(labels).toHaveLength(1);
    expect(rows).toHaveLength(2);
    expect(rows.find(({ vrf }) => vrf === '')).toMatchObject({
      ...{ ...common, family: 'vpnv4-unicast', importedFrom: '', way: 'core0' },
    });
    expect(rows.find(({ vrf }) => vrf === 'A')).toMatchObject({
      ...{ ...common, family: 'ipv4-unicast', importedFrom: 'vpn', way: 'peer' },
    });
  });

  it('has our own, in the VRF and as exported', async () => {
    const rows = await json(1, 'show', 'bgp', 'routes', '10.1.0.0/24');
    const [label] = await net.show(1, 'labels');
    expect(rows.map(({ vrf, rd, neighbor, label: shown }) => [vrf, rd, neighbor, shown])).toEqual([
      ['A', '', '', ''],
      ['', '65001:1', '', String(label?.label)],
    ]);
  });

  it('filters by VRF, family, neighbour, and what is inside a prefix', async () => {
    const prefixes = async (...args: string[]): Promise<string[]> => {
      const rows = await json(1, 'show', 'bgp', 'routes', ...args);
      return rows.map(({ prefix }) => String(prefix)).sort();
    };
    const learnt = ['--neighbor', '192.0.2.2'];
    expect(await prefixes('--vrf', 'A', ...learnt)).toEqual([
      ...['10.2.0.0/24', '10.255.0.2/32', '2001:db8:a:2::/64'],
    ]);
    expect(await prefixes('--family', 'vpnv6-unicast')).toEqual([
      ...['2001:db8:a:1::/64', '2001:db8:a:2::/64'],
    ]);
    expect(await prefixes('--family', 'route-target', ...learnt)).toEqual([
      '65001:target:65001:100/96',
    ]);
    expect(await prefixes('--prefix', '10.255.0.0/24', '--vrf', 'A')).toEqual([
      ...['10.255.0.1/32', '10.255.0.2/32'],
    ]);
    expect(await prefixes('--neighbor', '10.77.0.0/24%A')).toEqual([]);
    expect(await json(1, 'show', 'bgp', 'routes', '--limit', '3')).toHaveLength(3);
  });

  it('says why a route cannot be used', async () => {
    const path = net.write(2, config(2, 'authenticate'));
    await net.client(2, async (client) => client.reload(path, false));
    const rows = await routesOf(1, '10.2.0.0/24', false);
    expect(rows.find(({ vrf }) => vrf === 'A')).toMatchObject({
      ...{ usable: false, best: false, way: '' },
      extendedCommunities: 'target:65001:100 ipsec:authenticate:gre,ip export-to:65001',
      reason: 'no way to the next hop is acceptable to the egress, the floor and this PE',
    });
    net.write(2, config(2));
    await net.client(2, async (client) => client.reload(path, false));
    await routesOf(1, '10.2.0.0/24');
  });
});

describe('bgp clear', () => {
  it('--soft asks for all routes again, and the session stays', async () => {
    const [one, two] = [await neighbour(1), await neighbour(2)];
    expect(await sealane(1, 'bgp', 'clear', '192.0.2.2', '--soft')).toEqual({
      ...{ code: 0, out: '192.0.2.2 asked for its routes again\n', err: '' },
    });
    const answered = await eventually('the routes come again', async () => {
      const now = await neighbour(1);
      const more = Number(now['announcements']) - Number(one['announcements']);
      return more >= 4 ? now : undefined;
    });
    // One request per family; the answers stand between BoRR and EoRR (RFC 7313).
    expect(Number(answered['refreshesOut']) - Number(one['refreshesOut'])).toBe(3);
    const asked = await neighbour(2);
    expect(Number(asked['refreshesIn']) - Number(two['refreshesIn'])).toBe(3);
    expect(answered).toMatchObject({ establishedCount: 1, accepted: 4, state: 'established' });
  });

  it('ends the session and begins it again, with all routes', async () => {
    expect(await sealane(1, 'bgp', 'clear', '192.0.2.2')).toEqual({
      ...{ code: 0, out: '192.0.2.2 cleared\n', err: '' },
    });
    const one = await established(1, 2);
    expect(one).toMatchObject({
      errorBy: 'us',
      errorCode: 6,
      error: expect.any(String) as unknown,
    });
    // Both know RFC 8538: the reset travels inside a Hard Reset, subcode 9.
    expect(await established(2, 2)).toMatchObject({
      errorBy: 'peer',
      errorCode: 6,
      errorSubcode: 9,
    });
    expect((await neighbour(2))['errorData']).toMatch(/^0604/);
    for (const end of [1, 2] as const) await routesOf(end, `10.${otherEnd(end)}.0.0/24`);
    expect((await json(1, 'show', 'bgp', 'summary'))[0]).toMatchObject({
      lastError: expect.stringContaining('Administrative Reset') as unknown,
    });
  });

  it('all: those that can; a neighbour that is not there is an error', async () => {
    const all = await sealane(1, 'bgp', 'clear', 'all');
    expect(all).toEqual({
      ...{ code: 0, out: '192.0.2.2 cleared\n' },
      err: 'not cleared: 192.0.2.77: configured to stay down\n',
    });
    await established(1, 3);
    expect((await sealane(1, 'bgp', 'clear', '192.0.2.77')).code).toBe(1);
    expect((await sealane(1, 'bgp', 'clear', '192.0.2.77', '--soft')).code).toBe(1);
    expect(await sealane(1, 'bgp', 'clear', '10.77.0.0/24%A')).toMatchObject({
      ...{ code: 0, out: 'no sessions to clear\n' },
    });
    expect(await sealane(1, 'bgp', 'clear', '192.0.2.3')).toMatchObject({ code: 5, out: '' });
  });
});
