// SPDX-License-Identifier: Apache-2.0
/** Tables read for MRT while they change. */
import { describe, expect, it } from 'vitest';
import { FAMILY } from '../../../../src/bgp/codec/types.js';
import type { TableRoute } from '../../../../src/bgp/monitor.js';
import { TableWalk, type WalkOptions } from '../../../../src/bgp/rib/table-walk.js';
import { attributes, contextOf, ip, Lab, NOTHING_LEFT, rd, target, type TestRoute } from './lab.js';

/** 2026-03-01 12:00:00 UTC. */
const NOON = Date.UTC(2026, 2, 1, 12) / 1000;
const EXTENDED = { extendedCommunities: [target(1)] };

const walkOf = (lab: Lab, over: Partial<WalkOptions> = {}): TableWalk =>
  new TableWalk(lab.rib.core, { vrf: 0, wanted: () => true, now: NOON, ...over });

/** "FAMILY NLRI PEERS", without our own route targets. */
const names = (routes: Iterable<TableRoute | undefined>): string[] =>
  [...routes].flatMap((route) => {
    if (route === undefined || route.family === FAMILY.routeTarget) return [];
    const { family, nlri, paths } = route;
    const octets = Buffer.from(nlri).toString('hex');
    return [`${String(family)} ${octets} ${paths.map(({ peer }) => peer).join()}`];
  });

const net = (i: number): TestRoute => ({
  ...{ prefix: `10.${String(i >> 8)}.${String(i & 255)}.0`, length: 24 },
});

describe('a walk', () => {
  it('finds every path, who it is of, when it came and what it says', () => {
    const lab = new Lab();
    lab.up(1);
    lab.up(2);
    lab.pass(10_000);
    lab.announce(1, [net(1)], attributes());
    lab.announce(2, [net(1)], attributes({ med: 3 }));
    lab.pass(5000);
    lab.announce(2, [net(2)], attributes());
    lab.rib.originate(
      { vrf: 0, family: FAMILY.ipv6Unicast, prefix: ip('2001:db8::'), length: 32, source: 1 },
      { origin: 0, asPath: [] },
    );
    lab.pass(20_500);
    const walk = walkOf(lab);
    expect(walk.peers.map((peer) => peer?.id)).toEqual([undefined, 1, 2]);
    const routes = [...walk.routes()].filter((route) => route !== undefined);
    expect(names(routes)).toEqual(['0 180a0001 1,2', '0 180a0002 2', '1 2020010db8 0']);
    const [first, second, own] = routes;
    expect(first?.paths.map(({ originated }) => NOON - originated)).toEqual([26, 26]);
    expect(second?.paths.map(({ originated }) => NOON - originated)).toEqual([21]);
    expect(own?.paths).toMatchObject([{ peer: 0, originated: NOON - 21, nextHop: ip('::') }]);
    // ORIGIN, AS_PATH empty, MULTI_EXIT_DISC 3, LOCAL_PREF 100.
    expect(Buffer.from(first!.paths[1]!.attributes).toString('hex')).toBe(
      '4001010040020080040400000003400504' + '00000064',
    );
  });

  it('has VPN routes with RD and label, those of other labels apart, and imports in the VRF', () => {
    const lab = new Lab();
    lab.vrf(7, { importTargets: [target(1)] });
    lab.up(1);
    lab.up(2);
    const vpn = { family: FAMILY.vpnv4, rd: rd(1), ...net(1) };
    lab.announce(1, [{ ...vpn, label: 1000 }], attributes(EXTENDED));
    lab.announce(2, [{ ...vpn, label: 2000 }], attributes(EXTENDED));
    lab.settle();
    // 24 + 64 + 24 bits, label and bottom-of-stack bit, RD 0:65000:1.
    expect(names(walkOf(lab).routes()).sort()).toEqual([
      '2 70003e810000fde8000000010a0001 1',
      '2 70007d010000fde8000000010a0001 2',
    ]);
    const [route] = [...walkOf(lab).routes()].filter((one) => one?.family === FAMILY.vpnv4);
    expect(Buffer.from(route!.paths[0]!.nextHop).toString('hex')).toBe('0000000000000000c0000202');
    expect(names(walkOf(lab, { vrf: 7 }).routes())).toEqual(['0 180a0001 1,2']);
    expect(names(walkOf(lab, { vrf: 8 }).routes())).toEqual([]);
  });

  it('has path identifiers of those who send them, and only the neighbours asked for', () => {
    const lab = new Lab();
    lab.up(1, { context: contextOf({ addPathReceive: 1 << FAMILY.ipv4Unicast }) });
    lab.up(2);
    const ids = [5, 6].map((pathId) => ({ ...net(1), pathId }));
    lab.announce(1, ids, attributes());
    lab.announce(2, [net(1), net(2)], attributes());
    lab.settle();
    const [both, one] = [...walkOf(lab).routes()].filter((route) => route !== undefined);
    expect(both?.addPath).toBe(true);
    expect(both?.paths.map(({ peer, pathId }) => [peer, pathId])).toEqual([
      [1, 5],
      [1, 6],
      [2, 0],
    ]);
    expect(one?.addPath).toBe(false);
    const wanted = (peer: { readonly id: number } | undefined): boolean => peer?.id === 1;
    expect(names(walkOf(lab, { wanted }).routes())).toEqual(['0 180a0001 1,1']);
  });

  it('meets each route once while they go and come back, and leaves nothing', () => {
    const lab = new Lab({ retainVpn: false });
    const all = Array.from({ length: 2000 }, (_, i) => net(i));
    lab.up(1);
    lab.announce(1, all, attributes());
    lab.settle();
    const walk = walkOf(lab);
    const met = new Map<string, number>();
    let pauses = 0;
    for (const route of walk.routes()) {
      for (const name of names([route])) met.set(name, (met.get(name) ?? 0) + 1);
      if (route !== undefined) continue;
      // All of them go, the last first, so that numbers would be handed out in another order.
      pauses++;
      for (const one of all.toReversed()) lab.withdraw(1, [one]);
      lab.settle();
      lab.announce(1, all.toReversed(), attributes({ med: pauses }));
      lab.settle();
    }
    expect(pauses).toBeGreaterThan(5);
    expect(met.size).toBe(2000);
    expect([...met.values()].every((times) => times === 1)).toBe(true);
    lab.down(1);
    lab.pass(1);
    for (const step of walk.settle()) expect(step).toBeUndefined();
    expect(lab.leftovers()).toEqual(NOTHING_LEFT);
  });

  it('has nothing of neighbours that left or came meanwhile', () => {
    const lab = new Lab({ retainVpn: false });
    lab.up(1);
    lab.announce(
      1,
      Array.from({ length: 600 }, (_, i) => net(i)),
      attributes(),
    );
    lab.settle();
    const walk = walkOf(lab);
    const routes = walk.routes();
    while (routes.next().value !== undefined);
    lab.down(1);
    lab.pass(1);
    lab.up(1);
    lab.up(2);
    for (const id of [1, 2]) lab.announce(id, [net(599)], attributes());
    lab.settle();
    expect(names(routes)).toEqual([]);
    for (const step of walk.settle()) expect(step).toBeUndefined();
    expect(lab.rib.counts().nets).toBe(1);
  });
});
