// SPDX-License-Identifier: Apache-2.0
/** The worker's threads and EAL arguments. */
import { DEFAULT_LCORES } from '../defaults.js';
import { parseCpuList } from '../scalars.js';
import type { Context } from './context.js';

/** EAL options that would break what Sealane relies on, and what to use in their place. */
const REFUSED: ReadonlyMap<string, string> = new Map([
  ['--vdev', 'device: { vdev: "..." } of an interface: ports are made while running'],
  ['--file-prefix', 'instance: each has a prefix of its own'],
  ['--proc-type', 'nothing: a worker is always a primary process'],
]);

export function checkWorker(ctx: Context): void {
  const { lcores = DEFAULT_LCORES, cpus, eal = [] } = ctx.config.worker ?? {};
  const available = cpus === undefined ? undefined : parseCpuList(cpus);
  if (available !== undefined && available.length < lcores) {
    ctx.warn(['worker', 'cpus'], {
      reason: `${available.length} CPU(s) for ${lcores} packet-path threads`,
      remedy: 'as many CPUs as lcores',
    });
  }
  eal.forEach((argument, i) => {
    const instead = REFUSED.get(argument.split('=')[0] ?? '');
    if (instead === undefined) return;
    const reason = 'an EAL option that Sealane sets itself';
    ctx.fail(['worker', 'eal', i], { reason, remedy: `use ${instead}` });
  });
}
