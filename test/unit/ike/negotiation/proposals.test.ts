// SPDX-License-Identifier: Apache-2.0
/** Offer, choice, answer and conclusion, for any two policies: both ends agree, or both know that they do not. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Proposal } from '../../../../src/ike/codec/payloads/security-association.js';
import type { Transform } from '../../../../src/ike/codec/payloads/transform.js';
import { securityAssociation } from '../../../../src/ike/codec/payloads/security-association.js';
import { isFault } from '../../../../src/ike/codec/fault.js';
import { CIPHERS, INTEGRITY, PRFS } from '../../../../src/ike/crypto/algorithms.js';
import { ESP_CIPHERS } from '../../../../src/ike/negotiation/esp-ciphers.js';
import {
  answerEsp,
  chooseEsp,
  concludeEsp,
  offerEsp,
} from '../../../../src/ike/negotiation/esp-proposals.js';
import {
  answerIke,
  chooseIke,
  concludeIke,
  offerIke,
} from '../../../../src/ike/negotiation/ike-proposals.js';
import { chooseKe } from '../../../../src/ike/negotiation/transforms.js';
import {
  type EspProposal,
  type IkeProposal,
  KE_NONE,
} from '../../../../src/ike/negotiation/types.js';
import { ByteWriter } from '../../../../src/lib/octets.js';
import { espPolicies, ikePolicies } from './arbitrary.js';

type Sa = ReturnType<typeof offerIke>;

/** Over the wire: what the codec makes of it. */
function carried(sa: Sa): Sa {
  const writer = new ByteWriter();
  securityAssociation.encode(sa, writer);
  const read = securityAssociation.decode(writer.bytes, 0, writer.length, 0);
  if (isFault(read)) throw new Error(read.reason);
  return read;
}

const { sha256, sha384 } = PRFS;
const gcm128 = CIPHERS['aes-128-gcm'];
const gcm256 = CIPHERS['aes-256-gcm'];
const base: IkeProposal = {
  ciphers: [gcm256, gcm128],
  prfs: [sha384, sha256],
  integrity: [],
  ke: [31, 19],
  additional: [],
};
const hybrid: IkeProposal = { ...base, additional: [[36]] };
const optional: IkeProposal = { ...base, additional: [[36, KE_NONE]] };
const cbc: IkeProposal = {
  ...base,
  ciphers: [CIPHERS['aes-256-cbc']],
  integrity: [INTEGRITY.sha256],
};

const t = (type: number, id: number, keyLength?: number): Transform => ({
  type,
  id,
  attributes: [],
  ...(keyLength === undefined ? {} : { keyLength }),
});
/** An offer or answer of one IKE proposal. */
const one = (transforms: readonly Transform[], more: Partial<Proposal> = {}): Sa => ({
  proposals: [{ number: 1, protocol: 1, spi: new Uint8Array(0), transforms, ...more }],
});
const plain = [t(1, 20, 128), t(2, 5), t(4, 31)];

describe('an IKE SA', () => {
  it('is agreed between any two policies, or refused by the responder', () => {
    let agreements = 0;
    fc.assert(
      fc.property(ikePolicies, ikePolicies, fc.boolean(), (theirs, ours, isRekey) => {
        const offered = carried(offerIke(theirs, isRekey ? 0xdead_beef_0000_0001n : undefined));
        const choice = chooseIke(offered, ours, isRekey);
        if (!choice.ok) {
          expect(choice.failure.code).toBe('NO_PROPOSAL_CHOSEN');
          expect(isAgreementPossible(theirs, ours)).toBe(false);
          return;
        }
        agreements++;
        expect(choice.value.peerSpi).toBe(isRekey ? 0xdead_beef_0000_0001n : undefined);
        const answer = carried(answerIke(choice.value, isRekey ? 7n : undefined));
        const end = concludeIke(answer, theirs, isRekey);
        expect(end).toStrictEqual({
          ok: true,
          value: { chosen: choice.value.chosen, peerSpi: isRekey ? 7n : undefined },
        });
        // Exactly one of each type that was offered (RFC 7296 §3.3.6).
        const types = (sa: Sa, at: number): number[] => [
          ...new Set(sa.proposals[at]?.transforms.map(({ type }) => type)),
        ];
        const answered = answer.proposals[0]?.transforms.map(({ type }) => type) ?? [];
        expect(answered).toStrictEqual([...new Set(answered)]);
        expect(answered.sort()).toStrictEqual(types(offered, choice.value.number - 1).sort());
      }),
      { numRuns: 1000 },
    );
    expect(agreements).toBeGreaterThan(100);
  });

  /** By trying every combination, in no order. */
  function isAgreementPossible(a: readonly IkeProposal[], b: readonly IkeProposal[]): boolean {
    return a.some((x) =>
      b.some((y) => {
        const common = <T>(mine: readonly T[], other: readonly T[]): boolean =>
          mine.some((item) => other.includes(item));
        const places = Array.from({ length: 8 }, (_, place) => {
          const of = (p: IkeProposal): readonly number[] =>
            place === 0 ? p.ke : (p.additional[place - 1] ?? [KE_NONE]);
          return of(x).filter((method) => of(y).includes(method));
        });
        let ways: readonly (readonly number[])[] = [[]];
        for (const place of places) {
          ways = ways.flatMap((way) =>
            place.filter((m) => m === KE_NONE || !way.includes(m)).map((m) => [...way, m]),
          );
        }
        return (
          common(x.ciphers, y.ciphers) &&
          common(x.prfs, y.prfs) &&
          (x.integrity.length === 0 || common(x.integrity, y.integrity)) &&
          ways.length > 0
        );
      }),
    );
  }

  it("takes the responder's order, not the initiator's", () => {
    const theirs = { ...base, ciphers: [gcm128, gcm256], prfs: [sha256, sha384], ke: [19, 31] };
    const choice = chooseIke(offerIke([cbc, theirs as IkeProposal]), [base, cbc], false);
    expect(choice.ok && choice.value).toMatchObject({
      number: 2,
      chosen: { suite: { cipher: gcm256, prf: sha384 }, ke: 31 },
    });
  });

  it('has ML-KEM where both have it, and falls back by the second proposal or by NONE', () => {
    const chosen = (theirs: IkeProposal[], ours: IkeProposal[]): unknown => {
      const choice = chooseIke(offerIke(theirs), ours, false);
      return choice.ok
        ? [choice.value.number, choice.value.chosen.additional]
        : choice.failure.code;
    };
    const mlKem = [{ place: 1, method: 36 }];
    expect(chosen([hybrid, base], [hybrid, base])).toStrictEqual([1, mlKem]);
    expect(chosen([hybrid, base], [base])).toStrictEqual([2, []]);
    expect(chosen([optional], [base])).toStrictEqual([1, []]);
    expect(chosen([base], [optional])).toStrictEqual([1, []]);
    expect(chosen([hybrid], [base])).toBe('NO_PROPOSAL_CHOSEN');
    expect(chosen([base], [hybrid])).toBe('NO_PROPOSAL_CHOSEN');
  });

  it('answers NONE where NONE was offered, and takes an answer that leaves it out', () => {
    const choice = chooseIke(offerIke([optional]), [base], false);
    if (!choice.ok) throw new Error(choice.failure.reason);
    const answer = answerIke(choice.value);
    expect(answer.proposals[0]?.transforms).toContainEqual(t(6, KE_NONE));
    const silent = one((answer.proposals[0]?.transforms ?? []).filter(({ type }) => type !== 6));
    expect(concludeIke(answer, [optional], false)).toMatchObject({ ok: true });
    expect(concludeIke(silent, [optional], false)).toMatchObject({ ok: true });
    expect(concludeIke(silent, [hybrid], false)).toMatchObject({ ok: false });
  });

  it('uses no method at two places (RFC 9370 §2.2.1)', () => {
    const twice: IkeProposal = { ...base, ke: [31, 19], additional: [[31], [19, 14]] };
    const choice = chooseIke(offerIke([twice]), [twice], false);
    expect(choice.ok && choice.value.chosen).toMatchObject({
      ke: 19,
      additional: [
        { place: 1, method: 31 },
        { place: 2, method: 14 },
      ],
    });
    const answer = one([t(1, 20, 256), t(2, 6), t(4, 31), t(6, 31), t(7, 19)]);
    expect(concludeIke(answer, [twice], false)).toMatchObject({
      failure: { reason: 'a key exchange method twice' },
    });
  });

  it.each<[string, Sa]>([
    ['an unknown transform type', one([...plain, t(200, 1)])],
    ['ESN', one([...plain, t(5, 0)])],
    ['an unknown cipher', one([t(1, 3), t(2, 5), t(4, 31)])],
    ['a key length nobody has', one([t(1, 20, 192), t(2, 5), t(4, 31)])],
    ['no key length', one([t(1, 20), t(2, 5), t(4, 31)])],
    ['a key length for a PRF', one([t(1, 20, 128), t(2, 5, 256), t(4, 31)])],
    ['no PRF', one([t(1, 20, 128), t(4, 31)])],
    ['no key exchange', one([t(1, 20, 128), t(2, 5)])],
    ['key exchange NONE', one([t(1, 20, 128), t(2, 5), t(4, 0)])],
    ['integrity beside an AEAD', one([...plain, t(3, 12)])],
    ['an SPI in IKE_SA_INIT', one(plain, { spi: new Uint8Array(8).fill(1) })],
    ['protocol ESP', one(plain, { protocol: 3, spi: new Uint8Array(4).fill(1) })],
    [
      'an unknown attribute',
      one([{ ...t(1, 20, 128), attributes: [{ type: 99, value: 1 }] }, t(2, 5), t(4, 31)]),
    ],
    ['nothing', one([])],
  ])('is not made of %s', (_, offered) => {
    expect(chooseIke(offered, [base, cbc, hybrid], false)).toMatchObject({
      ok: false,
      failure: { code: 'NO_PROPOSAL_CHOSEN', by: 'us' },
    });
  });

  it('is made of the rest when one transform has an unknown attribute', () => {
    const strange = { ...t(1, 20, 256), attributes: [{ type: 99, value: 1 }] };
    const choice = chooseIke(one([strange, ...plain, t(3, 0)]), [base], false);
    expect(choice.ok && choice.value.chosen.suite.cipher).toBe(gcm128);
    expect(choice.ok && choice.value.none).toStrictEqual([3]);
  });

  it('needs an SPI that is not 0 in a rekey', () => {
    expect(chooseIke(one(plain), [base], true).ok).toBe(false);
    expect(chooseIke(one(plain, { spi: new Uint8Array(8) }), [base], true).ok).toBe(false);
    const spi = new Uint8Array(8).fill(1);
    expect(chooseIke(one(plain, { spi }), [base], true)).toMatchObject({
      value: { peerSpi: 0x0101_0101_0101_0101n },
    });
  });

  it.each<[string, Sa]>([
    ['an algorithm that was not offered', one([t(1, 20, 256), t(2, 5), t(4, 14)])],
    ['another key length', one([t(1, 20, 192), t(2, 5), t(4, 31)])],
    ['a weaker PRF', one([t(1, 20, 256), t(2, 2), t(4, 31)])],
    ['a type that was not offered', one([...plain, t(6, 36)])],
    ['two of a type', one([...plain, t(4, 19)])],
    ['a type missing', one([t(1, 20, 256), t(4, 31)])],
    [
      'an attribute added',
      one([...plain.slice(1), { ...t(1, 20, 128), attributes: [{ type: 9, value: 1 }] }]),
    ],
    ['integrity beside an AEAD', one([...plain, t(3, 12)])],
    ['the number of another proposal', one(plain, { number: 2 })],
    ['a number that was not offered', one(plain, { number: 3 })],
    ['number 0', one(plain, { number: 0 })],
    ['two proposals', { proposals: [...one(plain).proposals, ...one(plain).proposals] }],
    ['an SPI in IKE_SA_INIT', one(plain, { spi: new Uint8Array(8).fill(1) })],
    ['another protocol', one(plain, { protocol: 3 })],
  ])('is not concluded from an answer with %s', (_, answer) => {
    expect(concludeIke(one(plain), [base, cbc], false).ok).toBe(true);
    expect(concludeIke(answer, [base, cbc], false)).toMatchObject({
      ok: false,
      failure: { code: 'NO_PROPOSAL_CHOSEN', by: 'us' },
    });
  });

  it('is never offered unsoundly', () => {
    expect(() => offerIke([{ ...base, ciphers: [gcm256, CIPHERS['aes-256-cbc']] }])).toThrow();
    expect(() => offerIke([{ ...base, integrity: [INTEGRITY.sha256] }])).toThrow();
    expect(() => offerIke([{ ...cbc, integrity: [] }])).toThrow();
    expect(() => offerIke([{ ...base, ke: [] }])).toThrow();
    expect(() => offerIke([{ ...base, additional: [[]] }])).toThrow();
  });

  it('costs bounded work, however much is offered', () => {
    // Seven methods for eight places: no way out, and 8! ways to look for one.
    const all = [14, 15, 16, 19, 20, 21, 31] as const;
    const many: IkeProposal = { ...base, ke: all, additional: all.map(() => all) };
    let looks = 0;
    class Watched extends Set<number> {
      override has(method: number): boolean {
        looks++;
        return super.has(method);
      }
    }
    const places = Array.from({ length: 8 }, () => all);
    expect(
      chooseKe(
        places,
        places.map((methods) => new Watched(methods)),
      ),
    ).toBeUndefined();
    expect(looks).toBeLessThan(8 * 2 ** all.length * all.length);
    // And as many transforms as a datagram can hold beside them.
    const noise = Array.from({ length: 5000 }, (_, i) => t([1, 2, 4][i % 3] ?? 1, 1000 + i));
    const own = offerIke([many]).proposals[0]?.transforms ?? [];
    expect(chooseIke(one([...noise, ...own]), [many, base], false)).toMatchObject({
      failure: { code: 'NO_PROPOSAL_CHOSEN' },
    });
    const some = offerIke([base]).proposals[0]?.transforms ?? [];
    expect(chooseIke(one([...noise, ...some]), [many, base], false).ok).toBe(true);
  });
});

const espBase: EspProposal = {
  ciphers: [ESP_CIPHERS['aes-256-gcm'], ESP_CIPHERS['aes-128-gcm']],
  integrity: [],
  esn: [false],
  ke: [31, KE_NONE],
  additional: [],
};
const gmac: EspProposal = { ...espBase, ciphers: [ESP_CIPHERS['aes-128-gmac']] };
const nullSha: EspProposal = {
  ...espBase,
  ciphers: [ESP_CIPHERS.null],
  integrity: [INTEGRITY.sha256],
};
const espSpi = Uint8Array.of(1, 2, 3, 4);
const esp = (transforms: readonly Transform[], more: Partial<Proposal> = {}): Sa =>
  one(transforms, { protocol: 3, spi: espSpi, ...more });
const plainEsp = [t(1, 20, 128), t(5, 0)];

describe('a child SA', () => {
  it('is agreed between any two policies, or refused by the responder', () => {
    let agreements = 0;
    fc.assert(
      fc.property(espPolicies, espPolicies, fc.boolean(), (theirs, ours, withKe) => {
        const offered = carried(offerEsp(theirs, 0x1234_5678, withKe));
        const choice = chooseEsp(offered, ours, withKe);
        if (!choice.ok) {
          expect(choice.failure.code).toBe('NO_PROPOSAL_CHOSEN');
          return;
        }
        agreements++;
        const { chosen } = choice.value;
        expect(chosen.spi).toBe(0x1234_5678);
        expect(new Set(theirs.flatMap(({ ciphers }) => ciphers))).toContain(chosen.suite.cipher);
        expect(new Set(ours.flatMap(({ ciphers }) => ciphers))).toContain(chosen.suite.cipher);
        if (!withKe) expect(chosen.ke).toBeUndefined();
        const answer = carried(answerEsp(choice.value, 0x8765_4321));
        const end = concludeEsp(answer, theirs, withKe);
        expect(end).toStrictEqual({ ok: true, value: { ...chosen, spi: 0x8765_4321 } });
      }),
      { numRuns: 1000 },
    );
    expect(agreements).toBeGreaterThan(100);
  });

  it('has no key exchange in IKE_AUTH, and has it in CREATE_CHILD_SA', () => {
    const hasKe = (sa: Sa): unknown => sa.proposals[0]?.transforms.some(({ type }) => type === 4);
    expect(hasKe(offerEsp([espBase], 4096, false))).toBe(false);
    expect(hasKe(offerEsp([espBase], 4096, true))).toBe(true);
    // RFC 7296 §1.2: anything but NONE is against the rules there.
    expect(chooseEsp(esp([...plainEsp, t(4, 31)]), [espBase], false).ok).toBe(false);
    const none = chooseEsp(esp([...plainEsp, t(4, 0)]), [espBase], false);
    expect(none.ok && none.value.none).toStrictEqual([4]);
  });

  it('takes PFS by preference, and only where it is optional does without', () => {
    const must: EspProposal = { ...espBase, ke: [31] };
    const without: EspProposal = { ...espBase, ke: [] };
    const ke = (theirs: EspProposal, ours: EspProposal): unknown => {
      const choice = chooseEsp(offerEsp([theirs], 4096, true), [ours], true);
      return choice.ok ? choice.value.chosen.ke : choice.failure.code;
    };
    expect(ke(espBase, espBase)).toBe(31);
    expect(ke(must, espBase)).toBe(31);
    expect(ke(without, espBase)).toBeUndefined();
    expect(ke(espBase, without)).toBeUndefined();
    expect(ke(without, must)).toBe('NO_PROPOSAL_CHOSEN');
    expect(ke(must, without)).toBe('NO_PROPOSAL_CHOSEN');
    // Additional exchanges need a first one.
    const additional: EspProposal = { ...espBase, additional: [[36]] };
    expect(ke({ ...without, ke: [KE_NONE], additional: [[36]] }, additional)).toBe(
      'NO_PROPOSAL_CHOSEN',
    );
  });

  it.each<[string, Sa]>([
    ['no ESN', esp([t(1, 20, 128)])],
    ['only ESN where we have none', esp([t(1, 20, 128), t(5, 1)])],
    ['a PRF', esp([...plainEsp, t(2, 5)])],
    ['integrity beside an AEAD', esp([...plainEsp, t(3, 12)])],
    ['AES-GCM with a short checksum', esp([t(1, 18, 128), t(5, 0)])],
    ['a reserved SPI', esp(plainEsp, { spi: Uint8Array.of(0, 0, 0, 255) })],
    ['AH', esp([t(3, 12), t(5, 0)], { protocol: 2 })],
    ['IKE', esp(plainEsp, { protocol: 1, spi: new Uint8Array(0) })],
  ])('is not made of %s', (_, offered) => {
    expect(chooseEsp(esp([...plainEsp, t(3, 0)]), [espBase], false).ok).toBe(true);
    expect(chooseEsp(offered, [espBase], false)).toMatchObject({
      failure: { code: 'NO_PROPOSAL_CHOSEN' },
    });
  });

  it('never encrypts by chance, nor does without encryption by chance (policy-model 16)', () => {
    expect(() => offerEsp([espBase, gmac], 4096, false)).toThrow();
    expect(() => offerEsp([espBase, nullSha], 4096, false)).toThrow();
    expect(offerEsp([gmac, nullSha], 4096, false).proposals).toHaveLength(2);
    const encrypts = offerEsp([espBase], 4096, false).proposals;
    const authenticates = offerEsp([gmac], 4096, false).proposals;
    const mixed = { proposals: [...encrypts, ...authenticates] };
    const inOne = esp([...plainEsp, t(1, 21, 128)]);
    const weak = esp([t(1, 11), t(1, 3), t(3, 12), t(5, 0)]);
    for (const offer of [mixed, inOne, weak]) {
      for (const ours of [espBase, gmac, nullSha]) {
        expect(chooseEsp(offer, [ours], false)).toMatchObject({
          failure: { code: 'NO_PROPOSAL_CHOSEN' },
        });
      }
    }
    expect(chooseEsp({ proposals: authenticates }, [espBase], false).ok).toBe(false);
    expect(chooseEsp({ proposals: encrypts }, [gmac, nullSha], false).ok).toBe(false);
  });

  it.each<[string, Sa]>([
    ['another cipher', esp([t(1, 28), t(5, 0)])],
    ['NULL', esp([t(1, 11), t(3, 12), t(5, 0)])],
    ['GMAC', esp([t(1, 21, 128), t(5, 0)])],
    ['ESN that was not offered', esp([t(1, 20, 128), t(5, 1)])],
    ['a method that was not offered', esp([...plainEsp, t(4, 19)])],
    ['a reserved SPI', esp(plainEsp, { spi: new Uint8Array(4) })],
    ['number 2', esp(plainEsp, { number: 2 })],
    ['two of a type', esp([...plainEsp, t(5, 1)])],
    ['two proposals', { proposals: [...esp(plainEsp).proposals, ...esp(plainEsp).proposals] }],
    ['no proposal', { proposals: [] }],
  ])('is not concluded from an answer with %s', (_, answer) => {
    expect(concludeEsp(esp(plainEsp), [espBase], true).ok).toBe(true);
    expect(concludeEsp(answer, [espBase], true)).toMatchObject({
      failure: { code: 'NO_PROPOSAL_CHOSEN', by: 'us' },
    });
  });
});
