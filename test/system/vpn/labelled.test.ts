// SPDX-License-Identifier: Apache-2.0
/**
 * Plain MPLS between two PEs that tell each other the way to themselves by labelled unicast (RFC 8277), each with a
 * transport label of its own, and a supervisor that is killed under traffic: the LSP is in use before BGP tells it again.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../../scripts/lib/lab.js';
import type { Config } from '../../../src/config/types.js';
import type { TopicRows } from '../../../src/rpc/client.js';
import { IkePes } from '../ike/ike-pes.js';
import { Stream } from '../ike/traffic.js';
import { otherEnd, type End } from '../supervisor/two-pes.js';

const TARGETS = ['65001:100'];
const LABEL = { 1: 31, 2: 32 } as const;
const FAMILIES = { 'vpnv4-unicast': {}, 'ipv4-labelled': {} };

let pes: IkePes;

function config(end: End): Config {
  const { interfaces, core, ...base } = pes.config(end);
  const core0 = interfaces['core0'];
  if (core0?.role !== 'core') throw new Error('the lab has no core interface');
  const neighbour = { asn: 65001, families: FAMILIES, timers: { connectRetry: 1 } };
  // PE 1 waits for it in vain, a while, before it selects routes.
  const away = { ...neighbour, gracefulRestart: { restartTime: 8 } };
  return {
    ...base,
    core: { ...core, transportLabels: [LABEL[end]] },
    interfaces: { ...interfaces, core0: { ...core0, mpls: 'own-sp' } },
    tunnels: {},
    bgp: {
      ...{ asn: 65001, routerId: `192.0.2.${end}` },
      labelledUnicast: { announce: LABEL[end] },
      neighbours: {
        [`192.0.2.${otherEnd(end)}`]: neighbour,
        ...(end === 1 && { '192.0.2.77': away }),
      },
    },
    vrfs: {
      A: {
        bgp: {
          rd: `65001:${end}`,
          importTargets: TARGETS,
          exports: [{ name: 'all', targets: TARGETS, protections: ['mpls'] }],
          redistribute: { connected: true },
        },
      },
    },
  };
}

const route = async (end: End): Promise<TopicRows['routes'] | undefined> => {
  const rows = await pes.net.show(end, 'routes').catch(() => []);
  return rows.find(({ vrf, prefix }) => vrf === 'A' && prefix === `10.${otherEnd(end)}.0.0/24`);
};

const sends = async (end: End, stale: boolean): Promise<true> =>
  eventually(
    `PE ${end} sends by its LSP${stale ? ' of before' : ''}`,
    async () => {
      if (pes.net.supervisor(end).exitCode !== null) throw new Error(pes.net.logText(end));
      const row = await route(end);
      const tunnel = `pe/192.0.2.${otherEnd(end)}/mpls/none`;
      return row?.tunnel === tunnel && row.usable && row.stale === stale ? true : undefined;
    },
    100_000,
  );

beforeAll(async () => {
  pes = await IkePes.open('vlab', { proof: 'psk' });
  for (const end of [1, 2] as const) {
    pes.net.write(end, config(end));
    pes.net.start(end);
  }
  for (const end of [1, 2] as const) await sends(end, false);
  await pes.net.reach(1, '10.2.0.2', 60_000);
}, 200_000);
afterAll(async () => {
  await pes.close();
});

const MPLS = 0x8847;
const entries = (frame: Buffer): number[] => [14, 18].map((at) => frame.readUInt32BE(at));

describe('an LSP of labelled unicast', () => {
  it('has the label that the far end told above that of the VPN', async () => {
    const { net } = pes;
    const vpn = Number((await route(1))?.label);
    const frames = await net.capture(async () => {
      expect(await net.ping(1, '10.2.0.2', { count: 5 })).toBe(5);
    });
    const seen = frames[2].filter((frame) => frame.readUInt16BE(12) === MPLS).map(entries);
    const there = seen.filter(([outer = 0]) => outer >>> 12 === LABEL[2]);
    expect(there).toHaveLength(5);
    for (const [outer = 0, inner = 0] of there) {
      expect([outer & 0x100, inner >>> 12, inner & 0x100]).toEqual([0, vpn, 0x100]);
    }
  });

  it.each([1, 2] as const)(
    'stays in use while the supervisor of PE %i is killed and comes back',
    async (end) => {
      const { net } = pes;
      const stream = await Stream.start(net, 1);
      await net.killSupervisor(end);
      net.start(end);
      // Those of before are in the new supervisor's hands, which goes on by what it kept.
      if (end === 1) await sends(1, true);
      await sends(end, false);
      const { sent, received, twice } = await stream.stop();
      expect(sent).toBeGreaterThan(300);
      expect({ lost: sent - received, twice }).toEqual({ lost: 0, twice: 0 });
    },
    200_000,
  );

  it('goes with the session that told it', async () => {
    const { net } = pes;
    await net.client(2, async (client) => client.stop(false));
    await eventually(
      'PE 1 has no route',
      async () => ((await route(1)) ? undefined : true),
      60_000,
    );
  }, 200_000);
});
