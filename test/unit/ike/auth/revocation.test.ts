// SPDX-License-Identifier: Apache-2.0
/** CRLs (RFC 5280 §5) and OCSP responses in CERT payloads (RFC 4806). */
import { describe, expect, test } from 'vitest';
import { AuthSetupError, type Revocation } from '../../../../src/ike/auth/setup.js';
import { crl, ocspResponse, revoke, type Ca, type Issued } from '../../../lib/pki.js';
import { A, AB, B, credential, crlDer, judge, present, prover } from './certified.js';
import { authInput, World, type Peer } from './peers.js';
import { Yard } from './yard.js';

const yard = new Yard();
const HOUR = 3600;

const judgeBy = (
  ca: Ca,
  mode: Revocation['mode'],
  crls: readonly string[] = [],
  world = new World(),
): Peer =>
  judge(
    [ca],
    { revocation: { mode, crls: crls.map(crlDer), askOcsp: true, ocspMaxAge: HOUR } },
    [],
    world,
  );

/** A CRL with another signature than its issuer's. */
function wronglySigned(pem: string): string {
  const der = Buffer.from(crlDer(pem));
  der[der.length - 2] = (der[der.length - 2] ?? 0) ^ 1;
  return `-----BEGIN X509 CRL-----\n${der.toString('base64')}\n-----END X509 CRL-----\n`;
}

/** 'taken', or the counter. */
async function judged(to: Peer, leaf: Issued, ocsp: readonly Uint8Array[] = []): Promise<string> {
  const before = new Map(to.world.counts);
  const outcome = await present({ leaf }, to, { idType: 1, data: A }, ocsp);
  const counted = [...to.world.counts].filter(([name, value]) => before.get(name) !== value);
  expect(outcome.ok).toBe(counted.length === 0);
  return outcome.ok ? 'taken' : counted.map(([name]) => name).join();
}

describe('OCSP', () => {
  const ca = yard.ca();
  const [good, bad] = [yard.leaf({}, ca), yard.leaf({}, ca)];
  revoke(ca, bad);

  test('a response of the CA itself: good is taken, revoked is not', async () => {
    const to = judgeBy(ca, 'required');
    expect(await judged(to, good, [ocspResponse(ca, good)])).toBe('taken');
    expect(await judged(to, bad, [ocspResponse(ca, bad)])).toBe('cert_revoked');
    expect(to.world.lines.join()).toMatch(/revoked, says OCSP/);
    expect(await judged(judgeBy(ca, 'if-available'), bad, [ocspResponse(ca, bad)])).toBe(
      'cert_revoked',
    );
  });

  test('without a response the status is unknown, which matters where it is required', async () => {
    expect(await judged(judgeBy(ca, 'required'), good)).toBe('cert_status_unknown');
    expect(await judged(judgeBy(ca, 'if-available'), good)).toBe('taken');
  });

  test('a response about another certificate, or an answer "unknown", tells nothing', async () => {
    const to = judgeBy(ca, 'required');
    expect(await judged(to, good, [ocspResponse(ca, yard.leaf({}, ca))])).toBe(
      'cert_status_unknown',
    );
    const empty = yard.ca();
    const unknown = ocspResponse({ ...ca, folder: empty.folder }, good);
    expect(await judged(to, good, [unknown])).toBe('cert_status_unknown');
    expect(await judged(to, good, [unknown, ocspResponse(ca, good)])).toBe('taken');
  });

  test('a response about the same serial number of another CA of that name tells nothing', async () => {
    const namesake = yard.ca({ subject: `/O=Sealane test/CN=${ca.name}` });
    const confused = { ...ca, files: { ...ca.files, certificate: namesake.files.certificate } };
    const response = ocspResponse(confused, good, { signer: ca });
    expect(await judged(judgeBy(ca, 'required'), good, [response])).toBe('cert_status_unknown');
  });

  test('a responder whom the CA has certified for it', async () => {
    const signer = yard.leaf({ eku: 'OCSPSigning', ip: [] }, ca);
    const to = judgeBy(ca, 'required');
    expect(await judged(to, good, [ocspResponse(ca, good, { signer })])).toBe('taken');
    const bare = ocspResponse(ca, good, { signer, bare: true });
    expect(await judged(to, good, [bare])).toBe('cert_status_unknown');
  });

  test.each([
    ['not for OCSP', () => yard.leaf({ ip: [] }, ca)],
    ['certified by another CA', () => yard.leaf({ eku: 'OCSPSigning', ip: [] })],
    [
      'expired',
      () => yard.leaf({ eku: 'OCSPSigning', notBefore: new Date(Date.now() - 9e8), days: 1 }, ca),
    ],
    [
      'not for signatures',
      () => yard.leaf({ eku: 'OCSPSigning', keyUsage: 'keyEncipherment' }, ca),
    ],
    [
      'with a critical extension',
      () => yard.leaf({ eku: 'OCSPSigning', extensions: ['1.2.3.4=critical,ASN1:NULL'] }, ca),
    ],
    ['of a key too weak', () => yard.leaf({ eku: 'OCSPSigning', key: 'rsa-1024' }, ca)],
    ['another CA', () => yard.foreign],
    [
      'certified by another CA of the same name',
      () =>
        yard.leaf({ eku: 'OCSPSigning' }, yard.ca({ subject: `/O=Sealane test/CN=${ca.name}` })),
    ],
    [
      'too large to be read',
      () => yard.leaf({ eku: 'OCSPSigning', extensions: [`nsComment=${'x'.repeat(17_000)}`] }, ca),
    ],
  ])('a responder that is %s is not believed', async (_, make) => {
    const response = ocspResponse(ca, good, { signer: make() });
    expect(await judged(judgeBy(ca, 'required'), good, [response])).toBe('cert_status_unknown');
  });

  test('a responder that the CRL revokes is not believed', async () => {
    const other = yard.ca();
    const leaf = yard.leaf({}, other);
    const signer = yard.leaf({ eku: 'OCSPSigning', ip: [] }, other);
    revoke(other, signer);
    const stale = crl(other, { nextUpdate: new Date(Date.now() - 1000) });
    const response = ocspResponse(other, leaf, { signer });
    expect(await judged(judgeBy(other, 'required', [stale]), leaf, [response])).toBe(
      'cert_status_unknown',
    );
    expect(await judged(judgeBy(other, 'required'), leaf, [response])).toBe('taken');
  });

  test('a responder that expires meanwhile is not believed any longer', async () => {
    const world = new World();
    const notAfter = new Date((world.wall + HOUR / 4) * 1000);
    const signer = yard.leaf({ eku: 'OCSPSigning', notAfter }, ca);
    const response = ocspResponse(ca, good, { signer });
    expect(await judged(judgeBy(ca, 'required', [], world), good, [response])).toBe('taken');
    world.wall += HOUR / 2;
    expect(await judged(judgeBy(ca, 'required', [], world), good, [response])).toBe(
      'cert_status_unknown',
    );
  });

  test('a response that is signed with SHA-1 tells nothing', async () => {
    const response = ocspResponse(ca, good, { digest: 'sha1' });
    expect(await judged(judgeBy(ca, 'required'), good, [response])).toBe('cert_status_unknown');
  });

  test('revoked by one of two responses is revoked', async () => {
    const leaf = yard.leaf({}, ca);
    const before = ocspResponse(ca, leaf);
    revoke(ca, leaf);
    const after = ocspResponse(ca, leaf);
    for (const responses of [
      [before, after],
      [after, before],
    ]) {
      expect(await judged(judgeBy(ca, 'required'), leaf, responses)).toBe('cert_revoked');
    }
  });

  test('a forged response revokes nobody', async () => {
    const to = judgeBy(ca, 'if-available');
    for (const options of [{ badSignature: true }, { signer: yard.foreign }]) {
      expect(await judged(to, bad, [ocspResponse(ca, bad, options)])).toBe('taken');
    }
  });

  test('a wrong signature, and octets that are no response, tell nothing', async () => {
    const to = judgeBy(ca, 'required');
    const forged = ocspResponse(ca, good, { badSignature: true });
    for (const der of [
      forged,
      Buffer.alloc(0),
      Buffer.from('30030a0106', 'hex'),
      Buffer.alloc(17_000, 0x30),
    ]) {
      expect(await judged(to, good, [der])).toBe('cert_status_unknown');
    }
  });

  test('good ages, revoked does not', async () => {
    for (const [minutes, seconds] of [
      [30, 1800],
      [0, HOUR],
    ] as const) {
      const [goodNow, badNow] = [good, bad].map((leaf) => ocspResponse(ca, leaf, { minutes }));
      if (goodNow === undefined || badNow === undefined) throw new Error('no response');
      const world = new World();
      const to = judgeBy(ca, 'required', [], world);
      expect(await judged(to, good, [goodNow])).toBe('taken');
      world.wall += seconds - 60;
      expect(await judged(to, good, [goodNow])).toBe('taken');
      world.wall += 120;
      expect(await judged(to, good, [goodNow])).toBe('cert_status_unknown'); // in spite of what was kept
      expect(await judged(to, bad, [badNow])).toBe('cert_revoked');
    }
  });

  test('a response from the future tells nothing', async () => {
    const world = new World();
    const response = ocspResponse(ca, good);
    world.wall -= HOUR / 2;
    expect(await judged(judgeBy(ca, 'required', [], world), good, [response])).toBe(
      'cert_status_unknown',
    );
  });

  test('ours is sent to who asks, while it is current', async () => {
    const leaf = yard.leaf({}, ca);
    const ocsp = ocspResponse(ca, leaf, { minutes: 30 });
    const from = prover(credential(leaf, [], { ocsp }));
    const asking = judgeBy(ca, 'required');
    const encodings = async (
      certificateRequests: ReturnType<Peer['authenticator']['requests']>,
    ): Promise<readonly number[]> => {
      const requests = certificateRequests.filter((each) => each.kind === 'CERTREQ');
      const hints = { certificateRequests: requests, hashes: [2], methods: undefined };
      const proof = await from.authenticator.prove(AB, authInput('initiator'), hints);
      if (!proof.ok) throw new Error(proof.failure.reason);
      expect(
        (
          await asking.authenticator.verify(
            { local: B, remote: A },
            authInput('initiator'),
            proof.value,
          )
        ).ok,
      ).toBe(proof.value.length > 3);
      return proof.value.flatMap((each) => (each.kind === 'CERT' ? each.encoding : []));
    };
    const requests = asking.authenticator.requests({ local: B, remote: A });
    expect(await encodings(requests)).toEqual([4, 14]);
    expect(await encodings([])).toEqual([4]);
    from.world.wall += HOUR;
    expect(await encodings(requests)).toEqual([4]);
  });
});

describe('CRLs', () => {
  const ca = yard.ca();
  const [good, bad] = [yard.leaf({}, ca), yard.leaf({}, ca)];
  revoke(ca, bad);

  test('who is not on it is good, who is on it is not', async () => {
    const to = judgeBy(ca, 'required', [crl(ca)]);
    expect([await judged(to, good), await judged(to, bad)]).toEqual(['taken', 'cert_revoked']);
    const lenient = judgeBy(ca, 'if-available', [crl(ca)]);
    expect([await judged(lenient, good), await judged(lenient, bad)]).toEqual([
      'taken',
      'cert_revoked',
    ]);
    expect(lenient.world.lines).toHaveLength(1);
  });

  test('one that is too old: status unknown where it is required, else a warning; revoked stays revoked', async () => {
    const old = crl(ca, { nextUpdate: new Date(Date.now() - 1000) });
    const strict = judgeBy(ca, 'required', [old]);
    expect([await judged(strict, good), await judged(strict, bad)]).toEqual([
      'cert_status_unknown',
      'cert_revoked',
    ]);
    expect(strict.world.lines[0]).toMatch(/the CRL is too old/);
    const lenient = judgeBy(ca, 'if-available', [old]);
    expect([await judged(lenient, good), await judged(lenient, bad)]).toEqual([
      'taken',
      'cert_revoked',
    ]);
    expect(lenient.world.lines[0]).toMatch(
      /revocation status unknown, peer taken peer=192.0.2.1 .*too old/,
    );
    // With a newer one beside it nothing is missing.
    const both = judgeBy(ca, 'required', [old, crl(ca)]);
    expect([await judged(both, good), both.world.lines]).toEqual(['taken', []]);
  });

  test('a CRL gets old while what was validated with it is kept', async () => {
    const world = new World();
    const to = judgeBy(ca, 'required', [crl(ca)], world);
    expect(await judged(to, good)).toBe('taken');
    world.wall += 24 * HOUR;
    expect(await judged(to, good)).toBe('cert_status_unknown');
  });

  test('one that the CA did not sign revokes nobody', async () => {
    const leaf = yard.leaf({}, ca);
    const namesake = yard.ca({ subject: `/O=Sealane test/CN=${ca.name}` });
    revoke(namesake, leaf);
    revoke(ca, leaf);
    for (const list of [crl(namesake), wronglySigned(crl(ca))]) {
      expect(await judged(judgeBy(ca, 'if-available', [list]), leaf)).toBe('taken');
    }
    expect(await judged(judgeBy(ca, 'if-available', [crl(ca)]), leaf)).toBe('cert_revoked');
  });

  test('an anchor is trusted, whatever its own CRL says', async () => {
    const own = yard.ca();
    revoke(own, own);
    expect(await judged(judgeBy(own, 'required', [crl(own)]), yard.leaf({}, own))).toBe('taken');
  });

  test.each([
    [
      'of another CA of the same name',
      () => crl(yard.ca({ subject: `/O=Sealane test/CN=${ca.name}` })),
    ],
    [
      'from the future',
      () =>
        crl(ca, { lastUpdate: new Date(Date.now() + 1e7), nextUpdate: new Date(Date.now() + 2e7) }),
    ],
    ['with a signature that is wrong', () => wronglySigned(crl(ca))],
  ])('one %s tells nothing', async (_, make) => {
    expect(await judged(judgeBy(ca, 'required', [make()]), good)).toBe('cert_status_unknown');
  });

  test('one of a CA that may not sign CRLs tells nothing', async () => {
    const other = yard.ca({ keyUsage: 'critical,keyCertSign' });
    const leaf = yard.leaf({}, other);
    expect(await judged(judgeBy(other, 'required', [crl(other)]), leaf)).toBe(
      'cert_status_unknown',
    );
  });

  test('each issuer of the path needs one', async () => {
    const middle = yard.caUnder(ca);
    const leaf = yard.leaf({}, middle);
    const show = (crls: readonly string[]): Promise<unknown> =>
      present({ leaf, issuers: [middle] }, judgeBy(ca, 'required', crls), { idType: 1, data: A });
    expect(await show([crl(middle)])).toMatchObject({ ok: false });
    expect(await show([crl(ca)])).toMatchObject({ ok: false });
    expect(await show([crl(ca), crl(middle)])).toMatchObject({ ok: true });
  });

  test.each([
    ['a partial one', () => crl(ca, { partial: true }), /no full CRL/],
    ['one signed with SHA-1', () => crl(ca, { digest: 'sha1' }), /too weakly/],
    ['a certificate', () => ca.pem, /cannot be read/],
  ])('%s is no CRL to configure', (_, make, reason) => {
    expect(() => judgeBy(ca, 'required', [make()])).toThrow(AuthSetupError);
    expect(() => judgeBy(ca, 'required', [make()])).toThrow(reason);
  });
});
