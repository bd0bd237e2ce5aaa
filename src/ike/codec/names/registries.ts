// SPDX-License-Identifier: Apache-2.0
/** The smaller registries of IANA "Internet Key Exchange Version 2 (IKEv2) Parameters": numbers to names. */
import { nameIn, type NameTable } from './table.js';

/** What we send. */
export const EXCHANGE = {
  ikeSaInit: 34,
  ikeAuth: 35,
  createChildSa: 36,
  informational: 37,
  ikeIntermediate: 43, // RFC 9242
  ikeFollowupKe: 44, // RFC 9370
} as const;

/** Exchange types. */
export const EXCHANGE_NAMES: NameTable = {
  34: 'IKE_SA_INIT',
  35: 'IKE_AUTH',
  36: 'CREATE_CHILD_SA',
  37: 'INFORMATIONAL',
  38: 'IKE_SESSION_RESUME',
  39: 'GSA_AUTH',
  40: 'GSA_REGISTRATION',
  41: 'GSA_REKEY',
  43: 'IKE_INTERMEDIATE',
  44: 'IKE_FOLLOWUP_KE',
};

/** Payload types, of which only those of payload.ts are understood. */
export const PAYLOAD_NAMES: NameTable = {
  0: 'No Next Payload',
  33: 'SA',
  34: 'KE',
  35: 'IDi',
  36: 'IDr',
  37: 'CERT',
  38: 'CERTREQ',
  39: 'AUTH',
  40: 'Nonce',
  41: 'N',
  42: 'D',
  43: 'V',
  44: 'TSi',
  45: 'TSr',
  46: 'SK',
  47: 'CP',
  48: 'EAP',
  49: 'GSPM',
  50: 'IDg',
  51: 'GSA',
  52: 'KD',
  53: 'SKF',
  54: 'PS',
};

/** Security Protocol Identifiers. */
export const PROTOCOL_NAMES: NameTable = {
  1: 'IKE',
  2: 'AH',
  3: 'ESP',
  4: 'FC_ESP_HEADER',
  5: 'FC_CT_AUTHENTICATION',
};

/** Identification payload ID types; ID_NULL by RFC 7619. */
export const ID_TYPE_NAMES: NameTable = {
  1: 'ID_IPV4_ADDR',
  2: 'ID_FQDN',
  3: 'ID_RFC822_ADDR',
  5: 'ID_IPV6_ADDR',
  9: 'ID_DER_ASN1_DN',
  10: 'ID_DER_ASN1_GN',
  11: 'ID_KEY_ID',
  12: 'ID_FC_NAME',
  13: 'ID_NULL',
};

/** Certificate encodings. */
export const CERT_ENCODING_NAMES: NameTable = {
  1: 'PKCS #7 wrapped X.509 certificate',
  2: 'PGP Certificate',
  3: 'DNS Signed Key',
  4: 'X.509 Certificate - Signature',
  6: 'Kerberos Token',
  7: 'Certificate Revocation List (CRL)',
  8: 'Authority Revocation List (ARL)',
  9: 'SPKI Certificate',
  10: 'X.509 Certificate - Attribute',
  11: 'Raw RSA Key',
  12: 'Hash and URL of X.509 certificate',
  13: 'Hash and URL of X.509 bundle',
  14: 'OCSP Content',
  15: 'Raw Public Key',
};

/** Authentication methods. */
export const AUTH_METHOD_NAMES: NameTable = {
  1: 'RSA Digital Signature',
  2: 'Shared Key Message Integrity Code',
  3: 'DSS Digital Signature',
  9: 'ECDSA with SHA-256 on the P-256 curve',
  10: 'ECDSA with SHA-384 on the P-384 curve',
  11: 'ECDSA with SHA-512 on the P-521 curve',
  12: 'Generic Secure Password Authentication Method',
  13: 'NULL Authentication',
  14: 'Digital Signature',
};

/** Hash algorithms of SIGNATURE_HASH_ALGORITHMS (RFC 7427, 8420). */
export const HASH_NAMES: NameTable = {
  1: 'SHA1',
  2: 'SHA2-256',
  3: 'SHA2-384',
  4: 'SHA2-512',
  5: 'Identity',
  6: 'STREEBOG_256',
  7: 'STREEBOG_512',
};

/** Traffic selector types. */
export const TS_TYPE_NAMES: NameTable = {
  7: 'TS_IPV4_ADDR_RANGE',
  8: 'TS_IPV6_ADDR_RANGE',
  9: 'TS_FC_ADDR_RANGE',
  10: 'TS_SECLABEL',
};

/** Configuration payload CFG types. */
export const CFG_TYPE_NAMES: NameTable = {
  1: 'CFG_REQUEST',
  2: 'CFG_REPLY',
  3: 'CFG_SET',
  4: 'CFG_ACK',
};

/** Configuration payload attribute types. */
export const CFG_ATTRIBUTE_NAMES: NameTable = {
  1: 'INTERNAL_IP4_ADDRESS',
  2: 'INTERNAL_IP4_NETMASK',
  3: 'INTERNAL_IP4_DNS',
  4: 'INTERNAL_IP4_NBNS',
  6: 'INTERNAL_IP4_DHCP',
  7: 'APPLICATION_VERSION',
  8: 'INTERNAL_IP6_ADDRESS',
  10: 'INTERNAL_IP6_DNS',
  12: 'INTERNAL_IP6_DHCP',
  13: 'INTERNAL_IP4_SUBNET',
  14: 'SUPPORTED_ATTRIBUTES',
  15: 'INTERNAL_IP6_SUBNET',
  16: 'MIP6_HOME_PREFIX',
  17: 'INTERNAL_IP6_LINK',
  18: 'INTERNAL_IP6_PREFIX',
  19: 'HOME_AGENT_ADDRESS',
  20: 'P_CSCF_IP4_ADDRESS',
  21: 'P_CSCF_IP6_ADDRESS',
  22: 'FTT_KAT',
  23: 'EXTERNAL_SOURCE_IP4_NAT_INFO',
  24: 'TIMEOUT_PERIOD_FOR_LIVENESS_CHECK',
  25: 'INTERNAL_DNS_DOMAIN',
  26: 'INTERNAL_DNSSEC_TA',
  27: 'ENCDNS_IP4',
  28: 'ENCDNS_IP6',
  29: 'ENCDNS_DIGEST_INFO',
};

export const exchangeName = (number: number): string => nameIn(EXCHANGE_NAMES, number, 'exchange');
export const payloadName = (number: number): string =>
  nameIn(PAYLOAD_NAMES, number, 'payload type');
export const protocolName = (number: number): string => nameIn(PROTOCOL_NAMES, number, 'protocol');
export const idTypeName = (number: number): string => nameIn(ID_TYPE_NAMES, number, 'ID type');
export const certEncodingName = (number: number): string =>
  nameIn(CERT_ENCODING_NAMES, number, 'certificate encoding');
export const authMethodName = (number: number): string =>
  nameIn(AUTH_METHOD_NAMES, number, 'authentication method');
export const hashName = (number: number): string => nameIn(HASH_NAMES, number, 'hash algorithm');
export const tsTypeName = (number: number): string => nameIn(TS_TYPE_NAMES, number, 'TS type');
export const cfgTypeName = (number: number): string => nameIn(CFG_TYPE_NAMES, number, 'CFG type');
export const cfgAttributeName = (number: number): string =>
  nameIn(CFG_ATTRIBUTE_NAMES, number, 'configuration attribute');
