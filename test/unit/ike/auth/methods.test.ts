// SPDX-License-Identifier: Apache-2.0
/** Certificates: every way to sign, chosen by what the other end says that it takes. */
import { describe, expect, test } from 'vitest';
import { notify, readMethods, supportedMethods } from '../../../../src/ike/auth/announce.js';
import type { PeerAuthHints } from '../../../../src/ike/auth/api.js';
import type { Payload, PayloadOf } from '../../../../src/ike/codec/payload.js';
import { SCHEMES, type SchemeName } from '../../../../src/ike/crypto/signatures.js';
import { issue, makeCa, type KeyKind } from '../../../lib/pki.js';
import { A, AB, anchor, B, credential, judge, pkiFolder, prover, showing } from './certified.js';
import {
  address,
  authenticate,
  authInput,
  hintsOf,
  peer,
  prefix,
  trust,
  type Peer,
} from './peers.js';

const folder = pkiFolder();
const root = makeCa(folder, 'root');
const leaves = new Map<KeyKind, ReturnType<typeof issue>>();
function leafOf(key: KeyKind): ReturnType<typeof issue> {
  const leaf = leaves.get(key) ?? issue(root, { name: `pe-${key}`, key, ip: ['192.0.2.1'] });
  leaves.set(key, leaf);
  return leaf;
}

const authOf = (payloads: readonly Payload[]): PayloadOf<'AUTH'> => {
  const found = payloads.find((each): each is PayloadOf<'AUTH'> => each.kind === 'AUTH');
  if (found === undefined) throw new Error('no AUTH');
  return found;
};

/** What `from` sends to one who says `hints`. */
async function proofOf(from: Peer, hints: Partial<PeerAuthHints>): Promise<readonly Payload[]> {
  const all = { certificateRequests: [], hashes: [], methods: undefined, ...hints };
  const proof = await from.authenticator.prove(AB, authInput('initiator'), all);
  if (!proof.ok) throw new Error(proof.failure.reason);
  return proof.value;
}

/** The scheme of an AUTH by its method and AlgorithmIdentifier; the hash of method 1 is not told. */
function schemeOf({ method, algorithm }: PayloadOf<'AUTH'>): string {
  const names = Object.keys(SCHEMES) as SchemeName[];
  return (
    names.find((name) => {
      const scheme = SCHEMES[name];
      const identifier = 'identifier' in scheme ? scheme.identifier : undefined;
      return (
        scheme.method === method &&
        identifier?.toString('hex') === (algorithm && Buffer.from(algorithm).toString('hex'))
      );
    }) ?? `method ${method}`
  );
}

const NEW = [2, 3, 4, 5];

describe('signatures', () => {
  test.each<[KeyKind, string, readonly number[], string]>([
    ['p256', 'ecdsa', NEW, 'ecdsa-sha256'],
    ['p384', 'ecdsa', NEW, 'ecdsa-sha384'],
    ['p521', 'ecdsa', NEW, 'ecdsa-sha512'],
    ['p521', 'ecdsa', [2], 'ecdsa-sha256'],
    ['p256', 'ecdsa', [4], 'ecdsa-sha512'],
    ['ed25519', 'ed25519', NEW, 'ed25519'],
    ['rsa-2048', 'rsa', NEW, 'pss-sha256'],
    ['rsa-2048', 'rsa', [3], 'pss-sha384'],
    ['rsa-pss-2048', 'rsa', NEW, 'pss-sha256'],
    // RFC 7296, RFC 4754: the other end knows nothing of RFC 7427
    ['p256', 'ecdsa', [], 'ecdsa-256'],
    ['p384', 'ecdsa', [], 'ecdsa-384'],
    ['p521', 'ecdsa', [], 'ecdsa-521'],
    ['rsa-2048', 'rsa', [], 'rsa-sha256'],
  ])('%s for a peer with hashes (%s, %j): %s', async (key, method, hashes, scheme) => {
    const leaf = leafOf(key);
    const [from, to] = [prover(credential(leaf)), judge([root])];
    const payloads = await proofOf(from, { hashes });
    expect(schemeOf(authOf(payloads))).toBe(scheme);
    const there = { local: B, remote: A };
    const outcome = await to.authenticator.verify(there, authInput('initiator'), payloads);
    expect(outcome).toMatchObject({
      ok: true,
      value: { sp: 'sp-a', method, anchor: 'root', subject: `CN=pe-${key},O=Sealane test` },
    });
    // What was signed is the peer's IKE_SA_INIT, and nothing else is taken for it.
    const other = authInput('initiator', { message: Buffer.from('another') });
    expect((await to.authenticator.verify(there, other, payloads)).ok).toBe(false);
    expect(to.world.counted).toEqual({ auth_failed: 1 });
  });

  test('RSA with PKCS#1 padding where that is configured', async () => {
    const from = prover(credential(leafOf('rsa-2048'), [], { rsaPadding: 'pkcs1' }));
    expect(schemeOf(authOf(await proofOf(from, { hashes: NEW })))).toBe('pkcs1-sha256');
    expect((await authenticate(from, judge([root]), AB)).ok).toBe(true);
  });

  test('Ed25519 is not used with a peer that did not announce Identity (RFC 8420)', async () => {
    const from = prover(credential(leafOf('ed25519')));
    for (const hashes of [[], [2, 3, 4]]) {
      await expect(proofOf(from, { hashes })).rejects.toThrow(/nothing to prove/);
    }
  });

  test('both roles, IDr and IDi, with our CERTs in front of AUTH', async () => {
    const [from, to] = [prover(credential(leafOf('p256'))), judge([root])];
    const input = authInput('responder');
    const hints = hintsOf(to, { local: B, remote: A });
    const proof = await from.authenticator.prove(AB, input, hints);
    const kinds = proof.ok ? proof.value.map(({ kind }) => kind) : [];
    expect(kinds).toEqual(['IDr', 'CERT', 'AUTH']);
    if (!proof.ok) return;
    expect((await to.authenticator.verify({ local: B, remote: A }, input, proof.value)).ok).toBe(
      true,
    );
    // The same as the initiator's: its ID payload is missing.
    const asInitiator = { ...input, role: 'initiator' } as const;
    expect(
      (await to.authenticator.verify({ local: B, remote: A }, asInitiator, proof.value)).ok,
    ).toBe(false);
    expect(to.world.counted).toEqual({ auth_identity_refused: 1 });
  });

  test.each(['ecdsa', 'rsa', 'ed25519'] as const)(
    '%s is refused where it is not allowed',
    async (name) => {
      const key = ({ ecdsa: 'p256', rsa: 'rsa-2048', ed25519: 'ed25519' } as const)[name];
      const methods = (['ecdsa', 'rsa', 'ed25519', 'psk'] as const).filter((each) => each !== name);
      const to = judge([root], { methods });
      const hints = { methods: undefined, hashes: NEW };
      expect((await authenticate(prover(credential(leafOf(key))), to, AB, { hints })).ok).toBe(
        false,
      );
      expect(to.world.counted).toEqual({ auth_method_refused: 1 });
    },
  );

  test('another algorithm, method or key than the certificate has is refused', async () => {
    const [leaf, other] = [leafOf('p256'), leafOf('p384')];
    const to = judge([root]);
    const stolen = showing(leaf.der); // somebody else's certificate, signed with the own key
    expect((await authenticate(prover(credential(other)), to, AB, { tamper: stolen })).ok).toBe(
      false,
    );
    expect(to.world.counted).toEqual({ auth_failed: 1 });
    const asMethod = (method: number) => (payloads: readonly Payload[]) =>
      payloads.map((each): Payload =>
        each.kind === 'AUTH' ? { kind: 'AUTH', method, data: each.data } : each,
      );
    for (const method of [1, 9, 10, 11]) {
      expect(
        (await authenticate(prover(credential(leaf)), to, AB, { tamper: asMethod(method) })).ok,
      ).toBe(false);
    }
    expect(to.world.counted).toEqual({ auth_failed: 5 });
    for (const method of [0, 3, 12, 13, 14, 255]) {
      await authenticate(prover(credential(leaf)), to, AB, { tamper: asMethod(method) });
    }
    expect(to.world.counted).toEqual({ auth_failed: 5, auth_method_refused: 6 });
  });
});

describe('what is announced', () => {
  test('hashes, anchors, OCSP and methods', () => {
    const second = makeCa(folder, 'second');
    const to = judge([root, second], {
      revocation: { mode: 'required', crls: [], askOcsp: true, ocspMaxAge: 1 },
    });
    const there = { local: B, remote: A };
    expect(to.authenticator.initNotifies(there)).toEqual([
      notify(16431, Uint8Array.of(0, 2, 0, 3, 0, 4, 0, 5)),
    ]);
    const [request, ocsp, methods] = to.authenticator.requests(there);
    expect(request).toMatchObject({ kind: 'CERTREQ', encoding: 4 });
    expect(request?.kind === 'CERTREQ' && request.authorities.length).toBe(40);
    expect(ocsp).toEqual({ kind: 'CERTREQ', encoding: 14, authorities: new Uint8Array(0) });
    expect(methods).toEqual(supportedMethods(['ecdsa', 'ed25519', 'rsa']));
    expect(to.authenticator.requests({ local: B, remote: address('203.0.113.1') })).toEqual([]);
  });

  test('preshared keys alone need neither hashes nor CAs', () => {
    const psks = [{ name: 'k', prefix: prefix('192.0.2.0/24'), key: Buffer.from('k') }];
    const to = judge([], { psks });
    const there = { local: B, remote: A };
    expect(to.authenticator.initNotifies(there)).toEqual([]);
    expect(to.authenticator.requests(there)).toEqual([notify(16443, Buffer.of(2, 2))]);
  });

  test('SUPPORTED_AUTH_METHODS has the octets of RFC 9593', () => {
    const { data } = supportedMethods(['psk', 'ed25519', 'ecdsa']);
    expect(Buffer.from(data).toString('hex')).toBe(
      '0202' + // preshared keys
        '0a0e00300506032b6570' + // 14, any CA, id-Ed25519
        '0f0e00300a06082a8648ce3d040302' + // 14, ecdsa-with-SHA256
        '0f0e00300a06082a8648ce3d040303' +
        '0f0e00300a06082a8648ce3d040304' +
        '030900030a00030b00',
    );
    expect(readMethods(data)).toEqual({
      psk: true,
      signatures: [
        { method: 14, scheme: 'ed25519', authority: undefined },
        { method: 14, scheme: 'ecdsa-sha256', authority: undefined },
        { method: 14, scheme: 'ecdsa-sha384', authority: undefined },
        { method: 14, scheme: 'ecdsa-sha512', authority: undefined },
        { method: 9, scheme: undefined, authority: undefined },
        { method: 10, scheme: undefined, authority: undefined },
        { method: 11, scheme: undefined, authority: undefined },
      ],
    });
  });

  test.each([
    ['', []],
    ['00', []],
    ['01020303', []],
    ['03', []],
    ['030902', [{ method: 9, authority: 1 }]],
    ['050e013000', []], // an algorithm that is unknown here
    ['0209', [{ method: 9 }]],
    ['030900ff0e', [{ method: 9 }]], // the second one is cut off
  ])('announcements %j', (hex, signatures) => {
    expect(readMethods(Buffer.from(hex, 'hex')).signatures).toMatchObject(signatures);
    expect(readMethods(Buffer.from(hex, 'hex')).signatures).toHaveLength(signatures.length);
  });
});

describe('the choice of a certificate', () => {
  const two = makeCa(folder, 'two');
  const ofTwo = issue(two, { name: 'pe-two', ip: ['192.0.2.1', '192.0.2.77'] });
  const elsewhere = issue(root, { name: 'elsewhere', ip: ['192.0.2.77'] });
  const shown = async (from: Peer, to: Peer, addresses = AB): Promise<Uint8Array | undefined> => {
    const { local, remote } = addresses;
    const hints = hintsOf(to, { local: remote, remote: local });
    const proof = await from.authenticator.prove(addresses, authInput('initiator'), hints);
    const cert = proof.ok ? proof.value.find(({ kind }) => kind === 'CERT') : undefined;
    return cert?.kind === 'CERT' ? cert.data : undefined;
  };
  const toTrust = (...sps: Parameters<typeof peer>[0]['sps']): Peer =>
    peer({ sps, credentials: [] });

  test('by the CA that the peer asks for, and by the local address', async () => {
    const credentials = [
      credential(leafOf('p256')),
      credential(ofTwo, [two]),
      credential(elsewhere),
    ];
    const from = prover(...credentials);
    expect(await shown(from, judge([two]))).toEqual(ofTwo.der);
    expect(await shown(from, judge([root]))).toEqual(leafOf('p256').der);
    // The CA is asked for, but not sent along and known only as an anchor of ours.
    const known = peer({
      sps: [trust('sp-a', ['192.0.2.0/24'], { anchors: [anchor(root), anchor(two)] })],
      credentials: [credential(ofTwo), credential(leafOf('p256'))],
    });
    expect(await shown(known, judge([root]))).toEqual(leafOf('p256').der);
    expect(await shown(known, judge([two]))).toEqual(ofTwo.der);
    const other = { local: address('192.0.2.77'), remote: B };
    expect(await shown(prover(credential(leafOf('p256'))), judge([root]), other)).toBeUndefined();
    expect(
      await shown(prover(credential(leafOf('p256')), credential(elsewhere)), judge([root]), other),
    ).toEqual(elsewhere.der);
  });

  test('one of another CA is shown when there is nothing better: CERTREQ is a hint', async () => {
    expect(await shown(prover(credential(leafOf('p256'))), judge([two]))).toEqual(
      leafOf('p256').der,
    );
  });

  test('a certificate is shown to the SPs that it is for', async () => {
    const from = prover(credential(leafOf('p256'), [], { sps: ['sp-b'] }));
    expect(await shown(from, judge([root]))).toBeUndefined();
    const toB = toTrust(
      trust('sp-b', ['192.0.2.0/24', '198.51.100.0/24'], { anchors: [anchor(root)] }),
    );
    const addresses = { local: A, remote: address('198.51.100.1') };
    expect(await shown(from, toB, addresses)).toEqual(leafOf('p256').der);
  });

  test('methods in the order of our policy, as far as the peer takes them', async () => {
    const psks = [{ name: 'k', prefix: prefix('192.0.2.0/24'), key: Buffer.from('k') }];
    const both = (methods: readonly ('psk' | 'ecdsa' | 'rsa')[]): Peer =>
      peer({
        sps: [trust('sp-a', ['192.0.2.0/24'], { psks, methods, anchors: [anchor(root)] })],
        credentials: [credential(leafOf('p256')), credential(leafOf('rsa-2048'))],
      });
    const order = async (from: Peer, to: Peer): Promise<number> => {
      const proof = await from.authenticator.prove(
        AB,
        authInput('initiator'),
        hintsOf(to, { local: B, remote: A }),
      );
      return proof.ok ? authOf(proof.value).method : -1;
    };
    const all = both(['psk', 'ecdsa', 'rsa']);
    expect(await order(both(['psk', 'ecdsa']), all)).toBe(2);
    expect(await order(both(['ecdsa', 'psk']), all)).toBe(14);
    expect(await order(both(['psk', 'ecdsa']), both(['ecdsa']))).toBe(14);
    expect(await order(both(['ecdsa', 'psk']), both(['psk']))).toBe(2);
    expect(await order(both(['ecdsa']), both(['rsa', 'psk']))).toBe(-1);
  });

  test('RFC 9593: the scheme that the peer lists first, for the CA that it links it with', async () => {
    const from = prover(credential(leafOf('rsa-2048'), [root]), credential(leafOf('p256'), [root]));
    const certificateRequests = hintsOf(judge([two, root]), {
      local: B,
      remote: A,
    }).certificateRequests;
    const of = async (hex: string): Promise<string> =>
      schemeOf(
        authOf(
          await proofOf(from, {
            hashes: NEW,
            certificateRequests,
            methods: Buffer.from(hex, 'hex'),
          }),
        ),
      );
    const pkcs1 = '120e00300d06092a864886f70d01010b0500';
    expect(await of(pkcs1)).toBe('pkcs1-sha256');
    expect(await of(`030100${pkcs1}`)).toBe('rsa-sha256');
    expect(await of('030902')).toBe('ecdsa-256'); // linked with the second CA, root
    await expect(of('030901')).rejects.toThrow(/nothing to prove/); // with the first one
    await expect(of('0202')).rejects.toThrow(/nothing to prove/);
  });
});
