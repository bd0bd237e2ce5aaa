// SPDX-License-Identifier: Apache-2.0
/**
 * BMP stations and MRT files of the configuration, and what they are told: sessions as they come and go,
 * every message, the Loc-RIBs.
 *
 *   sessions ──messages──► tap ─┬─► BMP stations (RFC 7854, 8671, 9069)
 *   RIB ──best routes──► tables ┘─► MRT files of messages (RFC 6396)
 *   RIB ──all routes, every so often──► MRT files of tables
 */
import type { BmpSource } from '../../bgp/bmp/transport.js';
import { BmpStationTransport } from '../../bgp/bmp/transport.js';
import type { LocRib, PeerStatistics } from '../../bgp/bmp/messages.js';
import { MESSAGE } from '../../bgp/codec/message.js';
import { CEASE, ERROR } from '../../bgp/codec/notification-codes.js';
import { familySet } from '../../bgp/codec/families.js';
import type { Monitor, MonitoredPeer, PeerDown, WallClock } from '../../bgp/monitor.js';
import { MrtMessageFiles } from '../../bgp/mrt/file-driver.js';
import { MrtTableFiles } from '../../bgp/mrt/table-files.js';
import { familiesOfTable } from '../../bgp/rib/loc-rib.js';
import type { PeerCounts } from '../../bgp/rib/peer-counts.js';
import { CORE } from '../../bgp/rib/scope.js';
import type { EstablishedPeer, PeerId } from '../../bgp/types.js';
import type { Bgp, BmpStation, MrtDump } from '../../config/types.js';
import { formatAddress, parseAddress } from '../../lib/ip.js';
import type { Logger } from '../../lib/log.js';
import type { TableDumpOptions } from './table-dumps.js';

const MB = 1 << 20;
const HOUR = 3600;

export interface MonitoringDeps {
  readonly log: Logger;
  readonly now: WallClock;
  /** Uniform in 0..1. */
  readonly random: () => number;
  /** Route distinguisher of a VRF. */
  readonly rdOf: (vrf: string) => bigint | undefined;
  /** The best routes of a VRF, or of the core (undefined), as UPDATEs with End-of-RIBs behind them. */
  readonly locRib: (vrf: string | undefined) => Iterable<Uint8Array>;
  readonly counts: (peer: PeerId) => PeerCounts | undefined;
  /** Has a neighbour's routes, or ours to it, cross again, so that who has just come hears of them. */
  readonly again: (peer: PeerId, whose: 'in' | 'out') => void;
  /** Calls `action` once after `delayMs`; the answer takes it back. */
  readonly after: (delayMs: number, action: () => void) => () => void;
  /** Writes files of all tables as they are now. */
  readonly dumpTables: (options: TableDumpOptions) => Promise<unknown>;
}

interface Known<T> {
  /** The configuration it was made from. */
  readonly text: string;
  readonly monitor: T;
}

interface Session {
  readonly peer: MonitoredPeer;
  readonly sent: Uint8Array;
  readonly received: Uint8Array;
}

const NO_OCTETS = new Uint8Array(0);

export class Monitoring {
  readonly #deps: MonitoringDeps;
  readonly #stations = new Map<string, Known<BmpStationTransport>>();
  readonly #files = new Map<string, Known<MrtMessageFiles>>();
  readonly #dumps = new Map<string, Known<MrtTableFiles>>();
  readonly #sessions = new Map<PeerId, Session>();
  /** Of the connection that an OPEN was last sent on or came by. */
  readonly #opens = new Map<PeerId, { in: Uint8Array; out: Uint8Array }>();
  /** NOTIFICATIONs of sessions that are about to end. */
  readonly #ends = new Map<PeerId, PeerDown>();
  readonly #tables = new Map<string | undefined, LocRib>();
  #monitors: readonly Monitor[] = [];
  #locRib: readonly BmpStationTransport[] = [];

  constructor(deps: MonitoringDeps) {
    this.#deps = deps;
  }

  /** Some station wants to know the Loc-RIBs. */
  get watchesTables(): boolean {
    return this.#locRib.length > 0;
  }

  /** See MessageTap. */
  tap(peer: PeerId, direction: 'in' | 'out', bytes: Uint8Array, start: number, end: number): void {
    const type = bytes[start + 18];
    if (type === MESSAGE.open) {
      const opens = this.#opens.get(peer) ?? { in: NO_OCTETS, out: NO_OCTETS };
      opens[direction] = bytes.slice(start, end);
      this.#opens.set(peer, opens);
    } else if (type === MESSAGE.notification) {
      this.#noteEnd(peer, direction, bytes.slice(start, end));
    } else if (this.#monitors.length > 0) {
      const session = this.#sessions.get(peer);
      if (session !== undefined) this.#tell(session.peer, direction, bytes.subarray(start, end));
    }
  }

  established(info: EstablishedPeer): void {
    const { context, vrf, ports = { local: 0, remote: 0 } } = info;
    const opens = this.#opens.get(info.id) ?? { in: NO_OCTETS, out: NO_OCTETS };
    this.#ends.delete(info.id);
    const peer: MonitoredPeer = {
      ...{ id: info.id, vrf, rd: vrf === undefined ? undefined : this.#deps.rdOf(vrf) },
      ...{ address: info.address, localAddress: info.localAddress },
      ...{ port: ports.remote, localPort: ports.local, asn: info.asn, localAsn: info.localAsn },
      ...{ routerId: info.routerId, as4: context.as4, families: context.families },
      ...{ addPathReceive: context.addPathReceive, addPathSend: context.addPathSend },
    };
    const session = { peer, sent: opens.out, received: opens.in };
    this.#sessions.set(info.id, session);
    for (const monitor of this.#monitors) monitor.peerUp(peer, session.sent, session.received);
  }

  ended(id: PeerId): void {
    const session = this.#sessions.get(id);
    const down = this.#ends.get(id) ?? { kind: 'remote' };
    this.#sessions.delete(id);
    this.#ends.delete(id);
    if (session === undefined) return;
    for (const monitor of this.#monitors) monitor.peerDown(session.peer, down);
  }

  /** The number may be another neighbour's from now on. */
  forgotten(id: PeerId): void {
    this.#opens.delete(id);
    this.#ends.delete(id);
  }

  /** A Loc-RIB has changed. */
  decided(vrf: string | undefined, update: Uint8Array): void {
    for (const station of this.#locRib) station.input({ kind: 'table-update', vrf, update });
  }

  /** What is not as it was is begun anew; `tables` are all Loc-RIBs there are. */
  apply(bgp: Bgp, instance: string, tables: readonly LocRib[]): void {
    const stations = Object.entries(bgp.bmp ?? {});
    this.#retire(this.#stations, stations, (station) => station.stop());
    const all = Object.entries(bgp.mrt ?? {});
    const files = all.filter(([, { what }]) => what === 'messages');
    const dumps = all.filter(([, { what }]) => what === 'tables');
    this.#retire(this.#files, files, (monitor) => monitor.close());
    this.#retire(this.#dumps, dumps, (monitor) => monitor.close());
    this.#updateTables(tables);
    for (const [name, station] of stations) {
      if (!this.#stations.has(name)) {
        this.#stations.set(name, this.#station(name, station, instance));
      }
    }
    for (const [name, dump] of files) {
      if (!this.#files.has(name)) this.#files.set(name, this.#messages(dump));
    }
    for (const [name, dump] of dumps) {
      if (!this.#dumps.has(name)) this.#dumps.set(name, this.#tableDumps(name, dump));
    }
    this.#gather(bgp);
  }

  /** Ends all of it. */
  close(): void {
    this.#retire(this.#stations, [], (station) => station.stop());
    this.#retire(this.#files, [], (monitor) => monitor.close());
    this.#retire(this.#dumps, [], (monitor) => monitor.close());
    this.#gather({});
    this.#tables.clear();
  }

  #gather({ bmp = {} }: Pick<Bgp, 'bmp'>): void {
    const stations = [...this.#stations.values()].map(({ monitor }) => monitor);
    const files = [...this.#files.values()].map(({ monitor }) => monitor);
    this.#monitors = [...stations, ...files];
    this.#locRib = [...this.#stations].flatMap(([name, { monitor }]) =>
      bmp[name]?.monitor?.includes('loc-rib') === true ? [monitor] : [],
    );
  }

  #retire<T>(
    known: Map<string, Known<T>>,
    wanted: readonly (readonly [string, object])[],
    end: (monitor: T) => Promise<void>,
  ): void {
    const texts = new Map(wanted.map(([name, value]) => [name, JSON.stringify(value)]));
    for (const [name, { text, monitor }] of known) {
      if (texts.get(name) === text) continue;
      known.delete(name);
      end(monitor).catch((error: unknown) => {
        this.#deps.log.warning('a monitor did not end well', { name, why: String(error) });
      });
    }
  }

  #station(name: string, station: BmpStation, instance: string): Known<BmpStationTransport> {
    const { log, now, random } = this.#deps;
    const { address, localAddress, monitor: views = ['adj-in-pre'] } = station;
    const monitor = new BmpStationTransport({
      ...{ name, address, port: station.port ?? 11_019, log, now, random },
      ...(localAddress !== undefined && { localAddress }),
      ...{ views: new Set(views), systemName: instance, systemDescription: 'Sealane PE' },
      mostWaiting: (station.bufferMb ?? 64) * MB,
      statisticsEvery: station.statistics ?? 60,
      source: this.#source(),
    });
    for (const { peer, sent, received } of this.#sessions.values()) {
      monitor.peerUp(peer, sent, received);
    }
    for (const table of this.#tables.values()) {
      monitor.input({ kind: 'table-up', table, families: familiesOf(table) });
    }
    monitor.start();
    return { text: JSON.stringify(station), monitor };
  }

  #source(): BmpSource {
    const { again, locRib, counts } = this.#deps;
    return {
      // What came before a policy is not kept, and what was sent is not either: it crosses again.
      peerTable: (peer, view) => {
        again(peer, view === 'adj-in-pre' ? 'in' : 'out');
        return [];
      },
      locRib,
      statistics: (peer) => statisticsOf(counts(peer)),
    };
  }

  #messages(dump: MrtDump): Known<MrtMessageFiles> {
    const { log, now } = this.#deps;
    const { file, every = HOUR } = dump;
    const monitor = new MrtMessageFiles({ file, every, neighbours: neighboursOf(dump), log, now });
    return { text: JSON.stringify(dump), monitor };
  }

  #tableDumps(name: string, dump: MrtDump): Known<MrtTableFiles> {
    const { log, now, after, dumpTables } = this.#deps;
    const { file, every = HOUR } = dump;
    const neighbours = neighboursOf(dump);
    const monitor = new MrtTableFiles({
      ...{ name, every, now, after, log },
      dump: async (stopped) => {
        await dumpTables({ file, neighbours, stopped });
      },
    });
    return { text: JSON.stringify(dump), monitor };
  }

  #updateTables(tables: readonly LocRib[]): void {
    const wanted = new Map(tables.map((table) => [table.vrf, table]));
    const stations = [...this.#stations.values()].map(({ monitor }) => monitor);
    for (const vrf of [...this.#tables.keys()]) {
      if (wanted.has(vrf)) continue;
      this.#tables.delete(vrf);
      for (const station of stations) station.input({ kind: 'table-down', vrf });
    }
    for (const [vrf, table] of wanted) {
      const before = this.#tables.get(vrf);
      if (before?.rd === table.rd && before !== undefined) continue;
      this.#tables.set(vrf, table);
      const families = familiesOf(table);
      for (const station of stations) station.input({ kind: 'table-up', table, families });
    }
  }

  #noteEnd(peer: PeerId, direction: 'in' | 'out', message: Uint8Array): void {
    // That of a second connection is not the end of the session.
    if (message[19] === ERROR.cease && message[20] === CEASE.collisionResolution) return;
    const kind = direction === 'in' ? 'remote-notification' : 'local-notification';
    this.#ends.set(peer, { kind, message });
  }

  /** `bytes`: one message or several. */
  #tell(peer: MonitoredPeer, direction: 'in' | 'out', bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length;) {
      const length = ((bytes[at + 16] ?? 0) << 8) | (bytes[at + 17] ?? 0);
      const message = bytes.subarray(at, at + length);
      for (const monitor of this.#monitors) monitor.message(peer, direction, message);
      at += length;
    }
  }
}

const neighboursOf = ({ neighbours }: MrtDump): ReadonlySet<string> | undefined =>
  neighbours && new Set(neighbours.map(canonical));

/** Sessions are known by their addresses in one form. */
const canonical = (text: string): string => {
  const address = parseAddress(text);
  return address === undefined ? text : formatAddress(address);
};

const familiesOf = ({ vrf }: LocRib): number =>
  familySet(familiesOfTable(vrf === undefined ? CORE : CORE + 1));

function statisticsOf(counts: PeerCounts | undefined): PeerStatistics | undefined {
  if (counts === undefined) return undefined;
  const { families } = counts;
  return {
    adjRibIn: families.reduce((sum, { routes }) => sum + routes, 0),
    adjRibInByFamily: new Map(families.map(({ family, routes }) => [family, routes])),
    adjRibOutPostPolicyByFamily: new Map(families.map(({ family, told }) => [family, told])),
  };
}
