// SPDX-License-Identifier: Apache-2.0
import { expect, it } from 'vitest';
import type { InterfaceModel, LspModel } from '../../../../src/forwarding/model.js';
import { parseAddress, parsePrefix } from '../../../../src/lib/ip.js';
import { LabelledUnicast } from '../../../../src/vpn/bgp/labelled.js';
import { LspTeller } from '../../../../src/vpn/bgp/lsp-teller.js';

const ROUTES = 10_000;
const core = {
  ...{ name: 'core0', role: 'core', addresses: [parsePrefix('192.0.2.1/24')!] },
} as unknown as InterfaceModel;
const model = { interfaces: new Map([['core0', core]]), lsps: [] };

/** Each look at the clock takes a millisecond: steps are counted, not timed. */
class Bed {
  readonly slices: (() => void)[] = [];
  readonly told: (readonly LspModel[])[] = [];
  readonly labelled = new LabelledUnicast();
  looks = 0;
  runs = 0;
  readonly teller = new LspTeller({
    scheduler: { soon: (slice) => this.slices.push(slice) },
    clock: { now: () => this.looks++ },
    work: () => {
      this.runs++;
      return this.labelled.working(model, false);
    },
    tell: (lsps) => this.told.push(lsps),
  });

  learn(i: number, label = 100 + i): void {
    const prefix = parsePrefix(`198.18.${String(i >> 8)}.${String(i & 255)}/32`)!;
    const nextHop = parseAddress('192.0.2.9')!;
    this.labelled.decided({ prefix, labels: [label], nextHop } as never, () => 'own');
    this.teller.changed();
  }

  /** Most steps of one slice, and how many slices there were. */
  run(between: (slice: number) => void = () => undefined): [number, number] {
    let most = 0;
    let count = 0;
    for (let slice = this.slices.shift(); slice !== undefined; slice = this.slices.shift()) {
      const before = this.looks;
      slice();
      most = Math.max(most, this.looks - before);
      between(++count);
    }
    return [most, count];
  }
}

it('works out ten thousand LSPs in slices, once for all that changed', () => {
  const bed = new Bed();
  for (let i = 0; i < ROUTES; i++) bed.learn(i);
  expect(bed.slices).toHaveLength(1);
  const [most, count] = bed.run();
  expect(most).toBeLessThanOrEqual(10);
  expect(count).toBeGreaterThan((2 * ROUTES) / 10);
  expect([bed.runs, bed.told.length]).toEqual([1, 1]);
  expect(bed.told[0]).toHaveLength(ROUTES);
  expect(bed.told[0]![7]).toMatchObject({ labels: [107], interface: 'core0' });
});

it('runs once more, whatever has changed meanwhile, and the last word is right', () => {
  const bed = new Bed();
  for (let i = 0; i < 1000; i++) bed.learn(i);
  bed.run((slice) => {
    if (slice <= 50) bed.learn(1, 5000 + slice);
  });
  expect([bed.runs, bed.told.length]).toEqual([2, 2]);
  expect(bed.told[0]).toHaveLength(1000);
  expect(bed.told[1]).toContainEqual(expect.objectContaining({ labels: [5050] }));
  expect(bed.slices).toEqual([]);
  bed.learn(2, 77);
  bed.run();
  expect(bed.runs).toBe(3);
});

it('tells nothing once it is closed, whatever is under way', () => {
  const bed = new Bed();
  for (let i = 0; i < 100; i++) bed.learn(i);
  bed.run((slice) => {
    if (slice === 2) bed.teller.close();
  });
  bed.learn(1, 99);
  bed.run();
  expect(bed.told).toEqual([]);
});
