// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';
import { portioned } from '../../../../src/ike/crypto/random.js';

/** Draws are 0, 1, 2, ... octet by octet, so that one that is given twice shows. */
function counting(): { readonly draw: (length: number) => Buffer; readonly drawn: Buffer[] } {
  const drawn: Buffer[] = [];
  let next = 0;
  const draw = (length: number): Buffer => {
    const block = Buffer.alloc(length);
    for (let i = 0; i < length; i += 4) block.writeUInt32BE(next++, i);
    drawn.push(block);
    return block;
  };
  return { draw, drawn };
}

describe('random octets in portions', () => {
  it('no octet is given twice, and none stays in the block', () => {
    const { draw, drawn } = counting();
    const random = portioned(draw);
    const seen = new Set<number>();
    let given = 0;
    for (let n = 0; n < 1000; n++) {
      const length = [4, 8, 32, 256][n % 4] ?? 4;
      const portion = random(length);
      expect(portion).toHaveLength(length);
      for (let i = 0; i < length; i += 4) seen.add(portion.readUInt32BE(i));
      given += length / 4;
    }
    expect(seen.size).toBe(given);
    const [last] = drawn.slice(-1);
    for (const block of drawn.slice(0, -1)) expect(block.every((octet) => octet === 0)).toBe(true);
    expect(last?.subarray(0, 4).every((octet) => octet === 0)).toBe(true);
  });

  it('what is long is drawn by itself, and a portion is memory of its own', () => {
    const { draw, drawn } = counting();
    const random = portioned(draw);
    expect(random(260)).toBe(drawn[0]);
    const portion = random(8);
    expect(portion.buffer.byteLength).toBe(8);
  });
});
