// SPDX-License-Identifier: Apache-2.0
/** The worker's BFD and BIRD's: every form of path, and authentication by keyed SHA1. */
import type { ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../../scripts/lib/lab.js';
import type { BfdAuthentication } from '../../../src/supervisor/bfd-types.js';
import { dissect } from '../../lib/tshark.js';
import { Bed, FAST, LINK_LOCAL, MULTI4, MULTI6, SINGLE4, SINGLE6, type Watched } from './bed.js';

const BIRD = '/usr/sbin/bird';
const SECRET = 'a key of 20 octets!!';

const TIMERS =
  'min rx interval 300 ms; min tx interval 300 ms; idle tx interval 1 s; multiplier 3;';

function config(authentication = ''): string {
  return `
router id 10.77.1.2;
protocol device {}
protocol bfd watch {
  interface "hop" { ${TIMERS} ${authentication} };
  multihop { ${TIMERS} ${authentication} };
  neighbor 10.77.0.1 dev "hop" local 10.77.0.2;
  neighbor fd77::1 dev "hop" local fd77::2;
  neighbor fe80::77:1 dev "hop" local fe80::77:2;
  neighbor 10.77.1.1 local 10.77.1.2 multihop on;
  neighbor fd77:1::1 local fd77:1::2 multihop on;
}
`;
}

const PATHS = [
  ['IPv4', { ...SINGLE4, interface: 'hop' }, '10.77.0.1'],
  ['IPv6', { ...SINGLE6, interface: 'hop' }, 'fd77::1'],
  ['IPv6 link-local', { ...LINK_LOCAL, interface: 'hop' }, 'fe80::77:1'],
  ['multihop IPv4', MULTI4, '10.77.1.1'],
  ['multihop IPv6', MULTI6, 'fd77:1::1'],
] as const;

describe.skipIf(!existsSync(BIRD))('with BIRD', () => {
  let bed: Bed;
  let bird: ChildProcess | undefined;
  let watched: Watched[] = [];

  const start = async (authentication?: string): Promise<void> => {
    const file = bed.write('bird.conf', config(authentication));
    const argv = [BIRD, '-f', '-c', file, '-s', bed.path('bird.ctl'), '-P', bed.path('bird.pid')];
    bird = bed.lab.start(bed.peer, argv, bed.path('bird.log'));
    await eventually('BIRD answers', async () => {
      const { code } = await bed.lab.exec(bed.peer, [
        'birdc',
        '-s',
        bed.path('bird.ctl'),
        'show',
        'status',
      ]);
      return code === 0 ? true : undefined;
    });
  };
  /** BIRD's state of the session with an address: Up, Init, Down, AdminDown. */
  const birdState = async (address: string): Promise<string | undefined> => {
    const argv = ['birdc', '-s', bed.path('bird.ctl'), 'show', 'bfd', 'sessions'];
    const text = await bed.lab.must(bed.peer, argv);
    const line = text.split('\n').find((row) => row.startsWith(`${address} `));
    return line?.trim().split(/\s+/)[2];
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
    if (bird !== undefined) await bed.lab.stop(bird);
    bird = undefined;
  });
  afterAll(async () => {
    await bed.close();
  });

  it('comes up in every form, and stays', async () => {
    await start();
    const all = PATHS.map((_, i) => watch(i));
    for (const { until } of all) await until('up', ({ state }) => state === 'up');
    for (const [name, , address] of PATHS)
      expect([name, await birdState(address)]).toEqual([name, 'Up']);
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
    await start();
    const { session, until } = watch(0);
    await until('up', ({ state }) => state === 'up');
    const endCapture = await bed.capture('removed', 'hop');
    session.remove();
    await eventually('BIRD sees it', async () =>
      (await birdState('10.77.0.1')) === 'Down' ? true : undefined,
    );
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
    await start();
    const { until, seen } = watch(3);
    await until('up', ({ state }) => state === 'up');
    bird?.kill('SIGSTOP');
    expect(await until('down', ({ state }) => state === 'down', 5000)).toMatchObject({
      diagnostic: 1,
      failed: true,
    });
    bird?.kill('SIGCONT');
    await until('up again', ({ state }) => state === 'up');
    expect(seen.filter(({ failed }) => failed)).toHaveLength(1);
  });

  it.each([
    ['keyed-sha1', 'keyed sha1'],
    ['meticulous-keyed-sha1', 'meticulous keyed sha1'],
  ] as const)('authenticates by %s, and believes nothing else', async (type, words) => {
    await start(`authentication ${words}; password "${SECRET}" { id 7; };`);
    const right: BfdAuthentication = { type, keyId: 7, key: Buffer.from(SECRET) };
    const endCapture = await bed.capture(type, 'hop');
    const { session, until } = watch(0, right);
    await until('up', ({ state }) => state === 'up');
    expect(await birdState('10.77.0.1')).toBe('Up');
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
      await eventually('down there', async () =>
        (await birdState('10.77.0.1')) === 'Down' ? true : undefined,
      );
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
