// SPDX-License-Identifier: Apache-2.0
/**
 * Where a text stops being JSON (RFC 8259). JSON.parse tells no place, and quotes the text instead.
 */

export interface JsonFault {
  /** Both from 1. */
  readonly line: number;
  readonly column: number;
  readonly reason: string;
}

class Fault extends Error {
  readonly at: number;
  constructor(at: number, reason: string) {
    super(reason);
    this.at = at;
  }
}

/** Undefined when the text is JSON. */
export function findJsonFault(text: string): JsonFault | undefined {
  try {
    const end = space(text, value(text, space(text, 0), 0));
    if (end < text.length) throw new Fault(end, 'something follows the value');
    return undefined;
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    const before = text.slice(0, error.at).split('\n');
    return { line: before.length, column: (before.at(-1)?.length ?? 0) + 1, reason: error.message };
  }
}

// Each takes the position where its piece begins and returns the one after it.

const MAX_DEPTH = 500;

function match(pattern: RegExp, text: string, at: number): number | undefined {
  pattern.lastIndex = at;
  return pattern.test(text) ? pattern.lastIndex : undefined;
}

function space(text: string, at: number): number {
  return match(/[ \t\r\n]*/y, text, at) ?? at;
}

function value(text: string, at: number, depth: number): number {
  if (depth > MAX_DEPTH) throw new Fault(at, 'nested too deep');
  switch (text[at]) {
    case '{':
      return list(text, at, '}', (from) => member(text, from, depth + 1));
    case '[':
      return list(text, at, ']', (from) => value(text, from, depth + 1));
    case '"':
      return string(text, at);
    default: {
      const word = /(?:true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)/y;
      const end = match(word, text, at);
      if (end === undefined) {
        throw new Fault(at, at < text.length ? 'no value' : 'the text ends here');
      }
      return end;
    }
  }
}

function list(text: string, at: number, close: string, item: (at: number) => number): number {
  let next = space(text, at + 1);
  if (text[next] === close) return next + 1;
  for (;;) {
    next = space(text, item(next));
    if (text[next] === close) return next + 1;
    if (text[next] !== ',') throw new Fault(next, `expected "," or "${close}"`);
    next = space(text, next + 1);
    if (text[next] === close) throw new Fault(next, `"${close}" after a comma`);
  }
}

function member(text: string, at: number, depth: number): number {
  if (text[at] !== '"') throw new Fault(at, 'expected a key in double quotes');
  const colon = space(text, string(text, at));
  if (text[colon] !== ':') throw new Fault(colon, 'expected ":"');
  return value(text, space(text, colon + 1), depth);
}

function string(text: string, at: number): number {
  // JSON.stringify escapes control characters; a raw one ends the match.
  const inside = /"(?:[^"\\\p{Cc}]|[\u007f-\u009f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*/uy;
  const end = match(inside, text, at) ?? at;
  if (text[end] === '"') return end + 1;
  throw new Fault(end, end < text.length ? 'not allowed in a string' : 'the string does not end');
}
