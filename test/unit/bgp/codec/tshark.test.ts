// SPDX-License-Identifier: Apache-2.0
/** Everything we encode, read by tshark. */
import { describe, expect, it } from 'vitest';
import { encodeAttributes } from '../../../../src/bgp/codec/attributes/encode.js';
import { familySet } from '../../../../src/bgp/codec/families.js';
import { newNlri, readNlri } from '../../../../src/bgp/codec/nlri/reader.js';
import { encodeKeepalive } from '../../../../src/bgp/codec/message.js';
import {
  cease,
  encodeNotification,
  hardReset,
  updateError,
} from '../../../../src/bgp/codec/notification.js';
import { encodeOpen } from '../../../../src/bgp/codec/open.js';
import { encodeRouteRefresh } from '../../../../src/bgp/codec/route-refresh.js';
import {
  FAMILY,
  type FamilyId,
  type Nlri,
  type PathAttributes,
  type UpdateContext,
} from '../../../../src/bgp/codec/types.js';
import { isNotification, splitUpdate } from '../../../../src/bgp/codec/update-split.js';
import { UpdateWriter } from '../../../../src/bgp/codec/update-writer.js';
import { readBgp } from '../../../lib/bgp-tshark.js';
import { bytes, CONTEXT } from './build.js';

/** One of everything. The Color sub-TLV is left out: tshark 4.0 reads its eight octets (RFC 9012 §3.4.2) as four. */
const attributes: PathAttributes = {
  origin: 2,
  asPath: [
    { type: 2, asns: [65001, 4200000000, 7018] },
    { type: 1, asns: [65010, 65011] },
  ],
  med: 4294967295,
  localPref: 250,
  atomicAggregate: true,
  aggregator: { asn: 4200000001, address: bytes('c6336401') },
  communities: [0xffffff01, 65001 * 65536 + 77],
  largeCommunities: [[65001, 4000000000, 3]],
  extendedCommunities: [0x0002fde900000064n, 0x0102c00002010007n, 0x0202fa56ea010005n],
  originatorId: 0xc0000201,
  clusterList: [0x0a000001, 0x0a000002],
  tunnelEncapsulation: [
    { type: 11, subTlvs: [{ type: 2, value: bytes('8847') }] },
    { type: 2, subTlvs: [{ type: 200, value: new Uint8Array(300) }] },
  ],
  others: [{ flags: 0xe0, type: 250, value: bytes('01020304') }],
};

/** An Nlri of a key given in hexadecimal, RD included. */
function route(key: string, length: number, label = 0, pathId = 0): [Nlri, Uint8Array] {
  const octets = bytes(key);
  return [{ ...newNlri(), label, labelCount: 1, pathId, keyBytes: octets.length, length }, octets];
}

/** Whole messages, one after the other. */
function messagesOf(octets: Uint8Array): Uint8Array[] {
  const found: Uint8Array[] = [];
  for (let at = 0; at < octets.length;) {
    const length = (octets[at + 16] ?? 0) * 256 + (octets[at + 17] ?? 0);
    found.push(octets.subarray(at, at + length));
    at += length;
  }
  return found;
}

/** How many NLRI our own reader finds in the messages. */
function nlriIn(messages: readonly Uint8Array[], context: UpdateContext): number {
  let found = 0;
  const nlri = newNlri();
  for (const message of messages) {
    const split = splitUpdate(message, 19, message.length, context);
    if (isNotification(split)) throw new Error(split.reason);
    for (const run of [...split.withdrawn, ...split.announced]) {
      for (let at = run.start; at < run.end; found++) {
        at = readNlri(run, message, at, nlri);
        if (at < 0) throw new Error('malformed NLRI');
      }
    }
  }
  return found;
}

const RD = '0000fde900000001';
const PATH = 'bgp.update.path_attribute';
const afi = { afi: 1, safi: 128 };

describe('read by tshark', () => {
  it('OPEN with every capability', async () => {
    const open = encodeOpen({
      version: 4,
      asn2: 23456,
      holdTime: 90,
      routerId: 0xc0000201,
      capabilities: [
        { kind: 'multiprotocol', afi: 1, safi: 128 },
        { kind: 'multiprotocol', afi: 2, safi: 1 },
        { kind: 'routeRefresh' },
        { kind: 'extendedNextHop', entries: [{ ...afi, nextHopAfi: 2 }] },
        { kind: 'extendedMessages' },
        { kind: 'role', role: 4 },
        {
          kind: 'gracefulRestart',
          ...{ restarting: true, notification: true, restartTime: 120 },
          entries: [{ ...afi, forwarding: true }],
        },
        { kind: 'as4', asn: 4200000000 },
        { kind: 'addPath', entries: [{ ...afi, send: true, receive: true }] },
        { kind: 'enhancedRefresh' },
        { kind: 'longLived', entries: [{ ...afi, forwarding: true, staleTime: 86400 }] },
        { kind: 'fqdn', host: 'pe1', domain: 'example.net' },
        { kind: 'multipleLabels', entries: [{ ...afi, count: 3 }] },
      ],
    });
    const rows = await readBgp(
      [open],
      [
        ...(['bgp.open.myas', 'bgp.open.holdtime', 'bgp.open.identifier'] as const),
        ...(['bgp.cap.type', 'bgp.cap.mp.afi', 'bgp.cap.mp.safi', 'bgp.cap.4as'] as const),
        ...(['bgp.cap.gr.timers.restart_time', 'bgp.cap.gr.timers.restart_flag'] as const),
        ...(['bgp.cap.gr.flag.pfs', 'bgp.cap.ap.sendreceive'] as const),
        ...(['bgp.cap.enh.afi', 'bgp.cap.enh.safi', 'bgp.cap.enh.nhafi'] as const),
      ],
    );
    expect(rows).toEqual([
      {
        'bgp.open.myas': '23456',
        'bgp.open.holdtime': '90',
        'bgp.open.identifier': '192.0.2.1',
        'bgp.cap.type': '1,1,2,5,6,9,64,65,69,70,71,73,8',
        'bgp.cap.mp.afi': '1,2',
        'bgp.cap.mp.safi': '128,1',
        'bgp.cap.4as': '4200000000',
        'bgp.cap.gr.timers.restart_time': '120',
        'bgp.cap.gr.timers.restart_flag': '1',
        'bgp.cap.gr.flag.pfs': '1',
        'bgp.cap.ap.sendreceive': '3',
        'bgp.cap.enh.afi': '1',
        'bgp.cap.enh.safi': '128',
        'bgp.cap.enh.nhafi': '2',
        marks: '',
      },
    ]);
  });

  it('OPEN without capabilities', async () => {
    const open = { version: 4, asn2: 65001, holdTime: 0, routerId: 1, capabilities: [] } as const;
    const rows = await readBgp([encodeOpen(open)], ['bgp.open.opt.len', 'bgp.open.myas']);
    expect(rows).toEqual([{ 'bgp.open.opt.len': '0', 'bgp.open.myas': '65001', marks: '' }]);
  });

  it('KEEPALIVE, ROUTE-REFRESH and NOTIFICATION', async () => {
    const rows = await readBgp(
      [
        encodeKeepalive(),
        encodeRouteRefresh(FAMILY.vpnv4, 0),
        encodeRouteRefresh(FAMILY.routeTarget, 1),
        encodeNotification(cease('administrativeShutdown', 'täglich, Ticket 1')),
        encodeNotification(hardReset(cease('administrativeReset', 'again'))),
        encodeNotification(updateError('malformedAsPath', 'bad', bytes('400203'))),
      ],
      [
        ...(['bgp.type', 'bgp.route_refresh.afi', 'bgp.route_refresh.safi'] as const),
        ...(['bgp.route_refresh.subtype', 'bgp.notify.communication'] as const),
        ...(['bgp.notify.major_error', 'bgp.notify.minor_error_cease'] as const),
        'bgp.notify.minor_error_update',
      ],
    );
    expect(rows.map((row) => Object.values(row).join('|'))).toEqual([
      '4||||||||',
      '5|1|128|0|||||',
      '5|1|132|1|||||',
      '3||||täglich, Ticket 1|6|2||',
      '3|||||6|9||',
      '3|||||3||11|',
    ]);
  });

  it('UPDATE with every attribute', async () => {
    const writer = new UpdateWriter(CONTEXT);
    writer.announcing(FAMILY.vpnv4, encodeAttributes(attributes, CONTEXT), bytes('c0000209'));
    expect(writer.add(...route(`${RD}0a0102`, 24, 1048575))).toBe(true);
    expect(writer.add(...route(`${RD}0a010280`, 25, 17))).toBe(true);
    const [row] = await readBgp(
      [writer.take()],
      [
        ...([`${PATH}.type_code`, `${PATH}.origin`, `${PATH}.as_path_segment.as4`] as const),
        ...([`${PATH}.as_path_segment.type`, `${PATH}.multi_exit_disc`] as const),
        ...([`${PATH}.local_pref`, `${PATH}.aggregator_as`, `${PATH}.aggregator_origin`] as const),
        ...([`${PATH}.community_as`, `${PATH}.community_value`] as const),
        ...([`${PATH}.community_wellknown`, 'bgp.ext_com.value_an4'] as const),
        ...(['bgp.ext_com.value_IP4', 'bgp.ext_com.value_as4', 'bgp.ext_com.value_an2'] as const),
        ...(['bgp.ext_com.stype_tr_as2', 'bgp.ext_com.stype_tr_IP4'] as const),
        'bgp.ext_com.stype_tr_as4',
        ...([`${PATH}.originator_id`, 'bgp.path_attribute.cluster_id'] as const),
        ...(['bgp.large_communities.ga', 'bgp.large_communities.ldp1'] as const),
        ...(['bgp.large_communities.ldp2', 'bgp.ext_com.value_as2'] as const),
        ...(['bgp.update.encaps_tunnel_tlv_type', 'bgp.update.encaps_tunnel_subtlv_type'] as const),
        ...([
          'bgp.prefix_length',
          'bgp.label_stack',
          'bgp.rd',
          'bgp.mp_reach_nlri_ipv4_prefix',
        ] as const),
      ],
    );
    expect(row).toEqual({
      [`${PATH}.type_code`]: '14,1,2,4,5,6,7,8,9,10,16,23,32,250',
      [`${PATH}.origin`]: '2',
      [`${PATH}.as_path_segment.as4`]: '65001,4200000000,7018,65010,65011',
      [`${PATH}.as_path_segment.type`]: '2,1',
      [`${PATH}.multi_exit_disc`]: '4294967295',
      [`${PATH}.local_pref`]: '250',
      [`${PATH}.aggregator_as`]: '4200000001',
      [`${PATH}.aggregator_origin`]: '198.51.100.1',
      [`${PATH}.community_as`]: '65001',
      [`${PATH}.community_value`]: '77',
      [`${PATH}.community_wellknown`]: '0xffffff01',
      [`${PATH}.originator_id`]: '192.0.2.1',
      'bgp.path_attribute.cluster_id': '10.0.0.1,10.0.0.2',
      'bgp.large_communities.ga': '65001',
      'bgp.large_communities.ldp1': '4000000000',
      'bgp.large_communities.ldp2': '3',
      'bgp.ext_com.value_as2': '65001',
      'bgp.ext_com.value_an4': '100',
      'bgp.ext_com.value_IP4': '192.0.2.1',
      'bgp.ext_com.value_as4': '4200000001',
      'bgp.ext_com.value_an2': '7,5',
      'bgp.ext_com.stype_tr_as2': '0x02',
      'bgp.ext_com.stype_tr_IP4': '0x02',
      'bgp.ext_com.stype_tr_as4': '0x02',
      'bgp.update.encaps_tunnel_tlv_type': '11,2',
      'bgp.update.encaps_tunnel_subtlv_type': '2,200',
      'bgp.prefix_length': '112,113',
      'bgp.label_stack': '1048575 (bottom),17 (bottom)',
      'bgp.rd': '65001:1,65001:1',
      'bgp.mp_reach_nlri_ipv4_prefix': '10.1.2.0,10.1.2.128',
      marks: '',
    });
  });

  it('UPDATE of every family, both ways', async () => {
    const context = { ...CONTEXT, extendedNextHop: 0x7f };
    const writer = new UpdateWriter(context);
    const octets = encodeAttributes({ origin: 0, asPath: [] }, context);
    const v6 = bytes('20010db8000000000000000000000001');
    const linkLocal = bytes('fe800000000000000000000000000001');
    const cases: readonly [FamilyId, Uint8Array, [Nlri, Uint8Array], Uint8Array?][] = [
      [FAMILY.ipv4Unicast, bytes('c0000209'), route('0a01', 16)],
      [FAMILY.ipv4Unicast, v6, route('0a02', 16)],
      [FAMILY.ipv6Unicast, v6, route('20010db8', 32), linkLocal],
      [FAMILY.vpnv4, v6, route(`${RD}0a03`, 16, 100)],
      [FAMILY.vpnv6, bytes('c0000209'), route(`${RD}20010db80003`, 48, 101)],
      [FAMILY.ipv4Labelled, bytes('c0000209'), route('0a04', 16, 102)],
      [FAMILY.ipv6Labelled, v6, route('20010db80005', 48, 103)],
      [FAMILY.routeTarget, bytes('c0000209'), route('0000fde90002fde900000064', 96)],
    ];
    for (const [family, nextHop, one, second] of cases) {
      writer.announcing(family, octets, nextHop, second);
      expect(writer.add(...one)).toBe(true);
      writer.withdrawing(family);
      expect(writer.add(...one)).toBe(true);
      writer.endOfRib(family);
    }
    const rows = await readBgp(messagesOf(writer.take()), [
      ...([`${PATH}.mp_reach_nlri.afi`, `${PATH}.mp_reach_nlri.safi`] as const),
      ...([`${PATH}.mp_unreach_nlri.afi`, `${PATH}.mp_unreach_nlri.safi`] as const),
      ...([`${PATH}.next_hop`, `${PATH}.mp_reach_nlri.next_hop.ipv4`] as const),
      ...([`${PATH}.mp_reach_nlri.next_hop.ipv6`] as const),
      ...([`${PATH}.mp_reach_nlri.next_hop.ipv6.link_local`] as const),
      ...(['bgp.label_stack', 'bgp.rd', 'bgp.nlri_prefix', 'bgp.withdrawn_prefix'] as const),
      ...(['bgp.mp_reach_nlri_ipv4_prefix', 'bgp.mp_unreach_nlri_ipv4_prefix'] as const),
      ...(['bgp.mp_reach_nlri_ipv6_prefix', 'bgp.mp_unreach_nlri_ipv6_prefix'] as const),
    ]);
    expect(rows.map((row) => Object.values(row).join('|'))).toEqual([
      // IPv4 unicast is withdrawn in the classic field, whatever its next hop.
      '||||192.0.2.9||||||10.1.0.0||||||',
      '|||||||||||10.1.0.0|||||',
      '||||||||||||||||',
      '1|1|||||2001:db8::1||||||10.2.0.0||||',
      '|||||||||||10.2.0.0|||||',
      '||||||||||||||||',
      '2|1|||||2001:db8::1|fe80::1|||||||2001:db8::||',
      '||2|1||||||||||||2001:db8::|',
      '||2|1|||||||||||||',
      '1|128|||||2001:db8::1||100 (bottom)|65001:1|||10.3.0.0||||',
      '||1|128|||||0 (withdrawn)|65001:1||||10.3.0.0|||',
      '||1|128|||||||||||||',
      '2|128|||||::ffff:192.0.2.9||101 (bottom)||||||||',
      '||2|128|||||0 (withdrawn)||||||||',
      '||2|128|||||||||||||',
      '1|4||||192.0.2.9|||102 (bottom)||||10.4.0.0||||',
      '||1|4|||||0 (withdrawn)|||||10.4.0.0|||',
      '||1|4|||||||||||||',
      '2|4|||||2001:db8::1||103 (bottom)||||||2001:db8:5::||',
      '||2|4|||||0 (withdrawn)|||||||2001:db8:5::|',
      '||2|4|||||||||||||',
      '1|132||||192.0.2.9|||||||||||',
      '||1|132|||||||||||||',
      '||1|132|||||||||||||',
    ]);
  });

  it('UPDATE with path identifiers', async () => {
    const context = { ...CONTEXT, addPathSend: familySet([FAMILY.ipv4Unicast]) };
    const writer = new UpdateWriter(context);
    const octets = encodeAttributes({ origin: 0, asPath: [] }, context);
    writer.announcing(FAMILY.ipv4Unicast, octets, bytes('c0000209'));
    for (const id of [1, 2, 0xffffffff]) writer.add(...route('0a0102', 24, 0, id));
    const rows = await readBgp(messagesOf(writer.take()), ['bgp.nlri_path_id', 'bgp.nlri_prefix']);
    expect(rows).toEqual([
      {
        'bgp.nlri_path_id': '1,2,4294967295',
        'bgp.nlri_prefix': '10.1.2.0,10.1.2.0,10.1.2.0',
        marks: '',
      },
    ]);
  });

  it('UPDATE for a 2-octet peer', async () => {
    const context = { ...CONTEXT, as4: false };
    const writer = new UpdateWriter(context);
    writer.announcing(FAMILY.ipv4Unicast, encodeAttributes(attributes, context), bytes('c0000209'));
    writer.add(...route('0a01', 16));
    const rows = await readBgp(
      [writer.take()],
      [
        ...([`${PATH}.type_code`, `${PATH}.as_path_segment.as2`] as const),
        ...([`${PATH}.as_path_segment.as4`, `${PATH}.aggregator_as`] as const),
      ],
    );
    expect(rows).toEqual([
      {
        [`${PATH}.type_code`]: '1,2,3,4,5,6,7,8,9,10,16,17,18,23,32,250',
        [`${PATH}.as_path_segment.as2`]: '65001,23456,7018,65010,65011',
        [`${PATH}.as_path_segment.as4`]: '65001,4200000000,7018,65010,65011',
        [`${PATH}.aggregator_as`]: '23456,4200000001',
        marks: '',
      },
    ]);
  });

  it.each([4096, 65535] as const)('messages filled up to %i octets', async (maxMessage) => {
    const context = { ...CONTEXT, maxMessage };
    const writer = new UpdateWriter(context);
    const octets = encodeAttributes(attributes, context);
    const count = maxMessage / 5;
    for (const announced of [true, false]) {
      if (announced) writer.announcing(FAMILY.vpnv4, octets, bytes('c0000209'));
      else writer.withdrawing(FAMILY.vpnv4);
      for (let i = 0; i < count; i++) {
        const key = `${RD}0a${i.toString(16).padStart(4, '0')}`;
        expect(writer.add(...route(key, 24, 16 + (i % 1000)))).toBe(true);
      }
    }
    const messages = messagesOf(writer.take());
    // A VPNv4 NLRI of a /24 has 15 octets: no message leaves room for another one, but each run's last.
    const room = messages.map((message) => maxMessage - message.length);
    expect(room.every((left) => left >= 0)).toBe(true);
    expect(room.filter((left) => left >= 15).length).toBeLessThanOrEqual(2);
    const rows = await readBgp(messages, ['bgp.length', 'bgp.mp_reach_nlri_ipv4_prefix']);
    // tshark 4.0 does not know RFC 8654 and marks the length, and nothing else.
    const marks = messages.map(({ length }) =>
      length > 4096 ? `_ws.malformedLength is invalid ${length}` : '',
    );
    expect(rows.map((row) => row.marks)).toEqual(marks);
    // Nor does it show the NLRI of such a message, but for its first ones.
    const shown = rows.flatMap((row) => row['bgp.mp_reach_nlri_ipv4_prefix'].split(','));
    if (maxMessage === 4096) {
      expect(shown.filter((prefix) => prefix !== '')).toHaveLength(Math.ceil(count));
    }
    expect(nlriIn(messages, context)).toBe(2 * Math.ceil(count));
  });
});
