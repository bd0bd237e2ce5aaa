// SPDX-License-Identifier: Apache-2.0
/** Transforms of IANA "Internet Key Exchange Version 2 (IKEv2) Parameters": numbers to names. */
import { nameIn, type NameTable } from './table.js';

/** IANA "Transform Type Values"; ADDKE by RFC 9370, KWA and GCAUTH by RFC 9838. */
export const TRANSFORM_TYPE_NAMES: NameTable = {
  1: 'ENCR',
  2: 'PRF',
  3: 'INTEG',
  4: 'KE',
  5: 'ESN',
  6: 'ADDKE1',
  7: 'ADDKE2',
  8: 'ADDKE3',
  9: 'ADDKE4',
  10: 'ADDKE5',
  11: 'ADDKE6',
  12: 'ADDKE7',
  13: 'KWA',
  14: 'GCAUTH',
};

/** Transform Type 1: Encryption Algorithm. */
export const ENCR_NAMES: NameTable = {
  1: 'ENCR_DES_IV64',
  2: 'ENCR_DES',
  3: 'ENCR_3DES',
  4: 'ENCR_RC5',
  5: 'ENCR_IDEA',
  6: 'ENCR_CAST',
  7: 'ENCR_BLOWFISH',
  8: 'ENCR_3IDEA',
  9: 'ENCR_DES_IV32',
  11: 'ENCR_NULL',
  12: 'ENCR_AES_CBC',
  13: 'ENCR_AES_CTR',
  14: 'ENCR_AES_CCM_8',
  15: 'ENCR_AES_CCM_12',
  16: 'ENCR_AES_CCM_16',
  18: 'ENCR_AES_GCM_8',
  19: 'ENCR_AES_GCM_12',
  20: 'ENCR_AES_GCM_16',
  21: 'ENCR_NULL_AUTH_AES_GMAC',
  23: 'ENCR_CAMELLIA_CBC',
  24: 'ENCR_CAMELLIA_CTR',
  25: 'ENCR_CAMELLIA_CCM_8',
  26: 'ENCR_CAMELLIA_CCM_12',
  27: 'ENCR_CAMELLIA_CCM_16',
  28: 'ENCR_CHACHA20_POLY1305',
  29: 'ENCR_AES_CCM_8_IIV',
  30: 'ENCR_AES_GCM_16_IIV',
  31: 'ENCR_CHACHA20_POLY1305_IIV',
  32: 'ENCR_KUZNYECHIK_MGM_KTREE',
  33: 'ENCR_MAGMA_MGM_KTREE',
  34: 'ENCR_KUZNYECHIK_MGM_MAC_KTREE',
  35: 'ENCR_MAGMA_MGM_MAC_KTREE',
};

/** Transform Type 2: Pseudorandom Function. */
export const PRF_NAMES: NameTable = {
  1: 'PRF_HMAC_MD5',
  2: 'PRF_HMAC_SHA1',
  3: 'PRF_HMAC_TIGER',
  4: 'PRF_AES128_XCBC',
  5: 'PRF_HMAC_SHA2_256',
  6: 'PRF_HMAC_SHA2_384',
  7: 'PRF_HMAC_SHA2_512',
  8: 'PRF_AES128_CMAC',
  9: 'PRF_HMAC_STREEBOG_512',
};

/** Transform Type 3: Integrity Algorithm. */
export const INTEG_NAMES: NameTable = {
  0: 'NONE',
  1: 'AUTH_HMAC_MD5_96',
  2: 'AUTH_HMAC_SHA1_96',
  3: 'AUTH_DES_MAC',
  4: 'AUTH_KPDK_MD5',
  5: 'AUTH_AES_XCBC_96',
  6: 'AUTH_HMAC_MD5_128',
  7: 'AUTH_HMAC_SHA1_160',
  8: 'AUTH_AES_CMAC_96',
  9: 'AUTH_AES_128_GMAC',
  10: 'AUTH_AES_192_GMAC',
  11: 'AUTH_AES_256_GMAC',
  12: 'AUTH_HMAC_SHA2_256_128',
  13: 'AUTH_HMAC_SHA2_384_192',
  14: 'AUTH_HMAC_SHA2_512_256',
};

/** Transform Types 4 and 6 to 12: Key Exchange Method. */
export const KE_NAMES: NameTable = {
  0: 'NONE',
  1: '768-bit MODP Group',
  2: '1024-bit MODP Group',
  5: '1536-bit MODP Group',
  14: '2048-bit MODP Group',
  15: '3072-bit MODP Group',
  16: '4096-bit MODP Group',
  17: '6144-bit MODP Group',
  18: '8192-bit MODP Group',
  19: '256-bit random ECP group',
  20: '384-bit random ECP group',
  21: '521-bit random ECP group',
  22: '1024-bit MODP Group with 160-bit Prime Order Subgroup',
  23: '2048-bit MODP Group with 224-bit Prime Order Subgroup',
  24: '2048-bit MODP Group with 256-bit Prime Order Subgroup',
  25: '192-bit Random ECP Group',
  26: '224-bit Random ECP Group',
  27: 'brainpoolP224r1',
  28: 'brainpoolP256r1',
  29: 'brainpoolP384r1',
  30: 'brainpoolP512r1',
  31: 'Curve25519',
  32: 'Curve448',
  33: 'GOST3410_2012_256',
  34: 'GOST3410_2012_512',
  35: 'ml-kem-512',
  36: 'ml-kem-768',
  37: 'ml-kem-1024',
};

/** Transform Type 5, by its names of RFC 7296; RFC 9827 calls it Sequence Numbers. */
export const ESN_NAMES: NameTable = {
  0: 'No Extended Sequence Numbers',
  1: 'Extended Sequence Numbers',
};

const IDS: Readonly<Record<number, NameTable>> = {
  1: ENCR_NAMES,
  2: PRF_NAMES,
  3: INTEG_NAMES,
  4: KE_NAMES,
  5: ESN_NAMES,
  ...Object.fromEntries([6, 7, 8, 9, 10, 11, 12].map((type) => [type, KE_NAMES])),
};

export const transformTypeName = (type: number): string =>
  nameIn(TRANSFORM_TYPE_NAMES, type, 'transform type');

/** "ENCR_AES_GCM_16", "ENCR 99"; without a key length. */
export const transformName = (type: number, id: number): string =>
  nameIn(IDS[type] ?? {}, id, transformTypeName(type));
