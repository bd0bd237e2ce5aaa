// SPDX-License-Identifier: Apache-2.0
/**
 * `--debug-keys`: the keys of IKE SAs and child SAs as Wireshark reads them, lines of its tables
 * `ikev2_decryption_table` and `esp_sa`. Whoever has these lines reads all traffic.
 */
import { formatAddress } from '../../lib/ip.js';
import type { ChildInstall, ChildSink } from '../child/types.js';
import type { ChannelKeys } from '../channel/api.js';
import type { EspSuite } from '../negotiation/types.js';
import type { OpenIkeSa } from '../open/types.js';

export interface DebugKeys {
  /** A line of one of Wireshark's tables. */
  write(table: 'ikev2_decryption_table' | 'esp_sa', line: string): void;
}

const hex = (octets: Uint8Array): string => Buffer.from(octets).toString('hex');
const quoted = (...fields: readonly string[]): string =>
  fields.map((field) => `"${field}"`).join(',');

/** Names of Wireshark's own (epan/dissectors/packet-isakmp.c). */
function ikeNames({ suite }: ChannelKeys): readonly [string, string] | undefined {
  const { cipher } = suite;
  switch (cipher.cipher) {
    case 'aes-128-gcm':
    case 'aes-256-gcm':
      return [`AES-GCM-${String(cipher.keyBits)} with 16 octet ICV [RFC5282]`, 'NONE [RFC4306]'];
    case 'aes-128-cbc':
    case 'aes-256-cbc': {
      const bits = 'integrity' in suite ? suite.integrity.keyBytes * 8 : 0;
      const name = `HMAC_SHA2_${String(bits)}_${String(bits / 2)} [RFC4868]`;
      return [`AES-CBC-${String(cipher.keyBits)} [RFC3602]`, name];
    }
    case 'chacha20-poly1305':
      return undefined; // Wireshark 4.0 cannot read it in IKE
  }
}

/** SPIi, SPIr, SK_ei, SK_er, encryption, SK_ai, SK_ar, integrity. */
export function ikeLine(open: OpenIkeSa, keys: ChannelKeys): string | undefined {
  const names = ikeNames(keys);
  if (names === undefined) return undefined;
  const [encryption, integrity] = names;
  const spi = (value: bigint): string => value.toString(16).padStart(16, '0');
  const isOurs = open.role === 'initiator';
  const [i, r] = isOurs ? [keys.send, keys.receive] : [keys.receive, keys.send];
  return [
    ...[spi(open.initiatorSpi), spi(open.responderSpi), hex(i.encryption), hex(r.encryption)],
    ...[`"${encryption}"`, hex(i.integrity), hex(r.integrity), `"${integrity}"`],
  ].join(',');
}

/** Names of epan/dissectors/packet-ipsec.c; undefined: Wireshark 4.0 has none (ChaCha20-Poly1305, GMAC). */
function espNames({ cipher, integrity }: EspSuite): readonly [string, string] | undefined {
  const encryption = new Map([
    [20, 'AES-GCM with 16 octet ICV [RFC4106]'],
    [12, 'AES-CBC [RFC3602]'],
    [11, 'NULL'],
  ]).get(cipher.id);
  if (encryption === undefined) return undefined;
  if (integrity === undefined) return [encryption, 'NULL'];
  const bits = integrity.keyBytes * 8;
  return [encryption, `HMAC-SHA-${String(bits)}-${String(bits / 2)} [RFC4868]`];
}

/** Both directions: protocol, source, destination, SPI, encryption, key, integrity, key. */
export function espLines(child: ChildInstall): string[] {
  const names = espNames(child.suite);
  if (names === undefined) return [];
  const [encryption, integrity] = names;
  const { local, remote } = child.path;
  const protocol = local.address.length === 4 ? 'IPv4' : 'IPv6';
  const [here, there] = [formatAddress(local.address), formatAddress(remote.address)];
  const key = (octets: Uint8Array): string => (octets.length === 0 ? '' : `0x${hex(octets)}`);
  const spi = (value: number): string => `0x${(value >>> 0).toString(16).padStart(8, '0')}`;
  const { inboundKeys, outboundKeys } = child;
  return [
    quoted(
      ...[protocol, there, here, spi(child.inboundSpi), encryption, key(inboundKeys.encryption)],
      ...[integrity, key(inboundKeys.integrity)],
    ),
    quoted(
      ...[protocol, here, there, spi(child.outboundSpi), encryption, key(outboundKeys.encryption)],
      ...[integrity, key(outboundKeys.integrity)],
    ),
  ];
}

/** A data plane whose keys are written down. */
export const withDebugKeys = (sink: ChildSink, keys: DebugKeys): ChildSink => ({
  allocateSpi: () => sink.allocateSpi(),
  releaseSpi: (spi) => {
    sink.releaseSpi(spi);
  },
  install: (child) => {
    for (const line of espLines(child)) keys.write('esp_sa', line);
    return sink.install(child);
  },
  activate: (spi) => sink.activate(spi),
  remove: (spi, graceMs) => {
    sink.remove(spi, graceMs);
  },
  usage: (spi) => sink.usage(spi),
  retain: (spis, graceMs) => {
    sink.retain?.(spis, graceMs);
  },
});
