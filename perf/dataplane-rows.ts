// SPDX-License-Identifier: Apache-2.0
/**
 * The tables of the data-plane benchmark, written as the supervisor writes them. Row numbers that `sealane-bench`
 * relies on (dpdk-app/bench/cases.h): interface 1 = CE (port 1), 2 = core (port 2), 2 + VLAN = the CE's tagged
 * ones, each with a VRF and the label 1000 + VLAN; label 1000 of the first VRF; inbound and outbound SAs 1..N. First
 * VRF: the /25 number k of 10.128.0.0/9 into tunnel k, 10.200.0.1 to the CE, 10.201.0.1 into clear GRE.
 */
import { randomBytes } from 'node:crypto';
import type { RouteBatch, Tables, Version } from '../src/forwarding/addon/api.js';
import { ethernetHeader } from '../src/forwarding/headers.js';
import { prefixes } from './fib.js';

const ip = (a: number, b: number, c: number, d: number): Uint8Array => Uint8Array.of(a, b, c, d);
const CE_MAC = Uint8Array.of(2, 0, 0, 0, 0, 1);
const CORE_MAC = Uint8Array.of(2, 0, 0, 0, 0, 2);
const NEIGHBOUR = Uint8Array.of(2, 0, 0, 0, 0, 9);
const HERE = ip(192, 0, 2, 1);

/** VRFs of their own VLAN and label, 1..VRFS, with 2 * HALF routes each; then the two with a million routes. */
export const VRFS = 1000;
const HALF = 500;
const FULL_OUT = VRFS + 1;
const FULL_IN = VRFS + 2;
export const FULL_ROUTES = 1_000_000;
const LABEL = 1000;

const ethernet = (source: Uint8Array, vlan = 0): Uint8Array =>
  ethernetHeader(NEIGHBOUR, source, { vlan }, 4);

/** Address of remote PE k. */
function remote(k: number): Uint8Array {
  return ip(198, 18 + (k >> 16), (k >> 8) & 255, k & 255);
}

function tunnel(k: number, sa: number, spi: number | undefined, core: number): Version {
  return {
    kind: 'tunnel',
    interface: core,
    protection: spi === undefined ? 'tunnel' : 'encrypt',
    encapsulation: 'gre',
    mtu: 1500,
    sa,
    ...{ dscpCopy: true, ecnCopy: true },
    header: {
      ethernet: ethernet(CORE_MAC),
      source: HERE,
      destination: remote(k),
      ttl: 64,
      dscp: 0,
      flowLabel: 0,
      ...(spi === undefined ? {} : { spi }),
    },
  };
}

export interface Plan {
  readonly core: number;
  readonly accept: number;
  /** Of the VRF without tag, at [0], and of those by VLAN; and the adjacency to the CE in each. */
  readonly vrfs: readonly { readonly vrf: number; readonly ce: number }[];
}

const common = {
  mtu: 1500,
  acceptGre: false,
  acceptIp: false,
  mplsOwnSp: false,
  mplsOtherSp: false,
};

/** A VRF, its CE interface, the adjacency there, and its label. */
function addVrf(t: Tables, vlan: number, accept: number): { vrf: number; ce: number } {
  const name = `bench-${String(vlan)}`;
  const marks = { ttlUniform: false, tcUniform: false, clampMss: false };
  const vrf = t.putVrf({ name, ...marks, hostInterface: 0 });
  const row = t.putInterface({
    ...common,
    ...{ name, role: 'ce', vrf, port: t.portId('ce'), vlan, mac: CE_MAC },
  });
  if (row !== (vlan === 0 ? 1 : 2 + vlan)) throw new Error('perf: interface rows are not in order');
  const ce = t.nexthop(name);
  t.setNexthop(ce, {
    kind: 'adjacency',
    interface: row,
    vrf,
    neighbour: ip(10, 200, 0, 1),
    mtu: 1500,
    header: ethernet(CE_MAC, vlan),
  });
  t.setLabel({ label: LABEL + vlan, action: 'vrf', target: vrf, accept });
  return { vrf, ce };
}

/** VRFs 0..`vlans`, and what the first of them needs. */
export function benchRows(t: Tables, vlans: number): Plan {
  const accept = t.acceptSet({
    secured: [{ protection: 'encrypt', encapsulation: 'gre', sps: [1] }],
    clear: [],
  });
  const first = addVrf(t, 0, accept);
  const core = t.putInterface({
    ...common,
    ...{ name: 'core', role: 'core', vrf: 0, port: t.portId('core'), vlan: 0, mac: CORE_MAC },
  });
  if (core !== 2) throw new Error('perf: the core interface is not row 2');
  const vrfs = [first];
  for (let vlan = 1; vlan <= vlans; vlan++) vrfs.push(addVrf(t, vlan, accept));
  const clear = t.nexthop('clear');
  t.setNexthop(clear, tunnel(0, 0, undefined, core));
  routes(t, first.vrf, [
    { address: ip(10, 200, 0, 1), length: 32, nexthop: first.ce, label: 0, accept },
    { address: ip(10, 201, 0, 1), length: 32, nexthop: clear, label: 2000, accept: 0 },
  ]);
  return { core, accept, vrfs };
}

interface Route {
  readonly address: Uint8Array;
  readonly length: number;
  readonly nexthop: number;
  readonly label: number;
  readonly accept: number;
}

function routes(t: Tables, vrf: number, list: readonly Route[]): void {
  const addresses = new Uint8Array(list.length * 4);
  list.forEach(({ address }, i) => {
    addresses.set(address, i * 4);
  });
  t.applyRoutes({
    vrf,
    family: 4,
    count: list.length,
    remove: new Uint8Array(list.length),
    addresses,
    lengths: Uint8Array.from(list, (r) => r.length),
    nexthops: Uint32Array.from(list, (r) => r.nexthop),
    labels: Uint32Array.from(list, (r) => r.label),
    accepts: Uint16Array.from(list, (r) => r.accept),
    owners: new Uint8Array(list.length).fill(1),
  });
}

/** SAs 1..count in both directions; tunnels to them are made once the worker side is ready. */
export function addSas(t: Tables, count: number): void {
  for (let k = 0; k < count; k++) {
    const suite = {
      algorithm: 'aes-gcm-128',
      encapsulation: 'gre',
      packetLimit: 0n,
    } as const;
    const out = t.addSa(
      'out',
      {
        ...suite,
        ...{ name: `out-${String(k)}`, spi: 0x10000 + k, spTable: 0, replayWindow: 0 },
        source: HERE,
        destination: remote(k),
      },
      randomBytes(20),
    );
    const inbound = t.addSa(
      'in',
      {
        ...suite,
        ...{ name: `in-${String(k)}`, spi: 0x20000 + k, spTable: 1, replayWindow: 1024 },
        source: remote(k),
        destination: HERE,
      },
      randomBytes(20),
    );
    if (out !== k + 1 || inbound !== k + 1) throw new Error('perf: SA rows are not in order');
  }
}

/** The /25 number k from `base` (host order) on. */
function slash25(base: number, k: number): Pick<Route, 'address' | 'length'> {
  const n = base + k * 128;
  return { address: ip(n >>> 24, (n >> 16) & 255, (n >> 8) & 255, n & 255), length: 25 };
}

/** The inbound SAs reachable by their SPIs, a tunnel for each outbound one; routes of all VRFs. */
export function activate(t: Tables, plan: Plan, sas: number): void {
  const tunnels: number[] = [];
  for (let k = 0; k < sas; k++) {
    t.activateSa(k + 1);
    const id = t.nexthop(`tunnel-${String(k)}`);
    t.setNexthop(id, tunnel(k, k + 1, 0x10000 + k, plan.core));
    tunnels.push(id);
  }
  const into = (nexthop: number): Omit<Route, 'address' | 'length'> => ({
    ...{ nexthop, label: 2000, accept: 0 },
  });
  const first = plan.vrfs[0]?.vrf ?? 0;
  routes(
    t,
    first,
    tunnels.map((id, k) => ({ ...slash25(0x0a800000, k), ...into(id) })),
  );
  plan.vrfs.slice(1, VRFS + 1).forEach(({ vrf, ce }, v) => {
    const list: Route[] = [];
    for (let k = 0; k < HALF; k++) {
      const id = tunnels[(v * HALF + k) % Math.min(sas, 1000)] ?? 0;
      list.push({ ...slash25(0x0a800000, k), ...into(id) });
      list.push({ ...slash25(0x0a400000, k), nexthop: ce, label: 0, accept: plan.accept });
    }
    routes(t, vrf, list);
  });
}

/**
 * A million routes of Internet-like lengths in each of two VRFs, to a thousand tunnels and to the CE; returns addresses
 * they lead somewhere, 65,536 in the machine's byte order.
 */
export function fillTables(t: Tables, plan: Plan): Uint32Array {
  const batch: RouteBatch = prefixes(4, FULL_ROUTES);
  const [out, inbound] = [plan.vrfs[FULL_OUT], plan.vrfs[FULL_IN]];
  if (out === undefined || inbound === undefined) throw new Error('perf: VRFs are missing');
  const tunnels = Uint32Array.from({ length: 1000 }, (_, k) => t.nexthop(`tunnel-${String(k)}`));
  t.applyRoutes({
    ...batch,
    vrf: out.vrf,
    nexthops: Uint32Array.from({ length: batch.count }, (_, i) => tunnels[i % 1000] ?? 0),
  });
  t.applyRoutes({
    ...batch,
    vrf: inbound.vrf,
    nexthops: new Uint32Array(batch.count).fill(inbound.ce),
    labels: new Uint32Array(batch.count),
    accepts: new Uint16Array(batch.count).fill(plan.accept),
  });
  const view = new DataView(batch.addresses.buffer);
  const all = Array.from({ length: 70_000 }, (_, i) =>
    view.getUint32(((i * 13) % batch.count) * 4),
  );
  // 127.0.0.0/8 is no unicast address on a wire (RFC 1122 section 3.2.1.3), and dropped
  return Uint32Array.from(all.filter((a) => a >>> 24 !== 127).slice(0, 65_536));
}
