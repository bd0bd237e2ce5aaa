// SPDX-License-Identifier: Apache-2.0
/** A child SA as the worker's rows have it, and what the worker cannot carry. */
import { DEFAULT_REPLAY_WINDOW } from '../config/defaults.js';
import {
  type Algorithm,
  type BgpSaRow,
  type Encapsulation,
  isBgpSa,
  type SaRow,
  type VpnSaRow,
} from '../forwarding/addon/api.js';
import { saRowName, type TunnelModel } from '../forwarding/model.js';
import type { ChildInstall } from '../ike/child/types.js';
import type { EspSuite, Selector } from '../ike/negotiation/types.js';
import { BGP_SERVICE } from '../ike/policy-compile.js';
import { encrypts, type EspOverhead, espOverhead, isAlgorithm } from '../lib/esp-suites.js';
import { equalBytes, formatAddress } from '../lib/ip.js';

/** IP protocols that a VPN SA is for (RFC 2784, RFC 4023). */
const PROTOCOLS: ReadonlyMap<number, Encapsulation> = new Map([
  [47, 'gre'],
  [137, 'ip'],
]);
/** The worker counts 32 bits without ESN. */
const SEQUENCE_END = 0xffff_ffffn;

/** ESP transform IDs (IANA) in the names of the worker's suites. */
const CIPHERS: ReadonlyMap<number, string> = new Map([
  [11, 'null'],
  [12, 'aes-cbc'],
  [20, 'aes-gcm'],
  [21, 'aes-gmac'],
  [28, 'chacha20-poly1305'],
]);

/** undefined: not one of the worker's. */
export function algorithmOf({ cipher, integrity }: EspSuite): Algorithm | undefined {
  const parts = [CIPHERS.get(cipher.id), cipher.keyBits, integrity?.hash.replace('sha', 'sha-')];
  const name = parts.filter((part) => part !== undefined).join('-');
  return isAlgorithm(name) ? name : undefined;
}

/** What ESP of a row adds to its packets. */
export const overheadOf = ({ algorithm, udp }: SaRow): EspOverhead =>
  espOverhead(algorithm, udp !== undefined);

/** The one encapsulation that all selectors are for. */
export function encapsulationOf(selectors: readonly Selector[]): Encapsulation | undefined {
  const [first] = selectors;
  const all = first !== undefined && selectors.every(({ protocol }) => protocol === first.protocol);
  return all ? PROTOCOLS.get(first.protocol) : undefined;
}

const TCP = 6;
const BGP_PORT = 179;
const LAST_PORT = 65_535;

/** Port of TCP selectors, 0 for any; undefined: something else than any port or 179 alone. */
function portOf(selectors: readonly Selector[]): number | undefined {
  if (selectors.length === 0 || selectors.some(({ protocol }) => protocol !== TCP)) {
    return undefined;
  }
  if (selectors.some(({ startPort, endPort }) => startPort === 0 && endPort === LAST_PORT)) {
    return 0;
  }
  const isBgp = ({ startPort, endPort }: Selector): boolean =>
    startPort === BGP_PORT && endPort === BGP_PORT;
  return selectors.every(isBgp) ? BGP_PORT : undefined;
}

interface Ports {
  readonly local: number;
  readonly remote: number;
}

/** Of a child SA of BGP: 179 at one end, or at either. */
function portsOf({ local, remote }: Pick<ChildInstall, 'local' | 'remote'>): Ports | undefined {
  const ports = { local: portOf(local), remote: portOf(remote) };
  if (ports.local === undefined || ports.remote === undefined) return undefined;
  // With 179 at both ends there is no room for a client.
  if (ports.local + ports.remote > BGP_PORT) return undefined;
  return { local: ports.local, remote: ports.remote };
}

const isForBgp = ({ policy }: Pick<ChildInstall, 'policy'>): boolean =>
  policy.service === BGP_SERVICE;

/** Exactly one address, whatever the ports (GRE and MPLS-in-IP have none). */
const isFor = (selectors: readonly Selector[], address: Uint8Array): boolean =>
  selectors.every((one) => equalBytes(one.start, address) && equalBytes(one.end, address));

/** Why the worker cannot carry a child SA; undefined: it can. */
export function refusal(child: ChildInstall): string | undefined {
  const { suite, path, local, remote } = child;
  if (child.policy.mode !== 'transport') return 'only transport mode is carried';
  if (child.udpEncapsulation) {
    if (isForBgp(child)) return 'BGP is not carried in UDP';
    // An IPv6 header needs a checksum of UDP over the whole packet (RFC 8200 §8.1).
    if (path.local.address.length === 16) return 'ESP in UDP over IPv6 is not carried';
  }
  if (algorithmOf(suite) === undefined) {
    const { name, keyBits } = suite.cipher;
    return `${[name, keyBits, suite.integrity?.name].filter(Boolean).join(' ')} is not carried`;
  }
  const wrong = wrongTraffic(child);
  if (wrong !== undefined) return wrong;
  if (!isFor(local, path.local.address) || !isFor(remote, path.remote.address)) {
    return 'its selectors are not the tunnel addresses';
  }
  return undefined;
}

/** Selectors of other traffic than the service's; an SA of BGP never carries labels, and the others nothing else. */
function wrongTraffic(child: ChildInstall): string | undefined {
  const { local, remote, suite } = child;
  if (isForBgp(child)) {
    if (!suite.cipher.encrypts) return 'BGP is carried encrypted alone';
    return portsOf(child) ? undefined : 'its selectors are not for TCP with port 179 at one end';
  }
  if (encapsulationOf([...local, ...remote]) !== undefined) return undefined;
  return 'its selectors are for neither GRE (47) nor MPLS-in-IP (137) alone';
}

type Direction = 'in' | 'out';

/** What the row carries, by the service that was agreed on; of a child SA that was not {@link refusal | refused}. */
function traffic(
  child: ChildInstall,
  direction: Direction,
):
  | Pick<VpnSaRow, 'encapsulation'>
  | Pick<BgpSaRow, 'application' | 'sourcePort' | 'destinationPort'> {
  const encapsulation = encapsulationOf([...child.local, ...child.remote]);
  if (!isForBgp(child) && encapsulation !== undefined) return { encapsulation };
  const ports = portsOf(child);
  if (!isForBgp(child) || ports === undefined) {
    throw new TypeError('a child SA that the worker does not carry');
  }
  const [sourcePort, destinationPort] =
    direction === 'out' ? [ports.local, ports.remote] : [ports.remote, ports.local];
  return { application: 'bgp', sourcePort, destinationPort };
}

function common(child: ChildInstall): Pick<SaRow, 'name' | 'algorithm' | 'esn' | 'resource'> {
  const algorithm = algorithmOf(child.suite);
  if (algorithm === undefined) throw new TypeError('a child SA that the worker does not carry');
  const remote = formatAddress(child.path.remote.address);
  const name = saRowName(`ike/${child.policy.service}/${remote}`, child.inboundSpi);
  return { name, algorithm, esn: child.suite.esn, resource: child.resource };
}

const udpPorts = (
  { udpEncapsulation }: ChildInstall,
  source: number,
  destination: number,
): Pick<SaRow, 'udp'> => (udpEncapsulation ? { udp: { source, destination } } : {});

/** `spTable`: 1..63, of the SP that the peer was authenticated for; an SA of BGP has no labels to look up. */
export function inboundRow(child: ChildInstall, spTable: number): SaRow {
  const { path, inboundSpi: spi } = child;
  return {
    ...{ ...common(child), ...traffic(child, 'in'), spi, spTable: isForBgp(child) ? 0 : spTable },
    ...{ source: path.remote.address, destination: path.local.address },
    ...{ replayWindow: child.policy.replayWindow ?? DEFAULT_REPLAY_WINDOW, packetLimit: 0n },
    ...udpPorts(child, path.remote.port, path.local.port),
  };
}

export function outboundRow(child: ChildInstall): SaRow {
  const { path, outboundSpi: spi } = child;
  const { hardPackets, hardBytes } = child.policy.lifetimes;
  return {
    ...{ ...common(child), ...traffic(child, 'out'), spi, spTable: 0, replayWindow: 0 },
    ...{ source: path.local.address, destination: path.remote.address },
    packetLimit: hardPackets < SEQUENCE_END ? hardPackets : 0n,
    byteLimit: hardBytes,
    // The peer's choice, which nobody else has seen: it came encrypted.
    randomSpi: true,
    ...udpPorts(child, path.local.port, path.remote.port),
  };
}

type Ends = Pick<SaRow, 'source' | 'destination'>;

const endsOf = ({ source, destination }: Ends): string =>
  `${formatAddress(source)} ${formatAddress(destination)}`;

/** Which packets of BGP between two addresses: to port 179 of the remote end, or from ours. */
export type BgpSide = 'to-port' | 'from-port';

export const bgpKey = (ends: Ends, side: BgpSide): string => `${endsOf(ends)} bgp ${side}`;

/** The two addresses that a {@link bgpKey} is of; undefined: it is a {@link tunnelSaKey}. */
export function bgpEndsOf(key: string): string | undefined {
  const [source = '', destination = '', what] = key.split(' ');
  return what === 'bgp' ? `${source} ${destination}` : undefined;
}

/** What the tunnels that share an SA find it by. */
export function tunnelSaKey({
  local,
  remote,
  protection,
  encapsulation,
}: Pick<TunnelModel, 'local' | 'remote' | 'protection' | 'encapsulation'>): string {
  return `${formatAddress(local)} ${formatAddress(remote)} ${protection} ${encapsulation}`;
}

/** Of every tunnel between two addresses. */
export function pairSaKeys(ends: Pick<TunnelModel, 'local' | 'remote'>): string[] {
  const protections = ['encrypt', 'authenticate', 'tunnel'] as const;
  const encapsulations = ['gre', 'ip'] as const;
  return protections.flatMap((protection) =>
    encapsulations.map((encapsulation) => tunnelSaKey({ ...ends, protection, encapsulation })),
  );
}

/** What tunnels (policy-model 16) and host policies find an SA by; `row` outbound. */
export function pairKeys(row: SaRow): readonly string[] {
  if (isBgpSa(row)) {
    return [
      ...(row.sourcePort === 0 ? [bgpKey(row, 'to-port')] : []),
      ...(row.destinationPort === 0 ? [bgpKey(row, 'from-port')] : []),
    ];
  }
  const protection = encrypts(row.algorithm) ? 'encrypt' : 'authenticate';
  const { source: local, destination: remote, encapsulation } = row;
  return [tunnelSaKey({ local, remote, protection, encapsulation })];
}
