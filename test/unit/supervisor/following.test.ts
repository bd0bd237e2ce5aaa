// SPDX-License-Identifier: Apache-2.0
/** What comes in bursts is done once, and behind what was known when it began. */
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { createLogger } from '../../../src/lib/log.js';
import { Following } from '../../../src/supervisor/following.js';
import { Serial } from '../../../src/supervisor/serial.js';

let done: string[];
let said: string[];
let fault: Error | undefined;
let following: Following;
let serial: Serial;

beforeEach(() => {
  vi.useFakeTimers();
  done = [];
  said = [];
  fault = undefined;
  serial = new Serial();
  const work = (what: string) => async (): Promise<{ nexthops: number; routes: number }> => {
    await Promise.resolve();
    if (fault !== undefined) throw fault;
    done.push(what);
    return { nexthops: 1, routes: 0 };
  };
  following = new Following({
    serial,
    log: createLogger({ write: (line) => said.push(line), now: () => '' }, 'error'),
    instance: () => ({ refresh: work('refresh'), retunnel: work('retunnel') }) as never,
    kernelPort: () => ({ followGateways: (gateways) => done.push(`gateways ${gateways.length}`) }),
    bgp: () => ({ gateways: () => [] }),
  });
});
afterEach(() => {
  vi.useRealTimers();
});

const settle = async (): Promise<void> => {
  await vi.advanceTimersByTimeAsync(100);
};

it('does a burst once, and the next one again', async () => {
  for (let i = 0; i < 100; i++) following.refreshSoon();
  await settle();
  expect(done.splice(0)).toEqual(['refresh']);
  for (let i = 0; i < 100; i++) following.gatewaysSoon();
  await settle();
  expect(done.splice(0)).toEqual(['gateways 0', 'refresh']);
  for (let i = 0; i < 100; i++) following.retunnel();
  await settle();
  expect(done.splice(0)).toEqual(['retunnel']);
});

it('is shared by who asks before it has begun, and by nobody later', async () => {
  let goOn = (): void => undefined;
  const before = serial.run(async () => {
    await new Promise<void>((resolve) => {
      goOn = resolve;
    });
  });
  await settle();
  const asked = [following.refreshNow(), following.refreshNow()];
  goOn();
  await before;
  await Promise.all(asked);
  expect(done).toEqual(['refresh']);
  await following.refreshNow();
  expect(done).toEqual(['refresh', 'refresh']);
});

it('says what failed, and goes on', async () => {
  fault = new Error('no room');
  following.refreshSoon();
  following.retunnel();
  await settle();
  expect(said).toHaveLength(2);
  expect(said.join()).toContain('no room');
  fault = undefined;
  following.refreshSoon();
  following.retunnel();
  await settle();
  expect(done.sort()).toEqual(['refresh', 'retunnel']);
});

it('begins nothing once it has ended but what somebody waits for', async () => {
  following.gatewaysSoon();
  following.end();
  following.refreshSoon();
  following.gatewaysSoon();
  following.retunnel();
  await settle();
  expect(done).toEqual([]);
  await following.refreshNow();
  expect(done).toEqual(['refresh']);
});
