// SPDX-License-Identifier: Apache-2.0
import { transit } from './transit.config.js';

export default transit('forged');
