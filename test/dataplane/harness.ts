// SPDX-License-Identifier: Apache-2.0
/**
 * The real worker between raw sockets: its own namespace, veth pairs as ports, TAPs as the kernel's side,
 * segments on tmpfs written through the addon. Nothing of the product is replaced.
 *
 *   namespace:   [x-ce] ===veth=== (ce)  sealane-worker  (core) ===veth=== [x-core]
 *                                          | TAP queues
 *                                     [t-NAME] ...                 [..] = wire.py's sockets
 *
 * Deterministic: a run ends when the worker's own counters say that every frame sent was read and everything
 * it sent or punted has arrived, never after a time.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import {
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { eventually, Lab } from '../../scripts/lib/lab.js';
import type { Tables } from '../../src/forwarding/addon/api.js';
import { loadAddon } from '../../src/forwarding/addon/load.js';
import type { Kernel } from '../../src/lib/kernel-api.js';
import type { Event } from '../../src/rpc/gen/worker.js';
import { WorkerClient } from '../../src/supervisor/worker-client.js';
import { Wire } from './wire.js';

const LAB_STATE = '/run/sealane-lab';
const PREFIX = 'dataplane-';
export const addon = loadAddon();

/** Far end of a port's wire, and a TAP, as the namespace names them. */
export const farEnd = (port: string): string => `x-${port}`;
export const tapName = (name: string): string => `t-${name}`;

export interface PortOptions {
  /** Other device arguments than those of AF_PACKET on a veth of the port's name. */
  readonly devargs?: string;
  readonly mtu?: number;
}

export interface HarnessOptions {
  /** Veth pairs made for them: AF_PACKET ports. */
  readonly ports: readonly string[];
  /** More arguments for the worker. */
  readonly arguments?: readonly string[];
  readonly memoryMb?: number;
}

/** Removes what killed runs have left: labs named after processes that are gone. */
async function clearStale(): Promise<void> {
  // No such folder: no lab was ever opened.
  for (const file of existsSync(LAB_STATE) ? readdirSync(LAB_STATE) : []) {
    const pid = new RegExp(`^${PREFIX}(\\d+)-.*\\.json$`).exec(file)?.[1];
    if (pid === undefined) continue;
    if (addon.kernel.processStartTime(Number(pid)) === undefined) {
      await Lab.clear(file.slice(0, -'.json'.length));
    }
  }
}

export class Harness {
  readonly netns: string;
  readonly directory: string;
  readonly kernel: Kernel = addon.kernel;
  readonly wire: Wire;
  readonly events: NonNullable<Event['event']>[] = [];
  readonly #lab: Lab;
  readonly #options: HarnessOptions;
  readonly #netnsFd: number;
  #tables: Tables;
  #child: ChildProcess | undefined;
  #client: WorkerClient | undefined;

  private constructor(netns: string, lab: Lab, options: HarnessOptions) {
    this.netns = netns;
    this.#lab = lab;
    this.#options = options;
    this.directory = mkdtempSync('/dev/shm/sealane-dataplane-');
    this.#netnsFd = this.kernel.openNetns(`/run/netns/${netns}`);
    this.wire = new Wire(netns);
    this.#tables = addon.openTables({ tables: this.path('tables'), state: this.path('state') });
  }

  /** Namespace, wires and tables; no worker yet. `name` tells the files' harnesses apart. */
  static async open(name: string, options: HarnessOptions): Promise<Harness> {
    await clearStale();
    const netns = `sldp-${String(process.pid)}-${name}`;
    const lab = await Lab.open(`${PREFIX}${String(process.pid)}-${name}`);
    await lab.namespace(netns);
    // A silent kernel: every frame on a wire is the worker's or the test's.
    await lab.must(netns, ['sysctl', '-qw', 'net.ipv6.conf.default.disable_ipv6=1']);
    for (const port of options.ports) {
      await lab.link(netns, port, netns, farEnd(port));
      for (const end of [port, farEnd(port)]) {
        await lab.must(netns, ['ip', 'link', 'set', end, 'mtu', '1900', 'addrgenmode', 'none']);
      }
    }
    const harness = new Harness(netns, lab, options);
    await harness.wire.open(options.ports.map(farEnd));
    return harness;
  }

  path(file: string): string {
    return join(this.directory, file);
  }
  get tables(): Tables {
    return this.#tables;
  }
  get client(): WorkerClient {
    if (this.#client === undefined) throw new Error('no worker runs');
    return this.#client;
  }
  get workerPid(): number {
    return this.client.peerPid;
  }
  /** Thread id of the one packet thread. */
  get packetThread(): number {
    const lcore = this.tables.worker().lcores[0];
    if (lcore === undefined) throw new Error('the worker does not poll');
    return lcore.tid;
  }

  /** Starts the worker and adds the ports of `ports`, all the options' by default. */
  async startWorker(extra: Readonly<Record<string, PortOptions>> = {}): Promise<void> {
    const program =
      process.env['SEALANE_WORKER'] ??
      fileURLToPath(new URL('../../build/dpdk-app/sealane-worker', import.meta.url));
    const output = openSync(this.path('worker.out'), 'a', 0o600);
    const memory = String(this.#options.memoryMb ?? 64);
    // It ends with this process, however that ends: a worker has its own session.
    const argv = [
      ...['--pdeathsig', 'KILL', program, '--instance-dir', this.directory, '--no-huge'],
      ...['--memory-mb', memory, ...(this.#options.arguments ?? [])],
    ];
    const child = spawn('setpriv', argv, { stdio: ['ignore', output, output] });
    closeSync(output);
    this.#child = child;
    await this.#connect(child);
    await this.client.hello(this.tables.epoch);
    for (const port of this.#options.ports) await this.addPort(port, {});
    for (const [port, options] of Object.entries(extra)) await this.addPort(port, options);
  }

  async #connect(child: ChildProcess): Promise<void> {
    const events = {
      onEvent: (event: NonNullable<Event['event']>) => this.events.push(event),
      onClose: () => undefined,
    };
    this.#client = await eventually('the worker listens', () => {
      if (child.exitCode !== null || child.signalCode !== null) {
        throw new Error(`the worker ended: ${this.log()}`);
      }
      // Its own socket, not that of one killed before, which nobody listens on any more.
      if (!this.tables.worker().alive) return undefined;
      try {
        return WorkerClient.connect(this.kernel, this.path('worker.sock'), events);
      } catch {
        return undefined;
      }
    });
  }

  async addPort(name: string, { devargs, mtu = 1900 }: PortOptions): Promise<void> {
    const port = this.tables.portId(name);
    const arg = devargs ?? `net_af_packet${String(port)},iface=${name}`;
    await this.client.addPort(
      { port, name, devargs: arg, mtu, promiscuous: false, noOffloads: false },
      devargs === undefined ? this.#netnsFd : undefined,
    );
  }

  /** Makes the TAP (TUN for a host interface) of an interface row, listens on it, gives the worker a queue. */
  async attach(id: number, name: string, kind: 'tap' | 'tun' = 'tap'): Promise<void> {
    const fd = this.kernel.openTap({
      netns: this.#netnsFd,
      name: tapName(name),
      kind,
      attached: true,
    });
    await this.#lab.must(this.netns, ['ip', 'link', 'set', tapName(name), 'up', 'mtu', '1900']);
    await this.wire.open([tapName(name)]);
    await this.client.attachInterface(id, fd);
    this.kernel.closeDescriptor(fd);
  }

  /** Runs a program inside the namespace. */
  async must(argv: readonly string[]): Promise<string> {
    return this.#lab.must(this.netns, argv);
  }

  /** What the worker logged and printed. */
  log(): string {
    return ['worker.out', 'worker.log']
      .map((file) => {
        try {
          return readFileSync(this.path(file), 'utf8');
        } catch {
          return '';
        }
      })
      .join('');
  }

  /** Kills the worker and waits until it is gone. */
  async killWorker(): Promise<void> {
    const child = this.#child;
    this.#client?.close();
    this.#client = undefined;
    this.#child = undefined;
    if (child?.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await gone;
  }

  /** Ends the worker in order; resolves with its exit status. */
  async shutdownWorker(): Promise<number | null> {
    const child = this.#child;
    if (child === undefined) return null;
    const gone = new Promise<number | null>((resolve) => child.once('exit', resolve));
    await this.client.shutdown();
    const code = await gone;
    this.#client?.close();
    this.#client = undefined;
    this.#child = undefined;
    return code;
  }

  /** A new supervisor on the same segments: closes and opens the tables. */
  reopenTables(): void {
    this.#tables.close();
    this.#tables = addon.openTables({ tables: this.path('tables'), state: this.path('state') });
  }

  async close(): Promise<void> {
    await this.killWorker();
    await this.wire.close();
    this.#tables.close();
    this.kernel.closeDescriptor(this.#netnsFd);
    await this.#lab.close();
    rmSync(this.directory, { recursive: true, force: true });
  }
}
