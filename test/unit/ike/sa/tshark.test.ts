// SPDX-License-Identifier: Apache-2.0
/** Everything that an IKE SA says in its life, decrypted and read by tshark. */
import { expect, it } from 'vitest';
import type { IkeSa } from '../../../../src/ike/sa/api.js';
import type { EspProposal } from '../../../../src/ike/negotiation/types.js';
import { readIke, type TsharkIkeSa } from '../../../lib/ike-tshark.js';
import { IKE, SaBench } from './bench.js';
import { GCM, policyOf } from './plane.js';

/** Of the initiator's side. */
function keysOf({ open }: IkeSa): TsharkIkeSa {
  const { send, receive } = open.channel.state().keys;
  const [i, r] = open.role === 'initiator' ? [send, receive] : [receive, send];
  const { initiatorSpi, responderSpi } = open;
  const spis = {
    initiatorSpi,
    responderSpi,
    encryption: 'aes-128-gcm',
    integrity: 'none',
  } as const;
  return { ...spis, ei: i.encryption, er: r.encryption, ai: i.integrity, ar: r.integrity };
}

const FIELDS = [
  ...(['isakmp.exchangetype', 'isakmp.messageid', 'isakmp.flags', 'isakmp.typepayload'] as const),
  ...(['isakmp.notify.msgtype', 'isakmp.ispi', 'isakmp.delete.spi'] as const),
] as const;

it('is read without a mark', async () => {
  const hybrid: EspProposal = { ...GCM, ke: [31], additional: [[36]] };
  const bench = new SaBench({
    policy: {
      proposals: [{ ...IKE, additional: [[36]] }],
      children: (local, remote) => [
        policyOf(local, remote, { service: 'hybrid', proposals: [hybrid] }),
        policyOf(local, remote, { protocol: 137 }),
      ],
    },
  });
  const { a, b } = bench;
  const keys = [keysOf(a.sa)];
  await bench.child('a', 0);
  await bench.child('b', 1);
  const child = b.sa.rekeyChild(0x2001);
  await bench.time.pass(1000);
  const ike = b.sa.rekeyIke();
  await bench.time.pass(1000);
  keys.push(keysOf(a.sa));
  const gone = a.sa.closeChild(0x1000);
  await bench.time.pass(1000);
  const closed = b.sa.close('test');
  await bench.time.pass(1000);
  expect([(await child).ok, (await ike).ok, (await gone).ok]).toEqual([true, true, true]);
  await closed;

  const rows = await readIke(
    bench.sent.map(({ octets }) => octets),
    FIELDS,
    keys,
  );
  expect(rows.map(({ marks }) => marks).filter((marks) => marks !== '')).toEqual([]);
  const seen = rows.map((row) =>
    [
      ...[row['isakmp.exchangetype'], Number(row['isakmp.messageid']), row['isakmp.flags']],
      ...[row['isakmp.typepayload'], row['isakmp.notify.msgtype'], row['isakmp.delete.spi']],
    ].join(' '),
  );
  const proposal = '33,2,3,3,3';
  expect(seen).toEqual([
    // A: a child SA with an additional key exchange
    `36 0 0x08 46,41,41,${proposal},3,40,34,44,45 16391,16394 `,
    `36 0 0x20 46,41,41,${proposal},3,40,34,44,45,41 16391,16394,16441 `,
    '44 1 0x08 46,34,41 16441 ',
    '44 1 0x20 46,34  ',
    // B: one without
    '36 0 0x00 46,41,41,33,2,3,3,40,44,45 16391,16394 ',
    '36 0 0x28 46,41,41,33,2,3,3,40,44,45 16391,16394 ',
    // B rekeys it
    '36 1 0x00 46,41,41,41,33,2,3,3,40,44,45 16393,16391,16394 ',
    '36 1 0x28 46,41,41,33,2,3,3,40,44,45 16391,16394 ',
    '37 2 0x00 46,42  00002001',
    '37 2 0x28 46,42  00001001',
    // B rekeys the IKE SA
    `36 3 0x00 46,${proposal},3,40,34  `,
    `36 3 0x28 46,${proposal},3,40,34,41 16441 `,
    '44 4 0x00 46,34,41 16441 ',
    '44 4 0x28 46,34  ',
    '37 5 0x00 46,42  ',
    '37 5 0x28 46  ',
    // In the new one, whose original initiator B is: A deletes a child SA, B everything.
    '37 0 0x00 46,42  00001000',
    '37 0 0x28 46,42  00002000',
    '37 0 0x08 46,42  ',
    '37 0 0x20 46  ',
  ]);
});
