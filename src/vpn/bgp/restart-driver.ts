// SPDX-License-Identifier: Apache-2.0
/** Carries {@link Restart} out: looks now and then, lets selection begin, takes out the rows of before. */
import { awaited, DEFERRED, Restart, type IpVersion } from './restart.js';
import type { Neighbour } from './neighbours.js';
import { familiesOf, familyName } from '../../bgp/codec/families.js';
import type { Clock, Scheduler } from '../../bgp/rib/api.js';
import type { Rib } from '../../bgp/rib/rib.js';
import type { Tables } from '../../forwarding/addon/api.js';
import type { Logger } from '../../lib/log.js';

const CHECK_MS = 100;
const STALE_ROWS = 2_048;

export interface RestartSurroundings {
  readonly tables: Pick<Tables, 'vrfs' | 'removeRoutes'>;
  readonly clock: Clock;
  readonly scheduler: Scheduler;
  readonly log: Logger;
  readonly neighbours: () => ReadonlyMap<string, Neighbour>;
  /** Tunnels that routes lead to have no SA yet. */
  readonly pending: () => boolean;
  /** What was there before is there again, or will not come any more. */
  readonly over: () => void;
}

export class RestartDriver {
  readonly #around: RestartSurroundings;
  #restart: Restart | undefined;
  #closed = false;
  /** Sweeps that go on, and who waits for their end. */
  #sweeping = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(around: RestartSurroundings) {
    this.#around = around;
  }

  /** While we are the restarting speaker of RFC 4724. */
  get active(): boolean {
    return this.#restart !== undefined;
  }

  /** RFC 4724 §4.1: neighbours are told, and rows of before replaced, once everything is there again. */
  begin(rib: Rib, selectionDeferralMs: number): void {
    this.#restart = new Restart(this.#around.clock.now(), selectionDeferralMs);
    rib.defer(DEFERRED);
    this.#watch(rib, this.#restart);
  }

  cancel(): void {
    this.#restart = undefined;
  }

  /** Nothing is written from now on. */
  close(): void {
    this.#closed = true;
    this.cancel();
  }

  #watch(rib: Rib, restart: Restart): void {
    const { clock, scheduler, log, neighbours, pending, over } = this.#around;
    scheduler.after(CHECK_MS, () => {
      if (this.#restart !== restart) return;
      const all = awaited(neighbours(), rib.core.peers);
      const { select, sweep } = restart.step(clock.now(), all, rib.selecting, pending());
      if (select !== 0) {
        log.notice('route selection begins after the restart', {
          families: familiesOf(select).map(familyName).join(' '),
        });
        rib.select(select);
      }
      for (const version of sweep) this.sweep(version, true);
      if (restart.over) {
        this.cancel();
        over();
      } else {
        this.#watch(rib, restart);
      }
    });
  }

  /** Takes BGP's rows out of the tables, in slices; `staleOnly`: those of before the start. */
  sweep(version: IpVersion, staleOnly: boolean): void {
    this.#sweeping++;
    this.#slice(version, staleOnly);
  }

  #slice(version: IpVersion, staleOnly: boolean): void {
    if (this.#closed) return;
    const { tables, scheduler } = this.#around;
    for (const { id } of tables.vrfs()) {
      if (tables.removeRoutes(id, version, 'bgp', staleOnly, STALE_ROWS) < STALE_ROWS) continue;
      scheduler.soon(() => {
        this.#slice(version, staleOnly);
      });
      return;
    }
    this.#sweeping--;
    if (this.#sweeping > 0) return;
    for (const done of this.#waiting.splice(0)) done();
  }

  /** Resolves when no sweep goes on; never after {@link close}. */
  swept(): Promise<void> {
    return new Promise((done) => {
      if (this.#sweeping === 0) done();
      else this.#waiting.push(done);
    });
  }
}
