// SPDX-License-Identifier: Apache-2.0
/** Buffers of key material: memory of their own, zeroed by whoever is done with them. */

/**
 * Overwrites with zeros. OpenSSL's own copies, inside its cipher and key objects, go when those are
 * collected (it cleanses what it frees); JavaScript cannot reach them.
 */
export function wipe(...secrets: readonly Uint8Array[]): void {
  for (const secret of secrets) secret.fill(0);
}

/**
 * To be written to: memory that moves to no other place and that nothing else shares. Said by the ArrayBuffer: without one
 * V8 keeps up to 64 octets in its heap, of which the garbage collector leaves copies behind.
 */
export const ownMemory = (length: number): Buffer => Buffer.from(new ArrayBuffer(length));

/**
 * Keys that live as long as an IKE SA have a piece of memory together: an ArrayBuffer costs five times what a key has, and
 * an IKE SA has three. Small, since one IKE SA that stays keeps all of it.
 */
const SLAB_BYTES = 2048;
let slab = ownMemory(0);
let used = 0;

/**
 * The parts one after the other, where they stay until their owner wipes them: for keys that are kept, not for what is
 * handed to another thread. Given to nobody else afterwards, so that whoever goes on using a wiped key has zeros.
 */
export function keep(...parts: readonly Uint8Array[]): Buffer {
  let length = 0;
  for (const part of parts) length += part.length;
  if (length > SLAB_BYTES) return join(...parts);
  if (used + length > slab.length) {
    slab = ownMemory(SLAB_BYTES);
    used = 0;
  }
  const kept = slab.subarray(used, used + length);
  used += length;
  let at = 0;
  for (const part of parts) {
    kept.set(part, at);
    at += part.length;
  }
  return kept;
}

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
