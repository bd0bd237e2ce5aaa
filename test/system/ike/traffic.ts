// SPDX-License-Identifier: Apache-2.0
/** UDP with sequence numbers from one CE to the other: which of them arrived. */
import type { ChildProcess } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { eventually } from '../../../scripts/lib/lab.js';
import { otherEnd, type End, type TwoPes } from '../supervisor/two-pes.js';

const PORT = 9100;

/** Prints "ready", then at SIGTERM how many came, how many of them twice or more, and the highest number. */
const RECEIVER = (any: string): string => `
import signal, socket, sys
any = "${any}"
s = socket.socket(socket.AF_INET6 if ":" in any else socket.AF_INET, socket.SOCK_DGRAM)
if ":" in any: s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
s.setsockopt(socket.SOL_SOCKET, 33, 1 << 26)  # SO_RCVBUFFORCE
s.bind((any, ${PORT}))
seen, twice, highest = set(), 0, -1
def end(*_):
    print("end %d %d %d" % (len(seen), twice, highest), flush=True)
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
print("ready", flush=True)
while True:
    n = int(s.recv(2048)[:12])
    twice += n in seen
    seen.add(n)
    highest = max(highest, n)
`;

/** A packet each millisecond; at SIGTERM prints how many. */
const SENDER = (to: string): string => `
import signal, socket, sys, time
to = "${to}"
s = socket.socket(socket.AF_INET6 if ":" in to else socket.AF_INET, socket.SOCK_DGRAM)
n, over = 0, False
def end(*_):
    global over
    over = True
signal.signal(signal.SIGTERM, end)
while not over:
    s.sendto(b"%012d" % n + b"x" * 200, (to, ${PORT}))
    n += 1
    time.sleep(0.001)
print("sent %d" % n, flush=True)
`;

export interface Delivered {
  readonly sent: number;
  readonly received: number;
  readonly twice: number;
}

type Processes = Readonly<Record<'sender' | 'receiver', ChildProcess>>;

export class Stream {
  readonly #net: TwoPes;
  readonly #name: string;
  readonly #processes: Processes;

  private constructor(net: TwoPes, name: string, processes: Processes) {
    this.#net = net;
    this.#name = name;
    this.#processes = processes;
  }

  /** Begins to send from the CE of an end to the other's; one of each version may do so at a time. */
  static async start(net: TwoPes, from: End, version: 4 | 6 = 4): Promise<Stream> {
    const to = otherEnd(from);
    const python = '/usr/bin/python3';
    const name = `${String(from)}-ipv${String(version)}`;
    const log = Stream.#log(net, name, 'receiver');
    // The lab adds to logs: what an earlier stream said is not ours.
    for (const old of [log, Stream.#log(net, name, 'sender')]) rmSync(old, { force: true });
    const receiving = [python, '-c', RECEIVER(version === 4 ? '0.0.0.0' : '::')];
    const receiver = net.lab.start(net.ce(to), receiving, log);
    await eventually('the receiver listens', () =>
      readFileSync(log, 'utf8').includes('ready') ? true : undefined,
    );
    const address = version === 4 ? `10.${to}.0.2` : `2001:db8:a:${to}::2`;
    const sending = [python, '-c', SENDER(address)];
    const sender = net.lab.start(net.ce(from), sending, Stream.#log(net, name, 'sender'));
    return new Stream(net, name, { sender, receiver });
  }

  static #log(net: TwoPes, name: string, who: 'sender' | 'receiver'): string {
    return `${net.run}/stream-${name}-${who}.log`;
  }

  /** Ends, once what is on its way has arrived. */
  async stop(): Promise<Delivered> {
    const { sender, receiver } = this.#processes;
    await this.#net.lab.stop(sender, 'SIGTERM');
    await new Promise((wake) => setTimeout(wake, 500));
    await this.#net.lab.stop(receiver, 'SIGTERM');
    const text = (who: 'sender' | 'receiver'): string =>
      readFileSync(Stream.#log(this.#net, this.#name, who), 'utf8');
    const [, sent] = /^sent (\d+)$/m.exec(text('sender')) ?? [];
    const [, received, twice] = /^end (\d+) (\d+) (-?\d+)$/m.exec(text('receiver')) ?? [];
    if (sent === undefined || received === undefined) {
      throw new Error(`the stream said: ${text('sender')} ${text('receiver')}`);
    }
    return { sent: Number(sent), received: Number(received), twice: Number(twice) };
  }
}
