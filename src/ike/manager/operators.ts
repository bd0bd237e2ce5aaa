// SPDX-License-Identifier: Apache-2.0
/** What operators ask: rows, and IKE SAs opened, closed, rekeyed at their word. */
import type { IkeSa } from '../sa/api.js';
import { bad, good, type Outcome } from '../types.js';
import type { IkeSaRow, IkeSelection } from './api.js';
import type { Core } from './core.js';
import { isUsable } from './duplicates.js';
import type { Entry, OpeningEntry } from './tables.js';

/** A command on many is done a slice at a time. */
const AT_ONCE = 64;
/** A listing that is not gone on with for so long begins anew. */
const LISTING_MS = 60_000;

const isSame = (a: Uint8Array, b: Uint8Array | undefined): boolean =>
  b === undefined || Buffer.compare(a, b) === 0;

function isMeant(sa: IkeSa, { local, remote, service, spi }: IkeSelection): boolean {
  const { path, initiatorSpi } = sa.open;
  if (!isSame(path.local.address, local) || !isSame(path.remote.address, remote)) return false;
  const children = sa.children;
  if (service !== undefined && !children.some(({ policy }) => policy.service === service)) {
    return false;
  }
  if (spi === undefined || initiatorSpi === spi) return true;
  return children.some(({ inboundSpi }) => BigInt(inboundSpi) === spi);
}

const isChildMeant = (
  { inboundSpi, policy }: IkeSa['children'][number],
  { initiatorSpi }: IkeSa['open'],
  { service, spi }: IkeSelection,
): boolean =>
  (service === undefined || policy.service === service) &&
  (spi === undefined || spi === initiatorSpi || spi === BigInt(inboundSpi));

/** A row of one that is on its way. */
function openingRow({ opening, role, local, remote }: OpeningEntry, now: number): IkeSaRow {
  const { path } = opening.channel;
  return {
    ...{ initiatorSpi: opening.initiatorSpi, responderSpi: opening.responderSpi, role },
    ...{ state: 'opening', local, remote, sp: '', identity: '', authentication: '', suite: '' },
    ...{ localPort: path.local.port, remotePort: path.remote.port },
    ...{ keyExchanges: [], isPpkUsed: false, openedAt: 0, rekeyAt: undefined },
    ...{ reauthAt: undefined, lastHeardMs: now - opening.channel.lastHeard, children: [] },
  };
}

export class Operators {
  readonly #core: Core;
  /** What the pages of one listing are of: our SPIs, in the order of the initiator's. */
  #listing: { readonly keys: readonly (readonly [bigint, bigint])[]; readonly at: number };

  constructor(core: Core) {
    this.#core = core;
    this.#listing = { keys: [], at: -Infinity };
  }

  rows(after: bigint | undefined, most: number): readonly IkeSaRow[] {
    const { timers } = this.#core.env;
    if (after === undefined || timers.now() - this.#listing.at > LISTING_MS) this.#list();
    const { keys } = this.#listing;
    const rows: IkeSaRow[] = [];
    for (let at = after === undefined ? 0 : this.#firstAfter(after); at < keys.length; at++) {
      if (rows.length >= most) break;
      const entry = this.#core.tables.find(keys[at]?.[1] ?? 0n);
      if (entry?.kind === 'opening') rows.push(openingRow(entry, timers.now()));
      else if (entry !== undefined && entry.sa.phase !== 'closed') rows.push(entry.sa.row());
    }
    return rows;
  }

  async initiate({ local, remote, service }: IkeSelection): Promise<Outcome<number>> {
    if (local !== undefined && remote !== undefined) {
      if (this.#core.policyOf(remote) === undefined) {
        return bad('POLICY', 'us', 'no rule allows this peer');
      }
      const outcome = await this.#core.peer(local.slice(), remote.slice()).initiate(service);
      return outcome.ok ? good(1) : outcome;
    }
    const peers = [...this.#core.peers.values()].filter(
      (peer) =>
        isSame(peer.local, local) &&
        isSame(peer.remote, remote) &&
        (service === undefined || [...peer.services].includes(service)),
    );
    return this.#each(peers, async (peer) => {
      const outcome = await peer.initiate(service);
      return outcome.ok ? good(1) : outcome;
    });
  }

  terminate(selection: IkeSelection): Promise<Outcome<number>> {
    return this.#each(this.#meant(selection), async (sa) => {
      const { service, spi } = selection;
      if (service === undefined && (spi === undefined || spi === sa.open.initiatorSpi)) {
        await sa.close('an operator wants it');
        return good(1);
      }
      return this.#children(sa, selection, (inboundSpi) => sa.closeChild(inboundSpi));
    });
  }

  rekey(selection: IkeSelection, what: 'ike' | 'child'): Promise<Outcome<number>> {
    return this.#each(this.#meant(selection), async (sa) => {
      if (what === 'child') {
        return this.#children(sa, selection, (inboundSpi) => sa.rekeyChild(inboundSpi));
      }
      const outcome = await sa.rekeyIke();
      return outcome.ok ? good(1) : outcome;
    });
  }

  async #children(
    sa: IkeSa,
    selection: IkeSelection,
    act: (inboundSpi: number) => Promise<Outcome<unknown>>,
  ): Promise<Outcome<number>> {
    const meant = sa.children.filter((child) => isChildMeant(child, sa.open, selection));
    return this.#each(meant, async ({ inboundSpi }) => {
      const outcome = await act(inboundSpi);
      return outcome.ok ? good(1) : outcome;
    });
  }

  #meant(selection: IkeSelection): IkeSa[] {
    const { local, remote } = selection;
    const all =
      local !== undefined && remote !== undefined
        ? (this.#core.peerIfAny(local, remote)?.sas.keys() ?? [])
        : this.#core.tables.sas();
    return [...all].filter((sa) => isUsable(sa) && isMeant(sa, selection));
  }

  /** The sum of what went well; the first failure when nothing did. */
  async #each<T>(
    all: readonly T[],
    act: (one: T) => Promise<Outcome<number>>,
  ): Promise<Outcome<number>> {
    let sum = 0;
    let failed: Outcome<number> | undefined;
    for (let at = 0; at < all.length; at += AT_ONCE) {
      for (const outcome of await Promise.all(all.slice(at, at + AT_ONCE).map(act))) {
        if (outcome.ok) sum += outcome.value;
        else failed ??= outcome;
      }
    }
    return sum === 0 && failed !== undefined ? failed : good(sum);
  }

  #list(): void {
    const spiOf = (entry: Entry): bigint =>
      entry.kind === 'sa' ? entry.sa.open.initiatorSpi : entry.opening.initiatorSpi;
    const keys = [...this.#core.tables.entries()].map(
      ([own, entry]) => [spiOf(entry), own] as const,
    );
    keys.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
    this.#listing = { keys, at: this.#core.env.timers.now() };
  }

  #firstAfter(after: bigint): number {
    const { keys } = this.#listing;
    let [low, high] = [0, keys.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((keys[middle]?.[0] ?? 0n) <= after) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
