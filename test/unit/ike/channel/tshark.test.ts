// SPDX-License-Identifier: Apache-2.0
/** What we protect, whole and in fragments, decrypted and checked by tshark. */
import { expect, it } from 'vitest';
import { EXCHANGE } from '../../../../src/ike/codec/names/registries.js';
import { CIPHERS, INTEGRITY, PRFS, type Suite } from '../../../../src/ike/crypto/algorithms.js';
import { readIke } from '../../../lib/ike-tshark.js';
import { Bench, filler, keysOf, SPI } from './bench.js';

const prf = PRFS.sha256;
const CASES = [
  ['aes-128-gcm', 'none', { prf, cipher: CIPHERS['aes-128-gcm'] }],
  ['aes-256-gcm', 'none', { prf, cipher: CIPHERS['aes-256-gcm'] }],
  ['aes-128-cbc', 'sha256', { prf, cipher: CIPHERS['aes-128-cbc'], integrity: INTEGRITY.sha256 }],
  ['aes-256-cbc', 'sha512', { prf, cipher: CIPHERS['aes-256-cbc'], integrity: INTEGRITY.sha512 }],
] as const satisfies readonly (readonly [string, string, Suite])[];

it.each(CASES)('%s, integrity %s', async (encryption, integrity, suite) => {
  const bench = new Bench().protect(suite).echo();
  const { channel, sent } = bench.initiator;
  // i --- SK --> r, i <-- SK --- r; then both in fragments
  void channel.request(EXCHANGE.informational, [filler(40, 0xab)]);
  await bench.time.pass(0);
  channel.fragmentBytes = 600;
  bench.responder.channel.fragmentBytes = 600;
  void channel.request(EXCHANGE.informational, [filler(700, 0x11), filler(600, 0x22)]);
  await bench.time.pass(0);
  const messages = [...sent, ...bench.responder.sent];
  expect(messages).toHaveLength(8);
  const { send: i, receive: r } = keysOf(suite).initiator;
  const rows = await readIke(
    messages,
    ['isakmp.vid_bytes', 'isakmp.frag.number', 'isakmp.frag.total', 'isakmp.messageid'],
    [
      {
        ...{ initiatorSpi: SPI.initiator, responderSpi: SPI.responder, encryption, integrity },
        ...{ ei: i.encryption, er: r.encryption, ai: i.integrity, ar: r.integrity },
      },
    ],
  );
  // A wrong checksum or padding would be in `marks`. What is inside of fragments is shown at the last.
  const small = 'ab'.repeat(36);
  const large = `${'11'.repeat(696)},${'22'.repeat(596)}`;
  const each = [
    [small, '', '', '0x00000000'],
    ['', '1', '3', '0x00000001'],
    ['', '2', '3', '0x00000001'],
    [large, '3', '3', '0x00000001'],
  ].map((values) => [...values, ''].join('|'));
  expect(rows.map((row) => Object.values(row).join('|'))).toEqual([...each, ...each]);
  expect(messages.every(({ length }) => length <= 600 - 20 - 8)).toBe(true);
});
