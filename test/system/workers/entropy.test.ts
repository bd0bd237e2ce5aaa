// SPDX-License-Identifier: Apache-2.0
/**
 * What routers of the core can tell packets apart by, to share them among several ways (ECMP, RFC 6438): each SA has an SPI and an
 * IPv6 flow label of its own (policy-model 23), and a PE has an SA for each packet thread. An inner flow keeps its thread, so all
 * its packets have the same; within an SA flows do not differ. As tshark reads them at the other PE. UDP ports of RFC 3948, which
 * stay fixed: suites-linux.test.ts in test/interop/ike.
 */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { eventually } from '../../../scripts/lib/lab.js';
import type { Config } from '../../../src/config/types.js';
import { dissect } from '../../lib/tshark.js';
import { IkePes } from '../ike/ike-pes.js';
import { otherEnd, type End } from '../supervisor/two-pes.js';
import { send } from './flows.js';

const FLOWS = 16;
const PACKETS = 10;
const ENDS = [1, 2] as const;
const core = (end: End): string => `2001:db8:c::${String(end)}`;

let pes: IkePes;

/** PEs whose tunnel goes over IPv6, with two packet threads. */
function config(end: End): Config {
  const { core: own, interfaces, tunnels, ike, ...rest } = pes.config(end);
  const { core0, ...others } = interfaces;
  const [peer, range] = [tunnels?.['peer'], '2001:db8:c::/64'];
  const example = ike?.providers['example'];
  const all = example?.psks?.['all'];
  if (core0 === undefined || peer === undefined || ike === undefined || all === undefined) {
    throw new Error('the lab has no tunnel by IKE');
  }
  return {
    ...rest,
    worker: { memoryMb: 64, lcores: 2 },
    core: { ...own, tunnelAddresses: [core(end)] },
    interfaces: { ...others, core0: { ...core0, addresses: [`${core(end)}/64`] } },
    tunnels: { peer: { ...peer, local: core(end), remote: core(otherEnd(end)) } },
    ike: {
      ...ike,
      providers: {
        example: { ...example, ranges: [range], psks: { all: { ...all, remote: range } } },
      },
    },
  };
}

beforeAll(async () => {
  pes = await IkePes.open('entr', { proof: 'psk' });
  const { net } = pes;
  for (const end of ENDS) {
    net.write(end, config(end));
    net.start(end);
  }
  for (const end of ENDS) await net.tunnelUp(end);
  await net.reach(1, '10.2.0.2');
  await eventually('an SA for each thread', async () =>
    (await pes.children(1)).length === 2 ? true : undefined,
  );
});
afterAll(async () => {
  await pes.close();
});

/** Flow label and SPI of each packet of one inner flow. */
async function seen(flow: number): Promise<readonly string[]> {
  const { net } = pes;
  await net.capture(async () => {
    const [arrived] = await send(net, 1, {
      ...{ to: ['10.2.0.2'], first: flow, flows: 1, packets: PACKETS },
    });
    expect(arrived).toMatchObject({ packets: PACKETS, late: 0 });
  });
  const rows = await dissect(`${net.run}/core2.pcap`, ['ipv6.flow', 'esp.spi'], {
    filter: `esp && ipv6.src == ${core(1)}`,
  });
  expect(rows).toHaveLength(PACKETS);
  return rows.map((row) => `${row['ipv6.flow']} ${row['esp.spi']}`);
}

it('flows of different SAs differ by flow label and SPI, and each flow always has the same', async () => {
  const marks = new Map<number, string>();
  for (let flow = 0; flow < FLOWS; flow++) {
    const [mark = '', ...others] = new Set(await seen(flow));
    expect(others).toEqual([]);
    marks.set(flow, mark);
  }
  // Hashed over two threads sixteen flows do not go by one of them alone, but once in 30000 times.
  const different = [...new Set(marks.values())].map((mark) => mark.split(' '));
  expect(different).toHaveLength(2);
  const [labels, spis] = [0, 1].map((i) => different.map((mark) => Number(mark[i])));
  expect(new Set(labels).size).toBe(2);
  expect(labels?.every((label) => label > 0 && label < 1 << 20)).toBe(true);
  const sas = (await pes.children(1)).map(({ outboundSpi }) => Number.parseInt(outboundSpi, 16));
  expect([...(spis ?? [])].sort()).toEqual(sas.sort());
  for (const flow of [3, 0, 7]) {
    expect(new Set(await seen(flow))).toEqual(new Set([marks.get(flow)]));
  }
});
