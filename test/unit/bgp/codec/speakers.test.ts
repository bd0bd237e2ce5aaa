// SPDX-License-Identifier: Apache-2.0
/** What FRR, GoBGP and BIRD sent each other (test/vectors/bgp/capture.ts says how it was taken). */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { encodeAttributes } from '../../../../src/bgp/codec/attributes/encode.js';
import { splitMessages } from '../../../../src/bgp/codec/framing.js';
import { decodeOpen, encodeOpen } from '../../../../src/bgp/codec/open.js';
import { summarizeOpen } from '../../../../src/bgp/codec/open-summary.js';
import { decodeNotification } from '../../../../src/bgp/codec/notification.js';
import { familySet } from '../../../../src/bgp/codec/families.js';
import type { UpdateContext } from '../../../../src/bgp/codec/types.js';
import { bytes, CONTEXT, text } from './build.js';
import { readUpdate } from './read.js';

interface Speakers {
  readonly sessions: readonly { readonly from: string; readonly messages: readonly string[] }[];
}
const file = new URL('../../../vectors/bgp/speakers.json', import.meta.url);
const { sessions } = JSON.parse(readFileSync(file, 'utf8')) as Speakers;

const messagesFrom = (from: string) =>
  sessions.find((session) => session.from === from)!.messages.map(bytes);

/** Both GoBGP agreed on path identifiers, but for route targets. */
const contextOf = (from: string): UpdateContext =>
  /GoBGP \d to/.test(from)
    ? { ...CONTEXT, addPathReceive: familySet([0, 1, 2, 3, 4]), extendedNextHop: 0x7f }
    : { ...CONTEXT, extendedNextHop: 0x7f };

const updatesFrom = (from: string) =>
  messagesFrom(from)
    .filter((message) => message[18] === 2)
    .map((message) => readUpdate(message, contextOf(from), 19));

/** The update that announces a route, by the end of its text. */
const updateOf = (from: string, route: string) =>
  updatesFrom(from).find(({ announced }) => announced.some((one) => one.endsWith(route)))!;

/** Attributes one by one, in order of type, with as short a length as their size allows; MP_REACH left out. */
function normal(octets: Uint8Array): string[] {
  const list: { type: number; text: string }[] = [];
  for (let at = 0; at < octets.length;) {
    const [flags, type] = [octets[at]!, octets[at + 1]!];
    const head = (flags & 0x10) === 0 ? 3 : 4;
    const length = head === 3 ? octets[at + 2]! : octets[at + 2]! * 256 + octets[at + 3]!;
    const value = text(octets.subarray(at + head, at + head + length));
    if (type !== 3 && type !== 14) list.push({ type, text: `${flags & 0xe0} ${type} ${value}` });
    at += head + length;
  }
  return list.sort((a, b) => a.type - b.type).map((one) => one.text);
}

/** The capabilities of an OPEN, one after the other, without the parameters around them. */
function capabilitiesIn(message: Uint8Array): string {
  const extended = message[28] === 255 && message[29] === 255;
  const head = extended ? 3 : 2;
  const parts: string[] = [];
  for (let at = extended ? 32 : 29; at < message.length;) {
    const length = extended ? message[at + 1]! * 256 + message[at + 2]! : message[at + 1]!;
    parts.push(text(message.subarray(at + head, at + head + length)));
    at += head + length;
  }
  return parts.join('');
}

describe.each(sessions.map(({ from }) => from))('%s', (from) => {
  it('is split into its messages', () => {
    const stream = Buffer.concat(messagesFrom(from));
    const types: number[] = [];
    const result = splitMessages(stream, 0, stream.length, 4096, (type, start, end) => {
      expect(end - start + 19).toBe(stream.readUInt16BE(start - 3));
      types.push(type);
      return true;
    });
    expect(result).toEqual({ consumed: stream.length });
    expect(types).toEqual(messagesFrom(from).map((message) => message[18]));
  });

  it('has nothing that is found malformed', () => {
    for (const update of updatesFrom(from)) {
      expect(update).toMatchObject({ outcome: 'ok', reasons: [] });
    }
  });

  it('has attributes that we encode to the same octets', () => {
    for (const { attributes, octets } of updatesFrom(from)) {
      if (attributes === undefined) continue;
      expect(normal(encodeAttributes(attributes, contextOf(from)))).toEqual(normal(octets));
    }
  });

  it('begins with an OPEN that we encode to the same capabilities', () => {
    const [first] = messagesFrom(from);
    const open = decodeOpen(first!, 19, first!.length);
    if (!('capabilities' in open)) throw new Error(open.reason);
    expect(capabilitiesIn(encodeOpen(open))).toBe(capabilitiesIn(first!));
    expect(text(encodeOpen(open).subarray(19, 28))).toBe(text(first!.subarray(19, 28)));
    const known = open.capabilities.filter(({ kind }) => kind === 'unknown');
    // FRR's route refresh of before the RFC.
    expect(known).toEqual(
      from.startsWith('FRR') ? [{ kind: 'unknown', code: 128, value: new Uint8Array(0) }] : [],
    );
  });
});

const ROUTES_OF_GOBGP = [
  'ipv4-unicast 0a1e/16',
  'ipv4-unicast 0a1f00/17',
  'ipv6-unicast 20010db80030/44',
  'vpnv4-unicast [100] 0000fde90000001e0a2000/18',
  'vpnv4-unicast [101] 00010a000001001f0a2100/24',
  'vpnv6-unicast [102] 0000fde90000001e20010db80030/45',
];

describe('what the speakers were configured to send', () => {
  it.each(['GoBGP to FRR', 'FRR to BIRD'])('%s: the routes of GoBGP', (from) => {
    const routes = updatesFrom(from).flatMap(({ announced }) => announced);
    expect(routes).toEqual(expect.arrayContaining(ROUTES_OF_GOBGP));
  });

  it.each(['GoBGP to FRR', 'FRR to BIRD'])('%s: withdrawals and End-of-RIB', (from) => {
    const updates = updatesFrom(from);
    const withdrawn = updates.flatMap((update) => update.withdrawn);
    expect(withdrawn.sort()).toEqual([
      'ipv4-unicast 0a1f00/17',
      expect.stringMatching(/^vpnv4-unicast \[\d+\] 00010a000001001f0a2100\/24$/),
    ]);
    const ends = updates.flatMap(({ endOfRib }) => endOfRib ?? []).sort();
    expect(ends).toEqual(['ipv4-unicast', 'ipv6-unicast', 'vpnv4-unicast', 'vpnv6-unicast']);
  });

  it('attributes of IPv4 unicast', () => {
    expect(updateOf('GoBGP to FRR', '0a1e/16').attributes).toEqual({
      origin: 1,
      asPath: [
        { type: 2, asns: [7018] },
        { type: 1, asns: [65010, 65011] },
      ],
      nextHop: bytes('0a010102'),
      med: 5,
      localPref: 150,
      communities: [65001 * 65536 + 30, 0xffffff01],
      aggregator: { asn: 65010, address: bytes('c0000207') },
    });
    expect(updateOf('FRR to BIRD', '0a1f00/17').attributes).toEqual({
      origin: 2,
      asPath: [],
      nextHop: bytes('0a010102'),
      med: 0,
      localPref: 100,
      largeCommunities: [[65001, 4000000000, 3]],
      originatorId: 0x0a010102,
      clusterList: [0x0a090909],
    });
  });

  it('attributes of VPN routes', () => {
    const [from, other] = ['GoBGP to FRR', 'BIRD to FRR'];
    expect(updateOf(from, '0000fde90000001e0a2000/18').attributes).toEqual({
      origin: 2,
      asPath: [],
      nextHop: bytes('0a010102'),
      localPref: 99,
      // GoBGP reads "4200000000:102" as a 2-octet AS number, cut off.
      extendedCommunities: [0x0002fde900000064n, 0x0102c00002010065n, expect.any(BigInt)],
    });
    expect(updateOf(other, '0000fde9000000140a1500/20').attributes).toEqual({
      origin: 0,
      asPath: [{ type: 2, asns: [4200000000] }],
      nextHop: bytes('0a010202'),
      med: 77,
      localPref: 100,
      extendedCommunities: [0x0002fde900000064n, 0x01030a0000010007n],
      largeCommunities: [[65001, 1, 2]],
    });
    expect(updateOf(other, '20010db80021/48').attributes).toMatchObject({
      nextHop: bytes('20010db8000200000000000000000002'),
      extendedCommunities: [0x0202fa56ea000064n],
    });
  });

  it('path identifiers and route targets between two GoBGP', () => {
    const one = updatesFrom('GoBGP 1 to GoBGP 2').flatMap(({ announced }) => announced);
    expect(one).toContain('vpnv4-unicast 1 [100] 0000fde90000001e0a2000/18');
    const two = updatesFrom('GoBGP 2 to GoBGP 1').flatMap(({ announced }) => announced);
    expect(two).toEqual(['route-target 0000fde90002fde900000064/96']);
  });

  it('what an OPEN comes to', () => {
    const summary = (from: string) => {
      const [first] = messagesFrom(from);
      const open = decodeOpen(first!, 19, first!.length);
      return 'capabilities' in open ? summarizeOpen(open) : undefined;
    };
    const common = {
      version: 4,
      asn: 65001,
      as4: true,
      families: familySet([0, 1, 2, 3]),
      routeRefresh: true,
      multipleLabels: 0,
      addPathSend: 0,
    };
    expect(summary('BIRD to FRR')).toEqual({
      ...common,
      holdTime: 240,
      routerId: 0x0a010202,
      enhancedRefresh: true,
      extendedMessages: true,
      extendedNextHop: familySet([0, 2]),
      addPathReceive: 0,
      gracefulRestart: {
        ...{ restarting: false, notification: false, restartTime: 120 },
        ...{ families: 0, forwarding: 0 },
      },
      longLived: [0, 2, 1, 3].map((family) => ({ family, forwarding: false, staleTime: 3600 })),
    });
    const frr = {
      ...common,
      holdTime: 180,
      routerId: 0x0a010101,
      enhancedRefresh: true,
      extendedMessages: true,
      addPathReceive: familySet([0, 1, 2, 3]),
      gracefulRestart: {
        ...{ restarting: true, notification: true, restartTime: 120 },
        ...{ families: 0, forwarding: 0 },
      },
      longLived: [0, 2, 1, 3].map((family) => ({ family, forwarding: true, staleTime: 0 })),
    };
    expect(summary('FRR to GoBGP')).toEqual({ ...frr, extendedNextHop: 0 });
    expect(summary('FRR, extended optional parameters')).toEqual({ ...frr, extendedNextHop: 0 });
    expect(summary('GoBGP 1 to GoBGP 2')).toMatchObject({
      families: familySet([0, 1, 2, 3, 4, 6]),
      addPathSend: familySet([0, 1, 2, 3, 4]),
      addPathReceive: familySet([0, 1, 2, 3, 4]),
    });
  });

  it('the shutdown', () => {
    const last = messagesFrom('GoBGP to FRR').at(-1)!;
    expect(last[18]).toBe(3);
    expect(decodeNotification(last, 19, last.length)).toMatchObject({ code: 6, subcode: 2 });
  });
});
