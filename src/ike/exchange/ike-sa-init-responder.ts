// SPDX-License-Identifier: Apache-2.0
/**
 * IKE_SA_INIT as responder (RFC 7296 §1.2), in two steps. {@link screenInit} needs no state and no key exchange, so
 * that what cannot become an IKE SA costs neither; {@link respondInit} does the rest:
 *
 *     HDR(SPIi, 0), [N(COOKIE),] SAi1, KEi, Ni, N(...), V  -->
 *                     <--  HDR(SPIi, SPIr), SAr1, KEr, Nr, [CERTREQ,] N(...), V
 */
import type { Received } from '../channel/api.js';
import { isFault } from '../codec/fault.js';
import { decodeHeader, type IkeHeader } from '../codec/header.js';
import { decodeMessage } from '../codec/message.js';
import { EXCHANGE } from '../codec/names/registries.js';
import type { Payload } from '../codec/payload.js';
import { KE_METHODS } from '../crypto/algorithms.js';
import { answerIke, chooseIke, type IkeChoice } from '../negotiation/ike-proposals.js';
import { KE_NONE, type IkeProposal } from '../negotiation/types.js';
import { type Announced, announcedIn, announcements } from '../open/announcements.js';
import { closed, exchangeFailure, isOver, type OpenContext } from '../open/context.js';
import { KeySchedule, spiOctets } from '../open/keys.js';
import { findNat, type NatFound, natPayloads } from '../open/nat-detection.js';
import { onlyOf } from '../open/payloads.js';
import type { PeerPolicy } from '../policy.js';
import { good, type IkeEnvironment, type Outcome, type Path } from '../types.js';
import {
  faultAnswer,
  invalidKePayload,
  invalidMajorVersion,
  invalidSyntax,
  noProposalChosen,
} from './ike-sa-init-answers.js';
import { type InitDone, isNonceFor, NONCE_BYTES } from './ike-sa-init.js';

/** A request of which an IKE SA can become. Octet strings are views of `octets`. */
export interface InitRequest {
  readonly header: IkeHeader;
  readonly path: Path;
  /** The whole message. */
  readonly octets: Uint8Array;
  readonly policy: PeerPolicy;
  readonly choice: IkeChoice;
  /** Key Exchange Data, of the chosen method. */
  readonly data: Uint8Array;
  readonly nonce: Uint8Array;
  readonly said: Announced;
  readonly nat: NatFound | undefined;
}

export type Screened =
  | { readonly verdict: 'open'; readonly init: InitRequest }
  /** To be sent back in clear; there is nothing to keep. */
  | { readonly verdict: 'answer'; readonly octets: Uint8Array; readonly why: string }
  | { readonly verdict: 'drop'; readonly why: string };

const answerOr = (octets: Uint8Array | undefined, why: string): Screened =>
  octets === undefined ? { verdict: 'drop', why } : { verdict: 'answer', octets, why };

/** Judges a datagram that may be an IKE_SA_INIT request, and counts what is wrong with it. */
export function screenInit(
  { count }: Pick<IkeEnvironment, 'count'>,
  policy: PeerPolicy,
  octets: Uint8Array,
  path: Path,
): Screened {
  const header = decodeHeader(octets, 0, octets.length);
  if (isFault(header)) {
    count('rx_malformed');
    return { verdict: 'drop', why: header.reason };
  }
  if (header.major > 2) {
    count('rx_wrong_version');
    return answerOr(invalidMajorVersion(header), `major version ${header.major}`);
  }
  const { exchange, initiator, response, messageId, responderSpi } = header;
  if (exchange !== EXCHANGE.ikeSaInit || !initiator || response || messageId !== 0) {
    return { verdict: 'drop', why: 'no IKE_SA_INIT request' };
  }
  if (responderSpi !== 0n) return { verdict: 'drop', why: "a request with a responder's SPI" };
  const message = decodeMessage(octets, 0, octets.length);
  if (!isFault(message) && message.protection !== undefined) {
    count('rx_malformed');
    return answerOr(invalidSyntax(header), 'a protected payload before there are keys');
  }
  if (!isFault(message)) return judge(count, policy, { header, octets, path }, message.payloads);
  count('rx_malformed');
  return answerOr(faultAnswer(header, message), message.reason);
}

function judge(
  count: IkeEnvironment['count'],
  policy: PeerPolicy,
  frame: Pick<InitRequest, 'header' | 'octets' | 'path'>,
  payloads: readonly Payload[],
): Screened {
  const { header, path } = frame;
  const sa = onlyOf(payloads, 'SA');
  const ke = onlyOf(payloads, 'KE');
  const nonce = onlyOf(payloads, 'Nonce');
  if (typeof sa !== 'object' || typeof ke !== 'object' || typeof nonce !== 'object') {
    count('rx_malformed');
    return answerOr(invalidSyntax(header), 'SA, KE and Nonce are not there once each');
  }
  const nat = findNat(payloads, header, path);
  if (policy.nat === 'refuse' && nat !== undefined && (nat.local || nat.remote)) {
    count('nat_refused');
    return answerOr(noProposalChosen(header), 'a NAT is between, which the policy forbids');
  }
  const said = announcedIn(payloads);
  const ours = said.intermediate ? policy.proposals : withoutIntermediate(policy.proposals);
  const choice = chooseIke(sa, ours, false);
  if (!choice.ok) {
    count('init_no_proposal');
    return answerOr(noProposalChosen(header), choice.failure.reason);
  }
  const { chosen } = choice.value;
  const { name, initiatorBytes } = KE_METHODS[chosen.ke];
  if (ke.method !== chosen.ke) {
    count('init_invalid_ke');
    return answerOr(invalidKePayload(header, chosen.ke), `${name} wanted, not ${ke.method}`);
  }
  if (ke.data.length !== initiatorBytes) {
    count('ke_refused');
    return answerOr(invalidSyntax(header), `${name} of ${ke.data.length} octets`);
  }
  if (!isNonceFor(nonce.data, chosen)) {
    return answerOr(invalidSyntax(header), `nonce of ${nonce.data.length} octets`);
  }
  const init: InitRequest = {
    header,
    path,
    octets: frame.octets,
    policy,
    choice: choice.value,
    data: ke.data,
    nonce: nonce.data,
    said,
    nat,
  };
  return { verdict: 'open', init };
}

/** What is left for a peer without IKE_INTERMEDIATE: proposals whose additional key exchanges are optional. */
const withoutIntermediate = (proposals: readonly IkeProposal[]): readonly IkeProposal[] =>
  proposals
    .filter(({ additional }) => additional.every((methods) => methods.includes(KE_NONE)))
    .map((proposal) => ({ ...proposal, additional: [] }));

/** The key exchange, the response, and the first keys, which the channel has from then on. */
export async function respondInit(
  { env, policy, channel, addresses, signal }: OpenContext,
  init: InitRequest,
  request: Received,
  responderSpi: bigint,
): Promise<Outcome<InitDone>> {
  const { crypto, authenticator, count } = env;
  const { choice, said } = init;
  const { chosen } = choice;
  const answer = await crypto.exchanges.respond(chosen.ke, init.data, signal);
  if (!answer.ok) {
    const refused = invalidSyntax(init.header);
    const failed = exchangeFailure(count, answer.error);
    if (failed.failure.code === 'INVALID_SYNTAX' && refused !== undefined && !isOver(signal)) {
      env.send(init.path, refused);
    }
    return failed;
  }
  const { publicData, shared } = answer.value;
  if (isOver(signal)) {
    shared.fill(0);
    return closed();
  }
  const { initiatorSpi } = init.header;
  const nonce = crypto.random(NONCE_BYTES);
  const sent = channel.respond(request, [
    { kind: 'SA', ...answerIke(choice) },
    { kind: 'KE', method: chosen.ke, data: publicData },
    { kind: 'Nonce', data: nonce },
    ...natPayloads({ initiatorSpi, responderSpi }, init.path),
    ...authenticator.requests(addresses),
    // RFC 7427 §4: only to who has said it as well.
    ...(said.hints.hashes.length > 0 ? authenticator.initNotifies(addresses) : []),
    ...announcements(policy, said),
  ]);
  const spis = { initiator: spiOctets(initiatorSpi), responder: spiOctets(responderSpi) };
  const nonces = { initiator: Uint8Array.from(init.nonce), responder: nonce };
  const keys = new KeySchedule(
    crypto.kdf,
    chosen.suite,
    { nonces, spis, method: chosen.ke },
    shared,
  );
  channel.protect(keys.channelKeys('responder'));
  const { octets: asked, nat } = init;
  const at = env.timers.now();
  return good({ chosen, keys, said, responderSpi, nat, request: asked, response: sent.octets, at });
}
