// SPDX-License-Identifier: Apache-2.0
/** Addresses, identities and SPs are one thing (policy-model 14 and 15); and how long a judgement holds. */
import { describe, expect, test } from 'vitest';
import { issue, type Issued } from '../../../lib/pki.js';
import { AB, anchor, B, credential, judge, present, prover, subjectOf } from './certified.js';
import { address, authenticate, peer, trust, World } from './peers.js';
import { IP, Yard } from './yard.js';

const yard = new Yard();

describe('addresses and SPs (policy-model 14, 15)', () => {
  test("another SP's CA: certifies an address of ours", async () => {
    const to = judge([yard.root], {}, [yard.foreign]);
    expect((await yard.tryIt({ leaf: yard.leaf({}, yard.foreign) }, to)).ok).toBe(false);
    expect(to.world.counted).toEqual({ auth_wrong_sp: 1 });
    expect(to.world.lines[0]).toMatch(/certified by SP sp-b, but the address is one of SP sp-a/);
    expect(to.world.lines[0]).toMatch(/anchor=foreign/);
  });

  test('the CA of another SP: an SP without anchors of its own has no certificates', async () => {
    const sps = [
      trust('sp-a', ['192.0.2.0/24']),
      trust('sp-b', ['198.51.100.0/24'], { anchors: [anchor(yard.foreign)] }),
      trust('sp-c', ['203.0.113.0/24'], { anchors: [anchor(yard.root)] }),
    ];
    for (const issuer of [yard.foreign, yard.root]) {
      const to = peer({ sps, credentials: [] });
      const hints = { certificateRequests: [], hashes: [2], methods: undefined };
      const from = prover(credential(yard.leaf({}, issuer)));
      expect((await authenticate(from, to, AB, { hints })).ok).toBe(false);
      expect(to.world.counted).toEqual({ auth_wrong_sp: 1 });
    }
  });

  test("another SP's CA is no anchor even for what else is wrong", async () => {
    const to = judge([yard.root], {}, [yard.foreign]);
    expect(
      (await yard.tryIt({ leaf: yard.leaf({ eku: 'serverAuth' }, yard.foreign) }, to)).ok,
    ).toBe(false);
    expect(to.world.counted).toEqual({ cert_wrong_usage: 1 });
  });

  test.each([
    ['no address', [], 'cert_no_address'],
    ['another address', ['192.0.2.9'], 'cert_no_address'],
    ['an address out of the ranges besides', ['192.0.2.1', '203.0.113.1'], 'auth_wrong_sp'],
    ["another SP's address besides", ['192.0.2.1', '198.51.100.9'], 'auth_wrong_sp'],
    ['only one out of the ranges', ['203.0.113.1'], 'cert_no_address'],
  ])('a certificate that names %s', async (_, ip, counter) => {
    const to = judge([yard.root]);
    expect((await yard.tryIt({ leaf: yard.leaf({ ip }) }, to)).ok).toBe(false);
    expect(to.world.counted).toEqual({ [counter]: 1 });
  });

  test('an address in no range at all, with a certificate for it', async () => {
    const outside = address('203.0.113.1');
    const leaf = yard.leaf({ ip: ['203.0.113.1'] });
    const from = peer({ sps: [trust('sp-a', ['192.0.2.0/24'])], credentials: [credential(leaf)] });
    const to = judge([yard.root]);
    const hints = { hashes: [2], methods: undefined };
    const outcome = await authenticate(from, to, { local: outside, remote: B }, { hints });
    expect(outcome.ok).toBe(false);
    expect(to.world.counted).toEqual({ auth_wrong_sp: 1 });
  });

  test('several addresses of the ranges, IPv6 too: each may be used', async () => {
    const leaf = yard.leaf({ ip: ['192.0.2.1', '192.0.2.5', '2001:db8:a::1'] });
    for (const text of ['192.0.2.1', '192.0.2.5', '2001:db8:a::1', '::ffff:192.0.2.5']) {
      const addresses = { local: address(text), remote: B };
      expect((await authenticate(prover(credential(leaf)), judge([yard.root]), addresses)).ok).toBe(
        true,
      );
    }
  });

  const named = {
    name: 'named',
    subject: '/C=DE/O=Sealane test/CN=pe1',
    ip: IP,
    dns: ['pe1.example.net'],
  };
  const dn = Buffer.from('3034310b300906035504061302444531', 'hex');
  test.each([
    ['the subject as DN', 9, 'subject', true],
    ['another DN', 9, 'other', false],
    ['an empty DN', 9, Buffer.alloc(0), false],
    ['no DN at all', 9, dn, false],
    ['a DNS name of the certificate', 2, Buffer.from('PE1.example.net'), true],
    ['another DNS name', 2, Buffer.from('pe2.example.net'), false],
    ['a mail address', 3, Buffer.from('pe1.example.net'), false],
    ['a key id', 11, Buffer.from('pe1.example.net'), false],
    ['no identity (ID_NULL)', 13, Buffer.alloc(0), false],
  ] as const)('an identity that is %s', async (_, idType, what, isTaken) => {
    const leaf = namedLeaf();
    const to = judge([yard.root]);
    const data =
      typeof what !== 'string' ? what : what === 'subject' ? subjectOf(leaf) : subjectOf(yard.root);
    const outcome = await present({ leaf }, to, { idType, data });
    expect(outcome.ok).toBe(isTaken);
    expect(to.world.counted).toEqual(isTaken ? {} : { auth_identity_refused: 1 });
  });

  let leafWithNames: Issued | undefined;
  const namedLeaf = (): Issued => (leafWithNames ??= issue(yard.root, named));
});

test('validUntil is when the first certificate of the path expires', async () => {
  const ca = yard.caUnder(yard.root, { days: 2 });
  const leaf = yard.leaf({ days: 20 }, ca);
  const outcome = await authenticate(prover(credential(leaf, [ca])), judge([yard.root]), AB);
  const days = outcome.ok ? ((outcome.value.validUntil ?? 0) - Date.now() / 1000) / 86_400 : 0;
  expect(days).toBeGreaterThan(1.9);
  expect(days).toBeLessThan(2);
});

test('what was validated is not believed longer than it is valid', async () => {
  const world = new World();
  const to = judge([yard.root], {}, [], world);
  const from = prover(credential(yard.leaf({ days: 2 })));
  expect((await authenticate(from, to, AB)).ok).toBe(true);
  world.wall += 3 * 86_400;
  expect((await authenticate(from, to, AB)).ok).toBe(false);
  expect(world.counted).toEqual({ cert_expired: 1 });
});

test('with another setup nothing that was validated before is believed', async () => {
  const to = judge([yard.root]);
  const from = prover(credential(yard.leaf({})));
  expect((await authenticate(from, to, AB)).ok).toBe(true);
  to.authenticator.reload({
    sps: [trust('sp-a', ['192.0.2.0/24'], { anchors: [anchor(yard.foreign)] })],
    credentials: [],
  });
  const hints = { certificateRequests: [] };
  expect((await authenticate(from, to, AB, { hints })).ok).toBe(false);
  expect(to.world.counted).toEqual({ cert_untrusted: 1 });
});
