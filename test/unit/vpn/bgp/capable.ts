// SPDX-License-Identifier: Apache-2.0
/** A PE that is capable of so much and no more, for tests of what is chosen. */
import type { Encapsulation, Protection } from '../../../../src/config/types.js';
import type { Capability } from '../../../../src/vpn/bgp/capability.js';
import type { ImportTerms, TunnelChoice } from '../../../../src/vpn/bgp/ingress.js';
import { equalBytes } from '../../../../src/lib/ip.js';
import { parseAddress } from '../../../../src/lib/ip.js';

export const OWN = parseAddress('192.0.2.1')!;
export const REMOTE = parseAddress('192.0.2.2')!;

export interface Able {
  /** By default everything. */
  readonly can?: readonly TunnelChoice[];
  /** Of `can`, those that the configuration names. */
  readonly configured?: readonly TunnelChoice[];
  readonly spOf?: (remote: string) => string | undefined;
}

const isIn = (
  list: readonly TunnelChoice[],
  protection: Protection,
  encapsulation: Encapsulation | 'none',
): boolean =>
  list.some((one) => one.protection === protection && one.encapsulation === encapsulation);

export const capability = ({
  can,
  configured = [],
  spOf = () => 'own',
}: Able = {}): Capability => ({
  spOf,
  isOwn: (address) => equalBytes(address, OWN),
  isConfigured: (remote, protection, encapsulation) =>
    equalBytes(remote, REMOTE) && isIn(configured, protection, encapsulation),
  cannot: (_, protection, encapsulation) =>
    can === undefined || isIn(can, protection, encapsulation) ? undefined : 'not capable of it',
});

export const TERMS: ImportTerms = {
  ...{ floor: () => 'mpls', fromSps: ['own'], preferProtected: true, unsignalled: undefined },
  protections: ['encrypt', 'authenticate', 'tunnel'],
  scope: { ownSp: 'own', ownSpNumber: 65001, insideOwnSp: false },
};
