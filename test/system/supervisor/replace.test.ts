import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Config } from '../../../src/config/types.js';
import { TwoPes } from './two-pes.js';

let net: TwoPes;
beforeAll(async () => {
  net = await TwoPes.open('rpl');
  await net.up();
  await net.reach(1, '10.2.0.2');
  await net.reach(1, '2001:db8:a:2::2');
});
afterAll(async () => {
  await net.close();
});

/** Every (SPI, sequence number, IV) that crossed the core towards an end. */
const espNumbers = (frames: readonly Buffer[]): string[] =>
  frames
    .filter((frame) => frame.readUInt16BE(12) === 0x0800 && frame.readUInt8(23) === 50)
    .map((frame) => frame.toString('hex', 34, 50));

async function restart(): Promise<{ pid: number; before: number; lossy: string }> {
  return net.client(1, async (client) => client.restartWorker());
}

const drops = async (end: 1 | 2, reason: string): Promise<bigint> =>
  (await net.drops(end)).get(reason) ?? 0n;

it('the worker is replaced three times under traffic: nothing is lost, nothing comes twice', async () => {
  const worker = await net.workerPid(1);
  const seen = await net.capture(async () => {
    const flood = net.ping(1, '10.2.0.2', { count: 3000, intervalMs: 3 });
    const back = net.ping(2, '2001:db8:a:1::2', { count: 3000, intervalMs: 3 });
    for (let last = worker, round = 0; round < 3; round++) {
      await new Promise((wake) => setTimeout(wake, 700));
      const { pid, before, lossy } = await restart();
      expect(lossy).toBe('');
      expect(before).toBe(last);
      expect(pid).not.toBe(last);
      last = pid;
    }
    expect(await flood).toBe(3000);
    expect(await back).toBe(3000);
  });
  expect(() => process.kill(worker, 0)).toThrow('ESRCH');
  const numbers = espNumbers(seen[2]); // what PE 1 sent
  expect(numbers.length).toBeGreaterThanOrEqual(6000);
  expect(new Set(numbers).size).toBe(numbers.length);
  // One that both workers had taken would be a replay at the far end, or an echo too many.
  for (const end of [1, 2] as const) expect(await drops(end, 'esp_replayed')).toBe(0n);
});

it('a reload with another port loses nothing either, and what the kernel sends waits as well', async () => {
  await net.lab.link(net.pe(1), 'cust2', net.ce(1), 'eth1');
  const base = net.config(1);
  const more: Config = {
    ...base,
    interfaces: {
      ...base.interfaces,
      'ce-b': { role: 'ce', vrf: 'B', device: { kernel: 'cust2' }, addresses: ['10.1.0.1/24'] },
    },
    vrfs: { ...base.vrfs, B: {} },
  };
  const worker = await net.workerPid(1);
  const flood = net.ping(1, '10.2.0.2', { count: 2000, intervalMs: 4 });
  // From the PE's own address in the VRF: by the host TAP, whose queue the next worker gets.
  const own = net.lab.exec(net.vrfNetns(1), [
    ...['ping', '-q', '-i', '0.01', '-c', '600', '-W', '3', '-I', '10.255.0.1', '10.2.0.2'],
  ]);
  for (const config of [more, base]) {
    const path = net.write(1, config);
    const reply = await net.client(1, async (client) => client.reload(path, false));
    expect(reply).toMatchObject({ applied: true, restarted: ['worker'] });
  }
  expect(await flood).toBe(2000);
  expect((await own).stdout).toMatch(/600 packets transmitted, 600 received/);
  expect(await net.workerPid(1)).not.toBe(worker);
});

it('a port that one process alone can have: the worker is replaced with a loss, which is said', async () => {
  const base = net.config(1);
  const memif = { vdev: `net_memif0,role=server,socket=${net.run}/memif.sock,socket-abstract=no` };
  const mixed: Config = {
    ...base,
    interfaces: {
      ...base.interfaces,
      'ce-m': { role: 'ce', vrf: 'A', device: memif, addresses: ['10.9.0.1/24'] },
    },
  };
  const path = net.write(1, mixed);
  await net.client(1, async (client) => client.reload(path, false));
  const { lossy } = await restart();
  expect(lossy).toContain('net_memif gives its frames to one process only');
  expect(net.logText(1)).toContain('packets will be lost while the worker is replaced');
  await net.reach(1, '10.2.0.2');
  // And after one that was replaced so, one without loss again.
  const back = net.write(1, base);
  await net.client(1, async (client) => client.reload(back, false));
  expect((await restart()).lossy).toBe('');
  expect(await net.ping(1, '10.2.0.2', { count: 50, intervalMs: 5 })).toBe(50);
});

it('a standby that dies before its turn: the worker forwards on, and the next try succeeds', async () => {
  const worker = await net.workerPid(1);
  const flood = net.ping(1, '10.2.0.2', { count: 1500, intervalMs: 4 });
  const killed = net.killStandby(1);
  const attempt = restart().then(
    () => 'replaced',
    (error: unknown) => String(error),
  );
  await killed;
  expect(await attempt).toMatch(/was ended by SIGKILL|the worker closed the connection/);
  expect(await net.workerPid(1)).toBe(worker);
  expect((await restart()).lossy).toBe('');
  expect(await flood).toBe(1500);
});
