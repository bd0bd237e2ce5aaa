// SPDX-License-Identifier: Apache-2.0

/** Equal in length and content. A plain loop: no call per octet, for the path of every attribute set. */
export function sameOctets(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
