// SPDX-License-Identifier: Apache-2.0
/** INVALID_IKE_SPI in clear (RFC 7296 §2.4, §2.21.4): a peer that began anew while we opened, and who only says so. */
import { expect, test } from 'vitest';
import { encodeMessage } from '../../../../src/ike/codec/message.js';
import { EXCHANGE } from '../../../../src/ike/codec/names/registries.js';
import { NOTIFY } from '../../../../src/ike/codec/names/notify.js';
import { address, type Carried, MemoryStore, Net, type Pe } from './bench.js';

const [A, B] = ['10.0.0.1', '10.0.0.2'];

const spiOf = ({ octets }: Carried, at: number): bigint =>
  Buffer.from(octets.buffer, octets.byteOffset).readBigUInt64BE(at);
const isAuth = ({ octets }: Carried): boolean => octets[18] === EXCHANGE.ikeAuth;
const isFromB = ({ local }: Carried): boolean => local.address[3] === 2;

/** Initiator's SPIs of all that A has begun. */
const begun = (net: Net): Set<bigint> =>
  new Set(net.wire.filter((sent) => !isFromB(sent)).map((sent) => spiOf(sent, 0)));

interface Said {
  readonly responderSpi?: bigint;
  readonly exchange?: number;
  readonly response?: boolean;
}

/** What anybody who saw a request of A can say in B's name. */
function hint(request: Carried, said: Said = {}): Carried {
  const header = {
    ...{ initiatorSpi: spiOf(request, 0), responderSpi: spiOf(request, 8) },
    ...{ exchange: EXCHANGE.ikeAuth, messageId: 1, initiator: false, response: true, ...said },
  };
  const nothing = new Uint8Array(0);
  const notify = NOTIFY.INVALID_IKE_SPI;
  const { octets } = encodeMessage(header, [
    { kind: 'N', protocol: 0, spi: nothing, notify, data: nothing },
  ]);
  return { local: request.remote, remote: request.local, octets };
}

/** A's IKE_AUTH request, the first of it; until it was there nothing else of that exchange arrives. */
async function firstAuth(net: Net, a: Pe, b: Pe): Promise<Carried> {
  a.want(b);
  for (let i = 0; i < 100; i++) {
    const found = net.wire.find((sent) => isAuth(sent) && !isFromB(sent));
    if (found !== undefined) return found;
    await net.pass(10);
  }
  throw new Error('no IKE_AUTH');
}

/** B's supervisor ends when A's first IKE_AUTH request is on its way, and another one is there `awayMs` later. */
function endsAtFirstAuth(net: Net, b: () => Pe, awayMs: number): void {
  let since: number | undefined;
  net.tamper = (sent) => {
    if (isAuth(sent) && since === undefined) {
      since = net.clock.now();
      b().kill();
      net.clock.after(awayMs, () => {
        b().restart(true);
      });
    }
    return since !== undefined && net.clock.now() < since + awayMs ? [] : [sent];
  };
}

test('a peer that began anew before IKE_AUTH is asked anew as soon as it says so', async () => {
  const net = new Net();
  const [a, b] = [net.pe(A), net.pe(B, { store: new MemoryStore() })];
  endsAtFirstAuth(net, () => b, 400);
  const { told } = a.want(b);
  // Sent again after 500 ms, answered by the hint; a second later another one is begun.
  await net.pass(1700);
  expect(told.at(-1)?.state).toBe('up');
  expect(a.count('openings_repeated')).toBe(1);
  await net.pass(60_000);
  expect(a.rows).toEqual([`initiator of ${B} established: encrypt/gre live`]);
  expect(b.rows).toEqual([`responder of ${A} established: encrypt/gre live`]);
  expect(begun(net).size).toBe(2);
  expect(told.map(({ state }) => state)).toEqual(['pending', 'up']);
});

test.each([1, 2, 3, 4, 5, 6, 7, 8])(
  'where a third of all is lost, doubled or late it comes to one IKE SA as well: %i',
  async (seed) => {
    const net = new Net(seed);
    const [a, b] = [net.pe(A), net.pe(B, { store: new MemoryStore() })];
    net.weather = { loss: 0.33, doubling: 0.33, delay: 700 };
    endsAtFirstAuth(net, () => b, 400);
    a.want(b);
    await net.pass(40_000);
    net.weather = { loss: 0, doubling: 0, delay: 0 };
    await net.pass(90_000);
    expect(a.rows).toEqual([`initiator of ${B} established: encrypt/gre live`]);
    expect(b.rows).toEqual([`responder of ${A} established: encrypt/gre live`]);
    expect(a.count('openings_repeated')).toBeLessThanOrEqual(1);
  },
);

test('forged hints without end cost one more opening, whatever they are about', async () => {
  const net = new Net();
  const [a, b] = [net.pe(A), net.pe(B)];
  // B only ever answers IKE_SA_INIT.
  net.tamper = (sent) => (isAuth(sent) ? [] : [sent]);
  await firstAuth(net, a, b);
  for (let i = 0; i < 1400; i++) {
    const requests = net.wire.filter((sent) => isAuth(sent) && !isFromB(sent));
    for (const request of requests.slice(-3)) net.deliver(hint(request));
    await net.pass(10);
  }
  expect(begun(net).size).toBe(2);
  expect(a.count('openings_repeated')).toBe(1);
  // Both have sent what they would have sent without: two requests, each five times at most.
  expect(net.wire.filter((sent) => !isFromB(sent)).length).toBeLessThanOrEqual(2 * (1 + 5));
  // And the hints have ended neither.
  net.tamper = (sent) => [sent];
  await net.pass(20_000);
  expect(a.rows).toEqual([`initiator of ${B} established: encrypt/gre live`]);
});

test('a hint is nothing where the answer comes in time', async () => {
  const net = new Net();
  const [a, b] = [net.pe(A), net.pe(B)];
  const swallowed = { first: false };
  net.tamper = (sent) => {
    if (!isAuth(sent) || swallowed.first) return [sent];
    swallowed.first = true;
    return [];
  };
  const request = await firstAuth(net, a, b);
  net.deliver(hint(request));
  await net.pass(60_000);
  expect(a.rows).toEqual([`initiator of ${B} established: encrypt/gre live`]);
  expect([a.count('openings_repeated'), begun(net).size]).toEqual([0, 1]);
});

test('where the answer is only late and both come up one of them stays, the same at both ends', async () => {
  const net = new Net();
  const [a, b] = [net.pe(A), net.pe(B, { store: new MemoryStore() })];
  let late = true;
  net.tamper = (sent) => {
    if (!late || !isAuth(sent) || !isFromB(sent)) return [sent];
    net.clock.after(2000, () => {
      net.deliver(sent);
    });
    return [];
  };
  const request = await firstAuth(net, a, b);
  net.deliver(hint(request));
  await net.pass(4000);
  late = false;
  expect([a.count('openings_repeated'), begun(net).size]).toEqual([1, 2]);
  expect(a.count('ike_sas_opened')).toBe(2);
  await net.pass(60_000);
  expect(a.rows).toEqual([`initiator of ${B} established: encrypt/gre live`]);
  expect(b.rows).toEqual([`responder of ${A} established: encrypt/gre live`]);
  expect([...a.plane.inbound.keys()].length).toBe(1);
});

test.each<[string, (request: Carried) => Carried]>([
  ['about another SPI of the peer', (request) => hint(request, { responderSpi: 7n })],
  ['about none', (request) => hint(request, { responderSpi: 0n })],
  ['to IKE_SA_INIT', (request) => hint(request, { exchange: EXCHANGE.ikeSaInit })],
  ['as a request', (request) => hint(request, { response: false })],
  [
    'from somebody else',
    (request) => ({ ...hint(request), local: { address: address('10.0.0.9'), port: 500 } }),
  ],
])('a hint %s is none', async (_, forged) => {
  const net = new Net();
  const [a, b] = [net.pe(A), net.pe(B)];
  net.tamper = (sent) => (isAuth(sent) ? [] : [sent]);
  const request = await firstAuth(net, a, b);
  for (let i = 0; i < 100; i++) {
    net.deliver(forged(request));
    await net.pass(100);
  }
  expect([a.count('openings_repeated'), begun(net).size]).toEqual([0, 1]);
});

test('nothing follows from a hint about an IKE SA that is up and asks nothing', async () => {
  const net = new Net();
  const [a, b] = [net.pe(A), net.pe(B)];
  await firstAuth(net, a, b);
  await net.pass(10_000);
  const request = net.wire.find((sent) => isAuth(sent) && !isFromB(sent));
  if (request === undefined) throw new Error('no IKE_AUTH');
  net.wire.length = 0;
  for (let i = 0; i < 1000; i++) {
    net.deliver(hint(request, { exchange: EXCHANGE.informational }));
    await net.pass(1);
  }
  expect(net.wire).toEqual([]);
  expect(a.count('rx_unprotected')).toBe(1000);
  await net.pass(60_000);
  expect(a.rows).toEqual([`initiator of ${B} established: encrypt/gre live`]);
  expect(a.count('ike_sas_opened')).toBe(1);
});
