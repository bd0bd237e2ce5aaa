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
import type { Event, LagMember, PortInfo, SendProbes } from '../rpc/gen/worker.js';
import { codeOf, messageOf, SupervisorError, type SupervisorErrorCode } from './errors.js';
import type { KernelPort } from './kernel-port.js';
import type { Plan } from './plan.js';
import { DEFAULT_LCORES } from '../config/defaults.js';
import { devargs, noOffloads, portsDiffer, type WantedPort } from './ports.js';
import { WorkerError, type WorkerClient, type WorkerEvents } from './worker-client.js';
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
  /** It is about to hand over to another. */
  readonly onHandOver: () => Promise<void>;
  /** It takes none any more, for whatever reason but {@link WorkerLink.disconnect}. */
  readonly onDetached: () => void;
  /** It died, or closed the connection, without being told to. */
  readonly onDeath: (reason: string) => void;
}

/** Another worker beside the one that forwards. It has its ports open, and gets no frame. */
interface Standby {
  readonly client: WorkerClient;
  readonly arguments: string;
  readonly ports: readonly PortInfo[];
}

/** How one worker came in the place of another. */
export interface Replacement {
  /** Why packets that came meanwhile were lost; undefined: none was. */
  readonly lossy: string | undefined;
  /** From the last packet that the one forwarded to when the other was ready for the next. */
  readonly milliseconds: number;
}

/** A standby needs room beside the first worker, and devices that both can have: refusals of either worker. */
const CANNOT_STAND_BY: ReadonlySet<string> = new Set([
  ...['STATE', 'NO_MEMORY', 'DEVICE_BUSY'],
  'HUGEPAGES', // it could not even start
]);

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

function inOurTerms(error: unknown): unknown {
  if (!(error instanceof WorkerError)) return error;
  const code = ERROR_CODES.get(error.code) ?? 'WORKER_COMMAND';
  return new SupervisorError(code, error.message, error.remedy, error);
}

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
  /** 'lost': it ended before it could take over. */
  #standby: Standby | 'lost' | undefined;
  #standbyAttached: Set<number> | undefined;
  #lossy: string | undefined;
  #stoppedAt: number | undefined;
  #replacement: Replacement = { lossy: undefined, milliseconds: 0 };

  constructor(deps: WorkerLinkDeps) {
    this.#deps = deps;
  }

  get up(): boolean {
    return this.#client !== undefined;
  }
  /** The one that takes commands now. */
  get client(): WorkerClient | undefined {
    return this.#client;
  }
  get started(): boolean {
    return this.up && this.#started;
  }
  /** By port name; kept while no worker runs, because the devices have not changed. */
  get macs(): PortMacs {
    return this.#macs;
  }
  /** Interface rows that it holds a descriptor for; while {@link WorkerLink.handOver} attaches, the next one. */
  get attached(): ReadonlySet<number> {
    return this.#standbyAttached ?? this.#attached;
  }
  /** Another worker has the plan's ports, and waits for {@link WorkerLink.handOver}. */
  get replacing(): boolean {
    return this.#standby !== undefined;
  }
  /** The last one. */
  get replacement(): Replacement {
    return this.#replacement;
  }
  /** What is left to the NIC of a port, as the worker names it; empty: nothing, or no worker. */
  offloads(port: number): string {
    return this.#ports.find((found) => found.port === port)?.offloads ?? '';
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

  /**
   * After it a worker runs and has exactly the plan's ports, or one that has them stands by beside the one that
   * forwards ({@link WorkerLink.replacing}). `anew`: another one in any case.
   */
  async raise(plan: Plan, anew = false): Promise<void> {
    await this.#dismiss();
    const found = this.up;
    if (!found) await this.#attach(plan);
    const isMade = found || this.#started || this.#ports.length > 0;
    if (isMade && ((found && anew) || this.mustRestart(plan))) {
      if (this.#started && (await this.#standBy(plan))) return;
      await this.shutdown(this.#started ? 'another one is needed' : 'it was not set up completely');
      await this.#attach(plan);
    }
    if (!this.#started) await this.#addPorts(plan);
    this.#noteMacs(plan);
  }

  #noteMacs(plan: Plan, ports: readonly PortInfo[] = this.#ports): void {
    const names = new Set(plan.model.ports.keys());
    this.#macs = new Map(
      ports.filter(({ name }) => names.has(name)).map(({ name, mac }) => [name, mac]),
    );
  }

  /** False: it cannot be without loss here, and {@link Replacement.lossy} will say why. */
  async #standBy(plan: Plan): Promise<boolean> {
    const { log, process } = this.#deps;
    const before = this.#client;
    const attempt: { client?: WorkerClient } = {};
    try {
      await before?.prepareHandOver(plan.config.worker?.lcores ?? DEFAULT_LCORES);
      const client = await process.standBy(plan.config, this.#events(attempt));
      attempt.client = client;
      const ports: PortInfo[] = [];
      this.#standby = { client, arguments: this.#argumentsOf(plan.config), ports };
      for (const wanted of this.#wanted(plan)) ports.push(await this.#addPort(client, wanted));
      this.#noteMacs(plan, ports);
      return true;
    } catch (error) {
      await this.#dismiss();
      // Whatever else keeps one from starting would keep another from it, with nobody left that forwards.
      if (!CANNOT_STAND_BY.has(codeOf(error) ?? '')) throw inOurTerms(error);
      this.#lossy = messageOf(error);
      log.warning('packets will be lost while the worker is replaced', { why: this.#lossy });
      return false;
    }
  }

  /** Nobody is to go on for the worker any more. */
  async #dismiss(): Promise<void> {
    const standby = this.#standby;
    this.#standby = undefined;
    this.#standbyAttached = undefined;
    if (standby === undefined || standby === 'lost') return;
    try {
      await standby.client.shutdown();
    } catch {
      // It ends when the connection does.
    }
    standby.client.close();
  }

  /**
   * The one that stands by goes on for the one that forwards: what ports and TAPs receive from the moment of the
   * change waits for it. `attach` has it given its interfaces by {@link WorkerLink.attachInterface}. When this throws
   * before the change, the first goes on; after it the next is found dead, and another one is started.
   */
  async handOver(attach: () => Promise<void>): Promise<void> {
    const standby = this.#standby;
    if (standby === undefined || standby === 'lost') {
      this.#standby = undefined;
      const remedy = `see ${this.#deps.paths.workerLog}`;
      throw new SupervisorError('WORKER_START', 'the worker that was to go on ended', remedy);
    }
    this.#standbyAttached = new Set();
    try {
      await attach();
    } catch (error) {
      await this.#dismiss();
      throw error;
    }
    const attached = this.#standbyAttached;
    await this.#deps.onHandOver();
    this.#lossy = undefined;
    await this.#giveWay();
    this.#standby = undefined;
    this.#standbyAttached = undefined;
    await this.#takeOver(standby, attached);
  }

  /** The one that forwards lets go of ports and segment. */
  async #giveWay(): Promise<void> {
    const { process, log, onDetached } = this.#deps;
    const before = this.#client;
    this.#client = undefined;
    this.#started = false;
    this.#stoppedAt = performance.now();
    if (before === undefined) return;
    onDetached();
    try {
      await before.shutdown(true);
      await process.gone(true);
    } catch (error) {
      log.error('the worker did not hand over', { why: messageOf(error) });
      this.#lossy = messageOf(error);
      await process.end('it did not hand over');
    }
    before.close();
  }

  async #takeOver(standby: Standby, attached: Set<number>): Promise<void> {
    const { client, ports } = standby;
    try {
      await client.takeOver();
    } catch (error) {
      client.close();
      this.#deps.onDeath(`it could not take over: ${messageOf(error)}`);
      throw inOurTerms(error);
    }
    this.#client = client;
    this.#arguments = standby.arguments;
    this.#ports = [...ports];
    this.#attached = attached;
    this.#links.clear();
    for (const { port, linkUp } of ports) this.#links.set(port, linkUp);
    await this.start();
    this.#deps.onAttached(client);
  }

  async #attach(plan: Plan): Promise<void> {
    const attempt: { client?: WorkerClient } = {};
    const events = this.#events(attempt);
    const { client, hello, fresh } = await this.#deps.process.attach(plan.config, events);
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

  /** Attempts that come to nothing close their connections, too; only the one in use matters. */
  #events(attempt: { client?: WorkerClient }): WorkerEvents {
    return {
      onEvent: this.#deps.onEvent,
      onClose: (reason) => {
        if (attempt.client !== undefined) this.#closed(attempt.client, reason);
      },
    };
  }

  async #addPorts(plan: Plan): Promise<void> {
    for (const wanted of this.#wanted(plan)) {
      if (this.#ports.some(({ port }) => port === wanted.id)) continue;
      const info = await this.#command(async (client) => this.#addPort(client, wanted));
      this.#ports.push(info);
      this.#links.set(wanted.id, info.linkUp);
    }
  }

  async #addPort(client: WorkerClient, wanted: WantedPort): Promise<PortInfo> {
    const { id, model } = wanted;
    const request = {
      ...{ port: id, name: model.name, devargs: wanted.devargs, mtu: model.mtu },
      noOffloads: noOffloads(wanted),
    };
    const netns = this.#deps.kernelPort.portNamespace(model.device);
    // AF_PACKET delivers only the interface's own unicast frames unless promiscuous; own MAC is enough.
    return client.addPort({ ...request, promiscuous: false }, netns);
  }

  #closed(client: WorkerClient, reason: string): void {
    const standby = this.#standby;
    if (standby !== undefined && standby !== 'lost' && standby.client === client) {
      this.#standby = 'lost';
    }
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
      throw inOurTerms(error);
    }
  }

  async attachInterface(id: number, queue: number): Promise<void> {
    const standby = this.#standby;
    if (this.#standbyAttached !== undefined && standby !== undefined && standby !== 'lost') {
      await standby.client.attachInterface(id, queue);
      this.#standbyAttached.add(id);
      return;
    }
    await this.#command(async (client) => client.attachInterface(id, queue));
    this.#attached.add(id);
  }
  /** Members of link aggregation groups; none while the worker is down. */
  async lags(): Promise<readonly LagMember[]> {
    if (this.#client === undefined) return [];
    const reply = await this.#command(async (client) =>
      client.call({ $case: 'listLags', value: {} }),
    );
    return reply.lags?.members ?? [];
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
  async sendProbes(probes: SendProbes): Promise<void> {
    await this.#command(async (client) => client.sendProbes(probes));
  }
  async start(): Promise<void> {
    if (this.#started) return;
    await this.#command(async (client) => client.start());
    this.#started = true;
    const { pid } = this.#deps.tables.worker();
    if (this.#stoppedAt === undefined) {
      this.#deps.log.notice('the worker forwards', { pid });
      return;
    }
    const milliseconds = Math.round(performance.now() - this.#stoppedAt);
    this.#stoppedAt = undefined;
    this.#replacement = { lossy: this.#lossy, milliseconds };
    const fate = this.#lossy === undefined ? { waited: milliseconds } : { outage: milliseconds };
    this.#deps.log.notice('another worker forwards', { pid, ...fate });
  }

  /** Ends the worker in order, or by force when it does not obey; returns when it is gone. */
  async shutdown(why: string): Promise<void> {
    const client = this.#client;
    await this.#dismiss();
    this.#client = undefined;
    if (this.#started) this.#stoppedAt = performance.now();
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
    if (this.#standby !== undefined && this.#standby !== 'lost') this.#standby.client.close();
    const client = this.#client;
    this.#client = undefined;
    client?.close();
  }
}
