// SPDX-License-Identifier: Apache-2.0
/** One spelling for equal configurations, and its digest. */
import { createHash } from 'node:crypto';

/**
 * JSON with the keys of every object in code-unit order and no white space (RFC 8785 for what a
 * configuration can hold). Properties that are undefined are left out.
 */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map((item) => canonicalJson(item)).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const members = Object.entries(value)
    .filter(([, member]) => member !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, member]) => `${JSON.stringify(key)}:${canonicalJson(member)}`);
  return `{${members.join(',')}}`;
}

/** SHA-256 of the canonical JSON in UTF-8, 32 bytes. */
export function configDigest(config: unknown): Uint8Array {
  return createHash('sha256').update(canonicalJson(config)).digest();
}

export function configDigestHex(config: unknown): string {
  return Buffer.from(configDigest(config)).toString('hex');
}
