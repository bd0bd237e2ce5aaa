// SPDX-License-Identifier: Apache-2.0
/**
 * What we ask of the peer, one thing after the other: each begins with what the one before has left. TEMPORARY_FAILURE is
 * tried again, later and later (RFC 7296 §2.25).
 */
import type { ChildSa } from '../child/child-sa.js';
import type { ChildPolicy } from '../child/types.js';
import { EXCHANGE } from '../codec/names/registries.js';
import type { Payload } from '../codec/payload.js';
import { createChild } from '../exchange/create-child-sa-initiator.js';
import { PROTOCOL } from '../exchange/notifies.js';
import { bad, good, type IkeFailure, type Outcome } from '../types.js';
import type { IkeSa } from './api.js';
import { type ChildEntry, fraction, keyOf } from './child-entry.js';
import { type ChildTable, final, GRACE_MS } from './child-table.js';
import { closedMeanwhile, patienceMs, type SaContext } from './context.js';

const FIRST_RETRY_MS = 1000;
const MOST_TRIES = 8;

type Done<T> = (outcome: Outcome<T>) => void;

interface Tried {
  tries: number;
  notBefore: number;
}

export type Task = Tried &
  (
    | {
        readonly kind: 'create';
        readonly policy: ChildPolicy;
        readonly resource: number;
        readonly done: Done<ChildSa>[];
      }
    | { readonly kind: 'rekey'; readonly entry: ChildEntry; readonly done: Done<ChildSa>[] }
    | { readonly kind: 'delete'; readonly entry: ChildEntry; readonly done: Done<undefined>[] }
    | { readonly kind: 'rekeyIke'; readonly done: Done<IkeSa>[] }
    | { readonly kind: 'tell'; readonly payloads: readonly Payload[]; readonly isLiveness: boolean }
    | {
        readonly kind: 'question';
        readonly payloads: readonly Payload[];
        readonly done: Done<readonly Payload[]>[];
      }
  );

type TaskOf<Kind extends Task['kind']> = Extract<Task, { kind: Kind }>;

export interface OwnHost extends SaContext {
  readonly table: ChildTable;
  /** Ours may be asked now: established, and nothing that the peer asked is half done. */
  readonly mayAsk: boolean;
  /** Exchanges of the peer that make an SA are not finished: the IKE SA is not rekeyed meanwhile. */
  readonly isPeerBusy: boolean;
  /** The whole of rekeying the IKE SA. */
  performIkeRekey(): Promise<Outcome<IkeSa>>;
  childDown(child: ChildSa, failure: IkeFailure): void;
  /** The peer makes no further child SAs in this IKE SA. */
  isFull(): void;
  /** There may be something else to wait for. */
  changed(): void;
  /** Of ours: it ends this IKE SA, not the process. */
  mistake(when: string, error: unknown): void;
}

const passes = ({ code }: IkeFailure): boolean => code === 'TEMPORARY_FAILURE' || code === 'BUSY';

export class OwnExchanges {
  readonly #host: OwnHost;
  #queue: Task[] = [];
  #running: Task | undefined;
  #cancelTimer: () => void = nothing;

  constructor(host: OwnHost) {
    this.#host = host;
  }

  /** What is being asked now; 'liveness' as well of what changes as little as that, and can be gone on without. */
  get running(): Task['kind'] | 'liveness' | undefined {
    const task = this.#running;
    const isHarmless = task?.kind === 'question' || (task?.kind === 'tell' && task.isLiveness);
    return isHarmless ? 'liveness' : task?.kind;
  }

  /** Something of this kind waits or is under way. */
  has(kind: Task['kind']): boolean {
    return this.#running?.kind === kind || this.#queue.some((task) => task.kind === kind);
  }

  hasFor(entry: ChildEntry): boolean {
    return [this.#running, ...this.#queue].some(
      (task) => task !== undefined && 'entry' in task && task.entry === entry,
    );
  }

  /** A child SA for the service is being made. */
  isBusy(key: string): boolean {
    const task = this.#running;
    if (task?.kind === 'create') return keyOf(task.policy.service, task.resource) === key;
    return task?.kind === 'rekey' && task.entry.key === key;
  }

  create(policy: ChildPolicy, resource: number): Promise<Outcome<ChildSa>> {
    const same = this.#find(
      (task): task is TaskOf<'create'> =>
        task.kind === 'create' &&
        task.policy.service === policy.service &&
        task.resource === resource,
    );
    return new Promise((done) => {
      if (same !== undefined) same.done.push(done);
      else this.#add({ kind: 'create', policy, resource, done: [done], ...fresh() });
    });
  }

  rekey(entry: ChildEntry): Promise<Outcome<ChildSa>> {
    const same = this.#find(
      (task): task is TaskOf<'rekey'> => task.kind === 'rekey' && task.entry === entry,
    );
    return new Promise((done) => {
      if (same !== undefined) same.done.push(done);
      else this.#add({ kind: 'rekey', entry, done: [done], ...fresh() });
    });
  }

  /** Of an entry in phase 'deleting'. */
  delete(entry: ChildEntry): Promise<Outcome<undefined>> {
    const same = this.#find(
      (task): task is TaskOf<'delete'> => task.kind === 'delete' && task.entry === entry,
    );
    return new Promise((done) => {
      if (same !== undefined) same.done.push(done);
      else this.#add({ kind: 'delete', entry, done: [done], ...fresh() });
    });
  }

  rekeyIke(): Promise<Outcome<IkeSa>> {
    const same = this.#find((task): task is TaskOf<'rekeyIke'> => task.kind === 'rekeyIke');
    return new Promise((done) => {
      if (same !== undefined) same.done.push(done);
      else this.#add({ kind: 'rekeyIke', done: [done], ...fresh() });
    });
  }

  tell(payloads: readonly Payload[], isLiveness: boolean): void {
    this.#add({ kind: 'tell', payloads, isLiveness, ...fresh() });
  }

  /** What changes nothing here or there: when it is interrupted nobody has to know what the answer was. */
  question(payloads: readonly Payload[]): Promise<Outcome<readonly Payload[]>> {
    return new Promise((done) => {
      this.#add({ kind: 'question', payloads, done: [done], ...fresh() });
    });
  }

  #find<T extends Task>(is: (task: Task) => task is T): T | undefined {
    if (this.#running !== undefined && is(this.#running)) return this.#running;
    return this.#queue.find(is);
  }

  #add(task: Task): void {
    this.#queue.push(task);
    this.kick();
  }

  /** Begins what can begin. */
  kick(): void {
    this.#begin();
    this.#host.changed();
  }

  #begin(): void {
    this.#cancelTimer();
    if (this.#running !== undefined || !this.#host.mayAsk) return;
    const { timers } = this.#host.env;
    const now = timers.now();
    const next = this.#queue.find(({ notBefore }) => notBefore <= now);
    if (next !== undefined) {
      this.#queue = this.#queue.filter((task) => task !== next);
      this.#running = next;
      void this.#run(next).catch((error: unknown) => {
        this.#host.mistake('while something was asked', error);
      });
      return;
    }
    const at = Math.min(...this.#queue.map(({ notBefore }) => notBefore));
    if (at === Number.POSITIVE_INFINITY) return;
    this.#cancelTimer = timers.after(at - now, () => {
      this.kick();
    });
  }

  async #run(task: Task): Promise<void> {
    switch (task.kind) {
      case 'create':
        await this.#create(task);
        break;
      case 'rekey':
        await this.#rekey(task);
        break;
      case 'delete':
        await this.#delete(task);
        break;
      case 'rekeyIke':
        await this.#rekeyIke(task);
        break;
      case 'tell':
        await this.#host.ask(EXCHANGE.informational, task.payloads);
        this.#running = undefined;
        break;
      case 'question': {
        const answer = await this.#host.ask(EXCHANGE.informational, task.payloads);
        this.#running = undefined;
        for (const done of task.done) done(answer);
      }
    }
    this.kick();
  }

  /**
   * One that the peer asked for, and whose answer it may not have yet: it may not know what we speak of. To be asked
   * before the request is sent: what happens until the response comes proves nothing about when it was answered.
   */
  #isEarly(entry: ChildEntry): boolean {
    const { env, policy } = this.#host;
    const isYoung = env.timers.now() < entry.createdMs + patienceMs(policy.retransmission);
    return isYoung && !entry.isProven;
  }

  /** From now on the outcome counts, and others may be settled. */
  #end(): void {
    this.#running = undefined;
  }

  #again(task: Task): void {
    task.notBefore = this.#host.env.timers.now() + this.#backOff(task.tries++);
    if (this.#host.isEnding) this.#give(task, closedMeanwhile);
    else this.#queue.push(task);
  }

  #backOff(tries: number): number {
    return FIRST_RETRY_MS * 2 ** Math.min(tries, 5) * (0.5 + fraction(this.#host.env));
  }

  #give(task: Task, failure: IkeFailure): void {
    if (task.kind === 'tell') return;
    for (const done of task.done) done({ ok: false, failure });
  }

  /** A new child SA is installed: of an IKE SA that ended meanwhile it is nothing. */
  #install(child: ChildSa): ChildEntry | undefined {
    const { isEnding, env, table } = this.#host;
    if (!isEnding) return table.add(child, 0);
    env.sink.remove(child.inboundSpi, 0);
    return undefined;
  }

  async #create(task: TaskOf<'create'>): Promise<void> {
    const { table } = this.#host;
    const key = keyOf(task.policy.service, task.resource);
    const there = table.serving(key);
    const made =
      there === undefined
        ? await createChild(this.#host, { ...task, replaces: undefined })
        : good(there.child);
    this.#end();
    if (there === undefined && made.ok) this.#install(made.value);
    table.settle(key);
    const serving = table.serving(key);
    if (serving !== undefined) {
      for (const done of task.done) done(good(serving.child));
    } else if (made.ok || !passes(made.failure) || task.tries >= MOST_TRIES) {
      this.#give(task, made.ok ? closedMeanwhile : made.failure);
    } else {
      this.#again(task);
    }
  }

  async #rekey(task: TaskOf<'rekey'>): Promise<void> {
    const { table } = this.#host;
    const { entry } = task;
    if (!table.has(entry) || entry.phase !== 'live') {
      this.#end();
      this.#answerRekey(task);
      return;
    }
    table.setPhase(entry, 'rekeying');
    const isEarly = this.#isEarly(entry);
    const { resource } = entry.child;
    const policy = this.#policyOf(entry);
    const made = await createChild(this.#host, { policy, resource, replaces: entry.child });
    this.#end();
    const added = made.ok ? this.#install(made.value) : undefined;
    table.endRekeying(entry, added);
    table.settle(entry.key);
    if (made.ok) this.#answerRekey(task);
    else await this.#rekeyFailed(task, made.failure, isEarly);
  }

  /** As the configuration has it now. */
  #policyOf({ child }: ChildEntry): ChildPolicy {
    const { policy, open } = this.#host;
    const { local, remote } = open.path;
    const now = policy.children(local.address, remote.address);
    return now.find(({ service }) => service === child.policy.service) ?? child.policy;
  }

  async #rekeyFailed(task: TaskOf<'rekey'>, failure: IkeFailure, isEarly: boolean): Promise<void> {
    const { env, table } = this.#host;
    const { entry } = task;
    const isOurs = table.has(entry) && entry.phase === 'live';
    if (!isOurs) {
      this.#answerRekey(task);
    } else if (failure.code === 'CHILD_SA_NOT_FOUND' && isEarly) {
      this.#again(task);
    } else if (failure.code === 'CHILD_SA_NOT_FOUND') {
      await this.#replaceLost(task);
    } else {
      if (failure.code === 'NO_ADDITIONAL_SAS') this.#host.isFull();
      entry.retryAt = env.timers.now() + this.#backOff(entry.failures++);
      if (passes(failure) && task.tries < MOST_TRIES) this.#again(task);
      else this.#give(task, failure);
    }
  }

  /** RFC 7296 §2.25: what the peer does not have is made anew, and ours deleted without a word. */
  async #replaceLost(task: TaskOf<'rekey'>): Promise<void> {
    const { table } = this.#host;
    const { entry } = task;
    const { resource } = entry.child;
    this.#running = task;
    const policy = this.#policyOf(entry);
    const made = await createChild(this.#host, { policy, resource, replaces: undefined });
    this.#end();
    const added = made.ok ? this.#install(made.value) : undefined;
    if (table.has(entry)) {
      if (added !== undefined) entry.successor = added;
      const isDown = table.remove(entry, 0);
      const { failure } = bad('CHILD_SA_NOT_FOUND', 'peer', 'the peer does not have it');
      if (isDown) this.#host.childDown(entry.child, failure);
    }
    table.settle(entry.key);
    this.#answerRekey(task);
  }

  /** Whatever serves in its place now. */
  #answerRekey(task: TaskOf<'rekey'>): void {
    const { table, isEnding } = this.#host;
    const { entry } = task;
    const last = final(entry);
    const serving = table.has(last) && last !== entry ? last : table.serving(entry.key);
    const { failure } = bad('CHILD_SA_NOT_FOUND', 'us', 'it was deleted meanwhile');
    if (isEnding) this.#give(task, closedMeanwhile);
    else if (serving === undefined || serving === entry) this.#give(task, failure);
    else for (const done of task.done) done(good(serving.child));
  }

  async #delete(task: TaskOf<'delete'>): Promise<void> {
    const { table } = this.#host;
    const { entry } = task;
    const isEarly = this.#isEarly(entry);
    const answer = table.has(entry) ? await this.#askToDelete(entry) : undefined;
    this.#end();
    if (answer === 'unknown' && table.has(entry) && isEarly) {
      this.#again(task);
      return;
    }
    // The answer names its half unless both sides deleted it at once; gone it is either way.
    const { failure } = bad('CLOSED', 'us', 'we deleted it');
    if (table.remove(entry, GRACE_MS)) this.#host.childDown(entry.child, failure);
    for (const done of task.done) done(good(undefined));
  }

  /** 'unknown': the peer does not have it (RFC 7296 §1.4.1: its answer would name the other half). */
  async #askToDelete({ child }: ChildEntry): Promise<'unknown' | 'done'> {
    const delete_: Payload = { kind: 'D', protocol: PROTOCOL.esp, spis: [child.inboundSpi] };
    const answer = await this.#host.ask(EXCHANGE.informational, [delete_]);
    if (!answer.ok) return 'done';
    const isKnown = answer.value.some(
      (payload) => payload.kind === 'D' && payload.spis.includes(child.outboundSpi),
    );
    return isKnown ? 'done' : 'unknown';
  }

  async #rekeyIke(task: TaskOf<'rekeyIke'>): Promise<void> {
    if (this.#host.isPeerBusy) {
      this.#end();
      this.#again(task);
      return;
    }
    const rekeyed = await this.#host.performIkeRekey();
    this.#end();
    if (!rekeyed.ok && passes(rekeyed.failure) && task.tries < MOST_TRIES) this.#again(task);
    else for (const done of task.done) done(rekeyed);
  }

  /** What waits goes on in the IKE SA that replaces this one; it has been rekeyed. */
  moveTo(other: OwnExchanges, sa: IkeSa): void {
    const tasks = this.#queue.splice(0);
    this.#cancelTimer();
    for (const task of tasks) {
      if (task.kind === 'rekeyIke') for (const done of task.done) done(good(sa));
      else if (task.kind !== 'tell') other.#add(task);
    }
  }

  /** Nothing is begun any more; what is under way ends by itself. */
  endAll(failure: IkeFailure): void {
    this.#cancelTimer();
    for (const task of this.#queue.splice(0)) this.#give(task, failure);
  }
}

const nothing = (): void => undefined;
const fresh = (): Tried => ({ tries: 0, notBefore: 0 });
