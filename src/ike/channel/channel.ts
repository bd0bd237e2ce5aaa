// SPDX-License-Identifier: Apache-2.0
/**
 * The Channel of api.ts. A datagram goes through these checks, each counted when it fails, none with an effect on
 * state before the message has proved to be authentic:
 *
 *   readable -> ours (SPIs) -> not reflected -> in clear only where that is allowed -> message ID in a window, or
 *   seen before -> fragment of use -> checksum -> taken
 *
 * Who drives it:
 * - An initiator's channel sends IKE_SA_INIT in clear; its owner then sets `responderSpi` and calls `protect`.
 * - A responder's channel is given the IKE_SA_INIT request by `receive`, so that it can answer it again. A different
 *   IKE_SA_INIT with the same SPI is not for this channel.
 * - A channel that begins with `protect` (an IKE SA that replaces another one) starts with message ID 0.
 * - Every request must be answered. One that is not blocks the window of the peer.
 */
import { FAULT, isFault } from '../codec/fault.js';
import type { HeaderFields } from '../codec/header.js';
import { decodeMessage, encodeMessage, type IkeMessage } from '../codec/message.js';
import { EXCHANGE } from '../codec/names/registries.js';
import type { Payload } from '../codec/payload.js';
import { bad, type IkeFailure, type Path } from '../types.js';
import type {
  Answered,
  Channel,
  ChannelKeys,
  ChannelOptions,
  ChannelState,
  Received,
  Request,
  Sent,
} from './api.js';
import { isSame, isSamePath, ownOctets } from './datagram.js';
import { Incoming, tagOf, type Taken } from './incoming.js';
import { datagramsById, IV_RESERVE, responsesOf } from './keep.js';
import {
  type Complete,
  protectedMessage,
  type ProtectedMessage,
  readComplete,
  unreadable,
} from './open.js';
import {
  type InFlight,
  Outgoing,
  type OutgoingHost,
  type Transmission,
  type Waiting,
} from './outgoing.js';
import { NOTHING_SENT, Protection } from './protection.js';
import { Reassembly } from './reassembly.js';
import { LEAST_FRAGMENT_BYTES, roomFor } from './seal.js';

export function createChannel(options: ChannelOptions): Channel {
  return new IkeChannel(options);
}

/**
 * After a restart: protects as before, above every IV that was used, sends unanswered requests again (nobody waits
 * for their answers) and answers replays. Key material in `state` is copied.
 */
export function restoreChannel(options: ChannelOptions, state: ChannelState): Channel {
  const channel = new IkeChannel(options);
  channel.resume(state);
  return channel;
}

class IkeChannel implements Channel, OutgoingHost {
  path: Path;
  responderSpi: bigint;
  onRequest: ChannelOptions['onRequest'];
  onAlive: (() => void) | undefined;
  lastHeard: number;
  readonly env: ChannelOptions['env'];
  readonly retransmission: ChannelOptions['retransmission'];
  readonly #options: Pick<ChannelOptions, 'role' | 'initiatorSpi' | 'send'>;
  readonly #outgoing: Outgoing;
  readonly #incoming = new Incoming();
  /** Made with the first fragment: most IKE SAs never see one. */
  #reassembly: Reassembly | undefined;
  #protection: Protection | undefined;
  #fragmentBytes: number | undefined;
  #isClosed = false;

  constructor(options: ChannelOptions) {
    const { env, retransmission, path, responderSpi, onRequest, onAlive } = options;
    const { role, initiatorSpi, send } = options;
    // Not all of it: the opening's own handlers would stay as long as the channel.
    this.#options = { role, initiatorSpi, send };
    this.path = path;
    this.responderSpi = responderSpi;
    this.onRequest = onRequest;
    this.onAlive = onAlive;
    this.lastHeard = env.timers.now();
    this.env = env;
    this.retransmission = retransmission;
    this.#outgoing = new Outgoing(this);
  }

  get peerWindow(): number {
    return this.#outgoing.window;
  }
  set peerWindow(size: number) {
    this.#outgoing.window = size;
  }

  get ownWindow(): number {
    return this.#incoming.window;
  }
  set ownWindow(size: number) {
    this.#incoming.window = size;
  }

  get fragmentBytes(): number | undefined {
    return this.#fragmentBytes;
  }
  set fragmentBytes(size: number | undefined) {
    if (size !== undefined && size < LEAST_FRAGMENT_BYTES) {
      throw new RangeError(`IP packets of ${size} octets, less than ${LEAST_FRAGMENT_BYTES}`);
    }
    this.#fragmentBytes = size;
  }

  get isIdle(): boolean {
    return this.#outgoing.isIdle;
  }

  protect(keys: ChannelKeys): void {
    if (this.#isClosed) return;
    this.#install(keys, undefined);
    this.#outgoing.leaveClear();
  }

  #install(keys: ChannelKeys, firstIv: bigint | undefined): void {
    const epoch = (this.#protection?.epoch ?? 0) + 1;
    this.#protection?.wipe();
    this.#reassembly?.forgetAll();
    this.#protection = new Protection(this.env.crypto, keys, epoch, firstIv);
  }

  request(
    exchange: number,
    payloads: readonly Payload[],
    accepts?: (response: Received) => boolean,
  ): Promise<Answered> {
    return new Promise((settle) => {
      this.#outgoing.add({ exchange, payloads, settle, accepts });
    });
  }

  /** The datagrams of a request whose turn has come. */
  make(
    id: number,
    { exchange, payloads }: Waiting,
  ): (Transmission & { readonly isProtected: boolean }) | IkeFailure {
    const header = this.#headerOf({ exchange, messageId: id, response: false });
    if (this.#protection === undefined) {
      const { octets } = encodeMessage({ ...header, responderSpi: 0n }, payloads);
      return { datagrams: [octets], sent: { octets }, isProtected: false };
    }
    const sealed = this.#protection.seal(header, payloads, this.#room(this.path));
    return sealed === undefined
      ? bad('INTERNAL', 'us', 'the IVs of the key are spent').failure
      : { isProtected: true, ...sealed };
  }

  transmit(datagrams: readonly Uint8Array[]): void {
    this.#transmit(this.path, datagrams);
  }

  /** Largest message, octets. */
  #room(path: Path): number | undefined {
    return this.#fragmentBytes === undefined ? undefined : roomFor(this.#fragmentBytes, path);
  }

  #headerOf(own: Pick<HeaderFields, 'exchange' | 'messageId' | 'response'>): HeaderFields {
    const { initiatorSpi, role } = this.#options;
    const { responderSpi } = this;
    return { initiatorSpi, responderSpi, initiator: role === 'initiator', ...own };
  }

  respond({ header }: Pick<Received, 'header'>, payloads: readonly Payload[]): Sent {
    const { exchange, messageId } = header;
    if (this.#isClosed) return NOTHING_SENT;
    const request = this.#incoming.find(messageId);
    if (request === undefined || request.response !== undefined) {
      throw new RangeError(`no unanswered request ${messageId}`);
    }
    const own = this.#headerOf({ exchange, messageId, response: true });
    if ('clear' in request.mark) {
      const { octets } = encodeMessage(own, payloads);
      this.#answer(messageId, request, [octets]);
      return { octets };
    }
    if (this.#protection === undefined) throw new TypeError('a protected request without keys');
    const sealed = this.#protection.seal(own, payloads, this.#room(request.path));
    if (sealed === undefined) return NOTHING_SENT; // the IVs are spent: the peer will give up
    this.#answer(messageId, request, sealed.datagrams);
    return sealed.sent;
  }

  #answer(id: number, { path }: Taken, datagrams: readonly Uint8Array[]): void {
    this.#incoming.answer(id, datagrams);
    this.#transmit(path, datagrams);
  }

  #transmit(path: Path, datagrams: readonly Uint8Array[]): void {
    for (const datagram of datagrams) this.#options.send(path, datagram);
  }

  receive(datagram: Uint8Array, from: Path): void {
    if (this.#isClosed) return;
    const { env } = this;
    const { initiatorSpi, role } = this.#options;
    // What is kept with each request is one and the same, not a copy of each datagram's.
    const path = isSamePath(from, this.path) ? this.path : from;
    const octets = ownOctets(datagram);
    const message = decodeMessage(octets, 0, octets.length);
    if (isFault(message)) {
      env.count(message.fault === FAULT.invalidMajorVersion ? 'rx_wrong_version' : 'rx_malformed');
      return;
    }
    const { header } = message;
    const sealed = protectedMessage(octets, message);
    if (header.initiatorSpi !== initiatorSpi) {
      env.count('rx_unknown_spi');
    } else if (header.initiator === (role === 'initiator')) {
      env.count('rx_reflected');
    } else if (sealed === undefined) {
      this.#receiveClear(octets, message, path);
    } else if (header.responderSpi !== this.responderSpi) {
      env.count('rx_unknown_spi');
    } else if (this.#protection === undefined) {
      env.count('rx_out_of_window'); // nothing can be protected already
    } else if (header.response) {
      this.#receiveResponse(this.#protection, sealed, path);
    } else {
      this.#receiveRequest(this.#protection, sealed, path);
    }
  }

  /** RFC 7296 §2.21 to §2.23: only IKE_SA_INIT is ever taken in clear. */
  #receiveClear(octets: Uint8Array, { header, payloads }: IkeMessage, path: Path): void {
    const { env } = this;
    const { role } = this.#options;
    const known = header.response ? undefined : this.#incoming.find(header.messageId);
    if (known !== undefined && 'clear' in known.mark && isSame(known.mark.clear, octets)) {
      this.#answerAgain(known, path);
    } else if (
      this.#protection !== undefined ||
      header.exchange !== EXCHANGE.ikeSaInit ||
      header.response !== (role === 'initiator')
    ) {
      env.count('rx_unprotected');
    } else if (header.messageId !== 0 || (header.response && this.#clearInFlight() === undefined)) {
      env.count('rx_out_of_window');
    } else if (header.response) {
      const response: Received = { header, payloads, octets, isProtected: false, path };
      const request = this.#clearInFlight();
      if (request?.accepts?.(response) !== false) this.#settle(0, request, response);
    } else if (known === undefined) {
      const { exchange } = header;
      this.#incoming.take({ id: 0, mark: { clear: octets }, exchange, path });
      this.onRequest({ message: { header, payloads, octets, isProtected: false, path } });
    } else {
      env.count('rx_out_of_window');
    }
  }

  #clearInFlight(): InFlight | undefined {
    const request = this.#outgoing.inFlight.get(0);
    return request?.isProtected === false ? request : undefined;
  }

  #receiveResponse(protection: Protection, message: ProtectedMessage, path: Path): void {
    const { messageId } = message.header;
    const request = this.#outgoing.inFlight.get(messageId);
    if (request?.isProtected !== true) {
      this.env.count('rx_out_of_window');
      return;
    }
    const complete = this.#open(protection, message);
    if (complete === undefined) return;
    const read = readComplete(complete, path);
    this.#proveAlive();
    if (isFault(read)) {
      this.#outgoing.settle(messageId, unreadable(read));
    } else if (read.header.exchange !== request.exchange) {
      const { failure } = bad('INVALID_SYNTAX', 'us', `a response of ${read.header.exchange}`);
      this.#outgoing.settle(messageId, { ok: false, failure });
    } else {
      this.#settle(messageId, request, read);
    }
  }

  #settle(id: number, request: InFlight | undefined, response: Received): void {
    if (request !== undefined) {
      this.#outgoing.settle(id, { ok: true, response, sent: request.sent });
    }
  }

  #receiveRequest(protection: Protection, message: ProtectedMessage, path: Path): void {
    const { env } = this;
    const { messageId, exchange } = message.header;
    const known = this.#incoming.find(messageId);
    if (known !== undefined) {
      this.#receiveAgain(protection, known, message, path);
      return;
    }
    if (!this.#incoming.isInWindow(messageId)) {
      env.count('rx_out_of_window');
      return;
    }
    const complete = this.#open(protection, message);
    if (complete === undefined) return;
    const mark = { tag: tagOf(complete.octets), epoch: protection.epoch };
    this.#incoming.take({ id: messageId, mark, exchange, path });
    const read = readComplete(complete, path);
    this.#proveAlive();
    const request: Request = isFault(read)
      ? { message: { header: complete.header, path }, fault: read }
      : { message: read };
    this.onRequest(request);
  }

  /**
   * A request that was taken before. Octet for octet the same it is known by its checksum, even when its keys are
   * gone; a peer may also have cut it to smaller fragments. Of fragments the first one asks for the response
   * (RFC 7383 §2.6.1).
   */
  #receiveAgain(protection: Protection, known: Taken, message: ProtectedMessage, path: Path): void {
    const { last, octets } = message;
    if (last.kind === 'SKF' && last.number !== 1) return;
    const { mark } = known;
    const isIdentical = 'tag' in mark && mark.tag === tagOf(octets);
    const isCheckable = 'epoch' in mark && mark.epoch === protection.epoch;
    if (isIdentical || (isCheckable && protection.decrypt(message) !== 'forged')) {
      this.#answerAgain(known, path);
    } else {
      this.env.count('rx_integrity');
    }
  }

  #answerAgain({ response }: Taken, path: Path): void {
    if (response === undefined) return; // somebody works on it
    this.env.count('rx_retransmitted');
    this.#transmit(path, response);
  }

  /** Checks and decrypts; undefined when it is forged, or other fragments are missing. */
  #open(protection: Protection, message: ProtectedMessage): Complete | undefined {
    const { header, octets, last } = message;
    const key = header.messageId * 2 + (header.response ? 1 : 0);
    if (last.kind === 'SKF' && !this.#fragments().isWanted(key, last.number, last.total)) {
      return undefined;
    }
    const inner = protection.decrypt(message);
    if (inner === 'forged') {
      this.env.count('rx_integrity');
      return undefined;
    }
    const here = { header, octets, protection: message.protection, firstInner: last.firstInner };
    if (last.kind === 'SK' || isFault(inner)) {
      this.#reassembly?.forget(key);
      return { inner, ...here };
    }
    const { number, total } = last;
    const fragment = { number, total, exchange: header.exchange, piece: inner };
    return this.#fragments().add(key, number === 1 ? { first: here, ...fragment } : fragment);
  }

  #fragments(): Reassembly {
    const { env } = this;
    this.#reassembly ??= new Reassembly(env.timers, () => {
      env.count('rx_fragments_dropped');
    });
    return this.#reassembly;
  }

  #proveAlive(): void {
    this.lastHeard = this.env.timers.now();
    this.onAlive?.();
  }

  state(): ChannelState {
    if (this.#protection === undefined) throw new TypeError('the state of a channel without keys');
    const flat = (each: Iterable<{ readonly datagrams: readonly Uint8Array[] }>): Uint8Array[] =>
      [...each].flatMap(({ datagrams }) => datagrams);
    const answered = this.#incoming.taken.filter(({ mark }) => !('clear' in mark));
    return {
      keys: this.#protection.copyKeys(),
      nextIv: this.#protection.nextIv + IV_RESERVE,
      nextRequestId: this.#outgoing.nextId,
      nextPeerRequestId: this.#incoming.base,
      peerWindow: this.peerWindow,
      fragmentBytes: this.#fragmentBytes,
      pending: flat(this.#outgoing.inFlight.values()),
      lastResponse: answered.flatMap(({ response = [] }) => response),
    };
  }

  resume(state: ChannelState): void {
    this.#install(state.keys, state.nextIv);
    this.#outgoing.nextId = state.nextRequestId;
    this.#outgoing.window = state.peerWindow;
    this.#fragmentBytes = state.fragmentBytes;
    for (const { header, datagrams } of datagramsById(state.pending)) {
      this.#outgoing.resume(header.messageId, datagrams, header.exchange);
    }
    const taken = responsesOf(state, this.path, this.#protection?.epoch ?? 0);
    this.#incoming.resume(state.nextPeerRequestId, taken);
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#reassembly?.forgetAll();
    this.#protection?.wipe();
    this.#protection = undefined;
    this.#outgoing.end(bad('CLOSED', 'us', 'the IKE SA was closed').failure);
  }
}
