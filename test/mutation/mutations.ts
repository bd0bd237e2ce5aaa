// SPDX-License-Identifier: Apache-2.0
import { CLASSIFY } from './classify.js';
import { HOST } from './host.js';
import { INBOUND } from './inbound.js';
import type { Mutation } from './mutation.js';
import { OTHERS } from './others.js';
import { PLAIN } from './plain.js';

export const MUTATIONS: readonly Mutation[] = [
  ...CLASSIFY,
  ...INBOUND,
  ...HOST,
  ...OTHERS,
  ...PLAIN,
];
