// SPDX-License-Identifier: Apache-2.0
/** What a channel's state is made of. */
import { isFault } from '../codec/fault.js';
import { decodeHeader, type IkeHeader } from '../codec/header.js';
import type { Path } from '../types.js';
import type { ChannelState } from './api.js';
import type { Taken } from './incoming.js';

/**
 * IVs set aside each time the state is taken, so that whoever goes on from it starts above every IV that is used
 * meanwhile. An IKE SA has 2^32 requests and 2^32 responses of at most 2^10 fragments: it cannot use up so many;
 * and 65,535 takings are possible before the key is spent, which fails requests and is no danger.
 */
export const IV_RESERVE = 1n << 48n;

export interface KeptMessage {
  readonly header: IkeHeader;
  readonly datagrams: readonly Uint8Array[];
}

/** Datagrams of several messages, told apart by their message IDs, ascending. Throws for what is no message. */
export function datagramsById(all: readonly Uint8Array[]): readonly KeptMessage[] {
  const messages = new Map<number, { header: IkeHeader; datagrams: Uint8Array[] }>();
  for (const datagram of all) {
    const header = decodeHeader(datagram, 0, datagram.length);
    if (isFault(header)) throw new RangeError(`kept datagram: ${header.reason}`);
    const known = messages.get(header.messageId);
    if (known === undefined) messages.set(header.messageId, { header, datagrams: [datagram] });
    else known.datagrams.push(datagram);
  }
  return [...messages.values()].sort((a, b) => a.header.messageId - b.header.messageId);
}

/** The responses that may be asked for again, made by the keys of that epoch. */
export function responsesOf(
  { lastResponse }: ChannelState,
  path: Path,
  epoch: number,
): readonly Taken[] {
  return datagramsById(lastResponse).map(({ header, datagrams }) => ({
    ...{ id: header.messageId, mark: { epoch }, exchange: header.exchange, path },
    response: datagrams,
  }));
}
