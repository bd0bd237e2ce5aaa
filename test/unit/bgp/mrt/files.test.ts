// SPDX-License-Identifier: Apache-2.0
/** MRT files on a disk: names, rotation, what is whole, and a disk that fails. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FAMILY } from '../../../../src/bgp/codec/types.js';
import { fileName, MrtMessageFiles, writeTableDump } from '../../../../src/bgp/mrt/file-driver.js';
import { messageRecord, stateRecord } from '../../../../src/bgp/mrt/records.js';
import { MrtTableFiles } from '../../../../src/bgp/mrt/table-files.js';
import type { TableRoute } from '../../../../src/bgp/monitor.js';
import { createLogger } from '../../../../src/lib/log.js';
import * as sample from './samples.js';

const { bytes, NOON, peer, peer6 } = sample;
const BGPDUMP = '/usr/bin/bgpdump';

let folder: string;
let lines: string[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'd4-mrt-'));
  lines = [];
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});
const log = createLogger({ write: (line) => lines.push(line), now: () => 'T' });

describe('names', () => {
  it('stand for UTC', () => {
    expect(fileName('/a/%Y%m%d.%H%M%S', NOON)).toBe('/a/20260301.120000');
    expect(fileName('/a/100%%-%x%', NOON)).toBe('/a/100%-%x%');
  });
});

describe('messages', () => {
  const open = (now: () => number, neighbours?: string[], file = join(folder, 'm.%H%M')) =>
    new MrtMessageFiles({
      ...{ file, every: 3600, now, log },
      neighbours: neighbours === undefined ? undefined : new Set(neighbours),
    });

  it('are all there, in order, and the file appears when it is whole', async () => {
    const files = open(() => NOON);
    files.peerUp(peer(), sample.OPEN_SENT, sample.OPEN_RECEIVED);
    files.message(peer(), 'in', sample.UPDATE_AS4);
    files.peerDown(peer(), { kind: 'remote-notification', message: sample.NOTIFICATION });
    expect(existsSync(join(folder, 'm.1200'))).toBe(false);
    await files.close();
    expect(readdirSync(folder)).toEqual(['m.1200']);
    expect(readFileSync(join(folder, 'm.1200'))).toEqual(
      Buffer.concat([
        messageRecord(NOON, peer(), 'out', sample.OPEN_SENT),
        messageRecord(NOON, peer(), 'in', sample.OPEN_RECEIVED),
        stateRecord(NOON, peer(), 5, 6),
        messageRecord(NOON, peer(), 'in', sample.UPDATE_AS4),
        messageRecord(NOON, peer(), 'in', sample.NOTIFICATION),
        stateRecord(NOON, peer(), 6, 1),
      ]),
    );
    expect([files.dropped, lines]).toEqual([0, []]);
  });

  it('begin a new file on the hour, and when the clock is set back', async () => {
    let now = NOON;
    const files = open(() => now);
    const at = (minutes: number): void => {
      now = NOON + minutes * 60_000_000;
      files.message(peer(), 'in', sample.KEEPALIVE);
    };
    for (const minutes of [0, 59, 60, 61, -1]) at(minutes);
    await files.close();
    const one = messageRecord(NOON, peer(), 'in', sample.KEEPALIVE).length;
    expect(
      readdirSync(folder).map((name) => [name, readFileSync(join(folder, name)).length / one]),
    ).toEqual([
      ['m.1159', 1],
      ['m.1200', 2],
      ['m.1300', 2],
    ]);
  });

  it('of some neighbours alone', async () => {
    const files = open(() => NOON, ['2001:db8::12']);
    files.message(peer(), 'in', sample.KEEPALIVE);
    files.peerDown(peer(), { kind: 'remote' });
    files.message(peer6(), 'in', sample.KEEPALIVE);
    await files.close();
    expect(readFileSync(join(folder, 'm.1200'))).toEqual(
      Buffer.from(messageRecord(NOON, peer6(), 'in', sample.KEEPALIVE)),
    );
  });

  it('are counted when the disk does not take them, and told once', async () => {
    const files = open(() => NOON, undefined, join(folder, 'none', 'm'));
    files.message(peer(), 'in', sample.KEEPALIVE);
    await expect.poll(() => lines.length).toBe(1);
    for (let i = 0; i < 5; i++) files.message(peer(), 'in', sample.KEEPALIVE);
    await files.close();
    expect(files.dropped).toBe(5);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(/cannot write the MRT file .*ENOENT/);
  });

  it('that wait for the disk are bounded', async () => {
    const files = new MrtMessageFiles({
      ...{ file: join(folder, 'm'), every: 3600, now: () => NOON, log, mostWaiting: 1000 },
      neighbours: undefined,
    });
    const record = messageRecord(NOON, peer(), 'in', sample.KEEPALIVE).length;
    // Nothing reaches the disk before the next turn.
    for (let i = 0; i < 1000; i++) files.message(peer(), 'in', sample.KEEPALIVE);
    const kept = Math.floor(1000 / record) + 1;
    expect(files.dropped).toBe(1000 - kept);
    await files.close();
    expect(readFileSync(join(folder, 'm')).length).toBe(kept * record);
  });
});

describe('tables', () => {
  function* routes(count: number): Generator<TableRoute> {
    for (let i = 0; i < count; i++) {
      yield {
        family: FAMILY.ipv4Unicast,
        nlri: Uint8Array.of(24, 10, i >> 8, i & 255),
        addPath: false,
        paths: [
          {
            ...{ peer: 1, originated: 1, pathId: 0, nextHop: bytes('c0000207') },
            attributes: bytes('40010100 400206 0201 0000fe4c'),
          },
        ],
      };
    }
  }

  const dump = { now: NOON, routerId: 1, view: '', peers: [peer()] };
  const turn = async (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

  it('are written in slices of at most 8 ms, and whole', async () => {
    // Each look at the clock is a quarter of a millisecond after the one before; turns take long.
    let now = 0;
    const slices: number[] = [];
    let begin = 0;
    const result = await writeTableDump(
      {
        ...{ file: join(folder, 't'), log, clock: () => (now += 0.25) },
        turn: async () => {
          slices.push(now - begin);
          await turn();
          now += 50;
          begin = now;
        },
      },
      dump,
      routes(5000),
    );
    expect(result).toEqual({ kind: 'written', records: 5001 });
    expect(Math.max(...slices)).toBeLessThanOrEqual(8);
    expect(slices.length).toBeGreaterThan(5000 / 32 - 2);
    expect(readdirSync(folder)).toEqual(['t']);
    if (!existsSync(BGPDUMP)) return;
    const text = execFileSync(BGPDUMP, ['-m', join(folder, 't')], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const prefixes = text
      .trim()
      .split('\n')
      .map((line) => line.split('|')[5]);
    expect(prefixes).toHaveLength(5000);
    expect([prefixes[0], prefixes.at(-1)]).toEqual(['10.0.0.0/24', '10.19.135.0/24']);
  });

  it('wait for a slow disk as often as it takes, without complaint', async () => {
    const warnings: Error[] = [];
    const hear = (warning: Error): number => warnings.push(warning);
    process.on('warning', hear);
    // A slice of 3000 routes is more than a stream takes at once.
    let looks = 0;
    const clock = (): number => (looks++ % 3000 === 2999 ? (looks += 3000) : looks / 1e6);
    const options = { file: join(folder, 't'), log, turn };
    const result = await writeTableDump({ ...options, clock }, dump, routes(60_000));
    await turn();
    process.off('warning', hear);
    expect(result).toEqual({ kind: 'written', records: 60_001 });
    expect(warnings).toEqual([]);
  });

  it('pause where the table has nothing for them', async () => {
    let turns = 0;
    let now = 0;
    const nothing = Array.from({ length: 100 }, () => undefined);
    const file = join(folder, 't');
    const options = { file, log, clock: () => (now += 1) };
    const result = await writeTableDump(
      {
        ...options,
        turn: async () => {
          turns++;
          await turn();
        },
      },
      dump,
      nothing,
    );
    expect(result).toEqual({ kind: 'written', records: 1 });
    expect(turns).toBeGreaterThan(10);
  });

  it('leave nothing when they are stopped, and nothing of a route that cannot be said', async () => {
    let now = 0;
    const options = { file: join(folder, 't'), log, clock: () => (now += 1), turn };
    const stopped = await writeTableDump({ ...options, stopped: () => true }, dump, routes(500));
    expect(stopped).toEqual({ kind: 'stopped' });
    expect(readdirSync(folder)).toEqual([]);
    const nobody = { ...dump, peers: [] };
    await expect(writeTableDump(options, nobody, routes(500))).rejects.toThrow(RangeError);
    expect(readdirSync(folder)).toEqual([]);
  });

  it('take the place of a file, but not when they must be fresh', async () => {
    const file = join(folder, 't');
    const options = { file, log, clock: () => 0, turn };
    for (let i = 0; i < 2; i++) {
      expect(await writeTableDump(options, dump, routes(1))).toMatchObject({ kind: 'written' });
    }
    const before = readFileSync(file);
    const again = await writeTableDump({ ...options, fresh: true }, dump, routes(2));
    expect(again).toMatchObject({
      kind: 'failed',
      why: expect.stringContaining('EEXIST') as string,
    });
    expect(readdirSync(folder)).toEqual(['t']);
    expect(readFileSync(file)).toEqual(before);
    const elsewhere = { ...options, file: join(folder, 'none', 't') };
    expect(await writeTableDump(elsewhere, dump, routes(2))).toMatchObject({
      ...{ kind: 'failed', why: expect.stringContaining('ENOENT') as string },
    });
  });
});

describe('tables by the clock', () => {
  it('are dumped at full intervals, one at a time, and not after the end', async () => {
    let now = NOON;
    let due: { readonly at: number; readonly action: () => void } | undefined;
    const begun: number[] = [];
    const ends: (() => void)[] = [];
    const files = new MrtTableFiles({
      ...{ name: 'x', every: 600, now: () => now, log },
      after: (delay, action) => {
        due = { at: now + delay * 1000, action };
        return () => {
          due = undefined;
        };
      },
      dump: async () => {
        begun.push(now - NOON);
        await new Promise<void>((resolve) => ends.push(resolve));
      },
    });
    const pass = (early = 0): void => {
      const { at, action } = due!;
      now = at - early;
      action();
    };
    // A timer that is too early by a millisecond.
    pass(1000);
    expect(begun).toEqual([]);
    pass();
    pass();
    expect(begun).toEqual([599_877_000]);
    expect(lines.join()).toMatch(/still being written/);
    ends[0]!();
    await new Promise((resolve) => setImmediate(resolve));
    pass();
    expect(begun).toEqual([599_877_000, 1_799_877_000]);
    ends[1]!();
    await files.close();
    expect(due).toBeUndefined();
  });
});
