// SPDX-License-Identifier: Apache-2.0
/**
 * The configuration as plain data: what `defineConfig` takes, the schema checks, the committed
 * configuration stores and `diff` compares. Nothing here is a function or a class instance.
 */
import type { Algorithm } from '../lib/esp-suites.js';
import type { Bgp, VrfBgp } from './bgp/types.js';
import type { Encapsulation, ExportClass } from './classes.js';
import type { Ike } from './ike/types.js';
import type { Egress, Police, TrafficClass } from './qos-types.js';

export type * from './bgp/policy-types.js';
export type * from './bgp/types.js';
export type * from './classes.js';
export type * from './ike/types.js';
export type * from './qos-types.js';

/** Where packets come from. Interfaces with an equal device share one port. */
/** One that can be a member of a link aggregation group. */
export type SingleDevice =
  | {
      /** A kernel network interface, taken over and made deaf. */
      readonly kernel: string;
      /** Network namespace it lives in, by name; default: the supervisor's own. */
      readonly netns?: string;
      readonly driver?: 'af_packet' | 'af_xdp'; // default af_packet
    }
  | {
      /** PCI address of a NIC bound to vfio-pci or another DPDK driver, e.g. "0000:03:00.0". */
      readonly pci: string;
      /** Driver options, e.g. "rx_desc=1024". */
      readonly options?: string;
    }
  | {
      /** Any DPDK virtual device by its devargs, e.g. "net_memif0,role=client,...". */
      readonly vdev: string;
    };

/** Several devices as one port by LACP (IEEE 802.1AX). Of the kernel interfaces among them all are in one namespace. */
export interface Lag {
  /** At least one, at most eight; the group has the MAC address of the first. */
  readonly lag: readonly SingleDevice[];
  /** How often the other end shall send LACPDUs: every second or every 30; default 'fast'. */
  readonly lacpRate?: 'fast' | 'slow';
}

export interface PortOptions {
  /** false: nothing is left to the NIC, for a driver that has a defect there. Default true. */
  readonly offloads?: boolean;
}

export type Device = (SingleDevice | Lag) & PortOptions;

interface InterfaceCommon {
  readonly device: Device;
  /** 802.1Q VLAN id 1..4094; default untagged. */
  readonly vlan?: number;
  /** VLAN id 1..4094 of a tag in front of that of `vlan` (IEEE 802.1ad, "QinQ"); default none. */
  readonly serviceVlan?: number;
  /** EtherType of that tag in frames sent: '802.1ad' is 0x88a8, '802.1q' 0x8100; default '802.1ad'. */
  readonly serviceTag?: '802.1ad' | '802.1q';
  /** Own addresses with prefix length, e.g. "10.1.0.1/24", "2001:db8:1::1/64". */
  readonly addresses: readonly string[];
  /** Largest IP packet, bytes; default 1500. */
  readonly mtu?: number;
}

/** Towards a customer. */
export interface CeInterface extends InterfaceCommon {
  readonly role: 'ce';
  readonly vrf: string;
  /** Of packets that come from the customer; default none. */
  readonly police?: Police;
  /** Of frames that go to the customer; default: one behind the other, as they come. */
  readonly egress?: Egress;
}

/** Towards other PEs. */
export interface CoreInterface extends InterfaceCommon {
  readonly role: 'core';
  /**
   * Plain MPLS from the neighbour. 'own-sp' accepts labels exported to our own SP in clear, and
   * core.transportLabels; 'other-sp' labels that were advertised on this interface alone (option B). Default
   * 'off'.
   */
  readonly mpls?: 'off' | 'own-sp' | 'other-sp';
  /** Encapsulations accepted outside an SA (unsecured labels only). Default none. */
  readonly acceptClear?: readonly Encapsulation[];
}

export type Interface = CeInterface | CoreInterface;

export type { Algorithm };

export interface ExportRule extends ExportClass {
  readonly name: string;
  /** Prefixes exported; default all of the VRF. */
  readonly prefixes?: readonly string[];
  /** The static label 16..1048575 (until BGP allocates them). */
  readonly label: number;
  /** 'vrf': the label leads to a VRF lookup; else to the CE with this address. Default 'vrf'. */
  readonly labelFor?: 'vrf' | { readonly ce: string };
}

/** A static route of a VRF. Exactly one of the ways. */
export type StaticRoute =
  | { readonly prefix: string; readonly via: string; readonly interface?: string } // CE next hop
  | { readonly prefix: string; readonly tunnel: string; readonly label: number } // remote PE
  | { readonly prefix: string; readonly discard: 'silent' | 'unreachable' };

export interface Vrf {
  /** Namespace for the VRF's kernel side; default "INSTANCE-VRF". */
  readonly netns?: string;
  /** The PE's own addresses in this VRF beside its interfaces', e.g. "10.255.1.1/32". Source of ICMP errors. */
  readonly addresses?: readonly string[];
  /** RFC 3443 TTL model; default 'pipe'. */
  readonly ttl?: 'pipe' | 'uniform';
  /**
   * What the core sees of the DSCP, and what comes back of it (RFC 2983, RFC 3270). 'short-pipe', the default: TC and
   * outer DSCP follow from the packet's, which arrives as it was sent. 'uniform': and at the egress it follows
   * from TC. 'pipe': TC and outer DSCP are those of `dscp`, whatever the packet says.
   */
  readonly trafficClass?: 'pipe' | 'short-pipe' | 'uniform';
  /** 0..63, with `trafficClass` 'pipe' alone; default 0. */
  readonly dscp?: number;
  /** TCP connections are told to send no larger segments than tunnels carry; default false. */
  readonly clampMss?: boolean;
  readonly routes?: readonly StaticRoute[];
  readonly exports?: readonly ExportRule[];
  /** VRFs of this PE whose connected and static CE routes are usable here too (P2). */
  readonly importsFrom?: readonly string[];
  /** What it exchanges by BGP; needs `bgp` of the whole. */
  readonly bgp?: VrfBgp;
}

/** An MPLS tunnel to another PE. */
export interface Tunnel {
  readonly local: string; // one of core.tunnelAddresses
  readonly remote: string;
  /** 'mpls': the label goes on the LSP to the far end (core.lsps), nothing around it. */
  readonly protection: 'encrypt' | 'authenticate' | 'tunnel' | 'mpls';
  /** 'none' with protection 'mpls', and only there. */
  readonly encapsulation: Encapsulation | 'none';
  /** Outer DSCP, and of an LSP TC: a copy of the inner, or 0..63. Default 'copy'. */
  readonly dscp?: 'copy' | number;
  /** Outer ECN (RFC 6040), not of protection 'mpls'; default `core.ecn`. */
  readonly ecn?: 'normal' | 'compatibility';
  /** TTL of the outer header and of transport labels; default 64, of an LSP 255. */
  readonly ttl?: number;
  /** Outbound manual SA, by name; without one IKE sets up what encrypt and authenticate need. */
  readonly sa?: string;
}

/** A static LSP: how plain MPLS reaches far ends. */
export interface Lsp {
  /** Router that takes the outermost label, on the subnet of a core interface. */
  readonly via: string;
  /** The core interface it is reached by; default the one whose subnet has it. */
  readonly interface?: string;
  /**
   * Transport labels, outermost first, at most 8, each 16..1048575. 3 (implicit null) means none: the router is
   * the far end, or takes the packet without a label.
   */
  readonly labels: readonly number[];
  /** Also above the outer IP header of tunnels to these far ends. Default false. */
  readonly forIp?: boolean;
}

/** One direction of a manual SA. Only with `lab.manualSas`. */
export interface ManualSa {
  readonly direction: 'in' | 'out';
  /** Addresses of the two PEs as this one sees them. */
  readonly local: string;
  readonly remote: string;
  readonly encapsulation: Encapsulation;
  readonly algorithm: Algorithm;
  /** 256..4294967295. */
  readonly spi: number;
  /** Inbound: the SP whose secured label table applies; default the own one. */
  readonly sp?: string;
  /** File, mode 0600, made by `sealane lab keygen`: never in the configuration itself. */
  readonly keyFile: string;
  /** Inbound, packets: multiple of 64, 64..4096; default 1024. */
  readonly replayWindow?: number;
  /** Extended sequence numbers (RFC 4303 §2.2.1); default false. */
  readonly esn?: boolean;
}

/** What routers of different SPs call one on the wire, and how its routes are told. */
export interface Sp {
  /** An AS number of 4 octets; default the own AS, or that of the SP's neighbours if they have one. */
  readonly number?: number;
  /** Its ASes beside that, none of which is anybody else's. */
  readonly asns?: readonly number[];
}

export interface Config {
  /** Name of this PE on this machine: a-z, 0-9, '-', at most 12 characters. */
  readonly instance: string;
  readonly lab?: { readonly manualSas?: boolean };
  /** Sockets and logs; default /run/sealane/INSTANCE. */
  readonly runtimeDirectory?: string;
  /** Committed configuration and key ledger, survives reboots; default /var/lib/sealane/INSTANCE. */
  readonly stateDirectory?: string;
  /** Shared segments, on tmpfs; default /dev/shm/sealane/INSTANCE. */
  readonly segmentDirectory?: string;
  readonly worker?: {
    readonly lcores?: number; // packet-path threads
    readonly memoryMb?: number; // packet buffers and DPDK, 64..65536, default 64 x lcores, 256 at least
    readonly hugepages?: 'auto' | 'never' | 'require'; // default auto
    readonly idle?: 'adaptive' | 'poll'; // default adaptive
    readonly cpus?: string; // CPUs the packet-path threads may use, e.g. "2-3"; default all
    readonly eal?: readonly string[]; // passed to DPDK's EAL as they are
  };
  /** Service providers by name; the first table is the own one's. */
  readonly ownSp: string;
  readonly otherSps?: readonly string[];
  /** By name, the own one or another. */
  readonly sps?: Readonly<Record<string, Sp>>;
  readonly core: {
    /** Namespace whose routing table reaches the other PEs; default the supervisor's own. */
    readonly netns?: string;
    /** Addresses tunnels and SAs end at, e.g. "192.0.2.1". */
    readonly tunnelAddresses: readonly string[];
    /** What tunnels of BGP routes may be sent in; default both. */
    readonly encapsulations?: readonly Encapsulation[];
    /** Static LSPs, by the addresses of far ends that they lead to; the longest prefix counts. */
    readonly lsps?: Readonly<Record<string, Lsp>>;
    /**
     * Outer ECN of tunnels (RFC 6040 §4.1). 'normal': the packet's; only where every far end gives congestion that the
     * outer header reports on to the packet, as Sealane does. 'compatibility', the default: Not-ECT.
     */
    readonly ecn?: 'normal' | 'compatibility';
    /** TC 0..7 by DSCP 0..63 (RFC 3270, E-LSP), the same everywhere in the core; default the class selector bits. */
    readonly trafficClasses?: Readonly<Record<string, number>>;
    /** What routers of the core say of tunnel packets that are too large for them. */
    readonly pathMtu?: {
      /** Nothing below this is believed: bytes of the outer IP packet; default 1280. */
      readonly floor?: number;
      /** Seconds until it is tried whether the way has become wider; default 600. */
      readonly age?: number;
      /**
       * Find out by packets of ESP of several sizes, where the core says nothing: of ways to PEs that tell which of them
       * came, as Sealane does. Default: none are sent.
       */
      readonly probes?: {
        /** Seconds between two looks at whether what passed still passes; default 30. */
        readonly interval?: number;
        /** Seconds until it is tried whether the way has become wider; default 600. */
        readonly raise?: number;
      };
    };
    /** Transport labels 16..32767 by which routers of the core may send to this PE: popped, nothing more. */
    readonly transportLabels?: readonly number[];
  };
  /** Classes of packets by DSCP, at most 7. What is in none of them is in class "default". */
  readonly classes?: Readonly<Record<string, TrafficClass>>;
  readonly interfaces: Readonly<Record<string, Interface>>;
  readonly vrfs?: Readonly<Record<string, Vrf>>;
  readonly tunnels?: Readonly<Record<string, Tunnel>>;
  readonly manualSas?: Readonly<Record<string, ManualSa>>;
  readonly ike?: Ike;
  readonly bgp?: Bgp;
}
