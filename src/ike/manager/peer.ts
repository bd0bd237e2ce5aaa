// SPDX-License-Identifier: Apache-2.0
/**
 * One pair of tunnel addresses: what is wanted between them, and the IKE SAs that are there to get it. Whatever
 * changes leads to {@link Peer.reconcile}, in a slice of its own, which does what is missing:
 *
 *     wanted, no child SA  --> IKE SA there --> ask it for the child SA, with back-off
 *                          --> none         --> open one, with back-off, when there is a slot
 *     a newer IKE SA       --> Duplicates moves the children and closes the older one
 */
import { formatAddress } from '../../lib/ip.js';
import type { ChildSa } from '../child/child-sa.js';
import type { ChildPolicy, ChildSink } from '../child/types.js';
import type { PeerPolicy } from '../policy.js';
import type { IkeSa, ReauthenticationReason } from '../sa/api.js';
import type { IkeEnvironment, IkeFailure, Outcome } from '../types.js';
import type { WantedState } from './api.js';
import { isAllowed } from './allowed.js';
import type { Attempt } from './attempt.js';
import { Duplicates, isUsable, type Lineage, theOneThatStays } from './duplicates.js';
import { Backoff, type Slots } from './pace.js';
import { pairKey } from './tables.js';
import { Want } from './want.js';

/** What arrives for the child SA of an interrupted IKE SA is taken for so long after its successor is up. */
const ORPHAN_GRACE_MS = 30_000;
/** An IKE SA that lived so long ends the back-off of opening. */
const STABLE_MS = 10_000;
/** IKE SAs of one peer, those that wait for its answer to a delete included: nobody means well by more. */
const MOST_SAS = 16;

export interface PeerContext {
  readonly env: Pick<IkeEnvironment, 'timers' | 'crypto' | 'log' | 'count'>;
  readonly sink: ChildSink;
  readonly slots: Slots;
  readonly policyOf: (remote: Uint8Array) => PeerPolicy | undefined;
  /** Has `reconcile` called in a slice of the event loop; also ends peers of whom nothing is left. */
  readonly soon: (peer: Peer) => void;
  readonly initiate: (
    peer: Peer,
    policy: PeerPolicy,
    child: ChildPolicy | undefined,
    isAlone: boolean,
  ) => Attempt;
}

interface Carried {
  /** undefined: of an IKE SA that a restart has interrupted. */
  readonly sa: IkeSa | undefined;
  readonly child: ChildSa;
  /** Milliseconds of timers.now(). */
  readonly since: number;
}

/** Never written to. */
const NO_WANTS = new Map<string, Want>();
const NO_CHILDREN = new Map<number, Carried>();

export class Peer {
  readonly key: string;
  readonly local: Uint8Array;
  readonly remote: Uint8Array;
  readonly #context: PeerContext;
  /** These two are made with their first entry: a peer that only comes to be there has neither. */
  #wants = NO_WANTS;
  readonly #sas = new Map<IkeSa, Lineage>();
  /** By inbound SPI. */
  #children = NO_CHILDREN;
  /** Made with the first one. */
  #reauthenticating: Set<IkeSa> | undefined;
  /** Made when something fails. */
  #backoff: Backoff | undefined;
  /** Made with the second IKE SA. */
  #duplicates: Duplicates | undefined;
  #attempt: { release: () => void; attempt: Attempt | undefined } | undefined;
  readonly #askedFor: { readonly service: string; readonly done: (o: Outcome<IkeSa>) => void }[] =
    [];
  #isClosed = false;
  /** Waits for its slice. */
  isDue = false;

  /** Keeps the addresses. */
  constructor(context: PeerContext, local: Uint8Array, remote: Uint8Array) {
    this.#context = context;
    this.local = local;
    this.remote = remote;
    this.key = pairKey(local, remote);
  }

  get sas(): ReadonlyMap<IkeSa, Lineage> {
    return this.#sas;
  }
  get services(): IterableIterator<string> {
    return this.#wants.keys();
  }
  /** Nothing of it is left. */
  get isEmpty(): boolean {
    const idle = this.#attempt === undefined && this.#askedFor.length === 0;
    return idle && this.#wants.size + this.#sas.size + this.#children.size === 0;
  }

  want(policy: ChildPolicy, listener: (state: WantedState) => void): () => void {
    const want = this.#wantOf(policy);
    want.policy = policy;
    const key = {};
    this.#show(want);
    want.add(key, listener);
    this.#context.soon(this);
    return () => {
      want.delete(key);
      this.#dropUnwanted(want);
      this.#context.soon(this);
    };
  }

  hurry(service: string): void {
    const want = this.#wants.get(service);
    if (want === undefined || this.#serving(service) !== undefined) return;
    this.#backoff?.hurry();
    want.backoff.hurry();
  }

  /** An operator's wish: an IKE SA, and the child SA of that service. */
  initiate(service: string | undefined): Promise<Outcome<IkeSa>> {
    return new Promise((done) => {
      this.#askedFor.push({ service: service ?? '', done });
      this.#backoff?.succeeded();
      this.#context.soon(this);
    });
  }

  reconcile(): void {
    if (this.#isClosed) return;
    const policy = this.#context.policyOf(this.remote);
    if (policy === undefined) {
      this.#failAll({ code: 'POLICY', by: 'us', reason: 'no rule allows this peer' });
      return;
    }
    const sa = theOneThatStays(this.#sas);
    let wanted: ChildPolicy | undefined;
    for (const want of this.#wants.values()) {
      if (sa !== undefined) this.#serve(sa, want);
      else if (this.#serving(want.policy.service) === undefined) wanted ??= want.policy;
    }
    if (sa !== undefined) this.#answerOperators({ ok: true, value: sa });
    this.#openIfNeeded(policy, sa, wanted);
    if (this.#sas.size > 1) this.#duplicates ??= this.#newDuplicates();
    this.#duplicates?.check();
  }

  #openIfNeeded(policy: PeerPolicy, sa: IkeSa | undefined, wanted: ChildPolicy | undefined): void {
    const old = sa !== undefined && this.#reauthenticating?.has(sa) === true ? sa : undefined;
    const [asked] = this.#askedFor;
    if (wanted === undefined && old === undefined && asked === undefined) return;
    const possible = policy.children(this.local, this.remote);
    const named = possible.find(({ service }) => service === asked?.service);
    this.#open(policy, wanted ?? old?.children[0]?.policy ?? named);
  }

  /** An IKE SA was opened by either end, or restored. */
  adopt(sa: IkeSa, lineage: Lineage): void {
    this.#sas.set(sa, lineage);
    for (const child of sa.children) this.childUp(sa, child);
    this.#dropSurplus();
    this.#context.soon(this);
  }

  /**
   * INITIAL_CONTACT came in the opening of this one (RFC 7296 §2.4). It is heard once: a supervisor that goes on with
   * that IKE SA later has others beside it that are newer.
   */
  forgetBefore({ startedAt }: Lineage): void {
    for (const [sa, { openedAt }] of [...this.#sas]) {
      if (openedAt < startedAt) sa.abandon('the peer knows of no other IKE SA', false);
    }
  }

  /** Of an IKE SA that a restart could not go on with: it stays until there is another, and no longer than so. */
  adoptOrphan(child: ChildSa, mostMs: number): void {
    const { env, sink, soon } = this.#context;
    const { inboundSpi, policy } = child;
    if (this.#serving(policy.service) !== undefined || sink.adopt?.(inboundSpi) === false) return;
    this.#setChild(child, undefined);
    this.#show(this.#wantOf(policy));
    env.timers.after(mostMs, () => {
      if (this.#children.get(inboundSpi)?.child !== child || this.#isClosed) return;
      sink.remove(inboundSpi, 0);
      this.childDown(child);
      const want = this.#wants.get(policy.service);
      if (want !== undefined) this.#dropUnwanted(want);
    });
    soon(this);
  }

  rekeyed(old: IkeSa, sa: IkeSa): void {
    const lineage = this.#sas.get(old);
    if (lineage === undefined) return;
    this.#sas.delete(old);
    this.#sas.set(sa, lineage);
    for (const { sa: of, child } of this.#children.values()) {
      if (of === old) this.#setChild(child, sa);
    }
    if (this.#reauthenticating?.delete(old) === true) this.#reauthenticating.add(sa);
    this.#context.soon(this);
  }

  childUp(sa: IkeSa, child: ChildSa): void {
    this.#setChild(child, sa);
    const { service } = child.policy;
    for (const [spi, carried] of this.#children) {
      if (carried.sa !== undefined || carried.child.policy.service !== service) continue;
      this.#children.delete(spi);
      // What carried the traffic goes: this one carries it at once.
      void this.#context.sink.activate(child.inboundSpi);
      this.#context.sink.remove(spi, ORPHAN_GRACE_MS);
    }
    const want = this.#wants.get(service);
    if (want === undefined) return;
    this.#show(want);
    this.#dropUnwanted(want);
  }

  childRekeyed(sa: IkeSa, old: ChildSa, child: ChildSa): void {
    this.#children.delete(old.inboundSpi);
    this.childUp(sa, child);
  }

  childDown(child: ChildSa): void {
    const carried = this.#children.get(child.inboundSpi);
    if (carried === undefined) return;
    this.#children.delete(child.inboundSpi);
    const { service } = child.policy;
    // That of another IKE SA carries the traffic from now on.
    const left = this.#serving(service);
    if (left !== undefined) void this.#context.sink.activate(left.inboundSpi);
    const want = this.#wants.get(service);
    if (want !== undefined) {
      this.#show(want);
      // A peer may take a further one for a duplicate and delete it each time.
      if (child.resource > 0) this.#noteEnd(want, carried);
    }
    this.#context.soon(this);
  }

  #noteEnd({ resourceBackoff }: Want, { since }: Carried): void {
    if (this.#context.env.timers.now() - since >= STABLE_MS) resourceBackoff.succeeded();
    else if (!resourceBackoff.isWaiting) resourceBackoff.failed();
  }

  closed(sa: IkeSa): void {
    const lineage = this.#sas.get(sa);
    // One that comes and goes at once is a failure as well.
    if (lineage?.openedBy === 'us') {
      const isStable = this.#context.env.timers.now() - lineage.openedAt >= STABLE_MS;
      if (isStable) this.#backoff?.succeeded();
      else this.#backOff();
    }
    for (const { sa: of, child } of [...this.#children.values()]) {
      if (of === sa) this.childDown(child);
    }
    this.#sas.delete(sa);
    this.#reauthenticating?.delete(sa);
    this.#context.soon(this);
  }

  reauthenticate(sa: IkeSa, reason: ReauthenticationReason): void {
    if (!this.#sas.has(sa)) return;
    const peer = formatAddress(this.remote);
    this.#context.env.log.info('authenticating a peer anew', { peer, reason });
    this.#reauthenticating ??= new Set();
    this.#reauthenticating.add(sa);
    this.#context.soon(this);
  }

  /** Closes what the rules do not allow any more. */
  setPolicy(admits: boolean): void {
    const policy = admits ? this.#context.policyOf(this.remote) : undefined;
    if (policy === undefined) this.#attempt?.attempt?.close();
    for (const sa of [...this.#sas.keys()]) {
      if (policy === undefined || !isAllowed(policy, sa.open)) {
        void sa.close('not allowed any more');
        continue;
      }
      sa.setPolicy(policy);
      const services = policy.children(this.local, this.remote).map(({ service }) => service);
      for (const { policy: of, inboundSpi } of [...sa.children]) {
        if (!services.includes(of.service)) void sa.closeChild(inboundSpi);
      }
    }
    this.#context.soon(this);
  }

  /** Ends all waiting; IKE SAs are the caller's to close. */
  close(): void {
    this.#isClosed = true;
    this.#backoff?.close();
    this.#duplicates?.close();
    for (const want of this.#wants.values()) want.close();
    this.#wants = NO_WANTS;
    this.#attempt?.attempt?.close();
    this.#attempt?.release();
    this.#answerOperators({
      ok: false,
      failure: { code: 'CLOSED', by: 'us', reason: 'the manager ends' },
    });
  }

  #setChild(child: ChildSa, sa: IkeSa | undefined): void {
    if (this.#children === NO_CHILDREN) this.#children = new Map();
    const since = this.#children.get(child.inboundSpi)?.since ?? this.#context.env.timers.now();
    this.#children.set(child.inboundSpi, { sa, child, since });
  }

  #newDuplicates(): Duplicates {
    const { env, sink } = this.#context;
    const { timers, log, count } = env;
    return new Duplicates({ timers, log, count, sink, sas: this.#sas });
  }

  #backOff(): void {
    this.#backoff ??= this.#newBackoff();
    this.#backoff.failed();
  }

  #newBackoff(): Backoff {
    const { timers, crypto } = this.#context.env;
    return new Backoff(timers, crypto, () => {
      this.#context.soon(this);
    });
  }

  #wantOf(policy: ChildPolicy): Want {
    let want = this.#wants.get(policy.service);
    if (want === undefined) {
      want = new Want(policy, this.#newBackoff(), this.#newBackoff());
      if (this.#wants === NO_WANTS) this.#wants = new Map();
      this.#wants.set(policy.service, want);
    }
    return want;
  }

  /** One that only an orphan kept, or nobody any more. */
  #dropUnwanted(want: Want): void {
    const { service } = want.policy;
    if (want.isWanted || this.#orphanOf(service) !== undefined) return;
    want.close();
    if (this.#wants.get(service) === want) this.#wants.delete(service);
  }

  /** The child SA of a live IKE SA: of the one that stays, where it has one. */
  #serving(service: string): ChildSa | undefined {
    const best = theOneThatStays(this.#sas);
    let found: ChildSa | undefined;
    for (const { sa, child } of this.#children.values()) {
      if (sa === undefined || child.policy.service !== service) continue;
      if (sa === best && child.resource === 0) return child;
      found ??= child;
    }
    return found;
  }

  #orphanOf(service: string): ChildSa | undefined {
    for (const { sa, child } of this.#children.values()) {
      if (sa === undefined && child.policy.service === service) return child;
    }
    return undefined;
  }

  #show(want: Want): void {
    const { service } = want.policy;
    const child = this.#serving(service) ?? this.#orphanOf(service);
    if (child === undefined) want.down();
    else want.up(child.inboundSpi);
  }

  #fail(want: Want, { code, by, reason }: IkeFailure): void {
    const { service } = want.policy;
    if (this.#serving(service) !== undefined || this.#orphanOf(service) !== undefined) return;
    want.failed(`${code}, by ${by === 'us' ? 'us' : 'the peer'}: ${reason}`);
  }

  #failAll(failure: IkeFailure): void {
    for (const want of this.#wants.values()) this.#fail(want, failure);
    this.#answerOperators({ ok: false, failure });
  }

  #answerOperators(outcome: Outcome<IkeSa>): void {
    for (const { done } of this.#askedFor.splice(0)) done(outcome);
  }

  #serve(sa: IkeSa, want: Want): void {
    const { policy, backoff, resourceBackoff } = want;
    if (want.isAsking) return;
    if (this.#serving(policy.service) === undefined) {
      if (!backoff.isWaiting) this.#ask(sa, want, 0, backoff);
      return;
    }
    // RFC 9611: the others, one after the other; the first one again when a further one is what is left.
    if (policy.resources < 2 || resourceBackoff.isWaiting) return;
    const has = this.#resources(sa, policy.service);
    for (let resource = 0; resource < policy.resources; resource++) {
      if (has.has(resource)) continue;
      this.#ask(sa, want, resource, resourceBackoff);
      return;
    }
  }

  /** Those that an IKE SA has, and 0 where any has: that of an older one moves. */
  #resources(sa: IkeSa, service: string): ReadonlySet<number> {
    const has = new Set<number>();
    for (const { sa: of, child } of this.#children.values()) {
      if (of === undefined || child.policy.service !== service) continue;
      if (of === sa || child.resource === 0) has.add(child.resource);
    }
    for (const child of sa.children) {
      if (child.policy.service === service) has.add(child.resource);
    }
    return has;
  }

  #ask(sa: IkeSa, want: Want, resource: number, backoff: Backoff): void {
    want.isAsking = true;
    void sa.want(want.policy, resource).then((outcome) => {
      want.isAsking = false;
      if (this.#isClosed || this.#wants.get(want.policy.service) !== want) return;
      if (outcome.ok) {
        // Of a further one that is seen when it ends.
        if (resource === 0) backoff.succeeded();
        if (isUsable(sa)) this.childUp(sa, outcome.value);
      } else if (outcome.failure.code !== 'CLOSED') {
        backoff.failed();
        if (resource === 0) this.#fail(want, outcome.failure);
      }
      this.#context.soon(this);
    });
  }

  #open(policy: PeerPolicy, child: ChildPolicy | undefined): void {
    if (this.#attempt !== undefined || this.#backoff?.isWaiting === true) return;
    const current: { release: () => void; attempt: Attempt | undefined } = {
      release: () => undefined,
      attempt: undefined,
    };
    this.#attempt = current;
    current.release = this.#context.slots.ask(() => {
      if (this.#isClosed) return;
      const isAlone = this.#sas.size === 0 && this.#children.size === 0;
      current.attempt = this.#context.initiate(this, policy, child, isAlone);
      void current.attempt.result.then((outcome) => {
        current.release();
        this.#attempt = undefined;
        if (this.#isClosed) return;
        if (!outcome.ok) this.#openingFailed(outcome.failure);
        else this.#childRefused(outcome.value, child);
        this.#context.soon(this);
      });
    });
  }

  #openingFailed(failure: IkeFailure): void {
    if (failure.code !== 'CLOSED') {
      this.#backOff();
      const { code, by, reason } = failure;
      const peer = formatAddress(this.remote);
      this.#context.env.log.notice('no IKE SA with a peer', { peer, code, by, reason });
    }
    this.#failAll(failure);
  }

  /** The IKE SA is up without the child SA that was asked for: not asked for again at once. */
  #childRefused({ open }: IkeSa, child: ChildPolicy | undefined): void {
    const want = child === undefined ? undefined : this.#wants.get(child.service);
    if (want === undefined || open.childFailure === undefined) return;
    if (this.#serving(want.policy.service) !== undefined) return;
    want.backoff.failed();
    this.#fail(want, open.childFailure);
  }

  /** Without a word: a peer that does not answer would have each of them kept for minutes. */
  #dropSurplus(): void {
    if (this.#sas.size <= MOST_SAS) return;
    const best = theOneThatStays(this.#sas);
    const [oldest] = [...this.#sas.keys()].filter((sa) => sa !== best);
    this.#context.env.count('duplicates_closed');
    oldest?.abandon('too many IKE SAs with the peer', false);
  }
}
