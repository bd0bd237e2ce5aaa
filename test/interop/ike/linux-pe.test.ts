// SPDX-License-Identifier: Apache-2.0
/**
 * Sealane as one PE, a Linux kernel with strongSwan (User Mode Linux) as the other: certificates, ESP in transport mode
 * for MPLS-in-GRE (encrypted) and MPLS-in-IP (authenticated), static labels, customers on both sides.
 *
 *   ce-0, ce-1 (namespaces) -- Sealane -- wan0 ------ wan0 -- Linux PE (guest; its customers inside)
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually, Lab, outcome } from '../../../scripts/lib/lab.js';
import type { Config } from '../../../src/config/types.js';
import { type Ca, issue, type Issued, makeCa } from '../../lib/pki.js';
import { Charon, guestSite, missingStrongswan } from '../../lib/strongswan.js';
import { bootLinuxPe, type LinuxPe } from '../linux-pe/linux-pe.js';
import { dissect, makeWire, type Wire } from '../linux-pe/wire.js';
import { swanctlConf } from './bed.js';
import { ENCAPS, PROTOCOLS } from './guest-bed.js';

const MAIN = fileURLToPath(new URL('../../../build/js/main.js', import.meta.url));
const CLI = fileURLToPath(new URL('../../../build/js/cli/main.js', import.meta.url));
const SEALANE = '192.0.2.1';
const LINUX = '192.0.2.2';
const absent = missingStrongswan();

/** Of each encapsulation: protection here, ESP in strongSwan's words. */
const SERVICES = {
  gre: { protection: 'encrypt', esp: 'aes256gcm16-aes128gcm16-x25519' },
  ip: { protection: 'authenticate', esp: 'aes128gmac' },
} as const;
const label = (side: 1 | 2, t: number): number => 1000 * side + t;

let dir = '';
let wire: Wire;
let lab: Lab;
let linux: LinuxPe;
let charon: Charon;

const cli = (...words: readonly string[]) =>
  outcome(['node', CLI, '--socket', `${dir}/run/control.sock`, ...words]);

function sealaneConfig(own: Issued, root: Ca): Config {
  return {
    instance: 'ilx',
    runtimeDirectory: `${dir}/run`,
    stateDirectory: `${dir}/state`,
    segmentDirectory: `${dir}/segments`,
    worker: { memoryMb: 128 },
    ownSp: 'here',
    core: { tunnelAddresses: [SEALANE] },
    interfaces: {
      core0: { role: 'core', device: { kernel: 'wan0' }, addresses: [`${SEALANE}/24`] },
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
    ike: {
      credentials: { own: { certificate: own.files.certificate, key: own.files.key } },
      providers: {
        here: {
          ranges: ['192.0.2.0/24'],
          anchors: { root: { file: root.files.certificate } },
        },
      },
    },
  };
}

async function bootGuest(own: Issued, root: Ca): Promise<void> {
  const { netns, nic } = wire.a;
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

async function startSealane(netns: string, config: Config): Promise<void> {
  for (const [t, encap] of ENCAPS.entries()) {
    await lab.namespace(ce(t));
    await lab.link(netns, `to-ce${String(t)}`, ce(t), 'eth0');
    const gateway = `10.1.${String(t)}.1`;
    await lab.ip(ce(t), [
      `addr add 10.1.${String(t)}.2/24 dev eth0`,
      `route add default via ${gateway}`,
    ]);
    lab.own(`ilx-${encap}`);
  }
  writeFileSync(`${dir}/config.json`, JSON.stringify(config));
  const log = `${dir}/sealane.log`;
  lab.start(netns, ['node', MAIN, 'run', `${dir}/config.json`], log);
  const up = async (): Promise<true | undefined> => {
    const { code, stdout } = await cli('show', 'tunnels', '--json');
    if (code !== 0) return undefined;
    const rows = JSON.parse(stdout) as { state: string }[];
    const isUp = rows.length === ENCAPS.length && rows.every(({ state }) => state === 'up');
    return isUp ? true : undefined;
  };
  await eventually('all tunnels up', up, 60_000).catch((error: unknown) => {
    const said = readFileSync(log, 'utf8').slice(-4000);
    throw new Error(`${String(error)}\n${said}\n${charon.readableLog()}`);
  });
}

beforeAll(async () => {
  if (absent !== undefined) return;
  dir = mkdtempSync('/dev/shm/sealane-ike-pe-');
  for (const sub of ['run', 'state', 'segments', 'pki']) {
    mkdirSync(`${dir}/${sub}`, { mode: 0o700 });
  }
  const root = makeCa(`${dir}/pki`, 'root');
  const ours = issue(root, { name: 'sealane', ip: [SEALANE] });
  const theirs = issue(root, { name: 'linux', ip: [LINUX] });
  lab = await Lab.open('sealane-ike-pe');
  wire = await makeWire('ilx');
  // Captures are taken at end a: what Sealane sends bypasses those at its own end.
  await bootGuest(theirs, root);
  await startSealane(wire.b.netns, sealaneConfig(ours, root));
}, 300_000);

afterAll(async () => {
  if (absent !== undefined) return;
  // The worker outlives its supervisor by design: it is told to stop.
  await cli('stop');
  await linux.stop();
  await lab.close();
  await wire.remove();
  rmSync(dir, { recursive: true, force: true });
});

describe.skipIf(absent !== undefined)('Sealane and strongSwan on a Linux kernel', () => {
  test.each(ENCAPS)('%s: ping both ways, nothing but ESP on the wire', async (encap) => {
    const t = ENCAPS.indexOf(encap);
    const capture = await wire.capture();
    const ping = ['ping', '-q', '-c', '5', '-i', '0.2', '-W', '2'];
    await lab.must(ce(t), [...ping, `10.2.${String(t)}.2`]);
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
    const { stdout } = await cli('show', 'ike', '--json');
    const rows = JSON.parse(stdout) as Record<string, unknown>[];
    expect(rows).toMatchObject([
      { state: 'established', remote: LINUX, authentication: 'ecdsa', keyExchanges: 'x25519' },
    ]);
  });

  test('rekeys by both ends under traffic lose nothing', async () => {
    const count = 1500;
    const before = await linux.ipsecDrops();
    const floods = ENCAPS.map((_, t) =>
      lab.exec(
        ce(t),
        ['ping', '-q', '-c', String(count), '-i', '0.01', '-W', '5', `10.2.${String(t)}.2`],
        { timeoutMs: 120_000 },
      ),
    );
    for (let round = 0; round < 2; round++) {
      for (const rekey of [
        () => cli('ike', 'rekey', '--all', '--child'),
        () => charon.rekey('child', 'gre'),
        () => charon.rekey('child', 'ip'),
        () => cli('ike', 'rekey', '--all', '--ike'),
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
    await lab.must(ce(0), ['ping', '-q', '-c', '2', '-w', '20', '10.2.0.2']);
  });
});
