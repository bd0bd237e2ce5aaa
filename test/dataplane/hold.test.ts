// SPDX-License-Identifier: Apache-2.0
/** P10 in the running worker: the first packet for a tunnel without SA is held, and is not lost. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../scripts/lib/lab.js';
import type { Version } from '../../src/forwarding/addon/api.js';
import { innerPacket, tunnelFrame } from './frames.js';
import { Pe, type TunnelOptions } from './pe.js';
import { fromCe, SA_MISSING as MISSING } from './provoke.js';
import { Exchange, type Result } from './run.js';

/** SL_HOLD_MAX of dpdk-app/src/worker.h. */
const MOST = 256;
const NOTHING = { ports: 0, taps: 0, swallowed: 0 };

let pe: Pe;
beforeAll(async () => {
  pe = await Pe.start('hold');
});
afterAll(async () => {
  await pe.close();
});

const held = (): bigint => pe.harness.tables.worker().lcores[0]?.held ?? -1n;
const released = (): bigint => pe.harness.tables.worker().lcores[0]?.released ?? -1n;
const setVersion = (nexthop: number, version: Version | undefined): void => {
  pe.harness.tables.setNexthop(nexthop, version);
};
const to = (destination: string, size = 40): Buffer =>
  fromCe(innerPacket({ family: 4, destination, size }));

/** What comes of a change once nothing is held any more. */
async function releasedBy(change: () => void): Promise<Result> {
  const exchange = await Exchange.begin(pe.harness);
  change();
  await eventually('nothing is held', () => (held() === 0n ? true : undefined));
  return exchange.finish(NOTHING);
}

describe('a tunnel without SA', () => {
  it('holds one packet, drops the others, and sends it as it came once the SA is there', async () => {
    const sa = await pe.sa('out');
    const options: TunnelOptions = { encapsulation: 'gre', family: 4, sa };
    const tunnel = pe.nexthop(MISSING);
    const [host, label] = ['198.51.100.7', pe.newLabel()];
    pe.route('a', host, tunnel, { label });
    const before = released();
    const frames = [to(host, 33), ...[1, 2, 3, 4].map((size) => to(host, size))];
    const waiting = await pe.run({ ce: frames });
    expect([waiting.drops, waiting.out]).toEqual([{ sa_missing: 4 }, {}]);
    expect(held()).toBe(1n);
    await eventually('an SA is asked for', () =>
      pe.harness.events.find(
        (event) => event.$case === 'acquireSa' && event.value.nexthop === tunnel,
      ),
    );
    const { out, drops } = await releasedBy(() => {
      setVersion(tunnel, pe.tunnelVersion(options));
    });
    expect(drops).toEqual({});
    expect(released()).toBe(before + 1n);
    const packet = innerPacket({ family: 4, destination: host, size: 33, ttl: 32 });
    const common = { encapsulation: 'gre', family: 4, direction: 'out', sequence: 1 } as const;
    const want = tunnelFrame({ ...common, label, sa, packet });
    expect(out['core']?.map((frame) => frame.toString('hex'))).toEqual([want.toString('hex')]);
  });

  it('has the held packet looked up again: by then the route is another, or none', async () => {
    const missing = (host: string): void => {
      pe.route('a', host, pe.nexthop(MISSING));
    };
    const [elsewhere, gone] = ['198.51.100.8', '198.51.100.9'];
    for (const host of [elsewhere, gone]) missing(host);
    const waiting = await pe.run({ ce: [to(elsewhere), to(gone)] });
    expect([waiting.drops, held()]).toEqual([{}, 2n]);
    const { out, drops } = await releasedBy(() => {
      pe.route('a', elsewhere, pe.adjacency('ce8', '02:00:00:00:0c:03', 4));
      pe.removeRoute('a', gone);
    });
    // the ICMP error about the second goes back to its sender
    expect(drops).toEqual({ no_route: 1 });
    expect([out['ce']?.length]).toEqual([2]);
  });

  it('holds one for each next hop, and so many in all', async () => {
    const more = 4;
    const hosts = Array.from(
      { length: MOST + more },
      (_, i) => `203.0.${String(i >> 8)}.${String(i & 255)}`,
    );
    const nexthops = hosts.map((host) => {
      const nexthop = pe.nexthop(MISSING);
      pe.route('a', host, nexthop);
      return nexthop;
    });
    const waiting = await pe.run({ ce: hosts.flatMap((host) => [to(host), to(host)]) });
    expect([waiting.drops, waiting.out]).toEqual([{ sa_missing: MOST + 2 * more }, {}]);
    expect(held()).toBe(BigInt(MOST));
    const { drops } = await releasedBy(() => {
      for (const nexthop of nexthops) setVersion(nexthop, undefined);
    });
    expect(drops).toEqual({ nexthop_unusable: MOST });
  });

  it('counts what a worker still holds when it is told to end', async () => {
    const host = '198.51.100.10';
    pe.route('a', host, pe.nexthop(MISSING));
    await pe.run({ ce: [to(host)] });
    const count = (): bigint | undefined =>
      pe.harness.tables.drops().find(({ reason }) => reason === 'sa_missing')?.packets;
    const before = count() ?? 0n;
    expect(await pe.harness.shutdownWorker()).toBe(0);
    expect(count()).toBe(before + 1n);
    await pe.harness.startWorker();
    await pe.bringUp();
    expect(held()).toBe(0n);
  });
});
