// SPDX-License-Identifier: Apache-2.0
/** Routes that have no label because none is to be had, until they are asked about again. */
import type { Logger } from '../lib/log.js';
import type { LabelledRoute, LabelSource } from './label-wish.js';

/** They ask again so often: routes may have gone, or others' labels with them. */
const REFUSED_MS = 60_000;
/** Asked again at once when some values have become free, beside as many as those: the rest has its turn later. */
const SOME = 256;

/** Of routes that nobody sends us but a VRF of ours has. */
const OURS = '';

export class RefusedRoutes {
  readonly #log: Logger;
  readonly #routes = new Map<string, { readonly route: LabelledRoute; readonly of: string }>();
  readonly #counts = new Map<string, number>();
  #since = 0;

  constructor(log: Logger) {
    this.#log = log;
  }

  get size(): number {
    return this.#routes.size;
  }

  /** How many are waiting, in words, a line for each cause. */
  get words(): readonly string[] {
    return [...this.#counts].map(([of, count]) =>
      of === OURS
        ? `${count} routes not exported: no label is free`
        : `${count} routes of SP ${of} not passed on: it has used up its labels`,
    );
  }

  /** `now`: monotonic, ms; `source`: whose share is used up; undefined: there is no label for anybody. */
  add(key: string, route: LabelledRoute, source: LabelSource | undefined, now: number): void {
    if (this.#routes.size === 0) this.#since = now;
    this.delete(key);
    const of = source?.name ?? OURS;
    const count = this.#counts.get(of) ?? 0;
    if (count === 0) this.#complain(source);
    this.#counts.set(of, count + 1);
    this.#routes.set(key, { route, of });
  }

  #complain(source: LabelSource | undefined): void {
    if (source === undefined) {
      const remedy = 'labels per VRF, or fewer routes; values come back after their quarantine';
      this.#log.error('no label is free: routes are not exported', { remedy });
      return;
    }
    const remedy =
      'see why it changes labels or next hops; values come back after their quarantine';
    const { name: sp, most } = source;
    this.#log.error('an SP has used up its swap labels: routes of it are not passed on', {
      ...{ sp, most, remedy },
    });
  }

  delete(key: string): void {
    const found = this.#routes.get(key);
    if (found === undefined) return;
    this.#routes.delete(key);
    const left = (this.#counts.get(found.of) ?? 1) - 1;
    if (left === 0) this.#counts.delete(found.of);
    else this.#counts.set(found.of, left);
  }

  /** Those that are to ask again now, the longest refused first. `given`: values that have become free. */
  take(given: number, now: number): LabelledRoute[] {
    const late = this.#since + REFUSED_MS <= now;
    if (this.#routes.size === 0 || (given === 0 && !late)) return [];
    const most = late ? Infinity : given + SOME;
    const routes: LabelledRoute[] = [];
    for (const [key, { route }] of this.#routes) {
      if (routes.length >= most) break;
      routes.push(route);
      this.delete(key);
    }
    return routes;
  }

  clear(): void {
    this.#routes.clear();
    this.#counts.clear();
  }
}
