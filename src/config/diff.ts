// SPDX-License-Identifier: Apache-2.0
/**
 * What differs between two configurations, and what applying it takes. Tables are compared entry by
 * entry, lists of routes by prefix and of rules by name, prefix lists by entry, other lists as one value.
 */
import { canonicalJson } from './canonical.js';
import { deviceKey, portMtu } from './defaults.js';
import { formatPath, type Path } from './issues.js';
import type { Config, Interface } from './types.js';

/**
 * live: applied without touching what did not change. worker-restart: the worker's ports are fixed
 * once it polls. instance-restart: only `sealane stop` and `sealane run` can do it.
 */
export type Effect = 'live' | 'worker-restart' | 'instance-restart';

export interface Change {
  /** Of the entry or value, e.g. `vrfs.a.routes["10.2.0.0/24"].tunnel`. */
  readonly path: string;
  readonly kind: 'added' | 'removed' | 'changed';
  /** JSON; empty when added. */
  readonly before: string;
  /** JSON; empty when removed. */
  readonly after: string;
  readonly effect: Effect;
}

export interface Diff {
  readonly changes: readonly Change[];
  /** The gravest of the changes'. */
  readonly effect: Effect;
}

const GRAVITY: readonly Effect[] = ['live', 'worker-restart', 'instance-restart'];

export function diffConfigs(before: Config, after: Config): Diff {
  const ports = changedPorts(before, after);
  const changes = compare(before, after, []).map(({ path, was, is }): Change => ({
    path: formatPath(path),
    kind: was === undefined ? 'added' : is === undefined ? 'removed' : 'changed',
    before: was === undefined ? '' : canonicalJson(was),
    after: is === undefined ? '' : canonicalJson(is),
    effect: effectOf(path, ports),
  }));
  const effect = GRAVITY.findLast((each) => changes.some((change) => change.effect === each));
  return { changes, effect: effect ?? 'live' };
}

// ---- Comparing -----------------------------------------------------------------------------------

interface Difference {
  readonly path: Path;
  readonly was: unknown;
  readonly is: unknown;
}

/**
 * Lists whose items have an identity, and the property that is it; 'itself': the order means nothing.
 * '*' is any name.
 */
const KEYED: readonly (readonly [pattern: Path, identity: string])[] = [
  [['vrfs', '*', 'routes'], 'prefix'],
  [['vrfs', '*', 'exports'], 'name'],
  [['vrfs', '*', 'bgp', 'imports'], 'name'],
  [['vrfs', '*', 'bgp', 'exports'], 'name'],
  [['vrfs', '*', 'bgp', 'networks'], 'prefix'],
  [['bgp', 'networks'], 'prefix'],
  [['bgp', 'prefixLists', '*'], 'itself'],
  [['ike', 'providers', '*', 'ranges'], 'itself'],
];

function compare(was: unknown, is: unknown, path: Path): Difference[] {
  if (was === undefined || is === undefined) return was === is ? [] : [{ path, was, is }];
  const a = isWhole(path) ? undefined : membersOf(was, path);
  const b = isWhole(path) ? undefined : membersOf(is, path);
  const otherRole = path[0] === 'interfaces' && a?.get('role') !== b?.get('role');
  if (a === undefined || b === undefined || otherRole) {
    return canonicalJson(was) === canonicalJson(is) ? [] : [{ path, was, is }];
  }
  const keys = new Set([...a.keys(), ...b.keys()]);
  return [...keys].flatMap((key) => compare(a.get(key), b.get(key), [...path, key]));
}

/** A device or a route that goes another way is another one, not the same with other properties. */
function isWhole(path: Path): boolean {
  const [table, , property] = path;
  if (table === 'interfaces') return property === 'device';
  return table === 'vrfs' && property === 'routes' && path.length === 4;
}

/** Members by key; undefined for what is compared as one value. */
function membersOf(value: unknown, path: Path): ReadonlyMap<string, unknown> | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  if (!Array.isArray(value)) return new Map<string, unknown>(Object.entries(value));
  const identity = KEYED.find(([pattern]) => fits(pattern, path))?.[1];
  if (identity === undefined) return undefined;
  const items: readonly unknown[] = value;
  return new Map(items.map((item) => [identityOf(item, identity), item]));
}

function fits(pattern: Path, path: Path): boolean {
  return (
    pattern.length === path.length && pattern.every((step, i) => step === '*' || step === path[i])
  );
}

function identityOf(item: unknown, property: string): string {
  if (property === 'itself') return canonicalJson(item);
  return typeof item === 'object' && item !== null ? String(Reflect.get(item, property)) : '';
}

// ---- Effects -------------------------------------------------------------------------------------

/** Values the running processes have built upon. */
const INSTANCE = new Set(['instance', 'runtimeDirectory', 'stateDirectory', 'segmentDirectory']);

function effectOf(path: Path, ports: ReadonlySet<string>): Effect {
  const [table, entry, property] = path;
  if (INSTANCE.has(String(table))) return 'instance-restart';
  if (table === 'core' && entry === 'netns') return 'instance-restart';
  if (table === 'vrfs' && property === 'netns') return 'instance-restart';
  if (table === 'worker') return 'worker-restart';
  if (table !== 'interfaces' || !ports.has(String(entry))) return 'live';
  return property === undefined || property === 'device' || property === 'mtu'
    ? 'worker-restart'
    : 'live';
}

/**
 * Interfaces with a device that appears, disappears or changes. A device has one port, made before
 * polling begins, with the largest MTU of its interfaces: a VLAN more on it is no change, but for the room of a second tag.
 */
function changedPorts(before: Config, after: Config): ReadonlySet<string> {
  const was = portsOf(before);
  const is = portsOf(after);
  const keys = [...new Set([...was.keys(), ...is.keys()])].filter(
    (key) => was.get(key) !== is.get(key),
  );
  const changed = new Set(keys);
  const interfaces = [...Object.entries(before.interfaces), ...Object.entries(after.interfaces)];
  return new Set(
    interfaces.filter(([, { device }]) => changed.has(deviceKey(device))).map(([name]) => name),
  );
}

/** By device: everything that its port is made from. */
function portsOf(config: Config): ReadonlyMap<string, string> {
  const ports = new Map<string, { device: Interface['device']; mtu: number }>();
  for (const from of Object.values(config.interfaces)) {
    const key = deviceKey(from.device);
    const mtu = Math.max(portMtu(from), ports.get(key)?.mtu ?? 0);
    ports.set(key, { device: from.device, mtu });
  }
  return new Map([...ports].map(([key, port]) => [key, canonicalJson(port)]));
}

// ---- Words ---------------------------------------------------------------------------------------

const MARK = { added: '+', removed: '-', changed: '~' } as const;

/** One line per change: `~ tunnels.pe2.ttl: 64 -> 32`, with its effect unless live. */
export function formatChange(change: Change): string {
  const { kind, path, before, after, effect } = change;
  const values = kind === 'changed' ? `${before} -> ${after}` : `${before}${after}`;
  const note = effect === 'live' ? '' : `  [${effect}]`;
  return `${MARK[kind]} ${path}: ${values}${note}`;
}
