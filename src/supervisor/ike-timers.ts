// SPDX-License-Identifier: Apache-2.0
/** IKE's time is the event loop's, counted as the machine counts it: a supervisor keeps times for the next one. */
import type { Timers } from '../ike/types.js';

/** CLOCK_MONOTONIC when performance.now() was 0. */
const START_MS = Number(process.hrtime.bigint()) / 1e6 - performance.now();

export const TIMERS: Timers = {
  now: () => START_MS + performance.now(),
  after: (ms, run) => {
    // What is farther away than a timer can be (24.8 days) is looked at again on the way.
    const most = 2 ** 31 - 1;
    let handle: NodeJS.Timeout;
    const wait = (left: number): void => {
      handle = setTimeout(
        () => {
          if (left > most) wait(left - most);
          else run();
        },
        Math.min(Math.max(0, left), most),
      );
    };
    wait(ms);
    return () => {
      clearTimeout(handle);
    };
  },
};
