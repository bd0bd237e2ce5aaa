// SPDX-License-Identifier: Apache-2.0
/** Messages of other speakers, and ways to change them, for the tests that read hostile input. */
import { readFileSync } from 'node:fs';
import type { UpdateContext } from '../../../../src/bgp/codec/types.js';
import { bytes, CONTEXT } from './build.js';

interface Speakers {
  readonly sessions: readonly { readonly messages: readonly string[] }[];
}
const read = (name: string): unknown =>
  JSON.parse(readFileSync(new URL(`../../../vectors/bgp/${name}`, import.meta.url), 'utf8'));
const speakers = read('speakers.json') as Speakers;
const scapy = read('scapy.json') as { readonly messages: Readonly<Record<string, string>> };

/** Each once. */
export const corpus: readonly Uint8Array[] = [
  ...new Set([
    ...speakers.sessions.flatMap(({ messages }) => messages),
    ...Object.values(scapy.messages),
  ]),
].map(bytes);

/** Bodies of the messages of a type. */
export const ofType = (type: number): Uint8Array[] =>
  corpus.filter((message) => message[18] === type).map((message) => message.slice(19));

export const CONTEXTS: readonly UpdateContext[] = [
  CONTEXT,
  { ...CONTEXT, ibgp: false, extendedNextHop: 0x7f },
  { ...CONTEXT, as4: false, addPathReceive: 0x7f },
  { ...CONTEXT, families: 0x06, multipleLabels: 0x7f },
];

/** xorshift32: a fixed seed gives the same run everywhere. */
export function random(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}
