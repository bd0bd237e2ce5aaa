// SPDX-License-Identifier: Apache-2.0
/** The TCP connections with one peer, and which of them stays when there are several. */
import type { Agreement, ConnectionId, OpenFacts, SessionState } from './fsm-types.js';
import { survivor } from './negotiate.js';

/** How far each has got; a session's state is that of the furthest. */
const STAGES = ['established', 'openConfirm', 'openSent', 'connecting'] as const;
export type Stage = (typeof STAGES)[number];

export interface Connection {
  readonly id: ConnectionId;
  readonly direction: 'out' | 'in';
  stage: Stage;
  /** Set when sent. */
  ours: OpenFacts | undefined;
  /** From openConfirm on. */
  agreement: Agreement | undefined;
  /** A KEEPALIVE came while a collision was undecided. */
  confirmed: boolean;
  /** Silence that ends it: the wait for an OPEN, later the hold time. 0: none. */
  holdMs: number;
  /** Times at which something came from the peer, was written, was taken by the kernel. */
  heardAt: number;
  sentAt: number;
  progressAt: number;
}

/** A collision (RFC 4271 §6.8): decided, or waiting for the winner's OPEN. */
export interface Collision {
  readonly winner: Connection;
  readonly losers: readonly Connection[];
  readonly decided: boolean;
}

export class ConnectionSet {
  readonly #all = new Map<ConnectionId, Connection>();

  add(id: ConnectionId, direction: 'out' | 'in', now: number): Connection {
    const connection: Connection = {
      ...{ id, direction, stage: 'connecting', ours: undefined, agreement: undefined },
      ...{ confirmed: false, holdMs: 0 },
      ...{ heardAt: now, sentAt: now, progressAt: now },
    };
    this.#all.set(id, connection);
    return connection;
  }

  get(id: ConnectionId): Connection | undefined {
    return this.#all.get(id);
  }

  delete(id: ConnectionId): void {
    this.#all.delete(id);
  }

  all(): Connection[] {
    return [...this.#all.values()];
  }

  at(...stages: readonly Stage[]): Connection[] {
    return this.all().filter(({ stage }) => stages.includes(stage));
  }

  /** The state of a session that runs. */
  state(): SessionState {
    const stages = new Set(this.all().map(({ stage }) => stage));
    const furthest = STAGES.find((stage) => stages.has(stage));
    return furthest === 'connecting' ? 'connect' : (furthest ?? 'active');
  }

  /** Once an OPEN has said who the peer is, two connections before Established collide. */
  collision(): Collision | undefined {
    const rivals = this.at('openSent', 'openConfirm');
    const named = rivals.find(({ agreement }) => agreement !== undefined);
    if (rivals.length < 2 || named === undefined) return undefined;
    const winner = rivals.find(({ direction }) => direction === winningDirection(named));
    if (winner === undefined) return undefined;
    const losers = rivals.filter((each) => each !== winner);
    return { winner, losers, decided: winner.agreement !== undefined };
  }

  /** The connection to establish now: its KEEPALIVE has come, and no rival may yet win. */
  ready(): Connection | undefined {
    const connection = this.at('openConfirm').find(({ confirmed }) => confirmed);
    const undecided = this.collision()?.losers.some((loser) => loser === connection) ?? false;
    return undecided ? undefined : connection;
  }
}

function winningDirection({ ours, agreement }: Connection): 'out' | 'in' | undefined {
  return ours && agreement && survivor(ours, agreement);
}
