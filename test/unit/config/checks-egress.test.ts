// SPDX-License-Identifier: Apache-2.0
/** Queues of CE interfaces: what a wrong configuration is told. */
import { expect, it } from 'vitest';
import type * as config from '../../../src/config/types.js';
import { expectMistakes, good, put, told, type Draft } from './good.js';

const PATH = 'interfaces["ce-a"].egress';

function egress(draft: Draft, wanted: config.Egress): void {
  draft.classes = { voice: { dscp: ['ef'] }, bulk: { dscp: ['af11'] } };
  put(draft, 'interfaces.ce-a.egress', wanted);
}

it('names classes that there are, each once, and gives strict priority no weight', () => {
  expectMistakes(
    (draft) => {
      egress(draft, {
        rate: 1_000_000,
        queues: [
          { class: 'voice', priority: true, weight: 1 },
          { class: 'bulk', weight: 3 },
          { class: 'bulks', priority: true },
          { class: 'voice', priority: false, weight: 2 },
          { class: 'default' },
          { class: 'default', limit: 10 },
        ],
      });
    },
    `${PATH}.queues[0].weight: a queue of strict priority has none (1): no weight, or no priority`,
    `${PATH}.queues[2].class: no such class ("bulks"): did you mean "bulk"? known classes: default, voice, bulk`,
    `${PATH}.queues[3].class: has a queue already ("voice"): one queue for each class`,
    `${PATH}.queues[5].class: has a queue already ("default"): one queue for each class`,
  );
});

it('has a burst with a rate alone, and room for a frame in it', () => {
  expectMistakes(
    (draft) => {
      egress(draft, { burst: 1521, queues: [{ class: 'voice' }] });
    },
    `${PATH}.burst: there is no rate it belongs to (1521): a rate as well`,
    `${PATH}.burst: less than a frame of the interface's MTU (1521): at least 1522`,
  );
});

it('goes by the MTU of the interface', () => {
  const draft = good();
  draft.interfaces['ce-a']!.mtu = 9000;
  egress(draft, { rate: 8000, burst: 9021 });
  expect(told(draft).errors).toEqual([
    `${PATH}.burst: less than a frame of the interface's MTU (9021): at least 9022`,
  ]);
});

it.each([
  [{}, ': neither a rate nor queues: one of them, or no egress'],
  [{ queues: [] }, ': neither a rate nor queues: one of them, or no egress'],
  [{ rate: 7999 }, '.rate: less than 8000 (7999): a rate in bit/s, 8000..10000000000000'],
  [
    { queues: [{ class: 'default', weight: 101 }] },
    '.queues[0].weight: more than 100 (101): a weight, 1..100',
  ],
  [
    { queues: [{ class: 'default', limit: 0 }] },
    '.queues[0].limit: less than 1 (0): packets, 1..65535',
  ],
  [{ queues: [{ class: 'default', depth: 1 }] }, '.queues[0].depth: unknown key'],
])('%j', (wrong, mistake) => {
  const draft = good();
  put(draft, 'interfaces.ce-a.egress', wrong);
  const lines = told(draft).errors;
  expect(lines).toHaveLength(1);
  expect(lines[0]?.slice(0, PATH.length + mistake.length)).toBe(PATH + mistake);
});

it('is of CE interfaces alone', () => {
  const draft = good();
  put(draft, 'interfaces.core0.egress', { rate: 8000 });
  expect(told(draft).errors[0]).toMatch(/^interfaces\.core0\.egress: unknown key/);
});

it('may be as it should', () => {
  const draft = good();
  egress(draft, {
    rate: 40_000_000_000,
    burst: 1522,
    queues: [
      { class: 'voice', priority: true, limit: 1 },
      { class: 'bulk', weight: 100, limit: 65_535 },
      { class: 'default', weight: 1, priority: false },
    ],
  });
  expect(told(draft).errors).toEqual([]);
  for (const wanted of [{ rate: 8000 }, { queues: [{ class: 'bulk' }] }]) {
    egress(draft, wanted);
    expect(told(draft).errors).toEqual([]);
  }
});
