// SPDX-License-Identifier: Apache-2.0
/**
 * From the `ike` section of the configuration, with the files it names, to what authentication works with. PEM is
 * RFC 7468: several certificates or CRLs may be in a file, text between them is skipped.
 */
import { createPrivateKey, type KeyObject } from 'node:crypto';
import { DEFAULT_IKE, ikeMethodsOf } from '../../config/ike/defaults.js';
import type { Ike, IkeCredential, IkeProvider } from '../../config/ike/types.js';
import { parsePrefix, type Prefix } from '../../lib/ip.js';
import { join, wipe } from '../crypto/secret.js';
import { IkeFileError, readIkeFile, type ReadFile } from './read-file.js';
import type { AuthSetup, Credential, PresharedKey, Revocation, SpTrust } from './setup.js';

/** Octets that a key must have at least: of preshared keys, and of those of RFC 8784 (§5.1: 256 bits). */
const LEAST = { psk: 16, ppk: 32 } as const;

/** Secret: keys in `setup`, `ppks`. */
export interface LoadedIke {
  /** For createAuthenticator, which checks what is in it and takes it over. */
  readonly setup: AuthSetup;
  /** RFC 8784 keys by SP, for compileIkePolicy. */
  readonly ppks: ReadonlyMap<string, Uint8Array>;
  /** What `setup` has of files that change while it is in use. */
  readonly status: StatusTable;
}

/** Certificate status comes as CRLs, and as OCSP responses for our own certificates. */
export type StatusKind = 'crl' | 'ocsp';

export interface StatusFile {
  readonly kind: StatusKind;
  readonly path: string;
  /** One OCSP response, or CRLs. */
  readonly ders: readonly Uint8Array[];
}

export type StatusTable = ReadonlyMap<string, StatusFile>;

const statusKey = (kind: StatusKind, path: string): string => `${kind} ${path}`;

export const statusOf = (files: Iterable<StatusFile>): StatusTable =>
  new Map([...files].map((file) => [statusKey(file.kind, file.path), file]));

/** DER. Throws {@link IkeFileError}. */
export async function readStatusFile(
  kind: StatusKind,
  path: string,
  read: ReadFile,
): Promise<readonly Uint8Array[]> {
  return kind === 'crl' ? readBlocks(read, path, CRL) : [await read(path, 'public')];
}

async function readStatus(ike: Ike, read: ReadFile): Promise<StatusTable> {
  const files = new Map<string, StatusFile>();
  const add = async (kind: StatusKind, path: string): Promise<void> => {
    const key = statusKey(kind, path);
    if (files.has(key)) return;
    files.set(key, { kind, path, ders: await readStatusFile(kind, path, read) });
  };
  for (const { crls = [] } of Object.values(ike.providers)) {
    for (const path of crls) await add('crl', path);
  }
  for (const { ocspResponse } of Object.values(ike.credentials ?? {})) {
    if (ocspResponse !== undefined) await add('ocsp', ocspResponse);
  }
  return files;
}

const dersOf = (status: StatusTable, kind: StatusKind, path: string): readonly Uint8Array[] =>
  status.get(statusKey(kind, path))?.ders ?? [];

const crlsOf = ({ crls = [] }: IkeProvider, status: StatusTable): readonly Uint8Array[] =>
  crls.flatMap((path) => dersOf(status, 'crl', path));

const ocspOf = ({ ocspResponse }: IkeCredential, status: StatusTable): Uint8Array | undefined =>
  ocspResponse === undefined ? undefined : dersOf(status, 'ocsp', ocspResponse)[0];

/** The setup with this status and otherwise the same, keys included. `ike`: what the setup was made of. */
export function withStatus(setup: AuthSetup, ike: Ike, status: StatusTable): AuthSetup {
  return {
    sps: setup.sps.map((trust) => {
      const provider = ike.providers[trust.sp];
      const crls = provider === undefined ? [] : crlsOf(provider, status);
      return { ...trust, revocation: { ...trust.revocation, crls } };
    }),
    credentials: setup.credentials.map((credential) => {
      const entry = ike.credentials?.[credential.name];
      return { ...credential, ocsp: entry && ocspOf(entry, status) };
    }),
  };
}

/**
 * @param ike validated configuration
 * Throws {@link IkeFileError}, and wipes what it has read by then.
 */
export async function loadIke(ike: Ike, read: ReadFile = readIkeFile): Promise<LoadedIke> {
  const secrets: Uint8Array[] = [];
  const keep: Keep = async (path, least) => {
    const key = await readKey(read, path, least);
    secrets.push(key);
    return key;
  };
  try {
    const status = await readStatus(ike, read);
    const ppks = new Map<string, Uint8Array>();
    const sps: SpTrust[] = [];
    for (const [sp, provider] of Object.entries(ike.providers)) {
      sps.push(await loadProvider({ sp, provider, status }, read, keep));
      if (provider.ppk !== undefined) ppks.set(sp, await keep(provider.ppk.file, LEAST.ppk));
    }
    const credentials: Credential[] = [];
    for (const [name, entry] of Object.entries(ike.credentials ?? {})) {
      credentials.push(await loadCredential(name, entry, status, read));
    }
    return { setup: { sps, credentials }, ppks, status };
  } catch (error) {
    wipe(...secrets);
    throw error;
  }
}

type Keep = (path: string, least: number) => Promise<Uint8Array>;

async function loadProvider(
  {
    sp,
    provider,
    status,
  }: { readonly sp: string; readonly provider: IkeProvider; readonly status: StatusTable },
  read: ReadFile,
  keep: Keep,
): Promise<SpTrust> {
  const anchors: SpTrust['anchors'][number][] = [];
  for (const [name, { file }] of Object.entries(provider.anchors ?? {})) {
    const [certificate, ...more] = await readBlocks(read, file, CERTIFICATE);
    if (certificate === undefined || more.length > 0) {
      throw new IkeFileError(
        file,
        'has more than one certificate',
        'name one file for each anchor',
      );
    }
    anchors.push({ name, certificate });
  }
  const psks: PresharedKey[] = [];
  for (const [name, { remote, file }] of Object.entries(provider.psks ?? {})) {
    psks.push({ name, prefix: prefixOf(remote), key: await keep(file, LEAST.psk) });
  }
  return {
    ...{ sp, anchors, psks },
    ranges: provider.ranges.map(prefixOf),
    intermediates: await readFiles(read, provider.intermediates ?? [], CERTIFICATE),
    revocation: revocationOf(provider, status),
    methods: ikeMethodsOf(provider),
  };
}

function revocationOf(provider: IkeProvider, status: StatusTable): Revocation {
  return {
    mode: provider.revocation ?? 'if-available',
    crls: crlsOf(provider, status),
    askOcsp: provider.askOcsp ?? false,
    ocspMaxAge: provider.ocspMaxAge ?? DEFAULT_IKE.ocspMaxAge,
  };
}

async function loadCredential(
  name: string,
  entry: IkeCredential,
  status: StatusTable,
  read: ReadFile,
): Promise<Credential> {
  const { certificate, key, sps, rsaPadding } = entry;
  return {
    ...{ name, sps },
    chain: await readBlocks(read, certificate, CERTIFICATE),
    key: await readPrivateKey(read, key),
    ocsp: ocspOf(entry, status),
    rsaPadding: rsaPadding ?? 'pss',
  };
}

/** The configuration's schema has let through only prefixes. */
function prefixOf(text: string): Prefix {
  const prefix = parsePrefix(text);
  if (prefix === undefined) throw new TypeError(`not an address or prefix: ${text}`);
  return prefix;
}

/** What is in a file: PEM label, and how to call it. CRLs are as often published as DER. */
interface Kind {
  readonly label: string;
  readonly called: string;
  readonly isDerToo: boolean;
}
const CERTIFICATE: Kind = { label: 'CERTIFICATE', called: 'a certificate', isDerToo: false };
const CRL: Kind = { label: 'X509 CRL', called: 'a CRL', isDerToo: true };

async function readFiles(
  read: ReadFile,
  paths: readonly string[],
  kind: Kind,
): Promise<readonly Uint8Array[]> {
  const found: Uint8Array[] = [];
  for (const path of paths) found.push(...(await readBlocks(read, path, kind)));
  return found;
}

/** DER of each block; at least one. */
async function readBlocks(
  read: ReadFile,
  path: string,
  kind: Kind,
): Promise<readonly Uint8Array[]> {
  const content = await read(path, 'public');
  if (kind.isDerToo && content[0] === 0x30) return [content];
  const pattern = new RegExp(
    `-----BEGIN ${kind.label}-----([^-]*)-----END ${kind.label}-----`,
    'g',
  );
  const blocks = [...content.toString('latin1').matchAll(pattern)].map(([, body = '']) =>
    Buffer.from(body, 'base64'),
  );
  if (blocks.length > 0) return blocks;
  const wanted = `has no PEM block "${kind.label}"`;
  throw new IkeFileError(path, wanted, `name a file that holds ${kind.called}`);
}

/** PEM: PKCS#8, or the older forms that OpenSSL reads. */
async function readPrivateKey(read: ReadFile, path: string): Promise<KeyObject> {
  const content = await read(path, 'secret');
  try {
    return createPrivateKey({ key: content, format: 'pem' });
  } catch {
    // What OpenSSL says of a key does not leave this place.
    const remedy = 'name a PEM file with an unencrypted private key';
    throw new IkeFileError(path, 'has no private key that can be read', remedy);
  } finally {
    wipe(content);
  }
}

/** The octets of a file, without the line end that editors add. */
async function readKey(read: ReadFile, path: string, least: number): Promise<Uint8Array> {
  const content = await read(path, 'secret');
  let length = content.length;
  if (content[length - 1] === 0x0a) length--;
  if (content[length - 1] === 0x0d && length < content.length) length--;
  const key = join(content.subarray(0, length));
  wipe(content);
  if (key.length >= least) return key;
  wipe(key);
  const remedy = `make one, for example with: openssl rand -base64 ${2 * least}`;
  throw new IkeFileError(path, `has a key of less than ${least} octets`, remedy);
}
