// SPDX-License-Identifier: Apache-2.0
/**
 * CREATE_CHILD_SA that rekeys the IKE SA, both sides (RFC 7296 §1.3.2, §2.18; RFC 9370 §2.2.4):
 *
 *   HDR, SK {SA, Ni, KEi}  -->
 *                          <--  HDR, SK {SA, Nr, KEr [, N(ADDITIONAL_KEY_EXCHANGE)] [, N(QUICK_CRASH_DETECTION)]}
 *
 * The new IKE SA has message IDs from 0, a window of 1, and the identity and features of the old one.
 */
import { NOTIFY } from '../codec/names/notify.js';
import type { Payload } from '../codec/payload.js';
import { KE_METHODS } from '../crypto/algorithms.js';
import { type IkeKeys, type Nonces, wipeIkeKeys } from '../crypto/kdf.js';
import { keep, wipe } from '../crypto/secret.js';
import {
  answerIke,
  chooseIke,
  concludeIke,
  type IkeChoice,
  offerIke,
} from '../negotiation/ike-proposals.js';
import type { ChosenIke } from '../negotiation/types.js';
import type { OpenIkeSa } from '../open/types.js';
import { closedMeanwhile, type Reply, type SaContext } from '../sa/context.js';
import { bad, good, type IkeFailure, type Outcome, type Role } from '../types.js';
import {
  type AnsweredSa,
  askForSa,
  drawNonce,
  finishKe,
  inOrder,
  respondKe,
} from './create-child-sa-key-exchange.js';
import { type FollowUps, followUp } from './ike-followup-ke.js';
import { errorNotify, findNotify, notify, tokenOf } from './notifies.js';

/** An IKE SA that was made by rekeying, and what decides when there are two (RFC 7296 §2.8.2). */
export interface RekeyedIke {
  readonly open: OpenIkeSa;
  readonly nonces: Nonces;
  /** RFC 6290 token of the peer for it, when it said one. */
  readonly qcdToken: Uint8Array | undefined;
}

export async function rekeyIke(context: SaContext): Promise<Outcome<RekeyedIke>> {
  const { proposals } = context.policy;
  const spi = context.env.drawSpi();
  const answered = await askForSa(context, {
    payloads: [{ kind: 'SA', ...offerIke(proposals, spi) }],
    methods: proposals.flatMap(({ ke }) => ke),
  });
  if (!answered.ok) return answered;
  return conclude(context, spi, answered.value);
}

async function conclude(
  context: SaContext,
  spi: bigint,
  answered: AnsweredSa,
): Promise<Outcome<RekeyedIke>> {
  const sa = answered.payloads.find((payload) => payload.kind === 'SA');
  const concluded =
    sa === undefined
      ? bad('INVALID_SYNTAX', 'us', 'a response without SA payload')
      : concludeIke(sa, context.policy.proposals, true);
  const peerSpi = concluded.ok ? concluded.value.peerSpi : undefined;
  if (!concluded.ok || peerSpi === undefined) {
    if (answered.own !== undefined) wipe(answered.own.secret);
    return concluded.ok ? bad('INVALID_SYNTAX', 'us', 'no SPI') : concluded;
  }
  const { chosen } = concluded.value;
  const shared = await finishKe(context, answered, chosen.ke);
  if (!shared.ok) return shared;
  const followed = await followUp(context, chosen.additional, answered.payloads, shared.value);
  const token = tokenOf(findNotify(answered.payloads, NOTIFY.QUICK_CRASH_DETECTION)?.data);
  const outcome: Outcome<RekeyedIke> =
    followed.ok && !context.isClosed
      ? good({
          open: derive(context, {
            ...{ role: 'initiator', chosen, nonces: answered.nonces, shared: shared.value },
            ...{ initiatorSpi: spi, responderSpi: peerSpi },
          }),
          nonces: answered.nonces,
          qcdToken: token,
        })
      : { ok: false, failure: followed.ok ? closedMeanwhile : followed.failure };
  wipe(...shared.value);
  return outcome;
}

interface Derivation {
  readonly role: Role;
  readonly chosen: ChosenIke;
  readonly nonces: Nonces;
  readonly shared: readonly Buffer[];
  readonly initiatorSpi: bigint;
  readonly responderSpi: bigint;
}

function spiOctets(spi: bigint): Uint8Array {
  const octets = new Uint8Array(8);
  new DataView(octets.buffer).setBigUint64(0, spi);
  return octets;
}

/** SKEYSEED = prf(SK_d of the old one, g^ir (new) | Ni | Nr ...), with the old one's PRF (RFC 7296 §2.18). */
function derive(context: SaContext, derivation: Derivation): OpenIkeSa {
  const { env, open } = context;
  const { chosen, nonces, shared, initiatorSpi, responderSpi, role } = derivation;
  const [first, ...additional] = shared;
  if (first === undefined) throw new TypeError('an IKE SA without key exchange');
  const { kdf } = env.crypto;
  const seed = kdf.nextSkeyseed(open.suite.prf, open.skD, nonces, first, additional);
  const spis = { initiator: spiOctets(initiatorSpi), responder: spiOctets(responderSpi) };
  const keys = kdf.ikeKeys(chosen.suite, seed, nonces, spis);
  wipe(seed);
  const channel = protectedChannel(context, derivation, keys);
  const skD = keep(keys.d);
  wipeIkeKeys(keys);
  const methods = [chosen.ke, ...chosen.additional.map(({ method }) => method)];
  return {
    ...open,
    ...{ role, channel, initiatorSpi, responderSpi, skD, suite: chosen.suite },
    path: open.channel.path,
    policy: context.policy,
    keyExchanges: methods.map((id) => KE_METHODS[id].name),
    features: { ...open.features, window: 1, qcdToken: undefined },
    openedAt: env.wallClock(),
    isInitialContact: false,
    child: undefined,
  };
}

function protectedChannel(
  { env, open, policy }: SaContext,
  { role, initiatorSpi, responderSpi, chosen: { suite } }: Derivation,
  keys: IkeKeys,
): OpenIkeSa['channel'] {
  const channel = env.createChannel({
    ...{ env, role, initiatorSpi, responderSpi, send: env.send },
    path: open.channel.path,
    retransmission: policy.retransmission,
    onRequest: () => {
      throw new TypeError('a request before the IKE SA took its channel over');
    },
  });
  channel.fragmentBytes = open.channel.fragmentBytes;
  const ofInitiator = { encryption: keys.ei, integrity: keys.ai };
  const ofResponder = { encryption: keys.er, integrity: keys.ar };
  const isInitiator = role === 'initiator';
  channel.protect({
    suite,
    send: isInitiator ? ofInitiator : ofResponder,
    receive: isInitiator ? ofResponder : ofInitiator,
  });
  return channel;
}

/** The IKE SA as the responder needs it. */
export interface IkeResponder extends SaContext {
  readonly followUps: FollowUps;
  /** Why it cannot be rekeyed now. Asked again after each wait. */
  refuseIkeRekey(): IkeFailure | undefined;
  /** The new one takes requests from now on; the answer is about to be sent. */
  acceptIkeRekey(rekeyed: RekeyedIke): void;
}

export async function answerIkeRekey(
  context: IkeResponder,
  payloads: readonly Payload[],
): Promise<Reply> {
  const refused = context.refuseIkeRekey();
  if (refused !== undefined) return { payloads: [errorNotify(refused)] };
  const reply = await accept(context, payloads);
  return reply.ok ? reply.value : { payloads: [errorNotify(reply.failure)] };
}

async function accept(
  context: IkeResponder,
  payloads: readonly Payload[],
): Promise<Outcome<Reply>> {
  const theirs = payloads.find((payload) => payload.kind === 'Nonce');
  const sa = payloads.find((payload) => payload.kind === 'SA');
  if (theirs === undefined || sa === undefined) {
    return bad('INVALID_SYNTAX', 'us', 'a request without SA or nonce');
  }
  const nonces = { initiator: Uint8Array.from(theirs.data), responder: drawNonce(context) };
  const choice = chooseIke(sa, context.policy.proposals, true);
  if (!choice.ok) return choice;
  const ke = await respondKe(context, payloads, choice.value.chosen.ke);
  if (!ke.ok) return ke;
  const spi = context.env.drawSpi();
  const own: Payload[] = [
    { kind: 'SA', ...answerIke(choice.value, spi) },
    { kind: 'Nonce', data: nonces.responder },
    ...ke.value.payloads,
    ...ownToken(context, choice.value, spi),
  ];
  return context.followUps.begin(
    {
      methods: choice.value.chosen.additional.map(({ method }) => method),
      shared: ke.value.shared,
      finish: (shared) => Promise.resolve(finish(context, choice.value, { nonces, shared, spi })),
      drop: () => undefined,
    },
    inOrder(own),
  );
}

/** RFC 6290 §4.3: the responder says its token for the new IKE SA at once. */
function ownToken({ env }: SaContext, { peerSpi }: IkeChoice, spi: bigint): Payload[] {
  if (env.qcdToken === undefined || peerSpi === undefined) return [];
  return [notify(NOTIFY.QUICK_CRASH_DETECTION, env.qcdToken(peerSpi, spi))];
}

function finish(
  context: IkeResponder,
  { chosen, peerSpi }: IkeChoice,
  made: Pick<Derivation, 'nonces' | 'shared'> & { readonly spi: bigint },
): Outcome<Reply> {
  const refused = context.refuseIkeRekey();
  if (refused !== undefined) return { ok: false, failure: refused };
  if (peerSpi === undefined) return bad('INVALID_SYNTAX', 'us', 'no SPI');
  const { nonces, shared, spi } = made;
  const open = derive(context, {
    ...{ role: 'responder', chosen, nonces, shared },
    ...{ initiatorSpi: peerSpi, responderSpi: spi },
  });
  context.acceptIkeRekey({ open, nonces, qcdToken: undefined });
  return good({ payloads: [] });
}
