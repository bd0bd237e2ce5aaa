// SPDX-License-Identifier: Apache-2.0
/** Short ways through what Scapy read. */
import type { ReadLayer } from './wire.js';

export function names(layers: readonly ReadLayer[]): string[] {
  return layers.map((one) => String(one['layer']));
}

/** The nth layer of a name, counted from the outside; throws when there is none. */
export function layer(layers: readonly ReadLayer[], name: string, nth = 0): ReadLayer {
  const found = layers.filter((one) => one['layer'] === name)[nth];
  if (found === undefined) throw new Error(`no ${name} in ${names(layers).join(' / ')}`);
  return found;
}

/** Numeric field; throws when it is not one. */
export function field(of: ReadLayer, name: string): number {
  const value = of[name];
  if (typeof value !== 'number') throw new Error(`${name} of ${JSON.stringify(of)} is no number`);
  return value;
}

/** Traffic class (8 bits) and TTL or hop limit of an IP header. */
export function ipFields(of: ReadLayer): { traffic: number; ttl: number } {
  return of['layer'] === 'IP'
    ? { traffic: field(of, 'tos'), ttl: field(of, 'ttl') }
    : { traffic: field(of, 'tc'), ttl: field(of, 'hlim') };
}

export const ipLayer = (family: 4 | 6): string => (family === 4 ? 'IP' : 'IPv6');
