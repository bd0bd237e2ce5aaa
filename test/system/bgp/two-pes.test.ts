// SPDX-License-Identifier: Apache-2.0
/** The VPN's routes and labels by BGP between two PEs; SAs and tunnels are still configured. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../../scripts/lib/lab.js';
import type { Config } from '../../../src/config/types.js';
import { otherEnd, TwoPes, type End } from '../supervisor/two-pes.js';

let net: TwoPes;
beforeAll(async () => {
  net = await TwoPes.open('tbgp');
  for (const end of [1, 2] as const) {
    net.write(end, config(end));
    net.start(end);
  }
  for (const end of [1, 2] as const) await net.tunnelUp(end);
});
afterAll(async () => {
  await net.close();
});

/** As {@link TwoPes.config}, with BGP in the place of static routes and labels. */
function config(end: End, vrf: Partial<NonNullable<Config['vrfs']>[string]> = {}): Config {
  const base = net.config(end);
  const targets = ['65001:100'];
  return {
    ...base,
    bgp: {
      ...{ asn: 65001, routerId: `192.0.2.${end}` },
      neighbours: { [`192.0.2.${otherEnd(end)}`]: { asn: 65001, timers: { connectRetry: 1 } } },
    },
    vrfs: {
      A: {
        addresses: [`10.255.0.${end}/32`],
        bgp: {
          ...{ rd: `65001:${end}`, importTargets: targets, exportTargets: targets },
          redistribute: { connected: true, static: true },
        },
        ...vrf,
      },
    },
  };
}

async function reload(end: End, to: Config): Promise<void> {
  const path = net.write(end, to);
  await net.client(end, async (client) => client.reload(path, false));
}

async function routeTo(end: End, prefix: string, there = true): Promise<void> {
  await eventually(`PE ${end} ${there ? 'has' : 'has no'} ${prefix}`, async () => {
    for (const any of [1, 2] as const) {
      if (net.supervisor(any).exitCode !== null) throw new Error(net.logText(any));
    }
    const rows = await net.show(end, 'routes').catch(() => []);
    const found = rows.some(
      (row) => row.vrf === 'A' && row.prefix === prefix && row.owner === 'bgp',
    );
    return found === there ? true : undefined;
  });
}

describe('VPN routes by BGP', () => {
  it('brings IPv4 and IPv6 routes of the other PE into the VRF, and pings cross', async () => {
    for (const prefix of ['10.2.0.0/24', '10.255.0.2/32', '2001:db8:a:2::/64']) {
      await routeTo(1, prefix);
    }
    for (const prefix of ['10.1.0.0/24', '10.255.0.1/32', '2001:db8:a:1::/64']) {
      await routeTo(2, prefix);
    }
    const rows = await net.show(1, 'routes');
    const remote = rows.find(({ prefix }) => prefix === '10.2.0.0/24');
    expect(remote).toMatchObject({ owner: 'bgp', nexthop: 'tunnel' });
    const labels = await net.show(2, 'labels');
    expect(labels.map(({ label }) => label)).toContain(remote?.label);
    await net.reach(1, '10.2.0.2');
    await net.reach(2, '2001:db8:a:1::2');
  });

  it('follows a change of the configuration: what is exported no more goes', async () => {
    const without = config(2, {
      addresses: [],
      bgp: {
        ...{ rd: '65001:2', importTargets: ['65001:100'], exportTargets: ['65001:100'] },
        redistribute: { static: true },
        networks: [{ prefix: '10.2.0.0/24' }],
      },
    });
    await reload(2, without);
    await routeTo(1, '10.255.0.2/32', false);
    await routeTo(1, '2001:db8:a:2::/64', false);
    await routeTo(1, '10.2.0.0/24');
    await reload(2, config(2));
    await routeTo(1, '10.255.0.2/32');
  });

  it('imports nothing whose route target it does not have', async () => {
    const other = config(2, {
      bgp: { rd: '65001:2', exportTargets: ['65001:999'], redistribute: { connected: true } },
    });
    await reload(2, other);
    await routeTo(1, '10.2.0.0/24', false);
    await reload(2, config(2));
    await routeTo(1, '10.2.0.0/24');
  });

  it('does not use a route whose protection no tunnel gives', async () => {
    const asks = config(2, {
      bgp: {
        ...{ rd: '65001:2', importTargets: ['65001:100'] },
        exports: [{ name: 'auth', targets: ['65001:100'], protections: ['authenticate'] }],
        redistribute: { connected: true },
      },
    });
    await reload(2, asks);
    await routeTo(1, '10.2.0.0/24', false);
    await reload(2, config(2));
    await routeTo(1, '10.2.0.0/24');
    await net.reach(1, '10.2.0.2');
  });

  it('keeps forwarding while the supervisor is killed and comes back (RFC 4724)', async () => {
    const flood = net.lab.exec(net.ce(1), ['ping', '-i0.02', '-c600', '-q', '10.2.0.2'], {
      timeoutMs: 60_000,
    });
    await net.killSupervisor(2);
    net.start(2);
    await net.tunnelUp(2);
    await routeTo(1, '10.2.0.0/24');
    await routeTo(2, '10.1.0.0/24');
    const { stdout } = await flood;
    expect(stdout).toContain('600 packets transmitted, 600 received');
  });
});
