// SPDX-License-Identifier: Apache-2.0
/** Requests, dumps and overruns over a scripted socket: what a live kernel does too rarely to wait for. */
import { beforeEach, describe, expect, test, vi } from 'vitest';
import { NLM_F, NLMSG, RTM } from '../../../src/kernel/codec/constants.js';
import {
  decodeMessages,
  encodeMessage,
  type NetlinkMessage,
} from '../../../src/kernel/codec/message.js';
import { Netlink } from '../../../src/kernel/netlink.js';
import type { Kernel, PolledSocketEvents } from '../../../src/lib/kernel-api.js';

const PORT = 4711;
let sent: NetlinkMessage[];
let room: number;
let refuse: Error | undefined;
let socket: PolledSocketEvents;
let events: NetlinkMessage[];
let log: string[];
let netlink: Netlink;

beforeEach(() => {
  sent = [];
  events = [];
  log = [];
  room = Infinity;
  refuse = undefined;
  const kernel: Pick<Kernel, 'openNetlink'> = {
    openNetlink: (_netns, _groups, listener) => {
      socket = listener;
      return {
        port: PORT,
        send: (data) => {
          if (refuse) throw refuse;
          if (room-- <= 0) return false;
          sent.push(...decodeMessages(Uint8Array.from(data))!);
          return true;
        },
        close: () => log.push('socket closed'),
      };
    },
  };
  netlink = new Netlink(kernel as Kernel, 0, [], {
    onEvent: (message) => events.push(message),
    onOverrun: () => log.push('overrun'),
    onClose: (reason) => log.push(`closed: ${reason}`),
  });
});

/** A datagram of one message. */
function receive(message: Partial<NetlinkMessage> & { readonly type: number }): void {
  const { type, flags = 0, sequence = 0, port = PORT, payload = new Uint8Array(0) } = message;
  const bytes = encodeMessage({ type, flags, sequence, payload });
  new DataView(bytes.buffer).setUint32(12, port, true);
  socket.onMessage(bytes);
}
function int32(value: number): Uint8Array {
  return new Uint8Array(Int32Array.of(value).buffer);
}
function ack(sequence: number, errno = 0): void {
  const payload = new Uint8Array(20);
  payload.set(int32(-errno));
  receive({ type: NLMSG.ERROR, sequence, payload });
}
const done = (sequence: number, errno = 0): void => {
  receive({ type: NLMSG.DONE, sequence, flags: NLM_F.MULTI, payload: int32(-errno) });
};
const last = (): NetlinkMessage => sent.at(-1)!;
const payload = Uint8Array.of(1, 2, 3, 4);

function dump(): { result: Promise<void>; got: string[] } {
  const got: string[] = [];
  const result = netlink.dump(RTM.GETLINK, payload, 'dump', {
    onMessage: (message) => got.push(String(message.payload[0])),
    onRestart: () => got.push('restart'),
  });
  return { result, got };
}
const piece = (sequence: number, value: number, flags = 0): void => {
  const content = Uint8Array.of(value, 0, 0, 0);
  receive({ type: RTM.NEWLINK, sequence, flags: NLM_F.MULTI | flags, payload: content });
};

describe('requests', () => {
  test('are matched by sequence, in any order', async () => {
    const first = netlink.request(RTM.NEWADDR, NLM_F.CREATE, payload, 'first');
    const second = netlink.request(RTM.NEWADDR, NLM_F.CREATE, payload, 'second');
    expect(sent.map(({ flags }) => flags)).toEqual(Array(2).fill(0x1 | 0x4 | 0x400));
    ack(sent[1]!.sequence, 17);
    ack(sent[0]!.sequence);
    await expect(first).resolves.toBeUndefined();
    await expect(second).rejects.toMatchObject({ code: 'NETLINK', errno: 'EEXIST' });
  });

  test('a question has its answer before its acknowledgement', async () => {
    const answer = netlink.get(RTM.GETROUTE, payload, 'ask');
    receive({ type: RTM.NEWROUTE, sequence: last().sequence, payload: Uint8Array.of(9) });
    ack(last().sequence);
    expect((await answer)?.payload[0]).toBe(9);
    expect(events).toEqual([]);
  });

  test("others' changes are events, whatever their sequence and port", async () => {
    const question = netlink.get(RTM.GETROUTE, payload, 'ask');
    const { sequence } = last();
    receive({ type: RTM.NEWROUTE, sequence, port: PORT + 1, payload: Uint8Array.of(1) });
    receive({ type: RTM.NEWROUTE, sequence: 0, port: 0, payload: Uint8Array.of(2) });
    receive({ type: NLMSG.ERROR, sequence, port: PORT + 1, payload: new Uint8Array(20) });
    ack(sequence);
    expect(await question).toBeUndefined();
    expect(events.map((message) => message.payload[0])).toEqual([1, 2]);
    // Our own change comes back as an event with our port and its sequence.
    const change = netlink.request(RTM.NEWROUTE, 0, payload, 'change');
    receive({ type: RTM.NEWROUTE, sequence: last().sequence, payload: Uint8Array.of(3) });
    ack(last().sequence);
    await change;
    expect(events.at(-1)?.payload[0]).toBe(3);
  });

  test('wait while the socket is full', async () => {
    room = 1;
    const results = [1, 2, 3].map(async (n) => netlink.request(RTM.NEWADDR, 0, payload, `r${n}`));
    expect(sent).toHaveLength(1);
    room = Infinity;
    socket.onWritable?.();
    expect(sent).toHaveLength(3);
    for (const { sequence } of sent) ack(sequence);
    await Promise.all(results);
  });

  test('fail with the socket', async () => {
    refuse = new Error('cannot send: EPERM');
    await expect(netlink.request(RTM.NEWADDR, 0, payload, 'add')).rejects.toThrow(
      'add: cannot send: EPERM',
    );
    refuse = undefined;
    const open = netlink.request(RTM.NEWADDR, 0, payload, 'open');
    socket.onClose('gone');
    await expect(open).rejects.toMatchObject({ code: 'NETLINK_CLOSED' });
    await expect(netlink.get(RTM.GETLINK, payload, 'late')).rejects.toMatchObject({
      code: 'NETLINK_CLOSED',
    });
    expect(log).toEqual(['closed: gone']);
  });

  test('fail when the owner closes, and nothing is said of it', async () => {
    const open = netlink.request(RTM.NEWADDR, 0, payload, 'open');
    netlink.close();
    netlink.close();
    await expect(open).rejects.toMatchObject({ code: 'NETLINK_CLOSED' });
    expect(log).toEqual(['socket closed']);
  });
});

describe('dumps', () => {
  test('come piece by piece, among events, until DONE', async () => {
    const { result, got } = dump();
    const { sequence, flags } = last();
    expect(flags).toBe(NLM_F.REQUEST | NLM_F.DUMP);
    piece(sequence, 1);
    receive({ type: RTM.NEWLINK, port: 0, payload: Uint8Array.of(7) });
    piece(sequence, 2);
    done(sequence);
    await result;
    expect(got).toEqual(['1', '2']);
    expect(events).toHaveLength(1);
  });

  test('run one at a time; requests do not wait for them', async () => {
    const first = dump();
    const second = dump();
    const change = netlink.request(RTM.NEWADDR, 0, payload, 'change');
    expect(sent.map(({ type }) => type)).toEqual([RTM.GETLINK, RTM.NEWADDR]);
    ack(last().sequence);
    await change;
    done(sent[0]!.sequence);
    await first.result;
    expect(sent).toHaveLength(3);
    piece(last().sequence, 5);
    done(last().sequence);
    await second.result;
    expect(second.got).toEqual(['5']);
  });

  test('begin again when the table changed underneath', async () => {
    const { result, got } = dump();
    const { sequence } = last();
    piece(sequence, 1, NLM_F.DUMP_INTR);
    done(sequence);
    expect(sent).toHaveLength(2);
    piece(last().sequence, 2);
    done(last().sequence);
    await result;
    expect(got).toEqual(['1', 'restart', '2']);
  });

  test('fail with what DONE says', async () => {
    const { result } = dump();
    done(last().sequence, 1);
    await expect(result).rejects.toMatchObject({ errno: 'EPERM' });
  });

  test.each([16, 105])('are tried again when the kernel is busy (errno %i)', async (errno) => {
    vi.useFakeTimers();
    try {
      const { result, got } = dump();
      ack(last().sequence, errno);
      expect(sent).toHaveLength(1);
      vi.advanceTimersByTime(25);
      expect(sent).toHaveLength(2);
      piece(last().sequence, 3);
      done(last().sequence);
      await result;
      expect(got).toEqual(['restart', '3']);
    } finally {
      vi.useRealTimers();
    }
  });
});

describe('lost messages', () => {
  test('open requests are sent again, the dump begins again', async () => {
    const change = netlink.request(RTM.NEWADDR, 0, payload, 'change');
    const question = netlink.get(RTM.GETROUTE, payload, 'ask');
    const { result, got } = dump();
    const before = sent.map(({ sequence }) => sequence);
    piece(before[2]!, 1);
    socket.onOverrun?.();
    expect(log).toEqual(['overrun']);
    expect(sent.slice(3).map(({ type }) => type)).toEqual([RTM.NEWADDR, RTM.GETROUTE]);
    // Answers to the first attempt that were not lost after all mean nothing any more.
    ack(before[0]!, 17);
    ack(before[1]!, 17);
    ack(sent[3]!.sequence);
    receive({ type: RTM.NEWROUTE, sequence: sent[4]!.sequence, payload: Uint8Array.of(4) });
    ack(sent[4]!.sequence);
    await change;
    expect((await question)?.payload[0]).toBe(4);
    done(before[2]!);
    piece(last().sequence, 2);
    done(last().sequence);
    await result;
    expect(got).toEqual(['1', 'restart', '2']);
  });

  test('a datagram that cannot be read counts as lost', () => {
    socket.onMessage(Uint8Array.of(255, 0, 0, 0, 1));
    expect(log).toEqual(['overrun']);
  });
});
