// SPDX-License-Identifier: Apache-2.0
/** Multipath IBGP: a site behind two PEs, both of which carry its flows, and one of which dies. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../../scripts/lib/lab.js';
import { countAt, type Arrivals } from './flows.js';
import { explainVrf, verdicts } from '../vpn/explain-cli.js';
import { SITE, ThreePes } from './three-pes.js';

const FLOWS = 300;
/** Five standard deviations and more of a fair coin thrown 300 times. */
const MOST = FLOWS / 2 + 50;

let pes: ThreePes;
beforeAll(async () => {
  pes = await ThreePes.open('tmul', 2);
});
afterAll(async () => {
  await pes.close();
});

async function reload(maximumPaths: number): Promise<void> {
  const path = pes.net.write(1, pes.config1(maximumPaths));
  await pes.net.client(1, async (client) => client.reload(path, false));
}

/** Whom `sealane explain` says that packets to the site go to, each of them out of the PE. */
async function explained(): Promise<string[]> {
  const { net } = pes;
  const asked = { netns: net.pe(1), socket: `${net.run}/pe1/control.sock` };
  const rows = await explainVrf(net.lab, asked, 'A', '10.50.0.1');
  expect(verdicts(rows).filter(({ ok, drop }) => ok !== true || drop !== '')).toEqual([]);
  const tunnels = rows.filter(({ step }) => step === 'tunnel');
  expect(new Set(tunnels.map(({ way }) => way)).size).toBe(verdicts(rows).length);
  return tunnels.map(({ what }) => /^192\.0\.2\.1 to (\S+),/.exec(what)?.[1] ?? what).sort();
}

describe('two PEs that export one prefix', { timeout: 300_000 }, () => {
  let usual: Arrivals = new Map();

  it('are both ways of the route', async () => {
    await pes.waysAre(['peer', 'third']);
    const rows = await pes.ways();
    expect(rows.map(({ ways }) => ways)).toEqual([2, 2]);
    expect(rows.map(({ nexthop }) => nexthop)).toEqual(['tunnel', 'tunnel']);
    const bgp = await pes.net.show(1, 'bgp routes', { vrf: 'A', exact: SITE });
    expect(bgp.map(({ best, multipath }) => [best, multipath])).toEqual([
      [true, false],
      [false, true],
    ]);
    expect(bgp.map(({ way }) => way).sort()).toEqual(['peer', 'third']);
  });

  it('share the flows, each flow by one of them', async () => {
    // Until both routers of the site's links are resolved, first packets may be lost.
    await eventually('first packets', async () => {
      try {
        return await pes.flows(20);
      } catch {
        return undefined;
      }
    });
    usual = await pes.flows(FLOWS);
    for (const device of ['eth0', 'eth1']) expect(countAt(usual, device)).toBeLessThan(MOST);
    expect(await pes.flows(FLOWS)).toEqual(usual);
  });

  it('are both named by `sealane explain`, and one alone once there is but one', async () => {
    expect(await explained()).toEqual(['192.0.2.2', '192.0.2.3']);
    let arrived: Arrivals = new Map();
    const byThird = await pes.espTo(3, async () => {
      arrived = await pes.flows(FLOWS);
    });
    expect([countAt(arrived, 'eth0'), countAt(arrived, 'eth1')]).toEqual([
      FLOWS - byThird,
      byThird,
    ]);
    expect(byThird).toBeGreaterThan(0);
    await reload(1);
    await eventually('one way', async () => ((await pes.ways()).length === 1 ? true : undefined));
    const [only, ...others] = await explained();
    expect(others).toEqual([]);
    const one = await pes.flows(60);
    expect(countAt(one, only === '192.0.2.2' ? 'eth0' : 'eth1')).toBe(60);
    await reload(2);
    await pes.waysAre(['peer', 'third']);
  });

  it('keep them when the supervisor that knows of them is killed and comes back', async () => {
    await pes.net.killSupervisor(1);
    expect(await pes.flows(FLOWS)).toEqual(usual);
    pes.net.start(1);
    await pes.net.tunnelUp(1);
    await eventually('BGP is back', async () => {
      const rows = await pes.net.show(1, 'bgp summary').catch(() => []);
      const up = rows.filter(({ state }) => state === 'established');
      return up.length === 2 ? true : undefined;
    });
    await pes.waysAre(['peer', 'third']);
    expect(await pes.flows(FLOWS)).toEqual(usual);
  });

  it('follow maximumPaths without a new session', async () => {
    const ended = (): number => pes.net.logText(1).split('from=established').length;
    const before = ended();
    await reload(1);
    await eventually('one way', async () => ((await pes.ways()).length === 1 ? true : undefined));
    const one = await pes.flows(60);
    expect([countAt(one, 'eth0'), countAt(one, 'eth1')].sort()).toEqual([0, 60]);
    await reload(2);
    await pes.waysAre(['peer', 'third']);
    expect(await pes.flows(FLOWS)).toEqual(usual);
    expect(ended()).toBe(before);
  });

  it('lose no flow when one of them dies: all go by the other, and nothing to the dead one', async () => {
    await pes.killThird();
    await pes.waysAre(['peer']);
    let arrived: Arrivals = new Map();
    const lost = await pes.espTo(3, async () => {
      arrived = await pes.flows(FLOWS);
    });
    expect(lost).toBe(0);
    expect(countAt(arrived, 'eth0')).toBe(FLOWS);
  });

  it('share them as before when it is back', async () => {
    pes.startThird();
    await pes.waysAre(['peer', 'third']);
    await eventually('flows by both', async () => {
      const now = await pes.flows(FLOWS).catch(() => undefined);
      return now !== undefined && countAt(now, 'eth1') > 0 ? true : undefined;
    });
    expect(await pes.flows(FLOWS)).toEqual(usual);
  });
});
