// SPDX-License-Identifier: Apache-2.0
/** The secret that our QCD tokens are made of (RFC 6290 §5.1): made once, kept over restarts and reboots. */
import { randomBytes } from 'node:crypto';
import { isRecord, readState, writeState } from './state-file.js';

const BYTES = 32;

function check(value: unknown): Uint8Array | undefined {
  const text: unknown = isRecord(value) ? value['secret'] : undefined;
  if (typeof text !== 'string' || !/^[0-9a-f]{64}$/.test(text)) return undefined;
  return Uint8Array.from(Buffer.from(text, 'hex'));
}

/** Throws CONFIG when the file is there and is not what it should be. */
export function qcdSecret(path: string): Uint8Array {
  const known = readState(path, check);
  if (known !== undefined) return known;
  const secret = randomBytes(BYTES);
  writeState(path, { secret: secret.toString('hex') });
  return secret;
}
