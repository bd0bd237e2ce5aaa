// SPDX-License-Identifier: Apache-2.0
/** Policy-model 18: BGP between providers runs inside its own ESP transport SA, and never in clear. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { eventually } from '../../../scripts/lib/lab.js';
import type { End } from '../supervisor/two-pes.js';
import { ProtectedPes, seen, type Seen } from './protected-pes.js';

let pes: ProtectedPes;
beforeAll(async () => {
  pes = await ProtectedPes.open('pbgp');
});
afterAll(async () => {
  await pes.close();
});

async function watched(during: () => Promise<void>): Promise<Record<End, Seen>> {
  const frames = await pes.net.capture(during);
  return { 1: seen(frames[1]), 2: seen(frames[2]) };
}

/** From an interface of the core that is no PE: TCP segments by Scapy, each to port 179 or from it. */
async function attack(netns: string, source: string, destination: string): Promise<number> {
  const script = `
from scapy.all import *
conf.verb = 0
out = []
for flags in ("S", "R", "A", "SA", "F"):
    out.append(IP(src="${source}", dst="${destination}")/TCP(sport=40000, dport=179, flags=flags, seq=1))
    out.append(IP(src="${source}", dst="${destination}")/TCP(sport=179, dport=40000, flags=flags, seq=1))
mac = getmacbyip("${destination}")
for p in out:
    sendp(Ether(dst=mac)/p, iface="wan")
print(len(out))
`;
  const { stdout, stderr } = await pes.net.lab.exec(netns, ['/usr/bin/python3', '-c', script], {
    timeoutMs: 120_000,
  });
  const sent = Number(stdout.trim());
  if (!(sent > 0)) throw new Error(stderr);
  return sent;
}

it('comes up through ESP alone, whichever end is first: not one segment in clear from the first on', async () => {
  const core = await watched(async () => {
    pes.start(1);
    // Alone for a while: its connection attempts must not leave.
    await eventually(
      'PE 1 listens',
      async () => ((await pes.neighbour(1)) ? true : undefined),
      60_000,
    );
    await new Promise((wake) => setTimeout(wake, 3_000));
    pes.start(2);
    await pes.established(1);
    await pes.established(2);
  });
  for (const end of [1, 2] as const) {
    expect(core[end].tcp).toEqual([]);
    expect(core[end].esp).toBeGreaterThan(4);
  }
  for (const end of [1, 2] as const) {
    expect(await pes.neighbour(end)).toMatchObject({ ipsec: 'up', establishedCount: 1n });
    // Both may have begun at once: then one is left before long.
    await eventually('one child SA', async () =>
      (await pes.bgpChildren(end)).length === 1 ? true : undefined,
    );
    // What came in by another that was begun at the same time has its grace time.
    const sas = await eventually('one SA each way', async () => {
      const rows = (await pes.net.show(end, 'sas')).filter(({ name }) =>
        name.startsWith('ike/bgp/'),
      );
      return rows.length === 2 ? rows : undefined;
    });
    expect(sas.map(({ direction }) => direction).sort()).toEqual(['in', 'out']);
    for (const sa of sas) expect(sa).toMatchObject({ encapsulation: 'tcp', protection: 'encrypt' });
  }
});

it('an attacker’s SYN and RST to port 179 or from it are dropped and counted', async () => {
  const netns = await pes.net.router(66);
  const before = (await pes.net.drops(1)).get('host_policy_clear') ?? 0n;
  const sent = await attack(netns, '192.0.2.2', '192.0.2.1');
  await eventually('all are counted', async () => {
    const now = (await pes.net.drops(1)).get('host_policy_clear') ?? 0n;
    return now === before + BigInt(sent) ? true : undefined;
  });
  expect(await pes.neighbour(1)).toMatchObject({ state: 'established', establishedCount: 1n });
});

it('a rekey of its SA from either end does not touch the session', async () => {
  const core = await watched(async () => {
    for (const end of [1, 2] as const) {
      const [before] = await pes.bgpChildren(1);
      const remote = `192.0.2.${end === 1 ? 2 : 1}`;
      await pes.net.client(end, async (client) =>
        client.commandIke({
          ...{ action: 'rekey', what: 'child', remote, local: '', service: 'bgp', spi: '' },
        }),
      );
      await eventually('one other child SA at both ends', async () => {
        const rows = [await pes.bgpChildren(1), await pes.bgpChildren(2)];
        const [one] = rows[0] ?? [];
        const alone = rows.every((all) => all.length === 1);
        return alone && one?.inboundSpi !== before?.inboundSpi ? true : undefined;
      });
      // What goes on over the new one.
      await pes.net.client(end, async (client) => client.clearBgp(remote, 'both'));
    }
    await new Promise((wake) => setTimeout(wake, 2_000));
  });
  for (const end of [1, 2] as const) {
    expect(core[end].tcp).toEqual([]);
    expect(await pes.neighbour(end)).toMatchObject({
      ...{ state: 'established', establishedCount: 1n, ipsec: 'up' },
    });
  }
});

it('kill -9 of a supervisor: its worker lets nothing through meanwhile, and the next one comes back inside ESP', async () => {
  const core = await watched(async () => {
    await pes.net.killSupervisor(1);
    await new Promise((wake) => setTimeout(wake, 2_000));
    pes.net.start(1);
    await pes.established(1);
    await pes.established(2);
  });
  for (const end of [1, 2] as const) expect(core[end].tcp).toEqual([]);
  expect(await pes.bgpChildren(1)).toHaveLength(1);
});

it('goes from clear to protected through a drop, and back', async () => {
  const off = { ipsec: 'off' } as const;
  for (const end of [1, 2] as const) await pes.reload(end, off);
  await eventually(
    'in clear',
    async () => {
      const rows = [await pes.neighbour(1), await pes.neighbour(2)];
      return rows.every((row) => row?.state === 'established' && row.ipsec === '')
        ? true
        : undefined;
    },
    120_000,
  );
  await eventually('no child SA of BGP', async () =>
    (await pes.bgpChildren(1)).length === 0 ? true : undefined,
  );
  const before = await pes.net.drops(1);
  const rose = async (reason: string): Promise<boolean> =>
    ((await pes.net.drops(1)).get(reason) ?? 0n) > (before.get(reason) ?? 0n);
  await pes.reload(1, {});
  // Nothing of PE 1 arrives in clear from here on, whatever PE 2 does.
  const core = await watched(async () => {
    await eventually('the session has ended', async () =>
      (await pes.neighbour(2))?.state === 'established' ? undefined : true,
    );
    // Ours are dropped for want of an SA, the other end's because they are in clear.
    for (const reason of ['host_policy_no_sa', 'host_policy_clear']) {
      await eventually(reason, async () => ((await rose(reason)) ? true : undefined), 60_000);
    }
    expect((await pes.neighbour(1))?.state).not.toBe('established');
    await pes.reload(2, {});
    await pes.established(1);
    await pes.established(2);
  });
  expect(core[2].tcp).toEqual([]);
  expect(await pes.neighbour(2)).toMatchObject({ ipsec: 'up' });
});
