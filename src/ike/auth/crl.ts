// SPDX-License-Identifier: Apache-2.0
/** Certificate revocation lists (RFC 5280 §5): whole ones, of the CA that issued the certificates. */
import { readExtensionMap, readSigned, type Signed } from './certificate.js';
import {
  context,
  DerError,
  DerReader,
  integerOf,
  readDer,
  smallIntegerOf,
  TAG,
  timeOf,
} from './der.js';
import { nameOf } from './names.js';

export interface Crl extends Signed {
  /** {@link DistinguishedName.key} of who issued it. */
  readonly issuer: string;
  /** Seconds since 1970. */
  readonly thisUpdate: number;
  /** RFC 5280 §5.1.2.5: always there. */
  readonly nextUpdate: number;
  /** Serial numbers, hexadecimal. */
  readonly revoked: ReadonlySet<string>;
}

/**
 * undefined: cannot be read, or is of a kind that does not speak for all of a CA's certificates: delta CRLs,
 * indirect CRLs and those of one distribution point have critical extensions that say so.
 */
export function parseCrl(der: Uint8Array): Crl | undefined {
  return readDer(der, (outer) => {
    const list = outer.inside(TAG.sequence);
    const { algorithm, ...signed } = readSigned(list);
    list.end();
    const tbs = new DerReader(signed.tbs).inside(TAG.sequence);
    const version = tbs.optional(TAG.integer);
    if (version !== undefined && smallIntegerOf(version) !== 1) throw new DerError('no version');
    if (Buffer.compare(tbs.take(TAG.sequence).whole, algorithm) !== 0) {
      throw new DerError('two signature algorithms');
    }
    const issuer = nameOf(tbs.take(TAG.sequence)).key;
    const [thisUpdate, nextUpdate] = [timeOf(tbs.next()), timeOf(tbs.next())];
    const entries = tbs.optional(TAG.sequence);
    const extensions = tbs.optional(context(0, true));
    tbs.end();
    const revoked = new Set(
      entries === undefined ? [] : new DerReader(entries.content).all(readEntry),
    );
    if (extensions !== undefined) refuseCritical(new DerReader(extensions.content));
    return { ...signed, issuer, thisUpdate, nextUpdate, revoked };
  });
}

/** Serial number of an entry. */
function readEntry(entries: DerReader): string {
  const entry = entries.inside(TAG.sequence);
  const serial = integerOf(entry.take(TAG.integer));
  timeOf(entry.next());
  if (!entry.isAtEnd) refuseCritical(entry);
  return serial;
}

/** RFC 5280 §5.2: a CRL with a critical extension that is not understood says nothing about who is not on it. */
export function refuseCritical(reader: DerReader): void {
  for (const { isCritical } of readExtensionMap(reader).values()) {
    if (isCritical) throw new DerError('a critical extension');
  }
}
