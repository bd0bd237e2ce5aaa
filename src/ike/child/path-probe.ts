// SPDX-License-Identifier: Apache-2.0
/**
 * The notify that asks how large a path MTU probe was when it came out of a child SA, and the Vendor ID that announces
 * that one is answered: docs/adr/0032-path-mtu-probes.md.
 *
 *                         1                   2                   3
 *     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *    |       SPI of the child SA, in packets to whoever is asked     |
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *    |                             Round                             |
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *    |   in the answer alone: octets of the largest, 0 = none came   |
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 */
import { ByteWriter, u32 } from '../../lib/octets.js';
import type { Payload, PayloadOf } from '../codec/payload.js';

/** A status type of the private-use range. */
export const PATH_PROBE_NOTIFY = 42_686;

/** SHA-256 of "Sealane path MTU probes, version 1", its first 16 octets. */
const VENDOR_ID = Uint8Array.from([
  ...[0x72, 0x73, 0x2b, 0x34, 0x8e, 0x70, 0x23, 0x63],
  ...[0x10, 0x52, 0x20, 0x9e, 0x89, 0x0f, 0x08, 0x5a],
]);

const QUESTION_BYTES = 8;
const ANSWER_BYTES = 12;

/** What a probe is known by. */
export interface PathProbe {
  /** Of the child SA by which it came: SPI in packets to whoever is asked. */
  readonly spi: number;
  readonly round: number;
}

/** For IKE_SA_INIT, both sides. */
export const pathProbeVendorPayload = (): PayloadOf<'V'> => ({
  kind: 'V',
  data: Uint8Array.from(VENDOR_ID),
});

/** Whether the sender of an IKE_SA_INIT message answers. */
export const announcesPathProbes = (payloads: readonly Payload[]): boolean =>
  payloads.some((payload) => payload.kind === 'V' && Buffer.compare(payload.data, VENDOR_ID) === 0);

function notifyOf(...words: readonly number[]): PayloadOf<'N'> {
  const writer = new ByteWriter(4 * words.length);
  for (const word of words) writer.u32(word);
  return {
    ...{ kind: 'N', protocol: 0, spi: new Uint8Array(0) },
    ...{ notify: PATH_PROBE_NOTIFY, data: writer.slice() },
  };
}

export const pathProbeQuestion = ({ spi, round }: PathProbe): PayloadOf<'N'> =>
  notifyOf(spi, round);
export const pathProbeAnswer = ({ spi, round }: PathProbe, bytes: number): PayloadOf<'N'> =>
  notifyOf(spi, round, bytes);

const notifies = (payloads: readonly Payload[], bytes: number): Uint8Array[] =>
  payloads.flatMap((one) =>
    one.kind === 'N' && one.notify === PATH_PROBE_NOTIFY && one.data.length === bytes
      ? [one.data]
      : [],
  );

/** What a request asks; the first question alone. undefined: nothing that is a question. */
export function pathProbeAsked(payloads: readonly Payload[]): PathProbe | undefined {
  const [data] = notifies(payloads, QUESTION_BYTES);
  return data && { spi: u32(data, 0), round: u32(data, 4) };
}

/** Octets of the largest packet of this probe that came; undefined: the response does not say. */
export function pathProbeSaid(payloads: readonly Payload[], of: PathProbe): number | undefined {
  const data = notifies(payloads, ANSWER_BYTES).find(
    (one) => u32(one, 0) === of.spi && u32(one, 4) === of.round,
  );
  return data && u32(data, 8);
}
