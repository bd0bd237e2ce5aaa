// SPDX-License-Identifier: Apache-2.0
/** An IKE SA from its authentication to its end; see api.ts. What it says on the wire is in src/ike/exchange. */
import type { ChildSa } from '../child/child-sa.js';
import type { ChildPolicy } from '../child/types.js';
import { NOTIFY } from '../codec/names/notify.js';
import { EXCHANGE } from '../codec/names/registries.js';
import type { Payload } from '../codec/payload.js';
import { wipe } from '../crypto/secret.js';
import { type RekeyedIke, rekeyIke } from '../exchange/create-child-sa-ike.js';
import { FollowUps } from '../exchange/ike-followup-ke.js';
import { failureOf, notify, PROTOCOL } from '../exchange/notifies.js';
import type { IkeSaRow } from '../manager/api.js';
import type { OpenIkeSa } from '../open/types.js';
import type { PeerPolicy } from '../policy.js';
import { bad, type Datagram, good, type IkeFailure, type Outcome } from '../types.js';
import type { IkeSa, IkeSaEvents, IkeSaState, SaEnvironment } from './api.js';
import { type ChildEntry, keyOf, leastNonce } from './child-entry.js';
import * as requested from './child-requests.js';
import { ChildTable, type ChildTableHost, GRACE_MS } from './child-table.js';
import { closedMeanwhile, patienceMs } from './context.js';
import { type OwnHost, OwnExchanges } from './own-exchanges.js';
import { type RequestHost, Requests } from './requests.js';
import { rowOf, stateOf } from './snapshot.js';
import type { Reauthentication } from './reauthentication.js';
import { DONE, type Inherited, NOTHING, SaCore } from './sa-core.js';
import { Watch, type WatchHost } from './watch.js';

/** The peer may not have the answer that made an IKE SA: what we ask in it before is only asked again. */
const HOLD_MS = 1000;
/** So long a peer that did not get our answer to its delete is answered again. */
const LINGER_MS = 30_000;
/** Rekeyed ones that are still kept, for that or since their delete never came: a peer must not pile them up. */
const MOST_KIN = 64;

export class IkeSaMachine
  extends SaCore
  implements IkeSa, OwnHost, RequestHost, WatchHost, ChildTableHost
{
  readonly table: ChildTable;
  readonly own: OwnExchanges;
  readonly followUps: FollowUps;
  readonly #events: IkeSaEvents;
  readonly #requests: Requests;
  readonly #watch: Watch;
  /** The one that has our children. */
  #heir: IkeSaMachine | undefined;
  /** One of the peer's, while it is not decided whether it or one of ours replaces this one. */
  #peerHeir: IkeSaMachine | undefined;
  /** Of such a one: what it may replace. */
  #parent: IkeSaMachine | undefined;
  #leastNonce = NOTHING;
  /** Its owner has nothing to do with it: not in use yet, redundant, or replaced. */
  #isSilent = false;
  /** The peer may not have it yet. */
  #isHeld = false;
  #qcdToken: Uint8Array | undefined;
  #rekeying: Promise<unknown> = DONE;
  #closing: Promise<void> | undefined;
  #isForgotten = false;

  constructor(open: OpenIkeSa, env: SaEnvironment, events: IkeSaEvents, inherited?: Inherited) {
    super(open, env, inherited);
    this.#events = events;
    this.#qcdToken = open.features.qcdToken;
    this.own = new OwnExchanges(this);
    this.followUps = new FollowUps(this);
    this.#requests = new Requests(this);
    this.#watch = new Watch(this);
    this.table = new ChildTable(this);
    open.channel.onRequest = (request) => {
      this.#requests.take(request);
    };
    open.channel.onAlive = () => {
      this.#release();
    };
  }

  /** Another process had it. */
  resume(reauthentication: Reauthentication, children: readonly ChildEntry[]): this {
    this.reauthentication = reauthentication;
    for (const entry of children) {
      this.table.insert(entry);
      if (entry.phase === 'deleting') void this.own.delete(entry);
    }
    this.#watch.arm();
    return this;
  }

  /**
   * The one of an opening. Its initiator uses the child SA already; the responder's peer has no keys before it has read the
   * answer that has just left, and packets that overtake that are lost.
   */
  begin(): this {
    const { child, role } = this.open;
    if (child !== undefined) {
      const isInitiator = role === 'initiator';
      const entry = this.table.add(child, isInitiator ? 0 : requested.CONFIRM_MS);
      entry.isActive = isInitiator;
      entry.isSaid = true;
    }
    this.#watch.arm();
    return this;
  }

  // What others see of it.

  get mayAsk(): boolean {
    return this.currentPhase === 'established' && !this.#isHeld;
  }

  get isPeerBusy(): boolean {
    return this.#requests.isBusy || !this.followUps.isEmpty;
  }

  get children(): readonly ChildSa[] {
    return this.table.all
      .filter(({ phase }) => phase === 'live' || phase === 'rekeying')
      .map(({ child }) => child);
  }

  /** RFC 6290: whoever shows it has lost this IKE SA. */
  get qcdToken(): Uint8Array | undefined {
    return this.#qcdToken;
  }

  row(): IkeSaRow {
    return rowOf(this);
  }

  state(): IkeSaState | undefined {
    return this.currentPhase === 'established' ? stateOf(this, this.reauthentication) : undefined;
  }

  // What its owner asks of it.

  receive({ octets, ...path }: Datagram): void {
    this.open.channel.receive(octets, path);
  }

  want(policy: ChildPolicy, resource: number): Promise<Outcome<ChildSa>> {
    if (this.isEnding) return Promise.resolve({ ok: false, failure: closedMeanwhile });
    const serving = this.table.serving(keyOf(policy.service, resource));
    return serving === undefined
      ? this.own.create(policy, resource)
      : Promise.resolve(good(serving.child));
  }

  async closeChild(inboundSpi: number): Promise<Outcome<void>> {
    const entry = this.table.find(inboundSpi);
    if (this.isEnding || entry === undefined) return requested.noChild(inboundSpi);
    this.table.delete(entry);
    const outcome = await this.own.delete(entry);
    return outcome.ok ? good(undefined) : outcome;
  }

  rekeyChild(inboundSpi: number): Promise<Outcome<ChildSa>> {
    const entry = this.table.find(inboundSpi);
    if (this.isEnding || entry === undefined) return Promise.resolve(requested.noChild(inboundSpi));
    return this.own.rekey(entry);
  }

  rekeyIke(): Promise<Outcome<IkeSa>> {
    if (this.isEnding) return Promise.resolve({ ok: false, failure: closedMeanwhile });
    return this.own.rekeyIke();
  }

  setPolicy(policy: PeerPolicy): void {
    this.currentPolicy = policy;
    this.#watch.arm();
  }

  close(reason: string): Promise<void> {
    this.#closing ??= this.#close(bad('CLOSED', 'us', reason).failure);
    return this.#closing;
  }

  async #close(failure: IkeFailure): Promise<void> {
    if (this.isEnding) return;
    const rekeying = this.currentPhase === 'rekeying' ? this.#rekeying : undefined;
    this.currentPhase = 'deleting';
    this.#endChildren(failure);
    // A new IKE SA that comes of it is deleted as well, before its keys are lost with this one.
    await rekeying;
    this.#peerHeir?.dispose();
    await this.#tellDeleted();
    this.#end(failure);
    this.#forget();
  }

  abandon(reason: string, keepChildren: boolean): void {
    if (this.isClosed) return;
    const { failure } = bad('CLOSED', 'us', reason);
    if (keepChildren) {
      this.table.forgetAll();
      this.#isSilent = true;
    }
    this.#peerHeir?.abandon(reason, false);
    this.#end(failure);
    this.#forget();
  }

  // Exchanges of ours.

  async ask(exchange: number, payloads: readonly Payload[]): Promise<Outcome<readonly Payload[]>> {
    const closed = { ok: false, failure: closedMeanwhile } as const;
    if (this.isClosed) return closed;
    const answered = await this.open.channel.request(exchange, payloads);
    if (this.hasClosed()) return closed;
    if (!answered.ok) {
      this.#unanswered(answered.failure);
      return answered;
    }
    const failure = failureOf(answered.response.payloads);
    if (failure?.code === 'INVALID_SYNTAX') this.fatal(failure);
    return good(answered.response.payloads);
  }

  /** RFC 7296 §2.4: the peer is dead, or we do not understand each other any more. */
  #unanswered(failure: IkeFailure): void {
    if (failure.code === 'CLOSED') return;
    if (failure.code === 'TIMEOUT' && !this.#isSilent) this.env.count('peers_dead');
    this.fatal(failure);
  }

  fatal(failure: IkeFailure): void {
    this.#end(failure);
    this.#forgetIn(LINGER_MS);
  }

  async #tellDeleted(): Promise<void> {
    await this.ask(EXCHANGE.informational, [{ kind: 'D', protocol: PROTOCOL.ike, spis: [] }]);
  }

  async #deleteSilently(redundant?: IkeSaMachine): Promise<void> {
    await this.#tellDeleted();
    this.#end(closedMeanwhile);
    this.#forget();
    // The peer deletes its redundant one at once, or has not come to make it: the delete of this one came first.
    if (redundant !== undefined) redundant.#forgetIn(LINGER_MS);
  }

  childDown(child: ChildSa, failure: IkeFailure): void {
    this.#events.childDown(this, child, failure);
  }

  changed(): void {
    this.#watch.arm();
  }

  isFull(): void {
    this.reauthentication.atMost(this.env.timers.now(), 'sa-lifetime');
    this.wantReauthentication();
  }

  // What its table of child SAs tells.

  childUp(child: ChildSa): void {
    this.#events.childUp(this, child);
  }

  childRekeyed(old: ChildSa, child: ChildSa): void {
    this.#events.childRekeyed(this, old, child);
  }

  wantReauthentication(): void {
    const reason = this.reauthentication.ask();
    if (reason !== undefined) this.#events.wantsReauthentication(this, reason);
  }

  expire(failure: IkeFailure): void {
    this.#closing ??= this.#close(failure);
  }

  // Being rekeyed (RFC 7296 §2.8, §2.18, §2.25.2).

  async performIkeRekey(): Promise<Outcome<IkeSa>> {
    this.currentPhase = 'rekeying';
    const rekeyed = rekeyIke(this).then((made) =>
      made.ok ? this.#ownRekeyed(made.value) : this.#ownRekeyFailed(made.failure),
    );
    this.#rekeying = rekeyed;
    return rekeyed;
  }

  #make(made: RekeyedIke): IkeSaMachine {
    const sa = new IkeSaMachine(made.open, this.env, this.#events, {
      policy: this.currentPolicy,
      reauthentication: this.reauthentication,
      kin: this.kin,
    });
    sa.#leastNonce = leastNonce([made.nonces.initiator, made.nonces.responder]);
    sa.#qcdToken = made.qcdToken;
    sa.#isSilent = true;
    this.#events.added(sa);
    return sa;
  }

  #ownRekeyed(made: RekeyedIke): Outcome<IkeSa> {
    const mine = this.#make(made);
    if (this.isEnding) {
      mine.dispose();
      return this.#heir === undefined ? { ok: false, failure: closedMeanwhile } : good(this.#heir);
    }
    const theirs = this.#peerHeir;
    if (theirs !== undefined) {
      this.env.count('collisions');
      if (Buffer.compare(mine.#leastNonce, theirs.#leastNonce) < 0) {
        mine.dispose();
        return good(this.#becomeReplaced(theirs));
      }
      theirs.#becomeRedundant();
    }
    this.currentPhase = 'deleting';
    this.#handOver(mine);
    void this.#deleteSilently(theirs);
    return good(mine);
  }

  #ownRekeyFailed(failure: IkeFailure): Outcome<IkeSa> {
    if (this.currentPhase !== 'rekeying') {
      return this.#heir === undefined ? { ok: false, failure } : good(this.#heir);
    }
    if (this.#peerHeir !== undefined) return good(this.#becomeReplaced(this.#peerHeir));
    this.currentPhase = 'established';
    this.#watch.arm();
    return { ok: false, failure };
  }

  refuseIkeRekey(): IkeFailure | undefined {
    const { running } = this.own;
    const isFree =
      (this.currentPhase === 'established' && (running === undefined || running === 'liveness')) ||
      (this.currentPhase === 'rekeying' && this.#peerHeir === undefined);
    if (isFree && this.#parent === undefined && this.kin.count < MOST_KIN) return undefined;
    return bad('TEMPORARY_FAILURE', 'us', 'not while it is changed').failure;
  }

  acceptIkeRekey(made: RekeyedIke): void {
    const sa = this.#make(made);
    sa.#parent = this;
    if (this.currentPhase === 'rekeying') this.#peerHeir = sa;
    else this.#becomeReplaced(sa);
  }

  /** By one of the peer's, which deletes this one. */
  #becomeReplaced(heir: IkeSaMachine): IkeSaMachine {
    this.currentPhase = 'replaced';
    this.#peerHeir = undefined;
    heir.#hold();
    this.#handOver(heir);
    this.#forgetIn(patienceMs(this.policy.retransmission));
    return heir;
  }

  #becomeRedundant(): void {
    this.currentPhase = 'replaced';
    this.#parent = undefined;
    this.#forgetIn(patienceMs(this.policy.retransmission));
  }

  #handOver(heir: IkeSaMachine): void {
    this.#heir = heir;
    this.#isSilent = true;
    heir.#isSilent = false;
    heir.#parent = undefined;
    heir.currentPolicy = this.currentPolicy;
    heir.trafficAt = this.trafficAt;
    this.followUps.dropAll();
    this.#watch.stop();
    this.table.moveTo(heir.table);
    this.env.count('ike_sas_rekeyed');
    this.#events.rekeyed(this, heir);
    this.own.moveTo(heir.own, heir);
    heir.#watch.arm();
    heir.#sayToken();
  }

  /** RFC 6290 §4.3: the initiator of a rekeying could not say it earlier. */
  #sayToken(): void {
    const { role, initiatorSpi, responderSpi } = this.open;
    const token = this.env.qcdToken?.(initiatorSpi, responderSpi);
    if (token === undefined || role !== 'initiator') return;
    this.own.tell([notify(NOTIFY.QUICK_CRASH_DETECTION, token)], true);
  }

  #hold(): void {
    this.#isHeld = true;
    this.env.timers.after(HOLD_MS, () => {
      this.#release();
    });
  }

  #release(): void {
    if (!this.#isHeld) return;
    this.#isHeld = false;
    this.own.kick();
  }

  /** Ours, and redundant or too late: nobody but the peer knows of it. */
  dispose(): void {
    if (this.isEnding) return;
    this.currentPhase = 'deleting';
    this.#parent = undefined;
    void this.#deleteSilently();
  }

  // What the peer asks.

  peerUses(): void {
    const parent = this.#parent;
    if (parent !== undefined) {
      // It has decided already, so ours is the redundant one (RFC 7296 §2.8.2).
      this.env.count('collisions');
      parent.#becomeReplaced(this);
    }
    requested.proveChildren(this);
  }

  childOfPeer(spi: number): ChildSa | undefined {
    return this.table.findPeers(spi)?.child;
  }

  resourcesOf(service: string): ReadonlySet<number> {
    return this.table.resources(service);
  }

  refuseChild(replaces: ChildSa | undefined): IkeFailure | undefined {
    return requested.refuseChild(this, replaces);
  }

  acceptChild(child: ChildSa, replaces: ChildSa | undefined): void {
    requested.acceptChild(this, child, replaces);
    this.#watch.arm();
  }

  childDeleted(outboundSpi: number): number | undefined {
    if (this.#heir !== undefined) return this.#heir.childDeleted(outboundSpi);
    const spi = requested.childDeleted(this, outboundSpi);
    this.#watch.arm();
    return spi;
  }

  ikeDeleted(failure: IkeFailure): void {
    if (this.#parent !== undefined) this.#parent.#peerHeir = undefined;
    if (this.currentPhase === 'rekeying' && this.#peerHeir !== undefined) {
      this.#becomeReplaced(this.#peerHeir);
    }
    if (this.#heir !== undefined) this.#heir.#release();
    this.#end(failure);
    this.#forgetIn(LINGER_MS);
  }

  authLifetime(seconds: number): void {
    this.reauthentication.limitByPeer(this.env.timers.now(), seconds);
    this.#watch.arm();
  }

  peerToken(token: Uint8Array): void {
    this.#qcdToken = token;
  }

  // Its end.

  #endChildren(failure: IkeFailure): void {
    this.#watch.stop();
    this.own.endAll(failure);
    this.followUps.dropAll();
    for (const child of this.table.clear(GRACE_MS)) this.childDown(child, failure);
  }

  #end(failure: IkeFailure): void {
    if (this.isClosed) return;
    this.currentPhase = 'closed';
    this.#endChildren(failure);
    wipe(this.open.skD);
    if (this.#isSilent) return;
    this.env.count('ike_sas_closed');
    this.#events.closed(this, failure);
  }

  #forget(): void {
    if (this.#isForgotten) return;
    this.#isForgotten = true;
    this.kin.count -= 1;
    this.open.channel.close();
    this.#events.forgotten(this);
  }

  /** Time for the answer that closed it to be asked for again, or for a delete that may never come. */
  #forgetIn(ms: number): void {
    this.env.timers.after(ms, () => {
      this.#end(closedMeanwhile);
      this.#forget();
    });
  }
}
