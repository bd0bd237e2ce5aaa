// SPDX-License-Identifier: Apache-2.0
/** What a configuration says of IKE, its files read. */
import type { Config, Ike } from '../config/types.js';
import { loadIke, type LoadedIke } from '../ike/auth/load.js';
import type { AuthSetup } from '../ike/auth/setup.js';
import { compileIkePolicy } from '../ike/policy-compile.js';
import type { IkePolicy } from '../ike/policy.js';
import { parseAddress } from '../lib/ip.js';
import { messageOf, remedyOf, SupervisorError } from './errors.js';

/** Secret: keys in `auth` and `policy`. */
export interface IkePlan {
  readonly auth: AuthSetup;
  readonly policy: IkePolicy;
  /** Tunnel addresses, where IKE listens. */
  readonly addresses: readonly Uint8Array[];
}

/** undefined: no IKE. Throws KEY for files that cannot be used. */
export async function planIke(config: Config): Promise<IkePlan | undefined> {
  if (config.ike === undefined) return undefined;
  const { setup, ppks } = await load(config.ike);
  return {
    ...{ auth: setup, policy: compileIkePolicy(config, ppks) },
    addresses: config.core.tunnelAddresses.flatMap((text) => parseAddress(text) ?? []),
  };
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
