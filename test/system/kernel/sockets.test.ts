// SPDX-License-Identifier: Apache-2.0
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { eventually } from '../../../scripts/lib/lab.js';
import type { PolledSocket } from '../../../src/lib/kernel-api.js';
import { kernel, openDescriptors, settle } from './support.js';

const directory = mkdtempSync(`${tmpdir()}/slk-sock-`);
const script = fileURLToPath(new URL('peer.py', import.meta.url));
const children: ChildProcess[] = [];
let count = 0;

beforeAll(async () => {
  // What is opened once and kept is not counted below: the addon's way home, Node's own.
  await peer();
  const netns = kernel.openNetns(undefined);
  kernel.readSysctl(netns, 'ipv4/conf/all/forwarding');
  kernel.closeDescriptor(netns);
});
afterEach(async () => {
  for (const child of children.splice(0)) {
    child.kill('SIGKILL');
    if (child.exitCode === null && child.signalCode === null) {
      await new Promise((resolve) => child.once('exit', resolve));
    }
  }
});
afterAll(() => {
  rmSync(directory, { recursive: true });
});

async function peer(): Promise<{ path: string; child: ChildProcess }> {
  const path = `${directory}/${++count}`;
  const child = spawn('/usr/bin/python3', [script, path], { stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(child);
  await new Promise((resolve) => child.stdout.once('data', resolve));
  child.stdout.destroy();
  return { path, child };
}

interface Connection {
  readonly socket: PolledSocket & { readonly peerPid: number };
  readonly messages: string[];
  readonly closed: string[];
  readonly writable: number[];
}

function connect(path: string): Connection {
  const messages: string[] = [];
  const closed: string[] = [];
  const writable: number[] = [];
  const socket = kernel.connectSeqpacket(path, {
    onMessage: (data) => messages.push(Buffer.from(data).toString()),
    onClose: (reason) => closed.push(reason),
    onWritable: () => writable.push(1),
  });
  return { socket, messages, closed, writable };
}

const text = (value: string): Uint8Array => new TextEncoder().encode(value);

test('sends and receives whole messages, and knows the peer', async () => {
  const { path, child } = await peer();
  const { socket, messages } = connect(path);
  expect(socket.peerPid).toBe(child.pid);
  expect(socket.send(text('echo one'))).toBe(true);
  socket.send(text('echo two'));
  await eventually('answers', () => messages[1]);
  expect(messages).toEqual(['one', 'two']);
  messages.length = 0;
  socket.send(text('flood 500')); // more than one turn of the event loop takes
  await eventually('flood', () => messages[499]);
  expect(messages).toEqual(Array.from({ length: 500 }, (_, i) => String(i)));
  socket.close();
});

test('passes descriptors, keeps its own, and takes none', async () => {
  const { path } = await peer();
  const { socket, messages } = connect(path);
  const files = ['alpha', 'beta', 'gamma'].map((content) => {
    writeFileSync(`${directory}/${content}`, content);
    return openSync(`${directory}/${content}`, 'r');
  });
  socket.send(text('files'), files);
  expect(await eventually('contents', () => messages[0])).toBe('alpha|beta|gamma');
  for (const fd of files) closeSync(fd); // throws if it were closed already
  const before = openDescriptors();
  socket.send(text('descriptor'));
  await eventually('message beside it', () => messages[1]);
  expect(openDescriptors()).toBe(before);
  const many = Array.from({ length: 17 }, () => 0);
  expect(() => socket.send(text('files'), many)).toThrow(
    expect.objectContaining({ code: 'BAD_ARGUMENT' }) as Error,
  );
  expect(() => socket.send(text('files'), [9999])).toThrow(
    expect.objectContaining({ code: 'KERNEL', errno: 'EBADF' }) as Error,
  );
  socket.close();
});

test('says when the peer has no room, and when it has again', async () => {
  const { path } = await peer();
  const { socket, messages, writable } = connect(path);
  socket.send(text('sleep 0.5'));
  let sent = 0;
  while (socket.send(text(`echo ${sent}`))) sent += 1;
  expect(sent).toBeGreaterThan(1);
  expect(writable).toEqual([]);
  await eventually('room', () => writable[0]);
  expect(socket.send(text('echo last'))).toBe(true);
  await eventually('all', () => messages[sent]);
  expect(messages.at(-1)).toBe('last');
  expect(messages).toHaveLength(sent + 1);
  socket.close();
});

test('reports once that the peer has closed, died, or sent too much', async () => {
  for (const [command, reason] of [
    ['close', /closed the connection|reset/],
    ['die', /closed the connection|reset/],
    ['long 300000', /longer than/],
  ] as const) {
    const { path } = await peer();
    const { socket, closed } = connect(path);
    socket.send(text(command));
    expect(await eventually(command, () => closed[0])).toMatch(reason);
    await settle(50);
    expect(closed).toHaveLength(1);
    expect(() => socket.send(text('echo x'))).toThrow(
      expect.objectContaining({ code: 'CLOSED' }) as Error,
    );
    socket.close(); // no error
  }
});

test('a callback may close its own socket', async () => {
  const { path } = await peer();
  const got: string[] = [];
  const socket = kernel.connectSeqpacket(path, {
    onMessage: (data) => {
      got.push(Buffer.from(data).toString());
      socket.close();
    },
    onClose: () => got.push('close'),
  });
  socket.send(text('flood 50'));
  await eventually('first', () => got[0]);
  await settle(100);
  expect(got).toEqual(['0']);
});

test('refuses what cannot be connected to, in a typed way', () => {
  const attempt = (path: string): void => {
    connect(path);
  };
  const refused = (fields: object): Error => expect.objectContaining(fields) as Error;
  expect(() => {
    attempt(`${directory}/absent`);
  }).toThrow(refused({ code: 'KERNEL', errno: 'ENOENT' }));
  expect(() => {
    attempt(`/${'x'.repeat(120)}`);
  }).toThrow(refused({ code: 'BAD_ARGUMENT' }));
});

test('waits for the end of exactly that process', async () => {
  const { child } = await peer();
  const pid = child.pid!;
  const startTime = kernel.processStartTime(pid)!;
  expect(startTime).toBeGreaterThan(0n);
  expect(() => kernel.watchProcess(pid, startTime + 1n, () => undefined)).toThrow(
    expect.objectContaining({ code: 'NOT_FOUND' }) as Error,
  );
  let ended = 0;
  let cancelled = 0;
  kernel.watchProcess(pid, startTime, () => (ended += 1));
  const other = kernel.watchProcess(pid, startTime, () => (cancelled += 1));
  other.close();
  await settle(50);
  expect(ended).toBe(0);
  child.kill('SIGKILL');
  await eventually('end', () => ended || undefined);
  await settle(50);
  expect([ended, cancelled]).toEqual([1, 0]);
  expect(kernel.processStartTime(pid)).toBeUndefined();
  expect(() => kernel.watchProcess(pid, startTime, () => undefined)).toThrow(
    expect.objectContaining({ code: 'NOT_FOUND' }) as Error,
  );
});

test('what a callback throws is an uncaught exception, and the socket lives on', async () => {
  const { path } = await peer();
  const caught: unknown[] = [];
  const before = process.listeners('uncaughtException');
  process.removeAllListeners('uncaughtException');
  process.on('uncaughtException', (error) => caught.push(error));
  try {
    const got: string[] = [];
    const socket = kernel.connectSeqpacket(path, {
      onMessage: (data) => {
        got.push(Buffer.from(data).toString());
        if (got.length === 1) throw new Error('of the callback');
      },
      onClose: () => undefined,
    });
    socket.send(text('echo a'));
    socket.send(text('echo b'));
    await eventually('both', () => got[1]);
    expect(caught).toHaveLength(1);
    socket.close();
  } finally {
    process.removeAllListeners('uncaughtException');
    for (const listener of before) process.on('uncaughtException', listener);
  }
});

test('another thread is refused', async () => {
  const addon = fileURLToPath(
    new URL('../../../build/addon/Release/sealane.node', import.meta.url),
  );
  const code = `
    const { kernel } = require(${JSON.stringify(addon)});
    let code = 'none';
    try { kernel.openNetns(undefined); } catch (error) { code = error.code; }
    require('node:worker_threads').parentPort.postMessage(code);`;
  const worker = new Worker(code, { eval: true });
  const answer: unknown = await new Promise((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
  });
  expect(answer).toBe('WRONG_THREAD');
  await worker.terminate();
});

test('bad arguments are refused before anything happens', () => {
  const bad: readonly (() => unknown)[] = [
    () => kernel.openNetns(7 as unknown as string),
    () => {
      kernel.closeDescriptor(-1);
    },
    () => kernel.readSysctl(0, '../../etc/passwd'),
    () => kernel.readSysctl(0, '/etc/passwd'),
    () => kernel.openTap({ netns: 0, name: 'x'.repeat(16), kind: 'tap', attached: true }),
    () => kernel.openTap({ netns: 0, name: 'a%d', kind: 'tap', attached: true }),
    () => kernel.openTap({ netns: 0, name: 'a', kind: 'x' as 'tap', attached: true }),
    () =>
      kernel.openTap({ netns: 0, name: 'a', kind: 'tap', attached: true, mac: new Uint8Array(5) }),
    () => kernel.openNetlink(0, [-1], { onMessage: () => 0, onClose: () => 0 }),
    () => kernel.openNetns('/etc/passwd'),
    () => kernel.watchProcess(1, 5 as unknown as bigint, () => 0),
  ];
  for (const call of bad) {
    expect(call, call.toString()).toThrow(
      expect.objectContaining({ code: 'BAD_ARGUMENT' }) as Error,
    );
  }
});

test('a process that ends with everything open ends well', async () => {
  const addon = fileURLToPath(
    new URL('../../../build/addon/Release/sealane.node', import.meta.url),
  );
  const events = '{ onMessage() {}, onClose() {} }';
  for (const end of ['process.exit(7)', 'process.exitCode = 7; socket.close(); netlink.close()']) {
    const { path } = await peer();
    const code = `
      const { kernel } = require(${JSON.stringify(addon)});
      const netlink = kernel.openNetlink(kernel.openNetns(undefined), [1], ${events});
      const socket = kernel.connectSeqpacket(${JSON.stringify(path)}, ${events});
      kernel.watchProcess(process.pid, kernel.processStartTime(process.pid), () => 0)
        ${end.startsWith('process.exit(') ? '' : '.close()'};
      ${end};`;
    const child = spawn(process.execPath, ['-e', code], { stdio: ['ignore', 'ignore', 'inherit'] });
    const outcome = await new Promise((resolve) => {
      child.once('exit', (status, signal) => {
        resolve(signal ?? status);
      });
    });
    expect(outcome, end).toBe(7);
  }
});

test('sockets, watches and namespaces that were closed leave no descriptor', async () => {
  const { path, child } = await peer();
  await settle(50);
  const before = openDescriptors();
  const netns = kernel.openNetns(undefined);
  const { socket } = connect(path);
  const netlink = kernel.openNetlink(netns, [1], { onMessage: () => 0, onClose: () => 0 });
  const startTime = kernel.processStartTime(child.pid!)!;
  const watch = kernel.watchProcess(child.pid!, startTime, () => 0);
  expect(openDescriptors()).toBe(before + 4);
  kernel.closeDescriptor(netns);
  socket.close();
  netlink.close();
  watch.close();
  watch.close();
  expect(openDescriptors()).toBe(before);
  await settle(50);
  expect(openDescriptors()).toBe(before);
});
