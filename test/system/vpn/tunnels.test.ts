// SPDX-License-Identifier: Apache-2.0
/** Tunnels and SAs that come of BGP next hops alone (P8): no configuration names a remote PE's tunnel. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../../scripts/lib/lab.js';
import type { BgpExportRule, BgpImportRule, Config } from '../../../src/config/types.js';
import { IkePes } from '../ike/ike-pes.js';
import { otherEnd, type End } from '../supervisor/two-pes.js';

let pes: IkePes;
const TARGETS = ['65001:100'];

interface Rules {
  readonly exported?: Partial<BgpExportRule>;
  readonly imported?: Partial<BgpImportRule>;
  /** A neighbour that is never there. */
  readonly absent?: string;
}

/** BGP between the PEs, IKE, and nothing else. */
function config(end: End, { exported, imported, absent }: Rules = {}): Config {
  return {
    ...pes.config(end),
    tunnels: {},
    bgp: {
      ...{ asn: 65001, routerId: `192.0.2.${end}`, tightening: { announce: 2, grace: 5 } },
      neighbours: {
        [`192.0.2.${otherEnd(end)}`]: { asn: 65001, timers: { connectRetry: 1 } },
        ...(absent !== undefined && { [absent]: { asn: 65001 } }),
      },
    },
    vrfs: {
      A: {
        addresses: [`10.255.0.${end}/32`],
        bgp: {
          rd: `65001:${end}`,
          imports: [{ name: 'all', targets: TARGETS, ...imported }],
          exports: [{ name: 'all', targets: TARGETS, protections: ['encrypt'], ...exported }],
          redistribute: { connected: true },
        },
      },
    },
  };
}

beforeAll(async () => {
  pes = await IkePes.open('vtun', { proof: 'certificates' });
  for (const end of [1, 2] as const) {
    pes.net.write(end, config(end));
    pes.net.start(end);
  }
});
afterAll(async () => {
  await pes.close();
});

async function reload(end: End, rules: Rules): Promise<void> {
  const path = pes.net.write(end, config(end, rules));
  await pes.net.client(end, async (client) => client.reload(path, false));
}

/** Waits until the route of the other end's customer goes by a tunnel that is up. */
async function uses(end: End, tunnel: string): Promise<void> {
  const { net } = pes;
  await eventually(`PE ${end} uses ${tunnel}`, async () => {
    if (net.supervisor(end).exitCode !== null) throw new Error(net.logText(end));
    const rows = await net.show(end, 'routes').catch(() => []);
    const prefix = `10.${otherEnd(end)}.0.0/24`;
    const route = rows.find((row) => row.vrf === 'A' && row.prefix === prefix);
    return route?.tunnel === tunnel && route.usable ? true : undefined;
  });
}

const ESP = 50;
const GRE = 47;
const protocols = (frames: readonly Buffer[]): number[] =>
  frames.filter((frame) => frame.readUInt16BE(12) === 0x0800).map((frame) => frame.readUInt8(23));

describe('a route of BGP', () => {
  it('makes the tunnel that its egress asks for, and IKE the SAs', async () => {
    const { net } = pes;
    for (const end of [1, 2] as const) {
      const remote = `192.0.2.${otherEnd(end)}`;
      await uses(end, `pe/${remote}/encrypt/gre`);
      const rows = await net.show(end, 'tunnels');
      expect(rows).toMatchObject([{ remote, protection: 'encrypt', state: 'up' }]);
    }
    await net.reach(1, '10.2.0.2');
    const frames = await net.capture(async () => {
      expect(await net.ping(1, '10.2.0.2', { count: 10 })).toBe(10);
    });
    for (const end of [1, 2] as const) {
      const seen = protocols(frames[end]);
      expect(seen.filter((one) => one === ESP).length).toBeGreaterThanOrEqual(10);
      expect(seen).not.toContain(GRE);
    }
  });

  it('loses nothing while a supervisor is killed and comes back', async () => {
    const { net } = pes;
    const pinging = net.ping(1, '10.2.0.2', { count: 1500, intervalMs: 10 });
    await net.killSupervisor(1);
    net.start(1);
    await uses(1, 'pe/192.0.2.2/encrypt/gre');
    expect(await pinging).toBe(1500);
  });

  it('goes by another tunnel when its egress asks for another protection (P6)', async () => {
    await reload(2, { exported: { protections: ['authenticate'], encapsulations: ['ip'] } });
    await uses(1, 'pe/192.0.2.2/authenticate/ip');
    await pes.net.reach(1, '10.2.0.2');
    const rows = await pes.net.show(2, 'sas');
    expect(rows.map(({ protection }) => protection)).toContain('authenticate');
  });

  it('goes in clear when that is all the egress asks for, and by IPsec when the ingress wants it (P4)', async () => {
    const { net } = pes;
    await reload(2, { exported: { protections: ['tunnel'] } });
    await uses(1, 'pe/192.0.2.2/tunnel/gre');
    await reload(1, { imported: { floor: 'encrypt' } });
    // What the egress names is a tunnel without IPsec: nothing that is named reaches the floor.
    const unusable = await eventually('the route says why', async () => {
      const rows = await net.show(1, 'bgp routes').catch(() => []);
      return rows.find(({ prefix, reason }) => prefix === '10.2.0.0/24' && reason !== '');
    });
    expect(unusable.reason).toMatch(/floor/);
    expect(await net.ping(1, '10.2.0.2', { count: 3 })).toBe(0);
    await reload(2, { exported: { protections: ['mpls'] } });
    await uses(1, 'pe/192.0.2.2/encrypt/gre');
    await net.reach(1, '10.2.0.2');
  });

  it('comes at once when the router was stopped, whoever else is away: nothing of before goes on', async () => {
    const { net } = pes;
    await net.lab.stop(net.supervisor(1), 'SIGINT');
    const said = net.logText(1).length;
    net.write(1, config(1, { imported: { floor: 'encrypt' }, absent: '192.0.2.77' }));
    net.start(1);
    // A restart that goes on forwarding would wait for that neighbour for six minutes.
    await uses(1, 'pe/192.0.2.2/encrypt/gre');
    expect(net.logText(1).slice(said)).not.toContain('route selection begins after the restart');
    await net.reach(1, '10.2.0.2');
  });
});
