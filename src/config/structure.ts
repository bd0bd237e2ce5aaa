// SPDX-License-Identifier: Apache-2.0
/**
 * First pass of validation: every value alone, by the schema. What is broken is then cut out, so that
 * the second pass (checks/) can look at the rest: one mistake does not hide another.
 */
import type { z } from 'zod';
import { suggest } from '../lib/suggest.js';
import { formatPath, issue, typeInWords, valueAt, type Issue, type Path } from './issues.js';
import { configSchema } from './schema.js';
import type { Config } from './types.js';

export interface Structure {
  readonly issues: readonly Issue[];
  /** The configuration without its broken parts; undefined when it is no object at all. */
  readonly rest: Config | undefined;
  /** Where a path of `rest` was before broken list items were cut out. */
  readonly original: (path: Path) => Path;
  /** No issue at, under or above this path (of the original). */
  readonly whole: (path: Path) => boolean;
  /** An issue at exactly this path of the original. */
  readonly brokenAt: (path: Path) => boolean;
}

export function checkStructure(raw: unknown): Structure {
  const result = configSchema.safeParse(raw);
  if (result.success) {
    return {
      ...{ issues: [], rest: result.data },
      ...{ original: (path) => path, whole: () => true, brokenAt: () => false },
    };
  }
  const found = result.error.issues.flatMap((each) => locate(each));
  const issues = found.map(({ path, mistake }) => {
    const value = mistake.unknownKey === true ? undefined : valueAt(raw, path);
    const { reason, remedy } = mistake;
    return issue(path, value, { reason: reason ?? wrongType(value, mistake.expected), remedy });
  });
  const related = (path: Path): boolean => found.some((each) => isRelated(each.path, path));
  const broken = new Set(found.map(({ path }) => formatPath(path)));
  return {
    ...{ issues, ...prune(raw), whole: (path) => !related(path) },
    brokenAt: (path) => broken.has(formatPath(path)),
  };
}

function isRelated(a: Path, b: Path): boolean {
  const shorter = Math.min(a.length, b.length);
  return a.slice(0, shorter).every((step, i) => step === b[i]);
}

// ---- zod's issues in our words -------------------------------------------------------------------

interface Located {
  readonly path: Path;
  readonly mistake: {
    /** undefined: wrong type, said with the value in hand. */
    readonly reason: string | undefined;
    readonly remedy: string;
    readonly expected: string;
    readonly unknownKey?: boolean;
  };
}

const EXPECTED: Readonly<Record<string, string>> = {
  object: 'an object: { ... }',
  record: 'an object of entries by name: { name: { ... } }',
  array: 'a list: [ ... ]',
};

function wrongType(value: unknown, expected: string): string {
  if (value === undefined) return 'missing';
  return `expected ${expected.split(':')[0] ?? ''}, got ${typeInWords(value)}`;
}

function locate(found: z.core.$ZodIssue): Located[] {
  const path = found.path.map((step) => (typeof step === 'symbol' ? step.toString() : step));
  switch (found.code) {
    case 'unrecognized_keys': {
      // Its message lists the known keys: see `strict` in shapes.ts.
      const known = found.message.split(', ');
      return found.keys.map((key) => ({
        path: [...path, key],
        mistake: {
          reason: 'unknown key',
          remedy: suggest(key, known, 'keys'),
          expected: '',
          unknownKey: true,
        },
      }));
    }
    case 'invalid_type': {
      const expected = EXPECTED[found.expected] ?? found.expected;
      return [{ path, mistake: { reason: undefined, remedy: `give ${expected}`, expected } }];
    }
    case 'custom': {
      const remedy: unknown = found.params?.['remedy'];
      const words = typeof remedy === 'string' ? remedy : '';
      return [{ path, mistake: { reason: found.message, remedy: words, expected: '' } }];
    }
    default:
      return [{ path, mistake: { reason: found.message, remedy: '', expected: '' } }];
  }
}

// ---- Cutting out what is broken ------------------------------------------------------------------

/** By path: stands in for required parts that are missing or broken, where much hangs on them. */
const PLACEHOLDERS: Readonly<Record<string, unknown>> = {
  instance: 'x',
  ownSp: 'x',
  core: { tunnelAddresses: [] },
  interfaces: {},
  'bgp.asn': 1,
  'bgp.routerId': '192.0.2.1',
};
/** Each round cuts one level up at most; plain data is no deeper (conditions of policies nest). */
const MAX_ROUNDS = 32;

function prune(raw: unknown): Pick<Structure, 'rest' | 'original'> {
  const root: unknown = typeof raw === 'object' && raw !== null ? structuredClone(raw) : raw;
  const cuts = new Cuts();
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const result = configSchema.safeParse(root);
    if (result.success) return { rest: result.data, original: (path) => cuts.original(root, path) };
    const paths = result.error.issues.flatMap((each) => locate(each)).map(({ path }) => path);
    if (paths.some((path) => path.length === 0)) break;
    cuts.apply(root, paths);
  }
  return { rest: undefined, original: (path) => path };
}

function placeholderAt(path: Path): unknown {
  const key = path.join('.');
  return Object.hasOwn(PLACEHOLDERS, key) ? PLACEHOLDERS[key] : undefined;
}

class Cuts {
  /** Per pruned list: where each item was. */
  readonly #items = new WeakMap<object, number[]>();

  apply(root: unknown, paths: readonly Path[]): void {
    // A value that is missing cannot be cut out: what lacks it is.
    const targets = paths.map((path) =>
      path.length > 1 && valueAt(root, path) === undefined && placeholderAt(path) === undefined
        ? path.slice(0, -1)
        : path,
    );
    const unique = new Map(targets.map((path) => [formatPath(path), path]));
    // Deeper and later first, so that a cut does not move what is still to be cut.
    const order = [...unique.values()].sort(
      (a, b) => b.length - a.length || Number(b.at(-1)) - Number(a.at(-1)) || 0,
    );
    for (const path of order) this.#cut(root, path);
  }

  #cut(root: unknown, path: Path): void {
    const parent = valueAt(root, path.slice(0, -1));
    const last = path.at(-1);
    if (last === undefined || typeof parent !== 'object' || parent === null) return;
    if (Array.isArray(parent) && typeof last === 'number') {
      const items = this.#items.get(parent) ?? parent.map((_, i) => i);
      items.splice(last, 1);
      parent.splice(last, 1);
      this.#items.set(parent, items);
      return;
    }
    Reflect.deleteProperty(parent, last);
    const placeholder = placeholderAt(path);
    if (placeholder !== undefined) Reflect.set(parent, last, structuredClone(placeholder));
  }

  /** `path` leads through the pruned `root`; the result leads through what it was made from. */
  original(root: unknown, path: Path): Path {
    return path.map((step, i) => {
      const list = typeof step === 'number' ? valueAt(root, path.slice(0, i)) : undefined;
      const items = typeof list === 'object' && list !== null ? this.#items.get(list) : undefined;
      return typeof step === 'number' ? (items?.[step] ?? step) : step;
    });
  }
}
