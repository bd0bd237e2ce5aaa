// SPDX-License-Identifier: Apache-2.0
/** What a peer can send costs bounded work, throws nothing, and is not believed. */
import { createPrivateKey, sign } from 'node:crypto';
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { loadAddon } from '../../../../src/forwarding/addon/load.js';
import type { CertificateLibrary } from '../../../../src/lib/certificate-api.js';
import { crl, makeCa, ocspResponse, type Ca, type Issued } from '../../../lib/pki.js';
import { A, AB, B, credential, crlDer, judge, present, prover, showing } from './certified.js';
import { authenticate, authInput, World } from './peers.js';
import { Yard } from './yard.js';

const { certificates } = loadAddon();
const yard = new Yard();
const leaf = yard.leaf();

/** A few octets changed, cut out or put in. */
const damaged = (octets: Uint8Array): fc.Arbitrary<Buffer> =>
  fc
    .array(
      fc.record({
        at: fc.nat(octets.length - 1),
        cut: fc.nat(3),
        put: fc.uint8Array({ maxLength: 3 }),
      }),
      { minLength: 1, maxLength: 3 },
    )
    .map((changes) => {
      let changed = Buffer.from(octets);
      for (const { at, cut, put } of changes) {
        changed = Buffer.concat([changed.subarray(0, at), put, changed.subarray(at + cut)]);
      }
      return changed;
    })
    .filter((changed) => !changed.equals(octets));

describe('damaged DER', () => {
  test('certificates are refused, each with a counter', async () => {
    const world = new World();
    const to = judge([yard.root], {}, [], world);
    let count = 0;
    await fc.assert(
      fc.asyncProperty(damaged(leaf.der), async (der) => {
        const outcome = await present({ leaf: { ...leaf, der } }, to, { idType: 1, data: A });
        expect(outcome).toMatchObject({ ok: false, failure: { code: 'AUTHENTICATION_FAILED' } });
        count++;
        expect([...world.counts.values()].reduce((sum, each) => sum + each, 0)).toBe(count);
      }),
      { numRuns: 500 },
    );
  });

  test('damaged content under a right signature of the CA does not throw', async () => {
    const key = createPrivateKey(readFileSync(yard.root.files.key));
    // SEQUENCE { tbsCertificate, ... }, both with lengths of two octets.
    const tbs = leaf.der.subarray(4, 8 + leaf.der.readUInt16BE(6));
    expect([leaf.der[0], leaf.der[1], tbs[0], tbs[1]]).toEqual([0x30, 0x82, 0x30, 0x82]);
    const tail = leaf.der.subarray(leaf.der.indexOf(tbs) + tbs.length);
    const algorithm = tail.subarray(0, 12);
    const to = judge([yard.root]);
    await fc.assert(
      fc.asyncProperty(damaged(tbs.subarray(4)), async (content) => {
        const changed = sequence(content);
        const signature = Buffer.concat([Buffer.of(0), sign('sha256', changed, key)]);
        const der = sequence(
          Buffer.concat([changed, algorithm, Buffer.of(3, signature.length), signature]),
        );
        const outcome = await present({ leaf: { ...leaf, der } }, to, { idType: 1, data: A });
        expect(typeof outcome.ok).toBe('boolean');
      }),
      { numRuns: 500 },
    );
  });

  test('CRLs and OCSP responses do not throw', () => {
    const ca = yard.ca();
    const own = yard.leaf({}, ca);
    const list = crlDer(crl(ca));
    const response = ocspResponse(ca, own);
    expect([certificates.faultOfCrl(list), certificates.ocspUntil(response)]).toEqual([
      undefined,
      expect.any(Number),
    ]);
    const doesNotThrow = (run: () => unknown): void => {
      expect(run).not.toThrow();
    };
    fc.assert(
      fc.property(damaged(list), (der) => {
        doesNotThrow(() => certificates.faultOfCrl(der));
      }),
      { numRuns: 2000 },
    );
    fc.assert(
      fc.property(damaged(response), (der) => {
        doesNotThrow(() => certificates.ocspUntil(der));
      }),
      { numRuns: 2000 },
    );
    const large = [`nsComment=${'x'.repeat(17_000)}`];
    const signer = yard.leaf({ eku: 'OCSPSigning', extensions: large }, ca);
    expect(certificates.ocspUntil(ocspResponse(ca, own, { signer }))).toBeUndefined();
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 99 }), (der) => certificates.read(der) === undefined),
    );
  });

  test.each([
    ['no octets', ''],
    ['PEM instead of DER', Buffer.from(leaf.pem).toString('hex')],
    ['octets behind it', `${leaf.der.toString('hex')}00`],
    ['half of it', leaf.der.toString('hex').slice(0, 400)],
    [
      'one that is longer than is read',
      yard.leaf({ extensions: [`nsComment=${'x'.repeat(8192)}`] }).der.toString('hex'),
    ],
  ])('%s is no certificate', async (_, hex) => {
    const to = judge([yard.root]);
    const tamper = showing(Buffer.from(hex, 'hex'));
    expect((await authenticate(prover(credential(leaf)), to, AB, { tamper })).ok).toBe(false);
    expect(to.world.counted).toEqual({ cert_malformed: 1 });
  });
});

const sequence = (content: Buffer): Buffer => {
  const { length } = content;
  return Buffer.concat([Buffer.of(0x30, 0x82, length >>> 8, length), content]);
};

describe('bounds', () => {
  /** Counts validations. */
  class Counting extends World {
    validations = 0;
    override certificates: CertificateLibrary = {
      ...certificates,
      openStore: (trust) => {
        const store = certificates.openStore(trust);
        return {
          validate: (question) => {
            this.validations++;
            return store.validate(question);
          },
        };
      },
    };
  }

  test('certificates of a peer that are looked at', async () => {
    const to = judge([yard.root]);
    const many = Array.from({ length: 8 }, () => yard.foreign.der);
    const tamper = showing(leaf.der, ...many);
    expect((await authenticate(prover(credential(leaf)), to, AB, { tamper })).ok).toBe(false);
    expect(to.world.counted).toEqual({ cert_malformed: 1 });
    const fewer = showing(leaf.der, ...many.slice(1));
    expect((await authenticate(prover(credential(leaf)), to, AB, { tamper: fewer })).ok).toBe(true);
  });

  // leaf <- k1 <- k2 <- ... <- k7, all of one name and without key identifiers, sent the other way round. OpenSSL's
  // search takes one way and no other.
  const thicket = (
    keyIds: boolean,
  ): { readonly leaf: Issued; readonly issuers: readonly Issued[] } => {
    const options = { subject: `/CN=thicket-${keyIds}`, keyIds };
    const keys = Array.from({ length: 8 }, () => yard.ca(options));
    const issuers = keys.slice(0, 7).map((of, i) => {
      const issuer = keys[i + 1] ?? of;
      return makeCa(yard.folder, yard.name(), { ...options, issuer, keyFile: of.files.key });
    });
    return { leaf: yard.leaf({ keyIds }, keys[0]), issuers: issuers.reverse() };
  };

  test.each([
    ['without', false],
    ['with', true],
  ])('CAs of one name, %s key identifiers', async (_, keyIds) => {
    const to = judge([yard.root]);
    expect((await present(thicket(keyIds), to, { idType: 1, data: A })).ok).toBe(false);
    expect(to.world.counted).toEqual({ cert_untrusted: 1 });
  });

  // one certifies two, two certifies one: the way up has no end.
  test('CAs that certify each other', async () => {
    const [one, two] = [yard.ca(), yard.ca()];
    const crossed = (issuer: Ca, of: Ca): Issued =>
      makeCa(yard.folder, yard.name(), {
        ...{ issuer, subject: `/O=Sealane test/CN=${of.name}`, keyFile: of.files.key },
      });
    const to = judge([yard.root]);
    const rogue = { leaf: yard.leaf({}, one), issuers: [crossed(two, one), crossed(one, two)] };
    expect((await present(rogue, to, { idType: 1, data: A })).ok).toBe(false);
    expect(to.world.counted).toEqual({ cert_untrusted: 1 });
  });

  test('one that was validated is not validated again', async () => {
    const world = new Counting();
    const to = judge([yard.root], {}, [], world);
    const middle = yard.caUnder(yard.root);
    const [one, two] = [yard.leaf({}, middle), yard.leaf({}, middle)];
    const validations = async (shown: Issued): Promise<number> => {
      world.validations = 0;
      const outcome = await present({ leaf: shown, issuers: [middle] }, to, { idType: 1, data: A });
      expect(outcome.ok).toBe(true);
      return world.validations;
    };
    expect(await validations(one)).toBe(1);
    expect(await validations(one)).toBe(0);
    expect(await validations(two)).toBe(1);
  });

  test('when validations pile up, the peer is not refused, and nothing is counted', async () => {
    const world = new World();
    let release: () => void = () => undefined;
    const gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    const waiting: CertificateLibrary = {
      ...certificates,
      openStore: (trust) => {
        const store = certificates.openStore(trust);
        return { validate: (question) => gate.then(() => store.validate(question)) };
      },
    };
    world.certificates = waiting;
    const to = judge([yard.root], {}, [], world);
    const all = Array.from({ length: 300 }, () => present({ leaf }, to, { idType: 1, data: A }));
    await new Promise(setImmediate);
    release();
    const outcomes = await Promise.all(all);
    expect(outcomes.filter(({ ok }) => ok)).toHaveLength(256);
    const busy = outcomes.flatMap((each) => (each.ok ? [] : [each.failure.code]));
    expect(busy).toEqual(Array.from({ length: 44 }, () => 'BUSY'));
    expect(world.counted).toEqual({});
    expect((await present({ leaf }, to, { idType: 1, data: A })).ok).toBe(true);
  });

  test('when the crypto has no room the peer is not refused, and nothing is counted', async () => {
    const world = new World();
    const busy = { ok: false, error: { code: 'BUSY', message: 'full' } } as const;
    const env = {
      ...world.env,
      crypto: {
        ...world.env.crypto,
        signatures: { sign: () => Promise.resolve(busy), verify: () => Promise.resolve(busy) },
      },
    };
    Object.assign(world, { env });
    const to = judge([yard.root], {}, [], world);
    expect(await present({ leaf }, to, { idType: 1, data: A })).toMatchObject({
      ok: false,
      failure: { code: 'BUSY' },
    });
    expect(world.counted).toEqual({});
  });

  test('certificates of other encodings are not looked at, URLs not fetched', async () => {
    const to = judge([yard.root]);
    const outcome = await authenticate(prover(credential(leaf)), to, AB, {
      tamper: (payloads) => [
        {
          kind: 'CERT',
          encoding: 12,
          data: Buffer.from('a hash of 20 octets!http://127.0.0.1:1/x'),
        },
        { kind: 'CERT', encoding: 1, data: Buffer.alloc(99) },
        ...payloads,
      ],
    });
    expect(outcome.ok).toBe(true);
    const only = await to.authenticator.verify({ local: B, remote: A }, authInput('initiator'), [
      { kind: 'IDi', idType: 1, reserved: 0, data: A },
      { kind: 'CERT', encoding: 12, data: Buffer.alloc(40) },
      { kind: 'AUTH', method: 9, data: Buffer.alloc(64) },
    ]);
    expect(only.ok).toBe(false);
    expect(to.world.counted).toEqual({ cert_untrusted: 1 });
  });
});
