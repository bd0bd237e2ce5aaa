// SPDX-License-Identifier: Apache-2.0
// A route reflector for VPN routes and nothing else: no VRF, no tunnel, no interface of its own. It talks BGP by the
// kernel of its namespace.
import { defineConfig } from 'sealane';

export default defineConfig({
  instance: 'rr',
  worker: { memoryMb: 64 }, // it forwards nothing
  ownSp: 'provider',
  core: { tunnelAddresses: [] },
  interfaces: {},
  bgp: {
    asn: 65001,
    routerId: '192.0.2.9',
    clusterId: '192.0.2.9', // of all reflectors that have the same clients
    keepAllVpnRoutes: true, // no VRF here imports them
    templates: { client: { asn: 65001, routeReflectorClient: true, localAddress: '192.0.2.9' } },
    // Whoever calls from there; or one by one under `neighbours`.
    dynamicNeighbours: { '192.0.2.0/24': { template: 'client' } },
  },
});
