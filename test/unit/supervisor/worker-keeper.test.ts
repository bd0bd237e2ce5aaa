import { describe, expect, it } from 'vitest';
import { createLogger } from '../../../src/lib/log.js';
import { StallGuard } from '../../../src/supervisor/stall-guard.js';
import { WorkerKeeper } from '../../../src/supervisor/worker-keeper.js';

const log = createLogger({ write: () => undefined, now: () => '' });
const settled = () => new Promise((resume) => setImmediate(resume));

/** A clock that only moves when told, and a worker that may refuse to start. */
function setUp() {
  const state = { now: 0, delays: [] as number[], due: [] as (() => void)[], fail: 0, started: 0 };
  const keeper = new WorkerKeeper({
    log,
    now: () => state.now,
    after: (ms, work) => {
      state.delays.push(ms);
      state.due.push(work);
      return () => {
        state.due = state.due.filter((one) => one !== work);
      };
    },
    revive: async () => {
      await settled();
      if (state.fail > 0) {
        state.fail--;
        throw new Error('no');
      }
      state.started++;
    },
  });
  const fire = async () => {
    for (const work of state.due.splice(0)) work();
    await settled();
    await settled();
  };
  return { state, keeper, fire };
}

describe('worker keeper', () => {
  it('starts another worker at once, and only one for one death', async () => {
    const { state, keeper, fire } = setUp();
    keeper.died('killed');
    keeper.died('killed');
    keeper.missing();
    await fire();
    expect(state).toMatchObject({ delays: [0], started: 1 });
  });

  it('waits ever longer while it fails, and begins afresh after a healthy while', async () => {
    const { state, keeper, fire } = setUp();
    state.fail = 7;
    keeper.died('killed');
    for (let i = 0; i < 8; i++) await fire();
    expect(state.delays).toEqual([0, 250, 1000, 2000, 5000, 10_000, 10_000, 10_000]);
    expect(state.started).toBe(1);
    state.now += 61_000;
    keeper.died('killed again');
    expect(state.delays.at(-1)).toBe(0);
  });

  it('goes on counting when it dies soon again', async () => {
    const { state, keeper, fire } = setUp();
    keeper.died('a');
    await fire();
    state.now += 1000;
    keeper.died('b');
    await fire();
    expect(state.delays).toEqual([0, 250]);
  });

  it('does nothing after a stop', async () => {
    const { state, keeper, fire } = setUp();
    keeper.died('a');
    keeper.stop();
    keeper.died('b');
    await fire();
    expect(state.started).toBe(0);
  });
});

describe('stall guard', () => {
  const stalled = { state: 'stalled' as const, reason: 'x' };
  const running = { state: 'running' as const, reason: '' };

  it('alarms once, then ends it, and forgives one that recovers', () => {
    let now = 0;
    const guard = new StallGuard(() => now);
    const at = (ms: number, health: typeof stalled | typeof running) => {
      now = ms;
      return guard.look(health);
    };
    expect(at(0, stalled)).toBe('fine');
    expect(at(3000, stalled)).toBe('alarm');
    expect(at(4000, stalled)).toBe('fine');
    expect(at(5000, running)).toBe('fine');
    expect(at(6000, stalled)).toBe('fine');
    expect(at(9000, stalled)).toBe('alarm');
    expect(at(35_999, stalled)).toBe('fine');
    expect(at(36_000, stalled)).toBe('kill');
    expect(at(37_000, stalled)).toBe('fine');
  });
});
