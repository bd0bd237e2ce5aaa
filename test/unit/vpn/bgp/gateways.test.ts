// SPDX-License-Identifier: Apache-2.0
/** Next hops that CEs name, good and bad. */
import { describe, expect, it } from 'vitest';
import { forwardingModel } from '../../../../src/forwarding/model.js';
import { parseAddress } from '../../../../src/lib/ip.js';
import { Ingress } from '../../../../src/vpn/bgp/ingress.js';
import { TunnelSet } from '../../../../src/vpn/tunnel-set.js';
import { capability } from './capable.js';
import { MOST_GATEWAYS, Tracker, type Ways } from '../../../../src/vpn/bgp/tracker.js';

const model = forwardingModel({
  ...{ instance: 'pe', ownSp: 'a', core: { tunnelAddresses: ['192.0.2.1'] } },
  vrfs: { blue: { addresses: ['10.1.0.9/32'] } },
  interfaces: {
    ce1: {
      ...{ role: 'ce', vrf: 'blue', device: { kernel: 'eth1' } },
      addresses: ['10.1.0.1/24', '2001:db8:1::1/64'],
    },
    ce2: { role: 'ce', vrf: 'blue', device: { kernel: 'eth2' }, addresses: ['10.2.0.0/31'] },
  },
});

function tracker(): Tracker {
  const made = new Tracker(
    { changed: () => undefined, gatewaysChanged: () => undefined },
    () => () => undefined,
    new TunnelSet({ now: () => 0, changed: () => undefined }),
  );
  made.update(ways);
  return made;
}

const ways: Ways = {
  ...{ model, ingress: new Ingress(capability()) },
  ...{ vrfName: (id) => (id === 1 ? 'blue' : undefined), nexthop: () => undefined },
};

const key = (text: string) => ({ vrf: 1, address: parseAddress(text)!, protection: 0 });

describe('next hops inside a VRF', () => {
  it.each([
    ['10.1.0.2', 'ce/blue/ce1/10.1.0.2'],
    ['2001:db8:1::2', 'ce/blue/ce1/2001:db8:1::2'],
    ['10.2.0.1', 'ce/blue/ce2/10.2.0.1'],
  ])('%s is a neighbour', (text, row) => {
    const made = tracker();
    expect(made.watch(1, key(text))).toMatchObject({ usable: true });
    expect(made.way(key(text))).toMatchObject({ kind: 'gateway', row });
    expect(made.gateways()).toHaveLength(1);
  });

  it.each([
    ['10.1.0.1', /our own/],
    ['10.1.0.9', /our own/],
    ['2001:db8:1::1', /our own/],
    ['10.2.0.0', /our own/],
    ['10.1.0.0', /no host/],
    ['10.1.0.255', /no host/],
    ['2001:db8:1::', /no host/],
    ['127.0.0.1', /no interface/],
    ['192.0.2.1', /no interface/],
    ['fe80::1', /no interface/],
  ])('%s is none, and says why (RFC 4271 §5.1.3)', (text, why) => {
    const made = tracker();
    expect(made.watch(1, key(text))).toMatchObject({ usable: false });
    const way = made.way(key(text));
    expect(way.kind === 'none' && way.why).toMatch(why);
    expect(made.gateways()).toEqual([]);
  });

  it('are so many on an interface at most, whatever a CE names', () => {
    const made = tracker();
    const hop = (n: number) => key(`2001:db8:1::1:${n.toString(16)}`);
    for (let n = 0; n < MOST_GATEWAYS + 10; n++) made.watch(n, hop(n));
    expect(made.gateways()).toHaveLength(MOST_GATEWAYS);
    expect(made.way(hop(MOST_GATEWAYS))).toMatchObject({ kind: 'none' });
    // Another interface has its own bound.
    expect(made.watch(9999, key('10.2.0.1'))).toMatchObject({ usable: true });
    // One that goes makes room.
    made.unwatch(0);
    expect(made.watch(0, hop(60_000))).toMatchObject({ usable: true });
    made.unwatch(1);
    made.update(ways);
    expect(made.way(hop(MOST_GATEWAYS))).toMatchObject({ kind: 'gateway' });
    expect(made.gateways()).toHaveLength(MOST_GATEWAYS + 1);
  });
});
