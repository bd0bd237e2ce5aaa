// SPDX-License-Identifier: Apache-2.0
/**
 * Two VPNs between two PEs: SAs are per pair of PEs and service, never per VPN (P9), the egress protects all, some or
 * none of what it exports (P5), and of a set the ingress chooses (P6). VRF B is on a second link of each CE: 10.9.N.0/24.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../../scripts/lib/lab.js';
import type {
  BgpExportRule,
  BgpImportRule,
  Config,
  ExportClass,
} from '../../../src/config/types.js';
import { IkePes } from '../ike/ike-pes.js';
import { otherEnd, type End } from '../supervisor/two-pes.js';

let pes: IkePes;
const TARGETS = { A: ['65001:100'], B: ['65001:200'] };
type Vpn = keyof typeof TARGETS;
const PINGS = 10;

/** Of PE 2; PE 1 exports everything encrypted. */
type Exports = Readonly<Record<Vpn, readonly Omit<BgpExportRule, 'targets'>[]>>;
const ENCRYPTED: Exports = {
  A: [{ name: 'all', protections: ['encrypt'] }],
  B: [{ name: 'all', protections: ['encrypt'] }],
};

function config(
  end: End,
  exported = ENCRYPTED,
  imported: Partial<BgpImportRule> = {},
  exportClass?: ExportClass,
): Config {
  const base = pes.config(end);
  const { core0 } = base.interfaces;
  if (core0?.role !== 'core') throw new Error('the lab has no core interface');
  const bgp = (vpn: Vpn) => ({
    rd: `65001:${end}${vpn === 'A' ? 1 : 2}`,
    imports: [{ name: 'all', targets: TARGETS[vpn], ...(vpn === 'A' && imported) }],
    exports: exported[vpn].map((rule) => ({ ...rule, targets: TARGETS[vpn] })),
    redistribute: { connected: true },
  });
  return {
    ...base,
    tunnels: {},
    interfaces: {
      ...base.interfaces,
      core0: { ...core0, acceptClear: ['gre'] },
      'ce-b': {
        ...{ role: 'ce', vrf: 'B', device: { kernel: 'custb' } },
        addresses: [`10.9.${end}.1/24`],
      },
    },
    bgp: {
      ...{ asn: 65001, routerId: `192.0.2.${end}`, tightening: { announce: 1, grace: 1 } },
      neighbours: { [`192.0.2.${otherEnd(end)}`]: { asn: 65001, timers: { connectRetry: 1 } } },
      ...(exportClass && { exportClass }),
    },
    vrfs: {
      A: { addresses: [`10.255.0.${end}/32`], bgp: bgp('A') },
      B: { addresses: [`10.255.1.${end}/32`], bgp: bgp('B') },
    },
  };
}

beforeAll(async () => {
  pes = await IkePes.open('vsvc', { proof: 'certificates' });
  const { net } = pes;
  for (const end of [1, 2] as const) {
    net.lab.own(`${net.pe(end)}-B`);
    await net.lab.link(net.pe(end), 'custb', net.ce(end), 'eth1');
    await net.lab.ip(net.ce(end), [
      `addr add 10.9.${end}.2/24 dev eth1`,
      `route add 10.9.${otherEnd(end)}.0/24 via 10.9.${end}.1`,
      `route add 10.255.1.${otherEnd(end)}/32 via 10.9.${end}.1`,
    ]);
    net.write(end, config(end));
    net.start(end);
  }
}, 120_000);
afterAll(async () => {
  await pes.close();
});

async function reload(end: End, to: Config): Promise<void> {
  const path = pes.net.write(end, to);
  await pes.net.client(end, async (client) => client.reload(path, false));
}

/** Waits until PE 1 sends this VPN's packets for a prefix by a protection, and nothing is under way at the egress. */
async function sendsBy(vrf: Vpn, prefix: string, protection: string): Promise<void> {
  const { net } = pes;
  await eventually(`${prefix} of ${vrf} by ${protection}`, async () => {
    for (const end of [1, 2] as const) {
      if (net.supervisor(end).exitCode !== null) throw new Error(net.logText(end));
    }
    const rows = await net.show(1, 'routes').catch(() => []);
    const row = rows.find((one) => one.vrf === vrf && one.prefix === prefix);
    const changes = await net.show(2, 'transitions').catch(() => undefined);
    const isSo = row?.usable === true && row.tunnel === `pe/192.0.2.2/${protection}/gre`;
    return isSo && changes?.length === 0 ? true : undefined;
  });
}

/** SPIs of ESP, and how many packets of MPLS-in-GRE came in clear, to PE 2 while PE 1's customer pings. */
async function towards2(to: string): Promise<{ spis: ReadonlyMap<number, number>; clear: number }> {
  const { net } = pes;
  await net.reach(1, to, 60_000);
  const frames = await net.capture(async () => {
    expect(await net.ping(1, to, { count: PINGS })).toBe(PINGS);
  });
  const spis = new Map<number, number>();
  let clear = 0;
  for (const frame of frames[2]) {
    if (frame.readUInt16BE(12) !== 0x0800) continue;
    const protocol = frame.readUInt8(23);
    if (protocol === 47) clear++;
    if (protocol !== 50) continue;
    const spi = frame.readUInt32BE(34);
    spis.set(spi, (spis.get(spi) ?? 0) + 1);
  }
  return { spis, clear };
}

/** The outbound SPI of PE 1's SAs, by service. */
async function services(): Promise<Map<string, number>> {
  const rows = await pes.children(1);
  expect(new Set(rows.map(({ service }) => service)).size).toBe(rows.length);
  return new Map(rows.map(({ service, outboundSpi }) => [service, Number(outboundSpi)]));
}

const only = (spi: number | undefined) => ({ spis: new Map([[spi, PINGS]]), clear: 0 });

describe('two VPNs between two PEs', () => {
  it('share one pair of SAs: one for each service, none for a VPN (P9)', async () => {
    await sendsBy('A', '10.2.0.0/24', 'encrypt');
    await sendsBy('B', '10.9.2.0/24', 'encrypt');
    await pes.settled();
    const found = await services();
    expect([...found.keys()]).toEqual(['encrypt/gre']);
    for (const to of ['10.2.0.2', '10.9.2.2']) {
      expect(await towards2(to)).toEqual(only(found.get('encrypt/gre')));
    }
  }, 180_000);

  it('are protected wholly, in part and not at all, as the egress says by VRF and prefix (P5)', async () => {
    const some: Exports = {
      A: ENCRYPTED.A,
      B: [
        { name: 'site', prefixes: ['10.9.2.0/24'], protections: ['authenticate'] },
        { name: 'own', prefixes: ['10.255.1.2/32'], protections: ['tunnel'] },
      ],
    };
    await reload(1, config(1, ENCRYPTED));
    await reload(2, config(2, some));
    await sendsBy('B', '10.9.2.0/24', 'authenticate');
    await sendsBy('B', '10.255.1.2/32', 'tunnel');
    await sendsBy('A', '10.2.0.0/24', 'encrypt');
    expect(await towards2('10.255.1.2')).toEqual({ spis: new Map(), clear: PINGS });
    expect(await towards2('10.9.2.2')).toEqual(only((await services()).get('authenticate/gre')));
    expect(await towards2('10.2.0.2')).toEqual(only((await services()).get('encrypt/gre')));
    expect([...(await services()).keys()].sort()).toEqual(['authenticate/gre', 'encrypt/gre']);
  }, 180_000);

  it('are protected as the PE says for all its VRFs, where their rules do not say (P5)', async () => {
    const silent: Exports = {
      A: [{ name: 'all' }],
      B: [
        { name: 'site', prefixes: ['10.9.2.0/24'] },
        { name: 'own', prefixes: ['10.255.1.2/32'], protections: ['tunnel'] },
      ],
    };
    for (const protection of ['authenticate', 'encrypt'] as const) {
      await reload(2, config(2, silent, {}, { protections: [protection] }));
      await sendsBy('A', '10.2.0.0/24', protection);
      await sendsBy('B', '10.9.2.0/24', protection);
      await sendsBy('B', '10.255.1.2/32', 'tunnel');
      const service = `${protection}/gre`;
      expect(await towards2('10.9.2.2')).toEqual(only((await services()).get(service)));
      expect(await towards2('10.2.0.2')).toEqual(only((await services()).get(service)));
    }
  }, 180_000);

  it('go as the ingress prefers where the egress leaves it a choice (P6)', async () => {
    const choice: Exports = {
      A: [{ name: 'all', protections: ['encrypt', 'authenticate'] }],
      B: ENCRYPTED.B,
    };
    await reload(2, config(2, choice));
    await sendsBy('A', '10.2.0.0/24', 'encrypt');
    expect(await towards2('10.2.0.2')).toEqual(only((await services()).get('encrypt/gre')));
    await reload(1, config(1, ENCRYPTED, { protections: ['authenticate', 'encrypt'] }));
    await sendsBy('A', '10.2.0.0/24', 'authenticate');
    expect(await towards2('10.2.0.2')).toEqual(only((await services()).get('authenticate/gre')));
  }, 180_000);
});
