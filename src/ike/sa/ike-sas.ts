// SPDX-License-Identifier: Apache-2.0
/** IKE SAs from openings, and from what another process has left. */
import { keep } from '../crypto/secret.js';
import type { OpenIkeSa } from '../open/types.js';
import type { PeerPolicy } from '../policy.js';
import type { IkeSa, IkeSaEvents, IkeSas, IkeSaState, SaEnvironment } from './api.js';
import { type ChildEntry, keyOf, limitsOf } from './child-entry.js';
import { IkeSaMachine } from './ike-sa.js';
import { Reauthentication } from './reauthentication.js';

export function createIkeSas(env: SaEnvironment, events: IkeSaEvents): IkeSas {
  return {
    take: (open) => {
      env.count('ike_sas_opened');
      return new IkeSaMachine(open, env, events).begin();
    },
    restore: (state, policy) => restore(state, policy, env, events),
  };
}

function restore(
  state: IkeSaState,
  policy: PeerPolicy,
  env: SaEnvironment,
  events: IkeSaEvents,
): IkeSa | 'reopen' {
  if (state.pending === 'exchange') return 'reopen';
  const { open, reauthenticateMs, reauthenticationReason } = state;
  const now = env.timers.now();
  const at = (ms: number | undefined): number | undefined => (ms === undefined ? ms : now + ms);
  const limits = {
    ...limitsOf(env, policy.lifetimes),
    ...{ softAt: at(state.rekeyMs), hardAt: at(state.hardMs) },
  };
  const opened = { ...open, policy, child: undefined, skD: keep(state.skD) };
  const sa = new IkeSaMachine({ ...opened, channel: channelOf(state, policy, env) }, env, events);
  const dueAt = at(reauthenticateMs);
  const plan =
    dueAt === undefined || reauthenticationReason === undefined
      ? undefined
      : { at: dueAt, reason: reauthenticationReason };
  const reauthentication = new Reauthentication(
    plan,
    state.wasReauthenticationAsked,
    at(state.unauthenticatedMs),
  );
  sa.limits = limits;
  return sa.resume(reauthentication, entriesOf(state, env));
}

function channelOf(
  { open, channel, ownWindow }: IkeSaState,
  { retransmission }: PeerPolicy,
  env: SaEnvironment,
): OpenIkeSa['channel'] {
  const { role, initiatorSpi, responderSpi, path } = open;
  const restored = env.restoreChannel(
    {
      ...{ env, role, initiatorSpi, responderSpi, path, retransmission, send: env.send },
      onRequest: () => {
        throw new TypeError('a request before the IKE SA took its channel over');
      },
    },
    channel,
  );
  restored.ownWindow = ownWindow;
  return restored;
}

function entriesOf({ children }: IkeSaState, env: SaEnvironment): ChildEntry[] {
  const now = env.timers.now();
  const at = (ms: number | undefined): number | undefined => (ms === undefined ? ms : now + ms);
  const entries = children.map(({ child, softMs, hardMs, ...rest }): ChildEntry => ({
    ...{ child, ...rest, key: keyOf(child.policy.service, child.resource) },
    // Who was about to move its traffic does so now; the peer has had time.
    ...{ isConfirmed: rest.isActive, confirmAt: now, successor: undefined, createdMs: now },
    ...{ since: now, failures: 0, retryAt: 0 },
    limits: {
      ...limitsOf(env, child.policy.lifetimes),
      ...{ softAt: at(softMs), hardAt: at(hardMs) },
    },
  }));
  for (const [i, { replacedBy }] of children.entries()) {
    const entry = entries[i];
    if (entry === undefined) continue;
    entry.successor = entries.find(({ child }) => child.inboundSpi === replacedBy);
  }
  return entries;
}
