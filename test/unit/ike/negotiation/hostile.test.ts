// SPDX-License-Identifier: Apache-2.0
/** Offers and answers of any transforms at all: nothing is chosen or concluded but what both sides named. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type {
  Proposal,
  SecurityAssociation,
} from '../../../../src/ike/codec/payloads/security-association.js';
import type { Transform } from '../../../../src/ike/codec/payloads/transform.js';
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
import type {
  ChosenEsp,
  ChosenIke,
  EspProposal,
  IkeProposal,
} from '../../../../src/ike/negotiation/types.js';
import { espPolicies, ikePolicies } from './arbitrary.js';

/** Often what somebody might choose, now and then anything. */
const types = fc.oneof(
  { weight: 9, arbitrary: fc.constantFrom(1, 2, 3, 4, 5, 6, 7) },
  { weight: 1, arbitrary: fc.nat({ max: 255 }) },
);
const ids = fc.oneof(
  { weight: 9, arbitrary: fc.constantFrom(0, 1, 5, 6, 11, 12, 14, 19, 20, 21, 28, 31, 36) },
  { weight: 1, arbitrary: fc.nat({ max: 65_535 }) },
);
const transforms: fc.Arbitrary<Transform> = fc
  .record({
    type: types,
    id: ids,
    bits: fc.constantFrom(undefined, undefined, 128, 256, 0, 192),
    isStrange: fc.integer({ min: 0, max: 9 }),
  })
  .map(({ type, id, bits, isStrange }) => ({
    ...{ type, id, attributes: isStrange === 0 ? [{ type: 99, value: 1 }] : [] },
    ...(bits === undefined || (type !== 1 && isStrange !== 1) ? {} : { keyLength: bits }),
  }));
interface Change {
  readonly how: 'add' | 'remove' | 'replace' | 'none';
  readonly proposal: number;
  readonly at: number;
  readonly transform: Transform;
}
const changes: fc.Arbitrary<readonly Change[]> = fc.array(
  fc.record({
    how: fc.constantFrom('add', 'remove', 'replace', 'none'),
    proposal: fc.nat({ max: 2 }),
    at: fc.nat({ max: 20 }),
    transform: transforms,
  }),
  { maxLength: 3 },
);

/** An offer or answer on its way through the hands of somebody else. */
function changed(sa: SecurityAssociation, list: readonly Change[]): SecurityAssociation {
  const proposals = sa.proposals.map((one) => ({ ...one, transforms: [...one.transforms] }));
  for (const { how, proposal, at, transform } of list) {
    const into = proposals[proposal % proposals.length]?.transforms ?? [];
    const place = at % (into.length + 1);
    if (how !== 'none') {
      into.splice(place, how === 'add' ? 0 : 1, ...(how === 'remove' ? [] : [transform]));
    }
  }
  return { proposals };
}

const says = ({ transforms: list }: Proposal, type: number, id: number, bits?: number): boolean =>
  list.some(
    (one) =>
      one.type === type && one.id === id && one.keyLength === bits && one.attributes.length === 0,
  );
const hasType = ({ transforms: list }: Proposal, type: number): boolean =>
  list.some((one) => one.type === type);

/** That everything chosen is in the proposal, and in one of ours. */
function isOfBoth(chosen: ChosenIke, proposal: Proposal, ours: readonly IkeProposal[]): boolean {
  const { suite, ke, additional } = chosen;
  const { cipher, prf } = suite;
  const integrity = 'integrity' in suite ? suite.integrity : undefined;
  const isOffered =
    says(proposal, 1, cipher.id, cipher.keyBits) &&
    says(proposal, 2, prf.id) &&
    (integrity === undefined
      ? !hasType(proposal, 3) || says(proposal, 3, 0)
      : says(proposal, 3, integrity.id)) &&
    says(proposal, 4, ke) &&
    [1, 2, 3, 4, 5, 6, 7].every((place) => {
      const method = additional.find((one) => one.place === place)?.method;
      if (method !== undefined) return says(proposal, 5 + place, method);
      return !hasType(proposal, 5 + place) || says(proposal, 5 + place, 0);
    });
  const isOurs = ours.some(
    (own) =>
      own.ciphers.includes(cipher) &&
      own.prfs.includes(prf) &&
      (integrity === undefined || own.integrity.includes(integrity)) &&
      own.ke.includes(ke) &&
      [1, 2, 3, 4, 5, 6, 7].every((place) => {
        const method = additional.find((one) => one.place === place)?.method ?? 0;
        return (own.additional[place - 1] ?? [0]).includes(method);
      }),
  );
  const methods = [ke, ...additional.map(({ method }) => method)];
  const known = proposal.transforms.every(
    ({ type }) => [1, 2, 3, 4].includes(type) || (type > 5 && type < 13),
  );
  return isOffered && isOurs && known && new Set(methods).size === methods.length;
}

describe('any transforms for an IKE SA', () => {
  it('are chosen from only by what both name', () => {
    let chosen = 0;
    fc.assert(
      fc.property(ikePolicies, changes, (ours, list) => {
        const offered = changed(offerIke(ours), list);
        const choice = chooseIke(offered, ours, false);
        if (!choice.ok) return;
        chosen++;
        const proposal = offered.proposals[choice.value.number - 1];
        expect(proposal !== undefined && isOfBoth(choice.value.chosen, proposal, ours)).toBe(true);
        expect([proposal?.protocol, proposal?.spi.length]).toStrictEqual([1, 0]);
      }),
      { numRuns: 3000 },
    );
    expect(chosen).toBeGreaterThan(500);
  });

  it('conclude nothing but what was offered', () => {
    let concluded = 0;
    fc.assert(
      fc.property(ikePolicies, changes, (offered, list) => {
        const honest = chooseIke(offerIke(offered), offered, false);
        if (!honest.ok) return;
        const answer = changed(answerIke(honest.value), list);
        const end = concludeIke(answer, offered, false);
        if (!end.ok) return;
        concluded++;
        const [proposal, ...more] = answer.proposals;
        const own = offered[(proposal?.number ?? 0) - 1];
        expect(more).toStrictEqual([]);
        expect(proposal && own && isOfBoth(end.value.chosen, proposal, [own])).toBe(true);
        const named = proposal?.transforms.map(({ type }) => type) ?? [];
        expect(new Set(named).size).toBe(named.length);
      }),
      { numRuns: 3000 },
    );
    expect(concluded).toBeGreaterThan(500);
  });
});

/** The same for a child SA; `proposal` is the offered one or the answer. */
function isOfBothEsp(chosen: ChosenEsp, proposal: Proposal, ours: readonly EspProposal[]): boolean {
  const { cipher, integrity, esn } = chosen.suite;
  const isOffered =
    says(proposal, 1, cipher.id, cipher.keyBits) &&
    says(proposal, 5, esn ? 1 : 0) &&
    (integrity === undefined
      ? !hasType(proposal, 3) || says(proposal, 3, 0)
      : says(proposal, 3, integrity.id)) &&
    (chosen.ke === undefined
      ? !hasType(proposal, 4) || says(proposal, 4, 0)
      : says(proposal, 4, chosen.ke));
  const isOurs = ours.some(
    (own) =>
      own.ciphers.includes(cipher) &&
      own.esn.includes(esn) &&
      (chosen.ke === undefined
        ? own.ke.length === 0 || own.ke.includes(0)
        : own.ke.includes(chosen.ke)),
  );
  return isOffered && isOurs && !hasType(proposal, 2);
}

describe('any transforms for a child SA', () => {
  const encryptsNothing = ({ transforms: list }: Proposal): boolean[] =>
    list.filter(({ type }) => type === 1).map(({ id }) => id === 11 || id === 21);

  it('are chosen from only by what both name, and never where an offer mixes protections', () => {
    let chosen = 0;
    fc.assert(
      fc.property(espPolicies, changes, (ours, list) => {
        const offered = changed(offerEsp(ours, 4096, true), list);
        const choice = chooseEsp(offered, ours, true);
        if (!choice.ok) return;
        chosen++;
        const proposal = offered.proposals[choice.value.number - 1];
        const ok = proposal !== undefined && isOfBothEsp(choice.value.chosen, proposal, ours);
        expect(ok).toBe(true);
        const esp = offered.proposals.filter(({ protocol }) => protocol === 3);
        expect(new Set(esp.flatMap(encryptsNothing)).size).toBe(1);
      }),
      { numRuns: 3000 },
    );
    expect(chosen).toBeGreaterThan(500);
  });

  it('conclude nothing but what was offered', () => {
    let concluded = 0;
    fc.assert(
      fc.property(espPolicies, changes, (offered, list) => {
        const honest = chooseEsp(offerEsp(offered, 4096, true), offered, true);
        if (!honest.ok) return;
        const answer = changed(answerEsp(honest.value, 8192), list);
        const end = concludeEsp(answer, offered, true);
        if (!end.ok) return;
        concluded++;
        const [proposal, ...more] = answer.proposals;
        const own = offered[(proposal?.number ?? 0) - 1];
        expect(more).toStrictEqual([]);
        expect(proposal && own && isOfBothEsp(end.value, proposal, [own])).toBe(true);
      }),
      { numRuns: 3000 },
    );
    expect(concluded).toBeGreaterThan(500);
  });
});
