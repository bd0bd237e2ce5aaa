// SPDX-License-Identifier: Apache-2.0
/** Every way to authenticate by certificates with strongSwan, begun by either end; and certificates that are no good. */
import { readFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type Ca, crl, issue, type Issued, type KeyKind, makeCa, revoke } from '../../lib/pki.js';
import { Charon, hostSite, missingStrongswan } from '../../lib/strongswan.js';
import { type Bed, type ConnectionOptions, openBed, OURS, swanctlConf, THEIRS } from './bed.js';
import { IkeHost } from './host.js';
import {
  type CertificateOptions,
  certificateSetup,
  peerPolicy,
  type PolicyOptions,
} from './settings.js';

const absent = missingStrongswan();
const SUITE = 'aes128gcm16-prfsha256-x25519';

let bed: Bed;
let charon: Charon;
let root: Ca;
let host: IkeHost | undefined;
let count = 0;

beforeAll(async () => {
  if (absent !== undefined) return;
  bed = await openBed('iha');
  charon = await Charon.start(hostSite(bed.lab, bed.them, `${bed.folder}/charon`), {
    settings: ['fragment_size = 600', 'rsa_pss = yes'],
  });
  root = makeCa(bed.folder, 'root', { key: 'p256' });
});
afterEach(async () => {
  await host?.stop();
  host = undefined;
  if (absent === undefined) await charon.forget();
});
afterAll(async () => {
  if (absent === undefined) await bed.close();
});

const made = new Map<string, Issued>();
/** A PE's certificate; the same one each time that the same is asked for. */
function pe(issuer: Ca, address: string, key: KeyKind): Issued {
  const name = `${issuer.name}-${address}-${key}`;
  const one =
    made.get(name) ?? issue(issuer, { name: `pe-${String(++count)}`, ip: [address], key });
  made.set(name, one);
  return one;
}

interface Ends {
  readonly ours: Issued;
  readonly theirs: Issued;
  /** More of our setup, of our policy and of charon's connection; files of charon's. */
  readonly setup?: Partial<CertificateOptions>;
  readonly policy?: Partial<PolicyOptions>;
  readonly connection?: Partial<ConnectionOptions>;
  readonly files?: Readonly<Record<string, string>>;
}

async function prepare({ ours, theirs, setup, policy, connection, files }: Ends): Promise<IkeHost> {
  await charon.load(
    swanctlConf({
      ...{ local: THEIRS, remote: OURS, proposals: SUITE, childless: 'force' },
      ...{ auth: { local: 'pubkey', remote: 'pubkey' }, certificate: 'own.pem', ...connection },
    }),
    {
      ...{ 'x509ca/root.pem': root.pem, 'x509/own.pem': theirs.pem },
      ...{ 'private/own.pem': readFileSync(theirs.files.key), ...files },
    },
  );
  host = new IkeHost({
    netns: bed.us,
    auth: certificateSetup({ root, own: ours, ...setup }),
    policy: peerPolicy({ proposals: [SUITE], ...policy }),
  });
  return host;
}

async function begin(us: IkeHost, by: 'us' | 'them'): Promise<boolean> {
  if (by === 'us') return (await us.initiate()).ok;
  return (await charon.initiate('ike', 'pe', 15)).code === 0;
}

async function open(us: IkeHost, by: 'us' | 'them'): Promise<void> {
  const isUp = await begin(us, by);
  if (!isUp) throw new Error(`${us.report()}\n${charon.readableLog()}`);
  await us.opened();
  expect(await charon.established()).toHaveLength(1);
}

const both = ['us', 'them'] as const;

describe.skipIf(absent !== undefined)('keys', () => {
  const keys: readonly (readonly [KeyKind, string, RegExp])[] = [
    ['p256', 'ecdsa', /with ECDSA-256|ECDSA_WITH_SHA256_DER/],
    ['p384', 'ecdsa', /with ECDSA-384|ECDSA_WITH_SHA384_DER/],
    ['p521', 'ecdsa', /with ECDSA-521|ECDSA_WITH_SHA512_DER/],
    ['ed25519', 'ed25519', /ED25519/],
    ['rsa-2048', 'rsa', /RSA_EMSA_PSS_SHA2_\d+/],
    ['rsa-3072', 'rsa', /RSA_EMSA_PSS_SHA2_\d+/],
  ];
  const cases = keys.flatMap(([key, method, said]) =>
    both.map((by) => ({ key, method, said, by })),
  );
  test.each(cases)('$key, begun by $by', async ({ key, method, said, by }) => {
    const us = await prepare({ ours: pe(root, OURS, key), theirs: pe(root, THEIRS, key) });
    const from = charon.log().length;
    const { rows } = await bed.recorded(
      () => open(us, by),
      () => charon.keys(),
    );
    expect(rows.map(({ marks }) => marks).filter((mark) => mark !== '')).toEqual([]);
    expect(us.established()[0]).toMatchObject({ authentication: method, sp: 'example' });
    const ours = charon.log().slice(from).split('\n');
    const judged = ours.find((line) => line.includes(`authentication of '${OURS}' with`));
    expect(judged).toMatch(said);
    expect(judged).toContain('successful');
  });

  test.each(both)('RSA with PKCS#1 padding, begun by %s', async (by) => {
    const us = await prepare({
      ...{ ours: pe(root, OURS, 'rsa-2048'), theirs: pe(root, THEIRS, 'rsa-2048') },
      setup: { rsaPadding: 'pkcs1' },
      connection: { auth: { local: 'rsa/pkcs1-sha256', remote: 'rsa/pkcs1-sha256' } },
    });
    await open(us, by);
  });

  test.each(both)('one end ECDSA, the other RSA, begun by %s', async (by) => {
    const us = await prepare({
      ...{ ours: pe(root, OURS, 'rsa-2048'), theirs: pe(root, THEIRS, 'p256') },
    });
    await open(us, by);
    expect(us.established()[0]).toMatchObject({ authentication: 'ecdsa' });
  });
});

describe.skipIf(absent !== undefined)('chains', () => {
  test.each(both)('two intermediates, in fragments (RFC 7383), begun by %s', async (by) => {
    const chain = (name: string): readonly [Ca, Ca] => {
      const upper = makeCa(bed.folder, `${name}-upper-${by}`, { key: 'p521', issuer: root });
      return [makeCa(bed.folder, `${name}-lower-${by}`, { key: 'p521', issuer: upper }), upper];
    };
    const [ours, theirs] = [chain('ours'), chain('theirs')];
    const us = await prepare({
      ...{ ours: pe(ours[0], OURS, 'rsa-2048'), theirs: pe(theirs[0], THEIRS, 'rsa-2048') },
      ...{ setup: { chain: ours }, policy: { fragmentBytes: 576 } },
      connection: { lines: ['fragmentation = yes'] },
      // charon sends intermediates that it has as CA certificates.
      files: { 'x509ca/lower.pem': theirs[0].pem, 'x509ca/upper.pem': theirs[1].pem },
    });
    const { rows } = await bed.recorded(
      () => open(us, by),
      () => charon.keys(),
    );
    expect(rows.map(({ marks }) => marks).filter((mark) => mark !== '')).toEqual([]);
    for (const [source, most] of [
      [OURS, 576 + 14],
      [THEIRS, 600 + 14],
    ] as const) {
      const auth = rows.filter(
        (row) => row['ip.src'] === source && row['isakmp.frag.number'] !== '',
      );
      expect(auth.length).toBeGreaterThan(3);
      expect(Math.max(...auth.map((row) => Number(row['frame.len'])))).toBeLessThanOrEqual(most);
      // ID, three CERTs, AUTH in what the last one completes
      const whole = auth.map((row) => row['isakmp.typepayload']).join(' ');
      expect(whole).toMatch(/37,37,37/);
    }
  });
});

describe.skipIf(absent !== undefined)('refused', () => {
  test.each(both)('a revoked certificate, begun by %s', async (by) => {
    const own = makeCa(bed.folder, `crl-${by}`, { key: 'p256', issuer: root });
    const theirs = pe(own, THEIRS, 'p256');
    const ends = {
      ...{ ours: pe(root, OURS, 'p256'), theirs },
      files: { 'x509ca/own.pem': own.pem },
    };
    const good = await prepare({ ...ends, setup: { crls: [crl(root), crl(own)] } });
    await open(good, by);
    await good.stop();
    host = undefined;
    await charon.forget();
    revoke(own, theirs);
    const us = await prepare({ ...ends, setup: { crls: [crl(root), crl(own)] } });
    expect(await begin(us, by)).toBe(false);
    expect(us.count('cert_revoked')).toBe(1);
    expect(us.established()).toEqual([]);
  });

  test.each(both)('our certificate, revoked by a CRL that charon has, begun by %s', async (by) => {
    const own = makeCa(bed.folder, `our-crl-${by}`, { key: 'p256', issuer: root });
    const ours = pe(own, OURS, 'p256');
    const ends = (): Ends => ({
      ...{ ours, theirs: pe(root, THEIRS, 'p256'), setup: { chain: [own] } },
      // Whoever has no CRL that says that it is good is refused.
      connection: { remoteLines: ['revocation = strict'] },
      files: {
        'x509ca/own.pem': own.pem,
        ...{ 'x509crl/root.pem': crl(root), 'x509crl/own.pem': crl(own) },
      },
    });
    const good = await prepare(ends());
    await open(good, by);
    await good.stop();
    host = undefined;
    await charon.forget();
    revoke(own, ours);
    const from = charon.log().length;
    const us = await prepare(ends());
    expect(await begin(us, by)).toBe(false);
    expect(charon.log().slice(from)).toMatch(/certificate was revoked on/);
    expect(await charon.established()).toEqual([]);
    await us.until('nothing is left', () => us.established().length === 0);
    // Whom it tells: the initiator in its answer, the responder by a delete or AUTHENTICATION_FAILED of its own.
    expect(us.report()).toMatch(/AUTHENTICATION_FAILED/);
  });

  // As responder charon would refuse us first: we ask it for the identity that it has not (IDr).
  test('a certificate that names another address', async () => {
    const us = await prepare({
      ours: pe(root, OURS, 'p256'),
      theirs: issue(root, { name: 'other', ip: ['192.0.2.77'] }),
      connection: { localLines: ['id = 192.0.2.77'] },
    });
    expect(await begin(us, 'them')).toBe(false);
    expect(us.count('auth_identity_refused')).toBe(1);
    expect(us.established()).toEqual([]);
  });

  test.each(both)('a certificate of a CA that nobody trusts, begun by %s', async (by) => {
    const rogue = makeCa(bed.folder, `rogue-${by}`, { key: 'p256' });
    const us = await prepare({
      ...{ ours: pe(root, OURS, 'p256'), theirs: pe(rogue, THEIRS, 'p256') },
      files: { 'x509ca/rogue.pem': rogue.pem },
    });
    expect(await begin(us, by)).toBe(false);
    expect(us.count('cert_untrusted')).toBe(1);
  });
});
