// SPDX-License-Identifier: Apache-2.0
/** What comes without an IKE SA: IKE_SA_INIT requests in floods, unknown SPIs, other versions. */
import { expect, test } from 'vitest';
import { decodeMessage, encodeMessage } from '../../../../src/ike/codec/message.js';
import { isFault } from '../../../../src/ike/codec/fault.js';
import { NOTIFY } from '../../../../src/ike/codec/names/notify.js';
import type { Payload } from '../../../../src/ike/codec/payload.js';
import { randomFrom } from '../channel/bench.js';
import { address, type Carried, Net, type Pe } from './bench.js';

const [A, B] = ['10.0.0.1', '10.0.0.2'];

/** An IKE_SA_INIT request that A sent, as it is on the wire. */
async function requestOf(net: Net, a: Pe, to: string): Promise<Carried> {
  const before = net.wire.length;
  a.want(to);
  await net.pass(10);
  const request = net.wire[before];
  if (request?.octets[18] !== 34) throw new Error('no IKE_SA_INIT request');
  return request;
}

/** The same of another address and with another SPI. */
function spoofed({ local, remote, octets }: Carried, from: string, spi: bigint): Carried {
  const copy = octets.slice();
  new DataView(copy.buffer).setBigUint64(0, spi);
  return { local: { ...local, address: address(from) }, remote, octets: copy };
}

const payloadsOf = ({ octets }: Carried): readonly Payload[] => {
  const message = decodeMessage(octets, 0, octets.length);
  if (isFault(message)) throw new Error(message.reason);
  return message.payloads;
};
const notifiesIn = (carried: Carried): number[] =>
  payloadsOf(carried).flatMap((each) => (each.kind === 'N' ? [each.notify] : []));

/** A host that does not answer: what is sent to it is only on the wire. */
async function silent(options: Parameters<Net['pe']>[1]): Promise<{
  readonly net: Net;
  readonly b: Pe;
  readonly request: Carried;
}> {
  const net = new Net();
  const request = await requestOf(net, net.pe(A), '10.0.0.7');
  net.pes.get(A)?.kill();
  // A spoofed address looks like a NAT.
  const b = net.pe(B, { policy: { nat: 'allow' }, ...options });
  await net.pass(30_000);
  net.wire.length = 0;
  return { net, b, request: { ...request, remote: { ...request.remote, address: b.address } } };
}

test('an address that no rule allows costs nothing and is answered nothing', async () => {
  const { net, b, request } = await silent({});
  for (let i = 1; i <= 50; i++) net.deliver(spoofed(request, `192.0.2.${i}`, BigInt(i)));
  await net.pass(1000);
  expect([b.count('init_no_policy'), b.rows, net.wire]).toEqual([50, [], []]);
});

test('nor does one that a rule allows, and that could prove nothing: it is in no range of an SP', async () => {
  const { net, b, request } = await silent({});
  const policy = b.policy();
  b.manager.setPolicy({ ...policy, forPeer: () => policy.forPeer(b.address) });
  net.wire.length = 0;
  for (let i = 1; i <= 50; i++) net.deliver(spoofed(request, `192.0.2.${i}`, BigInt(i)));
  await net.pass(1000);
  expect([b.count('init_no_policy'), b.rows, net.wire]).toEqual([50, [], []]);
});

test('above the limit only with a cookie; who shows one is served though the flood goes on', async () => {
  const { net, b, request } = await silent({ halfOpen: { cookieAbove: 10, most: 100 } });
  for (let i = 1; i <= 200; i++) {
    net.deliver(spoofed(request, `10.9.${i >> 4}.${i & 15}`, BigInt(i)));
    if (i % 20 === 0) await net.pass(5);
  }
  await net.pass(200);
  // Before the limit: half open, answered; behind it: a cookie each, and nothing is kept.
  const cookies = net.wire.filter((sent) => notifiesIn(sent)[0] === NOTIFY.COOKIE);
  expect(b.count('init_cookies_sent')).toBe(190);
  expect(new Set(cookies.map(({ octets }) => octets.slice(0, 8).join())).size).toBe(190);
  expect(b.rows).toHaveLength(10);
  // An honest one, in the middle of it
  const c = net.pe('10.0.0.3');
  const { told } = c.want(b);
  for (let i = 0; i < 20; i++) {
    net.deliver(spoofed(request, `10.8.0.${i}`, BigInt(10_000 + i)));
    await net.pass(10);
  }
  expect(told.at(-1)?.state).toBe('up');
  expect(c.count('tx_retransmissions')).toBe(0);
  // The spoofed ones are gone when their time is over.
  await net.pass(60_000);
  expect(b.rows).toEqual(['responder of 10.0.0.3 established: encrypt/gre live']);
  expect(b.count('half_open_expired')).toBe(10);
});

test('a cookie of another address, of another request or made up is none', async () => {
  const { net, b, request } = await silent({ halfOpen: { cookieAbove: 0 } });
  net.deliver(spoofed(request, '10.9.0.1', 1n));
  await net.pass(10);
  const challenge = net.wire[0];
  if (challenge === undefined) throw new Error('no cookie');
  const [cookie] = payloadsOf(challenge);
  // Made by hand for speed: the codec would make the same of it.
  const read = decodeMessage(challenge.octets, 0, challenge.octets.length);
  if (isFault(read)) throw new Error(read.reason);
  expect(encodeMessage(read.header, read.payloads).octets).toEqual(challenge.octets);
  if (cookie === undefined) throw new Error('no cookie');
  const message = decodeMessage(request.octets, 0, request.octets.length);
  if (isFault(message)) throw new Error(message.reason);
  const shown = (from: string, initiatorSpi: bigint, first: Payload): Carried => ({
    ...spoofed(request, from, initiatorSpi),
    octets: encodeMessage({ ...message.header, initiatorSpi }, [first, ...message.payloads]).octets,
  });
  const changed =
    cookie.kind === 'N'
      ? { ...cookie, data: cookie.data.map((each, i) => (i === 3 ? each ^ 1 : each)) }
      : cookie;
  net.deliver(shown('10.9.0.2', 1n, cookie));
  net.deliver(shown('10.9.0.1', 2n, cookie));
  net.deliver(shown('10.9.0.1', 1n, changed));
  await net.pass(100);
  expect([b.count('init_cookies_wrong'), b.rows]).toEqual([3, []]);
  net.deliver(shown('10.9.0.1', 1n, cookie));
  await net.pass(10);
  expect(b.rows).toEqual(['responder of 10.9.0.1 opening: ']);
  // The secret is drawn anew: two lives later it is none.
  await net.pass(150_000);
  net.deliver(shown('10.9.0.1', 1n, cookie));
  await net.pass(10);
  expect([b.count('init_cookies_wrong'), b.rows]).toEqual([4, []]);
});

test('limits in all and per peer; the same request again is answered from memory', async () => {
  const { net, b, request } = await silent({
    halfOpen: { cookieAbove: 100, most: 20, mostPerPeer: 3 },
  });
  for (let i = 1; i <= 10; i++) net.deliver(spoofed(request, '10.9.0.1', BigInt(i)));
  await net.pass(100);
  // One without a cookie; the others of the peer only with one.
  expect([b.rows.length, b.count('init_cookies_sent')]).toEqual([1, 9]);
  for (const challenge of net.wire.splice(0)) {
    const [cookie] = payloadsOf(challenge);
    if (cookie?.kind !== 'N' || cookie.notify !== NOTIFY.COOKIE) continue;
    const initiatorSpi = new DataView(challenge.octets.buffer).getBigUint64(0);
    const message = decodeMessage(request.octets, 0, request.octets.length);
    if (isFault(message)) throw new Error(message.reason);
    const payloads = [cookie, ...message.payloads];
    const { octets } = encodeMessage({ ...message.header, initiatorSpi }, payloads);
    net.deliver({ ...spoofed(request, '10.9.0.1', initiatorSpi), octets });
  }
  await net.pass(100);
  expect([b.rows.length, b.count('init_limited')]).toEqual([3, 7]);
  const answers = net.wire.length;
  net.deliver(spoofed(request, '10.9.0.1', 1n));
  await net.pass(100);
  expect([b.rows.length, net.wire.length, b.count('rx_retransmitted')]).toEqual([
    3,
    answers + 1,
    1,
  ]);
  for (let i = 1; i <= 30; i++) net.deliver(spoofed(request, `10.9.1.${i}`, BigInt(i)));
  await net.pass(100);
  expect([b.rows.length, b.count('init_limited')]).toEqual([20, 7 + 13]);
});

test('a flood of thirty thousand leaves nothing behind', async () => {
  const { net, b, request } = await silent({ halfOpen: { cookieAbove: 50, most: 100 } });
  net.keepsWire = false;
  net.tamper = () => [];
  const random = randomFrom(7);
  const flood = async (count: number): Promise<number> => {
    for (let i = 0; i < count; i++) {
      const spi = BigInt(Math.floor(random() * 2 ** 32)) + 1n;
      const from = `10.${64 + Math.floor(random() * 64)}.${Math.floor(random() * 250)}.${Math.floor(random() * 250)}`;
      const { local, remote, octets } = spoofed(request, from, spi);
      b.manager.receive({ local: remote, remote: local, octets });
      if (i % 500 === 0) await net.pass(10);
    }
    await net.pass(10);
    return net.clock.pending;
  };
  const first = await flood(2000);
  const rows = b.rows.length;
  expect(rows).toBe(50);
  const last = await flood(30_000);
  // Nothing that is kept has grown: neither timers nor IKE SAs.
  expect(last).toBeLessThanOrEqual(first + 5);
  expect(b.rows.length).toBeLessThanOrEqual(51);
  expect(b.count('init_cookies_sent')).toBeGreaterThan(30_000);
});

test('unknown SPIs and other versions are answered seldom, and only to possible peers', async () => {
  const { net, b, request } = await silent({});
  const header = { exchange: 37, initiator: true, response: false, messageId: 9 };
  const protectedMessage = (initiatorSpi: bigint): Uint8Array => {
    const octets = new Uint8Array(28 + 4 + 40);
    const view = new DataView(octets.buffer);
    view.setBigUint64(0, initiatorSpi);
    view.setBigUint64(8, 77n);
    octets.set([46, 0x20, header.exchange, 0x08], 16);
    view.setUint32(20, header.messageId);
    view.setUint32(24, octets.length);
    view.setUint16(30, 44);
    return octets;
  };
  for (let i = 1; i <= 300; i++) {
    net.deliver({ ...request, octets: protectedMessage(BigInt(i)) });
    net.deliver({ ...spoofed(request, '192.0.2.1', 1n), octets: protectedMessage(BigInt(i)) });
  }
  await net.pass(10);
  expect(b.count('rx_unknown_spi')).toBe(600);
  expect(net.wire).toHaveLength(100);
  const [answer] = net.wire;
  if (answer === undefined) throw new Error('no answer');
  expect(notifiesIn(answer)).toEqual([NOTIFY.INVALID_IKE_SPI, NOTIFY.QUICK_CRASH_DETECTION]);
  expect(answer.octets.length).toBeLessThanOrEqual(2 * protectedMessage(1n).length);
  expect(answer.remote.address).toEqual(request.local.address);
  // A response is never answered, so that two cannot answer each other for ever.
  net.wire.length = 0;
  await net.pass(2000);
  const response = protectedMessage(1n);
  response[19] = 0x28;
  net.deliver({ ...request, octets: response });
  // Versions: a higher one is told, a lower one is not (RFC 7296 §2.5).
  const version = (major: number): Uint8Array =>
    request.octets.map((each, i) => (i === 17 ? major << 4 : each));
  for (const major of [3, 1, 15]) net.deliver({ ...request, octets: version(major) });
  await net.pass(10);
  expect(b.count('rx_wrong_version')).toBe(3);
  expect(net.wire.map((sent) => [sent.octets[17], ...notifiesIn(sent)])).toEqual([
    [0x20, NOTIFY.INVALID_MAJOR_VERSION],
    [0x20, NOTIFY.INVALID_MAJOR_VERSION],
  ]);
});

test('whatever octets come, nothing is thrown and nothing is kept', async () => {
  const { net, b, request } = await silent({});
  const random = randomFrom(3);
  for (let i = 0; i < 5000; i++) {
    const octets = request.octets.slice(0, 1 + Math.floor(random() * request.octets.length));
    for (let flips = 0; flips < 4; flips++) {
      octets[Math.floor(random() * octets.length)] = Math.floor(random() * 256);
    }
    net.deliver({ ...spoofed(request, A, 1n), octets });
    if (i % 100 === 0) await net.pass(1);
  }
  await net.pass(100_000);
  expect(b.rows).toEqual([]);
  expect(b.count('rx_malformed')).toBeGreaterThan(3000);
});

test('a message of an IKE SA from another address is none of its peer', async () => {
  const net = new Net();
  const [a, b] = [net.pe(A), net.pe(B)];
  a.want(b);
  await net.pass(1000);
  const rekeyed = a.manager.rekey({}, 'child');
  await net.pass(3);
  const last = net.wire.at(-1);
  if (last === undefined) throw new Error('nothing sent');
  net.deliver({ ...last, local: { ...last.local, address: address('10.0.0.8') } });
  expect(b.count('rx_wrong_address')).toBe(1);
  await net.pass(1000);
  expect(await rekeyed).toEqual({ ok: true, value: 1 });
});
