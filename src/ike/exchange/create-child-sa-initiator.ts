// SPDX-License-Identifier: Apache-2.0
/**
 * CREATE_CHILD_SA for a new child SA or to rekey one, the initiator's side (RFC 7296 §1.3.1, §1.3.3):
 *
 *   HDR, SK {[N(REKEY_SA),] N..., SA, Ni, [KEi,] TSi, TSr}  -->
 *                                                           <--  HDR, SK {N..., SA, Nr, [KEr,] TSi, TSr}
 */
import type { AgreedChild, BringUp, ChildOffer } from '../child/api.js';
import { keNames } from '../child/bring-up.js';
import type { ChildSa } from '../child/child-sa.js';
import type { ChildPolicy } from '../child/types.js';
import { NOTIFY } from '../codec/names/notify.js';
import { EXCHANGE } from '../codec/names/registries.js';
import type { Nonces } from '../crypto/kdf.js';
import { wipe } from '../crypto/secret.js';
import { closedMeanwhile, type SaContext } from '../sa/context.js';
import type { Outcome, Role } from '../types.js';
import { type AnsweredSa, askForSa, finishKe } from './create-child-sa-key-exchange.js';
import { followUp } from './ike-followup-ke.js';
import { notifyOfChild, PROTOCOL } from './notifies.js';

export interface WantedChild {
  readonly policy: ChildPolicy;
  readonly resource: number;
  /** The one to be replaced. */
  readonly replaces: ChildSa | undefined;
}

/** Installed, but not in use yet. When the peer has made an SA that we cannot use it is deleted there. */
export async function createChild(
  context: SaContext,
  wanted: WantedChild,
): Promise<Outcome<ChildSa>> {
  const { env, open } = context;
  const { policy, resource, replaces } = wanted;
  const offer = env.agreement.offer(env.sink, policy, true, open.features.vpnId, resource);
  const rekey = replaces === undefined ? [] : [notifyOfChild(NOTIFY.REKEY_SA, replaces.inboundSpi)];
  const answered = await askForSa(context, {
    payloads: [...rekey, ...offer.payloads],
    methods: policy.proposals.flatMap(({ ke }) => ke),
  });
  if (!answered.ok) {
    env.sink.releaseSpi(offer.inboundSpi);
    return answered;
  }
  const child = await conclude(context, wanted, offer, answered.value);
  if (!child.ok) {
    env.sink.releaseSpi(offer.inboundSpi);
    if (!context.isEnding) {
      const spis = [offer.inboundSpi];
      await context.ask(EXCHANGE.informational, [{ kind: 'D', protocol: PROTOCOL.esp, spis }]);
    }
  }
  return child;
}

async function conclude(
  context: SaContext,
  { replaces }: WantedChild,
  offer: ChildOffer,
  answered: AnsweredSa,
): Promise<Outcome<ChildSa>> {
  const { env } = context;
  const agreed = env.agreement.conclude(offer, answered.payloads, true);
  if (!agreed.ok) {
    if (answered.own !== undefined) wipe(answered.own.secret);
    return agreed;
  }
  const { ke, additional } = agreed.value.chosen;
  const shared = await finishKe(context, answered, ke);
  if (!shared.ok) return shared;
  const followed = await followUp(context, additional, answered.payloads, shared.value);
  const child = followed.ok
    ? await bringUp(context, agreed.value, {
        ...{ role: 'initiator', nonces: answered.nonces, shared: shared.value },
        replaces: replaces?.inboundSpi,
      })
    : followed;
  wipe(...shared.value);
  return child;
}

export interface ChildExchange {
  readonly role: Role;
  readonly nonces: Nonces;
  readonly shared: readonly Buffer[];
  readonly replaces: number | undefined;
}

/** Both sides. What is installed when the IKE SA has ended meanwhile is the caller's to remove. */
export async function bringUp(
  context: SaContext,
  agreed: AgreedChild,
  exchange: ChildExchange,
): Promise<Outcome<ChildSa>> {
  const { env, open } = context;
  if (context.isEnding) return { ok: false, failure: closedMeanwhile };
  const { natLocal, natRemote } = open.features;
  const with_: BringUp = {
    ...{ env, sink: env.sink, prf: open.suite.prf, skD: open.skD },
    ...{ peer: open.identity, path: open.channel.path, keyExchanges: keNames(agreed) },
    ...{ udpEncapsulation: natLocal || natRemote, ...exchange },
  };
  return env.agreement.bringUp(agreed, with_);
}
