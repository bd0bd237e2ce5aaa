// SPDX-License-Identifier: Apache-2.0
/**
 * A worker with BFD sessions in one namespace, another implementation in a second, and a router between their
 * loopbacks. Real sockets, real daemons; the worker has no ports, because BFD needs none.
 *
 *   slbfd-PID-NAME-pe                                         slbfd-PID-NAME-peer
 *     (hop) 10.77.0.1/30, fd77::1/64 ------------ 10.77.0.2/30, fd77::2/64 (hop)
 *           fe80::77:1                                fe80::77:2
 *     lo 10.77.1.1, fd77:1::1                            lo 10.77.1.2, fd77:1::2
 *     (core) 10.77.2.1/30 ---- slbfd-PID-NAME-mid ---- 10.77.3.1/30 (core)
 */
import { spawn, type ChildProcess } from 'node:child_process';
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { eventually, Lab } from '../../../scripts/lib/lab.js';
import type { Tables } from '../../../src/forwarding/addon/api.js';
import { loadAddon } from '../../../src/forwarding/addon/load.js';
import { parseAddress } from '../../../src/lib/ip.js';
import { createLogger } from '../../../src/lib/log.js';
import { BfdSessions, type BfdSession } from '../../../src/supervisor/bfd-sessions.js';
import type { BfdPeer, BfdSettings, BfdStatus } from '../../../src/supervisor/bfd-types.js';
import { WorkerClient } from '../../../src/supervisor/worker-client.js';

export const addon = loadAddon();

export const FAST: BfdSettings = {
  desiredMinTxUs: 300_000,
  requiredMinRxUs: 300_000,
  detectMult: 3,
};

export function ip(text: string): Uint8Array {
  const address = parseAddress(text);
  if (address === undefined) throw new Error(`not an address: ${text}`);
  return address;
}

/** Removes what killed runs have left: labs named after processes that are gone. */
async function clearStale(): Promise<void> {
  const folder = '/run/sealane-lab';
  for (const file of existsSync(folder) ? readdirSync(folder) : []) {
    const pid = /^bfd-(\d+)-.*\.json$/.exec(file)?.[1];
    if (pid !== undefined && addon.kernel.processStartTime(Number(pid)) === undefined) {
      await Lab.clear(file.slice(0, -'.json'.length));
    }
  }
}

/** A session of the bed with every status it told. */
export interface Watched {
  readonly session: BfdSession;
  readonly seen: BfdStatus[];
  /** Waits until the session says so; fails after `ms`. */
  readonly until: (
    what: string,
    is: (status: BfdStatus) => boolean,
    ms?: number,
  ) => Promise<BfdStatus>;
}

export class Bed {
  readonly pe: string;
  readonly peer: string;
  readonly directory: string;
  readonly lab: Lab;
  readonly tables: Tables;
  readonly #middle: string;
  #worker: ChildProcess | undefined;
  #client: WorkerClient | undefined;
  #sessions: BfdSessions | undefined;

  private constructor(name: string, lab: Lab) {
    const prefix = `slbfd-${String(process.pid)}-${name}`;
    this.pe = `${prefix}-pe`;
    this.peer = `${prefix}-peer`;
    this.#middle = `${prefix}-mid`;
    this.lab = lab;
    this.directory = mkdtempSync('/dev/shm/sealane-bfd-');
    this.tables = addon.openTables({ tables: this.path('tables'), state: this.path('state') });
  }

  /** Namespaces, links and a worker that nobody is connected to. */
  static async open(name: string): Promise<Bed> {
    await clearStale();
    const lab = await Lab.open(`bfd-${String(process.pid)}-${name}`);
    const bed = new Bed(name, lab);
    try {
      await bed.#wire();
      await bed.startWorker();
    } catch (error) {
      await bed.close();
      throw error;
    }
    return bed;
  }

  path(file: string): string {
    return join(this.directory, file);
  }
  get sessions(): BfdSessions {
    if (this.#sessions === undefined) throw new Error('not connected');
    return this.#sessions;
  }
  get client(): WorkerClient {
    if (this.#client === undefined) throw new Error('not connected');
    return this.#client;
  }
  drops(reason: string): bigint {
    return this.tables.drops().find((row) => row.reason === reason)?.packets ?? 0n;
  }

  async #wire(): Promise<void> {
    const { lab, pe, peer } = this;
    const middle = this.#middle;
    for (const netns of [pe, peer, middle]) await lab.namespace(netns);
    await lab.link(pe, 'hop', peer, 'hop');
    await lab.link(pe, 'core', middle, 'left');
    await lab.link(peer, 'core', middle, 'right');
    for (const [netns, n] of [
      [pe, '1'],
      [peer, '2'],
    ] as const) {
      const net = n === '1' ? '2' : '3';
      const other = n === '1' ? '2' : '1';
      await lab.ip(netns, [
        `addr add 10.77.0.${n}/30 dev hop`,
        `addr add fd77::${n}/64 dev hop`,
        `addr add fe80::77:${n}/64 dev hop`,
        `addr add 10.77.1.${n}/32 dev lo`,
        `addr add fd77:1::${n}/128 dev lo`,
        `addr add 10.77.${net}.1/30 dev core`,
        `addr add fd77:${net}::1/64 dev core`,
        `route add 10.77.1.${other}/32 via 10.77.${net}.2 src 10.77.1.${n}`,
        `-6 route add fd77:1::${other}/128 via fd77:${net}::2 src fd77:1::${n}`,
      ]);
    }
    for (const [device, net, n] of [
      ['left', '2', '1'],
      ['right', '3', '2'],
    ] as const) {
      await lab.ip(middle, [
        `addr add 10.77.${net}.2/30 dev ${device}`,
        `addr add fd77:${net}::2/64 dev ${device}`,
        `route add 10.77.1.${n}/32 via 10.77.${net}.1`,
        `-6 route add fd77:1::${n}/128 via fd77:${net}::1`,
      ]);
    }
    const forward = ['net.ipv4.ip_forward=1', 'net.ipv6.conf.all.forwarding=1'];
    await lab.must(middle, ['sysctl', '-qw', ...forward]);
  }

  async startWorker(): Promise<void> {
    const program =
      process.env['SEALANE_WORKER'] ??
      fileURLToPath(new URL('../../../build/dpdk-app/sealane-worker', import.meta.url));
    const output = openSync(this.path('worker.out'), 'a', 0o600);
    // It ends with this process, however that ends: a worker has its own session.
    const argv = ['--pdeathsig', 'KILL', program, '--instance-dir', this.directory, '--no-huge'];
    const child = spawn('setpriv', argv, { stdio: ['ignore', output, output] });
    closeSync(output);
    this.#worker = child;
    await eventually('the worker lives', () => {
      if (child.exitCode !== null) throw new Error(`the worker ended: ${this.log()}`);
      return this.tables.worker().alive && existsSync(this.path('worker.sock')) ? true : undefined;
    });
  }

  /** Connects as the supervisor does, and adopts what the worker has. */
  async connect(): Promise<void> {
    const log = createLogger({ write: () => undefined, now: () => '' });
    this.#sessions = new BfdSessions({ kernel: addon.kernel, log });
    await this.reconnect();
  }

  /** The same sessions with another worker. */
  async reconnect(): Promise<void> {
    const { sessions } = this;
    const client = await eventually('the worker listens', () => {
      try {
        return WorkerClient.connect(addon.kernel, this.path('worker.sock'), {
          onEvent: (event) => {
            if (event.$case === 'bfdState') sessions.event(event.value);
          },
          onClose: () => {
            sessions.lost();
          },
        });
      } catch {
        return undefined;
      }
    });
    await client.hello(this.tables.epoch);
    this.#client = client;
    await sessions.adopt(client);
  }

  /** As if the supervisor had died: the worker is told nothing. */
  disconnect(): void {
    this.#sessions?.close();
    this.#client?.close();
    [this.#client, this.#sessions] = [undefined, undefined];
  }

  /** Ends the worker in order, as for a restart. */
  async stopWorker(): Promise<void> {
    const worker = this.#worker;
    if (worker === undefined) return;
    const gone = new Promise((resolve) => worker.once('exit', resolve));
    await this.client.shutdown();
    await gone;
    this.#worker = undefined;
  }

  watch(peer: Omit<BfdPeer, 'netns'>, settings: BfdSettings = FAST): Watched {
    const seen: BfdStatus[] = [];
    const netns = `/run/netns/${this.pe}`;
    const session = this.sessions.add({ ...peer, netns }, settings, (status) => seen.push(status));
    return {
      session,
      seen,
      until: async (what, is, ms = 30_000) => {
        try {
          return await eventually(
            what,
            () => (is(session.status) ? session.status : undefined),
            ms,
          );
        } catch (error) {
          const told = JSON.stringify(seen.slice(-8));
          throw new Error(`${what}; told: ${told}\n${this.log()}`, { cause: error });
        }
      },
    };
  }

  /** A file below the bed's folder, with its folder. */
  write(file: string, text: string): string {
    const path = this.path(file);
    mkdirSync(join(path, '..'), { recursive: true });
    writeFileSync(path, text);
    return path;
  }

  log(): string {
    return ['worker.out', 'worker.log']
      .map((file) => (existsSync(this.path(file)) ? readFileSync(this.path(file), 'utf8') : ''))
      .join('');
  }

  /** Captures BFD on a link of the peer's namespace, until the returned function ends it: the file's name. */
  async capture(name: string, device = 'any'): Promise<() => Promise<string>> {
    const file = this.path(`${name}.pcap`);
    const argv = [
      'tcpdump',
      '-i',
      device,
      '-U',
      '--immediate-mode',
      '-w',
      file,
      'udp port 3784 or udp port 4784',
    ];
    const child = this.lab.start(this.peer, argv, this.path(`${name}.log`));
    await eventually('tcpdump listens', () =>
      readFileSync(this.path(`${name}.log`), 'utf8').includes('listening') ? true : undefined,
    );
    return async () => {
      await this.lab.stop(child, 'SIGINT');
      return file;
    };
  }

  async close(): Promise<void> {
    this.#sessions?.close();
    this.#client?.close();
    const worker = this.#worker;
    if (worker?.exitCode === null && worker.signalCode === null) {
      const gone = new Promise((resolve) => worker.once('exit', resolve));
      worker.kill('SIGKILL');
      await gone;
    }
    await this.lab.close();
    this.tables.close();
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** Peer's addresses in the bed, as `watch` takes them. */
export const SINGLE4 = { local: ip('10.77.0.1'), remote: ip('10.77.0.2'), multihop: false };
export const SINGLE6 = { local: ip('fd77::1'), remote: ip('fd77::2'), multihop: false };
export const LINK_LOCAL = { local: ip('fe80::77:1'), remote: ip('fe80::77:2'), multihop: false };
export const MULTI4 = { local: ip('10.77.1.1'), remote: ip('10.77.1.2'), multihop: true };
export const MULTI6 = { local: ip('fd77:1::1'), remote: ip('fd77:1::2'), multihop: true };
