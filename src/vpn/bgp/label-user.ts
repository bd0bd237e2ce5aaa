// SPDX-License-Identifier: Apache-2.0
import type { Rib } from '../../bgp/rib/rib.js';
import type { LabelUser } from '../route-labels.js';

/** The RIB as the user of labels that come and go with routes. */
export function labelUser(rib: Rib, gatewaysChanged: () => void, told: () => boolean): LabelUser {
  return {
    askAgain: (routes) => {
      for (const { vrf, family, prefix, length, net } of routes) {
        if (net === undefined) rib.exportAgain(vrf, family, prefix, length);
        else rib.tellAgain(family, net);
      }
    },
    get quiet() {
      return rib.idle;
    },
    get told() {
      return told();
    },
    gatewaysChanged,
  };
}
