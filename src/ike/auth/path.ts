// SPDX-License-Identifier: Apache-2.0
/**
 * Certification paths: found from the leaf upwards, and judged (RFC 5280 §6, RFC 4945 §5). What a peer sends can make
 * this cost only so much: certificates and signature checks are bounded, no certificate comes twice in a path.
 */
import type { LogFields } from '../../lib/log.js';
import { EKU, KEY_USAGE, type Certificate, type Signed } from './certificate.js';
import { violation } from './names.js';
import { refusal, type Refusal } from './refusal.js';

/** Leaf first, a trust anchor last; at least these two. */
export type Path = readonly [Certificate, ...Certificate[]];

const LIMITS = {
  /** Certificates in a path. */
  depth: 8,
  /** Signatures that are checked to find a path. */
  signatures: 24,
} as const;

/** 'KEY': the issuer's key is too weak or does not fit the algorithm; 'LATER': no room now to check it. */
export type SignatureCheck = 'GOOD' | 'WRONG' | 'KEY' | 'LATER';
export type CheckSignature = (signed: Signed, issuer: Certificate) => Promise<SignatureCheck>;

export interface Search {
  /** Anchors of this subject, those that are wanted first. */
  readonly anchorsOf: (subject: string) => readonly Certificate[];
  readonly intermediatesOf: (subject: string) => readonly Certificate[];
  readonly check: CheckSignature;
}

/** Thrown out of the search: the crypto has no room. */
export class BusyError extends Error {
  override readonly name = 'BusyError';
}

/**
 * All paths from a leaf to an anchor whose signatures are right. `note` is told why what looks like an issuer is
 * none. Throws {@link BusyError}.
 */
export async function* findPaths(
  leaf: Certificate,
  search: Search,
  note: (why: Refusal) => void,
): AsyncGenerator<Path> {
  let budget: number = LIMITS.signatures;
  const isIssuer = async (child: Certificate, issuer: Certificate): Promise<boolean> => {
    const [wanted, has] = [child.extensions.authorityKeyId, issuer.extensions.subjectKeyId];
    if (wanted !== undefined && has !== undefined && wanted !== has) return false;
    if (child.scheme === undefined) {
      note(refusal('cert_weak', 'a signature algorithm that is not taken', about(child)));
      return false;
    }
    if (budget-- <= 0) return false;
    const checked = await search.check(child, issuer);
    if (checked === 'LATER') throw new BusyError();
    if (checked === 'KEY') {
      note(refusal('cert_weak', "an issuer's key that is not taken", about(issuer)));
    } else if (checked === 'WRONG') {
      note(refusal('cert_untrusted', 'a signature that is not the issuer’s', about(child)));
    }
    return checked === 'GOOD';
  };
  async function* upwards(path: Path): AsyncGenerator<Path> {
    const child = path[path.length - 1] ?? leaf;
    for (const anchor of search.anchorsOf(child.issuer.key)) {
      if (!path.includes(anchor) && (await isIssuer(child, anchor))) yield [...path, anchor];
    }
    if (path.length >= LIMITS.depth - 1) return;
    for (const issuer of search.intermediatesOf(child.issuer.key)) {
      if (path.some(({ spki }) => Buffer.compare(spki, issuer.spki) === 0)) continue;
      if (await isIssuer(child, issuer)) yield* upwards([...path, issuer]);
    }
  }
  yield* upwards([leaf]);
}

/** Whose certificate a log line is about. */
export const about = ({ subject, serial }: Certificate): LogFields => ({
  subject: subject.text,
  serial,
});

/** Everything but signatures and revocation. undefined: nothing speaks against the path. */
export function judgePath(path: Path, now: number): Refusal | undefined {
  const [leaf, ...issuers] = path;
  for (const certificate of path) {
    const found = judgeEach(certificate, now);
    if (found !== undefined) return found;
  }
  const found = judgeLeaf(leaf);
  if (found !== undefined) return found;
  let below = 0; // intermediates below that are not self-issued (RFC 5280 §6.1.4 (l))
  for (const [i, issuer] of issuers.entries()) {
    const isAnchor = i === issuers.length - 1;
    const wrong = judgeIssuer(issuer, below, isAnchor) ?? judgeNames(issuer, path.slice(0, i + 1));
    if (wrong !== undefined) return wrong;
    if (!isSelfIssued(issuer)) below++;
    const child = path[i];
    if (child !== undefined && !child.x509.checkIssued(issuer.x509)) {
      return usage('an issuer that may not have issued it', child);
    }
  }
  return undefined;
}

const isSelfIssued = ({ subject, issuer }: Certificate): boolean => subject.key === issuer.key;

const usage = (reason: string, certificate: Certificate): Refusal =>
  refusal('cert_wrong_usage', reason, about(certificate));

function judgeEach(certificate: Certificate, now: number): Refusal | undefined {
  const { notBefore, notAfter, extensions, keyClass } = certificate;
  if (now < notBefore) {
    return refusal('cert_expired', 'a certificate that is not yet valid', about(certificate));
  }
  if (now > notAfter) {
    return refusal('cert_expired', 'a certificate that has expired', about(certificate));
  }
  if (keyClass === undefined) {
    return refusal('cert_weak', 'a key that is too weak or of an unknown kind', about(certificate));
  }
  const { unknownCritical } = extensions;
  if (unknownCritical === undefined) return undefined;
  return usage(`a critical extension that is not understood: ${unknownCritical}`, certificate);
}

/**
 * RFC 4945 §5.1.3.2: keyUsage, if there, has digitalSignature or nonRepudiation. §5.1.3.12: extendedKeyUsage, if
 * there, has id-kp-ipsecIKE or anyExtendedKeyUsage; what is meant for TLS is refused.
 */
function judgeLeaf(leaf: Certificate): Refusal | undefined {
  const { isCa, keyUsage } = leaf.extensions;
  if (isCa) return usage("a CA's certificate used by a peer", leaf);
  const { digitalSignature, nonRepudiation } = KEY_USAGE;
  if (keyUsage !== undefined && (keyUsage & (digitalSignature | nonRepudiation)) === 0) {
    return usage('a key usage that forbids signatures', leaf);
  }
  return isForIke(leaf) ? undefined : usage('an extended key usage that is not for IKE', leaf);
}

function isForIke({ extensions: { extendedKeyUsage } }: Certificate): boolean {
  if (extendedKeyUsage === undefined) return true;
  return extendedKeyUsage.includes(EKU.ipsecIke) || extendedKeyUsage.includes(EKU.any);
}

/** RFC 5280 §6.1.4 (k) to (n). Above a leaf extendedKeyUsage limits what may be issued, as everybody has it. */
function judgeIssuer(issuer: Certificate, below: number, isAnchor: boolean): Refusal | undefined {
  const { isCa, keyUsage, pathLength } = issuer.extensions;
  if (!isCa) return usage('an issuer that is no CA', issuer);
  if (keyUsage !== undefined && (keyUsage & KEY_USAGE.keyCertSign) === 0) {
    return usage('an issuer that may not sign certificates', issuer);
  }
  if (pathLength !== undefined && below > pathLength) {
    return usage('more intermediates than its path length allows', issuer);
  }
  if (isAnchor || isForIke(issuer)) return undefined;
  return usage('an issuer whose extended key usage is not for IKE', issuer);
}

/** RFC 5280 §6.1.3 (b), (c): each issuer's constraints by themselves, so that one below cannot widen them. */
function judgeNames(
  { extensions: { constraints } }: Certificate,
  below: readonly Certificate[],
): Refusal | undefined {
  if (constraints === undefined) return undefined;
  for (const [i, certificate] of below.entries()) {
    if (i > 0 && isSelfIssued(certificate)) continue;
    const found = violation(constraints, certificate.subject, certificate.extensions.names);
    if (found !== undefined) return usage(found, certificate);
  }
  return undefined;
}
