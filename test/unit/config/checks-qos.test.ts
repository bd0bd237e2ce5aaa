// SPDX-License-Identifier: Apache-2.0
/** Classes and policers: what a wrong configuration is told. */
import { describe, expect, it } from 'vitest';
import type * as config from '../../../src/config/types.js';
import { DSCP_NAMES, dscpOf, dscpText } from '../../../src/lib/dscp.js';
import { expectMistakes, good, put, told, type Draft } from './good.js';

const PATH = 'interfaces["ce-a"].police';

function police(draft: Draft, policer: config.Police): void {
  const row = draft.interfaces['ce-a'];
  if (row?.role === 'ce') row.police = policer;
}

describe('names of DSCPs', () => {
  it('are those of the RFCs', () => {
    const values = { cs0: 0, le: 1, cs1: 8, af11: 10, af23: 22, af42: 36, va: 44, ef: 46, cs7: 56 };
    for (const [name, value] of Object.entries(values)) {
      expect([dscpOf(name), dscpOf(value), dscpText(value)]).toEqual([value, value, name]);
    }
    expect(DSCP_NAMES).toHaveLength(8 + 12 + 3);
    expect([dscpOf('EF'), dscpOf('46'), dscpOf(64), dscpOf(-1), dscpOf(1.5)]).toEqual(
      Array.from({ length: 5 }, () => undefined),
    );
    expect(dscpText(3)).toBe('3');
  });
});

describe('classes', () => {
  it('are at most seven, none of them the default, and have each DSCP once', () => {
    expectMistakes(
      (draft) => {
        draft.classes = {
          voice: { dscp: ['ef', 44] },
          default: { dscp: [1] },
          bulk: { dscp: ['va', 8, 'cs1'] },
          none: { dscp: [] },
          'a class with a space': { dscp: [2] },
          five: { dscp: [5] },
          six: { dscp: [6] },
          seven: { dscp: [7] },
        };
      },
      'classes: 8 classes: at most 7, beside "default"',
      'classes.default: this is the class of all that is in no other ("default"): another name',
      'classes.bulk.dscp[0]: in class "voice" already ("va"): va in one class, once',
      'classes.bulk.dscp[2]: named twice ("cs1"): cs1 in one class, once',
      'classes.none.dscp: empty list ([]): name at least one',
      'classes["a class with a space"]: name with characters that are not allowed ("a class with a space"): letters, digits, "-", "_" and "."; a letter or digit first',
    );
  });

  it('have DSCPs that there are', () => {
    const draft = good();
    put(draft, 'classes', { voice: { dscp: [64, 'eff', true] } });
    expect(told(draft).errors).toEqual([
      'classes.voice.dscp[0]: no DSCP (64): 0..63, or a name like "ef"',
      'classes.voice.dscp[1]: no DSCP ("eff"): did you mean "ef"? known names: cs0, cs1, cs2, cs3, cs4, cs5, cs6, cs7, ...',
      'classes.voice.dscp[2]: no DSCP (true): 0..63, or a name like "ef"',
    ]);
  });
});

describe('policers', () => {
  it('of one rate have bursts of a packet at least', () => {
    expectMistakes(
      (draft) => {
        police(draft, { rate: 1_000_000, burst: 1499, excessBurst: 100, peakBurst: 1500 });
      },
      `${PATH}.burst: less than the interface's MTU: larger packets would never conform (1499): at least 1500`,
      `${PATH}.excessBurst: less than the interface's MTU: larger packets would never conform (100): at least 1500`,
      `${PATH}.peakBurst: there is no peak rate it belongs to (1500): peakRate as well, or excessBurst`,
    );
  });

  it('of two rates have a peak that is one, with its own burst', () => {
    expectMistakes(
      (draft) => {
        draft.classes = { voice: { dscp: ['ef'] } };
        const one = { rate: 1_000_000, burst: 1500 };
        police(draft, {
          classes: {
            voice: { ...one, peakRate: 999_999, peakBurst: 1400 },
            default: { ...one, peakRate: 1_000_000, excessBurst: 1500 },
            video: one,
          },
        });
      },
      `${PATH}.classes.voice.peakBurst: less than the interface's MTU: larger packets would never conform (1400): at least 1500`,
      `${PATH}.classes.voice.peakRate: less than the rate (999999): at least 1000000`,
      `${PATH}.classes.default.excessBurst: a meter of two rates (RFC 2698) has none (1500): peakBurst, or no peakRate`,
      `${PATH}.classes.default.peakBurst: missing: peakRate has a burst of its own: bytes, at least 1500`,
      `${PATH}.classes.video: no such class ("video"): known classes: default, voice`,
    );
  });

  it('go by the MTU of their interface', () => {
    const draft = good();
    draft.interfaces['ce-a']!.mtu = 9000;
    police(draft, { rate: 8000, burst: 9000, peakRate: 8000, peakBurst: 8999 });
    expect(told(draft).errors).toEqual([
      `${PATH}.peakBurst: less than the interface's MTU: larger packets would never conform (8999): at least 9000`,
    ]);
  });

  it.each([
    [
      { rate: 7999, burst: 1500 },
      '.rate: less than 8000 (7999): a rate in bit/s, 8000..10000000000000',
    ],
    [
      { rate: 8000, burst: 2 ** 28 + 1 },
      '.burst: more than 268435456 (268435457): bytes, 1..268435456',
    ],
    [
      { rate: 8000, burst: 1500, red: 'deny' },
      '.red: no such choice ("deny"): known choices: pass, drop',
    ],
    [{ rate: 8000, burst: 1500, red: { dscp: 'x' } }, '.red.dscp: no DSCP ("x"): known names: cs0'],
    [
      { rate: 8000, burst: 1500, red: 8 },
      '.red: a number means nothing here (8): give "pass", "drop" or { dscp: DSCP }',
    ],
    [{ burst: 1500 }, ': says none of the ways ({"burst":1500}): give one of: rate, classes'],
    [
      { rate: 8000, burst: 1500, classes: {} },
      '.classes: does not go with "rate" ({}): give one of: rate, classes',
    ],
  ])('%j', (wrong, mistake) => {
    const draft = good();
    put(draft, 'interfaces.ce-a.police', wrong);
    const lines = told(draft).errors;
    expect(lines).toHaveLength(1);
    expect(lines[0]?.slice(0, PATH.length + mistake.length)).toBe(PATH + mistake);
  });

  it('are of CE interfaces alone', () => {
    const draft = good();
    put(draft, 'interfaces.core0.police', { rate: 8000, burst: 1500 });
    expect(told(draft).errors[0]).toMatch(/^interfaces\.core0\.police: unknown key/);
  });

  it('may be as they should', () => {
    const draft = good();
    draft.classes = { voice: { dscp: ['ef', 'va'] }, bulk: { dscp: [8] } };
    police(draft, {
      classes: {
        voice: { rate: 64_000, burst: 1500 },
        default: {
          ...{ rate: 8000, burst: 1500, peakRate: 10_000_000_000_000, peakBurst: 2 ** 28 },
          ...{ colourAware: true, green: 'pass', yellow: { dscp: 'af12' }, red: { dscp: 0 } },
        },
      },
    });
    expect(told(draft).errors).toEqual([]);
  });
});
