// SPDX-License-Identifier: Apache-2.0
/**
 * Everything about a configuration that can be decided before anything is changed. A configuration
 * that cannot be planned is refused as a whole.
 */
import type { Config } from '../config/types.js';
import { forwardingModel, type ForwardingModel, type GatewayModel } from '../forwarding/model.js';
import { gateways } from '../forwarding/project.js';
import type { VpnPolicy } from '../forwarding/rows.js';
import { NO_LABELS, planLabels, type LabelRegister } from '../vpn/label-plan.js';
import { vpnPolicy } from '../vpn/policy.js';
import { NO_EXPORT_STATES, type ExportStates } from '../vpn/export-changes.js';
import { followExports } from '../vpn/export-book.js';
import { NO_SP_TABLES, SpTables, type SpTableState } from '../vpn/sp-tables.js';
import { checkExports } from './export-file.js';
import { SupervisorError } from './errors.js';
import type { InstancePaths } from './paths.js';
import { isRecord, readState, writeState } from './state-file.js';

export interface Plan {
  readonly config: Config;
  readonly model: ForwardingModel;
  readonly policy: VpnPolicy;
  readonly gateways: readonly GatewayModel[];
  readonly sps: SpTables;
  readonly labelRegister: LabelRegister;
  /** How export rules pass from one class to another. */
  readonly exports: ExportStates;
}

/** What the state directory remembers of earlier configurations. */
export interface Memory {
  readonly labels: LabelRegister;
  readonly spTables: SpTableState;
  readonly exports: ExportStates;
  /** What a value means, or meant until lately, as a label of routes (src/vpn/route-labels.ts). */
  readonly ofRoute?: (label: number) => string | undefined;
}

/** `now`: seconds since 1970. Throws CONFIG or LABELS. */
export function makePlan(config: Config, memory: Memory, now: number): Plan {
  const sps = SpTables.assign(memory.spTables, config.ownSp, config.otherSps ?? []);
  if (sps === undefined) {
    throw new SupervisorError(
      'CONFIG',
      'more than 63 service providers',
      'remove some from otherSps',
    );
  }
  const model = forwardingModel(config);
  const { ofRoute } = memory;
  const exports = followExports(memory.exports, config, sps, now);
  const options = { states: exports, ...(ofRoute && { ofRoute }) };
  const labels = planLabels(config, sps, memory.labels, now, options);
  const [conflict] = labels.conflicts;
  if (conflict !== undefined) {
    const { vrf, rule } = conflict;
    const where = vrf === '' ? rule : `vrfs.${vrf}, export ${rule}`;
    throw new SupervisorError('LABELS', `${where}: ${conflict.reason}`, conflict.remedy);
  }
  const policy = vpnPolicy(config, sps, labels.labels, model, exports);
  const [problem] = model.problems;
  if (problem !== undefined) {
    throw new SupervisorError('CONFIG', problem, 'correct the configuration');
  }
  return {
    ...{ config, model, policy, sps, exports },
    gateways: gateways(model, policy.labels),
    labelRegister: labels.register,
  };
}

function checkLabels(value: unknown): LabelRegister | undefined {
  if (!isRecord(value) || !isRecord(value['labels'])) return undefined;
  const labels: Record<string, LabelRegister['labels'][string]> = {};
  for (const [label, stored] of Object.entries(value['labels'])) {
    const entry = checkLabel(stored);
    if (entry === undefined) return undefined;
    labels[label] = entry;
  }
  const { next, offers: stored } = value;
  const offers = stored === undefined ? undefined : checkOffers(stored);
  if (stored !== undefined && offers === undefined) return undefined;
  const register = { labels, ...(offers && { offers }) };
  if (next === undefined) return register;
  return typeof next === 'number' && Number.isInteger(next) ? { ...register, next } : undefined;
}

function checkLabel(value: unknown): LabelRegister['labels'][string] | undefined {
  if (!isRecord(value)) return undefined;
  const { meaning, text, freedAt, quarantine } = value;
  if (typeof meaning !== 'string' || typeof text !== 'string') return undefined;
  if (!isOptionalNumber(freedAt) || !isOptionalNumber(quarantine)) return undefined;
  return {
    ...{ meaning, text },
    ...(freedAt !== undefined && { freedAt }),
    ...(quarantine !== undefined && { quarantine }),
  };
}

const isOptionalNumber = (value: unknown): value is number | undefined =>
  value === undefined || typeof value === 'number';

function checkOffers(value: unknown): LabelRegister['offers'] {
  if (!isRecord(value)) return undefined;
  const { offered, earlier } = value;
  if (typeof offered !== 'number') return undefined;
  if (earlier === undefined) return { offered };
  if (!isRecord(earlier)) return undefined;
  const { offered: before, until } = earlier;
  if (typeof before !== 'number' || typeof until !== 'number') return undefined;
  return { offered, earlier: { offered: before, until } };
}

function checkSpTables(value: unknown): SpTableState | undefined {
  if (!isRecord(value) || !isRecord(value['assigned']) || !Array.isArray(value['free'])) {
    return undefined;
  }
  const isTable = (n: unknown): n is number =>
    typeof n === 'number' && Number.isInteger(n) && n >= 1 && n <= 63;
  const assigned: Record<string, number> = {};
  for (const [name, table] of Object.entries(value['assigned'])) {
    if (!isTable(table)) return undefined;
    assigned[name] = table;
  }
  const free = value['free'].filter(isTable);
  return free.length === value['free'].length ? { assigned, free } : undefined;
}

export function readMemory(paths: InstancePaths): Memory {
  return {
    labels: readState(paths.labelRegister, checkLabels) ?? NO_LABELS,
    spTables: readState(paths.spTables, checkSpTables) ?? NO_SP_TABLES,
    exports: readState(paths.exports, checkExports) ?? NO_EXPORT_STATES,
  };
}

/**
 * To be called before the plan is carried out: a label in use that is not registered could be given
 * another meaning later; one registered but not used only stays in quarantine.
 */
export function remember(paths: InstancePaths, plan: Plan): void {
  writeState(paths.spTables, plan.sps.state);
  writeState(paths.labelRegister, plan.labelRegister);
  writeState(paths.exports, { vrfs: plan.exports });
}
