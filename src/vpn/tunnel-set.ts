// SPDX-License-Identifier: Apache-2.0
/**
 * Tunnels that exist because routes lead there (P8): a next hop of BGP and what was chosen for it make one, no
 * configuration names it. One per (local address, remote address, protection, encapsulation), however many routes and
 * VRFs use it (policy-model 16). A configured tunnel of the same ends and kind serves instead.
 *
 * A tunnel outlives its last route for a while, so that a route that comes back finds its SA still there; and after a
 * restart those that forward already are kept until the routes have had time to come again.
 *
 * Each SP has its share of them: what its routers tell us takes no tunnel from others.
 */
import { DEFAULT_LSP_TTL, DEFAULT_TUNNEL_TTL } from '../config/defaults.js';
import type { Config, Encapsulation, Protection } from '../config/types.js';
import type { TunnelModel } from '../forwarding/model.js';
import { tunnelOf } from '../forwarding/names.js';
import { equalBytes, familyOf, formatAddress, parseAddress } from '../lib/ip.js';

/** What is asked for. The local address follows: ours of the remote one's family. */
export interface TunnelKind {
  readonly remote: Uint8Array;
  readonly protection: Protection;
  /** 'none': of plain MPLS. */
  readonly encapsulation: Encapsulation | 'none';
}

/** Each has a row, an SA pair at most and a place in every overlay: neighbours decide how many are asked for. */
export const MOST_TUNNELS = 4096;
/** Whose a far end is, and how many tunnels lead to an SP's at most. */
export interface TunnelShares {
  readonly spOf: (remote: string) => string | undefined;
  readonly most: (sp: string) => number;
}

/** Half of all for the other SPs together, in equal shares; without others our own has them all. */
export function tunnelShares(
  { ownSp, otherSps = [] }: Pick<Config, 'ownSp' | 'otherSps'>,
  spOf: TunnelShares['spOf'],
): TunnelShares {
  const others = otherSps.filter((sp) => sp !== ownSp).length;
  const share = Math.floor(MOST_TUNNELS / 2 / Math.max(1, others));
  const own = MOST_TUNNELS - others * share;
  return { spOf, most: (sp) => (sp === ownSp ? own : share) };
}

const ONE_SHARE: TunnelShares = { spOf: () => undefined, most: () => MOST_TUNNELS };
/** Whose ends are nobody's. */
const NOBODY = '';

/** How long one stays that no route leads to any more. */
const LINGER_MS = 60_000;

const PREFIX = 'pe/';

interface Held {
  readonly kind: TunnelKind;
  /** As long as the configuration stays, it is one object: whoever has it need not look at it again. */
  model: TunnelModel | undefined;
  /** To whom it leads. */
  sp: string;
  uses: number;
  /** Since when nobody uses it; undefined: somebody does. */
  idleSince: number | undefined;
}

export interface TunnelSetDeps {
  /** Monotonic, ms. */
  readonly now: () => number;
  /** {@link TunnelSet.all} says something else now. Never called from within a call. */
  readonly changed: () => void;
  /** An SP has its share from now on, and routes of it wait for room. */
  readonly full?: (sp: string, most: number) => void;
}

export class TunnelSet {
  readonly #deps: TunnelSetDeps;
  readonly #held = new Map<string, Held>();
  /** How many lead to an SP. */
  readonly #bySp = new Map<string, number>();
  /** SPs whose share was used up when somebody asked. */
  readonly #full = new Set<string>();
  #shares = ONE_SHARE;
  /** How often there may have become room for tunnels that were refused: whoever was may ask again. */
  rooms = 0;
  #configured: ReadonlyMap<string, TunnelModel> = new Map();
  #byKind = new Map<string, TunnelModel>();
  #own: readonly Uint8Array[] = [];
  #ecn: TunnelModel['ecn'] = 'compatibility';
  #all: ReadonlyMap<string, TunnelModel> | undefined;
  #waiting = false;

  constructor(deps: TunnelSetDeps) {
    this.#deps = deps;
  }

  /** Takes over the tunnels among the next hops that an earlier supervisor left, by row name. */
  adopt(rows: Iterable<string>): void {
    for (const row of rows) {
      const tunnel = tunnelOf(row);
      const kind = tunnel === undefined ? undefined : kindOfName(tunnel);
      if (kind === undefined || this.#held.size >= MOST_TUNNELS) continue;
      this.#add(kind, this.#deps.now());
    }
    this.#all = undefined;
  }

  #add(kind: TunnelKind, idleSince: number | undefined): Held {
    const held: Held = {
      ...{ kind, model: this.#model(kind), sp: this.#spOf(kind) },
      ...{ uses: 0, idleSince },
    };
    this.#held.set(keyOf(kind), held);
    this.#bySp.set(held.sp, this.#countOf(held.sp) + 1);
    return held;
  }

  #spOf({ remote }: TunnelKind): string {
    return this.#shares.spOf(formatAddress(remote)) ?? NOBODY;
  }

  #countOf(sp: string): number {
    return this.#bySp.get(sp) ?? 0;
  }

  #isFull(sp: string): boolean {
    return this.#held.size >= MOST_TUNNELS || this.#countOf(sp) >= this.#shares.most(sp);
  }

  /** `own`: where tunnels may begin; `ecn`: of those that routes make. Those that are beyond a share that has become smaller stay. */
  configure(
    configured: ReadonlyMap<string, TunnelModel>,
    own: readonly Uint8Array[],
    shares = ONE_SHARE,
    ecn: TunnelModel['ecn'] = 'compatibility',
  ): void {
    this.#shares = shares;
    this.#ecn = ecn;
    this.#own = own;
    this.#bySp.clear();
    for (const held of this.#held.values()) {
      held.model = this.#model(held.kind);
      held.sp = this.#spOf(held.kind);
      this.#bySp.set(held.sp, this.#countOf(held.sp) + 1);
    }
    this.#room();
    this.#configured = configured;
    this.#byKind = new Map([...configured.values()].map((tunnel) => [keyOf(tunnel), tunnel]));
    this.#all = undefined;
  }

  #room(): void {
    this.rooms++;
    this.#full.clear();
  }

  /** Somebody uses it. False: there are too many, see {@link TunnelSet.why}; {@link TunnelSet.rooms} says when to ask again. */
  hold(kind: TunnelKind): boolean {
    let held = this.#held.get(keyOf(kind));
    if (held === undefined) {
      const sp = this.#spOf(kind);
      if (this.#isFull(sp)) {
        this.#refused(sp);
        return false;
      }
      held = this.#add(kind, undefined);
      this.#changed();
    }
    held.uses++;
    held.idleSince = undefined;
    return true;
  }

  #refused(sp: string): void {
    if (this.#full.has(sp)) return;
    this.#full.add(sp);
    this.#deps.full?.(sp, this.#shares.most(sp));
  }

  /** Why there is no such tunnel. */
  why(kind: TunnelKind): string {
    if (this.localFor(kind.remote) === undefined) {
      return `core.tunnelAddresses has no IPv${familyOf(kind.remote) ?? 0} address`;
    }
    const sp = this.#spOf(kind);
    if (this.#held.size >= MOST_TUNNELS) return `routes lead to ${MOST_TUNNELS} other tunnels`;
    if (!this.#isFull(sp)) return 'its tunnel is about to be made';
    return `routes lead to ${this.#shares.most(sp)} other tunnels of SP ${sp}, which is its share`;
  }

  /** One user less. */
  release(kind: TunnelKind): void {
    const held = this.#held.get(keyOf(kind));
    if (held === undefined || held.uses === 0) return;
    if (--held.uses === 0) held.idleSince = this.#deps.now();
  }

  /** Forgets what nobody has used for a while. */
  sweep(): void {
    const before = this.#deps.now() - LINGER_MS;
    let gone = false;
    for (const [key, { idleSince, sp }] of this.#held) {
      if (idleSince === undefined || idleSince > before) continue;
      this.#held.delete(key);
      this.#bySp.set(sp, this.#countOf(sp) - 1);
      gone = true;
    }
    if (!gone) return;
    this.#room();
    this.#changed();
  }

  /** The configured one, or that of the routes; undefined: nobody holds it, or no address of ours is of its family. */
  find(kind: TunnelKind): TunnelModel | undefined {
    const key = keyOf(kind);
    const configured = this.#byKind.get(key);
    if (configured !== undefined) return configured;
    return this.#held.get(key)?.model;
  }

  /** Configured or made by routes, by name. The same object until something changes. */
  get all(): ReadonlyMap<string, TunnelModel> {
    this.#all ??= new Map([...this.#configured, ...this.#made()]);
    return this.#all;
  }

  *#made(): Generator<[string, TunnelModel]> {
    for (const [key, { model }] of this.#held) {
      if (model !== undefined && !this.#byKind.has(key)) yield [model.name, model];
    }
  }

  #model(kind: TunnelKind): TunnelModel | undefined {
    const local = this.localFor(kind.remote);
    if (local === undefined) return undefined;
    return {
      ...{ name: nameOf(kind), local, ...kind },
      ...{ dscp: 'copy', ecn: this.#ecn, sa: undefined },
      ttl: kind.protection === 'mpls' ? DEFAULT_LSP_TTL : DEFAULT_TUNNEL_TTL,
    };
  }

  /** Where a tunnel to this address begins. */
  localFor(remote: Uint8Array): Uint8Array | undefined {
    return this.#own.find((own) => familyOf(own) === familyOf(remote));
  }

  isOwn(address: Uint8Array): boolean {
    return this.#own.some((own) => equalBytes(own, address));
  }

  #changed(): void {
    this.#all = undefined;
    if (this.#waiting) return;
    this.#waiting = true;
    queueMicrotask(() => {
      this.#waiting = false;
      this.#deps.changed();
    });
  }
}

const keyOf = ({ remote, protection, encapsulation }: TunnelKind): string =>
  `${formatAddress(remote)}/${protection}/${encapsulation}`;

const nameOf = (kind: TunnelKind): string => `${PREFIX}${keyOf(kind)}`;

const PROTECTIONS: readonly Protection[] = ['encrypt', 'authenticate', 'tunnel', 'mpls'];
const ENCAPSULATIONS = ['gre', 'ip', 'none'] as const;

/** The kind of a tunnel that routes made, of its name; undefined: it is not such a name. */
export const kindOfName = (name: string): TunnelKind | undefined =>
  name.startsWith(PREFIX) ? kindOf(name) : undefined;

/** What {@link nameOf} made the name of. */
function kindOf(name: string): TunnelKind | undefined {
  const [address = '', first, second] = name.slice(PREFIX.length).split('/');
  const remote = parseAddress(address);
  const protection = PROTECTIONS.find((word) => word === first);
  const encapsulation = ENCAPSULATIONS.find((word) => word === second);
  if (remote === undefined || protection === undefined || encapsulation === undefined) {
    return undefined;
  }
  return { remote, protection, encapsulation };
}
