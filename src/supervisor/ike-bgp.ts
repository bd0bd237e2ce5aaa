// SPDX-License-Identifier: Apache-2.0
/** The SAs that BGP sessions want of IKE, ahead of their first segment, and how it stands with them. */
import type { ProtectedPair } from '../config/bgp/protect.js';
import type { IkeManager, WantedState } from '../ike/manager/api.js';
import { BGP_SERVICE } from '../ike/policy-compile.js';
import type { IkePolicy } from '../ike/policy.js';
import { parseAddress } from '../lib/ip.js';

interface Want {
  end: () => void;
  state: WantedState;
}

export class IkeBgp {
  #wants = new Map<string, Want>();

  /** From now on exactly these pairs want SAs; those that stay keep theirs. */
  apply(
    pairs: readonly ProtectedPair[],
    manager: Pick<IkeManager, 'want'>,
    policy: IkePolicy,
  ): void {
    const before = this.#wants;
    this.#wants = new Map();
    for (const pair of pairs) {
      const want = wanted(pair, manager, policy, before.get(keyOf(pair)));
      if (want !== undefined) this.#wants.set(keyOf(pair), want);
    }
    // Afterwards, so that an SA that is still wanted never has nobody who wants it.
    for (const { end } of before.values()) end();
  }

  /** Why a session cannot be protected now, in words; `isUp`: what it needs is in the tables. */
  show(pair: Pick<ProtectedPair, 'local' | 'remote'>, isUp: boolean): string {
    if (isUp) return 'up';
    const state = this.#wants.get(keyOf(pair))?.state;
    if (state === undefined) return 'IKE has not started yet';
    return state.state === 'failed' ? `failed: ${state.why}` : 'pending';
  }

  clear(): void {
    for (const { end } of this.#wants.values()) end();
    this.#wants.clear();
  }
}

const keyOf = ({ local, remote }: Pick<ProtectedPair, 'local' | 'remote'>): string =>
  `${local} ${remote}`;

/** undefined: no rule of IKE allows it, which the check of the configuration has refused. */
function wanted(
  pair: ProtectedPair,
  manager: Pick<IkeManager, 'want'>,
  policy: IkePolicy,
  before: Want | undefined,
): Want | undefined {
  const local = parseAddress(pair.local);
  const remote = parseAddress(pair.remote);
  if (local === undefined || remote === undefined) return undefined;
  const children = policy.forPeer(remote)?.children(local, remote) ?? [];
  const child = children.find(({ service }) => service === BGP_SERVICE);
  if (child === undefined) return undefined;
  const want: Want = { state: before?.state ?? { state: 'pending' }, end: () => undefined };
  want.end = manager.want({ local, remote, policy: child }, (state) => {
    want.state = state;
  });
  return want;
}
