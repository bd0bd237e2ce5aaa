// SPDX-License-Identifier: Apache-2.0
/** CREATE_CHILD_SA for a new child SA or to rekey one, the responder's side (RFC 7296 §1.3.1, §1.3.3, §2.25.1). */
import { u32 } from '../../lib/octets.js';
import type { ChildAnswer } from '../child/api.js';
import type { ChildSa } from '../child/child-sa.js';
import type { ChildPolicy } from '../child/types.js';
import { NOTIFY } from '../codec/names/notify.js';
import type { Payload, PayloadOf } from '../codec/payload.js';
import type { Nonces } from '../crypto/kdf.js';
import { wipe } from '../crypto/secret.js';
import type { Reply, SaContext } from '../sa/context.js';
import { bad, good, type IkeFailure, type Outcome } from '../types.js';
import { bringUp } from './create-child-sa-initiator.js';
import { drawNonce, inOrder, respondKe } from './create-child-sa-key-exchange.js';
import type { FollowUps } from './ike-followup-ke.js';
import { errorNotify, findNotify, notifyOfChild, PROTOCOL } from './notifies.js';

/** The IKE SA as this exchange needs it. */
export interface ChildResponder extends SaContext {
  readonly followUps: FollowUps;
  /** By the SPI in packets that the peer receives, which is how it names child SAs. */
  childOfPeer(spi: number): ChildSa | undefined;
  /** Of the child SAs that there are of a service. */
  resourcesOf(service: string): ReadonlySet<number>;
  /** Why there can be no new child SA now, or none in the place of this one. Asked again after each wait. */
  refuseChild(replaces: ChildSa | undefined): IkeFailure | undefined;
  /** It is installed; the answer that says so is about to be sent. */
  acceptChild(child: ChildSa, replaces: ChildSa | undefined): void;
}

export async function answerChild(
  context: ChildResponder,
  payloads: readonly Payload[],
): Promise<Reply> {
  const rekey = findNotify(payloads, NOTIFY.REKEY_SA);
  const replaces = rekey === undefined ? undefined : replacedBy(context, rekey);
  if (rekey !== undefined && replaces === undefined) return notFound(rekey);
  const refused = context.refuseChild(replaces);
  if (refused !== undefined) return { payloads: [errorNotify(refused)] };
  const reply = await accept(context, payloads, replaces);
  return reply.ok ? reply.value : { payloads: [errorNotify(reply.failure)] };
}

function replacedBy(
  context: ChildResponder,
  { protocol, spi }: PayloadOf<'N'>,
): ChildSa | undefined {
  return protocol === PROTOCOL.esp && spi.length === 4
    ? context.childOfPeer(u32(spi, 0))
    : undefined;
}

/** RFC 7296 §2.25: with the SPI that was asked for. */
function notFound({ spi }: PayloadOf<'N'>): Reply {
  const asked = spi.length === 4 ? u32(spi, 0) : 0;
  return { payloads: [notifyOfChild(NOTIFY.CHILD_SA_NOT_FOUND, asked)] };
}

/** A child SA is replaced by one of its own service: as the configuration has it now, or else as it was agreed. */
function policiesFor(
  { policy, open }: ChildResponder,
  replaces: ChildSa | undefined,
): readonly ChildPolicy[] {
  const { local, remote } = open.path;
  const all = policy.children(local.address, remote.address);
  if (replaces === undefined) return all;
  return all.filter(({ service }) => service === replaces.policy.service);
}

async function accept(
  context: ChildResponder,
  payloads: readonly Payload[],
  replaces: ChildSa | undefined,
): Promise<Outcome<Reply>> {
  const { env, open } = context;
  const theirs = payloads.find((payload) => payload.kind === 'Nonce');
  if (theirs === undefined) return bad('INVALID_SYNTAX', 'us', 'a request without nonce');
  const policies = policiesFor(context, replaces);
  const { vpnId } = open.features;
  const answer = env.agreement.answer(env.sink, policies, payloads, {
    ...{ withKe: true, vpnId },
    ...(replaces && { replaces: replaces.resource }),
    taken: (service) => context.resourcesOf(service),
  });
  if (!answer.ok) return answer;
  const { agreed } = answer.value;
  const drop = (): void => {
    env.sink.releaseSpi(agreed.inboundSpi);
  };
  const ke = await respondKe(context, payloads, agreed.chosen.ke);
  const refused = context.refuseChild(replaces);
  if (!ke.ok || refused !== undefined) {
    drop();
    if (ke.ok) wipe(...ke.value.shared);
    return refused === undefined ? ke : { ok: false, failure: refused };
  }
  const nonce = drawNonce(context);
  const nonces = { initiator: Uint8Array.from(theirs.data), responder: nonce };
  const own: Payload[] = [
    ...answer.value.payloads,
    { kind: 'Nonce', data: nonce },
    ...ke.value.payloads,
  ];
  return context.followUps.begin(
    {
      methods: agreed.chosen.additional.map(({ method }) => method),
      shared: ke.value.shared,
      finish: (shared) => finish(context, answer.value, { nonces, shared, replaces }),
      drop,
    },
    inOrder(own),
  );
}

/**
 * The data plane takes no more of this peer. For another child SA it need not ask again soon; one that is to be
 * replaced has rows that are its own, and there is room when what was replaced before is gone: TEMPORARY_FAILURE.
 */
const noRoom = (failure: IkeFailure, replaces: ChildSa | undefined): Outcome<never> =>
  replaces === undefined ? bad('NO_ADDITIONAL_SAS', 'us', failure.reason) : { ok: false, failure };

interface Finishing {
  readonly nonces: Nonces;
  readonly shared: readonly Buffer[];
  readonly replaces: ChildSa | undefined;
}

/** Make before break: inbound is installed when the peer learns of it (RFC 7296 §2.8). */
async function finish(
  context: ChildResponder,
  { agreed }: ChildAnswer,
  { nonces, shared, replaces }: Finishing,
): Promise<Outcome<Reply>> {
  const { sink } = context.env;
  const refusedBefore = context.refuseChild(replaces);
  const child: Outcome<ChildSa> =
    refusedBefore === undefined
      ? await bringUp(context, agreed, {
          ...{ role: 'responder', nonces, shared },
          replaces: replaces?.inboundSpi,
        })
      : { ok: false, failure: refusedBefore };
  if (!child.ok) {
    sink.releaseSpi(agreed.inboundSpi);
    return child.failure.code === 'BUSY' ? noRoom(child.failure, replaces) : child;
  }
  const refused = context.refuseChild(replaces);
  if (refused !== undefined) {
    sink.remove(agreed.inboundSpi, 0);
    return { ok: false, failure: refused };
  }
  context.acceptChild(child.value, replaces);
  return good({ payloads: [] });
}
