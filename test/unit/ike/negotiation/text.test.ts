// SPDX-License-Identifier: Apache-2.0
/** Proposals in strongSwan's words. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { KE_METHODS } from '../../../../src/ike/crypto/algorithms.js';
import { offerEsp } from '../../../../src/ike/negotiation/esp-proposals.js';
import { chooseIke, offerIke } from '../../../../src/ike/negotiation/ike-proposals.js';
import {
  formatEspProposal,
  formatEspSuite,
  formatIke,
  formatIkeProposal,
  formatSuite,
  type Parsed,
  parseEspProposal,
  parseIkeProposal,
} from '../../../../src/ike/negotiation/text.js';
import { CIPHERS, INTEGRITY, PRFS } from '../../../../src/ike/crypto/algorithms.js';
import { ESP_CIPHERS } from '../../../../src/ike/negotiation/esp-ciphers.js';
import { espPolicies, ikePolicies } from './arbitrary.js';

function must<T>(parsed: Parsed<T>): T {
  if (!parsed.ok) throw new Error(`${parsed.reason}: ${parsed.remedy}`);
  return parsed.value;
}

describe('the text of an IKE proposal', () => {
  it('says algorithms, in order', () => {
    const text =
      'aes256gcm16-aes128gcm16-prfsha384-prfsha256-x25519-ecp256-ke1_mlkem768-ke2_mlkem512-ke2_none';
    expect(must(parseIkeProposal(text))).toStrictEqual({
      ciphers: [CIPHERS['aes-256-gcm'], CIPHERS['aes-128-gcm']],
      prfs: [PRFS.sha384, PRFS.sha256],
      integrity: [],
      ke: [31, 19],
      additional: [[36], [35, 0]],
    });
    expect(formatIkeProposal(must(parseIkeProposal(text)))).toBe(text);
  });

  it('takes the PRF of the integrity when it says none, and other spellings', () => {
    const proposal = must(parseIkeProposal('AES-sha2_256-sha512-curve25519'));
    expect(proposal).toMatchObject({
      ciphers: [CIPHERS['aes-128-cbc']],
      integrity: [INTEGRITY.sha256, INTEGRITY.sha512],
      prfs: [PRFS.sha256, PRFS.sha512],
      ke: [31],
    });
    expect(formatIkeProposal(proposal)).toBe('aes128-sha256-sha512-prfsha256-prfsha512-x25519');
  });

  it('knows every method by its name', () => {
    for (const { id, name, kind } of Object.values(KE_METHODS)) {
      const text = `aes256gcm16-prfsha256-${kind === 'kem' ? `x25519-ke1_${name}` : name}`;
      const { ke, additional } = must(parseIkeProposal(text));
      expect(kind === 'kem' ? additional[0] : ke).toStrictEqual([id]);
    }
  });

  it.each([
    ['3des-sha256-modp2048', '"3des" is too weak (RFC 8247)'],
    ['aes128-sha1-modp2048', '"sha1" is too weak (RFC 8247)'],
    ['aes128-md5-modp2048', '"md5" is too weak (RFC 8247)'],
    ['aes128-sha256-modp1024', '"modp1024" is too weak (RFC 8247)'],
    ['aes128-sha256-modp1536', '"modp1536" is too weak (RFC 8247)'],
    ['aes128-sha256-modp2048s256', '"modp2048s256" is too weak (RFC 8247)'],
    ['aes128gcm16-prfsha1-x25519', '"prfsha1" is too weak (RFC 8247)'],
    ['aes192-sha256-x25519', '"aes192" is not spoken here'],
    ['camellia256-sha256-x25519', '"camellia256" is not spoken here'],
    ['aes128gcm8-prfsha256-x25519', '"aes128gcm8" is not spoken here'],
    ['aes256gcm16-prfsha256-x25519-ke1_frodo', 'unknown word "frodo"'],
    ['aes256gmc16-prfsha256-x25519', 'unknown word "aes256gmc16"'],
    ['aes256gcm16--prfsha256', 'empty word'],
    ['', 'empty word'],
    ['prfsha256-x25519', 'no encryption'],
    ['aes256gcm16-x25519', 'no PRF'],
    ['aes256gcm16-prfsha256', 'an IKE SA always has a key exchange'],
    ['aes256gcm16-prfsha256-none', 'an IKE SA always has a key exchange'],
    ['aes256gcm16-prfsha256-x25519-none', 'an IKE SA always has a key exchange'],
    ['aes256-prfsha256-x25519', 'no integrity'],
    ['aes256gcm16-sha256-x25519', '"sha256" beside a cipher that authenticates itself'],
    [
      'aes256gcm16-aes256-sha256-x25519',
      'ciphers that authenticate themselves beside others (RFC 7296 §3.3)',
    ],
    ['null-sha256-x25519', 'an IKE SA always encrypts'],
    ['aes128gmac-prfsha256-x25519', 'an IKE SA always encrypts'],
    ['aes256gcm16-prfsha256-x25519-esn', 'sequence numbers are a matter of ESP'],
    ['aes256gcm16-prfsha256-mlkem768', '"mlkem768" as the first key exchange'],
    ['aes256gcm16-prfsha256-x25519-x25519', '"x25519" is named twice'],
    ['aes256gcm16-prfsha256-x25519-curve25519', '"curve25519" is named twice'],
    ['aes256gcm16-prfsha256-x25519-ke2_mlkem768', 'ke1_ has no method'],
    ['aes256gcm16-prfsha256-x25519-ke1_none', 'ke1_ has no method'],
    ['aes256gcm16-prfsha256-x25519-ke8_mlkem768', 'unknown word "ke8_mlkem768"'],
    [
      'aes256gcm16-prfsha256-x25519-ke1_x25519',
      'a key exchange method would have to be used twice (RFC 9370 §2.2.1)',
    ],
    [
      'aes256gcm16-prfsha256-x25519-ke1_ecp256-ke2_x25519-ke2_ecp256-ke2_mlkem768-ke3_mlkem768',
      'a key exchange method would have to be used twice (RFC 9370 §2.2.1)',
    ],
  ])('%s: %s', (text, reason) => {
    expect(parseIkeProposal(text)).toMatchObject({ ok: false, reason });
  });

  it('helps with typing mistakes', () => {
    expect(parseIkeProposal('aes256gmc16-prfsha256-x25519')).toMatchObject({
      remedy: expect.stringContaining('did you mean "aes256gcm16"?') as string,
    });
  });

  it('comes back from any text that it makes, and is always sound to offer', () => {
    fc.assert(
      fc.property(ikePolicies, (proposals) => {
        for (const proposal of proposals) {
          const parsed = parseIkeProposal(formatIkeProposal(proposal));
          // Some of the random ones cannot be meant: methods at one place alone, a KEM first.
          if (parsed.ok) {
            expect(parsed.value.ciphers).toStrictEqual(proposal.ciphers);
            expect(parsed.value.additional).toStrictEqual(proposal.additional);
            const offered = offerIke([parsed.value]);
            expect(chooseIke(offered, [parsed.value], false).ok).toBe(true);
          } else {
            expect(parsed.reason).toMatch(/no method|used twice|as the first/);
          }
        }
      }),
    );
  });

  it('is never broken by what is no text of ours', () => {
    const words = fc.array(
      fc.oneof(fc.string(), fc.constantFrom('aes256', 'sha256', 'x25519', 'ke1_', 'none')),
    );
    fc.assert(
      fc.property(words, (list) => {
        const parsed = parseIkeProposal(list.join('-'));
        if (parsed.ok) offerIke([parsed.value]);
        const esp = parseEspProposal(list.join('-'));
        if (esp.ok) offerEsp([esp.value], 4096, true);
      }),
    );
  });
});

describe('the text of an ESP proposal', () => {
  it('says algorithms, in order', () => {
    const text = 'aes128gcm16-aes256gcm16-x25519-none-esn-noesn';
    expect(must(parseEspProposal(text))).toStrictEqual({
      ciphers: [ESP_CIPHERS['aes-128-gcm'], ESP_CIPHERS['aes-256-gcm']],
      integrity: [],
      esn: [true, false],
      ke: [31, 0],
      additional: [],
    });
    expect(formatEspProposal(must(parseEspProposal(text)))).toBe(text);
    expect(must(parseEspProposal('aes128gmac'))).toMatchObject({
      ciphers: [ESP_CIPHERS['aes-128-gmac']],
      esn: [false],
      ke: [],
    });
    expect(must(parseEspProposal('null-sha256'))).toMatchObject({
      ciphers: [ESP_CIPHERS.null],
      integrity: [INTEGRITY.sha256],
    });
    // A KEM alone may do PFS: the IKE SA's own exchange is beneath it.
    expect(must(parseEspProposal('aes256gcm16-mlkem768')).ke).toStrictEqual([36]);
  });

  it.each([
    ['aes128gcm16-prfsha256', 'the PRF is the IKE SA’s'],
    ['null', 'no integrity'],
    ['null-aes128-sha256', 'ciphers that encrypt beside ciphers that do not (policy-model 16)'],
    ['aes128gcm16-aes128gmac', 'ciphers that encrypt beside ciphers that do not (policy-model 16)'],
    [
      'null-aes128gmac-sha256',
      'ciphers that authenticate themselves beside others (RFC 7296 §3.3)',
    ],
    ['aes128gcm16-ke1_mlkem768', 'an additional key exchange without a first one'],
    ['des-sha256', '"des" is too weak (RFC 8247)'],
    ['aes192gmac', '"aes192gmac" is not spoken here'],
  ])('%s: %s', (text, reason) => {
    expect(parseEspProposal(text)).toMatchObject({ ok: false, reason });
  });

  it('comes back from any text that it makes', () => {
    fc.assert(
      fc.property(espPolicies, (proposals) => {
        for (const proposal of proposals) {
          const parsed = parseEspProposal(formatEspProposal(proposal));
          if (parsed.ok) expect(parsed.value).toStrictEqual({ ...proposal });
          else expect(parsed.reason).toMatch(/no method|used twice|without a first/);
        }
      }),
    );
  });
});

it('says what was chosen', () => {
  const proposal = must(parseIkeProposal('aes256-sha384-ecp256-x25519-ke1_none-ke1_mlkem768'));
  const choice = chooseIke(offerIke([proposal]), [proposal], false);
  if (!choice.ok) throw new Error(choice.failure.reason);
  expect(formatIke(choice.value.chosen)).toBe('aes256-sha384-prfsha384-ecp256');
  expect(formatSuite({ prf: PRFS.sha256, cipher: CIPHERS['chacha20-poly1305'] })).toBe(
    'chacha20poly1305-prfsha256',
  );
  const suite = { cipher: ESP_CIPHERS.null, integrity: INTEGRITY.sha512, esn: true };
  expect(formatEspSuite(suite)).toBe('null-sha512-esn');
});
