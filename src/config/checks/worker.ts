// SPDX-License-Identifier: Apache-2.0
/** The worker's EAL arguments. */
import type { Context } from './context.js';

const DEVICES = 'device: { vdev: "..." } of an interface: ports are made while running';
const THREADS = 'worker.cpus: threads are mapped to CPUs by it';

/** EAL options that would break what Sealane relies on, and what to use in their place. */
const REFUSED: ReadonlyMap<string, string> = new Map([
  ['--vdev', DEVICES],
  ['--file-prefix', 'instance: each has a prefix of its own'],
  ['--proc-type', 'nothing: a worker is always a primary process'],
  ['--lcores', THREADS],
  ['-l', THREADS],
  ['-c', THREADS],
]);

/** `--option=value`, `--option` or `-xVALUE`: the option alone. */
function optionOf(argument: string): string {
  return argument.startsWith('--') ? (argument.split('=')[0] ?? '') : argument.slice(0, 2);
}

export function checkWorker(ctx: Context): void {
  const { eal = [] } = ctx.config.worker ?? {};
  eal.forEach((argument, i) => {
    const instead = REFUSED.get(optionOf(argument));
    if (instead === undefined) return;
    const reason = 'an EAL option that Sealane sets itself';
    ctx.fail(['worker', 'eal', i], { reason, remedy: `use ${instead}` });
  });
}
