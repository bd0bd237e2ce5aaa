// SPDX-License-Identifier: Apache-2.0
/** Unpredictable octets in small portions: a draw from the system's source costs the same for 8 and for 1,000. */
import { join } from './secret.js';

export type Random = (length: number) => Buffer;

const BLOCK = 4096;
/** What is longer is drawn by itself. */
const MOST = 256;

/** Portions of blocks drawn from `draw`; what was given is zeroed in the block, so that nothing is given twice. */
export function portioned(draw: Random): Random {
  let block: Buffer = Buffer.alloc(0);
  let at = 0;
  return (length) => {
    if (length > MOST) return draw(length);
    if (at + length > block.length) {
      block.fill(0);
      block = draw(BLOCK);
      at = 0;
    }
    const portion = join(block.subarray(at, at + length));
    block.fill(0, at, at + length);
    at += length;
    return portion;
  };
}
