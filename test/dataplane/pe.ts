// SPDX-License-Identifier: Apache-2.0
/**
 * A PE with two VPNs whose customers use the same addresses, and short ways to give it routes, labels, SAs.
 *
 *   CE a 02:..:0c:01 -- port ce -- [ce,  untagged, VRF a] 10.1.1.254, 2001:db8:a::fe
 *   CE b 02:..:0c:02 --------------[ce7, VLAN 7,   VRF b] 10.1.1.254, 2001:db8:a::fe   (overlapping)
 *   CE c 02:..:0c:03 --------------[ce8, VLAN 8,   VRF c] 10.3.3.254, 2001:db8:c::fe
 *   P    02:..:0f:01 -- port core - [core,  untagged]  accepts nothing in clear
 *                                   [open,  VLAN 20]   accepts MPLS-in-GRE, MPLS-in-IP and plain MPLS
 *                                   [other, VLAN 30], [third, VLAN 31]   plain MPLS of other SPs (option B)
 *   loopback of the PE 192.0.2.1, 2001:db8:f::1; the other PE 192.0.2.2, 2001:db8:f::2
 */
import { randomBytes, randomInt } from 'node:crypto';
import type {
  AcceptSet,
  Algorithm,
  Encapsulation,
  InterfaceRow,
  RouteWay,
  UdpPorts,
  VpnSaRow,
  SaState,
  Version,
} from '../../src/forwarding/addon/api.js';
import { addressBytes, macBytes, PROTOCOL } from '../lib/packets.js';
import type { EspKey } from '../lib/esp.js';
import { Harness, type PortOptions } from './harness.js';
import { run, type Input, type Result, type RunOptions } from './run.js';

export const MAC = {
  peCe: '02:00:00:00:01:01',
  peCore: '02:00:00:00:01:02',
  a: '02:00:00:00:0c:01',
  b: '02:00:00:00:0c:02',
  c: '02:00:00:00:0c:03',
  p: '02:00:00:00:0f:01',
} as const;

/** Outer addresses by family. */
export const LOCAL = { 4: '192.0.2.1', 6: '2001:db8:f::1' } as const;
export const REMOTE = { 4: '192.0.2.2', 6: '2001:db8:f::2' } as const;
/** Hosts behind CE a (and CE b: the same), behind CE c, and behind the other PE. */
export const HERE = { 4: '10.1.1.1', 6: '2001:db8:a::1' } as const;
export const SITE_C = { 4: '10.3.3.1', 6: '2001:db8:c::1' } as const;
export const THERE = { 4: '10.2.2.2', 6: '2001:db8:b::2' } as const;
export const PE_CE = { 4: '10.1.1.254', 6: '2001:db8:a::fe' } as const;
export const PE_C = { 4: '10.3.3.254', 6: '2001:db8:c::fe' } as const;

export type Family = 4 | 6;
export const FAMILIES: readonly Family[] = [4, 6];
export const ENCAPSULATIONS: readonly Encapsulation[] = ['gre', 'ip'];
export const ALGORITHMS: readonly Algorithm[] = [
  ...(['aes-gcm-128', 'aes-gcm-256', 'aes-gmac-128', 'aes-gmac-256'] as const),
];

/** Everything accepted from SP 1. */
export const ANY: AcceptSet = {
  secured: (['encrypt', 'authenticate'] as const).flatMap((protection) =>
    ENCAPSULATIONS.map((encapsulation) => ({ protection, encapsulation, sps: [1] })),
  ),
  clear: ['gre', 'ip', 'mpls'],
};
/** Out of the own SP's encrypting SAs alone, in either encapsulation. */
export const ENCRYPTED: AcceptSet = {
  secured: ENCAPSULATIONS.map((encapsulation) => ({
    ...{ protection: 'encrypt', encapsulation, sps: [1] },
  })),
  clear: [],
};

export interface Sa {
  readonly id: number;
  readonly row: VpnSaRow;
  readonly esp: EspKey;
  readonly family: Family;
  readonly protocol: number;
}

export interface TunnelOptions {
  readonly encapsulation: Encapsulation;
  readonly family: Family;
  readonly sa?: Sa;
  readonly mtu?: number;
  readonly dscpCopy?: boolean;
  readonly ecnCopy?: boolean;
  readonly dscp?: number;
  readonly flowLabel?: number;
  readonly ttl?: number;
  /** Transport labels above the outer IP header. */
  readonly labels?: readonly number[];
  /** Output interface; default core. */
  readonly over?: InterfaceName;
}

export interface LspOptions extends Pick<TunnelOptions, 'mtu' | 'dscpCopy' | 'dscp' | 'ttl'> {
  readonly labels: readonly number[];
  readonly over?: InterfaceName;
}

export interface SaOptions {
  readonly algorithm?: Algorithm;
  readonly family?: Family;
  readonly encapsulation?: Encapsulation;
  readonly spTable?: number;
  readonly replayWindow?: number;
  readonly packetLimit?: bigint;
  /** Key and salt instead of fresh ones. */
  readonly key?: Uint8Array;
  readonly spi?: number;
  readonly activate?: boolean;
  /** Outbound: nobody can guess it; default true. */
  readonly randomSpi?: boolean;
  readonly udp?: UdpPorts;
}

export interface RouteOptions {
  readonly label?: number;
  readonly accept?: AcceptSet;
  readonly length?: number;
  /** Further ways. */
  readonly more?: readonly RouteWay[];
}

export type VrfName = 'core' | 'a' | 'b' | 'c';
export type InterfaceName = 'ce' | 'ce7' | 'ce8' | 'core' | 'open' | 'other' | 'third';
const INTERFACES = ['ce', 'ce7', 'ce8', 'core', 'open', 'other', 'third'] as const;

const FIRST_LABEL = 100_000;

const TYPE = { 4: '0800', 6: '86dd', mpls: '8847' } as const;

function etherHeader(to: string, from: string, vlan: number, of: keyof typeof TYPE): Uint8Array {
  const type = TYPE[of];
  const tag = vlan === 0 ? '' : `8100${vlan.toString(16).padStart(4, '0')}`;
  return Buffer.concat([macBytes(to), macBytes(from), Buffer.from(tag + type, 'hex')]);
}

function protectionOf(sa: Sa | undefined): 'tunnel' | 'authenticate' | 'encrypt' {
  if (sa === undefined) return 'tunnel';
  return sa.row.algorithm.startsWith('aes-gmac') ? 'authenticate' : 'encrypt';
}

const inUdp = (row: VpnSaRow, udp: UdpPorts | undefined): VpnSaRow =>
  udp === undefined ? row : { ...row, udp };

/** What only inbound rows have, or only outbound ones. */
function ofDirection(
  inbound: boolean,
  options: SaOptions,
): Pick<VpnSaRow, 'spTable' | 'replayWindow' | 'randomSpi'> {
  if (!inbound) return { spTable: 0, replayWindow: 0, randomSpi: options.randomSpi ?? true };
  const { spTable = 1, replayWindow = 1024 } = options;
  return { spTable, replayWindow, randomSpi: false };
}

export class Pe {
  readonly harness: Harness;
  readonly vrfs: Record<VrfName, number> = { core: 0, a: 0, b: 0, c: 0 };
  readonly interfaces: Record<InterfaceName, number> = {
    ...{ ce: 0, ce7: 0, ce8: 0, core: 0, open: 0, other: 0, third: 0 },
  };
  readonly rows = new Map<InterfaceName, InterfaceRow>();
  #names = 0;
  #label = FIRST_LABEL;

  private constructor(harness: Harness) {
    this.harness = harness;
  }

  /** `extra` names ports that are no wires, by name. */
  static async start(
    name: string,
    extra: (harness: Harness) => Readonly<Record<string, PortOptions>> = () => ({}),
  ): Promise<Pe> {
    const harness = await Harness.open(name, { ports: ['ce', 'core'] });
    const pe = new Pe(harness);
    try {
      pe.#rows();
      await harness.startWorker(extra(harness));
      await pe.bringUp();
      return pe;
    } catch (error) {
      const log = harness.log();
      await harness.close();
      throw new Error(`${String(error)}\n${log}`, { cause: error });
    }
  }

  /** After a (re)start of the worker: TAPs, SAs, label counters, Start. */
  async bringUp(): Promise<void> {
    const { harness } = this;
    for (const name of INTERFACES) {
      await harness.attach(this.interfaces[name], name);
    }
    await harness.client.reserveLabels(FIRST_LABEL + 4096);
    await harness.client.start();
  }

  #rows(): void {
    const { tables } = this.harness;
    for (const name of ['a', 'b', 'c'] as const) this.setVrf(name, {});
    const ce = tables.portId('ce');
    const core = tables.portId('core');
    const clear = { acceptGre: false, acceptIp: false, mplsOwnSp: false, mplsOtherSp: false };
    const put = (name: InterfaceName, row: Partial<InterfaceRow>): void => {
      const whole: InterfaceRow = {
        ...{ name, role: 'ce', vrf: 0, port: ce, vlan: 0, mtu: 1500, mac: macBytes(MAC.peCe) },
        ...clear,
        ...row,
      };
      this.rows.set(name, whole);
      this.interfaces[name] = tables.putInterface(whole);
    };
    const same = { address4: addressBytes(PE_CE[4]), address6: addressBytes(PE_CE[6]) };
    put('ce', { vrf: this.vrfs.a, ...same });
    put('ce7', { vrf: this.vrfs.b, vlan: 7, ...same });
    const other = { address4: addressBytes(PE_C[4]), address6: addressBytes(PE_C[6]) };
    put('ce8', { vrf: this.vrfs.c, vlan: 8, ...other });
    const toCore = { role: 'core', port: core, mac: macBytes(MAC.peCore), mtu: 1600 } as const;
    put('core', toCore);
    const accepts = { acceptGre: true, acceptIp: true, mplsOwnSp: true };
    put('open', { ...toCore, vlan: 20, ...accepts });
    put('other', { ...toCore, vlan: 30, mplsOtherSp: true });
    put('third', { ...toCore, vlan: 31, mplsOtherSp: true });
    for (const family of FAMILIES) this.#connected(family);
  }

  #connected(family: Family): void {
    const local = this.nexthop({ kind: 'receive', interface: this.interfaces.core, vrf: 0 });
    this.route('core', LOCAL[family], local);
    const to = (name: InterfaceName, mac: string): number => this.adjacency(name, mac, family);
    const length = family === 4 ? 24 : 64;
    this.route('a', HERE[family], to('ce', MAC.a), { length, accept: ANY });
    this.route('b', HERE[family], to('ce7', MAC.b), { length, accept: ANY });
    this.route('c', SITE_C[family], to('ce8', MAC.c), { length, accept: ANY });
    for (const [vrf, name, address] of [
      ['a', 'ce', PE_CE],
      ['b', 'ce7', PE_CE],
      ['c', 'ce8', PE_C],
    ] as const) {
      const own = { interface: this.interfaces[name], vrf: this.vrfs[vrf] };
      this.route(vrf, address[family], this.nexthop({ kind: 'receive', ...own }));
    }
  }

  setVrf(
    name: VrfName,
    row: {
      ttlUniform?: boolean;
      tcUniform?: boolean;
      dscp?: number;
      hostInterface?: number;
      icmpSource4?: Uint8Array;
      icmpSource6?: Uint8Array;
    },
  ): void {
    const base = { ttlUniform: false, tcUniform: false, clampMss: false, hostInterface: 0 };
    const whole = { ...base, ...row, name: name === 'core' ? '' : name };
    this.vrfs[name] = this.harness.tables.putVrf(whole);
  }

  /** Changes attributes of an interface that may change while it is live. */
  setInterface(name: InterfaceName, row: Partial<InterfaceRow>): void {
    const old = this.rows.get(name);
    if (old === undefined) throw new Error(`no interface ${name}`);
    if (this.harness.tables.putInterface({ ...old, ...row }) !== this.interfaces[name]) {
      throw new Error(`${name} became another row`);
    }
  }

  #name(what: string): string {
    return `${what} ${String(++this.#names)}`;
  }

  /** A label nobody has used yet. */
  newLabel(): number {
    return this.#label++;
  }

  nexthop(version?: Version): number {
    const id = this.harness.tables.nexthop(this.#name('next hop'));
    if (version !== undefined) this.harness.tables.setNexthop(id, version);
    return id;
  }

  adjacency(out: InterfaceName, mac: string, family: Family, mtu = 1500): number {
    const row = this.rows.get(out);
    if (row === undefined) throw new Error(`no interface ${out}`);
    const own = Buffer.from(row.mac).toString('hex');
    return this.nexthop({
      ...{ kind: 'adjacency', interface: this.interfaces[out], vrf: row.vrf, mtu },
      neighbour: addressBytes(family === 4 ? '10.1.1.1' : 'fe80::1'),
      header: etherHeader(mac, own, row.vlan, family),
    });
  }

  /** The version of a tunnel to the other PE. */
  tunnelVersion(options: TunnelOptions): Version {
    const { encapsulation, family, sa, over = 'core', labels = [] } = options;
    const row = this.rows.get(over);
    if (row === undefined) throw new Error(`no interface ${over}`);
    return {
      ...{ kind: 'tunnel', interface: this.interfaces[over], encapsulation },
      protection: protectionOf(sa),
      ...{ mtu: options.mtu ?? 1400, sa: sa?.id ?? 0, dscpCopy: options.dscpCopy ?? false },
      ecnCopy: options.ecnCopy ?? false,
      header: {
        ethernet: etherHeader(MAC.p, MAC.peCore, row.vlan, labels.length > 0 ? 'mpls' : family),
        source: addressBytes(LOCAL[family]),
        destination: addressBytes(REMOTE[family]),
        ...{ ttl: options.ttl ?? 64, dscp: options.dscp ?? 0, flowLabel: options.flowLabel ?? 0 },
        ...(sa === undefined ? {} : { spi: sa.row.spi }),
        ...(labels.length > 0 && { labels }),
      },
    };
  }

  /** An LSP to the other PE. */
  lspVersion(options: LspOptions): Version {
    const { labels, over = 'core', mtu = 1400, dscpCopy = false, dscp = 0, ttl = 255 } = options;
    const row = this.rows.get(over);
    if (row === undefined) throw new Error(`no interface ${over}`);
    const ethernet = etherHeader(MAC.p, MAC.peCore, row.vlan, 'mpls');
    const header = { ethernet, labels, ttl, dscp };
    return { kind: 'lsp', interface: this.interfaces[over], mtu, dscpCopy, header };
  }

  tunnel(options: TunnelOptions): number {
    return this.nexthop(this.tunnelVersion(options));
  }

  route(vrf: VrfName, address: string, nexthop: number, options: RouteOptions = {}): void {
    this.#change(vrf, address, nexthop, options);
  }

  /** `length`: that of a host by default. */
  removeRoute(vrf: VrfName, address: string, length?: number): void {
    this.#change(vrf, address, undefined, length === undefined ? {} : { length });
  }

  #change(vrf: VrfName, address: string, nexthop: number | undefined, options: RouteOptions): void {
    const bytes = addressBytes(address);
    const { tables } = this.harness;
    const accept = options.accept === undefined ? 0 : tables.acceptSet(options.accept);
    const length = options.length ?? bytes.length * 8;
    const { more = [] } = options;
    const mask = (i: number): number => 0xff00 >> Math.min(8, Math.max(0, length - i * 8));
    tables.applyRoutes({
      ...{ vrf: this.vrfs[vrf], family: bytes.length === 4 ? 4 : 6, count: 1 },
      ...{ remove: Uint8Array.of(nexthop === undefined ? 1 : 0), lengths: Uint8Array.of(length) },
      addresses: bytes.map((byte, i) => byte & mask(i)),
      ...{ nexthops: Uint32Array.of(nexthop ?? 0), labels: Uint32Array.of(options.label ?? 0) },
      ...{ accepts: Uint16Array.of(accept), owners: Uint8Array.of(1) },
      more: {
        counts: Uint8Array.of(more.length),
        nexthops: Uint32Array.from(more, (way) => way.nexthop),
        labels: Uint32Array.from(more, ({ label }) => label),
      },
    });
  }

  /** A new label that leads to a VRF or a next hop. */
  label(action: 'vrf' | 'nexthop', target: number, accept: AcceptSet): number {
    const label = this.newLabel();
    const { tables } = this.harness;
    tables.setLabel({ label, action, target, accept: tables.acceptSet(accept) });
    return label;
  }

  /** A label that is swapped for `out` on its way to a next hop. */
  swap(target: number, out: number, accept: AcceptSet): number {
    const label = this.newLabel();
    const { tables } = this.harness;
    tables.setLabel({ label, action: 'swap', target, out, accept: tables.acceptSet(accept) });
    return label;
  }

  /** A transport label of this PE's. */
  pop(accept: AcceptSet): number {
    const label = this.newLabel();
    const { tables } = this.harness;
    tables.setLabel({ label, action: 'pop', target: 0, accept: tables.acceptSet(accept) });
    return label;
  }

  async sa(direction: 'out' | 'in', options: SaOptions = {}): Promise<Sa> {
    const sa = this.saRow(direction, options);
    const { client, tables } = this.harness;
    await client.installSas(direction === 'out' ? [sa.id] : [], direction === 'in' ? [sa.id] : []);
    if (direction === 'in' && options.activate !== false) tables.activateSa(sa.id);
    return sa;
  }

  /** Writes the row alone: the worker has not installed it. */
  saRow(direction: 'out' | 'in', options: SaOptions = {}): Sa {
    const { algorithm = 'aes-gcm-128', family = 4, encapsulation = 'gre', udp } = options;
    const inbound = direction === 'in';
    const key = options.key ?? randomBytes((algorithm.endsWith('256') ? 32 : 16) + 4);
    const ends = [addressBytes(LOCAL[family]), addressBytes(REMOTE[family])] as const;
    const row: VpnSaRow = {
      ...{ name: this.#name('SA'), algorithm, encapsulation },
      spi: options.spi ?? randomInt(0x10000, 2 ** 32),
      ...{ source: ends[inbound ? 1 : 0], destination: ends[inbound ? 0 : 1] },
      ...ofDirection(inbound, options),
      packetLimit: options.packetLimit ?? 0n,
    };
    const id = this.harness.tables.addSa(direction, inUdp(row, udp), key);
    const authenticateOnly = algorithm.startsWith('aes-gmac');
    const protocol = encapsulation === 'gre' ? PROTOCOL.gre : PROTOCOL.mpls;
    return { id, row, esp: { spi: row.spi, authenticateOnly, key }, family, protocol };
  }

  saState(direction: 'out' | 'in', sa: Sa): SaState {
    return this.harness.tables.saState(direction, sa.id);
  }

  async run(input: Input, options?: RunOptions): Promise<Result> {
    return run(this.harness, input, options);
  }

  async close(): Promise<void> {
    await this.harness.close();
  }
}
