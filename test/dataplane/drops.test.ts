// SPDX-License-Identifier: Apache-2.0
/** Every reason for which the worker discards a packet, provoked, with its exact count and nothing delivered. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Pe } from './pe.js';
import { COUNT, PROVOKE } from './provoke.js';
import { HOST } from './provoke-host.js';
import { TOO_BIG } from './provoke-too-big.js';
import { extraPorts, RARE } from './provoke-rare.js';
import { Tracer } from './tracer.js';

const header = fileURLToPath(
  new URL('../../dpdk-app/include/sealane/drop_reasons.h', import.meta.url),
);
/** Names of drop_reasons.h, `none` left out. */
const reasons = [...readFileSync(header, 'utf8').matchAll(/\bX\((\w+), "/g)]
  .map(([, name = '']) => name)
  .filter((name) => name !== 'none');

/** No buffer is left: dpdk-app/test/eal_fragment.c, eal_jumbo.c and eal_queues_change.c; a second packet thread stands still: eal_pass.c. */
const BY_EAL_TESTS = ['no_mbuf', 'jumbo_no_buffer', 'queue_buffers', 'pass_full'];

it('every reason of drop_reasons.h is provoked', () => {
  expect(reasons.length).toBeGreaterThan(50);
  const here = [PROVOKE, HOST, TOO_BIG, RARE].flatMap(Object.keys);
  expect([...here, ...BY_EAL_TESTS].sort()).toEqual([...reasons].sort());
});

describe('by frames alone', () => {
  let pe: Pe;
  beforeAll(async () => {
    pe = await Pe.start('drops');
  });
  afterAll(async () => {
    await pe.close();
  });

  const vrfDrops = (): bigint =>
    Object.values(pe.vrfs).reduce((sum, id) => sum + pe.harness.tables.vrfCounters(id).drops, 0n);

  it('the worker’s reasons are those of the header, in its order', () => {
    const names = pe.harness.tables.drops().map(({ reason }) => reason);
    expect(names.filter((name) => name !== 'none')).toEqual(reasons);
  });

  it.each(Object.entries({ ...PROVOKE, ...HOST, ...TOO_BIG }))('%s', async (reason, provoke) => {
    const { input, options, beside = {}, answered, anonymous } = await provoke(pe);
    const before = vrfDrops();
    const { out, drops, interfaces } = await pe.run(input, options);
    expect(drops).toEqual({ [reason]: COUNT, ...beside });
    const [place = ''] = Object.keys(input);
    if (answered === true) expect(out).toMatchObject({ [place]: { length: COUNT } });
    else expect(out).toEqual({});
    const dropped = Object.values(interfaces).reduce((sum, row) => sum + (row.drops ?? 0), 0);
    expect(dropped).toBe(anonymous === true ? 0 : COUNT);
    expect(vrfDrops() - before).toBe(BigInt(dropped));
  });
});

describe('by more than frames', () => {
  let pe: Pe;
  let tracer: Tracer;
  beforeAll(async () => {
    tracer = new Tracer();
    pe = await Pe.start('rare', extraPorts);
  });
  afterAll(async () => {
    await pe.close();
    await tracer.close();
  });

  it.each(Object.entries(RARE))('%s', async (_, provoke) => {
    await provoke({ pe, tracer });
  });
});
