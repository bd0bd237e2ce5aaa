// SPDX-License-Identifier: Apache-2.0
/**
 * IKE's child SAs in the tables: one row per direction, both named "ike/SERVICE/REMOTE@INBOUND-SPI", so that a
 * restarted supervisor finds the pair again.
 *
 *   install    both rows → worker expands the keys → inbound reachable by its SPI
 *   activate   the tunnel's next hop, or BGP's host policy, gets the new outbound SA: one store, nothing is lost
 *   remove     another pair or none becomes the tunnel's or BGP's; then the outbound row goes, after `graceMs` the inbound
 *
 * Keys come fresh with each child SA and stay in their row for its life (policy-model 22); the ledger of manual
 * keys has no part in it.
 */
import type { ChildInstall, ChildSink, ChildUsage, ProbeSeen } from '../ike/child/types.js';
import { bad, good, type Outcome, type Timers } from '../ike/types.js';
import type { SaRow, Tables } from '../forwarding/addon/api.js';
import { usesIke, type TunnelModel } from '../forwarding/model.js';
import { formatAddress } from '../lib/ip.js';
import type { Logger } from '../lib/log.js';
import { messageOf, oneLine } from './errors.js';
import type { SealedBy } from '../forwarding/overlay.js';
import {
  bgpKey,
  inboundRow,
  outboundRow,
  overheadOf,
  pairKeys,
  refusal,
  tunnelSaKey,
} from './ike-sa-row.js';
import { ActivePairs } from './ike-active-pairs.js';
import { foundPairs, isIkeRow, type Found, type Pair } from './ike-sa-pairs.js';
import { RowQuota } from './row-quota.js';
import type { SaRows } from './sa-rows.js';
import { SpiPool } from './spi-pool.js';

/**
 * Rows from before a restart that no IKE SA has claimed go after this. By then there are new ones: IKE keeps the
 * child SAs of IKE SAs that it could not go on with no longer than so.
 */
const UNCLAIMED_MS = 600_000;
/** Inbound rows that were in their grace time when a supervisor died. */
const HALVES_MS = 30_000;

export interface IkeSasDeps {
  readonly tables: Tables;
  readonly rows: SaRows;
  /** Secured label table of an SP; undefined: it is not configured. */
  readonly spTable: (sp: string) => number | undefined;
  /** Has the worker install rows; resolves when it has, however long it is away meanwhile, or rejects. */
  readonly installer: (out: readonly number[], inbound: readonly number[]) => Promise<void>;
  /**
   * Brings what finds its SA by these keys ({@link pairKeys}) to {@link ChildSas.current} and
   * {@link ChildSas.currentBgp}; resolves when packets leave that way.
   */
  readonly publish: (keys: readonly string[]) => Promise<void>;
  readonly timers: Timers;
  readonly log: Logger;
  /** So many unpredictable octets. */
  readonly random: (length: number) => Uint8Array;
  /** Told of every child SA with its keys, for Wireshark; only with --debug-keys. */
  readonly debugKeys?: (child: ChildInstall) => void;
}

export class ChildSas implements ChildSink {
  readonly #deps: IkeSasDeps;
  readonly #spis: SpiPool;
  readonly #pairs = new Map<number, Pair>();
  readonly #quota = new RowQuota();
  readonly #active = new ActivePairs();
  readonly #cancel = new Map<Pair, () => void>();
  /** Outbound rows on their way out. */
  readonly #removing = new Set<Promise<void>>();
  #halves: Found['halves'];
  /** Take back the timers of the constructor. */
  readonly #atStart: readonly (() => void)[];
  /** Resolves when all changes of next hops that were asked for are made. */
  #published: Promise<void> = Promise.resolve();

  constructor(deps: IkeSasDeps) {
    this.#deps = deps;
    const { tables, timers } = deps;
    this.#spis = new SpiPool({ random: deps.random, now: () => timers.now() });
    for (const { spi } of tables.sas('in')) this.#spis.take(spi);
    const { pairs, halves } = foundPairs(tables);
    for (const pair of pairs) {
      this.#enter(pair);
      if (pair.inUse) this.#active.push(pair);
    }
    for (const pair of pairs) if (this.#active.isCurrent(pair)) this.#share(pair);
    this.#halves = halves;
    const after = (ms: number, run: () => void): (() => void)[] =>
      pairs.length + halves.length === 0 ? [] : [timers.after(ms, run)];
    this.#atStart = [
      ...after(HALVES_MS, () => {
        this.#dropHalves();
      }),
      ...after(UNCLAIMED_MS, () => {
        this.#retireUnclaimed();
      }),
    ];
  }

  /** Whether a row belongs here. */
  static owns(name: string): boolean {
    return isIkeRow(name);
  }

  allocateSpi(): number {
    return this.#spis.allocate();
  }

  releaseSpi(spi: number): void {
    if (!this.#pairs.has(spi)) this.#spis.release(spi);
  }

  async install(child: ChildInstall): Promise<Outcome<void>> {
    const { tables, spTable, log } = this.#deps;
    const table = spTable(child.peer.sp);
    const why = table === undefined ? `SP ${child.peer.sp} is not configured` : refusal(child);
    if (why !== undefined || table === undefined) return bad('INTERNAL', 'us', why ?? '');
    const remote = formatAddress(child.path.remote.address);
    if (!this.#quota.has(remote)) {
      return bad('BUSY', 'us', `${remote} has ${this.#quota.of(remote)} child SAs here`);
    }
    const inbound = inboundRow(child, table);
    const outbound = outboundRow(child);
    this.#spis.take(child.inboundSpi);
    try {
      const ids = this.#write(inbound, outbound, child);
      this.#deps.debugKeys?.(child);
      await this.#deps.installer([ids.out], [ids.in]);
      if (!this.#pairs.has(child.inboundSpi)) return bad('CLOSED', 'us', 'removed meanwhile');
      tables.activateSa(ids.in);
      return good(undefined);
    } catch (error) {
      log.error('an SA could not be installed', { sa: inbound.name, why: oneLine(error) });
      this.#forget(child.inboundSpi, inbound.name);
      return bad('INTERNAL', 'us', messageOf(error));
    }
  }

  #write(inbound: SaRow, outbound: SaRow, child: ChildInstall): { in: number; out: number } {
    const { rows } = this.#deps;
    const inKeys = keying(child.inboundKeys);
    const outKeys = keying(child.outboundKeys);
    try {
      const ids = { in: rows.add('in', inbound, inKeys), out: rows.add('out', outbound, outKeys) };
      this.#enter({
        ...{ name: inbound.name, keys: pairKeys(outbound), esp: overheadOf(outbound) },
        remote: formatAddress(outbound.destination),
        ...{ inboundSpi: child.inboundSpi, outboundSpi: child.outboundSpi },
        resource: child.resource,
        ...{ inUse: false, isClaimed: true, isGoing: false },
      });
      return ids;
    } finally {
      inKeys.fill(0);
      outKeys.fill(0);
    }
  }

  #enter(pair: Pair): void {
    this.#pairs.set(pair.inboundSpi, pair);
    this.#quota.take(pair.remote);
  }

  #leave(inboundSpi: number): void {
    const pair = this.#pairs.get(inboundSpi);
    this.#spis.release(inboundSpi);
    if (pair === undefined) return;
    this.#pairs.delete(inboundSpi);
    this.#quota.give(pair.remote);
  }

  async activate(inboundSpi: number): Promise<void> {
    const pair = this.#pairs.get(inboundSpi);
    if (pair === undefined || pair.isGoing) return;
    this.#active.push(pair);
    this.#share(pair);
    if (this.#active.isCurrent(pair)) await this.#publish(pair);
  }

  /** Each packet thread sends by the SA of its own that there is now beside the one of the next hops (RFC 9611). */
  #share({ keys }: Pair): void {
    const { rows, log } = this.#deps;
    for (const key of keys) {
      const [primary, ...others] = this.#active.inUse(key);
      if (primary === undefined) continue;
      try {
        rows.share(
          primary.name,
          others.map(({ name }) => name),
        );
      } catch (error) {
        log.error('an SA stays that of one packet thread', {
          ...{ sa: primary.name, why: oneLine(error) },
        });
      }
    }
  }

  async #publish({ keys }: Pair): Promise<void> {
    const { publish, log } = this.#deps;
    const done = publish(keys).catch((error: unknown) => {
      log.error('next hops could not follow their SAs', { why: oneLine(error) });
    });
    this.#published = Promise.all([this.#published, done]).then(() => undefined);
    return done;
  }

  remove(inboundSpi: number, graceMs: number): void {
    const pair = this.#pairs.get(inboundSpi);
    if (pair === undefined || pair.isGoing) return;
    pair.isGoing = true;
    const { timers } = this.#deps;
    const gone = this.#removeOutbound(pair).finally(() => this.#removing.delete(gone));
    this.#removing.add(gone);
    if (graceMs <= 0) {
      this.#removeInbound(pair);
      return;
    }
    const later = timers.after(graceMs, () => {
      this.#removeInbound(pair);
    });
    this.#cancel.set(pair, later);
  }

  /** First no next hop leads to it any more. */
  async #removeOutbound(pair: Pair): Promise<void> {
    const wasCurrent = this.#active.isCurrent(pair);
    this.#active.delete(pair);
    this.#share(pair);
    if (wasCurrent) await this.#publish(pair);
    else await this.#published;
    this.#drop('out', pair.name);
  }

  #removeInbound(pair: Pair): void {
    this.#cancel.delete(pair);
    this.#drop('in', pair.name);
    this.#leave(pair.inboundSpi);
  }

  #drop(direction: 'in' | 'out', name: string): void {
    try {
      this.#deps.rows.remove(direction, name);
    } catch (error) {
      this.#deps.log.error('an SA row stays', { sa: name, direction, why: oneLine(error) });
    }
  }

  #forget(inboundSpi: number, name: string): void {
    this.#drop('out', name);
    this.#drop('in', name);
    this.#leave(inboundSpi);
  }

  usage(inboundSpi: number): ChildUsage | undefined {
    const pair = this.#pairs.get(inboundSpi);
    const inbound = pair && this.#deps.rows.state('in', pair.name);
    const outbound = pair && this.#deps.rows.state('out', pair.name);
    if (inbound === undefined && outbound === undefined) return undefined;
    return {
      ...{ inboundPackets: inbound?.packets ?? 0n, inboundBytes: inbound?.bytes ?? 0n },
      ...{ outboundPackets: outbound?.packets ?? 0n, outboundBytes: outbound?.bytes ?? 0n },
    };
  }

  probeSeen(inboundSpi: number): ProbeSeen | undefined {
    const pair = this.#pairs.get(inboundSpi);
    const state = pair && this.#deps.rows.state('in', pair.name);
    return state && { round: state.probeRound, bytes: state.probeBytes };
  }

  adopt(inboundSpi: number): boolean {
    const pair = this.#pairs.get(inboundSpi);
    if (pair === undefined || pair.isGoing) return false;
    pair.isClaimed = true;
    if (!pair.inUse) {
      this.#active.standBy(pair);
      this.#share(pair);
      void this.#publish(pair);
    }
    return true;
  }

  #dropHalves(): void {
    for (const { direction, name } of this.#halves) this.#drop(direction, name);
    this.#halves = [];
  }

  #retireUnclaimed(): void {
    for (const pair of [...this.#pairs.values()]) {
      if (pair.isClaimed) continue;
      this.#deps.log.notice('an SA that no IKE SA goes on with ends', { sa: pair.name });
      this.remove(pair.inboundSpi, 0);
    }
  }

  /** Outbound SA of a tunnel now; undefined: it has none, or none by IKE. */
  current(tunnel: TunnelModel): SealedBy | undefined {
    if (!usesIke(tunnel)) return undefined;
    const pair = this.#active.current(tunnelSaKey(tunnel));
    return pair && { row: pair.name, spi: pair.outboundSpi, esp: pair.esp };
  }

  /** Names of the outbound rows that BGP between two addresses leaves by now, by the side of port 179. */
  currentBgp(
    source: Uint8Array,
    destination: Uint8Array,
  ): { readonly toPort: string | undefined; readonly fromPort: string | undefined } {
    const ends = { source, destination };
    return {
      toPort: this.#active.current(bgpKey(ends, 'to-port'))?.name,
      fromPort: this.#active.current(bgpKey(ends, 'from-port'))?.name,
    };
  }

  /** Row names with the service and the peer they are for. */
  *names(): Generator<{ readonly name: string; readonly inUse: boolean }> {
    for (const pair of this.#pairs.values()) {
      yield { name: pair.name, inUse: this.#active.isInUse(pair) };
    }
  }

  /** Everything goes at once, without grace time, also what nobody has claimed; resolves when it is gone. */
  async end(): Promise<void> {
    for (const { inboundSpi } of [...this.#pairs.values()]) this.remove(inboundSpi, 0);
    for (const [pair, cancel] of [...this.#cancel]) {
      cancel();
      this.#removeInbound(pair);
    }
    await Promise.all([...this.#removing]);
    this.#dropHalves();
  }

  /** Ends timers; rows stay as they are. */
  close(): void {
    for (const cancel of this.#atStart) cancel();
    for (const cancel of this.#cancel.values()) cancel();
    this.#cancel.clear();
  }
}

/** Keys and salt, as KEYMAT has them (RFC 7296 §2.17, RFC 4106 §8.1, RFC 4543 §8.1). Wiped by the caller. */
function keying({ encryption, integrity }: ChildInstall['inboundKeys']): Uint8Array {
  const all = new Uint8Array(encryption.length + integrity.length);
  all.set(encryption);
  all.set(integrity, encryption.length);
  return all;
}
