// SPDX-License-Identifier: Apache-2.0
/** OCSP responses (RFC 6960 §4.2), as CERT payloads of encoding 14 carry them (RFC 4806). */
import { createHash } from 'node:crypto';
import { readSigned, sha1, type Certificate, type Signed } from './certificate.js';
import { refuseCritical } from './crl.js';
import {
  context,
  DerError,
  DerReader,
  integerOf,
  oidOf,
  readDer,
  smallIntegerOf,
  TAG,
  timeOf,
  type Element,
} from './der.js';
import { nameOf } from './names.js';

/** Octets of one response, certificates of its signer included. */
export const MOST_OCSP_OCTETS = 16_384;
const MOST_ANSWERS = 64;
const MOST_SIGNERS = 4;

export interface OcspAnswer {
  readonly hash: string;
  /** Hexadecimal: hashes of the issuer's Name and key octets, serial number. */
  readonly issuerName: string;
  readonly issuerKey: string;
  readonly serial: string;
  readonly status: 'good' | 'revoked' | 'unknown';
  /** Seconds since 1970. */
  readonly thisUpdate: number;
  readonly nextUpdate: number | undefined;
}

export interface OcspResponse extends Signed {
  /** Who signed: the key of a name, or the SHA-1 hash of a key in hexadecimal. */
  readonly responder: { readonly name: string } | { readonly keyHash: string };
  readonly answers: readonly OcspAnswer[];
  /** DER of certificates that came with it. */
  readonly certificates: readonly Uint8Array[];
}

const BASIC = '1.3.6.1.5.5.7.48.1.1';
const SUCCESSFUL = 0;

/** undefined: cannot be read, or is an error instead of a response. */
export function parseOcsp(der: Uint8Array): OcspResponse | undefined {
  if (der.length > MOST_OCSP_OCTETS) return undefined;
  const octets = readDer(der, (outer) => {
    const response = outer.inside(TAG.sequence);
    const status = smallIntegerOf(response.take(TAG.enumerated));
    if (status !== SUCCESSFUL) throw new DerError('an error of the responder');
    const bytes = response.inside(context(0, true)).inside(TAG.sequence);
    if (oidOf(bytes.take(TAG.oid)) !== BASIC) throw new DerError('no basic response');
    return bytes.take(TAG.octetString).content;
  });
  return octets && readDer(octets, readBasic);
}

function readBasic(outer: DerReader): OcspResponse {
  const basic = outer.inside(TAG.sequence);
  const { tbs, scheme, signature } = readSigned(basic);
  const wrapped = basic.optional(context(0, true));
  basic.end();
  const certificates =
    wrapped === undefined
      ? []
      : new DerReader(wrapped.content)
          .inside(TAG.sequence)
          .all((reader) => reader.take(TAG.sequence).whole);
  if (certificates.length > MOST_SIGNERS) throw new DerError('too many certificates');
  const data = new DerReader(tbs).inside(TAG.sequence);
  data.optional(context(0, true));
  const responder = responderOf(data.next());
  timeOf(data.take(TAG.generalizedTime));
  const answers = data.inside(TAG.sequence).all(readAnswer);
  if (answers.length > MOST_ANSWERS) throw new DerError('too many answers');
  const extensions = data.optional(context(1, true));
  data.end();
  if (extensions !== undefined) refuseCritical(new DerReader(extensions.content));
  return { tbs, scheme, signature, responder, answers, certificates };
}

function responderOf({ tag, content }: Element): OcspResponse['responder'] {
  const inside = new DerReader(content);
  if (tag === context(1, true)) return { name: nameOf(inside.take(TAG.sequence)).key };
  if (tag !== context(2, true)) throw new DerError('no responder');
  return { keyHash: hexOf(inside.take(TAG.octetString)) };
}

const HASHES: Readonly<Record<string, string>> = {
  '1.3.14.3.2.26': 'sha1',
  '2.16.840.1.101.3.4.2.1': 'sha256',
  '2.16.840.1.101.3.4.2.2': 'sha384',
  '2.16.840.1.101.3.4.2.3': 'sha512',
};

function readAnswer(reader: DerReader): OcspAnswer {
  const single = reader.inside(TAG.sequence);
  const id = single.inside(TAG.sequence);
  // Here a hash tells certificates apart and proves nothing: SHA-1 will do.
  const hash = HASHES[oidOf(id.inside(TAG.sequence).take(TAG.oid))] ?? '';
  const issuerName = hexOf(id.take(TAG.octetString));
  const issuerKey = hexOf(id.take(TAG.octetString));
  const serial = integerOf(id.take(TAG.integer));
  id.end();
  const status = statusOf(single.next());
  const thisUpdate = timeOf(single.take(TAG.generalizedTime));
  const next = single.optional(context(0, true));
  const extensions = single.optional(context(1, true));
  single.end();
  if (extensions !== undefined) refuseCritical(new DerReader(extensions.content));
  const nextUpdate = next && timeOf(new DerReader(next.content).take(TAG.generalizedTime));
  return { hash, issuerName, issuerKey, serial, status, thisUpdate, nextUpdate };
}

function statusOf({ tag }: Element): OcspAnswer['status'] {
  switch (tag) {
    case context(0, false):
      return 'good';
    case context(1, true):
      return 'revoked';
    case context(2, false):
      return 'unknown';
    default:
      throw new DerError('no status');
  }
}

const hexOf = ({ content }: Element): string => Buffer.from(content).toString('hex');

/** What a response answers about a certificate of an issuer. */
export function answerFor(
  response: OcspResponse,
  certificate: Certificate,
  issuer: Certificate,
): OcspAnswer | undefined {
  return response.answers.find((answer) => {
    if (answer.serial !== certificate.serial || answer.hash === '') return false;
    const hashed = (octets: Uint8Array): string =>
      createHash(answer.hash).update(octets).digest('hex');
    return (
      answer.issuerName === hashed(certificate.issuer.octets) &&
      answer.issuerKey === hashed(issuer.keyOctets)
    );
  });
}

/** Whether a certificate is that of the responder that a response names. */
export function isResponder(response: OcspResponse, certificate: Certificate): boolean {
  const { responder } = response;
  if ('name' in responder) return responder.name === certificate.subject.key;
  return responder.keyHash === sha1(certificate.keyOctets).toString('hex');
}
