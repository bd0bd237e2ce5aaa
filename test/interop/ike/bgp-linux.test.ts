// SPDX-License-Identifier: Apache-2.0
/**
 * BGP inside ESP (policy-model 18) with a Linux kernel, strongSwan and FRR (User Mode Linux) as the neighbour of another
 * provider. Its kernel traps TCP 179, each side of the port by a policy of its own: what Sealane offers as one SA is
 * narrowed to a side, and the other side gets another.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually } from '../../../scripts/lib/lab.js';
import type { Config } from '../../../src/config/types.js';
import { missing } from '../../lib/bgp-peers.js';
import { Charon, guestSite, missingStrongswan } from '../../lib/strongswan.js';
import { Beside, LINUX, SEALANE } from '../linux-pe/beside.js';
import { bootLinuxPe, type LinuxPe } from '../linux-pe/linux-pe.js';
import { dissect } from '../linux-pe/wire.js';
import { swanctlConf } from './bed.js';

const PSK = 'a preshared key of this test alone';
const absent = missingStrongswan() ?? missing('frr');

let bed: Beside;
let linux: LinuxPe;
let charon: Charon;

const show = async (...topic: readonly string[]): Promise<Record<string, unknown>[]> =>
  (await bed.show<Record<string, unknown>>(...topic)) ?? [];

function config(): Config {
  return {
    ...bed.base(),
    otherSps: ['there'],
    bgp: {
      ...{ asn: 65001, routerId: SEALANE, ebgpRequiresPolicy: false },
      networks: [{ prefix: '198.51.100.0/24' }],
      neighbours: {
        [LINUX]: {
          ...{ asn: 65002, sp: 'there', localAddress: SEALANE, ttlSecurity: 1 },
          families: { 'ipv4-unicast': {} },
          timers: { connectRetry: 1, connectRetryMax: 3 },
        },
      },
    },
    ike: {
      providers: {
        there: {
          ranges: [`${LINUX}/32`],
          psks: { linux: { remote: `${LINUX}/32`, file: `${bed.dir}/psk` } },
        },
      },
    },
  };
}

const FRR = `router bgp 65002
 bgp router-id ${LINUX}
 no bgp ebgp-requires-policy
 no bgp network import-check
 neighbor ${SEALANE} remote-as 65001
 neighbor ${SEALANE} ttl-security hops 1
 neighbor ${SEALANE} timers connect 1
 address-family ipv4 unicast
  network 203.0.113.0/24
`;

async function bootGuest(): Promise<void> {
  const { netns, nic } = bed.wire.a;
  linux = await bootLinuxPe({
    ...{ name: netns, netns, nics: [nic] },
    config: { underlay: [{ nic, address: `${LINUX}/24` }], sas: [], tunnels: [], vrfs: [] },
  });
  charon = await Charon.start(guestSite(linux), { logLevel: 1 });
  const esp = 'aes128gcm16';
  const lines = ['start_action = trap'];
  await charon.load(
    swanctlConf({
      ...{ local: LINUX, remote: SEALANE, auth: { psk: PSK } },
      proposals: 'aes256gcm16-prfsha384-x25519-ecp256',
      children: [
        { name: 'server', protocol: 'tcp/179', remoteProtocol: 'tcp', esp, lines },
        { name: 'client', protocol: 'tcp', remoteProtocol: 'tcp/179', esp, lines },
      ],
    }),
    {},
  );
}

async function startFrr(): Promise<void> {
  mkdirSync(`${linux.folder}/frr`, { recursive: true });
  writeFileSync(`${linux.folder}/frr/bgpd.conf`, FRR);
  await linux.exec(
    `mkdir -p /run/bgp && chmod 777 /run/bgp
     /usr/lib/frr/bgpd -d -f /peer/frr/bgpd.conf -i /run/bgp/pid -S --vty_socket /run/bgp \\
       -A 127.0.0.1 -P 0 -z /run/bgp/zserv -n -Z >/peer/frr/output 2>&1 </dev/null`,
    60_000,
  );
}

const frr = (text: string): Promise<string> =>
  linux.exec(`vtysh --vty_socket /run/bgp -d bgpd -c '${text}'`, 60_000);

/** Inbound ones of strongSwan's child SAs. */
async function spis(): Promise<string[]> {
  const [sa] = await charon.established();
  return (sa?.children ?? [])
    .filter(({ fields }) => fields['state'] === 'INSTALLED')
    .map(({ fields }) => fields['spi-in'] ?? '');
}

async function established(): Promise<void> {
  await eventually(
    'the session',
    async () => {
      const [row] = await show('bgp', 'neighbors');
      return row?.['state'] === 'established' ? true : undefined;
    },
    120_000,
  ).catch((error: unknown) => {
    const said = bed.said();
    throw new Error(`${String(error)}\n${said}\n${charon.readableLog()}`);
  });
}

beforeAll(async () => {
  if (absent !== undefined) return;
  bed = await Beside.open('blx');
  writeFileSync(`${bed.dir}/psk`, `${PSK}\n`, { mode: 0o600 });
  await bootGuest();
}, 300_000);

afterAll(async () => {
  if (absent !== undefined) return;
  await bed.close(linux);
});

describe.skipIf(absent !== undefined)('BGP with FRR on a Linux kernel that traps TCP 179', () => {
  test('comes up inside ESP, with GTSM, and routes go both ways', async () => {
    const capture = await bed.wire.capture();
    bed.start(config(), '--log-level', 'debug');
    await startFrr();
    await established();
    await eventually('our route at FRR', async () =>
      (await frr('show bgp ipv4 unicast json')).includes('198.51.100.0/24') ? true : undefined,
    );
    await eventually('FRR’s route here', async () => {
      const [row] = await show('bgp', 'neighbors');
      return row?.['accepted'] === 1 ? true : undefined;
    });
    const rows = await dissect(await capture.stop(), ['frame.protocols', 'esp.spi', 'tcp.port']);
    expect(rows.filter((row) => row['tcp.port'] !== '')).toEqual([]);
    expect(rows.filter((row) => row['esp.spi'] !== '').length).toBeGreaterThan(6);
    expect(await show('bgp', 'neighbors')).toMatchObject([{ ipsec: 'up' }]);
  });

  test('rekeys by both ends do not touch it', async () => {
    const [before] = await show('bgp', 'neighbors');
    const old = await spis();
    for (let round = 0; round < 2; round++) {
      expect((await bed.cli('ike', 'rekey', '--all', '--child')).code).toBe(0);
      await frr('clear bgp ipv4 unicast * soft');
      const [sa] = await charon.established();
      for (const { fields } of sa?.children ?? []) {
        if (fields['state'] === 'INSTALLED') await charon.rekey('child', fields['name'] ?? '');
      }
      await frr('clear bgp ipv4 unicast * soft');
    }
    const now = await eventually('SAs of before are gone', async () => {
      const all = await spis();
      return all.length > 0 && all.every((spi) => !old.includes(spi)) ? all : undefined;
    });
    const [after] = await show('bgp', 'neighbors');
    expect(after).toMatchObject({ state: 'established', ipsec: 'up', establishedCount: 1 });
    expect(before).toMatchObject({ establishedCount: 1 });
    expect(now.length).toBeGreaterThan(0);
    // Those that there are.
    const drops = await bed.show<{ reason: string }>('drops');
    expect(drops).toBeDefined();
    expect(drops?.map(({ reason }) => reason)).not.toContain('esp_selector');
  });
});
