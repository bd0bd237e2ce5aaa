// SPDX-License-Identifier: Apache-2.0
/** Suites of ESP that the worker has, as dpdk-app/include/sealane/suites.h lists them; lengths in bytes. */

interface EspSuite {
  /** Key of the cipher, then of the integrity (RFC 7296 §2.17). */
  readonly cipherKey: number;
  readonly integrityKey: number;
  readonly salt: number;
  readonly iv: number;
  readonly icv: number;
  /** Payload, padding and the two bytes behind it are a multiple of this. */
  readonly align: number;
  /** false: for `authenticate` alone (policy-model 16). */
  readonly encrypts: boolean;
}

const aead = { integrityKey: 0, salt: 4, iv: 8, icv: 16, align: 4, encrypts: true } as const;
const cbc = { salt: 0, iv: 16, align: 16, encrypts: true } as const;
const none = { cipherKey: 0, salt: 0, iv: 0, align: 4, encrypts: false } as const;
const sha256 = { integrityKey: 32, icv: 16 } as const;
const sha384 = { integrityKey: 48, icv: 24 } as const;
const sha512 = { integrityKey: 64, icv: 32 } as const;

export const ESP_SUITES = {
  'aes-gcm-128': { ...aead, cipherKey: 16 },
  'aes-gcm-256': { ...aead, cipherKey: 32 },
  'aes-gmac-128': { ...aead, cipherKey: 16, encrypts: false },
  'aes-gmac-256': { ...aead, cipherKey: 32, encrypts: false },
  'chacha20-poly1305': { ...aead, cipherKey: 32 },
  'aes-cbc-128-sha-256': { ...cbc, ...sha256, cipherKey: 16 },
  'aes-cbc-128-sha-384': { ...cbc, ...sha384, cipherKey: 16 },
  'aes-cbc-128-sha-512': { ...cbc, ...sha512, cipherKey: 16 },
  'aes-cbc-256-sha-256': { ...cbc, ...sha256, cipherKey: 32 },
  'aes-cbc-256-sha-384': { ...cbc, ...sha384, cipherKey: 32 },
  'aes-cbc-256-sha-512': { ...cbc, ...sha512, cipherKey: 32 },
  'null-sha-256': { ...none, ...sha256 },
  'null-sha-384': { ...none, ...sha384 },
  'null-sha-512': { ...none, ...sha512 },
} as const satisfies Record<string, EspSuite>;

export type Algorithm = keyof typeof ESP_SUITES;

export const isAlgorithm = (name: string): name is Algorithm => Object.hasOwn(ESP_SUITES, name);

export const ALGORITHMS: readonly Algorithm[] = Object.keys(ESP_SUITES).filter(isAlgorithm);

/** Whether it keeps secrets; the others are for `authenticate` alone. */
export const encrypts = (algorithm: Algorithm): boolean => ESP_SUITES[algorithm].encrypts;

/** Bytes of both keys, salt not included. */
export function keyBytes(algorithm: Algorithm): number {
  const { cipherKey, integrityKey } = ESP_SUITES[algorithm];
  return cipherKey + integrityKey;
}

/** What ESP adds to a packet. */
export interface EspOverhead {
  readonly iv: number;
  readonly icv: number;
  readonly align: number;
  /** In UDP (RFC 3948): 8 bytes more. */
  readonly inUdp: boolean;
}

export function espOverhead(algorithm: Algorithm, inUdp: boolean): EspOverhead {
  const { iv, icv, align } = ESP_SUITES[algorithm];
  return { iv, icv, align, inUdp };
}
