// SPDX-License-Identifier: Apache-2.0
/**
 * X.509 certificates (RFC 5280 §4.1). OpenSSL, through node:crypto, decodes them as well, gives the key and says who
 * may have issued whom; here is read what it does not show: extensions, algorithms, octets that were signed.
 */
import { createHash, X509Certificate, type KeyObject } from 'node:crypto';
import { keyFits, type SchemeName } from '../crypto/signatures.js';
import { schemeOfIdentifier } from './announce.js';
import {
  bitsOctetsOf,
  booleanOf,
  context,
  DerError,
  DerReader,
  integerOf,
  namedBitsOf,
  oidOf,
  readDer,
  smallIntegerOf,
  TAG,
  timeOf,
  type Element,
} from './der.js';
import {
  generalNamesOf,
  nameConstraintsOf,
  nameOf,
  NO_NAMES,
  type DistinguishedName,
  type GeneralNames,
  type NameConstraints,
} from './names.js';
import type { AuthClass } from './setup.js';

/** Bits of keyUsage as {@link namedBitsOf} numbers them. */
export const KEY_USAGE = {
  digitalSignature: 0x8000,
  nonRepudiation: 0x4000,
  keyCertSign: 0x0400,
  cRLSign: 0x0200,
} as const;

export const EKU = {
  any: '2.5.29.37.0',
  ipsecIke: '1.3.6.1.5.5.7.3.17',
  ocspSigning: '1.3.6.1.5.5.7.3.9',
} as const;

export interface Extensions {
  /** undefined: not a CA. */
  readonly pathLength: number | undefined;
  readonly isCa: boolean;
  readonly keyUsage: number | undefined;
  readonly extendedKeyUsage: readonly string[] | undefined;
  readonly names: GeneralNames;
  readonly constraints: NameConstraints | undefined;
  /** Hexadecimal. */
  readonly subjectKeyId: string | undefined;
  readonly authorityKeyId: string | undefined;
  /** The first critical extension that is not understood. */
  readonly unknownCritical: string | undefined;
}

/** What is around the octets that an issuer has signed. */
export interface Signed {
  readonly tbs: Uint8Array;
  /** undefined: an algorithm that is too weak or unknown. */
  readonly scheme: SchemeName | undefined;
  readonly signature: Uint8Array;
}

export interface Certificate extends Signed {
  readonly der: Uint8Array;
  readonly x509: X509Certificate;
  readonly key: KeyObject;
  /** undefined: of a kind or size that nothing may be signed with. */
  readonly keyClass: Exclude<AuthClass, 'psk'> | undefined;
  /** DER of SubjectPublicKeyInfo, and the octets of its bit string. */
  readonly spki: Uint8Array;
  readonly keyOctets: Uint8Array;
  /** Hexadecimal. */
  readonly serial: string;
  readonly subject: DistinguishedName;
  readonly issuer: DistinguishedName;
  /** Seconds since 1970, both included. */
  readonly notBefore: number;
  readonly notAfter: number;
  readonly extensions: Extensions;
}

/** Octets of one certificate; larger ones are refused unread. */
export const MOST_CERTIFICATE_OCTETS = 8192;

export const sha1 = (octets: Uint8Array): Buffer => createHash('sha1').update(octets).digest();

/** undefined: not a certificate, or none that can be read. */
export function parseCertificate(der: Uint8Array): Certificate | undefined {
  if (der.length > MOST_CERTIFICATE_OCTETS) return undefined;
  const octets = Buffer.from(der); // what comes in a datagram is a view of it
  const read = readDer(octets, readCertificate);
  if (read === undefined) return undefined;
  try {
    const x509 = new X509Certificate(octets);
    const key = x509.publicKey;
    return { ...read, der: octets, x509, key, keyClass: classOf(key) };
  } catch {
    return undefined; // OpenSSL cannot read it, or does not know the key
  }
}

export function classOf(key: KeyObject): Exclude<AuthClass, 'psk'> | undefined {
  switch (key.asymmetricKeyType) {
    case 'rsa':
    case 'rsa-pss':
      return keyFits('pss-sha256', key) ? 'rsa' : undefined;
    case 'ec':
      return keyFits('ecdsa-sha256', key) ? 'ecdsa' : undefined;
    case 'ed25519':
      return 'ed25519';
    default:
      return undefined;
  }
}

/** SEQUENCE { tbs, algorithm, signature } of certificates, CRLs and OCSP responses. Throws DerError. */
export function readSigned(reader: DerReader): Signed & { readonly algorithm: Uint8Array } {
  const tbs = reader.take(TAG.sequence).whole;
  const algorithm = reader.take(TAG.sequence).whole;
  const signature = bitsOctetsOf(reader.take(TAG.bitString));
  return { tbs, algorithm, scheme: schemeOfIdentifier(algorithm), signature };
}

type Read = Omit<Certificate, 'der' | 'x509' | 'key' | 'keyClass'>;

function readCertificate(outer: DerReader): Read {
  const certificate = outer.inside(TAG.sequence);
  const { algorithm, ...signed } = readSigned(certificate);
  certificate.end();
  const tbs = new DerReader(signed.tbs).inside(TAG.sequence);
  const version = tbs.optional(context(0, true));
  const serial = integerOf(tbs.take(TAG.integer));
  // RFC 5280 §4.1.1.2: both say the same, else one of them is not what was signed.
  if (Buffer.compare(tbs.take(TAG.sequence).whole, algorithm) !== 0) {
    throw new DerError('two signature algorithms');
  }
  const issuer = nameOf(tbs.take(TAG.sequence));
  const validity = tbs.inside(TAG.sequence);
  const [notBefore, notAfter] = [timeOf(validity.next()), timeOf(validity.next())];
  validity.end();
  const subject = nameOf(tbs.take(TAG.sequence));
  const spki = tbs.take(TAG.sequence);
  tbs.optional(context(1, false));
  tbs.optional(context(2, false));
  const extensions = readExtensions(tbs.optional(context(3, true)), version);
  tbs.end();
  const info = new DerReader(spki.content);
  info.take(TAG.sequence);
  const keyOctets = bitsOctetsOf(info.take(TAG.bitString));
  return {
    ...{ ...signed, spki: spki.whole, keyOctets, serial, subject, issuer },
    ...{ notBefore, notAfter, extensions },
  };
}

const VERSION_3 = 2;

function readExtensions(wrapped: Element | undefined, version: Element | undefined): Extensions {
  if (wrapped === undefined) return extensionsOf(new Map());
  const number = version && smallIntegerOf(new DerReader(version.content).take(TAG.integer));
  if (number !== VERSION_3) throw new DerError('extensions in a certificate of version 1 or 2');
  return extensionsOf(readExtensionMap(new DerReader(wrapped.content)));
}

export interface Extension {
  readonly isCritical: boolean;
  readonly value: Uint8Array;
}

/** Extensions by object identifier. Throws DerError, also when one comes twice (RFC 5280 §4.2). */
export function readExtensionMap(reader: DerReader): ReadonlyMap<string, Extension> {
  const found = new Map<string, Extension>();
  const list = reader.inside(TAG.sequence);
  reader.end();
  while (!list.isAtEnd) {
    const extension = list.inside(TAG.sequence);
    const oid = oidOf(extension.take(TAG.oid));
    const critical = extension.optional(TAG.boolean);
    const isCritical = critical !== undefined && booleanOf(critical);
    const value = extension.take(TAG.octetString).content;
    extension.end();
    if (found.has(oid)) throw new DerError('an extension that comes twice');
    found.set(oid, { isCritical, value });
  }
  return found;
}

const ID = {
  subjectKeyId: '2.5.29.14',
  keyUsage: '2.5.29.15',
  subjectAltName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  nameConstraints: '2.5.29.30',
  /** RFC 5280 §6.1.1 (d): with any-policy wanted and none required they change nothing. */
  certificatePolicies: '2.5.29.32',
  authorityKeyId: '2.5.29.35',
  extendedKeyUsage: '2.5.29.37',
} as const;
const UNDERSTOOD: ReadonlySet<string> = new Set(Object.values(ID));

function extensionsOf(map: ReadonlyMap<string, Extension>): Extensions {
  const read = <T>(oid: string, reading: (reader: DerReader) => T): T | undefined => {
    const extension = map.get(oid);
    if (extension === undefined) return undefined;
    const reader = new DerReader(extension.value);
    const value = reading(reader);
    reader.end();
    return value;
  };
  const basic = read(ID.basicConstraints, readBasicConstraints);
  const unknown = [...map].find(([oid, { isCritical }]) => isCritical && !UNDERSTOOD.has(oid));
  return {
    isCa: basic?.isCa ?? false,
    pathLength: basic?.pathLength,
    keyUsage: read(ID.keyUsage, (reader) => namedBitsOf(reader.take(TAG.bitString))),
    extendedKeyUsage: read(ID.extendedKeyUsage, (reader) =>
      reader.inside(TAG.sequence).all((list) => oidOf(list.take(TAG.oid))),
    ),
    names:
      read(ID.subjectAltName, (reader) => generalNamesOf(reader.inside(TAG.sequence))) ?? NO_NAMES,
    constraints: read(ID.nameConstraints, nameConstraintsOf),
    subjectKeyId: read(ID.subjectKeyId, (reader) => hexOf(reader.take(TAG.octetString))),
    authorityKeyId: read(ID.authorityKeyId, readAuthorityKeyId),
    unknownCritical: unknown?.[0],
  };
}

const hexOf = ({ content }: Element): string => Buffer.from(content).toString('hex');

function readBasicConstraints(reader: DerReader): {
  isCa: boolean;
  pathLength: number | undefined;
} {
  const basic = reader.inside(TAG.sequence);
  const ca = basic.optional(TAG.boolean);
  const length = basic.optional(TAG.integer);
  basic.end();
  const isCa = ca !== undefined && booleanOf(ca);
  return { isCa, pathLength: length && smallIntegerOf(length) };
}

/** Only keyIdentifier is of use here; issuer and serial number are left to OpenSSL. */
function readAuthorityKeyId(reader: DerReader): string | undefined {
  const id = reader.inside(TAG.sequence).optional(context(0, false));
  return id && hexOf(id);
}
