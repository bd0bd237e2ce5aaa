// SPDX-License-Identifier: Apache-2.0
/** Policies of every sort, for property tests. */
import fc from 'fast-check';
import {
  CIPHERS,
  type Cipher,
  INTEGRITY,
  KE_METHODS,
  PRFS,
} from '../../../../src/ike/crypto/algorithms.js';
import { ESP_CIPHERS } from '../../../../src/ike/negotiation/esp-ciphers.js';
import {
  type EspCipher,
  type EspProposal,
  type IkeProposal,
  KE_NONE,
} from '../../../../src/ike/negotiation/types.js';

const some = <T>(all: readonly T[], least = 1): fc.Arbitrary<T[]> =>
  fc
    .shuffledSubarray([...all], { minLength: least })
    .map((list) => list.slice(0, 3))
    .filter((list) => list.length >= least);

const methods = Object.values(KE_METHODS).map(({ id }) => id);
/** Few, so that two policies often have some in common. */
const few = methods.filter((id) => [14, 19, 31, 36].includes(id));
const optional = [...few, KE_NONE] as const;
const additional = fc.array(some(optional), { maxLength: 3 });

const ikeCiphers: readonly Cipher[] = Object.values(CIPHERS);
const ike = (kind: 'aead' | 'cbc'): fc.Arbitrary<IkeProposal> =>
  fc.record({
    ciphers: some(ikeCiphers.filter((cipher) => cipher.kind === kind)),
    prfs: some(Object.values(PRFS)),
    integrity: kind === 'aead' ? fc.constant([]) : some(Object.values(INTEGRITY)),
    ke: some(few),
    additional,
  });

export const ikePolicies = fc.array(fc.oneof(ike('aead'), ike('cbc')), {
  minLength: 1,
  maxLength: 3,
});

const espCiphers: readonly EspCipher[] = Object.values(ESP_CIPHERS);
const esp = (kind: EspCipher['kind'], encrypts: boolean): fc.Arbitrary<EspProposal> =>
  fc
    .record({
      ciphers: some(espCiphers.filter((c) => c.kind === kind && c.encrypts === encrypts)),
      integrity: kind === 'aead' ? fc.constant([]) : some(Object.values(INTEGRITY)),
      esn: some([true, false]),
      ke: fc.oneof(fc.constant([]), some(optional)),
      additional,
    })
    .map(({ ke, additional: more, ...rest }) => ({
      ...rest,
      ke,
      additional: ke.length === 0 ? [] : more,
    }));

export const espPolicies = fc.oneof(
  fc.array(fc.oneof(esp('aead', true), esp('cbc', true)), { minLength: 1, maxLength: 3 }),
  fc.array(fc.oneof(esp('aead', false), esp('null', false)), { minLength: 1, maxLength: 3 }),
);
