// SPDX-License-Identifier: Apache-2.0
/**
 * INFORMATIONAL exchanges (RFC 7296 §1.4, §2.25), the responder's side; our own are made where they are wanted.
 *
 * Deletes of child SAs are answered by the SPIs of the other halves, but for those that we are deleting ourselves:
 * their halves are in our own request (RFC 7296 §1.4.1).
 */
import { u32 } from '../../lib/octets.js';
import { type PathProbe, pathProbeAnswer, pathProbeAsked } from '../child/path-probe.js';
import { NOTIFY, notifyName } from '../codec/names/notify.js';
import type { Payload, PayloadOf } from '../codec/payload.js';
import type { Reply, SaContext } from '../sa/context.js';
import { bad, type IkeFailure } from '../types.js';
import { PROTOCOL, tokenOf } from './notifies.js';

export interface InformationalResponder extends SaContext {
  /** The peer has deleted the child SA that it receives with this SPI. Our SPI when the answer has to name it. */
  childDeleted(outboundSpi: number): number | undefined;
  /** What is to be done once the answer to the delete of the IKE SA is sent. */
  ikeDeleted(failure: IkeFailure): void;
  /** RFC 4478: it will not let this SA live longer than so many seconds from now. */
  authLifetime(seconds: number): void;
  /** Octets of the largest packet of a path MTU probe that came, 0: none. undefined: no child SA of this IKE SA. */
  probeSeen(probe: PathProbe): number | undefined;
  /** RFC 6290: its token for this IKE SA. */
  peerToken(token: Uint8Array): void;
}

export function answerInformational(
  context: InformationalResponder,
  payloads: readonly Payload[],
): Reply {
  const deletes = payloads.filter((payload) => payload.kind === 'D');
  for (const payload of payloads) if (payload.kind === 'N') noted(context, payload);
  const ending = endOf(payloads);
  if (ending !== undefined) {
    return {
      payloads: [],
      after: () => {
        context.ikeDeleted(ending);
      },
    };
  }
  const asked = deletes.filter(({ protocol }) => protocol === PROTOCOL.esp);
  const spis = asked
    .flatMap((payload) => payload.spis)
    .map((spi) => context.childDeleted(spi))
    .filter((spi) => spi !== undefined);
  const named: Payload[] = spis.length === 0 ? [] : [{ kind: 'D', protocol: PROTOCOL.esp, spis }];
  return { payloads: [...named, ...aboutProbe(context, payloads)] };
}

function aboutProbe(context: InformationalResponder, payloads: readonly Payload[]): Payload[] {
  const probe = pathProbeAsked(payloads);
  if (probe === undefined) return [];
  const octets = context.probeSeen(probe);
  return octets === undefined ? [] : [pathProbeAnswer(probe, octets)];
}

/** An initiator whose check of our AUTH fails says so here (RFC 7296 §2.21.2). */
function endOf(payloads: readonly Payload[]): IkeFailure | undefined {
  const isFailed = payloads.some(
    (payload) => payload.kind === 'N' && payload.notify === NOTIFY.AUTHENTICATION_FAILED,
  );
  if (isFailed) return bad('AUTHENTICATION_FAILED', 'peer', 'the peer refuses us').failure;
  const isDeleted = payloads.some(
    (payload) => payload.kind === 'D' && payload.protocol === PROTOCOL.ike,
  );
  return isDeleted ? bad('CLOSED', 'peer', 'the peer deleted the IKE SA').failure : undefined;
}

function noted(context: InformationalResponder, { notify, data }: PayloadOf<'N'>): void {
  switch (notify) {
    case NOTIFY.AUTH_LIFETIME:
      if (data.length === 4) context.authLifetime(u32(data, 0));
      break;
    case NOTIFY.QUICK_CRASH_DETECTION: {
      const token = tokenOf(data);
      if (token !== undefined) context.peerToken(token);
      break;
    }
    case NOTIFY.INVALID_SPI:
    case NOTIFY.INVALID_SELECTORS:
      // Of packets, which others may have sent: nothing follows from it (policy-model 21).
      context.env.log.notice('the peer complains of packets', { notify: notifyName(notify) });
      break;
    default:
  }
}
