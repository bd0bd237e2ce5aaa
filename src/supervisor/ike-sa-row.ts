// SPDX-License-Identifier: Apache-2.0
/** A child SA as the worker's rows have it, and what the worker cannot carry. */
import { DEFAULT_REPLAY_WINDOW } from '../config/defaults.js';
import type { Algorithm, Encapsulation, SaRow } from '../forwarding/addon/api.js';
import { saRowName } from '../forwarding/model.js';
import type { ChildInstall } from '../ike/child/types.js';
import type { EspSuite, Selector } from '../ike/negotiation/types.js';
import { equalBytes, formatAddress } from '../lib/ip.js';

/** ESP transform IDs (RFC 4106, RFC 4543); the key length says which of the two. */
const ENCR_AES_GCM_16 = 20;
const ENCR_NULL_AUTH_AES_GMAC = 21;
/** IP protocols that a VPN SA is for (RFC 2784, RFC 4023). */
const PROTOCOLS: ReadonlyMap<number, Encapsulation> = new Map([
  [47, 'gre'],
  [137, 'ip'],
]);
/** The worker counts 32 bits without ESN. */
const SEQUENCE_END = 0xffff_ffffn;

/** undefined: not one of the worker's. */
export function algorithmOf({ cipher, esn }: EspSuite): Algorithm | undefined {
  const bits = cipher.keyBits === 128 || cipher.keyBits === 256 ? cipher.keyBits : undefined;
  if (esn || bits === undefined) return undefined;
  if (cipher.id === ENCR_AES_GCM_16) return `aes-gcm-${bits}`;
  return cipher.id === ENCR_NULL_AUTH_AES_GMAC ? `aes-gmac-${bits}` : undefined;
}

/** The one encapsulation that all selectors are for. */
export function encapsulationOf(selectors: readonly Selector[]): Encapsulation | undefined {
  const [first] = selectors;
  const all = first !== undefined && selectors.every(({ protocol }) => protocol === first.protocol);
  return all ? PROTOCOLS.get(first.protocol) : undefined;
}

/** Exactly one address, whatever the ports (GRE and MPLS-in-IP have none). */
const isFor = (selectors: readonly Selector[], address: Uint8Array): boolean =>
  selectors.every((one) => equalBytes(one.start, address) && equalBytes(one.end, address));

/** Why the worker cannot carry a child SA; undefined: it can. */
export function refusal(child: ChildInstall): string | undefined {
  const { suite, path, local, remote } = child;
  if (child.policy.mode !== 'transport') return 'only transport mode is carried';
  if (child.udpEncapsulation) return 'ESP in UDP is not carried';
  if (algorithmOf(suite) === undefined) {
    const { name, keyBits } = suite.cipher;
    const what = [name, keyBits, suite.esn ? 'with ESN' : undefined].filter(Boolean).join(' ');
    return `${what} is not carried`;
  }
  if (encapsulationOf([...local, ...remote]) === undefined) {
    return 'its selectors are for neither GRE (47) nor MPLS-in-IP (137) alone';
  }
  if (!isFor(local, path.local.address) || !isFor(remote, path.remote.address)) {
    return 'its selectors are not the tunnel addresses';
  }
  return undefined;
}

/** Both rows of a child SA that was not {@link refusal | refused}. */
function common(child: ChildInstall): Pick<SaRow, 'name' | 'algorithm' | 'encapsulation'> {
  const algorithm = algorithmOf(child.suite);
  const encapsulation = encapsulationOf([...child.local, ...child.remote]);
  if (algorithm === undefined || encapsulation === undefined) {
    throw new TypeError('a child SA that the worker does not carry');
  }
  const remote = formatAddress(child.path.remote.address);
  const name = saRowName(`ike/${child.policy.service}/${remote}`, child.inboundSpi);
  return { name, algorithm, encapsulation };
}

/** `spTable`: 1..63, of the SP that the peer was authenticated for. */
export function inboundRow(child: ChildInstall, spTable: number): SaRow {
  const { path, inboundSpi: spi } = child;
  return {
    ...{ ...common(child), spi, spTable },
    ...{ source: path.remote.address, destination: path.local.address },
    ...{ replayWindow: DEFAULT_REPLAY_WINDOW, packetLimit: 0n },
  };
}

export function outboundRow(child: ChildInstall): SaRow {
  const { path, outboundSpi: spi } = child;
  const { hardPackets } = child.policy.lifetimes;
  return {
    ...{ ...common(child), spi, spTable: 0, replayWindow: 0 },
    ...{ source: path.local.address, destination: path.remote.address },
    packetLimit: hardPackets < SEQUENCE_END ? hardPackets : 0n,
  };
}

/** What a tunnel finds its SA by (policy-model 16); `row` outbound. */
export function pairKey(
  row: Pick<SaRow, 'source' | 'destination' | 'encapsulation'>,
  algorithm: Algorithm,
): string {
  const protection = algorithm.startsWith('aes-gcm') ? 'encrypt' : 'authenticate';
  const ends = `${formatAddress(row.source)} ${formatAddress(row.destination)}`;
  return `${ends} ${protection} ${row.encapsulation}`;
}
