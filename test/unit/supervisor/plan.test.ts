import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Config } from '../../../src/config/types.js';
import { instancePaths } from '../../../src/supervisor/paths.js';
import { makePlan, readMemory, remember } from '../../../src/supervisor/plan.js';
import { BASE } from '../forwarding/fixture.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(`${tmpdir()}/sealane-plan-`);
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

const paths = () => instancePaths({ ...BASE, stateDirectory: `${folder}/state` });
const withLabel = (label: number): Config => ({
  ...BASE,
  vrfs: { ...BASE.vrfs, B: { exports: [{ name: 'x', protections: ['tunnel'], label }] } },
});

it('remembers labels and SP tables over a restart', () => {
  expect(readMemory(paths()).labels).toEqual({ labels: {} });
  const plan = makePlan(withLabel(500), readMemory(paths()), 1000);
  remember(paths(), plan);
  expect(statSync(paths().labelRegister).mode & 0o777).toBe(0o600);
  const again = readMemory(paths());
  expect(again.labels).toEqual(plan.labelRegister);
  expect(again.spTables).toEqual(plan.sps.state);
  const elsewhere = { ...withLabel(501), vrfs: { ...BASE.vrfs, C: withLabel(500).vrfs!['B']! } };
  expect(() => makePlan(elsewhere, again, 1001)).toThrow(/label 500 .* in use/);
});

it('remembers how long neighbours may keep what they were told', () => {
  const told = (staleTime: number, label: number): Config => ({
    ...withLabel(label),
    bgp: {
      ...{ asn: 65001, routerId: '192.0.2.1' },
      neighbours: { '198.51.100.2': { asn: 65001, longLived: { staleTime } } },
    },
  });
  const longest = 90 + 120 + 40_000;
  remember(paths(), makePlan(told(40_000, 500), readMemory(paths()), 1000));
  remember(paths(), makePlan(told(10, 501), readMemory(paths()), 2000));
  const { labels } = readMemory(paths());
  const earlier = { offered: longest, until: 2000 + longest };
  expect(labels.offers).toEqual({ offered: 90 + 120 + 10, earlier });
  expect(labels.labels['500']).toMatchObject({ freedAt: 2000, quarantine: longest });
});

it('refuses what cannot be planned, as a whole', () => {
  const memory = readMemory(paths());
  const tooMany = { ...BASE, otherSps: Array.from({ length: 63 }, (_, i) => `sp${i}`) };
  expect(() => makePlan(tooMany, memory, 0)).toThrow(/63 service providers/);
  const routes = [{ prefix: '10.0.0.0/8', via: '172.16.0.1' }];
  expect(() => makePlan({ ...BASE, vrfs: { A: { routes } } }, memory, 0)).toThrow(
    /reaches 172.16.0.1/,
  );
});

it('does not start on a register that it cannot read: a label could get another meaning', () => {
  remember(paths(), makePlan(BASE, readMemory(paths()), 0));
  for (const bad of [
    '',
    '{',
    '[]',
    '{"labels":{"1":{"meaning":1}}}',
    '{"labels":{},"offers":{}}',
  ]) {
    writeFileSync(paths().labelRegister, bad);
    expect(() => readMemory(paths()), bad).toThrow(/labels\.json/);
  }
  writeFileSync(paths().labelRegister, '{"labels":{}}');
  writeFileSync(paths().spTables, '{"assigned":{"x":99},"free":[]}');
  expect(() => readMemory(paths())).toThrow(/sp-tables\.json/);
  expect(readFileSync(paths().labelRegister, 'utf8')).toBe('{"labels":{}}');
});

describe('export rules that change their class', () => {
  const withClass = (protection: 'tunnel' | 'encrypt', vrf = 'A'): Config => ({
    ...BASE,
    bgp: { asn: 65001, routerId: '192.0.2.1' },
    vrfs: {
      [vrf]: {
        bgp: {
          rd: '65001:1',
          exports: [{ name: 'r', targets: ['65001:1'], protections: [protection] }],
        },
      },
    },
  });
  const commit = (config: Config, now: number) => {
    const plan = makePlan(config, readMemory(paths()), now);
    remember(paths(), plan);
    return plan.exports['A']?.['bgp/r'];
  };

  it('are remembered over a restart, with the time they have left (policy-model 25)', () => {
    commit(withClass('tunnel'), 1000);
    expect(commit(withClass('encrypt'), 2000)).toMatchObject({ announcing: 2030 });
    expect(statSync(paths().exports).mode & 0o777).toBe(0o600);
    expect(commit(withClass('encrypt'), 2020)).toMatchObject({ announcing: 2030 });
    expect(commit(withClass('tunnel'), 2021)).not.toHaveProperty('announcing');
    expect(commit(withClass('encrypt', 'B'), 2022)).toBeUndefined();
  });

  it('are not forgotten by a plan that is not carried out', () => {
    commit(withClass('tunnel'), 1000);
    makePlan(withClass('encrypt'), readMemory(paths()), 2000);
    expect(readMemory(paths()).exports['A']?.['bgp/r']?.target.protections).toEqual(['tunnel']);
  });

  it('stop the start when their file cannot be read: a clear label could come to stay', () => {
    commit(withClass('tunnel'), 1000);
    const good = readFileSync(paths().exports, 'utf8');
    for (const bad of [
      '{}',
      '{"vrfs":[]}',
      good.replace('"tunnel"', '"none"'),
      good.replace('"gre"', '7'),
      good.replace('"leaving": []', '"leaving": [{}]'),
      good.replace('"leaving": []', '"announcing": "x", "leaving": []'),
      good.replace(/"classes": \[[^]*?\],\n {4}"leaving"/, '"classes": [],\n    "leaving"'),
    ]) {
      expect(bad).not.toBe(good);
      writeFileSync(paths().exports, bad);
      expect(() => readMemory(paths()), bad).toThrow(/exports\.json/);
    }
    writeFileSync(paths().exports, good);
    expect(readMemory(paths()).exports).toHaveProperty('A');
  });
});
