// SPDX-License-Identifier: Apache-2.0
/**
 * Tunnels that exist because routes lead there (P8): a next hop of BGP and what was chosen for it make one, no
 * configuration names it. One per (local address, remote address, protection, encapsulation), however many routes and
 * VRFs use it (policy-model 16). A configured tunnel of the same ends and kind serves instead.
 *
 * A tunnel outlives its last route for a while, so that a route that comes back finds its SA still there; and after a
 * restart those that forward already are kept until the routes have had time to come again.
 */
import { DEFAULT_LSP_TTL, DEFAULT_TUNNEL_TTL } from '../config/defaults.js';
import type { Encapsulation, Protection } from '../config/types.js';
import type { TunnelModel } from '../forwarding/model.js';
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
/** How long one stays that no route leads to any more. */
const LINGER_MS = 60_000;

const PREFIX = 'pe/';

interface Held {
  readonly kind: TunnelKind;
  uses: number;
  /** Since when nobody uses it; undefined: somebody does. */
  idleSince: number | undefined;
}

export interface TunnelSetDeps {
  /** Monotonic, ms. */
  readonly now: () => number;
  /** {@link TunnelSet.all} says something else now. Never called from within a call. */
  readonly changed: () => void;
}

export class TunnelSet {
  readonly #deps: TunnelSetDeps;
  readonly #held = new Map<string, Held>();
  #configured: ReadonlyMap<string, TunnelModel> = new Map();
  #byKind = new Map<string, TunnelModel>();
  #own: readonly Uint8Array[] = [];
  #all: ReadonlyMap<string, TunnelModel> | undefined;
  #waiting = false;

  constructor(deps: TunnelSetDeps) {
    this.#deps = deps;
  }

  /** Takes over the tunnels among the next hops that an earlier supervisor left, by row name. */
  adopt(rows: Iterable<string>): void {
    for (const row of rows) {
      const kind = row.startsWith('tunnel/') ? kindOfName(row.slice('tunnel/'.length)) : undefined;
      if (kind === undefined || this.#held.size >= MOST_TUNNELS) continue;
      this.#held.set(keyOf(kind), { kind, uses: 0, idleSince: this.#deps.now() });
    }
    this.#all = undefined;
  }

  /** `own`: where tunnels may begin. */
  configure(configured: ReadonlyMap<string, TunnelModel>, own: readonly Uint8Array[]): void {
    this.#configured = configured;
    this.#byKind = new Map([...configured.values()].map((tunnel) => [keyOf(tunnel), tunnel]));
    this.#own = own;
    this.#all = undefined;
  }

  /** Somebody uses it. False: there are too many. */
  hold(kind: TunnelKind): boolean {
    const key = keyOf(kind);
    let held = this.#held.get(key);
    if (held === undefined) {
      if (this.#held.size >= MOST_TUNNELS) return false;
      held = { kind, uses: 0, idleSince: undefined };
      this.#held.set(key, held);
      this.#changed();
    }
    held.uses++;
    held.idleSince = undefined;
    return true;
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
    for (const [key, { idleSince }] of this.#held) {
      if (idleSince === undefined || idleSince > before) continue;
      this.#held.delete(key);
      gone = true;
    }
    if (gone) this.#changed();
  }

  /** The configured one, or that of the routes; undefined: nobody holds it, or no address of ours is of its family. */
  find(kind: TunnelKind): TunnelModel | undefined {
    const key = keyOf(kind);
    const configured = this.#byKind.get(key);
    if (configured !== undefined) return configured;
    const held = this.#held.get(key);
    return held && this.#model(held.kind);
  }

  /** Configured or made by routes, by name. The same object until something changes. */
  get all(): ReadonlyMap<string, TunnelModel> {
    this.#all ??= new Map([...this.#configured, ...this.#made()]);
    return this.#all;
  }

  *#made(): Generator<[string, TunnelModel]> {
    for (const [key, { kind }] of this.#held) {
      const model = this.#byKind.has(key) ? undefined : this.#model(kind);
      if (model !== undefined) yield [model.name, model];
    }
  }

  #model(kind: TunnelKind): TunnelModel | undefined {
    const local = this.localFor(kind.remote);
    if (local === undefined) return undefined;
    return {
      ...{ name: nameOf(kind), local, ...kind },
      ...{ dscp: 'copy', sa: undefined },
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
