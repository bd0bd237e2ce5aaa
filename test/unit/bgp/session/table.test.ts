// SPDX-License-Identifier: Apache-2.0
/**
 * Every state × every event, from RFC 4271 §8.2.2 and the RFCs that add to it. Each cell reads
 *
 *     next state | what is done | timers that run afterwards
 *
 * `send 4/0` is a NOTIFICATION of that code and subcode; R connectRetry, I idleHold, H hold, K keepalive,
 * S sendHold. An empty cell: nothing is done and nothing changes.
 */
import { describe, expect, test } from 'vitest';
import {
  cease,
  headerError,
  openError,
  updateError,
} from '../../../../src/bgp/codec/notification.js';
import type { Notification } from '../../../../src/bgp/codec/types.js';
import type { SessionMachine } from '../../../../src/bgp/session/fsm.js';
import type { SessionInput, SessionOutput } from '../../../../src/bgp/session/fsm-types.js';
import { ourOpen } from '../../../../src/bgp/session/negotiate.js';
import { resolveNeighbor } from '../../../../src/bgp/session/config.js';
import { ID, machine } from './bench.js';

const plain = { gracefulRestart: false } as const;
const theirs = ourOpen(
  resolveNeighbor({ address: '10.0.0.1', asn: 65001, ...plain }, { routerId: ID.high, asn: 65002 }),
  ID.high,
  { restarting: false, forwarding: 0 },
);

/** Inputs that lead from a new machine to the state; the connection, if any, has number 1. */
const PATHS = {
  stopped: [],
  waiting: [{ kind: 'start' }, { kind: 'close', notification: cease('administrativeReset') }],
  connect: [{ kind: 'start' }],
  active: [{ kind: 'start' }, { kind: 'lost', connection: 1, reason: 'refused' }],
  openSent: [{ kind: 'start' }, { kind: 'connected', connection: 1 }],
  openConfirm: [
    { kind: 'start' },
    { kind: 'connected', connection: 1 },
    { kind: 'open', connection: 1, open: theirs },
  ],
  established: [
    { kind: 'start' },
    { kind: 'connected', connection: 1 },
    { kind: 'open', connection: 1, open: theirs },
    { kind: 'keepalive', connection: 1 },
  ],
} as const satisfies Record<string, readonly SessionInput[]>;
type Row = keyof typeof PATHS;
const ROWS = Object.keys(PATHS) as Row[];

const on = { connection: 1 } as const;
const fault = (notification: Notification): SessionInput => ({
  kind: 'fault',
  ...on,
  notification,
});
const hears = (notification: Notification): SessionInput => ({
  ...{ kind: 'notification', ...on, notification },
});

/** Event numbers of RFC 4271 §8.1. Timers fire an hour later, when what they watch is long over. */
const EVENTS = {
  '1 start': { kind: 'start' },
  '2 stop': { kind: 'stop', notification: cease('administrativeShutdown') },
  '8 close': { kind: 'close', notification: cease('administrativeReset') },
  '8 close until started': {
    ...{ kind: 'close', notification: cease('maximumPrefixes'), idleFor: 'started' },
  },
  '9 connectRetry': { kind: 'timer', timer: 'connectRetry' },
  '10 hold': { kind: 'timer', timer: 'hold', ...on },
  '11 keepalive timer': { kind: 'timer', timer: 'keepalive', ...on },
  '13 idleHold': { kind: 'timer', timer: 'idleHold' },
  'RFC 9687 sendHold': { kind: 'timer', timer: 'sendHold', ...on },
  '16 connected': { kind: 'connected', ...on },
  '17 incoming': { kind: 'incoming', connection: 2 },
  '18 lost': { kind: 'lost', ...on, reason: 'reset' },
  '19 OPEN': { kind: 'open', ...on, open: theirs },
  '19 OPEN of another AS': { kind: 'open', ...on, open: { ...theirs, asn: 65009 } },
  '21 header error': fault(headerError('badLength', 'length 3')),
  '22 OPEN error': fault(openError('unspecific', 'cut off')),
  '24 NOTIFICATION version': hears(openError('unsupportedVersion', 'version')),
  '25 NOTIFICATION': hears(cease('outOfResources')),
  '26 KEEPALIVE': { kind: 'keepalive', ...on },
  '27 UPDATE': { kind: 'routes', ...on },
  '28 UPDATE error': fault(updateError('malformedAttributeList', 'flags')),
  blocked: { kind: 'blocked', ...on },
  drained: { kind: 'drained', ...on },
} as const satisfies Record<string, SessionInput>;
type Event = keyof typeof EVENTS;

const LETTERS = { connectRetry: 'R', idleHold: 'I', hold: 'H', keepalive: 'K', sendHold: 'S' };

/** A machine and the timers it has running. */
class Subject {
  readonly machine: SessionMachine = machine(plain);
  readonly timers = new Set<string>();

  input(input: SessionInput, now: number): string[] {
    if (input.kind === 'timer') {
      this.timers.delete(`${LETTERS[input.timer]}${input.connection ?? ''}`);
    }
    if (input.kind === 'lost') this.#end(input.connection);
    return this.machine.process(input, now).flatMap((output) => this.#note(output));
  }

  #end(connection: number): void {
    for (const timer of this.timers) {
      if (timer.endsWith(String(connection))) this.timers.delete(timer);
    }
  }

  #note(output: SessionOutput): string[] {
    switch (output.kind) {
      case 'setTimer':
        this.timers.add(`${LETTERS[output.timer]}${output.connection ?? ''}`);
        return [];
      case 'clearTimer':
        this.timers.delete(`${LETTERS[output.timer]}${output.connection ?? ''}`);
        return [];
      case 'disconnect':
        this.#end(output.connection);
        return [`disconnect ${output.connection}`];
      case 'connect':
        return [`connect ${output.connection}`];
      case 'send': {
        const { message } = output;
        if (message.type !== 'notification') return [`send ${message.type}`];
        return [`send ${message.notification.code}/${message.notification.subcode}`];
      }
      case 'established':
        return ['established'];
      case 'ended':
        return ['ended'];
      case 'state':
        return [];
    }
  }
}

const FAILS = 'idle | disconnect 1 | I';
const says = (code: string): string => `idle | send ${code}, disconnect 1 | I`;
const ENDS = 'idle | disconnect 1, ended | I';
const closes = (code: string): string => `idle | send ${code}, disconnect 1, ended | I`;

const TABLE: Readonly<Record<Event, Readonly<Partial<Record<Row, string>>>>> = {
  '1 start': { stopped: 'connect | connect 1 | R', waiting: 'connect | connect 2 | R' },
  '2 stop': {
    waiting: 'idle | |',
    connect: 'idle | disconnect 1 |',
    active: 'idle | |',
    openSent: 'idle | send 6/2, disconnect 1 |',
    openConfirm: 'idle | send 6/2, disconnect 1 |',
    established: 'idle | send 6/2, disconnect 1, ended |',
  },
  '8 close': {
    connect: FAILS,
    active: 'idle | | I',
    openSent: says('6/4'),
    openConfirm: says('6/4'),
    established: closes('6/4'),
  },
  '8 close until started': {
    waiting: 'idle | |',
    connect: 'idle | disconnect 1 |',
    active: 'idle | |',
    openSent: 'idle | send 6/1, disconnect 1 |',
    openConfirm: 'idle | send 6/1, disconnect 1 |',
    established: 'idle | send 6/1, disconnect 1, ended |',
  },
  '9 connectRetry': {
    connect: 'connect | disconnect 1, connect 2 | R',
    active: 'connect | connect 2 | R',
  },
  '10 hold': { openSent: says('4/0'), openConfirm: says('4/0'), established: closes('4/0') },
  '11 keepalive timer': {
    openConfirm: 'openConfirm | send keepalive | H1 K1',
    established: 'established | send keepalive | H1 K1',
  },
  '13 idleHold': { waiting: 'connect | connect 2 | R' },
  'RFC 9687 sendHold': { established: closes('8/0') },
  '16 connected': { connect: 'openSent | send open | H1' },
  '17 incoming': {
    stopped: 'idle | disconnect 2 |',
    waiting: 'idle | disconnect 2 | I',
    // The attempt of our own goes on beside it.
    connect: 'openSent | send open | H2',
    active: 'openSent | send open | H2',
    openSent: 'openSent | send open | H1 H2',
    // The peer's identifier is higher: the new connection may yet win.
    openConfirm: 'openConfirm | send open | H1 H2 K1',
    established: 'established | send 6/7, disconnect 2 | H1 K1',
  },
  '18 lost': {
    connect: 'active | | R',
    openSent: 'active | | R',
    openConfirm: 'idle | | I',
    established: 'idle | ended | I',
  },
  '19 OPEN': {
    openSent: 'openConfirm | send keepalive | H1 K1',
    openConfirm: says('5/2'),
    established: closes('5/3'),
  },
  '19 OPEN of another AS': {
    openSent: says('2/2'),
    openConfirm: says('5/2'),
    established: closes('5/3'),
  },
  '21 header error': {
    openSent: says('1/2'),
    openConfirm: says('1/2'),
    established: closes('1/2'),
  },
  '22 OPEN error': { openSent: says('2/0'), openConfirm: says('2/0'), established: closes('2/0') },
  '24 NOTIFICATION version': { openSent: FAILS, openConfirm: FAILS, established: ENDS },
  '25 NOTIFICATION': { openSent: FAILS, openConfirm: FAILS, established: ENDS },
  '26 KEEPALIVE': { openSent: says('5/1'), openConfirm: 'established | established | H1 K1' },
  '27 UPDATE': { openSent: says('5/1'), openConfirm: says('5/2') },
  '28 UPDATE error': {
    openSent: says('3/1'),
    openConfirm: says('3/1'),
    established: closes('3/1'),
  },
  blocked: { established: 'established | | H1 K1 S1' },
  drained: {},
};

/** Cells in which the event cannot happen: no connection has begun, so none can say anything. */
const IMPOSSIBLE: Readonly<Partial<Record<Event, readonly Row[]>>> = {
  // TCP comes up once; a second time is a fault of the driver.
  '16 connected': ['openSent', 'openConfirm', 'established'],
  // Nothing is read from a connection that is not up.
  '19 OPEN': ['connect'],
  '19 OPEN of another AS': ['connect'],
  '21 header error': ['connect'],
  '22 OPEN error': ['connect'],
  '24 NOTIFICATION version': ['connect'],
  '25 NOTIFICATION': ['connect'],
  '26 KEEPALIVE': ['connect'],
  '27 UPDATE': ['connect'],
  '28 UPDATE error': ['connect'],
};

const timersOf = (subject: Subject): string => [...subject.timers].sort().join(' ');

describe.each(Object.keys(EVENTS) as Event[])('%s', (event) => {
  const rows = ROWS.filter((row) => !(IMPOSSIBLE[event] ?? []).includes(row));
  test.each(rows)('in %s', (row) => {
    const subject = new Subject();
    for (const input of PATHS[row]) subject.input(input, 0);
    const before = `${subject.machine.state} | | ${timersOf(subject)}`;
    const input: SessionInput = EVENTS[event];
    const overdue = event === 'blocked' || event === '17 incoming' ? 1000 : 3_600_000;
    const did = subject.input(input, overdue);
    const after = `${subject.machine.state} | ${did.join(', ')} | ${timersOf(subject)}`;
    const tidy = (cell: string): string =>
      cell
        .split('|')
        .map((part) => part.trim())
        .join('|');
    const armed = input.kind === 'timer' && TABLE[event][row] === undefined;
    // A timer that fires for nothing is over; in the table only what it does is said.
    const unchanged = armed
      ? tidy(before).replace(/\|[^|]*$/, `|${timersOf(subject)}`)
      : tidy(before);
    const cell = TABLE[event][row];
    expect(tidy(after)).toBe(cell === undefined ? unchanged : tidy(cell));
  });
});

test('the states of the table are those of the RFC', () => {
  const states = ROWS.map((row) => {
    const subject = new Subject();
    for (const input of PATHS[row]) subject.input(input, 0);
    return subject.machine.state;
  });
  expect(states).toEqual([
    ...['idle', 'idle', 'connect', 'active', 'openSent', 'openConfirm', 'established'],
  ]);
});

test('a connection that comes up twice is a programmer’s error', () => {
  const subject = new Subject();
  for (const input of PATHS.openSent) subject.input(input, 0);
  expect(() => subject.input({ kind: 'connected', ...on }, 0)).toThrow(/made once/);
});
