// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';
import { FAMILY } from '../../../../src/bgp/codec/types.js';
import { type ExportQuestion, UNFIT_LABEL } from '../../../../src/bgp/rib/api.js';
import { formatAddress } from '../../../../src/lib/ip.js';
import { attributes, contextOf, ip, Lab, NOTHING_LEFT, OPEN, rd, target } from './lab.js';

const V4 = 1 << FAMILY.ipv4Unicast;
const VPN4 = 1 << FAMILY.vpnv4;
const net = { prefix: '10.1.0.0', length: 16 };
const vpn = {
  family: FAMILY.vpnv4,
  rd: rd(1),
  prefix: '10.1.0.0',
  length: 16,
  label: 100,
} as const;

describe('routes in and out', () => {
  it('installs the best route, replaces it and removes it', () => {
    const lab = new Lab({ retainVpn: false });
    lab.up(1);
    lab.up(2);
    lab.announce(1, [net], attributes());
    lab.announce(2, [net], attributes({ localPref: 200, nextHop: ip('192.0.2.3') }));
    lab.settle();
    expect(lab.fib.get('0 10.1.0.0/16')).toEqual(['plain 192.0.2.3']);
    lab.withdraw(2, [net]);
    lab.settle();
    expect(lab.fib.get('0 10.1.0.0/16')).toEqual(['plain 192.0.2.2']);
    lab.withdraw(1, [net]);
    lab.settle();
    expect(lab.fib.size).toBe(0);
    lab.down(1);
    lab.down(2);
    lab.settle();
    expect(lab.leftovers()).toEqual(NOTHING_LEFT);
    expect(lab.forgotten).toEqual([1, 2]);
  });

  it('tells EBGP neighbours with our AS and address, IBGP ones unchanged', () => {
    const lab = new Lab({ retainVpn: false });
    lab.up(1, { kind: 'ebgp' });
    const ibgp = lab.up(2);
    const ebgp = lab.up(3, { kind: 'ebgp' });
    const path = [{ type: 2 as const, asns: [65001, 7] }];
    lab.announce(1, [net], attributes({ asPath: path, med: 5 }));
    lab.settle();
    const inside = ibgp.holds.get('10.1.0.0/16')!.attributes;
    expect(inside).toMatchObject({ asPath: path, localPref: 100, med: 5 });
    expect(inside.nextHop).toEqual(ip('192.0.2.2'));
    const outside = ebgp.holds.get('10.1.0.0/16')!.attributes;
    expect(outside.asPath).toEqual([{ type: 2, asns: [65000, 65001, 7] }]);
    expect(outside.nextHop).toEqual(ip('10.0.0.1'));
    expect(outside).not.toHaveProperty('med');
    expect(outside).not.toHaveProperty('localPref');
    expect(lab.peers.get(1)!.holds.size).toBe(0);
    // The others wait for route targets.
    expect(ebgp.endOfRib.sort()).toEqual([0, 1, 4, 5, 6]);
    lab.pass(60_000);
    expect(ebgp.endOfRib.sort()).toEqual([0, 1, 2, 3, 4, 5, 6]);
    lab.down(1);
    lab.settle();
    expect([ibgp.holds.size, ebgp.holds.size]).toEqual([0, 0]);
    lab.down(2);
    lab.down(3);
    lab.settle();
    expect(lab.leftovers()).toEqual(NOTHING_LEFT);
  });

  it('imports by route target into VRFs and into no other', () => {
    const lab = new Lab({ retainVpn: false });
    lab.vrf(1, { importTargets: [target(1)] });
    lab.vrf(2, { importTargets: [target(2), target(1)] });
    lab.vrf(3, { importTargets: [target(3)] });
    lab.settle();
    lab.up(1, { context: contextOf({ families: VPN4 }) });
    lab.announce(1, [vpn], attributes({ extendedCommunities: [target(1)] }));
    lab.announce(1, [{ ...vpn, rd: rd(9) }], attributes({ extendedCommunities: [target(9)] }));
    lab.settle();
    expect([...lab.fib.keys()].sort()).toEqual(['1 10.1.0.0/16', '2 10.1.0.0/16']);
    expect(lab.fib.get('1 10.1.0.0/16')).toEqual(['vpn 192.0.2.2 100']);
    // Three of the paths are our own route target memberships.
    expect(lab.rib.counts()).toMatchObject({ imports: 2, unwanted: 1, paths: 3 + 3 });
    // The same route with another target moves.
    lab.announce(1, [vpn], attributes({ extendedCommunities: [target(3)] }));
    lab.settle();
    expect([...lab.fib.keys()]).toEqual(['3 10.1.0.0/16']);
    lab.down(1);
    lab.settle();
    for (const id of [1, 2, 3]) lab.rib.removeVrf(id);
    lab.settle();
    expect(lab.fib.size).toBe(0);
    expect(lab.leftovers()).toEqual(NOTHING_LEFT);
  });

  it('has a next hop of its own for a label that no packet can have (RFC 3032 §2.1)', () => {
    const lab = new Lab({ retainVpn: false });
    lab.vrf(1, { importTargets: [target(1)] });
    lab.up(1, { context: contextOf({ families: VPN4 }) });
    const protections = (label: number): number[] => {
      lab.announce(1, [{ ...vpn, label }], attributes({ extendedCommunities: [target(1)] }));
      lab.settle();
      return [...lab.hops.values()].map(({ protection }) => protection).sort();
    };
    expect(protections(3)).toEqual([0, UNFIT_LABEL]);
    expect(protections(15)).toEqual([0, UNFIT_LABEL]);
    expect(protections(16)).toEqual([0]);
    expect(protections(3)).toEqual([0, UNFIT_LABEL]);
  });

  it('exports a CE route by every rule that matches, and leaks between VRFs', () => {
    const lab = new Lab({ retainVpn: false });
    const rule = (number: number) => ({
      ...{
        name: 'r',
        rd: rd(number),
        routeTargets: [target(number)],
        communities: [],
        policy: undefined,
      },
      ...{ nextHop: ip('192.0.2.1'), label: () => 1000 + number },
    });
    lab.vrf(1, { exports: [rule(1), rule(2)], importTargets: [target(1)] });
    lab.vrf(2, { importTargets: [target(1)] });
    const pe = lab.up(1, { context: contextOf({ families: VPN4 }) });
    const context = contextOf({ families: V4, ibgp: false });
    lab.up(2, { kind: 'ebgp', vrf: 'v1', context });
    const ce2 = lab.up(3, { kind: 'ebgp', vrf: 'v2', context });
    // A CE has no say in route targets.
    const sent = attributes({
      asPath: [{ type: 2, asns: [65002] }],
      extendedCommunities: [target(77)],
    });
    lab.announce(2, [net], sent);
    lab.settle();
    const one = pe.holds.get(`${rd(1).toString(16)} 10.1.0.0/16`)!;
    const two = pe.holds.get(`${rd(2).toString(16)} 10.1.0.0/16`)!;
    expect(one.attributes.extendedCommunities).toEqual([target(1)]);
    expect(one.attributes.nextHop).toEqual(ip('192.0.2.1'));
    expect([one.label, two.label]).toEqual([1001, 1002]);
    expect(pe.holds.size).toBe(2);
    expect(lab.fib.get('1 10.1.0.0/16')).toEqual(['plain 192.0.2.2']);
    expect(lab.fib.get('2 10.1.0.0/16')).toEqual(['leak 192.0.2.2 1001']);
    const told = ce2.holds.get('10.1.0.0/16')!.attributes;
    expect(told.asPath).toEqual([{ type: 2, asns: [65000, 65002] }]);
    expect(told).not.toHaveProperty('extendedCommunities');
    // One rule fewer, another RD.
    lab.vrf(1, { exports: [rule(4)], importTargets: [] });
    lab.settle();
    expect([...pe.holds.keys()]).toEqual([`${rd(4).toString(16)} 10.1.0.0/16`]);
    expect(lab.fib.has('2 10.1.0.0/16')).toBe(false);
    lab.withdraw(2, [net]);
    lab.settle();
    expect(pe.holds.size).toBe(0);
    for (const id of [1, 2, 3]) lab.down(id);
    for (const id of [1, 2]) lab.rib.removeVrf(id);
    lab.settle();
    expect(lab.leftovers()).toEqual(NOTHING_LEFT);
  });

  it('keeps what it has told while the new label is not ready, and counts routes by label', () => {
    const uses = new Map<number, number>();
    const count = (by: number) => (label: number) => {
      uses.set(label, (uses.get(label) ?? 0) + by);
    };
    const lab = new Lab({
      retainVpn: false,
      exportLabels: { retain: count(1), release: count(-1) },
    });
    let answer: number | 'later' | undefined = 'later';
    const asked: string[] = [];
    const rule = {
      ...{ name: 'r', rd: rd(1), routeTargets: [target(1)], communities: [], policy: undefined },
      nextHop: ip('192.0.2.1'),
      label: (route: ExportQuestion) => {
        asked.push(`${route.vrf} ${formatAddress(route.attributes.nextHop!)}`);
        return answer;
      },
    };
    lab.vrf(7, { exports: [rule] });
    const pe = lab.up(1, { context: contextOf({ families: VPN4 }) });
    lab.up(2, { kind: 'ebgp', vrf: 'v7', context: contextOf({ families: V4, ibgp: false }) });
    const name = `${rd(1).toString(16)} 10.1.0.0/16`;
    const announce = (nextHop: string): void => {
      const asPath = [{ type: 2 as const, asns: [65002] }];
      lab.announce(2, [net], attributes({ asPath, nextHop: ip(nextHop) }));
      lab.settle();
    };
    const again = (): void => {
      lab.rib.exportAgain(7, FAMILY.ipv4Unicast, ip('10.1.0.0'), 16);
      lab.settle();
    };
    announce('192.0.2.77');
    expect(new Set(asked)).toEqual(new Set(['7 192.0.2.77']));
    expect(pe.holds.size).toBe(0);
    answer = 500;
    again();
    expect(pe.holds.get(name)?.label).toBe(500);
    // The route changes: what is told stays whole until there is a label for what it is now.
    answer = 'later';
    const { messages } = pe;
    announce('192.0.2.78');
    expect(asked.at(-1)).toBe('7 192.0.2.78');
    expect(pe.messages).toBe(messages);
    expect([...uses]).toEqual([[500, 1]]);
    answer = 501;
    again();
    expect(pe.holds.get(name)?.label).toBe(501);
    expect(pe.withdrawnUnknown).toEqual([]);
    expect([...uses]).toEqual([
      [500, 0],
      [501, 1],
    ]);
    // No label is free: never told with another.
    answer = undefined;
    again();
    expect(pe.holds.size).toBe(0);
    answer = 502;
    again();
    lab.withdraw(2, [net]);
    lab.settle();
    expect(pe.holds.size).toBe(0);
    expect([...uses.values()]).toEqual([0, 0, 0]);
    for (const id of [1, 2]) lab.down(id);
    lab.rib.removeVrf(7);
    lab.settle();
    expect(lab.leftovers()).toEqual(NOTHING_LEFT);
  });

  it('takes no label for a route that the rule’s policy refuses', () => {
    const lab = new Lab({ retainVpn: false });
    let asked = 0;
    const rule = {
      ...{
        name: 'r',
        rd: rd(1),
        routeTargets: [target(1)],
        communities: [],
        nextHop: ip('192.0.2.1'),
      },
      policy: { usesPrefix: true, apply: () => undefined },
      label: () => ++asked,
    };
    lab.vrf(1, { exports: [rule] });
    lab.up(2, { kind: 'ebgp', vrf: 'v1', context: contextOf({ families: V4, ibgp: false }) });
    lab.announce(2, [net], attributes({ asPath: [{ type: 2, asns: [65002] }] }));
    lab.settle();
    expect(lab.fib.size).toBe(1);
    expect(asked).toBe(0);
  });

  it('reflects between clients and non-clients, and knows its own reflections', () => {
    const client = { ...OPEN, routeReflectorClient: true };
    const lab = new Lab({ neighbour: ({ id }) => (id === 1 ? client : OPEN) });
    const peers = [1, 2, 3].map((id) => lab.up(id));
    lab.announce(1, [net], attributes());
    lab.announce(2, [{ prefix: '10.2.0.0', length: 16 }], attributes());
    lab.settle();
    expect(
      peers.map(({ holds }) => [...holds.keys()].filter((name) => name.startsWith('10.'))),
    ).toEqual([['10.2.0.0/16'], ['10.1.0.0/16'], ['10.1.0.0/16']]);
    expect(peers[1]!.holds.get('10.1.0.0/16')!.attributes).toMatchObject({
      originatorId: 0x0a000101,
      clusterList: [0x0a000001],
    });
    lab.announce(
      3,
      [{ prefix: '10.3.0.0', length: 16 }],
      attributes({ clusterList: [0x0a000001] }),
    );
    lab.announce(3, [{ prefix: '10.4.0.0', length: 16 }], attributes({ originatorId: 0x0a000001 }));
    lab.settle();
    // And our own membership in every route target.
    expect(lab.rib.counts().paths).toBe(2 + 1);
  });
});
