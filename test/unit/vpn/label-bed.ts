// SPDX-License-Identifier: Apache-2.0
/** Labels of routes with time, disk and tables by hand. */
import { expect } from 'vitest';
import type { AcceptSet } from '../../../src/forwarding/addon/api.js';
import { parseAddress } from '../../../src/lib/ip.js';
import type { Logger } from '../../../src/lib/log.js';
import { LABEL_QUARANTINE_SECONDS } from '../../../src/vpn/kept-routes.js';
import { type LabelRecord, RouteLabelRegister } from '../../../src/vpn/label-register.js';
import type { LabelledRoute, LabelWish, RouteLabelRow } from '../../../src/vpn/label-wish.js';
import { RouteLabels } from '../../../src/vpn/route-labels.js';

export const ACCEPT: AcceptSet = {
  secured: [{ protection: 'encrypt', encapsulation: 'gre', sps: [1] }],
  clear: [],
};
export const RANGE = { first: 40_000, last: 40_009 };

/** Time, disk and tables by hand. What happens is kept in order. */
export class Bed {
  readonly disk: LabelRecord[];
  readonly rows = new Map<number, RouteLabelRow>();
  readonly events: string[] = [];
  readonly asked: LabelledRoute[] = [];
  readonly labels: RouteLabels;
  seconds = 1_000;
  writes = 0;
  quiet = true;
  everybodyTold = true;
  quarantine = LABEL_QUARANTINE_SECONDS;
  /** What the disk says to the next write; undefined: it works. */
  fault: string | undefined;
  readonly complaints: string[] = [];
  readonly log: Logger = {
    error: (text) => this.complaints.push(text),
    warning: () => undefined,
    notice: () => undefined,
    info: () => undefined,
    debug: () => undefined,
    area: () => this.log,
  };
  readonly #slices: (() => void)[] = [];
  #timers: { at: number; action: () => void }[] = [];

  constructor(disk: readonly LabelRecord[] = [], range = RANGE, seconds = 1_000) {
    this.disk = [...disk];
    this.seconds = seconds;
    const { disk: file } = this;
    const write = async (to: readonly LabelRecord[], anew: boolean): Promise<void> => {
      await Promise.resolve();
      if (this.fault !== undefined) throw new Error(this.fault);
      if (anew) this.disk.length = 0;
      for (const one of to) this.disk.push(one);
      this.writes++;
      this.events.push('disk');
    };
    this.labels = new RouteLabels({
      register: new RouteLabelRegister(disk, range),
      journal: {
        get length() {
          return file.length;
        },
        append: async (records) => write(records, false),
        replace: async (records) => write(records, true),
      },
      scheduler: {
        soon: (slice) => this.#slices.push(slice),
        after: (ms, action) => {
          const timer = { at: this.seconds * 1000 + ms, action };
          this.#timers.push(timer);
          return () => {
            this.#timers = this.#timers.filter((one) => one !== timer);
          };
        },
      },
      clock: { now: () => this.seconds * 1000 },
      epoch: () => this.seconds,
      quarantine: () => this.quarantine,
      log: this.log,
      set: (rows) => {
        for (const row of rows) this.rows.set(row.label, row);
        this.events.push(`rows ${rows.length}`);
      },
      clear: (label) => {
        this.rows.delete(label);
        this.events.push(`clear ${label}`);
      },
      reserve: (labels) => {
        expect(labels).toBeGreaterThan(this.labels.highest);
      },
    });
    const bed = this.asked;
    const quiet = (): boolean => this.quiet;
    const told = (): boolean => this.everybodyTold;
    this.labels.serve({
      askAgain: (routes) => {
        for (const one of routes) bed.push(one);
        this.events.push(`again ${routes.length}`);
      },
      get quiet() {
        return quiet();
      },
      get told() {
        return told();
      },
      gatewaysChanged: () => undefined,
    });
  }

  /** Runs what is to run now. */
  async settle(): Promise<void> {
    for (let turn = 0; turn < 50; turn++) {
      for (const slice of this.#slices.splice(0)) slice();
      await new Promise((wake) => setImmediate(wake));
    }
  }

  async pass(seconds: number): Promise<void> {
    for (let end = this.seconds + seconds; this.seconds < end; this.seconds++) {
      await this.#due();
    }
    await this.#due();
  }

  async #due(): Promise<void> {
    const due = this.#timers.filter(({ at }) => at <= this.seconds * 1000);
    if (due.length === 0) return;
    this.#timers = this.#timers.filter((one) => !due.includes(one));
    for (const { action } of due) action();
    await this.settle();
  }

  /** Asks until the answer is not 'later', and exports the route. */
  async told(number: number, over: Partial<LabelWish> = {}): Promise<number | undefined> {
    let answer = this.labels.ask(wish(number, over), route(number));
    if (answer === 'later') {
      await this.settle();
      answer = this.labels.ask(wish(number, over), route(number));
    }
    if (answer === 'later') throw new Error('it is still later');
    if (typeof answer === 'string') return undefined;
    this.labels.retain(answer);
    return answer;
  }
}

export const wish = (number: number, over: Partial<LabelWish> = {}): LabelWish => ({
  ...{ text: `prefix 10.0.${number}.0/24 of VRF A`, vrf: 'A', rule: 'r', gateway: undefined },
  accept: ACCEPT,
  ...over,
});
export const route = (number: number): LabelledRoute => ({
  ...{ vrf: 1, family: 0 as const, prefix: Uint8Array.of(10, 0, number, 0), length: 24 },
});
export const ce = (last: number) => ({
  ...{ vrf: 'A', interface: 'ce-a', address: parseAddress(`10.9.0.${last}`)! },
});
