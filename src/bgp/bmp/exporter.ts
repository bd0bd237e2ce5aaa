// SPDX-License-Identifier: Apache-2.0
/**
 * What one BMP station is told, sans-I/O: sessions and tables go in, messages come out. It remembers
 * the peers that are up with their OPENs, so that a station that connects later, or again, learns of
 * them (RFC 7854 §3.3): Initiation, then per peer Peer Up and its table as it is, then what changes.
 *
 * A table is asked for by the output `snapshot` and comes back piece by piece as `routes`. Messages of
 * the same peer may come in between; that is right as long as a piece says what the table holds when
 * it is made.
 */
import { encodeOpen, shortAsn } from '../codec/open.js';
import { FAMILY_IDS, hasFamily } from '../codec/families.js';
import { FAMILIES, type FamilySet } from '../codec/types.js';
import type { MonitoredPeer, PeerDown } from '../monitor.js';
import type { PeerId } from '../types.js';
import {
  initiation,
  locRibDown,
  locRibMonitoring,
  locRibUp,
  peerDown,
  peerUp,
  routeMonitoring,
  statistics,
  termination,
  type LocRib,
  type PeerStatistics,
  type TERMINATION,
} from './messages.js';

/** What the configuration lets a station see. */
export type BmpView = 'adj-in-pre' | 'adj-out-post' | 'loc-rib';

export type BmpInput =
  | { readonly kind: 'connected' }
  | { readonly kind: 'disconnected' }
  | {
      readonly kind: 'peer-up';
      readonly peer: MonitoredPeer;
      /** Whole OPENs; copied. */
      readonly sent: Uint8Array;
      readonly received: Uint8Array;
    }
  | { readonly kind: 'peer-down'; readonly peer: PeerId; readonly down: PeerDown }
  /** A whole message of a session; what is no UPDATE is not told. */
  | {
      readonly kind: 'message';
      readonly peer: PeerId;
      readonly direction: 'in' | 'out';
      readonly message: Uint8Array;
    }
  /** A piece of what `snapshot` asked for: a whole UPDATE. `received`: microseconds since 1970. */
  | {
      readonly kind: 'routes';
      readonly peer: PeerId;
      readonly view: Exclude<BmpView, 'loc-rib'>;
      readonly update: Uint8Array;
      readonly received?: number;
    }
  | { readonly kind: 'table-up'; readonly table: LocRib; readonly families: FamilySet }
  | { readonly kind: 'table-down'; readonly vrf: string | undefined }
  | { readonly kind: 'table-update'; readonly vrf: string | undefined; readonly update: Uint8Array }
  | { readonly kind: 'statistics'; readonly peer: PeerId; readonly values: PeerStatistics }
  | { readonly kind: 'stop'; readonly reason: keyof typeof TERMINATION };

export type BmpOutput =
  | { readonly kind: 'send'; readonly message: Uint8Array }
  /** Whoever has the table hands it in by `routes` or `table-update`, End-of-RIBs at its end. */
  | {
      readonly kind: 'snapshot';
      readonly of: 'peer';
      readonly peer: PeerId;
      readonly view: BmpView;
    }
  | { readonly kind: 'snapshot'; readonly of: 'table'; readonly vrf: string | undefined };

export interface BmpExporterOptions {
  readonly views: ReadonlySet<BmpView>;
  readonly systemName: string;
  readonly systemDescription: string;
}

interface UpPeer {
  readonly peer: MonitoredPeer;
  readonly sent: Uint8Array;
  readonly received: Uint8Array;
}

interface UpTable {
  readonly table: LocRib;
  readonly open: Uint8Array;
}

const TYPE_AT = 18;
const UPDATE = 2;

export class BmpExporter {
  readonly #options: BmpExporterOptions;
  readonly #peers = new Map<PeerId, UpPeer>();
  readonly #tables = new Map<string | undefined, UpTable>();
  #connected = false;

  constructor(options: BmpExporterOptions) {
    this.#options = options;
  }

  get peers(): Iterable<PeerId> {
    return this.#peers.keys();
  }

  /** @param now microseconds since 1970 */
  process(input: BmpInput, now: number): readonly BmpOutput[] {
    switch (input.kind) {
      case 'connected':
        this.#connected = true;
        return this.#everything(now);
      case 'disconnected':
        this.#connected = false;
        return [];
      case 'peer-up':
        return this.#peerUp(input, now);
      case 'peer-down':
        return this.#peerDown(input.peer, input.down, now);
      case 'table-up':
        return this.#tableUp(input.table, input.families, now);
      case 'table-down':
        return this.#tableDown(input.vrf, now);
      case 'message':
      case 'routes':
      case 'table-update':
        return this.#routes(input, now);
      case 'statistics': {
        const found = this.#peers.get(input.peer);
        return this.#send(found && statistics(now, found.peer, input.values));
      }
      case 'stop': {
        const last = this.#send(termination(input.reason));
        this.#connected = false;
        return last;
      }
    }
  }

  #sees(view: BmpView): boolean {
    return this.#options.views.has(view);
  }

  #send(message: Uint8Array | undefined): readonly BmpOutput[] {
    return this.#connected && message !== undefined ? [{ kind: 'send', message }] : [];
  }

  #everything(now: number): readonly BmpOutput[] {
    const { systemName: name, systemDescription: description } = this.#options;
    return [
      ...this.#send(initiation({ name, description })),
      ...[...this.#peers.values()].flatMap((each) => this.#announcePeer(each, now, true)),
      ...[...this.#tables.values()].flatMap((each) => this.#announceTable(each, now, true)),
    ];
  }

  // ---- Peers -------------------------------------------------------------------------------------

  #peerUp({ peer, sent, received }: UpPeer, now: number): readonly BmpOutput[] {
    // Without its end the last session is over all the same: a station knows one per peer.
    const before = this.#peerDown(peer.id, { kind: 'local', event: 0 }, now);
    const up = { peer, sent: sent.slice(), received: received.slice() };
    this.#peers.set(peer.id, up);
    return [...before, ...this.#announcePeer(up, now, false)];
  }

  /** Of a session that just came up the table is empty, and fills by messages. */
  #announcePeer({ peer, sent, received }: UpPeer, now: number, table: boolean): BmpOutput[] {
    if (!this.#connected || !(this.#sees('adj-in-pre') || this.#sees('adj-out-post'))) return [];
    const views = (['adj-in-pre', 'adj-out-post'] as const).filter((view) => this.#sees(view));
    return [
      { kind: 'send', message: peerUp(now, peer, sent, received) },
      ...(table ? views : []).map((view): BmpOutput => ({
        kind: 'snapshot',
        of: 'peer',
        peer: peer.id,
        view,
      })),
    ];
  }

  #peerDown(id: PeerId, down: PeerDown, now: number): readonly BmpOutput[] {
    const found = this.#peers.get(id);
    this.#peers.delete(id);
    const told = this.#sees('adj-in-pre') || this.#sees('adj-out-post');
    return this.#send(told && found !== undefined ? peerDown(now, found.peer, down) : undefined);
  }

  // ---- Tables ------------------------------------------------------------------------------------

  #tableUp(table: LocRib, families: FamilySet, now: number): readonly BmpOutput[] {
    const before = this.#tableDown(table.vrf, now);
    const up = { table, open: locRibOpen(table, families) };
    this.#tables.set(table.vrf, up);
    return [...before, ...this.#announceTable(up, now, false)];
  }

  #announceTable({ table, open }: UpTable, now: number, contents: boolean): BmpOutput[] {
    if (!this.#connected || !this.#sees('loc-rib')) return [];
    return [
      { kind: 'send', message: locRibUp(now, table, open) },
      ...(contents ? [{ kind: 'snapshot', of: 'table', vrf: table.vrf } as const] : []),
    ];
  }

  #tableDown(vrf: string | undefined, now: number): readonly BmpOutput[] {
    const found = this.#tables.get(vrf);
    this.#tables.delete(vrf);
    const told = this.#sees('loc-rib') && found !== undefined;
    return this.#send(told ? locRibDown(now, found.table) : undefined);
  }

  // ---- Routes ------------------------------------------------------------------------------------

  #routes(
    input: Extract<BmpInput, { kind: 'message' | 'routes' | 'table-update' }>,
    now: number,
  ): readonly BmpOutput[] {
    if (!this.#connected) return [];
    if (input.kind === 'table-update') {
      const table = this.#tables.get(input.vrf)?.table;
      const told = table !== undefined && this.#sees('loc-rib');
      return this.#send(told ? locRibMonitoring(now, table, input.update) : undefined);
    }
    const peer = this.#peers.get(input.peer)?.peer;
    if (peer === undefined) return [];
    if (input.kind === 'routes') {
      const { view, update, received = now } = input;
      return this.#send(
        this.#sees(view) ? routeMonitoring(received, peer, view, update) : undefined,
      );
    }
    const view = input.direction === 'in' ? 'adj-in-pre' : 'adj-out-post';
    if (!this.#sees(view) || input.message[TYPE_AT] !== UPDATE) return [];
    return this.#send(routeMonitoring(now, peer, view, input.message));
  }
}

/** RFC 9069 §5.1: an OPEN that nobody sent; its capabilities say how the table's UPDATEs are to be read. */
function locRibOpen({ asn, routerId }: LocRib, families: FamilySet): Uint8Array {
  return encodeOpen({
    version: 4,
    asn2: shortAsn(asn),
    holdTime: 0,
    routerId,
    capabilities: [
      ...FAMILY_IDS.filter((id) => hasFamily(families, id)).map((id) => {
        const { afi, safi } = FAMILIES[id];
        return { kind: 'multiprotocol', afi, safi } as const;
      }),
      { kind: 'as4', asn },
    ],
  });
}
