// SPDX-License-Identifier: Apache-2.0
/**
 * Option B (RFC 4364 §10 b) with FRR on both sides, at the control plane: FRR inside our AS is a PE, FRR outside the other SP's
 * border router, which speaks plain MPLS on the link and knows nothing of IPsec or of our communities.
 *
 *   FRR 192.0.2.11, AS 65001 --- 192.0.2.1, border router --- FRR 192.0.2.21, AS 65002
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../../scripts/lib/lab.js';
import type { Config } from '../../../src/config/types.js';
import { missing, startBgpPeer, type BgpPeer } from '../../lib/bgp-peers.js';
import { TwoPes } from '../../system/supervisor/two-pes.js';
import { frrVpnPaths, peConfig, reload } from './pe-net.js';

const absent = missing('frr');
const folder = mkdtempSync(`${tmpdir()}/pasb-`);
let net: TwoPes;
const peers = new Map<number, BgpPeer>();
const [INSIDE, OUTSIDE] = [11, 21] as const;
const SPS = ['example', 'other'] as const;
type Sp = (typeof SPS)[number];

/** A border router or PE with one VPN route, RD ASN:9. */
const frr = (number: number, asn: number, prefix: string, label: number): string =>
  [
    'route-map target permit 10',
    ' set extcommunity rt 65001:100',
    `router bgp ${asn}`,
    ` bgp router-id 192.0.2.${number}`,
    ' no bgp default ipv4-unicast',
    ' no bgp ebgp-requires-policy',
    ' neighbor 192.0.2.1 remote-as 65001',
    ' neighbor 192.0.2.1 timers connect 1',
    ' address-family ipv4 vpn',
    '  neighbor 192.0.2.1 activate',
    `  network ${prefix} rd ${asn}:9 label ${label} route-map target`,
    ' exit-address-family',
    '',
  ].join('\n');

function config(unmarkedToSp: boolean): Config {
  const timers = { connectRetry: 1 };
  const families = { 'vpnv4-unicast': {} };
  const { interfaces, core, ...rest } = peConfig(net, 1, {
    ...{ alone: true, clear: [INSIDE], vrfs: {} },
    bgp: {
      ...{ keepAllVpnRoutes: true, ebgpRequiresPolicy: false },
      neighbours: {
        [`192.0.2.${INSIDE}`]: { asn: 65001, timers, families, nextHopSelf: true },
        [`192.0.2.${OUTSIDE}`]: {
          ...{ asn: 65002, sp: 'other', timers, families, unmarkedToSp },
          ...{ accepts: { protections: ['mpls'] }, transitFloor: 'mpls' },
          // It has no IKE, so BGP with it cannot be in an SA.
          ipsec: 'off',
        },
      },
    },
  });
  const { core0 } = interfaces;
  if (core0?.role !== 'core') throw new Error('no core interface');
  const provider = (sp: Sp, range: string) => ({
    ranges: [range],
    psks: { all: { remote: range, file: `${folder}/psk-${sp}` } },
  });
  return {
    ...rest,
    otherSps: ['other'],
    interfaces: { core0: { ...core0, mpls: 'other-sp' } },
    core: { ...core, lsps: { '192.0.2.21/32': { via: '192.0.2.21', labels: [3] } } },
    ike: {
      providers: {
        example: provider('example', '192.0.2.0/28'),
        other: provider('other', '192.0.2.16/28'),
      },
    },
  };
}

const peer = (number: number): BgpPeer => {
  const found = peers.get(number);
  if (found === undefined) throw new Error(`no FRR ${number}`);
  return found;
};

beforeAll(async () => {
  if (absent !== undefined) return;
  for (const sp of SPS) {
    writeFileSync(`${folder}/psk-${sp}`, `a preshared key of SP ${sp}\n`, { mode: 0o600 });
  }
  net = await TwoPes.open('pasb', { switched: true });
  const start = async (number: number, text: string): Promise<void> => {
    const netns = await net.router(number);
    const options = { netns, name: `frr${number}`, folder, config: text };
    peers.set(number, await startBgpPeer(net.lab, 'frr', options));
  };
  await start(INSIDE, frr(INSIDE, 65001, '10.8.0.0/24', 708));
  await start(OUTSIDE, frr(OUTSIDE, 65002, '10.9.0.0/24', 709));
  net.write(1, config(true));
  net.start(1);
  for (const number of [INSIDE, OUTSIDE]) await peer(number).waitEstablished('192.0.2.1');
});
afterAll(async () => {
  await (net as TwoPes | undefined)?.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Our labels for what others told us, by the label that goes on. */
async function swapped(): Promise<Map<string, number>> {
  const rows = await net.show(1, 'labels');
  return new Map(
    rows.flatMap(({ action, target, label }) =>
      action === 'swap' ? [[target, label] as const] : [],
    ),
  );
}

describe.skipIf(absent !== undefined)('option B between FRRs', () => {
  it('tells each side the other’s routes with our next hop and a label of ours', async () => {
    for (const [number, rd, prefix, target] of [
      [INSIDE, '65002:9', '10.9.0.0/24', '709 by pe/192.0.2.21/mpls/none'],
      [OUTSIDE, '65001:9', '10.8.0.0/24', '708 by clear-11'],
    ] as const) {
      const path = await eventually(`FRR ${number} has ${prefix}`, async () => {
        const [found] = (await frrVpnPaths(peer(number), prefix))[rd] ?? [];
        return found;
      });
      const label = (await swapped()).get(target);
      expect(label).toBeDefined();
      expect(path).toMatchObject({ remoteLabel: label, nexthops: [{ ip: '192.0.2.1' }] });
    }
  });

  it('keeps routes that do not say where they may go inside, unless told otherwise', async () => {
    await reload(net, 1, config(false));
    await eventually('FRR outside has lost it', async () =>
      (await frrVpnPaths(peer(OUTSIDE), '10.8.0.0/24'))['65001:9'] === undefined ? true : undefined,
    );
    await reload(net, 1, config(true));
    await eventually('FRR outside has it again', async () =>
      (await frrVpnPaths(peer(OUTSIDE), '10.8.0.0/24'))['65001:9'] === undefined ? undefined : true,
    );
  });

  it('takes a route back when its way cannot be used any more', async () => {
    const { core, ...rest } = config(true);
    await reload(net, 1, { ...rest, core: { tunnelAddresses: core.tunnelAddresses } });
    await eventually('FRR inside has lost it', async () =>
      (await frrVpnPaths(peer(INSIDE), '10.9.0.0/24'))['65002:9'] === undefined ? true : undefined,
    );
  });
});
