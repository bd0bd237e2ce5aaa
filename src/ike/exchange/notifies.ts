// SPDX-License-Identifier: Apache-2.0
/** Notify payloads of an established IKE SA: made, found, and as the failures that they stand for. */
import { isErrorNotify, NOTIFY, notifyName } from '../codec/names/notify.js';
import type { Payload, PayloadOf } from '../codec/payload.js';
import { bad, type IkeFailure } from '../types.js';

const NOTHING = new Uint8Array(0);
/** Protocol IDs (RFC 7296 §3.3.1). */
export const PROTOCOL = { ike: 1, esp: 3 } as const;

export const notify = (type: number, data: Uint8Array = NOTHING): PayloadOf<'N'> => ({
  kind: 'N',
  protocol: 0,
  spi: NOTHING,
  notify: type,
  data,
});

/** One that names a child SA by the SPI in packets that its sender receives (RFC 7296 §3.10). */
export const notifyOfChild = (type: number, spi: number): PayloadOf<'N'> => {
  const octets = new Uint8Array(4);
  new DataView(octets.buffer).setUint32(0, spi);
  return { kind: 'N', protocol: PROTOCOL.esp, spi: octets, notify: type, data: NOTHING };
};

export const findNotify = (
  payloads: readonly Payload[],
  type: number,
): PayloadOf<'N'> | undefined =>
  payloads.find(
    (payload): payload is PayloadOf<'N'> => payload.kind === 'N' && payload.notify === type,
  );

/** RFC 6290 §4.1: octets of a token. A short one could be guessed, and others could end the IKE SA. */
const TOKEN_BYTES = { least: 16, most: 128 } as const;

/** A copy of the token; undefined when it is none. */
export const tokenOf = (data: Uint8Array | undefined): Uint8Array | undefined =>
  data !== undefined && data.length >= TOKEN_BYTES.least && data.length <= TOKEN_BYTES.most
    ? Uint8Array.from(data)
    : undefined;

/** What a response with an error notify says; undefined when there is none (RFC 7296 §3.10.1). */
export function failureOf(payloads: readonly Payload[]): IkeFailure | undefined {
  const error = payloads.find(
    (payload): payload is PayloadOf<'N'> => payload.kind === 'N' && isErrorNotify(payload.notify),
  );
  if (error === undefined) return undefined;
  const code = notifyName(error.notify);
  const { failure } = bad(code, 'peer', `the peer answered ${code}`);
  return { ...failure, data: Uint8Array.from(error.data) };
}

const NUMBERS: ReadonlyMap<string, number> = new Map(Object.entries(NOTIFY));

/** What the peer is told of a failure of ours: troubles here pass, rules of ours do not. */
export function errorNotify({ code, data }: IkeFailure): PayloadOf<'N'> {
  const type = NUMBERS.get(code);
  if (type !== undefined && isErrorNotify(type)) return notify(type, data);
  return notify(code === 'POLICY' ? NOTIFY.NO_PROPOSAL_CHOSEN : NOTIFY.TEMPORARY_FAILURE);
}
