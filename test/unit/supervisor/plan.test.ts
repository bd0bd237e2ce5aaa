import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { afterEach, beforeEach, expect, it } from 'vitest';
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
  for (const bad of ['', '{', '[]', '{"labels":{"1":{"meaning":1}}}']) {
    writeFileSync(paths().labelRegister, bad);
    expect(() => readMemory(paths()), bad).toThrow(/labels\.json/);
  }
  writeFileSync(paths().labelRegister, '{"labels":{}}');
  writeFileSync(paths().spTables, '{"assigned":{"x":99},"free":[]}');
  expect(() => readMemory(paths())).toThrow(/sp-tables\.json/);
  expect(readFileSync(paths().labelRegister, 'utf8')).toBe('{"labels":{}}');
});
