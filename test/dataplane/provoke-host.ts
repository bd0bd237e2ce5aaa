// SPDX-License-Identifier: Apache-2.0
/** Drops of BGP that is not inside its SA: see provoke.ts. */
import { clearFrame, policy } from './host-policy.js';
import { COUNT, type Provoke } from './provoke.js';

const times = (make: () => Buffer): Buffer[] => Array.from({ length: COUNT }, make);

export const HOST: Readonly<Record<string, Provoke>> = {
  host_policy_clear: (pe) => {
    policy(pe, 4);
    return { input: { core: times(() => clearFrame({ direction: 'from-peer' })) } };
  },
  host_policy_no_sa: (pe) => {
    policy(pe, 4);
    return {
      input: { 'tap:core': times(() => clearFrame({ direction: 'to-peer' })) },
      options: { refused: COUNT },
    };
  },
  host_policy_fragment: (pe) => {
    policy(pe, 4);
    const fragment = 0x2000;
    return {
      input: { 'tap:core': times(() => clearFrame({ direction: 'to-peer', fragment })) },
      options: { refused: COUNT },
    };
  },
};
