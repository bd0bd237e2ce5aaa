// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { ALGORITHMS, ESP_SUITES } from '../../../src/lib/esp-suites.js';

it('are those of the worker, in its order and with its lengths', () => {
  const header = new URL('../../../dpdk-app/include/sealane/suites.h', import.meta.url);
  const rows = [
    ...readFileSync(header, 'utf8').matchAll(
      /X\(SL_ALG_\w+, "([^"]+)", SL_SUITE_(\w+), ([^)]+)\)/g,
    ),
  ].map(([, name = '', kind = '', lengths = '']) => {
    const [cipherKey, integrityKey, salt, iv, icv, align] = lengths.split(',').map(Number);
    const encrypts = kind !== 'GMAC' && kind !== 'NULL';
    return [name, { cipherKey, integrityKey, salt, iv, icv, align, encrypts }];
  });
  expect(rows.map(([name]) => name)).toEqual(ALGORITHMS);
  expect(Object.fromEntries(rows)).toEqual(ESP_SUITES);
});
