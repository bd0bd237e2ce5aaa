// SPDX-License-Identifier: Apache-2.0
/** The worker's BFD and BIRD's: every form of path, and authentication by keyed SHA1. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { BfdAuthentication } from '../../../src/supervisor/bfd-types.js';
import { dissect } from '../../lib/tshark.js';
import { Bed, FAST, type Watched } from './bed.js';
import { Bird, birdIsThere, PATHS } from './bird.js';

const SECRET = 'a key of 20 octets!!';

describe.skipIf(!birdIsThere)('with BIRD', () => {
  let bed: Bed;
  let bird: Bird | undefined;
  let watched: Watched[] = [];

  const start = async (authentication = ''): Promise<Bird> => {
    bird = await Bird.start(bed, { authentication });
    return bird;
  };
  const watch = (i: number, authentication?: BfdAuthentication): Watched => {
    const [, path] = PATHS[i] ?? PATHS[0];
    const settings = authentication === undefined ? FAST : { ...FAST, authentication };
    const session = bed.watch(path, settings);
    watched.push(session);
    return session;
  };

  beforeAll(async () => {
    bed = await Bed.open('bird');
    await bed.connect();
  });
  afterEach(async () => {
    for (const { session } of watched) session.remove();
    watched = [];
    await bird?.stop();
    bird = undefined;
  });
  afterAll(async () => {
    await bed.close();
  });

  it('comes up in every form, and stays', async () => {
    const peer = await start();
    const all = PATHS.map((_, i) => watch(i));
    for (const { until } of all) await until('up', ({ state }) => state === 'up');
    for (const [name, , address] of PATHS) {
      expect([name, await peer.state(address)]).toEqual([name, 'Up']);
    }
    await new Promise((wake) => setTimeout(wake, 3000));
    for (const { session, seen } of all) {
      expect(session.status.state).toBe('up');
      expect(seen.filter(({ failed }) => failed)).toEqual([]);
    }
    // negotiated: the larger of what one sends and the other takes
    const list = await bed.sessions.list();
    expect(list.map(({ txIntervalUs }) => txIntervalUs)).toEqual(PATHS.map(() => 300_000));
    expect(list.map(({ detectionUs }) => detectionUs)).toEqual(PATHS.map(() => 900_000n));
  });

  it('a removed session ends as administratively down at the peer', async () => {
    const peer = await start();
    const { session, until } = watch(0);
    await until('up', ({ state }) => state === 'up');
    const endCapture = await bed.capture('removed', 'hop');
    session.remove();
    await peer.until('10.77.0.1', 'Down');
    await new Promise((wake) => setTimeout(wake, 3500));
    const frames = await dissect(await endCapture(), ['bfd.sta', 'bfd.diag'], {
      filter: 'ip.src == 10.77.0.1',
    });
    const last = frames.filter((frame) => frame['bfd.sta'] === '0x00');
    // at once, and once a second for the 3 s that the peer would wait
    expect(last.length).toBeGreaterThanOrEqual(3);
    expect(new Set(last.map((frame) => frame['bfd.diag']))).toEqual(new Set(['0x07']));
    expect((await bed.sessions.list()).length).toBe(0);
  });

  it('goes down when the peer is stopped, with its failure told once', async () => {
    const peer = await start();
    const { until, seen } = watch(3);
    await until('up', ({ state }) => state === 'up');
    peer.child.kill('SIGSTOP');
    expect(await until('down', ({ state }) => state === 'down', 5000)).toMatchObject({
      diagnostic: 1,
      failed: true,
    });
    peer.child.kill('SIGCONT');
    await until('up again', ({ state }) => state === 'up');
    expect(seen.filter(({ failed }) => failed)).toHaveLength(1);
  });

  it.each([
    ['keyed-sha1', 'keyed sha1'],
    ['meticulous-keyed-sha1', 'meticulous keyed sha1'],
  ] as const)('authenticates by %s, and believes nothing else', async (type, words) => {
    const peer = await start(`authentication ${words}; password "${SECRET}" { id 7; };`);
    const right: BfdAuthentication = { type, keyId: 7, key: Buffer.from(SECRET) };
    const endCapture = await bed.capture(type, 'hop');
    const { session, until } = watch(0, right);
    await until('up', ({ state }) => state === 'up');
    expect(await peer.state('10.77.0.1')).toBe('Up');
    await new Promise((wake) => setTimeout(wake, 2500));
    expect(session.status).toMatchObject({ state: 'up', diagnostic: 0 });

    const before = bed.drops('bfd_auth');
    for (const wrong of [
      { ...right, key: Buffer.from('another') },
      { ...right, keyId: 8 },
      undefined,
    ]) {
      session.change(wrong === undefined ? FAST : { ...FAST, authentication: wrong });
      await until('down', ({ state }) => state === 'down', 10_000);
      await peer.until('10.77.0.1', 'Down');
      session.change({ ...FAST, authentication: right });
      await until('up again', ({ state }) => state === 'up', 20_000);
    }
    expect(bed.drops('bfd_auth')).toBeGreaterThan(before + 3n);

    const file = await endCapture();
    const fields = [
      'bfd.auth.type',
      'bfd.auth.len',
      'bfd.auth.key',
      'bfd.auth.seq_num',
      '_ws.malformed',
      '_ws.expert',
    ] as const;
    const ours = await dissect(file, fields, {
      filter: 'ip.src == 10.77.0.1 && bfd.auth.key == 7',
    });
    expect(ours.length).toBeGreaterThan(10);
    const number = type === 'keyed-sha1' ? '4' : '5';
    for (const frame of ours) {
      expect(frame).toMatchObject({
        'bfd.auth.type': number,
        'bfd.auth.len': '28',
        '_ws.malformed': '',
        '_ws.expert': '',
      });
    }
  });
});
