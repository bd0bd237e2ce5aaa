// SPDX-License-Identifier: Apache-2.0
/**
 * Independent judges: tshark decrypts what was sent, and plain calls of node:crypto, written from the RFCs' formulas,
 * come to the same keys, read the same payloads and verify the same AUTH.
 */
import {
  createDecipheriv,
  createHash,
  createHmac,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
} from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { Payload } from '../../../../src/ike/codec/payload.js';
import { readIke } from '../../../lib/ike-tshark.js';
import {
  type Carried,
  MLKEM768,
  opened,
  payloadsOf,
  proposalOf,
  setupOf,
  World,
  X25519,
} from './bench.js';

const FIELDS = [
  ...(['isakmp.exchangetype', 'isakmp.messageid', 'isakmp.flags', 'isakmp.typepayload'] as const),
  'isakmp.notify.msgtype',
] as const;

/** SPIs and keys of one derivation at `a`, counted from 0, as tshark's table has them. */
function tsharkSa(world: World, derivation: number) {
  const keys = world.a.derived[derivation];
  const { initiatorSpi, responderSpi } = opened(world.b.responded[0]);
  if (keys === undefined) throw new Error('no such keys');
  const { ei, er, ai, ar } = keys;
  const spis = { initiatorSpi, responderSpi };
  return { ...spis, encryption: 'aes-128-gcm', integrity: 'none', ei, er, ai, ar } as const;
}

const octetsOf = (wire: readonly Carried[]): readonly Uint8Array[] =>
  wire.map(({ octets }) => octets);

describe('tshark', () => {
  it('reads a plain opening without a mark', async () => {
    const world = new World({ policy: { window: 4 } }, { policy: { reauthSeconds: 600 } });
    world.a.open({ initialContact: () => true });
    await world.time.pass(0);
    const rows = await readIke(octetsOf(world.wire), FIELDS, [tsharkSa(world, 0)]);
    expect(rows.map(({ marks }) => marks)).toEqual(['', '', '', '']);
    const seen = rows.map((row) => [
      row['isakmp.exchangetype'],
      row['isakmp.messageid'],
      row['isakmp.flags'],
    ]);
    expect(seen).toEqual([
      ['34', '0x00000000', '0x08'],
      ['34', '0x00000000', '0x20'],
      ['35', '0x00000001', '0x08'],
      ['35', '0x00000001', '0x20'],
    ]);
    // SA 33, KE 34, IDi 35, IDr 36, AUTH 39, Nonce 40, N 41, V 43, TSi 44, TSr 45, SK 46; 2 and 3 are parts of SA.
    const kinds = rows.map((row) => [...new Set(row['isakmp.typepayload'].split(','))].sort());
    expect(kinds[0]).toEqual(['2', '3', '33', '34', '40', '41', '43']);
    expect(kinds[2]).toEqual(['2', '3', '33', '35', '36', '39', '41', '44', '45', '46']);
    expect(kinds[3]).toEqual(['2', '3', '33', '36', '39', '41', '44', '45', '46']);
    const notifies = rows.map((row) => row['isakmp.notify.msgtype'].split(',').map(Number).sort());
    // NAT detection, fragmentation, IKE_INTERMEDIATE
    expect(notifies[0]).toEqual([16388, 16389, 16430, 16438]);
    // the same, childless, SUPPORTED_AUTH_METHODS
    expect(notifies[1]).toEqual([16388, 16389, 16418, 16430, 16438, 16443]);
    // INITIAL_CONTACT, SET_WINDOW_SIZE, transport mode, no TFC, QCD token, SUPPORTED_AUTH_METHODS
    expect(notifies[2]).toEqual([16384, 16385, 16391, 16394, 16419, 16443]);
    // transport mode, no TFC, AUTH_LIFETIME, QCD token
    expect(notifies[3]).toEqual([16391, 16394, 16403, 16419]);
  });

  it('reads one with IKE_INTERMEDIATE: each exchange with the keys of before', async () => {
    // Not in fragments: one row for each message.
    const policy = { fragmentBytes: undefined, proposals: [proposalOf([X25519], [[MLKEM768]])] };
    const world = new World({ policy }, { policy });
    const ike = world.a.open();
    await world.time.pass(0);
    opened(ike);
    const first = await readIke(octetsOf(world.wire.slice(0, 4)), FIELDS, [tsharkSa(world, 0)]);
    const then = await readIke(octetsOf(world.wire.slice(4)), FIELDS, [tsharkSa(world, 1)]);
    expect([...first, ...then].map(({ marks }) => marks)).toEqual(['', '', '', '', '', '']);
    expect(
      first.slice(2).map((row) => [row['isakmp.exchangetype'], row['isakmp.typepayload']]),
    ).toEqual([
      ['43', '46,34'],
      ['43', '46,34'],
    ]);
    expect(then.map((row) => row['isakmp.exchangetype'])).toEqual(['35', '35']);
    expect(then[0]?.['isakmp.typepayload'].split(',').slice(0, 3)).toContain('35');
  });
});

const hmac = (key: Uint8Array, ...data: readonly Uint8Array[]): Buffer =>
  createHmac('sha256', key).update(Buffer.concat(data)).digest();

/** RFC 7296 §2.13. */
function prfPlus(key: Uint8Array, seed: Uint8Array, length: number): Buffer {
  let [all, last] = [Buffer.alloc(0), Buffer.alloc(0)];
  for (let n = 1; all.length < length; n++) {
    last = Buffer.from(hmac(key, last, seed, Uint8Array.of(n)));
    all = Buffer.concat([all, last]);
  }
  return all.subarray(0, length);
}

function x25519(secret: Uint8Array, peer: Uint8Array): Buffer {
  const privatePrefix = Buffer.from('302e020100300506032b656e04220420', 'hex');
  const publicPrefix = Buffer.from('302a300506032b656e032100', 'hex');
  return diffieHellman({
    privateKey: createPrivateKey({
      ...{ key: Buffer.concat([privatePrefix, secret]), format: 'der', type: 'pkcs8' },
    }),
    publicKey: createPublicKey({
      ...{ key: Buffer.concat([publicPrefix, peer]), format: 'der', type: 'spki' },
    }),
  });
}

const keOf = (payloads: readonly Payload[]): Uint8Array =>
  payloads.find((each) => each.kind === 'KE')?.data ?? Buffer.alloc(0);
const nonceOf = (payloads: readonly Payload[]): Uint8Array =>
  payloads.find((each) => each.kind === 'Nonce')?.data ?? Buffer.alloc(0);

/** What is inside SK of AES-128-GCM (RFC 5282), as | next | body | one behind the other. */
function decrypt(octets: Buffer, key: Buffer): Map<number, Buffer> {
  const iv = octets.subarray(32, 40);
  const cipher = createDecipheriv(
    'aes-128-gcm',
    key.subarray(0, 16),
    Buffer.concat([key.subarray(16), iv]),
  );
  cipher.setAAD(octets.subarray(0, 32)).setAuthTag(octets.subarray(-16));
  const padded = Buffer.concat([cipher.update(octets.subarray(40, -16)), cipher.final()]);
  const inner = padded.subarray(0, padded.length - 1 - (padded.at(-1) ?? 0));
  const found = new Map<number, Buffer>();
  let [type, at] = [octets[28] ?? 0, 0];
  while (type !== 0) {
    const end = at + inner.readUInt16BE(at + 2);
    found.set(type, inner.subarray(at + 4, end));
    [type, at] = [inner[at] ?? 0, end];
  }
  return found;
}

it('node:crypto alone comes to the same keys, payloads and AUTH', async () => {
  const world = new World(
    { setup: setupOf('a shared secret') },
    { setup: setupOf('a shared secret') },
  );
  // The private value of a, which it gives away here only.
  let secret = Buffer.alloc(0);
  const { exchanges } = world.a.env.crypto;
  Object.assign(world.a.env.crypto, {
    exchanges: {
      ...exchanges,
      start: async (...given: Parameters<typeof exchanges.start>) => {
        const started = await exchanges.start(...given);
        if (started.ok) secret = Buffer.from(started.value.secret);
        return started;
      },
    },
  });
  const ike = world.a.open();
  await world.time.pass(0);
  const [init, answer, auth, proof] = world.wire;
  if (init === undefined || answer === undefined || auth === undefined || proof === undefined) {
    throw new Error('not four messages');
  }
  const [request, response] = [payloadsOf(init), payloadsOf(answer)];
  const [ni, nr] = [nonceOf(request), nonceOf(response)];
  const spis = Buffer.from(answer.octets.subarray(0, 16));
  // RFC 7296 §2.14
  const skeyseed = hmac(Buffer.concat([ni, nr]), x25519(secret, keOf(response)));
  const stream = prfPlus(skeyseed, Buffer.concat([ni, nr, spis]), 32 + 20 + 20 + 32 + 32);
  const [d, ei, er] = [stream.subarray(0, 32), stream.subarray(32, 52), stream.subarray(52, 72)];
  const [pi, pr] = [stream.subarray(72, 104), stream.subarray(104, 136)];
  expect(opened(ike).skD).toEqual(Buffer.from(d));
  const [theirs, ours] = [
    decrypt(Buffer.from(proof.octets), Buffer.from(er)),
    decrypt(Buffer.from(auth.octets), Buffer.from(ei)),
  ];
  // RFC 7296 §2.15: AUTH = prf(prf(secret, pad), message | nonce of the other | prf(SK_p, ID body))
  const padded = hmac(Buffer.from('a shared secret'), Buffer.from('Key Pad for IKEv2'));
  const [idi, idr] = [ours.get(35), theirs.get(36)];
  if (idi === undefined || idr === undefined) throw new Error('no identities');
  expect(idi).toEqual(Buffer.from([1, 0, 0, 0, 192, 0, 2, 1]));
  expect(idr).toEqual(Buffer.from([1, 0, 0, 0, 192, 0, 2, 2]));
  const method = Buffer.from([2, 0, 0, 0]);
  const authI = hmac(padded, init.octets, nr, hmac(pi, idi));
  const authR = hmac(padded, answer.octets, ni, hmac(pr, idr));
  expect(ours.get(39)).toEqual(Buffer.concat([method, authI]));
  expect(theirs.get(39)).toEqual(Buffer.concat([method, authR]));
  // RFC 7296 §2.17: KEYMAT of the child SA, AES-128-GCM: 16 octets and a salt of 4 each way
  const keymat = prfPlus(d, Buffer.concat([ni, nr]), 40).toString('hex');
  const [child] = [...world.b.plane.inbound.values()];
  expect(`${child?.inboundKeys ?? ''}${child?.outboundKeys ?? ''}`).toBe(keymat);
  // RFC 7296 §2.23
  const nat = request.find((each) => each.kind === 'N' && each.notify === 16388);
  const hash = createHash('sha1')
    .update(
      Buffer.concat([spis.subarray(0, 8), Buffer.alloc(8), Buffer.from([192, 0, 2, 1, 1, 244])]),
    )
    .digest();
  expect(nat).toMatchObject({ data: Uint8Array.from(hash) });
});
