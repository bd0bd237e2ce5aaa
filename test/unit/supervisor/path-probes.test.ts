// SPDX-License-Identifier: Apache-2.0
/** Path MTU probes over ways that are simulated, in virtual time. */
import { beforeEach, describe, expect, it } from 'vitest';
import { espOverhead } from '../../../src/lib/esp-suites.js';
import { formatAddress, parseAddress } from '../../../src/lib/ip.js';
import {
  PathProbes,
  probeRange,
  probeSettings,
  type ProbePath,
} from '../../../src/supervisor/path-probes.js';
import { VirtualTime } from './virtual-time.js';

const at = (text: string): Uint8Array => parseAddress(text)!;
const ENDS = { local: at('192.0.2.1'), remote: at('192.0.2.2') };

/** One way, and what is at its end. */
class Way implements ProbePath {
  readonly ends: ProbePath['ends'];
  readonly nexthop = 7;
  readonly sa = 9;
  range = { least: 1280, largest: 1500, step: 4 };
  mtu = 1500;
  /** Whether the peer says what came. */
  answers = true;
  asked = 0;
  readonly #seen = new Map<number, number>();

  constructor(ends: ProbePath['ends']) {
    this.ends = ends;
  }

  take(round: number, sizes: readonly number[]): void {
    this.#seen.set(round, Math.max(0, ...sizes.filter((size) => size <= this.mtu)));
  }

  readonly ask = (round: number): Promise<number | undefined> => {
    this.asked++;
    return Promise.resolve(this.answers ? (this.#seen.get(round) ?? 0) : undefined);
  };
}

let time: VirtualTime;
let ways: Way[];
let sent: (readonly number[])[];
let rounds: number[];
let found: (number | undefined)[];
let said: string[];
let failing: boolean;
let atOnce: number;
let most: number;
let probes: PathProbes;
const way = (): Way => ways[0]!;

beforeEach(() => {
  time = new VirtualTime();
  [ways, sent, rounds, found, said] = [[new Way(ENDS)], [], [], [], []];
  [failing, atOnce, most] = [false, 0, 0];
  probes = new PathProbes(
    {
      now: () => time.now(),
      sleep: async (ms) => {
        most = Math.max(most, ++atOnce);
        await new Promise<void>((wake) => time.after(ms, wake));
        atOnce--;
      },
      paths: () => ways,
      send: (path, round, sizes) => {
        if (failing) return Promise.reject(new Error('the worker is down'));
        sent.push(sizes);
        rounds.push(round);
        if (path instanceof Way) path.take(round, sizes);
        return Promise.resolve();
      },
      found: (_, mtu) => found.push(mtu),
      log: { notice: (what) => said.push(what), warning: (what) => said.push(what) },
    },
    0xffffffff,
  );
  probes.configure({ interval: 30, raise: 600 });
});

/** So many seconds with a tick in each. */
async function pass(seconds: number): Promise<void> {
  for (let i = 0; i < seconds; i++) {
    probes.tick();
    await time.pass(1000);
  }
}

describe('path MTU probes', () => {
  it('a way as wide as the interface takes one round, and then one packet an interval', async () => {
    await pass(10);
    expect([sent.length, found]).toEqual([1, [undefined]]);
    expect(probes.row(ENDS)).toEqual({ state: 'complete', sent: 8, confirmed: 8, lost: 0 });
    await pass(60);
    expect(sent.slice(1)).toEqual([[1500], [1500]]);
    expect(rounds).toEqual([0xffffffff, 0, 1]);
    expect(said).toEqual([]);
  });

  it('a narrow one is found within seconds, said once, and seen to widen after so long', async () => {
    way().mtu = 1400;
    await pass(5);
    expect(found).toEqual([1400]);
    await pass(1400);
    expect([found, said]).toEqual([[1400], ['larger packets do not pass']]);
    way().mtu = 1500;
    await pass(660);
    expect(found).toEqual([1400, undefined]);
    expect(probes.row(ENDS)?.state).toBe('complete');
  });

  it('a way that narrows: at once the least, then what passes', async () => {
    await pass(5);
    way().mtu = 1400;
    await pass(40);
    expect(found).toEqual([undefined, 1280, 1400]);
    expect(said).toEqual(['packets of the path MTU pass no more', 'larger packets do not pass']);
  });

  it('one that passes nothing has the least, and is tried again', async () => {
    way().mtu = 0;
    await pass(120);
    expect([found, said]).toEqual([[1280], ['not even the least packets pass']]);
    expect(probes.row(ENDS)?.state).toBe('error');
    way().mtu = 1500;
    await pass(60);
    expect(found).toEqual([1280, undefined]);
  });

  it('nothing follows from a peer that does not say, or a worker that is away', async () => {
    way().answers = false;
    await pass(20);
    expect([found, probes.row(ENDS)?.lost]).toEqual([[], 0]);
    // Once, and then every five seconds.
    expect([way().asked, sent.length]).toEqual([4, 4]);
    failing = true;
    await pass(20);
    expect(found).toEqual([]);
    expect(said).toContain('a path MTU probe could not be sent');
    [way().answers, failing] = [true, false];
    await pass(20);
    expect(found).toEqual([undefined]);
  });

  it('a way that is gone for long is forgotten; a shorter while changes nothing', async () => {
    way().mtu = 1400;
    await pass(10);
    const all = ways;
    ways = [];
    await pass(50);
    ways = all;
    await pass(5);
    ways = [];
    await pass(59);
    expect(found).toEqual([1400]);
    await pass(10);
    expect([found, probes.row(ENDS)]).toEqual([[1400, undefined], undefined]);
  });

  it('switched off nothing is sent, and what was found is forgotten', async () => {
    way().mtu = 1400;
    await pass(5);
    probes.configure(undefined);
    const before = sent.length;
    await pass(100);
    expect([found, sent.length]).toEqual([[1400, undefined], before]);
    expect(probeSettings(undefined)).toBeUndefined();
    expect(probeSettings({})).toEqual({ interval: 30, raise: 600 });
  });

  it('what is said of a round from before it was switched off has no effect', async () => {
    way().mtu = 1400;
    probes.tick();
    probes.configure(undefined);
    expect(found).toEqual([undefined]);
    await pass(5);
    expect([sent.length, found, probes.row(ENDS)]).toEqual([1, [undefined], undefined]);
  });

  it('nor of one from before the interface was another', async () => {
    await pass(31);
    way().mtu = 0;
    probes.tick();
    await time.pass(100);
    expect(sent.at(-1)).toEqual([1500]);
    way().range = { least: 1280, largest: 1496, step: 4 };
    way().mtu = 1500;
    await pass(10);
    expect([found, said]).toEqual([[undefined, undefined], []]);
  });

  it('another interface or suite has it searched anew', async () => {
    await pass(5);
    way().range = { least: 1280, largest: 8996, step: 4 };
    await pass(20);
    expect(found).toEqual([undefined, 1500]);
  });

  it('many at once are probed a few at a time', async () => {
    ways = Array.from(
      { length: 50 },
      (_, i) => new Way({ ...ENDS, remote: at(`192.0.2.${i + 10}`) }),
    );
    await pass(10);
    expect(most).toBe(16);
    expect(ways.every(({ ends }) => probes.row(ends)?.state === 'complete')).toBe(true);
    expect(formatAddress(ENDS.local)).toBe('192.0.2.1');
  });
});

describe('sizes of probes', () => {
  it.each([
    ['aes-gcm-128', 4, 1500, 1500, 4],
    ['aes-gcm-128', 6, 1500, 1500, 4],
    ['aes-gcm-128', 4, 1499, 1496, 4],
    // 20 + 8 + 16 + 16 n + 16
    ['aes-cbc-128-sha-256', 4, 1500, 1500, 16],
    ['aes-cbc-128-sha-256', 4, 1499, 1484, 16],
  ] as const)(
    '%s over IPv%i: of at most %i bytes the largest is %i',
    (suite, family, mtu, largest, step) => {
      const range = probeRange(1280, mtu, family, espOverhead(suite, false));
      expect(range).toEqual({ least: 1280, largest, step });
    },
  );

  it('of an interface that does not take the floor there is one', () => {
    const range = probeRange(1280, 1000, 4, espOverhead('aes-gcm-128', false));
    expect(range).toEqual({ least: 1000, largest: 1000, step: 4 });
  });
});
