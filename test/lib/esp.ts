// SPDX-License-Identifier: Apache-2.0
/**
 * ESP in transport mode by node:crypto: AES-GCM (RFC 4106) and AES-GMAC (RFC 4543), ICV of 16 bytes.
 *
 *   | SPI 4 | sequence 4 | IV 8 | payload | padding 1, 2, 3 ... | pad length 1 | next header 1 | ICV 16 |
 *
 * Nonce: salt, IV. AES-GCM encrypts payload to next header, AAD = SPI | sequence. AES-GMAC encrypts nothing,
 * AAD = SPI to next header.
 */
import { createCipheriv, createDecipheriv } from 'node:crypto';

export interface EspKey {
  readonly spi: number;
  readonly authenticateOnly: boolean;
  /** 16 or 32 bytes of key, then 4 of salt. */
  readonly key: Uint8Array;
}

/** How a packet may depart from what a correct sender makes of it. */
export interface SealOptions {
  /** 64 bits; default the sequence number. */
  readonly iv?: bigint;
  /** What stands behind the payload instead of padding, pad length and next header. */
  readonly trailer?: Uint8Array;
  /** High half of an extended sequence number: authenticated and not sent (RFC 4303 2.2.1). */
  readonly high?: number;
}

export interface OpenedEsp {
  readonly spi: number;
  readonly sequence: number;
  readonly iv: bigint;
  readonly payload: Buffer;
  readonly padding: Buffer;
  readonly nextHeader: number;
}

const IV_AT = 8;
const PAYLOAD_AT = 16;
const ICV = 16;

function parts({ key }: EspKey): {
  algorithm: 'aes-128-gcm' | 'aes-256-gcm';
  cipher: Buffer;
  salt: Buffer;
} {
  const bytes = Buffer.from(key);
  const cipher = bytes.subarray(0, -4);
  return {
    algorithm: cipher.length === 32 ? 'aes-256-gcm' : 'aes-128-gcm',
    ...{ cipher, salt: bytes.subarray(-4) },
  };
}

/** Padding as every sender makes it (RFC 4303 2.4): the series 1, 2, 3 up to a multiple of 4. */
export function trailerOf(payloadLength: number, nextHeader: number): Buffer {
  const padding = (4 - ((payloadLength + 2) % 4)) % 4;
  return Buffer.from([...Array.from({ length: padding }, (_, i) => i + 1), padding, nextHeader]);
}

/** SPI to ICV around a payload. */
export function sealEsp(
  sa: EspKey,
  sequence: number,
  payload: Uint8Array,
  nextHeader: number,
  options: SealOptions = {},
): Buffer {
  const { algorithm, cipher, salt } = parts(sa);
  const front = Buffer.alloc(PAYLOAD_AT);
  front.writeUInt32BE(sa.spi, 0);
  front.writeUInt32BE(sequence, 4);
  front.writeBigUInt64BE(options.iv ?? BigInt(sequence), IV_AT);
  const plain = Buffer.concat([payload, options.trailer ?? trailerOf(payload.length, nextHeader)]);
  const gcm = createCipheriv(algorithm, cipher, Buffer.concat([salt, front.subarray(IV_AT)]));
  const high = Buffer.alloc(options.high === undefined ? 0 : 4);
  if (options.high !== undefined) high.writeUInt32BE(options.high);
  const head = [front.subarray(0, 4), high, front.subarray(4, IV_AT)];
  gcm.setAAD(Buffer.concat(sa.authenticateOnly ? [...head, front.subarray(IV_AT), plain] : head));
  const body = sa.authenticateOnly ? plain : gcm.update(plain);
  gcm.final();
  return Buffer.concat([front, body, gcm.getAuthTag()]);
}

/** Opens SPI to ICV; throws when the ICV is wrong. `high`: as for {@link SealOptions}. */
export function openEsp(sa: EspKey, esp: Uint8Array, high?: number): OpenedEsp {
  const bytes = Buffer.from(esp);
  const { algorithm, cipher, salt } = parts(sa);
  const iv = bytes.subarray(IV_AT, PAYLOAD_AT);
  const body = bytes.subarray(PAYLOAD_AT, -ICV);
  const gcm = createDecipheriv(algorithm, cipher, Buffer.concat([salt, iv]));
  const upper = Buffer.alloc(high === undefined ? 0 : 4);
  if (high !== undefined) upper.writeUInt32BE(high);
  const head = [bytes.subarray(0, 4), upper, bytes.subarray(4, IV_AT)];
  gcm.setAAD(Buffer.concat(sa.authenticateOnly ? [...head, iv, body] : head));
  gcm.setAuthTag(bytes.subarray(-ICV));
  const plain = sa.authenticateOnly ? body : gcm.update(body);
  gcm.final();
  const padLength = plain.readUInt8(plain.length - 2);
  return {
    ...{ spi: bytes.readUInt32BE(0), sequence: bytes.readUInt32BE(4), iv: iv.readBigUInt64BE() },
    payload: plain.subarray(0, plain.length - 2 - padLength),
    padding: plain.subarray(plain.length - 2 - padLength, plain.length - 2),
    nextHeader: plain.readUInt8(plain.length - 1),
  };
}
