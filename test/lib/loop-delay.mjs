// SPDX-License-Identifier: Apache-2.0
// How long the event loop of a program was held up, without a change to the program:
//   NODE_OPTIONS=--import=.../loop-delay.mjs LOOP_DELAY_FILE=FILE node main.js run ...
// Each 500 ms FILE is written anew: the longest delay so far, ms. Threads and children of the program write nothing.
import { renameSync, writeFileSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setInterval } from 'node:timers';
import { isMainThread } from 'node:worker_threads';

const file = process.env['LOOP_DELAY_FILE'];
if (file !== undefined && isMainThread && process.argv[2] === 'run') {
  const histogram = monitorEventLoopDelay({ resolution: 10 });
  histogram.enable();
  setInterval(() => {
    writeFileSync(`${file}.new`, String(Math.round(histogram.max / 1e6)));
    renameSync(`${file}.new`, file);
  }, 500).unref();
}
