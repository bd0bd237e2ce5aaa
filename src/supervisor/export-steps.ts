// SPDX-License-Identifier: Apache-2.0
/** Export rules on their way from one class to another (policy-model 24): time, `tighten now`, and `show`. */
import type { Tables } from '../forwarding/addon/api.js';
import type { TransitionRow } from '../rpc/backend.js';
import type { BgpService } from '../vpn/bgp/service.js';
import { changesOf, type Change, type ChangeFilter } from '../vpn/export-book.js';
import { NO_EXPORT_STATES, type Classes } from '../vpn/export-changes.js';
import { classesText, classText } from '../vpn/label-plan.js';
import { labelClass, type RouteLabels } from '../vpn/route-labels.js';
import type { Committer } from './commit.js';
import type { Instance } from './instance.js';
import type { Plan } from './plan.js';
import type { Serial } from './serial.js';

export const STEP_MS = 1_000;

export interface ExportStepsDeps {
  readonly instance: Pick<Instance, 'inForce'>;
  readonly tables: Pick<Tables, 'labelCounters'>;
  readonly committer: Pick<Committer, 'step' | 'endChanges'>;
  readonly serial: Pick<Serial, 'run'>;
  readonly bgp: Pick<BgpService, 'told'>;
  readonly routeLabels: Pick<RouteLabels, 'labelsOf' | 'ending' | 'endNow'>;
  /** Seconds since 1970. */
  readonly clock: () => number;
}

/** Packets that came by a label, as of two looks at its counter. */
interface Seen {
  readonly packets: bigint;
  /** Between the last look and the one before. */
  readonly lately: bigint;
}

export class ExportSteps {
  readonly #deps: ExportStepsDeps;
  #seen = new Map<number, Seen>();

  constructor(deps: ExportStepsDeps) {
    this.#deps = deps;
  }

  #changes(): { plan: Plan; changes: readonly Change[] } | undefined {
    const plan = this.#deps.instance.inForce?.plan;
    const changes = changesOf(plan?.exports ?? NO_EXPORT_STATES);
    return plan === undefined || changes.length === 0 ? undefined : { plan, changes };
  }

  /** To be called every {@link STEP_MS}. */
  async step(): Promise<void> {
    const found = this.#changes();
    this.#look(found === undefined ? [] : [...this.#rows(found.plan, found.changes)]);
    if (found === undefined) return;
    const { serial, committer, bgp } = this.#deps;
    await serial.run(async () => committer.step(bgp.told));
  }

  #look(rows: readonly { readonly labels: readonly number[] }[]): void {
    const before = this.#seen;
    this.#seen = new Map();
    for (const label of rows.flatMap(({ labels }) => labels)) {
      const { packets } = this.#deps.tables.labelCounters(label);
      this.#seen.set(label, { packets, lately: packets - (before.get(label)?.packets ?? packets) });
    }
  }

  /** Ends changes at once: old labels go. What was ended, a line each. */
  async endNow(filter: ChangeFilter): Promise<readonly string[]> {
    const { serial, committer } = this.#deps;
    return serial.run(async () => {
      const before = [...this.rows()];
      await committer.endChanges(filter);
      const isAll = filter.vrf === undefined && filter.rule === undefined;
      const swaps = isAll ? this.#deps.routeLabels.endNow() : 0;
      const left = new Set([...this.rows()].map(({ vrf, rule }) => `${vrf} ${rule}`));
      const ended = before
        .filter(({ vrf, rule }) => !left.has(`${vrf} ${rule}`))
        .map(
          ({ vrf, rule, labels, from, to }) => `${vrf} ${rule}: label ${labels}: ${from} -> ${to}`,
        );
      return swaps === 0 ? ended : [...ended, `${swaps} labels of routes passed on`];
    });
  }

  /** For `status`: how many rules are on their way; empty: none. */
  get words(): readonly string[] {
    const count = this.#changes()?.changes.length ?? 0;
    const swaps = this.#deps.routeLabels.ending;
    return [
      ...(count === 0
        ? []
        : [`${count} export rules change their class: see sealane show transitions`]),
      ...(swaps === 0
        ? []
        : [
            `${swaps} labels of routes passed on are of a class that is allowed no more, and end soon`,
          ]),
    ];
  }

  *rows(): Generator<TransitionRow> {
    const found = this.#changes();
    if (found === undefined) return;
    const { clock } = this.#deps;
    for (const { labels, until, ...row } of this.#rows(found.plan, found.changes)) {
      const seen = labels.flatMap((label) => this.#seen.get(label) ?? []);
      const packets = labels.map((label) => this.#deps.tables.labelCounters(label).packets);
      yield {
        ...{ ...row, labels: labels.join(' ') },
        secondsLeft: until === undefined ? undefined : Math.max(0, Math.ceil(until - clock())),
        packets: packets.reduce((sum, one) => sum + one, 0n),
        recentPackets: seen.reduce((sum, one) => sum + one.lately, 0n),
      };
    }
  }

  *#rows(plan: Plan, changes: readonly Change[]): Generator<Step> {
    const { sps } = plan;
    for (const { vrf, rule, state } of changes) {
      const common = { vrf, rule: rule.replace(/^bgp\//, ''), to: classText(state.target, sps) };
      const of = (classes: Classes): Pick<Step, 'from' | 'labels'> => ({
        from: classesText(classes, sps),
        labels: this.#labelsOf(plan, vrf, rule, classes),
      });
      if (state.announcing !== undefined) {
        yield { ...common, ...of(state.classes), step: 'announce', until: state.announcing };
      }
      for (const { classes, until } of state.leaving) {
        const step = until === undefined ? 'telling' : 'grace';
        yield { ...common, ...of(classes), step, until };
      }
    }
  }

  /** Labels of a rule with these classes: the VRF's, and those of routes. */
  #labelsOf(plan: Plan, vrf: string, rule: string, classes: Classes): number[] {
    const text = classesText(classes, plan.sps);
    const mine = plan.policy.labels.filter(
      (one) =>
        one.vrf === vrf && (one.rules.includes(rule) || one.leaving?.includes(rule) === true),
    );
    const ofVrf = mine
      .filter(({ label }) => plan.labelRegister.labels[String(label)]?.text.endsWith(`, ${text}`))
      .map(({ label }) => label);
    return [...ofVrf, ...this.#deps.routeLabels.labelsOf(labelClass(vrf, text))];
  }
}

interface Step {
  readonly vrf: string;
  readonly rule: string;
  readonly from: string;
  readonly to: string;
  readonly step: TransitionRow['step'];
  readonly labels: readonly number[];
  /** Seconds since 1970. */
  readonly until: number | undefined;
}
