// SPDX-License-Identifier: Apache-2.0
import { defineConfig } from 'sealane';
import { rogue } from './rogue.js';

export default defineConfig(
  rogue({ instance: 'rogue-s', sp: 'south', loopback: '203.0.113.66' }, '198.51.100.25/30'),
);
