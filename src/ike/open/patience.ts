// SPDX-License-Identifier: Apache-2.0
/**
 * When the threads of the cryptography have no room: peers that come back by the thousand wait for their turn, rather
 * than being refused and coming again.
 */
import type { AuthInput, PeerAuthHints, PeerIdentity } from '../auth/api.js';
import type { Payload } from '../codec/payload.js';
import type { KeMethodId } from '../crypto/algorithms.js';
import type { Answer, Offer } from '../crypto/groups.js';
import { join, wipe } from '../crypto/secret.js';
import type { Result } from '../crypto/result.js';
import type { Outcome } from '../types.js';
import { isOver, type OpenContext } from './context.js';

const WAIT_MS = 100;
/** Ten seconds: longer than a queue takes, shorter than a peer retransmits. */
const MOST_WAITS = 100;

/** Runs again and again while `isBusy`; gives the last result. */
async function patiently<T>(
  { env, signal }: OpenContext,
  run: () => Promise<T>,
  isBusy: (result: T) => boolean,
): Promise<T> {
  let result = await run();
  for (let waits = 0; waits < MOST_WAITS && isBusy(result) && !isOver(signal); waits++) {
    await pause(env.timers, signal);
    if (!isOver(signal)) result = await run();
  }
  return result;
}

function pause(timers: OpenContext['env']['timers'], signal: OpenContext['signal']): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      cancel();
      signal.removeEventListener('abort', end);
      resolve();
    };
    const cancel = timers.after(WAIT_MS, end);
    signal.addEventListener('abort', end, { once: true });
  });
}

const isBusyResult = (result: Result<unknown>): boolean =>
  !result.ok && result.error.code === 'BUSY';
const isBusyOutcome = (outcome: Outcome<unknown>): boolean =>
  !outcome.ok && outcome.failure.code === 'BUSY';

export const startExchange = (context: OpenContext, method: KeMethodId): Promise<Result<Offer>> =>
  patiently(
    context,
    () => context.env.crypto.exchanges.start(method, context.signal),
    isBusyResult,
  );

/** Wipes `secret`. */
export async function finishExchange(
  context: OpenContext,
  method: KeMethodId,
  secret: Buffer,
  data: Uint8Array,
): Promise<Result<Buffer>> {
  // Each try takes a secret over.
  const { exchanges } = context.env.crypto;
  const finish = () => exchanges.finish(method, join(secret), data, context.signal);
  const shared = await patiently(context, finish, isBusyResult);
  wipe(secret);
  return shared;
}

export const respondExchange = (
  context: OpenContext,
  method: KeMethodId,
  data: Uint8Array,
): Promise<Result<Answer>> =>
  patiently(
    context,
    () => context.env.crypto.exchanges.respond(method, data, context.signal),
    isBusyResult,
  );

/** Authenticator.prove */
export const proveOurselves = (
  context: OpenContext,
  input: AuthInput,
  hints: PeerAuthHints,
): Promise<Outcome<readonly Payload[]>> =>
  patiently(
    context,
    () => context.env.authenticator.prove(context.addresses, input, hints),
    isBusyOutcome,
  );

/** Authenticator.verify */
export const verifyPeer = (
  context: OpenContext,
  input: AuthInput,
  payloads: readonly Payload[],
): Promise<Outcome<PeerIdentity>> =>
  patiently(
    context,
    () => context.env.authenticator.verify(context.addresses, input, payloads),
    isBusyOutcome,
  );
