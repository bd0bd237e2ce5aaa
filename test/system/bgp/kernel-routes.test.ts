// SPDX-License-Identifier: Apache-2.0
/** Routes of other daemons in a VRF's kernel table, told to the other PE and forwarded by (redistribute.kernel). */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../../scripts/lib/lab.js';
import type { Config } from '../../../src/config/types.js';
import { otherEnd, TwoPes, type End } from '../supervisor/two-pes.js';

let net: TwoPes;

const FOUR = '203.0.113.0/24';
const SIX = '2001:db8:bb::/64';

function config(end: End, kernel: boolean | { readonly policy: string } = true): Config {
  const targets = ['65001:100'];
  const timers = { connectRetry: 1 };
  return {
    ...net.config(end),
    bgp: {
      ...{ asn: 65001, routerId: `192.0.2.${end}` },
      neighbours: { [`192.0.2.${otherEnd(end)}`]: { asn: 65001, timers } },
      policies: {
        some: {
          rules: [{ when: { prefix: [{ prefix: FOUR }] }, then: 'accept' }],
          otherwise: 'reject',
        },
      },
    },
    vrfs: {
      A: {
        bgp: {
          ...{ rd: `65001:${end}`, importTargets: targets, exportTargets: targets },
          redistribute: { connected: true, ...(end === 1 && { kernel }) },
        },
      },
    },
  };
}

/** Routes of VRF A at a PE, prefix to owner. */
async function routes(end: End): Promise<ReadonlyMap<string, string>> {
  const rows = await net.show(end, 'routes').catch(() => []);
  return new Map(rows.flatMap((r) => (r.vrf === 'A' ? [[r.prefix, r.owner] as const] : [])));
}

async function remote(prefix: string, there = true): Promise<void> {
  await eventually(
    `PE 2 ${there ? 'has' : 'has no'} ${prefix}`,
    async () => {
      for (const end of [1, 2] as const) {
        if (net.supervisor(end).exitCode !== null) throw new Error(net.logText(end));
      }
      const found = await routes(2);
      return found.size > 0 && (found.get(prefix) === 'bgp') === there ? true : undefined;
    },
    60_000,
  );
}

/** In the namespace of the VRF at the first PE. */
const kernel = async (...lines: readonly string[]): Promise<void> =>
  net.lab.ip(net.vrfNetns(1), lines);

async function reload(end: End, to: Config): Promise<void> {
  const path = net.write(end, to);
  await net.client(end, async (client) => client.reload(path, false));
}

beforeAll(async () => {
  net = await TwoPes.open('tkrt');
  await net.lab.ip(net.ce(1), [
    'addr add 10.1.0.9/24 dev eth0',
    'addr add 203.0.113.1/32 dev lo',
    'addr add 203.0.114.1/32 dev lo',
    'addr add 2001:db8:bb::1/128 dev lo',
    'addr add fe80::c1/64 dev eth0 nodad',
  ]);
  for (const end of [1, 2] as const) {
    net.write(end, config(end));
    net.start(end);
  }
  for (const end of [1, 2] as const) await net.tunnelUp(end);
  await remote('10.1.0.0/24');
});
afterAll(async () => {
  await net.close();
});

describe('a route that a daemon puts into the VRF’s kernel table', () => {
  it('arrives at the other PE, pings cross, and it is withdrawn', async () => {
    await kernel(`route add ${FOUR} via 10.1.0.2 proto bird`);
    await remote(FOUR);
    await net.reach(2, '203.0.113.1');
    expect((await routes(1)).get(FOUR)).toBe('static');
    await kernel(`route del ${FOUR}`);
    await remote(FOUR, false);
    await eventually('PE 1 forwards by it no more', async () =>
      (await routes(1)).has(FOUR) ? undefined : true,
    );
  });

  it('may be IPv6 by a link-local gateway', async () => {
    await kernel(`-6 route add ${SIX} via fe80::c1 dev ce-a proto bird`);
    await remote(SIX);
    await net.reach(2, '2001:db8:bb::1');
    await kernel(`-6 route del ${SIX}`);
    await remote(SIX, false);
  });

  it('follows the best of several, and another gateway', async () => {
    await kernel(
      `route add ${FOUR} via 10.1.0.2 proto bird metric 20`,
      `route add ${FOUR} via 10.1.0.9 proto zebra metric 10`,
    );
    await remote(FOUR);
    const via = async (address: string): Promise<void> => {
      await eventually(`PE 1 sends by ${address}`, async () => {
        const rows = await net.show(1, 'routes');
        const row = rows.find(({ vrf, prefix }) => vrf === 'A' && prefix === FOUR);
        return row?.via === address ? true : undefined;
      });
    };
    await via('10.1.0.9');
    await kernel(`route del ${FOUR} metric 10`);
    await via('10.1.0.2');
    await net.reach(2, '203.0.113.1');
    await kernel(`route del ${FOUR}`);
    await remote(FOUR, false);
  });

  it('is not told when it is ours, when its gateway is on no interface of the VRF, or is no way', async () => {
    const others = [
      ['203.0.115.0/24', 'dev sealane0 proto bird'],
      ['203.0.116.0/24', 'via 10.99.0.1 dev sealane0 onlink proto bird'],
      ['203.0.117.0/24', 'dev ce-a proto bird'],
      ['203.0.118.0/24', 'via 10.77.0.1 dev ce-a onlink proto bird'],
    ] as const;
    await kernel(
      ...others.map(([prefix, how]) => `route add ${prefix} ${how}`),
      'route add blackhole 203.0.119.0/24 proto bird',
      'route add 203.0.120.0/24 via 10.1.0.2 table 77 proto bird',
      // Behind them all: when this is there, they have been looked at.
      `route add ${FOUR} via 10.1.0.2 proto bird`,
    );
    await remote(FOUR);
    const found = [...(await routes(2)).keys()];
    // The default route that leads into the host device is there from the start.
    for (const prefix of [
      ...others.map(([p]) => p),
      '203.0.119.0/24',
      '203.0.120.0/24',
      '0.0.0.0/0',
    ]) {
      expect(found).not.toContain(prefix);
    }
    for (const [prefix] of others) await kernel(`route del ${prefix}`);
    await kernel('route del blackhole 203.0.119.0/24', 'route del 203.0.120.0/24 table 77');
  });

  it('is filtered by a policy, and neither told nor used without the option', async () => {
    await kernel('route add 203.0.114.0/24 via 10.1.0.2 proto bird');
    await remote('203.0.114.0/24');
    await reload(1, config(1, { policy: 'some' }));
    await remote('203.0.114.0/24', false);
    await remote(FOUR);
    expect((await routes(1)).has('203.0.114.0/24')).toBe(false);
    await reload(1, config(1, false));
    await remote(FOUR, false);
    expect((await routes(1)).has(FOUR)).toBe(false);
    await reload(1, config(1));
    await remote(FOUR);
    await remote('203.0.114.0/24');
  });

  it('is forwarded by without a break while the supervisor is killed and comes back', async () => {
    await net.reach(2, '203.0.113.1');
    const flood = net.lab.exec(net.ce(2), ['ping', '-i0.02', '-c300', '-q', '203.0.113.1'], {
      timeoutMs: 60_000,
    });
    await net.killSupervisor(1);
    net.start(1);
    await net.tunnelUp(1);
    expect((await flood).stdout).toContain('300 packets transmitted, 300 received');
    await remote(FOUR);
  });
});
