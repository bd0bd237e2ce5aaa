// SPDX-License-Identifier: Apache-2.0
/** Whether the certificates of a path are revoked: by OCSP responses that the peer gave, and by configured CRLs. */
import { EKU, KEY_USAGE, parseCertificate, type Certificate } from './certificate.js';
import type { Crl } from './crl.js';
import { answerFor, isResponder, parseOcsp, type OcspResponse } from './ocsp.js';
import { about, BusyError, type CheckSignature, type Path } from './path.js';
import { refusal, type Refusal } from './refusal.js';
import type { Revocation } from './setup.js';

/** How far ahead of ours a responder's clock may be, seconds. */
const SKEW = 300;

export interface Sources {
  readonly mode: Revocation['mode'];
  readonly ocspMaxAge: number;
  /** By issuer, {@link DistinguishedName.key}. */
  readonly crlsOf: (issuer: string) => readonly Crl[];
  readonly responses: readonly OcspResponse[];
  readonly check: CheckSignature;
  readonly now: number;
}

export interface StatusOfPath {
  readonly refusal: Refusal | undefined;
  /** Seconds since 1970 until which this is known. */
  readonly until: number;
  /** A CRL that was too old to tell, and was done without. */
  readonly warning: string | undefined;
}

type Known = { readonly is: 'good' | 'revoked'; readonly until: number } | undefined;

/** Throws BusyError. */
export async function statusOf(path: Path, sources: Sources): Promise<StatusOfPath> {
  let until = Infinity;
  let warning: string | undefined;
  for (const [i, certificate] of path.entries()) {
    const issuer = path[i + 1];
    if (issuer === undefined) break; // the anchor is trusted, not certified
    const status = await statusOfOne(certificate, issuer, sources);
    if (status.refusal !== undefined) return status;
    until = Math.min(until, status.until);
    warning ??= status.warning;
  }
  return { refusal: undefined, until, warning };
}

async function statusOfOne(
  certificate: Certificate,
  issuer: Certificate,
  sources: Sources,
): Promise<StatusOfPath> {
  const found = { refusal: undefined, until: Infinity, warning: undefined };
  const byOcsp = await askResponses(certificate, issuer, sources);
  const byCrl = await askCrls(certificate, issuer, sources);
  if (byOcsp?.is === 'revoked' || byCrl.known?.is === 'revoked') {
    const reason = `a certificate that is revoked, says ${byOcsp?.is === 'revoked' ? 'OCSP' : 'a CRL'}`;
    return { ...found, refusal: refusal('cert_revoked', reason, about(certificate)) };
  }
  // One that is good by both is so until the later of the two.
  const until = Math.max(byOcsp?.until ?? -Infinity, byCrl.known?.until ?? -Infinity);
  if (until > -Infinity) return { ...found, until };
  if (sources.mode === 'required') {
    const why = byCrl.isStale ? 'the CRL is too old' : 'there is no CRL or OCSP response';
    const reason = `revocation status unknown: ${why}`;
    return { ...found, refusal: refusal('cert_status_unknown', reason, about(certificate)) };
  }
  if (!byCrl.isStale) return found;
  return { ...found, warning: `the CRL of ${certificate.issuer.text} is too old` };
}

/**
 * A CRL that is too old does not say who is good, but who is on it stays revoked. `isStale`: there was one, and it
 * was too old.
 */
async function askCrls(
  certificate: Certificate,
  issuer: Certificate,
  { crlsOf, check, now }: Sources,
): Promise<{ readonly known: Known; readonly isStale: boolean }> {
  const { keyUsage } = issuer.extensions;
  const maySign = keyUsage === undefined || (keyUsage & KEY_USAGE.cRLSign) !== 0;
  let known: Known;
  let isStale = false;
  for (const crl of maySign ? crlsOf(certificate.issuer.key) : []) {
    if (crl.thisUpdate > now + SKEW || !(await isGood(check, crl, issuer))) continue;
    if (crl.revoked.has(certificate.serial)) {
      return { known: { is: 'revoked', until: Infinity }, isStale };
    }
    if (crl.nextUpdate < now) isStale = true;
    else known = { is: 'good', until: Math.max(known?.until ?? 0, crl.nextUpdate) };
  }
  return { known, isStale };
}

async function askResponses(
  certificate: Certificate,
  issuer: Certificate,
  sources: Sources,
): Promise<Known> {
  const { responses, ocspMaxAge, now } = sources;
  let known: Known;
  for (const response of responses) {
    const answer = answerFor(response, certificate, issuer);
    if (answer === undefined || answer.status === 'unknown') continue;
    const until = answer.nextUpdate ?? answer.thisUpdate + ocspMaxAge;
    const isCurrent = answer.thisUpdate <= now + SKEW && now <= until;
    const isRevoked = answer.status === 'revoked';
    // As with CRLs: "good" ages, "revoked" does not.
    if (!isCurrent && !isRevoked) continue;
    if (!(await isAuthentic(response, issuer, sources))) continue;
    if (isRevoked) return { is: 'revoked', until: Infinity };
    known = { is: 'good', until: Math.max(known?.until ?? 0, until) };
  }
  return known;
}

/** RFC 6960 §4.2.2.2: signed by the issuer, or by whom the issuer has certified for OCSP directly. */
async function isAuthentic(
  response: OcspResponse,
  issuer: Certificate,
  { check, crlsOf, now }: Sources,
): Promise<boolean> {
  if (isResponder(response, issuer) && (await isGood(check, response, issuer))) return true;
  for (const der of response.certificates) {
    const signer = parseCertificate(der);
    if (signer === undefined || !isResponder(response, signer)) continue;
    if (!mayAnswer(signer, issuer, now) || !(await isGood(check, signer, issuer))) continue;
    if (crlsOf(signer.issuer.key).some(({ revoked }) => revoked.has(signer.serial))) continue;
    if (await isGood(check, response, signer)) return true;
  }
  return false;
}

function mayAnswer(signer: Certificate, issuer: Certificate, now: number): boolean {
  const { extendedKeyUsage, keyUsage, unknownCritical } = signer.extensions;
  return (
    extendedKeyUsage?.includes(EKU.ocspSigning) === true &&
    (keyUsage === undefined || (keyUsage & KEY_USAGE.digitalSignature) !== 0) &&
    unknownCritical === undefined &&
    signer.issuer.key === issuer.subject.key &&
    signer.notBefore <= now &&
    now <= signer.notAfter
  );
}

async function isGood(
  check: CheckSignature,
  signed: Parameters<CheckSignature>[0],
  issuer: Certificate,
): Promise<boolean> {
  if (signed.scheme === undefined) return false;
  const checked = await check(signed, issuer);
  if (checked === 'LATER') throw new BusyError();
  return checked === 'GOOD';
}

/** Those that can be read. */
export const parseResponses = (ders: readonly Uint8Array[]): readonly OcspResponse[] =>
  ders.flatMap((der) => parseOcsp(der) ?? []);
