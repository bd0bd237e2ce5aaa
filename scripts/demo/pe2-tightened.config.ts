// SPDX-License-Identifier: Apache-2.0
// PE2 after the live change: VPN C is encrypted inside north as well.
import { defineConfig } from 'sealane';
import { northPe } from './north.js';

export default defineConfig(northPe({ number: 2, core: '198.51.100.5/30', inside: 'encrypt' }));
