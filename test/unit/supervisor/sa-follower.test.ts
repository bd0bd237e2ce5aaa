// SPDX-License-Identifier: Apache-2.0
/** Following SAs by key: together where nobody has begun, again where it failed, and nobody else's. */
import { beforeEach, expect, it } from 'vitest';
import type { TunnelModel } from '../../../src/forwarding/model.js';
import { parseAddress } from '../../../src/lib/ip.js';
import { tunnelSaKey } from '../../../src/supervisor/ike-sa-row.js';
import { SaFollower, TunnelsBySa } from '../../../src/supervisor/sa-follower.js';
import { Serial } from '../../../src/supervisor/serial.js';
import { VirtualTime } from './virtual-time.js';

let time: VirtualTime;
let serial: Serial;
let followed: string[][];
let failures: unknown[];
let broken: boolean;
let follower: SaFollower;

beforeEach(() => {
  time = new VirtualTime();
  serial = new Serial();
  followed = [];
  failures = [];
  broken = false;
  follower = new SaFollower({
    serial,
    follow: (keys) => {
      if (broken) throw new Error('no room');
      followed.push([...keys]);
    },
    timers: time,
    failed: (error) => failures.push(error),
  });
});

it('follows together what is asked for before it begins, behind the changes that are under way', async () => {
  let end = (): void => undefined;
  const change = serial.run(
    async () =>
      new Promise<void>((resolve) => {
        end = resolve;
      }),
  );
  const both = Promise.all([follower.now(['a', 'b']), follower.now(['b', 'c'])]);
  await time.settle();
  expect(followed).toEqual([]);
  end();
  await Promise.all([change, both]);
  expect(followed).toEqual([['a', 'b', 'c']]);
  await follower.now(['d']);
  expect(followed.at(-1)).toEqual(['d']);
});

it('takes a while for what is not waited for, so that more of it comes together', async () => {
  follower.soon('a');
  follower.soon('b');
  expect(time.timers).toBe(1);
  await time.pass(4);
  expect(followed).toEqual([]);
  await time.pass(1);
  expect(followed).toEqual([['a', 'b']]);
  follower.soon('c');
  follower.close();
  follower.soon('d');
  await time.pass(100);
  expect(followed).toHaveLength(1);
  expect(time.timers).toBe(0);
});

it('tries what failed again with what comes next', async () => {
  broken = true;
  await expect(follower.now(['a'])).rejects.toThrow('no room');
  follower.soon('b');
  await time.pass(5);
  expect(failures).toMatchObject([{ message: 'no room' }]);
  broken = false;
  await follower.now(['c']);
  expect(followed).toEqual([['a', 'b', 'c']]);
});

it('finds the tunnels that share an SA, and looks at all of them once for each set', () => {
  const tunnel = (name: string, remote: string, more: Partial<TunnelModel> = {}): TunnelModel => ({
    ...{ name, local: parseAddress('192.0.2.1')!, remote: parseAddress(remote)! },
    ...{
      protection: 'encrypt',
      encapsulation: 'gre',
      dscp: 'copy',
      ecn: 'compatibility',
      ttl: 64,
      sa: undefined,
    },
    ...more,
  });
  const tunnels = [
    tunnel('a', '192.0.2.2'),
    tunnel('twin', '192.0.2.2', { dscp: 10 }),
    tunnel('ip', '192.0.2.2', { encapsulation: 'ip' }),
    tunnel('b', '192.0.2.3'),
  ];
  let walks = 0;
  class Counted extends Map<string, TunnelModel> {
    override values() {
      walks++;
      return super.values();
    }
  }
  const setOf = (of: readonly TunnelModel[]) => new Counted(of.map((one) => [one.name, one]));
  const bySa = new TunnelsBySa();
  const all = setOf(tunnels);
  const namesOf = (set: ReadonlyMap<string, TunnelModel>, one: TunnelModel) =>
    bySa.sharing(set, tunnelSaKey(one)).map(({ name }) => name);
  const [a, , ip, b] = tunnels;
  expect(namesOf(all, a!)).toEqual(['a', 'twin']);
  expect(namesOf(all, ip!)).toEqual(['ip']);
  expect(namesOf(all, b!)).toEqual(['b']);
  expect(walks).toBe(1);
  expect(namesOf(setOf([b!]), a!)).toEqual([]);
  expect(walks).toBe(2);
});
