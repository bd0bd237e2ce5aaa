// SPDX-License-Identifier: Apache-2.0
/** Queues of CE interfaces: what goes with what. */
import { suggest } from '../../lib/suggest.js';
import { DEFAULT_CLASS, DEFAULT_MTU } from '../defaults.js';
import type { Path } from '../issues.js';
import type { CeInterface, EgressQueue } from '../types.js';
import type { Context } from './context.js';

/** Ethernet header and two tags. */
const LINK_BYTES = 22;

export function checkEgress(ctx: Context): void {
  for (const [name, configured] of Object.entries(ctx.config.interfaces)) {
    if (configured.role !== 'ce' || configured.egress === undefined) continue;
    checkOne(ctx, ['interfaces', name, 'egress'], configured.egress, configured.mtu);
  }
}

function checkOne(
  ctx: Context,
  path: Path,
  { rate, burst, queues = [] }: NonNullable<CeInterface['egress']>,
  mtu = DEFAULT_MTU,
): void {
  if (rate === undefined && queues.length === 0 && ctx.whole(...path)) {
    ctx.fail(path, { reason: 'neither a rate nor queues', remedy: 'one of them, or no egress' });
  }
  if (burst !== undefined && rate === undefined) {
    const reason = 'there is no rate it belongs to';
    ctx.fail([...path, 'burst'], { reason, remedy: 'a rate as well' });
  }
  if (burst !== undefined && burst < mtu + LINK_BYTES) {
    const reason = "less than a frame of the interface's MTU";
    ctx.fail([...path, 'burst'], { reason, remedy: `at least ${mtu + LINK_BYTES}` });
  }
  const seen = new Set<string>();
  queues.forEach((queue, i) => {
    const at = [...path, 'queues', i];
    checkQueue(ctx, at, queue);
    if (seen.has(queue.class)) {
      const reason = 'has a queue already';
      ctx.fail([...at, 'class'], { reason, remedy: 'one queue for each class' });
    }
    seen.add(queue.class);
  });
}

function checkQueue(ctx: Context, path: Path, queue: EgressQueue): void {
  const known = [DEFAULT_CLASS, ...Object.keys(ctx.config.classes ?? {})];
  if (!known.includes(queue.class) && ctx.whole('classes')) {
    const remedy = suggest(queue.class, known, 'classes');
    ctx.fail([...path, 'class'], { reason: 'no such class', remedy });
  }
  if (queue.priority === true && queue.weight !== undefined) {
    const reason = 'a queue of strict priority has none';
    ctx.fail([...path, 'weight'], { reason, remedy: 'no weight, or no priority' });
  }
}
