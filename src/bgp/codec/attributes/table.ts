// SPDX-License-Identifier: Apache-2.0
/** Every attribute that is understood, by its type. */
import { aggregator, as4Aggregator } from './aggregator.js';
import { as4Path, asPath } from './as-path.js';
import { atomicAggregate } from './atomic-aggregate.js';
import { clusterList } from './cluster-list.js';
import { communities } from './communities.js';
import { extendedCommunities, ipv6ExtendedCommunities } from './extended-communities.js';
import { largeCommunities } from './large-communities.js';
import { localPref } from './local-pref.js';
import { med } from './med.js';
import { mpReach, mpUnreach } from './mp-reach.js';
import { nextHop } from './next-hop.js';
import { originatorId } from './originator-id.js';
import { origin } from './origin.js';
import { tunnelEncapsulation } from './tunnel-encapsulation.js';
import type { AttributeCodec } from './types.js';

/** In order of type. */
export const ATTRIBUTES: readonly AttributeCodec[] = [
  origin,
  asPath,
  nextHop,
  med,
  localPref,
  atomicAggregate,
  aggregator,
  communities,
  originatorId,
  clusterList,
  mpReach,
  mpUnreach,
  extendedCommunities,
  as4Path,
  as4Aggregator,
  tunnelEncapsulation,
  ipv6ExtendedCommunities,
  largeCommunities,
];

/** By type code, 256 entries. */
export const ATTRIBUTE_BY_TYPE: readonly (AttributeCodec | undefined)[] = Array.from(
  { length: 256 },
  (_, type) => ATTRIBUTES.find((codec) => codec.type === type),
);

/** "AS_PATH", or "attribute 99" for one that is not understood. */
export const attributeName = (type: number): string =>
  ATTRIBUTE_BY_TYPE[type]?.name ?? `attribute ${type}`;
