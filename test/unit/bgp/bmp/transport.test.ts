// SPDX-License-Identifier: Apache-2.0
/** The TCP side of BMP, over a unix socket instead: connecting, again, a slow station, tables, the end. */
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { lengthOf } from '../../../../src/bgp/bmp/messages.js';
import {
  BmpStationTransport,
  type BmpSource,
  type BmpStationOptions,
} from '../../../../src/bgp/bmp/transport.js';
import { createLogger } from '../../../../src/lib/log.js';
import * as sample from '../mrt/samples.js';

const { NOON, peer, peer6 } = sample;
const TYPES = ['routes', 'statistics', 'down', 'up', 'initiation', 'termination'];

let folder: string;
let path: string;
let lines: string[];
let server: Server;
let sockets: Socket[];
/** Whole messages by connection. */
let heard: string[][];
let station: BmpStationTransport | undefined;

async function listen(reading = true): Promise<void> {
  server = createServer((socket) => {
    sockets.push(socket);
    const words: string[] = [];
    heard.push(words);
    let waiting = Buffer.alloc(0);
    socket.on('error', () => undefined);
    if (!reading) {
      socket.pause();
      return;
    }
    socket.on('data', (data) => {
      waiting = Buffer.concat([waiting, data]);
      for (;;) {
        const length = lengthOf(waiting);
        if (length === undefined || waiting.length < length) return;
        words.push(TYPES[waiting[5] ?? 99] ?? '?');
        waiting = waiting.subarray(length);
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
}

async function unlisten(): Promise<void> {
  for (const socket of sockets) socket.destroy();
  await new Promise((resolve) => server.close(resolve));
}

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'd4-bmp-'));
  path = join(folder, 's');
  lines = [];
  sockets = [];
  heard = [];
});
afterEach(async () => {
  await station?.stop();
  station = undefined;
  await unlisten();
  rmSync(folder, { recursive: true, force: true });
});

const emptySource: BmpSource = {
  peerTable: () => [],
  locRib: () => [],
  statistics: () => undefined,
};

function start(changes: Partial<BmpStationOptions> = {}): BmpStationTransport {
  station = new BmpStationTransport({
    ...{ name: 's', address: '192.0.2.50', port: 11019, mostWaiting: 1_000_000 },
    ...{ views: new Set(['adj-in-pre'] as const), systemName: 'pe1', systemDescription: 'x' },
    ...{ statisticsEvery: 0, source: emptySource, now: () => NOON, random: () => 0 },
    log: createLogger({ write: (line) => lines.push(line), now: () => 'T' }),
    ...{ firstWaitMs: 20, dial: () => connect(path) },
    ...changes,
  });
  station.start();
  return station;
}

const up = (to: BmpStationTransport, from = peer()): void => {
  to.peerUp(from, sample.OPEN_SENT, sample.OPEN_RECEIVED);
};

describe('a station', () => {
  it('hears of what is and what happens, and a goodbye', async () => {
    await listen();
    const bmp = start();
    up(bmp);
    await expect.poll(() => heard[0]).toEqual(['initiation', 'up']);
    expect(bmp.state).toMatchObject({ state: 'connected', connections: 1 });
    bmp.message(peer(), 'in', sample.UPDATE_AS4);
    bmp.message(peer(), 'out', sample.UPDATE_AS4);
    bmp.peerDown(peer(), { kind: 'remote' });
    await expect.poll(() => heard[0]).toEqual(['initiation', 'up', 'routes', 'down']);
    expect(bmp.state.messages).toBe(4);
    await bmp.stop();
    await expect.poll(() => heard[0]?.at(-1)).toBe('termination');
    expect(bmp.state.state).toBe('stopped');
    bmp.message(peer(), 'in', sample.UPDATE_AS4);
    bmp.start();
    expect(bmp.state).toMatchObject({ state: 'stopped', messages: 5 });
  });

  it('that is not there is tried again, with longer pauses up to a limit', async () => {
    const bmp = start();
    await expect.poll(() => lines.length).toBe(3);
    expect(lines.map((line) => /again="(\d+) ms"/.exec(line)?.[1])).toEqual(['15', '30', '60']);
    expect(lines[0]).toMatch(/why=.*ENOENT/);
    await listen();
    up(bmp);
    await expect.poll(() => heard[0]).toEqual(['initiation', 'up']);
  });

  it('that was gone gets everything anew, and the pause is short again', async () => {
    await listen();
    const bmp = start();
    up(bmp);
    await expect.poll(() => heard[0]).toEqual(['initiation', 'up']);
    sockets[0]?.destroy();
    await expect.poll(() => heard[1]).toEqual(['initiation', 'up']);
    expect(lines.at(-2)).toMatch(/not connected .* again="15 ms"/);
    expect(bmp.state.connections).toBe(2);
  });

  it('that reads too slowly is left, with a reason, and memory stays bounded', async () => {
    await listen(false);
    const bmp = start({ mostWaiting: 100_000, firstWaitMs: 60_000 });
    up(bmp);
    await expect.poll(() => bmp.state.state).toBe('connected');
    let sent = 0;
    while (bmp.state.overflows === 0 && sent < 1_000_000) {
      bmp.message(peer(), 'in', sample.UPDATE_AS4);
      sent++;
      if (sent % 100 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    expect(bmp.state.overflows).toBe(1);
    expect(bmp.state.reason).toMatch(/^the station reads too slowly: \d+ octets wait for it$/);
    await expect.poll(() => bmp.state.state).toBe('waiting');
    expect(lines.at(-1)).toContain('reads too slowly');
  });

  it('may say what it likes', async () => {
    await listen();
    const bmp = start();
    await expect.poll(() => sockets.length).toBe(1);
    sockets[0]?.write(Buffer.alloc(100_000, 255));
    up(bmp);
    await expect.poll(() => heard[0]).toEqual(['initiation', 'up']);
    expect(bmp.state.state).toBe('connected');
  });
});

describe('tables', () => {
  const pieces = 1000;
  function* table(): Generator<{ update: Uint8Array }> {
    for (let i = 0; i < pieces; i++) yield { update: sample.UPDATE_AS4 };
    yield { update: sample.END_OF_RIB_VPN };
  }

  it('come whole to a station that connects, one peer after the other, in slices', async () => {
    await listen();
    const asked: string[] = [];
    const source: BmpSource = {
      ...emptySource,
      peerTable: (id, view) => {
        asked.push(`${id} ${view}`);
        return table();
      },
    };
    const bmp = start({ source });
    up(bmp);
    up(bmp, peer6());
    let turns = 0;
    const count = setInterval(() => turns++, 0);
    await expect.poll(() => heard[0]?.length, { timeout: 10_000 }).toBe(3 + 2 * (pieces + 1));
    clearInterval(count);
    expect(asked).toEqual(['1 adj-in-pre', '2 adj-in-pre']);
    expect(turns).toBeGreaterThan(1);
    expect(bmp.state.overflows).toBe(0);
  });

  it('wait for a station that reads slowly instead of overflowing', async () => {
    await listen(false);
    let made = 0;
    function* endless(): Generator<{ update: Uint8Array }> {
      for (;;) {
        made++;
        yield { update: sample.UPDATE_AS4 };
      }
    }
    const bmp = start({
      source: { ...emptySource, peerTable: () => endless() },
      mostWaiting: 500_000,
    });
    up(bmp);
    await expect.poll(() => made).toBeGreaterThan(0);
    let before = -1;
    await expect
      .poll(() => {
        const still = made === before;
        before = made;
        return still;
      })
      .toBe(true);
    expect(bmp.state).toMatchObject({ state: 'connected', overflows: 0 });
    // It ends with the connection.
    sockets[0]?.destroy();
    await bmp.stop();
    const then = made;
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(made).toBe(then);
  });

  it('statistics come by the clock', async () => {
    await listen();
    const source: BmpSource = { ...emptySource, statistics: () => ({ adjRibIn: 5 }) };
    const bmp = start({ source, statisticsEvery: 0.02 });
    up(bmp);
    await expect
      .poll(() => heard[0]?.slice(0, 4))
      .toEqual([...['initiation', 'up', 'statistics', 'statistics']]);
  });
});
