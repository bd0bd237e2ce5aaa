// SPDX-License-Identifier: Apache-2.0
/**
 * From the configuration to what IKE works with. Only files are missing: anchors, credentials and preshared keys are
 * the authenticator's, the postquantum preshared keys (RFC 8784) are given, already loaded.
 */
import { DEFAULT_LCORES, MAX_LCORES } from '../config/defaults.js';
import { DEFAULT_IKE, espProposalsOf, ikeProposalsOf } from '../config/ike/defaults.js';
import { protectedPairs } from '../config/bgp/protect.js';
import { PrefixIndex } from '../config/prefix-index.js';
import type { Config, Encapsulation, Ike, IkeProvider } from '../config/types.js';
import { equalBytes, formatAddress, parseAddress, parsePrefix } from '../lib/ip.js';
import type { ChildPolicy, Lifetimes } from './child/types.js';
import { selectorOf } from './negotiation/selectors.js';
import { type Parsed, parseEspProposal, parseIkeProposal } from './negotiation/text.js';
import type { EspProposal } from './negotiation/types.js';
import type { IkePolicy, PeerPolicy, Ppk } from './policy.js';

/** What an SA pair is for: one for each protection and encapsulation between two PEs (policy-model 16). */
export type Service = `${'encrypt' | 'authenticate'}/${Encapsulation}` | typeof BGP_SERVICE;

/** BGP between two routers, in an SA of its own (policy-model 18). */
export const BGP_SERVICE = 'bgp';
const TCP = 6;

/** IP protocols inside the SA (IANA): MPLS-in-GRE (RFC 4023 §3.2) and MPLS-in-IP (§3.1). */
const PROTOCOLS: Readonly<Record<Encapsulation, number>> = { gre: 47, ip: 137 };

/**
 * Policies of a checked configuration; without `ike` we talk to nobody.
 * @param ppks postquantum preshared keys by SP, for each SP that has one configured. Not copied.
 * Throws for a configuration that its check would refuse, and when a key is missing.
 */
export function compileIkePolicy(config: Config, ppks: ReadonlyMap<string, Uint8Array>): IkePolicy {
  const { ike } = config;
  const peers = new PrefixIndex<PeerPolicy>();
  for (const [sp, provider] of Object.entries(ike?.providers ?? {})) {
    if (ike === undefined) break;
    const policy = peerPolicy(config, ike, sp, provider, ppks);
    for (const range of provider.ranges) peers.add(must(parsePrefix(range), range), policy);
  }
  const limits = { ...DEFAULT_IKE.limits, ...ike?.limits };
  return {
    // As many steps as there are lengths of prefixes in use, however many ranges there are.
    forPeer: (remote) => peers.longest(remote),
    halfOpen: {
      cookieAbove: limits.cookieAbove,
      most: limits.halfOpen,
      mostPerPeer: limits.halfOpenPerPeer,
      expireMs: 1000 * limits.halfOpenTimeout,
    },
  };
}

function must<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw new TypeError(`${what} in a checked configuration`);
  return value;
}

function proposal<T>(parsed: Parsed<T>): T {
  if (!parsed.ok) throw new TypeError(`proposal in a checked configuration: ${parsed.reason}`);
  return parsed.value;
}

function peerPolicy(
  config: Config,
  ike: Ike,
  sp: string,
  provider: IkeProvider,
  ppks: ReadonlyMap<string, Uint8Array>,
): PeerPolicy {
  const fragmentBytes = ike.fragmentBytes ?? DEFAULT_IKE.fragmentBytes;
  return {
    sp,
    proposals: ikeProposalsOf(ike, provider).map((text) => proposal(parseIkeProposal(text))),
    ppk: ppkOf(sp, provider, ppks),
    nat: provider.nat ?? 'refuse',
    retransmission: { ...DEFAULT_IKE.retransmission, ...ike.retransmission },
    fragmentBytes: fragmentBytes === 0 ? undefined : fragmentBytes,
    dpdMs: 1000 * (ike.dpd ?? DEFAULT_IKE.dpd),
    lifetimes: ikeLifetimes(ike),
    reauthSeconds: ike.reauthentication ?? DEFAULT_IKE.reauthentication,
    window: ike.window ?? DEFAULT_IKE.window,
    children: childrenOf(config, ike, provider),
  };
}

function ppkOf(
  sp: string,
  { ppk }: IkeProvider,
  ppks: ReadonlyMap<string, Uint8Array>,
): Ppk | undefined {
  if (ppk === undefined) return undefined;
  const key = ppks.get(sp);
  // Going on without would be a weaker SA than the one asked for.
  if (key === undefined) throw new TypeError(`no postquantum preshared key for SP ${sp}`);
  return { id: new TextEncoder().encode(ppk.id), key, required: ppk.required ?? true };
}

// ---- Lifetimes -----------------------------------------------------------------------------------

/** Time for a rekey that needs retransmissions, before the SA ends whatever happens. */
const LEAST_GRACE_SECONDS = 60;
/** Sequence numbers of ESP without ESN, 0 left out (RFC 4303 §3.3.3). */
const LAST_SEQUENCE_NUMBER = 0xffff_ffffn;

const hardSeconds = (soft: number): number =>
  soft === 0 ? 0 : soft + Math.max(LEAST_GRACE_SECONDS, Math.ceil(soft / 10));

const aQuarterMore = (soft: bigint): bigint => soft + soft / 4n;

function ikeLifetimes({ lifetimes }: Ike): Lifetimes {
  const softSeconds = lifetimes?.ike?.seconds ?? DEFAULT_IKE.ikeSeconds;
  return {
    ...{ softSeconds, hardSeconds: hardSeconds(softSeconds) },
    ...{ softBytes: 0n, hardBytes: 0n, softPackets: 0n, hardPackets: 0n },
    jitter: lifetimes?.jitter ?? DEFAULT_IKE.lifetimeJitter,
  };
}

function childLifetimes({ lifetimes }: Ike): Lifetimes {
  const { child } = lifetimes ?? {};
  const softSeconds = child?.seconds ?? DEFAULT_IKE.childSeconds;
  const softBytes = BigInt(child?.bytes ?? DEFAULT_IKE.childBytes);
  const softPackets = BigInt(child?.packets ?? DEFAULT_IKE.childPackets);
  const hardPackets = aQuarterMore(softPackets);
  return {
    ...{ softSeconds, hardSeconds: hardSeconds(softSeconds) },
    ...{ softBytes, hardBytes: aQuarterMore(softBytes), softPackets },
    hardPackets: hardPackets < LAST_SEQUENCE_NUMBER ? hardPackets : LAST_SEQUENCE_NUMBER,
    jitter: lifetimes?.jitter ?? DEFAULT_IKE.lifetimeJitter,
  };
}

// ---- Child SAs -----------------------------------------------------------------------------------

/** Encrypting ones first: what a peer's offer fits first is taken, and it fits either these or the others. */
const PROTECTIONS = ['encrypt', 'authenticate'] as const;
const ENCAPSULATIONS = ['gre', 'ip'] as const;

function childrenOf(config: Config, ike: Ike, provider: IkeProvider): PeerPolicy['children'] {
  const texts = espProposalsOf(ike, provider);
  const isProtected = protectedBy(config);
  const encrypting = texts.encrypt.map((text) => espOf('encrypt', text));
  const kinds = PROTECTIONS.flatMap((protection) => {
    const proposals = texts[protection].map((text) => espOf(protection, text));
    if (proposals.length === 0) return [];
    return ENCAPSULATIONS.map((encapsulation) => {
      const service: Service = `${protection}/${encapsulation}`;
      return { service, proposals, protocol: PROTOCOLS[encapsulation] };
    });
  });
  const own = config.core.tunnelAddresses.map((address) => must(parseAddress(address), address));
  const { replayWindow } = ike;
  // One for each packet thread (RFC 9611); the peer may have more of them than we.
  const threads = config.worker?.lcores ?? DEFAULT_LCORES;
  const resources = { resources: threads, mostResources: MAX_LCORES };
  const shared = {
    lifetimes: childLifetimes(ike),
    ...(replayWindow !== undefined && { replayWindow }),
  };
  return (local, remote): readonly ChildPolicy[] => {
    if (local.length !== remote.length || !own.some((address) => equalBytes(address, local))) {
      return [];
    }
    // The two tunnel addresses and one protocol, never "any" (policy-model 16).
    const vpn = kinds.map(({ service, proposals, protocol }): ChildPolicy => ({
      ...{ service, mode: 'transport', proposals, ...shared, ...resources },
      local: [selectorOf(local, protocol)],
      remote: [selectorOf(remote, protocol)],
    }));
    if (encrypting.length === 0 || !isProtected(local, remote)) return vpn;
    return [...vpn, bgpChild(local, remote, encrypting, shared)];
  };
}

/**
 * Either end may be TCP's client. RFC 7296 §2.9 lets each selector of one side go with each of the other, so that
 * "port 179 at one end" cannot be said in one SA: offered is TCP between the two, and the worker lets nothing but
 * port 179 into the SA and out of it. A peer may narrow it to one side.
 */
const bgpChild = (
  local: Uint8Array,
  remote: Uint8Array,
  proposals: readonly EspProposal[],
  shared: Pick<ChildPolicy, 'lifetimes' | 'replayWindow'>,
): ChildPolicy => ({
  ...{ service: BGP_SERVICE, mode: 'transport', proposals, ...shared, resources: 1 },
  ...{ local: [selectorOf(local, TCP)], remote: [selectorOf(remote, TCP)] },
});

/** Whether BGP between two addresses has to be inside an SA. */
function protectedBy(config: Config): (local: Uint8Array, remote: Uint8Array) => boolean {
  const keyOf = (ends: readonly Uint8Array[]): string => ends.map(formatAddress).join(' ');
  const pairs = new Set(
    protectedPairs(config).map(({ local, remote }) =>
      keyOf([local, remote].map((text) => must(parseAddress(text), text))),
    ),
  );
  return (local, remote) => pairs.has(keyOf([local, remote]));
}

/** Once more what the check has made sure of, because nothing behind would notice (policy-model 16). */
function espOf(protection: (typeof PROTECTIONS)[number], text: string): EspProposal {
  const parsed = proposal(parseEspProposal(text));
  if (!parsed.ciphers.every(({ encrypts }) => encrypts === (protection === 'encrypt'))) {
    throw new TypeError(`${text} does not ${protection} alone`);
  }
  return parsed;
}
