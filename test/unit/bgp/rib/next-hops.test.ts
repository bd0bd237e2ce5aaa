// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';
import { FAMILY } from '../../../../src/bgp/codec/types.js';
import { formatAddress } from '../../../../src/lib/ip.js';
import { client, one } from './common.js';
import { attributes, contextOf, ip, Lab, NOTHING_LEFT, rd, target } from './lab.js';

const VPN4 = 1 << FAMILY.vpnv4;

describe('next hops', () => {
  it('prefers the path whose protection is up, drops it when that fails (policy-model 11, 12)', () => {
    const lab = new Lab({ retainVpn: false });
    lab.vrf(1, { importTargets: [target(1)], accept: () => 2 });
    lab.up(1, { context: contextOf({ families: VPN4 }) });
    const vpn = (n: number) => ({ family: FAMILY.vpnv4, rd: rd(n), ...one, label: 20 + n });
    const via = (hop: string, localPref: number) =>
      attributes({ nextHop: ip(hop), localPref, extendedCommunities: [target(1)] });
    for (const tunnel of ['192.0.2.2', '192.0.2.3']) lab.hop(tunnel, { rank: 1 });
    lab.announce(1, [vpn(1)], via('192.0.2.2', 100));
    lab.announce(1, [vpn(2)], via('192.0.2.3', 300));
    lab.settle();
    expect(lab.fib.get('1 10.1.0.0/16')).toEqual(['vpn 192.0.2.3 22']);
    lab.hop('192.0.2.2', { rank: 2 });
    lab.settle();
    expect(lab.fib.get('1 10.1.0.0/16')).toEqual(['vpn 192.0.2.2 21']);
    lab.hop('192.0.2.2', { usable: false, rank: 2 });
    lab.settle();
    expect(lab.fib.get('1 10.1.0.0/16')).toEqual(['vpn 192.0.2.3 22']);
    lab.hop('192.0.2.3', { usable: false });
    lab.settle();
    expect(lab.fib.size).toBe(0);
    expect([...lab.hops.values()].map(({ protection }) => protection).sort()).toEqual([0, 0, 2, 2]);
    lab.down(1);
    lab.rib.removeVrf(1);
    lab.settle();
    expect(lab.leftovers()).toEqual(NOTHING_LEFT);
  });
});

describe('next hops of the core', () => {
  it('decide among unicast routes: no way, no route; then the nearest (RFC 4271 §9.1.2)', () => {
    const lab = new Lab({ retainVpn: false });
    lab.hopStates.set('192.0.2.2', { usable: false, metric: 0xffff_ffff, rank: 0 });
    lab.up(1);
    lab.up(2);
    lab.announce(1, [one], attributes({ nextHop: ip('192.0.2.2') }));
    lab.settle();
    expect(lab.fib.size).toBe(0);
    lab.announce(2, [one], attributes({ nextHop: ip('192.0.2.3') }));
    lab.settle();
    expect(lab.fib.get('0 10.1.0.0/16')).toEqual(['plain 192.0.2.3']);
    lab.hop('192.0.2.2', { metric: 9 });
    lab.settle();
    expect(lab.fib.get('0 10.1.0.0/16')).toEqual(['plain 192.0.2.2']);
    lab.hop('192.0.2.2', { metric: 11 });
    lab.settle();
    expect(lab.fib.get('0 10.1.0.0/16')).toEqual(['plain 192.0.2.3']);
  });

  it('are no condition of a VPN route that is told on, but the nearer wins', () => {
    const lab = new Lab({ neighbour: () => client });
    lab.hopStates.set('192.0.2.2', { usable: false, metric: 0xffff_ffff, rank: 0 });
    const context = contextOf({ families: VPN4 });
    for (const id of [1, 2]) lab.up(id, { context });
    const pe = lab.up(3, { context });
    const vpn = { family: FAMILY.vpnv4, rd: rd(1), ...one, label: 21 };
    const name = `${rd(1).toString(16)} 10.1.0.0/16`;
    const told = (): string => formatAddress(pe.holds.get(name)!.attributes.nextHop!);
    lab.announce(1, [vpn], attributes({ nextHop: ip('192.0.2.2') }));
    lab.settle();
    expect(told()).toBe('192.0.2.2');
    lab.announce(2, [vpn], attributes({ nextHop: ip('192.0.2.3') }));
    lab.settle();
    expect(told()).toBe('192.0.2.3');
    lab.hop('192.0.2.2', { metric: 5 });
    lab.settle();
    expect(told()).toBe('192.0.2.2');
    lab.hop('192.0.2.2', { usable: false, metric: 0xffff_ffff });
    lab.settle();
    expect(told()).toBe('192.0.2.3');
    lab.withdraw(2, [vpn]);
    lab.settle();
    expect(told()).toBe('192.0.2.2');
  });
});
