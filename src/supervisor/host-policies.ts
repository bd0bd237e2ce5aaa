// SPDX-License-Identifier: Apache-2.0
/**
 * Host policies in the tables: whose BGP is inside an SA or not at all (policy-model 18). There is no instant in
 * which it may be in clear:
 *
 *   install   before BGP listens or connects: a row without an SA, which drops
 *   follow    the row gets the SAs that IKE has, loses those that go
 *   retire    after BGP has let go of the session, and its last segments are gone
 *
 * Rows outlive this process, and are found again by their addresses.
 */
import type { HostPolicy, Tables } from '../forwarding/addon/api.js';
import type { Timers } from '../ike/types.js';
import { formatAddress, parseAddress } from '../lib/ip.js';
import type { ProtectedPair } from '../config/bgp/protect.js';
import type { ChildSas } from './ike-sas.js';
import type { SaRows } from './sa-rows.js';

/** A session that was left may send so long what it had still to say; more than BGP's driver gives it. */
const LINGER_MS = 5_000;

export interface HostPoliciesDeps {
  readonly tables: Pick<
    Tables,
    'putHostPolicy' | 'setHostPolicySas' | 'removeHostPolicy' | 'hostPolicies'
  >;
  readonly rows: Pick<SaRows, 'id'>;
  readonly sas: () => Pick<ChildSas, 'currentBgp'>;
  readonly timers: Pick<Timers, 'after'>;
}

export const hostPolicyKey = (local: Uint8Array, remote: Uint8Array): string =>
  `${formatAddress(local)} ${formatAddress(remote)}`;

export class HostPolicies {
  readonly #deps: HostPoliciesDeps;
  readonly #live = new Map<string, HostPolicy>();
  readonly #leaving = new Map<string, () => void>();

  constructor(deps: HostPoliciesDeps) {
    this.#deps = deps;
    for (const row of deps.tables.hostPolicies()) {
      this.#live.set(hostPolicyKey(row.local, row.remote), row);
    }
  }

  /** From now on what these pairs say is protected or dropped; what others had to is still. */
  install(pairs: readonly ProtectedPair[]): void {
    for (const { local, remote } of ends(pairs)) {
      const key = hostPolicyKey(local, remote);
      this.#leaving.get(key)?.();
      this.#leaving.delete(key);
      if (this.#live.has(key)) continue;
      const id = this.#deps.tables.putHostPolicy({ local, remote });
      this.#live.set(key, { id, local, remote, toPort: 0, fromPort: 0 });
    }
    this.follow();
  }

  /** Brings the rows to the SAs in use. */
  follow(): void {
    for (const [key, live] of this.#live) this.#follow(key, live);
  }

  /** As {@link HostPolicies.follow}, of the rows with these {@link hostPolicyKey | keys}. */
  followOnly(keys: Iterable<string>): void {
    for (const key of keys) {
      const live = this.#live.get(key);
      if (live !== undefined) this.#follow(key, live);
    }
  }

  #follow(key: string, live: HostPolicy): void {
    const { tables, rows } = this.#deps;
    const idOf = (name: string | undefined): number =>
      name === undefined ? 0 : (rows.id('out', name) ?? 0);
    const current = this.#deps.sas().currentBgp(live.local, live.remote);
    const sas = { toPort: idOf(current.toPort), fromPort: idOf(current.fromPort) };
    if (sas.toPort === live.toPort && sas.fromPort === live.fromPort) return;
    tables.setHostPolicySas(live.id, sas);
    this.#live.set(key, { ...live, ...sas });
  }

  /** What only others than these pairs wanted goes, a while later. */
  retire(pairs: readonly ProtectedPair[]): void {
    const wanted = new Set(ends(pairs).map(({ local, remote }) => hostPolicyKey(local, remote)));
    for (const [key, { id }] of this.#live) {
      if (wanted.has(key) || this.#leaving.has(key)) continue;
      const cancel = this.#deps.timers.after(LINGER_MS, () => {
        this.#leaving.delete(key);
        this.#live.delete(key);
        this.#deps.tables.removeHostPolicy(id);
      });
      this.#leaving.set(key, cancel);
    }
  }

  /** undefined: nothing asks for protection between the two. */
  get(local: Uint8Array, remote: Uint8Array): HostPolicy | undefined {
    return this.#live.get(hostPolicyKey(local, remote));
  }

  /** Rows stay as they are. */
  close(): void {
    for (const cancel of this.#leaving.values()) cancel();
    this.#leaving.clear();
  }
}

/** Pairs of a checked configuration as addresses. */
function ends(
  pairs: readonly ProtectedPair[],
): { readonly local: Uint8Array; readonly remote: Uint8Array }[] {
  return pairs.flatMap((pair) => {
    const local = parseAddress(pair.local);
    const remote = parseAddress(pair.remote);
    return local === undefined || remote === undefined ? [] : [{ local, remote }];
  });
}
