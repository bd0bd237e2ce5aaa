// SPDX-License-Identifier: Apache-2.0
/**
 * MRT files on disk: messages as they come, in a new file every so often, and table dumps. A file is
 * written under its name with ".part" behind it and renamed when it is complete, so that whoever takes
 * files away never takes half of one. Disks can be slow or full: what waits is bounded, what does not
 * fit is dropped and counted, and BGP never waits.
 */
import { createWriteStream, type WriteStream } from 'node:fs';
import { link, rename, unlink } from 'node:fs/promises';
import { formatAddress } from '../../lib/ip.js';
import type { Logger } from '../../lib/log.js';
import type { Monitor, MonitoredPeer, PeerDown, TableRoute, WallClock } from '../monitor.js';
import { messageRecord, stateRecord } from './records.js';
import { type TableDump, TableEncoder } from './table-dump.js';

const MICROSECONDS = 1_000_000;
const ESTABLISHED = 6;
const IDLE = 1;

export interface MrtFileOptions {
  /** Path; %Y %m %d %H %M %S (UTC) stand for the time its file begins. */
  readonly file: string;
  /** Seconds until a new file begins. */
  readonly every: number;
  /** Neighbours written; undefined: all. */
  readonly neighbours: ReadonlySet<string> | undefined;
  readonly now: WallClock;
  readonly log: Logger;
  /** Octets that may wait for the disk; default 16 MiB. */
  readonly mostWaiting?: number;
}

/** strftime for UTC, as far as file names need it; "%%" is "%". `now` in microseconds since 1970. */
export function fileName(pattern: string, now: number): string {
  const iso = new Date(Math.floor(now / 1000)).toISOString();
  const parts: Readonly<Record<string, string>> = {
    Y: iso.slice(0, 4),
    m: iso.slice(5, 7),
    d: iso.slice(8, 10),
    H: iso.slice(11, 13),
    M: iso.slice(14, 16),
    S: iso.slice(17, 19),
    '%': '%',
  };
  return pattern.replaceAll(/%(.)/g, (whole, letter: string) => parts[letter] ?? whole);
}

/** One file being written. Failures are told once, then everything is dropped. */
class PartFile {
  readonly name: string;
  readonly #stream: WriteStream;
  readonly #log: Logger;
  readonly #done: Promise<void>;
  /** A file of this name, or one being written, is left alone. */
  readonly #fresh: boolean;
  #why = '';
  #opened = false;

  constructor(name: string, log: Logger, fresh = false) {
    this.name = name;
    this.#log = log;
    this.#fresh = fresh;
    const flags = fresh ? 'wx' : 'w';
    this.#stream = createWriteStream(`${name}.part`, { flags, mode: 0o640 });
    this.#done = new Promise((resolve) => {
      this.#stream.once('close', resolve);
    });
    this.#stream.once('open', () => {
      this.#opened = true;
    });
    this.#stream.on('error', (error) => {
      if (!this.failed) {
        log.warning('cannot write the MRT file', { file: name, why: error.message });
        this.#why = error.message;
      }
    });
  }

  get failed(): boolean {
    return this.#why !== '';
  }

  /** Octets not on the disk yet. */
  get waiting(): number {
    return this.#stream.writableLength;
  }

  /** false: it failed before, the record is lost. */
  write(record: Uint8Array): boolean {
    if (this.failed) return false;
    this.#stream.write(record);
    return true;
  }

  /** Resolves when the disk has taken enough for more to be written. */
  async drained(): Promise<void> {
    if (this.failed || !this.#stream.writableNeedDrain) return;
    await new Promise<void>((resolve) => {
      const go = (): void => {
        this.#stream.off('drain', go);
        this.#stream.off('close', go);
        resolve();
      };
      this.#stream.on('drain', go);
      this.#stream.on('close', go);
    });
  }

  /** Completes the file. Never rejects; the answer is why it could not, empty: it could. */
  async close(): Promise<string> {
    this.#stream.end();
    await this.#done;
    if (this.failed) return this.#why;
    const part = `${this.name}.part`;
    try {
      if (this.#fresh) {
        // Unlike rename(2) this fails when the name is taken.
        await link(part, this.name);
        await unlink(part);
      } else await rename(part, this.name);
      return '';
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      this.#log.warning('cannot rename the MRT file', { file: this.name, why });
      if (this.#fresh) await unlink(part).catch(() => undefined);
      return why;
    }
  }

  /** Takes away what was written. Never rejects. */
  async discard(): Promise<void> {
    this.#stream.end();
    await this.#done;
    // Of a file that could not be opened there is nothing of ours.
    if (this.#opened) await unlink(`${this.name}.part`).catch(() => undefined);
  }
}

/** Writes every message of the sessions it hears of (BGP4MP_ET). */
export class MrtMessageFiles implements Monitor {
  /** Records that were not written: the disk was too slow, or failed. */
  dropped = 0;
  readonly #options: MrtFileOptions;
  readonly #mostWaiting: number;
  #file: PartFile | undefined;
  /** Microseconds since 1970 when the next file begins. */
  #until = 0;
  #closing: Promise<void> = Promise.resolve();

  constructor(options: MrtFileOptions) {
    this.#options = options;
    this.#mostWaiting = options.mostWaiting ?? 16 * 1024 * 1024;
  }

  peerUp(peer: MonitoredPeer, sent: Uint8Array, received: Uint8Array): void {
    // OPENs are made before path identifiers are agreed on: they carry none.
    this.message(peer, 'out', sent);
    this.message(peer, 'in', received);
    this.#state(peer, ESTABLISHED);
  }

  peerDown(peer: MonitoredPeer, down: PeerDown): void {
    if (down.kind === 'unmonitored') return;
    if (down.kind === 'local-notification') this.message(peer, 'out', down.message);
    if (down.kind === 'remote-notification') this.message(peer, 'in', down.message);
    this.#state(peer, IDLE);
  }

  message(peer: MonitoredPeer, direction: 'in' | 'out', message: Uint8Array): void {
    if (!this.#wants(peer)) return;
    const now = this.#options.now();
    this.#write(now, messageRecord(now, peer, direction, message));
  }

  /** Completes the last file. */
  async close(): Promise<void> {
    this.#end();
    await this.#closing;
  }

  #state(peer: MonitoredPeer, after: 1 | 6): void {
    if (!this.#wants(peer)) return;
    const now = this.#options.now();
    const before = after === ESTABLISHED ? 5 : ESTABLISHED;
    this.#write(now, stateRecord(now, peer, before, after));
  }

  #wants({ address }: MonitoredPeer): boolean {
    const { neighbours } = this.#options;
    return neighbours === undefined || neighbours.has(formatAddress(address));
  }

  #write(now: number, record: Uint8Array): void {
    // A clock set back begins a new file as well: names go by it.
    const every = this.#options.every * MICROSECONDS;
    if (this.#file === undefined || now >= this.#until || now < this.#until - every) {
      this.#end();
      this.#file = new PartFile(fileName(this.#options.file, now), this.#options.log);
      this.#until = (Math.floor(now / every) + 1) * every;
    }
    if (this.#file.waiting > this.#mostWaiting || !this.#file.write(record)) this.dropped++;
  }

  #end(): void {
    const file = this.#file;
    this.#file = undefined;
    if (file === undefined) return;
    this.#closing = Promise.all([this.#closing, file.close()]).then(() => undefined);
  }
}

export interface TableFileOptions {
  readonly file: string;
  readonly log: Logger;
  /** Refuses to take the place of a file. */
  readonly fresh?: true;
  /** Monotonic milliseconds. */
  readonly clock: () => number;
  /** Resolves when other work has had its turn. */
  readonly turn: () => Promise<void>;
  /** The rest is not wanted any more. */
  readonly stopped?: () => boolean;
}

export type TableFileResult =
  | { readonly kind: 'written'; readonly records: number }
  /** There is no file. */
  | { readonly kind: 'stopped' }
  | { readonly kind: 'failed'; readonly why: string };

/** Work between two turns of the event loop, ms: below the 8 that may hold it up, for what comes behind it. */
const SLICE_MS = 5;

/**
 * Writes one table dump in slices; `routes` may be a generator that reads the table as it goes, undefined
 * in it being a good place to stop for a moment. Throws as {@link TableEncoder} does, leaving no file.
 */
export async function writeTableDump(
  { file: name, log, fresh, clock, turn, stopped = () => false }: TableFileOptions,
  dump: TableDump,
  routes: Iterable<TableRoute | undefined>,
): Promise<TableFileResult> {
  const encoder = new TableEncoder(dump);
  const file = new PartFile(fileName(name, dump.now), log, fresh);
  let records = 1;
  try {
    // One piece for each slice: a stream's work is by the piece.
    let pieces = [encoder.index];
    const flush = (): void => {
      if (pieces.length > 0) file.write(Buffer.concat(pieces));
      pieces = [];
    };
    let since = clock();
    for (const route of routes) {
      if (route !== undefined) {
        for (const record of encoder.records(route)) {
          pieces.push(record);
          records++;
        }
      }
      if (clock() - since < SLICE_MS) continue;
      flush();
      await file.drained();
      await turn();
      if (file.failed) break;
      if (stopped()) {
        await file.discard();
        return { kind: 'stopped' };
      }
      since = clock();
    }
    flush();
  } catch (error) {
    await file.discard();
    throw error;
  }
  const why = await file.close();
  return why === '' ? { kind: 'written', records } : { kind: 'failed', why };
}
