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
    const ppks = new Map<string, Uint8Array>();
    const sps: SpTrust[] = [];
    for (const [sp, provider] of Object.entries(ike.providers)) {
      sps.push(await loadProvider(sp, provider, read, keep));
      if (provider.ppk !== undefined) ppks.set(sp, await keep(provider.ppk.file, LEAST.ppk));
    }
    const credentials: Credential[] = [];
    for (const [name, entry] of Object.entries(ike.credentials ?? {})) {
      credentials.push(await loadCredential(name, entry, read));
    }
    return { setup: { sps, credentials }, ppks };
  } catch (error) {
    wipe(...secrets);
    throw error;
  }
}

type Keep = (path: string, least: number) => Promise<Uint8Array>;

async function loadProvider(
  sp: string,
  provider: IkeProvider,
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
    revocation: await loadRevocation(provider, read),
    methods: ikeMethodsOf(provider),
  };
}

async function loadRevocation(provider: IkeProvider, read: ReadFile): Promise<Revocation> {
  return {
    mode: provider.revocation ?? 'if-available',
    crls: await readFiles(read, provider.crls ?? [], CRL),
    askOcsp: provider.askOcsp ?? false,
    ocspMaxAge: provider.ocspMaxAge ?? DEFAULT_IKE.ocspMaxAge,
  };
}

async function loadCredential(
  name: string,
  { certificate, key, sps, ocspResponse, rsaPadding }: IkeCredential,
  read: ReadFile,
): Promise<Credential> {
  return {
    ...{ name, sps },
    chain: await readBlocks(read, certificate, CERTIFICATE),
    key: await readPrivateKey(read, key),
    ocsp: ocspResponse === undefined ? undefined : await read(ocspResponse, 'public'),
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
