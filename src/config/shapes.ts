// SPDX-License-Identifier: Apache-2.0
/** Strict objects, lists, tables, and choices between objects, for schema.ts. */
import { z } from 'zod';
import { typeInWords, type Mistake } from './issues.js';

type Shape = Readonly<Record<string, z.ZodType>>;

/** An object without other keys. The message of an unknown key is the list of the known ones. */
export function strict<S extends Shape>(
  shape: S,
): z.ZodReadonly<z.ZodObject<{ -readonly [K in keyof S]: S[K] }, z.core.$strict>> {
  const known = Object.keys(shape).join(', ');
  return z
    .strictObject<S>(shape, {
      error: (raw) => (raw.code === 'unrecognized_keys' ? known : undefined),
    })
    .readonly();
}

export function list<T extends z.ZodType>(item: T): z.ZodReadonly<z.ZodArray<T>> {
  return z.array(item).readonly();
}

/** At least one word, each once; the order means nothing. */
export function set<T extends z.ZodType<string>>(item: T): z.ZodReadonly<z.ZodArray<T>> {
  return z
    .array(item)
    .check(({ value, issues }) => {
      const add = (path: number[], mistake: Mistake): void => {
        issues.push({
          code: 'custom',
          input: value,
          path,
          message: mistake.reason,
          params: { remedy: mistake.remedy },
        });
      };
      if (value.length === 0) add([], { reason: 'empty list', remedy: 'name at least one' });
      value.forEach((word, i) => {
        if (value.indexOf(word) < i) add([i], { reason: 'named twice', remedy: 'remove one' });
      });
    })
    .readonly();
}

/** Entries by name. The names are checked elsewhere: zod would stop at the first. */
export function table<T extends z.ZodType>(entry: T): z.ZodReadonly<z.ZodRecord<z.ZodString, T>> {
  return z.record(z.string(), entry).readonly();
}

type Choice<T> = z.ZodPipe<z.ZodUnknown, z.ZodTransform<T>>;

/**
 * One of several objects, told apart by which of the keys of `branches` is there. Keys that belong
 * to another branch are reported as such. (A plain union would report every branch's complaints.)
 */
export function choiceByKey<K extends string, S extends z.ZodType>(
  branches: Readonly<Record<K, S>>,
): Choice<z.output<S>> {
  const keys = Object.keys(branches);
  const schemas = new Map(Object.entries<S>(branches));
  return z.unknown().transform((value, ctx): z.output<S> => {
    if (!isObject(value)) {
      const reason = { code: 'invalid_type', expected: 'object', input: value } as const;
      ctx.issues.push(reason);
      return z.NEVER;
    }
    const given = keys.filter((key) => Object.hasOwn(value, key));
    const [first, ...others] = given;
    if (first === undefined) {
      pushMistake(ctx, value, [], {
        reason: 'says none of the ways',
        remedy: `give one of: ${keys.join(', ')}`,
      });
      return z.NEVER;
    }
    for (const key of others) {
      pushMistake(ctx, value, [key], {
        reason: `does not go with "${first}"`,
        remedy: `give one of: ${keys.join(', ')}`,
      });
    }
    const rest = Object.fromEntries(Object.entries(value).filter(([key]) => !others.includes(key)));
    return parseBranch(schemas.get(first), rest, ctx);
  });
}

/** One of several objects, told apart by the word under `key`. */
export function choiceByWord<K extends string, S extends z.ZodType>(
  key: string,
  word: z.ZodType<K>,
  branches: Readonly<Record<K, S>>,
  /** Which branch an object was probably meant to be whose word is wrong or missing. */
  guess: (value: object) => K,
): Choice<z.output<S>> {
  return z.unknown().transform((value, ctx): z.output<S> => {
    if (!isObject(value)) {
      ctx.issues.push({ code: 'invalid_type', expected: 'object', input: value });
      return z.NEVER;
    }
    const chosen = word.safeParse(Reflect.get(value, key));
    if (chosen.success) return parseBranch(branches[chosen.data], value, ctx);
    // The word's own issue, then whatever else is wrong with the branch that was probably meant.
    forward(chosen.error, [key], ctx);
    const meant = guess(value);
    return parseBranch(branches[meant], { ...value, [key]: meant }, ctx);
  });
}

/** One word, or an object. */
export function wordOr<const W extends string, S extends z.ZodType>(
  word: W,
  form: string,
  schema: S,
): Choice<W | z.output<S>> {
  return z.unknown().transform((value, ctx): W | z.output<S> => {
    if (value === word) return word;
    if (isObject(value)) return parseBranch(schema, value, ctx);
    pushMistake(ctx, value, [], { reason: 'no such choice', remedy: `"${word}" or ${form}` });
    return z.NEVER;
  });
}

/** One of several schemas, told apart by the type of the value. */
export function byType<S = never, N = never, B = never, L = never, O = never>(
  what: string,
  branches: {
    readonly string?: z.ZodType<S>;
    readonly number?: z.ZodType<N>;
    readonly boolean?: z.ZodType<B>;
    readonly list?: z.ZodType<L>;
    readonly object?: z.ZodType<O>;
  },
): Choice<S | N | B | L | O> {
  return z.unknown().transform((value, ctx): S | N | B | L | O => {
    const word = typeWord(value);
    const schema: z.ZodType<S | N | B | L | O> | undefined = word && branches[word];
    if (schema !== undefined) return parseBranch(schema, value, ctx);
    const missing = value === undefined;
    const reason = missing ? 'missing' : `${typeInWords(value)} means nothing here`;
    pushMistake(ctx, value, [], { reason, remedy: `give ${what}` });
    return z.NEVER;
  });
}

function typeWord(value: unknown): 'string' | 'number' | 'boolean' | 'list' | 'object' | undefined {
  if (Array.isArray(value)) return 'list';
  if (typeof value === 'object') return value === null ? undefined : 'object';
  const type = typeof value;
  return type === 'string' || type === 'number' || type === 'boolean' ? type : undefined;
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

type Context = z.core.$RefinementCtx;

function parseBranch<S extends z.ZodType>(
  schema: S | undefined,
  value: unknown,
  ctx: Context,
): z.output<S> {
  const result = schema?.safeParse(value);
  if (result?.success === true) return result.data;
  if (result !== undefined) forward(result.error, [], ctx);
  return z.NEVER;
}

/** Hands the issues of a part on to the whole. */
function forward(error: z.ZodError, under: readonly PropertyKey[], ctx: Context): void {
  for (const found of error.issues) {
    ctx.issues.push({ ...found, input: undefined, path: [...under, ...found.path] });
  }
}

function pushMistake(ctx: Context, input: unknown, path: string[], mistake: Mistake): void {
  ctx.issues.push({
    code: 'custom',
    input,
    path,
    message: mistake.reason,
    params: { remedy: mistake.remedy },
  });
}

/** For comparing a schema's output with the type it stands for: readonly or not is no difference. */
export type Plain<T> = T extends object ? { -readonly [K in keyof T]: Plain<T[K]> } : T;
type Identity<A> = <T>() => T extends A ? 1 : 2;
export type Equal<A, B> = Identity<A> extends Identity<B> ? true : false;
