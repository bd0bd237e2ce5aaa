// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';
import { LABEL_QUARANTINE_SECONDS } from '../../../src/vpn/kept-routes.js';
import { type LabelRecord, RouteLabelRegister } from '../../../src/vpn/label-register.js';
import type { LabelWish } from '../../../src/vpn/label-wish.js';
import { labelClass, LINGER_MS } from '../../../src/vpn/route-labels.js';
import { ACCEPT, Bed, ce, RANGE, route, wish } from './label-bed.js';

describe('a label that comes with a route', () => {
  it('is on disk, then in the tables, and only then given', async () => {
    const bed = new Bed();
    expect(bed.labels.ask(wish(1), route(1))).toBe('later');
    expect(bed.labels.ask(wish(1), route(1))).toBe('later');
    expect(bed.events).toEqual([]);
    await bed.settle();
    expect(bed.events).toEqual(['disk', 'rows 1', 'again 1']);
    expect(bed.labels.ask(wish(1), route(1))).toBe(40_000);
    expect(bed.rows.get(40_000)).toEqual({
      ...{ label: 40_000, vrf: 'A', gateway: undefined, accept: ACCEPT },
    });
    expect(bed.disk).toContainEqual({ label: 40_000, text: wish(1).text, vrf: 'A' });
  });

  it('is shared by whatever means the same, and no other', async () => {
    const bed = new Bed();
    expect(await bed.told(1)).toBe(40_000);
    expect(await bed.told(2)).toBe(40_001);
    expect(await bed.told(3, { text: wish(1).text, rule: 's' })).toBe(40_000);
    expect([...bed.labels.rows()].map(({ rules }) => rules)).toEqual([['r', 's'], ['r']]);
  });

  it('costs one write for ten thousand', async () => {
    const bed = new Bed([], { first: 100_000, last: 200_000 });
    for (let i = 0; i < 10_000; i++) {
      expect(bed.labels.ask(wish(i), { ...route(0), length: i % 33, vrf: i })).toBe('later');
    }
    await bed.settle();
    expect(bed.writes).toBe(1);
    expect(bed.asked).toHaveLength(10_000);
    expect(bed.rows.size).toBe(10_000);
    for (let i = 10_000; i < 10_100; i++) bed.labels.ask(wish(i), { ...route(0), vrf: i });
    await bed.settle();
    expect(bed.writes).toBe(2);
  });

  it('is told to all that asked too early, however many routes of a CE these are', async () => {
    const bed = new Bed();
    const most = 150_000;
    for (let vrf = 0; vrf < most; vrf++) bed.labels.ask(wish(1), { ...route(0), vrf });
    await bed.settle();
    expect(bed.complaints).toEqual([]);
    expect(bed.asked).toHaveLength(most);
  });

  it('waits for a disk that does not work, however many values are asked for meanwhile', async () => {
    const bed = new Bed([], { first: 100_000, last: 400_000 });
    bed.fault = 'no space left';
    const most = 150_000;
    for (let i = 0; i < most; i++) bed.labels.ask(wish(i), { ...route(0), vrf: i });
    await bed.settle();
    expect(bed.complaints).toHaveLength(1);
    bed.fault = undefined;
    await bed.pass(2);
    // Rows go into the tables some at a time: until nothing happens any more.
    while (bed.events.at(-1) !== '') {
      bed.events.push('');
      await bed.settle();
    }
    expect(bed.rows.size).toBe(most);
    expect(bed.asked).toHaveLength(most);
  });

  it('leads elsewhere in place when its meaning stays: the prefix of another CE', async () => {
    const bed = new Bed();
    expect(await bed.told(1, { gateway: ce(1) })).toBe(40_000);
    expect(bed.labels.ask(wish(1, { gateway: ce(2) }), route(1))).toBe(40_000);
    expect(bed.rows.get(40_000)?.gateway).toEqual(ce(2));
    expect(bed.labels.gateways()).toEqual([ce(2)]);
    const rows = bed.events.length;
    bed.labels.ask(wish(1, { gateway: ce(2) }), route(1));
    expect(bed.events).toHaveLength(rows);
  });
});

describe('a label whose routes have gone', () => {
  it('stays for a while, as long as something is still to be told, then is in quarantine', async () => {
    const bed = new Bed();
    bed.labels.settled();
    const label = (await bed.told(1))!;
    bed.labels.release(label);
    bed.quiet = false;
    await bed.pass(LINGER_MS / 1000 + 5);
    expect(bed.rows.has(label)).toBe(true);
    bed.quiet = true;
    await bed.pass(2);
    expect(bed.rows.has(label)).toBe(false);
    expect(bed.labels.holds(label)).toBe(false);
    expect(bed.labels.taken(label)).toBe(wish(1).text);
    expect(bed.disk.at(-1)).toMatchObject({ label });
    expect(await bed.told(2)).toBe(40_001);
  });

  it('comes back within the while without a write, and from quarantine with its meaning', async () => {
    const bed = new Bed();
    const label = (await bed.told(1))!;
    bed.labels.release(label);
    const { writes } = bed;
    expect(bed.labels.ask(wish(1), route(1))).toBe(label);
    expect(bed.writes).toBe(writes);
    await bed.pass(LINGER_MS / 1000 + 2);
    expect(bed.rows.size).toBe(0);
    expect(await bed.told(1)).toBe(label);
    expect(bed.rows.has(label)).toBe(true);
  });

  it('is free for another after the quarantine, the one freed first before others', async () => {
    const bed = new Bed();
    bed.labels.settled();
    for (let i = 0; i < 10; i++) expect(await bed.told(i)).toBe(40_000 + i);
    for (const label of [40_007, 40_003]) {
      bed.labels.release(label);
      await bed.pass(60);
    }
    expect(bed.labels.starvingWords).toEqual([]);
    expect(await bed.told(20)).toBeUndefined();
    expect(await bed.told(21)).toBeUndefined();
    expect(bed.complaints).toEqual([expect.stringMatching(/no label is free/)]);
    expect(bed.labels.starvingWords).toEqual(['2 routes not exported: no label is free']);
    // Now and then they are told to ask again: one has gone meanwhile.
    bed.asked.length = 0;
    await bed.pass(62);
    expect(bed.asked).toEqual([route(20), route(21)]);
    expect(bed.labels.starvingWords).toEqual([]);
    expect(await bed.told(20)).toBeUndefined();
    // So they are when the first is free again.
    const isTaken = (): boolean => bed.labels.taken(40_007) !== undefined;
    while (isTaken()) {
      if (bed.labels.starvingWords.length === 0) expect(await bed.told(20)).toBeUndefined();
      await bed.pass(1);
    }
    expect(await bed.told(20)).toBe(40_007);
    expect(bed.labels.starvingWords).toEqual([]);
    expect(await bed.told(21)).toBeUndefined();
    await bed.pass(100);
    expect(await bed.told(21)).toBe(40_003);
  });

  it('goes at once with its VRF', async () => {
    const bed = new Bed();
    const label = (await bed.told(1))!;
    await bed.told(2, { vrf: 'B' });
    bed.labels.keepVrfs(new Set(['B']));
    expect([...bed.rows.keys()]).toEqual([40_001]);
    expect(bed.labels.taken(label)).toBe(wish(1).text);
    // The RIB withdraws the routes later.
    bed.labels.release(label);
    expect(bed.labels.live).toBe(1);
  });

  it('one that was asked for and never used goes as well', async () => {
    const bed = new Bed();
    bed.labels.settled();
    expect(bed.labels.ask(wish(1), route(1))).toBe('later');
    await bed.settle();
    expect(bed.rows.size).toBe(1);
    await bed.pass(LINGER_MS / 1000 + 2);
    expect(bed.rows.size).toBe(0);
  });
});

describe('labels of one source (an SP whose routes we pass on)', () => {
  const range = { first: 40_000, last: 40_099 };
  const from = (name: string): Partial<LabelWish> => ({ source: { name, most: 5 } });

  it('are so many at most, in quarantine or not: others still have theirs', async () => {
    const bed = new Bed([], range);
    bed.labels.settled();
    // It changes its labels again and again: each is a value of ours, in quarantine behind it.
    for (let i = 0; i < 5; i++) {
      const label = (await bed.told(i, from('y')))!;
      bed.labels.release(label);
      await bed.pass(LINGER_MS / 1000 + 2);
    }
    expect(bed.labels.live).toBe(0);
    expect(bed.labels.ask(wish(6, from('y')), route(6))).toBe('the source has its share');
    expect(bed.complaints).toEqual([expect.stringMatching(/an SP has used up its swap labels/)]);
    expect(bed.labels.starvingWords).toEqual([
      '1 routes of SP y not passed on: it has used up its labels',
    ]);
    expect(await bed.told(7, from('z'))).toBe(40_005);
    expect(await bed.told(8)).toBe(40_006);
    // What it had comes back, and the share is remembered over a restart and a file written anew.
    const records = new RouteLabelRegister(bed.disk, range).records();
    for (const disk of [bed.disk, records]) {
      const next = new Bed(disk, range, bed.seconds);
      expect(next.labels.ask(wish(6, from('y')), route(6))).toBe('the source has its share');
      expect(await next.told(2, from('y'))).toBe(40_002);
    }
  });

  it('are asked for again when one of its own is free, some at a time', async () => {
    const bed = new Bed([], range);
    bed.labels.settled();
    const label = (await bed.told(0, from('y')))!;
    for (let i = 1; i < 5; i++) await bed.told(i, from('y'));
    bed.labels.release(label);
    await bed.pass(LINGER_MS / 1000 + 2);
    await bed.pass(LABEL_QUARANTINE_SECONDS - 30);
    for (let i = 0; i < 1000; i++) {
      const to = { ...route(0), vrf: i };
      expect(bed.labels.ask(wish(6, from('y')), to)).toBe('the source has its share');
    }
    bed.asked.length = 0;
    await bed.pass(35);
    expect(bed.asked.map(({ vrf }) => vrf)).toEqual(Array.from({ length: 257 }, (_, i) => i));
    expect(bed.labels.starvingWords).toEqual([
      `${1000 - 257} routes of SP y not passed on: it has used up its labels`,
    ]);
    expect(await bed.told(6, from('y'))).toBe(40_005);
  });
});

describe('after a restart', () => {
  it('the same meaning has the same value, without a write and at once', async () => {
    const before = new Bed();
    for (let i = 0; i < 5; i++) await before.told(i);
    const bed = new Bed(before.disk);
    for (let i = 4; i >= 0; i--) expect(bed.labels.holds(40_000 + i)).toBe(true);
    for (let i = 4; i >= 0; i--) expect(bed.labels.ask(wish(i), route(i))).toBe(40_000 + i);
    expect(bed.rows.size).toBe(5);
    expect(bed.writes).toBe(0);
    expect(await bed.told(9)).toBe(40_005);
  });

  it('waits for the routes of before, then frees the values nobody asked for', async () => {
    const before = new Bed();
    for (let i = 0; i < 3; i++) await before.told(i);
    const bed = new Bed(before.disk);
    expect(await bed.told(1)).toBe(40_001);
    await bed.pass(600);
    expect(bed.labels.live).toBe(3);
    bed.labels.settled();
    await bed.pass(LINGER_MS / 1000 + 2);
    expect(bed.labels.live).toBe(1);
    expect(bed.labels.taken(40_000)).toBe(wish(0).text);
  });

  it('a quarantine goes on, however often it is restarted', async () => {
    const before = new Bed();
    before.labels.settled();
    for (let i = 0; i < 10; i++) await before.told(i);
    before.labels.release(40_004);
    await before.pass(LINGER_MS / 1000 + 2);
    const { disk, seconds } = before;
    const soon = new Bed(disk, RANGE, seconds + LABEL_QUARANTINE_SECONDS - 60);
    expect(await soon.told(20)).toBeUndefined();
    await soon.pass(2);
    expect(await soon.told(20)).toBeUndefined();
    const late = new Bed(soon.disk, RANGE, seconds + LABEL_QUARANTINE_SECONDS + 1);
    await late.pass(2);
    expect(await late.told(20)).toBe(40_004);
  });

  it('each value has the quarantine it was freed with, and keeps it', async () => {
    const before = new Bed();
    before.labels.settled();
    for (let i = 0; i < 10; i++) await before.told(i);
    // Freed while somebody may keep our routes for a day, then another while nobody may for so long.
    before.quarantine = 86_400;
    before.labels.release(40_004);
    await before.pass(LINGER_MS / 1000 + 2);
    before.quarantine = LABEL_QUARANTINE_SECONDS;
    before.labels.release(40_007);
    await before.pass(LINGER_MS / 1000 + 2);
    const { disk, seconds } = before;
    const hour = new Bed(disk, RANGE, seconds + LABEL_QUARANTINE_SECONDS + 1);
    await hour.pass(2);
    expect(await hour.told(20)).toBe(40_007);
    expect(await hour.told(21)).toBeUndefined();
    // The file is written anew meanwhile: what is known of the quarantine is in that as well.
    const anew = new RouteLabelRegister(new RouteLabelRegister(hour.disk, RANGE).records(), RANGE);
    const almost = new Bed(anew.records(), RANGE, seconds + 86_400 - 60);
    expect(await almost.told(21)).toBeUndefined();
    const day = new Bed(almost.disk, RANGE, seconds + 86_400 + 1);
    await day.pass(2);
    expect(await day.told(21)).toBe(40_004);
  });

  it('a value given to another meaning means only that', async () => {
    const records: LabelRecord[] = [
      { label: 40_000, text: 'x', vrf: 'A' },
      { label: 40_000, freedAt: 1 },
      { label: 40_000, text: 'y', vrf: 'A' },
      { next: 40_003 },
    ];
    const bed = new Bed(records);
    expect(bed.labels.taken(40_000)).toBe('y');
    expect(await bed.told(1, { text: 'x' })).toBe(40_003);
  });
});

describe('values that must not be given', () => {
  it('are those of the configuration', async () => {
    const bed = new Bed();
    bed.labels.avoid([1, 40_000, 40_002]);
    expect(await bed.told(1)).toBe(40_001);
    expect(await bed.told(2)).toBe(40_003);
  });

  it('are those that could not be stored; what is told goes on', async () => {
    const bed = new Bed();
    await bed.told(1);
    bed.fault = 'no space left on device';
    expect(bed.labels.ask(wish(2), route(2))).toBe('later');
    await bed.settle();
    expect(bed.labels.ask(wish(2), route(2))).toBe('later');
    expect(bed.labels.ask(wish(1), route(1))).toBe(40_000);
    expect(bed.rows.size).toBe(1);
    expect(bed.complaints).toEqual([expect.stringMatching(/cannot be stored/)]);
    bed.fault = undefined;
    await bed.pass(3);
    expect(bed.labels.ask(wish(2), route(2))).toBe(40_001);
    const again = new Bed(bed.disk);
    expect(again.labels.taken(40_000)).toBe(wish(1).text);
    expect(again.labels.taken(40_001)).toBe(wish(2).text);
  });
});

describe('labels of classes that rules leave (policy-model 24, 25)', () => {
  const OLD = labelClass('A', 'tunnel in gre to own');
  const NEW = labelClass('A', 'encrypt in gre to own');
  const asked = (text: string): LabelWish => ({ ...wish(1), text: `prefix 10.1.0.0/16 ${text}` });

  it('stay after their last route until the grace time is over, then go at once', async () => {
    const bed = new Bed();
    bed.labels.settled();
    bed.labels.keepClasses(new Set([OLD]), new Set());
    bed.labels.ask(asked(OLD), route(1));
    await bed.settle();
    const label = Number(bed.labels.ask(asked(OLD), route(1)));
    bed.labels.retain(label);
    bed.labels.keepClasses(new Set([NEW]), new Set([OLD]));
    bed.labels.release(label);
    await bed.pass(10 * (LINGER_MS / 1000));
    expect(bed.rows.has(label)).toBe(true);
    expect(bed.labels.labelsOf(OLD)).toEqual([label]);
    bed.labels.keepClasses(new Set([NEW]), new Set());
    expect(bed.rows.has(label)).toBe(false);
    await bed.settle();
    expect(bed.disk.at(-1)).toMatchObject({ label, freedAt: bed.seconds });
  });

  it('go at once although routes have them, when nothing tells their class any more', async () => {
    const bed = new Bed();
    bed.labels.ask(asked(OLD), route(1));
    await bed.settle();
    const label = Number(bed.labels.ask(asked(OLD), route(1)));
    bed.labels.retain(label);
    // Another supervisor, whose routes have not come yet.
    const next = new Bed(bed.disk);
    next.labels.keepClasses(new Set([OLD, NEW]), new Set());
    expect(next.labels.holds(label)).toBe(true);
    for (const one of [bed, next]) {
      one.labels.keepClasses(new Set([NEW]), new Set());
      expect(one.labels.holds(label)).toBe(false);
      one.labels.release(label);
    }
  });
});
