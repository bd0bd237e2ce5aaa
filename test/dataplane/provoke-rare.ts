// SPDX-License-Identifier: Apache-2.0
/**
 * The reasons of drop_reasons.h that frames alone do not cause: threads stand still, ports refuse frames, rows are
 * spoiled, segments are lost. Each checks its own count; the last ones leave the PE without SAs.
 */
import { rmSync, writeFileSync } from 'node:fs';
import { expect } from 'vitest';
import { eventually } from '../../scripts/lib/lab.js';
import { ETHERTYPE, ethernet } from '../lib/packets.js';
import { writePcap } from '../lib/pcap.js';
import { toCe } from './frames.js';
import { farEnd, tapName, type Harness, type PortOptions } from './harness.js';
import { ANY, MAC, PE_CE, type Pe } from './pe.js';
import { BFD } from './provoke-bfd.js';
import { FRAGMENTS } from './provoke-fragments.js';
import { QUEUES } from './provoke-queues.js';
import { cePacket, COUNT, espFrame, fromCe, labelled, SA_MISSING } from './provoke.js';
import { Exchange } from './run.js';
import { spoil, type Tracer } from './tracer.js';

/** An rte_ring of 1024 holds one less. */
const RING = 1023;
/** Frames of an AF_PACKET port's ring: devargs.c. */
const RX_RING = 512;
/** Where SAs are counted as another application's: 1 is the VPN's, 2 BGP's. */
const OTHER_APPLICATION = 3;
/** Row of the first group that tables make. */
const FIRST_GROUP = 1;

const times = <T>(n: number, make: (i: number) => T): T[] =>
  Array.from({ length: n }, (_, i) => make(i));

export interface Stage {
  readonly pe: Pe;
  readonly tracer: Tracer;
}

/** Ports beside the wires: a file of frames that no wire carries, and a memif nobody is connected to. */
export function extraPorts({ directory }: Harness): Record<string, PortOptions> {
  const file = `${directory}/odd.pcap`;
  const short = times(COUNT, () => Buffer.alloc(10));
  // longer than a packet buffer of the default --max-mtu: the driver chains two
  const [destination, source] = [MAC.peCe, MAC.a];
  const long = times(COUNT, () =>
    ethernet({ destination, source, type: ETHERTYPE.ip4, payload: Buffer.alloc(4000) }),
  );
  writeFileSync(file, writePcap([...short, ...long]));
  const memif = `net_memif0,role=server,socket=${directory}/memif.sock,socket-abstract=no`;
  return { odd: { devargs: `net_pcap0,rx_pcap=${file}` }, memif: { devargs: memif, mtu: 1500 } };
}

const arp = (): Buffer =>
  ethernet({
    ...{ destination: 'ff:ff:ff:ff:ff:ff', source: MAC.a, type: ETHERTYPE.arp },
    payload: Buffer.alloc(46),
  });

/** Frames that were read as soon as polling began; counted before any interface is known. */
async function fromFile({ pe }: Stage, reason: string): Promise<void> {
  const count = (): bigint | undefined =>
    pe.harness.tables.drops().find((row) => row.reason === reason)?.packets;
  await eventually(reason, () => (count() === BigInt(COUNT) ? true : undefined), 5000);
}

/** A route of VRF a by an interface row of its own. */
function routeBy(pe: Pe, name: string, address: string): void {
  const row = pe.rows.get('ce');
  if (row === undefined) throw new Error('no interface ce');
  const { tables } = pe.harness;
  const out = tables.putInterface({ ...row, name, port: tables.portId(name) });
  const header = toCe(cePacket(address)).subarray(0, 14);
  const own = { kind: 'adjacency', interface: out, vrf: pe.vrfs.a, mtu: 1500 } as const;
  pe.route('a', address, pe.nexthop({ ...own, neighbour: Uint8Array.of(10, 1, 1, 1), header }));
}

async function txFull({ pe }: Stage): Promise<void> {
  routeBy(pe, 'memif', '198.51.100.1');
  const frames = times(COUNT, () => fromCe(cePacket('198.51.100.1')));
  const { drops, out } = await pe.run({ ce: frames });
  expect([drops, out]).toEqual([{ tx_full: COUNT }, {}]);
}

/** What the control thread should take to the kernel waits in a ring while it stands still. */
async function puntFull({ pe, tracer }: Stage): Promise<void> {
  const exchange = await Exchange.begin(pe.harness);
  const frames = RING + COUNT;
  await tracer.stop(pe.harness.workerPid);
  try {
    await exchange.send('ce', times(frames, arp));
  } finally {
    await tracer.release(pe.harness.workerPid);
  }
  const { drops, out, interfaces } = await exchange.finish({
    ports: frames,
    taps: 0,
    swallowed: 0,
  });
  const delivered = out['tap:ce']?.length ?? 0;
  expect(interfaces['ce']).toMatchObject({ punted: RING, drops: COUNT });
  expect(drops).toEqual({ punt_full: COUNT, punt_rate: RING - delivered });
}

/** Then all of it comes at once, and one interface gets its burst of 512 and 10 more a millisecond. */
async function puntRate({ pe, tracer }: Stage): Promise<void> {
  const exchange = await Exchange.begin(pe.harness);
  await new Promise((wake) => setTimeout(wake, 60)); // the bucket is full again
  await tracer.stop(pe.harness.workerPid);
  try {
    await exchange.send('ce', times(900, arp));
    await exchange.send('core', times(10, arp));
  } finally {
    await tracer.release(pe.harness.workerPid);
  }
  const { drops, out } = await exchange.finish({ ports: 910, taps: 0, swallowed: 0 });
  const delivered = out['tap:ce']?.length ?? 0;
  expect(delivered).toBeGreaterThanOrEqual(512);
  expect(drops).toEqual({ punt_rate: 900 - delivered });
  // the others' share is their own
  expect(out['tap:core']).toHaveLength(10);
}

/** Frames of a TAP that its user, the worker, has read. */
async function readFromTap(pe: Pe, name: string): Promise<number> {
  const text = await pe.harness.must(['ip', '-j', '-s', 'link', 'show', tapName(name)]);
  const [link] = JSON.parse(text) as { stats64: { tx: { packets: number } } }[];
  return link?.stats64.tx.packets ?? 0;
}

/** What the kernel sends waits in a ring while the packet thread stands still. */
async function injectFull({ pe, tracer }: Stage): Promise<void> {
  const { harness } = pe;
  const exchange = await Exchange.begin(harness);
  const frames = RING + COUNT;
  const thread = harness.packetThread;
  const before = await readFromTap(pe, 'ce');
  await tracer.stop(thread);
  try {
    for (let sent = 0; sent < frames; sent += 64) {
      const batch = times(Math.min(64, frames - sent), () => [tapName('ce'), arp()] as const);
      await harness.wire.send(batch);
      const want = before + sent + batch.length;
      await eventually('the TAP is read', async () =>
        (await readFromTap(pe, 'ce')) === want ? true : undefined,
      );
    }
  } finally {
    await tracer.release(thread);
  }
  const { drops, out } = await exchange.finish({ ports: 0, taps: frames, swallowed: 0 });
  expect(drops).toEqual({ inject_full: COUNT });
  expect(out['ce']).toHaveLength(RING);
}

/** VRF a's host TAP, through which the kernel sends IP packets. */
async function hostTap(pe: Pe): Promise<string> {
  const name = 'host-a';
  const host = {
    acceptGre: false,
    acceptIp: false,
    mplsOwnSp: false,
    mplsOtherSp: false,
    mac: new Uint8Array(6),
  };
  const row = { name, role: 'host', vrf: pe.vrfs.a, port: 0, vlan: 0, mtu: 1500 } as const;
  const id = pe.harness.tables.putInterface({ ...row, ...host });
  await pe.harness.attach(id, name, 'tun');
  return name;
}

async function injectMalformed({ pe }: Stage): Promise<void> {
  const tap = await hostTap(pe);
  const packet = cePacket('10.1.1.77', { source: PE_CE[4] });
  packet.writeUInt16BE(packet.readUInt16BE(10) ^ 1, 10);
  const { drops, out } = await pe.run({ [`tap:${tap}`]: times(COUNT, () => packet) });
  expect([drops, out]).toEqual([{ inject_malformed: COUNT }, {}]);
}

async function injectNoInterface({ pe }: Stage): Promise<void> {
  const { tables } = pe.harness;
  const row = pe.rows.get('ce7');
  if (row === undefined) throw new Error('no interface ce7');
  const id = tables.putInterface({ ...row, name: 'gone', vlan: 9 });
  await pe.harness.attach(id, 'gone');
  tables.removeInterface(id);
  const { drops, out } = await pe.run({ 'tap:gone': times(COUNT, arp) });
  expect([drops, out]).toEqual([{ inject_no_interface: COUNT }, {}]);
}

/** A burst that is faster than the bucket fills: the thread stands still while it arrives. */
async function icmpRate({ pe, tracer }: Stage): Promise<void> {
  const exchange = await Exchange.begin(pe.harness);
  const thread = pe.harness.packetThread;
  const frames = 250;
  const expiring = fromCe(cePacket('10.1.1.1', { ttl: 1 }));
  await tracer.stop(thread);
  try {
    await pe.harness.wire.send(times(frames, () => [farEnd('ce'), expiring] as const));
  } finally {
    await tracer.release(thread);
  }
  const { drops, out } = await exchange.finish({ ports: frames, taps: 0, swallowed: 0 });
  const answered = out['ce']?.length ?? 0;
  expect(answered).toBeGreaterThanOrEqual(100);
  expect(drops).toEqual({ ttl_expired: frames, icmp_rate: frames - answered });
}

/** Frames that find the kernel's ring full while the packet thread stands still. */
async function rxLost({ pe, tracer }: Stage): Promise<void> {
  const exchange = await Exchange.begin(pe.harness);
  const thread = pe.harness.packetThread;
  const frames = RX_RING + COUNT;
  await tracer.stop(thread);
  try {
    await pe.harness.wire.send(
      times(frames, () => [farEnd('ce'), fromCe(cePacket('10.1.1.1'))] as const),
    );
  } finally {
    await tracer.release(thread);
  }
  await eventually('the loss', () => {
    const row = pe.harness.tables.drops().find(({ reason }) => reason === 'rx_lost');
    return row?.packets === 0n ? undefined : true;
  });
  const { drops, out } = await exchange.finish({ ports: RX_RING, taps: 0, swallowed: 0 });
  expect(drops).toEqual({ rx_lost: COUNT });
  expect(out['ce']).toHaveLength(RX_RING);
}

/** An SA that another application of IPsec on the PE would have: nothing here makes one yet. */
async function espApplication({ pe }: Stage): Promise<void> {
  const sa = await pe.sa('in');
  spoil(pe.harness.path('tables'), 'sa_in.application', sa.id, Buffer.of(OTHER_APPLICATION));
  const label = pe.label('vrf', pe.vrfs.a, ANY);
  const frames = times(COUNT, (i) => espFrame(sa, i + 1, labelled(label)));
  const { drops, out } = await pe.run({ core: frames });
  expect([drops, out]).toEqual([{ esp_application: COUNT }, {}]);
}

/** A route whose next-hop group is gone: no writer of ours leaves such a one. */
async function groupUnknown({ pe }: Stage): Promise<void> {
  const [one, other] = [1, 2].map(() => pe.adjacency('ce', MAC.a, 4));
  const more = [{ nexthop: other ?? 0, label: 0 }];
  pe.route('a', '198.51.100.3', one ?? 0, { more });
  spoil(pe.harness.path('tables'), 'group.member', FIRST_GROUP, Buffer.alloc(8));
  const frames = times(COUNT, () => fromCe(cePacket('198.51.100.3')));
  const { drops, out } = await pe.run({ ce: frames });
  expect([drops, out]).toEqual([{ group_unknown: COUNT }, {}]);
}

/** Policy-model 22: with the state segment, what counted for the keys is gone, and so are the SAs. */
async function loseState({ pe }: Stage): Promise<void> {
  const { harness } = pe;
  const out = await pe.sa('out');
  pe.route('a', '198.51.100.2', pe.tunnel({ encapsulation: 'gre', family: 4, sa: out }), {
    label: 17,
  });
  await harness.killWorker();
  rmSync(harness.path('state'));
  await harness.startWorker();
  await pe.bringUp();
  const inside = harness.client.installSas([out.id], []);
  await expect(inside).rejects.toMatchObject({ code: 'KEY_REFUSED' });
}

async function saNotReady(stage: Stage): Promise<void> {
  await loseState(stage);
  const frames = times(COUNT, () => fromCe(cePacket('198.51.100.2')));
  const { drops, out } = await stage.pe.run({ ce: frames });
  expect([drops, out]).toEqual([{ sa_not_ready: COUNT }, {}]);
}

/** The inbound SA that another loss took. */
async function espNotReady(stage: Stage): Promise<void> {
  const sa = await stage.pe.sa('in');
  await loseState(stage);
  const label = stage.pe.label('vrf', stage.pe.vrfs.a, ANY);
  const frames = times(COUNT, (i) => espFrame(sa, i + 1, labelled(label)));
  const { drops, out } = await stage.pe.run({ core: frames });
  expect([drops, out]).toEqual([{ esp_not_ready: COUNT }, {}]);
}

/** Each waits for another SA, and none comes. Takes as long as a packet is held. */
async function heldExpired({ pe }: Stage): Promise<void> {
  const exchange = await Exchange.begin(pe.harness);
  const hosts = times(COUNT, (i) => `198.51.100.${String(20 + i)}`);
  for (const host of hosts) pe.route('a', host, pe.nexthop(SA_MISSING));
  await exchange.send(
    'ce',
    hosts.map((host) => fromCe(cePacket(host))),
  );
  const held = (): bigint | undefined => pe.harness.tables.worker().lcores[0]?.held;
  expect(held()).toBe(BigInt(COUNT));
  await eventually('they have expired', () => (held() === 0n ? true : undefined), 120_000);
  const { drops, out } = await exchange.finish({ ports: COUNT, taps: 0, swallowed: 0 });
  expect([drops, out]).toEqual([{ held_expired: COUNT }, {}]);
}

/** In this order. */
export const RARE: Readonly<Record<string, (stage: Stage) => Promise<void>>> = {
  rx_truncated: async (stage) => fromFile(stage, 'rx_truncated'),
  jumbo_too_long: async (stage) => fromFile(stage, 'jumbo_too_long'),
  tx_full: txFull,
  punt_full: puntFull,
  punt_rate: puntRate,
  inject_full: injectFull,
  inject_malformed: injectMalformed,
  inject_no_interface: injectNoInterface,
  icmp_rate: icmpRate,
  rx_lost: rxLost,
  ...BFD,
  esp_application: espApplication,
  group_unknown: groupUnknown,
  held_expired: heldExpired,
  ...FRAGMENTS,
  ...QUEUES,
  sa_not_ready: saNotReady,
  esp_not_ready: espNotReady,
};
