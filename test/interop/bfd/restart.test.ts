// SPDX-License-Identifier: Apache-2.0
/** BFD lives in the worker: what becomes of sessions when the supervisor, or the worker, does not. */
import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../../scripts/lib/lab.js';
import { formatAddress } from '../../../src/lib/ip.js';
import { dissect } from '../../lib/tshark.js';
import { Bed, FAST } from './bed.js';
import { Bird, birdIsThere, PATHS } from './bird.js';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const [SINGLE, , , MULTI] = PATHS;
const BOTH = [SINGLE, MULTI];

interface Line {
  readonly peer?: string;
  readonly state?: string;
  readonly failed?: boolean;
  readonly blocked?: number;
}

/** supervisor.ts as a process of its own. */
class Supervisor {
  readonly child: ChildProcess;
  readonly lines: Line[] = [];
  stderr = '';

  constructor(bed: Bed, paths: readonly (typeof PATHS)[number][]) {
    const peers = paths.map(([, path]) =>
      JSON.stringify({
        ...path,
        local: formatAddress(path.local),
        remote: formatAddress(path.remote),
      }),
    );
    const script = [`${root}scripts/lib/run-ts.mjs`, `${root}test/interop/bfd/supervisor.ts`];
    const where = [bed.path('worker.sock'), String(bed.tables.epoch), `/run/netns/${bed.pe}`];
    this.child = spawn(process.execPath, [...script, ...where, ...peers], {
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    this.child.stderr?.on('data', (text: Buffer) => (this.stderr += text.toString()));
    if (this.child.stdout === null) throw new Error('no standard output');
    createInterface({ input: this.child.stdout }).on('line', (line) => {
      this.lines.push(JSON.parse(line) as Line);
    });
  }

  last(peer: string): Line | undefined {
    return this.lines.findLast((line) => line.peer === peer);
  }
  async until(peer: string, state: string): Promise<void> {
    await eventually(
      `${peer} is ${state}`,
      () => {
        if (this.child.exitCode !== null) throw new Error(`supervisor.ts ended: ${this.stderr}`);
        return this.last(peer)?.state === state ? true : undefined;
      },
      30_000,
    );
  }
  async kill(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const gone = new Promise((resolve) => this.child.once('exit', resolve));
    this.child.kill('SIGKILL');
    await gone;
  }
}

type Row = Awaited<ReturnType<Bird['session']>>;

/** The session is the one that it was. BIRD reckons the time of the day anew each time, give or take a millisecond. */
function expectUntouched(row: Row, before: Row): void {
  const ms = (one: Row): number => Date.parse(`1970-01-01T${one?.since ?? ''}Z`);
  expect(row?.state).toBe(before?.state);
  expect(Math.abs(ms(row) - ms(before))).toBeLessThan(20);
}

describe.skipIf(!birdIsThere)('restarts', () => {
  let bed: Bed;
  let bird: Bird;
  let supervisor: Supervisor | undefined;

  beforeAll(async () => {
    bed = await Bed.open('restart');
  });
  afterEach(async () => {
    await supervisor?.kill();
    supervisor = undefined;
    await bird.stop();
  });
  afterAll(async () => {
    await bed.close();
  });

  const sessionsUp = async (): Promise<Supervisor> => {
    bird = await Bird.start(bed, { intervalMs: 100, mult: 5 });
    const started = new Supervisor(bed, BOTH);
    supervisor = started;
    for (const [, path] of BOTH) await started.until(formatAddress(path.remote), 'up');
    return started;
  };

  it('sessions stay up when the supervisor is killed, and the next goes on with them', async () => {
    const first = await sessionsUp();
    const before = await Promise.all(BOTH.map(async ([, , address]) => bird.session(address)));
    const endCapture = await bed.capture('killed');
    await first.kill();
    await new Promise((wake) => setTimeout(wake, 3000)); // six Detection Times
    const after = await Promise.all(BOTH.map(async ([, , address]) => bird.session(address)));
    for (const [i, row] of after.entries()) expectUntouched(row, before[i]);
    expect(after.map((session) => session?.state)).toEqual(['Up', 'Up']);

    await bed.connect();
    const list = await bed.sessions.list();
    expect(list.map(({ state }) => [state?.state, state?.ups, state?.downs])).toEqual([
      [3, 1n, 0n],
      [3, 1n, 0n],
    ]);
    const settings = { desiredMinTxUs: 100_000, requiredMinRxUs: 100_000, detectMult: 5 };
    const adopted = bed.watch(SINGLE[1], settings);
    await adopted.until('adopted', ({ state }) => state === 'up', 5000);
    expect(adopted.seen.map(({ state, failed }) => [state, failed])).toEqual([['up', false]]);
    // nobody asked for the other one
    await bed.sessions.removeOthers();
    await bird.until(MULTI[2], 'Down');
    expect((await bed.sessions.list()).length).toBe(1);
    expectUntouched(await bird.session(SINGLE[2]), before[0]);
    // new settings reach an adopted session
    adopted.session.change({ ...settings, desiredMinTxUs: 200_000 });
    await eventually('slower', async () =>
      (await bed.sessions.list())[0]?.txIntervalUs === 200_000 ? true : undefined,
    );
    expectUntouched(await bird.session(SINGLE[2]), before[0]);
    const file = await endCapture();
    const ours = await dissect(file, ['bfd.sta'], { filter: `bfd && ip.src == ${SINGLE[2]}` });
    expect(ours.length).toBeGreaterThan(20);
    expect(new Set(ours.map((frame) => frame['bfd.sta']))).toEqual(new Set(['0x03']));
    adopted.session.remove();
    await bird.until(SINGLE[2], 'Down');
    bed.disconnect();
  });

  it('a supervisor that is busy loses neither sessions nor the news', async () => {
    const busy = await sessionsUp();
    const remote = formatAddress(SINGLE[1].remote);
    const before = await bird.session(SINGLE[2]);
    busy.child.stdin?.write('block 3000\n');
    await eventually('blocked', () => busy.lines.find(({ blocked }) => blocked === 3000), 20_000);
    expectUntouched(await bird.session(SINGLE[2]), before);
    expect(busy.last(remote)).toMatchObject({ state: 'up' });
    expect(busy.lines.filter(({ failed }) => failed === true)).toEqual([]);

    busy.child.stdin?.write('block 4000\n');
    await new Promise((wake) => setTimeout(wake, 300));
    bird.child.kill('SIGKILL');
    await eventually('told', () => (busy.last(remote)?.failed === true ? true : undefined), 20_000);
    expect(busy.last(remote)).toMatchObject({ state: 'down', failed: true });
  });

  it('an orderly end of the worker is administrative at the peer; the next worker gets all sessions', async () => {
    bird = await Bird.start(bed, { intervalMs: 100, mult: 5 });
    await bed.connect();
    await bed.sessions.removeOthers();
    const watched = BOTH.map(([, path]) => bed.watch(path, FAST));
    for (const { until } of watched) await until('up', ({ state }) => state === 'up');
    const endCapture = await bed.capture('orderly');
    await bed.stopWorker();
    await eventually('unknown', () =>
      watched.every(({ session }) => session.status.state === 'unknown') ? true : undefined,
    );
    expect(watched.flatMap(({ seen }) => seen.filter(({ failed }) => failed))).toEqual([]);
    for (const [, , address] of BOTH) await bird.until(address, 'Down');
    await bed.startWorker();
    await bed.reconnect();
    for (const { until } of watched) await until('up', ({ state }) => state === 'up');
    const file = await endCapture();
    for (const [, , address] of BOTH) {
      const filter = `ip.src == ${address} && bfd.sta == 0 && bfd.diag == 7`;
      expect((await dissect(file, ['frame.number'], { filter })).length).toBeGreaterThan(0);
    }
    for (const { session } of watched) session.remove();
    bed.disconnect();
  });
});
