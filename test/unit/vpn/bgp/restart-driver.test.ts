// SPDX-License-Identifier: Apache-2.0
/** Rows of BGP that are taken out of the tables in slices. */
import { expect, it } from 'vitest';
import { createLogger } from '../../../../src/lib/log.js';
import { RestartDriver } from '../../../../src/vpn/bgp/restart-driver.js';

const MODEL = { ttlUniform: false, tcUniform: false, clampMss: false, hostInterface: 0 };

/** VRFs with so many rows of BGP for each version; slices run when they are told to. */
function bed(rows: Record<4 | 6, number>[]) {
  const slices: (() => void)[] = [];
  const driver = new RestartDriver({
    tables: {
      vrfs: () => rows.map((_, id) => ({ ...MODEL, id, name: `vrf ${id}` })),
      removeRoutes: (id, version, _owner, _staleOnly, most) => {
        const of = rows[id] ?? { 4: 0, 6: 0 };
        const gone = Math.min(of[version], most);
        of[version] -= gone;
        return gone;
      },
    },
    clock: { now: () => 0 },
    scheduler: { soon: (slice) => void slices.push(slice), after: () => () => undefined },
    log: createLogger({ write: () => undefined, now: () => '' }, 'debug'),
    ...{ neighbours: () => new Map(), pending: () => false, over: () => undefined },
  });
  return { driver, slices };
}

it('whoever waits for a sweep goes on when every row of every VRF is gone', async () => {
  const rows = [
    { 4: 10_000, 6: 3 },
    { 4: 0, 6: 2_048 },
    { 4: 5_000, 6: 0 },
  ];
  const { driver, slices } = bed(rows);
  await driver.swept();
  for (const version of [4, 6] as const) driver.sweep(version, false);
  let isDone = false;
  const done = driver.swept().then(() => {
    isDone = true;
  });
  expect(slices.length).toBeGreaterThan(0);
  for (let slice = slices.shift(); slice !== undefined; slice = slices.shift()) {
    expect(isDone).toBe(false);
    slice();
    await Promise.resolve();
  }
  await done;
  expect(rows).toEqual([
    { 4: 0, 6: 0 },
    { 4: 0, 6: 0 },
    { 4: 0, 6: 0 },
  ]);
});
