// SPDX-License-Identifier: Apache-2.0
/**
 * Sealane as one PE, a Linux kernel with strongSwan (User Mode Linux) as the other: certificates, ESP in transport mode
 * for MPLS-in-GRE (encrypted) and MPLS-in-IP (authenticated), static labels, customers on both sides.
 *
 *   ce-0, ce-1 (namespaces) -- Sealane -- wan0 ------ wan0 -- Linux PE (guest; its customers inside)
 */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually } from '../../../scripts/lib/lab.js';
import type { Config } from '../../../src/config/types.js';
import { Charon, guestSite, missingStrongswan } from '../../lib/strongswan.js';
import { Beside, LINUX, type Pki, SEALANE } from '../linux-pe/beside.js';
import { bootLinuxPe, type LinuxPe } from '../linux-pe/linux-pe.js';
import { dissect } from '../linux-pe/wire.js';
import { swanctlConf } from './bed.js';
import { ENCAPS, PROTOCOLS } from './guest-bed.js';

const absent = missingStrongswan();

/** Of each encapsulation: protection here, ESP in strongSwan's words. */
const SERVICES = {
  gre: { protection: 'encrypt', esp: 'aes256gcm16-aes128gcm16-x25519' },
  ip: { protection: 'authenticate', esp: 'aes128gmac' },
} as const;
const label = (side: 1 | 2, t: number): number => 1000 * side + t;

let bed: Beside;
let linux: LinuxPe;
let charon: Charon;

function sealaneConfig(pki: Pki): Config {
  const base = bed.base();
  return {
    ...base,
    interfaces: {
      ...base.interfaces,
      ...Object.fromEntries(
        ENCAPS.map((encap, t) => [
          `ce${String(t)}`,
          {
            ...{ role: 'ce', vrf: encap, device: { kernel: `to-ce${String(t)}` } },
            addresses: [`10.1.${String(t)}.1/24`],
          },
        ]),
      ),
    },
    vrfs: Object.fromEntries(
      ENCAPS.map((encap, t) => [
        encap,
        {
          routes: [{ prefix: `10.2.${String(t)}.0/24`, tunnel: encap, label: label(2, t) }],
          exports: [
            {
              ...{ name: 'all', protections: [SERVICES[encap].protection] },
              ...{ encapsulations: [encap], label: label(1, t) },
            },
          ],
        },
      ]),
    ),
    tunnels: Object.fromEntries(
      ENCAPS.map((encap) => [
        encap,
        {
          ...{ local: SEALANE, remote: LINUX, encapsulation: encap },
          protection: SERVICES[encap].protection,
        },
      ]),
    ),
    // Proposals are the defaults: hybrid ones first, which strongSwan 5.9.8 has to pass over.
    ike: bed.ike(pki),
  };
}

async function bootGuest({ root, theirs: own }: Pki): Promise<void> {
  const { netns, nic } = bed.wire.a;
  linux = await bootLinuxPe({
    ...{ name: netns, netns, nics: [nic] },
    config: {
      underlay: [{ nic, address: `${LINUX}/24` }],
      sas: [],
      tunnels: ENCAPS.map((encap, t) => ({
        ...{ name: `t${String(t)}`, encap, protection: 'ike', local: LINUX, remote: SEALANE },
        inner: [{ local: `10.255.${String(t)}.2`, nextHop: `10.255.${String(t)}.1` }],
      })),
      vrfs: ENCAPS.map((encap, t) => ({
        ...{ name: encap, table: 10 + t, labelsIn: [label(2, t)] },
        customer: [{ pe: `10.2.${String(t)}.1/24`, host: `10.2.${String(t)}.2/24` }],
        routes: [{ prefix: `10.1.${String(t)}.0/24`, label: label(1, t), tunnel: `t${String(t)}` }],
      })),
    },
  });
  charon = await Charon.start(guestSite(linux), { logLevel: 1 });
  await charon.load(
    swanctlConf({
      ...{ local: LINUX, remote: SEALANE, certificate: 'own.pem' },
      proposals: 'aes256gcm16-prfsha384-x25519-ecp256',
      auth: { local: 'pubkey', remote: 'pubkey' },
      children: ENCAPS.map((encap) => ({
        ...{ name: encap, protocol: String(PROTOCOLS[encap]), esp: SERVICES[encap].esp },
      })),
    }),
    {
      'x509ca/root.pem': root.pem,
      'x509/own.pem': own.pem,
      'private/own.pem': readFileSync(own.files.key),
    },
  );
}

const ce = (t: number): string => `ilx-ce${String(t)}`;

async function startSealane(config: Config): Promise<void> {
  const { lab, wire } = bed;
  for (const [t, encap] of ENCAPS.entries()) {
    await lab.namespace(ce(t));
    await lab.link(wire.b.netns, `to-ce${String(t)}`, ce(t), 'eth0');
    const gateway = `10.1.${String(t)}.1`;
    await lab.ip(ce(t), [
      `addr add 10.1.${String(t)}.2/24 dev eth0`,
      `route add default via ${gateway}`,
    ]);
    lab.own(`ilx-${encap}`);
  }
  bed.start(config);
  const up = async (): Promise<true | undefined> => {
    const rows = await bed.show<{ state: string }>('tunnels');
    if (rows === undefined) return undefined;
    const isUp = rows.length === ENCAPS.length && rows.every(({ state }) => state === 'up');
    return isUp ? true : undefined;
  };
  await eventually('all tunnels up', up, 60_000).catch((error: unknown) => {
    const said = bed.said();
    throw new Error(`${String(error)}\n${said}\n${charon.readableLog()}`);
  });
}

beforeAll(async () => {
  if (absent !== undefined) return;
  bed = await Beside.open('ilx');
  const pki = bed.pki();
  await bootGuest(pki);
  await startSealane(sealaneConfig(pki));
}, 300_000);

afterAll(async () => {
  if (absent !== undefined) return;
  await bed.close(linux);
});

describe.skipIf(absent !== undefined)('Sealane and strongSwan on a Linux kernel', () => {
  test.each(ENCAPS)('%s: ping both ways, nothing but ESP on the wire', async (encap) => {
    const t = ENCAPS.indexOf(encap);
    const capture = await bed.wire.capture();
    const ping = ['ping', '-q', '-c', '5', '-i', '0.2', '-W', '2'];
    await bed.lab.must(ce(t), [...ping, `10.2.${String(t)}.2`]);
    await linux.exec(`ip netns exec ce-${encap} ${ping.join(' ')} 10.1.${String(t)}.2`);
    const rows = await dissect(await capture.stop(), ['frame.protocols', 'esp.spi', 'ip.src']);
    const esp = rows.filter((row) => row['esp.spi'] !== '');
    expect(esp).toHaveLength(20);
    const others = rows.filter((row) => !/esp|arp|isakmp/.test(row['frame.protocols']));
    expect(others).toEqual([]);
    const [sa] = await charon.established();
    const child = sa?.children.find(({ fields }) => fields['name'] === encap)?.fields;
    expect(child).toMatchObject({ state: 'INSTALLED', mode: 'TRANSPORT' });
    const spis = [child?.['spi-in'], child?.['spi-out']].map((spi) => `0x${spi ?? ''}`);
    expect(new Set(esp.map((row) => row['esp.spi']))).toEqual(new Set(spis));
  });

  test('one IKE SA by certificates, classical for a peer that knows nothing else', async () => {
    const { stdout } = await bed.cli('show', 'ike', '--json');
    const rows = JSON.parse(stdout) as Record<string, unknown>[];
    expect(rows).toMatchObject([
      { state: 'established', remote: LINUX, authentication: 'ecdsa', keyExchanges: 'x25519' },
    ]);
  });

  test('rekeys by both ends under traffic lose nothing', async () => {
    const count = 1500;
    const before = await linux.ipsecDrops();
    const floods = ENCAPS.map((_, t) =>
      bed.lab.exec(
        ce(t),
        ['ping', '-q', '-c', String(count), '-i', '0.01', '-W', '5', `10.2.${String(t)}.2`],
        { timeoutMs: 120_000 },
      ),
    );
    for (let round = 0; round < 2; round++) {
      for (const rekey of [
        () => bed.cli('ike', 'rekey', '--all', '--child'),
        () => charon.rekey('child', 'gre'),
        () => charon.rekey('child', 'ip'),
        () => bed.cli('ike', 'rekey', '--all', '--ike'),
        () => charon.rekey('ike', 'pe'),
      ]) {
        await rekey();
      }
    }
    for (const { stdout } of await Promise.all(floods)) {
      expect(stdout).toContain(`${String(count)} packets transmitted, ${String(count)} received`);
    }
    const sas = await charon.until(
      'two child SAs',
      (all) => all.length === 1 && all[0]?.children.length === 2,
    );
    // Two rounds of two rekeys each: nothing is left of those before.
    expect(sas[0]?.children.map(({ fields }) => fields['name']).sort()).toEqual(['gre', 'ip']);
    expect(await linux.ipsecDrops()).toEqual(before);
  });

  test('what strongSwan deletes comes back, for it is wanted', async () => {
    await charon.terminate('ike', 'pe');
    await charon.until('it is back', ([sa]) => sa?.children.length === 2);
    await bed.lab.must(ce(0), ['ping', '-q', '-c', '2', '-w', '20', '10.2.0.2']);
  });
});
