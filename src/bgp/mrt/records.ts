// SPDX-License-Identifier: Apache-2.0
/**
 * MRT records of messages and state changes: BGP4MP_ET, RFC 6396 §3 and §4.4, RFC 8050 §3.
 *
 *   0                   1                   2                   3
 *  +---------------------------------------------------------------+
 *  | seconds since 1970                                            |
 *  +-------------------------------+-------------------------------+
 *  | type 17 (BGP4MP_ET)           | subtype                       |
 *  +-------------------------------+-------------------------------+
 *  | length of what follows, the microseconds included             |
 *  +---------------------------------------------------------------+
 *  | microseconds                                                  |
 *  +---------------------------------------------------------------+
 *  | peer AS, 2 or 4 octets        | local AS, 2 or 4 octets       |
 *  +-------------------------------+-------------------------------+
 *  | interface index, 0: unknown   | address family: 1 or 2        |
 *  +-------------------------------+-------------------------------+
 *  | peer address, 4 or 16 octets  | local address, as long        |
 *  +-------------------------------+-------------------------------+
 *  | BGP message, header included; or old state 2, new state 2     |
 *  +---------------------------------------------------------------+
 *
 * All numbers are big endian.
 */
import { ByteWriter } from '../codec/bytes.js';
import { shortAsn } from '../codec/open.js';
import type { MonitoredPeer, SessionState } from '../monitor.js';
import { carriesPathIds } from './message-families.js';

export const MRT_TYPE = { tableDumpV2: 13, bgp4mpEt: 17 } as const;

const STATE_CHANGE_AS4 = 5;
/** RFC 6396 §4.4.2, §4.4.3, §4.4.5, §4.4.6; RFC 8050 §3. */
const MESSAGE = { plain: 1, as4: 4, addPath: 8, as4AddPath: 9 } as const;
const MESSAGE_LOCAL = { plain: 6, as4: 7, addPath: 10, as4AddPath: 11 } as const;

const MICROSECONDS = 1_000_000;

type Ends = Pick<MonitoredPeer, 'asn' | 'localAsn' | 'address' | 'localAddress'>;

/** A message as it was received ('in') or sent. `now` in microseconds since 1970. */
export function messageRecord(
  now: number,
  peer: MonitoredPeer,
  direction: 'in' | 'out',
  message: Uint8Array,
): Uint8Array {
  const names = direction === 'in' ? MESSAGE : MESSAGE_LOCAL;
  const addPath = direction === 'in' ? peer.addPathReceive : peer.addPathSend;
  const withIds = carriesPathIds(message, addPath);
  // The _AS4 subtypes say that AS_PATH has 4 octets per AS number, not only the record's own fields.
  const subtype = peer.as4
    ? names[withIds ? 'as4AddPath' : 'as4']
    : names[withIds ? 'addPath' : 'plain'];
  const out = new ByteWriter(64 + message.length);
  begin(out, now, MRT_TYPE.bgp4mpEt, subtype);
  ends(out, peer, peer.as4);
  out.copy(message);
  return finish(out);
}

export function stateRecord(
  now: number,
  peer: Ends,
  before: SessionState,
  after: SessionState,
): Uint8Array {
  const out = new ByteWriter(64);
  begin(out, now, MRT_TYPE.bgp4mpEt, STATE_CHANGE_AS4);
  ends(out, peer, true);
  out.u16(before);
  out.u16(after);
  return finish(out);
}

function ends(out: ByteWriter, peer: Ends, as4: boolean): void {
  for (const asn of [peer.asn, peer.localAsn]) {
    if (as4) out.u32(asn);
    else out.u16(shortAsn(asn));
  }
  out.u16(0);
  out.u16(peer.address.length === 4 ? 1 : 2);
  out.copy(peer.address);
  out.copy(peer.localAddress);
}

// ---- The common header ---------------------------------------------------------------------------

const LENGTH_AT = 8;
const HEADER = 12;

/** Writes the header, with microseconds for the types that have them; the length follows in {@link finish}. */
export function begin(out: ByteWriter, now: number, type: number, subtype: number): void {
  out.u32(Math.floor(now / MICROSECONDS));
  out.u16(type);
  out.u16(subtype);
  out.u32(0);
  if (type === MRT_TYPE.bgp4mpEt) out.u32(now % MICROSECONDS);
}

/** One record must have been begun in `out` at its start. */
export function finish(out: ByteWriter): Uint8Array {
  const length = out.length - HEADER;
  out.setU16(LENGTH_AT, Math.floor(length / 0x1_0000));
  out.setU16(LENGTH_AT + 2, length % 0x1_0000);
  return out.slice();
}
