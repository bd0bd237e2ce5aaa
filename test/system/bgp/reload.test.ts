// SPDX-License-Identifier: Apache-2.0
/**
 * What a change of the configuration does to sessions, as two peers see it that count what they are sent:
 *
 *   CHANGED 192.0.2.31 --+-- 192.0.2.1, PE 1 with VRF A
 *   BYSTANDER 192.0.2.32 +
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../../scripts/lib/lab.js';
import type { Config } from '../../../src/config/types.js';
import { Host } from '../../interop/bgp/host.js';
import { bgpPaths, peConfig, reload } from '../../interop/bgp/pe-net.js';
import { VPN_END_OF_RIB, vpnUpdate } from '../../interop/bgp/reflected.js';
import { TwoPes } from '../supervisor/two-pes.js';

type Bgp = NonNullable<Config['bgp']>;
type Neighbour = NonNullable<Bgp['neighbours']>[string];
type VrfBgp = NonNullable<NonNullable<NonNullable<Config['vrfs']>[string]>['bgp']>;

const PE = '192.0.2.1';
const [CHANGED, BYSTANDER] = ['192.0.2.31', '192.0.2.32'];
const BASE: Neighbour = {
  ...{ asn: 65001, timers: { connectRetry: 1 } },
  families: { 'vpnv4-unicast': {} },
};
let net: TwoPes;
let changed: Host;
let bystander: Host;
let marker = 0;

interface Change {
  readonly neighbour?: Partial<Neighbour>;
  readonly bgp?: Partial<Bgp>;
  readonly vrf?: Partial<VrfBgp>;
}

function config({ neighbour, bgp, vrf }: Change): Config {
  return peConfig(net, 1, {
    alone: true,
    bgp: {
      policies: {
        none: { rules: [], otherwise: 'reject' },
        all: { rules: [], otherwise: 'accept' },
      },
      ...bgp,
      neighbours: { [CHANGED]: { ...BASE, ...neighbour }, [BYSTANDER]: BASE },
    },
    vrfs: {
      A: {
        bgp: {
          ...{ rd: '65001:1', importTargets: ['65001:100'], exportTargets: ['65001:100'] },
          ...{ networks: [{ prefix: `10.77.${marker}.0/24` }], ...vrf },
        },
      },
    },
  });
}

/** Announced with this reload, with RD 65001:1: what was asked for has come before. */
const hasMarker = (host: Host): boolean =>
  host.ears.updates.some((octets) =>
    Buffer.from(octets)
      .toString('hex')
      .includes(`0000fde9000000010a4d${marker.toString(16).padStart(2, '0')}`),
  );

/** What each of both was sent because of a change, and lost. */
interface Seen {
  readonly refreshes: readonly (readonly number[])[];
  readonly ended: readonly number[];
}

async function change(
  what: Change,
  markerAt: readonly Host[] = [changed, bystander],
): Promise<Seen> {
  const hosts = [changed, bystander];
  const before = hosts.map(({ ears }) => [ears.refreshes.length, ears.down.length] as const);
  marker++;
  await reload(net, 1, config(what));
  for (const host of markerAt) {
    await eventually(`marker ${marker}`, () => (hasMarker(host) ? true : undefined), 60_000);
  }
  return {
    refreshes: hosts.map(({ ears }, i) =>
      ears.refreshes.slice(before[i]?.[0]).map(({ family }) => family),
    ),
    ended: hosts.map(({ ears }, i) => ears.down.length - (before[i]?.[1] ?? 0)),
  };
}

const NOTHING: Seen = { refreshes: [[], []], ended: [0, 0] };
const VPNV4 = 2;

async function open(number: number): Promise<Host> {
  await net.router(number);
  return new Host(`${net.name}r${number}`, 65001, 0xc0000200 + number);
}

beforeAll(async () => {
  net = await TwoPes.open('brl', { switched: true });
  net.write(1, config({}));
  net.start(1);
  [changed, bystander] = [await open(31), await open(32)];
  for (const host of [changed, bystander]) host.apply({ address: PE, ...BASE, asn: 65001 });
  for (const host of [changed, bystander]) {
    await host.established(PE);
    await eventually('the first route', () => (hasMarker(host) ? true : undefined), 60_000);
  }
});
afterAll(async () => {
  for (const host of [changed, bystander] as (Host | undefined)[]) host?.close();
  await (net as TwoPes | undefined)?.close();
});

describe('a session goes on, and nothing is asked for', () => {
  it.each<[string, Change]>([
    ['nothing of it is changed', {}],
    ['the description', { neighbour: { description: 'to the north' } }],
    ['timers', { neighbour: { timers: { connectRetry: 2, hold: 30, keepalive: 7 } } }],
    ['it is to wait for the peer', { neighbour: { passive: true } }],
    [
      'prefix limits',
      {
        neighbour: { families: { 'vpnv4-unicast': { maxPrefixes: { limit: 9, action: 'warn' } } } },
      },
    ],
    ['MRAI', { neighbour: { advertisementInterval: 1 } }],
    ['it becomes a client', { neighbour: { routeReflectorClient: true } }],
    ['it stays one, with our address as next hop', { neighbour: { nextHopSelf: true } }],
    ['what it is sent', { neighbour: { policyOut: 'all' } }],
    [
      'a policy that nobody uses',
      { bgp: { policies: { other: { rules: [], otherwise: 'accept' } } } },
    ],
    ['what a VRF exports', { vrf: { exportTargets: ['65001:100', '65001:101'] } }],
    ['it is as it was', {}],
  ])('%s', async (_, what) => {
    expect(await change(what)).toEqual(NOTHING);
    expect(changed.ears.up).toHaveLength(1);
  });

  it('shows the new description', async () => {
    expect(await change({ neighbour: { description: 'to the south' } })).toEqual(NOTHING);
    const rows = await net.show(1, 'bgp neighbors');
    expect(rows.find(({ neighbor }) => neighbor === CHANGED)?.description).toBe('to the south');
  });
});

describe('only what must be is asked for again', () => {
  it('a neighbour whose policyIn is another one, and no other', async () => {
    expect(await change({ neighbour: { policyIn: 'all' } })).toEqual({
      ...{ refreshes: [[VPNV4], []], ended: [0, 0] },
    });
    // The same name, another meaning.
    const policies = { all: { rules: [{ then: 'accept' as const }] } };
    expect(await change({ neighbour: { policyIn: 'all' }, bgp: { policies } })).toEqual({
      ...{ refreshes: [[VPNV4], []], ended: [0, 0] },
    });
    expect(await change({ neighbour: { allowAsIn: 1 } })).toMatchObject({
      refreshes: [[VPNV4], []],
    });
    expect(await change({})).toMatchObject({ refreshes: [[VPNV4], []] });
  });

  it('all VPN neighbours, once, when a VRF imports another target', async () => {
    const imports = { importTargets: ['65001:100', '65001:200'] };
    expect(await change({ vrf: imports })).toEqual({
      ...{ refreshes: [[VPNV4], [VPNV4]], ended: [0, 0] },
    });
    expect(await change({ vrf: imports })).toEqual(NOTHING);
    // Less is no reason to ask.
    expect(await change({})).toEqual(NOTHING);
  });
});

describe('a session is begun anew, and no other, when what it stands on changes', () => {
  it.each<[string, Change]>([
    [
      'capabilities: ADD-PATH',
      { neighbour: { families: { 'vpnv4-unicast': { addPath: 'send' } } } },
    ],
    ['families', { neighbour: { families: { 'vpnv4-unicast': {}, 'vpnv6-unicast': {} } } }],
    ['restart time', { neighbour: { gracefulRestart: { restartTime: 60 } } }],
    ['our address', { neighbour: { localAddress: PE } }],
  ])('%s', async (_, what) => {
    const ups = changed.ears.up.length;
    const seen = await change(what, [bystander]);
    await eventually('the session is back', () =>
      changed.ears.up.length > ups && changed.view(PE)?.state === 'established' ? true : undefined,
    );
    expect(seen.refreshes[1]).toEqual([]);
    expect([changed, bystander].map(({ ears }) => ears.up.length)).toEqual([ups + 1, 1]);
    // RFC 4486 §4: Cease, Other Configuration Change.
    expect(changed.view(PE)?.lastError).toMatchObject({ by: 'peer', code: 6, subcode: 6 });
  });

  it('and its routes stay until it has said all again', async () => {
    const say = (...messages: readonly Buffer[]): void => {
      const id = changed.view(PE)?.id ?? 0;
      for (const message of messages) changed.speaker.send(id, message);
    };
    const paths = async (): Promise<string[]> =>
      (await bgpPaths(net, 1, '10.31.0.0/24')).map(({ state }) => state);
    const eventuallyPaths = (wanted: string): Promise<true> =>
      eventually(`paths: ${wanted}`, async () =>
        (await paths()).join() === wanted ? true : undefined,
      );
    say(vpnUpdate(CHANGED, '10.31.0.0'), VPN_END_OF_RIB);
    await eventuallyPaths('fresh');
    // It forwards on: the F bit.
    changed.restart = { restarting: false, forwarding: 1 << VPNV4 };
    const ups = changed.ears.up.length;
    await change({ neighbour: { gracefulRestart: { restartTime: 50 } } }, [bystander]);
    await eventually('the session is back', () => changed.ears.up.length > ups || undefined);
    expect(await paths()).toEqual(['stale']);
    say(VPN_END_OF_RIB);
    await eventuallyPaths('');
  });

  it('is kept down by shutdown, with its text (RFC 9003), and comes back', async () => {
    await change({ neighbour: { shutdown: 'new cables' } }, [bystander]);
    await changed.down(PE);
    const error = changed.view(PE)?.lastError;
    expect(error?.reason).toMatch(/Administrative Shutdown.*new cables/);
    const rows = await net.show(1, 'bgp summary');
    expect(rows.find(({ neighbor }) => neighbor === CHANGED)?.state).toBe('shutdown');
    await change({}, [bystander]);
    await changed.established(PE);
    expect(bystander.ears.down).toHaveLength(0);
  });
});
