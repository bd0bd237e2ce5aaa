// SPDX-License-Identifier: Apache-2.0
/** Neighbours that mean harm, or are badly broken: nothing is lost, leaks or ends the process. */
import { describe, expect, it } from 'vitest';
import { FAMILY } from '../../../../src/bgp/codec/types.js';
import { attributes, contextOf, ip, Lab, NOTHING_LEFT, OPEN, rd, target } from './lab.js';

const V4 = 1 << FAMILY.ipv4Unicast;
const one = { prefix: '10.1.0.0', length: 16 };
const two = { prefix: '10.2.0.0', length: 16 };
const plain = { context: contextOf({ families: V4 }) };

/** Ends every session and expects nothing to be left. */
function expectEmpty(lab: Lab): void {
  for (const peer of lab.peers.values()) if (peer.up) lab.down(peer.info.id);
  lab.pass(1);
  expect(lab.leftovers()).toEqual(NOTHING_LEFT);
  expect(lab.timers).toBe(0);
}

describe('enhanced route refresh (RFC 7313)', () => {
  it('survives any number of beginnings without an end', () => {
    const lab = new Lab({ retainVpn: false });
    lab.up(1, { ...plain, enhancedRefresh: true });
    lab.announce(1, [one, two], attributes());
    for (let i = 0; i < 100; i++) lab.rib.refresh(1, FAMILY.ipv4Unicast, 1);
    lab.settle();
    expect(lab.fib.size).toBe(2);
    lab.announce(1, [one], attributes());
    lab.rib.refresh(1, FAMILY.ipv4Unicast, 2);
    lab.settle();
    expect([...lab.fib.keys()]).toEqual(['0 10.1.0.0/16']);
    expectEmpty(lab);
  });

  it('survives any number of refreshes between two slices', () => {
    const lab = new Lab({ retainVpn: false });
    lab.up(1, { ...plain, enhancedRefresh: true });
    lab.announce(1, [one, two], attributes());
    for (let i = 0; i < 100; i++) {
      lab.rib.refresh(1, FAMILY.ipv4Unicast, 1);
      lab.announce(1, i === 0 ? [one] : [one, two], attributes());
      lab.rib.refresh(1, FAMILY.ipv4Unicast, 2);
    }
    lab.settle();
    expect(lab.fib.size).toBe(2);
    expectEmpty(lab);
  });
});

describe('attributes that grow', () => {
  const long = (count: number) => [{ type: 2 as const, asns: Array<number>(count).fill(64999) }];
  const context = contextOf({ families: V4, ibgp: false, as4: false, maxMessage: 65535 });

  it('beyond any message with 4-octet AS numbers cost the route alone', () => {
    const lab = new Lab({
      retainVpn: false,
      neighbour: () => ({ ...OPEN, siteOfOrigin: 0x0003_fde8_0000_0001n }),
    });
    lab.vrf(1, {});
    lab.up(1, { kind: 'ebgp', vrf: 'v1', asn: 64999, context });
    lab.announce(1, [one], attributes({ asPath: long(25_000) }));
    lab.announce(1, [two], attributes({ asPath: long(100) }));
    lab.settle();
    expect([...lab.fib.keys()]).toEqual(['1 10.2.0.0/16']);
    expectEmpty(lab);
  });

  it('with what an export adds are not exported', () => {
    const lab = new Lab({ retainVpn: false });
    const rule = {
      ...{ rd: rd(1), routeTargets: [target(1)], communities: [], nextHop: ip('192.0.2.1') },
      ...{ label: () => 24_000, policy: undefined },
    };
    lab.vrf(1, { exports: [rule] });
    const told = lab.up(2, { context: contextOf({ families: 1 << FAMILY.vpnv4 }) });
    lab.up(1, { kind: 'ebgp', vrf: 'v1', asn: 64999, context });
    lab.announce(1, [one], attributes({ asPath: long(30_000) }));
    lab.announce(1, [two], attributes({ asPath: long(100) }));
    lab.settle();
    expect(told.holds.size).toBe(1);
    lab.down(1);
    lab.down(2);
    lab.rib.removeVrf(1);
    lab.settle();
    expect(lab.leftovers()).toEqual(NOTHING_LEFT);
  });
});
