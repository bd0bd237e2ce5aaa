// SPDX-License-Identifier: Apache-2.0
/** The mutations that `npm run test:mutation` tries still speak of the sources as they are. */
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { problem } from '../../mutation/locate.js';
import { MUTATIONS } from '../../mutation/mutations.js';

const dpdkApp = fileURLToPath(new URL('../../../dpdk-app', import.meta.url));

it.each(MUTATIONS.map((mutation) => [`${mutation.file}: ${mutation.what}`, mutation] as const))(
  '%s',
  (_, mutation) => {
    expect(problem(dpdkApp, mutation)).toBeUndefined();
    expect(mutation.tests.length).toBeGreaterThan(0);
    expect(mutation.replacement).not.toBe(mutation.text);
  },
);
