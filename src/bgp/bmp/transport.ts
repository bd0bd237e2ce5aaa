// SPDX-License-Identifier: Apache-2.0
/**
 * The TCP side of BMP: connects to one station, again with growing pauses when that fails (RFC 7854
 * §3.2), and bounds what waits for a slow one. A station that falls behind by more than that is
 * disconnected: later it gets everything anew, which is the only way to be right again without
 * keeping all that it missed.
 */
import { connect, type Socket } from 'node:net';
import type { Logger } from '../../lib/log.js';
import type { Monitor, MonitoredPeer, PeerDown, WallClock } from '../monitor.js';
import type { PeerId } from '../types.js';
import { BmpExporter, type BmpExporterOptions, type BmpInput, type BmpOutput } from './exporter.js';
import type { PeerStatistics } from './messages.js';

/** RFC 7854 §3.2 recommends 30 s at first and 720 s at most. */
const FIRST_WAIT_MS = 30_000;
const LONGEST_WAIT_MS = 720_000;
/** Pieces of a table per turn of the event loop. */
const SLICE = 64;

/** What the station is told beyond what happens: tables as they are, and counters. */
export interface BmpSource {
  /**
   * A peer's table as whole UPDATEs, an End-of-RIB per family at its end; read as it is asked for, so
   * that each piece is what the table holds then.
   */
  peerTable(
    peer: PeerId,
    view: 'adj-in-pre' | 'adj-out-post',
  ): Iterable<{ readonly update: Uint8Array; readonly received?: number }>;
  /** The Loc-RIB of a VRF, or the global one (undefined), in the same way. */
  locRib(vrf: string | undefined): Iterable<Uint8Array>;
  statistics(peer: PeerId): PeerStatistics | undefined;
}

export interface BmpStationOptions extends BmpExporterOptions {
  /** For logs. */
  readonly name: string;
  readonly address: string;
  readonly port: number;
  readonly localAddress?: string;
  /** Octets that may wait for the station. */
  readonly mostWaiting: number;
  /** Seconds between statistics, 0: none. */
  readonly statisticsEvery: number;
  readonly source: BmpSource;
  readonly now: WallClock;
  /** 0 to 1, for the jitter of pauses. */
  readonly random: () => number;
  readonly log: Logger;
  /** Default {@link FIRST_WAIT_MS}. */
  readonly firstWaitMs?: number;
  /** Default: TCP to address and port. */
  readonly dial?: () => Socket;
}

export interface BmpStationState {
  readonly state: 'connecting' | 'connected' | 'waiting' | 'stopped';
  /** Why the last connection ended, or could not be made. */
  readonly reason: string;
  readonly messages: number;
  readonly octets: number;
  readonly connections: number;
  /** Connections given up because the station read too slowly. */
  readonly overflows: number;
}

/** One station. Hand it to the sessions as a {@link Monitor}; `input` takes what that interface lacks. */
export class BmpStationTransport implements Monitor {
  readonly #options: BmpStationOptions;
  readonly #exporter: BmpExporter;
  #socket: Socket | undefined;
  #connected = false;
  #stopped = false;
  #retry: NodeJS.Timeout | undefined;
  #statistics: NodeJS.Timeout | undefined;
  #waitMs: number;
  #reason = '';
  readonly #counters = { messages: 0, octets: 0, connections: 0, overflows: 0 };

  constructor(options: BmpStationOptions) {
    this.#options = options;
    this.#exporter = new BmpExporter(options);
    this.#waitMs = options.firstWaitMs ?? FIRST_WAIT_MS;
  }

  get state(): BmpStationState {
    const waiting = this.#socket === undefined ? 'waiting' : 'connecting';
    const state = this.#stopped ? 'stopped' : this.#connected ? 'connected' : waiting;
    return { state, reason: this.#reason, ...this.#counters };
  }

  start(): void {
    if (this.#stopped || this.#socket !== undefined) return;
    const { address, port, localAddress, dial } = this.#options;
    const to = { host: address, port, noDelay: false, keepAlive: true };
    const local = localAddress === undefined ? {} : { localAddress };
    const socket = dial === undefined ? connect({ ...to, ...local }) : dial();
    this.#socket = socket;
    socket.once('connect', () => {
      this.#onConnect(socket);
    });
    socket.on('error', (error) => {
      this.#reason = error.message;
    });
    socket.once('close', () => {
      this.#onClose(socket);
    });
    // A station has nothing to say (§3.2); what it sends is not kept.
    socket.resume();
  }

  /** Says goodbye and ends; resolves when the connection is closed, after two seconds at most. */
  async stop(): Promise<void> {
    if (this.#stopped) return;
    this.#stopped = true;
    clearTimeout(this.#retry);
    clearInterval(this.#statistics);
    const socket = this.#socket;
    if (socket === undefined) return;
    this.input({ kind: 'stop', reason: 'administrativelyClosed' });
    await new Promise<void>((resolve) => {
      const late = setTimeout(() => {
        socket.destroy();
      }, 2000);
      socket.once('close', () => {
        clearTimeout(late);
        resolve();
      });
      if (this.#connected) socket.end();
      else socket.destroy();
    });
  }

  // ---- Monitor -----------------------------------------------------------------------------------

  peerUp(peer: MonitoredPeer, sent: Uint8Array, received: Uint8Array): void {
    this.input({ kind: 'peer-up', peer, sent, received });
  }

  peerDown(peer: MonitoredPeer, down: PeerDown): void {
    this.input({ kind: 'peer-down', peer: peer.id, down });
  }

  message(peer: MonitoredPeer, direction: 'in' | 'out', message: Uint8Array): void {
    if (!this.#connected) return;
    this.input({ kind: 'message', peer: peer.id, direction, message });
  }

  /** Anything else that the exporter takes: tables of VRFs coming and going, and their updates. */
  input(input: BmpInput): void {
    const socket = this.#socket;
    const tables: Extract<BmpOutput, { kind: 'snapshot' }>[] = [];
    for (const output of this.#exporter.process(input, this.#options.now())) {
      if (output.kind === 'snapshot') tables.push(output);
      else if (socket !== undefined) this.#write(socket, output.message);
    }
    if (tables.length > 0 && socket !== undefined) void this.#sendTables(socket, tables);
  }

  // ---- The connection ----------------------------------------------------------------------------

  #onConnect(socket: Socket): void {
    this.#connected = true;
    this.#counters.connections++;
    this.#options.log.info('BMP station connected', { station: this.#options.name });
    this.input({ kind: 'connected' });
    const { statisticsEvery } = this.#options;
    if (statisticsEvery === 0 || this.#socket !== socket) return;
    this.#statistics = setInterval(() => {
      this.#sendStatistics();
    }, statisticsEvery * 1000);
  }

  #onClose(socket: Socket): void {
    if (this.#socket !== socket) return;
    const { log, name, random, firstWaitMs = FIRST_WAIT_MS } = this.#options;
    if (this.#connected) this.#waitMs = firstWaitMs;
    this.#connected = false;
    this.#socket = undefined;
    clearInterval(this.#statistics);
    this.input({ kind: 'disconnected' });
    if (this.#stopped) return;
    // Three quarters to all of it, so that many routers do not come back in the same moment.
    const wait = Math.round(this.#waitMs * (0.75 + 0.25 * random()));
    this.#waitMs = Math.min(2 * this.#waitMs, LONGEST_WAIT_MS);
    const reason = this.#reason === '' ? 'closed by the station' : this.#reason;
    log.warning('BMP station not connected', { station: name, why: reason, again: `${wait} ms` });
    this.#retry = setTimeout(() => {
      this.start();
    }, wait);
  }

  #write(socket: Socket, message: Uint8Array): void {
    if (socket.destroyed || !socket.writable) return;
    if (socket.writableLength + message.length > this.#options.mostWaiting) {
      this.#counters.overflows++;
      this.#reason = `the station reads too slowly: ${socket.writableLength} octets wait for it`;
      socket.destroy();
      return;
    }
    this.#reason = '';
    this.#counters.messages++;
    this.#counters.octets += message.length;
    socket.write(message);
  }

  #sendStatistics(): void {
    for (const peer of [...this.#exporter.peers]) {
      const values = this.#options.source.statistics(peer);
      if (values !== undefined) this.input({ kind: 'statistics', peer, values });
    }
  }

  // ---- Tables ------------------------------------------------------------------------------------

  /** One after the other, in slices, at the pace of the station; ends with the connection. */
  async #sendTables(
    socket: Socket,
    tables: readonly Extract<BmpOutput, { kind: 'snapshot' }>[],
  ): Promise<void> {
    for (const table of tables) {
      let pieces = 0;
      for (const input of this.#inputsOf(table)) {
        if (this.#socket !== socket || socket.destroyed) return;
        this.input(input);
        if (++pieces % SLICE === 0 || socket.writableNeedDrain) await this.#turn(socket);
      }
    }
  }

  *#inputsOf(table: Extract<BmpOutput, { kind: 'snapshot' }>): Generator<BmpInput> {
    const { source } = this.#options;
    if (table.of === 'table') {
      for (const update of source.locRib(table.vrf)) {
        yield { kind: 'table-update', vrf: table.vrf, update };
      }
    } else if (table.view !== 'loc-rib') {
      const { peer, view } = table;
      for (const piece of source.peerTable(peer, view)) {
        yield { kind: 'routes', peer, view, ...piece };
      }
    }
  }

  /** Lets others work, and waits until the station has read. */
  async #turn(socket: Socket): Promise<void> {
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
    if (!socket.writableNeedDrain || socket.destroyed) return;
    await new Promise<void>((resolve) => {
      socket.once('drain', resolve);
      socket.once('close', resolve);
    });
  }
}
