// SPDX-License-Identifier: Apache-2.0
import { CLASSIFY } from './classify.js';
import { HEADERS } from './headers.js';
import { HOST } from './host.js';
import { INBOUND } from './inbound.js';
import type { Mutation } from './mutation.js';
import { OTHERS } from './others.js';
import { PLAIN } from './plain.js';

export const MUTATIONS: readonly Mutation[] = [
  ...CLASSIFY,
  ...INBOUND,
  ...HOST,
  ...HEADERS,
  ...OTHERS,
  ...PLAIN,
];
