// SPDX-License-Identifier: Apache-2.0
/** What a configuration says of IKE, its files read. */
import type { Config, Ike } from '../config/types.js';
import { loadIke, type LoadedIke, type StatusTable } from '../ike/auth/load.js';
import { AuthSetupError, type AuthSetup } from '../ike/auth/setup.js';
import { checkSetup } from '../ike/auth/state.js';
import { compileIkePolicy } from '../ike/policy-compile.js';
import type { IkePolicy } from '../ike/policy.js';
import type { CertificateLibrary } from '../lib/certificate-api.js';
import { parseAddress } from '../lib/ip.js';
import { messageOf, remedyOf, SupervisorError } from './errors.js';

/** Secret: keys in `auth` and `policy`. */
export interface IkePlan {
  readonly auth: AuthSetup;
  readonly policy: IkePolicy;
  /** What `auth` has of files that are looked at again (ike-status-files.ts). */
  readonly status: StatusTable;
  /** Tunnel addresses, where IKE listens. */
  readonly addresses: readonly Uint8Array[];
}

/** undefined: no IKE. Throws KEY for files that cannot be used, and for what does not fit together. */
export async function planIke(
  config: Config,
  certificates: CertificateLibrary,
): Promise<IkePlan | undefined> {
  if (config.ike === undefined) return undefined;
  const { setup, ppks, status } = await load(config.ike);
  const plan = {
    ...{ auth: setup, policy: compileIkePolicy(config, ppks), status },
    addresses: config.core.tunnelAddresses.flatMap((text) => parseAddress(text) ?? []),
  };
  check(plan, certificates);
  return plan;
}

/** Before anything is changed: what authentication could not work with must not be in force by half. */
function check(plan: IkePlan, certificates: CertificateLibrary): void {
  try {
    checkSetup(plan.auth, certificates);
  } catch (error) {
    wipeIkePlan(plan);
    if (!(error instanceof AuthSetupError)) throw error;
    const remedy = 'correct what the `ike` section says, or the files that it names';
    throw new SupervisorError('KEY', `ike: ${error.message}`, remedy, error);
  }
}

async function load(ike: Ike): Promise<LoadedIke> {
  try {
    return await loadIke(ike);
  } catch (error) {
    throw new SupervisorError('KEY', `ike: ${messageOf(error)}`, remedyOf(error), error);
  }
}

/** Forgets the keys of a plan that will not be carried out. */
export function wipeIkePlan(plan: IkePlan | undefined): void {
  for (const { psks } of plan?.auth.sps ?? []) for (const { key } of psks) key.fill(0);
}
