// SPDX-License-Identifier: Apache-2.0
/**
 * A site behind two tunnels: flows of CE a are spread over both, each flow keeps its way and its order, and what
 * arrives is the customer's packet under the label of its way. Both tunnels encrypt; the one is over IPv4, the
 * other over IPv6.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openEsp } from '../lib/esp.js';
import { ethernet, etherTypeOf, ip, PROTOCOL, udp } from '../lib/packets.js';
import { carried } from './frames.js';
import { FAMILIES, HERE, MAC, Pe, THERE, type Family, type Sa } from './pe.js';

interface Way {
  readonly nexthop: number;
  readonly label: number;
  readonly sa: Sa;
  /** Bytes in front of ESP. */
  readonly front: number;
}

const FLOWS = 400;
/** Six standard deviations of a fair coin thrown 400 times. */
const MOST = FLOWS / 2 + 60;

let pe: Pe;
let ways: readonly Way[] = [];

beforeAll(async () => {
  pe = await Pe.start('multi');
  const make = async (family: Family): Promise<Way> => {
    const sa = await pe.sa('out', { family });
    const nexthop = pe.tunnel({ encapsulation: 'gre', family, sa });
    return { nexthop, label: pe.newLabel(), sa, front: family === 4 ? 34 : 54 };
  };
  ways = [await make(4), await make(6)];
  route(ways);
});
afterAll(async () => {
  await pe.close();
});

function route([first, ...rest]: readonly Way[]): void {
  const { nexthop = 0, label = 0 } = first ?? {};
  for (const family of FAMILIES) {
    const length = family === 4 ? 24 : 64;
    pe.route('a', THERE[family], nexthop, { label, length, more: rest });
  }
}

/** The packet `id` of a flow, with `ttl`; a flow has source and destination port of its own, and no label. */
function packet(family: Family, flow: number, id: number, ttl: number): Buffer {
  const [source, destination] = [HERE[family], THERE[family]];
  const payload = udp(source, destination, Buffer.from(`${id}`.padStart(20)));
  payload.writeUInt16BE(20_000 + flow, 0);
  payload.writeUInt16BE(53 + (flow % 7), 2);
  payload.writeUInt16BE(0, 6);
  return ip({ source, destination, protocol: PROTOCOL.udp, ttl, payload });
}

const fromCe = (payload: Buffer): Buffer =>
  ethernet({ destination: MAC.peCe, source: MAC.a, type: etherTypeOf(payload), payload });

/** Number of the way that a frame left by, and the packet in it; checks label and ESP. */
function arrived(frame: Buffer): { way: number; sequence: number; packet: Buffer } {
  const way = ways.findIndex(({ sa, front }) => frame.readUInt32BE(front) === sa.row.spi);
  const { sa, front, label } = ways[way] ?? {};
  if (sa === undefined) throw new Error(`a frame of no tunnel: ${frame.toString('hex')}`);
  const { payload, sequence } = openEsp(sa.esp, frame.subarray(front));
  const inside = payload.subarray(8);
  const wanted = carried({ encapsulation: 'gre', label: label ?? 0, packet: inside });
  expect(payload.toString('hex')).toBe(wanted.toString('hex'));
  return { way, sequence, packet: inside };
}

/** Sends `rounds` packets of each flow, all flows mixed; the way of each flow. */
async function sendFlows(family: Family, rounds: number): Promise<readonly number[]> {
  const count = FLOWS * rounds;
  const sent = Array.from({ length: count }, (_, i) => ({ flow: i % FLOWS, id: i }));
  const frames = sent.map(({ flow, id }) => fromCe(packet(family, flow, id, 33)));
  const { out, drops } = await pe.run({ ce: frames });
  expect(drops).toEqual({});
  expect(Object.keys(out)).toEqual(['core']);
  const got = (out['core'] ?? []).map(arrived);
  expect(got).toHaveLength(count);
  const wayOf: number[] = [];
  const lastOf: number[] = [];
  const lastSequence: number[] = [];
  for (const { way, sequence, packet: inner } of got) {
    const id = Number(inner.subarray(-20).toString());
    const flow = id % FLOWS;
    expect(inner.toString('hex')).toBe(packet(family, flow, id, 32).toString('hex'));
    expect(way).toBe(wayOf[flow] ?? way);
    expect(id).toBeGreaterThan(lastOf[flow] ?? -1);
    expect(sequence).toBe((lastSequence[way] ?? sequence - 1) + 1);
    [wayOf[flow], lastOf[flow], lastSequence[way]] = [way, id, sequence];
  }
  return wayOf;
}

const share = (wayOf: readonly number[], way: number): number =>
  wayOf.filter((one) => one === way).length;

describe.each(FAMILIES)('IPv%i flows by two tunnels', (family) => {
  let wayOf: readonly number[] = [];

  it('are spread over both, each on one way and in order', async () => {
    wayOf = await sendFlows(family, 3);
    for (const way of [0, 1]) expect(share(wayOf, way)).toBeLessThan(MOST);
  });

  it('pass over a tunnel that is down at once, and come back to it', async () => {
    const { tables } = pe.harness;
    const [one] = ways;
    const version = tables.nexthops().find(({ id }) => id === one?.nexthop)?.active;
    tables.setNexthop(one?.nexthop ?? 0, undefined);
    expect(share(await sendFlows(family, 1), 1)).toBe(FLOWS);
    tables.setNexthop(one?.nexthop ?? 0, version);
    expect(await sendFlows(family, 1)).toEqual(wayOf);
  });

  it('go by the one that is left when the route is written anew, and only then move', async () => {
    route(ways.slice(1));
    expect(share(await sendFlows(family, 1), 1)).toBe(FLOWS);
    route([...ways].reverse());
    expect(await sendFlows(family, 1)).toEqual(wayOf);
  });

  it('keep their ways while the supervisor and the worker are replaced', async () => {
    pe.harness.reopenTables();
    expect(await sendFlows(family, 1)).toEqual(wayOf);
    await pe.harness.killWorker();
    await pe.harness.startWorker();
    await pe.bringUp();
    expect(await sendFlows(family, 1)).toEqual(wayOf);
  });
});
