// SPDX-License-Identifier: Apache-2.0
/** Packets that find no room in a queue, or wait in one of an interface that goes. */
import { expect } from 'vitest';
import { eventually } from '../../scripts/lib/lab.js';
import { toCe } from './frames.js';
import { MAC, type Pe } from './pe.js';
import { cePacket, COUNT, fromCe } from './provoke.js';
import { CLASSES, queues } from './queues.js';

const TO = '198.51.100.77';
const LIMIT = 5;
/** Long ones: at 8 kbit/s, the lowest rate, the next leaves a second and a half later, when the test is over. */
const packet = (): Buffer => cePacket(TO, { payload: Buffer.alloc(1460) });

interface Stage {
  readonly pe: Pe;
}

/** An interface of VRF a whose queue is full; a packet for it has left, and as many as it may have wait. */
async function filled(pe: Pe, over: number): Promise<{ id: number; hop: number; drops: object }> {
  const row = pe.rows.get('ce');
  if (row === undefined) throw new Error('no interface ce');
  const { tables } = pe.harness;
  tables.setClasses(CLASSES);
  const id = tables.putInterface({ ...row, name: 'queued', vlan: 77 });
  tables.setQueues(id, queues(8000n, LIMIT));
  const header = toCe(packet(), MAC.a, 77).subarray(0, 18);
  const own = { kind: 'adjacency', interface: id, vrf: pe.vrfs.a, mtu: 1500 } as const;
  const hop = pe.nexthop({ ...own, neighbour: Uint8Array.of(10, 1, 1, 1), header });
  pe.route('a', TO, hop);
  const frames = Array.from({ length: over }, () => fromCe(packet()));
  const first = await pe.run({ ce: [fromCe(packet())] });
  expect(first).toMatchObject({ drops: {}, out: { ce: { length: 1 } } });
  const { drops } = await pe.run({ ce: frames });
  return { id, hop, drops };
}

/** Takes the interface away: what waits there is lost. */
async function take(pe: Pe, { id, hop }: { id: number; hop: number }): Promise<number> {
  const { tables } = pe.harness;
  const gone = (): number =>
    Number(tables.drops().find((row) => row.reason === 'queue_gone')?.packets ?? 0n);
  const before = gone();
  pe.removeRoute('a', TO);
  tables.removeNexthop(hop);
  await eventually('the next hop is gone', () => (tables.reclaim() ? undefined : true));
  tables.removeInterface(id);
  return eventually('what waited is lost', () => gone() - before || undefined);
}

export const QUEUES: Readonly<Record<string, (stage: Stage) => Promise<void>>> = {
  queue_full: async ({ pe }) => {
    const made = await filled(pe, LIMIT + COUNT);
    expect(made.drops).toEqual({ queue_full: COUNT });
    expect(pe.harness.tables.queueCounters(made.id, 0)).toMatchObject({
      ...{ packets: 1n, dropped: BigInt(COUNT), depth: LIMIT, maxDepth: LIMIT },
    });
    await take(pe, made);
  },
  queue_gone: async ({ pe }) => {
    const made = await filled(pe, COUNT);
    expect(made.drops).toEqual({});
    expect(await take(pe, made)).toBe(COUNT);
  },
};
