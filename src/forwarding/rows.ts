// SPDX-License-Identifier: Apache-2.0
/**
 * What the tables should hold, by name. Projection computes these rows from configuration and facts;
 * reconciliation compares them with the live rows and turns names into row ids. Addresses are bytes
 * in network order. The core's routing table is the VRF named ''.
 */
import type { Family, Prefix } from '../lib/ip.js';
import type {
  AcceptSet,
  Encapsulation,
  InterfaceRow,
  LspHeader,
  Protection,
  RouteOwner,
  SaRow,
  TunnelHeader,
  VrfRow,
} from './addon/api.js';

/** Name of the core's routing table among VRF names. */
export const CORE_VRF = '';

export type DesiredVrf = Omit<VrfRow, 'hostInterface'> & {
  /** Name of the interface row of its L3 host TAP. */
  readonly hostInterface: string | undefined;
};

export type DesiredInterface = Omit<InterfaceRow, 'vrf' | 'port'> & {
  readonly vrf: string;
  /** Name of the port; undefined for a host TAP. */
  readonly port: string | undefined;
};

/** As `Version` of the addon, with names for row ids. */
export type DesiredVersion =
  | {
      readonly kind: 'drop';
      readonly vrf: string;
      readonly reason: 'blackhole' | 'unreachable' | 'sa_missing';
      readonly icmpUnreachable: boolean;
    }
  | { readonly kind: 'receive' | 'glean'; readonly vrf: string; readonly interface: string }
  | {
      readonly kind: 'adjacency';
      readonly vrf: string;
      readonly interface: string;
      readonly neighbour: Uint8Array;
      readonly mtu: number;
      readonly header: Uint8Array;
    }
  | {
      readonly kind: 'tunnel';
      readonly interface: string;
      /** Row name of the outbound SA; undefined without IPsec. */
      readonly sa: string | undefined;
      readonly protection: Exclude<Protection, 'mpls'>;
      readonly encapsulation: Encapsulation;
      readonly mtu: number;
      readonly dscpCopy: boolean;
      readonly ecnCopy: boolean;
      readonly header: TunnelHeader;
    }
  | {
      readonly kind: 'lsp';
      readonly interface: string;
      readonly mtu: number;
      readonly dscpCopy: boolean;
      readonly header: LspHeader;
    };

/**
 * How it stands with the SA of a tunnel that IKE finds (policy-model 11). In the first three routes may use
 * the tunnel, and one that is up goes before.
 */
export type SaState = 'untried' | 'pending' | 'up' | 'failed';

/** A slot and what is active in it; without a version it is unusable, and `why` says so in words. */
export interface DesiredNexthop {
  readonly name: string;
  readonly version: DesiredVersion | undefined;
  readonly why?: string;
  /**
   * Of a tunnel that can be reached and gets its SAs by IKE. While it has none its version is one that drops
   * (`sa_missing`) and asks for one.
   */
  readonly sa?: SaState;
  /** Of a tunnel: the neighbour in the core it leaves to. For people. */
  readonly via?: Uint8Array;
  /** Of a tunnel: cost of the way through the core. */
  readonly metric?: number;
  /** Of a tunnel: its far end. */
  readonly remote?: Uint8Array;
  /** Of a tunnel: transport labels, outermost first; absent: none, and no LSP. */
  readonly labels?: readonly number[];
}

export type DesiredLabel =
  | {
      readonly label: number;
      readonly action: 'vrf' | 'nexthop';
      /** VRF name or next-hop name. */
      readonly target: string;
      readonly accept: AcceptSet;
    }
  | {
      readonly label: number;
      /** Option B: `out` takes the label's place, and the packet leaves by the next hop, a tunnel or LSP. */
      readonly action: 'swap';
      /** Next-hop name. */
      readonly target: string;
      /** 16..1048575. */
      readonly out: number;
      readonly accept: AcceptSet;
    }
  | {
      readonly label: number;
      /** A transport label of this PE's; what is under it is treated as if it had come without. */
      readonly action: 'pop';
      readonly accept: AcceptSet;
    };

export interface DesiredRoute {
  readonly vrf: string;
  /** Host bits zero. */
  readonly prefix: Prefix;
  /** Name of the next hop. */
  readonly nexthop: string;
  /** VPN label to push, towards a tunnel; else 0. */
  readonly label: number;
  readonly accept: AcceptSet;
  readonly owner: RouteOwner;
  /** Borrowed from another VRF of this PE: any route of the VRF's own is preferred. */
  readonly imported: boolean;
}

export interface DesiredSa {
  readonly direction: 'in' | 'out';
  readonly row: SaRow;
}

/** Everything that follows from the configuration and the ports alone. */
export interface DesiredRows {
  readonly vrfs: ReadonlyMap<string, DesiredVrf>;
  readonly interfaces: ReadonlyMap<string, DesiredInterface>;
  readonly labels: ReadonlyMap<number, DesiredLabel>;
  readonly nexthops: ReadonlyMap<string, DesiredNexthop>;
  readonly routes: RouteTable;
}

/** Routes by VRF, family and prefix. */
export class RouteTable implements Iterable<DesiredRoute> {
  readonly #tables = new Map<string, Map<string, DesiredRoute>>();

  /** Adds a route unless its prefix has one already: the first, the preferred, stays. */
  add(route: DesiredRoute): boolean {
    const table = this.table(route.vrf, route.prefix.family);
    const key = prefixKey(route.prefix);
    if (table.has(key)) return false;
    table.set(key, route);
    return true;
  }

  /** Routes of one VRF and family by {@link prefixKey}. */
  table(vrf: string, family: Family): Map<string, DesiredRoute> {
    const id = `${family}${vrf}`;
    let table = this.#tables.get(id);
    if (table === undefined) this.#tables.set(id, (table = new Map<string, DesiredRoute>()));
    return table;
  }

  get size(): number {
    return [...this.#tables.values()].reduce((sum, table) => sum + table.size, 0);
  }

  *[Symbol.iterator](): IterableIterator<DesiredRoute> {
    for (const table of this.#tables.values()) yield* table.values();
  }
}

/** A prefix as a map key: one character per address byte, and one for the length. */
export function prefixKey(prefix: Pick<Prefix, 'address' | 'length'>): string {
  return String.fromCharCode(prefix.length, ...prefix.address);
}

/** What accepts nothing: routes that are exported nowhere. */
export const ACCEPT_NOTHING: AcceptSet = { secured: [], clear: [] };

/** Equal for sets that accept the same arrivals, however they are written. */
export function acceptKey(set: AcceptSet): string {
  const secured = set.secured
    .filter(({ sps }) => sps.length > 0)
    .map(
      ({ protection, encapsulation, sps }) =>
        `${protection}/${encapsulation}:${[...new Set(sps)].sort((a, b) => a - b).join(',')}`,
    );
  const other = set.mplsInterface === undefined ? [] : [`on ${set.mplsInterface}`];
  return [...secured.sort(), ...new Set([...set.clear].sort()), ...other].join(' ');
}

/** One label of the plan: what it means and which arrivals it accepts. */
export interface PlannedLabel {
  readonly label: number;
  readonly vrf: string;
  /** The CE it leads to; undefined: a lookup in the VRF. */
  readonly ce: Uint8Array | undefined;
  readonly accept: AcceptSet;
  /** Export rules it stands for. */
  readonly rules: readonly string[];
  /** Export rules that told it until lately: it goes soon (policy-model 24). Absent: none. */
  readonly leaving?: readonly string[];
}

/** What the VPN policy says about labels and routes; src/vpn makes it of the configuration. */
export interface VpnPolicy {
  readonly labels: readonly PlannedLabel[];
  /**
   * Union of the classes by which this prefix of the VRF is exported. `bgpRules`: names of the BGP rules that do
   * export it, for routes of BGP; asked only where a rule has a policy.
   */
  acceptOf(vrf: string, prefix: Prefix, bgpRules?: () => ReadonlySet<string>): AcceptSet;
}
