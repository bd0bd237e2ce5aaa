// SPDX-License-Identifier: Apache-2.0
/**
 * Agreeing on the algorithms of a child SA: the SA payloads of IKE_AUTH, where there is no key exchange, and of
 * CREATE_CHILD_SA (RFC 7296 §2.7, §3.3; RFC 9370 §2.2.1). The responder's order decides, as in ike-proposals.ts.
 *
 * An offer, that is all ESP proposals of an SA payload, either encrypts or only authenticates (policy-model 16): what
 * mixes them is neither offered nor chosen from, so that the protection never depends on who answers.
 */
import type { Proposal, SecurityAssociation } from '../codec/payloads/security-association.js';
import type { Transform } from '../codec/payloads/transform.js';
import { u32 } from '../../lib/octets.js';
import { bad, good, type Outcome } from '../types.js';
import { encryptsNothing } from './esp-ciphers.js';
import {
  additionalOf,
  algorithm,
  type ByType,
  byType,
  chooseKe,
  chosenNone,
  concludedKe,
  hasOnly,
  INTEG_NONE,
  type Ke,
  keTransforms,
  KE_TYPES,
  MOST_ADDITIONAL,
  offeredKe,
  ownKe,
  PROTOCOL,
  single,
  transform,
  TYPE,
} from './transforms.js';
import { type ChosenEsp, type EspProposal, type EspSuite, KE_NONE } from './types.js';

/** A responder's choice. */
export interface EspChoice {
  readonly chosen: ChosenEsp;
  /** Of the proposal that it is from. */
  readonly number: number;
  /** Transform types offered as optional and not used: the answer says NONE for each. */
  readonly none: readonly number[];
}

const ALLOWED: ReadonlySet<number> = new Set([TYPE.encr, TYPE.integ, TYPE.esn, ...KE_TYPES]);
/** SPIs below are reserved (RFC 4303 §2.1). */
const LEAST_SPI = 256;

/** Throws for proposals that must not be offered: programmer errors, since policies are checked when they are made. */
function mustBeSound(proposal: EspProposal): void {
  const { ciphers, integrity, esn, ke, additional } = proposal;
  const aeads = ciphers.filter(({ kind }) => kind === 'aead').length;
  if (ciphers.length === 0 || esn.length === 0) throw new TypeError('no encryption, or no ESN');
  if (aeads > 0 && aeads < ciphers.length) throw new TypeError('AEAD and others in one proposal');
  if (aeads > 0 !== (integrity.length === 0)) throw new TypeError('integrity beside AEAD, or none');
  if (additional.length > MOST_ADDITIONAL || additional.some((place) => place.length === 0)) {
    throw new TypeError('additional key exchanges');
  }
  if (additional.length > 0 && ke.length === 0) throw new TypeError('ADDKE without KE');
}

function mustNotMix(proposals: readonly EspProposal[]): void {
  const kinds = new Set(
    proposals.flatMap(({ ciphers }) => ciphers.map(({ encrypts }) => encrypts)),
  );
  if (kinds.size > 1) throw new TypeError('an offer that encrypts and does not');
}

const transformsOf = (proposal: EspProposal, withKe: boolean): readonly Transform[] => [
  ...proposal.ciphers.map(({ id, keyBits }) => transform(TYPE.encr, id, keyBits)),
  ...proposal.integrity.map(({ id }) => transform(TYPE.integ, id)),
  ...(withKe ? keTransforms(proposal.ke, proposal.additional) : []),
  ...proposal.esn.map((esn) => transform(TYPE.esn, esn ? 1 : 0)),
];

function spiOctets(spi: number): Uint8Array {
  const octets = new Uint8Array(4);
  new DataView(octets.buffer).setUint32(0, spi);
  return octets;
}

/**
 * Body of the SA payload that offers `proposals`, numbered from 1, all with our inbound SPI. `withKe`: in
 * CREATE_CHILD_SA; in IKE_AUTH there must be no key exchange (RFC 7296 §1.2).
 */
export function offerEsp(
  proposals: readonly EspProposal[],
  spi: number,
  withKe: boolean,
): SecurityAssociation {
  proposals.forEach(mustBeSound);
  mustNotMix(proposals);
  return {
    proposals: proposals.map((proposal, i) => ({
      number: i + 1,
      protocol: PROTOCOL.esp,
      spi: spiOctets(spi),
      transforms: transformsOf(proposal, withKe),
    })),
  };
}

const noneChosen = (reason: string): ReturnType<typeof bad> =>
  bad('NO_PROPOSAL_CHOSEN', 'us', reason);

/** undefined: none that a data plane may use. */
function readSpi({ spi }: Proposal): number | undefined {
  const value = spi.length === 4 ? u32(spi, 0) : 0;
  return value < LEAST_SPI ? undefined : value;
}

interface Offered {
  readonly number: number;
  readonly spi: number;
  readonly types: ByType;
}

function usable({ proposals }: SecurityAssociation): readonly Offered[] {
  return proposals.flatMap((proposal) => {
    const spi = readSpi(proposal);
    if (proposal.protocol !== PROTOCOL.esp || spi === undefined) return [];
    const types = byType(proposal);
    return hasOnly(types, ALLOWED) ? [{ number: proposal.number, spi, types }] : [];
  });
}

function mixes({ proposals }: SecurityAssociation): boolean {
  const kinds = new Set<boolean>();
  for (const { protocol, transforms } of proposals) {
    if (protocol !== PROTOCOL.esp) continue;
    for (const { type, id } of transforms) if (type === TYPE.encr) kinds.add(encryptsNothing(id));
  }
  return kinds.size > 1;
}

/** Encryption, integrity and ESN: the first of ours that are among `has`. */
function chooseSuite(ours: EspProposal, has: ByType): EspSuite | undefined {
  const cipher = ours.ciphers.find(({ id, keyBits }) =>
    has.get(TYPE.encr)?.has(algorithm(id, keyBits)),
  );
  const esn = ours.esn.find((one) => has.get(TYPE.esn)?.has(one ? 1 : 0));
  if (cipher === undefined || esn === undefined) return undefined;
  const offeredIntegrity = has.get(TYPE.integ);
  if (cipher.kind === 'aead') {
    if (offeredIntegrity?.has(INTEG_NONE) === false) return undefined;
    return { cipher, integrity: undefined, esn };
  }
  const integrity = ours.integrity.find(({ id }) => offeredIntegrity?.has(id));
  return integrity === undefined ? undefined : { cipher, integrity, esn };
}

/** What we take at KE and ADDKEs; in IKE_AUTH nothing. */
const ownKeOf = (ours: EspProposal, withKe: boolean): readonly (readonly Ke[])[] =>
  withKe ? ownKe(ours.ke, ours.additional) : ownKe([], []);

function chosenEsp(suite: EspSuite, kes: readonly Ke[], spi: number): ChosenEsp {
  const [ke] = kes;
  const isWithout = ke === undefined || ke === KE_NONE;
  return { suite, ke: isWithout ? undefined : ke, additional: additionalOf(kes), spi };
}

function match(ours: EspProposal, offered: Offered, withKe: boolean): EspChoice | undefined {
  const { number, spi, types } = offered;
  const suite = chooseSuite(ours, types);
  if (suite === undefined) return undefined;
  const kes = chooseKe(ownKeOf(ours, withKe), offeredKe(types));
  if (kes === undefined) return undefined;
  const none = chosenNone(types, kes, suite.integrity === undefined);
  return { chosen: chosenEsp(suite, kes, spi), number, none };
}

/**
 * The responder's choice: ours in their order against the offered in theirs. Fails with NO_PROPOSAL_CHOSEN.
 * `chosen.spi` is the offerer's.
 */
export function chooseEsp(
  offered: SecurityAssociation,
  ours: readonly EspProposal[],
  withKe: boolean,
): Outcome<EspChoice> {
  if (mixes(offered)) return noneChosen('the offer encrypts and does not (policy-model 16)');
  const candidates = usable(offered);
  for (const proposal of ours) {
    for (const candidate of candidates) {
      const choice = match(proposal, candidate, withKe);
      if (choice !== undefined) return good(choice);
    }
  }
  return noneChosen(`none of ${offered.proposals.length} proposals is acceptable`);
}

/** Body of the SA payload that answers; `spi`: our inbound one. */
export function answerEsp({ chosen, number, none }: EspChoice, spi: number): SecurityAssociation {
  const { suite, ke, additional } = chosen;
  const transforms = [
    transform(TYPE.encr, suite.cipher.id, suite.cipher.keyBits),
    ...(suite.integrity === undefined ? [] : [transform(TYPE.integ, suite.integrity.id)]),
    ...(ke === undefined ? [] : [transform(TYPE.ke, ke)]),
    transform(TYPE.esn, suite.esn ? 1 : 0),
    ...additional.map(({ place, method }) => transform(TYPE.addke1 + place - 1, method)),
    ...none.map((type) => transform(type, KE_NONE)),
  ];
  transforms.sort((a, b) => a.type - b.type);
  return { proposals: [{ number, protocol: PROTOCOL.esp, spi: spiOctets(spi), transforms }] };
}

/**
 * The initiator's judgement of the answer to `offerEsp(proposals, spi, withKe)`: one proposal, with exactly one of the
 * algorithms that were offered for each type. NONE may be left out. Fails with NO_PROPOSAL_CHOSEN. `spi` of the result
 * is the answerer's.
 */
export function concludeEsp(
  answer: SecurityAssociation,
  proposals: readonly EspProposal[],
  withKe: boolean,
): Outcome<ChosenEsp> {
  const [proposal, ...more] = answer.proposals;
  if (proposal === undefined || more.length > 0) {
    return noneChosen('not one proposal in the answer');
  }
  const ours = proposals[proposal.number - 1];
  if (ours === undefined || proposal.protocol !== PROTOCOL.esp) {
    return noneChosen(`proposal ${proposal.number} of protocol ${proposal.protocol} not offered`);
  }
  const spi = readSpi(proposal);
  if (spi === undefined) return noneChosen('SPI of the answer');
  const answered = single(proposal, ALLOWED);
  if (typeof answered === 'string') return noneChosen(answered);
  const types = new Map([...answered].map(([type, id]) => [type, new Set([id])]));
  const suite = chooseSuite(ours, types);
  if (suite === undefined) return noneChosen('encryption, integrity or ESN not offered');
  const kes = concludedKe(answered, ownKeOf(ours, withKe));
  return typeof kes === 'string' ? noneChosen(kes) : good(chosenEsp(suite, kes, spi));
}
