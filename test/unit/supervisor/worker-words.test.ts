// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';
import { configuredWords, lastWords } from '../../../src/supervisor/worker-words.js';

const at = '2026-01-02T03:04:05.678Z';

it('names what to configure in what it replies', () => {
  expect(configuredWords('start the worker with --memory-mb 248 or more, or fewer --lcores')).toBe(
    'start the worker with worker.memoryMb 248 or more, or fewer worker.lcores',
  );
});

describe('why a worker ended, from its log', () => {
  it('is the last error, not what a library printed behind it', () => {
    const log = [`${at} info EAL: starting`, `${at} error no space`, 'Usage: worker [options]', ''];
    expect(lastWords(log.join('\n'))).toBe('no space');
  });

  it('is the last line where no error was logged', () => {
    expect(lastWords(`${at} info one\n${at} warning two\n\n`)).toBe('two');
    expect(lastWords('Illegal instruction\n')).toBe('Illegal instruction');
    expect(lastWords('\n\n')).toBeUndefined();
  });

  it.each([
    [
      '16 MB of hugepages are free, 800 MB are wanted; write more to /proc/sys/vm/nr_hugepages, or use --huge auto',
      "16 MB of hugepages are free, 800 MB are wanted; write more to /proc/sys/vm/nr_hugepages, or set worker.hugepages: 'auto'",
    ],
    [
      'make more hugepages, or use --no-huge',
      "make more hugepages, or set worker.hugepages: 'never'",
    ],
    ['start the worker with more --memory-mb', 'start the worker with more worker.memoryMb'],
    ['check --lcore-map and the arguments after --', 'check worker.cpus and worker.eal'],
  ])('names options as the configuration does: %s', (said, shown) => {
    expect(lastWords(`${at} error ${said}\n`)).toBe(shown);
  });
});
