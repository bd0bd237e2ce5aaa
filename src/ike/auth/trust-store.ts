// SPDX-License-Identifier: Apache-2.0
/**
 * The certificates of a setup, decoded and indexed, and what was validated with them. One store belongs to one
 * setup: with another setup, or another CRL, comes another store and nothing of the old one is believed any longer.
 */
import { createHash, type KeyObject } from 'node:crypto';
import type { IkeEnvironment } from '../types.js';
import { BoundedMap } from './bounded-map.js';
import { parseCertificate, sha1, type Certificate } from './certificate.js';
import { parseCrl, type Crl } from './crl.js';
import type { GeneralNames } from './names.js';
import { about, BusyError, findPaths, judgePath, type CheckSignature, type Path } from './path.js';
import { accept, refusal, refuse, type Judged, type Refusal } from './refusal.js';
import { parseResponses, statusOf, type StatusOfPath } from './revocation.js';
import { AuthSetupError, type AuthSetup, type SpTrust } from './setup.js';

/** A certificate whose path was found good, without the path. */
export interface ValidCertificate {
  readonly key: KeyObject;
  readonly keyClass: Certificate['keyClass'];
  readonly subject: string;
  readonly subjectKey: string;
  readonly serial: string;
  readonly names: GeneralNames;
  /** Name of the anchor. */
  readonly anchor: string;
  /** Seconds since 1970: when the first certificate of the path expires. */
  readonly validUntil: number;
  /** When CRLs or OCSP responses have to be looked at again. */
  readonly knownUntil: number;
  readonly warning: string | undefined;
}

interface Anchor {
  readonly name: string;
  readonly trust: SpTrust;
  readonly certificate: Certificate;
}

/** Most that is remembered: 4,096 peers are some 10 MB. */
const CACHED = { leaves: 4096, issuers: 256 } as const;
/** Certificates of a peer that are looked at. */
export const MOST_CERTIFICATES = 8;
export const MOST_RESPONSES = 8;

export class TrustStore {
  private readonly anchors = new Map<string, readonly Anchor[]>();
  /** By SubjectPublicKeyInfo: each anchor belongs to exactly one SP (policy-model 14). */
  private readonly owners = new Map<string, SpTrust>();
  private readonly intermediates = new Map<string, readonly Certificate[]>();
  /** By SP, then by issuer. */
  private readonly crls = new Map<string, Map<string, readonly Crl[]>>();
  /** Only what was found good is kept: who has no certificate of ours cannot push anything out. */
  private readonly valid = new BoundedMap<string, ValidCertificate>(CACHED.leaves);
  private readonly issuers = new BoundedMap<string, Certificate>(CACHED.issuers);
  /** Signatures of issuers' certificates and CRLs that were right. */
  private readonly signed = new WeakMap<object, Set<Certificate>>();
  private readonly env: IkeEnvironment;

  /** Throws AuthSetupError for certificates and CRLs that cannot be used. */
  constructor(setup: AuthSetup, env: IkeEnvironment) {
    this.env = env;
    for (const trust of setup.sps) this.add(trust);
  }

  private add(trust: SpTrust): void {
    for (const { name, certificate: der } of trust.anchors) {
      const certificate = caOf(der, `trust anchor ${name}`);
      const key = Buffer.from(certificate.spki).toString('hex');
      if ((this.owners.get(key) ?? trust) !== trust) {
        throw new AuthSetupError(`trust anchor ${name}: another SP has one with the same key`);
      }
      this.owners.set(key, trust);
      push(this.anchors, certificate.subject.key, { name, trust, certificate });
    }
    for (const [i, der] of trust.intermediates.entries()) {
      const certificate = caOf(der, `intermediate certificate ${i + 1} of ${trust.sp}`);
      push(this.intermediates, certificate.subject.key, certificate);
    }
    const crls = new Map<string, readonly Crl[]>();
    for (const [i, der] of trust.revocation.crls.entries()) {
      const crl = parseCrl(der);
      if (crl?.scheme === undefined) {
        const what =
          crl === undefined ? 'cannot be read, or is no full CRL' : 'is signed too weakly';
        throw new AuthSetupError(`CRL ${i + 1} of ${trust.sp} ${what}`);
      }
      push(crls, crl.issuer, crl);
    }
    this.crls.set(trust.sp, crls);
  }

  /** SHA-1 of SubjectPublicKeyInfo of an SP's anchors (RFC 7296 §3.7), and their subjects. */
  authoritiesOf(trust: SpTrust): readonly { readonly hash: Buffer; readonly subject: string }[] {
    return [...this.anchors.values()].flat().flatMap(({ trust: of, certificate }) => {
      if (of !== trust) return [];
      return [{ hash: sha1(certificate.spki), subject: certificate.subject.key }];
    });
  }

  /**
   * Whether certificates of a peer, leaf first, end at an anchor of this SP. At an anchor of another SP only:
   * auth_wrong_sp. undefined: the crypto has no room now.
   * @param ders of CERT payloads, DER
   * @param ocsp OCSP responses, DER
   */
  async validate(
    trust: SpTrust,
    ders: readonly Uint8Array[],
    ocsp: readonly Uint8Array[],
  ): Promise<Judged<ValidCertificate> | undefined> {
    const now = this.env.wallClock();
    const key = cacheKey(trust, ders, ocsp);
    const known = this.valid.get(key);
    if (known !== undefined && now <= known.validUntil && now <= known.knownUntil) {
      return accept(known);
    }
    if (ders.length > MOST_CERTIFICATES || ocsp.length > MOST_RESPONSES) {
      return refuse('cert_malformed', 'more certificates or OCSP responses than are looked at');
    }
    try {
      const judged = await this.judge(trust, ders, ocsp, now);
      if (judged.ok) this.valid.set(key, judged.value);
      return judged;
    } catch (error) {
      if (error instanceof BusyError) return undefined;
      throw error;
    }
  }

  private async judge(
    trust: SpTrust,
    ders: readonly Uint8Array[],
    ocsp: readonly Uint8Array[],
    now: number,
  ): Promise<Judged<ValidCertificate>> {
    const [first, ...others] = ders;
    if (first === undefined) return refuse('cert_untrusted', 'no certificate was sent');
    const leaf = parseCertificate(first);
    if (leaf === undefined) return refuse('cert_malformed', 'a certificate that cannot be read');
    const sent = others.map((der) => this.issuerOf(der));
    let noted: Refusal | undefined = sent.includes(undefined)
      ? refusal('cert_malformed', "an issuer's certificate that cannot be read")
      : undefined;
    const readable = sent.filter((each) => each !== undefined);
    const search = this.search(trust, readable);
    const paths = findPaths(leaf, search, (why) => (noted ??= why));
    let own: Refusal | undefined;
    let other: Refusal | undefined;
    for await (const path of paths) {
      const anchor = this.anchorOf(path, trust);
      const wrong = judgePath(path, now);
      if (anchor.trust !== trust) {
        other ??= wrong ?? wrongSp(leaf, anchor, trust);
        continue;
      }
      const status = wrong ?? (await this.statusOf(path, trust, ocsp, now));
      if (!('counter' in status)) {
        this.remember(path);
        return accept(summary(path, anchor.name, status.until, status.warning));
      }
      own ??= status;
      if (status.counter === 'cert_revoked') break; // no other path makes that good
    }
    const none = refusal('cert_untrusted', 'no path to a trust anchor', about(leaf));
    return { ok: false, refusal: own ?? other ?? noted ?? none };
  }

  private async statusOf(
    path: Path,
    { sp, revocation: { mode, ocspMaxAge } }: SpTrust,
    ocsp: readonly Uint8Array[],
    now: number,
  ): Promise<StatusOfPath | Refusal> {
    const crlsOf = (issuer: string): readonly Crl[] => this.crls.get(sp)?.get(issuer) ?? [];
    const responses = parseResponses(ocsp);
    const { check } = this;
    const status = await statusOf(path, { mode, ocspMaxAge, crlsOf, responses, check, now });
    return status.refusal ?? status;
  }

  private search(trust: SpTrust, sent: readonly Certificate[]): Parameters<typeof findPaths>[1] {
    return {
      anchorsOf: (subject) => {
        const found = this.anchors.get(subject) ?? [];
        const own = found.filter((each) => each.trust === trust);
        const others = found.filter((each) => each.trust !== trust);
        return [...own, ...others].map(({ certificate }) => certificate);
      },
      intermediatesOf: (subject) => [
        ...sent.filter((each) => each.subject.key === subject),
        ...(this.intermediates.get(subject) ?? []),
      ],
      check: this.check,
    };
  }

  private anchorOf(path: Path, trust: SpTrust): Anchor {
    const last = path[path.length - 1];
    const found = (this.anchors.get(last?.subject.key ?? '') ?? []).filter(
      ({ certificate }) => certificate === last,
    );
    const anchor = found.find((each) => each.trust === trust) ?? found[0];
    if (anchor === undefined) throw new TypeError('a path that ends at no anchor');
    return anchor;
  }

  /** A certificate of a path that was found good before is not read again. */
  private issuerOf(der: Uint8Array): Certificate | undefined {
    return this.issuers.get(digest(der)) ?? parseCertificate(der);
  }

  private remember([, ...issuers]: Path): void {
    for (const issuer of issuers) this.issuers.set(digest(issuer.der), issuer);
  }

  private readonly check: CheckSignature = async (signed, issuer) => {
    if (this.signed.get(signed)?.has(issuer) === true) return 'GOOD';
    if (signed.scheme === undefined) return 'KEY';
    const { signatures } = this.env.crypto;
    const { scheme, tbs, signature } = signed;
    const result = await signatures.verify(scheme, issuer.key, tbs, signature);
    if (result.ok) {
      const issuers = this.signed.get(signed) ?? new Set();
      this.signed.set(signed, issuers.add(issuer));
      return 'GOOD';
    }
    if (result.error.code === 'SIGNATURE') return 'WRONG';
    return result.error.code === 'KEY' ? 'KEY' : 'LATER';
  };
}

/** policy-model 14: its own CA may not certify another SP's addresses. */
const wrongSp = (leaf: Certificate, { name, trust: { sp } }: Anchor, trust: SpTrust): Refusal =>
  refusal('auth_wrong_sp', `certified by SP ${sp}, but the address is one of SP ${trust.sp}`, {
    ...about(leaf),
    anchor: name,
  });

function caOf(der: Uint8Array, what: string): Certificate {
  const certificate = parseCertificate(der);
  if (certificate === undefined) throw new AuthSetupError(`${what} cannot be read`);
  const { isCa } = certificate.extensions;
  if (!isCa) throw new AuthSetupError(`${what} is not a CA's certificate`);
  if (certificate.keyClass === undefined) throw new AuthSetupError(`${what} has a weak key`);
  return certificate;
}

function push<T>(map: Map<string, readonly T[]>, key: string, value: T): void {
  map.set(key, [...(map.get(key) ?? []), value]);
}

const digest = (octets: Uint8Array): string => createHash('sha256').update(octets).digest('base64');

/** One hash of everything that a judgement depends on, but for the setup and the time. */
function cacheKey(
  { sp }: SpTrust,
  ders: readonly Uint8Array[],
  ocsp: readonly Uint8Array[],
): string {
  const hash = createHash('sha256').update(`${sp}\n${ders.length}\n${ocsp.length}\n`);
  for (const octets of [...ders, ...ocsp]) hash.update(`${octets.length}\n`).update(octets);
  return hash.digest('base64');
}

function summary(
  path: Path,
  anchor: string,
  knownUntil: number,
  warning: string | undefined,
): ValidCertificate {
  const [leaf] = path;
  const { key, keyClass, subject, serial, extensions } = leaf;
  // Copies: views would keep the whole certificate, and the datagram around it.
  const ips = extensions.names.ips.map((ip) => Uint8Array.from(ip));
  return {
    ...{ key, keyClass, serial, anchor, knownUntil, warning },
    ...{ subject: subject.text, subjectKey: subject.key },
    names: { ...extensions.names, ips, directories: [] },
    validUntil: Math.min(...path.map(({ notAfter }) => notAfter)),
  };
}
