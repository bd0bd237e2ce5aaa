// SPDX-License-Identifier: Apache-2.0
/** MRT records: their octets, and what bgpdump 1.6 and OpenBGPD 7.7's bgpctl read in them. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { FAMILY } from '../../../../src/bgp/codec/types.js';
import { carriesPathIds } from '../../../../src/bgp/mrt/message-families.js';
import { messageRecord, stateRecord } from '../../../../src/bgp/mrt/records.js';
import { tableDump, type DumpPeer, type TableDump } from '../../../../src/bgp/mrt/table-dump.js';
import type { TablePath, TableRoute } from '../../../../src/bgp/monitor.js';
import { parseAddress } from '../../../../src/lib/ip.js';
import * as sample from './samples.js';

const { bytes, NOON, peer, peer6 } = sample;
const hex = (octets: Uint8Array): string => Buffer.from(octets).toString('hex');
const IPV4 = sample.ADD_PATH_IPV4;

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'd4-mrt-'));
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

const BGPDUMP = '/usr/bin/bgpdump';
const BGPCTL = '/usr/sbin/bgpctl';

function file(records: readonly Uint8Array[]): string {
  const path = join(folder, 'x.mrt');
  writeFileSync(path, Buffer.concat(records));
  return path;
}

const announced = (prefix: string, kind = ''): string =>
  `BGP4MP_ET${kind}|1772366400.123456|A|192.0.2.11|65001|${prefix}`;

/** One line per route: TYPE|seconds|...; what it complains about on stderr fails the test. */
function bgpdump(...records: Uint8Array[]): string[] {
  const out = execFileSync(BGPDUMP, ['-m', file(records)], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  return out.trim().split('\n');
}

function bgpctl(what: readonly string[], ...records: Uint8Array[]): string {
  return execFileSync(BGPCTL, ['show', 'mrt', ...what, 'file', file(records)], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

const SECONDS = '69a42a40'; // date -u -d '2026-03-01 12:00' +%s, in hexadecimal

describe('records of messages', () => {
  it('has header, ends and the message as it came', () => {
    expect(hex(messageRecord(NOON, peer(), 'in', sample.UPDATE_AS4))).toBe(
      // BGP4MP_ET, MESSAGE_AS4, length 4 + 20 + 68
      `${SECONDS}00110004${(4 + 20 + 68).toString(16).padStart(8, '0')}0001e240` +
        `0000fde90000fde900000001c000020bc0000201${hex(sample.UPDATE_AS4)}`,
    );
  });

  it.each([
    ['in', true, 0, sample.UPDATE_AS4, 4],
    ['in', false, 0, sample.UPDATE_AS2, 1],
    ['out', true, 0, sample.UPDATE_AS4, 7],
    ['out', false, 0, sample.UPDATE_AS2, 6],
    ['in', true, IPV4, sample.UPDATE_ADD_PATH, 9],
    ['in', false, IPV4, sample.UPDATE_ADD_PATH, 8],
    ['out', true, IPV4, sample.UPDATE_ADD_PATH, 11],
    ['out', false, IPV4, sample.UPDATE_ADD_PATH, 10],
    // Path identifiers of one family do not make the others' messages have them.
    ['in', true, IPV4, sample.UPDATE_VPN, 4],
    ['in', true, IPV4, sample.KEEPALIVE, 4],
    ['in', true, IPV4, sample.END_OF_RIB_VPN, 4],
  ] as const)(
    'direction %s, as4 %s, ADD-PATH %d: its subtype',
    (direction, as4, ids, message, subtype) => {
      const sender = peer({ as4, addPathReceive: ids, addPathSend: ids });
      const record = messageRecord(NOON, sender, direction, message);
      expect(record[7]).toBe(subtype);
      const one = direction === 'in' ? { addPathReceive: 0 } : { addPathSend: 0 };
      const plain = messageRecord(NOON, { ...sender, ...one }, direction, message);
      expect(plain[7]).toBe(
        new Map([
          [9, 4],
          [8, 1],
          [11, 7],
          [10, 6],
        ]).get(subtype) ?? subtype,
      );
    },
  );

  it('says AS_TRANS where two octets do not suffice (RFC 6793 §9), and IPv6 addresses', () => {
    const record = messageRecord(NOON, peer6({ as4: false }), 'in', sample.KEEPALIVE);
    expect(hex(record.subarray(16, 24))).toBe('5ba0fde900000002');
    expect(record.length).toBe(16 + 8 + 32 + 19);
  });

  it('looks into messages without trusting them', () => {
    for (const message of [sample.UPDATE_VPN, sample.UPDATE_ADD_PATH, sample.END_OF_RIB_VPN]) {
      for (let cut = 0; cut <= message.length; cut++) {
        const part = message.slice(0, cut);
        expect(() => carriesPathIds(part, 0x7f)).not.toThrow();
        for (const value of [0, 255]) {
          const broken = Uint8Array.from(message);
          broken[cut] = value;
          expect(() => carriesPathIds(broken, 0x7f)).not.toThrow();
        }
      }
    }
    expect(carriesPathIds(sample.UPDATE_VPN, 1 << FAMILY.vpnv4)).toBe(true);
    expect(carriesPathIds(sample.END_OF_RIB_VPN, 1 << FAMILY.vpnv4)).toBe(true);
    expect(carriesPathIds(sample.UPDATE_VPN, 1 << FAMILY.ipv4Unicast)).toBe(false);
  });

  it('state changes', () => {
    expect(hex(stateRecord(NOON, peer(), 5, 6))).toBe(
      `${SECONDS}001100050000001c0001e2400000fde90000fde900000001c000020bc000020100050006`,
    );
  });
});

// ---- Tables --------------------------------------------------------------------------------------

const PEERS: readonly DumpPeer[] = [peer(), peer6()];
const dump = (changes: Partial<TableDump> = {}): TableDump => ({
  ...{ now: NOON, routerId: 0xc000_0201, view: 'a', peers: PEERS },
  ...changes,
});

/** ORIGIN IGP, AS_PATH 65100 4200000000, LOCAL_PREF 200, community 65001:100. */
const ATTRIBUTES = bytes(
  '400101 00 40020a 02 02 0000fe4c fa56ea00 400504 000000c8 c00804 fde90064',
);

const path = (changes: Partial<TablePath> = {}): TablePath => ({
  ...{ peer: 1, originated: 0x69a42a00, pathId: 0, nextHop: parseAddress('192.0.2.7')! },
  ...{ attributes: ATTRIBUTES },
  ...changes,
});

const route = (changes: Partial<TableRoute> = {}): TableRoute => ({
  ...{ family: FAMILY.ipv4Unicast, nlri: bytes('100a01'), addPath: false, paths: [path()] },
  ...changes,
});

const ipv6 = (): TableRoute =>
  route({
    family: FAMILY.ipv6Unicast,
    nlri: bytes('30 20010db80005'),
    paths: [path({ peer: 2, nextHop: parseAddress('2001:db8::12')! })],
  });

const vpn = (changes: Partial<TableRoute> = {}): TableRoute =>
  route({
    family: FAMILY.vpnv4,
    nlri: bytes('68 003e81 0000fde900000001 0a09'),
    paths: [path({ nextHop: bytes('0000000000000000 c0000207') })],
    ...changes,
  });

describe('records of tables', () => {
  it('names the peers', () => {
    const [index = new Uint8Array()] = tableDump(dump(), []);
    expect(hex(index)).toBe(
      `${SECONDS}000d00010000002fc0000201000161000202c000020bc000020b0000fde9` +
        `03c000020c20010db8000000000000000000000012fa56ea00`,
    );
  });

  it('has the next hop among the attributes, in order of type', () => {
    const [, record = new Uint8Array()] = tableDump(dump(), [route()]);
    const attributes =
      '40010100' +
      '40020a02020000fe4cfa56ea00' +
      '400304c0000207' +
      '400504000000c8' +
      'c00804fde90064';
    expect(hex(record)).toBe(
      `${SECONDS}000d0002000000${(4 + 3 + 2 + 8 + attributes.length / 2).toString(16)}` +
        `00000000100a010001000069a42a00${(attributes.length / 2).toString(16).padStart(4, '0')}${attributes}`,
    );
  });

  it('cuts MP_REACH_NLRI to the next hop, for IPv6 and VPN routes', () => {
    const [, six = new Uint8Array(), vpnv4 = new Uint8Array()] = tableDump(dump(), [ipv6(), vpn()]);
    expect(hex(six)).toContain('800e111020010db8000000000000000000000012');
    expect(hex(six.subarray(4, 8))).toBe('000d0004');
    expect(hex(vpnv4)).toContain('800e0d0c0000000000000000c0000207');
    // | sequence 1 | AFI 1 | SAFI 128 | NLRI | one entry |
    expect(hex(vpnv4.subarray(4, 8))).toBe('000d0006');
    expect(hex(vpnv4.subarray(12, 35))).toBe('0000000100018068003e810000fde9000000010a090001');
  });

  it('has path identifiers in the entries, of VPN routes in the NLRI (RFC 8050)', () => {
    const paths = [path({ pathId: 7 }), path({ pathId: 8, peer: 2 })];
    const all = [
      ...tableDump(dump(), [route({ addPath: true, paths }), vpn({ addPath: true, paths })]),
    ];
    expect(all.map((each) => each[7])).toEqual([1, 8, 12, 12]);
    expect(hex(all[1]!.subarray(12, 31))).toBe('00000000100a010002000069a42a0000000007');
    expect(hex(all[2]!.subarray(12, 23))).toBe('0000000100018000000007');
    expect(hex(all[3]!.subarray(12, 23))).toBe('0000000200018000000008');
  });

  it('writes more entries than one record takes as several', () => {
    const paths = Array.from({ length: 65_536 }, () => path({ attributes: bytes('40010100') }));
    const records = [...tableDump(dump(), [route({ paths })])];
    expect(records).toHaveLength(3);
    expect([records[1]!, records[2]!].map((each) => hex(each.subarray(19, 21)))).toEqual([
      'ffff',
      '0001',
    ]);
  });

  it('refuses paths of peers it does not name', () => {
    expect(() => [...tableDump(dump(), [route({ paths: [path({ peer: 9 })] })])]).toThrow(
      RangeError,
    );
  });
});

// ---- Other readers -------------------------------------------------------------------------------

describe.skipIf(!existsSync(BGPDUMP))('bgpdump', () => {
  it('reads tables', () => {
    expect(bgpdump(...tableDump(dump(), [route(), ipv6()]))).toEqual([
      'TABLE_DUMP2|1772366400|B|192.0.2.11|65001|10.1.0.0/16|65100 4200000000|IGP|192.0.2.7|200|0|65001:100|NAG||',
      'TABLE_DUMP2|1772366400|B|2001:db8::12|4200000000|2001:db8:5::/48|65100 4200000000|IGP|2001:db8::12|200|0|65001:100|NAG||',
    ]);
  });

  it('reads messages of 4 and 2 octets per AS number, and state changes', () => {
    const message = (as4: boolean, update: Uint8Array): Uint8Array =>
      messageRecord(NOON, peer({ as4 }), 'in', update);
    expect(
      bgpdump(
        message(true, sample.UPDATE_AS4),
        message(false, sample.UPDATE_AS2),
        stateRecord(NOON, peer(), 5, 6),
        messageRecord(NOON, peer({ addPathReceive: IPV4 }), 'in', sample.UPDATE_ADD_PATH),
      ),
    ).toEqual([
      ...['10.1.0.0/16', '10.2.3.0/24'].map(
        (prefix) => `${announced(prefix)}|65100 4200000000|IGP|192.0.2.7|0|5|65001:100|NAG||`,
      ),
      ...['10.1.0.0/16', '10.2.3.0/24'].map(
        (prefix) => `${announced(prefix)}|65100 65101|INCOMPLETE|192.0.2.7|0|0||NAG||`,
      ),
      'BGP4MP_ET|1772366400.123456|STATE|192.0.2.11|65001|5|6',
      ...[1, 2].map(
        (id) => `${announced('10.1.0.0/16', '_AP')}|${id}|65100|IGP|192.0.2.7|0|0||NAG||`,
      ),
    ]);
  });

  it('reads path identifiers of tables', () => {
    const paths = [path({ pathId: 7 }), path({ pathId: 8, peer: 2 })];
    const lines = bgpdump(...tableDump(dump(), [route({ addPath: true, paths })]));
    expect(lines.map((line) => line.split('|').slice(0, 8).join(' '))).toEqual([
      'TABLE_DUMP2_AP 1772366400 B 192.0.2.11 65001 10.1.0.0/16 7 65100 4200000000',
      'TABLE_DUMP2_AP 1772366400 B 2001:db8::12 4200000000 10.1.0.0/16 8 65100 4200000000',
    ]);
  });
});

describe("OpenBGPD's bgpctl", () => {
  beforeEach((context) => {
    if (!existsSync(BGPCTL)) context.skip('openbgpd is not installed');
  });

  /** Blocks without the age, which grows. */
  const blocks = (text: string): string[] =>
    text
      .trim()
      .split('\n\n')
      .map((block) => block.replaceAll(/\n? *Last update: .*/g, '').replaceAll(/\s+/g, ' '));

  it('reads tables, VPN routes too', () => {
    const rest = 'Origin IGP, metric 0, localpref 200, weight 0, ovs not-found, external';
    const entry = (prefix: string, nextHop: string, from: string): string =>
      `BGP routing table entry for ${prefix} 65100 4200000000 ` +
      `Nexthop ${nextHop} (via ${nextHop}) Neighbor ${from} ${rest} Communities: 65001:100`;
    expect(blocks(bgpctl(['detail'], ...tableDump(dump(), [route(), ipv6(), vpn()])))).toEqual([
      entry('10.1.0.0/16', '192.0.2.7', '192.0.2.11 (192.0.2.11)'),
      entry('2001:db8:5::/48', '2001:db8::12', '2001:db8::12 (192.0.2.12)'),
      entry('rd 65001:1 10.9.0.0/16', 'rd 0:0 192.0.2.7', '192.0.2.11 (192.0.2.11)'),
    ]);
  });

  it('reads messages, those of VPNs and with path identifiers too', () => {
    const text = bgpctl(
      ['detail'],
      messageRecord(NOON, peer(), 'in', sample.OPEN_ADD_PATH),
      messageRecord(NOON, peer(), 'in', sample.UPDATE_VPN),
      messageRecord(NOON, peer({ addPathReceive: IPV4 }), 'in', sample.UPDATE_ADD_PATH),
      messageRecord(NOON, peer(), 'out', sample.NOTIFICATION),
      messageRecord(NOON, peer6(), 'in', sample.KEEPALIVE),
    );
    // It shows the time of the first record only, and no VPN prefixes of messages: bgpdump and tshark do.
    const lines = text.split('\n').map((line) => line.replace(/^\d+\.\d{6} /, '').trim());
    expect(lines).toEqual(
      expect.arrayContaining([
        '192.0.2.11[65001] -> 192.0.2.1[65001]: size 55 OPEN',
        '4-byte AS num capability: AS 65001',
        '192.0.2.11[65001] -> 192.0.2.1[65001]: size 82 UPDATE',
        'Ext. Communities: rt 65001:1',
        '192.0.2.11[65001] -> 192.0.2.1[65001]: size 57 addpath UPDATE',
        'NLRI prefixes: 10.1.0.0/16 path-id 1 10.1.0.0/16 path-id 2',
        '192.0.2.11[65001] -> 192.0.2.1[65001]: size 25 NOTIFICATION',
        'Cease, administratively downshutdown reason: "bye"',
        '2001:db8::12[4200000000] -> 2001:db8::1[65001]: size 19 KEEPALIVE',
      ]),
    );
  });
});
