// SPDX-License-Identifier: Apache-2.0
/**
 * The algorithms that exist: transform ids of IANA's "IKEv2 Parameters", key and tag sizes in octets.
 * Nothing that RFC 8247 calls less than MAY, and nothing that it would rather see gone, is in here:
 * what is not in these tables cannot be configured, offered or accepted.
 */

export type HashName = 'sha256' | 'sha384' | 'sha512';

/** Transform type 2 (RFC 4868 §2.1.2). The preferred key length is the output length. */
export interface Prf {
  readonly id: number;
  readonly name: string;
  readonly hash: HashName;
  readonly bytes: number;
}

export const PRFS = {
  sha256: { id: 5, name: 'PRF_HMAC_SHA2_256', hash: 'sha256', bytes: 32 },
  sha384: { id: 6, name: 'PRF_HMAC_SHA2_384', hash: 'sha384', bytes: 48 },
  sha512: { id: 7, name: 'PRF_HMAC_SHA2_512', hash: 'sha512', bytes: 64 },
} as const satisfies Record<HashName, Prf>;

/** Transform type 3 (RFC 4868 §2.3): HMAC cut to half its length. */
export interface Integrity {
  readonly id: number;
  readonly name: string;
  readonly hash: HashName;
  readonly keyBytes: number;
  readonly tagBytes: number;
}

export const INTEGRITY = {
  sha256: { id: 12, name: 'AUTH_HMAC_SHA2_256_128', hash: 'sha256', keyBytes: 32, tagBytes: 16 },
  sha384: { id: 13, name: 'AUTH_HMAC_SHA2_384_192', hash: 'sha384', keyBytes: 48, tagBytes: 24 },
  sha512: { id: 14, name: 'AUTH_HMAC_SHA2_512_256', hash: 'sha512', keyBytes: 64, tagBytes: 32 },
} as const satisfies Record<HashName, Integrity>;

/** Transform type 1. */
interface Encryption {
  readonly id: number;
  readonly name: string;
  readonly cipher: CipherName;
  /** Value of the Key Length attribute in bits, undefined where the transform has none. */
  readonly keyBits: number | undefined;
  readonly keyBytes: number;
  readonly ivBytes: number;
}
/** Authenticates as well (RFC 5282, RFC 7634): no transform of type 3 beside it. */
export interface AeadCipher extends Encryption {
  readonly kind: 'aead';
  readonly cipher: AeadName;
  /** Behind the key in SK_e: the first octets of each nonce. */
  readonly saltBytes: number;
  readonly tagBytes: number;
}
/** Wants an Integrity beside it. */
export interface CbcCipher extends Encryption {
  readonly kind: 'cbc';
  readonly cipher: CbcName;
  readonly saltBytes: 0;
  readonly blockBytes: number;
}
export type AeadName = 'aes-128-gcm' | 'aes-256-gcm' | 'chacha20-poly1305';
export type CbcName = 'aes-128-cbc' | 'aes-256-cbc';
export type CipherName = AeadName | CbcName;
export type Cipher = AeadCipher | CbcCipher;

const aead = { kind: 'aead', saltBytes: 4, ivBytes: 8, tagBytes: 16 } as const;
const cbc = { kind: 'cbc', saltBytes: 0, ivBytes: 16, blockBytes: 16 } as const;
const gcm = { ...aead, id: 20, name: 'ENCR_AES_GCM_16' } as const;
const aesCbc = { ...cbc, id: 12, name: 'ENCR_AES_CBC' } as const;

export const CIPHERS = {
  'aes-128-gcm': { ...gcm, cipher: 'aes-128-gcm', keyBits: 128, keyBytes: 16 },
  'aes-256-gcm': { ...gcm, cipher: 'aes-256-gcm', keyBits: 256, keyBytes: 32 },
  'chacha20-poly1305': {
    ...aead,
    id: 28,
    name: 'ENCR_CHACHA20_POLY1305',
    cipher: 'chacha20-poly1305',
    keyBits: undefined, // RFC 7634 §2: fixed, so not said
    keyBytes: 32,
  },
  'aes-128-cbc': { ...aesCbc, cipher: 'aes-128-cbc', keyBits: 128, keyBytes: 16 },
  'aes-256-cbc': { ...aesCbc, cipher: 'aes-256-cbc', keyBits: 256, keyBytes: 32 },
} as const satisfies Record<CipherName, Cipher>;

/** How an IKE SA protects its messages and derives its keys. */
export type Suite =
  | { readonly prf: Prf; readonly cipher: AeadCipher }
  | { readonly prf: Prf; readonly cipher: CbcCipher; readonly integrity: Integrity };

/** Length of SK_e: the key and, for AEADs, the salt behind it (RFC 5282 §7.1). */
export const encryptionBytes = (suite: Suite): number =>
  suite.cipher.keyBytes + suite.cipher.saltBytes;

/** Length of SK_a: 0 for AEADs (RFC 5282 §7). */
export const integrityBytes = (suite: Suite): number =>
  'integrity' in suite ? suite.integrity.keyBytes : 0;

/** Transform type 4, and 6 to 12 (RFC 9370 §2.2.1). Lengths in octets. */
interface Method {
  readonly id: number;
  readonly name: string;
  /** Of the Key Exchange Data, by the initiator and by the responder. */
  readonly initiatorBytes: number;
  readonly responderBytes: number;
  readonly sharedBytes: number;
}
/** RFC 3526. The exponent has twice the group's strength (§8, the higher estimate), rounded up. */
export interface ModpMethod extends Method {
  readonly kind: 'modp';
  readonly group: 'modp14' | 'modp15' | 'modp16';
  readonly privateBytes: number;
}
/** RFC 5903: public values are x | y, the shared secret is x. */
export interface EcpMethod extends Method {
  readonly kind: 'ecp';
  readonly curve: 'prime256v1' | 'secp384r1' | 'secp521r1';
  readonly privateBytes: number;
}
/** RFC 8031. */
export interface X25519Method extends Method {
  readonly kind: 'x25519';
  readonly privateBytes: 32;
}
/** FIPS 203: the initiator sends an encapsulation key, the responder a ciphertext. */
export interface KemMethod extends Method {
  readonly kind: 'kem';
  readonly parameterSet: 512 | 768 | 1024;
}
export type KeMethod = ModpMethod | EcpMethod | X25519Method | KemMethod;

const same = (bytes: number, shared: number): Pick<Method, MethodSizes> => ({
  initiatorBytes: bytes,
  responderBytes: bytes,
  sharedBytes: shared,
});
type MethodSizes = 'initiatorBytes' | 'responderBytes' | 'sharedBytes';
const kem = (encapsulationKey: number, ciphertext: number): Pick<Method, MethodSizes> => ({
  initiatorBytes: encapsulationKey,
  responderBytes: ciphertext,
  sharedBytes: 32,
});

/** By transform id. */
export const KE_METHODS = {
  14: {
    id: 14,
    name: 'modp2048',
    kind: 'modp',
    group: 'modp14',
    privateBytes: 40,
    ...same(256, 256),
  },
  15: {
    id: 15,
    name: 'modp3072',
    kind: 'modp',
    group: 'modp15',
    privateBytes: 53,
    ...same(384, 384),
  },
  16: {
    id: 16,
    name: 'modp4096',
    kind: 'modp',
    group: 'modp16',
    privateBytes: 60,
    ...same(512, 512),
  },
  19: {
    id: 19,
    name: 'ecp256',
    kind: 'ecp',
    curve: 'prime256v1',
    privateBytes: 32,
    ...same(64, 32),
  },
  20: {
    id: 20,
    name: 'ecp384',
    kind: 'ecp',
    curve: 'secp384r1',
    privateBytes: 48,
    ...same(96, 48),
  },
  21: {
    id: 21,
    name: 'ecp521',
    kind: 'ecp',
    curve: 'secp521r1',
    privateBytes: 66,
    ...same(132, 66),
  },
  31: { id: 31, name: 'x25519', kind: 'x25519', privateBytes: 32, ...same(32, 32) },
  35: { id: 35, name: 'mlkem512', kind: 'kem', parameterSet: 512, ...kem(800, 768) },
  36: { id: 36, name: 'mlkem768', kind: 'kem', parameterSet: 768, ...kem(1184, 1088) },
  37: { id: 37, name: 'mlkem1024', kind: 'kem', parameterSet: 1024, ...kem(1568, 1568) },
} as const satisfies Record<number, KeMethod>;
export type KeMethodId = keyof typeof KE_METHODS;

const methods: readonly KeMethod[] = Object.values(KE_METHODS);
const ciphers: readonly Cipher[] = Object.values(CIPHERS);

/** Lookups by what a proposal says; undefined for what we do not speak. */
export const prfById = (id: number): Prf | undefined =>
  Object.values(PRFS).find((prf) => prf.id === id);
export const integrityById = (id: number): Integrity | undefined =>
  Object.values(INTEGRITY).find((integrity) => integrity.id === id);
export const cipherById = (id: number, keyBits: number | undefined): Cipher | undefined =>
  ciphers.find((cipher) => cipher.id === id && cipher.keyBits === keyBits);
export const keMethodById = (id: number): KeMethod | undefined =>
  methods.find((method) => method.id === id);
