import { describe, expect, it } from 'vitest';
import { createLogger } from '../../../src/lib/log.js';
import {
  BfdList,
  BfdState,
  Reply,
  type BfdSessionInfo,
  type WorkerCommand,
} from '../../../src/rpc/gen/worker.js';
import { BfdSessions } from '../../../src/supervisor/bfd-sessions.js';
import {
  listenerName,
  sessionName,
  type BfdPeer,
  type BfdSettings,
  type BfdStatus,
} from '../../../src/supervisor/bfd-types.js';

const log = createLogger({ write: () => undefined, now: () => '' });
const SETTINGS: BfdSettings = { desiredMinTxUs: 50_000, requiredMinRxUs: 60_000, detectMult: 3 };
const ADMIN = 0;
const DOWN = 1;
const UP = 3;

type Command = NonNullable<WorkerCommand['command']>;

function peerOf(last: number, more: Partial<BfdPeer> = {}): BfdPeer {
  const [local, remote] = [Uint8Array.of(10, 0, 0, 1), Uint8Array.of(10, 0, 0, last)];
  return { netns: '/run/netns/a', local, remote, multihop: false, ...more };
}

/** A worker that keeps what it is told, and may refuse. */
class Worker {
  readonly sessions = new Map<number, { name: string; state: BfdState }>();
  readonly listeners = new Map<number, string>();
  readonly log: string[] = [];
  refuse = '';
  page = 128;

  async call(command: Command, descriptors: readonly number[] = []): Promise<Reply> {
    await Promise.resolve();
    this.log.push(command.$case);
    if (this.refuse === command.$case) throw new Error('refused');
    if (command.$case === 'listBfd') return this.#list(command.value.after);
    if (command.$case === 'addBfdListener' || command.$case === 'addBfdSession') {
      expect(descriptors).toHaveLength(1);
    }
    this.#take(command);
    return Reply.fromPartial({ id: 1n });
  }

  #take(command: Command): void {
    if (command.$case === 'addBfdListener') {
      this.listeners.set(command.value.listener, command.value.name);
    } else if (command.$case === 'removeBfdListener') {
      this.listeners.delete(command.value.listener);
    } else if (command.$case === 'addBfdSession') {
      const { session, name } = command.value;
      this.sessions.set(session, { name, state: BfdState.fromPartial({ session, state: DOWN }) });
    } else if (command.$case === 'removeBfdSession') {
      this.sessions.delete(command.value.session);
    }
  }

  #list(after: number): Reply {
    const later = [...this.sessions].filter(([id]) => id > after).sort(([a], [b]) => a - b);
    const sessions: Partial<BfdSessionInfo>[] = later
      .slice(0, this.page)
      .map(([, { name, state }]) => ({ name, state }));
    const listeners = [...this.listeners].map(([listener, name]) => ({ listener, name }));
    const more = later.length > this.page;
    const bfd = BfdList.fromPartial({ sessions, listeners: after === 0 ? listeners : [], more });
    return Reply.fromPartial({ id: 1n, bfd });
  }

  has(id: number, name: string, state: Partial<BfdState>): void {
    this.sessions.set(id, { name, state: BfdState.fromPartial({ session: id, ...state }) });
  }
}

function setUp() {
  const world = { open: new Set<number>(), next: 100, due: [] as (() => void)[], fail: false };
  const make = (): number => {
    if (world.fail) throw new Error('EADDRNOTAVAIL');
    world.open.add(++world.next);
    return world.next;
  };
  const sessions = new BfdSessions({
    log,
    kernel: {
      openNetns: () => {
        world.open.add(++world.next);
        return world.next;
      },
      closeDescriptor: (fd) => {
        expect(world.open.delete(fd)).toBe(true);
      },
      openBfdListener: make,
      openBfdSender: make,
    },
    after: (_, work) => {
      world.due.push(work);
      return () => {
        world.due = world.due.filter((one) => one !== work);
      };
    },
  });
  const seen: BfdStatus[] = [];
  const watch = (status: BfdStatus) => void seen.push(status);
  return { world, sessions, seen, watch };
}

const settled = async (): Promise<void> => {
  for (let i = 0; i < 20; i++) await new Promise((resume) => setImmediate(resume));
};
const states = (seen: readonly BfdStatus[]) => seen.map(({ state, failed }) => [state, failed]);

describe('names', () => {
  it('are the same for the same peer, and fit the worker', () => {
    expect(sessionName(peerOf(2))).toBe('single-hop 10.0.0.1 10.0.0.2 /run/netns/a');
    expect(sessionName(peerOf(2, { interface: 'eth0' }))).toContain('10.0.0.1%eth0 ');
    const names = [
      peerOf(2),
      peerOf(3),
      peerOf(2, { multihop: true }),
      peerOf(2, { netns: undefined }),
      peerOf(2, { netns: `/run/netns/${'x'.repeat(200)}a` }),
      peerOf(2, { netns: `/run/netns/${'x'.repeat(200)}b` }),
      peerOf(2, { netns: '/run/netns/é' }),
      peerOf(2, { netns: '/run/netns/ü' }),
    ].map(sessionName);
    expect(new Set(names).size).toBe(names.length);
    for (const name of names) expect(name).toMatch(/^[ -~]{1,127}$/);
    expect(listenerName(peerOf(2))).toBe(listenerName(peerOf(3)));
    expect(listenerName(peerOf(2))).not.toBe(listenerName(peerOf(2, { multihop: true })));
  });
});

describe('BFD sessions', () => {
  it('gives a worker what is wanted, one listener for all, and closes its own descriptors', async () => {
    const { sessions, world, seen, watch } = setUp();
    const worker = new Worker();
    sessions.add(peerOf(2), SETTINGS, watch);
    sessions.add(peerOf(3), SETTINGS, watch);
    expect(() => sessions.add(peerOf(3), SETTINGS, watch)).toThrow(/already/);
    expect(worker.log).toEqual([]);
    await sessions.adopt(worker);
    expect(worker.log).toEqual(['listBfd', 'addBfdListener', 'addBfdSession', 'addBfdSession']);
    expect([...worker.sessions.keys()]).toEqual([1, 2]);
    expect(states(seen)).toEqual([
      ['down', false],
      ['down', false],
    ]);
    expect(world.open.size).toBe(0);
  });

  it('goes on with what the worker has, in pages, and ends what nobody asked for', async () => {
    const { sessions, seen, watch } = setUp();
    const worker = new Worker();
    worker.page = 2;
    worker.listeners.set(1, listenerName(peerOf(2)));
    worker.listeners.set(2, listenerName(peerOf(2, { multihop: true })));
    for (const id of [4, 5, 6, 7, 8]) {
      worker.has(id, sessionName(peerOf(id)), { state: UP, ups: 3n, downs: 2n });
    }
    await sessions.adopt(worker);
    // between the list and the request it has gone down: that is what counts
    sessions.event(
      BfdState.fromPartial({ session: 5, state: DOWN, remoteState: DOWN, ups: 3n, downs: 3n }),
    );
    sessions.add(peerOf(4), SETTINGS, watch);
    sessions.add(peerOf(5), SETTINGS, watch);
    await sessions.removeOthers();
    expect(states(seen)).toEqual([
      ['up', false],
      ['down', false],
    ]);
    expect([...worker.sessions.keys()]).toEqual([4, 5]);
    expect([...worker.listeners.keys()]).toEqual([1]);
    expect(worker.log.filter((name) => name === 'changeBfdSession')).toHaveLength(2);
    // numbers are not given twice
    sessions.add(peerOf(99), SETTINGS, watch);
    await settled();
    expect([...worker.sessions.keys()]).toEqual([4, 5, 9]);
  });

  it('tells failures from what is administrative, and does not miss one that is over', async () => {
    const { sessions, seen, watch } = setUp();
    sessions.add(peerOf(2), SETTINGS, watch);
    await sessions.adopt(new Worker());
    const event = (state: Partial<BfdState>) => {
      sessions.event(BfdState.fromPartial({ session: 1, remoteState: UP, ...state }));
    };
    seen.length = 0;
    event({ state: UP, ups: 1n });
    event({ state: DOWN, remoteState: DOWN, diag: 1, ups: 1n, downs: 1n });
    event({ state: UP, ups: 2n, downs: 1n });
    event({ state: DOWN, remoteState: ADMIN, diag: 3, ups: 2n, downs: 2n });
    event({ state: UP, ups: 3n, downs: 2n });
    event({ state: ADMIN, diag: 7, ups: 3n, downs: 3n });
    event({ state: UP, ups: 4n, downs: 3n });
    event({ state: UP, ups: 5n, downs: 4n }); // what was between could not be sent
    sessions.event(BfdState.fromPartial({ session: 2, state: DOWN, downs: 9n })); // another's
    expect(states(seen)).toEqual([
      ['up', false],
      ['down', true],
      ['up', false],
      ['down', false],
      ['up', false],
      ['admin-down', false],
      ['up', false],
      ['up', true],
    ]);
  });

  it('knows nothing without a worker, and gives the next one everything', async () => {
    const { sessions, seen, watch } = setUp();
    sessions.add(peerOf(2), SETTINGS, watch);
    await sessions.adopt(new Worker());
    sessions.event(BfdState.fromPartial({ session: 1, state: UP, ups: 1n }));
    sessions.lost();
    sessions.lost();
    const next = new Worker();
    await sessions.adopt(next);
    expect(next.sessions.size).toBe(1);
    expect(states(seen)).toEqual([
      ['down', false],
      ['up', false],
      ['unknown', false],
      ['unknown', false],
      ['down', false],
    ]);
  });

  it('says why there is no session, and tries again', async () => {
    const { sessions, world, seen, watch } = setUp();
    const worker = new Worker();
    await sessions.adopt(worker);
    world.fail = true;
    sessions.add(peerOf(2), SETTINGS, watch);
    await settled();
    expect(seen.at(-1)).toMatchObject({ state: 'unknown', problem: 'EADDRNOTAVAIL' });
    expect([world.open.size, world.due.length]).toEqual([0, 1]);
    world.fail = false;
    worker.refuse = 'addBfdSession';
    world.due.splice(0)[0]?.();
    await settled();
    expect(seen.at(-1)).toMatchObject({ state: 'unknown', problem: 'refused' });
    worker.refuse = '';
    world.due.splice(0)[0]?.();
    await settled();
    expect(seen.at(-1)).toMatchObject({ state: 'down', problem: undefined });
    expect([world.open.size, world.due.length, worker.sessions.size]).toEqual([0, 0, 1]);
  });

  it('tells nothing of a removed session, even of one that was being made', async () => {
    const { sessions, seen, watch } = setUp();
    const worker = new Worker();
    await sessions.adopt(worker);
    const session = sessions.add(peerOf(2), SETTINGS, watch);
    await Promise.resolve();
    session.remove();
    session.remove();
    await settled();
    sessions.event(BfdState.fromPartial({ session: 1, state: UP }));
    expect([worker.sessions.size, seen]).toEqual([0, []]);
    // and the same peer may come again
    sessions.add(peerOf(2), SETTINGS, watch);
    await settled();
    expect(worker.sessions.size).toBe(1);
  });
});
