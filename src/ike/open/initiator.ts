// SPDX-License-Identifier: Apache-2.0
/** Opening an IKE SA as initiator: the exchanges one after the other. */
import type { ChildAgreement } from '../child/api.js';
import { isNatBetween } from '../exchange/ike-auth.js';
import { initiateAuth } from '../exchange/ike-auth-initiator.js';
import { initiateIntermediates } from '../exchange/ike-intermediate-initiator.js';
import type { InitDone } from '../exchange/ike-sa-init.js';
import { initiateInit } from '../exchange/ike-sa-init-initiator.js';
import { bad, good, type Outcome } from '../types.js';
import type { OpenContext } from './context.js';
import { floated } from './nat-detection.js';
import { begin, openedOf } from './opening.js';
import type { OpenEnvironment, OpeningIkeSa, OpenIkeSa, OpenRequest } from './types.js';

/** Begins at once. When `signal` is aborted it ends as by `close`. */
export function openAsInitiator(
  env: OpenEnvironment,
  request: OpenRequest,
  agreement: ChildAgreement,
  signal?: AbortSignal,
): OpeningIkeSa {
  const { path, policy, initiatorSpi } = request;
  const options = { role: 'initiator', initiatorSpi, responderSpi: 0n, path, policy } as const;
  const opening = begin(env, agreement, options, ({ context }) => open(context, request));
  if (signal === undefined) return opening;
  signal.addEventListener('abort', opening.close, { once: true });
  void opening.result.then(() => {
    signal.removeEventListener('abort', opening.close);
  });
  if (signal.aborted) opening.close();
  return opening;
}

async function open(context: OpenContext, request: OpenRequest): Promise<Outcome<OpenIkeSa>> {
  const admitted = context.env.authenticator.admits(context.addresses);
  if (!admitted.ok) return admitted;
  const init = await initiateInit(context, request.initiatorSpi);
  if (!init.ok) return init;
  try {
    return await authenticate(context, request, init.value);
  } finally {
    init.value.keys.wipe();
  }
}

async function authenticate(
  context: OpenContext,
  request: OpenRequest,
  init: InitDone,
): Promise<Outcome<OpenIkeSa>> {
  const { env, channel, policy } = context;
  if (isNatBetween(init)) {
    if (policy.nat === 'refuse') {
      env.count('nat_refused');
      return bad('POLICY', 'us', 'a NAT is between, which the policy forbids');
    }
    channel.path = floated(channel.path);
  }
  if (init.said.fragmentation) channel.fragmentBytes = policy.fragmentBytes;
  channel.protect(init.keys.channelKeys('initiator'));
  const before = await initiateIntermediates(context, init);
  if (!before.ok) return before;
  const auth = await initiateAuth(context, init, before.value, request);
  if (!auth.ok) return auth;
  const { initiatorSpi } = request;
  return good(openedOf(context, init, auth.value, { role: 'initiator', initiatorSpi }));
}
