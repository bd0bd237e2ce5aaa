// SPDX-License-Identifier: Apache-2.0
/** What a peer can send costs bounded work, throws nothing, and is not believed. */
import { createPrivateKey, sign } from 'node:crypto';
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MOST_CERTIFICATE_OCTETS, parseCertificate } from '../../../../src/ike/auth/certificate.js';
import { parseCrl } from '../../../../src/ike/auth/crl.js';
import {
  type DerReader,
  integerOf,
  oidOf,
  readDer,
  TAG,
  timeOf,
} from '../../../../src/ike/auth/der.js';
import { parseOcsp } from '../../../../src/ike/auth/ocsp.js';
import type { IkeEnvironment } from '../../../../src/ike/types.js';
import { crl, makeCa, ocspResponse, type Ca, type Issued } from '../../../lib/pki.js';
import { A, AB, B, credential, crlDer, judge, present, prover, showing } from './certified.js';
import { authenticate, authInput, World } from './peers.js';
import { Yard } from './yard.js';

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
    const [tbs] =
      readDer(leaf.der, (outer) => outer.inside(TAG.sequence).all((each) => each.next().whole)) ??
      [];
    if (tbs === undefined) throw new Error('no tbsCertificate');
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
    expect([parseCrl(list), parseOcsp(response)]).not.toContain(undefined);
    const doesNotThrow = (run: () => unknown): void => {
      expect(run).not.toThrow();
    };
    fc.assert(
      fc.property(damaged(list), (der) => {
        doesNotThrow(() => parseCrl(der));
      }),
      { numRuns: 2000 },
    );
    fc.assert(
      fc.property(damaged(response), (der) => {
        doesNotThrow(() => parseOcsp(der));
      }),
      { numRuns: 2000 },
    );
    const large = [`nsComment=${'x'.repeat(17_000)}`];
    const signer = yard.leaf({ eku: 'OCSPSigning', extensions: large }, ca);
    expect(parseOcsp(ocspResponse(ca, own, { signer }))).toBeUndefined();
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 99 }), (der) => parseCertificate(der) === undefined),
    );
  });

  test.each([
    ['no octets', ''],
    ['PEM instead of DER', Buffer.from(leaf.pem).toString('hex')],
    ['octets behind it', `${leaf.der.toString('hex')}00`],
    ['half of it', leaf.der.toString('hex').slice(0, 400)],
    [
      'one that is longer than is read',
      yard
        .leaf({ extensions: [`nsComment=${'x'.repeat(MOST_CERTIFICATE_OCTETS)}`] })
        .der.toString('hex'),
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

describe('DER', () => {
  test.each([
    ['an indefinite length', '3080020101'],
    ['a length in more octets than needed', '308103020101'],
    ['and in four', '308400000003020101'],
    ['a length of five octets', '30850000000003020101'],
    ['more content than there is', '3004020101'],
    ['a tag of two octets', '1f8101'],
    ['octets behind', '300302010100'],
  ])('%s is refused', (_, hex) => {
    const read = (reader: DerReader): number =>
      reader.inside(TAG.sequence).all((each) => each.next()).length;
    expect(readDer(Buffer.from('3003020101', 'hex'), read)).toBe(1);
    expect(readDer(Buffer.from(hex, 'hex'), read)).toBeUndefined();
  });

  test.each([
    ['0200', undefined],
    ['02020001', undefined],
    ['0202ff80', undefined],
    ['02020080', '0080'],
    ['020100', '00'],
  ])('integer %s', (hex, text) => {
    expect(readDer(Buffer.from(hex, 'hex'), (reader) => integerOf(reader.next()))).toBe(text);
  });

  test.each([
    ['06032a0304', '1.2.3.4'],
    ['0603550403', '2.5.4.3'],
    ['06028837', '2.999'],
    ['0600', undefined],
    ['06022a80', undefined],
    ['06032a8001', undefined],
    [`0650${'ff'.repeat(79)}01`, undefined],
  ])('object identifier %s', (hex, text) => {
    expect(readDer(Buffer.from(hex, 'hex'), (reader) => oidOf(reader.next()))).toBe(text);
  });

  test.each([
    [0x17, '490101000000Z', '2049-01-01T00:00:00Z'],
    [0x17, '500101000000Z', '1950-01-01T00:00:00Z'],
    [0x18, '20500101123456Z', '2050-01-01T12:34:56Z'],
    [0x18, '99991231235959Z', '9999-12-31T23:59:59Z'],
    [0x17, '260231000000Z', undefined],
    [0x17, '2602280000Z', undefined],
    [0x17, '260228000000+0100', undefined],
    [0x18, '20260228000000.5Z', undefined],
    [0x18, '260228000000Z', undefined],
    [0x18, '20261301000000Z', undefined],
    [0x17, '260101240000Z', undefined],
    [0x0c, '260101000000Z', undefined],
  ])('time %i %s', (tag, text, iso) => {
    const der = Buffer.concat([Buffer.of(tag, text.length), Buffer.from(text)]);
    const expected = iso === undefined ? undefined : Date.parse(iso) / 1000;
    expect(readDer(der, (reader) => timeOf(reader.next()))).toBe(expected);
  });
});

describe('bounds', () => {
  /** Counts signature checks. */
  class Counting extends World {
    checks = 0;
    override readonly env: IkeEnvironment = this.counting();

    private counting(): IkeEnvironment {
      const { env } = new World();
      const { signatures } = env.crypto;
      return {
        ...env,
        count: (counter) => this.counts.set(counter, 1),
        crypto: {
          ...env.crypto,
          signatures: {
            ...signatures,
            verify: (...args) => {
              this.checks++;
              return signatures.verify(...args);
            },
          },
        },
      };
    }
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

  // leaf <- k1 <- k2 <- ... <- k7, all of one name and without key identifiers, sent the other way round: each has
  // to be tried with all the others, 28 times in all.
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
    ['without', false, 24],
    ['with', true, 8],
  ])('signature checks among CAs of one name, %s key identifiers', async (_, keyIds, most) => {
    const world = new Counting();
    const to = judge([yard.root], {}, [], world);
    expect((await present(thicket(keyIds), to, { idType: 1, data: A })).ok).toBe(false);
    expect(world.checks).toBeGreaterThan(5);
    expect(world.checks).toBeLessThanOrEqual(most);
  });

  // one certifies two, two certifies one: the way up has no end.
  test('CAs that certify each other', async () => {
    const [one, two] = [yard.ca(), yard.ca()];
    const crossed = (issuer: Ca, of: Ca): Issued =>
      makeCa(yard.folder, yard.name(), {
        ...{ issuer, subject: `/O=Sealane test/CN=${of.name}`, keyFile: of.files.key },
      });
    const world = new Counting();
    const to = judge([yard.root], {}, [], world);
    const rogue = { leaf: yard.leaf({}, one), issuers: [crossed(two, one), crossed(one, two)] };
    expect((await present(rogue, to, { idType: 1, data: A })).ok).toBe(false);
    expect(world.checks).toBe(2); // leaf by one, one by two; two by one would be once around
  });

  test('one that was validated is not validated again', async () => {
    const world = new Counting();
    const to = judge([yard.root], {}, [], world);
    const middle = yard.caUnder(yard.root);
    const [one, two] = [yard.leaf({}, middle), yard.leaf({}, middle)];
    const checks = async (shown: Issued): Promise<number> => {
      world.checks = 0;
      const outcome = await present({ leaf: shown, issuers: [middle] }, to, { idType: 1, data: A });
      expect(outcome.ok).toBe(true);
      return world.checks;
    };
    expect(await checks(one)).toBe(3); // leaf, intermediate, AUTH
    expect(await checks(one)).toBe(1); // AUTH
    expect(await checks(two)).toBe(2); // its intermediate is known
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
