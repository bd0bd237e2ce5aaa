import { describe, expect, it } from 'vitest';
import type { BgpNeighbour, Config, ExportRule } from '../../../src/config/types.js';
import {
  FIRST_POOL_LABEL,
  NO_LABELS,
  planLabels,
  type LabelRegister,
} from '../../../src/vpn/label-plan.js';
import { FIRST_ROUTE_LABEL } from '../../../src/vpn/label-register.js';
import { NO_SP_TABLES, SpTables } from '../../../src/vpn/sp-tables.js';

const sps = SpTables.assign(NO_SP_TABLES, 'own', ['b'])!;

function config(vrfs: Record<string, readonly ExportRule[]>): Config {
  return {
    ...{ instance: 'pe', ownSp: 'own', otherSps: ['b'], core: { tunnelAddresses: [] } },
    interfaces: {},
    vrfs: Object.fromEntries(Object.entries(vrfs).map(([name, exports]) => [name, { exports }])),
  };
}
const rule = (over: Partial<ExportRule> = {}): ExportRule => ({
  ...{ name: 'r', protections: ['encrypt'], label: 100 },
  ...over,
});
const plan = (c: Config, before: LabelRegister = NO_LABELS, now = 1000) =>
  planLabels(c, sps, before, now, { quarantine: 600 });

describe('sharing a label (policy-model 1)', () => {
  it('lets rules of one VRF, class and target share', () => {
    const both = [
      rule({ name: 'x', prefixes: ['10.0.0.0/8'] }),
      rule({ name: 'y', toSps: ['own'], encapsulations: ['ip', 'gre'] }),
    ];
    const { labels, conflicts } = plan(config({ A: both }));
    expect(conflicts).toEqual([]);
    expect(labels).toHaveLength(1);
    expect(labels[0]!.rules).toEqual(['x', 'y']);
  });

  it.each([
    ['protection', { A: [rule(), rule({ name: 's', protections: ['authenticate'] })] }],
    ['SPs', { A: [rule(), rule({ name: 's', toSps: ['b'] })] }],
    ['encapsulation', { A: [rule(), rule({ name: 's', encapsulations: ['gre'] })] }],
    ['case ii', { A: [rule(), rule({ name: 's', clearInsideOwnSp: true })] }],
    ['target', { A: [rule(), rule({ name: 's', labelFor: { ce: '10.0.0.2' } })] }],
    ['VRF', { A: [rule()], B: [rule({ name: 's' })] }],
  ])('refuses rules that differ in %s', (_, vrfs) => {
    const { conflicts } = plan(config(vrfs));
    expect(conflicts.map(({ rule: name }) => name)).toEqual(['s']);
  });
});

describe('one meaning for a value, over time (policy-model 5)', () => {
  const a = plan(config({ A: [rule()] }));
  const other = config({ A: [rule({ protections: ['tunnel'] })] });

  it('takes the same configuration again at any time', () => {
    expect(plan(config({ A: [rule()] }), a.register, 1001).conflicts).toEqual([]);
    expect(plan(config({ A: [rule()] }), a.register, 9999).conflicts).toEqual([]);
  });

  it('never changes the class of a label in use, however long it has been', () => {
    const { conflicts } = plan(other, a.register, 99_999);
    expect(conflicts).toHaveLength(1);
    expect(conflicts[0]!.reason).toContain('in use');
  });

  it('keeps a freed value for its meaning until the quarantine is over', () => {
    const freed = plan(config({ A: [] }), a.register, 2000).register;
    expect(freed.labels['100']!.freedAt).toBe(2000);
    expect(plan(other, freed, 2599).conflicts[0]!.remedy).toContain('wait 1 s');
    expect(plan(config({ B: [rule()] }), freed, 2599).conflicts).toHaveLength(1);
    expect(plan(config({ A: [rule()] }), freed, 2001).conflicts).toEqual([]);
    expect(plan(other, freed, 2600).conflicts).toEqual([]);
  });

  it('counts from when it was freed, over reloads and restarts', () => {
    const freed = plan(config({ A: [] }), a.register, 2000).register;
    const stored = JSON.parse(JSON.stringify(freed)) as LabelRegister;
    const later = plan(config({ A: [] }), stored, 2500).register;
    expect(later.labels['100']!.freedAt).toBe(2000);
    expect(plan(config({ A: [] }), later, 2601).register.labels).toEqual({});
  });

  it('is as long as a neighbour may keep our routes, by what it was offered when it was told', () => {
    const neighbour = { asn: 65001, longLived: { staleTime: 86_400 } };
    const having = (vrfs: Record<string, readonly ExportRule[]>, one: BgpNeighbour): Config => ({
      ...config(vrfs),
      bgp: { asn: 65001, routerId: '192.0.2.1', neighbours: { '192.0.2.9': one } },
    });
    const longest = 90 + 120 + 86_400;
    const told = plan(having({ A: [rule()] }, neighbour));
    // The offer goes with the rule: whoever is away goes by what it heard before.
    const freed = plan(having({ A: [] }, { asn: 65001 }), told.register, 2000).register;
    const stored = JSON.parse(JSON.stringify(freed)) as LabelRegister;
    const late = having({ B: [rule()] }, { asn: 65001 });
    expect(plan(late, stored, 2000 + longest - 1).conflicts[0]!.remedy).toContain('wait 1 s');
    expect(plan(late, stored, 2000 + longest).conflicts).toEqual([]);
    // What is freed while somebody may still go by the old offer waits as long, later no more.
    const both = { A: [rule()], B: [rule({ label: 101 })] };
    const soon = plan(having(both, { asn: 65001 }), plan(having(both, neighbour)).register, 2000);
    const freedAt = (now: number) =>
      plan(having({}, { asn: 65001 }), soon.register, now).register.labels['101'];
    expect(freedAt(2500)).toMatchObject({ freedAt: 2500, quarantine: longest });
    expect(freedAt(2000 + longest)).toMatchObject({ quarantine: 600 });
  });

  it('does not end a quarantine when the clock goes back', () => {
    const freed = plan(config({ A: [] }), a.register, 2000).register;
    expect(plan(other, freed, 500).conflicts).toHaveLength(1);
  });

  it('sees a renamed own SP as another class', () => {
    const renamed = SpTables.assign(NO_SP_TABLES, 'new-owner', [])!;
    const { conflicts } = planLabels(config({ A: [rule()] }), renamed, a.register, 1001);
    expect(conflicts).toHaveLength(1);
  });
});

describe('labels of the pool', () => {
  const bgp = (...names: string[]): Config => ({
    ...config({}),
    vrfs: Object.fromEntries(
      names.map((name) => [name, { bgp: { rd: '65001:1', exportTargets: ['65001:1'] } }]),
    ),
  });
  const of = (planned: ReturnType<typeof plan>): Record<string, number> =>
    Object.fromEntries(planned.labels.map(({ vrf, label }) => [vrf, label]));

  it('are stable, whatever else comes and goes', () => {
    const one = plan(bgp('A', 'B'));
    expect(of(one)).toEqual({ A: FIRST_POOL_LABEL, B: FIRST_POOL_LABEL + 1 });
    const two = plan(bgp('B', 'C', 'A'), one.register, 1001);
    expect(of(two)).toEqual({ ...of(one), C: FIRST_POOL_LABEL + 2 });
  });

  it('are not reused in quarantine, come back with their meaning, and then oldest first', () => {
    const one = plan(bgp('A', 'B'));
    const without = plan(bgp('B'), one.register, 1100);
    expect(of(plan(bgp('B', 'C'), without.register, 1200))['C']).toBe(FIRST_POOL_LABEL + 2);
    expect(of(plan(bgp('B', 'A'), without.register, 1200))).toEqual(of(one));
    const late = plan(bgp('B', 'C'), without.register, 9999);
    expect(of(late)['C']).toBe(FIRST_POOL_LABEL + 2);
  });

  it('go round what the configuration names, and begin again at the end', () => {
    const fixed = rule({ label: FIRST_POOL_LABEL });
    const mixed = { ...bgp('A'), vrfs: { ...bgp('A').vrfs, S: { exports: [fixed] } } };
    expect(of(plan(mixed))).toEqual({ S: FIRST_POOL_LABEL, A: FIRST_POOL_LABEL + 1 });
    const end = FIRST_ROUTE_LABEL - 1;
    const last = { labels: {}, next: end };
    expect(of(plan(bgp('A', 'B'), last))).toEqual({ A: end, B: FIRST_POOL_LABEL });
    // A register of when the pool was larger.
    expect(of(plan(bgp('A'), { labels: {}, next: 0xfffff }))).toEqual({ A: FIRST_POOL_LABEL });
  });

  it('are none for a rule whose labels come with the prefixes, one for those of CEs', () => {
    const per = (labelPer: 'ce' | 'prefix'): Config => ({
      ...config({}),
      vrfs: { A: { bgp: { rd: '65001:1', exportTargets: ['65001:1'], labelPer } } },
    });
    expect(plan(per('prefix')).labels).toEqual([]);
    expect(of(plan(per('ce')))).toEqual({ A: FIRST_POOL_LABEL });
  });

  it('refuses a value that a route has', () => {
    const taken = FIRST_ROUTE_LABEL + 5;
    const ofRoute = (label: number) => (label === taken ? 'prefix 10.0.0.0/8 of VRF Z' : undefined);
    const planned = (label: number) =>
      planLabels(config({ A: [rule({ label })] }), sps, NO_LABELS, 1000, { ofRoute }).conflicts;
    expect(planned(taken + 1)).toEqual([]);
    expect(planned(taken)).toMatchObject([{ label: taken, vrf: 'A', rule: 'r' }]);
    expect(planned(taken)[0]!.reason).toMatch(/a route's: prefix 10\.0\.0\.0\/8 of VRF Z/);
  });

  it('differ by class within a VRF, and are shared by rules of one class', () => {
    const exports = [
      { name: 'x', targets: ['65001:1'], protections: ['encrypt'] },
      { name: 'y', targets: ['65001:2'], protections: ['encrypt'], rd: '65001:2' },
      { name: 'z', targets: ['65001:3'], protections: ['tunnel'] },
    ];
    const vrfs = { A: { bgp: { rd: '65001:1', exports } } };
    const { labels } = plan({ ...config({}), vrfs } as unknown as Config);
    expect(labels.map(({ label, rules }) => [label - FIRST_POOL_LABEL, rules])).toEqual([
      [0, ['bgp/x', 'bgp/y']],
      [1, ['bgp/z']],
    ]);
  });
});

describe('transport labels of this PE', () => {
  const having = (transportLabels: readonly number[], vrfs = {}): Config => ({
    ...config(vrfs),
    core: { tunnelAddresses: [], transportLabels },
  });

  it('have one meaning like any other, and a quarantine', () => {
    const a = plan(having([100]));
    expect(a.conflicts).toEqual([]);
    expect(a.labels).toEqual([]);
    expect(a.register.labels['100']!.text).toBe('transport label of this PE');
    expect(plan(config({ A: [rule()] }), a.register, 1001).conflicts).toHaveLength(1);
    const freed = plan(having([]), a.register, 2000).register;
    expect(plan(config({ A: [rule()] }), freed, 2599).conflicts).toHaveLength(1);
    expect(plan(having([100]), freed, 2001).conflicts).toEqual([]);
    expect(plan(config({ A: [rule()] }), freed, 2600).conflicts).toEqual([]);
    // and the other way round
    const vpn = plan(config({ A: [rule()] }));
    const [conflict] = plan(having([100]), vpn.register, 1001).conflicts;
    expect(conflict).toMatchObject({ label: 100, vrf: '', rule: 'core.transportLabels' });
  });
});
