// SPDX-License-Identifier: Apache-2.0
import { defineConfig } from 'sealane';
import { northPe } from './north.js';

export default defineConfig(northPe({ number: 1, core: '198.51.100.1/30' }));
