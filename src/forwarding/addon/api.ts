// SPDX-License-Identifier: Apache-2.0
/**
 * What the native addon offers. The shared segments' bytes are its business alone: no offset, row
 * size or pointer shows here. Addresses are network-order bytes (4 or 16); ids are row numbers, 0 = none.
 * Every call is synchronous and made from the thread that opened the tables; another thread is refused.
 * Expected refusals are thrown as {@link AddonError} with a stable `code`.
 */

import type { CertificateLibrary } from '../../lib/certificate-api.js';
import type { Algorithm } from '../../lib/esp-suites.js';
import type { Kernel } from '../../lib/kernel-api.js';
import type { NativeCrypto } from '../../lib/native-crypto.js';
import type { PacketPool, PortCounters } from './ports.js';

export type { AddonError, AddonErrorCode } from '../../lib/addon-error.js';
export type { Kernel, PolledSocket, PolledSocketEvents } from '../../lib/kernel-api.js';

export type Protection = 'encrypt' | 'authenticate' | 'tunnel' | 'mpls';
export type Encapsulation = 'gre' | 'ip';
export type { Algorithm };

/** An accepted set: which arrivals a label or route accepts. `sps` are secured table numbers 1..63. */
export interface AcceptSet {
  readonly secured: readonly {
    readonly protection: 'encrypt' | 'authenticate';
    readonly encapsulation: Encapsulation;
    readonly sps: readonly number[];
  }[];
  readonly clear: readonly ('gre' | 'ip' | 'mpls' | 'mpls-own-sp')[];
  /**
   * Interface of another SP on which plain MPLS is accepted: the label was advertised there (option B). The
   * set follows the interface to its new row, and accepts nothing there once it is removed.
   */
  readonly mplsInterface?: string;
}

export interface VrfRow {
  readonly name: string;
  readonly ttlUniform: boolean;
  /** At the egress the inner DSCP follows from TC. */
  readonly tcUniform: boolean;
  /** 0..63, what TC and outer DSCP follow from; undefined: the inner DSCP. */
  readonly dscp?: number;
  readonly clampMss: boolean;
  readonly hostInterface: number;
  readonly icmpSource4?: Uint8Array;
  readonly icmpSource6?: Uint8Array;
}

/** A VLAN tag in front of another one (IEEE 802.1ad). */
export interface ServiceTag {
  /** S-VID, 1..4094. */
  readonly vlan: number;
  /** EtherType in what is sent. */
  readonly type: 0x88a8 | 0x8100;
}

export interface InterfaceRow {
  readonly name: string;
  readonly role: 'ce' | 'core' | 'host';
  readonly vrf: number;
  readonly port: number;
  readonly vlan: number;
  readonly serviceTag?: ServiceTag;
  readonly mtu: number;
  readonly mac: Uint8Array;
  readonly address4?: Uint8Array;
  readonly address6?: Uint8Array;
  readonly linkLocal6?: Uint8Array;
  readonly acceptGre: boolean;
  readonly acceptIp: boolean;
  readonly mplsOwnSp: boolean;
  /** Plain MPLS by labels advertised on this interface alone. */
  readonly mplsOtherSp: boolean;
}

/** One immutable version of a next hop. */
export type Version =
  | {
      readonly kind: 'drop';
      readonly reason: string;
      readonly icmpUnreachable: boolean;
      readonly vrf: number;
    }
  | { readonly kind: 'receive'; readonly interface: number; readonly vrf: number }
  | { readonly kind: 'glean'; readonly interface: number; readonly vrf: number }
  | {
      readonly kind: 'adjacency';
      readonly interface: number;
      readonly vrf: number;
      readonly neighbour: Uint8Array;
      readonly mtu: number;
      readonly header: Uint8Array; // Ethernet header, 802.1Q tag included
    }
  | {
      readonly kind: 'tunnel';
      readonly interface: number;
      readonly protection: Exclude<Protection, 'mpls'>;
      readonly encapsulation: Encapsulation;
      readonly mtu: number; // largest inner IP packet
      readonly sa: number; // outbound SA row, 0 = none
      readonly dscpCopy: boolean;
      /** RFC 6040 normal mode: outer ECN = inner; else compatibility mode, Not-ECT. */
      readonly ecnCopy: boolean;
      readonly header: TunnelHeader;
    }
  | {
      /** A tunnel of plain MPLS: protection `mpls`, no outer IP header. */
      readonly kind: 'lsp';
      readonly interface: number;
      readonly mtu: number; // largest inner IP packet
      /** TC of the transport labels from the packet's DSCP. */
      readonly dscpCopy: boolean;
      readonly header: LspHeader;
    };

/** Ethernet header with EtherType 0x8847, transport labels, the VPN label. */
export interface LspHeader {
  readonly ethernet: Uint8Array; // 14, or 18 with an 802.1Q tag
  /** Transport labels, outermost first, at most 8; none: the next router takes the VPN label. */
  readonly labels: readonly number[];
  readonly ttl: number; // of the transport labels, 1..255
  readonly dscp: number; // 0..63; its class selector is their TC
}

/** Parts the template is made of; the addon lays them out and computes offsets and checksum sum. */
export interface TunnelHeader {
  readonly ethernet: Uint8Array; // 14, or 18 with an 802.1Q tag
  readonly source: Uint8Array;
  readonly destination: Uint8Array;
  readonly ttl: number;
  readonly dscp: number; // 0..63
  readonly flowLabel: number; // IPv6, 20 bits
  readonly spi?: number; // with ESP
  /** Transport labels above the outer IP header, outermost first, at most 8. EtherType 0x8847 when there are any. */
  readonly labels?: readonly number[];
}

/** Ports of ESP in UDP (RFC 3948), as in packets of this direction. */
export interface UdpPorts {
  readonly source: number;
  readonly destination: number;
}

interface CommonSaRow {
  readonly name: string; // identity for reconciliation
  readonly spi: number;
  readonly algorithm: Algorithm;
  readonly source: Uint8Array;
  readonly destination: Uint8Array;
  readonly spTable: number; // inbound: 1..63; outbound and BGP: 0
  readonly replayWindow: number; // inbound: multiple of 64, 64..4096; 0 = off
  readonly esn?: boolean; // extended sequence numbers; default false
  readonly packetLimit: bigint; // outbound; 0n = 2^32 - 1, with ESN 2^64 - 1
  readonly byteLimit?: bigint; // outbound; default 0n = none
  readonly udp?: UdpPorts; // ESP in UDP
  readonly worker?: number; // packet thread that owns it, 0..31, modulo how many there are; default 0
  readonly resource?: number; // which of several like it between two PEs (RFC 9611), 0..31; default 0
  readonly randomSpi?: boolean; // outbound: nobody can guess it (policy-model 21); default false
}
/** What comes out of it are labels (policy-model 17). */
export interface VpnSaRow extends CommonSaRow {
  readonly application?: 'vpn';
  readonly encapsulation: Encapsulation;
}
/** What comes out of it is TCP with port 179, for the kernel (policy-model 18). */
export interface BgpSaRow extends CommonSaRow {
  readonly application: 'bgp';
  readonly sourcePort: number; // negotiated, as in packets of this direction; 0 = any
  readonly destinationPort: number;
}
export type SaRow = VpnSaRow | BgpSaRow;
export type LiveSa = SaRow & {
  readonly id: number;
  readonly generation: bigint;
  readonly keyCheck: bigint; // first 8 bytes of SHA-256(key || salt), not the key
};
export const isBgpSa = (row: SaRow): row is BgpSaRow => row.application === 'bgp';

/** TCP 179 between two addresses of the core: inside an SA or not at all (policy-model 18). */
export interface HostPolicy {
  readonly id: number;
  readonly local: Uint8Array;
  readonly remote: Uint8Array;
  readonly toPort: number; // outbound SA row for packets to port 179 of the remote end; 0: they are dropped
  readonly fromPort: number; // for packets from our port 179
}
export interface SaState {
  readonly ready: boolean; // the worker has expanded the key of this generation
  readonly sequence: bigint; // outbound: highest reserved; inbound: highest received
  readonly packets: bigint;
  readonly bytes: bigint;
  readonly replayed: bigint;
  readonly authFailed: bigint;
  /** Inbound: the path MTU probe that came last, and the largest packet of it, bytes; 0: none has come. */
  readonly probeRound: number;
  readonly probeBytes: number;
}

export interface LabelRow {
  readonly label: number;
  /**
   * `swap`: another label, `out`, in its place, and away by next hop `target`, a tunnel or LSP. `pop`: a transport
   * label of this PE's (`target` 0).
   */
  readonly action: 'vrf' | 'nexthop' | 'swap' | 'pop';
  readonly target: number;
  readonly accept: number; // accept set id
  readonly out?: number; // swap alone: 16..1048575
}

/** How a packet came to the label lookup. */
export interface Arrival {
  /** 'mpls-other-sp': plain MPLS on an interface of another SP. */
  readonly protection: Protection | 'mpls-other-sp';
  /** 'none': plain MPLS. */
  readonly encapsulation: Encapsulation | 'none';
  /** Out of an SA: secured label table of its SP, 1..63; else 0. */
  readonly spTable: number;
  /** Input interface row; counts for 'mpls-other-sp' alone. */
  readonly interface: number;
}

/** 'bgp' gives way: it neither replaces nor removes a route of another owner. */
export type RouteOwner = 'static' | 'connected' | 'local' | 'neighbour' | 'tunnel' | 'bgp';

/** A batch of route changes to one VRF and family, in columns; applied in order, visible one by one. */
export interface RouteBatch {
  readonly vrf: number;
  readonly family: 4 | 6;
  readonly count: number;
  readonly remove: Uint8Array; // 1 = delete, else insert or replace
  readonly addresses: Uint8Array; // 4 or 16 bytes each
  readonly lengths: Uint8Array;
  readonly nexthops: Uint32Array;
  readonly labels: Uint32Array;
  readonly accepts: Uint16Array;
  readonly owners: Uint8Array; // index into ROUTE_OWNERS, + 1; of a removal: who removes, or 0
  /** Multipath; not in VRF 0. */
  readonly more?: MoreWays;
}

/** Further ways of the routes of a batch, beside that of its own columns; a route has at most 16. */
export interface MoreWays {
  readonly counts: Uint8Array; // of each route
  readonly nexthops: Uint32Array; // of all routes, one after the other
  readonly labels: Uint32Array;
}

export interface RouteWay {
  readonly nexthop: number;
  readonly label: number;
}
export const ROUTE_OWNERS: readonly RouteOwner[] = [
  'static',
  'connected',
  'local',
  'neighbour',
  'tunnel',
  'bgp',
];

export interface RouteRow {
  readonly vrf: number;
  readonly family: 4 | 6;
  readonly address: Uint8Array;
  readonly length: number;
  readonly nexthop: number;
  readonly label: number;
  readonly accept: number;
  readonly owner: RouteOwner;
  readonly stale: boolean;
  /** Of a route with several ways: all of them; `nexthop` and `label` are the first's. */
  readonly ways?: readonly RouteWay[];
}

export interface MultipathStatus {
  /** Sets of ways in use; routes with the same ways share one. */
  readonly groups: number;
  /** Routes written with their best way alone because there was no room for the set, since the tables were opened. */
  readonly fallbacks: number;
}

export interface NexthopRow {
  readonly id: number;
  readonly name: string;
  readonly version: number; // 0 = unusable
  readonly active?: Version;
}

export interface SegmentPaths {
  readonly tables: string;
  readonly state: string;
}

export interface WorkerStatus {
  readonly alive: boolean; // the state segment's lock is held
  readonly pid: number;
  readonly starts: bigint;
  readonly controlHeartbeatNs: bigint;
  /** Packet buffers: ordinary ones, then large ones; all zero where there are none. */
  readonly pools: readonly PacketPool[];
  readonly lcores: readonly {
    readonly index: number;
    readonly tid: number;
    readonly epoch: bigint;
    readonly rounds: bigint;
    readonly busyRounds: bigint;
    readonly sleeps: bigint;
    readonly heartbeatNs: bigint;
    /** Packets that wait for an SA now, and those that have waited for one and were looked up again. */
    readonly held: bigint;
    readonly released: bigint;
    /** Packets handed to other threads, taken from them, and dropped because a thread's ring was full. */
    readonly passed: bigint;
    readonly taken: bigint;
    readonly passFull: bigint;
  }[];
}

export interface InterfaceCounters {
  readonly rxPackets: bigint;
  readonly rxBytes: bigint;
  readonly txPackets: bigint;
  readonly txBytes: bigint;
  readonly drops: bigint;
  readonly punted: bigint;
  readonly injected: bigint;
  readonly reassembled: bigint; // tunnel packets out of fragments
}
export interface VrfCounters {
  readonly fromCePackets: bigint;
  readonly fromCeBytes: bigint;
  readonly fromCorePackets: bigint;
  readonly fromCoreBytes: bigint;
  readonly localPackets: bigint;
  readonly localBytes: bigint;
  readonly drops: bigint;
  readonly fragmented: bigint; // IPv4 packets sent in pieces
}
export interface DropCount {
  readonly reason: string; // name of drop_reasons.h
  readonly text: string;
  readonly packets: bigint;
}

export interface ClassTable {
  readonly classOfDscp: Uint8Array; // 64 octets
  readonly names: readonly string[];
}

export const MAX_CLASSES = 8;
/** Slot of the policer of all packets; those below are of classes. */
export const POLICER_ALL = MAX_CLASSES;
/** Actions of policers; 0..63 is a DSCP to store. */
export const ACTION_PASS = 64;
export const ACTION_DROP = 65;

export interface PolicerRow {
  readonly slot: number;
  readonly meter: 'srtcm' | 'trtcm';
  readonly rate: bigint; // CIR, bit/s
  readonly burst: number; // CBS, bytes
  readonly peakRate: bigint; // PIR, of trtcm
  readonly otherBurst: number; // EBS or PBS, bytes
  readonly colourAware: boolean;
  readonly actions: Uint8Array; // of green, yellow, red packets
}
/** Slot of the queue of the kernel's frames; those below are of classes. */
export const QUEUE_KERNEL = MAX_CLASSES;
export const QUEUE_NONE = 0xff;

export interface QueueRow {
  readonly limit: number; // packets
  readonly quantum: number; // bytes in a round of deficit round robin
}
export interface EgressRow {
  readonly rate: bigint; // bit/s of frames without FCS; 0 = none
  readonly burst: number; // bytes
  readonly queues: readonly QueueRow[]; // of all 9 slots
  readonly strict: Uint8Array; // 9 slots: those of strict priority in their order, then QUEUE_NONE
  readonly queueOfClass: Uint8Array; // slot, by number of class
}
export interface QueueCounters {
  readonly packets: bigint; // sent
  readonly bytes: bigint; // frames without FCS
  readonly dropped: bigint;
  readonly depth: number; // packets that wait now
  readonly maxDepth: number;
}

/** Of green, yellow, red packets, before they were dropped or marked. */
export interface PolicerCounters {
  readonly packets: readonly bigint[];
  readonly bytes: readonly bigint[];
}

/** The one writer of segment `tables`. Rows are published whole and never edited while live. */
export interface Tables {
  readonly attached: 'created' | 'reattached';
  readonly epoch: bigint;
  readonly layoutHash: bigint;

  /** Insert, or replace attributes that may change while live (flags, host interface, ICMP sources); identity = name. */
  putVrf(row: VrfRow): number; // VRF 0 is the core's and always live; name ''
  removeVrf(id: number): void; // IN_USE while routes, interfaces or labels refer to it
  vrfs(): readonly (VrfRow & { readonly id: number })[];

  putInterface(row: InterfaceRow): number; // identity = name; other attributes than flags and addresses changed: new row id
  removeInterface(id: number): void;
  interfaces(): readonly (InterfaceRow & { readonly id: number })[];

  /** Stable port id (1..255) of a name; allocated at first use. */
  portId(name: string): number;
  ports(): readonly { readonly id: number; readonly name: string }[];
  releasePort(id: number): void;

  /** Id of the (immutable, shared) row with these contents; 0 for a set that accepts nothing. */
  acceptSet(set: AcceptSet): number;
  acceptSets(): readonly (AcceptSet & { readonly id: number })[];
  /** What a label of this accept set counts such a packet as (name of drop_reasons.h); undefined: it accepts it. Worker's code. */
  refusal(set: number, arrival: Arrival): string | undefined;

  setLabel(row: LabelRow): void;
  clearLabel(label: number): void;
  labels(): readonly LabelRow[];
  /** undefined: the label means nothing. */
  labelRow(label: number): LabelRow | undefined;

  /** Slot of a name, allocated at first use with no version (unusable). */
  nexthop(name: string): number;
  /** Publish a new version: one atomic store. undefined = make unusable. */
  setNexthop(id: number, version: Version | undefined): void;
  removeNexthop(id: number): void; // IN_USE while a route or label refers to it
  nexthops(): readonly NexthopRow[];
  /** undefined: no such row is live. */
  nexthopRow(id: number): NexthopRow | undefined;

  /** Write an SA row of a new generation. The caller then has the worker install it. `key` holds key and 4 salt bytes. */
  addSa(direction: 'out' | 'in', row: SaRow, key: Uint8Array): number;
  /** Make an inbound SA reachable by its SPI; refused (NOT_FOUND) until the worker reports it ready. */
  activateSa(id: number): void;
  /**
   * By which outbound SAs packet threads send where a next hop names `id`, another thread's: row ids by thread, 0: by
   * `id`, whose owner they pass their packets to. BAD_ARGUMENT: one of another suite, addresses, encapsulation or UDP ports.
   */
  shareSa(id: number, shares: readonly number[]): void;
  saShares(id: number): readonly number[]; // zeros at the end left out
  removeSa(direction: 'out' | 'in', id: number): void; // wipes the key after the grace period; it has shares no more
  sas(direction: 'out' | 'in'): readonly LiveSa[];
  saState(direction: 'out' | 'in', id: number): SaState;

  /** Row of a pair of addresses; made without SAs, so that all is dropped. */
  putHostPolicy(pair: Pick<HostPolicy, 'local' | 'remote'>): number;
  /** One store each. An SA in use here cannot be removed. */
  setHostPolicySas(id: number, sas: Pick<HostPolicy, 'toPort' | 'fromPort'>): void;
  /** From now on it may be in clear. */
  removeHostPolicy(id: number): void;
  hostPolicies(): readonly HostPolicy[];

  applyRoutes(batch: RouteBatch): void;
  /** `except`: without the routes of this owner. `from`, `count`: a page of the table, in no order. */
  routes(
    vrf: number,
    family: 4 | 6,
    except?: RouteOwner,
    from?: number,
    count?: number,
  ): readonly RouteRow[];
  /**
   * Removes at most `limit` routes of this owner: all, or those that nobody has confirmed since the tables
   * were opened. Returns how many; fewer than `limit`: none is left.
   */
  removeRoutes(
    vrf: number,
    family: 4 | 6,
    owner: RouteOwner,
    staleOnly: boolean,
    limit: number,
  ): number;
  routeCount(vrf: number, family: 4 | 6): number;
  /** Longest-prefix match as the worker does it (same code). */
  lookup(vrf: number, address: Uint8Array): RouteRow | undefined;

  /** Give back what readers can no longer see; returns true while something still waits for readers. */
  reclaim(): boolean;
  setConfigDigest(digest: Uint8Array): void; // 32 bytes; raises the config generation
  configDigest(): Uint8Array;
  /** TC 0..7 of each DSCP, 64 bytes; in a new segment the class selector bits. */
  setTrafficClasses(tcOfDscp: Uint8Array): void;
  trafficClasses(): Uint8Array;
  /** Classes of packets by DSCP. `names` has 8, '' is a number that is free; each DSCP's class has a name. */
  setClasses(classes: ClassTable): void;
  classes(): ClassTable;
  /** All policers of a CE interface; what its buckets hold stays, as time. One of slot POLICER_ALL is alone. */
  setPolicers(interfaceId: number, policers: readonly PolicerRow[]): void;
  policerCounters(interfaceId: number, slot: number): PolicerCounters;
  /** Queues of what leaves by a CE interface; undefined: none. What waits is sent, by the new ones or at once. */
  setQueues(interfaceId: number, egress: EgressRow | undefined): void;
  queueCounters(interfaceId: number, slot: number): QueueCounters;
  /** No ICMP message of the core lowers a path MTU below this: bytes, 0 = none is believed. */
  setPathMtuFloor(bytes: number): void;

  worker(): WorkerStatus;
  drops(): readonly DropCount[];
  interfaceCounters(id: number): InterfaceCounters;
  portCounters(id: number): PortCounters;
  vrfCounters(id: number): VrfCounters;
  labelCounters(label: number): { readonly packets: bigint; readonly bytes: bigint };
  multipath(): MultipathStatus;
  memory(): readonly { readonly table: string; readonly rows: number; readonly bytes: number }[];
  close(): void;
}

export interface Addon {
  openTables(paths: SegmentPaths): Tables;
  readonly kernel: Kernel;
  readonly certificates: CertificateLibrary;
  readonly crypto: NativeCrypto;
  readonly layoutVersion: number;
}
