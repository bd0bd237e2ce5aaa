// SPDX-License-Identifier: Apache-2.0
/** Names of DSCPs: class selectors (RFC 2474), AF (RFC 2597), EF (RFC 3246), VOICE-ADMIT (RFC 5865), LE (RFC 8622). */

const af = (family: number, precedence: number): [string, number] => [
  `af${family}${precedence}`,
  family * 8 + precedence * 2,
];

const BY_NAME: ReadonlyMap<string, number> = new Map([
  ...[0, 1, 2, 3, 4, 5, 6, 7].map((n): [string, number] => [`cs${n}`, n * 8]),
  ...[1, 2, 3, 4].flatMap((family) => [af(family, 1), af(family, 2), af(family, 3)]),
  ['le', 1],
  ['va', 44],
  ['ef', 46],
]);
const BY_VALUE: ReadonlyMap<number, string> = new Map(
  [...BY_NAME].map(([name, value]) => [value, name]),
);

export const DSCP_NAMES: readonly string[] = [...BY_NAME.keys()];

/** 0..63 of a number or name; undefined: it is neither. */
export function dscpOf(word: number | string): number | undefined {
  if (typeof word === 'string') return BY_NAME.get(word);
  return Number.isInteger(word) && word >= 0 && word <= 63 ? word : undefined;
}

/** Its name, or the number where it has none. */
export const dscpText = (value: number): string => BY_VALUE.get(value) ?? String(value);
