// SPDX-License-Identifier: Apache-2.0
/** Opening with certificates: every kind of key, hints in the places they are sent in, PPK beside them, no room. */
import { describe, expect, it } from 'vitest';
import type { AuthSetup } from '../../../../src/ike/auth/setup.js';
import { NOTIFY } from '../../../../src/ike/codec/names/notify.js';
import { issue, makeCa, type KeyKind } from '../../../lib/pki.js';
import { anchor, credential, pkiFolder } from '../auth/certified.js';
import {
  failed,
  MLKEM768,
  notifiesIn,
  opened,
  payloadsOf,
  proposalOf,
  setupOf,
  World,
  X25519,
} from './bench.js';

const folder = pkiFolder();
const root = makeCa(folder, 'root');
const stranger = makeCa(folder, 'stranger');

const leaves = new Map<string, ReturnType<typeof issue>>();

function setup(ca: ReturnType<typeof makeCa>, host: 'a' | 'b', key: KeyKind): AuthSetup {
  const ip = [host === 'a' ? '192.0.2.1' : '192.0.2.2'];
  const name = `${host}-${key}`;
  const known = leaves.get(`${ca.name}/${name}`);
  const leaf = known ?? issue(ca, { name, key, ip, days: 3650 });
  leaves.set(`${ca.name}/${name}`, leaf);
  const methods = ['ecdsa', 'ed25519', 'rsa'] as const;
  const [sp] = setupOf('', { psks: [], anchors: [anchor(root)], methods }).sps;
  if (sp === undefined) throw new Error('no SP');
  return { sps: [sp], credentials: [credential(leaf)] };
}

describe('certificates', () => {
  it.each([
    ['p256', 'ecdsa'],
    ['p384', 'ecdsa'],
    ['rsa-2048', 'rsa'],
    ['ed25519', 'ed25519'],
  ] as const)('%s at both', async (key, method) => {
    const world = new World({ setup: setup(root, 'a', key) }, { setup: setup(root, 'b', key) });
    const ike = world.a.open();
    // a --- IKE_SA_INIT, SIGNATURE_HASH_ALGORITHMS --> b
    // a <-- IKE_SA_INIT, CERTREQ, SIGNATURE_HASH_ALGORITHMS, SUPPORTED_AUTH_METHODS --- b
    // a --- IKE_AUTH: SK {IDi, CERT, CERTREQ, AUTH, SUPPORTED_AUTH_METHODS, ...} --> b and back
    await world.time.pass(0);
    const theirs = opened(world.b.responded[0]);
    expect(opened(ike).skD).toEqual(theirs.skD);
    expect([opened(ike).identity.method, theirs.identity.method]).toEqual([method, method]);
    const [request, response] = world.wire;
    if (request === undefined || response === undefined) throw new Error();
    expect(notifiesIn(request)).toContain(NOTIFY.SIGNATURE_HASH_ALGORITHMS);
    expect(notifiesIn(response)).toEqual(
      expect.arrayContaining([NOTIFY.SIGNATURE_HASH_ALGORITHMS, NOTIFY.SUPPORTED_AUTH_METHODS]),
    );
    expect(payloadsOf(response).filter(({ kind }) => kind === 'CERTREQ')).toHaveLength(1);
    // RFC 4478: not after the initiator's certificate has ended.
    const { validUntil = 0 } = theirs.identity;
    expect(opened(ike).peerAuthLifetime).toBe(Math.floor(validUntil - 1_800_000_000));
  });

  it('of an authority that b does not know: refused', async () => {
    const a = setup(stranger, 'a', 'p256');
    const world = new World({ setup: a }, { setup: setup(root, 'b', 'p256') });
    const ike = world.a.open();
    await world.time.pass(0);
    expect(failed(ike)).toMatchObject({ code: 'AUTHENTICATION_FAILED', by: 'peer' });
    expect(world.b.counted()).toMatchObject({ cert_untrusted: 1 });
  });

  it('with a PPK that b has not: NO_PPK_AUTH has the signature that is verified', async () => {
    const ppk = { id: Buffer.from('one'), key: Buffer.alloc(32, 9), required: false };
    const other = { ...ppk, id: Buffer.from('two') };
    const world = new World(
      { setup: setup(root, 'a', 'p384'), policy: { ppk } },
      { setup: setup(root, 'b', 'p384'), policy: { ppk: other } },
    );
    const ike = world.a.open();
    await world.time.pass(0);
    expect(opened(ike).isPpkUsed).toBe(false);
    expect(opened(ike).skD).toEqual(opened(world.b.responded[0]).skD);
  });

  it('AUTH covers IKE_INTERMEDIATE', async () => {
    const policy = { proposals: [proposalOf([X25519], [[MLKEM768]])] };
    const world = new World(
      { setup: setup(root, 'a', 'p521'), policy },
      { setup: setup(root, 'b', 'p521'), policy },
    );
    const ike = world.a.open();
    await world.time.pass(0);
    expect(opened(ike).skD).toEqual(opened(world.b.responded[0]).skD);
  });
});

describe('threads without room', () => {
  const policy = { proposals: [proposalOf([X25519], [[MLKEM768]])] };
  const hosts = (busy: number) => [
    { setup: setup(root, 'a', 'rsa-2048'), policy, busy },
    { setup: setup(root, 'b', 'rsa-2048'), policy, busy },
  ];

  it('key exchanges and signatures wait for their turn', async () => {
    const world = new World(...hosts(3));
    const ike = world.a.open();
    await world.time.pass(5000);
    expect(opened(ike).skD).toEqual(opened(world.b.responded[0]).skD);
    expect([world.a.refusedJobs, world.b.refusedJobs]).toEqual([3, 3]);
    expect(world.time.pending).toBe(0);
  });

  it('but not for ever', async () => {
    const world = new World(...hosts(Infinity));
    const ike = world.a.open();
    await world.time.pass(9_999);
    expect(ike.outcome).toBeUndefined();
    await world.time.pass(50_000);
    expect(failed(ike)).toMatchObject({ code: 'BUSY', by: 'us' });
    expect(world.time.pending).toBe(0);
  });

  it('closing ends the waiting', async () => {
    const world = new World(...hosts(Infinity));
    const ike = world.a.open();
    await world.time.pass(1000);
    ike.opening.close();
    await world.time.pass(0);
    expect(failed(ike).code).toBe('CLOSED');
    world.b.responded[0]?.opening.close();
    await world.time.pass(0);
    expect(world.time.pending).toBe(0);
  });
});
