// SPDX-License-Identifier: Apache-2.0
/** Buffers of key material: memory of their own, zeroed by whoever is done with them. */

/**
 * Overwrites with zeros. OpenSSL's own copies, inside its cipher and key objects, go when those are
 * collected (it cleanses what it frees); JavaScript cannot reach them.
 */
export function wipe(...secrets: readonly Uint8Array[]): void {
  for (const secret of secrets) secret.fill(0);
}

/** Not zeroed, to be written to: memory that moves to no other place and that nothing else shares. */
export const ownMemory = (length: number): Buffer => Buffer.allocUnsafeSlow(length);

/**
 * The parts one after the other, in memory of its own: Buffer.concat would take it from the pool
 * that Node shares among small buffers, which cannot be handed to another thread.
 */
export function join(...parts: readonly Uint8Array[]): Buffer {
  let length = 0;
  for (const part of parts) length += part.length;
  const whole = ownMemory(length);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
