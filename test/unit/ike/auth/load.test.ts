// SPDX-License-Identifier: Apache-2.0
/** From files to an authenticator. */
import { chmodSync, chownSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { execFileSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import type { Ike, IkeProvider } from '../../../../src/config/ike/types.js';
import { loadIke } from '../../../../src/ike/auth/load.js';
import { IkeFileError, readIkeFile } from '../../../../src/ike/auth/read-file.js';
import { createAuthenticator } from '../../../../src/ike/auth/authenticator.js';
import { crl, makeKey, ocspResponse, revoke } from '../../../lib/pki.js';
import { A, AB, B, crlDer } from './certified.js';
import { authenticate, World, type Peer } from './peers.js';
import { Yard } from './yard.js';

const yard = new Yard();
let files = 0;
function file(content: string | Uint8Array, mode = 0o600): string {
  const path = join(yard.folder, `file${files++}`);
  writeFileSync(path, content);
  chmodSync(path, mode);
  return path;
}

const SECRET = 'a preshared key of many octets';
const provider = (more: Partial<IkeProvider>): Ike => ({
  providers: { 'sp-a': { ranges: ['192.0.2.0/24'], ...more } },
});

async function peerOf(ike: Ike): Promise<Peer> {
  const world = new World();
  const { setup } = await loadIke(ike);
  return { world, authenticator: createAuthenticator(setup, world.env, world.certificates) };
}

describe('what is loaded works', () => {
  test('certificates with an intermediate, a CRL in DER and one in PEM, an OCSP response', async () => {
    const middle = yard.caUnder(yard.root);
    const [leaf, bad] = [yard.leaf({}, middle), yard.leaf({ ip: ['192.0.2.3'] }, middle)];
    revoke(middle, bad);
    const anchors = { root: { file: file(`some words\n${yard.root.pem}`, 0o644) } };
    const crls = [file(crlDer(crl(middle)), 0o644), file(crl(yard.root), 0o644)];
    const to = await peerOf(provider({ anchors, crls, revocation: 'required', askOcsp: true }));
    const credentialOf = (of: typeof leaf): Ike => ({
      ...provider({ anchors }),
      credentials: {
        mine: {
          certificate: file(of.pem + middle.pem),
          key: of.files.key,
          ocspResponse: file(ocspResponse(middle, of)),
        },
      },
    });
    const outcome = await authenticate(await peerOf(credentialOf(leaf)), to, AB);
    expect(outcome).toMatchObject({
      ok: true,
      value: { sp: 'sp-a', method: 'ecdsa', anchor: 'root' },
    });
    const revoked = { local: Uint8Array.of(192, 0, 2, 3), remote: B };
    expect((await authenticate(await peerOf(credentialOf(bad)), to, revoked)).ok).toBe(false);
    expect(to.world.counted).toEqual({ cert_revoked: 1 });
  });

  test('intermediates that are configured need not be sent', async () => {
    const middle = yard.caUnder(yard.root);
    const leaf = yard.leaf({}, middle);
    const anchors = { root: { file: file(yard.root.pem) } };
    const from = await peerOf({
      ...provider({ anchors }),
      credentials: {
        mine: { certificate: leaf.files.certificate, key: leaf.files.key, rsaPadding: 'pkcs1' },
      },
    });
    const without = await peerOf(provider({ anchors }));
    expect((await authenticate(from, without, AB)).ok).toBe(false);
    expect(without.world.counted).toEqual({ cert_untrusted: 1 });
    const knowing = await peerOf(provider({ anchors, intermediates: [file(middle.pem)] }));
    expect((await authenticate(from, knowing, AB)).ok).toBe(true);
  });

  test.each(['', '\n', '\r\n'])(
    'preshared keys, the line end %j is not of the key',
    async (end) => {
      const psks = (content: string): Ike =>
        provider({ psks: { all: { remote: '192.0.2.0/24', file: file(content) } } });
      const [a, b] = [await peerOf(psks(SECRET)), await peerOf(psks(SECRET + end))];
      expect(await authenticate(a, b, AB)).toMatchObject({
        ok: true,
        value: { method: 'psk', anchor: 'all' },
      });
      expect((await authenticate(await peerOf(psks(`${SECRET} \n`)), b, AB)).ok).toBe(false);
      expect(b.authenticator.admits({ local: B, remote: A }).ok).toBe(true);
    },
  );

  test('postquantum keys, by SP', async () => {
    const key = 'x'.repeat(32);
    const { ppks } = await loadIke(provider({ ppk: { id: 'p', file: file(`${key}\n`) } }));
    expect(Buffer.from(ppks.get('sp-a') ?? []).toString()).toBe(key);
  });

  test('what the configuration leaves out', async () => {
    const { setup } = await loadIke(provider({ anchors: { r: { file: file(yard.root.pem) } } }));
    expect(setup.sps[0]).toMatchObject({
      methods: ['ed25519', 'ecdsa', 'rsa'],
      revocation: { mode: 'if-available', crls: [], askOcsp: false, ocspMaxAge: 86_400 },
    });
  });
});

describe('files that cannot be used', () => {
  const keyed = (path: string): Ike =>
    provider({ psks: { k: { remote: '192.0.2.1', file: path } } });
  const anchored = (path: string): Ike => provider({ anchors: { r: { file: path } } });
  const owned = (key: string): Ike => {
    const { files: own } = yard.leaf();
    return {
      ...anchored(yard.root.files.certificate),
      credentials: { c: { certificate: own.certificate, key } },
    };
  };
  test.each<[string, () => Ike, RegExp]>([
    ['no such file', () => keyed('/nonexistent/key'), /does not exist/],
    ['a key that others may read', () => keyed(file(SECRET, 0o640)), /may be used by others/],
    [
      'a private key that others may read',
      () => owned(file(SECRET, 0o604)),
      /may be used by others/,
    ],
    [
      'a link to a key',
      () => {
        const link = join(yard.folder, `link${files++}`);
        symlinkSync(file(SECRET), link);
        return keyed(link);
      },
      /symbolic link/,
    ],
    [
      'a folder',
      () => {
        const folder = join(yard.folder, `folder${files++}`);
        mkdirSync(folder, 0o700);
        return keyed(folder);
      },
      /not a regular file/,
    ],
    ['a short key', () => keyed(file('fifteen octets!\n')), /less than 16 octets/],
    [
      'a short postquantum key',
      () => provider({ ppk: { id: 'p', file: file('x'.repeat(31)) } }),
      /less than 32/,
    ],
    ['a long key', () => keyed(file('x'.repeat(70_000))), /too long/],
    ['no certificate', () => anchored(file('nothing')), /no PEM block "CERTIFICATE"/],
    ['two anchors in one', () => anchored(file(yard.root.pem + yard.foreign.pem)), /more than one/],
    ['no CRL', () => provider({ crls: [file(yard.root.pem)] }), /no PEM block "X509 CRL"/],
    ['no private key', () => owned(file(SECRET)), /no private key/],
    [
      'an encrypted private key',
      () => {
        const path = join(yard.folder, `key${files++}`);
        execFileSync(
          'openssl',
          ['genpkey', '-algorithm', 'ED25519', '-aes128', '-pass', 'pass:x', '-out', path],
          { stdio: 'pipe' },
        );
        chmodSync(path, 0o600);
        return owned(path);
      },
      /no private key/,
    ],
  ])('%s', async (_, make, reason) => {
    const ike = make();
    await expect(loadIke(ike)).rejects.toThrow(reason);
    await expect(loadIke(ike)).rejects.toBeInstanceOf(IkeFileError);
    await expect(loadIke(ike)).rejects.not.toThrow(/preshared key of many/);
  });

  test.each<[string, () => Ike, RegExp]>([
    [
      'a leaf as anchor',
      () => anchored(yard.leaf().files.certificate),
      /trust anchor r is not a CA/,
    ],
    [
      'a key of another certificate',
      () => {
        const path = join(yard.folder, `key${files++}`);
        makeKey(path, 'p256');
        return owned(path);
      },
      /credential c: the key is not that/,
    ],
    [
      'a certificate without addresses',
      () => {
        const leaf = yard.leaf({ ip: [] });
        return {
          ...provider({}),
          credentials: { c: { certificate: leaf.files.certificate, key: leaf.files.key } },
        };
      },
      /names no address/,
    ],
    [
      'a chain in the wrong order',
      () => {
        const leaf = yard.leaf();
        return {
          ...provider({}),
          credentials: {
            c: { certificate: file(leaf.pem + yard.foreign.pem), key: leaf.files.key },
          },
        };
      },
      /not in order/,
    ],
    [
      'an OCSP response that is none',
      () => {
        const leaf = yard.leaf();
        return {
          ...provider({}),
          credentials: {
            c: {
              certificate: leaf.files.certificate,
              key: leaf.files.key,
              ocspResponse: file('x'),
            },
          },
        };
      },
      /OCSP response/,
    ],
    [
      "a CA's certificate to show",
      () => {
        const { files: own } = yard.root;
        return {
          ...provider({}),
          credentials: { c: { certificate: own.certificate, key: own.key } },
        };
      },
      /a CA's certificate/,
    ],
    [
      'an anchor of two SPs',
      () => ({
        providers: {
          a: { ranges: ['192.0.2.0/24'], anchors: { r: { file: yard.root.files.certificate } } },
          b: { ranges: ['198.51.100.0/24'], anchors: { r: { file: yard.root.files.certificate } } },
        },
      }),
      /another SP has one with the same key/,
    ],
  ])('%s is found by createAuthenticator', async (_, make, reason) => {
    await expect(peerOf(make())).rejects.toThrow(reason);
  });

  test.runIf(process.geteuid?.() === 0)("another user's key", async () => {
    const path = file(SECRET);
    chownSync(path, 1, 1);
    await expect(loadIke(keyed(path))).rejects.toThrow(/belongs to another user/);
  });

  test('keys that were read are wiped when another file fails', async () => {
    const read: Buffer[] = [];
    const remembering: typeof readIkeFile = async (path, secrecy) => {
      const content = await readIkeFile(path, secrecy);
      read.push(content);
      return content;
    };
    const ike = provider({
      psks: { k: { remote: '192.0.2.1', file: file(SECRET) } },
      ppk: { id: 'p', file: '/nonexistent' },
    });
    await expect(loadIke(ike, remembering)).rejects.toThrow(/does not exist/);
    expect(read.map((content) => content.every((octet) => octet === 0))).toEqual([true]);
  });
});
