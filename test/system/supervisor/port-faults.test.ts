// SPDX-License-Identifier: Apache-2.0
/**
 * What a customer's port, or the worker's control thread, does when nobody empties what it fills. PE 1 of two-pes.ts has
 * another VRF, whose second customer is a testpmd (icmpecho) that can be stopped:
 *
 *   ce1 ---- VRF A, PE 1 ======== PE 2 ---- ce2      not one packet lost
 *   ceb ---- VRF B, PE 1 ---- memif ---- testpmd     the victim
 */
import type { ChildProcess } from 'node:child_process';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { eventually } from '../../../scripts/lib/lab.js';
import type { Config } from '../../../src/config/types.js';
import { Tracer } from '../../dataplane/tracer.js';
import { TwoPes } from './two-pes.js';

const CEB = 'pftceb';
const HOST_M = '10.8.0.2';

let net: TwoPes;
let tracer: Tracer;
let testpmd: ChildProcess;

const socket = (): string => `${net.run}/memif.sock`;

function withB(): Config {
  const config = net.config(1);
  const memif = `net_memif0,role=server,socket=${socket()},socket-abstract=no,rsize=6`;
  const ce = { role: 'ce', vrf: 'B' } as const;
  return {
    ...config,
    interfaces: {
      ...config.interfaces,
      'ce-b': { ...ce, device: { kernel: 'custb' }, addresses: ['10.9.0.1/24'] },
      'ce-m': { ...ce, device: { vdev: memif }, addresses: ['10.8.0.1/24'] },
    },
    vrfs: { ...config.vrfs, B: {} },
  };
}

/** Answers ARP and echo requests for every address. */
function startTestpmd(): ChildProcess {
  const memif = `net_memif0,role=client,socket=${socket()},socket-abstract=no,rsize=6`;
  return net.lab.start(
    CEB,
    [
      ...['dpdk-testpmd', '--no-huge', '-m', '128', '--no-pci', '--no-telemetry'],
      ...['--file-prefix=sealane-pft', '--lcores=0@(0-1),1@(0-1)', `--vdev=${memif}`],
      ...['--', '--forward-mode=icmpecho', '--total-num-mbufs=4096', '--stats-period=3600'],
    ],
    `${net.run}/testpmd.log`,
  );
}

beforeAll(async () => {
  net = await TwoPes.open('pft');
  tracer = new Tracer();
  await net.lab.namespace(CEB);
  net.lab.own(`${net.pe(1)}-B`);
  await net.lab.link(net.pe(1), 'custb', CEB, 'eth0');
  await net.lab.ip(CEB, ['addr add 10.9.0.2/24 dev eth0', 'route add default via 10.9.0.1']);
  net.write(1, withB());
  net.write(2);
  for (const end of [1, 2] as const) net.start(end);
  for (const end of [1, 2] as const) await net.tunnelUp(end);
  testpmd = startTestpmd();
  await net.reach(1, '10.2.0.2');
  for (const address of ['10.9.0.1', HOST_M]) await reachB(address);
});
afterAll(async () => {
  testpmd.kill('SIGCONT');
  await tracer.close();
  await net.close();
});

const dropped = async (reason: string): Promise<bigint> => (await net.drops(1)).get(reason) ?? 0n;
const portsBy = async () =>
  new Map((await net.show(1, 'ports')).map((row) => [row.interfaces, row] as const));
const worker = async () => (await net.show(1, 'workers'))[0]!;

/** Answers that customer B gets, waiting for the last one up to 15 s. */
async function answersB(address: string, count: number, intervalMs: number): Promise<number> {
  const interval = String(intervalMs / 1000);
  const argv = ['ping', '-q', '-c', String(count), '-i', interval, '-W', '15', address];
  const { stdout } = await net.lab.exec(CEB, argv);
  return Number(/(\d+) received/.exec(stdout)?.[1] ?? 0);
}
async function reachB(address: string): Promise<void> {
  await eventually(`an answer of ${address}`, async () => {
    const argv = ['ping', '-q', '-c', '1', '-W', '1', address];
    return (await net.lab.exec(CEB, argv)).code === 0 ? true : undefined;
  });
}

/** Customer A's packets while something happens: all of them arrive. */
async function nothingIsLost(during: () => Promise<void>, seconds: number): Promise<void> {
  const count = seconds * 250;
  const stream = net.ping(1, '10.2.0.2', { count, intervalMs: 4 });
  await during();
  expect(await stream).toBe(count);
}

it('a transmit ring that nobody empties: tx_full, of that port alone', async () => {
  // In a second or two: whoever is stopped answers no ARP either, and is no neighbour any more some seconds later.
  const SENT = 1000;
  const before = { ports: await portsBy(), drops: await dropped('tx_full') };
  testpmd.kill('SIGSTOP');
  try {
    await nothingIsLost(async () => {
      const argv = ['ping', '-q', '-c', String(SENT), '-i', '0.001', '-W', '1', HOST_M];
      await net.lab.exec(CEB, argv);
    }, 4);
  } finally {
    testpmd.kill('SIGCONT');
  }
  const full = (await dropped('tx_full')) - before.drops;
  expect(full).toBeGreaterThan(BigInt(SENT) / 2n);
  expect(full).toBeLessThanOrEqual(BigInt(SENT));
  for (const [interfaces, row] of await portsBy()) {
    const more = row.txFull - (before.ports.get(interfaces)?.txFull ?? 0n);
    expect([interfaces, more]).toEqual([interfaces, interfaces === 'ce-m' ? full : 0n]);
  }
  await reachB(HOST_M);
  expect(await answersB(HOST_M, 20, 10)).toBe(20);
});

/** The worker's control thread is stopped, alone, while something happens. */
async function standstill(during: () => Promise<void>): Promise<void> {
  const { pid } = await worker();
  await tracer.stop(pid);
  try {
    await during();
  } finally {
    await tracer.release(pid);
  }
}

it('a control thread that stands still: forwarding goes on, it is shown, and what waited for it is not lost', async () => {
  const { pid, starts, state } = await worker();
  expect(state).toBe('running');
  const waiting: Promise<number>[] = [];
  await nothingIsLost(async () => {
    await standstill(async () => {
      waiting.push(answersB('10.9.0.1', 50, 20)); // by the PE's kernel
      await eventually('the stall is shown', async () =>
        (await worker()).state === 'stalled' ? true : undefined,
      );
      expect((await worker()).reason).toContain('no sign of life of the control thread');
      expect(await answersB(HOST_M, 20, 10)).toBe(20);
    });
  }, 4);
  expect(await waiting[0]).toBe(50);
  // Long enough for neighbours to give the PE up, whose kernel answers no ARP meanwhile.
  await standstill(async () => {
    await eventually('the stall is told', () =>
      net.logText(1).includes('the worker stalls') ? true : undefined,
    );
  });
  await net.reach(1, '10.2.0.2');
  expect(await worker()).toMatchObject({ pid, starts, state: 'running' });
});
