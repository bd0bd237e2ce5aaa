// SPDX-License-Identifier: Apache-2.0
/** The command as a process, against a control server in this one. */
import { spawn, type ChildProcess } from 'node:child_process';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startControlServer, type RunningControlServer } from '../../../src/rpc/server.js';
import * as sample from '../rpc/sample-backend.js';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const CLI = [`${root}scripts/lib/run-ts.mjs`, `${root}src/cli/main.ts`];

interface Run {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

let folder: string;
let servers: RunningControlServer[];
let backend: sample.SampleBackend;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'd1-cli-'));
  backend = sample.sampleBackend();
  servers = [];
});
afterEach(async () => {
  for (const server of servers) await server.close();
  await rm(folder, { recursive: true, force: true });
});

async function serve(instance: string): Promise<string> {
  const socketPath = join(folder, instance, 'control.sock');
  servers.push(await startControlServer({ socketPath, backend }));
  return socketPath;
}

function start(args: readonly string[]): ChildProcess {
  return spawn(process.execPath, [...CLI, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, SEALANE_RUNTIME_ROOT: folder },
    cwd: folder,
  });
}

async function sealane(...args: string[]): Promise<Run> {
  const child = start(args);
  let out = '';
  let err = '';
  child.stdout?.on('data', (data: Buffer) => (out += data.toString()));
  child.stderr?.on('data', (data: Buffer) => (err += data.toString()));
  const code = await new Promise<number>((resolve) => {
    child.once('close', (exit) => {
      resolve(exit ?? -1);
    });
  });
  return { code, out, err };
}

describe('sealane', { timeout: 120_000 }, () => {
  it('shows a table and JSON of the only instance', async () => {
    await serve('pe1');
    const [table, json] = await Promise.all([
      sealane('show', 'tunnels'),
      sealane('show', 'tunnels', '--json'),
    ]);
    expect(table).toMatchObject({ code: 0, err: '' });
    const lines = table.out.split('\n');
    expect(lines[0]).toMatch(
      /^NAME +LOCAL +REMOTE +PROTECTION +ENCAP +SA +INTERFACE +NEXT HOP +LABELS +MTU/,
    );
    expect(lines[1]).toMatch(
      /^pe2 +192\.0\.2\.1 +192\.0\.2\.2 +encrypt +gre +pe2-out +core0 .* up +-$/,
    );
    expect(json).toMatchObject({ code: 0, err: '' });
    const plain = (_: string, value: unknown): unknown =>
      typeof value === 'bigint' ? Number(value) : value;
    expect(JSON.parse(json.out)).toEqual(JSON.parse(JSON.stringify(sample.tunnels, plain)));
  });

  it('streams a hundred thousand routes as one array', async () => {
    await serve('pe1');
    backend.routeCount = 100_000;
    const { code, out } = await sealane('show', 'routes', '--json');
    expect(code).toBe(0);
    const rows = JSON.parse(out) as { prefix: string }[];
    expect(rows).toHaveLength(100_000);
    expect(rows[99_999]?.prefix).toBe('10.1.134.159/32');
  });

  it('ends quietly when its reader leaves, and the supervisor stops making rows', async () => {
    await serve('pe1');
    backend.routeCount = 1_000_000;
    const child = start(['show', 'routes']);
    let err = '';
    child.stderr?.on('data', (data: Buffer) => (err += data.toString()));
    child.stdout?.once('data', () => {
      child.stdout?.destroy();
    });
    const code = await new Promise<unknown>((resolve) => {
      child.once('close', resolve);
    });
    expect([code, err]).toEqual([0, '']);
    await expect.poll(() => backend.returned, { timeout: 10_000 }).toBe(1);
    expect(backend.made).toBeLessThan(1_000_000);
  });
});

describe('sealane check and run', { timeout: 180_000 }, () => {
  it('check is what main.ts makes of it: lines, exit code', async () => {
    const path = join(folder, 'sealane.config.ts');
    const config = `import { defineConfig } from 'sealane';
      export default defineConfig({ instance: 'pe1', ownSp: 's', core: { tunnelAddresses: ['x'] }, interfaces: {} });`;
    await writeFile(path, config);
    await chmod(path, 0o600);
    expect(await sealane('check')).toEqual({
      ...{ code: 3, out: '' },
      err:
        'error: core.tunnelAddresses[0]: not an IP address ("x"): e.g. "192.0.2.1" or "2001:db8::1"\n' +
        `${path}: 1 mistake\n`,
    });
  });

  it('run ends as the supervisor does', async () => {
    const { code, err } = await sealane('run', 'nowhere.config.ts');
    expect(code).toBe(3);
    expect(err).toContain(`no configuration file ${folder}/nowhere.config.ts`);
  });
});
