// SPDX-License-Identifier: Apache-2.0
/**
 * Path MTU by probes (docs/adr/0032-path-mtu-probes.md): for each pair of tunnel addresses whose other end answers, dummy
 * packets of ESP of several sizes, and then, by IKE, the question how large the largest of them was that came.
 *
 *   SendProbes {round, sizes} ──> worker ── ESP, next header 59 ──> the other end's worker notes {round, largest}
 *   WAIT_MS later             ── INFORMATIONAL {SPI, round} ──────> its supervisor
 *                             <──────────────── {SPI, round, octets}
 *
 * A question or an answer that is lost is sent again by IKE, so nothing follows from it. Nothing is kept over a restart.
 */
import { DEFAULT_PROBE_INTERVAL_S, DEFAULT_PROBE_RAISE_S } from '../config/defaults.js';
import type { EspOverhead } from '../lib/esp-suites.js';
import { formatAddress } from '../lib/ip.js';
import type { Logger } from '../lib/log.js';
import { oneLine } from './errors.js';
import type { Ends } from './path-mtus.js';
import { PathSearch, type SearchRange, type SearchState } from './path-search.js';

/** A way that probes can be sent by now. */
export interface ProbePath {
  readonly ends: Ends;
  /** Rows: of the tunnel's next hop, and of its outbound SA. */
  readonly nexthop: number;
  readonly sa: number;
  readonly range: SearchRange;
  /** What came of a round: octets of the largest packet, 0: none. undefined: nobody says. */
  readonly ask: (round: number) => Promise<number | undefined>;
}

export interface ProbeSettings {
  /** Seconds between two looks at whether what passed still passes. */
  readonly interval: number;
  /** Seconds until it is tried whether the way has become wider. */
  readonly raise: number;
}

/** undefined: none are sent. */
export const probeSettings = (
  configured: { readonly interval?: number; readonly raise?: number } | undefined,
): ProbeSettings | undefined =>
  configured && {
    interval: configured.interval ?? DEFAULT_PROBE_INTERVAL_S,
    raise: configured.raise ?? DEFAULT_PROBE_RAISE_S,
  };

export interface ProbeCounters {
  readonly sent: number;
  readonly confirmed: number;
  readonly lost: number;
}
export interface ProbeRow extends ProbeCounters {
  readonly state: SearchState;
}

export interface PathProbesDeps {
  /** Milliseconds of a clock that is never set. */
  readonly now: () => number;
  readonly sleep: (ms: number) => Promise<void>;
  /** All there are, of each pair one. */
  readonly paths: () => Iterable<ProbePath>;
  readonly send: (path: ProbePath, round: number, sizes: readonly number[]) => Promise<void>;
  /** The largest outer packet that passes; undefined: as large as the interface says. */
  readonly found: (ends: Ends, mtu: number | undefined) => void;
  readonly log: Pick<Logger, 'notice' | 'warning'>;
}

/** What a probe may take longer than the question about it; doubled with each try. */
const WAIT_MS = 200;
/** Pairs that are probed at the same time: a hundred PEs that come at once do not fill a link. */
const AT_ONCE = 16;
/** A pair without SAs is forgotten after this. */
const GONE_MS = 60_000;
/** After a round that came to nothing for a reason that says nothing of the way. */
const AGAIN_MS = 5_000;

interface Pair {
  readonly ends: Ends;
  search: PathSearch;
  counters: { -readonly [K in keyof ProbeCounters]: number };
  path: ProbePath;
  /** As it was said last; undefined: all pass. */
  mtu: number | undefined;
  isBusy: boolean;
  dueAt: number;
  raiseAt: number;
  seenAt: number;
}

const keyOf = ({ local, remote }: Ends): string =>
  `${formatAddress(local)} ${formatAddress(remote)}`;

/** Sizes that packets of an SA can have, the largest of at most `mtu` octets. */
export function probeRange(
  floor: number,
  mtu: number,
  family: 4 | 6,
  esp: EspOverhead,
): SearchRange {
  // Outer IP, UDP, ESP, IV and ICV; in between is a multiple of the suite's blocks (RFC 4303 §2.4).
  const around = (family === 4 ? 20 : 40) + (esp.inUdp ? 8 : 0) + 8 + esp.iv + esp.icv;
  const largest = around + Math.floor((mtu - around) / esp.align) * esp.align;
  return { least: Math.min(floor, largest), largest, step: esp.align };
}

export class PathProbes {
  readonly #deps: PathProbesDeps;
  readonly #pairs = new Map<string, Pair>();
  #settings: ProbeSettings | undefined;
  #round: number;
  #busy = 0;

  /** `round`: of the first probe, unpredictable, so that none is taken for one of before a restart. */
  constructor(deps: PathProbesDeps, round: number) {
    this.#deps = deps;
    this.#round = round;
  }

  /** undefined: nothing is probed, and what was found is forgotten. */
  configure(settings: ProbeSettings | undefined): void {
    this.#settings = settings;
    if (settings !== undefined) return;
    for (const pair of [...this.#pairs.values()]) this.#forget(pair);
  }

  /** Nothing comes by itself any more. */
  close(): void {
    this.#settings = undefined;
    this.#pairs.clear();
  }

  row(ends: Ends): ProbeRow | undefined {
    const pair = this.#pairs.get(keyOf(ends));
    return pair && { state: pair.search.state, ...pair.counters };
  }

  /** To be called about once a second. */
  tick(): void {
    if (this.#settings === undefined) return;
    const now = this.#deps.now();
    for (const path of this.#deps.paths()) this.#see(path, now);
    for (const pair of [...this.#pairs.values()]) {
      if (now - pair.seenAt > GONE_MS) this.#forget(pair);
      else if (pair.seenAt === now && !pair.isBusy && now >= pair.dueAt && this.#busy < AT_ONCE) {
        void this.#run(pair);
      }
    }
  }

  #see(path: ProbePath, now: number): void {
    const key = keyOf(path.ends);
    const known = this.#pairs.get(key);
    if (known === undefined) {
      this.#pairs.set(key, {
        ...{ ends: path.ends, path, mtu: undefined, isBusy: false },
        ...{ dueAt: now, raiseAt: Infinity, seenAt: now },
        search: new PathSearch(path.range),
        counters: { sent: 0, confirmed: 0, lost: 0 },
      });
      return;
    }
    known.path = path;
    known.seenAt = now;
    const { least, largest, step } = known.search.range;
    const { range } = path;
    if (range.least === least && range.largest === largest && range.step === step) return;
    // Another interface, or another suite. What was found holds until something else is.
    known.search = new PathSearch(range);
    known.dueAt = now;
  }

  #forget(pair: Pair): void {
    this.#pairs.delete(keyOf(pair.ends));
    this.#deps.found(pair.ends, undefined);
  }

  /** Until the search has come to an end, or has to wait. Never rejects. */
  async #run(pair: Pair): Promise<void> {
    pair.isBusy = true;
    this.#busy++;
    this.#prepare(pair);
    try {
      let wait = await this.#probe(pair);
      while (wait === undefined) wait = await this.#probe(pair);
      pair.dueAt = this.#deps.now() + wait;
    } catch (error) {
      pair.dueAt = this.#deps.now() + AGAIN_MS;
      this.#deps.log.warning('a path MTU probe could not be sent', {
        ...{ remote: formatAddress(pair.ends.remote), why: oneLine(error) },
      });
    } finally {
      pair.isBusy = false;
      this.#busy--;
    }
  }

  #prepare(pair: Pair): void {
    const { search } = pair;
    if (search.state === 'searching') return;
    if (this.#deps.now() >= pair.raiseAt && !search.isWhole) search.raise();
    else search.verify();
  }

  /** One round; how long to wait before the next one, milliseconds. undefined: not at all. */
  async #probe(pair: Pair): Promise<number | undefined> {
    const { search, path } = pair;
    const before = search.state;
    const sizes = search.next();
    const round = this.#round;
    this.#round = (this.#round + 1) >>> 0;
    await this.#deps.send(path, round, sizes);
    pair.counters.sent += sizes.length;
    await this.#deps.sleep(WAIT_MS * 2 ** search.tries);
    const octets = await path.ask(round);
    if (this.#pairs.get(keyOf(pair.ends)) !== pair) return 0;
    if (pair.search !== search) return undefined;
    // The SA may have been replaced meanwhile, or the peer be gone.
    if (octets === undefined) return AGAIN_MS;
    const came = sizes.filter((size) => size <= octets).length;
    pair.counters.confirmed += came;
    pair.counters.lost += sizes.length - came;
    search.answer(octets);
    return this.#follow(pair, before);
  }

  #follow(pair: Pair, before: SearchState): number | undefined {
    const { search } = pair;
    const { least } = search.range;
    const { interval, raise } = this.#settings ?? { interval: 0, raise: 0 };
    if (search.state === 'searching') {
      // A black hole: at once what passes nearly everywhere, then what is found.
      if (before === 'complete') this.#say(pair, 'packets of the path MTU pass no more', least);
      return undefined;
    }
    if (search.tries > 0) return undefined;
    if (before === 'searching') {
      pair.raiseAt = this.#deps.now() + raise * 1000;
      if (search.isWhole) this.#allPass(pair);
      else if (search.state === 'error') this.#say(pair, 'not even the least packets pass', least);
      else this.#say(pair, 'larger packets do not pass', Math.max(search.passes ?? 0, least));
    }
    return interval * 1000;
  }

  #allPass(pair: Pair): void {
    pair.mtu = undefined;
    this.#deps.found(pair.ends, undefined);
  }

  #say(pair: Pair, what: string, mtu: number): void {
    const { local, remote } = pair.ends;
    if (pair.mtu === mtu) return;
    pair.mtu = mtu;
    this.#deps.log.notice(what, {
      ...{ local: formatAddress(local), remote: formatAddress(remote) },
      mtu,
    });
    this.#deps.found(pair.ends, mtu);
  }
}
