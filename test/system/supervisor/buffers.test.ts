// SPDX-License-Identifier: Apache-2.0
/**
 * Packet buffers that somebody else would have all of. All ports have an MTU of 9000, so all receive into the large buffers, of
 * which there are fewest:
 *
 *   ce1 ---- VRF A, PE 1 ======== PE 2 ---- ce2      not one packet lost
 *   ceb ---- VRF B, PE 1            |                a line of 64 kb/s with deep queues; ARP that nobody reads
 *   cec ---- VRF B                  core             fragments that nobody completes
 */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { eventually } from '../../../scripts/lib/lab.js';
import type { Config } from '../../../src/config/types.js';
import { Tracer } from '../../dataplane/tracer.js';
import { TwoPes } from './two-pes.js';

const LINK = 9000;
const [CEB, CEC] = ['bufceb', 'bufcec'] as const;
const SECONDS = 4;
const path = (name: string): string => new URL(name, import.meta.url).pathname;

let net: TwoPes;
let tracer: Tracer;

function config(): Config {
  const { interfaces, vrfs, ...rest } = net.config(1);
  const ce = { role: 'ce', vrf: 'B' } as const;
  const slow = { rate: 64_000, queues: [{ class: 'default', limit: 10_000 }] };
  const all = {
    ...interfaces,
    'ce-b': { ...ce, device: { kernel: 'custb' }, addresses: ['10.9.0.1/24'], egress: slow },
    'ce-c': { ...ce, device: { kernel: 'custc' }, addresses: ['10.7.0.1/24'] },
  };
  const large = Object.fromEntries(
    Object.entries(all).map(([name, one]) => [name, { ...one, mtu: LINK }]),
  );
  return { ...rest, interfaces: large, vrfs: { ...vrfs, B: {} } };
}

async function join(netns: string, port: string, subnet: string): Promise<void> {
  await net.lab.namespace(netns);
  await net.lab.link(net.pe(1), port, netns, 'eth0');
  await net.lab.ip(netns, [
    `addr add ${subnet}.2/24 dev eth0`,
    `route add default via ${subnet}.1`,
    `link set eth0 mtu ${String(LINK)}`,
  ]);
  await net.lab.ip(net.pe(1), [`link set ${port} mtu ${String(LINK)}`]);
}

beforeAll(async () => {
  net = await TwoPes.open('buf');
  tracer = new Tracer();
  net.lab.own(`${net.pe(1)}-B`);
  await join(CEB, 'custb', '10.9.0');
  await join(CEC, 'custc', '10.7.0');
  for (const port of ['wan', 'cust']) {
    await net.lab.ip(net.pe(1), [`link set ${port} mtu ${String(LINK)}`]);
  }
  net.write(1, config());
  net.write(2);
  for (const end of [1, 2] as const) net.start(end);
  for (const end of [1, 2] as const) await net.tunnelUp(end);
  await net.reach(1, '10.2.0.2');
  await eventually('customer B reaches itself', async () => {
    const argv = ['ping', '-q', '-c', '1', '-W', '1', '10.9.0.2'];
    return (await net.lab.exec(CEC, argv)).code === 0 ? true : undefined;
  });
});
afterAll(async () => {
  await tracer.close();
  await net.close();
});

const worker = async () => (await net.show(1, 'workers'))[0]!;

async function macOf(port: string): Promise<string> {
  const [link] = JSON.parse(
    await net.lab.must(net.pe(1), ['ip', '-json', 'link', 'show', port]),
  ) as { address: string }[];
  return link!.address;
}

it('queues, fragments, and what nobody reads have their share of the buffers, and others theirs', async () => {
  const before = await net.drops(1);
  const { pid, largeBuffers } = await worker();
  expect(largeBuffers).toBeLessThan(2000n);
  const core = await macOf('wan');
  const python = '/usr/bin/python3';
  const seconds = String(SECONDS);
  // Longer than everything else.
  const count = (SECONDS + 2) * 250;
  const stream = net.ping(1, '10.2.0.2', { count, intervalMs: 4 });
  await tracer.stop(pid);
  let sent: string[];
  try {
    sent = await Promise.all([
      net.lab.must(CEC, [
        python,
        path('udp_flow.py'),
        'send',
        '10.9.0.2',
        '9',
        '0',
        '4000',
        '2000',
      ]),
      net.lab.must(CEB, [python, path('arp_flood.py'), 'eth0', '10.9.0.1', '2000', seconds]),
      net.lab.must(net.pe(2), [
        ...[python, path('fragment_flood.py'), 'wan', core, '192.0.2.1', '1000', seconds],
      ]),
    ]);
  } finally {
    await tracer.release(pid);
  }
  expect(await stream).toBe(count);
  expect(Number(sent[2])).toBeGreaterThan(1000);
  const after = await net.drops(1);
  for (const reason of ['queue_buffers', 'punt_full', 'reassembly_full']) {
    const more = (after.get(reason) ?? 0n) - (before.get(reason) ?? 0n);
    expect([reason, more > 0n]).toEqual([reason, true]);
  }
  // What waits is seen, and some were always free.
  const { largeBuffersFree, largeBuffersLeast } = await worker();
  expect(largeBuffersFree).toBeLessThan(largeBuffers);
  expect(largeBuffersLeast).toBeGreaterThan(largeBuffers / 8n);
});
