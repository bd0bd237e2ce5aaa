// SPDX-License-Identifier: Apache-2.0
/**
 * X.509 as IKE needs it, by OpenSSL: the addon implements it, src/forwarding/addon loads that. Certificates, names,
 * CRLs and OCSP responses are DER; what cannot be read gives a value that says so, never an exception. Times are
 * seconds since 1970, `Infinity` for ever.
 */

/** A public key as JSON Web Keys have them (RFC 7518 §6, RFC 8037 §2): numbers big-endian. */
export interface CertificateKey {
  readonly kind: 'RSA' | 'P-256' | 'P-384' | 'P-521' | 'Ed25519';
  /** n and e; x and y, as long as the field; x. */
  readonly numbers: readonly Uint8Array[];
}

/** What a certificate says. */
export interface CertificateFacts {
  /** RFC 4514, ASCII. */
  readonly subject: string;
  /** DER. */
  readonly subjectName: Uint8Array;
  readonly issuerName: Uint8Array;
  /** Hexadecimal. */
  readonly serial: string;
  readonly notBefore: number;
  readonly notAfter: number;
  /** By basicConstraints. */
  readonly isCa: boolean;
  /** SHA-1 of SubjectPublicKeyInfo (RFC 7296 §3.7). */
  readonly keyHash: Uint8Array;
  /** undefined: of another kind. */
  readonly key?: CertificateKey;
  /** Subject alternative names: addresses of 4 or 16 octets, DNS names in lower case. */
  readonly addresses: readonly Uint8Array[];
  readonly dnsNames: readonly string[];
}

/** Whom one SP trusts. DER. */
export interface CertificateTrust {
  /** Trusted as they are; one that is not self-signed ends a path as well. */
  readonly anchors: readonly Uint8Array[];
  readonly intermediates: readonly Uint8Array[];
  readonly crls: readonly Uint8Array[];
  /** A certificate about whose revocation nothing is known is refused. */
  readonly statusRequired: boolean;
  /** Seconds that an OCSP response without nextUpdate is good for. */
  readonly ocspMaxAge: number;
}

export interface CertificateQuestion {
  /** Leaf first, the others in any order; at most 9. */
  readonly certificates: readonly Uint8Array[];
  /** At most 8. */
  readonly ocsp: readonly Uint8Array[];
  /** An integer. */
  readonly now: number;
}

export type CertificateVerdict =
  | {
      readonly ok: true;
      readonly leaf: CertificateFacts;
      /** Place in {@link CertificateTrust.anchors}. */
      readonly anchor: number;
      /** Certificates in the path, leaf and anchor included. */
      readonly length: number;
      /** When the first certificate of the path expires. */
      readonly validUntil: number;
      /** When the revocation status has to be asked for again. */
      readonly knownUntil: number;
      /** Issuer of a CRL that was too old, and was done without. */
      readonly staleCrl?: string;
    }
  | {
      readonly ok: false;
      /** `X509_V_ERR_...` of OpenSSL, or a name of the addon's own (addon/src/x509.h). */
      readonly code: string;
      /** Place in the path of the certificate that it is about, 0: the leaf; its subject and serial number, or ''. */
      readonly depth: number;
      readonly subject: string;
      readonly serial: string;
      /** OpenSSL's words, or ''. */
      readonly detail: string;
    };

export interface CertificateStore {
  /** On a thread of its own. Throws BAD_ARGUMENT for too many certificates. */
  validate(question: CertificateQuestion): Promise<CertificateVerdict>;
}

export interface CertificateLibrary {
  /** undefined: cannot be read. */
  read(certificate: Uint8Array): CertificateFacts | undefined;
  /** Whether two Names are the same (RFC 5280 §7.1); false when one cannot be read. */
  sameName(one: Uint8Array, other: Uint8Array): boolean;
  /** The earliest nextUpdate of an OCSP response; undefined: it cannot be read. */
  ocspUntil(response: Uint8Array): number | undefined;
  /** What is wrong with a CRL; undefined: it can be used. */
  faultOfCrl(crl: Uint8Array): string | undefined;
  /** Throws BAD_ARGUMENT when a certificate or CRL cannot be read. */
  openStore(trust: CertificateTrust): CertificateStore;
}
