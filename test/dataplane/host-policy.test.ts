// SPDX-License-Identifier: Apache-2.0
/** BGP of the kernel inside its own SA (policy-model 18), as the wire and other people's code see it. */
import { writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sealEsp } from '../lib/esp.js';
import { gre, PROTOCOL } from '../lib/packets.js';
import { writePcap } from '../lib/pcap.js';
import { dissect } from '../lib/tshark.js';
import {
  bgpSa,
  clearFrame,
  espProtocol,
  type Family,
  framed,
  policy,
  segment,
  TCP,
} from './host-policy.js';
import { ANY, LOCAL, MAC, Pe, REMOTE } from './pe.js';
import { fromThere, labelled } from './provoke.js';

const FAMILIES: readonly Family[] = [4, 6];
const KERNEL = 'tap:core';
let pe: Pe;
beforeAll(async () => {
  pe = await Pe.start('bgp');
});
afterAll(async () => {
  await pe.close();
});

const setSas = (family: Family, toPort: number, fromPort = toPort): void => {
  pe.harness.tables.setHostPolicySas(policy(pe, family), { toPort, fromPort });
};

describe.each(FAMILIES)('IPv%i', (family) => {
  const to = { family, direction: 'to-peer' } as const;
  const from = { family, direction: 'from-peer' } as const;
  const both = [
    [40_000, 179],
    [179, 40_000],
  ] as const;

  it('what the kernel sends leaves as ESP, which tshark opens', async () => {
    const sa = await bgpSa(pe, 'out', family);
    setSas(family, sa.id);
    const { out, drops } = await pe.run({
      [KERNEL]: both.map((ports) => clearFrame({ ...to, ports })),
    });
    expect(drops).toEqual({});
    expect(Object.keys(out)).toEqual(['core']);
    const file = `${pe.harness.directory}/bgp${family}.pcap`;
    await writeFile(file, writePcap(out['core'] ?? []));
    const rows = await dissect(
      file,
      [
        'esp.sequence',
        'esp.icv_good',
        'tcp.srcport',
        'tcp.dstport',
        'bgp.type',
        'ip.checksum.status',
      ],
      {
        sas: [
          {
            ...{ source: LOCAL[family], destination: REMOTE[family], spi: sa.esp.spi },
            ...{ cipher: 'aes-gcm', key: sa.esp.key },
          },
        ],
      },
    );
    const good = family === 4 ? '1' : '';
    expect(rows).toEqual(
      both.map(([source, destination], i) => ({
        ...{ 'esp.sequence': String(i + 1), 'esp.icv_good': '1', 'bgp.type': '4' },
        ...{ 'tcp.srcport': String(source), 'tcp.dstport': String(destination) },
        'ip.checksum.status': good,
      })),
    );
    expect(pe.harness.tables.saState('out', sa.id)).toMatchObject({ packets: 2n, sequence: 2n });
    setSas(family, 0);
  });

  it('the SA is replaced by one store, and one side’s SA is not used for the other’s', async () => {
    const [old, next] = [await bgpSa(pe, 'out', family), await bgpSa(pe, 'out', family)];
    const server = await bgpSa(pe, 'out', family, { sourcePort: 179 });
    setSas(family, old.id, 0);
    const spis = async (): Promise<(number | undefined)[]> => {
      const { out } = await pe.run({ [KERNEL]: [clearFrame({ ...to, ports: both[0] })] });
      const at = family === 4 ? 34 : 54;
      return (out['core'] ?? []).map((frame) => frame.readUInt32BE(at));
    };
    expect(await spis()).toEqual([old.esp.spi]);
    setSas(family, next.id, server.id);
    expect(await spis()).toEqual([next.esp.spi]);
    pe.harness.tables.removeSa('out', old.id);
    setSas(family, 0, server.id);
    const { drops, out } = await pe.run(
      { [KERNEL]: [clearFrame({ ...to, ports: both[0] })] },
      { refused: 1 },
    );
    expect([drops, out]).toEqual([{ host_policy_no_sa: 1 }, {}]);
    setSas(family, 0);
  });

  it('what the peer sends inside ESP reaches the kernel as it was', async () => {
    const sa = await bgpSa(pe, 'in', family);
    policy(pe, family);
    const frames = both.map((ports, i) =>
      framed(from, sealEsp(sa.esp, i + 1, segment({ ...from, ports }), TCP), espProtocol),
    );
    const { out, drops } = await pe.run({ core: frames });
    expect(drops).toEqual({});
    expect(out).toEqual({ [KERNEL]: both.map((ports) => clearFrame({ ...from, ports })) });
  });

  it('Scapy’s ESP is taken, once; changed, from elsewhere, too short or about something else it is not', async () => {
    const sa = await bgpSa(pe, 'in', family);
    policy(pe, family);
    const clear = clearFrame({ ...from });
    const [sealed] = await pe.harness.wire.seal([
      {
        ethernet: [['Ether', { dst: MAC.peCore, src: MAC.p }]],
        packet: [
          [family === 4 ? 'IP' : 'IPv6', { src: REMOTE[family], dst: LOCAL[family] }],
          ['TCP', { sport: 40_000, dport: 179 }],
          ['Raw', '00'.repeat(19)],
        ],
        ...{ sa: { spi: sa.esp.spi, key: sa.esp.key }, sequence: 5 },
      },
    ]);
    const frame = Buffer.concat([clear.subarray(0, 14), (sealed ?? Buffer.alloc(0)).subarray(14)]);
    const taken = await pe.run({ core: [frame, frame] });
    expect(taken.drops).toEqual({ esp_replayed: 1 });
    expect(taken.out[KERNEL]).toHaveLength(1);
    const esp = (n: number, payload: Uint8Array, next = TCP): Buffer =>
      sealEsp(sa.esp, n, payload, next);
    const drop = async (payload: Buffer, more = {}): Promise<object> =>
      (await pe.run({ core: [framed({ ...from, ...more }, payload, espProtocol)] })).drops;
    const changed = esp(10, segment(from));
    changed.writeUInt8(changed.readUInt8(changed.length - 1) ^ 1, changed.length - 1);
    expect(await drop(changed)).toEqual({ esp_auth_failed: 1 });
    expect(await drop(esp(11, segment({ ...from, ports: [40_000, 22] })))).toEqual({
      esp_selector: 1,
    });
    for (const length of [0, 1, 3, 4, 19]) {
      const short = segment({ ...from }).subarray(0, length);
      expect(await drop(esp(20 + length, short))).toEqual({ esp_selector: 1 });
    }
    const label = pe.label('vrf', pe.vrfs.a, ANY);
    expect(await drop(esp(40, gre(labelled(label, fromThere())), PROTOCOL.gre))).toEqual({
      esp_selector: 1,
    });
    expect(await drop(esp(41, labelled(label, fromThere()), PROTOCOL.mpls))).toEqual({
      esp_selector: 1,
    });
    expect(await drop(changed.subarray(0, 33))).toEqual({ esp_truncated: 1 });
    const other = family === 4 ? 6 : 4;
    expect(await drop(esp(42, segment(from)), { family: other })).toEqual({ esp_outer_address: 1 });
  });
});

it('TCP out of an SA of the VPN is no BGP', async () => {
  const sa = await pe.sa('in');
  const payload = sealEsp(sa.esp, 1, segment({ direction: 'from-peer' }), TCP);
  const { out, drops } = await pe.run({
    core: [framed({ direction: 'from-peer' }, payload, espProtocol)],
  });
  expect([drops, out]).toEqual([{ esp_selector: 1 }, {}]);
});

it('what has no policy any more is in clear again', async () => {
  const id = policy(pe, 4);
  pe.harness.tables.removeHostPolicy(id);
  const [mine, theirs] = [
    clearFrame({ direction: 'to-peer' }),
    clearFrame({ direction: 'from-peer' }),
  ];
  const { out, drops } = await pe.run({ [KERNEL]: [mine], core: [theirs] });
  expect([drops, out]).toEqual([{}, { core: [mine], [KERNEL]: [theirs] }]);
});
