// SPDX-License-Identifier: Apache-2.0
/** IKE's sockets between two namespaces: addresses, the marker of port 4500, lanes, and what must not end them. */
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { eventually, Lab } from '../../../scripts/lib/lab.js';
import type { IkeCounter } from '../../../src/ike/counters.js';
import { IkeTransport } from '../../../src/ike/transport/transport.js';
import type { Datagram, Path, Timers } from '../../../src/ike/types.js';
import { createLogger } from '../../../src/lib/log.js';
import type { UdpSocket } from '../../../src/lib/udp-sockets.js';
import { ip, kernel, openDescriptors, settle } from '../kernel/support.js';

const [A, B] = [`slk-${String(process.pid)}-iket-a`, `slk-${String(process.pid)}-iket-b`];
const text = (octets: Uint8Array): string => Buffer.from(octets).toString('latin1');
const octetsOf = (letters: string): Uint8Array => Uint8Array.from(Buffer.from(letters, 'latin1'));

let lab: Lab;
let netnsA: number;
let netnsB: number;
const opened: { close(): void }[] = [];

beforeAll(async () => {
  lab = await Lab.open(`ike-transport-${String(process.pid)}`);
  for (const netns of [A, B]) await lab.namespace(netns);
  await lab.link(A, 'to-b', B, 'to-a');
  await lab.ip(A, ['addr add 10.4.0.1/24 dev to-b', '-6 addr add 2001:db8:4::1/64 dev to-b nodad']);
  await lab.ip(B, ['addr add 10.4.0.2/24 dev to-a', '-6 addr add 2001:db8:4::2/64 dev to-a nodad']);
  netnsA = kernel.openNetns(`/run/netns/${A}`);
  netnsB = kernel.openNetns(`/run/netns/${B}`);
  kernel.readSysctl(netnsA, 'ipv4/conf/all/forwarding'); // the addon's way home is opened once and kept
});
afterEach(async () => {
  for (const each of opened.splice(0)) each.close();
  await settle();
});
afterAll(async () => {
  kernel.closeDescriptor(netnsA);
  kernel.closeDescriptor(netnsB);
  await lab.close();
});

/** Time that the test moves: a retry is due when the test says so. */
class Waiting implements Timers {
  readonly due: (() => void)[] = [];
  now(): number {
    return 0;
  }
  after(_ms: number, run: () => void): () => void {
    this.due.push(run);
    return () => {
      this.due.splice(this.due.indexOf(run), 1);
    };
  }
}

interface End {
  readonly transport: IkeTransport;
  readonly got: Datagram[];
  readonly counted: Map<IkeCounter, number>;
  readonly timers: Waiting;
  readonly lines: string[];
}

function end(netns: number, addresses: readonly string[]): End {
  const [got, lines, timers]: [Datagram[], string[], Waiting] = [[], [], new Waiting()];
  const counted = new Map<IkeCounter, number>();
  const transport = new IkeTransport({
    sockets: kernel,
    netns,
    timers,
    log: createLogger({ write: (line) => lines.push(line), now: () => '' }),
    count: (counter) => counted.set(counter, (counted.get(counter) ?? 0) + 1),
    onDatagram: (datagram) => got.push({ ...datagram, octets: datagram.octets.slice() }),
  });
  transport.apply(addresses.map(ip));
  opened.push(transport);
  return { transport, got, counted, timers, lines };
}

const path = (from: string, to: string, port: number): Path => ({
  local: { address: ip(from), port },
  remote: { address: ip(to), port },
});

/** A socket of B without IKE's rules. */
function bare(local: string, port: number): { socket: UdpSocket; got: string[] } {
  const got: string[] = [];
  const head = 4 + ip(local).length;
  const socket = kernel.udpSocket({ netns: netnsB, local: ip(local), port }, (records) => {
    for (let at = 0; at < records.length;) {
      const to = at + head + ((records[at] ?? 0) << 8) + (records[at + 1] ?? 0);
      got.push(text(records.subarray(at + head, to)));
      at = to;
    }
  });
  opened.push(socket);
  return { socket, got };
}

test.each([
  ['IPv4', '10.4.0.1', '10.4.0.2'],
  ['IPv6', '2001:db8:4::1', '2001:db8:4::2'],
])('%s: both ports, with the addresses of both ends', async (_name, a, b) => {
  const [left, right] = [end(netnsA, [a]), end(netnsB, [b])];
  for (const port of [500, 4500]) {
    // A -> B
    left.transport.send(path(a, b, port), octetsOf(`hello ${String(port)}`));
    const hello = await eventually('the message', () => right.got.shift());
    expect(text(hello.octets)).toBe(`hello ${String(port)}`);
    expect({ local: hello.local, remote: hello.remote }).toEqual(path(b, a, port));
    // B -> A, on the path that it came by
    right.transport.send(hello, octetsOf('back'));
    const back = await eventually('the answer', () => left.got.shift());
    expect(text(back.octets)).toBe('back');
    expect({ local: back.local, remote: back.remote }).toEqual(path(a, b, port));
  }
  expect(right.counted.get('rx_datagrams')).toBe(2);
});

test('port 4500: marked on the wire; ESP, keepalives and scraps are no IKE (RFC 3948 §2)', async () => {
  const left = end(netnsA, ['10.4.0.1']);
  const { socket, got } = bare('10.4.0.2', 4500);
  left.transport.send(path('10.4.0.1', '10.4.0.2', 4500), octetsOf('ike'));
  left.transport.keepalive(path('10.4.0.1', '10.4.0.2', 4500));
  // There is no marker between port 500 and a NAT's port, and no keepalive.
  left.transport.send(
    { ...path('10.4.0.1', '10.4.0.2', 4500), local: { address: ip('10.4.0.1'), port: 500 } },
    octetsOf('bare'),
  );
  left.transport.keepalive(path('10.4.0.1', '10.4.0.2', 500));
  await eventually('three datagrams', () => (got.length === 3 ? true : undefined));
  expect(got).toEqual(['\0\0\0\0ike', '\xff', 'bare']);
  for (const each of ['\x01\0\0\0esp', '\xff', '\0\0', '', '\0\0\0\0ike']) {
    expect(socket.send(octetsOf(each), ip('10.4.0.1'), 4500)).toBeUndefined();
  }
  await eventually('the message', () => left.got[0]);
  expect(left.got.map(({ octets }) => text(octets))).toEqual(['ike']);
  expect(Object.fromEntries(left.counted)).toEqual({
    rx_datagrams: 5,
    rx_esp_in_udp: 1,
    rx_keepalives: 1,
    rx_malformed: 2,
    tx_keepalives: 1,
  });
});

test.each([
  ['IPv4', '10.4.0.1', '10.4.0.2'],
  ['IPv6', '2001:db8:4::1', '2001:db8:4::2'],
])(
  '%s: what is larger than the link is cut by the kernel; traffic class CS6',
  async (name, a, b) => {
    const [left, right] = [end(netnsA, [a]), end(netnsB, [b])];
    const capture = lab.must(B, [
      ...['timeout', '20', 'tcpdump', '-i', 'to-a', '-n', '-v', '-c', '3'],
      ...['-Q', 'in', name === 'IPv4' ? 'ip and not icmp' : 'ip6 and not icmp6'],
    ]);
    // Sent until the capture, which takes a while to begin, has seen one.
    let captured: string | undefined;
    void capture.then((lines) => (captured = lines));
    const large = octetsOf('x'.repeat(4000));
    await eventually('a capture', () => {
      left.transport.send(path(a, b, 500), large);
      return captured;
    });
    const lines = captured ?? '';
    if (name === 'IPv4') {
      expect(lines).toMatch(/tos 0xc0/);
      expect(lines).toMatch(/flags \[\+\]/);
      expect(lines).not.toMatch(/DF/);
    } else {
      expect(lines).toMatch(/class 0xc0/);
      // No packet of more than 1280 octets, whatever the link would take.
      expect(lines).toMatch(/frag \(/);
      const lengths = [...lines.matchAll(/payload length: (\d+)/g)].map(([, n]) => Number(n));
      expect(Math.max(...lengths) + 40).toBeLessThanOrEqual(1280);
    }
    const [first] = right.got;
    expect(first?.octets.length).toBe(4000);
  },
);

test('ICMP errors and refused packets do not end a socket', async () => {
  const [left, right] = [end(netnsA, ['10.4.0.1']), end(netnsB, ['10.4.0.2'])];
  right.transport.close();
  for (let i = 0; i < 5; i++) {
    left.transport.send(path('10.4.0.1', '10.4.0.2', 500), octetsOf('nobody there'));
    await settle(10);
  }
  // Without a route the kernel refuses: counted, said once.
  left.transport.send(path('10.4.0.1', '203.0.113.1', 500), octetsOf('no route'));
  left.transport.send(path('10.4.0.1', '203.0.113.1', 500), octetsOf('no route'));
  expect(left.counted.get('tx_failed')).toBe(2);
  expect(left.lines.filter((line) => line.includes('ENETUNREACH'))).toHaveLength(1);
  right.transport.apply([ip('10.4.0.2')]);
  left.transport.send(path('10.4.0.1', '10.4.0.2', 500), octetsOf('hello'));
  expect(text((await eventually('the message', () => right.got[0])).octets)).toBe('hello');
  right.transport.send(path('10.4.0.2', '10.4.0.1', 500), octetsOf('back'));
  expect(text((await eventually('the answer', () => left.got[0])).octets)).toBe('back');
});

test('an address that is not there, or taken, is tried again; one that goes is let go', async () => {
  const before = openDescriptors();
  const { socket } = bare('10.4.0.2', 500);
  const right = end(netnsB, ['10.4.0.2', '10.4.0.9']);
  expect(right.transport.rows().map(({ isOpen }) => isOpen)).toEqual([false, true, false, false]);
  expect(right.lines.filter((line) => line.includes('cannot listen'))).toHaveLength(3);
  socket.close();
  await lab.ip(B, ['addr add 10.4.0.9/24 dev to-a']);
  await settle();
  for (const retry of right.timers.due.splice(0)) retry();
  expect(right.transport.rows().map(({ isOpen }) => isOpen)).toEqual([true, true, true, true]);
  // One supervisor's sockets are a group that no other one may join.
  const other = end(netnsB, ['10.4.0.2']);
  expect(other.transport.rows().map(({ isOpen }) => isOpen)).toEqual([false, false]);
  other.transport.close();
  expect(other.timers.due).toEqual([]);
  right.transport.apply([ip('10.4.0.9')]);
  expect(right.transport.rows()).toHaveLength(2);
  right.transport.close();
  await settle();
  expect(openDescriptors()).toBe(before);
});

/** An IKE header of this exchange, flags and first payload. */
function header(exchange: number, flags: number, first: number): Uint8Array {
  const octets = new Uint8Array(28).fill(1);
  octets.set([first, 0x20, exchange, flags], 16);
  return octets;
}

test.each([
  ['ike', 0],
  ['ike-marked', 4],
] as const)('%s: a flood of one kind leaves room for the others', async (lanes, marker) => {
  const got: number[] = [];
  const taker = kernel.udpSocket(
    { netns: netnsB, local: ip('10.4.0.2'), port: 0, lanes, receiveBytes: 16_384 },
    (records) => {
      for (
        let at = 0;
        at < records.length;
        at += 8 + ((records[at] ?? 0) << 8) + (records[at + 1] ?? 0)
      ) {
        got.push(
          (records[at + 8 + marker + 18] ?? 0) * 1000 + (records[at + 8 + marker + 16] ?? 0),
        );
      }
    },
  );
  const sender = kernel.udpSocket(
    { netns: netnsA, local: ip('10.4.0.1'), port: 0 },
    () => undefined,
  );
  opened.push(taker, sender);
  const send = (octets: Uint8Array): void => {
    const marked = new Uint8Array(marker + octets.length);
    marked.set(octets, marker);
    sender.send(marked, ip('10.4.0.2'), taker.port);
  };
  // Nothing is read until this function waits: the buffer of one lane is full, the others are empty.
  for (let i = 0; i < 500; i++) send(header(34, 0x08, 33)); // IKE_SA_INIT without cookie
  send(header(34, 0x08, 41)); // with one
  send(header(34, 0x20, 33)); // its response
  send(header(35, 0x08, 46)); // IKE_AUTH
  await eventually('the others', () =>
    [34_041, 35_046].every((each) => got.includes(each)) ? true : undefined,
  );
  expect(got.filter((each) => each === 34_041 || each === 35_046)).toHaveLength(2);
  const flood = got.filter((each) => each === 34_033).length;
  expect(flood).toBeLessThan(400);
  expect(taker.dropped()).toBe(503 - got.length);
  // The response was not in the flood's lane: it came, whatever became of the flood.
  expect(flood + 2 + taker.dropped()).toBe(503);
});

test('a flood does not hold up the event loop: others have their turn behind each batch', async () => {
  let received = 0;
  const most: number[] = [];
  let turns = 0;
  const taker = kernel.udpSocket(
    { netns: netnsB, local: ip('10.4.0.2'), port: 0, lanes: 'ike', receiveBytes: 64 << 20 },
    (_records, count) => {
      received += count;
      most.push(count);
    },
  );
  const sender = kernel.udpSocket(
    { netns: netnsA, local: ip('10.4.0.1'), port: 0 },
    () => undefined,
  );
  opened.push(taker, sender);
  for (let i = 0; i < 20_000; i++) sender.send(header(34, 0x08, 33), ip('10.4.0.2'), taker.port);
  const tick = (): void => {
    turns++;
    if (received < 20_000 - taker.dropped()) setImmediate(tick);
  };
  setImmediate(tick);
  await eventually('all', () => (received + taker.dropped() === 20_000 ? true : undefined));
  expect(Math.max(...most)).toBeLessThanOrEqual(64);
  expect(turns).toBeGreaterThanOrEqual(Math.floor(received / 64));
});

test('refusals say what is wrong, and leave no descriptor', () => {
  const before = openDescriptors();
  const base = { netns: netnsB, local: ip('10.4.0.2'), port: 0 };
  for (const [options, why] of [
    [{ ...base, local: new Uint8Array(5) }, /4 or 16/],
    [{ ...base, local: ip('192.0.2.1') }, /bind/],
    [{ ...base, port: 65_536 }, /port/],
    [{ ...base, lanes: 'esp' as 'ike' }, /lanes/],
    [{ ...base, receiveBytes: 0 }, /receiveBytes/],
    [{ ...base, netns: before + 500 }, /namespace/],
  ] as const) {
    expect(() => kernel.udpSocket(options, () => undefined)).toThrow(why);
  }
  expect(openDescriptors()).toBe(before);
  const socket = kernel.udpSocket(base, () => undefined);
  expect(() => socket.send(octetsOf('x'), ip('2001:db8::1'), 500)).toThrow(/family/);
  socket.close();
  socket.close();
  expect(() => socket.send(octetsOf('x'), ip('10.4.0.1'), 500)).toThrow(
    expect.objectContaining({ code: 'CLOSED' }) as Error,
  );
  expect(socket.dropped()).toBe(0);
});
