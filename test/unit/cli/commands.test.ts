// SPDX-License-Identifier: Apache-2.0
/** Commands in this process, against a control server in this one. */
import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runCommand } from '../../../src/cli/program.js';
import { ControlError } from '../../../src/rpc/errors.js';
import { startControlServer, type RunningControlServer } from '../../../src/rpc/server.js';
import * as sample from '../rpc/sample-backend.js';

interface Run {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

let folder: string;
let servers: RunningControlServer[];
let backend: sample.SampleBackend;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'd1-cmd-'));
  process.env['SEALANE_RUNTIME_ROOT'] = folder;
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

async function sealane(...args: string[]): Promise<Run> {
  let out = '';
  let err = '';
  const code = await runCommand(args, '1.2.3', {
    out: async (text) => {
      out += text;
      return Promise.resolve();
    },
    err: (text) => {
      err += text;
    },
    width: 120,
  });
  return { code, out, err };
}

describe('sealane', () => {
  it('writes integers with all their digits', async () => {
    await serve('pe1');
    const { out } = await sealane('show', 'interfaces', '--json', '--vrf', 'a');
    expect(out).toContain('"rxBytes":9007199254740993,');
    expect(JSON.parse(out)).toHaveLength(1);
  });

  it('says which instances there are, and takes the one named', async () => {
    await serve('pe1');
    const socket = await serve('pe2');
    const [none, one, other, both] = await Promise.all([
      sealane('show', 'drops'),
      sealane('--instance', 'pe2', 'show', 'drops'),
      sealane('--socket', socket, 'show', 'drops', '--all', '--json'),
      sealane('--socket', socket, '--instance', 'pe1', 'status'),
    ]);
    expect(none).toEqual({
      ...{ code: 2, out: '' },
      err: 'sealane: several instances run: pe1, pe2: choose one with --instance NAME\n',
    });
    expect(one.out.split('\n').slice(1)).toEqual([
      expect.stringMatching(/^no_route +no route in the VRF +3$/),
      '',
    ]);
    expect(JSON.parse(other.out)).toHaveLength(2);
    expect(both).toMatchObject({ code: 2, out: '' });
  });

  it('knows a socket that nobody listens on', async () => {
    await mkdir(join(folder, 'dead'), { mode: 0o700 });
    await writeFile(join(folder, 'dead', 'control.sock'), '');
    const { code, out, err } = await sealane('status');
    expect([code, out]).toEqual([4, '']);
    expect(err).toBe(
      `sealane: no instance runs (looked in ${folder}): start one with: sealane run FILE; ` +
        'or name one elsewhere with --socket PATH\n',
    );
  });

  it('shows the status', async () => {
    await serve('pe1');
    const [text, json] = await Promise.all([sealane('status'), sealane('status', '--json')]);
    expect(text.out).toMatch(/^instance +pe1\n/);
    expect(text.out).toMatch(/^state +degraded\nreason +tunnel pe3 is down\n/m);
    expect(text.out).toMatch(/\nwarning: manual SAs are in use\n$/);
    const { warnings, ...rest } = sample.status;
    const numbers = Object.entries(rest).map(([key, value]) => [
      key,
      typeof value === 'bigint' ? Number(value) : value,
    ]);
    expect(JSON.parse(json.out)).toEqual([
      { ...Object.fromEntries(numbers), warnings: warnings.join('\n') },
    ]);
  });

  it.each([
    [['show', 'tunels'], 'sealane: nothing called "tunels" to show: did you mean "tunnels"? '],
    [['show', 'tunnels', '--vrf', 'a'], 'sealane: --vrf means nothing for tunnels: it goes with: '],
    [['show', 'routes', '--limit', '0'], "error: option '--limit <n>' argument '0' is invalid. "],
    [['shw'], "error: unknown command 'shw'\n(Did you mean show?)"],
    [
      ['lab', 'keygen', '--algorithm', 'aes-gcm-129', '--out', 'x'],
      'sealane: no algorithm "aes-gcm-129": did you mean "aes-gcm-128"? ',
    ],
  ])('refuses %j as wrong usage', async (args, words) => {
    const { code, out, err } = await sealane(...args);
    expect([code, out]).toEqual([2, '']);
    expect(err.slice(0, words.length)).toBe(words);
  });

  it('says that a VRF does not exist', async () => {
    await serve('pe1');
    expect(await sealane('show', 'routes', '--vrf', 'c', '--json')).toMatchObject({
      code: 5,
      err: 'sealane: no VRF "c": did you mean "a"? known VRFs: a, b\n',
    });
  });
});

describe('sealane reload', () => {
  it('prints the difference and what was restarted, warnings on stderr', async () => {
    await serve('pe1');
    const result = await sealane('reload', join(folder, 'new.config.ts'));
    expect(result).toEqual({
      code: 0,
      out:
        '~ tunnels.pe2.ttl: 64 -> 32\n' +
        '+ interfaces.ce-c: {"role":"ce"}  [worker-restart]\n' +
        '2 changes applied; restarted: worker\n',
      err: 'warning: manualSas: manual SAs are in use: for a lab only\n',
    });
    expect(backend.reloads).toEqual([{ path: join(folder, 'new.config.ts'), dryRun: false }]);
  });

  it('compares only, as JSON', async () => {
    await serve('pe1');
    const { code, out, err } = await sealane(
      'reload',
      '--dry-run',
      '--json',
      join(folder, 'sealane.config.ts'),
    );
    expect(code).toBe(0);
    expect(JSON.parse(out)).toEqual(sample.reloadResult.changes);
    expect(err).toContain('2 changes, not applied; would restart: worker\n');
    const path = join(folder, 'sealane.config.ts');
    expect(backend.reloads).toEqual([{ path, dryRun: true }]);
  });

  it('gives every mistake a line, and exit code 3', async () => {
    await serve('pe1');
    const issues = [
      { path: 'a.b', value: '5', reason: 'too small', remedy: 'more' },
      { path: 'c', value: '', reason: 'missing', remedy: '' },
    ];
    const error = new ControlError('INVALID_CONFIG', 'x.ts: 2 mistakes', { issues });
    backend.onReload = async () => Promise.reject(error);
    expect(await sealane('reload', 'x.ts')).toEqual({
      ...{ code: 3, out: '' },
      err: 'error: a.b: too small (5): more\nerror: c: missing\nsealane: x.ts: 2 mistakes\n',
    });
  });

  it.each([
    ['BUSY', 6],
    ['APPLY_FAILED', 1],
  ] as const)('tells %s by exit code %i', async (reason, code) => {
    await serve('pe1');
    const error = new ControlError(reason, 'it is so', { remedy: 'do this' });
    backend.onReload = async () => Promise.reject(error);
    expect(await sealane('reload', 'x.ts')).toEqual({
      ...{ code, out: '', err: 'sealane: it is so: do this\n' },
    });
  });
});

describe('sealane stop', () => {
  it('returns when the supervisor has gone', async () => {
    await serve('pe1');
    // Stands for the supervisor's process, which ends after its socket has gone.
    const other = spawn('sleep', ['60'], { stdio: 'ignore' });
    backend.status = () => ({ ...sample.status, pid: other.pid ?? 0 });
    let gone = false;
    backend.stop = (options) => {
      backend.stops.push(options);
      setTimeout(() => {
        void servers[0]?.close();
      }, 300);
      setTimeout(() => {
        gone = true;
        other.kill('SIGKILL');
      }, 900);
    };
    const result = await sealane('stop', '--keep-worker');
    expect(gone).toBe(true);
    expect(result).toEqual({ code: 0, out: 'stopped (the worker forwards on)\n', err: '' });
    expect(backend.stops).toEqual([{ keepWorker: true }]);
  });
});

describe('sealane lab keygen', () => {
  it('makes a key and never shows it', async () => {
    const path = join(folder, 'key');
    const { code, out, err } = await sealane(
      'lab',
      'keygen',
      '--algorithm',
      'aes-gcm-256',
      '--out',
      path,
    );
    expect([code, err]).toEqual([0, '']);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    const made = JSON.parse(await readFile(path, 'utf8')) as Record<string, string>;
    expect(out).toBe(`${path}: key for aes-gcm-256, run ${made['run']!}\n`);
    expect(made['key']).toHaveLength(64);
    const again = await sealane('lab', 'keygen', '--algorithm', 'aes-gcm-256', '--out', path);
    expect(again).toEqual({
      ...{ code: 1, out: '' },
      err: `sealane: ${path} exists: a key is never overwritten: name another file, or remove it first\n`,
    });
    expect(JSON.parse(await readFile(path, 'utf8'))).toEqual(made);
  });
});

describe('sealane bgp policy test', () => {
  const ROUTE = ['10.0.0.0/8', 'as-path=65100,65101'];

  it('says what each rule did, and the outcome', async () => {
    await serve('pe1');
    const { code, out, err } = await sealane('bgp', 'policy', 'test', 'from-ce', ...ROUTE);
    expect([code, err]).toEqual([0, '']);
    expect(out.split('\n')).toEqual([
      'rule 0 "mark": matched, next',
      '    med none -> 3',
      'rule 1: no match',
      'rule 2: matched, accept',
      'accepted: rule 2',
      '    origin=igp med=3',
      '',
    ]);
    expect(backend.policyTests).toEqual([{ policy: 'from-ce', route: ROUTE, path: undefined }]);
  });

  it('has the same as JSON, and of a file', async () => {
    await serve('pe1');
    backend.onTestPolicy = async () =>
      Promise.resolve({ rules: [], accepted: false, because: 'no rule decided', result: [] });
    const args = ['from-ce', ...ROUTE, '--file', 'x.ts', '--json'];
    const { code, out } = await sealane('bgp', 'policy', 'test', ...args);
    expect([code, JSON.parse(out)]).toEqual([
      0,
      [{ policy: 'from-ce', accepted: false, because: 'no rule decided', result: '', trace: '' }],
    ]);
    expect(backend.policyTests[0]?.path).toBe(join(process.cwd(), 'x.ts'));
  });

  it('passes refusals on', async () => {
    await serve('pe1');
    backend.onTestPolicy = async () =>
      Promise.reject(new ControlError('NOT_FOUND', 'no policy "x"', { remedy: 'known: y' }));
    expect(await sealane('bgp', 'policy', 'test', 'x', ...ROUTE)).toEqual({
      ...{ code: 5, out: '', err: 'sealane: no policy "x": known: y\n' },
    });
    expect((await sealane('bgp', 'policy', 'test', 'x')).code).toBe(2);
  });
});

describe('sealane worker restart', () => {
  it('says how packets fared', async () => {
    await serve('pe1');
    expect(await sealane('worker', 'restart')).toEqual({
      ...{ code: 0, out: 'worker 71 goes on for 70: packets waited 40 ms, none was lost\n' },
      err: '',
    });
    backend.restarted = { pid: 72, before: 71, milliseconds: 812, lossy: 'port wan: one only' };
    expect((await sealane('worker', 'restart')).out).toBe(
      'worker 72 goes on for 71: packets were lost for 812 ms: port wan: one only\n',
    );
  });
});
