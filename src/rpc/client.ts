// SPDX-License-Identifier: Apache-2.0
/** Talks to a supervisor's control socket. Every failure is a {@link ControlError}. */
import { access, constants, lstat } from 'node:fs/promises';
import { credentials, Metadata, type ClientReadableStream, type ServiceError } from '@grpc/grpc-js';
import {
  isServiceError,
  runCapture,
  type CaptureRequest,
  type RunningCapture,
} from './capture-client.js';
import { ControlError } from './errors.js';
import * as pb from './gen/control.js';
import { fromDetail, fromServiceError } from './wire-errors.js';

/** Row of each topic of `sealane show`. */
export interface TopicRows {
  readonly interfaces: pb.InterfaceRow;
  readonly vrfs: pb.VrfRow;
  readonly routes: pb.RouteRow;
  readonly labels: pb.LabelRow;
  readonly tunnels: pb.TunnelRow;
  readonly sas: pb.SaRow;
  readonly drops: pb.DropRow;
  readonly policers: pb.PolicerRow;
  readonly ports: pb.PortRow;
  readonly queues: pb.QueueRow;
  readonly lags: pb.LagRow;
  readonly workers: pb.WorkerRow;
  readonly transitions: pb.TransitionRow;
  readonly 'bgp summary': pb.BgpSummaryRow;
  readonly 'bgp neighbors': pb.BgpNeighborRow;
  readonly 'bgp routes': pb.BgpRouteRow;
  readonly 'ike sas': pb.IkeSaRow;
  readonly 'ike children': pb.IkeChildRow;
  readonly 'ike counters': pb.IkeCounterRow;
}
export type Topic = keyof TopicRows;

export interface ShowFilter {
  /** interfaces, vrfs, routes, labels, policers, queues, transitions, bgp summary, neighbors and routes. */
  readonly vrf?: string;
  /** routes, bgp routes: inside of it. */
  readonly prefix?: string;
  /** routes. */
  readonly address?: string;
  /** routes, bgp routes. */
  readonly limit?: number;
  /** bgp neighbors, bgp routes: of this one. */
  readonly neighbor?: string;
  /** bgp routes. */
  readonly family?: string;
  /** bgp routes: exactly this prefix. */
  readonly exact?: string;
  /** drops, ike counters: also what never happened. */
  readonly all?: boolean;
}

export type Status = Readonly<pb.StatusReply>;
export type BgpClearRow = Readonly<pb.BgpClearRow>;
/** What to do with which SAs; empty fields restrict nothing. */
export type IkeCommand = Readonly<pb.CommandIkeRequest>;
/** Whose routes cross again: the neighbour's, ours, both ends'. */
export type SoftClear = 'in' | 'out' | 'both';
export type ReloadReply = Readonly<pb.ReloadReply>;
export type ExplainRow = Readonly<pb.ExplainRow>;
export type TestPolicyReply = Readonly<pb.TestPolicyReply>;

export interface ClientOptions {
  /** For an answer, or the next rows; default 15 s. */
  readonly timeoutMs?: number;
  /** For a reload, which may load a large file and restart the worker; default 120 s. */
  readonly reloadTimeoutMs?: number;
}

interface Replies<Row> {
  readonly rows: Row[];
}

const CHANNEL_OPTIONS = {
  // Chunks are small; a status with many warnings may not be.
  'grpc.max_receive_message_length': 16 * 1024 * 1024,
  'grpc.enable_http_proxy': 0,
  'grpc.enable_retries': 0,
};

export class Client {
  readonly #client: pb.ControlClient;
  readonly #timeoutMs: number;
  readonly #reloadTimeoutMs: number;

  private constructor(socketPath: string, options: ClientOptions) {
    const target = `unix:${socketPath}`;
    this.#client = new pb.ControlClient(target, credentials.createInsecure(), CHANNEL_OPTIONS);
    this.#timeoutMs = options.timeoutMs ?? 15_000;
    this.#reloadTimeoutMs = options.reloadTimeoutMs ?? 120_000;
  }

  /** Throws UNAVAILABLE or NO_PRIVILEGE when the socket cannot be used; connects at the first call. */
  static async open(socketPath: string, options: ClientOptions = {}): Promise<Client> {
    try {
      const found = await lstat(socketPath);
      if (!found.isSocket()) throw notThere(socketPath, 'is no socket');
      await access(socketPath, constants.R_OK | constants.W_OK);
    } catch (error) {
      throw openError(socketPath, error);
    }
    return new Client(socketPath, options);
  }

  close(): void {
    this.#client.close();
  }

  async status(): Promise<Status> {
    return unary((done) => this.#client.status({}, new Metadata(), this.#deadline(), done));
  }

  /** @param path absolute. Throws INVALID_CONFIG with every issue, CONFIG_LOAD, BUSY, APPLY_FAILED. */
  async reload(path: string, dryRun: boolean): Promise<ReloadReply> {
    const options = { deadline: Date.now() + this.#reloadTimeoutMs };
    const reply = await unary<pb.ReloadReply>((done) =>
      this.#client.reload({ path, dryRun }, new Metadata(), options, done),
    );
    if (reply.error !== undefined) throw fromDetail(reply.error);
    return reply;
  }

  /**
   * @param path absolute, of a configuration; '' means the one in force. Throws NOT_FOUND,
   * INVALID_ARGUMENT, INVALID_CONFIG, CONFIG_LOAD.
   */
  async testPolicy(
    policy: string,
    route: readonly string[],
    path: string,
  ): Promise<TestPolicyReply> {
    const options = { deadline: Date.now() + this.#reloadTimeoutMs };
    const request = { policy, route: [...route], path };
    return unary((done) => this.#client.testPolicy(request, new Metadata(), options, done));
  }

  async stop(keepWorker: boolean): Promise<void> {
    await unary((done) =>
      this.#client.stop({ keepWorker }, new Metadata(), this.#deadline(), done),
    );
  }

  /**
   * Ends the sessions of a BGP neighbour (undefined: of all), which then begin again; soft: asks for its
   * routes again, sends ours, or both. A row per session. Throws NOT_FOUND.
   */
  async clearBgp(name: string | undefined, soft?: SoftClear): Promise<readonly BgpClearRow[]> {
    const request = { name: name ?? '', soft: soft !== undefined, direction: soft ?? '' };
    const reply = await unary<pb.ClearBgpReply>((done) =>
      this.#client.clearBgp(request, new Metadata(), this.#deadline(), done),
    );
    return reply.rows;
  }

  /**
   * Shuts a BGP neighbour down with a text for its operator, or starts it (undefined). Names of its sessions.
   * Throws NOT_FOUND, INVALID_ARGUMENT.
   */
  async setBgpNeighbor(name: string, shutdown: string | undefined): Promise<readonly string[]> {
    const request = { name, shutdown: shutdown !== undefined, message: shutdown ?? '' };
    const reply = await unary<pb.SetBgpNeighborReply>((done) =>
      this.#client.setBgpNeighbor(request, new Metadata(), this.#deadline(), done),
    );
    return reply.sessions;
  }

  /**
   * Writes MRT table dumps to an absolute path and, for VRFs, PATH.VRF; takes as long as a reload may. Throws
   * INVALID_ARGUMENT, NOT_FOUND, APPLY_FAILED.
   */
  async dumpBgp(path: string): Promise<readonly pb.DumpedBgpFile[]> {
    const options = { deadline: Date.now() + this.#reloadTimeoutMs };
    const reply = await unary<pb.DumpBgpReply>((done) =>
      this.#client.dumpBgp({ path }, new Metadata(), options, done),
    );
    return reply.files;
  }

  /** Throws APPLY_FAILED. */
  async restartWorker(): Promise<pb.RestartWorkerReply> {
    const options = { deadline: Date.now() + this.#reloadTimeoutMs };
    return unary<pb.RestartWorkerReply>((done) =>
      this.#client.restartWorker({}, new Metadata(), options, done),
    );
  }

  /**
   * Ends changes of export classes at once, of a VRF and of a rule, or of any (''). A line for each that ended.
   * Throws NOT_FOUND.
   */
  async tightenNow(vrf: string, rule: string): Promise<readonly string[]> {
    const options = { deadline: Date.now() + this.#reloadTimeoutMs };
    const reply = await unary<pb.TightenNowReply>((done) =>
      this.#client.tightenNow({ vrf, rule }, new Metadata(), options, done),
    );
    return reply.ended;
  }

  /** How many SAs it met. Throws INVALID_ARGUMENT, NOT_FOUND, APPLY_FAILED. */
  async commandIke(command: IkeCommand): Promise<number> {
    const options = { deadline: Date.now() + this.#reloadTimeoutMs };
    const reply = await unary<pb.CommandIkeReply>((done) =>
      this.#client.commandIke({ ...command }, new Metadata(), options, done),
    );
    return reply.count;
  }

  /** Steps of a packet's way. Throws INVALID_ARGUMENT, NOT_FOUND. */
  async explainRoute(vrf: string, address: string): Promise<readonly ExplainRow[]> {
    const reply = await unary<pb.ExplainReply>((done) =>
      this.#client.explainRoute({ vrf, address }, new Metadata(), this.#deadline(), done),
    );
    return reply.rows;
  }

  /** The same of a label; empty words: docs/cli.md. Throws INVALID_ARGUMENT, NOT_FOUND. */
  async explainLabel(question: Readonly<pb.ExplainLabelRequest>): Promise<readonly ExplainRow[]> {
    const reply = await unary<pb.ExplainReply>((done) =>
      this.#client.explainLabel({ ...question }, new Metadata(), this.#deadline(), done),
    );
    return reply.rows;
  }

  /** Begins a capture and returns at once: see {@link RunningCapture}. */
  capture(request: CaptureRequest): RunningCapture {
    return runCapture(this.#client.capture(), request);
  }

  /** Rows as they come: nothing is collected, and a slow consumer slows the supervisor's sending. */
  async *show<T extends Topic>(topic: T, filter: ShowFilter = {}): AsyncGenerator<TopicRows[T]> {
    const calls: { [K in Topic]: () => ClientReadableStream<Replies<TopicRows[K]>> } = {
      interfaces: () => this.#client.showInterfaces({ vrf: filter.vrf ?? '' }),
      vrfs: () => this.#client.showVrfs({ vrf: filter.vrf ?? '' }),
      routes: () =>
        this.#client.showRoutes({
          ...{ vrf: filter.vrf ?? '', prefix: filter.prefix ?? '', address: filter.address ?? '' },
          limit: BigInt(filter.limit ?? 0),
        }),
      labels: () => this.#client.showLabels({ vrf: filter.vrf ?? '' }),
      tunnels: () => this.#client.showTunnels({}),
      sas: () => this.#client.showSas({}),
      drops: () => this.#client.showDrops({ all: filter.all ?? false }),
      policers: () => this.#client.showPolicers({ vrf: filter.vrf ?? '' }),
      ports: () => this.#client.showPorts({}),
      queues: () => this.#client.showQueues({ vrf: filter.vrf ?? '' }),
      lags: () => this.#client.showLags({}),
      workers: () => this.#client.showWorkers({}),
      transitions: () => this.#client.showTransitions({ vrf: filter.vrf ?? '' }),
      'bgp summary': () => this.#client.showBgpSummary({ vrf: filter.vrf ?? '' }),
      'bgp neighbors': () => {
        const { vrf = '', neighbor = '' } = filter;
        return this.#client.showBgpNeighbors({ vrf, name: neighbor });
      },
      'bgp routes': () => {
        const { vrf = '', family = '', exact = '', prefix = '', neighbor = '', limit = 0 } = filter;
        const request = { vrf, family, prefix: exact, inside: prefix, neighbor };
        return this.#client.showBgpRoutes({ ...request, limit: BigInt(limit) });
      },
      'ike sas': () => this.#client.showIkeSas({}),
      'ike children': () => this.#client.showIkeChildren({}),
      'ike counters': () => this.#client.showIkeCounters({ all: filter.all ?? false }),
    };
    yield* rowsOf(calls[topic](), this.#timeoutMs);
  }

  #deadline(): { deadline: number } {
    return { deadline: Date.now() + this.#timeoutMs };
  }
}

type Done<Reply> = (error: ServiceError | null, reply: Reply) => void;

async function unary<Reply>(call: (done: Done<Reply>) => unknown): Promise<Reply> {
  return new Promise((resolve, reject) => {
    call((error, reply) => {
      if (error === null) resolve(reply);
      else reject(fromServiceError(error));
    });
  });
}

async function* rowsOf<Row>(
  call: ClientReadableStream<Replies<Row>>,
  timeoutMs: number,
): AsyncGenerator<Row> {
  const replies: AsyncIterator<Replies<Row>> = call[Symbol.asyncIterator]();
  try {
    for (;;) {
      // Only waiting counts, not the time the consumer takes.
      const timer = setTimeout(() => {
        call.cancel();
      }, timeoutMs);
      let next: IteratorResult<Replies<Row>>;
      try {
        next = await replies.next();
      } finally {
        clearTimeout(timer);
      }
      if (next.done === true) return;
      yield* next.value.rows;
    }
  } catch (error) {
    throw isServiceError(error) ? fromServiceError(error) : error;
  } finally {
    call.cancel();
  }
}

const START = 'is the supervisor running? Start it with: sealane run';

function notThere(socketPath: string, why: string): ControlError {
  return new ControlError('UNAVAILABLE', `${socketPath} ${why}`, { remedy: START });
}

function openError(socketPath: string, error: unknown): ControlError {
  if (error instanceof ControlError) return error;
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
  if (code === 'EACCES' || code === 'EPERM') {
    return new ControlError('NO_PRIVILEGE', `no permission to use ${socketPath}`, {
      remedy: 'run as the user the supervisor runs as (root)',
    });
  }
  return notThere(socketPath, code === 'ENOENT' ? 'does not exist' : `cannot be used (${code})`);
}
