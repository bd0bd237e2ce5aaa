// SPDX-License-Identifier: Apache-2.0
/**
 * An ingress whose supervisor is started again (policy-model 25). A neighbour that never comes back holds route selection
 * up for two minutes, longer than each of these takes; until then the rows of before forward. PE 2 takes IPv4 in clear and IPv6 encrypted.
 */
import { rmSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../../scripts/lib/lab.js';
import type { Config, Protection } from '../../../src/config/types.js';
import type { TopicRows } from '../../../src/rpc/client.js';
import { IkePes } from '../ike/ike-pes.js';
import { otherEnd, type End } from '../supervisor/two-pes.js';

const TARGETS = ['65001:100'];
const CLEAR = '10.2.0.0/24';
const SECURED = '2001:db8:a:2::/64';

let pes: IkePes;

/** `isAwaited`: by PE 1, the neighbour that never comes. */
function config(end: End, floor: Protection, isAwaited: boolean): Config {
  const { interfaces, ...base } = pes.config(end);
  const core = interfaces['core0'];
  if (core?.role !== 'core') throw new Error('the lab has no core interface');
  const timers = { connectRetry: 1, connectRetryMax: 1 };
  const away = isAwaited ? { '192.0.2.77': { asn: 65001, timers } } : {};
  return {
    ...base,
    interfaces: { ...interfaces, core0: { ...core, acceptClear: ['gre', 'ip'] } },
    tunnels: {},
    bgp: {
      ...{ asn: 65001, routerId: `192.0.2.${end}` },
      neighbours: { [`192.0.2.${otherEnd(end)}`]: { asn: 65001, timers }, ...away },
    },
    vrfs: {
      A: {
        bgp: {
          rd: `65001:${end}`,
          imports: [{ name: 'all', targets: TARGETS, floor }],
          exports: [
            ...[{ name: 'clear', prefixes: ['10.0.0.0/8'], protections: ['tunnel' as const] }],
            ...[{ name: 'secured', prefixes: ['::/0'], protections: ['encrypt' as const] }],
          ].map((rule) => ({ ...rule, targets: TARGETS })),
          redistribute: { connected: true },
        },
      },
    },
  };
}

async function route(prefix: string): Promise<TopicRows['routes'] | undefined> {
  const rows = await pes.net.show(1, 'routes').catch(() => []);
  return rows.find((row) => row.vrf === 'A' && row.prefix === prefix);
}

async function settled(): Promise<void> {
  await eventually(
    'both routes go by their tunnels',
    async () => {
      if (pes.net.supervisor(1).exitCode !== null) throw new Error(pes.net.logText(1));
      const [clear, secured] = [await route(CLEAR), await route(SECURED)];
      const fits =
        clear?.tunnel === 'pe/192.0.2.2/tunnel/gre' &&
        secured?.tunnel === 'pe/192.0.2.2/encrypt/gre' &&
        clear.usable &&
        secured.usable &&
        !clear.stale &&
        !secured.stale;
      return fits ? true : undefined;
    },
    200_000,
  );
  await pes.net.reach(1, '10.2.0.2', 60_000);
  await pes.net.reach(1, '2001:db8:a:2::2', 60_000);
}

beforeAll(async () => {
  pes = await IkePes.open('vrst', { proof: 'psk' });
  for (const end of [1, 2] as const) {
    pes.net.write(end, config(end, 'mpls', false));
    pes.net.start(end);
  }
  await settled();
}, 300_000);
afterAll(async () => {
  await pes.close();
});

/** Of PE 1. */
async function reload(floor: Protection, isAwaited: boolean): Promise<void> {
  const path = pes.net.write(1, config(1, floor, isAwaited));
  await pes.net.client(1, async (client) => client.reload(path, false));
}

/** Of a supervisor that has its configuration in force and waits for its neighbours. */
async function deferring(): Promise<void> {
  await eventually(
    'the rows of before wait for BGP',
    async () => {
      if (pes.net.supervisor(1).exitCode !== null) throw new Error(pes.net.logText(1));
      return (await route(SECURED))?.stale === true ? true : undefined;
    },
    60_000,
  );
}

const GRE = 47;
const inClear = (frames: readonly Buffer[]): number =>
  frames.filter((frame) => frame.readUInt16BE(12) === 0x0800 && frame.readUInt8(23) === GRE).length;

/** Answers to pings of the prefix in clear and of the other one, and packets in clear at PE 2 while they were sent. */
async function pings(): Promise<{ clear: number; secured: number; frames: number }> {
  const { net } = pes;
  const answers = { clear: 0, secured: 0 };
  const frames = await net.capture(async () => {
    answers.clear = await net.ping(1, '10.2.0.2', { count: 20 });
    answers.secured = await net.ping(1, '2001:db8:a:2::2', { count: 20 });
  });
  return { ...answers, frames: inClear(frames[2]) };
}

describe('rows of before a restart', () => {
  it('go on under the same configuration, and stop at once where a stricter one forbids them', async () => {
    const { net } = pes;
    await reload('mpls', true);
    await net.killSupervisor(1);
    net.start(1);
    await deferring();
    expect(await pings()).toEqual({ clear: 20, secured: 20, frames: 20 });
    const pinging = net.ping(1, '2001:db8:a:2::2', { count: 500, intervalMs: 10 });
    await reload('encrypt', true);
    expect(await pings()).toEqual({ clear: 0, secured: 20, frames: 0 });
    expect(await pinging).toBe(500);
    expect((await route(SECURED))?.stale).toBe(true);
    expect(await route(CLEAR)).toBeUndefined();
  }, 400_000);

  it('stop as well when the supervisor begins with another file', async () => {
    const { net } = pes;
    // Nobody is waited for any more.
    await reload('mpls', false);
    await settled();
    await net.killSupervisor(1);
    // Nothing is committed: it begins with the file, on the tables that forward.
    for (const name of ['committed.json', 'committed.previous.json']) {
      rmSync(`${net.run}/pe1/state/${name}`, { force: true });
    }
    net.write(1, config(1, 'encrypt', true));
    net.start(1);
    await deferring();
    expect(await pings()).toEqual({ clear: 0, secured: 20, frames: 0 });
    expect((await route(SECURED))?.stale).toBe(true);
  }, 500_000);
});
