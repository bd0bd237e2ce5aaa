// SPDX-License-Identifier: Apache-2.0
/** What gets from one VRF into another, and by which way. */
import { expect, it } from 'vitest';
import { FAMILY } from '../../../../src/bgp/codec/types.js';
import { NOT_BELIEVED, type ImportDecision, type VrfRib } from '../../../../src/bgp/rib/api.js';
import { one } from './common.js';
import { attributes, contextOf, ip, Lab, OPEN, rd, target } from './lab.js';

const exportRule = {
  ...{ name: 'r', rd: rd(1), routeTargets: [target(1)], communities: [], nextHop: ip('192.0.2.1') },
  ...{ label: () => 24_000, policy: undefined },
};

/** As a tracker would: nothing leads to what is not believed. */
function lab(): Lab {
  const made = new Lab({ retainVpn: false });
  made.hopStates.set('192.0.2.1', { usable: false, metric: 0, rank: 0 });
  return made;
}

it('a VRF that accepts another SP alone takes nothing of ours with the same target (policy-model 10)', () => {
  const made = lab();
  made.vrf(1, { exports: [exportRule] });
  const accepting = (accept: ImportDecision): Partial<VrfRib> => ({
    importTargets: [target(1)],
    accept,
  });
  made.vrf(
    2,
    accepting(() => NOT_BELIEVED),
  );
  made.vrf(
    3,
    accepting(() => 254),
  );
  const context = contextOf({ families: 1, ibgp: false });
  made.up(1, { kind: 'ebgp', vrf: 'v1', asn: 64999, context });
  made.announce(1, [one], attributes({ asPath: [{ type: 2, asns: [64999] }] }));
  made.settle();
  expect([...made.fib.keys()].sort()).toEqual(['1 10.1.0.0/16', '3 10.1.0.0/16']);
});

it('an import policy that sets a next hop does not move the route to a router judged otherwise', () => {
  const made = lab();
  const judged: string[] = [];
  made.vrf(1, {
    importTargets: [target(1)],
    accept: ({ nextHop }) => {
      judged.push(nextHop.join('.'));
      return 5;
    },
    importPolicy: {
      usesPrefix: false,
      apply: (route) => ({ ...route.attributes, nextHop: ip('203.0.113.9') }),
    },
  });
  made.up(1, { context: contextOf({ families: 1 << FAMILY.vpnv4 }) });
  const vpn = { family: FAMILY.vpnv4, rd: rd(9), ...one, label: 20 };
  made.announce(1, [vpn], attributes({ extendedCommunities: [target(1)] }));
  made.settle();
  expect(judged).toEqual(['192.0.2.2']);
  expect(made.fib.get('1 10.1.0.0/16')).toEqual(['vpn 192.0.2.2 20']);
});

it('says which rules export a prefix, after their policies', () => {
  const made = lab();
  const refusing = { usesPrefix: false, apply: () => undefined };
  const closed = { ...exportRule, name: 'closed', rd: rd(2), policy: refusing };
  made.vrf(1, { exports: [exportRule, closed] });
  const context = contextOf({ families: 1, ibgp: false });
  made.up(1, { kind: 'ebgp', vrf: 'v1', asn: 64999, context });
  made.announce(1, [one], attributes({ asPath: [{ type: 2, asns: [64999] }] }));
  made.settle();
  const by = (prefix: string) => [
    ...made.rib.exportedBy(1, FAMILY.ipv4Unicast, ip(prefix), one.length),
  ];
  expect(by('10.1.0.0')).toEqual(['r']);
  expect(by('10.2.0.0')).toEqual([]);
  made.vrf(1, {
    exports: [
      { ...exportRule, policy: refusing },
      { ...closed, policy: undefined },
    ],
  });
  made.settle();
  expect(by('10.1.0.0')).toEqual(['closed']);
});

it('tells neighbours of other SPs what is exported to theirs alone (policy-model 6)', () => {
  const ofSp: Readonly<Record<number, string>> = { 2: 'x', 3: 'y' };
  const made = new Lab({
    retainVpn: false,
    neighbour: ({ id }) => ({ ...OPEN, ...(ofSp[id] !== undefined && { sp: ofSp[id] }) }),
  });
  const exportsTo = (n: number, toSps: readonly string[]) => ({
    ...{ ...exportRule, name: String(n), rd: rd(n), toSps, label: () => 24_000 + n },
  });
  made.vrf(1, { exports: [exportsTo(1, ['own']), exportsTo(2, ['x']), exportsTo(3, ['x', 'y'])] });
  const peers = [4, 2, 3].map((id) => {
    const families = 1 << FAMILY.vpnv4;
    return made.up(id, {
      kind: id === 4 ? 'ibgp' : 'ebgp',
      context: contextOf({ families, ibgp: id === 4 }),
    });
  });
  const context = contextOf({ families: 1, ibgp: false });
  made.up(1, { kind: 'ebgp', vrf: 'v1', asn: 64999, context });
  made.announce(1, [one], attributes({ asPath: [{ type: 2, asns: [64999] }] }));
  made.settle();
  const told = () =>
    peers.map(({ holds }) => [...holds.values()].map(({ label }) => (label ?? 0) - 24_000).sort());
  // A reflector inside, SP x, SP y.
  expect(told()).toEqual([[1, 2, 3], [2, 3], [3]]);
  // A class with other SPs has another label.
  made.vrf(1, { exports: [exportsTo(1, ['own']), exportsTo(4, ['y']), exportsTo(3, ['own'])] });
  made.settle();
  expect(told()).toEqual([[1, 3, 4], [], [4]]);
});

it('finds no table for a neighbour whose VRF has gone, rather than the core', () => {
  const made = lab();
  made.vrf(1);
  made.up(1, { kind: 'ebgp', vrf: 'v1', context: contextOf({ families: 1, ibgp: false }) });
  made.rib.removeVrf(1);
  expect(() => {
    made.rib.reconfigure(1, { ...OPEN, asOverride: true });
  }).toThrow(/in no VRF/);
});
