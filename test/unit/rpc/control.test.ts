// SPDX-License-Identifier: Apache-2.0
/** Server and client over a real unix socket. */
import { chmod, link, lstat, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Client, type ShowFilter, type Topic } from '../../../src/rpc/client.js';
import { ControlError, type ControlIssue } from '../../../src/rpc/errors.js';
import { startControlServer, type RunningControlServer } from '../../../src/rpc/server.js';
import * as sample from './sample-backend.js';

let folder: string;
let socketPath: string;
let backend: sample.SampleBackend;
let server: RunningControlServer;
let client: Client;
const defects: unknown[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'd1-rpc-'));
  socketPath = join(folder, 'run', 'control.sock');
  backend = sample.sampleBackend();
  defects.length = 0;
  server = await startControlServer({
    socketPath,
    backend,
    stallMs: 500,
    onDefect: (error) => defects.push(error),
  });
  client = await Client.open(socketPath);
});
afterEach(async () => {
  client.close();
  await server.close();
  await rm(folder, { recursive: true, force: true });
});

async function rows(topic: Topic, filter: ShowFilter = {}): Promise<unknown[]> {
  const found: unknown[] = [];
  for await (const row of client.show(topic, filter)) found.push(row);
  return found;
}

async function refusal(promise: Promise<unknown>): Promise<ControlError> {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(ControlError);
  return error as ControlError;
}

describe('the socket', () => {
  it('is for this user alone, in a folder for this user alone, and leaves nothing beside', async () => {
    expect((await lstat(socketPath)).mode & 0o777).toBe(0o600);
    expect((await stat(join(folder, 'run'))).mode & 0o777).toBe(0o700);
    expect(await readdir(join(folder, 'run'))).toEqual(['control.sock']);
  });

  it('goes away with the server', async () => {
    await server.close();
    expect(await readdir(join(folder, 'run'))).toEqual([]);
  });

  it('replaces what a killed supervisor left, and leaves alone what a successor put there', async () => {
    const second = await startControlServer({ socketPath, backend });
    await server.close();
    expect((await lstat(socketPath)).isSocket()).toBe(true);
    const other = await Client.open(socketPath);
    expect((await other.status()).pid).toBe(4200);
    other.close();
    await second.close();
    await expect(lstat(socketPath)).rejects.toThrow('ENOENT');
  });

  it('is refused where its path is too long for a socket', async () => {
    const long = join(folder, 'x'.repeat(100), 'control.sock');
    const error = await refusal(startControlServer({ socketPath: long, backend }));
    expect(error.code).toBe('UNAVAILABLE');
    expect(error.remedy).toBe('runtimeDirectory of at most 81 bytes');
  });

  it('is refused where the folder cannot be made', async () => {
    await writeFile(join(folder, 'file'), '');
    const path = join(folder, 'file', 'control.sock');
    const error = await refusal(startControlServer({ socketPath: path, backend }));
    expect(error.message).toContain(`cannot listen on ${path}: `);
  });
});

describe('show', () => {
  it.each([
    ['interfaces', sample.interfaces],
    ['vrfs', sample.vrfs],
    ['labels', sample.labels],
    ['tunnels', sample.tunnels],
    ['sas', sample.sas],
    ['policers', sample.policers],
    ['ports', sample.ports],
    ['queues', sample.queues],
    ['lags', sample.lags],
    ['workers', sample.workers],
  ] as const)('gives %s as they are', async (topic, expected) => {
    expect(await rows(topic)).toEqual(expected);
  });

  it('gives routes', async () => {
    expect(await rows('routes')).toEqual([0, 1, 2, 3].map((i) => sample.route(i)));
  });

  it('gives drops that happened, or all', async () => {
    expect(await rows('drops')).toEqual(sample.drops.slice(0, 1));
    expect(await rows('drops', { all: true })).toEqual(sample.drops);
  });

  it.each([
    ['interfaces', [sample.interfaces[1]]],
    ['vrfs', [sample.vrfs[0]]],
    ['labels', [sample.labels[0]]],
    ['routes', [sample.route(0), sample.route(2)]],
  ] as const)('gives %s of one VRF', async (topic, expected) => {
    expect(await rows(topic, { vrf: 'a' })).toEqual(expected);
  });

  it.each(['interfaces', 'vrfs', 'labels', 'routes'] as const)(
    'says that a VRF of %s does not exist',
    async (topic) => {
      const error = await refusal(rows(topic, { vrf: 'aa' }));
      expect([error.code, error.message, error.remedy]).toEqual([
        ...['NOT_FOUND', 'no VRF "aa"', 'did you mean "a"? known VRFs: a, b'],
      ]);
    },
  );

  it('hands route filters on as bytes', async () => {
    await rows('routes', { vrf: 'b', prefix: '10.0.0.0/9' });
    await rows('routes', { address: '2001:db8::1' });
    expect(backend.filters).toMatchObject([
      { vrf: 'b', prefix: { address: Uint8Array.of(10, 0, 0, 0), length: 9 } },
      { address: Uint8Array.of(32, 1, 13, 184, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1) },
    ]);
    expect(backend.filters[0]).not.toHaveProperty('address');
    expect(backend.filters[1]).not.toHaveProperty('vrf');
  });

  it.each([
    [{ prefix: '10.0.0.1/8' }, '"10.0.0.1/8" has host bits set', 'did you mean 10.0.0.0/8?'],
    [{ prefix: '10.0.0.0' }, '"10.0.0.0" is no prefix', 'e.g. 10.1.0.0/16 or 2001:db8::/32'],
    [{ prefix: '::/129' }, '"::/129" is no prefix', 'e.g. 10.1.0.0/16 or 2001:db8::/32'],
    [{ address: '10.0.0.0/8' }, '"10.0.0.0/8" is no IP address', 'e.g. 10.1.2.3 or 2001:db8::1'],
    [
      { prefix: '::/0', address: '::' },
      'prefix and address exclude each other',
      'give one of them',
    ],
  ])('refuses the filter %j', async (filter, message, remedy) => {
    const error = await refusal(rows('routes', filter));
    expect([error.code, error.message, error.remedy]).toEqual([
      'INVALID_ARGUMENT',
      message,
      remedy,
    ]);
    expect(backend.filters).toEqual([]);
  });

  it('stops at a limit', async () => {
    backend.routeCount = 100_000;
    expect(await rows('routes', { limit: 300 })).toHaveLength(300);
    expect(backend.made).toBeLessThan(1000);
    expect(backend.returned).toBe(1);
  });

  it('gives a hundred thousand routes, the event loop turning meanwhile', async () => {
    backend.routeCount = 100_000;
    let turns = 0;
    const timer = setInterval(() => turns++, 1);
    let count = 0;
    for await (const row of client.show('routes')) {
      if (count === 99_999) expect(row).toEqual(sample.route(99_999));
      count++;
    }
    clearInterval(timer);
    expect(count).toBe(100_000);
    expect(turns).toBeGreaterThan(10);
  });

  it('ends the generator of a reader that leaves early', async () => {
    backend.routeCount = 1_000_000;
    for await (const row of client.show('routes')) {
      expect(row).toEqual(sample.route(0));
      break;
    }
    await expect.poll(() => backend.returned).toBe(1);
    expect(backend.made).toBeLessThan(1_000_000);
  });

  it('gives up a reader that takes nothing, and answers others meanwhile', async () => {
    backend.routeCount = 1_000_000;
    const stuck = client.show('routes');
    await stuck.next();
    await sleep(100);
    const other = await Client.open(socketPath);
    expect((await other.status()).instance).toBe('pe1');
    other.close();
    await expect.poll(() => backend.returned, { timeout: 5000 }).toBe(1);
    expect(backend.made).toBeLessThan(1_000_000);
    const rest = (async () => {
      for await (const row of stuck) expect(row.vrf).not.toBe('');
    })();
    expect((await refusal(rest)).code).toBe('TIMEOUT');
  });

  it('tells of a defect in the backend, and goes on', async () => {
    backend.labels = () => {
      throw new Error('oops');
    };
    const error = await refusal(rows('labels'));
    expect([error.code, error.message]).toEqual(['INTERNAL', 'oops']);
    expect(defects).toHaveLength(1);
    expect(await rows('vrfs')).toHaveLength(2);
  });
});

describe('commands', () => {
  it('status', async () => {
    expect(await client.status()).toEqual(sample.status);
  });

  it('reload', async () => {
    expect(await client.reload('/etc/x.ts', true)).toEqual({
      ...sample.reloadResult,
      error: undefined,
    });
    expect(backend.reloads).toEqual([{ path: '/etc/x.ts', dryRun: true }]);
  });

  it('reload refuses a relative path', async () => {
    expect((await refusal(client.reload('x.ts', false))).code).toBe('INVALID_ARGUMENT');
    expect(backend.reloads).toEqual([]);
  });

  it('reload carries every mistake, however many', async () => {
    const issues: ControlIssue[] = Array.from({ length: 2000 }, (_, i) => ({
      ...{ path: `vrfs.a.routes[${i}]`, value: '"x"', reason: 'no', remedy: 'yes' },
    }));
    backend.onReload = async () =>
      Promise.reject(new ControlError('INVALID_CONFIG', '2000 mistakes', { issues }));
    const error = await refusal(client.reload('/x', false));
    expect([error.code, error.message]).toEqual(['INVALID_CONFIG', '2000 mistakes']);
    expect(error.issues).toEqual(issues);
    expect(defects).toEqual([]);
  });

  it('reload tells a defect as such', async () => {
    backend.onReload = async () => Promise.reject(new TypeError('undefined is not'));
    expect((await refusal(client.reload('/x', false))).code).toBe('INTERNAL');
    expect(defects).toHaveLength(1);
  });

  it('carries an error message with other letters, and a very long one', async () => {
    const words = `Größe ${'x'.repeat(5000)}`;
    backend.status = () => {
      throw new ControlError('BUSY', words, { remedy: 'später' });
    };
    const error = await refusal(client.status());
    expect([error.code, error.remedy]).toEqual(['BUSY', 'später']);
    expect(error.message).toBe(words.slice(0, 1000));
  });

  it.each([true, false])('stop (keepWorker %s)', async (keepWorker) => {
    await client.stop(keepWorker);
    expect(backend.stops).toEqual([{ keepWorker }]);
  });
});

describe('a client', () => {
  it('says that nobody listens', async () => {
    await server.close();
    const error = await refusal(Client.open(socketPath));
    expect([error.code, error.message]).toEqual(['UNAVAILABLE', `${socketPath} does not exist`]);
    expect(error.remedy).toContain('sealane run');
  });

  it('says that a socket is dead', async () => {
    const path = join(folder, 'dead.sock');
    const holder = createServer().listen(path);
    await new Promise((resolve) => holder.once('listening', resolve));
    const inode = join(folder, 'kept.sock');
    // A killed process leaves its socket: a name is left that nobody listens on.
    await link(path, inode);
    await new Promise((resolve) => holder.close(resolve));
    const dead = await Client.open(inode);
    const error = await refusal(dead.status());
    dead.close();
    expect(error.code).toBe('UNAVAILABLE');
    expect(error.remedy).toContain('sealane run');
  });

  it('says that a file is no socket', async () => {
    const path = join(folder, 'file');
    await writeFile(path, '');
    await chmod(path, 0o600);
    expect((await refusal(Client.open(path))).message).toBe(`${path} is no socket`);
  });

  it('does not wait for ever for a supervisor that hangs', async () => {
    const impatient = await Client.open(socketPath, { timeoutMs: 300, reloadTimeoutMs: 300 });
    backend.onReload = async () => new Promise(() => undefined);
    expect((await refusal(impatient.reload('/x', false))).code).toBe('TIMEOUT');
    backend.tunnels = async function* () {
      yield sample.tunnels[0]!;
      await new Promise(() => undefined);
    };
    const waiting = (async () => {
      for await (const row of impatient.show('tunnels')) expect(row.name).toBe('pe2');
    })();
    const error = await refusal(waiting);
    expect(error.code).toBe('TIMEOUT');
    impatient.close();
  });

  it('that speaks no HTTP/2 harms nobody', async () => {
    const socket = connect(socketPath);
    socket.on('error', () => undefined);
    socket.write('GET / HTTP/1.1\r\n\r\n'.repeat(1000));
    await sleep(50);
    expect((await client.status()).instance).toBe('pe1');
    socket.destroy();
  });
});
