// SPDX-License-Identifier: Apache-2.0
// With the certificate of an authority that nobody knows.
import { defineConfig } from 'sealane';
import { rogue } from './rogue.js';

export default defineConfig(
  rogue(
    { instance: 'rogue-s', sp: 'south', loopback: '203.0.113.66', by: 'forged' },
    '198.51.100.25/30',
  ),
);
