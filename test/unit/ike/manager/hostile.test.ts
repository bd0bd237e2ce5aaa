// SPDX-License-Identifier: Apache-2.0
/** Who wants to end, block or multiply the IKE SAs of others: from the path, from anywhere, or as a peer. */
import { expect, test } from 'vitest';
import { isFault } from '../../../../src/ike/codec/fault.js';
import { decodeMessage, encodeMessage } from '../../../../src/ike/codec/message.js';
import { NOTIFY } from '../../../../src/ike/codec/names/notify.js';
import { address, type Carried, Net } from './bench.js';

const [A, B] = ['10.0.0.1', '10.0.0.2'];

const notifiesIn = ({ octets }: Carried): number[] => {
  const message = decodeMessage(octets, 0, octets.length);
  if (isFault(message)) throw new Error(message.reason);
  return message.payloads.flatMap((each) => (each.kind === 'N' ? [each.notify] : []));
};

test('the token of an IKE SA that lives is shown to nobody, whatever the initiator flag says', async () => {
  const net = new Net();
  const [a, b] = [net.pe(A), net.pe(B)];
  a.want(b);
  await net.pass(1000);
  // A request under the SPIs of the IKE SA, the flag of the other end: its other SPI is looked for.
  const seen = net.wire.find(({ octets }) => octets[16] === 46);
  if (seen === undefined) throw new Error('nothing protected was sent');
  const [toB, toA] = [seen.octets.slice(), seen.octets.slice()];
  toB[19] = 0;
  toA[19] = 8;
  net.wire.length = 0;
  net.deliver({ ...seen, octets: toB });
  net.deliver({ local: seen.remote, remote: seen.local, octets: toA });
  await net.pass(100);
  expect([a.count('rx_unknown_spi'), b.count('rx_unknown_spi')]).toEqual([1, 1]);
  expect(net.wire.filter((sent) => sent.octets[16] !== 46)).toEqual([]);
  expect([a.rows.length, b.rows.length]).toEqual([1, 1]);
});

test.each([
  ['the end that will ask', 1],
  ['the end that will lose it', 1],
  ['both in turn', 2],
])('tokens are exchanged anew for a rekeyed IKE SA (RFC 6290 §4.3): by %s', async (who, times) => {
  const net = new Net();
  const [a, b] = [net.pe(A), net.pe(B)];
  a.want(b);
  await net.pass(1000);
  for (let i = 0; i < times; i++) {
    const by = who === 'the end that will ask' || i === 1 ? a : b;
    const rekeyed = by.manager.rekey({}, 'ike');
    await net.pass(60_000);
    expect(await rekeyed).toEqual({ ok: true, value: 1 });
  }
  // B begins anew and knows nothing; what A asks next is answered by the token.
  b.restart(false);
  net.wire.length = 0;
  await net.pass(31_000);
  const shown = net.wire.filter(
    (sent) => sent.octets[16] === 41 && notifiesIn(sent).includes(NOTIFY.QUICK_CRASH_DETECTION),
  );
  expect(shown.length).toBeGreaterThan(0);
  expect([a.count('peers_dead'), a.count('exchange_timeouts')]).toEqual([1, 0]);
  await net.pass(5000);
  expect(a.rows).toEqual([`initiator of ${B} established: encrypt/gre live`]);
});

test('a peer that opens one IKE SA after the other and answers no delete has so many, and no more', async () => {
  const net = new Net();
  const [a, b] = [net.pe(A), net.pe(B)];
  // Of what B sends only its answers to IKE_SA_INIT and IKE_AUTH arrive.
  net.tamper = (sent) => (sent.local.address[3] === 2 && (sent.octets[18] ?? 0) > 35 ? [] : [sent]);
  for (let i = 0; i < 40; i++) {
    a.want(b);
    await net.pass(100);
    a.restart(true);
  }
  expect(b.count('ike_sas_opened')).toBe(40);
  expect(b.rows.length).toBeLessThanOrEqual(16);
  // The last one is not among those that went.
  a.want(b);
  await net.pass(5500);
  expect(b.plane.inbound.size).toBeLessThanOrEqual(16);
  expect(b.rows).toContain(`responder of ${A} established: encrypt/gre live`);
});

test('an IKE_SA_INIT request with a protected payload at its end is refused, not kept', async () => {
  const net = new Net();
  const [a, b] = [net.pe(A), net.pe(B)];
  net.tamper = () => [];
  a.want(b);
  await net.pass(10);
  const [request] = net.wire;
  const message = decodeMessage(
    request?.octets ?? new Uint8Array(0),
    0,
    request?.octets.length ?? 0,
  );
  if (request === undefined || isFault(message)) throw new Error('no request');
  const payloads = [
    ...message.payloads,
    { kind: 'SK', firstInner: 0, body: Buffer.alloc(32) },
  ] as const;
  net.deliver({ ...request, octets: encodeMessage(message.header, payloads).octets });
  await net.pass(100);
  expect(b.rows).toEqual([]);
  const answer = net.wire.find(({ local }) => local.address[3] === 2);
  expect(answer && notifiesIn(answer)).toEqual([NOTIFY.INVALID_SYNTAX]);
});

test("requests forged in a peer's name do not shut it out", async () => {
  const net = new Net();
  // A forger's NAT detection would fit; here it is that of another request.
  const [a, b] = [net.pe(A), net.pe(B, { policy: { nat: 'allow' } })];
  a.want('10.0.0.7');
  await net.pass(10);
  const [request] = net.wire;
  if (request === undefined) throw new Error('no request');
  const forge = (spi: number): void => {
    const octets = request.octets.slice();
    new DataView(octets.buffer).setBigUint64(0, BigInt(spi));
    net.deliver({
      local: request.local,
      remote: { ...request.remote, address: address(B) },
      octets,
    });
  };
  for (let i = 1; i <= 20; i++) forge(i);
  await net.pass(100);
  const { told } = a.want(b);
  for (let i = 100; i < 120; i++) {
    forge(i);
    await net.pass(20);
  }
  // In 400 ms: without a retransmission.
  expect(told.at(-1)?.state).toBe('up');
  expect(b.rows.filter((row) => row.includes('opening')).length).toBeLessThan(5);
});
