// SPDX-License-Identifier: Apache-2.0
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeEach, expect, test } from 'vitest';
import { namespacePath, NamespaceRegistry } from '../../../src/kernel/netns.js';
import { kernel } from './support.js';

const directory = mkdtempSync(`${tmpdir()}/slk-netns-`);
const stateFile = `${directory}/namespaces.json`;
const names = ['slk-ns-a', 'slk-ns-b', 'slk-ns-foreign'];

function clear(): void {
  for (const name of names) {
    if (existsSync(namespacePath(name))) execFileSync('ip', ['netns', 'del', name]);
  }
  rmSync(stateFile, { force: true });
}
beforeEach(clear);
afterEach(clear);
afterAll(() => {
  rmSync(directory, { recursive: true });
});

test('makes a namespace that `ip netns exec` of an operator enters', async () => {
  const registry = new NamespaceRegistry(stateFile);
  expect(await registry.ensure('slk-ns-a')).toBe('created');
  const links = execFileSync('ip', ['netns', 'exec', 'slk-ns-a', 'ip', '-br', 'link']).toString();
  expect(links).toMatch(/^lo\s/);
  expect(links.trim().split('\n')).toHaveLength(1);
  expect(await registry.ensure('slk-ns-a')).toBe('ours');
  expect(registry.owned()).toEqual(['slk-ns-a']);
  await registry.remove('slk-ns-a');
  expect(existsSync(namespacePath('slk-ns-a'))).toBe(false);
  await registry.remove('slk-ns-a'); // once more is no error
  expect(registry.owned()).toEqual([]);
});

test('a new supervisor finds what a killed one has made, and made half', async () => {
  await new NamespaceRegistry(stateFile).ensure('slk-ns-a');
  const state = JSON.parse(readFileSync(stateFile, 'utf8')) as {
    namespaces: Record<string, number | null>;
  };
  // Killed between `ip netns add` and the note of its inode.
  execFileSync('ip', ['netns', 'add', 'slk-ns-b']);
  state.namespaces['slk-ns-b'] = null;
  writeFileSync(stateFile, JSON.stringify(state));
  const registry = new NamespaceRegistry(stateFile);
  expect(registry.owned()).toEqual(['slk-ns-a', 'slk-ns-b']);
  expect(await registry.ensure('slk-ns-b')).toBe('ours');
  for (const name of registry.owned()) await registry.remove(name);
  expect(existsSync(namespacePath('slk-ns-a')) || existsSync(namespacePath('slk-ns-b'))).toBe(
    false,
  );
});

test("somebody else's namespace is refused, or used when that is wanted, and never removed", async () => {
  execFileSync('ip', ['netns', 'add', 'slk-ns-foreign']);
  const registry = new NamespaceRegistry(stateFile);
  await expect(registry.ensure('slk-ns-foreign')).rejects.toMatchObject({
    ...{ code: 'NETNS_FOREIGN', remedy: expect.stringContaining('ip netns del') as string },
  });
  expect(await registry.ensure('slk-ns-foreign', { mayBeForeign: true })).toBe('foreign');
  await registry.remove('slk-ns-foreign');
  expect(existsSync(namespacePath('slk-ns-foreign'))).toBe(true);
  // Ours was removed by hand and made anew by somebody: no longer ours. A process keeps the old one
  // alive meanwhile, so that its inode is not given out again.
  await registry.ensure('slk-ns-a');
  const path = namespacePath('slk-ns-a');
  const holder = spawn('nsenter', [`--net=${path}`, 'sleep', '60'], { stdio: 'ignore' });
  const ended = new Promise((resolve) => holder.once('exit', resolve));
  await expect
    .poll(() => execFileSync('ip', ['netns', 'pids', 'slk-ns-a']).toString().trim())
    .not.toBe('');
  execFileSync('ip', ['netns', 'del', 'slk-ns-a']);
  execFileSync('ip', ['netns', 'add', 'slk-ns-a']);
  const next = new NamespaceRegistry(stateFile);
  expect(next.owned()).toEqual([]);
  await next.remove('slk-ns-a');
  expect(existsSync(path)).toBe(true);
  holder.kill('SIGKILL');
  await ended;
});

test('a damaged state file and one of another boot own nothing', async () => {
  await new NamespaceRegistry(stateFile).ensure('slk-ns-a');
  const good = readFileSync(stateFile, 'utf8');
  for (const bad of ['', '{', '[]', '{"boot":1}', good.replace(/"boot":"./, '"boot":"_')]) {
    writeFileSync(stateFile, bad);
    expect(new NamespaceRegistry(stateFile).owned(), bad).toEqual([]);
  }
});

test('says that namespaces would be invisible when run by `ip netns exec`', async () => {
  await new NamespaceRegistry(stateFile).ensure('slk-ns-a');
  const run = fileURLToPath(new URL('../../../scripts/lib/run-ts.mjs', import.meta.url));
  const probe = `${directory}/probe.ts`;
  const module = fileURLToPath(new URL('../../../src/kernel/netns.ts', import.meta.url));
  writeFileSync(
    probe,
    `import { namespaceVisibilityProblem } from ${JSON.stringify(module)};
     process.stdout.write(namespaceVisibilityProblem() ?? 'visible');`,
  );
  const answer = (argv: readonly string[]): string =>
    execFileSync(argv[0]!, [...argv.slice(1), process.execPath, run, probe]).toString();
  expect(answer(['ip', 'netns', 'exec', 'slk-ns-a'])).toMatch(/invisible outside.*nsenter/);
  expect(answer(['nsenter', `--net=${namespacePath('slk-ns-a')}`])).toBe('visible');
});

test('the addon opens it by path, and is back in its own namespace after each call', async () => {
  await new NamespaceRegistry(stateFile).ensure('slk-ns-a');
  const own = (): string =>
    execFileSync('readlink', [
      '/proc/self/ns/net',
      `/proc/${process.pid}/task/${process.pid}/ns/net`,
    ]).toString();
  const before = own();
  const netns = kernel.openNetns(namespacePath('slk-ns-a'));
  kernel.writeSysctl(netns, 'ipv4/conf/lo/rp_filter', '2');
  expect(kernel.readSysctl(netns, 'ipv4/conf/lo/rp_filter')).toBe('2');
  expect(() => kernel.readSysctl(netns, 'ipv4/conf/none/rp_filter')).toThrow(/ENOENT|No such/);
  expect(() => kernel.readOffloads(netns, 'none')).toThrow(/No such device/);
  expect(own()).toBe(before);
  const outside = kernel.openNetns(undefined);
  expect(kernel.readSysctl(outside, 'ipv4/conf/lo/rp_filter')).not.toBe('2');
  kernel.closeDescriptor(outside);
  kernel.closeDescriptor(netns);
});
