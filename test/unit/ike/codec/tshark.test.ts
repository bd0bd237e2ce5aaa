// SPDX-License-Identifier: Apache-2.0
/**
 * Everything we encode, read by tshark. It decodes what is outside of SK, so that payloads which belong inside
 * are put in the open here.
 */
import { describe, expect, it } from 'vitest';
import { encodeMessage } from '../../../../src/ike/codec/message.js';
import { readIke } from '../../../lib/ike-tshark.js';
import { bytes, EVERYTHING, HEADER } from './samples.js';

describe('read by tshark', () => {
  it('every payload', async () => {
    const [row] = await readIke(
      [encodeMessage(HEADER, EVERYTHING).octets],
      [
        ...(['isakmp.ispi', 'isakmp.rspi', 'isakmp.version', 'isakmp.exchangetype'] as const),
        ...(['isakmp.flags', 'isakmp.messageid', 'isakmp.length', 'isakmp.typepayload'] as const),
        ...(['isakmp.prop.number', 'isakmp.prop.protoid', 'isakmp.prop.transforms'] as const),
        ...(['isakmp.spi', 'isakmp.tf.type', 'isakmp.tf.id.encr', 'isakmp.tf.id.prf'] as const),
        ...(['isakmp.tf.id.integ', 'isakmp.tf.id.dh', 'isakmp.tf.id.esn', 'isakmp.tf.id'] as const),
        ...(['isakmp.ike2.attr.key_length', 'isakmp.key_exchange.dh_group'] as const),
        ...(['isakmp.key_exchange.data', 'isakmp.id.type', 'isakmp.id.data.fqdn'] as const),
        ...(['isakmp.id.data.ipv6_addr', 'isakmp.cert.encoding', 'isakmp.cert.x509.url'] as const),
        ...(['isakmp.certreq.type', 'isakmp.ike.certreq.authority'] as const),
        ...(['isakmp.auth.method', 'isakmp.auth.data.sig.asn1.len'] as const),
        ...(['isakmp.auth.data.sig.asn1.data', 'isakmp.auth.data.sig.value'] as const),
        ...(['isakmp.nonce', 'isakmp.notify.msgtype', 'isakmp.notify.protoid'] as const),
        ...(['isakmp.notify.data.signature_hash_algorithms', 'isakmp.delete.protoid'] as const),
        ...([
          'isakmp.delete.spi',
          'isakmp.vid_bytes',
          'isakmp.ts.number',
          'isakmp.ts.type',
        ] as const),
        ...(['isakmp.ts.protoid', 'isakmp.ts.start_port', 'isakmp.ts.end_port'] as const),
        ...(['isakmp.ts.start_ipv4', 'isakmp.ts.end_ipv4', 'isakmp.ts.start_ipv6'] as const),
        ...([
          'isakmp.ts.end_ipv6',
          'isakmp.cfg.type',
          'isakmp.cfg.attr.internal_ip4_address',
        ] as const),
        ...(['eap.code', 'eap.id'] as const),
      ],
    );
    expect(row).toEqual({
      'isakmp.ispi': '1122334455667788',
      'isakmp.rspi': '99aabbccddeeff00',
      'isakmp.version': '0x20',
      'isakmp.exchangetype': '35',
      'isakmp.flags': '0x08',
      'isakmp.messageid': '0x00000007',
      'isakmp.length': '789',
      // Proposals count as 2, transforms as 3.
      'isakmp.typepayload': '33,2,3,3,3,3,3,2,3,3,3,34,35,36,37,38,39,40,41,41,42,43,44,45,47,48',
      'isakmp.prop.number': '1,2',
      'isakmp.prop.protoid': '1,3',
      'isakmp.prop.transforms': '5,3',
      'isakmp.spi': '0102030405060708,c0ffee01,c0ffee01',
      'isakmp.tf.type': '1,2,4,6,12,1,3,5',
      'isakmp.tf.id.encr': '20,12',
      'isakmp.tf.id.prf': '5',
      'isakmp.tf.id.integ': '12',
      'isakmp.tf.id.dh': '31',
      'isakmp.tf.id.esn': '1',
      // tshark 4.0 does not know ADDKE1 and ADDKE7.
      'isakmp.tf.id': '36,0',
      'isakmp.ike2.attr.key_length': '256,128',
      'isakmp.key_exchange.dh_group': '31',
      'isakmp.key_exchange.data': '09'.repeat(32),
      'isakmp.id.type': '2,5',
      'isakmp.id.data.fqdn': 'pe1.example.net',
      'isakmp.id.data.ipv6_addr': '2001:db8::1',
      'isakmp.cert.encoding': '12',
      'isakmp.cert.x509.url': 'http://example.net/c',
      'isakmp.certreq.type': '4',
      'isakmp.ike.certreq.authority': `${'05'.repeat(20)},${'05'.repeat(20)}`,
      'isakmp.auth.method': '14',
      'isakmp.auth.data.sig.asn1.len': '15',
      'isakmp.auth.data.sig.asn1.data': '300d06092a864886f70d01010b0500',
      'isakmp.auth.data.sig.value': '07'.repeat(256),
      'isakmp.nonce': '03'.repeat(32),
      'isakmp.notify.msgtype': '16393,16431',
      'isakmp.notify.protoid': '3,0',
      'isakmp.notify.data.signature_hash_algorithms': '2,3',
      'isakmp.delete.protoid': '3',
      'isakmp.delete.spi': 'c0ffee01,00000100',
      'isakmp.vid_bytes': '5365616c616e65',
      'isakmp.ts.number': '1,2',
      'isakmp.ts.type': '7,8,7',
      'isakmp.ts.protoid': '47,137,0',
      'isakmp.ts.start_port': '0,65535,0',
      'isakmp.ts.end_port': '65535,0,65535',
      'isakmp.ts.start_ipv4': '192.0.2.1,192.0.2.1',
      'isakmp.ts.end_ipv4': '192.0.2.7,192.0.2.1',
      'isakmp.ts.start_ipv6': '2001:db8::1',
      'isakmp.ts.end_ipv6': '2001:db8::ff',
      'isakmp.cfg.type': '1',
      'isakmp.cfg.attr.internal_ip4_address': '10.0.0.1',
      'eap.code': '1',
      'eap.id': '35',
      marks: '',
    });
  });

  it('SK, SKF and a critical payload', async () => {
    const rows = await readIke(
      [
        encodeMessage(HEADER, [{ kind: 'SK', firstInner: 35, body: new Uint8Array(64) }]).octets,
        encodeMessage(HEADER, [
          { kind: 'SKF', firstInner: 0, number: 2, total: 3, body: new Uint8Array(64) },
        ]).octets,
        encodeMessage({ ...HEADER, initiator: false, response: true, exchange: 37 }, []).octets,
        encodeMessage(HEADER, [{ kind: 'unknown', type: 200, critical: true, data: bytes('0102') }])
          .octets,
      ],
      [
        ...(['isakmp.typepayload', 'isakmp.nextpayload', 'isakmp.frag.number'] as const),
        ...(['isakmp.frag.total', 'isakmp.flags', 'isakmp.exchangetype'] as const),
        'isakmp.criticalpayload',
      ],
    );
    expect(rows.map((row) => Object.values(row).join('|'))).toEqual([
      '46|46,35|||0x08|35|0|',
      '53|53,0|2|3|0x08|35|0|',
      '|0|||0x20|37||',
      '200|200,0|||0x08|35|1|',
    ]);
  });
});
