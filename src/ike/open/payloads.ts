// SPDX-License-Identifier: Apache-2.0
/** Finding and making the payloads of an opening. Order among them means nothing (RFC 7296 §2.5). */
import { isErrorNotify } from '../codec/names/notify.js';
import type { Payload, PayloadKind, PayloadOf } from '../codec/payload.js';

const NOTHING = new Uint8Array(0);

/** Protocol ID 0 but for the few that are about an IKE SA by their own RFC. */
export const notifyOf = (
  type: number,
  data: Uint8Array = NOTHING,
  protocol = 0,
): PayloadOf<'N'> => ({
  kind: 'N',
  protocol,
  spi: NOTHING,
  notify: type,
  data,
});

/** A notify whose data are one number of four octets. */
export function numberNotify(type: number, value: number): PayloadOf<'N'> {
  const data = Buffer.alloc(4);
  data.writeUInt32BE(value);
  return notifyOf(type, data);
}

export const allOf = <Kind extends PayloadKind>(
  payloads: readonly Payload[],
  kind: Kind,
): readonly Extract<Payload, { kind: Kind }>[] =>
  payloads.filter((payload): payload is Extract<Payload, { kind: Kind }> => payload.kind === kind);

/** The payload of a kind of which there may be one; 'several' are a fault of the sender. */
export function onlyOf<Kind extends PayloadKind>(
  payloads: readonly Payload[],
  kind: Kind,
): Extract<Payload, { kind: Kind }> | 'several' | undefined {
  const [first, second] = allOf(payloads, kind);
  return second === undefined ? first : 'several';
}

/** The data of the first notify of this type. */
export const dataOf = (payloads: readonly Payload[], type: number): Uint8Array | undefined =>
  allOf(payloads, 'N').find(({ notify }) => notify === type)?.data;

/** The data of all notifies of this type. */
export const allDataOf = (payloads: readonly Payload[], type: number): readonly Uint8Array[] =>
  allOf(payloads, 'N')
    .filter(({ notify }) => notify === type)
    .map(({ data }) => data);

export const saysNotify = (payloads: readonly Payload[], type: number): boolean =>
  dataOf(payloads, type) !== undefined;

/** The number in a notify of four octets; undefined when it is not there or of another size. */
export function numberOf(payloads: readonly Payload[], type: number): number | undefined {
  const data = dataOf(payloads, type);
  if (data?.length !== 4) return undefined;
  return Buffer.from(data.buffer, data.byteOffset, 4).readUInt32BE(0);
}

/** The first notify of an error type, known or not. */
export const errorIn = (payloads: readonly Payload[]): PayloadOf<'N'> | undefined =>
  allOf(payloads, 'N').find(({ notify }) => isErrorNotify(notify));
