// SPDX-License-Identifier: Apache-2.0
/** policy-model 5, 24, 25: every way from one class to another, second by second. */
import { describe, expect, it } from 'vitest';
import type { ExportClass } from '../../../src/config/types.js';
import { acceptsAll, acceptSetOf } from '../../../src/vpn/accept.js';
import { signalledBy, toldSps, type Told } from '../../../src/vpn/bgp/signalled.js';
import {
  acceptOfClasses,
  canonicalClass,
  endRule,
  followRule,
  isChanging,
  TELLING,
  tickRule,
  type Classes,
  type ExportState,
} from '../../../src/vpn/export-changes.js';
import { NO_SP_TABLES, SpTables } from '../../../src/vpn/sp-tables.js';

const sps = SpTables.assign(NO_SP_TABLES, 'own', ['a', 'b'])!;
const TIMING = { announce: 30, grace: 60 };

const E: ExportClass = { protections: ['encrypt'] };
const A: ExportClass = { protections: ['authenticate'] };
const T: ExportClass = { protections: ['tunnel'] };
const M: ExportClass = { protections: ['mpls'] };
const follow = (
  before: ExportState | undefined,
  to: ExportClass,
  now: number,
  prefixes?: readonly string[],
): ExportState => followRule(before, { class: to, prefixes }, sps, now, TIMING);
const tick = (state: ExportState, now: number, told = true): ExportState =>
  tickRule(state, now, told, TIMING);

const words = (classes: Classes): string =>
  classes
    .map(({ protections, encapsulations, toSps, clearInsideOwnSp }) =>
      [
        protections.join('+'),
        ...(encapsulations?.join() === 'gre,ip' ? [] : [encapsulations?.join()]),
        ...(toSps?.join() === 'own' ? [] : [`to ${toSps?.join()}`]),
        ...(clearInsideOwnSp === true ? ['inside'] : []),
      ].join(' '),
    )
    .join(' | ');

interface Row {
  readonly name: string;
  readonly from: ExportClass;
  readonly to: ExportClass;
  /** Classes of the label while the change is announced; undefined: it is not. */
  readonly announced: string | undefined;
  /** What ingresses are told meanwhile: protections, and whether plain MPLS may go on. */
  readonly signalled?: string;
}

const EI: ExportClass = { protections: ['encrypt'], clearInsideOwnSp: true };
const only = (of: ExportClass, encapsulation: 'gre' | 'ip'): ExportClass => ({
  ...of,
  encapsulations: [encapsulation],
});
const to = (of: ExportClass, ...toSps: readonly string[]): ExportClass => ({ ...of, toSps });
const EA: ExportClass = { protections: ['encrypt', 'authenticate'] };

// The table of docs/operation.md.
const ROWS: readonly Row[] = [
  { name: 'mpls -> encrypt', from: M, to: E, announced: 'mpls', signalled: 'encrypt+mpls' },
  {
    name: 'mpls -> authenticate',
    from: M,
    to: A,
    announced: 'mpls',
    signalled: 'authenticate+mpls',
  },
  { name: 'tunnel -> encrypt', from: T, to: E, announced: 'tunnel', signalled: 'encrypt,tunnel' },
  {
    ...{ name: 'tunnel -> authenticate', from: T, to: A },
    ...{ announced: 'tunnel', signalled: 'authenticate,tunnel' },
  },
  { name: 'mpls -> tunnel', from: M, to: T, announced: 'mpls | tunnel', signalled: 'tunnel+mpls' },
  { name: 'tunnel -> mpls', from: T, to: M, announced: 'tunnel | mpls', signalled: 'tunnel+mpls' },
  {
    ...{ name: 'authenticate -> encrypt', from: A, to: E },
    ...{ announced: 'authenticate | encrypt', signalled: 'encrypt,authenticate' },
  },
  {
    ...{ name: 'encrypt -> authenticate', from: E, to: A },
    ...{ announced: 'encrypt | authenticate', signalled: 'encrypt,authenticate' },
  },
  { name: 'either -> encrypt', from: EA, to: E, announced: 'authenticate+encrypt' },
  {
    name: 'gre -> ip',
    from: only(E, 'gre'),
    to: only(E, 'ip'),
    announced: 'encrypt gre | encrypt ip',
  },
  { name: 'gre, ip -> ip', from: E, to: only(E, 'ip'), announced: 'encrypt' },
  { name: 'SPs a, b -> a', from: to(E, 'a', 'b'), to: to(E, 'a'), announced: 'encrypt to a,b' },
  { name: 'SP a -> b', from: to(E, 'a'), to: to(E, 'b'), announced: 'encrypt to a | encrypt to b' },
  {
    ...{ name: 'clear inside -> encrypt everywhere', from: EI, to: E },
    ...{ announced: 'encrypt inside', signalled: 'encrypt+mpls' },
  },
  {
    name: 'mpls -> clear inside',
    from: M,
    to: EI,
    announced: 'mpls | encrypt inside',
    signalled: 'encrypt+mpls outside',
  },
  { name: 'encrypt -> either', from: E, to: EA, announced: undefined },
  { name: 'encrypt -> tunnel', from: E, to: T, announced: undefined },
  { name: 'authenticate -> mpls', from: A, to: M, announced: undefined },
  { name: 'encrypt -> clear inside', from: E, to: EI, announced: undefined },
  { name: 'SP a -> a, b', from: to(E, 'a'), to: to(E, 'a', 'b'), announced: undefined },
];

const toldOf = (state: ExportState): Told => ({
  classes: state.classes,
  announced: state.announcing === undefined ? state.classes : [...state.classes, state.target],
});

function signalled(state: ExportState): string {
  const meaning = signalledBy(toldOf(state), sps, 65001);
  if (meaning === undefined) return 'nothing';
  const { protections, alsoMpls, onlyOutsideSp } = meaning;
  const scope = onlyOutsideSp === undefined ? '' : ' outside';
  return `${protections.join()}${alsoMpls === true ? '+mpls' : ''}${scope}`;
}

const CLASSES: readonly ExportClass[] = [E, A, T, M, EI, EA].flatMap((one) => [
  ...[one, only(one, 'gre'), only(one, 'ip')],
  ...[to(one, 'own', 'a'), to(only(one, 'gre'), 'a'), to(only(one, 'ip'), 'own', 'b')],
]);

/** Every pair that is told to an SP, and the label that is told with it refuses. */
function refused(state: ExportState): string[] {
  const { protections = [], encapsulations = [] } = signalledBy(toldOf(state), sps, 65001) ?? {};
  const accept = acceptOfClasses(state.classes, sps);
  return toldSps(toldOf(state), 'own').flatMap((sp) =>
    protections.flatMap((protection) =>
      encapsulations
        .filter((encapsulation) => {
          if (protection === 'tunnel') return !accept.clear.includes(encapsulation);
          const secured = [{ protection, encapsulation, sps: [sps.table(sp)!] }];
          return !acceptsAll(accept, { secured, clear: [] });
        })
        .map((encapsulation) => `${protection}/${encapsulation} from ${sp}`),
    ),
  );
}

/** Whether every ingress that could send before has a way that the community names now too. */
const keepsBoth = (state: ExportState, from: ExportClass): boolean => {
  const { protections = [], encapsulations = [] } = signalledBy(toldOf(state), sps, 65001) ?? {};
  const has = ({
    protections: wanted,
    encapsulations: inside = ['gre', 'ip'],
  }: ExportClass): boolean =>
    protections.some((one) => wanted.includes(one)) &&
    encapsulations.some((one) => inside.includes(one));
  return has(from) && protections.some((one) => state.target.protections.includes(one));
};

describe('what is told of every change', () => {
  it.each(CLASSES.map((from) => ({ from, name: words([canonicalClass(from, 'own')]) })))(
    'from $name: the label told accepts it, and an SP that is new is told nothing of before',
    ({ from }) => {
      for (const target of CLASSES) {
        const before = follow(undefined, from, 1000);
        const state = follow(before, target, 1000);
        const change = `${words(before.classes)} -> ${words([state.target])}`;
        expect({ change, refused: refused(state) }).toEqual({ change, refused: [] });
        // Another change on top of it.
        const again = follow(state, to(A, 'own', 'a', 'b'), 1010);
        expect({ change, refused: refused(again) }).toEqual({ change, refused: [] });
        if (state.announcing === undefined) continue;
        const old = toldSps({ announced: before.classes }, 'own');
        for (const sp of toldSps(toldOf(state), 'own')) expect(old).toContain(sp);
      }
    },
  );

  it('no ingress is left without a way while protection and encapsulation change at once', () => {
    for (const from of [only(A, 'gre'), A, only(T, 'gre'), only(T, 'ip')]) {
      const state = follow(follow(undefined, from, 1000), only(E, 'ip'), 1000);
      expect(keepsBoth(state, from)).toBe(true);
    }
    const state = follow(follow(undefined, only(A, 'gre'), 1000), only(E, 'ip'), 1000);
    expect(words(state.classes)).toBe('authenticate gre | encrypt gre | encrypt ip');
  });

  it('an SP that is added is told when the change is over, one that is taken out no more', () => {
    const state = follow(follow(undefined, to(T, 'own', 'a'), 1000), to(E, 'own', 'b'), 1000);
    expect(toldSps(toldOf(state), 'own')).toEqual(['own']);
    expect(toldSps(toldOf(tick(state, 1030)), 'own')).toEqual(['b', 'own']);
  });
});

describe.each(ROWS)('$name', ({ from, to: target, announced, signalled: told }) => {
  const before = follow(undefined, from, 1000);
  const wanted = canonicalClass(target, 'own');

  it('is told in the right steps', () => {
    const state = follow(before, target, 1000);
    if (announced === undefined) {
      expect(state).toMatchObject({ classes: [wanted], leaving: [{ classes: before.classes }] });
      expect(state.announcing).toBeUndefined();
      return;
    }
    expect([words(state.classes), state.announcing]).toEqual([announced, 1030]);
    if (told !== undefined) expect(signalled(state)).toBe(told);
    expect(tick(state, 1029).classes).toEqual(state.classes);
    const switched = tick(state, 1030);
    expect(switched.classes).toEqual([wanted]);
    expect(switched.announcing).toBeUndefined();
    expect(switched.leaving.map(({ classes }) => words(classes))).toContain(announced);
  });

  it('never has what was accepted go before its grace time, nor stay after it', () => {
    const old = acceptSetOf(from, sps);
    let state = follow(before, target, 1000);
    let gone: number | undefined;
    let last = 1000;
    for (let now = 1000; now < 1000 + 30 + TELLING + 60 + 5; now++) {
      state = tick(state, now, now > 1035);
      const live = acceptOfClasses(
        [...state.classes, ...state.leaving.flatMap(({ classes }) => classes)],
        sps,
      );
      // A label told with the new class alone takes nothing else, at any moment.
      if (state.announcing === undefined) expect(state.classes).toEqual([wanted]);
      else expect(acceptsAll(acceptOfClasses(state.classes, sps), old)).toBe(true);
      if (acceptsAll(live, old)) last = now;
      else gone ??= now;
      if (!isChanging(state)) break;
    }
    expect(isChanging(state)).toBe(false);
    expect(state.classes).toEqual([wanted]);
    if (gone !== undefined) {
      expect(last).toBe(gone - 1);
      expect(gone).toBeGreaterThanOrEqual(1036 + 60);
      expect(gone).toBeLessThanOrEqual(1030 + TELLING + 60);
    }
  });

  it('ends at once when it is told to', () => {
    const ended = endRule(follow(before, target, 1000));
    expect(ended).toMatchObject({ classes: [wanted], leaving: [] });
    expect(isChanging(ended)).toBe(false);
  });
});

describe('a change of class', () => {
  const changing = follow(follow(undefined, T, 1000), E, 1000);

  it('is taken back without a trace while it is announced', () => {
    expect(follow(changing, T, 1010)).toEqual(follow(undefined, T, 1000));
  });

  it('to another class begins again with what is told', () => {
    const other = follow(changing, A, 1010);
    expect([words(other.classes), other.announcing]).toEqual(['tunnel', 1040]);
    const bridged = follow(follow(follow(undefined, A, 1000), E, 1000), only(E, 'ip'), 1010);
    // The label that takes authenticate and encrypt takes encrypt in IP too.
    expect(words(bridged.classes)).toBe('authenticate | encrypt');
    expect(tick(bridged, 1040).classes).toEqual([canonicalClass(only(E, 'ip'), 'own')]);
  });

  it('after the switch goes back at once, since that is wider', () => {
    const switched = tick(changing, 1030);
    const back = follow(switched, T, 1031);
    expect(words(back.classes)).toBe('tunnel');
    expect(back.leaving.map(({ classes }) => words(classes))).toEqual(['encrypt']);
  });

  it('over and over again stays small', () => {
    let state = follow(undefined, A, 0);
    for (let i = 0; i < 200; i++) state = follow(state, [E, A, T, M][i % 4]!, i);
    expect(state.classes.length).toBeLessThanOrEqual(4);
    expect(state.leaving.length).toBeLessThanOrEqual(15);
    for (let now = 200; now < 400; now++) state = tick(state, now, false);
    expect(isChanging(state)).toBe(false);
  });

  it('goes on after a restart with the time it had left', () => {
    const stored = JSON.parse(JSON.stringify(tick(changing, 1030))) as ExportState;
    const told = tick(follow(stored, E, 1050), 1050);
    expect(told.leaving).toMatchObject([{ until: 1110 }]);
    const again = follow(JSON.parse(JSON.stringify(told)) as ExportState, E, 1100);
    expect(tick(again, 1109, false).leaving).toHaveLength(1);
    expect(tick(again, 1110, false).leaving).toEqual([]);
    // However long nobody was there.
    expect(tick(again, 99_999, false).leaving).toEqual([]);
    expect(tick(changing, 99_999).classes).toEqual([canonicalClass(E, 'own')]);
  });

  it('is not prolonged by a clock that is set back, nor by neighbours that take nothing', () => {
    const late = tick(changing, 10, false);
    expect(late.announcing).toBe(40);
    const switched = tick(changing, 1030, false);
    const back = tick(switched, 10, false);
    expect(back.leaving).toMatchObject([{ until: 70 }]);
    let state = switched;
    for (let now = 1031; now < 1030 + TELLING + 60; now++) {
      state = tick(state, now, false);
      expect(state.leaving).toHaveLength(1);
    }
    expect(tick(state, 1030 + TELLING + 60, false).leaving).toEqual([]);
  });

  it('is a switch at once without announcement, and nothing at all for the same class', () => {
    const timing = { announce: 0, grace: 60 };
    const wish = { class: E, prefixes: undefined };
    const at = followRule(follow(undefined, T, 0), wish, sps, 5, timing);
    expect(at).toMatchObject({ classes: [canonicalClass(E, 'own')], leaving: [{ since: 5 }] });
    const twice: ExportClass = { protections: ['encrypt', 'encrypt'], toSps: ['own'] };
    expect(follow(follow(undefined, E, 0), twice, 9)).toEqual(follow(undefined, E, 0));
  });
});

describe('prefixes that a rule gives up', () => {
  it('accept what they did until the grace time is over', () => {
    const before = follow(undefined, T, 1000, ['10.0.0.0/8', '10.9.0.0/16']);
    const after = follow(before, T, 1001, ['10.0.0.0/9']);
    expect(after.leaving).toEqual([
      { classes: before.classes, prefixes: ['10.0.0.0/8', '10.9.0.0/16'], since: 1001 },
    ]);
    expect(tick(tick(after, 1002), 1062).leaving).toEqual([]);
    const all = follow(follow(undefined, T, 1000), T, 1001, ['10.0.0.0/9']);
    expect(all.leaving).toHaveLength(1);
  });

  it('are none when the rule has more of them', () => {
    const before = follow(undefined, T, 1000, ['10.1.0.0/16']);
    for (const more of [['10.0.0.0/8'], ['10.1.0.0/16', '10.2.0.0/16'], undefined]) {
      expect(isChanging(follow(before, T, 1001, more))).toBe(false);
    }
  });
});
