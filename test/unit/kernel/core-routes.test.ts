// SPDX-License-Identifier: Apache-2.0
/** When the kernel is asked for the way to what is tracked: once for each change, however the answers come. */
import { beforeEach, expect, it } from 'vitest';
import type { MonitorListener } from '../../../src/kernel/monitor.js';
import { CoreRoutes, type Resolution } from '../../../src/kernel/routes.js';
import { parseAddress, parsePrefix } from '../../../src/lib/ip.js';

/** Questions that wait for their answer: the kernel has no route. */
let questions: (() => void)[];
let asked: number;
let listener: MonitorListener;
let errors: unknown[];
let routes: CoreRoutes;

const round = async (): Promise<void> =>
  new Promise((resume) => {
    setImmediate(resume);
  });
async function answerAll(): Promise<void> {
  for (const answer of questions.splice(0)) answer();
  await round();
}
const routeTo = (prefix: string) => ({ destination: parsePrefix(prefix)! }) as never;

beforeEach(() => {
  [questions, asked, errors] = [[], 0, []];
  const monitor = {
    listen: (given: MonitorListener) => {
      listener = given;
      return () => undefined;
    },
    netlink: {
      get: async () => {
        asked++;
        return new Promise((answer) => {
          questions.push(() => {
            answer(undefined);
          });
        });
      },
    },
  };
  routes = new CoreRoutes(monitor as never, { onError: (error) => errors.push(error) });
});

it('asks for each once, and again for what a route covers that has changed', async () => {
  const heard: [number, Resolution['kind']][] = [];
  for (let n = 1; n <= 100; n++) {
    routes.track(parseAddress(`192.0.2.${String(n)}`)!, ({ kind }) => heard.push([n, kind]));
  }
  await round();
  expect(asked).toBe(100);
  await answerAll();
  await round();
  expect(asked).toBe(100);
  expect(heard).toHaveLength(100);
  listener.route?.(routeTo('192.0.2.64/26'));
  listener.route?.(routeTo('192.0.2.7/32'));
  await round();
  expect(asked).toBe(100 + 37 + 1);
  await answerAll();
  // The same answer is no news.
  expect(heard).toHaveLength(100);
  expect(errors).toEqual([]);
});

it('asks once more for what changed while it was asked for, and not for what is tracked no more', async () => {
  const stops = [1, 2, 3].map((n) =>
    routes.track(parseAddress(`192.0.2.${String(n)}`)!, () => undefined),
  );
  await round();
  expect(asked).toBe(3);
  for (let change = 0; change < 5; change++) listener.route?.(routeTo('192.0.2.0/31'));
  stops[2]!();
  await round();
  expect(asked).toBe(3);
  await answerAll();
  await round();
  // 192.0.2.1 alone is in it.
  expect(asked).toBe(4);
  listener.route?.(undefined);
  stops[0]!();
  await answerAll();
  await round();
  expect(asked).toBe(5);
  await answerAll();
  await round();
  expect(asked).toBe(5);
});
