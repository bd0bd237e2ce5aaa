// SPDX-License-Identifier: Apache-2.0
import { defineConfig } from 'sealane';
import { rogue } from './rogue.js';

export default defineConfig(
  rogue({ instance: 'rogue-n', sp: 'north', loopback: '192.0.2.66' }, '198.51.100.13/30'),
);
