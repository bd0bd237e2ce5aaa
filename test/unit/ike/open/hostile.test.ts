// SPDX-License-Identifier: Apache-2.0
/** Somebody between the two: messages changed, removed, sent back; downgrades. Nobody ends up with another view. */
import { describe, expect, it } from 'vitest';
import { NOTIFY } from '../../../../src/ike/codec/names/notify.js';
import type { Payload } from '../../../../src/ike/codec/payload.js';
import { randomFrom } from '../channel/bench.js';
import {
  failed,
  MLKEM768,
  opened,
  proposalOf,
  rewritten,
  type Watched,
  World,
  X25519,
} from './bench.js';

const quick = { retransmission: { firstMs: 500, factor: 1, tries: 2, jitter: 0 } };

/** Everything that the two could see differently of an IKE SA. */
function sameView(ours: Watched, theirs: Watched | undefined): void {
  const [one, other] = [opened(ours), opened(theirs)];
  expect(one.skD).toEqual(other.skD);
  expect(one.suite).toEqual(other.suite);
  expect(one.keyExchanges).toEqual(other.keyExchanges);
  expect([one.initiatorSpi, one.responderSpi]).toEqual([other.initiatorSpi, other.responderSpi]);
  expect(one.child?.inboundSpi).toBe(other.child?.outboundSpi);
  expect(one.child?.suite).toEqual(other.child?.suite);
  expect(one.isPpkUsed).toBe(other.isPpkUsed);
}

const isUp = ({ b }: World): boolean => b.responded.some(({ outcome }) => outcome?.ok === true);
/** b, whose own message was changed, took a's proof: a does not take b's, and says so (RFC 7296 §2.21.2). */
const isTold = ({ b }: World): boolean =>
  b.requests.some(
    ({ message }) =>
      'payloads' in message &&
      message.payloads.some(
        (each) => each.kind === 'N' && each.notify === NOTIFY.AUTHENTICATION_FAILED,
      ),
  );

describe('one bit of one message is another, each time it is sent', () => {
  const random = randomFrom(99);
  /** The four messages of an opening: IKE_SA_INIT and IKE_AUTH, there and back. */
  it.each([
    [0, 'IKE_SA_INIT request', 1],
    [1, 'IKE_SA_INIT response', 1],
    [2, 'IKE_AUTH request', 3],
    [3, 'IKE_AUTH response', 3],
  ])('%i, the %s: the initiator never opens', async (message, _name, step) => {
    const plain = new World({ policy: quick }, { policy: quick });
    plain.a.open();
    await plain.time.pass(0);
    const length = plain.wire[message]?.octets.length ?? 0;
    expect(length).toBeGreaterThan(100);
    for (let at = 0; at < length; at += step) {
      const bit = 1 << Math.floor(random() * 8);
      const world = new World({ policy: quick }, { policy: quick, expireMs: 3000 });
      const exchange = message < 2 ? 34 : 35;
      world.tamper = (carried) => {
        const { from, octets } = carried;
        if (octets[18] !== exchange || from !== (message % 2 === 0 ? 'a' : 'b')) return [carried];
        const changed = Uint8Array.from(octets);
        changed[at] = (changed[at] ?? 0) ^ bit;
        return [{ ...carried, octets: changed }];
      };
      const ike = world.a.open();
      await world.time.pass(10_000);
      const where = `octet ${at}, bit ${bit}`;
      expect(ike.outcome?.ok, where).toBe(false);
      // What b sent last it cannot know to be lost: its IKE SA is up, until the peer proves dead.
      expect(isUp(world) && !isTold(world), where).toBe(message === 3);
      if (message === 0 || message === 2) expect(isUp(world), where).toBe(false);
      expect([world.a.plane.live, world.a.plane.reserved.size, world.time.pending]).toEqual([
        [],
        0,
        0,
      ]);
    }
  });
});

describe('downgrades', () => {
  const both = {
    policy: { ...quick, proposals: [proposalOf([X25519], [[MLKEM768]]), proposalOf([X25519])] },
  };
  const swap =
    (change: (payload: Payload) => readonly Payload[]) => (payloads: readonly Payload[]) =>
      payloads.flatMap(change);
  const dropNotify = (type: number) =>
    swap((each) => (each.kind === 'N' && each.notify === type ? [] : [each]));

  it.each([
    [
      'the better proposal taken out of the request',
      'a',
      swap((each) =>
        each.kind === 'SA'
          ? [{ ...each, proposals: each.proposals.slice(1).map((one) => ({ ...one, number: 1 })) }]
          : [each],
      ),
    ],
    [
      'the better proposal moved behind the other',
      'a',
      swap((each) =>
        each.kind === 'SA'
          ? [
              {
                ...each,
                proposals: [...each.proposals]
                  .reverse()
                  .map((one, i) => ({ ...one, number: i + 1 })),
              },
            ]
          : [each],
      ),
    ],
    [
      'IKE_INTERMEDIATE not understood by a',
      'a',
      dropNotify(NOTIFY.INTERMEDIATE_EXCHANGE_SUPPORTED),
    ],
    [
      'IKE_INTERMEDIATE not understood by b',
      'b',
      dropNotify(NOTIFY.INTERMEDIATE_EXCHANGE_SUPPORTED),
    ],
    ['no fragmentation at a', 'a', dropNotify(NOTIFY.IKEV2_FRAGMENTATION_SUPPORTED)],
    ['no fragmentation at b', 'b', dropNotify(NOTIFY.IKEV2_FRAGMENTATION_SUPPORTED)],
    ['no NAT detection at a', 'a', dropNotify(NOTIFY.NAT_DETECTION_SOURCE_IP)],
    ['no methods of authentication at b', 'b', dropNotify(NOTIFY.SUPPORTED_AUTH_METHODS)],
    ['no VPN-ID at a', 'a', swap((each) => (each.kind === 'V' ? [] : [each]))],
    ['no VPN-ID at b', 'b', swap((each) => (each.kind === 'V' ? [] : [each]))],
  ] as const)('%s: no IKE SA', async (_name, from, change) => {
    const world = new World(both, { ...both, expireMs: 3000 });
    let changed = 0;
    world.tamper = (carried) => {
      if (carried.octets[18] !== 34 || carried.from !== from) return [carried];
      changed += 1;
      return [rewritten(carried, change)];
    };
    const ike = world.a.open();
    await world.time.pass(10_000);
    expect(changed).toBeGreaterThan(0);
    failed(ike);
    if (from === 'a') expect(isUp(world)).toBe(false);
    else expect(isUp(world)).toBe(isTold(world));
    expect(world.time.pending).toBe(0);
  });

  it('USE_PPK taken away at both, where the PPK is optional: no IKE SA', async () => {
    const ppk = { id: Buffer.from('one'), key: Buffer.alloc(32, 9), required: false };
    const world = new World(
      { policy: { ...quick, ppk } },
      { policy: { ...quick, ppk }, expireMs: 3000 },
    );
    world.tamper = (carried) => [
      carried.octets[18] === 34 ? rewritten(carried, dropNotify(NOTIFY.USE_PPK)) : carried,
    ];
    const ike = world.a.open();
    await world.time.pass(10_000);
    failed(ike);
    expect(world.b.counted()).toMatchObject({ auth_failed: 1 });
  });
});

describe('messages sent back and sent again', () => {
  it('reflected they are known as ours, and disturb nothing', async () => {
    const world = new World();
    world.tamper = (carried) => {
      const { from, path, octets } = carried;
      const { local, remote } = path;
      return [
        { from: from === 'a' ? 'b' : 'a', path: { local: remote, remote: local }, octets },
        carried,
      ];
    };
    const ike = world.a.open();
    await world.time.pass(60_000);
    sameView(
      ike,
      world.b.responded.find(({ outcome }) => outcome?.ok === true),
    );
    // a's IKE_SA_INIT request came back to it as a request: a cannot know it before it has state as responder.
    expect(world.a.responded.every(({ outcome }) => outcome?.ok === false)).toBe(true);
    expect(world.a.plane.live).toHaveLength(1);
  });

  it('all of an opening, replayed later, opens nothing', async () => {
    const world = new World();
    const ike = world.a.open();
    await world.time.pass(0);
    sameView(ike, world.b.responded[0]);
    for (const carried of [...world.wire]) world.deliver(carried);
    await world.time.pass(60_000);
    // The request was answered again, from memory or as another half-open one that nobody finishes.
    expect(world.b.responded.filter(({ outcome }) => outcome?.ok === true)).toHaveLength(1);
    expect([world.a.plane.live.length, world.b.plane.live.length]).toEqual([1, 1]);
  });

  it('another address copies IKE_AUTH: the path stays', async () => {
    const world = new World();
    world.tamper = (carried, n) => {
      const { local, remote } = carried.path;
      const address = Uint8Array.of(198, 51, 100, 1);
      return n === 2
        ? [{ ...carried, path: { local: { ...local, address }, remote } }, carried]
        : [carried];
    };
    const ike = world.a.open();
    await world.time.pass(600);
    sameView(ike, world.b.responded[0]);
    expect(opened(world.b.responded[0]).path).toEqual(world.b.path);
    expect([...world.b.plane.inbound.values()][0]?.path).toEqual(world.b.path);
  });
});
