// SPDX-License-Identifier: Apache-2.0
/** The `bgp` sections of the configuration: of the whole and of each VRF. */
import type { Encapsulation, ExportClass, Protection } from '../classes.js';
import type { BgpFamilyName, BgpPolicy, PrefixMatch } from './policy-types.js';

/** Seconds. The session's fields of a neighbour are those of src/bgp/session/config.ts. */
export interface BgpTimers {
  /** Offered; the smaller of both ends' counts. 0 or 3..65535; default 90. */
  readonly hold?: number;
  /** Default a third of the hold time agreed on. */
  readonly keepalive?: number;
  /** Wait before connecting again, doubled with each failure up to `connectRetryMax`; default 5. */
  readonly connectRetry?: number;
  /** Default 120. */
  readonly connectRetryMax?: number;
  /** How long output may be stuck (RFC 9687), 0: for ever; default the larger of 480 and twice the hold time. */
  readonly sendHold?: number;
  /** Wait for the neighbour's OPEN; default 60. */
  readonly open?: number;
}

export interface BgpMaxPrefixes {
  readonly limit: number;
  /** Percent of the limit at which a warning is logged; default 75. */
  readonly warnAt?: number;
  /** At the limit: Cease (default) or a warning alone. */
  readonly action?: 'close' | 'warn';
  /** Seconds until a session so closed starts again; default when an operator clears it. */
  readonly restartAfter?: number;
}

export interface BgpFamily {
  /** RFC 7911, as far as the neighbour agrees; default none. */
  readonly addPath?: 'send' | 'receive' | 'both';
  /** Paths sent per prefix at most; default all. */
  readonly addPathLimit?: number;
  /** IPv6 next hops for an IPv4 family (RFC 8950); default false. */
  readonly extendedNextHop?: boolean;
  readonly maxPrefixes?: BgpMaxPrefixes;
}

export type BgpFamilies = Readonly<Partial<Record<BgpFamilyName, BgpFamily>>>;

export interface BgpGracefulRestart {
  /** What the neighbour is to wait for our return, seconds, 0..4095; 0: helper only. Default 120. */
  readonly restartTime?: number;
  /** NOTIFICATIONs do not end forwarding either (RFC 8538); default true. */
  readonly notification?: boolean;
}

/** TCP Authentication Option (RFC 5925), where the kernel has it. */
export interface BgpTcpAo {
  readonly keyFile: string;
  readonly algorithm?: 'hmac-sha-1' | 'aes-128-cmac';
  readonly sendId: number;
  readonly receiveId: number;
}

/** RFC 5880; times in milliseconds. */
export interface BgpBfd {
  /** Default 300. */
  readonly minTx?: number;
  /** Default 300. */
  readonly minRx?: number;
  /** Default 3. */
  readonly multiplier?: number;
}

/** What a template may say, and each neighbour for itself. */
export interface BgpNeighbourOptions {
  /** The neighbour's AS; of a prefix also a list, or 'external': any but our own. */
  readonly asn?: number | readonly number[] | 'external';
  /** For people; default the address or prefix. */
  readonly description?: string;
  /** Ours towards this neighbour. */
  readonly localAsn?: number;
  readonly localAddress?: string;
  /** The neighbour's TCP port; default 179. */
  readonly port?: number;
  /** Only wait for the neighbour; default false. */
  readonly passive?: boolean;
  /** Configured but kept down; a text is told to the neighbour's operator (RFC 9003). */
  readonly shutdown?: boolean | string;
  /** EBGP over at most so many hops; default 1. IBGP needs none. Not with ttlSecurity. */
  readonly multihop?: number;
  /** GTSM (RFC 5082): the neighbour is at most so many hops away, 1: on the link. */
  readonly ttlSecurity?: number;
  /** File, mode 0600, whose octets without a line end are the key of TCP MD5 (RFC 2385), 1 to 80. */
  readonly md5KeyFile?: string;
  readonly tcpAo?: BgpTcpAo;
  readonly timers?: BgpTimers;
  /**
   * Default in a VRF: unicast of the neighbour's address family; else vpnv4-unicast and vpnv6-unicast,
   * and route-target with `routeTargetConstraint`.
   */
  readonly families?: BgpFamilies;
  /** false: not offered. */
  readonly gracefulRestart?: BgpGracefulRestart | false;
  /** RFC 9494: seconds that routes may stay after the restart time, 1..16777215. */
  readonly longLived?: { readonly staleTime: number };
  /** Seconds between advertisements (MRAI, RFC 4271 §9.2.1.1); default 0. */
  readonly advertisementInterval?: number;
  /** Names of policies; without one RFC 8212 holds for EBGP, and IBGP takes and gives everything. */
  readonly policyIn?: string;
  readonly policyOut?: string;
  readonly routeReflectorClient?: boolean;
  /** RFC 4364 §10 b for VPN routes; the default on external sessions. */
  readonly nextHopSelf?: boolean;
  /** RFC 4364 §10 c: the next hop of VPN routes stays as it is towards this external neighbour; default false. */
  readonly nextHopUnchanged?: boolean;
  /** With our own next hop for VPN routes: which one; default the first of core.tunnelAddresses. */
  readonly vpnNextHop?: string;
  /**
   * How packets of VPN routes told with our own next hop may arrive. Never less than what the route came with
   * (policy-model 26); default `encrypt` from other SPs, inside what the route came with.
   */
  readonly accepts?: BgpAccepts;
  /**
   * Weakest protection used towards next hops of VPN routes that came from this neighbour and are passed on with our own next
   * hop (policy-model 7); default `encrypt` to other SPs, `mpls` inside.
   */
  readonly transitFloor?: Protection;
  /**
   * VPN routes that do not say to which SPs they are exported are told to this neighbour of another SP; default
   * false: they stay inside (policy-model 6).
   */
  readonly unmarkedToSp?: boolean;
  /** Replaces the neighbour's AS number in paths sent to it by ours. */
  readonly asOverride?: boolean;
  /** How often our AS number may be in a path received; default 0. */
  readonly allowAsIn?: number;
  /** Site of origin, "65001:100": added to what comes in, and what has it is not sent there. */
  readonly siteOfOrigin?: string;
  /** Private AS numbers (RFC 6996) of paths sent: 'remove', or 'replace' by our own. */
  readonly removePrivateAs?: 'remove' | 'replace';
  /** Attributes that are otherwise stripped from and to CEs (policy-model 13). */
  readonly passCe?: readonly CeAttribute[];
  /**
   * SP of an external neighbour in the core: of our VPN routes it is told those exported to that SP
   * (policy-model 6). Default the own one; with VPN families it must be said where there are others.
   */
  readonly sp?: string;
  /**
   * In the core: 'require' lets the session run inside an ESP transport SA alone (policy-model 18), 'off' in clear.
   * Default 'require' where `sp` is another SP, else 'off'.
   */
  readonly ipsec?: 'require' | 'off';
  readonly bfd?: boolean | BgpBfd;
}

export interface BgpAccepts {
  readonly protections: readonly Protection[];
  /** Default both. */
  readonly encapsulations?: readonly Encapsulation[];
}

export type CeAttribute = 'route-target' | 'ipsec' | 'encapsulation' | 'color';

export interface BgpNeighbour extends BgpNeighbourOptions {
  /** A template that says what is not said here. */
  readonly template?: string;
  /** For link-local addresses: where the neighbour is. */
  readonly interface?: string;
}

/** Neighbours that connect from a prefix, each a session of its own. */
export interface BgpDynamicNeighbours extends BgpNeighbourOptions {
  readonly template?: string;
  /** Most sessions at once; default 100. */
  readonly prefixLimit?: number;
}

export interface BgpMaximumPaths {
  readonly ebgp?: number;
  readonly ibgp?: number;
}

export interface BgpNetwork {
  readonly prefix: string;
  /** Changes it, or rejects it. */
  readonly policy?: string;
}

export type BgpRedistribution = boolean | { readonly policy: string };

export interface BgpRedistribute {
  readonly connected?: BgpRedistribution;
  readonly static?: BgpRedistribution;
  /** Routes other daemons put into the VRF's kernel table. */
  readonly kernel?: BgpRedistribution;
}

// ---- VRFs ----------------------------------------------------------------------------------------

export interface BgpImportRule {
  readonly name: string;
  /** Route targets, any of them: "65001:100". */
  readonly targets: readonly string[];
  /** SPs whose routers the next hop may be (policy-model 10); default the own one. */
  readonly fromSps?: readonly string[];
  /** Weakest protection used whatever is signalled (policy-model 7); default 'encrypt' for other SPs, 'mpls' inside. */
  readonly floor?: Protection;
  /** A path of higher protection wins before BGP's own comparison (policy-model 12); default true. */
  readonly preferProtected?: boolean;
  /** Protections used where the egress leaves a choice, the first first; default the strongest first. */
  readonly protections?: readonly Exclude<Protection, 'mpls'>[];
  /**
   * What is used for routes that ask for nothing (P1, P4); default a configured tunnel to the next hop, else the
   * floor: plain MPLS inside the own SP.
   */
  readonly unsignalled?: Protection;
  readonly policy?: string;
}

/** Without `protections` its class is, as a whole, that of `bgp.exportClass`. */
export interface BgpExportRule extends Partial<ExportClass> {
  readonly name: string;
  /** Default the VRF's. */
  readonly rd?: string;
  readonly targets: readonly string[];
  /** Prefixes exported; default all of the VRF. */
  readonly prefixes?: readonly string[];
  readonly policy?: string;
  /** Default the VRF's. */
  readonly labelPer?: BgpLabelMode;
  /** Where ingresses' tunnels are to end: one of core.tunnelAddresses, default the first. */
  readonly nextHop?: string;
}

export type BgpLabelMode = 'vrf' | 'ce' | 'prefix';

export interface VrfBgp {
  /** Route distinguisher: "65001:1", "192.0.2.1:1", "4200000000:1". */
  readonly rd: string;
  /** Default that of the whole. */
  readonly routerId?: string;
  /** Short for one import rule "default" with these targets, from the own SP. */
  readonly importTargets?: readonly string[];
  /** Short for one export rule "default" with these targets and the class of `bgp.exportClass`, or `encrypt` alone. */
  readonly exportTargets?: readonly string[];
  readonly imports?: readonly BgpImportRule[];
  readonly exports?: readonly BgpExportRule[];
  /** One label per VRF and export class (default), per CE or per prefix (policy-model 1). */
  readonly labelPer?: BgpLabelMode;
  readonly redistribute?: BgpRedistribute;
  readonly networks?: readonly BgpNetwork[];
  readonly maximumPaths?: BgpMaximumPaths;
  /** By address. */
  readonly neighbours?: Readonly<Record<string, BgpNeighbour>>;
  /** By prefix. */
  readonly dynamicNeighbours?: Readonly<Record<string, BgpDynamicNeighbours>>;
}

// ---- The whole -----------------------------------------------------------------------------------

/** A BMP station (RFC 7854) we connect to. */
export interface BmpStation {
  readonly address: string;
  /** Default 11019. */
  readonly port?: number;
  readonly localAddress?: string;
  /** What is mirrored; default pre-policy Adj-RIB-In alone. RFC 8671 and RFC 9069 are the other two. */
  readonly monitor?: readonly ('adj-in-pre' | 'adj-out-post' | 'loc-rib')[];
  /** Seconds between statistics, 0 for none; default 60. */
  readonly statistics?: number;
  /** What may wait for a slow station, MB; then the connection is made anew. Default 64. */
  readonly bufferMb?: number;
}

/** MRT files (RFC 6396). */
export interface MrtDump {
  /** Absolute path; strftime's %Y %m %d %H %M %S (UTC) are replaced. */
  readonly file: string;
  /** Messages as they come (BGP4MP_ET), or the tables (TABLE_DUMP_V2). */
  readonly what: 'messages' | 'tables';
  /** Seconds: a table dump, or a new file of messages, so often; default 3600. */
  readonly every?: number;
  /** Only these neighbours, by address; default all. */
  readonly neighbours?: readonly string[];
}

/** LSPs by BGP (RFC 8277), with neighbours of the families ipv4-labelled and ipv6-labelled. */
export interface BgpLabelledUnicast {
  /**
   * Tells our tunnel addresses, with this label: one of core.transportLabels, none on the last link, or explicit null, which
   * still has a traffic class there. Default: not told.
   */
  readonly announce?: 'implicit-null' | 'explicit-null' | number;
  /** What is learnt is also pushed above the outer IP header of tunnels; default false: for plain MPLS alone. */
  readonly forIp?: boolean;
}

/** Seconds, 0..600 each. */
export interface BgpTightening {
  /** Old and new class are both told for so long, so that ingresses set up their SAs; default 30. */
  readonly announce?: number;
  /** The old label is kept for so long after all have been told of the new one; default 60. */
  readonly grace?: number;
}

export interface Bgp {
  readonly asn: number;
  readonly routerId: string;
  /** Of a route reflector (RFC 4456); default the router id. */
  readonly clusterId?: string;
  /** TCP port to listen on; default 179. */
  readonly port?: number;
  /** RFC 8212: EBGP neighbours without policy get and give nothing; default true. */
  readonly ebgpRequiresPolicy?: boolean;
  /** Compare MEDs of different neighbouring ASes; default false. */
  readonly alwaysCompareMed?: boolean;
  /** RFC 4684 towards neighbours that speak it: ask only for what is imported; default true. */
  readonly routeTargetConstraint?: boolean;
  /** Keep VPN routes that no VRF imports, as a reflector or option-B ASBR must; default false. */
  readonly keepAllVpnRoutes?: boolean;
  /** Seconds, 0..3600, that routes wait for all neighbours after our restart (RFC 4724 §4.1); default 360. */
  readonly selectionDeferral?: number;
  /** Class of the export rules, of any VRF, that name no protections: the policy of the PE (P5). */
  readonly exportClass?: ExportClass;
  /** How export rules pass to a stricter class (policy-model 24). */
  readonly tightening?: BgpTightening;
  /** Sub-type of the IPsec extended community, 0..255 (docs/ipsec-extended-community.md); default 0x49. */
  readonly ipsecCommunitySubType?: number;
  readonly maximumPaths?: BgpMaximumPaths;
  readonly prefixLists?: Readonly<Record<string, readonly PrefixMatch[]>>;
  readonly policies?: Readonly<Record<string, BgpPolicy>>;
  readonly templates?: Readonly<Record<string, BgpNeighbourOptions>>;
  /** In the core's routing table, by address. */
  readonly neighbours?: Readonly<Record<string, BgpNeighbour>>;
  /** By prefix. */
  readonly dynamicNeighbours?: Readonly<Record<string, BgpDynamicNeighbours>>;
  readonly labelledUnicast?: BgpLabelledUnicast;
  /** Global table. */
  readonly networks?: readonly BgpNetwork[];
  readonly bmp?: Readonly<Record<string, BmpStation>>;
  readonly mrt?: Readonly<Record<string, MrtDump>>;
}
