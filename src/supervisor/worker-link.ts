// SPDX-License-Identifier: Apache-2.0
/**
 * The worker as the instance sees it: raised with the ports of a plan, and what it has got so far.
 * Between its death and the next {@link WorkerLink.raise} it takes no commands: what it would have
 * been told is in the tables, or is told to the next one.
 */
import type { Config } from '../config/types.js';
import type { Tables } from '../forwarding/addon/api.js';
import type { PortMacs } from '../forwarding/project.js';
import type { Logger } from '../lib/log.js';
import type { Event, PortInfo } from '../rpc/gen/worker.js';
import { SupervisorError, type SupervisorErrorCode } from './errors.js';
import type { KernelPort } from './kernel-port.js';
import type { Plan } from './plan.js';
import { devargs, portsDiffer, type WantedPort } from './ports.js';
import { WorkerError, type WorkerClient } from './worker-client.js';
import { workerArguments, type WorkerProcess } from './worker-process.js';
import type { InstancePaths } from './paths.js';

export interface WorkerLinkDeps {
  readonly process: WorkerProcess;
  readonly tables: Tables;
  readonly paths: InstancePaths;
  readonly kernelPort: Pick<KernelPort, 'portNamespace'>;
  readonly log: Logger;
  readonly onEvent: (event: NonNullable<Event['event']>) => void;
  /** A worker takes commands, after its Hello: one found running, or a new one. */
  readonly onAttached: (client: WorkerClient) => void;
  /** It takes none any more, for whatever reason but {@link WorkerLink.disconnect}. */
  readonly onDetached: () => void;
  /** It died, or closed the connection, without being told to. */
  readonly onDeath: (reason: string) => void;
}

/** How long an SA waits for a worker that died to be replaced. */
const AWAY_MS = 10_000;
const AWAY_POLL_MS = 50;

const ERROR_CODES = new Map<string, SupervisorErrorCode>([
  ['DEVICE_UNKNOWN', 'DEVICE'],
  ['DEVICE_BOUND', 'DEVICE'],
  ['DEVICE_BUSY', 'DEVICE'],
  ['NO_PRIVILEGE', 'PRIVILEGE'],
  ['NO_MEMORY', 'HUGEPAGES'],
  ['KEY_REFUSED', 'KEY'],
]);

export class WorkerLink {
  readonly #deps: WorkerLinkDeps;
  #client: WorkerClient | undefined;
  /** Arguments the running worker was started with; undefined: by another supervisor. */
  #arguments: string | undefined;
  #ports: PortInfo[] = [];
  #started = false;
  #attached = new Set<number>();
  #macs = new Map<string, Uint8Array>();
  readonly #links = new Map<number, boolean>();

  constructor(deps: WorkerLinkDeps) {
    this.#deps = deps;
  }

  get up(): boolean {
    return this.#client !== undefined;
  }
  get started(): boolean {
    return this.up && this.#started;
  }
  /** By port name; kept while no worker runs, because the devices have not changed. */
  get macs(): PortMacs {
    return this.#macs;
  }
  /** Interface rows that it holds a descriptor for. */
  get attached(): ReadonlySet<number> {
    return this.#attached;
  }
  /** undefined: not known. */
  linkUp(port: number): boolean | undefined {
    return this.up ? this.#links.get(port) : undefined;
  }
  linkState(port: number, up: boolean): void {
    this.#links.set(port, up);
    this.#deps.log.notice(`link ${up ? 'up' : 'down'}`, { port: this.#portName(port) });
  }
  #portName(id: number): string {
    return this.#ports.find(({ port }) => port === id)?.name ?? String(id);
  }

  /** Whether the plan needs another worker than the one that runs: ports are fixed at its start. */
  mustRestart(plan: Plan): boolean {
    if (!this.up) return false;
    const other =
      this.#arguments !== undefined && this.#arguments !== this.#argumentsOf(plan.config);
    return other || portsDiffer(this.#wanted(plan), this.#ports);
  }

  #argumentsOf(config: Config): string {
    return workerArguments(config, this.#deps.paths).join(' ');
  }

  #wanted(plan: Plan): WantedPort[] {
    return [...plan.model.ports.values()].map((model) => {
      const id = this.#deps.tables.portId(model.name);
      return { id, model, devargs: devargs(id, model.device) };
    });
  }

  /** After it a worker runs and has exactly the plan's ports. */
  async raise(plan: Plan): Promise<void> {
    if (this.mustRestart(plan)) await this.shutdown('its ports or arguments change');
    if (!this.up) await this.#attach(plan);
    // One that an earlier supervisor left half set up, or with other ports.
    if (!this.started && this.#ports.length > 0 && this.mustRestart(plan)) {
      await this.shutdown('it was not set up completely');
      await this.#attach(plan);
    } else if (this.started && this.mustRestart(plan)) {
      await this.shutdown('it has other ports');
      await this.#attach(plan);
    }
    if (!this.#started) await this.#addPorts(plan);
    const names = new Set(plan.model.ports.keys());
    this.#macs = new Map(
      this.#ports.filter(({ name }) => names.has(name)).map(({ name, mac }) => [name, mac]),
    );
  }

  async #attach(plan: Plan): Promise<void> {
    // Attempts that come to nothing close their connections, too; only the one in use matters.
    const attempt: { client?: WorkerClient } = {};
    const { client, hello, fresh } = await this.#deps.process.attach(plan.config, {
      onEvent: this.#deps.onEvent,
      onClose: (reason) => {
        if (attempt.client !== undefined) this.#closed(attempt.client, reason);
      },
    });
    attempt.client = client;
    this.#client = client;
    this.#arguments = fresh ? this.#argumentsOf(plan.config) : undefined;
    this.#ports = hello.ports;
    this.#started = hello.started;
    this.#attached = new Set(hello.attachedInterfaces);
    this.#links.clear();
    for (const { port, linkUp } of hello.ports) this.#links.set(port, linkUp);
    this.#deps.onAttached(client);
  }

  async #addPorts(plan: Plan): Promise<void> {
    for (const { id, model, devargs: args } of this.#wanted(plan)) {
      if (this.#ports.some(({ port }) => port === id)) continue;
      const request = { port: id, name: model.name, devargs: args, mtu: model.mtu };
      const netns = this.#deps.kernelPort.portNamespace(model.device);
      const info = await this.#command(async (client) =>
        // AF_PACKET delivers only the interface's own unicast frames unless promiscuous; own MAC is enough.
        client.addPort({ ...request, promiscuous: false }, netns),
      );
      this.#ports.push(info);
      this.#links.set(id, info.linkUp);
    }
  }

  #closed(client: WorkerClient, reason: string): void {
    if (this.#client !== client) return;
    this.#client = undefined;
    this.#started = false;
    this.#attached.clear();
    this.#deps.onDetached();
    this.#deps.onDeath(reason);
  }

  async #command<T>(work: (client: WorkerClient) => Promise<T>): Promise<T> {
    const client = this.#client;
    if (client === undefined) {
      throw new SupervisorError(
        'WORKER_COMMAND',
        'the worker is down',
        `see ${this.#deps.paths.workerLog}`,
      );
    }
    try {
      return await work(client);
    } catch (error) {
      if (!(error instanceof WorkerError)) throw error;
      const code = ERROR_CODES.get(error.code) ?? 'WORKER_COMMAND';
      throw new SupervisorError(code, error.message, error.remedy, error);
    }
  }

  async attachInterface(id: number, queue: number): Promise<void> {
    await this.#command(async (client) => client.attachInterface(id, queue));
    this.#attached.add(id);
  }
  async detachInterface(id: number): Promise<void> {
    await this.#command(async (client) => client.detachInterface(id));
    this.#attached.delete(id);
  }
  async reserveLabels(labels: number): Promise<void> {
    await this.#command(async (client) => client.reserveLabels(labels));
  }
  /** Has SA rows installed. */
  get installer(): (out: readonly number[], inbound: readonly number[]) => Promise<void> {
    return async (out, inbound) => this.#command(async (client) => client.installSas(out, inbound));
  }
  /**
   * As {@link WorkerLink.installer}, but waits for a worker that is away: the one that comes expands the keys of
   * all rows there are, and to tell it once more does no harm. Rejects when none comes.
   */
  async installWhenUp(out: readonly number[], inbound: readonly number[]): Promise<void> {
    for (let waited = 0; ; waited += AWAY_POLL_MS) {
      try {
        await this.installer(out, inbound);
        return;
      } catch (error) {
        if (this.up || waited >= AWAY_MS) throw error;
      }
      await new Promise((wake) => {
        setTimeout(wake, AWAY_POLL_MS);
      });
    }
  }
  async start(): Promise<void> {
    if (this.#started) return;
    await this.#command(async (client) => client.start());
    this.#started = true;
    this.#deps.log.notice('the worker forwards', { pid: this.#deps.tables.worker().pid });
  }

  /** Ends the worker in order, or by force when it does not obey; returns when it is gone. */
  async shutdown(why: string): Promise<void> {
    const client = this.#client;
    this.#client = undefined;
    this.#started = false;
    this.#attached.clear();
    if (client !== undefined) {
      this.#deps.onDetached();
      this.#deps.log.notice('stopping the worker', { why });
      try {
        await client.shutdown();
        await this.#deps.process.gone();
      } catch {
        // It closes the connection as it goes; whether it went is what the lock says, below.
      }
      client.close();
    }
    await this.#deps.process.end(why);
  }

  /** Ends a worker that does not go on; its death is reported as any other. */
  async kill(why: string): Promise<void> {
    await this.#deps.process.end(why);
  }

  /** Leaves the worker as it is. */
  disconnect(): void {
    const client = this.#client;
    this.#client = undefined;
    client?.close();
  }
}
