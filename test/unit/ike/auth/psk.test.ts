// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from 'vitest';
import type { Payload } from '../../../../src/ike/codec/payload.js';
import { AuthSetupError, type SpTrust } from '../../../../src/ike/auth/setup.js';
import {
  address,
  authenticate,
  authInput,
  peer,
  prefix,
  trust,
  World,
  type Peer,
} from './peers.js';

const [A, B, C] = [address('192.0.2.1'), address('192.0.2.2'), address('198.51.100.7')];

const keyed = (key: string, prefixText = '192.0.2.0/24', more: Partial<SpTrust> = {}): Peer =>
  peer({
    sps: [
      trust('sp-a', ['192.0.2.0/24', '2001:db8::/64'], {
        psks: [{ name: 'shared', prefix: prefix(prefixText), key: Buffer.from(key) }],
        ...more,
      }),
      trust('sp-b', ['198.51.100.0/24']),
    ],
    credentials: [],
  });

const auth = (payloads: readonly Payload[], data: Uint8Array): readonly Payload[] =>
  payloads.map((each) => (each.kind === 'AUTH' ? { ...each, data } : each));

describe('preshared keys', () => {
  // A -- IDi(A) AUTH(psk) --> B: identity A of sp-a;  B -- IDr(B) AUTH(psk) --> A
  test('both ends prove themselves as their addresses', async () => {
    const [a, b] = [keyed('same key'), keyed('same key')];
    for (const role of ['initiator', 'responder'] as const) {
      const input = authInput(role);
      expect(await authenticate(a, b, { local: A, remote: B }, { input })).toEqual({
        ok: true,
        value: {
          ...{ address: A, sp: 'sp-a', method: 'psk', subject: '', anchor: 'shared' },
          validUntil: undefined,
        },
      });
    }
    expect(b.world.counted).toEqual({});
  });

  test('works for IPv6, and for an IPv4-mapped outer address', async () => {
    const [a, b] = [keyed('k', '2001:db8::/64'), keyed('k', '2001:db8::/64')];
    const there = { local: address('2001:db8::1'), remote: address('2001:db8::2') };
    expect((await authenticate(a, b, there)).ok).toBe(true);
    const mapped = { local: address('::ffff:192.0.2.1'), remote: address('::ffff:192.0.2.2') };
    const outcome = await authenticate(keyed('k'), keyed('k'), mapped);
    expect(outcome.ok && outcome.value.address).toEqual(A);
  });

  test.each([
    ['another key', keyed('other'), {}, 'auth_failed'],
    ['another message', keyed('key'), { message: Buffer.from('forged') }, 'auth_failed'],
    ['another nonce', keyed('key'), { peerNonce: Buffer.alloc(32, 9) }, 'auth_failed'],
    ['another SK_p', keyed('key'), { skP: Buffer.alloc(32, 9) }, 'auth_failed'],
    ['another IKE_INTERMEDIATE', keyed('key'), { intAuth: Buffer.alloc(64, 9) }, 'auth_failed'],
  ] as const)('%s is refused', async (_, from, change, counter) => {
    const to = keyed('key');
    const addresses = { local: A, remote: B };
    const hints = { certificateRequests: [], hashes: [], methods: undefined };
    const input = authInput('initiator', change);
    const proof = await from.authenticator.prove(addresses, input, hints);
    if (!proof.ok) throw new Error('no proof');
    const there = { local: B, remote: A };
    const outcome = await to.authenticator.verify(there, authInput('initiator'), proof.value);
    expect(outcome).toMatchObject({ ok: false, failure: { code: 'AUTHENTICATION_FAILED' } });
    expect(to.world.counted).toEqual({ [counter]: 1 });
    expect(to.world.lines).toHaveLength(1);
    expect(to.world.lines[0]).toMatch(/peer refused: the preshared keys differ peer=192.0.2.1/);
  });

  test('AUTH that is shorter, or empty, is refused', async () => {
    const to = keyed('key');
    for (const data of [Buffer.alloc(0), Buffer.alloc(31)]) {
      const tamper = (payloads: readonly Payload[]): readonly Payload[] => auth(payloads, data);
      const outcome = await authenticate(keyed('key'), to, { local: A, remote: B }, { tamper });
      expect(outcome.ok).toBe(false);
    }
    expect(to.world.counted).toEqual({ auth_failed: 2 });
  });

  // A proves itself as A, but its packets come from 192.0.2.3
  test('an identity that is not the outer address is refused, with the right key', async () => {
    const [a, b] = [keyed('key'), keyed('key')];
    const proof = await a.authenticator.prove({ local: A, remote: B }, authInput('initiator'), {
      certificateRequests: [],
      hashes: [],
      methods: undefined,
    });
    if (!proof.ok) throw new Error('no proof');
    const elsewhere = { local: B, remote: address('192.0.2.3') };
    const outcome = await b.authenticator.verify(elsewhere, authInput('initiator'), proof.value);
    expect(outcome.ok).toBe(false);
    expect(b.world.counted).toEqual({ auth_identity_refused: 1 });
  });

  test.each([
    [
      'no ID',
      (p: readonly Payload[]) => p.filter(({ kind }) => kind !== 'IDi'),
      'auth_identity_refused',
    ],
    ['no AUTH', (p: readonly Payload[]) => p.filter(({ kind }) => kind !== 'AUTH'), 'auth_failed'],
    ['two AUTHs', (p: readonly Payload[]) => [...p, ...p.slice(1)], 'auth_failed'],
    [
      'an FQDN',
      (p: readonly Payload[]) =>
        p.map((each) => (each.kind === 'IDi' ? { ...each, idType: 2 } : each)),
      'auth_identity_refused',
    ],
  ] as const)('%s is refused', async (_, tamper, counter) => {
    const to = keyed('key');
    const outcome = await authenticate(keyed('key'), to, { local: A, remote: B }, { tamper });
    expect(outcome.ok).toBe(false);
    expect(to.world.counted).toEqual({ [counter]: 1 });
  });

  test('a key for other addresses, or of a method that is not allowed, does not do', async () => {
    const narrow = keyed('key', '192.0.2.128/25');
    const there = { local: A, remote: B };
    expect(
      (await authenticate(keyed('key'), narrow, there, { hints: { methods: undefined } })).ok,
    ).toBe(false);
    expect(narrow.world.counted).toEqual({ auth_no_psk: 1 });
    const strict = keyed('key', '192.0.2.0/24', { methods: ['ecdsa'] });
    expect(
      (await authenticate(keyed('key'), strict, there, { hints: { methods: undefined } })).ok,
    ).toBe(false);
    expect(strict.world.counted).toEqual({ auth_method_refused: 1 });
    // What the strict one announces (RFC 9593) has no preshared keys: the other does not even try.
    const outcome = await authenticate(keyed('key'), strict, there);
    expect(outcome).toMatchObject({ ok: false, failure: { code: 'POLICY', by: 'us' } });
  });

  test('addresses of no SP are not admitted, nor believed', async () => {
    const b = keyed('key');
    expect(b.authenticator.admits({ local: B, remote: A })).toEqual({
      ok: true,
      value: { sp: 'sp-a' },
    });
    expect(b.authenticator.admits({ local: B, remote: C })).toEqual({
      ok: true,
      value: { sp: 'sp-b' },
    });
    const nobody = { local: B, remote: address('203.0.113.1') };
    expect(b.authenticator.admits(nobody)).toMatchObject({
      ok: false,
      failure: { code: 'POLICY' },
    });
    const outcome = await b.authenticator.verify(nobody, authInput('initiator'), [
      { kind: 'IDi', idType: 1, reserved: 0, data: nobody.remote },
      { kind: 'AUTH', method: 2, data: Buffer.alloc(32) },
    ]);
    expect(outcome.ok).toBe(false);
    expect(b.world.counted).toEqual({ auth_wrong_sp: 1 });
  });

  test('the key of the longest prefix is used', async () => {
    const psks = [
      { name: 'all', prefix: prefix('192.0.2.0/24'), key: Buffer.from('wide') },
      { name: 'one', prefix: prefix('192.0.2.1'), key: Buffer.from('host') },
    ];
    const b = keyed('', '192.0.2.0/24', { psks });
    const outcome = await authenticate(keyed('host'), b, { local: A, remote: B });
    expect(outcome).toMatchObject({ ok: true, value: { anchor: 'one' } });
    expect((await authenticate(keyed('wide'), b, { local: A, remote: B })).ok).toBe(false);
  });

  test('lines about one peer are limited, and what was left out is said', async () => {
    const to = keyed('key');
    for (let i = 0; i < 20; i++) await authenticate(keyed('no'), to, { local: A, remote: B });
    expect(to.world.lines).toHaveLength(5);
    expect(to.world.counted).toEqual({ auth_failed: 20 });
    await authenticate(keyed('no'), to, { local: address('192.0.2.9'), remote: B });
    expect(to.world.lines).toHaveLength(6);
    to.world.nowMs += 60_001;
    await authenticate(keyed('no'), to, { local: A, remote: B });
    expect(to.world.lines.slice(6).join()).toMatch(/left out peer=192.0.2.1 lines=15.*refused/);
  });

  test('nothing that is logged has the key in it', async () => {
    const to = keyed('correct horse');
    await authenticate(keyed('wrong horse'), to, { local: A, remote: B });
    expect(to.world.lines.join()).not.toMatch(/horse/);
  });

  test('close wipes the keys, reload those that are gone', () => {
    const [kept, gone] = [Buffer.from('kept'), Buffer.from('gone')];
    const psk = (key: Buffer, at: string) => ({ name: at, prefix: prefix(at), key });
    const both = trust('sp-a', ['192.0.2.0/24'], {
      psks: [psk(kept, '192.0.2.1'), psk(gone, '192.0.2.2')],
    });
    const { authenticator } = peer({ sps: [both], credentials: [] }, new World());
    authenticator.reload({ sps: [{ ...both, psks: [psk(kept, '192.0.2.1')] }], credentials: [] });
    expect([kept.toString(), gone.every((octet) => octet === 0)]).toEqual(['kept', true]);
    authenticator.close();
    expect(kept.every((octet) => octet === 0)).toBe(true);
    expect(authenticator.admits({ local: B, remote: A }).ok).toBe(false);
  });
});

describe('setups that contradict themselves (policy-model 14)', () => {
  const shared = (at: string) => [{ name: 'k', prefix: prefix(at), key: Buffer.from('k') }];
  test.each([
    ['the same range', [trust('a', ['192.0.2.0/24']), trust('b', ['192.0.2.0/24'])]],
    ['a range in another', [trust('a', ['192.0.2.0/24']), trust('b', ['192.0.2.128/25'])]],
    ['a range around another', [trust('a', ['192.0.2.128/25']), trust('b', ['192.0.0.0/16'])]],
    ['one around two', [trust('a', ['10.0.0.0/8', '10.1.0.0/16']), trust('b', ['10.1.1.1'])]],
    ['an SP twice', [trust('a', ['192.0.2.0/24']), trust('a', ['198.51.100.0/24'])]],
    ['a key outside', [trust('a', ['192.0.2.0/25'], { psks: shared('192.0.2.0/24') })]],
    [
      "a key in another's",
      [
        trust('a', ['192.0.2.0/24'], { psks: shared('198.51.100.1') }),
        trust('b', ['198.51.100.0/24']),
      ],
    ],
    [
      'two keys',
      [trust('a', ['192.0.2.0/24'], { psks: [...shared('192.0.2.1'), ...shared('192.0.2.1')] })],
    ],
  ])('%s', (_, sps) => {
    expect(() => peer({ sps, credentials: [] })).toThrow(AuthSetupError);
  });

  test('one SP may have ranges in ranges', () => {
    const nested = trust('a', ['192.0.0.0/16', '192.0.2.0/24'], { psks: shared('192.0.2.1') });
    expect(() => peer({ sps: [nested], credentials: [] })).not.toThrow();
  });
});
