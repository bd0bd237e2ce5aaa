// SPDX-License-Identifier: Apache-2.0
/** Restarts, refreshes, ADD-PATH, route targets, changed configuration, limits. */
import { describe, expect, it } from 'vitest';
import { FAMILY, type PathAttributes } from '../../../../src/bgp/codec/types.js';
import type { Policy } from '../../../../src/bgp/types.js';
import { V4, client, expectEmpty, one, plain, two } from './common.js';
import { attributes, contextOf, ip, Lab, OPEN, rd, target } from './lab.js';

const VPN4 = 1 << FAMILY.vpnv4;
const RTC = 1 << FAMILY.routeTarget;

describe('graceful restart (RFC 4724)', () => {
  it('keeps routes, takes those announced again, and sweeps the rest at End-of-RIB', () => {
    const lab = new Lab({ retainVpn: false });
    lab.up(1, plain);
    lab.announce(1, [one, two], attributes());
    lab.settle();
    lab.down(1, { keepStale: V4, restartTime: 120 });
    lab.pass(1000);
    expect(lab.fib.size).toBe(2);
    expect(lab.rib.peerCounts(1)).toMatchObject({
      up: false,
      families: [{ routes: 2, stale: true }],
    });
    const changes = lab.rib.counts().fibChanges;
    lab.up(1, { ...plain, forwardingKept: V4 });
    lab.announce(1, [one], attributes());
    lab.settle();
    expect(lab.fib.size).toBe(2);
    lab.endOfRib(1, FAMILY.ipv4Unicast);
    lab.settle();
    expect([...lab.fib.keys()]).toEqual(['0 10.1.0.0/16']);
    // The route that stayed the same was never touched.
    expect(lab.rib.counts().fibChanges).toBe(changes + 1);
    expectEmpty(lab);
  });

  it('drops them when the time is over, and when forwarding state was lost', () => {
    const lab = new Lab({ retainVpn: false });
    lab.up(1, plain);
    lab.announce(1, [one], attributes());
    lab.down(1, { keepStale: V4, restartTime: 120 });
    lab.pass(119_000);
    expect(lab.fib.size).toBe(1);
    lab.pass(1000);
    expect(lab.fib.size).toBe(0);
    lab.up(1, plain);
    lab.announce(1, [one], attributes());
    lab.down(1, { keepStale: V4, restartTime: 120 });
    lab.up(1, { ...plain, forwardingKept: 0 });
    lab.settle();
    expect(lab.fib.size).toBe(0);
    expectEmpty(lab);
  });

  it('does not keep stale routes over a second restart', () => {
    const lab = new Lab({ retainVpn: false });
    for (let round = 0; round < 40; round++) {
      lab.up(1, { ...plain, forwardingKept: V4 });
      lab.announce(1, [round % 2 === 0 ? one : two], attributes());
      lab.down(1, { keepStale: V4, restartTime: 120 });
    }
    lab.settle();
    expect([...lab.fib.keys()]).toEqual(['0 10.2.0.0/16']);
    lab.pass(120_000);
    expectEmpty(lab);
  });
});

describe('long-lived graceful restart (RFC 9494)', () => {
  const end = {
    keepStale: V4,
    restartTime: 10,
    longLived: [{ family: FAMILY.ipv4Unicast, seconds: 3600 }],
  };

  it('makes stale routes the last choice, says so to those who know, drops NO_LLGR', () => {
    const lab = new Lab({ retainVpn: false, neighbour: () => client });
    const knows = lab.up(3, { ...plain, longLived: V4 });
    const knowsNot = lab.up(4, plain);
    lab.up(1, plain);
    lab.up(2, plain);
    lab.announce(1, [one], attributes({ localPref: 200, nextHop: ip('192.0.2.3') }));
    lab.announce(1, [two], attributes({ communities: [0xffff0007] }));
    lab.announce(1, [{ prefix: '10.3.0.0', length: 16 }], attributes());
    lab.announce(2, [one], attributes());
    lab.settle();
    lab.down(1, end);
    lab.pass(9_000);
    expect(lab.fib.get('0 10.1.0.0/16')).toEqual(['plain 192.0.2.3']);
    expect(lab.fib.size).toBe(3);
    lab.pass(1_000);
    expect(lab.fib.get('0 10.1.0.0/16')).toEqual(['plain 192.0.2.2']);
    expect(lab.fib.has('0 10.2.0.0/16')).toBe(false);
    expect(lab.fib.has('0 10.3.0.0/16')).toBe(true);
    expect(knows.holds.get('10.3.0.0/16')!.attributes.communities).toEqual([0xffff0006]);
    expect([...knowsNot.holds.keys()]).toEqual(['10.1.0.0/16']);
    lab.pass(3_600_000);
    expect([...lab.fib.keys()]).toEqual(['0 10.1.0.0/16']);
    expectEmpty(lab);
  });
});

describe('route refresh', () => {
  it('tells everything again, between BoRR and EoRR when both know them (RFC 7313)', () => {
    const lab = new Lab({ retainVpn: false, neighbour: () => client });
    const plainPeer = lab.up(1, plain);
    const enhanced = lab.up(2, { ...plain, enhancedRefresh: true });
    lab.up(3, plain);
    lab.announce(3, [one, two], attributes());
    lab.settle();
    for (const peer of [plainPeer, enhanced]) {
      peer.holds.clear();
      lab.rib.refresh(peer.info.id, FAMILY.ipv4Unicast, 0);
      lab.settle();
      expect(peer.holds.size).toBe(2);
    }
    expect(plainPeer.others).toEqual([]);
    expect(enhanced.others).toEqual(['5/1', '5/2']);
    expectEmpty(lab);
  });

  it('sweeps what is not announced again between BoRR and EoRR', () => {
    const lab = new Lab({ retainVpn: false });
    lab.up(1, { ...plain, enhancedRefresh: true });
    lab.announce(1, [one, two], attributes());
    lab.rib.refresh(1, FAMILY.ipv4Unicast, 1);
    lab.announce(1, [two], attributes());
    lab.settle();
    expect(lab.fib.size).toBe(2);
    lab.rib.refresh(1, FAMILY.ipv4Unicast, 2);
    lab.settle();
    expect([...lab.fib.keys()]).toEqual(['0 10.2.0.0/16']);
    expectEmpty(lab);
  });
});

describe('ADD-PATH (RFC 7911)', () => {
  const both = { context: contextOf({ families: V4, addPathReceive: V4, addPathSend: V4 }) };

  it("keeps a neighbour's paths apart and tells all of them", () => {
    const lab = new Lab({ retainVpn: false, neighbour: () => client });
    const listener = lab.up(2, both);
    const old = lab.up(3, plain);
    lab.up(1, both);
    lab.announce(1, [{ ...one, pathId: 7 }], attributes());
    lab.announce(1, [{ ...one, pathId: 8 }], attributes({ nextHop: ip('192.0.2.3') }));
    lab.settle();
    const hops = () => [...listener.holds.values()].map((held) => held.attributes.nextHop);
    expect(hops()).toEqual([ip('192.0.2.2'), ip('192.0.2.3')]);
    expect(old.holds.size).toBe(1);
    lab.withdraw(1, [{ ...one, pathId: 7 }]);
    lab.settle();
    expect(hops()).toEqual([ip('192.0.2.3')]);
    expect(listener.withdrawnUnknown).toEqual([]);
    expectEmpty(lab);
  });

  it('withdraws paths that went while the listener could take nothing', () => {
    const lab = new Lab({ retainVpn: false, neighbour: () => client });
    const listener = lab.up(2, both);
    lab.up(1, both);
    lab.announce(1, [{ ...one, pathId: 1 }], attributes());
    lab.settle();
    listener.full = true;
    lab.announce(1, [{ ...two, pathId: 1 }], attributes());
    lab.settle();
    // Numbers of paths that have gone must not be given to others before that is known.
    for (let i = 0; i < 20; i++) {
      lab.withdraw(1, [{ ...one, pathId: 1 }]);
      lab.announce(1, [{ ...two, pathId: 2 + i }], attributes());
      lab.settle();
      lab.withdraw(1, [{ ...two, pathId: 2 + i }]);
      lab.announce(1, [{ ...one, pathId: 1 }], attributes({ med: i }));
      lab.settle();
    }
    lab.withdraw(1, [{ ...one, pathId: 1 }]);
    listener.full = false;
    lab.rib.writable(2);
    lab.settle();
    expect([...listener.holds.keys()].map((name) => name.split(' ')[0])).toEqual(['10.2.0.0/16']);
    expectEmpty(lab);
  });
});

describe('route target constraint (RFC 4684)', () => {
  const families = { context: contextOf({ families: VPN4 | RTC }) };
  const vpn = (n: number) => ({ family: FAMILY.vpnv4, rd: rd(n), prefix: '10.1.0.0', length: 16 });
  /** A membership's key has 12 octets: written by hand. */
  function announceTarget(lab: Lab, id: number, n: number, withdraw = false): void {
    const key = new Uint8Array(12);
    const view = new DataView(key.buffer);
    view.setUint32(0, 65000);
    view.setBigUint64(4, target(n));
    const nlri = [96, ...key];
    const unreach = [0x80, 15, 3 + nlri.length, 0, 1, 132, ...nlri];
    const reach = [0x80, 14, 9 + nlri.length, 0, 1, 132, 4, 192, 0, 2, 2, 0, ...nlri];
    const rest = [0x40, 1, 1, 0, 0x40, 2, 0, 0x40, 5, 4, 0, 0, 0, 100];
    const list = withdraw ? unreach : [...reach, ...rest];
    const body = Uint8Array.of(0, 0, 0, list.length, ...list);
    expect(lab.rib.update(id, body, 0, body.length)).toEqual({ kind: 'ok' });
  }

  it('waits for memberships, then tells only what is wanted, and follows changes', () => {
    const lab = new Lab({ retainVpn: true, neighbour: () => client });
    lab.up(1, { context: contextOf({ families: VPN4 }) });
    for (const n of [1, 2, 3]) {
      lab.announce(1, [vpn(n)], attributes({ extendedCommunities: [target(n)] }));
    }
    const peer = lab.up(2, families);
    announceTarget(lab, 2, 1);
    lab.settle();
    expect(peer.holds.size).toBe(1); // our own default membership
    lab.endOfRib(2, FAMILY.routeTarget);
    lab.settle();
    const routes = () => [...peer.holds.keys()].filter((name) => name.includes('10.1')).sort();
    const named = (n: number) => `${rd(n).toString(16)} 10.1.0.0/16`;
    expect(routes()).toEqual([named(1)]);
    announceTarget(lab, 2, 2);
    lab.settle();
    expect(routes()).toEqual([named(1), named(2)]);
    const before = peer.messages;
    announceTarget(lab, 2, 1, true);
    lab.settle();
    expect(routes()).toEqual([named(2)]);
    expect(peer.messages).toBe(before + 1);
    // A route that takes another target goes from those who want the old one.
    lab.announce(1, [vpn(2)], attributes({ extendedCommunities: [target(3)] }));
    lab.settle();
    expect(routes()).toEqual([]);
    expect(peer.withdrawnUnknown).toEqual([]);
    expect(peer.endOfRib.sort()).toEqual([FAMILY.vpnv4, FAMILY.routeTarget]);
  });

  it('asks for what VRFs import, and stops asking', () => {
    const lab = new Lab({ retainVpn: false });
    const peer = lab.up(1, families);
    lab.vrf(1, { importTargets: [target(1), target(2)] });
    lab.settle();
    expect(peer.holds.size).toBe(2);
    lab.rib.removeVrf(1);
    lab.settle();
    expect(peer.holds.size).toBe(0);
    expectEmpty(lab);
  });
});

describe('changed configuration', () => {
  const deny: Policy = {
    usesPrefix: true,
    apply: ({ attributes: given, prefix }) => (prefix[1] === 1 ? undefined : given),
  };

  it('withdraws what a new export policy refuses, from that neighbour only', () => {
    const lab = new Lab({ retainVpn: false, neighbour: () => client });
    const [a, b] = [lab.up(1, plain), lab.up(2, plain)];
    lab.up(3, plain);
    lab.announce(3, [one, two], attributes());
    lab.settle();
    lab.rib.reconfigure(1, { ...client, policyOut: deny, policyOutKey: 'deny' });
    lab.settle();
    expect([...a.holds.keys()]).toEqual(['10.2.0.0/16']);
    expect(b.holds.size).toBe(2);
    lab.rib.reconfigure(1, client);
    lab.settle();
    expect([...a.holds.keys()].sort()).toEqual(['10.1.0.0/16', '10.2.0.0/16']);
    expect(lab.rib.adjOut.groups).toEqual([{ members: 3, entries: 2 }]);
    expectEmpty(lab);
  });

  it('asks for routes again when the import policy has changed', () => {
    const lab = new Lab({ retainVpn: false });
    const peer = lab.up(1, plain);
    lab.announce(1, [one, two], attributes());
    lab.rib.reconfigure(1, { ...OPEN, policyIn: deny });
    lab.settle();
    expect(peer.refreshRequests).toEqual([FAMILY.ipv4Unicast]);
    lab.announce(1, [one, two], attributes());
    lab.settle();
    expect([...lab.fib.keys()]).toEqual(['0 10.2.0.0/16']);
    expectEmpty(lab);
  });

  it('shows refused routes when told to keep them, and uses them never', () => {
    const lab = new Lab({
      retainVpn: false,
      neighbour: () => ({ ...OPEN, policyIn: deny, keepRejected: true }),
    });
    lab.up(1, plain);
    lab.announce(1, [one, two], attributes());
    lab.settle();
    const { routes } = lab.rib.queries.page({ vrf: 0, family: FAMILY.ipv4Unicast }, 0, 10);
    const seen = routes.map(({ filtered, best, prefix }) => [prefix[1], filtered, best]);
    expect(seen).toEqual([
      [1, true, false],
      [2, false, true],
    ]);
    expect([...lab.fib.keys()]).toEqual(['0 10.2.0.0/16']);
    expectEmpty(lab);
  });
});

describe('limits and loops', () => {
  it('asks for the session to be closed above the prefix limit (RFC 4486)', () => {
    const lab = new Lab({
      retainVpn: false,
      neighbour: () => ({ ...OPEN, prefixLimits: { 0: { routes: 1 } } }),
    });
    lab.up(1, plain);
    expect(lab.announce(1, [one], attributes())).toEqual({ kind: 'ok' });
    const outcome = lab.announce(1, [two], attributes());
    expect(outcome).toMatchObject({ kind: 'reset', notification: { code: 6, subcode: 1 } });
    expect([...(outcome as { notification: { data: Uint8Array } }).notification.data]).toEqual([
      0, 1, 1, 0, 0, 0, 1,
    ]);
    expectEmpty(lab);
  });

  it('treats a loop as withdrawal, allows our AS as often as configured', () => {
    const lab = new Lab({
      retainVpn: false,
      neighbour: () => ({ ...OPEN, allowAsIn: 1, enforceFirstAs: false }),
    });
    lab.up(1, { ...plain, kind: 'ebgp', context: contextOf({ families: V4, ibgp: false }) });
    const path = (asns: number[]): PathAttributes =>
      attributes({ asPath: [{ type: 2, asns }], localPref: undefined! });
    lab.announce(1, [one], path([65001, 65000]));
    lab.settle();
    expect(lab.fib.size).toBe(1);
    lab.announce(1, [one], path([65001, 65000, 65000]));
    lab.settle();
    expect(lab.fib.size).toBe(0);
    expect(lab.rib.peerCounts(1)).toMatchObject({ loops: 1, announcements: 2 });
    expectEmpty(lab);
  });

  it('gives each CE the site of its own back to nobody, and overrides its AS', () => {
    const site = 0x0003_fde8_0000_0001n;
    const lab = new Lab({
      retainVpn: false,
      neighbour: ({ id }) => ({
        ...OPEN,
        asOverride: true,
        ...(id < 3 ? { siteOfOrigin: site } : {}),
      }),
    });
    lab.vrf(1, {});
    const context = contextOf({ families: V4, ibgp: false });
    const ce = (id: number) => lab.up(id, { kind: 'ebgp', vrf: 'v1', asn: 64999, context });
    const [, sameSite, other] = [ce(1), ce(2), ce(3)];
    lab.announce(1, [one], attributes({ asPath: [{ type: 2, asns: [64999] }] }));
    lab.settle();
    expect(sameSite.holds.size).toBe(0);
    const told = other.holds.get('10.1.0.0/16')!.attributes;
    expect(told.asPath).toEqual([{ type: 2, asns: [65000, 65000] }]);
    expect(told.extendedCommunities).toEqual([site]);
    expectEmpty(lab);
  });
});
