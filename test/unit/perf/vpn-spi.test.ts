// SPDX-License-Identifier: Apache-2.0
import { expect, it } from 'vitest';
import { vpnSpi } from '../../../perf/vpn-spi.js';

it('a label inside the SPI saves its stack entry, and GRE, after ESP’s padding (P16)', () => {
  const { rows } = vpnSpi();
  expect(rows).toHaveLength(48);
  for (const row of rows) {
    expect([row.case, row['saved']]).toEqual([row.case, row.case.includes('GRE') ? 8 : 4]);
  }
});
