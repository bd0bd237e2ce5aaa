// SPDX-License-Identifier: Apache-2.0
import type { Config } from '../../config/types.js';
import type { ExportStates } from '../export-changes.js';
import { vrfExports } from '../export-rules.js';
import { classesText } from '../label-plan.js';
import { labelClass } from '../route-labels.js';
import type { SpTables } from '../sp-tables.js';

export interface RouteClasses {
  readonly told: ReadonlySet<string>;
  readonly leaving: ReadonlySet<string>;
}

/** By which classes routes are told, and were until lately: see RouteLabels.keepClasses. */
export function routeClasses(inForce: {
  readonly config: Config;
  readonly sps: SpTables;
  readonly states: ExportStates;
}): RouteClasses {
  const { config, sps, states } = inForce;
  const told = new Set<string>();
  const leaving = new Set<string>();
  for (const vrf of Object.keys(config.vrfs ?? {})) {
    for (const rule of vrfExports(config, vrf, states[vrf])) {
      if (rule.bgp === undefined) continue;
      told.add(labelClass(vrf, classesText(rule.classes, sps)));
      for (const { classes } of rule.leaving) {
        leaving.add(labelClass(vrf, classesText(classes, sps)));
      }
    }
  }
  return { told, leaving };
}
