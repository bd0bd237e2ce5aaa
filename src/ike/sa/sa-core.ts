// SPDX-License-Identifier: Apache-2.0
/** What an IKE SA is at any moment; what happens to it is in ike-sa.ts. */
import { type PathProbe, pathProbeQuestion, pathProbeSaid } from '../child/path-probe.js';
import type { OpenIkeSa } from '../open/types.js';
import type { PeerPolicy } from '../policy.js';
import { bad, type IkeFailure } from '../types.js';
import type { IkeSaPhase, SaEnvironment } from './api.js';
import { type Limits, limitsOf } from './child-entry.js';
import type { ChildTable } from './child-table.js';
import type { OwnExchanges } from './own-exchanges.js';
import { planReauthentication, type Reauthentication } from './reauthentication.js';

/** Where there is nothing yet: one for all IKE SAs. */
export const NOTHING: Uint8Array = new Uint8Array(0);
export const DONE = Promise.resolve();

/** What a rekeyed IKE SA takes over from its predecessor besides its children. */
export interface Inherited {
  readonly policy: PeerPolicy;
  readonly reauthentication: Reauthentication;
  readonly kin: Kin;
}

/** IKE SAs that came of one by rekeying, and are not forgotten. */
export interface Kin {
  count: number;
}

export abstract class SaCore {
  readonly env: SaEnvironment;
  readonly open: OpenIkeSa;
  limits: Limits;
  protected currentPhase: IkeSaPhase = 'established';
  protected currentPolicy: PeerPolicy;
  protected reauthentication: Reauthentication;
  protected readonly kin: Kin;
  /** When traffic proved last that the peer lives. */
  protected trafficAt = 0;

  constructor(open: OpenIkeSa, env: SaEnvironment, inherited?: Inherited) {
    this.env = env;
    this.open = open;
    this.limits = limitsOf(env, open.policy.lifetimes);
    this.currentPolicy = inherited?.policy ?? open.policy;
    this.kin = inherited?.kin ?? { count: 0 };
    this.kin.count += 1;
    this.reauthentication = inherited?.reauthentication ?? planReauthentication(this);
  }

  get policy(): PeerPolicy {
    return this.currentPolicy;
  }

  get phase(): IkeSaPhase {
    return this.currentPhase;
  }

  get isEstablished(): boolean {
    return this.currentPhase === 'established' || this.currentPhase === 'rekeying';
  }

  get isEnding(): boolean {
    return !this.isEstablished;
  }

  get isClosed(): boolean {
    return this.currentPhase === 'closed';
  }

  get needsKeepalive(): boolean {
    return this.open.features.natLocal;
  }

  get lastAlive(): number {
    return Math.max(this.open.channel.lastHeard, this.trafficAt);
  }

  get reauthenticateAt(): number | undefined {
    return this.reauthentication.dueAt;
  }

  get unauthenticatedAt(): number | undefined {
    return this.reauthentication.endsAt;
  }

  trafficSeen(): void {
    this.trafficAt = this.env.timers.now();
  }

  abstract readonly own: Pick<OwnExchanges, 'question'>;
  abstract readonly table: Pick<ChildTable, 'find'>;

  /** See IkeSa. */
  async askProbe(probe: PathProbe): Promise<number | undefined> {
    if (this.isEnding || !this.open.features.pathProbes) return undefined;
    const answer = await this.own.question([pathProbeQuestion(probe)]);
    return answer.ok ? pathProbeSaid(answer.value, probe) : undefined;
  }

  /** See InformationalResponder. */
  probeSeen({ spi, round }: PathProbe): number | undefined {
    if (this.table.find(spi) === undefined) return undefined;
    const seen = this.env.sink.probeSeen?.(spi);
    return seen?.round === round ? seen.bytes : 0;
  }

  abstract fatal(failure: IkeFailure): void;

  mistake(when: string, error: unknown): void {
    const why = error instanceof Error ? error.message : 'unknown';
    this.env.log.error(`mistake ${when}`, { why });
    this.fatal(bad('INTERNAL', 'us', 'a mistake in the program').failure);
  }

  /** As of now; the compiler takes a property read twice for the same. */
  protected hasClosed(): boolean {
    return this.isClosed;
  }
}
