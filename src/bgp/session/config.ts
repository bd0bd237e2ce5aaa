// SPDX-License-Identifier: Apache-2.0
/**
 * A neighbour as configured, plain data, and the same with every default filled in.
 *
 * Addresses are text, keys are names of files: a configuration can be stored and shown. What
 * {@link resolveNeighbor} takes has passed the checks of src/config; what those cannot have let
 * through throws a RangeError here.
 */
import { parseRouterId } from '../../lib/bgp-words.js';
import { formatAddress, networkOf, parseAddress, parsePrefix, type Prefix } from '../../lib/ip.js';
import { FAMILIES, type FamilyId, type FamilyName, type FamilySet } from '../codec/types.js';

export interface NeighborFamily {
  /** RFC 7911, as far as the peer agrees. Default none. */
  readonly addPath?: 'send' | 'receive' | 'both';
  /** IPv6 next hops for an IPv4 family (RFC 8950). Default false. */
  readonly extendedNextHop?: boolean;
  /** Prefixes accepted from the peer before the session is closed, or a warning is given. */
  readonly maxPrefixes?: {
    readonly limit: number;
    /** Percent of the limit at which a warning is logged. Default 75. */
    readonly warnAt?: number;
    /** Default 'close'. */
    readonly action?: 'close' | 'warn';
    /** Seconds until a session so closed starts again; default: when an operator clears it. */
    readonly restartAfter?: number;
  };
}

/** Seconds. */
export interface NeighborTimers {
  /** Offered; the smaller of both ends' counts. 0 or 3..65535. Default 90. */
  readonly hold?: number;
  /** Default a third of the hold time agreed on. */
  readonly keepalive?: number;
  /** Wait before connecting again, doubled with each failure up to `connectRetryMax`. Default 5. */
  readonly connectRetry?: number;
  /** Default 120. */
  readonly connectRetryMax?: number;
  /** How long output may be stuck (RFC 9687); 0: for ever. Default max(480, twice the hold time). */
  readonly sendHold?: number;
  /** Wait for the peer's OPEN. Default 60. */
  readonly open?: number;
}

export interface NeighborGracefulRestart {
  /** What the peer is to wait for our return, seconds, 0..4095. Default 120; 0: helper only. */
  readonly restartTime?: number;
  /** Notifications do not end forwarding either (RFC 8538). Default true. */
  readonly notification?: boolean;
}

export interface NeighborConfig {
  /** The peer's address; a link-local one needs `interface`. Exactly one of address and prefix. */
  readonly address?: string;
  /** Peers connect to us from anywhere in this prefix. */
  readonly prefix?: string;
  /** Most sessions at once of a prefix. Default 100. */
  readonly prefixLimit?: number;
  /** For people; default the address or prefix. */
  readonly description?: string;
  /** The peer's AS; for a prefix also a list, or 'external' for any but our own. */
  readonly asn: number | readonly number[] | 'external';
  /** Ours towards this peer; default the speaker's. */
  readonly localAsn?: number;
  /** Our BGP identifier towards this peer, dotted; default the speaker's. */
  readonly routerId?: string;
  /** VRF by name; default the core. */
  readonly vrf?: string;
  readonly localAddress?: string;
  readonly interface?: string;
  /** The peer's TCP port, ours stays 179. Default 179. */
  readonly port?: number;
  /** Only wait for the peer. Default false; a prefix is always passive. */
  readonly passive?: boolean;
  /** EBGP over at most so many hops; default 1. IBGP: always 255. Not with ttlSecurity. */
  readonly multihop?: number;
  /** RFC 5082: the peer is at most so many hops away (1: on the link), and sends with TTL 255. */
  readonly ttlSecurity?: number;
  /** File whose octets, without a line end, are the key of TCP MD5 (RFC 2385), 1 to 80. */
  /** Octets of a segment's data at most; default the kernel's choice. */
  readonly maxSegment?: number;
  readonly md5KeyFile?: string;
  readonly tcpAo?: {
    readonly keyFile: string;
    readonly algorithm?: 'hmac-sha-1' | 'aes-128-cmac';
    readonly sendId: number;
    readonly receiveId: number;
  };
  readonly timers?: NeighborTimers;
  /** Default { 'ipv4-unicast': {} }. */
  readonly families?: Readonly<Partial<Record<FamilyName, NeighborFamily>>>;
  /** false: not offered. Default { }. */
  readonly gracefulRestart?: NeighborGracefulRestart | false;
  /** RFC 9494: seconds that routes of a peer may stay after the restart time, 1..16777215. */
  readonly longLived?: { readonly staleTime: number };
  /** Configured but kept down; a text is told to the peer's operator (RFC 9003). */
  readonly shutdown?: boolean | string;
}

/** The speaker that neighbours belong to. */
export interface SpeakerIdentity {
  /** Network byte order: 0x0a000001 is 10.0.0.1. Not 0. */
  readonly routerId: number;
  readonly asn: number;
}

export interface ResolvedFamily {
  readonly addPathSend: boolean;
  readonly addPathReceive: boolean;
  readonly extendedNextHop: boolean;
  readonly maxPrefixes?: {
    readonly limit: number;
    readonly warnAt: number;
    readonly action: 'close' | 'warn';
    readonly restartAfter?: number;
  };
}

export interface ResolvedNeighbor {
  /** Address or prefix, with %VRF inside a VRF: what operators name it by. */
  readonly name: string;
  readonly description: string;
  readonly address: Uint8Array | undefined;
  readonly prefix: Prefix | undefined;
  readonly prefixLimit: number;
  readonly asn: number | readonly number[] | 'external';
  readonly localAsn: number;
  /** Network byte order; ours towards this peer. */
  readonly routerId: number;
  readonly vrf: string | undefined;
  readonly localAddress: Uint8Array | undefined;
  readonly interface: string | undefined;
  readonly port: number;
  readonly passive: boolean;
  readonly multihop: number;
  readonly ttlSecurity: number | undefined;
  readonly maxSegment: number | undefined;
  readonly md5KeyFile: string | undefined;
  readonly tcpAo: Required<NonNullable<NeighborConfig['tcpAo']>> | undefined;
  readonly timers: Required<Omit<NeighborTimers, 'keepalive' | 'sendHold'>> &
    Pick<NeighborTimers, 'keepalive' | 'sendHold'>;
  readonly families: ReadonlyMap<FamilyId, ResolvedFamily>;
  readonly familySet: FamilySet;
  readonly gracefulRestart:
    { readonly restartTime: number; readonly notification: boolean } | undefined;
  readonly longLived: { readonly staleTime: number } | undefined;
  readonly shutdown: string | undefined;
}

function address(text: string | undefined): Uint8Array | undefined {
  if (text === undefined) return undefined;
  const bytes = parseAddress(text);
  if (bytes === undefined) throw new RangeError(`not an address: ${text}`);
  return bytes;
}

function resolveFamily(config: NeighborFamily): ResolvedFamily {
  const { addPath, maxPrefixes } = config;
  const common = {
    addPathSend: addPath === 'send' || addPath === 'both',
    addPathReceive: addPath === 'receive' || addPath === 'both',
    extendedNextHop: config.extendedNextHop ?? false,
  };
  if (maxPrefixes === undefined) return common;
  const { limit, warnAt = 75, action = 'close', restartAfter } = maxPrefixes;
  const again = restartAfter === undefined ? {} : { restartAfter };
  return { ...common, maxPrefixes: { limit, warnAt, action, ...again } };
}

function resolveFamilies(config: NeighborConfig): Map<FamilyId, ResolvedFamily> {
  const given = config.families ?? { 'ipv4-unicast': {} };
  const families = new Map<FamilyId, ResolvedFamily>();
  for (const id of [0, 1, 2, 3, 4, 5, 6] as const) {
    const family = given[FAMILIES[id].name];
    if (family !== undefined) families.set(id, resolveFamily(family));
  }
  if (families.size === 0) throw new RangeError('a neighbour without address families');
  return families;
}

function resolveTimers(timers: NeighborTimers): ResolvedNeighbor['timers'] {
  const { hold = 90, connectRetry = 5, connectRetryMax = 120, open = 60 } = timers;
  if (hold !== 0 && (hold < 3 || hold > 65535)) throw new RangeError(`hold time ${hold}`);
  return { ...timers, hold, connectRetry, connectRetryMax, open };
}

/** Address or prefix of the peers, one of the two. */
function resolvePeer(config: NeighborConfig): Pick<ResolvedNeighbor, 'address' | 'prefix'> {
  const peer = address(config.address);
  const parsed = config.prefix === undefined ? undefined : parsePrefix(config.prefix);
  if ((peer === undefined) === (parsed === undefined)) {
    throw new RangeError('a neighbour has an address or a prefix');
  }
  return { address: peer, prefix: parsed && networkOf(parsed) };
}

function resolveRestart(config: NeighborConfig): ResolvedNeighbor['gracefulRestart'] {
  const restart = config.gracefulRestart ?? {};
  if (restart === false) return undefined;
  const { restartTime = 120, notification = true } = restart;
  return { restartTime, notification };
}

function resolveTransport(
  config: NeighborConfig,
  localAsn: number,
): Pick<
  ResolvedNeighbor,
  'port' | 'multihop' | 'ttlSecurity' | 'maxSegment' | 'md5KeyFile' | 'tcpAo'
> {
  const { tcpAo } = config;
  return {
    port: config.port ?? 179,
    multihop: config.asn === localAsn ? 255 : (config.multihop ?? 1),
    ttlSecurity: config.ttlSecurity,
    maxSegment: config.maxSegment,
    md5KeyFile: config.md5KeyFile,
    tcpAo: tcpAo && { ...tcpAo, algorithm: tcpAo.algorithm ?? 'hmac-sha-1' },
  };
}

function ownRouterId({ routerId }: NeighborConfig, speaker: SpeakerIdentity): number {
  if (routerId === undefined) return speaker.routerId;
  const parsed = parseRouterId(routerId);
  if (parsed === undefined) throw new RangeError(`not a router id: ${routerId}`);
  return parsed;
}

/** The neighbour with its defaults. Throws RangeError for what a checked configuration cannot hold. */
export function resolveNeighbor(
  config: NeighborConfig,
  speaker: SpeakerIdentity,
): ResolvedNeighbor {
  const { vrf, shutdown = false, localAsn = speaker.asn } = config;
  const peer = resolvePeer(config);
  const text = peer.address ? formatAddress(peer.address) : (config.prefix ?? '');
  const families = resolveFamilies(config);
  return {
    ...peer,
    name: vrf === undefined ? text : `${text}%${vrf}`,
    description: config.description ?? text,
    prefixLimit: config.prefixLimit ?? 100,
    asn: config.asn,
    localAsn,
    routerId: ownRouterId(config, speaker),
    vrf,
    localAddress: address(config.localAddress),
    interface: config.interface,
    passive: peer.address === undefined || (config.passive ?? false),
    ...resolveTransport(config, localAsn),
    timers: resolveTimers(config.timers ?? {}),
    families,
    familySet: [...families.keys()].reduce<FamilySet>((set, id) => set | (1 << id), 0),
    gracefulRestart: resolveRestart(config),
    longLived: config.longLived,
    shutdown: shutdown === false ? undefined : shutdown === true ? '' : shutdown,
  };
}

/** What a session goes on without: it holds from now on (prefix limits), or for the next one (timers). */
const CHANGEABLE: ReadonlySet<string> = new Set<keyof NeighborConfig>([
  ...(['description', 'timers', 'passive', 'prefixLimit', 'shutdown'] as const),
  'md5KeyFile', // its octets count, see Keys
]);

/**
 * What of a neighbour's configuration a session cannot outlive: whom it is with, by which transport, and what
 * the OPENs agreed on.
 */
export function foundationOf({ families = {}, ...rest }: NeighborConfig): object {
  const agreed = Object.entries(families).map(([name, { addPath, extendedNextHop }]) => [
    ...[name, addPath ?? '', extendedNextHop ?? false],
  ]);
  return [Object.entries(rest).filter(([key]) => !CHANGEABLE.has(key)), agreed];
}
