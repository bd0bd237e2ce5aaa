// SPDX-License-Identifier: Apache-2.0
import { beforeEach, describe, expect, it } from 'vitest';
import { Turns } from '../../../../src/bgp/session/turns-driver.js';

let now: number;
let next: (() => void)[];
let turns: Turns;

beforeEach(() => {
  now = 1000;
  next = [];
  turns = new Turns(
    () => now,
    (turn) => next.push(turn),
  );
});

/** What the event loop does behind the sockets of a turn. */
function behind(): void {
  for (const turn of next.splice(0)) turn();
}

describe('the time for reading', () => {
  it('is portioned out, and comes to an end for all together', () => {
    const portions: number[] = [];
    let until = turns.portion();
    while (until !== undefined) {
      portions.push(until - now);
      now = until;
      until = turns.portion();
    }
    expect(portions).toEqual([2, 2, 2, 2]);
    expect(next).toHaveLength(1);
    behind();
    expect(turns.portion()).toBe(now + 2);
  });

  it('that one leaves over is for the others', () => {
    expect(turns.portion()).toBe(1002);
    now += 7;
    expect(turns.portion()).toBe(1008);
    now += 1;
    expect(turns.portion()).toBeUndefined();
  });

  it('goes round among those who wait, and is asked for again while any does', () => {
    const read: string[] = [];
    const reader = (name: string, work: number) => (): boolean => {
      const until = turns.portion();
      if (until === undefined) return true;
      read.push(name);
      now = until;
      return --work > 0;
    };
    for (const [name, work] of [
      ['a', 4],
      ['b', 1],
      ['c', 2],
    ] as const) {
      turns.wait(reader(name, work));
    }
    behind();
    expect(read).toEqual(['a', 'b', 'c', 'a']);
    behind();
    expect(read.slice(4)).toEqual(['c', 'a', 'a']);
    behind();
    expect(read).toHaveLength(7);
    expect(next).toEqual([]);
  });

  it('does not wake anybody when nobody reads', () => {
    expect(next).toEqual([]);
    turns.portion();
    behind();
    expect(next).toEqual([]);
  });
});
