// SPDX-License-Identifier: Apache-2.0
/**
 * Policy-model 22 on the wire: under one key no IV is ever sent twice, whenever the worker is killed; a key counts
 * in one place alone; an SA ends with its numbers.
 */
import { randomBytes, randomInt } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openEsp } from '../lib/esp.js';
import { farEnd } from './harness.js';
import { ALGORITHMS, Pe, type Sa } from './pe.js';
import { cePacket, fromCe } from './provoke.js';
import { fieldOffset, mappedAt, spoil, Tracer, type Field } from './tracer.js';

let pe: Pe;
let tracer: Tracer;
beforeAll(async () => {
  tracer = new Tracer();
  pe = await Pe.start('sequence');
});
afterAll(async () => {
  await pe.close();
  await tracer.close();
});

/** An outbound SA with a route of VRF a through it. */
interface Through {
  readonly sa: Sa;
  readonly frame: Buffer;
}
let hosts = 1;
async function through(options: Parameters<Pe['sa']>[1] = {}): Promise<Through> {
  const { encapsulation = 'gre', family = 4 } = options;
  const sa = await pe.sa('out', options);
  const host = `198.51.100.${String(hosts++)}`;
  pe.route('a', host, pe.tunnel({ encapsulation, family, sa }), { label: pe.newLabel() });
  return { sa, frame: fromCe(cePacket(host)) };
}

async function restart(): Promise<void> {
  await pe.harness.startWorker();
  await pe.bringUp();
}

/** IVs of the SA in frames from the core's wire, in their order; each packet verifies. */
function ivs({ sa }: Through, frames: readonly Buffer[]): bigint[] {
  return frames
    .map((frame) => frame.subarray(sa.family === 4 ? 34 : 54))
    .filter((esp) => esp.readUInt32BE(0) === sa.row.spi)
    .map((esp) => {
      const { iv, sequence } = openEsp(sa.esp, esp);
      expect(iv & 0xffff_ffffn).toBe(BigInt(sequence));
      return iv;
    });
}

const coreFrames = async (): Promise<Buffer[]> =>
  (await pe.harness.wire.take()).get(farEnd('core')) ?? [];

describe('killed under traffic', () => {
  it(
    'no IV repeats under any key, and none is older than one before',
    { timeout: 60_000 },
    async () => {
      const flows = await Promise.all(
        ALGORITHMS.map(async (algorithm, i) =>
          through({ algorithm, family: i % 2 === 0 ? 4 : 6, encapsulation: i < 2 ? 'gre' : 'ip' }),
        ),
      );
      const seen = flows.map((): bigint[] => []);
      for (let life = 0; life < 8; life++) {
        if (life > 0) await restart();
        await pe.harness.wire.flood(
          farEnd('ce'),
          flows.map(({ frame }) => frame),
          20,
        );
        await new Promise((wake) => setTimeout(wake, randomInt(5, 120)));
        await pe.harness.killWorker();
        expect(await pe.harness.wire.calm()).toBeGreaterThan(0);
        const frames = await coreFrames();
        for (const [i, flow] of flows.entries()) {
          seen[i]?.push(...ivs(flow, frames));
          const last = seen[i]?.at(-1) ?? 0n;
          // reserved at least as far as sent
          expect(pe.saState('out', flow.sa).sequence).toBeGreaterThanOrEqual(last);
        }
      }
      await restart();
      for (const list of seen) {
        expect(list.length).toBeGreaterThan(100);
        expect(list.every((iv, i) => i === 0 || iv > (list[i - 1] ?? 0n))).toBe(true);
      }
    },
  );
});

describe('killed between reserving a number and using it', () => {
  beforeEach(async () => {
    if (!pe.harness.tables.worker().alive) await restart();
  });

  it.each(ALGORITHMS)('%s: the number is skipped', async (algorithm) => {
    const flow = await through({ algorithm });
    const { harness } = pe;
    const first = await pe.run({ ce: [flow.frame, flow.frame] });
    expect(ivs(flow, first.out['core'] ?? [])).toEqual([1n, 2n]);

    const offset = fieldOffset('sa_out_state.last_sequence', flow.sa.id);
    const address = mappedAt(harness.workerPid, harness.path('state'), offset);
    const thread = harness.packetThread;
    await tracer.stop(thread);
    await tracer.watch(thread, address);
    await harness.wire.send([[farEnd('ce'), flow.frame]]);
    expect(await tracer.hit(thread, 5000)).toBe(true);
    // it stands behind the store; nothing has left
    expect(pe.saState('out', flow.sa).sequence).toBe(3n);
    await tracer.kill(harness.workerPid, thread);
    await harness.killWorker();
    expect(await coreFrames()).toEqual([]);

    await restart();
    const later = await pe.run({ ce: [flow.frame] });
    expect(ivs(flow, later.out['core'] ?? [])).toEqual([4n]);
  });
});

describe('an SA’s numbers', () => {
  it('end at its packet limit, and stay spent over a restart', async () => {
    const flow = await through({ packetLimit: 5n });
    const { out, drops } = await pe.run({ ce: Array.from({ length: 9 }, () => flow.frame) });
    expect(ivs(flow, out['core'] ?? [])).toEqual([1n, 2n, 3n, 4n, 5n]);
    expect(drops).toEqual({ sa_exhausted: 4 });
    await pe.harness.killWorker();
    await restart();
    const later = await pe.run({ ce: [flow.frame] });
    expect([later.out, later.drops]).toEqual([{}, { sa_exhausted: 1 }]);
    expect(pe.saState('out', flow.sa)).toMatchObject({ sequence: 5n, packets: 5n });
  });

  it('go on after an orderly shutdown, under every SA', async () => {
    const flow = await through();
    await pe.run({ ce: [flow.frame] });
    expect(await pe.harness.shutdownWorker()).toBe(0);
    await restart();
    const { out } = await pe.run({ ce: [flow.frame] });
    expect(ivs(flow, out['core'] ?? [])).toEqual([2n]);
  });

  it('go on after the supervisor is replaced while the worker runs', async () => {
    const flow = await through();
    await pe.run({ ce: [flow.frame] });
    pe.harness.reopenTables();
    const { out } = await pe.run({ ce: [flow.frame] });
    expect(ivs(flow, out['core'] ?? [])).toEqual([2n]);
  });
});

describe('a key', () => {
  const refused = { code: 'KEY_REFUSED' };

  /** Gives a new row, behind the addon's back, the key of another. */
  function withKeyOf(sa: Sa, direction: 'in' | 'out'): Sa {
    const copy = pe.saRow(direction, { algorithm: sa.row.algorithm });
    const tables = pe.harness.path('tables');
    const write = (field: 'key' | 'salt', value: Uint8Array): void => {
      const name: Field = `sa_${direction}.${field}`;
      spoil(tables, name, copy.id, value);
    };
    write('key', sa.esp.key.subarray(0, -4));
    write('salt', sa.esp.key.subarray(-4));
    return copy;
  }
  const install = async (sa: Sa, direction: 'in' | 'out'): Promise<void> =>
    pe.harness.client.installSas(
      direction === 'out' ? [sa.id] : [],
      direction === 'in' ? [sa.id] : [],
    );

  it.each(ALGORITHMS)(
    '%s: installed in one row is refused by the worker in any other',
    async (algorithm) => {
      const sa = await pe.sa('out', { algorithm });
      for (const direction of ['out', 'in'] as const) {
        const copy = withKeyOf(sa, direction);
        await expect(install(copy, direction)).rejects.toMatchObject(refused);
        expect(pe.saState(direction, copy).ready).toBe(false);
      }
      expect(pe.saState('out', sa).ready).toBe(true);
    },
  );

  it('of a removed SA is refused, also after a restart of the worker', async () => {
    const sa = await pe.sa('out');
    pe.harness.tables.removeSa('out', sa.id);
    while (pe.harness.tables.reclaim()) await new Promise((wake) => setTimeout(wake, 5));
    await expect(install(withKeyOf(sa, 'in'), 'in')).rejects.toMatchObject(refused);
    await pe.harness.killWorker();
    await restart();
    await expect(install(withKeyOf(sa, 'in'), 'in')).rejects.toMatchObject(refused);
  });

  it('is refused by the addon before it reaches a row', async () => {
    const key = randomBytes(20);
    await pe.sa('out', { key });
    for (const direction of ['out', 'in'] as const) {
      expect(() => pe.saRow(direction, { key })).toThrow(
        expect.objectContaining({ code: 'KEY_REUSED' }),
      );
    }
  });

  it('is in no argument, log or name of the worker', async () => {
    const { esp } = await pe.sa('out');
    const hex = Buffer.from(esp.key.subarray(0, 16)).toString('hex');
    const argv = await pe.harness.must(['cat', `/proc/${String(pe.harness.workerPid)}/cmdline`]);
    for (const text of [argv, pe.harness.log()]) {
      expect(text.length).toBeGreaterThan(0);
      expect(text).not.toContain(hex);
    }
  });
});
