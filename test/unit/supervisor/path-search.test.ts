// SPDX-License-Identifier: Apache-2.0
/** The search for the largest packet that passes, against ways of every width, and ways that lose. */
import { describe, expect, it } from 'vitest';
import { PathSearch, type SearchRange } from '../../../src/supervisor/path-search.js';

const RANGE: SearchRange = { least: 1280, largest: 1500, step: 4 };

/** Rounds until it has come to an end, when what is at most `mtu` passes; `isLost`: lost for another reason. */
function run(search: PathSearch, mtu: number, isLost: () => boolean = () => false): number {
  let rounds = 0;
  do {
    const sizes = search.next();
    expect(sizes.length).toBeGreaterThan(0);
    expect([...sizes].sort((a, b) => a - b)).toEqual(sizes);
    for (const size of sizes) {
      expect(size).toBeLessThanOrEqual(search.range.largest);
      expect((search.range.largest - size) % search.range.step).toBe(0);
    }
    search.answer(Math.max(0, ...sizes.filter((size) => size <= mtu && !isLost())));
    if (++rounds > 100) throw new Error('it does not end');
  } while (search.state === 'searching' || search.tries > 0);
  return rounds;
}

const widest = (mtu: number, { largest, step }: SearchRange): number =>
  largest - Math.ceil(Math.max(0, largest - mtu) / step) * step;

describe('a path search', () => {
  it.each([
    ['as AES-GCM has it', RANGE],
    ['as AES-CBC has it', { least: 1280, largest: 1492, step: 16 }],
    ['of large frames', { least: 1280, largest: 9000, step: 4 }],
    ['of one size', { least: 1280, largest: 1280, step: 4 }],
  ])('finds what passes exactly, %s', (_, range) => {
    for (let mtu = range.least; mtu <= range.largest + 5; mtu += range.largest > 1500 ? 61 : 1) {
      const search = new PathSearch(range);
      expect(run(search, mtu)).toBeLessThanOrEqual(20);
      expect([search.state, search.passes]).toEqual(['complete', widest(mtu, range)]);
      expect(search.isWhole).toBe(mtu >= range.largest);
    }
  });

  it('takes one round when all pass', () => {
    expect(run(new PathSearch(RANGE), 1500)).toBe(1);
  });

  it('asks for the least and the largest at first', () => {
    const sizes = new PathSearch(RANGE).next();
    expect([sizes[0], sizes.at(-1), sizes.length]).toEqual([1280, 1500, 8]);
  });

  it('a size that is lost twice is not too large', () => {
    const search = new PathSearch(RANGE);
    const seen: (readonly number[])[] = [];
    for (const answer of [1468, 0, 1500]) {
      seen.push(search.next());
      search.answer(answer);
    }
    expect(seen.slice(1)).toEqual([[1500], [1500]]);
    expect([search.state, search.passes, search.isWhole]).toEqual(['complete', 1500, true]);
  });

  it('never finds more than passes, and mostly that, on ways that lose a tenth', () => {
    let state = 1;
    const isLost = (): boolean => {
      state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
      return state >>> 8 < 0x1000000 / 10;
    };
    let exact = 0;
    for (let i = 0; i < 300; i++) {
      const mtu = 1280 + (i % 220);
      const search = new PathSearch(RANGE);
      run(search, mtu, isLost);
      expect(search.passes ?? 0).toBeLessThanOrEqual(mtu);
      if (search.passes === widest(mtu, RANGE)) exact++;
    }
    expect(exact).toBeGreaterThan(285);
  });

  it('a way that passes nothing is an error, which ends when it passes something', () => {
    const search = new PathSearch(RANGE);
    run(search, 1200);
    expect([search.state, search.passes]).toEqual(['error', undefined]);
    search.verify();
    run(search, 1400);
    expect([search.state, search.passes]).toEqual(['complete', 1400]);
  });

  it('what passed is looked at again: one size, and nothing changes', () => {
    const search = new PathSearch(RANGE);
    run(search, 1400);
    search.verify();
    expect(search.next()).toEqual([1400]);
    expect(run(search, 1400)).toBe(1);
    expect([search.state, search.passes]).toEqual(['complete', 1400]);
  });

  it('a black hole is one after three losses, and searched below', () => {
    const search = new PathSearch(RANGE);
    run(search, 1500);
    search.verify();
    for (const states of ['complete', 'complete', 'searching']) {
      expect(search.next()).toEqual([1500]);
      search.answer(0);
      expect(search.state).toBe(states);
    }
    expect(search.passes).toBeUndefined();
    expect(search.next().at(-1)).toBe(1496);
    run(search, 1400);
    expect(search.passes).toBe(1400);
  });

  it('finds what has become wider when it is to', () => {
    const search = new PathSearch(RANGE);
    run(search, 1400);
    search.raise();
    expect(search.next()[0]).toBe(1404);
    run(search, 1400);
    expect(search.passes).toBe(1400);
    search.raise();
    expect(run(search, 1500)).toBe(1);
    expect(search.isWhole).toBe(true);
    search.raise();
    expect(search.state).toBe('complete');
  });
});
