// SPDX-License-Identifier: Apache-2.0
/** Labels, routes and what BGP tells while a rule passes to another class (policy-model 1, 2, 5, 24). */
import { beforeEach, describe, expect, it } from 'vitest';
import { ipsecCommunityFormat } from '../../../src/bgp/codec/communities/ipsec.js';
import { PolicyCompiler } from '../../../src/bgp/policy/compile.js';
import type { BgpExportRule, Config } from '../../../src/config/types.js';
import { forwardingModel } from '../../../src/forwarding/model.js';
import { acceptKey, type PlannedLabel } from '../../../src/forwarding/rows.js';
import { parseAddress, parsePrefix } from '../../../src/lib/ip.js';
import { capability } from './bgp/capable.js';
import { Ingress } from '../../../src/vpn/bgp/ingress.js';
import { routeClasses } from '../../../src/vpn/bgp/route-classes.js';
import { vrfRib } from '../../../src/vpn/bgp/vrfs.js';
import { changesOf, endExports, followExports, tickExports } from '../../../src/vpn/export-book.js';
import { NO_EXPORT_STATES, type ExportStates } from '../../../src/vpn/export-changes.js';
import { NO_LABELS, planLabels, type LabelRegister } from '../../../src/vpn/label-plan.js';
import { vpnPolicy } from '../../../src/vpn/policy.js';
import { NO_SP_TABLES, SpTables } from '../../../src/vpn/sp-tables.js';

const sps = SpTables.assign(NO_SP_TABLES, 'own', ['b'])!;
const TIMING = { announce: 30, grace: 60 };
type Class = Partial<BgpExportRule>;
const E: Class = { protections: ['encrypt'] };
const A: Class = { protections: ['authenticate'] };
const T: Class = { protections: ['tunnel'] };

const config = (rules: Readonly<Record<string, Class>>, vrf = 'A'): Config => ({
  ...{ instance: 'pe', ownSp: 'own', otherSps: ['b'], core: { tunnelAddresses: [] } },
  ...{ interfaces: {}, bgp: { asn: 65001, routerId: '192.0.2.1' } },
  vrfs: {
    [vrf]: {
      bgp: {
        rd: '65001:1',
        exports: Object.entries(rules).map(([name, over]) => ({
          ...{ name, targets: ['65001:1'], protections: ['encrypt'], ...over },
        })),
      },
    },
  },
});

/** A PE's plans, one after the other. */
class Pe {
  states: ExportStates = NO_EXPORT_STATES;
  register: LabelRegister = NO_LABELS;
  labels: readonly PlannedLabel[] = [];
  #config: Config = config({});

  commit(to: Config, now: number): void {
    this.states = followExports(this.states, to, sps, now);
    this.#config = to;
    this.#plan(now);
  }
  tick(now: number, told = true): void {
    this.states = tickExports(this.states, now, told, TIMING);
    this.#plan(now);
  }
  end(now: number, rule?: string): void {
    this.states = endExports(this.states, rule === undefined ? {} : { rule });
    this.#plan(now);
  }
  #plan(now: number): void {
    const plan = planLabels(this.#config, sps, this.register, now, { states: this.states });
    expect(plan.conflicts).toEqual([]);
    this.register = plan.register;
    this.labels = plan.labels;
  }

  /** "24000 r: encrypt/gre:1", and "(r)" for a rule that told it until lately. */
  get words(): string[] {
    return this.labels.map(({ label, rules, leaving = [], accept }) => {
      const names = [...rules, ...leaving.map((rule) => `(${rule})`)].join(' ');
      return `${label} ${names.replaceAll('bgp/', '')}: ${acceptKey(accept)}`;
    });
  }
  accept(prefix: string, exportedBy?: readonly string[]): string {
    const { labels, states } = this;
    const policy = vpnPolicy(this.#config, sps, labels, forwardingModel(this.#config), states);
    const rules = exportedBy && ((): ReadonlySet<string> => new Set(exportedBy));
    return acceptKey(policy.acceptOf('A', parsePrefix(prefix)!, rules));
  }
  /** Label and communities of 10.1.0.0/16 by the first rule. */
  told(): { label: unknown; ipsec: string[]; toSps: readonly string[] | undefined } {
    const ipsec = ipsecCommunityFormat();
    const rib = vrfRib(
      {
        ...{ config: this.#config, sps, labels: this.labels, ipsec, states: this.states },
        ...{ policies: new PolicyCompiler({}, ipsec), ingress: new Ingress(capability()) },
        ...{ nextHop: parseAddress('192.0.2.1')!, gateway: () => undefined },
        routeLabels: { ask: () => 'later' },
      },
      5,
      'A',
    );
    const [rule] = rib.exports;
    const label = rule!.label({
      ...{ vrf: 5, family: 0, prefix: parseAddress('10.1.0.0')!, length: 16, from: undefined },
      attributes: { origin: 0, asPath: [] },
    });
    const communities = rule!.communities.filter((one) => ipsec.is(one));
    const words = communities.map((one) => ipsec.read([one])!.protections.join());
    return { label, ipsec: words, toSps: rule!.toSps };
  }
}

const CLEAR_T = 'authenticate/gre:1 authenticate/ip:1 encrypt/gre:1 encrypt/ip:1 gre ip';
const ALL_E = 'encrypt/gre:1 encrypt/ip:1';

let pe: Pe;
beforeEach(() => {
  pe = new Pe();
});

describe('from tunnel to encrypt', () => {
  it('has the old label, then both, then the new one; the route takes what they do', () => {
    const gre: Class = { ...E, encapsulations: ['gre'] };
    pe.commit(config({ r: T }), 1000);
    expect(pe.words).toEqual([`24000 r: ${CLEAR_T}`]);
    expect(pe.told()).toMatchObject({ label: 24_000, ipsec: ['tunnel'] });
    pe.commit(config({ r: gre }), 2000);
    expect(pe.words).toEqual([`24000 r: ${CLEAR_T}`]);
    expect(pe.told()).toMatchObject({ label: 24_000, ipsec: ['encrypt,tunnel'] });
    expect(pe.accept('10.1.0.0/16')).toBe(CLEAR_T);
    pe.tick(2030);
    expect(pe.words).toEqual(['24001 r: encrypt/gre:1', `24000 (r): ${CLEAR_T}`]);
    expect(pe.told()).toMatchObject({ label: 24_001, ipsec: ['encrypt'] });
    expect(pe.accept('10.1.0.0/16')).toBe(CLEAR_T);
    pe.tick(2031);
    pe.tick(2091);
    expect(pe.words).toEqual(['24001 r: encrypt/gre:1']);
    expect(pe.accept('10.1.0.0/16')).toBe('encrypt/gre:1');
    expect(pe.register.labels['24000']).toMatchObject({ freedAt: 2091 });
    // In quarantine: no other meaning, and the old one again.
    pe.commit(config({ r: gre, s: A }), 2100);
    expect(pe.words).toContain('24002 s: authenticate/gre:1 authenticate/ip:1');
    pe.commit(config({ r: T, s: A }), 2101);
    expect(pe.words).toContain(`24000 r: ${CLEAR_T}`);
  });
});

describe('from authenticate to encrypt', () => {
  it('has a label of both in between, which takes nothing in clear', () => {
    pe.commit(config({ r: A }), 1000);
    pe.commit(config({ r: E }), 2000);
    const both = 'authenticate/gre:1 authenticate/ip:1 encrypt/gre:1 encrypt/ip:1';
    expect(pe.words).toEqual([
      `24001 r: ${both}`,
      '24000 (r): authenticate/gre:1 authenticate/ip:1',
    ]);
    expect(pe.told()).toMatchObject({ label: 24_001, ipsec: ['encrypt,authenticate'] });
    pe.tick(2030);
    expect(pe.words.filter((line) => line.includes(' r:'))).toEqual([`24002 r: ${ALL_E}`]);
    for (let now = 2031; now < 2200; now++) pe.tick(now);
    expect(pe.words).toEqual([`24002 r: ${ALL_E}`]);
    expect(pe.accept('10.1.0.0/16')).toBe(ALL_E);
  });
});

describe('ended at once', () => {
  it('has the new label alone, and the old one in quarantine', () => {
    pe.commit(config({ r: T, s: T }), 1000);
    pe.commit(config({ r: E, s: A }), 2000);
    expect(changesOf(pe.states)).toHaveLength(2);
    pe.end(2001, 'r');
    expect(pe.words).toEqual([`24001 r: ${ALL_E}`, `24000 s: ${CLEAR_T}`]);
    pe.end(2002);
    expect(pe.words).toEqual([
      `24001 r: ${ALL_E}`,
      '24002 s: authenticate/gre:1 authenticate/ip:1',
    ]);
    expect(pe.register.labels['24000']).toMatchObject({ freedAt: 2002 });
    expect(changesOf(pe.states)).toEqual([]);
    const before = pe.states;
    pe.end(2003);
    expect(pe.states).toBe(before);
  });
});

describe('a rule or VRF that is removed meanwhile', () => {
  it('is gone at once', () => {
    pe.commit(config({ r: T, s: E }), 1000);
    pe.commit(config({ r: E, s: E }), 2000);
    pe.tick(2030);
    pe.commit(config({ s: E }), 2031);
    expect(pe.words).toEqual([`24001 s: ${ALL_E}`]);
    expect(pe.accept('10.1.0.0/16')).toBe(ALL_E);
    pe.commit(config({ s: E }, 'B'), 2032);
    expect(pe.states).toHaveProperty('B');
    expect(pe.states).not.toHaveProperty('A');
  });
});

describe('other rules of the VRF', () => {
  it('keep their labels, and share one of equal class', () => {
    pe.commit(config({ r: T, s: T }), 1000);
    pe.commit(config({ r: E, s: T }), 2000);
    pe.tick(2030);
    expect(pe.words).toEqual([`24001 r: ${ALL_E}`, `24000 s (r): ${CLEAR_T}`]);
    pe.tick(2031);
    pe.tick(2091);
    expect(pe.words).toEqual([`24001 r: ${ALL_E}`, `24000 s: ${CLEAR_T}`]);
  });
});

describe('prefixes that move to a stricter rule', () => {
  it('take the old class until the grace time is over, other prefixes nothing of it', () => {
    const ten = ['10.0.0.0/8'];
    pe.commit(config({ r: { ...T, prefixes: ['10.0.0.0/8', '11.0.0.0/8'] } }), 1000);
    const moved = { r: { ...T, prefixes: ['11.0.0.0/8'] }, s: { ...E, prefixes: ten } };
    pe.commit(config(moved), 2000);
    expect(pe.accept('10.1.0.0/16')).toBe(CLEAR_T);
    expect(pe.accept('12.0.0.0/8')).toBe('');
    pe.tick(2001);
    pe.tick(2061);
    expect(pe.accept('10.1.0.0/16')).toBe(ALL_E);
    expect(pe.accept('11.0.0.0/8')).toBe(CLEAR_T);
  });
});

describe('labels of routes', () => {
  it('are known by class, told and leaving', () => {
    const first = config({ r: { ...T, labelPer: 'prefix' } });
    pe.commit(first, 1000);
    expect(pe.labels).toEqual([]);
    const next = config({ r: { ...E, labelPer: 'prefix' } });
    pe.commit(next, 2000);
    pe.tick(2030);
    const { told, leaving } = routeClasses({ config: next, sps, states: pe.states });
    expect([...told]).toEqual(['of VRF A, encrypt in gre,ip to own']);
    expect([...leaving]).toEqual(['of VRF A, tunnel in gre,ip to own']);
  });
});

it('tells the SPs that both classes have while a change is announced, or else those of before', () => {
  pe.commit(config({ r: { ...E, toSps: ['own'] } }), 1000);
  pe.commit(config({ r: { ...E, toSps: ['b'] } }), 2000);
  expect(pe.told().toSps).toEqual(['own']);
  pe.tick(2030);
  expect(pe.told().toSps).toEqual(['b']);
  pe.commit(config({ r: { ...A, toSps: ['own', 'b'] } }), 3000);
  expect(pe.told().toSps).toEqual(['b']);
  pe.tick(3030);
  expect([...pe.told().toSps!].sort()).toEqual(['b', 'own']);
});
