// SPDX-License-Identifier: Apache-2.0
/** Peers that send garbage, stop reading, or come and go; a bystander's session must not notice. */
import { Socket } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventually, Lab } from '../../../scripts/lib/lab.js';
import { encodeKeepalive, encodeMessage, MESSAGE } from '../../../src/bgp/codec/message.js';
import { encodeOpen } from '../../../src/bgp/codec/open.js';
import { ip, kernel, openDescriptors, settle } from '../../system/kernel/support.js';
import { Host } from './host.js';

const US = 'slbh-us';
const THEM = 'slbh-them';
let lab: Lab;
let ours: Host;
let netns: number;
let bystander: Raw;

/** A client of our own making in the peers' namespace. */
class Raw {
  readonly socket: Socket;
  readonly chunks: Buffer[] = [];
  closed = false;
  /** Asked, not read from the field: it changes while a test waits. */
  isClosed(): boolean {
    return this.closed;
  }

  constructor(local: string, to = '10.3.0.1') {
    const fd = kernel.tcpSocket({ netns, local: ip(local) });
    this.socket = new Socket({ fd, readable: true, writable: true });
    this.socket.on('data', (chunk) => this.chunks.push(chunk));
    this.socket.on('error', () => undefined);
    this.socket.on('close', () => {
      this.closed = true;
    });
    this.socket.connect(179, to);
  }

  get octets(): Buffer {
    return Buffer.concat(this.chunks);
  }

  /** Code and subcode of the NOTIFICATION that has come, as "1/2". */
  notification(): string | undefined {
    const { octets } = this;
    for (let at = 0; at + 19 <= octets.length; at += octets.readUInt16BE(at + 16)) {
      if (octets[at + 18] === MESSAGE.notification) return `${octets[at + 19]}/${octets[at + 20]}`;
    }
    return undefined;
  }
}

const OPEN = encodeOpen({
  ...{ version: 4, asn2: 65002, holdTime: 90, routerId: 0x0a030002 },
  capabilities: [
    { kind: 'multiprotocol', afi: 1, safi: 1 },
    { kind: 'as4', asn: 65002 },
    { kind: 'routeRefresh' },
  ],
});
const KEEPALIVE = encodeKeepalive();
/** 10.77.0.0/16, ORIGIN IGP, AS_PATH 65002, NEXT_HOP 10.3.0.2 (RFC 4271 §4.3, by hand). */
const UPDATE = encodeMessage(
  MESSAGE.update,
  Buffer.from(
    '00000014' + '40010100' + '4002060201' + '0000fdea' + '4003040a030002' + '100a4d',
    'hex',
  ),
);
const STREAM = Buffer.concat([OPEN, KEEPALIVE, UPDATE]);

beforeAll(async () => {
  lab = await Lab.open('slb-hostile');
  for (const name of [US, THEM]) await lab.namespace(name);
  await lab.link(US, 'to-them', THEM, 'to-us');
  await lab.ip(US, ['addr add 10.3.0.1/24 dev to-them', 'route add 10.33.0.0/16 dev to-them']);
  await lab.ip(THEM, ['addr add 10.3.0.2/24 dev to-us', 'route add local 10.33.0.0/16 dev lo']);
  await lab.must(THEM, ['sysctl', '-qw', 'net.ipv4.conf.to-us.proxy_arp=1']);
  netns = kernel.openNetns(`/run/netns/${THEM}`);
  ours = new Host(US);
  ours.apply(
    { address: '10.3.0.2', asn: 65002, passive: true },
    { prefix: '10.33.0.0/16', asn: 'external', prefixLimit: 5000, timers: { sendHold: 2 } },
  );
  bystander = await established('10.3.0.2');
});
afterAll(async () => {
  bystander.socket.destroy();
  ours.close();
  kernel.closeDescriptor(netns);
  await lab.close();
});

async function established(local: string): Promise<Raw> {
  const raw = new Raw(local);
  raw.socket.write(OPEN);
  raw.socket.write(KEEPALIVE);
  await ours.established(local);
  return raw;
}

/** What a peer's stream came to. */
async function outcome(local: string, stream: Uint8Array): Promise<string> {
  const raw = new Raw(local);
  raw.socket.write(stream);
  const result = await eventually(
    `outcome of ${local}`,
    () => {
      const said = raw.notification();
      if (said !== undefined) return said;
      if (raw.isClosed()) return 'closed';
      return ours.view(local)?.state === 'established' ? 'established' : undefined;
    },
    15_000,
  ).catch(() => 'waits');
  if (result === 'established') await settle(30); // the UPDATE may yet be judged
  const late = raw.notification() ?? result;
  raw.socket.destroy();
  return late;
}

let next = 1;
const address = (): string => `10.33.${next >> 8}.${next++ & 255}`;

test('one octet of OPEN, KEEPALIVE or UPDATE is wrong, at every offset', async () => {
  expect(await outcome(address(), STREAM)).toBe('established');
  const before = ours.ears.up.length;
  const jobs = Array.from({ length: STREAM.length }, (_, offset) => offset).flatMap((offset) =>
    [0xff, 0x01].map((flip) => ({ offset, flip })),
  );
  const outcomes = new Map<string, string>();
  const run = async (some: typeof jobs): Promise<unknown> =>
    Promise.all(
      some.map(async ({ offset, flip }) => {
        const stream = Buffer.from(STREAM);
        stream[offset] = (stream[offset] ?? 0) ^ flip;
        outcomes.set(`${offset}^${flip}`, await outcome(address(), stream));
      }),
    );
  for (let i = 0; i < jobs.length; i += 24) await run(jobs.slice(i, i + 24));
  // Silence may have been that of a busy machine: it counts when it is kept a second time, by a few.
  await run(jobs.filter(({ offset, flip }) => outcomes.get(`${offset}^${flip}`) === 'waits'));
  const at = (offset: number, flip = 0xff): string | undefined => outcomes.get(`${offset}^${flip}`);
  const keepalive = OPEN.length;
  // Markers, lengths and types of each message (RFC 4271 §6.1).
  for (const start of [0, keepalive]) {
    for (let i = 0; i < 16; i++) expect([i, at(start + i)]).toEqual([i, '1/1']);
    expect(at(start + 16)).toBe('1/2');
    expect(at(start + 18)).toBe('1/3');
  }
  for (let i = 0; i < 16; i++) expect(at(keepalive + 19 + i)).toBe('1/1');
  expect(at(19)).toBe('2/1'); // version
  expect(at(24, 0x01)).toBe('established'); // part of the identifier
  // UPDATE read as NOTIFICATION: that is not answered.
  expect(at(keepalive + 19 + 18, 0x01)).toBe('closed');
  outcomes.delete(`${keepalive + 19 + 18}^1`);
  // The rest ends in one of the ways there are: never in silence, unless more octets were announced.
  for (const [where, what] of outcomes) {
    expect([where, what]).toEqual([
      where,
      expect.stringMatching(/^([1235]\/\d+|established|waits)$/),
    ]);
  }
  const waiting = [...outcomes].filter(([, what]) => what === 'waits').map(([where]) => where);
  expect(waiting.length).toBeLessThan(4); // low octets of lengths that grew
  expect(ours.ears.up.length).toBeGreaterThan(before);
  expect(ours.view('10.3.0.2')?.state).toBe('established');
  expect(ours.view('10.3.0.2')?.establishedCount).toBe(1);
}, 240_000);

test('the stream is cut off after every octet: nothing is left behind', async () => {
  const before = openDescriptors();
  for (let length = 0; length < STREAM.length; length += 1) {
    const raw = new Raw(address());
    raw.socket.write(STREAM.subarray(0, length));
    if (length % 2 === 0) raw.socket.end();
    else raw.socket.resetAndDestroy();
    if (length % 16 === 0) await settle(20);
    setTimeout(() => raw.socket.destroy(), 200).unref();
  }
  await eventually('descriptors are closed', () =>
    openDescriptors() <= before ? true : undefined,
  );
  expect(ours.view('10.3.0.2')?.establishedCount).toBe(1);
  expect(ours.view('10.3.0.2')?.state).toBe('established');
});

test('a stranger is not let in', async () => {
  await lab.ip(THEM, ['addr add 10.3.0.77/24 dev to-us']);
  const raw = new Raw('10.3.0.77');
  raw.socket.write(STREAM);
  await eventually('closed', () => (raw.isClosed() ? true : undefined));
  expect(raw.octets).toHaveLength(0);
});

test('messages in single octets are put together', async () => {
  const local = address();
  const raw = new Raw(local);
  const updates = ours.ears.updates.length;
  raw.socket.setNoDelay(true);
  for (const octet of STREAM) {
    raw.socket.write(Uint8Array.of(octet));
    await settle(1);
  }
  await ours.established(local);
  await eventually('the UPDATE', () => (ours.ears.updates.length > updates ? true : undefined));
  expect(ours.ears.updates.at(-1)).toEqual(UPDATE.slice(19));
  raw.socket.destroy();
});

test('large input arrives whole, in order, and others have their turns', async () => {
  const local = address();
  const raw = await established(local);
  const updates = ours.ears.updates.length;
  // 200,000 UPDATEs that withdraw a prefix of their own, 28 octets each: twice what a buffer holds, and more.
  const count = 200_000;
  const all = Buffer.alloc(count * 28, encodeMessage(MESSAGE.update, Buffer.alloc(9)));
  for (let i = 0; i < count; i++) {
    all.writeUInt16BE(5, i * 28 + 19);
    all.writeUInt8(32, i * 28 + 21);
    all.writeUInt32BE(i, i * 28 + 22);
  }
  let worst = 0;
  let last = performance.now();
  const ticker = setInterval(() => {
    worst = Math.max(worst, performance.now() - last);
    last = performance.now();
  }, 1);
  raw.socket.write(all);
  await eventually('all of it', () =>
    ours.ears.updates.length - updates >= count ? true : undefined,
  );
  clearInterval(ticker);
  const seen = ours.ears.updates.slice(updates).map((body) => Buffer.from(body).readUInt32BE(3));
  expect(seen).toHaveLength(count);
  expect(seen.findIndex((value, i) => value !== i)).toBe(-1);
  expect(worst).toBeLessThan(250); // a turn is 2 ms; the rest is this machine's other work
  raw.socket.destroy();
}, 60_000);

test('a peer that reads late: output is bounded, and goes on when there is room', async () => {
  const local = address();
  const raw = await established(local);
  const { id } = ours.view(local)!;
  raw.socket.pause();
  const message = encodeMessage(MESSAGE.update, Buffer.alloc(4000));
  let sent = 0;
  // Until the kernel's buffers and ours are full.
  while (ours.speaker.send(id, message) && sent < 100_000) {
    sent++;
    if (sent % 64 === 0) await settle(0);
  }
  expect(sent).toBeLessThan(5000);
  expect(ours.ears.writableCount).toBe(0);
  raw.socket.resume();
  await eventually('writable', () => (ours.ears.writableCount > 0 ? true : undefined));
  const total = (sent + 1) * message.length;
  await eventually('all of it', () => {
    const updates = raw.octets.length - raw.octets.indexOf(message);
    return updates >= total ? true : undefined;
  });
  expect(ours.view(local)?.state).toBe('established');
  raw.socket.destroy();
});

test('a peer that takes nothing is given up when the send hold time is over (RFC 9687)', async () => {
  const local = address();
  const raw = await established(local);
  const { id } = ours.view(local)!;
  raw.socket.pause();
  const message = encodeMessage(MESSAGE.update, Buffer.alloc(4000));
  const pump = setInterval(() => {
    for (let i = 0; i < 100 && ours.speaker.send(id, message); i++);
    ours.speaker.send(id, KEEPALIVE);
  }, 100);
  const alive = setInterval(() => raw.socket.write(KEEPALIVE), 500);
  await ours.down(local, 20_000);
  clearInterval(pump);
  clearInterval(alive);
  expect(ours.view(local)?.lastError).toMatchObject({ by: 'us', code: 8 });
  expect(ours.view('10.3.0.2')?.establishedCount).toBe(1);
  raw.socket.destroy();
});
