import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { CIPHERS, INTEGRITY, PRFS, type Suite } from '../../../src/ike/crypto/algorithms.js';
import { createNodeCrypto } from '../../../src/ike/crypto/node-crypto.js';
import { fail } from '../../../src/ike/crypto/result.js';
import { parseAddress } from '../../../src/lib/ip.js';
import { DebugKeys } from '../../../src/supervisor/debug-keys.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync('/tmp/debug-keys-');
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

const hex = (octets: Uint8Array): string => Buffer.from(octets).toString('hex');
const read = (file: string): string[] => {
  expect(statSync(`${folder}/keys/${file}`).mode & 0o777).toBe(0o600);
  return readFileSync(`${folder}/keys/${file}`, 'utf8').trimEnd().split('\n');
};

it('writes the keys of IKE SAs as they are derived, and changes nothing about them', () => {
  const pool = { run: async () => Promise.resolve(fail('WORKER', 'none here')) };
  const plain = createNodeCrypto(pool, randomBytes);
  const watched = new DebugKeys(`${folder}/keys`).watch(plain);
  expect(statSync(`${folder}/keys`).mode & 0o777).toBe(0o700);
  const nonces = { initiator: randomBytes(32), responder: randomBytes(32) };
  const spis = { initiator: randomBytes(8), responder: randomBytes(8) };
  const secret = randomBytes(32);
  const suites: Suite[] = [
    { prf: PRFS.sha256, cipher: CIPHERS['aes-256-gcm'] },
    { prf: PRFS.sha256, cipher: CIPHERS['aes-128-cbc'], integrity: INTEGRITY.sha256 },
  ];
  const keys = suites.map((suite) => watched.kdf.ikeKeys(suite, secret, nonces, spis));
  for (const [i, suite] of suites.entries()) {
    expect(keys[i]).toEqual(plain.kdf.ikeKeys(suite, secret, nonces, spis));
  }
  const spi = `${hex(spis.initiator)},${hex(spis.responder)}`;
  const [gcm, cbc] = keys;
  expect(read('ikev2_decryption_table')).toEqual([
    `${spi},${hex(gcm!.ei)},${hex(gcm!.er)},"AES-GCM-256 with 16 octet ICV [RFC5282]",,,"NONE [RFC4306]"`,
    `${spi},${hex(cbc!.ei)},${hex(cbc!.er)},"AES-CBC-128 [RFC3602]",${hex(cbc!.ai)},${hex(cbc!.ar)},"HMAC_SHA2_256_128 [RFC4868]"`,
  ]);
});

it('writes both directions of a child SA', () => {
  const [local, remote] = [parseAddress('2001:db8::1')!, parseAddress('2001:db8::2')!];
  const key = (octet: number) => ({
    encryption: Buffer.alloc(20, octet),
    integrity: Buffer.alloc(0),
  });
  new DebugKeys(`${folder}/keys`).child({
    path: { local: { address: local, port: 500 }, remote: { address: remote, port: 500 } },
    suite: {
      cipher: {
        ...{ name: 'ENCR_AES_GCM_16', id: 20, keyBits: 128, keyBytes: 20, saltBytes: 4 },
        ...{ kind: 'aead', encrypts: true },
      },
      ...{ integrity: undefined, esn: false },
    },
    ...{ inboundSpi: 0x100, outboundSpi: 0xdeadbeef, inboundKeys: key(1), outboundKeys: key(2) },
  });
  const gcm = '"AES-GCM with 16 octet ICV [RFC4106]"';
  expect(read('esp_sa')).toEqual([
    `"IPv6","2001:db8::2","2001:db8::1","0x00000100",${gcm},"0x${'01'.repeat(20)}","NULL",""`,
    `"IPv6","2001:db8::1","2001:db8::2","0xdeadbeef",${gcm},"0x${'02'.repeat(20)}","NULL",""`,
  ]);
});
