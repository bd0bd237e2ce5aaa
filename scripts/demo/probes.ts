// SPDX-License-Identifier: Apache-2.0
/** Streams of echo requests while things happen, and which of them were never answered. */
import type { ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { eventually, type Lab } from '../lib/lab.js';
import { pingArguments } from './customers.js';
import type { Probe } from './findings.js';
import { RUN, site, type SiteNumber, type Vpn } from './topology.js';

export const PER_SECOND = 50;

export interface Stream {
  readonly vpn: Vpn;
  readonly to: SiteNumber;
}

interface Running extends Stream {
  readonly name: string;
  readonly child: ChildProcess;
  readonly log: string;
}

/** One echo request as ping tells of it. */
interface Answer {
  readonly number: number;
  /** Seconds since the epoch. */
  readonly at: number;
}

/** `ping -D`: "[1700000000.123456] 64 bytes from ...: icmp_seq=7 ttl=62 ..."; of each number the first. */
export function answers(output: string): Answer[] {
  const found = new Map<number, number>();
  for (const [, at = '', number = ''] of output.matchAll(
    /^\[(\d+\.\d+)\] \d+ bytes from .*icmp_seq=(\d+) .*time=/gm,
  )) {
    if (!found.has(Number(number))) found.set(Number(number), Number(at));
  }
  return [...found].map(([number, at]) => ({ number, at })).sort((a, b) => a.number - b.number);
}

/**
 * When each request up to number `sent` that has no answer was sent, seconds since the epoch: between the answers
 * before and after it, as if all had been sent at equal distances; behind the last answer at the pace of the stream.
 */
export function lostAt(found: readonly Answer[], sent: number, begun: number): number[] {
  const lost: number[] = [];
  let before: Answer = { number: 0, at: begun };
  for (const next of found) {
    const step = (next.at - before.at) / (next.number - before.number);
    for (let n = before.number + 1; n < next.number; n++) {
      lost.push(before.at + step * (n - before.number));
    }
    before = next;
  }
  for (let n = before.number + 1; n <= sent; n++) {
    lost.push(before.at + (n - before.number) / PER_SECOND);
  }
  return lost;
}

export class Probes {
  /** Seconds since the epoch. */
  readonly begun = Date.now() / 1000;
  readonly #lab: Lab;
  readonly #running: readonly Running[];

  private constructor(lab: Lab, running: readonly Running[]) {
    this.#lab = lab;
    this.#running = running;
  }

  /** Starts the streams, all from the first site, and returns when each has been answered once. */
  static async start(lab: Lab, streams: readonly Stream[]): Promise<Probes> {
    const running = streams.map((stream): Running => {
      const [from, to] = [site(stream.vpn, 1), site(stream.vpn, stream.to)];
      const log = `${RUN}/probe-${from.netns}-${to.netns}.log`;
      // -O is left out: late answers are answers.
      const pace = ['-D', '-i', String(1 / PER_SECOND)];
      const argv = ['stdbuf', '-oL', ...pingArguments(from, to.address4), ...pace];
      const child = lab.start(from.netns, argv, log);
      return { ...stream, name: `${from.netns} → ${to.netns}`, child, log };
    });
    for (const { log, name } of running) {
      await eventually(`${name} to be answered`, () =>
        answers(readFileSync(log, 'utf8')).length > 0 ? true : undefined,
      );
    }
    return new Probes(lab, running);
  }

  /** Seconds since the beginning. */
  now(): number {
    return Date.now() / 1000 - this.begun;
  }

  /** Waits until every stream is answered again, for what was sent later than now. */
  async answered(timeoutMs: number): Promise<boolean> {
    const from = Date.now() / 1000;
    return eventually(
      'all streams to be answered',
      () =>
        this.#running.every(
          ({ log }) => (answers(readFileSync(log, 'utf8')).at(-1)?.at ?? 0) > from + 0.1,
        )
          ? true
          : undefined,
      timeoutMs,
    ).catch(() => false);
  }

  /** Ends the streams. The last second of unanswered ones is not a loss if answers could still come. */
  async stop(): Promise<Probe[]> {
    await Promise.all(this.#running.map(({ child }) => this.#lab.stop(child, 'SIGINT')));
    return this.#running.map(({ vpn, name, log }): Probe => {
      const output = readFileSync(log, 'utf8');
      const found = answers(output);
      const transmitted = Number(/(\d+) packets transmitted/.exec(output)?.[1] ?? 0);
      // The very last may have been on its way when ping was ended.
      const sent = Math.max(found.at(-1)?.number ?? 0, transmitted - 1);
      const lost = lostAt(found, sent, this.begun).map((at) => Math.max(0, at - this.begun));
      return { vpn, name, sent, lost };
    });
  }
}
