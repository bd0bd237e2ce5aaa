// SPDX-License-Identifier: Apache-2.0
/**
 * Which child SAs the tunnels of the configuration want, ahead of any packet, and how it stands with them
 * (policy-model 8, 11). Tunnels that differ in nothing that an SA knows share one.
 */
import type { Wanted, IkeManager, WantedState } from '../ike/manager/api.js';
import type { IkePolicy } from '../ike/policy.js';
import { usesIke, type TunnelModel } from '../forwarding/model.js';
import type { TunnelSa } from '../forwarding/overlay.js';
import { formatAddress } from '../lib/ip.js';
import { tunnelSaKey } from './ike-sa-row.js';
import type { ChildSas } from './ike-sas.js';

type Manager = Pick<IkeManager, 'want' | 'hurry'>;

export interface IkeTunnelsDeps {
  readonly sas: Pick<ChildSas, 'current'>;
  /** {@link IkeTunnels.states} says something else now of the tunnels that share an SA, by its key. */
  readonly changed: (key: string) => void;
}

interface Want {
  readonly wanted: Wanted;
  readonly end: () => void;
  state: WantedState;
}

export class IkeTunnels {
  readonly #deps: IkeTunnelsDeps;
  #ike: { readonly manager: Manager; readonly policy: IkePolicy } | undefined;
  #wants = new Map<string, Want>();
  /** Keys of those that no rule is for. */
  #ruleless = new Set<string>();

  constructor(deps: IkeTunnelsDeps) {
    this.#deps = deps;
  }

  /**
   * From now on exactly these tunnels want SAs; those that stay keep theirs. IKE is asked of those alone that are new,
   * or have new rules.
   */
  apply(tunnels: Iterable<TunnelModel>, manager: Manager, policy: IkePolicy): void {
    const same = this.#ike?.manager === manager && this.#ike.policy === policy;
    this.#ike = { manager, policy };
    const before = this.#wants;
    const ruleless = same ? this.#ruleless : new Set<string>();
    this.#wants = new Map();
    this.#ruleless = new Set();
    for (const tunnel of tunnels) {
      const key = tunnelSaKey(tunnel);
      if (!usesIke(tunnel) || this.#wants.has(key)) continue;
      const known = before.get(key);
      if (same && known !== undefined) {
        before.delete(key);
        this.#wants.set(key, known);
        continue;
      }
      const wanted = ruleless.has(key) ? undefined : this.#wanted(tunnel);
      if (wanted !== undefined) this.#wants.set(key, this.#want(manager, key, wanted, known));
      else this.#ruleless.add(key);
      // Nobody will ever say anything of it, and it may have been otherwise before.
      if (wanted === undefined && !ruleless.has(key)) this.#deps.changed(key);
    }
    // Afterwards, so that an SA that is still wanted never has nobody who wants it.
    for (const { end } of before.values()) end();
  }

  #want(manager: Manager, key: string, wanted: Wanted, before: Want | undefined): Want {
    const want: { -readonly [K in keyof Want]: Want[K] } = {
      wanted,
      state: before?.state ?? { state: 'pending' },
      end: () => undefined,
    };
    want.end = manager.want(wanted, (state) => {
      want.state = state;
      this.#deps.changed(key);
    });
    return want;
  }

  #wanted({ local, remote, ...tunnel }: TunnelModel): Wanted | undefined {
    const service = serviceOf(tunnel);
    const children = this.#ike?.policy.forPeer(remote)?.children(local, remote) ?? [];
    const policy = children.find((one) => one.service === service);
    return policy && { local, remote, policy };
  }

  /** IKE has ended: nothing is wanted of it any more. */
  clear(): void {
    this.#ike = undefined;
    const before = [...this.#wants];
    this.#wants.clear();
    this.#ruleless.clear();
    for (const [key, { end }] of before) {
      end();
      this.#deps.changed(key);
    }
  }

  states(tunnels: Iterable<TunnelModel>): ReadonlyMap<string, TunnelSa> {
    const states = new Map<string, TunnelSa>();
    for (const tunnel of tunnels) {
      if (usesIke(tunnel)) states.set(tunnel.name, this.#state(tunnel));
    }
    return states;
  }

  /** What carries packets counts, whatever IKE is doing meanwhile. */
  #state(tunnel: TunnelModel): TunnelSa {
    const current = this.#deps.sas.current(tunnel);
    if (current !== undefined) return { state: 'up', ...current };
    if (this.#ike === undefined) return { state: 'untried', why: 'IKE has not started yet' };
    const state = this.#wants.get(tunnelSaKey(tunnel))?.state;
    const remote = formatAddress(tunnel.remote);
    if (state === undefined) {
      const why = `no rule of ike allows ${serviceOf(tunnel)} with ${remote}`;
      return { state: 'failed', why };
    }
    if (state.state === 'failed') return { state: 'failed', why: `IKE: ${state.why}` };
    return { state: 'pending', why: `IKE sets up an SA with ${remote}` };
  }

  hurry(tunnel: TunnelModel): void {
    if (!usesIke(tunnel) || !this.#wants.has(tunnelSaKey(tunnel))) return;
    this.#ike?.manager.hurry(tunnel.local, tunnel.remote, serviceOf(tunnel));
  }
}

/** Name of the child SAs' policy (policy-model 16). */
const serviceOf = ({
  protection,
  encapsulation,
}: Pick<TunnelModel, 'protection' | 'encapsulation'>): string => `${protection}/${encapsulation}`;
