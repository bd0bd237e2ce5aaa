// SPDX-License-Identifier: Apache-2.0
/**
 * MRT files on disk: messages as they come, in a new file every so often, and table dumps. A file is
 * written under its name with ".part" behind it and renamed when it is complete, so that whoever takes
 * files away never takes half of one. Disks can be slow or full: what waits is bounded, what does not
 * fit is dropped and counted, and BGP never waits.
 */
import { createWriteStream, type WriteStream } from 'node:fs';
import { rename } from 'node:fs/promises';
import { formatAddress } from '../../lib/ip.js';
import type { Logger } from '../../lib/log.js';
import type { Monitor, MonitoredPeer, PeerDown, TableRoute, WallClock } from '../monitor.js';
import { messageRecord, stateRecord } from './records.js';
import { tableDump, type TableDump } from './table-dump.js';

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
  #failed = false;

  constructor(name: string, log: Logger) {
    this.name = name;
    this.#log = log;
    this.#stream = createWriteStream(`${name}.part`, { flags: 'w', mode: 0o640 });
    this.#done = new Promise((resolve) => {
      this.#stream.once('close', resolve);
    });
    this.#stream.on('error', (error) => {
      if (!this.#failed) {
        log.warning('cannot write the MRT file', { file: name, why: error.message });
      }
      this.#failed = true;
    });
  }

  /** Octets not on the disk yet. */
  get waiting(): number {
    return this.#stream.writableLength;
  }

  /** false: it failed before, the record is lost. */
  write(record: Uint8Array): boolean {
    if (this.#failed) return false;
    this.#stream.write(record);
    return true;
  }

  /** Resolves when the disk has taken enough for more to be written. */
  async drained(): Promise<void> {
    if (this.#failed || !this.#stream.writableNeedDrain) return;
    await new Promise<void>((resolve) => {
      this.#stream.once('drain', resolve);
      this.#stream.once('close', resolve);
    });
  }

  /** Completes the file. Never rejects. */
  async close(): Promise<void> {
    this.#stream.end();
    await this.#done;
    if (this.#failed) return;
    try {
      await rename(`${this.name}.part`, this.name);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      this.#log.warning('cannot rename the MRT file', { file: this.name, why });
    }
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

/**
 * Writes one table dump. `turn` is awaited after each slice of the table, so that other work goes on;
 * `routes` may be a generator that reads the table as it goes. Resolves with the number of records.
 */
export async function writeTableDump(
  options: Pick<MrtFileOptions, 'file' | 'log'>,
  dump: TableDump,
  routes: Iterable<TableRoute>,
  turn: () => Promise<void>,
): Promise<number> {
  const file = new PartFile(fileName(options.file, dump.now), options.log);
  let records = 0;
  try {
    for (const record of tableDump(dump, routes)) {
      if (!file.write(record)) break;
      records++;
      if (records % SLICE !== 0) continue;
      await file.drained();
      await turn();
    }
  } finally {
    await file.close();
  }
  return records;
}

/** Records per turn: about a millisecond. */
const SLICE = 256;
