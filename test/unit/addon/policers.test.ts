// SPDX-License-Identifier: Apache-2.0
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { POLICER_ALL, type PolicerRow, type Tables } from '../../../src/forwarding/addon/api.js';
import { coreInterface, refusal, Segments } from './helpers.js';

let segments: Segments;
let tables: Tables;
beforeEach(() => {
  segments = new Segments();
  tables = segments.open();
});
afterEach(() => {
  tables.close();
  segments.remove();
});

const NAMES = ['default', 'voice', '', '', '', '', '', ''];
const POLICER: PolicerRow = {
  ...{ slot: POLICER_ALL, meter: 'trtcm', rate: 8000n, burst: 1500, peakRate: 10n ** 13n },
  ...{ otherBurst: 2 ** 28, colourAware: true, actions: Uint8Array.of(64, 0, 65) },
};

describe('classes', () => {
  it('are stored, and stay', () => {
    const classOfDscp = new Uint8Array(64);
    classOfDscp[46] = 1;
    tables.setClasses({ classOfDscp, names: NAMES });
    expect(tables.classes()).toEqual({ classOfDscp, names: NAMES });
    tables.close();
    tables = segments.open();
    expect(tables.classes()).toEqual({ classOfDscp, names: NAMES });
  });

  it.each([
    ['a DSCP in a class without name', new Uint8Array(64).fill(2, 63), NAMES],
    ['a DSCP in a class that cannot be', new Uint8Array(64).fill(8, 63), NAMES],
    ['too few DSCPs', new Uint8Array(63), NAMES],
    ['too few names', new Uint8Array(64), ['default']],
    ['a name that is too long', new Uint8Array(64), ['x'.repeat(32), ...NAMES.slice(1)]],
  ])('are refused: %s', (_, classOfDscp, names) => {
    const code = refusal(() => {
      tables.setClasses({ classOfDscp, names });
    });
    expect(code).toBe('BAD_ARGUMENT');
  });
});

describe('policers', () => {
  it('are of an interface that there is', () => {
    const id = tables.putInterface(coreInterface());
    tables.setPolicers(id, [POLICER]);
    expect(tables.memory()).toContainEqual(expect.objectContaining({ table: 'policer', rows: 1 }));
    tables.setPolicers(id, [
      { ...POLICER, slot: 0 },
      { ...POLICER, slot: 7 },
    ]);
    tables.setPolicers(id, []);
    expect(tables.memory()).toContainEqual(expect.objectContaining({ table: 'policer', rows: 0 }));
    const nobody = refusal(() => {
      tables.setPolicers(id + 1, [POLICER]);
    });
    expect(nobody).toBe('NOT_FOUND');
    expect(refusal(() => tables.policerCounters(id + 1, 0))).toBe('NOT_FOUND');
    const none = { packets: [0n, 0n, 0n], bytes: [0n, 0n, 0n] };
    expect(tables.policerCounters(id, POLICER_ALL)).toEqual(none);
  });

  it.each<[string, PolicerRow[]]>([
    ['a rate that is too low', [{ ...POLICER, rate: 7999n }]],
    ['a rate that is too high', [{ ...POLICER, peakRate: 10n ** 13n + 1n }]],
    ['a burst that is too large', [{ ...POLICER, burst: 2 ** 28 + 1 }]],
    ['an action that is none', [{ ...POLICER, actions: Uint8Array.of(64, 66, 65) }]],
    ['two actions', [{ ...POLICER, actions: Uint8Array.of(64, 65) }]],
    ['a slot that is none', [{ ...POLICER, slot: 9 }]],
    ['one of all and one of a class', [POLICER, { ...POLICER, slot: 1 }]],
    ['two of all', [POLICER, POLICER]],
  ])('are refused: %s', (_, rows) => {
    const id = tables.putInterface(coreInterface());
    const code = refusal(() => {
      tables.setPolicers(id, rows);
    });
    expect(code).toBe('BAD_ARGUMENT');
  });
});
