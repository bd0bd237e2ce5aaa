// SPDX-License-Identifier: Apache-2.0
/** Neighbours that mean harm, or are badly broken: nothing is lost, leaks or ends the process. */
import { describe, expect, it } from 'vitest';
import { FAMILY } from '../../../../src/bgp/codec/types.js';
import { attributes, contextOf, Lab, NOTHING_LEFT } from './lab.js';

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
