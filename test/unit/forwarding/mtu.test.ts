import fc from 'fast-check';
import { expect, it } from 'vitest';
import { tunnelMtu } from '../../../src/forwarding/mtu.js';
import { ALGORITHMS, type Algorithm, espOverhead } from '../../../src/lib/esp-suites.js';

/** Size of the outer packet by the formats of RFC 4303, 4106, 3602, 4868, 3948, 2784, 4023, step by step. */
function outerSize(
  inner: number,
  family: 4 | 6,
  encapsulation: 'gre' | 'ip',
  esp: Algorithm | undefined,
  inUdp: boolean,
): number {
  let size = inner + 4; // label stack entry
  if (encapsulation === 'gre') size += 4;
  if (esp !== undefined) {
    const isCbc = esp.startsWith('aes-cbc');
    size += 2; // pad length, next header
    while (size % (isCbc ? 16 : 4) !== 0) size++; // padding
    size += 8; // SPI and sequence number
    if (isCbc) size += 16;
    else if (!esp.startsWith('null')) size += 8; // IV
    const hash = /-sha-(\d+)$/.exec(esp);
    size += hash === null ? 16 : Number(hash[1]) / 16; // ICV
    if (inUdp) size += 8;
  }
  return size + (family === 4 ? 20 : 40);
}

const anyTunnel = fc.record({
  mtu: fc.integer({ min: 1280, max: 9600 }),
  family: fc.constantFrom(4 as const, 6 as const),
  encapsulation: fc.constantFrom('gre' as const, 'ip' as const),
  esp: fc.constantFrom(undefined, ...ALGORITHMS),
  inUdp: fc.boolean(),
});

it('is the largest inner packet that fits, exactly', () => {
  fc.assert(
    fc.property(anyTunnel, ({ mtu, family, encapsulation, esp, inUdp }) => {
      const inner = tunnelMtu(mtu, family, encapsulation, esp && espOverhead(esp, inUdp));
      expect(outerSize(inner, family, encapsulation, esp, inUdp)).toBeLessThanOrEqual(mtu);
      expect(outerSize(inner + 1, family, encapsulation, esp, inUdp)).toBeGreaterThan(mtu);
    }),
    { numRuns: 2000 },
  );
});

it('has the values that an operator expects of 1500 bytes', () => {
  const gcm = espOverhead('aes-gcm-128', false);
  expect(tunnelMtu(1500, 4, 'gre', gcm)).toBe(1438);
  expect(tunnelMtu(1500, 4, 'ip', gcm)).toBe(1442);
  expect(tunnelMtu(1500, 6, 'gre', gcm)).toBe(1418);
  expect(tunnelMtu(1500, 4, 'gre', undefined)).toBe(1472);
  expect(tunnelMtu(1500, 4, 'gre', espOverhead('aes-gcm-128', true))).toBe(1430);
  expect(tunnelMtu(1500, 4, 'gre', espOverhead('aes-cbc-128-sha-256', false))).toBe(1430);
});

it('is never negative', () => {
  expect(tunnelMtu(40, 6, 'gre', espOverhead('aes-cbc-256-sha-512', true))).toBe(0);
});
