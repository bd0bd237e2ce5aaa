import { expect, it } from 'vitest';
import { inSlices, Serial } from '../../../src/supervisor/serial.js';

it('runs one piece of work after the other, and goes on after a failure', async () => {
  const serial = new Serial();
  const seen: string[] = [];
  const step = (name: string, fail = false) =>
    serial.run(async () => {
      seen.push(`${name} begins`);
      await new Promise((resume) => setImmediate(resume));
      seen.push(`${name} ends`);
      if (fail) throw new Error(name);
      return name;
    });
  const [a, b, c] = [step('a'), step('b', true), step('c')];
  await expect(b).rejects.toThrow('b');
  expect([await a, await c]).toEqual(['a', 'c']);
  expect(seen).toEqual(['a', 'b', 'c'].flatMap((n) => [`${n} begins`, `${n} ends`]));
});

it('lets others run between slices of bulk work', async () => {
  let clock = 0;
  let turns = 0;
  let steps = 0;
  const others = setInterval(() => turns++, 0);
  function* work(): Generator<void> {
    for (; steps < 20; steps++) {
      clock += 4;
      yield;
    }
  }
  const turn = new Promise<void>((done) => {
    const count = () => {
      turns++;
      if (steps < 20) setImmediate(count);
      else done();
    };
    setImmediate(count);
  });
  await inSlices(work(), () => clock);
  await turn;
  clearInterval(others);
  expect(steps).toBe(20);
  expect(turns).toBeGreaterThanOrEqual(6); // 80 ms of work in slices of 12
});
