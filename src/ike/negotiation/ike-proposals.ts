// SPDX-License-Identifier: Apache-2.0
/**
 * Agreeing on the algorithms of an IKE SA: the SA payloads of IKE_SA_INIT and of rekeying (RFC 7296 §2.7, §3.3;
 * RFC 9370 §2.2.1).
 *
 * The responder's order decides, strictly: its first proposal that fits anything offered, and in it the first algorithm
 * of each type. So when it prefers another method than that of the initiator's KE payload the answer is
 * INVALID_KE_PAYLOAD: one round trip, once, rather than a lesser method because the peer happened to guess it.
 */
import type { Proposal, SecurityAssociation } from '../codec/payloads/security-association.js';
import type { Transform } from '../codec/payloads/transform.js';
import type { AeadCipher, CbcCipher, Suite } from '../crypto/algorithms.js';
import { bad, good, type Outcome } from '../types.js';
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
import { type ChosenIke, type IkeProposal, KE_NONE } from './types.js';

/** A responder's choice. */
export interface IkeChoice {
  readonly chosen: ChosenIke;
  /** Of the proposal that it is from. */
  readonly number: number;
  /** The new IKE SPI of the offerer, in a rekey; undefined in IKE_SA_INIT. */
  readonly peerSpi: bigint | undefined;
  /** Transform types offered as optional and not used: the answer says NONE for each. */
  readonly none: readonly number[];
}

/** What an initiator got. */
export interface IkeConclusion {
  readonly chosen: ChosenIke;
  /** The new IKE SPI of the answerer, in a rekey; undefined in IKE_SA_INIT. */
  readonly peerSpi: bigint | undefined;
}

const ALLOWED: ReadonlySet<number> = new Set([TYPE.encr, TYPE.prf, TYPE.integ, ...KE_TYPES]);
const NO_SPI = new Uint8Array(0);

/** Throws for proposals that must not be offered: programmer errors, since policies are checked when they are made. */
function mustBeSound(proposal: IkeProposal): void {
  const { ciphers, prfs, integrity, ke, additional } = proposal;
  const aeads = ciphers.filter(({ kind }) => kind === 'aead').length;
  if (aeads > 0 && aeads < ciphers.length) throw new TypeError('AEAD and CBC in one proposal');
  if (ciphers.length === 0 || prfs.length === 0 || ke.length === 0) {
    throw new TypeError('a proposal without encryption, PRF or key exchange');
  }
  if (aeads > 0 !== (integrity.length === 0)) throw new TypeError('integrity beside AEAD, or none');
  if (additional.length > MOST_ADDITIONAL || additional.some((place) => place.length === 0)) {
    throw new TypeError('additional key exchanges');
  }
}

const transformsOf = (proposal: IkeProposal): readonly Transform[] => [
  ...proposal.ciphers.map(({ id, keyBits }) => transform(TYPE.encr, id, keyBits)),
  ...proposal.integrity.map(({ id }) => transform(TYPE.integ, id)),
  ...proposal.prfs.map(({ id }) => transform(TYPE.prf, id)),
  ...keTransforms(proposal.ke, proposal.additional),
];

function spiOctets(spi: bigint | undefined): Uint8Array {
  if (spi === undefined) return NO_SPI;
  const octets = new Uint8Array(8);
  new DataView(octets.buffer).setBigUint64(0, spi);
  return octets;
}

/** Body of the SA payload that offers `proposals`, numbered from 1; `spi`: our new one, in a rekey. */
export function offerIke(proposals: readonly IkeProposal[], spi?: bigint): SecurityAssociation {
  proposals.forEach(mustBeSound);
  return {
    proposals: proposals.map((proposal, i) => ({
      number: i + 1,
      protocol: PROTOCOL.ike,
      spi: spiOctets(spi),
      transforms: transformsOf(proposal),
    })),
  };
}

const noneChosen = (reason: string): ReturnType<typeof bad> =>
  bad('NO_PROPOSAL_CHOSEN', 'us', reason);

/** SPI of an IKE proposal: 'wrong' unless it is there in a rekey, not 0, and only then. */
function readSpi({ spi }: Proposal, isRekey: boolean): bigint | undefined | 'wrong' {
  if (!isRekey) return spi.length === 0 ? undefined : 'wrong';
  if (spi.length !== 8) return 'wrong';
  const value = new DataView(spi.buffer, spi.byteOffset, 8).getBigUint64(0);
  return value === 0n ? 'wrong' : value;
}

interface Offered {
  readonly number: number;
  readonly peerSpi: bigint | undefined;
  readonly types: ByType;
}

function usable(offered: SecurityAssociation, isRekey: boolean): readonly Offered[] {
  return offered.proposals.flatMap((proposal) => {
    const peerSpi = readSpi(proposal, isRekey);
    if (proposal.protocol !== PROTOCOL.ike || peerSpi === 'wrong') return [];
    const types = byType(proposal);
    return hasOnly(types, ALLOWED) ? [{ number: proposal.number, peerSpi, types }] : [];
  });
}

const isAeadCipher = (cipher: AeadCipher | CbcCipher): cipher is AeadCipher =>
  cipher.kind === 'aead';

/** Encryption, integrity and PRF: the first of ours that are among `has`. */
function chooseSuite(ours: IkeProposal, has: ByType): Suite | undefined {
  const cipher = ours.ciphers.find(({ id, keyBits }) =>
    has.get(TYPE.encr)?.has(algorithm(id, keyBits)),
  );
  const prf = ours.prfs.find(({ id }) => has.get(TYPE.prf)?.has(id));
  if (cipher === undefined || prf === undefined) return undefined;
  const offeredIntegrity = has.get(TYPE.integ);
  if (isAeadCipher(cipher)) {
    return offeredIntegrity?.has(INTEG_NONE) === false ? undefined : { prf, cipher };
  }
  const integrity = ours.integrity.find(({ id }) => offeredIntegrity?.has(id));
  return integrity === undefined ? undefined : { prf, cipher, integrity };
}

/** `chosen` and `kes` in the words of the interface; undefined when the first is NONE, which no IKE SA may be without. */
function chosenIke(suite: Suite, kes: readonly Ke[]): ChosenIke | undefined {
  const [ke] = kes;
  if (ke === undefined || ke === KE_NONE) return undefined;
  return { suite, ke, additional: additionalOf(kes) };
}

function match(ours: IkeProposal, offered: Offered): IkeChoice | undefined {
  const suite = chooseSuite(ours, offered.types);
  if (suite === undefined) return undefined;
  const kes = chooseKe(ownKe(ours.ke, ours.additional), offeredKe(offered.types));
  const chosen = kes === undefined ? undefined : chosenIke(suite, kes);
  if (kes === undefined || chosen === undefined) return undefined;
  const { number, peerSpi, types } = offered;
  return { chosen, number, peerSpi, none: chosenNone(types, kes, !('integrity' in suite)) };
}

/**
 * The responder's choice: ours in their order against the offered in theirs. Fails with NO_PROPOSAL_CHOSEN. `isRekey`:
 * proposals carry an SPI of eight octets, which those of IKE_SA_INIT must not.
 */
export function chooseIke(
  offered: SecurityAssociation,
  ours: readonly IkeProposal[],
  isRekey: boolean,
): Outcome<IkeChoice> {
  const candidates = usable(offered, isRekey);
  for (const proposal of ours) {
    for (const candidate of candidates) {
      const choice = match(proposal, candidate);
      if (choice !== undefined) return good(choice);
    }
  }
  return noneChosen(`none of ${offered.proposals.length} proposals is acceptable`);
}

/** Body of the SA payload that answers; `spi`: our new one, in a rekey. */
export function answerIke(choice: IkeChoice, spi?: bigint): SecurityAssociation {
  const { suite, ke, additional } = choice.chosen;
  const transforms = [
    transform(TYPE.encr, suite.cipher.id, suite.cipher.keyBits),
    transform(TYPE.prf, suite.prf.id),
    ...('integrity' in suite ? [transform(TYPE.integ, suite.integrity.id)] : []),
    transform(TYPE.ke, ke),
    ...additional.map(({ place, method }) => transform(TYPE.addke1 + place - 1, method)),
    ...choice.none.map((type) => transform(type, KE_NONE)),
  ];
  transforms.sort((a, b) => a.type - b.type);
  const { number } = choice;
  return { proposals: [{ number, protocol: PROTOCOL.ike, spi: spiOctets(spi), transforms }] };
}

/**
 * The initiator's judgement of the answer to `offerIke(proposals)`: one proposal, with exactly one of the algorithms
 * that were offered for each type. NONE may be left out. Fails with NO_PROPOSAL_CHOSEN: nothing that was not offered
 * is ever used.
 */
export function concludeIke(
  answer: SecurityAssociation,
  proposals: readonly IkeProposal[],
  isRekey: boolean,
): Outcome<IkeConclusion> {
  const [proposal, ...more] = answer.proposals;
  if (proposal === undefined || more.length > 0) {
    return noneChosen('not one proposal in the answer');
  }
  const ours = proposals[proposal.number - 1];
  if (ours === undefined || proposal.protocol !== PROTOCOL.ike) {
    return noneChosen(`proposal ${proposal.number} of protocol ${proposal.protocol} not offered`);
  }
  const peerSpi = readSpi(proposal, isRekey);
  if (peerSpi === 'wrong') return noneChosen('SPI of the answer');
  const answered = single(proposal, ALLOWED);
  if (typeof answered === 'string') return noneChosen(answered);
  const types = new Map([...answered].map(([type, id]) => [type, new Set([id])]));
  const suite = chooseSuite(ours, types);
  if (suite === undefined) return noneChosen('encryption, integrity or PRF not offered');
  const kes = concludedKe(answered, ownKe(ours.ke, ours.additional));
  if (typeof kes === 'string') return noneChosen(kes);
  const chosen = chosenIke(suite, kes);
  return chosen === undefined ? noneChosen('no key exchange') : good({ chosen, peerSpi });
}
