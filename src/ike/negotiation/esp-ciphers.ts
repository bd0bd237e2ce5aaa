// SPDX-License-Identifier: Apache-2.0
/** Encryption of ESP that exists here (RFC 8221): what is not in this table cannot be configured, offered or chosen. */
import type { EspCipher } from './types.js';

const aead = { saltBytes: 4, kind: 'aead' } as const;
const gcm = { ...aead, id: 20, name: 'ENCR_AES_GCM_16', encrypts: true } as const;
const gmac = { ...aead, id: 21, name: 'ENCR_NULL_AUTH_AES_GMAC', encrypts: false } as const;
const cbc = { saltBytes: 0, kind: 'cbc', id: 12, name: 'ENCR_AES_CBC', encrypts: true } as const;

export const ESP_CIPHERS = {
  'aes-128-gcm': { ...gcm, keyBits: 128, keyBytes: 16 },
  'aes-256-gcm': { ...gcm, keyBits: 256, keyBytes: 32 },
  'chacha20-poly1305': {
    ...aead,
    id: 28,
    name: 'ENCR_CHACHA20_POLY1305',
    keyBits: undefined, // RFC 7634 §2: fixed, so not said
    keyBytes: 32,
    encrypts: true,
  },
  'aes-128-cbc': { ...cbc, keyBits: 128, keyBytes: 16 },
  'aes-256-cbc': { ...cbc, keyBits: 256, keyBytes: 32 },
  'aes-128-gmac': { ...gmac, keyBits: 128, keyBytes: 16 },
  'aes-256-gmac': { ...gmac, keyBits: 256, keyBytes: 32 },
  null: {
    id: 11,
    name: 'ENCR_NULL',
    keyBits: undefined,
    keyBytes: 0,
    saltBytes: 0,
    kind: 'null',
    encrypts: false,
  },
} as const satisfies Record<string, EspCipher>;
export type EspCipherName = keyof typeof ESP_CIPHERS;

/** ENCR_NULL and ENCR_NULL_AUTH_AES_GMAC (RFC 4543), of whatever key length; all other numbers encrypt. */
export const encryptsNothing = (id: number): boolean => id === 11 || id === 21;
