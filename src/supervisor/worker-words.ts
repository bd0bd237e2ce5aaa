// SPDX-License-Identifier: Apache-2.0
/** What a worker says of itself, which knows of options alone, in the words of the configuration. */

/** Options of the worker that its messages name, as the configuration has them. */
const CONFIGURED_AS: readonly (readonly [option: string, key: string])[] = [
  ['use --huge auto', "set worker.hugepages: 'auto'"],
  ['use --no-huge', "set worker.hugepages: 'never'"],
  ['--memory-mb', 'worker.memoryMb'],
  ['--lcore-map', 'worker.cpus'],
  ['--lcores', 'worker.lcores'],
  ['the arguments after --', 'worker.eal'],
  ['arguments after --', 'arguments in worker.eal'],
];

/** What a worker says, in the words of the configuration. */
export function configuredWords(said: string): string {
  return CONFIGURED_AS.reduce((text, [option, key]) => text.replaceAll(option, key), said);
}

/**
 * The last error behind the first `from` bytes of a log, else the last line, without time and level, and
 * in the words of the configuration. What a library leaves in a buffer may come behind the error.
 */
export function lastWords(log: string): string | undefined {
  const lines = log.split('\n').filter((line) => line.trim() !== '');
  const last = lines.findLast((line) => /^\S+Z error /.test(line)) ?? lines.at(-1);
  const words = last?.replace(/^\S+Z (error|warning|info) /, '');
  return words === undefined ? undefined : configuredWords(words);
}
