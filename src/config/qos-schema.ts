// SPDX-License-Identifier: Apache-2.0
/** Schemas of qos-types.ts. */
import { DSCP_NAMES, dscpOf } from '../lib/dscp.js';
import { suggest } from '../lib/suggest.js';
import { entity } from './common-schema.js';
import { boolean, integer, oneOf, scalar } from './scalars.js';
import { byType, choiceByKey, list, strict, table } from './shapes.js';

/** layout.h: what fits the fixed point of the worker's clock. */
const MIN_RATE = 8000;
const MAX_RATE = 10_000_000_000_000;
const MAX_BURST = 2 ** 28;

const dscp = scalar<number | string>('a DSCP', (value) => {
  const known = typeof value === 'number' || typeof value === 'string' ? dscpOf(value) : undefined;
  if (known !== undefined && (typeof value === 'number' || typeof value === 'string')) return value;
  const remedy =
    typeof value === 'string' ? suggest(value, DSCP_NAMES, 'names') : '0..63, or a name like "ef"';
  return { reason: 'no DSCP', remedy };
});

const rate = integer(MIN_RATE, MAX_RATE, 'a rate in bit/s');
const bytes = (least: number): ReturnType<typeof integer> => integer(least, MAX_BURST, 'bytes');

const action = byType('"pass", "drop" or { dscp: DSCP }', {
  string: oneOf('pass', 'drop'),
  object: strict({ dscp }),
});

const policer = strict({
  rate,
  burst: bytes(1),
  excessBurst: bytes(0).exactOptional(),
  peakRate: rate.exactOptional(),
  peakBurst: bytes(1).exactOptional(),
  colourAware: boolean.exactOptional(),
  green: action.exactOptional(),
  yellow: action.exactOptional(),
  red: action.exactOptional(),
});

export const police = choiceByKey({ rate: policer, classes: strict({ classes: table(policer) }) });
/** layout.h: SL_EGRESS_MAX_LIMIT; a pool of packet buffers is seldom larger. */
const MAX_LIMIT = 65_535;

export const egress = strict({
  rate: rate.exactOptional(),
  burst: bytes(1).exactOptional(),
  queues: list(
    strict({
      class: entity,
      priority: boolean.exactOptional(),
      weight: integer(1, 100, 'a weight').exactOptional(),
      limit: integer(1, MAX_LIMIT, 'packets').exactOptional(),
    }),
  ).exactOptional(),
});
export const trafficClasses = table(strict({ dscp: list(dscp) }));
