// SPDX-License-Identifier: Apache-2.0
/**
 * Commands to the worker over its seqpacket socket, one protobuf message per datagram
 * (proto/worker.proto), and its events. Knows nothing of what the commands are for.
 */
import type { Kernel, PolledSocket } from '../lib/kernel-api.js';
import {
  ErrorCode,
  WorkerCommand,
  WorkerMessage,
  type AddPort,
  type Event,
  type HelloReply,
  type PortInfo,
  type Reply,
  type SendProbes,
} from '../rpc/gen/worker.js';
import { configuredWords } from './worker-words.js';

export const PROTOCOL_VERSION = 1;
/** Probing a NIC takes seconds; everything else milliseconds. */
const REPLY_TIMEOUT_MS = 30_000;

type Command = NonNullable<WorkerCommand['command']>;

const CODE_NAMES = new Map<number, string>(
  Object.entries(ErrorCode).map(([name, value]) => [value, name]),
);

/** A refusal of the worker (`code` as in proto/worker.proto), or TIMEOUT, DISCONNECTED, PROTOCOL. */
export class WorkerError extends Error {
  override readonly name = 'WorkerError';
  readonly code: string;
  readonly remedy: string;
  constructor(code: string, message: string, remedy: string) {
    super(message);
    this.code = code;
    this.remedy = remedy;
  }
}

export interface WorkerEvents {
  readonly onEvent: (event: NonNullable<Event['event']>) => void;
  /** The worker closed the connection or died; called once, also after {@link WorkerClient.close}. */
  readonly onClose: (reason: string) => void;
}

interface Pending {
  readonly resolve: (reply: Reply) => void;
  readonly reject: (error: WorkerError) => void;
  readonly timer: NodeJS.Timeout;
}
interface Unsent {
  readonly data: Uint8Array;
  readonly descriptors: readonly number[];
}

export class WorkerClient {
  readonly peerPid: number;
  readonly #socket: PolledSocket;
  readonly #events: WorkerEvents;
  readonly #pending = new Map<bigint, Pending>();
  readonly #unsent: Unsent[] = [];
  #nextId = 1n;
  #closed = false;

  private constructor(
    kernel: Pick<Kernel, 'connectSeqpacket'>,
    path: string,
    events: WorkerEvents,
  ) {
    this.#events = events;
    const socket = kernel.connectSeqpacket(path, {
      onMessage: (data) => {
        this.#receive(data);
      },
      onClose: (reason) => {
        this.#disconnected(reason);
      },
      onWritable: () => {
        this.#flush();
      },
    });
    this.#socket = socket;
    this.peerPid = socket.peerPid;
  }

  /** Throws the addon's error when nothing listens there. */
  static connect(
    kernel: Pick<Kernel, 'connectSeqpacket'>,
    path: string,
    events: WorkerEvents,
  ): WorkerClient {
    return new WorkerClient(kernel, path, events);
  }

  /** Descriptors stay the caller's and must stay open until the reply. */
  async call(command: Command, descriptors: readonly number[] = []): Promise<Reply> {
    if (this.#closed) throw new WorkerError('DISCONNECTED', 'the worker is gone', '');
    const id = this.#nextId++;
    const data = WorkerCommand.encode({ id, command }).finish();
    const reply = new Promise<Reply>((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#pending.delete(id);
        const what = `the worker did not answer ${command.$case} within ${REPLY_TIMEOUT_MS / 1000} s`;
        reject(new WorkerError('TIMEOUT', what, 'see the worker log'));
      }, REPLY_TIMEOUT_MS);
      this.#pending.set(id, { resolve, reject, timer });
    });
    this.#unsent.push({ data, descriptors });
    this.#flush();
    return reply;
  }

  async hello(tablesEpoch: bigint): Promise<HelloReply> {
    const value = { protocolVersion: PROTOCOL_VERSION, tablesEpoch };
    const { hello } = await this.call({ $case: 'hello', value });
    if (hello === undefined) {
      throw new WorkerError('PROTOCOL', 'the reply to Hello lacks a body', '');
    }
    return hello;
  }

  /** `netns`: descriptor of the namespace to probe in. */
  async addPort(value: Omit<AddPort, 'netnsDescriptor'>, netns?: number): Promise<PortInfo> {
    const netnsDescriptor = netns !== undefined;
    const command = { $case: 'addPort', value: { ...value, netnsDescriptor } } as const;
    const { port } = await this.call(command, netns === undefined ? [] : [netns]);
    if (port === undefined) {
      throw new WorkerError('PROTOCOL', 'the reply to AddPort lacks a body', '');
    }
    return port;
  }

  /** `queue`: descriptor of a TAP or TUN queue. */
  async attachInterface(id: number, queue: number): Promise<void> {
    await this.call({ $case: 'attachInterface', value: { interface: id } }, [queue]);
  }
  async detachInterface(id: number): Promise<void> {
    await this.call({ $case: 'detachInterface', value: { interface: id } });
  }
  async installSas(outbound: readonly number[], inbound: readonly number[]): Promise<void> {
    const value = { outbound: [...outbound], inbound: [...inbound] };
    await this.call({ $case: 'installSas', value });
  }
  async reserveLabels(labels: number): Promise<void> {
    await this.call({ $case: 'reserveLabels', value: { labels } });
  }
  /** Path MTU probes by this tunnel, as long as its SA is that: row ids, and bytes of the outer IP packets. */
  async sendProbes(value: SendProbes): Promise<void> {
    await this.call({ $case: 'sendProbes', value });
  }
  async start(): Promise<void> {
    await this.call({ $case: 'start', value: {} });
  }
  /** `handOver`: another worker stands by, and gets all that the ports receive from now on. */
  async shutdown(handOver = false): Promise<void> {
    await this.call({ $case: 'shutdown', value: { handOver } });
  }
  /** Rejects with STATE when a port gives its frames to one process only, or it has not so many packet threads. */
  async prepareHandOver(lcores: number): Promise<void> {
    await this.call({ $case: 'prepareHandOver', value: { lcores } });
  }
  async takeOver(): Promise<void> {
    await this.call({ $case: 'takeOver', value: {} });
  }

  close(): void {
    if (this.#closed) return;
    this.#socket.close();
    this.#disconnected('closed by us');
  }

  #flush(): void {
    for (let next = this.#unsent[0]; next !== undefined; next = this.#unsent[0]) {
      if (!this.#socket.send(next.data, next.descriptors)) return;
      this.#unsent.shift();
    }
  }

  #receive(data: Uint8Array): void {
    let message: WorkerMessage['message'];
    try {
      ({ message } = WorkerMessage.decode(data));
    } catch {
      // A datagram that does not decode: whatever waits for it times out and says so.
      return;
    }
    if (message?.$case === 'reply') this.#replied(message.value);
    else if (message?.value.event !== undefined) this.#events.onEvent(message.value.event);
  }

  #replied(reply: Reply): void {
    const pending = this.#pending.get(reply.id);
    if (pending === undefined) return;
    this.#pending.delete(reply.id);
    clearTimeout(pending.timer);
    if (reply.code === ErrorCode.OK) {
      pending.resolve(reply);
      return;
    }
    const code = CODE_NAMES.get(reply.code) ?? `CODE_${reply.code}`;
    pending.reject(new WorkerError(code, reply.message, configuredWords(reply.remedy)));
  }

  #disconnected(reason: string): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#unsent.length = 0;
    for (const { reject, timer } of this.#pending.values()) {
      clearTimeout(timer);
      reject(
        new WorkerError(
          'DISCONNECTED',
          `the worker closed the connection: ${reason}`,
          'see the worker log',
        ),
      );
    }
    this.#pending.clear();
    this.#events.onClose(reason);
  }
}
