// SPDX-License-Identifier: Apache-2.0
/**
 * A policy that changes while a supervisor is away (policy-model 24, 25): PE 2 exports by another class, and the
 * supervisor of the ingress, PE 1, or of PE 2 itself ends and comes back at some moment of it. A packet each millisecond
 * goes from the one customer to the other.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../../scripts/lib/lab.js';
import type { Config, Encapsulation, Protection } from '../../../src/config/types.js';
import type { TopicRows } from '../../../src/rpc/client.js';
import { IkePes } from '../ike/ike-pes.js';
import { Stream } from '../ike/traffic.js';
import { otherEnd, type End } from '../supervisor/two-pes.js';

const TARGETS = ['65001:100'];
const TIMING = { announce: 10, grace: 10 };

interface Class {
  readonly protections: readonly Protection[];
  readonly encapsulations?: readonly Encapsulation[];
}
const ENCRYPT: Class = { protections: ['encrypt'] };
const AUTHENTICATE: Class = { protections: ['authenticate'] };
const TUNNEL: Class = { protections: ['tunnel'] };

let pes: IkePes;

function config(end: End, exported: Class): Config {
  const { interfaces, ...base } = pes.config(end);
  const core = interfaces['core0'];
  if (core?.role !== 'core') throw new Error('the lab has no core interface');
  return {
    ...base,
    interfaces: { ...interfaces, core0: { ...core, acceptClear: ['gre', 'ip'] } },
    tunnels: {},
    bgp: {
      ...{ asn: 65001, routerId: `192.0.2.${end}`, tightening: TIMING },
      neighbours: { [`192.0.2.${otherEnd(end)}`]: { asn: 65001, timers: { connectRetry: 1 } } },
    },
    vrfs: {
      A: {
        bgp: {
          rd: `65001:${end}`,
          importTargets: TARGETS,
          exports: [{ name: 'all', targets: TARGETS, ...exported }],
          redistribute: { connected: true },
        },
      },
    },
  };
}

beforeAll(async () => {
  pes = await IkePes.open('vchr', { proof: 'psk' });
  for (const end of [1, 2] as const) {
    // There is no SA yet: the first change has to set one up.
    pes.net.write(end, config(end, TUNNEL));
    pes.net.start(end);
  }
  await sendsBy('tunnel');
}, 200_000);
afterAll(async () => {
  await pes.close();
});

async function reload(exported: Class): Promise<void> {
  const path = pes.net.write(2, config(2, exported));
  await pes.net.client(2, async (client) => client.reload(path, false));
}

function stillRunning(): void {
  for (const end of [1, 2] as const) {
    const { exitCode, signalCode } = pes.net.supervisor(end);
    if (exitCode !== null || (signalCode !== null && signalCode !== 'SIGKILL')) {
      throw new Error(pes.net.logText(end));
    }
  }
}

/** Waits until PE 1 sends by a tunnel. */
const sendsBy = async (protection: Protection, encapsulation = 'gre'): Promise<string> =>
  eventually(
    `PE 1 sends by ${protection} in ${encapsulation}`,
    async () => {
      stillRunning();
      const rows = await pes.net.show(1, 'routes').catch(() => []);
      const row = rows.find((one) => one.vrf === 'A' && one.prefix === '10.2.0.0/24');
      const fits = row?.tunnel === `pe/192.0.2.2/${protection}/${encapsulation}` && row.usable;
      return fits && !row.stale ? String(row.label) : undefined;
    },
    120_000,
  );

const transitions = async (): Promise<TopicRows['transitions'][]> =>
  pes.net.show(2, 'transitions').catch(() => []);

const inStep = async (...steps: readonly string[]): Promise<TopicRows['transitions']> =>
  eventually(
    `step ${steps.join(' or ')}`,
    async () => (await transitions()).find((row) => steps.includes(row.step)),
    120_000,
  );

/** Of a supervisor whose configuration is in force: one that starts shows nothing yet. */
const settled = async (): Promise<true> =>
  eventually(
    'no change is under way',
    async () => {
      const labels = await pes.net.show(2, 'labels').catch(() => []);
      const rows = await pes.net.show(2, 'transitions').catch(() => undefined);
      return labels.length > 0 && rows?.length === 0 ? true : undefined;
    },
    200_000,
  );

/** A route by this class that nothing has happened to for a while. */
async function begin(exported: Class): Promise<void> {
  await reload(exported);
  await settled();
  const [protection = 'encrypt'] = exported.protections;
  await sendsBy(protection, exported.encapsulations?.[0]);
  await pes.net.reach(1, '10.2.0.2', 60_000);
}

/** That nothing is lost while `work` runs, and why if something is. */
async function lossless(work: () => Promise<void>): Promise<void> {
  const { net } = pes;
  const before = { 1: await net.drops(1), 2: await net.drops(2) };
  const stream = await Stream.start(net, 1);
  await work();
  const { sent, received, twice } = await stream.stop();
  const risen: string[] = [];
  for (const end of [1, 2] as const) {
    for (const [reason, packets] of await net.drops(end)) {
      const more = packets - (before[end].get(reason) ?? 0n);
      if (more > 0n) risen.push(`PE ${end} ${reason} ${more}`);
    }
  }
  expect(sent).toBeGreaterThan(1_000);
  expect({ lost: sent - received, twice, risen }).toEqual({ lost: 0, twice: 0, risen: [] });
}

describe('an ingress that is away while the class changes', () => {
  it.each([
    { name: 'tunnel to encrypt, no SA before', from: TUNNEL, back: ['telling', 'grace'] },
    { name: 'authenticate to encrypt', from: AUTHENTICATE, back: ['telling', 'grace'] },
    { name: 'tunnel to encrypt', from: TUNNEL, back: ['announce'] },
    { name: 'authenticate to encrypt', from: AUTHENTICATE, back: ['announce'] },
  ])(
    '$name: is back in step $back.0',
    async ({ from, back }) => {
      await begin(from);
      await lossless(async () => {
        await pes.net.killSupervisor(1);
        await reload(ENCRYPT);
        await inStep(...back);
        pes.net.start(1);
        await sendsBy('encrypt');
        await settled();
        await sendsBy('encrypt');
      });
    },
    500_000,
  );
});

describe('an egress that is killed while its class changes', () => {
  // Steps are taken once a second: some of these are in the midst of one.
  it.each([
    { name: 'authenticate to encrypt', from: AUTHENTICATE, at: -500 },
    { name: 'tunnel to encrypt', from: TUNNEL, at: -200 },
    { name: 'authenticate to encrypt', from: AUTHENTICATE, at: 400 },
    { name: 'tunnel to encrypt', from: TUNNEL, at: 1000 },
  ])(
    '$name: loses nothing, $at ms from the switch',
    async ({ from, at }) => {
      await begin(from);
      await lossless(async () => {
        await reload(ENCRYPT);
        const { secondsLeft = 0 } = await inStep('announce');
        await new Promise((wake) => setTimeout(wake, Math.max(0, secondsLeft * 1000 + at)));
        await pes.net.killSupervisor(2);
        pes.net.start(2);
        await settled();
        await sendsBy('encrypt');
      });
    },
    500_000,
  );
});
