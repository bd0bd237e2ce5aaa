// SPDX-License-Identifier: Apache-2.0
import { beforeEach, expect, it } from 'vitest';
import type { NextHopKey, NextHopState } from '../../../../src/bgp/rib/next-hops.js';
import { forwardingModel } from '../../../../src/forwarding/model.js';
import type { DesiredNexthop } from '../../../../src/forwarding/rows.js';
import { formatAddress, parseAddress } from '../../../../src/lib/ip.js';
import { Ingress } from '../../../../src/vpn/bgp/ingress.js';
import { Tracker, type CoreWay } from '../../../../src/vpn/bgp/tracker.js';
import { TunnelSet } from '../../../../src/vpn/tunnel-set.js';
import { BASE } from '../../forwarding/fixture.js';
import { capability, TERMS } from './capable.js';

const NAME = 'tunnel/pe/192.0.2.2/encrypt/gre';

const ip = (text: string): Uint8Array => parseAddress(text)!;
const core = (address: string): NextHopKey => ({ vrf: 0, address: ip(address), protection: 0 });

let told: [number, NextHopState][];
/** Who follows which address. */
let followed: Map<string, (way: CoreWay) => void>;
let tracker: Tracker;
let tunnels: TunnelSet;

beforeEach(() => {
  told = [];
  tunnels = new TunnelSet({ now: () => 0, changed: () => undefined });
  tunnels.configure(new Map(), [ip('192.0.2.1')]);
  followed = new Map();
  tracker = new Tracker(
    { changed: (id, state) => told.push([id, state]), gatewaysChanged: () => undefined },
    (address, onChange) => {
      const text = formatAddress(address);
      expect(followed.has(text)).toBe(false);
      followed.set(text, onChange);
      return () => followed.delete(text);
    },
    tunnels,
  );
});

it('follows next hops of the core: no way until the kernel knows one, then at its cost', () => {
  expect(tracker.watch(1, core('198.18.0.1')).usable).toBe(false);
  expect(tracker.way(core('198.18.0.1'))).toEqual({ kind: 'none', why: 'not looked up yet' });
  const answer = followed.get('198.18.0.1')!;
  answer({ interface: 'core0', metric: 20 });
  expect(told).toEqual([[1, { usable: true, metric: 20, rank: 0 }]]);
  answer({ interface: 'core1', metric: 20 }); // the same to whoever compares
  expect(told).toHaveLength(1);
  expect(tracker.way(core('198.18.0.1'))).toMatchObject({ kind: 'core', interface: 'core1' });
  answer({ interface: 'core1', metric: 30 });
  answer({ unreachable: 'no way to 198.18.0.1: no route' });
  expect(told.slice(1)).toEqual([
    [1, { usable: true, metric: 30, rank: 0 }],
    [1, { usable: false, metric: 0xffff_ffff, rank: 0 }],
  ]);
  expect(tracker.way(core('198.18.0.1'))).toEqual({
    ...{ kind: 'none', why: 'no way to 198.18.0.1: no route' },
  });
  tracker.unwatch(1);
  expect(followed.size).toBe(0);
});

it('asks nobody about link-local next hops: the session is the proof', () => {
  expect(tracker.watch(1, core('fe80::1'))).toEqual({ usable: true, metric: 0, rank: 0 });
  expect(followed.size).toBe(0);
});

it('stops following when it is closed', () => {
  tracker.watch(1, core('198.18.0.1'));
  tracker.watch(2, core('2001:db8::1'));
  expect(followed.size).toBe(2);
  tracker.close();
  expect(followed.size).toBe(0);
});

it('gives a tunnel the cost of the core’s way to its end', () => {
  const remote = ip('192.0.2.2');
  const ingress = new Ingress(capability());
  const signalled = { protections: ['encrypt'], encapsulations: ['gre'] } as const;
  const key = { vrf: 0, address: remote, protection: ingress.choose(remote, signalled, TERMS) };
  let row: DesiredNexthop | undefined;
  const update = (): void => {
    tracker.update({
      ...{ model: forwardingModel(BASE), ingress, vrfName: () => undefined },
      nexthop: (name) => (name === NAME ? row : undefined),
    });
  };
  update();
  // In no table yet: as a tunnel whose SA is still to come.
  expect(tracker.watch(1, key)).toMatchObject({ usable: true, rank: 2.5, strength: 4 });
  row = { name: NAME, version: undefined };
  update();
  expect(told.splice(0)).toMatchObject([[1, { usable: false }]]);
  const version = { kind: 'receive', vrf: '', interface: 'core0' } as const;
  row = { name: NAME, version, metric: 40 };
  update();
  row = { ...row, metric: 50 };
  update();
  update();
  const state = { usable: true, rank: 3, strength: 4 };
  expect(told).toEqual([
    [1, { ...state, metric: 40 }],
    [1, { ...state, metric: 50 }],
  ]);
  // policy-model 11: usable while its SA is to come, but behind one that is up; not when there is none to be had.
  for (const sa of ['untried', 'pending', 'failed', 'up'] as const) {
    row = { ...row, sa };
    update();
    expect(tracker.pending).toBe(sa === 'untried' || sa === 'pending');
  }
  expect(told.slice(2)).toEqual([
    [1, { ...state, rank: 2.5, metric: 50 }],
    [1, { ...state, rank: 3, metric: 50, usable: false }],
    [1, { ...state, metric: 50 }],
  ]);
  expect(followed.size).toBe(0);
});

it('looks at nothing but the next hops of the tunnels that it is told of', () => {
  const ingress = new Ingress(capability());
  const signalled = { protections: ['encrypt'], encapsulations: ['gre'] } as const;
  const keyOf = (address: Uint8Array): NextHopKey => ({
    ...{ vrf: 0, address, protection: ingress.choose(address, signalled, TERMS) },
  });
  const asked: string[] = [];
  const version = { kind: 'receive', vrf: '', interface: 'core0' } as const;
  let sa: 'pending' | 'up' = 'pending';
  tracker.update({
    ...{ model: forwardingModel(BASE), ingress, vrfName: () => undefined },
    nexthop: (name) => {
      asked.push(name);
      return { name, version, metric: 1, sa };
    },
  });
  for (let n = 1; n <= 200; n++) tracker.watch(n, keyOf(ip(`192.0.2.${String(n)}`)));
  tracker.watch(201, core('192.0.2.7'));
  asked.length = 0;
  sa = 'up';
  tracker.lookAt(['192.0.2.7', '203.0.113.1']);
  expect(told.splice(0)).toMatchObject([[7, { usable: true, rank: 3 }]]);
  expect(new Set(asked)).toEqual(new Set(['tunnel/pe/192.0.2.7/encrypt/gre']));
  // A remote PE's SA may outlive the routes that led to it: its next hop has nobody to tell.
  tracker.unwatch(8);
  asked.length = 0;
  tracker.lookAt(['192.0.2.8']);
  expect(asked).toEqual([]);
  tracker.lookAt(['192.0.2.9']);
  expect(asked).not.toEqual([]);
  tracker.close();
  asked.length = 0;
  tracker.lookAt(['192.0.2.9']);
  expect(asked).toEqual([]);
});

it('asks again for a tunnel that found no room, and says meanwhile why there is none', () => {
  let now = 0;
  const few = new TunnelSet({ now: () => now, changed: () => undefined });
  const shares = { spOf: () => 'y', most: () => 2 };
  few.configure(new Map(), [ip('192.0.2.1')], shares);
  const events = {
    changed: (id: number, state: NextHopState) => told.push([id, state]),
    gatewaysChanged: () => undefined,
  };
  const asking = new Tracker(events, () => () => undefined, few);
  const ingress = new Ingress(capability());
  const signalled = { protections: ['encrypt'], encapsulations: ['gre'] } as const;
  const to = (last: number): NextHopKey => {
    const address = ip(`192.0.2.${String(last)}`);
    return { vrf: 0, address, protection: ingress.choose(address, signalled, TERMS) };
  };
  const update = (): void => {
    asking.update({
      ...{ model: forwardingModel(BASE), ingress, vrfName: () => undefined },
      nexthop: () => undefined,
    });
  };
  update();
  for (const last of [2, 3]) expect(asking.watch(last, to(last)).usable).toBe(true);
  for (const last of [4, 5]) expect(asking.watch(last, to(last)).usable).toBe(false);
  const why = 'routes lead to 2 other tunnels of SP y, which is its share';
  expect(asking.way(to(4))).toEqual({ kind: 'none', why });
  asking.unwatch(2);
  update();
  expect(told).toEqual([]);
  now += 61_000;
  few.sweep();
  update();
  expect(told).toMatchObject([[4, { usable: true }]]);
  expect(asking.way(to(4))).toMatchObject({ row: 'tunnel/pe/192.0.2.4/encrypt/gre' });
  expect(asking.way(to(5))).toEqual({ kind: 'none', why });
  // One that had to wait for room stays as others do: as long as the next hop is asked about.
  now += 61_000;
  few.sweep();
  expect([...few.all.keys()]).toEqual(['pe/192.0.2.3/encrypt/gre', 'pe/192.0.2.4/encrypt/gre']);
  asking.close();
  now += 61_000;
  few.sweep();
  expect(few.all.size).toBe(0);
});
