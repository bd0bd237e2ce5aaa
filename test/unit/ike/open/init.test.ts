// SPDX-License-Identifier: Apache-2.0
/** IKE_SA_INIT: cookies, groups, and what is not believed of a response in clear. */
import { describe, expect, it } from 'vitest';
import { NOTIFY } from '../../../../src/ike/codec/names/notify.js';
import type { Payload } from '../../../../src/ike/codec/payload.js';
import { PRFS } from '../../../../src/ike/crypto/algorithms.js';
import { notifyOf } from '../../../../src/ike/open/payloads.js';
import {
  failed,
  forged,
  MODP2048,
  notifiesIn,
  opened,
  P256,
  payloadsOf,
  proposalOf,
  rewritten,
  World,
  X25519,
} from './bench.js';

const agree = (world: World, ike: ReturnType<World['a']['open']>): void => {
  const theirs = opened(world.b.responded.find(({ outcome }) => outcome?.ok === true));
  expect(opened(ike).skD).toEqual(theirs.skD);
  expect(world.time.pending).toBe(0);
};

const keMethod = (payloads: readonly Payload[]): number | undefined =>
  payloads.find((payload) => payload.kind === 'KE')?.method;

describe('cookies (RFC 7296 §2.6)', () => {
  it('one round more, nothing kept before it', async () => {
    const world = new World({}, { wantsCookies: true });
    const ike = world.a.open();
    // a --- IKE_SA_INIT --> b            (no state)
    // a <-- N(COOKIE) --- b
    // a --- N(COOKIE), IKE_SA_INIT --> b (the rest unchanged)
    await world.time.pass(0);
    agree(world, ike);
    const [first, challenge, second] = world.wire;
    if (first === undefined || challenge === undefined || second === undefined) throw new Error();
    expect(notifiesIn(challenge)).toEqual([NOTIFY.COOKIE]);
    expect(payloadsOf(second)[0]).toEqual(payloadsOf(challenge)[0]);
    expect(payloadsOf(second).slice(1)).toEqual(payloadsOf(first));
    expect(world.b.counted()).toMatchObject({ init_cookies_sent: 1 });
    expect(world.b.responded).toHaveLength(1);
  });

  it('a cookie that is lost or comes twice does not matter', async () => {
    const world = new World({}, { wantsCookies: true });
    world.tamper = (carried, n) => (n === 1 ? [] : n === 3 ? [carried, carried] : [carried]);
    const ike = world.a.open();
    // a --- IKE_SA_INIT --> b, a x-- N(COOKIE) --- b, again after 500 ms, then the cookie twice
    await world.time.pass(500);
    agree(world, ike);
    expect(world.b.counted()).toMatchObject({ init_cookies_sent: 2 });
  });

  it('one that was changed on the way is refused', async () => {
    const world = new World({}, { wantsCookies: true });
    let spoiled = 0;
    world.tamper = (carried) => {
      const [head] = carried.from === 'a' ? payloadsOfClear(carried) : [];
      if (head?.kind !== 'N' || head.notify !== NOTIFY.COOKIE || spoiled++ > 0) return [carried];
      const data = Uint8Array.from(head.data);
      data[3] = (data[3] ?? 0) ^ 1;
      return [rewritten(carried, ([, ...rest]) => [{ ...head, data }, ...rest])];
    };
    const ike = world.a.open();
    await world.time.pass(500);
    // The cookie is the same: it was ours to keep, the retransmission shows it.
    agree(world, ike);
    expect(world.b.counted()).toMatchObject({ init_cookies_wrong: 1, init_cookies_sent: 2 });
  });

  it('new ones without end are not obeyed', async () => {
    const world = new World();
    let count = 0;
    world.tamper = (carried) =>
      carried.from === 'a'
        ? [forged(carried, [notifyOf(NOTIFY.COOKIE, Uint8Array.of(count++))])]
        : [];
    const ike = world.a.open();
    await world.time.pass(60_000);
    expect(failed(ike)).toMatchObject({ code: 'TIMEOUT', by: 'peer' });
    expect(count).toBe(6);
    expect(world.time.pending).toBe(0);
  });
});

const payloadsOfClear = (carried: Parameters<typeof payloadsOf>[0]): readonly Payload[] =>
  carried.octets[18] === 34 ? payloadsOf(carried) : [];

describe('another group (RFC 7296 §1.2)', () => {
  const a = { policy: { proposals: [proposalOf([X25519, P256])] } };
  const b = { policy: { proposals: [proposalOf([P256, X25519])] } };

  it('is taken when it was offered', async () => {
    const world = new World(a, b);
    const ike = world.a.open();
    // a --- IKE_SA_INIT, KEi x25519 --> b
    // a <-- N(INVALID_KE_PAYLOAD, ecp256) --- b
    // a --- IKE_SA_INIT, KEi ecp256, the same SAi1 and Ni --> b
    await world.time.pass(0);
    agree(world, ike);
    expect(opened(ike).keyExchanges).toEqual(['ecp256']);
    const [first, , second] = world.wire.map((carried) => payloadsOfClear(carried));
    if (first === undefined || second === undefined) throw new Error();
    expect([keMethod(first), keMethod(second)]).toEqual([X25519, P256]);
    const rest = (payloads: readonly Payload[]) => payloads.filter(({ kind }) => kind !== 'KE');
    expect(rest(second)).toEqual(rest(first));
    expect(world.b.counted()).toMatchObject({ init_invalid_ke: 1 });
  });

  it('together with a cookie: the cookie is shown in both further rounds', async () => {
    const world = new World(a, { ...b, wantsCookies: true });
    const ike = world.a.open();
    // --> KEi x25519; <-- COOKIE; --> COOKIE, x25519; <-- INVALID_KE; --> COOKIE, ecp256; <-- KEr
    await world.time.pass(0);
    agree(world, ike);
    expect(world.b.counted()).toMatchObject({ init_cookies_sent: 1, init_invalid_ke: 1 });
    expect(world.wire.map(({ from }) => from).join('')).toBe('abababab');
  });

  it('first the group, then the cookie', async () => {
    const world = new World(a, b);
    world.tamper = (carried, n) => {
      if (n === 0) world.b.wantsCookies = false;
      if (n === 1) world.b.wantsCookies = true;
      return [carried];
    };
    const ike = world.a.open();
    await world.time.pass(0);
    agree(world, ike);
    expect(opened(ike).keyExchanges).toEqual(['ecp256']);
    expect(world.b.counted()).toMatchObject({ init_cookies_sent: 1, init_invalid_ke: 1 });
  });

  it.each([
    ['that was not offered', MODP2048],
    ['that was sent already', X25519],
    ['that does not exist', 99],
  ])('%s is put aside, and the good response is taken', async (_name, group) => {
    const world = new World(a, a);
    world.tamper = (carried, n) => {
      const data = Uint8Array.of(0, group);
      const lie = forged(carried, [notifyOf(NOTIFY.INVALID_KE_PAYLOAD, data)]);
      return n === 0 ? [lie, carried] : [carried];
    };
    const ike = world.a.open();
    await world.time.pass(0);
    agree(world, ike);
    expect(opened(ike).keyExchanges).toEqual(['x25519']);
    expect(world.wire.map(({ from }) => from).join('')).toBe('abab');
  });
});

describe('a response in clear (RFC 7296 §2.21.1)', () => {
  const lies: readonly [string, readonly Payload[]][] = [
    ['NO_PROPOSAL_CHOSEN', [notifyOf(NOTIFY.NO_PROPOSAL_CHOSEN)]],
    ['AUTHENTICATION_FAILED', [notifyOf(NOTIFY.AUTHENTICATION_FAILED)]],
    ['REDIRECT', [notifyOf(NOTIFY.REDIRECT, Uint8Array.of(1, 4, 192, 0, 2, 9))]],
    ['INVALID_SYNTAX', []],
  ];

  it.each(lies)('%s does not end it while a good one may come', async (_code, payloads) => {
    const world = new World();
    world.tamper = (carried, n) => (n === 0 ? [forged(carried, payloads), carried] : [carried]);
    const ike = world.a.open();
    await world.time.pass(0);
    agree(world, ike);
  });

  it.each(lies)(
    '%s ends it when nothing better came in two retransmissions',
    async (code, payloads) => {
      const world = new World();
      world.tamper = (carried) => [forged(carried, payloads)];
      const ike = world.a.open();
      await world.time.pass(1499);
      expect(ike.outcome).toBeUndefined();
      expect(world.wire).toHaveLength(2);
      await world.time.pass(1);
      expect(failed(ike).code).toBe(code);
      expect(world.time.pending).toBe(0);
      const { redirect_refused: redirects = 0 } = world.a.counted();
      expect(redirects).toBe(code === 'REDIRECT' ? 2 : 0);
    },
  );

  it('nothing at all: TIMEOUT after all retransmissions', async () => {
    const world = new World();
    world.tamper = () => [];
    const ike = world.a.open();
    await world.time.pass(500 * (2 ** 6 - 1));
    expect(failed(ike)).toMatchObject({ code: 'TIMEOUT', by: 'us' });
    expect(world.wire).toHaveLength(6);
    expect(world.time.pending).toBe(0);
  });

  it('a responder without a common proposal says so, and keeps nothing', async () => {
    const world = new World({}, { policy: { proposals: [proposalOf([P256])] } });
    const ike = world.a.open();
    await world.time.pass(2000);
    expect(failed(ike)).toMatchObject({ code: 'NO_PROPOSAL_CHOSEN', by: 'peer' });
    expect(world.b.responded).toHaveLength(0);
    expect(world.b.counted()).toMatchObject({ init_no_proposal: 2 });
  });
});

describe('requests that cannot become an IKE SA', () => {
  const swap =
    (change: (payload: Payload) => readonly Payload[]) =>
    (payloads: readonly Payload[]): readonly Payload[] =>
      payloads.flatMap(change);

  it.each([
    [
      'a key of the wrong length',
      swap((each) => [each.kind === 'KE' ? { ...each, data: each.data.subarray(1) } : each]),
      { ke_refused: 1 },
      NOTIFY.INVALID_SYNTAX,
    ],
    [
      'X25519 of a point of small order (RFC 8031 §5)',
      swap((each) => [each.kind === 'KE' ? { ...each, data: new Uint8Array(32) } : each]),
      { ke_refused: 1 },
      NOTIFY.INVALID_SYNTAX,
    ],
    [
      'two nonces',
      swap((each) => (each.kind === 'Nonce' ? [each, each] : [each])),
      { rx_malformed: 1 },
      NOTIFY.INVALID_SYNTAX,
    ],
    [
      'no SA payload',
      swap((each) => (each.kind === 'SA' ? [] : [each])),
      { rx_malformed: 1 },
      NOTIFY.INVALID_SYNTAX,
    ],
    [
      'an unknown critical payload',
      swap((each) =>
        each.kind === 'SA'
          ? [each, { kind: 'unknown', type: 200, critical: true, data: new Uint8Array(2) }]
          : [each],
      ),
      { rx_malformed: 1 },
      NOTIFY.UNSUPPORTED_CRITICAL_PAYLOAD,
    ],
  ] as const)('%s', async (_name, change, counted, notify) => {
    const world = new World();
    world.tamper = (carried, n) => (n === 0 ? [rewritten(carried, change)] : [carried]);
    const ike = world.a.open();
    await world.time.pass(0);
    expect(world.b.counted()).toEqual(counted);
    const answer = world.wire[1];
    expect(answer === undefined ? [] : notifiesIn(answer)).toEqual([notify]);
    expect(ike.outcome).toBeUndefined();
    // Of a request on the way: the retransmission is as it was sent, and opens.
    await world.time.pass(500);
    agree(world, ike);
  });

  it.each([
    ['a', 0],
    ['b', 1],
  ] as const)('a nonce of %s of less than half the key of the PRF', async (_name, at) => {
    const strong = { ...proposalOf([X25519]), prfs: [PRFS.sha512] };
    const world = new World(
      { policy: { proposals: [strong] } },
      { policy: { proposals: [strong] } },
    );
    const short = swap((each) =>
      each.kind === 'Nonce' ? [{ ...each, data: each.data.subarray(0, 31) }] : [each],
    );
    world.tamper = (carried, n) => [n === at ? rewritten(carried, short) : carried];
    const ike = world.a.open();
    // Refused by b, or put aside by a; the retransmission has the whole one.
    await world.time.pass(0);
    expect(ike.outcome).toBeUndefined();
    expect(world.wire).toHaveLength(2);
    await world.time.pass(500);
    agree(world, ike);
  });
});

describe('NAT detection (RFC 7296 §2.23)', () => {
  /** Between them is a device that gives a another address, or another port. */
  const behindNat = (world: World, port: number): void => {
    world.tamper = ({ from, path, octets }) => {
      const { local, remote } = path;
      const mapped = (at: number) => (at === 4500 ? port + 1 : port);
      return from === 'a'
        ? [{ from, octets, path: { local: { ...local, port: mapped(local.port) }, remote } }]
        : [
            {
              ...{ from, octets },
              path: { local, remote: { ...remote, port: remote.port === port ? 500 : 4500 } },
            },
          ];
    };
  };

  it('without one they stay on port 500', async () => {
    const world = new World();
    const ike = world.a.open();
    await world.time.pass(0);
    expect(opened(ike).features).toMatchObject({ natLocal: false, natRemote: false });
    expect(new Set(world.wire.flatMap(({ path }) => [path.local.port, path.remote.port]))).toEqual(
      new Set([500]),
    );
  });

  it('with one they go to port 4500, and ESP into UDP', async () => {
    const policy = { nat: 'allow' } as const;
    const world = new World({ policy }, { policy });
    behindNat(world, 1024);
    const ike = world.a.open();
    // a:500 -> NAT:1024 -> b:500;  then a:4500 -> NAT:1025 -> b:4500
    await world.time.pass(0);
    agree(world, ike);
    const theirs = opened(world.b.responded[0]);
    expect(opened(ike).features).toMatchObject({ natLocal: true, natRemote: false });
    expect(theirs.features).toMatchObject({ natLocal: false, natRemote: true });
    expect(opened(ike).path).toMatchObject({ local: { port: 4500 }, remote: { port: 4500 } });
    expect(theirs.path).toMatchObject({ local: { port: 4500 }, remote: { port: 1025 } });
    const [there] = [...world.b.plane.inbound.values()];
    expect(there).toMatchObject({ udpEncapsulation: true, path: { remote: { port: 1025 } } });
  });

  it('is refused by the responder where the policy says so', async () => {
    const world = new World({ policy: { nat: 'allow' } });
    behindNat(world, 1024);
    const ike = world.a.open();
    await world.time.pass(2000);
    expect(failed(ike)).toMatchObject({ code: 'NO_PROPOSAL_CHOSEN', by: 'peer' });
    expect(world.b.counted()).toMatchObject({ nat_refused: 2 });
    expect(world.b.responded).toHaveLength(0);
  });

  it('is refused by the initiator where the policy says so', async () => {
    const world = new World({}, { policy: { nat: 'allow' } });
    behindNat(world, 1024);
    const ike = world.a.open();
    await world.time.pass(0);
    expect(failed(ike)).toMatchObject({ code: 'POLICY', by: 'us' });
    expect(world.a.counted()).toEqual({ nat_refused: 1 });
    await world.time.pass(30_000);
    expect(failed(world.b.responded[0])).toMatchObject({ code: 'TIMEOUT', by: 'peer' });
    expect(world.b.counted()).toMatchObject({ half_open_expired: 1 });
    expect(world.time.pending).toBe(0);
  });

  it('a peer that cannot traverse NATs says nothing, and none is found', async () => {
    const world = new World();
    const silent = (payloads: readonly Payload[]): readonly Payload[] =>
      payloads.filter(
        (each) => each.kind !== 'N' || (each.notify !== 16388 && each.notify !== 16389),
      );
    world.tamper = (carried, n) => [n === 1 ? rewritten(carried, silent) : carried];
    const ike = world.a.open();
    await world.time.pass(0);
    // The response was changed on the way, which AUTH finds out; but it was not taken for a NAT.
    expect(world.a.counted()).not.toHaveProperty('nat_refused');
    expect(ike.outcome?.ok).not.toBe(true);
  });
});
