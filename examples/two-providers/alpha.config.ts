// SPDX-License-Identifier: Apache-2.0
import { defineConfig } from 'sealane';
import { pe } from './providers.js';

export default defineConfig(pe('alpha', 'beta'));
