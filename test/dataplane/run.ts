// SPDX-License-Identifier: Apache-2.0
/** One exchange with the worker: frames in, then everything that came of them. */
import type { InterfaceCounters } from '../../src/forwarding/addon/api.js';
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
  /** Frames that stay inside: punts that no TAP takes, or sent on ports without a wire. */
  readonly swallowed?: number;
  /** Frames that come from elsewhere than the wires: read by other ports. */
  readonly elsewhere?: number;
}

const interfaceName = (place: string): string =>
  place.startsWith('tap:') ? tapName(place.slice('tap:'.length)) : farEnd(place);
const placeName = (name: string): string =>
  name.startsWith('t-') ? `tap:${name.slice(2)}` : name.slice(2);

/** Sends, waits until the worker has dealt with all of it, and returns what happened. */
export async function run(
  harness: Harness,
  input: Input,
  options: RunOptions = {},
): Promise<Result> {
  const before = read(harness);
  const stale = [...(await harness.wire.take())].filter(([, frames]) => frames.length > 0);
  if (stale.length > 0) throw new Error(`frames of an earlier run: ${describe(stale)}`);
  const frames = Object.entries(input).flatMap(([place, list]) =>
    list.map((frame) => [interfaceName(place), frame] as const),
  );
  await harness.wire.send(frames);
  const fromTaps = frames.filter(([name]) => name.startsWith('t-')).length;
  return collect(harness, before, {
    ports: frames.length - fromTaps + (options.elsewhere ?? 0),
    ...{ taps: fromTaps - (options.refused ?? 0), swallowed: options.swallowed ?? 0 },
  });
}

const describe = (lists: readonly (readonly [string, readonly Buffer[]])[]): string =>
  lists.map(([name, list]) => `${name} ${list.map((f) => f.toString('hex')).join(' ')}`).join('; ');

async function collect(
  harness: Harness,
  before: Counters,
  expected: { ports: number; taps: number; swallowed: number },
): Promise<Result> {
  const out: Record<string, Buffer[]> = {};
  const end = Date.now() + TIMEOUT_MS;
  for (;;) {
    const processed = new Delta(before, read(harness));
    const ports = processed.sum('rxPackets') + processed.drop(...BEFORE_INTERFACE);
    const taps = processed.sum('injected') + processed.drop(...INJECT_REASONS);
    if (ports >= expected.ports && taps >= expected.taps) await twoRounds(harness);
    for (const [name, list] of await harness.wire.take()) {
      if (list.length > 0) (out[placeName(name)] ??= []).push(...list);
    }
    const got = Object.values(out).reduce((sum, list) => sum + list.length, 0);
    // Read again: what was counted before the frames were taken has been taken.
    const delta = new Delta(before, read(harness));
    const wanted = delta.sum('txPackets') + delta.sum('punted') - expected.swallowed;
    const settled = ports === expected.ports && taps === expected.taps && got === wanted;
    if (settled) return { out, drops: delta.drops, interfaces: delta.interfaces };
    if (ports > expected.ports || taps > expected.taps || got > wanted || Date.now() > end) {
      throw new Error(
        `read ${String(ports)} of ${String(expected.ports)} frames, ${String(taps)} of ` +
          `${String(expected.taps)} from TAPs, ${String(got)} of ${String(wanted)} came out; ` +
          `drops ${JSON.stringify(delta.drops)}, interfaces ${JSON.stringify(delta.interfaces)}, ` +
          `frames ${describe(Object.entries(out))}`,
      );
    }
    await new Promise((wake) => setTimeout(wake, 1));
  }
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
