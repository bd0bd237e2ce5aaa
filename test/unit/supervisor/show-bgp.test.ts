// SPDX-License-Identifier: Apache-2.0
/** Rows of `sealane show bgp routes` out of a RIB that was told its routes in UPDATEs. */
import { describe, expect, it } from 'vitest';
import { ipsecCommunityFormat } from '../../../src/bgp/codec/communities/ipsec.js';
import { FAMILY, type PathAttributes } from '../../../src/bgp/codec/types.js';
import type { SessionView } from '../../../src/bgp/session/view.js';
import { formatAddress } from '../../../src/lib/ip.js';
import type { BgpRouteFilter, BgpRouteRow } from '../../../src/rpc/backend.js';
import { bgpRouteRows } from '../../../src/supervisor/show-bgp-routes.js';
import type { BgpView } from '../../../src/vpn/bgp/view.js';
import { attributes, ip, Lab, rd, target, type TestRoute } from '../bgp/rib/lab.js';

const VRF = 7;
const IPSEC = ipsecCommunityFormat();

/** The RIB, with VRF "a" of number 7 importing target 1; sessions 1, 2 come out of one prefix. */
function viewOf(lab: Lab): BgpView {
  const sessions = [...lab.peers.values()].map(({ info }) => ({
    ...{ id: info.id, name: info.name, neighbor: info.id < 3 ? '10.0.1.0/24' : info.name },
  })) as SessionView[];
  return {
    rib: lab.rib,
    speaker: { show: () => sessions, clear: () => false, clearSoft: () => [] },
    ipsec: IPSEC,
    vrfs: new Map([[VRF, 'a']]),
    bfd: () => undefined,
    explainImport: () => undefined,
    way: (hop) => {
      if (hop === undefined) return { way: '', reason: '' };
      const state = lab.hopStates.get(formatAddress(hop.address));
      const reason = state?.usable === false ? 'tunnel t is down: no route' : '';
      return { way: hop.vrf === 0 && hop.protection === 0 ? '' : 't', reason };
    },
  };
}

async function rowsOf(lab: Lab, filter: BgpRouteFilter = {}): Promise<BgpRouteRow[]> {
  const rows: BgpRouteRow[] = [];
  for await (const row of bgpRouteRows(viewOf(lab), filter)) rows.push(row);
  return rows;
}

const vpn = (prefix: string, label = 1000, number = 1): TestRoute => ({
  ...{ family: FAMILY.vpnv4, rd: rd(number), prefix, length: 24, label },
});

const RICH: PathAttributes = {
  ...attributes({ nextHop: ip('192.0.2.9'), localPref: 200, med: 5, origin: 1 }),
  asPath: [
    { type: 2, asns: [65100, 4_200_000_000] },
    { type: 1, asns: [1, 2] },
  ],
  communities: [0xffff_ff01, 65001 * 65536 + 7],
  largeCommunities: [[65001, 1, 2]],
  extendedCommunities: [
    target(1),
    IPSEC.write({ protections: ['encrypt'], encapsulations: ['gre'], onlyOutsideSp: undefined }),
    // A critical bit that nobody knows yet.
    0x8349_0111_0000_0000n,
    0x4004_0000_0000_0001n,
  ],
  ...{ originatorId: 0x0a00_0009, clusterList: [0x0a00_0002, 0x0a00_0003] },
  ...{ aggregator: { asn: 65001, address: ip('10.0.0.7') }, atomicAggregate: true },
  tunnelEncapsulation: [{ type: 11, subTlvs: [] }],
  others: [{ flags: 0xe0, type: 99, value: Uint8Array.of(1) }],
};

describe('show bgp routes', () => {
  it('has words for every attribute', async () => {
    const lab = new Lab();
    lab.up(1);
    lab.announce(1, [vpn('10.1.0.0')], RICH);
    lab.settle();
    lab.now += 7000;
    expect(await rowsOf(lab, { family: 'vpnv4-unicast' })).toEqual([
      {
        ...{ vrf: '', family: 'vpnv4-unicast', rd: '65000:1', prefix: '10.1.0.0/24' },
        ...{ pathId: undefined, best: true, multipath: false, filtered: false, usable: true },
        ...{ reason: '', state: 'fresh', neighbor: 'peer1', importedFrom: '', way: '' },
        ...{ nextHop: '192.0.2.9', label: '1000', localPref: 200, med: 5, origin: 'egp' },
        asPath: '65100 4200000000 {1 2}',
        communities: 'no-export 65001:7',
        largeCommunities: '65001:1:2',
        extendedCommunities:
          'target:65000:1 ipsec:encrypt:gre ipsec:none=0x8349011100000000 0x4004000000000001',
        ...{ originatorId: '10.0.0.9', clusterList: '10.0.0.2 10.0.0.3' },
        ...{ aggregator: '65001 10.0.0.7', atomicAggregate: true },
        ...{ tunnelEncapsulation: '11', otherAttributes: '99', ageSeconds: 7n },
      },
    ]);
  });

  it('has an import with the RD and label it came with, and why it cannot be used', async () => {
    const lab = new Lab();
    lab.vrf(VRF, { importTargets: [target(1)], accept: () => 1 });
    lab.up(1);
    lab.announce(1, [vpn('10.1.0.0', 1234, 5)], RICH);
    lab.settle();
    const [up] = await rowsOf(lab, { vrf: 'a' });
    expect(up).toMatchObject({
      ...{ vrf: 'a', family: 'ipv4-unicast', rd: '65000:5', label: '1234', importedFrom: 'vpn' },
      ...{ neighbor: 'peer1', way: 't', usable: true, best: true, reason: '' },
    });
    lab.hop('192.0.2.9', { usable: false });
    lab.settle();
    const [down] = await rowsOf(lab, { vrf: 'a' });
    expect(down).toMatchObject({
      ...{ usable: false, best: false, way: 't', reason: 'tunnel t is down: no route' },
    });
  });

  it('tells stale routes, those refused and kept, and those of a route target', async () => {
    const refuse = { usesPrefix: false, apply: () => undefined };
    const lab = new Lab({
      neighbour: ({ id }) => ({
        ...{ policyIn: id === 2 ? refuse : undefined, policyOut: undefined, policyOutKey: '' },
        keepRejected: true,
      }),
    });
    lab.up(1);
    lab.up(2);
    for (const id of [1, 2]) lab.announce(id, [vpn('10.1.0.0')], RICH);
    lab.settle();
    lab.down(1, { keepStale: 1 << FAMILY.vpnv4, restartTime: 60 });
    lab.settle();
    const rows = await rowsOf(lab, { family: 'vpnv4-unicast' });
    expect(rows).toMatchObject([
      { neighbor: 'peer1', state: 'stale', usable: true, best: true },
      { neighbor: 'peer2', state: 'fresh', usable: false, filtered: true },
    ]);
    expect(rows[1]?.reason).toBe('refused by the import policy');
  });

  it('finds one prefix in every VRF, and nothing else', async () => {
    const lab = new Lab();
    lab.vrf(VRF, { importTargets: [target(1)] });
    lab.up(1);
    lab.announce(1, [vpn('10.1.0.0'), vpn('10.2.0.0'), vpn('10.1.0.0', 7, 2)], RICH);
    lab.settle();
    const prefix = { address: ip('10.1.0.0'), length: 24 };
    const found = await rowsOf(lab, { prefix });
    expect(
      found.map(({ vrf, rd: shown, prefix: text }) => `${vrf} ${shown} ${text}`).sort(),
    ).toEqual([
      ...[' 65000:1 10.1.0.0/24', ' 65000:2 10.1.0.0/24'],
      ...['a 65000:1 10.1.0.0/24', 'a 65000:2 10.1.0.0/24'],
    ]);
    const wide = { address: ip('10.0.0.0'), length: 14 };
    expect(await rowsOf(lab, { prefix: wide })).toEqual([]);
    expect(await rowsOf(lab, { prefix: wide, longer: true })).toHaveLength(6);
    expect(await rowsOf(lab, { prefix: { address: new Uint8Array(16), length: 0 } })).toEqual([]);
    expect(await rowsOf(lab, { prefix, vrf: 'a' })).toHaveLength(2);
  });

  it('knows a neighbour, and all that come out of a prefix', async () => {
    const lab = new Lab();
    for (const id of [1, 2, 3]) {
      lab.up(id);
      lab.announce(id, [vpn('10.1.0.0')], RICH);
    }
    lab.settle();
    const from = async (neighbor: string): Promise<string[]> =>
      (await rowsOf(lab, { neighbor })).map((row) => row.neighbor).sort();
    expect(await from('peer2')).toEqual(['peer2']);
    expect(await from('10.0.1.0/24')).toEqual(['peer1', 'peer2']);
    expect(await from('nobody')).toEqual([]);
  });

  it('is nothing without BGP', async () => {
    const rows: unknown[] = [];
    for await (const row of bgpRouteRows(undefined, {})) rows.push(row);
    expect(rows).toEqual([]);
  });
});

describe('a large table', () => {
  const MANY = 8_000;
  const lab = new Lab();
  lab.up(1);
  for (let i = 0; i < MANY; i += 500) {
    const some = Array.from({ length: 500 }, (_, n) =>
      vpn(`10.${(i + n) >> 8}.${(i + n) & 255}.0`),
    );
    lab.announce(1, some, RICH);
  }
  lab.settle();

  /** Turns of the event loop while rows are made. */
  async function turns(filter: BgpRouteFilter): Promise<{ rows: number; turns: number }> {
    let seen = 0;
    let going = true;
    const count = (): void => {
      seen++;
      if (going) setImmediate(count);
    };
    setImmediate(count);
    const { length } = await rowsOf(lab, filter);
    going = false;
    return { rows: length, turns: seen };
  }

  it('lets the event loop turn every few dozen rows', async () => {
    const all = await turns({ family: 'vpnv4-unicast' });
    expect(all.rows).toBe(MANY);
    expect(all.turns).toBeGreaterThan(MANY / 100);
  });

  it('and while nothing is found', async () => {
    const none = await turns({ prefix: { address: ip('11.0.0.0'), length: 8 }, longer: true });
    expect(none.rows).toBe(0);
    // At least one for every few thousand routes looked at.
    expect(none.turns).toBeGreaterThan(MANY / 5_000);
  });

  it('shows each route once while routes come and go', async () => {
    const shown = new Map<string, number>();
    let changes = 0;
    for await (const row of bgpRouteRows(viewOf(lab), { family: 'vpnv4-unicast' })) {
      shown.set(row.prefix, (shown.get(row.prefix) ?? 0) + 1);
      if (shown.size % 250 !== 0) continue;
      lab.withdraw(1, [vpn(`10.${changes % 100}.255.0`)]);
      lab.announce(1, [vpn(`11.${changes++}.0.0`)], { ...RICH, med: changes });
      lab.settle();
    }
    expect(changes).toBeGreaterThan(20);
    expect([...shown.values()].filter((times) => times !== 1)).toEqual([]);
    expect(shown.size).toBeGreaterThan(MANY - changes);
  });
});
