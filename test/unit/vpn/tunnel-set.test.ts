// SPDX-License-Identifier: Apache-2.0
import { beforeEach, expect, it } from 'vitest';
import type { TunnelModel } from '../../../src/forwarding/model.js';
import { parseAddress } from '../../../src/lib/ip.js';
import {
  MOST_TUNNELS,
  TunnelSet,
  tunnelShares,
  type TunnelKind,
} from '../../../src/vpn/tunnel-set.js';

const ip = (text: string): Uint8Array => parseAddress(text)!;
const OWN = [ip('192.0.2.1'), ip('192.0.2.8'), ip('2001:db8::1')];
const kind = (remote: string, protection: TunnelKind['protection'] = 'encrypt'): TunnelKind => ({
  ...{ remote: ip(remote), protection },
  encapsulation: protection === 'mpls' ? 'none' : 'gre',
});

let now: number;
let changes: number;
let tunnels: TunnelSet;

beforeEach(() => {
  now = 1000;
  changes = 0;
  tunnels = new TunnelSet({ now: () => now, changed: () => changes++ });
  tunnels.configure(new Map(), OWN);
});

const names = (): string[] => [...tunnels.all.keys()];
const settled = async (): Promise<void> => Promise.resolve();

it('are there once for all routes of one next hop and choice (P8, policy-model 16)', async () => {
  expect(tunnels.hold(kind('192.0.2.2'))).toBe(true);
  tunnels.hold(kind('192.0.2.2'));
  tunnels.hold(kind('192.0.2.2', 'authenticate'));
  tunnels.hold(kind('2001:db8::2', 'mpls'));
  await settled();
  expect(changes).toBe(1);
  expect(names()).toEqual([
    'pe/192.0.2.2/encrypt/gre',
    'pe/192.0.2.2/authenticate/gre',
    'pe/2001:db8::2/mpls/none',
  ]);
  // From our address of the remote one's family.
  expect(tunnels.find(kind('192.0.2.2'))).toMatchObject({ local: OWN[0], sa: undefined });
  expect(tunnels.find(kind('2001:db8::2', 'mpls'))).toMatchObject({ local: OWN[2] });
});

it('outlive their last route for a while', async () => {
  tunnels.hold(kind('192.0.2.2'));
  tunnels.hold(kind('192.0.2.2'));
  tunnels.release(kind('192.0.2.2'));
  now += 100_000;
  tunnels.sweep();
  expect(names()).toHaveLength(1);
  tunnels.release(kind('192.0.2.2'));
  now += 59_000;
  tunnels.sweep();
  expect(names()).toHaveLength(1);
  // A route that comes back finds it.
  tunnels.hold(kind('192.0.2.2'));
  now += 100_000;
  tunnels.sweep();
  expect(names()).toHaveLength(1);
  tunnels.release(kind('192.0.2.2'));
  now += 61_000;
  await settled();
  const before = changes;
  tunnels.sweep();
  await settled();
  expect([names(), changes - before]).toEqual([[], 1]);
  // Nobody holds it: nothing happens.
  tunnels.release(kind('192.0.2.2'));
});

it('give way to configured ones of the same kind', () => {
  const configured: TunnelModel = {
    ...{ name: 'mine', local: OWN[1]!, ...kind('192.0.2.2') },
    ...{ dscp: 0, ecn: 'compatibility', ttl: 5, sa: undefined },
  };
  tunnels.hold(kind('192.0.2.2'));
  tunnels.configure(new Map([['mine', configured]]), OWN);
  expect(names()).toEqual(['mine']);
  expect(tunnels.find(kind('192.0.2.2'))).toBe(configured);
  // And serve again when those are gone.
  tunnels.configure(new Map(), OWN);
  expect(names()).toEqual(['pe/192.0.2.2/encrypt/gre']);
  expect(tunnels.find(kind('192.0.2.2'))).toMatchObject({ dscp: 'copy', ecn: 'compatibility' });
  tunnels.configure(new Map(), OWN, undefined, 'normal');
  expect(tunnels.find(kind('192.0.2.2'))).toMatchObject({ dscp: 'copy', ecn: 'normal' });
});

it('are not there where none of our addresses is of the family', () => {
  tunnels.configure(new Map(), OWN.slice(0, 2));
  tunnels.hold(kind('2001:db8::2'));
  expect(names()).toEqual([]);
  expect(tunnels.find(kind('2001:db8::2'))).toBeUndefined();
});

it('are bounded, since neighbours decide how many there are', () => {
  for (let i = 0; i < MOST_TUNNELS; i++) {
    expect(tunnels.hold(kind(`198.18.${String(i >> 8)}.${String(i & 255)}`))).toBe(true);
  }
  expect(tunnels.hold(kind('192.0.2.2'))).toBe(false);
  expect(tunnels.find(kind('192.0.2.2'))).toBeUndefined();
  expect(tunnels.all.size).toBe(MOST_TUNNELS);
});

it('are so many for each SP, and those of others have theirs', () => {
  const spOf = (remote: string): string => (remote.startsWith('198.18.') ? 'y' : 'x');
  const config = { ownSp: 'x', otherSps: ['y', 'z'] };
  const full: string[] = [];
  tunnels = new TunnelSet({
    ...{ now: () => now, changed: () => undefined },
    full: (sp, most) => full.push(`${sp} ${String(most)}`),
  });
  tunnels.configure(new Map(), OWN, tunnelShares(config, spOf));
  const y = (i: number): TunnelKind => kind(`198.18.${String(i >> 8)}.${String(i & 255)}`);
  const share = MOST_TUNNELS / 4;
  for (let i = 0; i < share; i++) expect(tunnels.hold(y(i))).toBe(true);
  expect([tunnels.hold(y(share)), tunnels.hold(y(share + 1))]).toEqual([false, false]);
  expect(tunnels.why(y(share))).toBe(
    `routes lead to ${String(share)} other tunnels of SP y, which is its share`,
  );
  expect(full).toEqual([`y ${String(share)}`]);
  // What there is already is not refused, nor is the SP of others.
  expect(tunnels.hold(y(0))).toBe(true);
  expect(tunnels.hold(kind('192.0.2.2'))).toBe(true);
  // When one has gone there is room for one, which is told.
  const { rooms } = tunnels;
  tunnels.release(y(1));
  now += 61_000;
  tunnels.sweep();
  expect(tunnels.rooms).toBe(rooms + 1);
  expect([tunnels.hold(y(share)), tunnels.hold(y(share + 1))]).toEqual([true, false]);
  // With one SP less the others have more.
  tunnels.configure(new Map(), OWN, tunnelShares({ ...config, otherSps: ['y'] }, spOf));
  expect(tunnels.hold(y(share + 1))).toBe(true);
});

it('are all our own SP’s where there is no other', () => {
  const shares = tunnelShares({ ownSp: 'x' }, () => 'x');
  expect(shares.most('x')).toBe(MOST_TUNNELS);
  const some = tunnelShares({ ownSp: 'x', otherSps: ['a', 'b', 'c'] }, () => 'x');
  expect(some.most('x') + 3 * some.most('a')).toBe(MOST_TUNNELS);
});

it('are found again by their rows after a restart, until routes have had time to come', () => {
  tunnels.adopt([
    'tunnel/pe/192.0.2.2/encrypt/gre',
    'tunnel/pe/2001:db8::2/mpls/none',
    ...['tunnel/mine', 'tunnel/pe/what', 'tunnel/pe/192.0.2.2/best/gre', 'ce/a/if/192.0.2.2'],
  ]);
  expect(names()).toEqual(['pe/192.0.2.2/encrypt/gre', 'pe/2001:db8::2/mpls/none']);
  tunnels.hold(kind('192.0.2.2'));
  now += 61_000;
  tunnels.sweep();
  expect(names()).toEqual(['pe/192.0.2.2/encrypt/gre']);
});
