// SPDX-License-Identifier: Apache-2.0
/** `sealane capture`, read by tshark and capinfos. */
import type { ChildProcess } from 'node:child_process';
import { readFileSync, rmSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { eventually, type Outcome } from '../../../scripts/lib/lab.js';
import { dissect } from '../../lib/tshark.js';
import { TwoPes } from './two-pes.js';

const CLI = ['node', fileURLToPath(new URL('../../../build/js/cli/main.js', import.meta.url))];

let net: TwoPes;
let count = 0;
beforeAll(async () => {
  net = await TwoPes.open('cap');
  await net.up();
  await net.reach(1, '10.2.0.2');
});
afterAll(async () => {
  await net.close();
});

class Capture {
  readonly file = `${net.run}/capture${++count}.pcapng`;
  readonly log = `${this.file}.log`;
  readonly child: ChildProcess;

  constructor(options: readonly string[]) {
    const socket = `${net.run}/pe1/control.sock`;
    const argv = [...CLI, '--socket', socket, 'capture', ...options, '-w', this.file];
    this.child = net.lab.start(net.pe(1), argv, this.log);
    running.push(this);
  }
  get text(): string {
    return readFileSync(this.log, 'utf8');
  }
  async begun(): Promise<this> {
    await eventually('capture begun', () => {
      if (this.child.exitCode !== null) throw new Error(`it ended: ${this.text}`);
      return this.text.includes('capturing') ? true : undefined;
    });
    return this;
  }
  async exit(): Promise<number | null> {
    const gone = (): boolean => this.child.exitCode !== null || this.child.signalCode !== null;
    await eventually('capture ended', () => (gone() ? true : undefined));
    return this.child.exitCode;
  }
  async interrupt(): Promise<number | null> {
    this.child.kill('SIGINT');
    return this.exit();
  }
}
const running: Capture[] = [];
afterEach(async () => {
  for (const { child } of running.splice(0)) await net.lab.stop(child);
});

async function captured(options: readonly string[], during: () => Promise<void>): Promise<Capture> {
  const capture = await new Capture(options).begun();
  await during();
  expect(await capture.interrupt()).toBe(0);
  return capture;
}

const pings = async (n: number): Promise<void> => {
  expect(await net.ping(1, '10.2.0.2', { count: n })).toBe(n);
};

const FIELDS = ['frame.interface_name', 'frame.packet_flags_direction', 'frame.comment'] as const;
const ECHO = ['icmp.type', 'ip.src', ...FIELDS] as const;

it('an interface: what it receives and sends, in a file for nobody else', async () => {
  const before = Date.now() / 1000;
  const { file, text } = await captured(['--interface', 'ce-a', '--filter', 'icmp'], async () =>
    pings(5),
  );
  const frames = await dissect(file, [...ECHO, 'frame.time_epoch', 'eth.type']);
  expect(frames).toHaveLength(10);
  expect(frames.map((frame) => frame['icmp.type'])).toEqual(
    Array.from({ length: 10 }, (_, i) => (i % 2 === 0 ? '8' : '0')),
  );
  const directions = frames.map((frame) => Number(frame['frame.packet_flags_direction']));
  expect(directions).toEqual(Array.from({ length: 10 }, (_, i) => (i % 2 === 0 ? 1 : 2)));
  expect(new Set(frames.map((frame) => frame['frame.interface_name']))).toEqual(new Set(['ce-a']));
  for (const frame of frames) {
    expect(Number(frame['frame.time_epoch'])).toBeGreaterThan(before);
    expect(Number(frame['frame.time_epoch'])).toBeLessThan(Date.now() / 1000);
  }
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(text).toContain('capturing');
  expect((await capinfos(file)).stdout).toMatch(/Number of packets = 10\b/);
});

async function capinfos(file: string): Promise<Outcome> {
  const outcome = await net.lab.exec(net.pe(1), ['capinfos', file]);
  expect(outcome).toMatchObject({ code: 0 });
  return outcome;
}

it('a VRF before crypto: the customer’s packet under its label; after: ESP', async () => {
  const after = await new Capture(['--vrf', 'A', '--after', 'crypto']).begun();
  const before = await captured(
    ['--vrf', 'A', '--before', 'crypto', '--filter', 'icmp'],
    async () => pings(4),
  );
  expect(await after.interrupt()).toBe(0);
  const clear = await dissect(before.file, ['mpls.label', ...ECHO]);
  expect(clear).toHaveLength(8);
  expect(clear[0]).toMatchObject({ 'mpls.label': '1002', 'icmp.type': '8', 'ip.src': '10.1.0.2' });
  expect(clear[1]).toMatchObject({ 'mpls.label': '1001', 'icmp.type': '0', 'ip.src': '10.2.0.2' });
  expect(clear[0]).toMatchObject({ 'frame.interface_name': 'core0', 'frame.comment': 'vrf A' });
  const wire = await dissect(after.file, ['esp.spi', 'ip.src', 'ip.proto', ...FIELDS]);
  expect(wire).toHaveLength(8);
  const spi = (end: 1 | 2): string => `0x${net.spi(end).toString(16)}`;
  expect(wire[0]).toMatchObject({ 'esp.spi': spi(1), 'ip.src': '192.0.2.1', 'ip.proto': '50' });
  expect(wire[1]).toMatchObject({ 'esp.spi': spi(2), 'ip.src': '192.0.2.2', 'ip.proto': '50' });
  // ping's payload: in the one file, and not in the other
  const payload = Buffer.from('10111213141516171819', 'hex');
  expect(readFileSync(before.file).includes(payload)).toBe(true);
  expect(readFileSync(after.file).includes(payload)).toBe(false);
});

it('drops: with the reason, and as many as the counter says', async () => {
  const reason = async (): Promise<bigint> => (await net.drops(1)).get('no_route') ?? 0n;
  const counted = await reason();
  const { file } = await captured(['--drops', '--filter', 'icmp and dst 10.77.0.1'], async () => {
    await net.ping(1, '10.77.0.1', { count: 7 });
  });
  const frames = await dissect(file, ['ip.dst', ...FIELDS]);
  expect(BigInt(frames.length)).toBe((await reason()) - counted);
  expect(frames).toHaveLength(7);
  for (const frame of frames) {
    expect(frame['frame.comment']).toBe('drop no_route: no route in the VRF; vrf A');
    expect(frame['frame.interface_name']).toBe('ce-a');
  }
});

it('ends by itself at its limits, and a filter sees nothing else', async () => {
  const capture = await new Capture([
    '--interface',
    'ce-a',
    '--count',
    '3',
    '--snap-length',
    '60',
  ]).begun();
  await net.ping(1, '10.2.0.2', { count: 5 });
  expect(await capture.exit()).toBe(0);
  expect(capture.text).toContain('3 packets captured');
  expect(capture.text).toContain('--count');
  const frames = await dissect(capture.file, ['frame.len', 'frame.cap_len']);
  expect(frames).toHaveLength(3);
  expect(frames.every((frame) => Number(frame['frame.cap_len']) <= 60)).toBe(true);
});

it.each([
  ['a bad expression', ['--drops', '--filter', 'host and or'], 2, "--filter 'host and or': "],
  ['an unknown interface', ['--interface', 'ce-b'], 5, 'did you mean "ce-a"?'],
  ['an unknown VRF', ['--vrf', 'B'], 5, 'no VRF "B"'],
  ['nowhere', [], 2, 'give exactly one of them'],
  ['two places', ['--drops', '--vrf', 'A'], 2, 'give exactly one of them'],
  ['an interface of the kernel', ['--interface', 'A (host)'], 5, 'no interface'],
])('%s is refused in words, and no file made', async (_what, options, code, words) => {
  const capture = new Capture(options);
  expect(await capture.exit()).toBe(code);
  expect(capture.text).toContain(words);
  expect(() => statSync(capture.file)).toThrow('ENOENT');
});

it('four at once, and a fifth is refused; one killed by -9 makes room at once', async () => {
  const four = [];
  for (let i = 0; i < 4; i++) four.push(await new Capture(['--drops']).begun());
  const fifth = new Capture(['--drops']);
  expect(await fifth.exit()).toBe(6);
  expect(fifth.text).toContain('4 captures run already');
  four[0]?.child.kill('SIGKILL');
  await eventually('room for another', async () => {
    const next = new Capture(['--drops', '--seconds', '1']);
    return (await next.exit()) === 0 ? true : undefined;
  });
});

it('a worker that is replaced ends it in words, and the file is whole', async () => {
  const capture = await new Capture(['--interface', 'ce-a', '--filter', 'icmp']).begun();
  await pings(3);
  await eventually('frames are written', () =>
    statSync(capture.file).size > 700 ? true : undefined,
  );
  process.kill(await net.workerPid(1), 'SIGKILL');
  expect(await capture.exit()).toBe(1);
  expect(capture.text).toContain('the worker died or was replaced');
  expect((await capinfos(capture.file)).stdout).toMatch(/Number of packets = [4-6]\b/);
  await net.reach(1, '10.2.0.2');
});

it('a supervisor killed by -9 ends it; the worker forwards on and takes others', async () => {
  const capture = await new Capture(['--drops']).begun();
  await net.killSupervisor(1);
  expect(await capture.exit()).toBe(4);
  await pings(3);
  rmSync(capture.file);
  net.start(1);
  await net.tunnelUp(1);
  for (let i = 0; i < 4; i++) await new Capture(['--drops']).begun();
});
