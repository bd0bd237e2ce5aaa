// SPDX-License-Identifier: Apache-2.0
/** The whole of validation: plain data, then each value alone, then all of them together. */
import { checkBgp } from './checks/bgp.js';
import { Context } from './checks/context.js';
import { checkExports } from './checks/exports.js';
import { checkIke } from './checks/ike.js';
import { checkInterfaces } from './checks/interfaces.js';
import { checkMarking } from './checks/marking.js';
import { checkNames } from './checks/names.js';
import { checkEgress } from './checks/egress.js';
import { checkQos } from './checks/qos.js';
import { checkReferences } from './checks/references.js';
import { checkRoutes } from './checks/routes.js';
import { checkSas } from './checks/sas.js';
import { checkLsps } from './checks/lsps.js';
import { checkTunnels } from './checks/tunnels.js';
import { checkWorker } from './checks/worker.js';
import type { Issue } from './issues.js';
import { plainCopy } from './plain.js';
import { checkStructure } from './structure.js';
import type { Config } from './types.js';

export type Validation =
  | { readonly ok: true; readonly config: Config; readonly warnings: readonly Issue[] }
  | { readonly ok: false; readonly issues: readonly Issue[]; readonly warnings: readonly Issue[] };

/** Finds every mistake at once. Never throws; the configuration returned is frozen. */
export function validateConfig(input: unknown): Validation {
  const plain = plainCopy(input);
  if (plain.issues.length > 0) return { ok: false, issues: plain.issues, warnings: [] };
  const structure = checkStructure(plain.value);
  if (structure.rest === undefined) return { ok: false, issues: structure.issues, warnings: [] };
  const ctx = new Context(plain.value, structure.rest, structure);
  checkReferences(ctx);
  checkNames(ctx);
  checkWorker(ctx);
  checkInterfaces(ctx);
  checkRoutes(ctx);
  checkExports(ctx);
  checkTunnels(ctx);
  checkLsps(ctx);
  checkMarking(ctx);
  checkQos(ctx);
  checkEgress(ctx);
  checkSas(ctx);
  checkIke(ctx);
  checkBgp(ctx);
  const issues = [...structure.issues, ...ctx.issues];
  const { warnings } = ctx;
  return issues.length > 0
    ? { ok: false, issues, warnings }
    : { ok: true, config: structure.rest, warnings };
}
