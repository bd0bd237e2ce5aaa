// SPDX-License-Identifier: Apache-2.0
/**
 * Writes kernel.json: what this machine's kernel sends over netlink for a namespace with one of everything,
 * beside what `ip -j` says about the same. Run as root, addon built:
 *
 *   node scripts/lib/run-ts.mjs test/vectors/netlink/capture.ts
 */
import { writeFileSync } from 'node:fs';
import { release } from 'node:os';
import { fileURLToPath } from 'node:url';
import { Lab } from '../../../scripts/lib/lab.js';
import { encodeGetAddresses } from '../../../src/kernel/codec/address.js';
import { NLM_F, RTM } from '../../../src/kernel/codec/constants.js';
import { encodeGetLink } from '../../../src/kernel/codec/link.js';
import { encodeMessage } from '../../../src/kernel/codec/message.js';
import { encodeGetNeighbours } from '../../../src/kernel/codec/neighbour.js';
import { encodeGetRoutes, encodeMatchRoute } from '../../../src/kernel/codec/route.js';
import { ip, ipJson, kernel, settle } from '../../system/kernel/support.js';

const NS = 'slk-capture';
const lab = await Lab.open(NS);
await lab.namespace(NS);
await lab.ip(NS, [
  'link add c0 type veth peer name c1',
  'link add br0 type bridge',
  'link set c1 master br0',
  'link add link c0 name mv0 type macvlan',
  'tuntap add dev tap0 mode tap multi_queue',
  'link set c0 address 02:00:00:00:0c:00',
  'link set tap0 addrgenmode none',
  ...['c0', 'c1', 'br0', 'tap0'].map((name) => `link set ${name} up`),
  'link set c0 mtu 1400',
  'addr add 10.5.0.1/24 dev c0',
  'addr add 10.5.0.2/24 dev c0',
  'addr add 10.5.1.1 peer 10.5.1.2/32 dev tap0',
  '-6 addr add 2001:db8:5::1/64 dev c0 nodad',
  'route add 192.0.2.0/24 via 10.5.0.9 src 10.5.0.2 mtu 1280 metric 77',
  'route add blackhole 198.51.100.0/24',
  'route add 203.0.113.0/24 via inet6 fe80::7 dev c0',
  'route add 198.18.0.0/15 nexthop via 10.5.0.8 dev c0 weight 3 nexthop via inet6 fe80::8 dev c0',
  'route add default via 10.5.0.254 table 1000',
  '-6 route add 2001:db8:50::/48 nexthop via 2001:db8:5::8 nexthop via 2001:db8:5::9',
  '-6 route add unreachable 2001:db8:51::/48',
  '-6 route add default via fe80::1 dev c0',
  'neigh add 10.5.0.9 lladdr 02:00:00:00:00:09 dev c0 nud permanent',
  'neigh add 10.5.0.10 lladdr 02:00:00:00:00:0a dev c0 nud stale',
  '-6 neigh add 2001:db8:5::9 lladdr 02:00:00:00:00:19 dev c0 nud permanent',
  'neigh add 10.5.0.11 dev c0 managed',
]);
await settle(4500); // until what is resolved has failed
const netns = kernel.openNetns(`/run/netns/${NS}`);

/** Sends one request and returns the datagrams that answer it. */
async function ask(type: number, flags: number, payload: Uint8Array): Promise<readonly string[]> {
  const datagrams: string[] = [];
  const socket = kernel.openNetlink(netns, [], {
    onMessage: (data) => datagrams.push(Buffer.from(data).toString('hex')),
    onClose: (reason) => {
      throw new Error(reason);
    },
  });
  socket.send(encodeMessage({ type, flags: flags | NLM_F.REQUEST, sequence: 1, payload }));
  await settle(100);
  socket.close();
  return datagrams;
}

const dump = async (type: number, payload: Uint8Array): Promise<readonly string[]> =>
  ask(type, NLM_F.DUMP, payload);
const capture = {
  kernel: release(),
  links: await dump(RTM.GETLINK, encodeGetLink()),
  ipLinks: await ipJson(lab, NS, ['-d', 'link']),
  addresses: await dump(RTM.GETADDR, encodeGetAddresses()),
  ipAddresses: await ipJson(lab, NS, ['addr']),
  neighbours: await dump(RTM.GETNEIGH, encodeGetNeighbours()),
  ipNeighbours: await ipJson(lab, NS, ['neigh', 'show', 'nud', 'all']),
  routes4: await dump(RTM.GETROUTE, encodeGetRoutes(4)),
  ipRoutes4: await ipJson(lab, NS, ['-4', '-N', '-d', 'route', 'show', 'table', 'all']),
  routes6: await dump(RTM.GETROUTE, encodeGetRoutes(6)),
  ipRoutes6: await ipJson(lab, NS, ['-6', '-N', '-d', 'route', 'show', 'table', 'all']),
  // An answer and its acknowledgement; a refusal with the kernel's words; one without.
  match: await ask(RTM.GETROUTE, NLM_F.ACK, encodeMatchRoute(ip('192.0.2.1'))),
  refusedWithText: await ask(RTM.GETLINK, NLM_F.DUMP | NLM_F.ACK, Uint8Array.of(...Array<number>(15).fill(0), 1)),
  refused: await ask(RTM.GETLINK, NLM_F.ACK, encodeGetLink('absent')),
};
kernel.closeDescriptor(netns);
await lab.close();
const file = fileURLToPath(new URL('kernel.json', import.meta.url));
writeFileSync(file, `${JSON.stringify(capture, undefined, 1)}\n`);
