// SPDX-License-Identifier: Apache-2.0
/**
 * Copies a value that must be plain data (what JSON can say), or tells what in it is not. Properties
 * that are `undefined` are left out, as JSON does.
 */
import { issue, type Issue, type Mistake, type Path } from './issues.js';

/** Deeper than any configuration; an endless structure ends here. */
const MAX_DEPTH = 32;
/** One broken generator would otherwise report every element it made. */
const MAX_ISSUES = 100;

export interface PlainCopy {
  readonly value: unknown;
  readonly issues: readonly Issue[];
}

export function plainCopy(root: unknown): PlainCopy {
  const copier = new Copier();
  const value = copier.copy(root, []);
  return { value, issues: copier.issues };
}

class Copier {
  readonly issues: Issue[] = [];
  /** Objects on the way from the root to here. */
  readonly #above = new Set<object>();

  copy(value: unknown, path: Path): unknown {
    if (value === null || typeof value === 'string' || typeof value === 'boolean') return value;
    if (typeof value === 'number') {
      if (Number.isFinite(value)) return value;
      return this.#refuse(path, `the number ${value}`, 'give a finite number');
    }
    if (typeof value !== 'object') return this.#refuse(path, ...describe(value));
    if (this.#above.has(value)) {
      return this.#refuse(path, 'a cycle: the value contains itself', 'give data without cycles');
    }
    if (path.length >= MAX_DEPTH) {
      return this.#refuse(path, `nested more than ${MAX_DEPTH} deep`, 'give a flatter value');
    }
    this.#above.add(value);
    const copy = Array.isArray(value) ? this.#list(value, path) : this.#object(value, path);
    this.#above.delete(value);
    return copy;
  }

  #list(list: readonly unknown[], path: Path): unknown[] {
    // Array.from visits holes as well, which then show as undefined.
    return Array.from(list, (item, i) => this.copy(item, [...path, i]));
  }

  #object(from: object, path: Path): unknown {
    const prototype: unknown = Object.getPrototypeOf(from);
    if (prototype !== null && prototype !== Object.prototype) {
      return this.#refuse(path, `an instance of ${className(from)}`, instanceRemedy(from));
    }
    const copy: Record<string, unknown> = {};
    for (const key of Reflect.ownKeys(from)) {
      const at = [...path, key.toString()];
      const property = Object.getOwnPropertyDescriptor(from, key);
      if (typeof key === 'symbol') this.#refuse(at, 'a symbol as key', 'use a string');
      else if (property === undefined || !('value' in property)) {
        this.#refuse(at, 'a getter or setter', 'give its value');
      } else if (key === '__proto__') this.#refuse(at, 'the key "__proto__"', 'use another name');
      else if (property.value !== undefined) copy[key] = this.copy(property.value, at);
    }
    return copy;
  }

  #refuse(path: Path, what: string, remedy: string): null {
    const mistake: Mistake = { reason: `not plain data: ${what}`, remedy };
    if (this.issues.length < MAX_ISSUES) this.issues.push(issue(path, undefined, mistake));
    return null;
  }
}

function describe(value: unknown): [what: string, remedy: string] {
  if (typeof value === 'function') {
    const name = value.name === '' ? 'a function' : `the function ${value.name}`;
    return [name, 'call it, or give what it would return'];
  }
  if (typeof value === 'bigint') return ['a bigint', 'give a number'];
  if (typeof value === 'symbol') return ['a symbol', 'give a string'];
  return ['undefined', 'give a value, or leave the element out'];
}

function className(from: object): string {
  const constructor: unknown = Reflect.get(from, 'constructor');
  return typeof constructor === 'function' && constructor.name !== ''
    ? constructor.name
    : 'a class';
}

function instanceRemedy(from: object): string {
  if (from instanceof Promise) return 'await it';
  if (from instanceof Map) return 'Object.fromEntries(...) makes an object of it';
  if (from instanceof Set) return 'a list: [...set]';
  if (from instanceof Date) return 'give a string';
  if (from instanceof URL) return 'for a file: fileURLToPath(url), else url.href';
  return 'give a plain object or list';
}
