// SPDX-License-Identifier: Apache-2.0
/** The client's side of a capture. */
import type { ClientDuplexStream, ServiceError } from '@grpc/grpc-js';
import type * as pb from './gen/control.js';
import { fromServiceError } from './wire-errors.js';

export type CaptureRequest = Readonly<pb.CaptureRequest>;
export type CaptureReply = Readonly<pb.CaptureReply>;
export type CapturedFrame = Readonly<pb.CapturedFrame>;

export interface RunningCapture {
  /** The first one when it has begun, the last one says why it has ended. Throws ControlError. */
  readonly replies: AsyncIterable<CaptureReply>;
  /** No more packets; those taken still come. */
  end(): void;
}

export function runCapture(
  call: ClientDuplexStream<pb.CaptureRequest, pb.CaptureReply>,
  request: CaptureRequest,
): RunningCapture {
  const { ethernetFilter, ipFilter } = request;
  call.write({ ...request, ethernetFilter: [...ethernetFilter], ipFilter: [...ipFilter] });
  return {
    replies: repliesOf(call),
    end: () => {
      call.end();
    },
  };
}

async function* repliesOf(
  call: ClientDuplexStream<pb.CaptureRequest, pb.CaptureReply>,
): AsyncGenerator<CaptureReply, void> {
  const replies: AsyncIterable<pb.CaptureReply> = call;
  try {
    for await (const reply of replies) yield reply;
  } catch (error) {
    throw isServiceError(error) ? fromServiceError(error) : error;
  } finally {
    call.cancel();
  }
}

export function isServiceError(error: unknown): error is ServiceError {
  return error instanceof Error && 'code' in error && 'metadata' in error;
}
