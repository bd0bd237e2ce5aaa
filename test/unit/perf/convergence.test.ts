// SPDX-License-Identifier: Apache-2.0
/** The convergence benchmark’s arithmetic, over frames that are written out here. */
import { describe, expect, it } from 'vitest';
import { failure, firstPacket, lost, policyChange } from '../../../perf/convergence-parts.js';
import { Durations, reckoned } from '../../../perf/convergence-table.js';
import {
  events,
  readTimedPcap,
  STREAM_PORT,
  type Event,
  type Timed,
} from '../../../perf/convergence-wire.js';
import { ipv4, udp } from './frames.js';

const [INGRESS, EGRESS, OTHER, CE, PE_OF_CE] = [
  ...(['192.0.2.1', '192.0.2.2', '192.0.2.3', '10.2.0.2', '10.2.0.1'] as const),
];
const CAST = { ingress: INGRESS, egress: EGRESS, ce: CE, prefix: [10, 50, 0] };

/** A BGP message (RFC 4271 §4.1) in a TCP segment from port 179. */
function bgp(from: string, to: string, type: number, body: readonly number[]): Buffer {
  const head = Buffer.alloc(20);
  head.writeUInt16BE(179, 0);
  head.writeUInt16BE(40_000, 2);
  head.writeUInt8(0x50, 12);
  const message = Buffer.concat([Buffer.alloc(16, 0xff), Buffer.alloc(3), Buffer.from(body)]);
  message.writeUInt16BE(message.length, 16);
  message.writeUInt8(type, 18);
  return ipv4(6, from, to, Buffer.concat([head, message]));
}
const update = (from: string, to: string): Buffer => bgp(from, to, 2, [0, 0, 0, 0, 24, 10, 50, 0]);
const endOfRib = (from: string, to: string): Buffer => bgp(from, to, 2, [0, 0, 0, 0]);
const keepalive = (from: string, to: string): Buffer => bgp(from, to, 4, []);

function ike(from: string, to: string, exchange: number, response: boolean): Buffer {
  const head = Buffer.alloc(28);
  head.writeUInt8(exchange, 18);
  head.writeUInt8(response ? 0x20 : 0x08, 19);
  return udp(from, to, 500, head);
}
function esp(from: string, to: string, spi: number): Buffer {
  const body = Buffer.alloc(64);
  body.writeUInt32BE(spi);
  return ipv4(50, from, to, body);
}
const gre = (from: string, to: string): Buffer => ipv4(47, from, to, Buffer.alloc(40));
const stream = (number: number): Buffer =>
  udp('10.1.0.2', '10.50.0.1', STREAM_PORT, Buffer.from(String(number).padStart(12, '0')));
/** Version 1, diagnostic, state in the two highest bits of the second octet (RFC 5880 §4.1). */
const bfd = (from: string, to: string, diagnostic: number, state: number): Buffer =>
  udp(
    from,
    to,
    3784,
    Buffer.from([0x20 | diagnostic, state << 6, 3, 24, ...new Array<number>(20).fill(0)]),
  );

const wire = (...frames: readonly (readonly [number, Buffer])[]): Event[] =>
  events(frames.map(([at, frame]): Timed => ({ at, frame })));

describe('a prefix that is announced', () => {
  const site = wire(
    [90, update(PE_OF_CE, CE)],
    [100, update(CE, PE_OF_CE)],
    [190, stream(7)],
    [191, stream(8)],
  );
  const core = [
    [50, update(EGRESS, INGRESS)], // before
    [103, keepalive(EGRESS, INGRESS)],
    [104, endOfRib(EGRESS, INGRESS)],
    [105, update(EGRESS, INGRESS)],
    [112, ike(INGRESS, EGRESS, 34, false)],
    [130, ike(EGRESS, INGRESS, 34, true)],
    [150, ike(INGRESS, EGRESS, 35, false)],
    [170, ike(EGRESS, INGRESS, 35, true)],
    [181, esp(INGRESS, EGRESS, 9)],
  ] as const;

  it('is broken into its parts, which add up', () => {
    const parts = firstPacket(CAST, wire(...core), site);
    expect(parts).toEqual({
      ...{ egressBgp: 5, ingressBgp: 7, ike: 58, rows: 11, delivery: 9, whole: 90 },
    });
  });

  it('has no figure when a step did not happen, or the first packet came in clear', () => {
    for (let left = 3; left < core.length; left++) {
      const without = core.filter((_, index) => index !== left);
      // The messages in the middle of IKE are no steps of their own.
      const needed = [3, 4, 7, 8].includes(left);
      const run = (): unknown => firstPacket(CAST, wire(...without), site);
      if (needed) expect(run).toThrow('not on the wire');
      else expect(run).not.toThrow();
    }
    expect(() => firstPacket(CAST, wire(...core, [180, gre(INGRESS, EGRESS)]), site)).toThrow(
      'in clear',
    );
    expect(() => firstPacket(CAST, wire(...core), site.slice(0, 2))).toThrow('a packet at the CE');
  });
});

describe('a policy that is changed', () => {
  it('from a tunnel in clear to ESP: the first by the new, the last by the old', () => {
    const core = wire(
      [90, gre(INGRESS, EGRESS)],
      [120, update(EGRESS, INGRESS)],
      [130, gre(INGRESS, EGRESS)],
      [140, esp(INGRESS, EGRESS, 5)],
      [150, esp(EGRESS, INGRESS, 6)],
    );
    expect(policyChange(CAST, core, 100, undefined)).toEqual({
      told: 20,
      firstNew: 40,
      lastOld: 30,
    });
  });

  it('from one SA to another: by the SPI', () => {
    const core = wire(
      [110, esp(INGRESS, EGRESS, 5)],
      [120, update(EGRESS, INGRESS)],
      [140, esp(INGRESS, EGRESS, 6)],
      [141, esp(INGRESS, EGRESS, 5)],
    );
    expect(policyChange(CAST, core, 100, 5)).toEqual({ told: 20, firstNew: 40, lastOld: 41 });
  });
});

describe('a PE that fails', () => {
  const old = wire([990, stream(1)], [1000, stream(2)]);
  const alternative = wire([2100, stream(9)]);

  const ends = { failed: EGRESS, other: OTHER };
  const byBfd = [
    [1500, bfd(INGRESS, EGRESS, 0, 3)],
    [1900, bfd(INGRESS, EGRESS, 1, 1)],
    [1901, bgp(INGRESS, EGRESS, 3, [6, 10])],
  ] as const;

  it('by BFD', () => {
    const seen = { core: wire(...byBfd), old, alternative };
    expect(failure(INGRESS, ends, seen, 1001)).toEqual({
      ...{ detection: 900, change: 200, whole: 1100 },
    });
  });

  it('by the hold time, which nobody says on the wire', () => {
    const core = wire([2090, bgp(INGRESS, EGRESS, 3, [4, 0])]);
    expect(failure(INGRESS, ends, { core, old, alternative }, 1001)).toEqual({
      ...{ detection: undefined, change: undefined, whole: 1100 },
    });
  });

  it('has no figure when the other’s SA was not there, or nothing came by it', () => {
    const core = wire(...byBfd);
    const anew = wire(...byBfd, [1910, ike(INGRESS, OTHER, 34, false)]);
    expect(() => failure(INGRESS, ends, { core: anew, old, alternative }, 1001)).toThrow('anew');
    expect(() => failure(INGRESS, ends, { core, old, alternative: [] }, 1001)).toThrow(
      'the other PE',
    );
  });

  it('counts each packet once, by whichever link', () => {
    expect(lost(10, old, alternative, wire([3000, stream(9)]))).toBe(7);
  });
});

describe('captures', () => {
  it('are read with their times; a record that is cut off is none', () => {
    const frame = stream(3);
    const file = Buffer.alloc(24 + 16);
    file.writeUInt32LE(0xa1b2c3d4);
    file.writeUInt32LE(1_700_000_000, 24);
    file.writeUInt32LE(250, 28);
    file.writeUInt32LE(frame.length, 32);
    const whole = Buffer.concat([file, frame]);
    const read = readTimedPcap(Buffer.concat([whole, whole.subarray(24, whole.length - 1)]));
    expect(read.map(({ at }) => at)).toEqual([1_700_000_000_000.25]);
    expect(events(read)).toMatchObject([{ kind: 'stream', number: 3, to: '10.50.0.1' }]);
    expect(() => readTimedPcap(frame)).toThrow('pcap');
  });

  it('of frames that are cut off have steps as far as these say what they are', () => {
    const good = update(CE, PE_OF_CE);
    const header = 14 + 20 + 20 + 19; // Ethernet, IPv4, TCP, BGP
    for (let length = 0; length <= good.length; length++) {
      const found = events([{ at: 0, frame: good.subarray(0, length) }]);
      const told = { kind: 'update', from: CE, to: PE_OF_CE };
      expect(found).toMatchObject(length < header ? [] : [told]);
      expect(found).toHaveLength(length < header ? 0 : 1);
    }
  });
});

describe('the table', () => {
  it('has medians of the runs, their range, and the losses of each', () => {
    const table = new Durations(() => undefined);
    for (const [whole, gone] of [
      [1000, 990],
      [1300, 1200],
      [1100, 1080],
    ] as const) {
      const parts = { detection: 900, change: 5, whole };
      table.failure('x', { ...parts, lost: gone }, 900);
    }
    const row = table.rows().find((one) => one.case.endsWith('first packet by the other'));
    expect(row).toMatchObject({ ours: 1100, referenceValue: 900, ratio: 1.222, runs: 3 });
    expect(row?.['range']).toEqual([1000, 1300]);
    expect(row?.['perRun']).toEqual([{ lost: 990 }, { lost: 1200 }, { lost: 1080 }]);
  });

  it('reckons with the line through the medians of the two largest numbers', () => {
    const many = (remotes: number, usable: number) => ({
      ...{ remotes, usable, told: 1, agreed: 1, half: 1, cpu: 2 * usable, memory: 7 },
    });
    const measured = [many(1, 999), many(10, 300), many(10, 400), many(10, 9000), many(100, 1300)];
    expect(reckoned(measured, 'usable', 1000)).toEqual({ each: 10, all: 10_300, measured: 1300 });
    expect(reckoned(measured, 'memory', 1000)).toEqual({ each: 0, all: 7, measured: 7 });
    expect(reckoned(measured.slice(0, 1), 'cpu', 1000)).toBeUndefined();
    const table = new Durations(() => undefined);
    for (const one of measured) table.many(one);
    table.onPaper(1000);
    const row = table
      .rows()
      .find((one) => one.case === '1000 remote PEs, on paper: all are usable');
    expect(row).toMatchObject({ ours: 10_300, unit: 'ms', perRun: [{ each: 10 }] });
  });
});
