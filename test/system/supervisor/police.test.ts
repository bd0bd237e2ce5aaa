// SPDX-License-Identifier: Apache-2.0
/** Policers as an operator has them: two flows of a customer through a protected tunnel, counters, a reload. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { eventually } from '../../../scripts/lib/lab.js';
import type { Config, Police } from '../../../src/config/types.js';
import { TwoPes } from './two-pes.js';

const FLOW = fileURLToPath(new URL('udp_flow.py', import.meta.url));
const BYTES = 1000;
const [EF, AF11, AF12] = [46 << 2, 10 << 2, 12 << 2] as const;

const classes = { voice: { dscp: ['ef'] }, bulk: { dscp: ['af11', 12] } };
const bulk = { rate: 250_000, burst: 20_000, excessBurst: 50_000 };
const police = (voiceRate: number): Police => ({
  classes: {
    voice: { rate: voiceRate, burst: 60_000 },
    bulk: { ...bulk, yellow: { dscp: 'af12' } },
  },
});

let net: TwoPes;
const config = (rate: number): Config => {
  const base = net.config(1);
  const { core0, 'ce-a': a } = base.interfaces;
  if (core0 === undefined || a?.role !== 'ce') throw new Error('no such interfaces');
  const interfaces = { core0, 'ce-a': { ...a, police: police(rate) } };
  return { ...base, classes, interfaces };
};
beforeAll(async () => {
  net = await TwoPes.open('pol');
  net.write(1, config(500_000));
  net.write(2);
  for (const end of [1, 2] as const) net.start(end);
  for (const end of [1, 2] as const) await net.tunnelUp(end);
  await net.reach(1, '10.2.0.2');
});
afterAll(async () => {
  await net.close();
});

/** A flow of `count` packets, and what came of it by TOS octet. */
async function flow(port: number, tos: number, count: number, perSecond: number) {
  const log = `${net.run}/flow-${port}`;
  const receiver = net.lab.start(net.ce(2), ['python3', FLOW, 'receive', `${port}`], log);
  await eventually('the receiver is there', () =>
    readFileSync(log, 'utf8').includes('ready') ? true : undefined,
  );
  const argv = ['python3', FLOW, 'send', '10.2.0.2', ...[port, tos, count, perSecond].map(String)];
  const { stdout } = await net.lab.exec(net.ce(1), argv, { timeoutMs: 60_000 });
  const came = await eventually('it has received', () => {
    const text = readFileSync(log, 'utf8').split('\n')[1] ?? '';
    return text === '' ? undefined : (JSON.parse(text) as Record<string, number>);
  });
  await net.lab.stop(receiver, 'SIGTERM');
  return { seconds: Number(stdout), came };
}

async function counted(name: string) {
  const row = (await net.show(1, 'policers')).find((one) => one.class === name);
  if (row === undefined) throw new Error(`no policer of ${name}`);
  expect(row.greenBytes).toBe(row.greenPackets * BigInt(BYTES));
  const count = { green: Number(row.greenPackets), yellow: Number(row.yellowPackets) };
  return { ...count, red: Number(row.redPackets) };
}

const policed = async (): Promise<number> => Number((await net.drops(1)).get('policed') ?? 0n);

it('two flows at four times their rates: each has its own, and every packet is counted', async () => {
  const before = await policed();
  const [voice, bulkFlow] = await Promise.all([
    flow(5001, EF, 1000, 250),
    flow(5002, AF11, 500, 125),
  ]);
  const v = await counted('voice');
  expect(v.green + v.red).toBe(1000);
  expect([v.yellow, voice.came]).toEqual([0, { [EF]: v.green }]);
  // 62.5 packets a second, and the burst; the times are the sender's, and on a busy machine not those of the arrival
  const want = voice.seconds * 62.5 + 60;
  expect(v.green).toBeGreaterThan(want * 0.9);
  expect(v.green).toBeLessThan(want * 1.1);
  const b = await counted('bulk');
  expect(b.green + b.yellow + b.red).toBe(500);
  expect(bulkFlow.came).toEqual({ [AF11]: b.green, [AF12]: b.yellow });
  expect(b.yellow).toBeGreaterThanOrEqual(50);
  expect(b.green + b.yellow).toBeLessThan((bulkFlow.seconds * 31.25 + 70) * 1.1);
  expect((await policed()) - before).toBe(v.red + b.red);
});

it('what is in no class that has one passes', async () => {
  const { came } = await flow(5003, 0, 500, 250);
  expect(came).toEqual({ 0: 500 });
});

it('another rate is in force without a loss beyond it, and counters go on', async () => {
  const before = await counted('voice');
  const sent = flow(5004, EF, 1500, 250);
  await eventually('the old rate is exceeded', async () =>
    (await counted('voice')).red > before.red + 50 ? true : undefined,
  );
  const path = net.write(1, config(1_500_000));
  const reply = await net.client(1, async (client) => client.reload(path, false));
  expect(reply).toMatchObject({ applied: true, restarted: [] });
  expect(reply.changes.map((change) => change.path)).toEqual([
    'interfaces["ce-a"].police.classes.voice.rate',
  ]);
  const { seconds, came } = await sent;
  const after = await counted('voice');
  const green = after.green - before.green;
  expect(green + after.red - before.red).toBe(1500);
  expect(came).toEqual({ [EF]: green });
  // more than the old rate would have let through, less than the new one
  expect(green).toBeGreaterThan(seconds * 62.5 + 60 + 75);
  expect(green).toBeLessThan((seconds * 187.5 + 60) * 1.1);
  expect((await net.show(1, 'policers')).find((row) => row.class === 'voice')).toMatchObject({
    ...{
      interface: 'ce-a',
      vrf: 'A',
      meter: 'srtcm',
      rate: 1_500_000n,
      burst: 60_000,
      red: 'drop',
    },
  });
});

it('a policer that is taken away polices no more', async () => {
  const path = net.write(1, net.config(1));
  await net.client(1, async (client) => client.reload(path, false));
  expect(await net.show(1, 'policers')).toEqual([]);
  expect((await flow(5005, EF, 500, 250)).came).toEqual({ [EF]: 500 });
});
