// SPDX-License-Identifier: Apache-2.0
/**
 * The files that the `ike` section names, read before anything is changed: a configuration whose files cannot be used
 * is refused as a whole. Messages name files, never what is in them.
 */
import { createPrivateKey, X509Certificate, type KeyObject } from 'node:crypto';
import { constants, type FileHandle, open } from 'node:fs/promises';
import { DEFAULT_IKE, ikeMethodsOf } from '../config/ike/defaults.js';
import type { Ike, IkeCredential, IkeProvider, IkePsk } from '../config/types.js';
import type { AuthSetup, Credential, PresharedKey, SpTrust } from '../ike/auth/setup.js';
import { parsePrefix, type Prefix } from '../lib/ip.js';
import { messageOf, SupervisorError } from './errors.js';

/** Secret: keys in both. */
export interface IkeFiles {
  readonly auth: AuthSetup;
  /** Postquantum preshared keys (RFC 8784) by SP. */
  readonly ppks: ReadonlyMap<string, Uint8Array>;
}

const MOST_BYTES = 8 << 20;
const LEAST_PSK = 16;
const LEAST_PPK = 32;

function refuse(path: string, why: string, remedy: string): never {
  throw new SupervisorError('KEY', `${path}: ${why}`, remedy);
}

/** `secret`: it must be ours alone. */
async function readOctets(path: string, secret: boolean): Promise<Buffer> {
  let handle: FileHandle | undefined;
  try {
    handle = await open(path, constants.O_RDONLY);
    const { mode, size } = await handle.stat();
    if (secret && (mode & 0o077) !== 0) refuse(path, 'others may read it', `chmod 600 ${path}`);
    if (size > MOST_BYTES) refuse(path, 'too large', 'name the right file');
    return await handle.readFile();
  } catch (error) {
    if (error instanceof SupervisorError) throw error;
    return refuse(path, messageOf(error), 'see docs/configuration.md, ike');
  } finally {
    await handle?.close();
  }
}

/** Octets without the line end that editors leave. */
async function readKey(path: string, least: number): Promise<Uint8Array> {
  const octets = await readOctets(path, true);
  let end = octets.length;
  if (octets[end - 1] === 0x0a) end -= octets[end - 2] === 0x0d ? 2 : 1;
  const key = Uint8Array.from(octets.subarray(0, end));
  octets.fill(0);
  if (key.length < least) refuse(path, `a key of less than ${least} octets`, 'a longer one');
  return key;
}

/** DER of each PEM block of this kind, or the file itself where it is DER. */
function derBlocks(path: string, octets: Buffer, kind: 'CERTIFICATE' | 'X509 CRL'): Uint8Array[] {
  if (octets[0] === 0x30) return [Uint8Array.from(octets)];
  const blocks = [
    ...octets
      .toString('latin1')
      .matchAll(new RegExp(`-----BEGIN ${kind}-----([^-]*)-----END ${kind}-----`, 'g')),
  ];
  if (blocks.length === 0) refuse(path, `no PEM block "${kind}"`, 'name the right file');
  return blocks.map(([, body = '']) => Uint8Array.from(Buffer.from(body, 'base64')));
}

async function readCertificates(path: string): Promise<Uint8Array[]> {
  const all = derBlocks(path, await readOctets(path, false), 'CERTIFICATE');
  for (const der of all) {
    try {
      new X509Certificate(der);
    } catch (error) {
      refuse(path, messageOf(error), 'a certificate in PEM');
    }
  }
  return all;
}

async function readPrivateKey(path: string): Promise<KeyObject> {
  const octets = await readOctets(path, true);
  try {
    return createPrivateKey(octets);
  } catch {
    return refuse(path, 'no private key that can be read', 'a PEM file without a passphrase');
  } finally {
    octets.fill(0);
  }
}

async function credentialOf(name: string, from: IkeCredential): Promise<Credential> {
  const chain = await readCertificates(from.certificate);
  const key = await readPrivateKey(from.key);
  const [leaf] = chain;
  if (leaf === undefined || !new X509Certificate(leaf).checkPrivateKey(key)) {
    refuse(from.key, `not the key of ${from.certificate}`, 'name the key that belongs to it');
  }
  const { sps, ocspResponse, rsaPadding = 'pss' } = from;
  const ocsp =
    ocspResponse === undefined ? undefined : Uint8Array.from(await readOctets(ocspResponse, false));
  return { ...{ name, chain, key, sps, ocsp, rsaPadding } };
}

function prefixOf(text: string): Prefix {
  const prefix = parsePrefix(text.includes('/') ? text : hostText(text));
  if (prefix === undefined) throw new TypeError(`${text} in a checked configuration`);
  return prefix;
}

const hostText = (address: string): string => `${address}/${address.includes(':') ? '128' : '32'}`;

async function pskOf(name: string, { remote, file }: IkePsk): Promise<PresharedKey> {
  return { name, prefix: prefixOf(remote), key: await readKey(file, LEAST_PSK) };
}

async function trustOf(sp: string, from: IkeProvider): Promise<SpTrust> {
  const anchors = await Promise.all(
    Object.entries(from.anchors ?? {}).map(async ([name, { file }]) => {
      const [certificate, ...more] = await readCertificates(file);
      if (certificate === undefined || more.length > 0) {
        return refuse(file, 'several certificates', 'one anchor each');
      }
      return { name, certificate };
    }),
  );
  const psks = await Promise.all(
    Object.entries(from.psks ?? {}).map(async ([name, psk]) => pskOf(name, psk)),
  );
  const intermediates = await Promise.all((from.intermediates ?? []).map(readCertificates));
  const crls = await Promise.all(
    (from.crls ?? []).map(async (path) =>
      derBlocks(path, await readOctets(path, false), 'X509 CRL'),
    ),
  );
  return {
    ...{ sp, ranges: from.ranges.map(prefixOf), anchors, psks },
    intermediates: intermediates.flat(),
    revocation: {
      mode: from.revocation ?? 'if-available',
      crls: crls.flat(),
      askOcsp: from.askOcsp ?? false,
      ocspMaxAge: from.ocspMaxAge ?? DEFAULT_IKE.ocspMaxAge,
    },
    methods: ikeMethodsOf(from),
  };
}

/** Throws KEY for a file that cannot be used. */
export async function readIkeFiles(ike: Ike): Promise<IkeFiles> {
  const providers = Object.entries(ike.providers);
  const sps = await Promise.all(providers.map(async ([sp, from]) => trustOf(sp, from)));
  const credentials = await Promise.all(
    Object.entries(ike.credentials ?? {}).map(async ([name, from]) => credentialOf(name, from)),
  );
  const ppks = new Map<string, Uint8Array>();
  for (const [sp, { ppk }] of providers) {
    if (ppk !== undefined) ppks.set(sp, await readKey(ppk.file, LEAST_PPK));
  }
  return { auth: { sps, credentials }, ppks };
}
