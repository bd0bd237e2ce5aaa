// SPDX-License-Identifier: Apache-2.0
/** Messages as Scapy builds them (test/vectors/bgp/scapy_vectors.py), and what is wrong with others. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { encodeAttributes } from '../../../../src/bgp/codec/attributes/encode.js';
import { familySet } from '../../../../src/bgp/codec/families.js';
import { splitMessages } from '../../../../src/bgp/codec/framing.js';
import { encodeKeepalive } from '../../../../src/bgp/codec/message.js';
import { newNlri } from '../../../../src/bgp/codec/nlri/reader.js';
import {
  cease,
  decodeNotification,
  decodeShutdownText,
  encodeNotification,
  encodeShutdownText,
  hardReset,
  hardResetInner,
  notification,
} from '../../../../src/bgp/codec/notification.js';
import { describeCode } from '../../../../src/bgp/codec/notification-codes.js';
import { asnOf, decodeOpen, encodeOpen } from '../../../../src/bgp/codec/open.js';
import { openFrom, summarizeOpen } from '../../../../src/bgp/codec/open-summary.js';
import { decodeRouteRefresh, encodeRouteRefresh } from '../../../../src/bgp/codec/route-refresh.js';
import { FAMILY } from '../../../../src/bgp/codec/types.js';
import { UpdateWriter } from '../../../../src/bgp/codec/update-writer.js';
import { attribute, bytes, CONTEXT, text } from './build.js';
import { readUpdate } from './read.js';

interface Vectors {
  readonly messages: Readonly<Record<string, string>>;
}
const file = new URL('../../../vectors/bgp/scapy.json', import.meta.url);
const { messages } = JSON.parse(readFileSync(file, 'utf8')) as Vectors;
const vector = (name: string) => bytes(messages[name]!);

describe('vectors of Scapy', () => {
  it('an internal UPDATE, both ways', () => {
    const read = readUpdate(vector('internal'), CONTEXT, 19);
    expect(read).toMatchObject({
      outcome: 'ok',
      announced: ['ipv4-unicast 0a01/16', 'ipv4-unicast 0a020380/25'],
      withdrawn: ['ipv4-unicast 0a09/16'],
    });
    const { attributes } = read;
    expect(attributes).toEqual({
      origin: 1,
      asPath: [
        { type: 2, asns: [65001, 4200000000] },
        { type: 1, asns: [65010, 65011] },
      ],
      nextHop: bytes('c0000201'),
      med: 4294967295,
      localPref: 250,
      atomicAggregate: true,
      communities: [65001 * 65536 + 77],
      originatorId: 0xc0000209,
      clusterList: [0x0a000001, 0x0a000002],
      extendedCommunities: [
        ...[0x0002fde900000064n, 0x0103c00002010007n],
        ...[0x0202fa56ea010005n, 0x030b000000000000n],
      ],
    });
    // Scapy does not shorten anything: ours without NEXT_HOP is Scapy's without it.
    const ours = text(encodeAttributes(attributes!, CONTEXT));
    expect(text(read.octets).replace('400304c0000201', '')).toBe(ours);
  });

  it('an UPDATE of a 2-octet speaker: AS4_PATH and AS4_AGGREGATOR', () => {
    const context = { ...CONTEXT, as4: false };
    const read = readUpdate(vector('oldSpeaker'), context, 19);
    expect(read.attributes).toEqual({
      origin: 1,
      asPath: [{ type: 2, asns: [65001, 4200000000, 7018] }],
      nextHop: bytes('c0000201'),
      aggregator: { asn: 4200000000, address: bytes('c0000208') },
    });
    // Scapy gave the two different addresses; RFC 6793 §4.2.3 takes that of AS4_AGGREGATOR.
    const ours = encodeAttributes(read.attributes!, context);
    expect(text(ours)).toBe(
      [
        attribute(0x40, 1, '01'),
        attribute(0x40, 2, '0203fde95ba01b6a'),
        attribute(0xc0, 7, '5ba0c0000208'),
        attribute(0xc0, 17, '02030000fde9fa56ea0000001b6a'),
        attribute(0xc0, 18, 'fa56ea00c0000208'),
      ].join(''),
    );
  });

  it('path identifiers', () => {
    const context = { ...CONTEXT, as4: false, addPathReceive: familySet([FAMILY.ipv4Unicast]) };
    const read = readUpdate(vector('addPath'), context, 19);
    expect(read).toMatchObject({ outcome: 'ok', announced: ['ipv4-unicast 9 0a01/16'] });
  });

  it('IPv6 with a link-local next hop, both ways', () => {
    const read = readUpdate(vector('reachIpv6'), CONTEXT, 19);
    expect(read).toMatchObject({
      outcome: 'ok',
      announced: ['ipv6-unicast 20010db80001/48'],
      attributes: {
        nextHop: bytes('20010db8000000000000000000000001'),
        linkLocalNextHop: bytes('fe800000000000000000000000000001'),
      },
    });
    const withdrawn = readUpdate(vector('unreachIpv6'), CONTEXT, 19);
    expect(withdrawn).toMatchObject({ outcome: 'ok', withdrawn: ['ipv6-unicast 20010db80001/48'] });
    const writer = new UpdateWriter(CONTEXT);
    const { nextHop, linkLocalNextHop } = read.attributes!;
    writer.announcing(FAMILY.ipv6Unicast, bytes('4001010140 0200'), nextHop!, linkLocalNextHop);
    writer.add({ ...newNlri(), keyBytes: 6, length: 48 }, bytes('20010db80001'));
    // Ours has MP_REACH_NLRI first and a 2-octet length: the same octets otherwise.
    const reach = text(vector('reachIpv6').subarray(19 + 4 + 7 + 3));
    expect(text(writer.take().subarray(19))).toBe(`00000037900e002c${reach}40010101400200`);
  });

  it('OPEN', () => {
    const message = vector('open');
    const open = decodeOpen(message, 19, message.length);
    if (!('capabilities' in open)) throw new Error(open.reason);
    expect(open).toMatchObject({ version: 4, asn2: 23456, holdTime: 90, routerId: 0xc0000201 });
    expect(asnOf(open)).toBe(4200000000);
    expect(summarizeOpen(open)).toMatchObject({
      ...{ asn: 4200000000, as4: true, routeRefresh: true, families: 4 },
      gracefulRestart: {
        ...{ restarting: true, notification: false, restartTime: 120 },
        ...{ families: 4, forwarding: 4 },
      },
    });
  });

  it('the others', () => {
    expect(text(encodeKeepalive())).toBe(messages['keepalive']);
    expect(text(encodeRouteRefresh(FAMILY.vpnv4, 1))).toBe(messages['refresh']);
    expect(text(encodeNotification(cease('administrativeShutdown', 'later')))).toBe(
      messages['notification'],
    );
    const received = vector('notification');
    const fault = decodeNotification(received, 19, received.length);
    expect(fault.reason).toBe('Cease / Administrative Shutdown: later');
    expect(decodeShutdownText(fault)).toBe('later');
    const refresh = vector('refresh');
    expect(decodeRouteRefresh(refresh, 19, refresh.length)).toEqual({
      ...{ afi: 1, safi: 128, subtype: 1, family: FAMILY.vpnv4 },
    });
  });
});

describe('framing (RFC 4271 §6.1)', () => {
  const split = (octets: Uint8Array, most = 4096) => {
    const types: number[] = [];
    const result = splitMessages(octets, 0, octets.length, most, (type) => types.push(type) > 0);
    const { fault } = result;
    const found = fault === undefined ? '' : ` ${fault.code}/${fault.subcode} ${text(fault.data)}`;
    return `${types.join()} ${result.consumed}${found}`;
  };
  const header = (length: number, type: number) =>
    Buffer.concat([
      Buffer.alloc(16, 255),
      Buffer.from([length >> 8, length & 255, type]),
      Buffer.alloc(Math.max(0, length - 19)),
    ]);

  it('waits for the rest', () => {
    const stream = Buffer.concat([encodeKeepalive(), encodeRouteRefresh(FAMILY.vpnv4, 0)]);
    for (let end = 0; end <= stream.length; end++) {
      const expected = end < 19 ? ' 0' : end < 42 ? '4 19' : '4,5 42';
      expect(split(stream.subarray(0, end))).toBe(expected);
    }
  });

  it('stops when told', () => {
    const two = Buffer.concat([encodeKeepalive(), encodeKeepalive()]);
    expect(splitMessages(two, 0, 38, 4096, () => false)).toEqual({ consumed: 19 });
  });

  it('finds a wrong octet of the marker at once', () => {
    for (let at = 0; at < 16; at++) {
      const garbage = encodeKeepalive();
      garbage[at] = 0xfe;
      expect(split(garbage.subarray(0, at + 1))).toBe(' 0 1/1 ');
      expect(split(garbage.subarray(0, at))).toBe(' 0');
    }
  });

  it.each([
    [header(18, 4), ' 0 1/2 0012'],
    [header(20, 4), ' 0 1/2 0014'],
    [header(28, 1), ' 0 1/2 001c'],
    [header(22, 2), ' 0 1/2 0016'],
    [header(20, 3), ' 0 1/2 0014'],
    [header(22, 5), ' 0 1/2 0016'],
    [header(4097, 2), ' 0 1/2 1001'],
    [header(4096, 2), '2 4096'],
    [header(19, 0), ' 0 1/3 00'],
    [header(19, 6), ' 0 1/3 06'],
    [Buffer.concat([encodeKeepalive(), header(19, 9)]), '4 19 1/3 09'],
  ])('%#', (octets, expected) => {
    expect(split(octets)).toBe(expected);
  });

  it('extends UPDATE, NOTIFICATION and ROUTE-REFRESH, never OPEN and KEEPALIVE (RFC 8654 §4)', () => {
    for (const type of [2, 3, 5]) expect(split(header(65535, type), 65535)).toBe(`${type} 65535`);
    for (const type of [1, 4]) expect(split(header(4097, type), 65535)).toBe(' 0 1/2 1001');
  });
});

describe('OPEN (RFC 4271 §6.2)', () => {
  const answer = (hex: string) => {
    const body = bytes(hex);
    const open = decodeOpen(body, 0, body.length);
    return 'subcode' in open ? `${open.code}/${open.subcode} ${text(open.data)}` : 'ok';
  };
  const fixed = '04 fde9 005a c0000201';

  it.each([
    [`${fixed} 00`, 'ok'],
    [`03 fde9 005a c0000201 00`, '2/1 0004'],
    [`${fixed} 01`, '2/0 '],
    [`${fixed} 00 00`, '2/0 '],
    [`${fixed} 02 0200`, 'ok'],
    [`${fixed} 02 0100`, '2/4 '],
    [`${fixed} 03 020400`, '2/0 '],
    [`${fixed} 04 02024101`, '2/0 '],
    [`${fixed} 04 02020200`, 'ok'],
    // RFC 9072: the type decides, whatever the length before it but 0.
    [`${fixed} ff ff 0005 02 0002 0200`, 'ok'],
    [`${fixed} 05 ff 0005 02 0002 0200`, 'ok'],
    [`${fixed} ff ff 0006 02 0002 0200`, '2/0 '],
    [`${fixed} ff ff 0003 02 0002`, '2/0 '],
    [`${fixed} ff ff 0000`, 'ok'],
    ['04 fde9 005a c00002', '2/0 '],
  ])('%s: %s', (hex, expected) => {
    expect(answer(hex)).toBe(expected);
  });

  it('keeps a capability whose value cannot be right, without believing it', () => {
    const body = bytes(`${fixed} 06 0204 4102fde9`);
    expect(decodeOpen(body, 0, body.length)).toMatchObject({
      capabilities: [{ kind: 'unknown', code: 65, value: bytes('fde9') }],
    });
  });

  it('uses the extended format when, and only when, it must (RFC 9072)', () => {
    const sized = (octets: number) =>
      encodeOpen({
        ...{ version: 4, asn2: 1, holdTime: 0, routerId: 1 },
        capabilities: [{ kind: 'unknown', code: 200, value: new Uint8Array(octets) }],
      });
    expect(text(sized(250).subarray(28, 34))).toBe('fe02fcc8fa00');
    expect(text(sized(251).subarray(28, 38))).toBe('ffff0100' + '0200fd' + 'c8fb00');
    for (const size of [250, 251, 255]) {
      const message = sized(size);
      expect(decodeOpen(message, 19, message.length)).toMatchObject({
        capabilities: [{ value: new Uint8Array(size) }],
      });
    }
  });

  it('says the same again from its summary', () => {
    const summary = {
      ...{ version: 4, asn: 4200000000, holdTime: 90, routerId: 7, as4: true, families: 0x4f },
      ...{ routeRefresh: true, enhancedRefresh: true, extendedMessages: true },
      ...{ extendedNextHop: 0x5, multipleLabels: 0x4, addPathSend: 0x6, addPathReceive: 0xc },
      gracefulRestart: {
        ...{ restarting: true, notification: true, restartTime: 4095 },
        ...{ families: 0x4, forwarding: 0x4 },
      },
      longLived: [{ family: FAMILY.vpnv4, forwarding: true, staleTime: 0xffffff }],
    };
    const message = encodeOpen(openFrom(summary));
    const open = decodeOpen(message, 19, message.length);
    if (!('capabilities' in open)) throw new Error(open.reason);
    expect(open.asn2).toBe(23456);
    expect(summarizeOpen(open)).toEqual(summary);
    expect(openFrom(summary, [], true).capabilities).toEqual([]);
  });
});

describe('NOTIFICATION', () => {
  it('has words for its codes', () => {
    expect(describeCode(6, 9)).toBe('Cease / Hard Reset');
    expect(describeCode(3, 0)).toBe('UPDATE Message Error');
    expect(describeCode(8, 0)).toBe('Send Hold Timer Expired');
    expect(describeCode(6, 99)).toBe('Cease / subcode 99');
    expect(describeCode(77, 1)).toBe('error code 77 / subcode 1');
  });

  it('cuts a shutdown text between characters (RFC 9003 §2)', () => {
    expect(text(encodeShutdownText(''))).toBe('');
    const data = encodeShutdownText('ü'.repeat(200));
    expect(data).toHaveLength(255);
    expect(data[0]).toBe(254);
    expect(new TextDecoder('utf-8', { fatal: true }).decode(data.subarray(1))).toHaveLength(127);
    expect(encodeShutdownText('x'.repeat(300))).toHaveLength(256);
  });

  it('reads what a careless peer says', () => {
    const fault = (data: string) => notification(6, 2, '', bytes(data));
    expect(decodeShutdownText(fault(''))).toBeUndefined();
    expect(decodeShutdownText(fault('00'))).toBeUndefined();
    expect(decodeShutdownText(fault('ff6869'))).toBe('hi');
    expect(decodeShutdownText(fault('02ff69'))).toBe('\ufffdi');
    expect(decodeShutdownText(notification(6, 1, '', bytes('0178')))).toBeUndefined();
  });

  it('wraps in Hard Reset (RFC 8538 §3.1)', () => {
    const inner = cease('administrativeReset', 'again');
    const outer = encodeNotification(hardReset(inner));
    expect(text(outer.subarray(19))).toBe('060906040561676169 6e'.replace(' ', ''));
    const received = decodeNotification(outer, 19, outer.length);
    expect(received.reason).toBe('Cease / Hard Reset: Cease / Administrative Reset: again');
    expect(hardResetInner(received)).toMatchObject({ code: 6, subcode: 4 });
    expect(hardResetInner(notification(6, 9, '', bytes('06')))).toBeUndefined();
    expect(hardResetInner(inner)).toBeUndefined();
  });

  it('never exceeds a message', () => {
    const long = notification(3, 1, '', new Uint8Array(65535));
    expect(encodeNotification(long)).toHaveLength(4096);
  });
});

describe('ROUTE-REFRESH (RFC 7313 §5)', () => {
  it('of subtype 1 and 2 has four octets', () => {
    const message = Buffer.concat([encodeRouteRefresh(FAMILY.vpnv4, 2), Buffer.from([0])]);
    expect(decodeRouteRefresh(message, 19, 24)).toMatchObject({ code: 7, subcode: 1 });
    message[21] = 0;
    expect(decodeRouteRefresh(message, 19, 24)).toMatchObject({ family: FAMILY.vpnv4, subtype: 0 });
  });
});
