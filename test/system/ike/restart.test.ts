// SPDX-License-Identifier: Apache-2.0
/** IKE SAs and their traffic outlive the supervisor, and the worker's death. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { eventually } from '../../../scripts/lib/lab.js';
import { loadAddon } from '../../../src/forwarding/addon/load.js';
import { instancePaths } from '../../../src/supervisor/paths.js';
import { IkePes } from './ike-pes.js';
import { Stream } from './traffic.js';

let pes: IkePes;
beforeAll(async () => {
  pes = await IkePes.open('ikrs', { proof: 'psk' });
  await pes.up();
  await pes.settled();
});
afterAll(async () => {
  await pes.close();
});

const names = async (): Promise<string[]> => [
  ...(await pes.sas(1)).map((sa) => sa.initiatorSpi),
  ...(await pes.children(1)).map((child) => child.inboundSpi),
];

it('kill -9 of a supervisor: no packet is lost, and its successor goes on with the same SAs', async () => {
  const { net } = pes;
  const before = await names();
  expect(before).toHaveLength(2);
  const streams = [await Stream.start(net, 1), await Stream.start(net, 2)];
  await net.killSupervisor(1);
  await new Promise((wake) => setTimeout(wake, 1000));
  net.start(1);
  await net.tunnelUp(1);
  await eventually('the IKE SA is known again', async () =>
    (await pes.sas(1)).length === 1 ? true : undefined,
  );
  expect(await names()).toEqual(before);
  // They are alive at both ends: each can replace them.
  expect(await pes.rekey(1, 'child')).toBe(1);
  await pes.settled();
  expect(await pes.rekey(2, 'child')).toBe(1);
  await pes.settled();
  expect(await names()).not.toEqual(before);
  for (const stream of streams) {
    const { sent, received, twice } = await stream.stop();
    expect({ lost: sent - received, twice }).toEqual({ lost: 0, twice: 0 });
  }
  expect((await pes.counters(2)).get('peers_dead') ?? 0).toBe(0);
});

it('SIGTERM of a supervisor: the same', async () => {
  const { net } = pes;
  await pes.settled();
  const before = await names();
  const stream = await Stream.start(net, 2);
  await net.lab.stop(net.supervisor(1), 'SIGTERM');
  net.start(1);
  await net.tunnelUp(1);
  await eventually('the IKE SA is known again', async () =>
    (await pes.sas(1)).length === 1 ? true : undefined,
  );
  expect(await names()).toEqual(before);
  const { sent, received } = await stream.stop();
  expect(sent - received).toBe(0);
});

it('kill -9 of a worker: the next one has the keys, and rekeys go on', async () => {
  const { net } = pes;
  await pes.settled();
  const before = await names();
  const pid = await net.workerPid(1);
  process.kill(pid, 'SIGKILL');
  await eventually('another worker', async () => {
    const now = await net.workerPid(1).catch(() => 0);
    return now !== 0 && now !== pid ? true : undefined;
  });
  await net.reach(1, '10.2.0.2');
  expect(await names()).toEqual(before);
  expect(await pes.rekey(1, 'child')).toBe(1);
  await pes.settled();
  await net.reach(1, '10.2.0.2');
});

it('a stop deletes the SAs at the peer', async () => {
  const { net } = pes;
  const log = net.logText(1).length;
  await net.lab.stop(net.supervisor(1), 'SIGINT', 60_000);
  expect(net.logText(1).slice(log)).toContain('stopped');
  await eventually('the peer has none', async () =>
    (await net.show(2, 'sas')).length === 0 ? true : undefined,
  );
  // With the segment that counted for them: without it, opening would drop them.
  const left = loadAddon().openTables(instancePaths(pes.config(1)));
  expect(left.attached).toBe('reattached');
  const rows = [...left.sas('in'), ...left.sas('out')];
  left.close();
  expect(rows).toEqual([]);
});
