import { describe, expect, it } from 'vitest';
import fc from 'fast-check';
import type { ExportClass } from '../../../src/config/types.js';
import type { AcceptSet } from '../../../src/forwarding/addon/api.js';
import { acceptKey } from '../../../src/forwarding/rows.js';
import { acceptSetOf, describeAccept, unionOf } from '../../../src/vpn/accept.js';
import { NO_SP_TABLES, SpTables } from '../../../src/vpn/sp-tables.js';

const sps = SpTables.assign(NO_SP_TABLES, 'own', ['b', 'c'])!;
const B = sps.table('b')!;
const C = sps.table('c')!;

/** Every way a packet can arrive. */
const secured = ['encrypt', 'authenticate'].flatMap((p) =>
  ['gre', 'ip'].flatMap((e) => [1, B, C].map((sp) => `${p} ${e} ${sp}`)),
);
const clear = ['gre', 'ip', 'mpls', 'mpls-own-sp'].map((c) => `clear ${c}`);

/** Arrivals that a set accepts, by trying each. */
function arrivals(set: AcceptSet): string[] {
  const inside = set.secured.flatMap(({ protection, encapsulation, sps: tables }) =>
    tables.map((sp) => `${protection} ${encapsulation} ${sp}`),
  );
  return [...secured, ...clear].filter(
    (a) => inside.includes(a) || set.clear.some((c) => a === `clear ${c}`),
  );
}
const of = (c: ExportClass): string[] => arrivals(acceptSetOf(c, sps));

describe('export class to accepted set (policy-model 1-4)', () => {
  it('encrypt: only encrypted, only from the own SP by default', () => {
    expect(of({ protections: ['encrypt'] })).toEqual(['encrypt gre 1', 'encrypt ip 1']);
  });

  it('authenticate to another SP: not from the own one', () => {
    const set = of({ protections: ['authenticate'], toSps: ['b'], encapsulations: ['gre'] });
    expect(set).toEqual([`authenticate gre ${B}`]);
  });

  it('tunnel: clear in its encapsulations, and either protection from its SPs (P4)', () => {
    const set = of({ protections: ['tunnel'], encapsulations: ['gre'] });
    expect(set).toEqual(['encrypt gre 1', 'authenticate gre 1', 'clear gre']);
  });

  it('mpls: plain MPLS, never clear MPLS-in-GRE or MPLS-in-IP', () => {
    const set = of({ protections: ['mpls'], toSps: ['own', 'b'] });
    expect(set.filter((a) => a.startsWith('clear'))).toEqual(['clear mpls']);
    expect(set).toContain(`authenticate ip ${B}`);
    expect(set).not.toContain(`authenticate ip ${C}`);
  });

  it('case ii: others as they must, the own SP as it likes, in clear only by plain MPLS of our own SP', () => {
    const set = of({ protections: ['encrypt'], toSps: ['b'], clearInsideOwnSp: true });
    expect(set.filter((a) => a.startsWith('clear'))).toEqual(['clear mpls-own-sp']);
    expect(set).toContain('authenticate gre 1');
    expect(set).toContain(`encrypt gre ${B}`);
    expect(set).not.toContain(`authenticate gre ${B}`);
  });

  it('a protected class never accepts anything in clear', () => {
    const protections = fc.subarray(['encrypt', 'authenticate'] as const, { minLength: 1 });
    const names = fc.subarray(['own', 'b', 'c', 'unknown'], { minLength: 1 });
    fc.assert(
      fc.property(protections, names, (p, toSps) => {
        expect(acceptSetOf({ protections: p, toSps }, sps).clear).toEqual([]);
      }),
    );
  });

  it('an SP that is not configured adds nothing', () => {
    expect(of({ protections: ['encrypt'], toSps: ['nobody'] })).toEqual([]);
    expect(sps.table('constructor')).toBeUndefined();
  });
});

describe('union', () => {
  const anyClass: fc.Arbitrary<ExportClass> = fc.record({
    protections: fc.subarray(['encrypt', 'authenticate', 'tunnel', 'mpls'] as const, {
      minLength: 1,
    }),
    toSps: fc.subarray(['own', 'b', 'c'], { minLength: 1 }),
    encapsulations: fc.subarray(['gre', 'ip'] as const, { minLength: 1 }),
    clearInsideOwnSp: fc.boolean(),
  });

  it('accepts what any of its sets accepts and nothing else', () => {
    fc.assert(
      fc.property(fc.array(anyClass, { maxLength: 4 }), (classes) => {
        const sets = classes.map((c) => acceptSetOf(c, sps));
        const each = new Set(sets.flatMap(arrivals));
        expect(new Set(arrivals(unionOf(sets)))).toEqual(each);
      }),
    );
  });

  it('is one row whatever the order: equal sets have equal keys', () => {
    fc.assert(
      fc.property(anyClass, anyClass, (a, b) => {
        const [x, y] = [acceptSetOf(a, sps), acceptSetOf(b, sps)];
        expect(acceptKey(unionOf([x, y]))).toBe(acceptKey(unionOf([y, x])));
        const same = arrivals(x).join() === arrivals(y).join();
        expect(acceptKey(x) === acceptKey(y)).toBe(same);
      }),
    );
  });
});

it('is shown in words', () => {
  const set = acceptSetOf({ protections: ['encrypt'], toSps: ['own', 'b'] }, sps);
  expect(describeAccept(set, sps)).toBe('encrypt gre,ip from own,b');
  const plain = acceptSetOf({ protections: ['tunnel'], encapsulations: ['ip'] }, sps);
  expect(describeAccept(plain, sps)).toBe(
    'encrypt ip from own; authenticate ip from own; clear ip',
  );
});
