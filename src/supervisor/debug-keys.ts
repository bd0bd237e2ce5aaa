// SPDX-License-Identifier: Apache-2.0
/**
 * `sealane run --debug-keys FOLDER`: the keys of IKE SAs and child SAs as Wireshark's tables, so that a folder of
 * that name as its profile opens a capture. Whoever reads them reads everything: they are written only when asked
 * for, to files of mode 0600, and the supervisor says so in its state as long as it runs.
 *
 *   ikev2_decryption_table   SPIi, SPIr, SK_ei, SK_er, encryption, SK_ai, SK_ar, integrity
 *   esp_sa                   protocol, source, destination, SPI, encryption, key, authentication, key
 *
 * A line is appended for each key that comes into use. An IKE SA with IKE_INTERMEDIATE has several lines, of which
 * Wireshark takes the last: it opens all but the IKE_INTERMEDIATE exchanges. It has no AES-GMAC for ESP.
 */
import { appendFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Suite } from '../ike/crypto/algorithms.js';
import type { IkeCrypto } from '../ike/crypto/api.js';
import type { IkeKeys, Spis } from '../ike/crypto/kdf.js';
import type { ChildInstall } from '../ike/child/types.js';
import { formatAddress } from '../lib/ip.js';

/** Wireshark's names (epan/dissectors/packet-isakmp.c, vs_v2_encr_algs and vs_v2_auth_algs). */
const IKE_CIPHERS: Readonly<Record<string, string>> = {
  'ENCR_AES_GCM_16 128': 'AES-GCM-128 with 16 octet ICV [RFC5282]',
  'ENCR_AES_GCM_16 256': 'AES-GCM-256 with 16 octet ICV [RFC5282]',
  'ENCR_AES_CBC 128': 'AES-CBC-128 [RFC3602]',
  'ENCR_AES_CBC 256': 'AES-CBC-256 [RFC3602]',
};
const IKE_INTEGRITY: Readonly<Record<string, string>> = {
  AUTH_HMAC_SHA2_256_128: 'HMAC_SHA2_256_128 [RFC4868]',
  AUTH_HMAC_SHA2_384_192: 'HMAC_SHA2_384_192 [RFC4868]',
  AUTH_HMAC_SHA2_512_256: 'HMAC_SHA2_512_256 [RFC4868]',
};

type DebugChild = Pick<
  ChildInstall,
  'path' | 'suite' | 'inboundSpi' | 'outboundSpi' | 'inboundKeys' | 'outboundKeys'
>;

const hex = (octets: Uint8Array): string => Buffer.from(octets).toString('hex');

export class DebugKeys {
  readonly folder: string;

  /** Makes the folder; throws what mkdir(2) does. */
  constructor(folder: string) {
    this.folder = folder;
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  }

  /** Cryptography that writes the keys of IKE SAs as it derives them. */
  watch(crypto: IkeCrypto): IkeCrypto {
    const { kdf } = crypto;
    const ikeKeys: typeof kdf.ikeKeys = (suite, skeyseed, nonces, spis) => {
      const keys = kdf.ikeKeys(suite, skeyseed, nonces, spis);
      this.#ike(suite, keys, spis);
      return keys;
    };
    return { ...crypto, kdf: { ...kdf, ikeKeys } };
  }

  #ike(suite: Suite, keys: IkeKeys, spis: Spis): void {
    const { cipher } = suite;
    const name = IKE_CIPHERS[`${cipher.name} ${String(8 * cipher.keyBytes)}`];
    const integrity = 'integrity' in suite ? IKE_INTEGRITY[suite.integrity.name] : 'NONE [RFC4306]';
    if (name === undefined || integrity === undefined) return;
    const numbers = [spis.initiator, spis.responder, keys.ei, keys.er].map(hex);
    const checks = [keys.ai, keys.ar].map(hex);
    this.#append('ikev2_decryption_table', [...numbers, `"${name}"`, ...checks, `"${integrity}"`]);
  }

  /** Both directions. */
  child(child: DebugChild): void {
    const { path, suite } = child;
    const [local, remote] = [path.local.address, path.remote.address];
    if (suite.cipher.id !== 20) return;
    const directions = [
      [remote, local, child.inboundSpi, child.inboundKeys],
      [local, remote, child.outboundSpi, child.outboundKeys],
    ] as const;
    for (const [source, destination, spi, { encryption }] of directions) {
      const fields = [
        ...[source.length === 4 ? 'IPv4' : 'IPv6', formatAddress(source)],
        ...[formatAddress(destination), `0x${spi.toString(16).padStart(8, '0')}`],
        ...['AES-GCM with 16 octet ICV [RFC4106]', `0x${hex(encryption)}`, 'NULL', ''],
      ];
      this.#append(
        'esp_sa',
        fields.map((field) => `"${field}"`),
      );
    }
  }

  #append(file: string, fields: readonly string[]): void {
    appendFileSync(join(this.folder, file), `${fields.join(',')}\n`, { mode: 0o600 });
  }
}
