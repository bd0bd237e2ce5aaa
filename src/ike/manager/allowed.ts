// SPDX-License-Identifier: Apache-2.0
/** Whether rules that came later would have allowed an IKE SA. */
import { KE_METHODS } from '../crypto/algorithms.js';
import type { IkeProposal } from '../negotiation/types.js';
import { KE_NONE } from '../negotiation/types.js';
import type { OpenIkeSa } from '../open/types.js';
import type { PeerPolicy } from '../policy.js';

type Judged = Pick<OpenIkeSa, 'suite' | 'keyExchanges' | 'identity' | 'features' | 'isPpkUsed'>;

const nameOf = (method: keyof typeof KE_METHODS | typeof KE_NONE): string =>
  method === KE_NONE ? '' : KE_METHODS[method].name;

/** One of the proposals has all that was chosen, and does not insist on more. */
function fits(proposal: IkeProposal, { suite, keyExchanges }: Judged): boolean {
  const { ciphers, prfs, integrity, ke, additional } = proposal;
  const cipher = ciphers.some(
    ({ id, keyBits }) => id === suite.cipher.id && keyBits === suite.cipher.keyBits,
  );
  const mac = !('integrity' in suite) || integrity.some(({ id }) => id === suite.integrity.id);
  if (!cipher || !mac || !prfs.some(({ id }) => id === suite.prf.id)) return false;
  const [first, ...others] = keyExchanges;
  if (!ke.some((method) => nameOf(method) === first)) return false;
  let at = 0;
  for (const methods of additional) {
    const name = others[at];
    if (name !== undefined && methods.some((method) => nameOf(method) === name)) at++;
    else if (!methods.includes(KE_NONE)) return false;
  }
  return at === others.length;
}

export function isAllowed(policy: PeerPolicy, open: Judged): boolean {
  const { identity, features, isPpkUsed } = open;
  if (identity.sp !== policy.sp || (policy.ppk?.required === true && !isPpkUsed)) return false;
  if (policy.nat === 'refuse' && (features.natLocal || features.natRemote)) return false;
  return policy.proposals.some((proposal) => fits(proposal, open));
}
