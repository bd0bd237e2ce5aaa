// SPDX-License-Identifier: Apache-2.0
/** IKE's time is the event loop's. */
import type { Timers } from '../ike/types.js';

export const TIMERS: Timers = {
  now: () => performance.now(),
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
