// SPDX-License-Identifier: Apache-2.0
/** charon's own offers, answers and selectors, as recorded (test/vectors/ike/strongswan_vectors.py). */
import { describe, expect, it } from 'vitest';
import { decodeChain } from '../../../../src/ike/codec/chain.js';
import { isFault } from '../../../../src/ike/codec/fault.js';
import { decodeMessage } from '../../../../src/ike/codec/message.js';
import type { Payload } from '../../../../src/ike/codec/payload.js';
import { chooseEsp } from '../../../../src/ike/negotiation/esp-proposals.js';
import { chooseIke, concludeIke, offerIke } from '../../../../src/ike/negotiation/ike-proposals.js';
import {
  fromTrafficSelectors,
  narrowPair,
  selectorOf,
} from '../../../../src/ike/negotiation/selectors.js';
import {
  formatEspSuite,
  formatIke,
  parseEspProposal,
  parseIkeProposal,
} from '../../../../src/ike/negotiation/text.js';
import type { EspProposal, IkeProposal } from '../../../../src/ike/negotiation/types.js';
import { bytes, strongswan } from '../codec/samples.js';

/** Payloads of the recorded message that charon calls so. */
function payloads(said: RegExp): readonly Payload[] {
  const found = strongswan.find((message) => said.test(message.said));
  if (found === undefined) throw new Error(`no message ${said.source}`);
  const octets = bytes(found.octets);
  const message = decodeMessage(octets, 0, octets.length);
  if (isFault(message)) throw new Error(message.reason);
  if (found.inner === undefined) return message.payloads;
  const last = message.payloads.at(-1);
  const first = last?.kind === 'SK' ? last.firstInner : 0;
  const inner = bytes(found.inner);
  const chain = decodeChain(inner, first, 0, inner.length);
  if (isFault(chain)) throw new Error(chain.reason);
  return chain.payloads;
}

type Kind<K extends Payload['kind']> = Extract<Payload, { kind: K }>;
function only<K extends Payload['kind']>(list: readonly Payload[], kind: K): Kind<K> {
  const found = list.find((payload): payload is Kind<K> => payload.kind === kind);
  if (found === undefined) throw new Error(`no ${kind}`);
  return found;
}

const ike = (text: string): IkeProposal => {
  const parsed = parseIkeProposal(text);
  if (!parsed.ok) throw new Error(parsed.reason);
  return parsed.value;
};
const esp = (text: string): EspProposal => {
  const parsed = parseEspProposal(text);
  if (!parsed.ok) throw new Error(parsed.reason);
  return parsed.value;
};

/** The initiator's configuration, in the same words as charon's (head of strongswan_vectors.py). */
const PROPOSALS = [
  'aes128-sha256-ecp256-x25519',
  'aes256gcm16-aes128gcm16-prfsha384-prfsha256-x25519-ecp384-modp3072',
  'chacha20poly1305-prfsha512-curve25519',
].map(ike);

describe('strongSwan 5.9.8', () => {
  it('offers what we offer for the same words', () => {
    const { proposals } = only(payloads(/IKE_SA_INIT request/), 'SA');
    const sort = (list: readonly { type: number; id: number }[]): unknown =>
      [...list].sort((a, b) => a.type - b.type); // charon has integrity before encryption's PRF
    const ours = offerIke(PROPOSALS).proposals;
    expect(
      proposals.map(({ number, protocol, transforms }) => ({
        ...{ number, protocol },
        transforms: sort(transforms),
      })),
    ).toStrictEqual(
      ours.map(({ number, protocol, transforms }) => ({
        ...{ number, protocol },
        transforms: sort(transforms),
      })),
    );
  });

  it('offers something to each of our proposals', () => {
    const offered = only(payloads(/IKE_SA_INIT request/), 'SA');
    for (const [text, chosen] of [
      ['aes256gcm16-prfsha384-x25519-ke1_mlkem768-ke1_none', 'aes256gcm16-prfsha384-x25519'],
      ['aes256gcm16-aes128gcm16-prfsha256-modp2048-modp3072', 'aes256gcm16-prfsha256-modp3072'],
      ['chacha20poly1305-prfsha256-prfsha512-x25519', 'chacha20poly1305-prfsha512-x25519'],
      ['aes256-aes128-sha512-sha256-x25519', 'aes128-sha256-prfsha256-x25519'],
    ] as const) {
      const choice = chooseIke(offered, [ike(text)], false);
      expect(choice.ok && formatIke(choice.value.chosen)).toBe(chosen);
    }
    expect(chooseIke(offered, [ike('aes256gcm16-prfsha384-x25519-ke1_mlkem768')], false).ok).toBe(
      false,
    );
  });

  it('answers what the initiator concludes', () => {
    const answer = only(payloads(/IKE_SA_INIT response/), 'SA');
    const end = concludeIke(answer, PROPOSALS, false);
    expect(end.ok && formatIke(end.value.chosen)).toBe('aes128-sha256-prfsha256-ecp256');
    expect(concludeIke(answer, PROPOSALS.slice(1), false).ok).toBe(false);
  });

  it('offers a child SA over protocol 47 that we take', () => {
    const request = payloads(/IKE_AUTH request/);
    const sa = only(request, 'SA');
    const choice = chooseEsp(sa, [esp('aes128gcm16-aes256gcm16-x25519-none')], false);
    expect(choice.ok && formatEspSuite(choice.value.chosen.suite)).toBe('aes256gcm16-noesn');
    const withEsn = chooseEsp(sa, [esp('aes256gcm16-esn-noesn')], false);
    expect(withEsn.ok && formatEspSuite(withEsn.value.chosen.suite)).toBe('aes256gcm16-esn');
    expect(chooseEsp(sa, [esp('null-sha256')], false).ok).toBe(false);

    const initiator = selectorOf(Uint8Array.of(192, 0, 2, 1), 47);
    const responder = selectorOf(Uint8Array.of(192, 0, 2, 2), 47);
    const pair = narrowPair(
      {
        local: fromTrafficSelectors(only(request, 'TSr')),
        remote: fromTrafficSelectors(only(request, 'TSi')),
      },
      { local: [responder], remote: [initiator] },
    );
    expect(pair).toStrictEqual({ ok: true, value: { local: [responder], remote: [initiator] } });
  });
});
