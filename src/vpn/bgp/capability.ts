// SPDX-License-Identifier: Apache-2.0
/**
 * Which ways of sending to another PE this one is capable of, by its configuration alone (policy-model 8): whether an
 * SA can be had in fact, or a label switched path is there, never changes the answer.
 */
import { IkeReach } from '../../config/checks/ike-reach.js';
import type { Config, Encapsulation, Protection } from '../../config/types.js';
import type { TunnelModel } from '../../forwarding/model.js';
import { equalBytes, familyOf, formatAddress, parseAddress } from '../../lib/ip.js';
import { spOfRemotes } from './identity.js';

export interface Capability {
  /** The SP that a tunnel address belongs to; undefined: to none (policy-model 10, 14). */
  readonly spOf: (remote: string) => string | undefined;
  /** One of our own tunnel addresses. */
  readonly isOwn: (address: Uint8Array) => boolean;
  /** Whether the configuration names a tunnel of this kind: local policy asks for it (P1). */
  readonly isConfigured: (
    remote: Uint8Array,
    protection: Protection,
    encapsulation: Encapsulation | 'none',
  ) => boolean;
  /** Why there can be no such tunnel; undefined: there can. */
  readonly cannot: (
    remote: Uint8Array,
    protection: Protection,
    encapsulation: Encapsulation | 'none',
  ) => string | undefined;
}

const NAMES: Readonly<Record<Encapsulation, string>> = { gre: 'MPLS-in-GRE', ip: 'MPLS-in-IP' };

export function capabilityOf(
  config: Config,
  configured: Iterable<Pick<TunnelModel, 'remote' | 'protection' | 'encapsulation'>>,
): Capability {
  const own = config.core.tunnelAddresses.flatMap((text) => parseAddress(text) ?? []);
  const reach = new IkeReach(config.ike);
  const keyOf = (remote: Uint8Array, protection: string, encapsulation: string): string =>
    `${formatAddress(remote)} ${protection} ${encapsulation}`;
  const known = new Set(
    [...configured].map((one) => keyOf(one.remote, one.protection, one.encapsulation)),
  );
  const isConfigured: Capability['isConfigured'] = (remote, protection, encapsulation) =>
    known.has(keyOf(remote, protection, encapsulation));
  const encapsulations = config.core.encapsulations ?? ['gre', 'ip'];
  return {
    spOf: spOfRemotes(config),
    isOwn: (address) => own.some((one) => equalBytes(one, address)),
    isConfigured,
    cannot(remote, protection, encapsulation) {
      if (isConfigured(remote, protection, encapsulation)) return undefined;
      if (!own.some((one) => familyOf(one) === familyOf(remote))) {
        return `core.tunnelAddresses has no IPv${familyOf(remote) ?? 0} address`;
      }
      if (protection === 'mpls') return undefined;
      if (encapsulation === 'none' || !encapsulations.includes(encapsulation)) {
        return `core.encapsulations has no ${encapsulation === 'none' ? 'tunnel' : NAMES[encapsulation]}`;
      }
      if (protection === 'tunnel') return undefined;
      if (config.ike === undefined) return 'there is no `ike` in the configuration';
      return reach.mistakeOf({ remote: formatAddress(remote), protection })?.reason;
    },
  };
}
