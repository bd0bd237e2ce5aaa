// SPDX-License-Identifier: Apache-2.0
/** Protections, encapsulations and export classes, which static and BGP exports share. */

export type Protection = 'encrypt' | 'authenticate' | 'tunnel' | 'mpls';
export type Encapsulation = 'gre' | 'ip';

/**
 * Which packets an exported label, and the routes behind it, accept (policy-model 1-4):
 * every combination of the three sets.
 */
export interface ExportClass {
  readonly protections: readonly Protection[];
  /** Service providers it is exported to, by name; default the own one. */
  readonly toSps?: readonly string[];
  /** Default both. */
  readonly encapsulations?: readonly Encapsulation[];
  /** Protection is asked of other SPs only: inside the own SP plain MPLS will do (P §2.7 case ii). */
  readonly clearInsideOwnSp?: boolean;
}
