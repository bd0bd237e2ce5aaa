import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { eventually } from '../../../scripts/lib/lab.js';
import { TwoPes, type End } from './two-pes.js';

let net: TwoPes;
beforeAll(async () => {
  net = await TwoPes.open('rst');
  await net.up();
});
afterAll(async () => {
  await net.close();
});
beforeEach(async () => {
  await net.reach(1, '10.2.0.2');
  await net.reach(1, '2001:db8:a:2::2');
});

/** What must survive: device indices (a new TAP has another), addresses, neighbours. */
async function kernelState(end: End): Promise<string> {
  const argv = [
    'sh',
    '-c',
    'ip -o link show; ip -o addr show; ip -o neigh show nud permanent; ip route',
  ];
  const inVrf = await net.lab.must(net.vrfNetns(end), argv);
  const core = await net.lab.must(net.pe(end), [
    'sh',
    '-c',
    'ip -o link show core0; ip -o addr show core0',
  ]);
  // Counters of address life times do not matter.
  return `${inVrf}${core}`.replaceAll(/\d+sec/g, '');
}

const neighbours = async (end: End): Promise<string> =>
  net.lab.must(net.vrfNetns(end), [
    'sh',
    '-c',
    'ip neigh show dev ce-a to 10.0.0.0/8 | cut -d" " -f1-3',
  ]);

/** Every (SPI, sequence number, IV) that crossed the core towards an end. */
function espNumbers(frames: readonly Buffer[]): string[] {
  return frames
    .filter((frame) => frame.readUInt16BE(12) === 0x0800 && frame.readUInt8(23) === 50)
    .map((frame) => frame.toString('hex', 34, 50));
}

it('kill -9 of the supervisor: no packet is lost, and its successor rewrites nothing', async () => {
  const worker = await net.workerPid(1);
  const before = await kernelState(1);
  const flood = net.ping(1, '10.2.0.2', { count: 1500, intervalMs: 5 });
  await new Promise((wake) => setTimeout(wake, 500));
  await net.killSupervisor(1);
  await new Promise((wake) => setTimeout(wake, 1000));
  net.start(1);
  await net.tunnelUp(1);
  expect(await flood).toBe(1500);
  expect(await net.workerPid(1)).toBe(worker);
  expect(await kernelState(1)).toBe(before);
  const said = net
    .logText(1)
    .split('\n')
    .findLast((line) => line.includes('configuration in force'));
  expect(said).toMatch(/ vrfs=0 interfaces=0 nexthops=0 labels=0 routes=0 confirmed=[1-9]/);
  expect((await net.show(1, 'routes')).some(({ stale }) => stale)).toBe(false);
});

it('while the supervisor is dead, what it knew stays in force', async () => {
  await net.killSupervisor(1);
  await new Promise((wake) => setTimeout(wake, 2000));
  expect(await net.ping(1, '10.2.0.2', { count: 100, intervalMs: 5 })).toBe(100);
  expect(await net.ping(1, '2001:db8:a:2::2', { count: 100, intervalMs: 5 })).toBe(100);
  net.start(1);
  await net.tunnelUp(1);
});

it('SIGTERM of the supervisor leaves the worker forwarding', async () => {
  const worker = await net.workerPid(1);
  const child = net.supervisor(1);
  const exit = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  expect(await exit).toBe(0);
  expect(await net.ping(1, '10.2.0.2', { count: 50, intervalMs: 5 })).toBe(50);
  net.start(1);
  await net.tunnelUp(1);
  expect(await net.workerPid(1)).toBe(worker);
});

it('kill -9 of the worker: it forwards again, the kernel part is as it was, no IV comes twice', async () => {
  const kernel = await kernelState(1);
  const known = await neighbours(1);
  const seen = await net.capture(async () => {
    for (let round = 0; round < 3; round++) {
      const flood = net.ping(1, '10.2.0.2', { count: 2000, intervalMs: 2 });
      await new Promise((wake) => setTimeout(wake, 700));
      const worker = await net.workerPid(1);
      process.kill(worker, 'SIGKILL');
      await eventually('another worker runs', async () => {
        const [row] = await net.show(1, 'workers');
        return row?.state === 'running' && row.pid !== worker ? true : undefined;
      });
      expect(await flood).toBeGreaterThan(500);
      await net.reach(1, '10.2.0.2');
      expect(await net.ping(1, '10.2.0.2', { count: 50, intervalMs: 5 })).toBe(50);
    }
  });
  expect(await kernelState(1)).toBe(kernel);
  expect(await neighbours(1)).toBe(known);
  const numbers = espNumbers(seen[2]); // what PE 1 sent
  expect(numbers.length).toBeGreaterThan(1500);
  expect(new Set(numbers).size).toBe(numbers.length);
  expect(new Set(numbers.map((n) => n.slice(0, 8)))).toEqual(new Set([net.spi(1).toString(16)]));
});

it('both killed at once: a new pair goes on with the same SAs', async () => {
  const [before] = await net.show(1, 'sas');
  const worker = await net.workerPid(1);
  await net.killSupervisor(1);
  process.kill(worker, 'SIGKILL');
  net.start(1);
  await net.tunnelUp(1);
  await net.reach(1, '10.2.0.2');
  await net.reach(1, '2001:db8:a:2::2');
  const [after] = await net.show(1, 'sas');
  expect(after!.sequence).toBeGreaterThan(before!.sequence);
  expect((await net.drops(2)).get('esp_replayed') ?? 0n).toBe(0n);
});
