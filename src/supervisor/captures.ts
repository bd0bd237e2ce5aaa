// SPDX-License-Identifier: Apache-2.0
/**
 * Captures: begun in the worker, and fetched from it at the reader's pace. What the worker has taken and nobody
 * fetches waits in its ring, and what does not fit there is counted.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { DropCount, Tables } from '../forwarding/addon/api.js';
import type * as rpc from '../rpc/backend.js';
import { ControlError } from '../rpc/errors.js';
import {
  CapturePoint,
  type CaptureChunk,
  type CapturedPacket,
  type Reply,
  type WorkerCommand,
} from '../rpc/gen/worker.js';
import { WorkerError } from './worker-client.js';

/** How often a ring that was empty is looked at. */
const POLL_MS = 20;
/** How old names of rows may be. */
const NAMES_MS = 1_000;

/** The part of a WorkerClient that is used. */
export interface CaptureWorker {
  call(command: NonNullable<WorkerCommand['command']>): Promise<Reply>;
}

/** The part of the tables that is used. */
export type CaptureTables = Pick<Tables, 'interfaces' | 'vrfs' | 'drops'>;

export class Captures {
  readonly #tables: CaptureTables;
  readonly #worker: () => CaptureWorker | undefined;
  #last = 0;

  /** `worker`: the one that takes commands now, if any. */
  constructor(tables: CaptureTables, worker: () => CaptureWorker | undefined) {
    this.#tables = tables;
    this.#worker = worker;
  }

  /**
   * Replies, the first of them once the capture has begun. Throws NOT_FOUND, BUSY when too many run,
   * INVALID_ARGUMENT for what the worker refuses, and UNAVAILABLE without a worker.
   */
  async *run(
    order: rpc.CaptureOrder,
    reader: rpc.CaptureReader,
  ): AsyncGenerator<rpc.CaptureReply, void> {
    const worker = this.#worker();
    if (worker === undefined) {
      const remedy = 'see: sealane show workers';
      throw new ControlError('UNAVAILABLE', 'no worker runs', { remedy });
    }
    const session = ++this.#last;
    await begin(worker, { ...this.#place(order), session, ...limitsOf(order) });
    const names = new RowNames(this.#tables);
    let ended = false;
    try {
      yield { frames: [], lost: [], ended: '' };
      for await (const chunk of chunks(worker, session, reader)) {
        ended = chunk.ended !== '';
        yield {
          frames: chunk.packets.map((packet) => names.frame(packet)),
          lost: chunk.lost.map(({ interface: id, linkType, packets }) => ({
            ...{ interface: names.interface(id), linkType, packets },
          })),
          ended: chunk.ended,
        };
      }
    } finally {
      if (!ended && this.#worker() === worker) await discard(worker, session);
    }
  }

  /** Throws NOT_FOUND: names were checked, but may have gone since. */
  #place(order: rpc.CaptureOrder): { point: CapturePoint; interface: number; vrf: number } {
    const nowhere = { interface: 0, vrf: 0 };
    if ('drops' in order) return { ...nowhere, point: CapturePoint.CAPTURE_DROPS };
    if ('interface' in order) {
      const row = this.#tables.interfaces().find(({ name }) => name === order.interface);
      if (row === undefined) throw notFound('interface', order.interface);
      return { ...nowhere, point: CapturePoint.CAPTURE_INTERFACE, interface: row.id };
    }
    const row = this.#tables.vrfs().find(({ name }) => name === order.vrf);
    if (row === undefined) throw notFound('VRF', order.vrf);
    const { CAPTURE_BEFORE_CRYPTO, CAPTURE_AFTER_CRYPTO } = CapturePoint;
    const point = order.crypto === 'before' ? CAPTURE_BEFORE_CRYPTO : CAPTURE_AFTER_CRYPTO;
    return { ...nowhere, point, vrf: row.id };
  }
}

function notFound(what: string, name: string): ControlError {
  return new ControlError('NOT_FOUND', `${what} "${name}" is not in force`);
}

type StartCapture = Extract<
  NonNullable<WorkerCommand['command']>,
  { $case: 'startCapture' }
>['value'];

function limitsOf(
  order: rpc.CaptureOrder,
): Omit<StartCapture, 'session' | 'point' | 'interface' | 'vrf'> {
  const { snapLength, packets, bytes, seconds, ethernetFilter, ipFilter } = order;
  const filters = { ethernetFilter: [...ethernetFilter], ipFilter: [...ipFilter] };
  return { snapLength, packets, bytes, seconds, ...filters };
}

async function begin(worker: CaptureWorker, value: StartCapture): Promise<void> {
  try {
    await worker.call({ $case: 'startCapture', value });
  } catch (error) {
    if (!(error instanceof WorkerError)) throw error;
    const code = { STATE: 'BUSY', MALFORMED: 'INVALID_ARGUMENT' } as const;
    const known = error.code === 'STATE' || error.code === 'MALFORMED' ? code[error.code] : null;
    const { message, remedy } = error;
    throw new ControlError(known ?? 'APPLY_FAILED', message, { remedy, cause: error });
  }
}

/** Until the last one, which says why it is; ends without it when the reader is gone. */
async function* chunks(
  worker: CaptureWorker,
  session: number,
  reader: rpc.CaptureReader,
): AsyncGenerator<CaptureChunk, void> {
  let told = false;
  for (;;) {
    if (reader.wish === 'gone') return;
    let chunk: CaptureChunk | undefined;
    try {
      if (reader.wish === 'end' && !told) {
        await worker.call({ $case: 'stopCapture', value: { session, discard: false } });
        told = true;
      }
      ({ capture: chunk } = await worker.call({ $case: 'readCapture', value: { session } }));
    } catch (error) {
      if (!(error instanceof WorkerError)) throw error;
    }
    // Whatever it refuses: it is another one by now, or none.
    chunk ??= { packets: [], lost: [], ended: 'worker' };
    if (chunk.packets.length > 0 || chunk.ended !== '') yield chunk;
    else await sleep(POLL_MS);
    if (chunk.ended !== '') return;
  }
}

async function discard(worker: CaptureWorker, session: number): Promise<void> {
  try {
    await worker.call({ $case: 'stopCapture', value: { session, discard: true } });
  } catch (error) {
    // It went with the worker.
    if (!(error instanceof WorkerError)) throw error;
  }
}

/** Names of rows, read again now and then: interfaces come and go while packets are captured. */
class RowNames {
  readonly #tables: CaptureTables;
  #interfaces = new Map<number, string>();
  #vrfs = new Map<number, string>();
  #drops: readonly DropCount[] = [];
  #readAt = -Infinity;

  constructor(tables: CaptureTables) {
    this.#tables = tables;
  }

  #refresh(): void {
    const now = performance.now();
    if (now - this.#readAt < NAMES_MS) return;
    this.#readAt = now;
    this.#interfaces = new Map(this.#tables.interfaces().map(({ id, name }) => [id, name]));
    this.#vrfs = new Map(this.#tables.vrfs().map(({ id, name }) => [id, name]));
    this.#drops = this.#tables.drops();
  }

  interface(id: number): string {
    this.#refresh();
    return id === 0 ? '' : (this.#interfaces.get(id) ?? `row ${id}`);
  }

  frame(packet: CapturedPacket): rpc.CapturedFrame {
    const { timeNs, linkType, direction, length, data, dropReason } = packet;
    const name = this.interface(packet.interface);
    const vrf = packet.interface === 0 ? '' : (this.#vrfs.get(packet.vrf) ?? '');
    const drop = dropReason === 0 ? undefined : this.#drops[dropReason - 1];
    return {
      ...{ timeNs, linkType, interface: name, vrf, direction, length, data },
      ...{ dropReason: drop?.reason ?? '', dropText: drop?.text ?? '' },
    };
  }
}
