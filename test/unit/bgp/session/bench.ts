// SPDX-License-Identifier: Apache-2.0
/** Two session machines joined by wires that a test holds in its hand: what is delivered, and when. */
import { type NeighborConfig, resolveNeighbor } from '../../../../src/bgp/session/config.js';
import { SessionMachine } from '../../../../src/bgp/session/fsm.js';
import type {
  Agreement,
  ConnectionId,
  OutgoingMessage,
  RestartState,
  SessionInput,
  SessionOutput,
} from '../../../../src/bgp/session/fsm-types.js';
import type { SessionEnd } from '../../../../src/bgp/types.js';

export const ID = { low: 0x0a000001, high: 0x0a000002 };

/** A pseudo-random sequence in 0..1 of its own per seed (mulberry32). */
export function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export function machine(
  config: Partial<NeighborConfig> = {},
  routerId = ID.low,
  asn = 65001,
  restart: RestartState = { restarting: false, forwarding: 0 },
): SessionMachine {
  const neighbor = resolveNeighbor(
    { address: '10.0.0.2', asn: 65002, ...config },
    { routerId, asn },
  );
  return new SessionMachine(neighbor, { routerId, random: random(1), restart: () => restart });
}

type Deliverable =
  | { readonly kind: 'connected' | 'incoming' }
  | { readonly kind: 'message'; readonly message: OutgoingMessage }
  | { readonly kind: 'lost'; readonly reason: string };

/** A TCP connection between the two: one queue towards each side. */
interface Wire {
  readonly from: 0 | 1;
  readonly ids: [ConnectionId | undefined, ConnectionId | undefined];
  readonly queues: [Deliverable[], Deliverable[]];
  closed: [boolean, boolean];
}

interface Timer {
  readonly key: string;
  readonly at: number;
  readonly input: SessionInput;
}

export class Bench {
  readonly machines: readonly [SessionMachine, SessionMachine];
  readonly wires: Wire[] = [];
  readonly timers = [new Map<string, Timer>(), new Map<string, Timer>()] as const;
  readonly established: [Agreement | undefined, Agreement | undefined] = [undefined, undefined];
  readonly live: [ConnectionId | undefined, ConnectionId | undefined] = [undefined, undefined];
  readonly ends: [SessionEnd[], SessionEnd[]] = [[], []];
  readonly sent: [OutgoingMessage[], OutgoingMessage[]] = [[], []];
  now = 0;
  /** To this side nothing is delivered. */
  deaf: 0 | 1 | undefined;

  constructor(a: SessionMachine, b: SessionMachine) {
    this.machines = [a, b];
  }

  input(side: 0 | 1, input: SessionInput): void {
    for (const output of this.machines[side].process(input, this.now)) this.#carry(side, output);
  }

  #carry(side: 0 | 1, output: SessionOutput): void {
    switch (output.kind) {
      case 'connect': {
        const ids: Wire['ids'] = [undefined, undefined];
        ids[side] = output.connection;
        const wire: Wire = { from: side, ids, queues: [[], []], closed: [false, false] };
        wire.queues[1 - side]!.push({ kind: 'incoming' });
        this.wires.push(wire);
        return;
      }
      case 'send':
        this.sent[side].push(output.message);
        this.#wire(side, output.connection)?.queues[1 - side]!.push({
          kind: 'message',
          message: output.message,
        });
        return;
      case 'disconnect': {
        const wire = this.#wire(side, output.connection);
        if (wire === undefined) return;
        wire.closed[side] = true;
        wire.queues[1 - side]!.push({ kind: 'lost', reason: 'closed by the peer' });
        return;
      }
      case 'setTimer': {
        const { timer, connection, ms } = output;
        const key = `${timer}/${connection ?? ''}`;
        const input: SessionInput = {
          kind: 'timer',
          timer,
          ...(connection === undefined ? {} : { connection }),
        };
        this.timers[side].set(key, { key, at: this.now + ms, input });
        return;
      }
      case 'clearTimer':
        this.timers[side].delete(`${output.timer}/${output.connection ?? ''}`);
        return;
      case 'established':
        this.established[side] = output.agreement;
        this.live[side] = output.connection;
        return;
      case 'ended':
        this.established[side] = undefined;
        this.ends[side].push(output.end);
        return;
      case 'state':
        return;
    }
  }

  #wire(side: 0 | 1, id: ConnectionId): Wire | undefined {
    return this.wires.find(({ ids }) => ids[side] === id);
  }

  /** Everything that could happen next: one delivery per side and wire. */
  choices(): { readonly wire: number; readonly side: 0 | 1 }[] {
    return this.wires.flatMap(({ queues }, wire) =>
      ([0, 1] as const)
        .filter((side) => side !== this.deaf && queues[side].length > 0)
        .map((side) => ({ wire, side })),
    );
  }

  deliver({ wire: index, side }: { readonly wire: number; readonly side: 0 | 1 }): void {
    const wire = this.wires[index]!;
    const what = wire.queues[side].shift()!;
    if (what.kind === 'incoming') {
      if (wire.closed[1 - side]) return; // given up before it was accepted
      wire.ids[side] = this.machines[side].nextConnection();
      wire.queues[1 - side]!.unshift({ kind: 'connected' });
    }
    const connection = wire.ids[side];
    if (connection === undefined || wire.closed[side]) return;
    const message = what.kind === 'message' ? what.message : undefined;
    if (message === undefined) {
      const { kind } = what;
      if (kind === 'lost') this.input(side, { kind, connection, reason: what.reason });
      else if (kind !== 'message') this.input(side, { kind, connection });
    } else if (message.type === 'open') {
      this.input(side, { kind: 'open', connection, open: message.open });
    } else if (message.type === 'keepalive') this.input(side, { kind: 'keepalive', connection });
    else {
      const { notification } = message;
      this.input(side, { kind: 'notification', connection, notification });
    }
  }

  /** Delivers until nothing is under way; `pick` chooses among what could be next. */
  run(pick: (count: number) => number = () => 0): void {
    for (let i = 0; i < 10_000; i++) {
      const choices = this.choices();
      if (choices.length === 0) return;
      this.deliver(choices[pick(choices.length)]!);
    }
    throw new Error('the two never come to rest');
  }

  /** Lets time pass, firing timers in order and delivering what they send. */
  pass(ms: number, pick?: (count: number) => number): void {
    const end = this.now + ms;
    for (;;) {
      this.run(pick);
      const due = ([0, 1] as const)
        .flatMap((side) => [...this.timers[side].values()].map((timer) => ({ side, timer })))
        .filter(({ timer }) => timer.at <= end)
        .sort((a, b) => a.timer.at - b.timer.at)[0];
      if (due === undefined) break;
      this.now = Math.max(this.now, due.timer.at);
      this.timers[due.side].delete(due.timer.key);
      this.input(due.side, due.timer.input);
    }
    this.now = end;
  }

  /** Cuts every connection: both ends see it end. */
  cut(): void {
    for (const wire of this.wires) {
      for (const side of [0, 1] as const) {
        const connection = wire.ids[side];
        wire.queues[side].length = 0;
        if (connection !== undefined && !wire.closed[side]) {
          wire.closed[side] = true;
          this.input(side, { kind: 'lost', connection, reason: 'connection reset' });
        }
      }
    }
  }

  /** Both are established, and by the same connection. */
  joined(): boolean {
    const wire = this.wires.find(({ ids }) => ids[0] === this.live[0] && ids[1] === this.live[1]);
    const up = this.machines.every(({ state }) => state === 'established');
    return up && wire !== undefined && !wire.closed[0] && !wire.closed[1];
  }
}

export function pair(
  a: Partial<NeighborConfig> = {},
  b: Partial<NeighborConfig> = {},
  ids: readonly [number, number] = [ID.low, ID.high],
): Bench {
  return new Bench(
    machine(a, ids[0], 65001),
    machine({ address: '10.0.0.1', asn: 65001, ...b }, ids[1], 65002),
  );
}
