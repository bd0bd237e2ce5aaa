// SPDX-License-Identifier: Apache-2.0
/** Actions of the configuration compiled to functions over attributes, which are never changed in place. */
import type { Action } from '../../config/types.js';
import {
  parseCommunityPattern,
  parseExtendedPattern,
  parseLargeCommunityPattern,
} from '../../lib/bgp-patterns.js';
import {
  MAX_U32,
  parseCommunity,
  parseExtendedCommunity,
  parseLargeCommunity,
} from '../../lib/bgp-words.js';
import { equalBytes, parseAddress } from '../../lib/ip.js';
import { isExportScope } from '../codec/communities/export-scope.js';
import type { IpsecCommunityFormat } from '../codec/communities/ipsec.js';
import type { Origin, PathAttributes } from '../codec/types.js';
import type { PolicyRoute } from '../types.js';
import { prepend } from './as-path.js';
import { need } from './conditions.js';
import { meaningOf, replaceIpsec, strengthen } from './ipsec.js';

/** Returns the same object when nothing changes. */
export type Change = (attributes: PathAttributes, route: PolicyRoute) => PathAttributes;

export interface ActionScope {
  /** Prepended where no other is named. */
  readonly localAsn: number;
  readonly ipsec: IpsecCommunityFormat;
}

type Keys = 'localPref' | 'med' | 'origin' | 'nextHop' | 'asPath';
type Lists = 'communities' | 'largeCommunities' | 'extendedCommunities';

export function compileAction(action: Action, scope: ActionScope): Change {
  return (
    compileNumber(action) ??
    compilePath(action, scope) ??
    compileCommunities(action) ??
    compileLarge(action) ??
    compileExtended(action, scope) ??
    compileIpsec(action, scope) ??
    unknownAction(action)
  );
}

/** Whether it takes something from the route that is not in its attributes: see Policy.usesPrefix. */
export function takesFromRoute(action: Action): boolean {
  return 'nextHop' in action && action.nextHop === 'peer';
}

function unknownAction(action: Action): never {
  throw new Error(`no such action: ${Object.keys(action).join(', ')}`);
}

function put<K extends Keys>(
  attributes: PathAttributes,
  key: K,
  value: PathAttributes[K],
): PathAttributes {
  return attributes[key] === value ? attributes : { ...attributes, [key]: value };
}

function without(
  attributes: PathAttributes,
  key: Exclude<keyof PathAttributes, 'origin' | 'asPath'>,
): PathAttributes {
  const copy = { ...attributes };
  Reflect.deleteProperty(copy, key);
  return copy;
}

// ---- Numbers -------------------------------------------------------------------------------------

const ORIGIN: Readonly<Record<'igp' | 'egp' | 'incomplete', Origin>> = {
  igp: 0,
  egp: 1,
  incomplete: 2,
};

function compileNumber(action: Action): Change | undefined {
  if ('localPref' in action) return (attributes) => put(attributes, 'localPref', action.localPref);
  if ('med' in action) return (attributes) => put(attributes, 'med', action.med);
  if ('origin' in action) return (attributes) => put(attributes, 'origin', ORIGIN[action.origin]);
  if ('addMed' in action) {
    const { addMed } = action;
    return (attributes) => {
      const sum = (attributes.med ?? 0) + addMed;
      return put(attributes, 'med', Math.min(MAX_U32, Math.max(0, sum)));
    };
  }
  if ('removeMed' in action) {
    return (attributes) => {
      if (attributes.med === undefined) return attributes;
      return without(attributes, 'med');
    };
  }
  return undefined;
}

// ---- Path and next hop ---------------------------------------------------------------------------

function compilePath(action: Action, { localAsn }: ActionScope): Change | undefined {
  if ('prepend' in action) {
    const { times, asn = localAsn } = action.prepend;
    return (attributes) => put(attributes, 'asPath', prepend(attributes.asPath, asn, times));
  }
  if ('nextHop' in action) {
    const fixed = action.nextHop === 'peer' ? undefined : parseAddress(action.nextHop);
    if (action.nextHop !== 'peer') need(fixed, action.nextHop);
    return (attributes, { from }) => {
      const address = fixed ?? from?.address;
      // Our own routes come from nobody: there 'peer' changes nothing.
      if (address === undefined) return attributes;
      const { nextHop } = attributes;
      if (nextHop !== undefined && equalBytes(nextHop, address)) return attributes;
      // A link-local next hop belongs to the global one beside it (RFC 2545 §3).
      return { ...without(attributes, 'linkLocalNextHop'), nextHop: address };
    };
  }
  return undefined;
}

// ---- Communities ---------------------------------------------------------------------------------

/** Replaces a list; an empty one is no attribute at all. */
function putList<K extends Lists>(
  attributes: PathAttributes,
  key: K,
  list: NonNullable<PathAttributes[K]>,
): PathAttributes {
  const now = attributes[key] ?? [];
  if (now.length === list.length && now.every((each, i) => equal(each, list[i]))) return attributes;
  if (list.length > 0) return { ...attributes, [key]: list };
  return without(attributes, key);
}

function equal(a: unknown, b: unknown): boolean {
  if (!Array.isArray(a) || !Array.isArray(b)) return a === b;
  return a.every((each, i) => each === b[i]);
}

/** Those of `added` that are not there yet, after the others. */
function union<T>(now: readonly T[], added: readonly T[]): readonly T[] {
  const fresh = added.filter(
    (each, i) => ![...now, ...added.slice(0, i)].some((other) => equal(other, each)),
  );
  return fresh.length === 0 ? now : [...now, ...fresh];
}

function compileCommunities(action: Action): Change | undefined {
  const values = (texts: readonly string[]): number[] =>
    texts.map((text) => need(parseCommunity(text), text));
  if ('setCommunities' in action) {
    const list = union([], values(action.setCommunities));
    return (attributes) => putList(attributes, 'communities', list);
  }
  if ('addCommunities' in action) {
    const list = values(action.addCommunities);
    return (attributes) =>
      putList(attributes, 'communities', union(attributes.communities ?? [], list));
  }
  if ('deleteCommunities' in action) {
    const patterns = action.deleteCommunities.map((text) =>
      need(parseCommunityPattern(text), text),
    );
    return (attributes) => {
      const now = attributes.communities ?? [];
      return putList(
        attributes,
        'communities',
        now.filter((each) => !patterns.some((p) => p(each))),
      );
    };
  }
  return undefined;
}

function compileLarge(action: Action): Change | undefined {
  const values = (texts: readonly string[]): (readonly [number, number, number])[] =>
    texts.map((text) => need(parseLargeCommunity(text), text));
  if ('setLargeCommunities' in action) {
    const list = union([], values(action.setLargeCommunities));
    return (attributes) => putList(attributes, 'largeCommunities', list);
  }
  if ('addLargeCommunities' in action) {
    const list = values(action.addLargeCommunities);
    return (attributes) =>
      putList(attributes, 'largeCommunities', union(attributes.largeCommunities ?? [], list));
  }
  if ('deleteLargeCommunities' in action) {
    const patterns = action.deleteLargeCommunities.map((text) =>
      need(parseLargeCommunityPattern(text), text),
    );
    return (attributes) => {
      const now = attributes.largeCommunities ?? [];
      return putList(
        attributes,
        'largeCommunities',
        now.filter((each) => !patterns.some((p) => p(each))),
      );
    };
  }
  return undefined;
}

/** IPsec communities are neither made nor removed by these: only `ipsec` does, which cannot weaken unasked. */
function compileExtended(action: Action, { ipsec }: ActionScope): Change | undefined {
  const values = (texts: readonly string[]): bigint[] =>
    texts.map((text) => {
      const value = need(parseExtendedCommunity(text), text);
      if (ipsec.is(value)) throw new Error(`not checked before: IPsec community ${text}`);
      return value;
    });
  if ('setExtendedCommunities' in action) {
    const list = union([], values(action.setExtendedCommunities));
    return (attributes) => {
      // Whom a route may be told to is not forgotten in passing.
      const kept = (attributes.extendedCommunities ?? []).filter(
        (each) => ipsec.is(each) || isExportScope(each),
      );
      return putList(attributes, 'extendedCommunities', [...list, ...kept]);
    };
  }
  if ('addExtendedCommunities' in action) {
    const list = values(action.addExtendedCommunities);
    return (attributes) =>
      putList(attributes, 'extendedCommunities', union(attributes.extendedCommunities ?? [], list));
  }
  if ('deleteExtendedCommunities' in action) {
    const patterns = action.deleteExtendedCommunities.map((text) =>
      need(parseExtendedPattern(text), text),
    );
    return (attributes) => {
      const now = attributes.extendedCommunities ?? [];
      const kept = now.filter((each) => ipsec.is(each) || !patterns.some((p) => p(each)));
      return putList(attributes, 'extendedCommunities', kept);
    };
  }
  return undefined;
}

function compileIpsec(action: Action, { ipsec: format }: ActionScope): Change | undefined {
  if ('removeIpsec' in action) {
    return (attributes) => {
      const now = attributes.extendedCommunities ?? [];
      return putList(attributes, 'extendedCommunities', replaceIpsec(now, undefined, format));
    };
  }
  if (!('ipsec' in action)) return undefined;
  const wanted = meaningOf(action.ipsec);
  return (attributes) => {
    const now = attributes.extendedCommunities ?? [];
    const meaning = action.weaken === true ? wanted : strengthen(format.read(now), wanted);
    return putList(attributes, 'extendedCommunities', replaceIpsec(now, meaning, format));
  };
}
