// SPDX-License-Identifier: Apache-2.0
/** One exchange with the worker: frames in, then everything that came of them. */
import type { InterfaceCounters } from '../../src/forwarding/addon/api.js';
import { eventually } from '../../scripts/lib/lab.js';
import { farEnd, tapName, type Harness } from './harness.js';

/** Frames to send: by port (arriving on its wire) or, as `tap:NAME`, from the kernel's side of an interface. */
export type Input = Readonly<Record<string, readonly Uint8Array[]>>;

export interface Result {
  /** Frames by where they came out: a port's name, or `tap:NAME`; only those with any. */
  readonly out: Readonly<Record<string, readonly Buffer[]>>;
  /** Drops by reason, only those that rose. */
  readonly drops: Readonly<Record<string, number>>;
  /** By interface name, what rose. */
  readonly interfaces: Readonly<Record<string, Partial<Record<keyof InterfaceCounters, number>>>>;
}

/** Rx reasons that are counted before the interface is known. */
const BEFORE_INTERFACE = ['rx_truncated', 'rx_unknown_vlan'];
const INJECT_REASONS = ['inject_full', 'inject_malformed', 'inject_no_interface'];
const TIMEOUT_MS = 20_000;
/** Frames on one wire at a time: a port's ring holds 512. */
const BATCH = 256;

interface Counters {
  readonly drops: ReadonlyMap<string, number>;
  readonly interfaces: ReadonlyMap<string, InterfaceCounters>;
}

function read({ tables }: Harness): Counters {
  const rows = tables.interfaces();
  return {
    drops: new Map(tables.drops().map(({ reason, packets }) => [reason, Number(packets)])),
    interfaces: new Map(rows.map(({ id, name }) => [name, tables.interfaceCounters(id)])),
  };
}

const COUNTERS: readonly (keyof InterfaceCounters)[] = [
  ...(['rxPackets', 'rxBytes', 'txPackets', 'txBytes', 'drops', 'punted', 'injected'] as const),
];

/** What rose between two readings. */
class Delta {
  readonly drops: Record<string, number> = {};
  readonly interfaces: Record<string, Partial<Record<keyof InterfaceCounters, number>>> = {};

  constructor(before: Counters, after: Counters) {
    for (const [reason, count] of after.drops) {
      const rose = count - (before.drops.get(reason) ?? 0);
      if (rose !== 0) this.drops[reason] = rose;
    }
    for (const [name, row] of after.interfaces) {
      const old = before.interfaces.get(name);
      const rose: Partial<Record<keyof InterfaceCounters, number>> = {};
      for (const key of COUNTERS) {
        const value = Number(row[key] - (old?.[key] ?? 0n));
        if (value !== 0) rose[key] = value;
      }
      if (Object.keys(rose).length > 0) this.interfaces[name] = rose;
    }
  }

  drop(...reasons: readonly string[]): number {
    return reasons.reduce((sum, reason) => sum + (this.drops[reason] ?? 0), 0);
  }
  sum(key: keyof InterfaceCounters): number {
    return Object.values(this.interfaces).reduce((sum, row) => sum + (row[key] ?? 0), 0);
  }
}

export interface RunOptions {
  /** Frames from the kernel's side that the packet path refuses, for a reason that other packets can have, too. */
  readonly refused?: number;
  /** Frames that stay inside: punts that no TAP takes (the rate limit's apart), or sent on ports without a wire. */
  readonly swallowed?: number;
}

const interfaceName = (place: string): string =>
  place.startsWith('tap:') ? tapName(place.slice('tap:'.length)) : farEnd(place);
const placeName = (name: string): string =>
  name.startsWith('t-') ? `tap:${name.slice(2)}` : name.slice(2);

const describe = (lists: readonly (readonly [string, readonly Buffer[]])[]): string =>
  lists.map(([name, list]) => `${name} ${list.map((f) => f.toString('hex')).join(' ')}`).join('; ');

/** How many frames the worker has to have dealt with. */
export interface Expected {
  readonly ports: number;
  readonly taps: number;
  readonly swallowed: number;
}

/** What happens between its beginning and {@link Exchange.finish}. */
export class Exchange {
  readonly #harness: Harness;
  readonly #before: Counters;
  readonly #out: Record<string, Buffer[]> = {};

  private constructor(harness: Harness) {
    this.#harness = harness;
    this.#before = read(harness);
  }

  /** Sends frames of one place in batches that fit a port's ring, and waits until they are read. */
  async send(place: string, frames: readonly Uint8Array[]): Promise<void> {
    const before = this.processed().ports;
    for (let at = 0; at < frames.length; at += BATCH) {
      const batch = frames.slice(at, at + BATCH);
      await this.#harness.wire.send(batch.map((frame) => [interfaceName(place), frame] as const));
      await eventually('the frames are read', () =>
        this.processed().ports >= before + at + batch.length ? true : undefined,
      );
    }
  }

  static async begin(harness: Harness): Promise<Exchange> {
    const exchange = new Exchange(harness);
    const stale = [...(await harness.wire.take())].filter(([, frames]) => frames.length > 0);
    if (stale.length > 0) throw new Error(`frames of an earlier run: ${describe(stale)}`);
    return exchange;
  }

  get #delta(): Delta {
    return new Delta(this.#before, read(this.#harness));
  }

  /** Frames that the worker has read so far. */
  processed(): { ports: number; taps: number } {
    const delta = this.#delta;
    return {
      ports: delta.sum('rxPackets') + delta.drop(...BEFORE_INTERFACE),
      taps: delta.sum('injected') + delta.drop(...INJECT_REASONS),
    };
  }

  /** Waits until the worker has dealt with all of it and everything that came of it has arrived. */
  async finish(expected: Expected): Promise<Result> {
    const end = Date.now() + TIMEOUT_MS;
    for (;;) {
      const { ports, taps } = this.processed();
      if (ports >= expected.ports && taps >= expected.taps) await twoRounds(this.#harness);
      const got = await this.#take();
      // Read after the frames were taken, and once what the worker has sent is counted too: it counts
      // a burst when the driver has it, and may be preempted in between.
      await twoRounds(this.#harness);
      const delta = this.#delta;
      const held = expected.swallowed + delta.drop('punt_rate');
      const wanted = delta.sum('txPackets') + delta.sum('punted') - held;
      if (ports === expected.ports && taps === expected.taps && got === wanted) {
        return { out: this.#out, drops: delta.drops, interfaces: delta.interfaces };
      }
      const tooMany = ports > expected.ports || taps > expected.taps || got > wanted;
      if (tooMany || Date.now() > end) {
        const counts = JSON.stringify({ expected, ports, taps, got, wanted });
        const rose = JSON.stringify([delta.drops, delta.interfaces]);
        throw new Error(`${counts} ${rose} ${describe(Object.entries(this.#out))}`);
      }
      await new Promise((wake) => setTimeout(wake, 1));
    }
  }

  /** Collects what has arrived; returns how many frames there are by now. */
  async #take(): Promise<number> {
    for (const [name, list] of await this.#harness.wire.take()) {
      if (list.length > 0) (this.#out[placeName(name)] ??= []).push(...list);
    }
    return Object.values(this.#out).reduce((sum, list) => sum + list.length, 0);
  }
}

/** Sends, waits until the worker has dealt with all of it, and returns what happened. */
export async function run(
  harness: Harness,
  input: Input,
  options: RunOptions = {},
): Promise<Result> {
  const exchange = await Exchange.begin(harness);
  let [ports, taps] = [0, 0];
  for (const [place, frames] of Object.entries(input)) {
    if (place.startsWith('tap:')) {
      await harness.wire.send(frames.map((frame) => [interfaceName(place), frame] as const));
      taps += frames.length;
    } else {
      await exchange.send(place, frames);
      ports += frames.length;
    }
  }
  const { refused = 0, swallowed = 0 } = options;
  return exchange.finish({ ports, taps: taps - refused, swallowed });
}

/** Until the round in which something was counted has ended: two more have begun. */
async function twoRounds(harness: Harness): Promise<void> {
  const rounds = (): bigint => harness.tables.worker().lcores[0]?.rounds ?? 0n;
  const first = rounds();
  const end = Date.now() + TIMEOUT_MS;
  while (rounds() < first + 2n) {
    if (Date.now() > end) throw new Error('the packet thread does not move');
    await new Promise((wake) => setTimeout(wake, 1));
  }
}
