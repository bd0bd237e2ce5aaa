// SPDX-License-Identifier: Apache-2.0
/** What both roles do around their exchanges: the channel, closing at any time, handing over, cleaning up. */
import type { ChannelOptions } from '../channel/api.js';
import type { ChildAgreement } from '../child/api.js';
import { wipe } from '../crypto/secret.js';
import { type AuthDone, methodNames } from '../exchange/ike-auth.js';
import type { InitDone } from '../exchange/ike-sa-init.js';
import type { PeerPolicy } from '../policy.js';
import { bad, type IkeFailure, type Outcome, type Path } from '../types.js';
import { closed, type OpenContext } from './context.js';
import { Ending } from './ending.js';
import { Inbox } from './inbox.js';
import type { OpenEnvironment, OpeningIkeSa, OpenIkeSa } from './types.js';

/** Begun, and what its exchanges are given. */
export interface Begun {
  readonly context: OpenContext;
  readonly inbox: Inbox;
  /** Ends it; `why` instead of 'CLOSED'. */
  readonly close: (why?: IkeFailure) => void;
  readonly initiatorSpi: bigint;
}

export interface BeginOptions extends Pick<
  ChannelOptions,
  'role' | 'initiatorSpi' | 'responderSpi'
> {
  readonly path: Path;
  readonly policy: PeerPolicy;
}

/** @param run the exchanges; their outcome is the opening's, unless it was closed meanwhile */
export function begin(
  env: OpenEnvironment,
  agreement: ChildAgreement,
  options: BeginOptions,
  run: (begun: Begun) => Promise<Outcome<OpenIkeSa>>,
): OpeningIkeSa {
  const { role, initiatorSpi, responderSpi, path, policy } = options;
  const inbox = new Inbox();
  const channel = env.createChannel({
    env,
    role,
    initiatorSpi,
    responderSpi,
    path,
    send: env.send,
    retransmission: policy.retransmission,
    onRequest: (request) => {
      inbox.put(request);
    },
  });
  const end = new Ending();
  let isOver = false;
  let why = closed().failure;
  const close = (reason?: IkeFailure): void => {
    if (isOver) return;
    if (!end.aborted && reason !== undefined) why = reason;
    end.abort();
    channel.close();
    inbox.close();
  };
  const addresses = { local: path.local.address, remote: path.remote.address };
  const context = { env, agreement, policy, addresses, channel, signal: end };
  const begun = { context, inbox, close, initiatorSpi };
  const result = guarded(env, run(begun)).then((outcome): Outcome<OpenIkeSa> => {
    if (outcome.ok && !end.aborted) {
      isOver = true;
      inbox.handOver(env.timers, channel);
      return outcome;
    }
    if (outcome.ok) discard(env, outcome.value);
    const wasClosed = end.aborted;
    close();
    isOver = true;
    return outcome.ok || wasClosed ? { ok: false, failure: why } : outcome;
  });
  return {
    initiatorSpi,
    channel,
    result,
    close: () => {
      close();
    },
    get responderSpi() {
      return channel.responderSpi;
    },
  };
}

/**
 * A mistake of ours ends this opening, not the process: what a peer sends must not be able to do that. RangeErrors and
 * TypeErrors say what was wrong with a program, never what is secret.
 */
const guarded = (
  { log }: OpenEnvironment,
  running: Promise<Outcome<OpenIkeSa>>,
): Promise<Outcome<OpenIkeSa>> =>
  running.catch((error: unknown) => {
    const why = error instanceof Error ? error.message : 'unknown';
    log.error('mistake while an IKE SA was opened', { why });
    return bad('INTERNAL', 'us', 'a mistake in the program');
  });

/** It was closed in the moment in which it was open. */
function discard({ sink }: OpenEnvironment, { skD, child }: OpenIkeSa): void {
  wipe(skD);
  if (child !== undefined) sink.remove(child.inboundSpi, 0);
}

/**
 * The result of all exchanges. Written out, not spread: made for every IKE SA, it would cost as much as a hash.
 */
export function openedOf(
  { env, channel, policy }: OpenContext,
  init: InitDone,
  auth: AuthDone,
  { role, initiatorSpi }: Pick<OpenIkeSa, 'role' | 'initiatorSpi'>,
): OpenIkeSa {
  const { said, nat } = init;
  const { terms } = auth;
  return {
    role,
    channel,
    initiatorSpi,
    responderSpi: init.responderSpi,
    path: channel.path,
    suite: init.chosen.suite,
    keyExchanges: methodNames(init),
    skD: auth.skD,
    identity: auth.identity,
    features: {
      fragmentation: said.fragmentation,
      intermediate: said.intermediate,
      childless: said.childless,
      vpnId: said.vpnId,
      pathProbes: said.pathProbes,
      window: terms.window,
      natLocal: nat?.local === true,
      natRemote: nat?.remote === true,
      qcdToken: terms.qcdToken,
    },
    policy,
    initAt: init.at,
    openedAt: env.wallClock(),
    peerAuthLifetime: terms.authLifetime,
    isPpkUsed: auth.isPpkUsed,
    isInitialContact: terms.isInitialContact,
    child: auth.child,
    childFailure: auth.childFailure,
  };
}
