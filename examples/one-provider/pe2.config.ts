// SPDX-License-Identifier: Apache-2.0
import { defineConfig } from 'sealane';
import { pe } from './provider.js';

export default defineConfig(pe(2, 1));
