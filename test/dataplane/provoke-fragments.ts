// SPDX-License-Identifier: Apache-2.0
/** Fragments of tunnel packets that are not put together; what waits must be over before another case begins. */
import { expect } from 'vitest';
import { eventually } from '../../scripts/lib/lab.js';
import { PROTOCOL } from '../lib/packets.js';
import { coreFrame } from './frames.js';
import type { Pe } from './pe.js';

/** Of a source: SL_REASSEMBLY_PER_SOURCE. */
const SHARE = 32;
const MORE = 0x2000;

interface Fragment {
  readonly id: number;
  /** Units of eight bytes. */
  readonly at: number;
  readonly size: number;
  readonly last?: boolean;
}

const fragment = ({ id, at, size, last }: Fragment): Buffer =>
  coreFrame(Buffer.alloc(size), {
    ...{ direction: 'in', family: 4, protocol: PROTOCOL.esp, id },
    fragment: at | (last === true ? 0 : MORE),
  });

const dropped = (pe: Pe, reason: string): number =>
  Number(pe.harness.tables.drops().find((row) => row.reason === reason)?.packets ?? 0n);

const send = async (pe: Pe, fragments: readonly Fragment[]): Promise<Record<string, number>> => {
  const { out, drops } = await pe.run({ core: fragments.map(fragment) });
  expect(out).toEqual({});
  return drops;
};

/** Until `count` more have been given up. */
async function givenUp(pe: Pe, before: number, count: number): Promise<void> {
  const reason = 'reassembly_timeout';
  await eventually(
    reason,
    () => (dropped(pe, reason) === before + count ? true : undefined),
    10_000,
  );
}

interface Stage {
  readonly pe: Pe;
}

export const FRAGMENTS: Readonly<Record<string, (stage: Stage) => Promise<void>>> = {
  reassembly_overlap: async ({ pe }) => {
    const first = { id: 1, at: 0, size: 64 };
    expect(await send(pe, [first, { id: 1, at: 7, size: 64 }, first])).toEqual({
      reassembly_overlap: 3,
    });
  },
  reassembly_size: async ({ pe }) => {
    const whole = [
      { id: 2, at: 0, size: 1800 },
      { id: 2, at: 225, size: 1800, last: true },
    ];
    expect(await send(pe, whole)).toEqual({ reassembly_size: 2 });
  },
  reassembly_timeout: async ({ pe }) => {
    const before = dropped(pe, 'reassembly_timeout');
    expect(await send(pe, [{ id: 3, at: 0, size: 64 }])).toEqual({});
    await givenUp(pe, before, 1);
  },
  reassembly_full: async ({ pe }) => {
    const before = dropped(pe, 'reassembly_timeout');
    const many = Array.from({ length: SHARE + 3 }, (_, i) => ({ id: 100 + i, at: 0, size: 64 }));
    const { reassembly_full: full = 0, ...others } = await send(pe, many);
    expect(others).toEqual({});
    expect(full).toBe(3);
    await givenUp(pe, before, SHARE);
  },
};
