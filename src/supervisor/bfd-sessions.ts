// SPDX-License-Identifier: Apache-2.0
/**
 * The BFD sessions that are wanted, kept in the worker, whose control thread runs them. They outlive the
 * supervisor: after a restart {@link BfdSessions.adopt} finds what the worker has, {@link BfdSessions.add} goes
 * on with it by its name, and {@link BfdSessions.removeOthers} ends what nobody asked for. A new worker is given
 * all of them. What fails (an address not there yet, another BFD daemon) is shown and tried again.
 */
import type { Kernel } from '../lib/kernel-api.js';
import type { Logger } from '../lib/log.js';
import type {
  BfdList,
  BfdResume,
  BfdSessionInfo,
  BfdState,
  Reply,
  WorkerCommand,
} from '../rpc/gen/worker.js';
import {
  BFD_STATES,
  familyOfPeer,
  listenerName,
  sessionName,
  toParameters,
  type BfdPeer,
  type BfdSettings,
  type BfdStateName,
  type BfdStatus,
} from './bfd-types.js';
import { oneLine } from './errors.js';
import { Serial } from './serial.js';

const RETRY_MS = 5_000;
const MAX_LISTENERS = 255;

/** The part of a WorkerClient that is used. */
export interface BfdWorker {
  call(
    command: NonNullable<WorkerCommand['command']>,
    descriptors?: readonly number[],
  ): Promise<Reply>;
}

export interface BfdSessionsDeps {
  readonly kernel: Pick<
    Kernel,
    'openNetns' | 'closeDescriptor' | 'openBfdListener' | 'openBfdSender'
  >;
  readonly log: Logger;
  /** Calls back after so many milliseconds; returns what cancels it. */
  readonly after?: (ms: number, work: () => void) => () => void;
}

/** One wanted session. */
export interface BfdSession {
  readonly peer: BfdPeer;
  readonly status: BfdStatus;
  /** Takes effect without the session going down. */
  change(settings: BfdSettings): void;
  /** The peer is told that this is administrative. No status comes after it. */
  remove(): void;
}

interface Wanted {
  readonly peer: BfdPeer;
  readonly name: string;
  readonly onStatus: (status: BfdStatus) => void;
  settings: BfdSettings;
  status: BfdStatus;
  /** The worker's number for it; undefined: it does not have it. */
  id: number | undefined;
  ups: bigint;
  downs: bigint;
}

const UNKNOWN: BfdStatus = {
  ...{ state: 'unknown', diagnostic: 0, remoteState: 'unknown', remoteDiagnostic: 0 },
  ...{ remoteIndependent: false, failed: false, problem: undefined },
};

const timer = (ms: number, work: () => void): (() => void) => {
  const handle = setTimeout(work, ms);
  handle.unref();
  return () => {
    clearTimeout(handle);
  };
};

const stateName = (state: number): BfdStateName => BFD_STATES[state] ?? 'unknown';

export class BfdSessions {
  readonly #deps: BfdSessionsDeps;
  readonly #after: (ms: number, work: () => void) => () => void;
  /** Commands in the order they were asked for: a number is free again only when its removal was answered. */
  readonly #serial = new Serial();
  readonly #wanted = new Map<string, Wanted>();
  #worker: BfdWorker | undefined;
  /** What the worker has, by name. */
  readonly #listeners = new Map<string, number>();
  readonly #sessions = new Map<string, number>();
  /** What it said of sessions that nobody has asked for yet. */
  readonly #found = new Map<string, BfdState>();
  /** Of the worker before, by name. */
  readonly #resumes = new Map<string, BfdResume>();
  #nextId = 1;
  #cancelRetry: (() => void) | undefined;

  constructor(deps: BfdSessionsDeps) {
    this.#deps = deps;
    this.#after = deps.after ?? timer;
  }

  /**
   * A worker is there, after its Hello: learns what it has, and gives it what is wanted. Resolves when that
   * is done; rejects when the worker goes away meanwhile.
   */
  async adopt(worker: BfdWorker): Promise<void> {
    await this.#serial.run(async () => {
      this.#worker = undefined;
      this.#listeners.clear();
      this.#sessions.clear();
      this.#found.clear();
      for (const wanted of this.#wanted.values()) wanted.id = undefined;
      // Page by page, so that an event between two of them meets what it is about.
      for await (const page of pages(worker)) this.#learn(page);
      this.#worker = worker;
    });
    await Promise.all([...this.#wanted.values()].map(async (wanted) => this.#apply(wanted)));
    this.#resumes.clear();
  }

  #learn({ listeners, sessions }: BfdList): void {
    for (const { name, listener } of listeners) this.#listeners.set(name, listener);
    for (const { name, state } of sessions) {
      if (state === undefined) continue;
      this.#sessions.set(name, state.session);
      this.#found.set(name, state);
      this.#nextId = Math.max(this.#nextId, state.session + 1);
    }
  }

  /** Before the worker lets another go on for it: what it would have to know of sessions that are up. */
  async noteForNext(): Promise<void> {
    this.#resumes.clear();
    for (const { name, resume } of await this.list()) {
      if (resume !== undefined) this.#resumes.set(name, resume);
    }
  }

  /** The worker is gone. The paths have not failed for that: their state is unknown. */
  lost(): void {
    this.#worker = undefined;
    this.#listeners.clear();
    this.#sessions.clear();
    this.#found.clear();
    for (const wanted of this.#wanted.values()) {
      wanted.id = undefined;
      this.#tell(wanted, UNKNOWN);
    }
  }

  /** Throws when there is a session of this peer already, or its addresses are none. */
  add(peer: BfdPeer, settings: BfdSettings, onStatus: (status: BfdStatus) => void): BfdSession {
    familyOfPeer(peer);
    const name = sessionName(peer);
    if (this.#wanted.has(name)) throw new Error(`there is a BFD session ${name} already`);
    const wanted: Wanted = {
      ...{ peer, name, onStatus, settings, status: UNKNOWN, id: undefined, ups: 0n, downs: 0n },
    };
    this.#wanted.set(name, wanted);
    void this.#apply(wanted);
    return {
      peer,
      get status() {
        return wanted.status;
      },
      change: (changed) => {
        wanted.settings = changed;
        void this.#apply(wanted);
      },
      remove: () => {
        if (this.#wanted.get(name) !== wanted) return;
        this.#wanted.delete(name);
        void this.#serial.run(async () => this.#take(name));
      },
    };
  }

  /** Ends sessions that the worker has and nobody has added: to be called when the configuration is in force. */
  async removeOthers(): Promise<void> {
    await this.#serial.run(async () => {
      for (const name of [...this.#sessions.keys()]) await this.#take(name);
      await this.#takeListeners();
    });
  }

  /** A BfdState event of the worker. */
  event(state: BfdState): void {
    for (const wanted of this.#wanted.values()) {
      if (wanted.id === state.session) this.#heard(wanted, state);
    }
    for (const [name, { session }] of this.#found) {
      if (session === state.session) this.#found.set(name, state);
    }
  }

  /** All sessions of the worker with their counters, for `show`. */
  async list(): Promise<readonly BfdSessionInfo[]> {
    const sessions: BfdSessionInfo[] = [];
    if (this.#worker === undefined) return sessions;
    for await (const page of pages(this.#worker)) sessions.push(...page.sessions);
    return sessions;
  }

  #heard(wanted: Wanted, state: BfdState): void {
    const administrative = state.state === 0 || state.remoteState === 0;
    const left = state.downs > wanted.downs;
    // It left Up and came back, if not up for the first time: whatever the ends say by now.
    const bounced = left && state.ups > wanted.ups;
    wanted.downs = state.downs;
    wanted.ups = state.ups;
    this.#tell(wanted, {
      state: stateName(state.state),
      diagnostic: state.diag,
      remoteState: stateName(state.remoteState),
      remoteDiagnostic: state.remoteDiag,
      remoteIndependent: state.remoteIndependent,
      failed: left && (bounced || !administrative),
      problem: undefined,
    });
  }

  #tell(wanted: Wanted, status: BfdStatus): void {
    wanted.status = status;
    if (this.#wanted.get(wanted.name) === wanted) wanted.onStatus(status);
  }

  /** Has the worker run what is wanted; a failure is told and tried again. */
  async #apply(wanted: Wanted): Promise<void> {
    await this.#serial.run(async () => {
      const worker = this.#worker;
      if (worker === undefined || this.#wanted.get(wanted.name) !== wanted) return;
      try {
        const id = this.#sessions.get(wanted.name);
        if (id === undefined) await this.#create(worker, wanted);
        else await this.#takeOver(worker, wanted, id);
      } catch (error) {
        if (this.#worker !== worker) return;
        const problem = oneLine(error);
        this.#deps.log.warning('no BFD session', { session: wanted.name, why: problem });
        this.#tell(wanted, { ...UNKNOWN, problem });
        this.#retryLater();
      }
    });
  }

  async #takeOver(worker: BfdWorker, wanted: Wanted, id: number): Promise<void> {
    const parameters = toParameters(wanted.settings);
    const found = this.#found.get(wanted.name);
    if (wanted.id === undefined && found !== undefined) {
      [wanted.ups, wanted.downs] = [found.ups, found.downs];
    }
    wanted.id = id;
    this.#found.delete(wanted.name);
    if (found !== undefined) this.#heard(wanted, found);
    await worker.call({ $case: 'changeBfdSession', value: { session: id, parameters } });
  }

  async #create(worker: BfdWorker, wanted: Wanted): Promise<void> {
    const { peer, name, settings } = wanted;
    const { kernel } = this.#deps;
    const netns = kernel.openNetns(peer.netns);
    try {
      const listener = await this.#listener(worker, peer, netns);
      const { local, interface: device } = peer;
      const sender = kernel.openBfdSender({
        ...{ netns, local },
        ...(device === undefined ? {} : { interface: device }),
      });
      const session = this.#nextId++;
      const resume = settings.adminDown === true ? undefined : this.#resumes.get(name);
      try {
        [wanted.id, wanted.ups, wanted.downs] = [session, resume === undefined ? 0n : 1n, 0n];
        const value = {
          ...{ session, name, listener, remote: Buffer.from(peer.remote) },
          resume,
          parameters: toParameters(settings),
        };
        await worker.call({ $case: 'addBfdSession', value }, [sender]);
        this.#sessions.set(name, session);
      } catch (error) {
        wanted.id = undefined;
        throw error;
      } finally {
        kernel.closeDescriptor(sender);
      }
      if (resume !== undefined) {
        const { remoteIndependent } = resume;
        this.#tell(wanted, { ...UNKNOWN, state: 'up', remoteState: 'up', remoteIndependent });
      } else if (wanted.status.state === 'unknown') {
        const state = settings.adminDown === true ? 'admin-down' : 'down';
        this.#tell(wanted, { ...UNKNOWN, state, remoteState: 'down' });
      }
    } finally {
      kernel.closeDescriptor(netns);
    }
  }

  /** The worker's listener for a peer's packets, made if it has none yet. */
  async #listener(worker: BfdWorker, peer: BfdPeer, netns: number): Promise<number> {
    const name = listenerName(peer);
    const there = this.#listeners.get(name);
    if (there !== undefined) return there;
    const used = new Set(this.#listeners.values());
    const numbers = Array.from({ length: MAX_LISTENERS }, (_, i) => i + 1);
    const listener = numbers.find((number) => !used.has(number));
    if (listener === undefined) throw new Error('too many namespaces have BFD sessions');
    const { multihop } = peer;
    const fd = this.#deps.kernel.openBfdListener({ netns, family: familyOfPeer(peer), multihop });
    try {
      await worker.call({ $case: 'addBfdListener', value: { listener, name, multihop } }, [fd]);
    } finally {
      this.#deps.kernel.closeDescriptor(fd);
    }
    this.#listeners.set(name, listener);
    return listener;
  }

  /** Ends a session of the worker that is not wanted (any more). */
  async #take(name: string): Promise<void> {
    const [worker, session] = [this.#worker, this.#sessions.get(name)];
    if (worker === undefined || session === undefined || this.#wanted.has(name)) return;
    this.#sessions.delete(name);
    this.#found.delete(name);
    try {
      await worker.call({ $case: 'removeBfdSession', value: { session } });
    } catch (error) {
      this.#deps.log.warning('a BFD session could not be removed', {
        ...{ session: name, why: oneLine(error) },
      });
    }
  }

  /** Listeners without a wanted session hold a port of their namespace. */
  async #takeListeners(): Promise<void> {
    const worker = this.#worker;
    const needed = new Set([...this.#wanted.values()].map(({ peer }) => listenerName(peer)));
    for (const [name, listener] of [...this.#listeners]) {
      if (worker === undefined || needed.has(name)) continue;
      this.#listeners.delete(name);
      await worker.call({ $case: 'removeBfdListener', value: { listener } });
    }
  }

  #retryLater(): void {
    this.#cancelRetry ??= this.#after(RETRY_MS, () => {
      this.#cancelRetry = undefined;
      for (const wanted of this.#wanted.values()) {
        if (wanted.id === undefined) void this.#apply(wanted);
      }
    });
  }

  /** Nothing is tried again; the worker keeps its sessions. */
  close(): void {
    this.#cancelRetry?.();
    this.#cancelRetry = undefined;
    this.#worker = undefined;
  }
}

/** All pages of the worker's list. */
async function* pages(worker: BfdWorker): AsyncGenerator<BfdList> {
  for (let more = true, after = 0; more;) {
    const { bfd } = await worker.call({ $case: 'listBfd', value: { after } });
    if (bfd === undefined) return;
    yield bfd;
    after = bfd.sessions.at(-1)?.state?.session ?? 0;
    more = bfd.more && after > 0;
  }
}
