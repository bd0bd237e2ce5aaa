// SPDX-License-Identifier: Apache-2.0
/**
 * Labels of routes as one word: a single label as it is, stacks of several (RFC 8277) interned here.
 * 0xffffffff is "no label": label 0 is IPv4 Explicit NULL.
 */

export const NO_LABEL = 0xffffffff;
const STACK = 0x80000000;
const FIRST_UNRESERVED = 16; // RFC 3032 §2.1

/** Whether a word is one label that may lead into a VRF of another PE. */
export const isVpnLabel = (word: number): boolean => word >= FIRST_UNRESERVED && word < STACK;

interface Stack {
  readonly text: string;
  readonly labels: readonly number[];
  references: number;
}

export class LabelStacks {
  readonly #stacks: (Stack | undefined)[] = [];
  readonly #ids = new Map<string, number>();
  readonly #free: number[] = [];

  get live(): number {
    return this.#ids.size;
  }

  /** The word for labels, outermost first; of a stack with a reference, to be released. */
  acquire(labels: readonly number[]): number {
    const [first] = labels;
    if (first === undefined) return NO_LABEL;
    if (labels.length === 1) return first;
    const text = labels.join(' ');
    const id = this.#ids.get(text) ?? this.#free.pop() ?? this.#stacks.length;
    const stack = this.#stacks[id] ?? { text, labels: [...labels], references: 0 };
    stack.references++;
    this.#stacks[id] = stack;
    this.#ids.set(text, id);
    return (STACK | id) >>> 0;
  }

  retain(word: number): void {
    const stack = this.#of(word);
    if (stack !== undefined) stack.references++;
  }

  release(word: number): void {
    const stack = this.#of(word);
    if (stack === undefined || --stack.references > 0) return;
    this.#ids.delete(stack.text);
    this.#stacks[word & ~STACK] = undefined;
    this.#free.push(word & ~STACK);
  }

  labels(word: number): readonly number[] {
    if (word === NO_LABEL) return [];
    return (word & STACK) === 0 ? [word] : (this.#of(word)?.labels ?? []);
  }

  #of(word: number): Stack | undefined {
    return word === NO_LABEL || (word & STACK) === 0 ? undefined : this.#stacks[word & ~STACK];
  }
}

/** 3 octets each, the bottom-of-stack bit in the last one. */
export function stackOctets(labels: readonly number[]): Uint8Array {
  const octets = new Uint8Array(3 * labels.length);
  labels.forEach((label, i) => {
    const bottom = i === labels.length - 1 ? 1 : 0;
    octets[3 * i] = label >>> 12;
    octets[3 * i + 1] = label >>> 4;
    octets[3 * i + 2] = ((label & 15) << 4) | bottom;
  });
  return octets;
}
