// SPDX-License-Identifier: Apache-2.0
import { beforeEach, describe, expect, it } from 'vitest';
import { parseAddress } from '../../../src/lib/ip.js';
import { PathMtus, type Ends } from '../../../src/supervisor/path-mtus.js';
import { pairSaKeys, tunnelSaKey } from '../../../src/supervisor/ike-sa-row.js';
import { VirtualTime } from './virtual-time.js';

const at = (text: string): Uint8Array => parseAddress(text)!;
const ENDS: Ends = { local: at('192.0.2.1'), remote: at('192.0.2.2') };
const SIX: Ends = { local: at('2001:db8:f::1'), remote: at('2001:db8:f::2') };
const START = 1_000_000;

let time: VirtualTime;
let changed: Ends[];
let said: [string, unknown][];
let paths: PathMtus;
beforeEach(() => {
  time = new VirtualTime();
  [changed, said] = [[], []];
  paths = new PathMtus({
    ...{ timers: time, now: () => START + time.now() },
    changed: (ends) => changed.push(ends),
    log: { notice: (what, fields) => said.push([what, fields]) },
  });
});

describe('a path MTU', () => {
  it('is not known at first, and then of these two addresses alone', () => {
    expect(paths.get(ENDS)).toBeUndefined();
    paths.learn(ENDS, 1400);
    // By content, not by the object.
    const same = { local: at('192.0.2.1'), remote: at('192.0.2.2') };
    expect(paths.get(same)).toMatchObject({ mtu: 1400, since: START, expires: START + 600_000 });
    expect(paths.get({ local: ENDS.remote, remote: ENDS.local })).toBeUndefined();
    expect(paths.get(SIX)).toBeUndefined();
    expect(changed).toEqual([ENDS]);
    expect(said).toEqual([
      ['the core passes no larger packets', { local: '192.0.2.1', remote: '192.0.2.2', mtu: 1400 }],
    ]);
  });

  it('only falls, and is kept for as long from then on', async () => {
    paths.learn(ENDS, 1400);
    await time.pass(400_000);
    for (const mtu of [1400, 1401, 1500]) paths.learn(ENDS, mtu);
    expect(paths.get(ENDS)).toMatchObject({ mtu: 1400, expires: START + 600_000 });
    expect(changed).toHaveLength(1);
    paths.learn(ENDS, 1399);
    expect(paths.get(ENDS)).toMatchObject({ mtu: 1399, since: START + 400_000 });
    expect(changed).toHaveLength(2);
    await time.pass(599_999);
    expect(paths.get(ENDS)?.mtu).toBe(1399);
    await time.pass(1);
    expect(paths.get(ENDS)).toBeUndefined();
    expect(changed).toEqual([ENDS, ENDS, ENDS]);
    expect(time.timers).toBe(0);
    // What does not pass then is told anew.
    paths.learn(ENDS, 1450);
    expect(paths.get(ENDS)?.mtu).toBe(1450);
  });

  it('ages as the configuration says from when it is told', async () => {
    paths.learn(ENDS, 1400);
    paths.configure(5);
    paths.learn(SIX, 1300);
    await time.pass(5_000);
    expect(paths.get(SIX)).toBeUndefined();
    expect(paths.get(ENDS)?.mtu).toBe(1400);
    expect(changed).toEqual([ENDS, SIX, SIX]);
  });

  it('is the smaller one of what is told and what probes find, until either goes', async () => {
    paths.probed(ENDS, 1400);
    expect(paths.get(ENDS)).toEqual({
      ...{ mtu: 1400, since: START, expires: undefined, source: 'probe' },
    });
    paths.probed(ENDS, 1400);
    expect(changed).toHaveLength(1);
    paths.learn(ENDS, 1450);
    expect(paths.get(ENDS)).toMatchObject({ mtu: 1400, source: 'probe' });
    paths.learn(ENDS, 1300);
    expect(paths.get(ENDS)).toMatchObject({ mtu: 1300, source: 'icmp' });
    await time.pass(600_000);
    expect(paths.get(ENDS)?.mtu).toBe(1400);
    paths.probed(ENDS, undefined);
    expect(paths.get(ENDS)).toBeUndefined();
    expect(changed).toHaveLength(5);
    paths.close();
    paths.probed(ENDS, 1400);
    expect(paths.get(ENDS)).toBeUndefined();
  });

  it('comes and goes no more once closed', async () => {
    paths.learn(ENDS, 1400);
    paths.close();
    expect(time.timers).toBe(0);
    paths.learn(SIX, 1400);
    await time.pass(700_000);
    expect(paths.get(SIX)).toBeUndefined();
    expect(changed).toEqual([ENDS]);
  });
});

it('the keys of a pair are those of every tunnel between the two that has an outer IP header', () => {
  const keys = pairSaKeys(ENDS);
  expect(new Set(keys).size).toBe(6);
  for (const protection of ['encrypt', 'authenticate', 'tunnel'] as const) {
    for (const encapsulation of ['gre', 'ip'] as const) {
      expect(keys).toContain(tunnelSaKey({ ...ENDS, protection, encapsulation }));
    }
  }
});
