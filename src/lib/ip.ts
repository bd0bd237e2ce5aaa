// SPDX-License-Identifier: Apache-2.0
/**
 * IP addresses and prefixes as bytes in network order: 4 bytes for IPv4, 16 for IPv6.
 * Text forms are RFC 4632 (IPv4 CIDR), RFC 4291 §2.2 (IPv6) and RFC 5952 (IPv6, printed).
 */

export type Family = 4 | 6;

/** A prefix; host bits of `address` may be set (an interface address) or not (a route). */
export interface Prefix {
  readonly family: Family;
  readonly address: Uint8Array;
  /** Bits, 0..32 or 0..128. */
  readonly length: number;
}

/** Bits of an address of this family. */
export const bitsOf = (family: Family): 32 | 128 => (family === 4 ? 32 : 128);

/** Family of an address by its size; undefined for any other size. */
export function familyOf(address: Uint8Array): Family | undefined {
  return address.length === 4 ? 4 : address.length === 16 ? 6 : undefined;
}

function parseAddress4(text: string): Uint8Array | undefined {
  const parts = text.split('.');
  if (parts.length !== 4) return undefined;
  const bytes = new Uint8Array(4);
  for (const [i, part] of parts.entries()) {
    // A leading zero may mean octal elsewhere (RFC 6943 §3.1.1), so it is not accepted.
    if (!/^(0|[1-9][0-9]{0,2})$/.test(part) || Number(part) > 255) return undefined;
    bytes[i] = Number(part);
  }
  return bytes;
}

/** 16-bit groups of one side of "::", or undefined. */
function parseGroups(text: string): number[] | undefined {
  if (text === '') return [];
  const groups: number[] = [];
  const parts = text.split(':');
  for (const [i, part] of parts.entries()) {
    if (part.includes('.') && i === parts.length - 1) {
      const tail = parseAddress4(part);
      if (tail === undefined) return undefined;
      const view = new DataView(tail.buffer);
      groups.push(view.getUint16(0), view.getUint16(2));
    } else if (/^[0-9a-fA-F]{1,4}$/.test(part)) {
      groups.push(parseInt(part, 16));
    } else {
      return undefined;
    }
  }
  return groups;
}

function parseAddress6(text: string): Uint8Array | undefined {
  const sides = text.split('::');
  if (sides.length > 2) return undefined;
  const head = parseGroups(sides[0] ?? '');
  const tail = sides.length === 2 ? parseGroups(sides[1] ?? '') : [];
  if (head === undefined || tail === undefined) return undefined;
  // "::" stands for at least one group; the dotted form may end an address only.
  if ((sides[0] ?? '').includes('.') && sides.length === 2) return undefined;
  const given = head.length + tail.length;
  if (sides.length === 2 ? given > 7 : given !== 8) return undefined;
  const bytes = new Uint8Array(16);
  const view = new DataView(bytes.buffer);
  head.forEach((group, i) => {
    view.setUint16(2 * i, group);
  });
  tail.forEach((group, i) => {
    view.setUint16(2 * (8 - tail.length + i), group);
  });
  return bytes;
}

/** An address, or undefined when the text is none (no zone, no prefix length). */
export function parseAddress(text: string): Uint8Array | undefined {
  return text.includes(':') ? parseAddress6(text) : parseAddress4(text);
}

/** "ADDRESS/LENGTH", host bits kept; an address alone has full length. undefined when it is neither. */
export function parsePrefix(text: string): Prefix | undefined {
  const [addressText = '', lengthText, ...rest] = text.split('/');
  const address = parseAddress(addressText);
  const family = address === undefined ? undefined : familyOf(address);
  if (address === undefined || family === undefined || rest.length > 0) return undefined;
  if (lengthText === undefined) return { family, address, length: bitsOf(family) };
  if (!/^(0|[1-9][0-9]{0,2})$/.test(lengthText)) return undefined;
  const length = Number(lengthText);
  return length <= bitsOf(family) ? { family, address, length } : undefined;
}

function formatAddress6(address: Uint8Array): string {
  const view = new DataView(address.buffer, address.byteOffset, 16);
  const groups = Array.from({ length: 8 }, (_, i) => view.getUint16(2 * i));
  // RFC 5952 §4.2: the longest run of at least two zero groups, the first of equals, becomes "::".
  let best = { start: -1, length: 1 };
  for (let start = 0; start < 8; start++) {
    let end = start;
    while (end < 8 && groups[end] === 0) end++;
    if (end - start > best.length) best = { start, length: end - start };
  }
  const hex = groups.map((group) => group.toString(16));
  if (best.start < 0) return hex.join(':');
  const head = hex.slice(0, best.start).join(':');
  return `${head}::${hex.slice(best.start + best.length).join(':')}`;
}

/** Text of an address of 4 or 16 bytes; anything else is shown as hex, so that logging never throws. */
export function formatAddress(address: Uint8Array): string {
  if (address.length === 4) return address.join('.');
  if (address.length === 16) return formatAddress6(address);
  return Buffer.from(address).toString('hex');
}

export function formatPrefix(prefix: Pick<Prefix, 'address' | 'length'>): string {
  return `${formatAddress(prefix.address)}/${prefix.length}`;
}

export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

/** The bits of `mask`: ones in the first `length` bits. */
function masked(address: Uint8Array, length: number, hostBits: 0 | 255): Uint8Array {
  const out = new Uint8Array(address.length);
  address.forEach((byte, i) => {
    const keep = Math.min(8, Math.max(0, length - 8 * i));
    const mask = (0xff00 >> keep) & 0xff;
    out[i] = (byte & mask) | (hostBits & ~mask & 0xff);
  });
  return out;
}

/** The prefix with host bits zero. */
export function networkOf(prefix: Prefix): Prefix {
  return { ...prefix, address: masked(prefix.address, prefix.length, 0) };
}

/** The last address of the prefix: of an IPv4 subnet the directed broadcast address. */
export function lastAddress(prefix: Prefix): Uint8Array {
  return masked(prefix.address, prefix.length, 255);
}

/** Whether `inner` lies in `outer` (equal prefixes do); families must match. */
export function covers(outer: Prefix, inner: Prefix): boolean {
  return (
    outer.family === inner.family &&
    outer.length <= inner.length &&
    equalBytes(masked(outer.address, outer.length, 0), masked(inner.address, outer.length, 0))
  );
}

/** The prefix of one address. undefined when it has neither 4 nor 16 bytes. */
export function hostPrefix(address: Uint8Array): Prefix | undefined {
  const family = familyOf(address);
  return family === undefined ? undefined : { family, address, length: bitsOf(family) };
}

/** fe80::/10, RFC 4291 §2.5.6. */
export function isLinkLocal(address: Uint8Array): boolean {
  return address.length === 16 && address[0] === 0xfe && ((address[1] ?? 0) & 0xc0) === 0x80;
}
