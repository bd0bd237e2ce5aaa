// SPDX-License-Identifier: Apache-2.0
/** IKE_INTERMEDIATE with additional key exchanges (RFC 9242, RFC 9370), and the fragments it is sent in (RFC 7383). */
import { describe, expect, it } from 'vitest';
import { NOTIFY } from '../../../../src/ike/codec/names/notify.js';
import type { Payload } from '../../../../src/ike/codec/payload.js';
import { KE_NONE } from '../../../../src/ike/negotiation/types.js';
import { notifyOf } from '../../../../src/ike/open/payloads.js';
import {
  failed,
  type HostOptions,
  MLKEM512,
  MLKEM768,
  opened,
  P256,
  payloadsOf,
  proposalOf,
  rewritten,
  World,
  X25519,
} from './bench.js';

const hybrid = proposalOf([X25519], [[MLKEM768]]);
const classical = proposalOf([X25519]);
const offers = (...proposals: readonly ReturnType<typeof proposalOf>[]): HostOptions => ({
  policy: { proposals },
});

const agree = (world: World, ike: ReturnType<World['a']['open']>): void => {
  expect(opened(ike).skD).toEqual(opened(world.b.responded[0]).skD);
  expect(world.time.pending).toBe(0);
};
/** Exchange types and message IDs of what `a` sent, without fragments behind the first. */
const exchanges = (world: World): string[] => [
  ...new Set(
    world.wire
      .filter(({ from }) => from === 'a')
      .map(({ octets }) => `${octets[18] ?? 0}#${octets[23] ?? 0}`),
  ),
];

describe('additional key exchanges', () => {
  it('one, of ML-KEM-768', async () => {
    const world = new World(offers(hybrid), offers(hybrid));
    const ike = world.a.open();
    // a --- IKE_SA_INIT, ID 0: x25519 --> b and back
    // a --- IKE_INTERMEDIATE, ID 1: mlkem768, in two fragments --> b and back
    // a --- IKE_AUTH, ID 2 --> b and back
    await world.time.pass(0);
    agree(world, ike);
    expect(exchanges(world)).toEqual(['34#0', '43#1', '35#2']);
    expect(opened(ike).keyExchanges).toEqual(['x25519', 'mlkem768']);
    expect(opened(world.b.responded[0]).keyExchanges).toEqual(['x25519', 'mlkem768']);
    // Keys were derived anew: what IKE_SA_INIT gave is in use no more.
    expect(world.a.derived).toHaveLength(2);
    expect(opened(ike).skD).toEqual(world.a.derived[1]?.d);
    expect(opened(ike).skD).not.toEqual(world.a.derived[0]?.d);
    expect(opened(ike).features).toMatchObject({ intermediate: true, fragmentation: true });
    const sizes = world.wire.map(({ octets }) => octets.length);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(1280 - 28);
  });

  it('two, one after the other', async () => {
    const two = proposalOf([X25519], [[MLKEM768], [P256]]);
    const world = new World(offers(two), offers(two));
    const ike = world.a.open();
    await world.time.pass(0);
    agree(world, ike);
    expect(exchanges(world)).toEqual(['34#0', '43#1', '43#2', '35#3']);
    expect(opened(ike).keyExchanges).toEqual(['x25519', 'mlkem768', 'ecp256']);
    expect(world.b.derived).toHaveLength(3);
  });

  it('without fragmentation, whole', async () => {
    const more = { fragmentBytes: undefined, proposals: [hybrid] };
    const world = new World({ policy: more }, offers(hybrid));
    const ike = world.a.open();
    await world.time.pass(0);
    agree(world, ike);
    expect(opened(ike).features.fragmentation).toBe(false);
    expect(world.wire).toHaveLength(6);
  });

  it('lost and doubled datagrams change nothing', async () => {
    const world = new World(offers(hybrid), offers(hybrid));
    world.tamper = (carried, n) => (n % 3 === 2 ? [] : [carried, carried]);
    const ike = world.a.open();
    await world.time.pass(60_000);
    agree(world, ike);
    expect(world.a.counted()).not.toHaveProperty('exchange_timeouts');
  });

  it('the responder goes without where that was offered', async () => {
    const optional = proposalOf([X25519], [[MLKEM768, KE_NONE]]);
    const world = new World(offers(optional), offers(classical));
    const ike = world.a.open();
    await world.time.pass(0);
    agree(world, ike);
    expect(exchanges(world)).toEqual(['34#0', '35#1']);
    expect(opened(ike).keyExchanges).toEqual(['x25519']);
  });

  it('and not where it was not', async () => {
    const world = new World(offers(hybrid), offers(classical));
    const ike = world.a.open();
    await world.time.pass(2000);
    expect(failed(ike)).toMatchObject({ code: 'NO_PROPOSAL_CHOSEN', by: 'peer' });
  });

  it('a responder that answers with the classical part alone is not believed', async () => {
    const world = new World(offers(hybrid), offers(hybrid));
    const withoutAddke = (payloads: readonly Payload[]): readonly Payload[] =>
      payloads.map((each) =>
        each.kind === 'SA'
          ? {
              ...each,
              proposals: each.proposals.map((proposal) => ({
                ...proposal,
                transforms: proposal.transforms.filter(({ type }) => type < 6),
              })),
            }
          : each,
      );
    world.tamper = (carried) => [carried.from === 'b' ? rewritten(carried, withoutAddke) : carried];
    const ike = world.a.open();
    await world.time.pass(2000);
    expect(failed(ike)).toMatchObject({ code: 'NO_PROPOSAL_CHOSEN', by: 'us' });
    expect(world.a.counted()).toMatchObject({ init_no_proposal: 2 });
    expect(exchanges(world)).toEqual(['34#0']);
  });

  it('a peer without IKE_INTERMEDIATE is offered, and gets, what does without', async () => {
    const world = new World(offers(hybrid, classical), offers(hybrid, classical));
    const silent = (payloads: readonly Payload[]): readonly Payload[] =>
      payloads.filter(
        (each) => each.kind !== 'N' || each.notify !== NOTIFY.INTERMEDIATE_EXCHANGE_SUPPORTED,
      );
    world.tamper = (carried, n) => [n === 0 ? rewritten(carried, silent) : carried];
    const ike = world.a.open();
    await world.time.pass(0);
    const [, response] = world.wire;
    const sa = payloadsOf(response ?? world.wire[0]!).find((each) => each.kind === 'SA');
    expect(sa?.proposals[0]?.number).toBe(2);
    // AUTH covers the request as it was sent: nobody can bring about the lesser proposal that way.
    expect(failed(ike)).toMatchObject({ code: 'AUTHENTICATION_FAILED', by: 'peer' });
    expect(world.b.counted()).toMatchObject({ auth_failed: 1 });
  });
});

describe('IKE_INTERMEDIATE that goes wrong', () => {
  type Ke = Extract<Payload, { kind: 'KE' }>;
  const changing =
    (change: (ke: Ke) => readonly Payload[]): NonNullable<HostOptions['says']> =>
    (exchange, payloads) =>
      exchange === 43
        ? payloads.flatMap((each) => (each.kind === 'KE' ? change(each) : [each]))
        : payloads;
  const wrongs: readonly [string, (ke: Ke) => readonly Payload[], number | undefined][] = [
    ['another method', (ke) => [{ ...ke, method: MLKEM512 }], undefined],
    ['two of them', (ke) => [ke, ke], undefined],
    ['data of the wrong length', (ke) => [{ ...ke, data: ke.data.subarray(1) }], 1],
  ];

  it.each([
    ...wrongs,
    [
      'data that is no encapsulation key',
      (ke: Ke) => [{ ...ke, data: ke.data.map(() => 0xff) }],
      1,
    ] as const,
  ])('of the initiator: %s, ends it at both', async (_name, change, refused) => {
    const world = new World({ ...offers(hybrid), says: changing(change) }, offers(hybrid));
    const ike = world.a.open();
    await world.time.pass(0);
    expect(failed(ike)).toMatchObject({ code: 'INVALID_SYNTAX', by: 'peer' });
    // b answers retransmissions for a while, then it is over there as well.
    expect(world.b.responded[0]?.outcome).toBeUndefined();
    await world.time.pass(1500);
    expect(failed(world.b.responded[0])).toMatchObject({ code: 'INVALID_SYNTAX', by: 'us' });
    expect(world.b.counts.get('ke_refused')).toBe(refused);
    expect(world.time.pending).toBe(0);
  });

  it.each([...wrongs, ['nothing', () => [], undefined] as const])(
    'of the responder: %s, ends it at the initiator',
    async (_name, change, refused) => {
      const world = new World(offers(hybrid), { ...offers(hybrid), says: changing(change) });
      const ike = world.a.open();
      await world.time.pass(0);
      expect(failed(ike)).toMatchObject({ code: 'INVALID_SYNTAX', by: 'us' });
      expect(world.a.counts.get('ke_refused')).toBe(refused);
      await world.time.pass(30_000);
      expect(failed(world.b.responded[0])).toMatchObject({ code: 'TIMEOUT' });
      expect(world.time.pending).toBe(0);
    },
  );

  it('a ciphertext of another key ends it at AUTH: the keys differ', async () => {
    const other = (ke: Ke): readonly Payload[] => {
      const data = Uint8Array.from(ke.data);
      data[5] = (data[5] ?? 0) ^ 1;
      return [{ ...ke, data }];
    };
    const world = new World(offers(hybrid), { ...offers(hybrid), says: changing(other) });
    const ike = world.a.open();
    await world.time.pass(60_000);
    expect(failed(ike).code).toBe('TIMEOUT');
    expect(world.b.counted()).toMatchObject({ half_open_expired: 1 });
    expect(world.b.counts.get('rx_integrity')).toBeGreaterThan(0);
  });

  it('IKE_AUTH before the key exchange that was agreed on is refused', async () => {
    const world = new World(offers(hybrid), offers(hybrid));
    const { createChannel } = world.a.env;
    Object.assign(world.a.env, {
      createChannel: (...given: Parameters<typeof createChannel>) => {
        const channel = createChannel(...given);
        const request = channel.request.bind(channel);
        channel.request = (exchange, payloads, accepts) =>
          request(exchange === 43 ? 35 : exchange, payloads, accepts);
        return channel;
      },
    });
    const ike = world.a.open();
    await world.time.pass(60_000);
    expect(failed(ike)).toMatchObject({ code: 'INVALID_SYNTAX', by: 'peer' });
    expect(failed(world.b.responded[0])).toMatchObject({ code: 'INVALID_SYNTAX', by: 'us' });
  });

  it('more than a few that are no key exchange are refused', async () => {
    const world = new World();
    const { createChannel } = world.a.env;
    let refused: readonly Payload[] = [];
    Object.assign(world.a.env, {
      createChannel: (...given: Parameters<typeof createChannel>) => {
        const channel = createChannel(...given);
        const request = channel.request.bind(channel);
        channel.request = async (exchange, payloads, accepts) => {
          for (let i = 0; exchange === 35 && i < 10; i++) {
            const answered = await request(43, []);
            if (answered.ok) refused = answered.response.payloads;
          }
          return request(exchange, payloads, accepts);
        };
        return channel;
      },
    });
    const ike = world.a.open();
    await world.time.pass(60_000);
    expect(refused).toMatchObject([{ kind: 'N', notify: NOTIFY.INVALID_SYNTAX }]);
    expect(failed(ike).code).toBe('TIMEOUT');
    expect(failed(world.b.responded[0])).toMatchObject({ code: 'INVALID_SYNTAX' });
  });
});

describe('SUPPORTED_AUTH_METHODS in IKE_INTERMEDIATE (RFC 9593 §3.1)', () => {
  it('an empty one in IKE_SA_INIT makes the initiator ask, and AUTH covers that', async () => {
    const empty = notifyOf(NOTIFY.SUPPORTED_AUTH_METHODS);
    const world = new World(
      {},
      {
        says: (exchange, payloads) =>
          exchange === 34
            ? payloads.map((each) =>
                each.kind === 'N' && each.notify === empty.notify ? empty : each,
              )
            : payloads,
      },
    );
    const ike = world.a.open();
    // a --- IKE_INTERMEDIATE, ID 1, nothing --> b and back
    await world.time.pass(0);
    agree(world, ike);
    expect(exchanges(world)).toEqual(['34#0', '43#1', '35#2']);
  });
});
