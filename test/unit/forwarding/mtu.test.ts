import fc from 'fast-check';
import { expect, it } from 'vitest';
import { tunnelMtu } from '../../../src/forwarding/mtu.js';

/** Size of the outer packet by the formats of RFC 4303, 4106, 2784, 4023, step by step. */
function outerSize(
  inner: number,
  family: 4 | 6,
  encapsulation: 'gre' | 'ip',
  esp: boolean,
): number {
  let size = inner + 4; // label stack entry
  if (encapsulation === 'gre') size += 4;
  if (esp) {
    size += 2; // pad length, next header
    while (size % 4 !== 0) size++; // padding
    size += 8 + 8 + 16; // SPI and sequence number, IV, ICV
  }
  return size + (family === 4 ? 20 : 40);
}

const anyTunnel = fc.record({
  mtu: fc.integer({ min: 1280, max: 9600 }),
  family: fc.constantFrom(4 as const, 6 as const),
  encapsulation: fc.constantFrom('gre' as const, 'ip' as const),
  esp: fc.boolean(),
});

it('is the largest inner packet that fits, exactly', () => {
  fc.assert(
    fc.property(anyTunnel, ({ mtu, family, encapsulation, esp }) => {
      const inner = tunnelMtu(mtu, family, encapsulation, esp);
      expect(outerSize(inner, family, encapsulation, esp)).toBeLessThanOrEqual(mtu);
      expect(outerSize(inner + 1, family, encapsulation, esp)).toBeGreaterThan(mtu);
    }),
    { numRuns: 2000 },
  );
});

it('has the values that an operator expects of 1500 bytes', () => {
  expect(tunnelMtu(1500, 4, 'gre', true)).toBe(1438);
  expect(tunnelMtu(1500, 4, 'ip', true)).toBe(1442);
  expect(tunnelMtu(1500, 6, 'gre', true)).toBe(1418);
  expect(tunnelMtu(1500, 4, 'gre', false)).toBe(1472);
});

it('is never negative', () => {
  expect(tunnelMtu(40, 6, 'gre', true)).toBe(0);
});
