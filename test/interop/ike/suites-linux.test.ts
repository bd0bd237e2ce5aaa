// SPDX-License-Identifier: Apache-2.0
/**
 * Suites, extended sequence numbers and ESP in UDP, agreed on with strongSwan and carried by a Linux kernel (User Mode
 * Linux): pings with payloads of many lengths cross both ways, and all that is on the wire is ESP, or ESP in UDP.
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

interface Variant {
  readonly name: string;
  /** ESP in strongSwan's words, which are ours too; GRE is encrypted, MPLS-in-IP authenticated. */
  readonly gre: string;
  readonly ip: string;
  /** What charon calls them. */
  readonly agreed: Readonly<Record<'gre' | 'ip', object>>;
  readonly inUdp: boolean;
}

const CBC = { 'encr-alg': 'AES_CBC', 'encr-keysize': '256', 'integ-alg': 'HMAC_SHA2_512_256' };
const VARIANTS: readonly Variant[] = [
  {
    ...{ name: 'isa', inUdp: false },
    ...{ gre: 'chacha20poly1305-x25519', ip: 'null-sha256' },
    agreed: {
      gre: { 'encr-alg': 'CHACHA20_POLY1305' },
      ip: { 'encr-alg': 'NULL', 'integ-alg': 'HMAC_SHA2_256_128' },
    },
  },
  {
    ...{ name: 'isb', inUdp: true },
    ...{ gre: 'aes256-sha512-x25519-esn', ip: 'null-sha256-esn' },
    agreed: {
      gre: { ...CBC, esn: '1' },
      ip: { 'encr-alg': 'NULL', 'integ-alg': 'HMAC_SHA2_256_128', esn: '1' },
    },
  },
];

const SERVICES = { gre: 'encrypt', ip: 'authenticate' } as const;
const label = (side: 1 | 2, t: number): number => 1000 * side + t;

describe.skipIf(absent !== undefined).each(VARIANTS)('$gre, $ip, in UDP: $inUdp', (variant) => {
  let bed: Beside;
  let linux: LinuxPe;
  let charon: Charon;
  const ce = (t: number): string => `${variant.name}-ce${String(t)}`;

  function sealaneConfig(pki: Pki): Config {
    const base = bed.base();
    const each = <T>(make: (encap: 'gre' | 'ip', t: number) => readonly [string, T]) =>
      Object.fromEntries(ENCAPS.map(make));
    const { providers, ...ike } = bed.ike(pki);
    return {
      ...base,
      interfaces: {
        ...base.interfaces,
        ...each((encap, t) => [
          `ce${String(t)}`,
          {
            ...{ role: 'ce', vrf: encap, device: { kernel: `to-ce${String(t)}` } },
            addresses: [`10.1.${String(t)}.1/24`],
          } as const,
        ]),
      },
      vrfs: each((encap, t) => [
        encap,
        {
          routes: [{ prefix: `10.2.${String(t)}.0/24`, tunnel: encap, label: label(2, t) }],
          exports: [
            {
              ...{ name: 'all', protections: [SERVICES[encap]] },
              ...{ encapsulations: [encap], label: label(1, t) },
            },
          ],
        },
      ]),
      tunnels: each((encap) => [
        encap,
        { local: SEALANE, remote: LINUX, encapsulation: encap, protection: SERVICES[encap] },
      ]),
      ike: {
        ...ike,
        esp: { encrypt: [variant.gre], authenticate: [variant.ip] },
        replayWindow: 64,
        providers: Object.fromEntries(
          Object.entries(providers).map(([sp, one]) => [
            sp,
            { ...one, nat: variant.inUdp ? 'allow' : 'refuse' } as const,
          ]),
        ),
      },
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
          ...(encap === 'gre' && { options: 'nopmtudisc' }), // its outer header then has no DF
        })),
        vrfs: ENCAPS.map((encap, t) => ({
          ...{ name: encap, table: 10 + t, labelsIn: [label(2, t)] },
          customer: [{ pe: `10.2.${String(t)}.1/24`, host: `10.2.${String(t)}.2/24` }],
          routes: [
            { prefix: `10.1.${String(t)}.0/24`, label: label(1, t), tunnel: `t${String(t)}` },
          ],
        })),
      },
    });
    charon = await Charon.start(guestSite(linux), { logLevel: 1 });
    await charon.load(
      swanctlConf({
        ...{ local: LINUX, remote: SEALANE, certificate: 'own.pem' },
        proposals: 'aes256gcm16-prfsha384-x25519-ecp256',
        auth: { local: 'pubkey', remote: 'pubkey' },
        lines: variant.inUdp ? ['encap = yes'] : [],
        children: ENCAPS.map((encap) => ({
          ...{ name: encap, protocol: String(PROTOCOLS[encap]), esp: variant[encap] },
        })),
      }),
      {
        'x509ca/root.pem': root.pem,
        'x509/own.pem': own.pem,
        'private/own.pem': readFileSync(own.files.key),
      },
    );
  }

  async function startSealane(config: Config): Promise<void> {
    const { lab, wire } = bed;
    for (const [t, encap] of ENCAPS.entries()) {
      await lab.namespace(ce(t));
      await lab.link(wire.b.netns, `to-ce${String(t)}`, ce(t), 'eth0');
      await lab.ip(ce(t), [
        `addr add 10.1.${String(t)}.2/24 dev eth0`,
        `route add default via 10.1.${String(t)}.1`,
      ]);
      lab.own(`${variant.name}-${encap}`);
    }
    bed.start(config);
    const up = async (): Promise<true | undefined> => {
      const rows = await bed.show<{ state: string }>('tunnels');
      if (rows === undefined) return undefined;
      const isUp = rows.length === ENCAPS.length && rows.every(({ state }) => state === 'up');
      return isUp ? true : undefined;
    };
    await eventually('all tunnels up', up, 60_000).catch((error: unknown) => {
      throw new Error(`${String(error)}\n${bed.said()}\n${charon.readableLog()}`);
    });
  }

  beforeAll(async () => {
    bed = await Beside.open(variant.name);
    const pki = bed.pki();
    await bootGuest(pki);
    await startSealane(sealaneConfig(pki));
  }, 300_000);
  afterAll(async () => {
    await bed.close(linux);
  });

  test.each(ENCAPS)('%s: what was agreed on carries packets of every length', async (encap) => {
    const t = ENCAPS.indexOf(encap);
    // the first packet to a new host is lost: its link address is being asked for
    await bed.lab.must(ce(t), ['ping', '-q', '-c', '1', '-w', '20', `10.2.${String(t)}.2`]);
    const capture = await bed.wire.capture();
    const ping = (size: number, to: string): string => `ping -q -c 1 -W 5 -s ${String(size)} ${to}`;
    // every remainder of AES's block, and what just fits with the longest suite
    const sizes = [...Array.from({ length: 17 }, (_, i) => i), 1300];
    const all = (to: string): string => sizes.map((size) => ping(size, to)).join(' && ');
    await bed.lab.must(ce(t), ['sh', '-c', all(`10.2.${String(t)}.2`)]);
    await linux.exec(`ip netns exec ce-${encap} sh -c '${all(`10.1.${String(t)}.2`)}'`);
    const fields = ['frame.protocols', 'esp.spi', 'udp.srcport', 'udp.dstport'] as const;
    const rows = await dissect(await capture.stop(), fields);
    const esp = rows.filter((row) => row['esp.spi'] !== '');
    expect(esp).toHaveLength(4 * sizes.length);
    // RFC 3948: whatever the inner packet is, the ports are those of the SA (policy-model 23)
    for (const port of ['udp.srcport', 'udp.dstport'] as const) {
      expect(new Set(esp.map((row) => row[port]))).toEqual(new Set([variant.inUdp ? '4500' : '']));
    }
    const others = rows.filter((row) => !/esp|arp|isakmp|udpencap/.test(row['frame.protocols']));
    expect(others).toEqual([]);
    const [sa] = await charon.established();
    const child = sa?.children.find(({ fields: of }) => of['name'] === encap)?.fields;
    expect(child).toMatchObject({
      ...{ state: 'INSTALLED', mode: 'TRANSPORT', ...variant.agreed[encap] },
      ...(variant.inUdp && { encap: 'yes' }),
    });
  });

  test('fragments of theirs are put together before ESP is looked at, and of IKE by the kernel', async () => {
    const SMALL = 1280;
    const reassembled = async (): Promise<number> => {
      const rows = await bed.show<{ reassembled: string }>('interfaces');
      return (rows ?? []).reduce((sum, row) => sum + Number(row.reassembled), 0);
    };
    const before = await reassembled();
    const { nic } = bed.wire.a;
    await linux.exec(`ip link set ${nic} mtu ${String(SMALL)}`);
    const capture = await bed.wire.capture();
    const ping = 'ping -q -c 5 -i 0.1 -W 5 -M dont -s 1300 10.1.0.2';
    expect(await linux.exec(`ip netns exec ce-gre ${ping}`)).toContain('5 received');
    const rows = await dissect(await capture.stop(), ['ip.id', 'ip.proto'], {
      filter: `ip.src==${LINUX} && (ip.flags.mf==1 || ip.frag_offset>0)`,
    });
    // Nor are IKE's: a datagram with its marker comes to the kernel, which puts it together for the socket.
    const { netns } = bed.wire.b;
    const ofKernel = async (): Promise<number> => {
      const snmp = await bed.lab.must(netns, ['cat', '/proc/net/snmp']);
      const [names = '', values = ''] = snmp.split('\n').filter((line) => line.startsWith('Ip:'));
      return Number(values.split(' ')[names.split(' ').indexOf('ReasmOKs')]);
    };
    const kernels = await ofKernel();
    await linux.exec(`head -c 3000 /dev/zero | nc.openbsd -u -q 0 -w 1 ${SEALANE} 4500`);
    await eventually('the kernel has it', async () =>
      (await ofKernel()) === kernels + 1 ? true : undefined,
    );
    await linux.exec(`ip link set ${nic} mtu 1500`);
    expect(new Set(rows.map((row) => row['ip.proto']))).toEqual(
      new Set([variant.inUdp ? '17' : '50']),
    );
    expect(new Set(rows.map((row) => row['ip.id'])).size).toBe(5);
    expect((await reassembled()) - before).toBe(5);
  });

  test('rekeys by both ends lose nothing, and nobody drops anything', async () => {
    const before = await linux.ipsecDrops();
    const ping = ['ping', '-q', '-c', '300', '-i', '0.01', '-W', '5', '10.2.0.2'];
    const flood = bed.lab.exec(ce(0), ping, { timeoutMs: 60_000 });
    await bed.cli('ike', 'rekey', '--all', '--child');
    await charon.rekey('child', 'gre');
    expect((await flood).stdout).toContain('300 packets transmitted, 300 received');
    expect(await linux.ipsecDrops()).toEqual(before);
    // before IKE was done the guest's router solicitations had no way out
    expect(Object.keys(before).filter((name) => name !== 'XfrmOutPolBlock')).toEqual([]);
    const drops = await bed.show<{ reason: string; packets: string }>('drops');
    expect(drops?.filter((d) => d.reason.startsWith('esp_') && Number(d.packets) > 0)).toEqual([]);
  });
});
