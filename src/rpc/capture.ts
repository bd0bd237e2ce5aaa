// SPDX-License-Identifier: Apache-2.0
/** The server's side of a capture: what is asked for is checked, and replies go at the reader's pace. */
import type { ServerDuplexStream } from '@grpc/grpc-js';
import { suggest } from '../lib/suggest.js';
import type { CaptureOrder, CaptureReader, ControlBackend } from './backend.js';
import { ControlError } from './errors.js';
import type * as pb from './gen/control.js';
import { checkVrf } from './requests.js';
import { drained, isGone } from './stream.js';

const MAX_SNAP = 16_384;

/** Throws INVALID_ARGUMENT or NOT_FOUND. */
export async function captureOrder(
  backend: ControlBackend,
  request: pb.CaptureRequest,
): Promise<CaptureOrder> {
  const { interface: name, drops, vrf, crypto, snapLength, packets, bytes, seconds } = request;
  if ([name !== '', drops, vrf !== ''].filter(Boolean).length !== 1) {
    throw invalid('one of interface, drops and vrf says where', 'give exactly one of them');
  }
  if (crypto !== '' && vrf === '') throw invalid('crypto without vrf', 'name a VRF');
  if (snapLength < 1 || snapLength > MAX_SNAP) {
    throw invalid(`a snap length of ${snapLength}`, `1 to ${MAX_SNAP} octets`);
  }
  if (packets === 0n || bytes === 0n || seconds === 0) {
    throw invalid('a capture without an end', 'limit packets, bytes and seconds');
  }
  const { ethernetFilter, ipFilter } = request;
  const limits = { snapLength, packets, bytes, seconds, ethernetFilter, ipFilter };
  if (drops) return { ...limits, drops };
  if (name !== '') return { ...limits, interface: await portInterface(backend, name) };
  if (crypto !== '' && crypto !== 'before' && crypto !== 'after') {
    throw invalid(`no point "${crypto}" of crypto`, 'one of: before, after');
  }
  await checkVrf(backend, vrf);
  return { ...limits, vrf, crypto: crypto === '' ? 'before' : crypto };
}

async function portInterface(backend: ControlBackend, wanted: string): Promise<string> {
  const names: string[] = [];
  for await (const { name, role } of backend.interfaces()) {
    if (role !== 'host') names.push(name);
    else if (name === wanted) {
      const remedy = 'capture on it in its namespace: it is an interface of the kernel';
      throw new ControlError('INVALID_ARGUMENT', `${name} is on no port`, { remedy });
    }
  }
  if (names.includes(wanted)) return wanted;
  const remedy = suggest(wanted, names, 'interfaces');
  throw new ControlError('NOT_FOUND', `no interface "${wanted}"`, { remedy });
}

function invalid(message: string, remedy: string): ControlError {
  return new ControlError('INVALID_ARGUMENT', message, { remedy });
}

type Call = ServerDuplexStream<pb.CaptureRequest, pb.CaptureReply>;

/** Ends when the capture does; `failure` makes a status of what goes wrong. */
export function captureHandler(
  backend: ControlBackend,
  stallMs: number,
  failure: (error: unknown) => object,
): (call: Call) => void {
  return (call) => {
    const reader: { wish: CaptureReader['wish'] } = { wish: 'run' };
    const end = (work: Promise<void>): void => {
      work.then(
        () => {
          call.end();
        },
        (error: unknown) => call.emit('error', failure(error)),
      );
    };
    let begun = false;
    call.on('data', (request: pb.CaptureRequest) => {
      if (begun) return;
      begun = true;
      end(serve(call, backend, request, reader, stallMs));
    });
    call.on('end', () => {
      if (reader.wish === 'run') reader.wish = 'end';
      if (!begun) end(Promise.reject(invalid('no request', 'send one')));
    });
    call.on('cancelled', () => {
      reader.wish = 'gone';
    });
    // gRPC's own errors (the client is gone) end the call; without a listener they end the process.
    call.on('error', () => {
      reader.wish = 'gone';
    });
  };
}

async function serve(
  call: Call,
  backend: ControlBackend,
  request: pb.CaptureRequest,
  reader: CaptureReader,
  stallMs: number,
): Promise<void> {
  const order = await captureOrder(backend, request);
  for await (const { frames, lost, ended } of backend.capture(order, reader)) {
    if (isGone(call)) return;
    const reply = {
      ...{ frames: frames.map((frame) => ({ ...frame })), ended },
      lost: lost.map((one) => ({ ...one })),
    };
    if (!call.write(reply)) await drained(call, stallMs);
  }
}
