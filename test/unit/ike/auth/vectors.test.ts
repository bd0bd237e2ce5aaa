// SPDX-License-Identifier: Apache-2.0
/** AUTH payloads that two charons have sent each other. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { decodeMessage } from '../../../../src/ike/codec/message.js';
import type { Payload } from '../../../../src/ike/codec/payload.js';
import { PRFS } from '../../../../src/ike/crypto/algorithms.js';
import { address, peer, prefix, trust, type Peer } from './peers.js';

interface Side {
  readonly role: 'initiator' | 'responder';
  readonly message: string;
  readonly skP: string;
  readonly identity: string;
  readonly auth: string;
}
const vectors = JSON.parse(
  readFileSync(new URL('../../../vectors/ike/strongswan_auth.json', import.meta.url), 'utf8'),
) as { readonly secret: string; readonly sides: readonly [Side, Side] };

const hex = (text: string): Buffer => Buffer.from(text, 'hex');

function nonceOf({ message }: Side): Uint8Array {
  const octets = hex(message);
  const decoded = decodeMessage(octets, 0, octets.length);
  const payloads: readonly Payload[] = 'payloads' in decoded ? decoded.payloads : [];
  const nonce = payloads.find((each) => each.kind === 'Nonce');
  if (nonce === undefined) throw new Error('no nonce');
  return nonce.data;
}

const ours = (secret: string): Peer => {
  const psks = [{ name: 'charon', prefix: prefix('192.0.2.0/24'), key: Buffer.from(secret) }];
  return peer({ sps: [trust('sp-a', ['192.0.2.0/24'], { psks })], credentials: [] });
};

const [first, second] = vectors.sides;
test.each([
  ['initiator', first, second, '192.0.2.1', '192.0.2.2'],
  ['responder', second, first, '192.0.2.2', '192.0.2.1'],
] as const)("charon's AUTH as %s", async (role, side, other, own, remote) => {
  const input = {
    ...{ role, prf: PRFS.sha384, message: hex(side.message), peerNonce: nonceOf(other) },
    ...{ skP: hex(side.skP), intAuth: undefined },
  };
  const identity = hex(side.identity);
  const id = { idType: 1, reserved: 0, data: identity.subarray(4) } as const;
  const payloads: readonly Payload[] = [
    { kind: role === 'initiator' ? 'IDi' : 'IDr', ...id },
    { kind: 'AUTH', method: 2, data: hex(side.auth) },
  ];
  const there = { local: address(remote), remote: address(own) };
  const outcome = await ours(vectors.secret).authenticator.verify(there, input, payloads);
  expect(outcome).toMatchObject({ ok: true, value: { method: 'psk', anchor: 'charon' } });
  expect((await ours('another').authenticator.verify(there, input, payloads)).ok).toBe(false);
  // And ours in its place is the same, octet for octet.
  const hints = { certificateRequests: [], hashes: [], methods: undefined };
  const here = { local: address(own), remote: address(remote) };
  const proof = await ours(vectors.secret).authenticator.prove(here, input, hints);
  const auth = proof.ok ? proof.value.find((each) => each.kind === 'AUTH') : undefined;
  expect(Buffer.from(auth?.data ?? []).toString('hex')).toBe(side.auth);
});
