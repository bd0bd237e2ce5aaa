// SPDX-License-Identifier: Apache-2.0
/** Mistakes of a configuration, in words. A value that may be a secret is never shown. */

export type Path = readonly (string | number)[];

export interface Issue {
  /** E.g. `vrfs.a.routes[2].tunnel`. */
  readonly path: string;
  /** The offending value as JSON, shortened; empty: nothing was there. */
  readonly value: string;
  readonly reason: string;
  /** What would be right. */
  readonly remedy: string;
}

export interface Mistake {
  readonly reason: string;
  readonly remedy: string;
}

/** The path of the whole configuration. */
export const WHOLE = '(configuration)';

/** `interfaces["ce-a.1"].vlan` */
export function formatPath(path: Path): string {
  if (path.length === 0) return WHOLE;
  return path
    .map((step, i) => {
      if (typeof step === 'number') return `[${step}]`;
      if (!/^[A-Za-z_$][\w$]*$/.test(step)) return `[${JSON.stringify(step)}]`;
      return i === 0 ? step : `.${step}`;
    })
    .join('');
}

/** What of a manual SA may be shown; anything else there could be a key in the wrong place. */
const SHOWN_OF_SA = new Set<unknown>([
  ...['direction', 'local', 'remote', 'encapsulation', 'algorithm', 'spi', 'sp', 'replayWindow'],
]);
const LONGEST = 80;

/** Where only the name of a file belongs, and a key may have been written. */
const KEY_OF_BGP = new Set<unknown>(['md5KeyFile', 'tcpAo']);
const NEIGHBOURS = new Set<unknown>(['neighbours', 'dynamicNeighbours', 'templates']);

const SECRET_OF_IKE = new Set<unknown>(['key', 'psks', 'ppk']);

function mayShow(path: Path, value: unknown): boolean {
  if (path[0] === 'ike') {
    // Lists of words and names may be shown; an object may hold a key in the place of its file.
    const isPlain = typeof value !== 'object' || isListOfWords(value);
    return isPlain && !path.some((step) => SECRET_OF_IKE.has(step));
  }
  if (path[0] === 'manualSas') return path.length === 3 && SHOWN_OF_SA.has(path[2]);
  const bgp = path[0] === 'bgp' || (path[0] === 'vrfs' && path[2] === 'bgp');
  if (!bgp) return true;
  // A neighbour as a whole holds its key's place as well.
  const whole = typeof value === 'object' && path.some((step) => NEIGHBOURS.has(step));
  return !whole && !path.some((step) => KEY_OF_BGP.has(step));
}

function isListOfWords(value: unknown): boolean {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}

export function formatValue(value: unknown, path: Path): string {
  if (value === undefined) return '';
  if (!mayShow(path, value)) return 'not shown';
  const text = JSON.stringify(value);
  return text.length <= LONGEST ? text : `${text.slice(0, LONGEST - 3)}...`;
}

export function issue(path: Path, value: unknown, mistake: Mistake): Issue {
  return { path: formatPath(path), value: formatValue(value, path), ...mistake };
}

/** The value at `path`, undefined where there is none. */
export function valueAt(root: unknown, path: Path): unknown {
  let value = root;
  for (const step of path) {
    if (typeof value !== 'object' || value === null) return undefined;
    value = Object.hasOwn(value, step) ? Reflect.get(value, step) : undefined;
  }
  return value;
}

/** "a string", "an array", ... for messages. */
export function typeInWords(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'a list';
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}

/** One issue in one line: `PATH: REASON (VALUE): REMEDY`. */
export function formatIssue({ path, value, reason, remedy }: Issue): string {
  const shown = value === '' ? '' : ` (${value})`;
  const where = path === WHOLE ? '' : `${path}: `;
  return `${where}${reason}${shown}${remedy === '' ? '' : `: ${remedy}`}`;
}
