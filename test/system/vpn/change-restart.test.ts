// SPDX-License-Identifier: Apache-2.0
/**
 * A policy that changes while a supervisor is away (policy-model 24, 25): PE 2 exports by another class, and the
 * supervisor of the ingress, PE 1, or of PE 2 itself ends and comes back at some moment of it. IPv4 comes from one class,
 * IPv6 from another one, at the same time, and a packet of each goes each millisecond from the one customer to the other.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../../scripts/lib/lab.js';
import type { Config, Protection } from '../../../src/config/types.js';
import type { TopicRows } from '../../../src/rpc/client.js';
import { IkePes } from '../ike/ike-pes.js';
import { Stream } from '../ike/traffic.js';
import { otherEnd, type End } from '../supervisor/two-pes.js';

const TARGETS = ['65001:100'];
type Timing = Readonly<Record<'announce' | 'grace', number>>;
const TIMING: Timing = { announce: 6, grace: 6 };
/** Time for an IKE SA to be opened, and opened anew when the first opening is lost. */
const LONG: Timing = { announce: 20, grace: 4 };
/** Of changes that may lose something. */
const AT_ONCE: Timing = { announce: 0, grace: 0 };

/** How IPv4 and IPv6 are exported. */
type Classes = readonly [ipv4: Protection, ipv6: Protection];
const CLEAR: Classes = ['tunnel', 'tunnel'];
/** In clear and authenticated: where the cases begin. */
const LAX: Classes = ['tunnel', 'authenticate'];
const ENCRYPT: Classes = ['encrypt', 'encrypt'];
const PREFIXES = ['10.2.0.0/24', '2001:db8:a:2::/64'] as const;

let pes: IkePes;

function config(end: End, [ipv4, ipv6]: Classes, tightening = TIMING): Config {
  const { interfaces, ...base } = pes.config(end);
  const core = interfaces['core0'];
  if (core?.role !== 'core') throw new Error('the lab has no core interface');
  // Each restart of the other end within a minute would have it wait twice as long, up to two minutes.
  const neighbour = { asn: 65001, timers: { connectRetry: 1, connectRetryMax: 1 } };
  return {
    ...base,
    interfaces: { ...interfaces, core0: { ...core, acceptClear: ['gre', 'ip'] } },
    tunnels: {},
    bgp: {
      ...{ asn: 65001, routerId: `192.0.2.${end}`, tightening },
      neighbours: { [`192.0.2.${otherEnd(end)}`]: neighbour },
    },
    vrfs: {
      A: {
        bgp: {
          rd: `65001:${end}`,
          importTargets: TARGETS,
          exports: [
            ...[{ name: 'ipv4', prefixes: ['0.0.0.0/0'], protections: [ipv4] }],
            ...[{ name: 'ipv6', prefixes: ['::/0'], protections: [ipv6] }],
          ].map((rule) => ({ ...rule, targets: TARGETS })),
          redistribute: { connected: true },
        },
      },
    },
  };
}

/** Two PEs of their own for the tests around it. There is no SA yet: the first change has to set one up. */
function lab(name: string): void {
  beforeAll(async () => {
    pes = await IkePes.open(name, { proof: 'psk' });
    for (const end of [1, 2] as const) {
      pes.net.write(end, config(end, CLEAR));
      pes.net.start(end);
    }
    await sendsBy(CLEAR);
  }, 200_000);
  afterAll(async () => {
    await pes.close();
  });
}

async function reload(exported: Classes, timing = TIMING): Promise<void> {
  const path = pes.net.write(2, config(2, exported, timing));
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

/** Waits until PE 1 sends by these. */
const sendsBy = async (protections: Classes): Promise<true> =>
  eventually(
    `PE 1 sends by ${protections.join(' and ')}`,
    async () => {
      stillRunning();
      const rows = await pes.net.show(1, 'routes').catch(() => []);
      const fits = PREFIXES.map((prefix, i) => {
        const row = rows.find((one) => one.vrf === 'A' && one.prefix === prefix);
        const tunnel = `pe/192.0.2.2/${String(protections[i])}/gre`;
        return row?.tunnel === tunnel && row.usable && !row.stale;
      });
      return fits.every((each) => each) ? true : undefined;
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

/** Routes by these classes, and no change under way. */
async function begin(exported: Classes): Promise<void> {
  await reload(exported, AT_ONCE);
  await settled();
  await sendsBy(exported);
  await pes.net.reach(1, '10.2.0.2', 60_000);
  await pes.net.reach(1, '2001:db8:a:2::2', 60_000);
}

/** That nothing is lost while `work` runs, and why if something is. */
async function lossless(work: () => Promise<void>): Promise<void> {
  const { net } = pes;
  const before = { 1: await net.drops(1), 2: await net.drops(2) };
  const streams = [await Stream.start(net, 1, 4), await Stream.start(net, 1, 6)];
  await work();
  const delivered = await Promise.all(streams.map((stream) => stream.stop()));
  const risen: string[] = [];
  for (const end of [1, 2] as const) {
    for (const [reason, packets] of await net.drops(end)) {
      const more = packets - (before[end].get(reason) ?? 0n);
      if (more > 0n) risen.push(`PE ${end} ${reason} ${more}`);
    }
  }
  const lost = delivered.map(({ sent, received }) => sent - received);
  const twice = delivered.map((stream) => stream.twice);
  expect({ lost, twice, risen }).toEqual({ lost: [0, 0], twice: [0, 0], risen: [] });
  for (const { sent } of delivered) expect(sent).toBeGreaterThan(1_000);
}

/** Kills the supervisor of PE 2, and waits until the change is over. */
async function killEgress(): Promise<void> {
  await pes.net.killSupervisor(2);
  pes.net.start(2);
  await settled();
  await sendsBy(ENCRYPT);
}

describe('before there is any SA', () => {
  lab('vchs');

  it('an egress that is killed while the first IKE SA is opened loses nothing', async () => {
    await pes.net.reach(1, '10.2.0.2', 60_000);
    await pes.net.reach(1, '2001:db8:a:2::2', 60_000);
    await lossless(async () => {
      await reload(ENCRYPT, LONG);
      await inStep('announce');
      await killEgress();
    });
  }, 500_000);
});

describe('a policy that changes', () => {
  lab('vchr');

  describe('an ingress that is away while the class changes', () => {
    it.each([
      { name: 'tunnel to encrypt, no SA before', from: CLEAR, back: ['telling', 'grace'] },
      { name: 'tunnel and authenticate to encrypt', from: LAX, back: ['telling', 'grace'] },
      { name: 'tunnel and authenticate to encrypt', from: LAX, back: ['announce'] },
    ])(
      '$name: is back in step $back.0',
      async ({ from, back }) => {
        await begin(from);
        await lossless(async () => {
          await pes.net.killSupervisor(1);
          await reload(ENCRYPT);
          await inStep(...back);
          pes.net.start(1);
          await sendsBy(ENCRYPT);
          await settled();
          await sendsBy(ENCRYPT);
        });
      },
      500_000,
    );
  });

  describe('an egress that is killed while its class changes', () => {
    // Steps are taken once a second: some of these are in the midst of one.
    it.each([
      { when: 'as the announcement begins', at: undefined },
      { when: '500 ms before the switch', at: -500 },
      { when: '200 ms before the switch', at: -200 },
      { when: '400 ms after the switch', at: 400 },
      { when: '1000 ms after the switch', at: 1000 },
    ])(
      'tunnel and authenticate to encrypt: loses nothing, $when',
      async ({ at }) => {
        await begin(LAX);
        await lossless(async () => {
          await reload(ENCRYPT);
          const { secondsLeft = 0 } = await inStep('announce');
          const wait = at === undefined ? 0 : Math.max(0, secondsLeft * 1000 + at);
          await new Promise((wake) => setTimeout(wake, wait));
          await killEgress();
        });
      },
      500_000,
    );
  });
});
