// SPDX-License-Identifier: Apache-2.0
/** BMP messages: their octets, what tshark 4.0 reads in them, and what a station is told when. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { FAMILY } from '../../../../src/bgp/codec/types.js';
import {
  BmpExporter,
  type BmpInput,
  type BmpOutput,
  type BmpView,
} from '../../../../src/bgp/bmp/exporter.js';
import * as bmp from '../../../../src/bgp/bmp/messages.js';
import { parseRd } from '../../../../src/lib/bgp-words.js';
import { ethernet, ETHERTYPE, ip } from '../../../lib/packets.js';
import { writePcap } from '../../../lib/pcap.js';
import * as sample from '../mrt/samples.js';

const { NOON, peer, peer6 } = sample;
const hex = (octets: Uint8Array): string => Buffer.from(octets).toString('hex');
const RD = parseRd('65001:7')!;

describe('octets', () => {
  it('of the header of a peer', () => {
    const update = bmp.routeMonitoring(NOON, peer(), 'adj-in-pre', sample.UPDATE_AS4);
    expect(hex(update)).toBe(
      `03${(48 + 68).toString(16).padStart(8, '0')}00` +
        `00000000000000000000000000000000000000000000c000020b0000fde9c000020b69a42a400001e240${hex(sample.UPDATE_AS4)}`,
    );
  });

  it.each([
    [peer(), 'adj-in-pre', '0000'],
    [peer6(), 'adj-in-pre', '0080'],
    [peer({ as4: false }), 'adj-in-pre', '0020'],
    [peer(), 'adj-in-post', '0040'],
    [peer(), 'adj-out-pre', '0010'],
    [peer6({ rd: RD, as4: false }), 'adj-out-post', '01f0'],
  ] as const)('of peer type and flags', (from, view, expected) => {
    const message = bmp.routeMonitoring(NOON, from, view, sample.UPDATE_AS4);
    expect(hex(message.subarray(6, 8))).toBe(expected);
    expect(hex(message.subarray(8, 16))).toBe(
      from.rd === undefined ? '0'.repeat(16) : '0000fde900000007',
    );
  });

  it('of peer up and peer down', () => {
    const up = bmp.peerUp(NOON, peer(), sample.OPEN_SENT, sample.OPEN_RECEIVED);
    expect(hex(up.subarray(48))).toBe(
      `000000000000000000000000c00002019c4100b3${hex(sample.OPEN_SENT)}${hex(sample.OPEN_RECEIVED)}`,
    );
    const down = (reason: Parameters<typeof bmp.peerDown>[2]): string =>
      hex(bmp.peerDown(NOON, peer(), reason).subarray(48));
    expect(down({ kind: 'local-notification', message: sample.NOTIFICATION })).toBe(
      `01${hex(sample.NOTIFICATION)}`,
    );
    expect(down({ kind: 'local', event: 10 })).toBe('02000a');
    expect(down({ kind: 'remote-notification', message: sample.NOTIFICATION })).toBe(
      `03${hex(sample.NOTIFICATION)}`,
    );
    expect(down({ kind: 'remote' })).toBe('04');
    expect(down({ kind: 'unmonitored' })).toBe('05');
  });

  it('of the begin and the end', () => {
    expect(hex(bmp.initiation({ name: 'pe1', description: 'Sealane' }))).toBe(
      '030000001804' + '000100075365616c616e65' + '00020003706531',
    );
    expect(hex(bmp.termination('administrativelyClosed'))).toBe('030000000c05000100020000');
    expect(hex(bmp.termination('redundant'))).toBe('030000000c05000100020003');
  });

  it('of statistics: counters wrap, gauges do not', () => {
    const message = bmp.statistics(NOON, peer(), {
      rejectedByPolicy: 2 ** 32 + 5,
      adjRibIn: 2 ** 40,
      adjRibInByFamily: new Map([[FAMILY.vpnv4, 7]]),
    });
    expect(hex(message.subarray(48))).toBe(
      '00000003' +
        '0000000400000005' +
        '000700080000010000000000' +
        '0009000b0001800000000000000007',
    );
  });

  it('of long names: cut at the end of a character', () => {
    const message = bmp.initiation({ name: 'x', description: `a${'ä'.repeat(40_000)}` });
    const length = new DataView(message.buffer).getUint16(8);
    expect(length).toBe(65_535);
    const words = new TextDecoder('utf8', { fatal: true }).decode(
      message.subarray(10, 10 + length),
    );
    expect(words).toBe(`a${'ä'.repeat(32_767)}`);
    expect(bmp.lengthOf(message)).toBe(message.length);
    expect(bmp.lengthOf(message.subarray(0, 5))).toBeUndefined();
  });
});

// ---- tshark --------------------------------------------------------------------------------------

/** The messages as one TCP stream to port 11019, one segment each. */
function dissect(messages: readonly Uint8Array[], ...fields: string[]): string[][] {
  const folder = mkdtempSync(join(tmpdir(), 'd4-bmp-'));
  try {
    let sequence = 1;
    const frames = messages.map((message) => {
      const tcp = Buffer.alloc(20);
      tcp.writeUInt16BE(40_000, 0);
      tcp.writeUInt16BE(11_019, 2);
      tcp.writeUInt32BE(sequence, 4);
      tcp.writeUInt16BE(0x5018, 12); // 20 octets of header, PSH and ACK
      tcp.writeUInt16BE(65_535, 14);
      sequence += message.length;
      const payload = Buffer.concat([tcp, message]);
      return ethernet({
        ...{ destination: '02:00:00:00:00:02', source: '02:00:00:00:00:01', type: ETHERTYPE.ip4 },
        payload: ip({ source: '192.0.2.1', destination: '192.0.2.50', protocol: 6, payload }),
      });
    });
    const file = join(folder, 'x.pcap');
    writeFileSync(file, writePcap(frames));
    const shown = ['_ws.malformed', '_ws.expert.message', ...fields].flatMap((each) => [
      '-e',
      each,
    ]);
    const args = ['-r', file, '-d', 'tcp.port==11019,bmp', '-T', 'fields', '-E', 'separator=|'];
    const text = execFileSync('tshark', [...args, '-E', 'occurrence=a', ...shown], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    return text
      .trimEnd()
      .split('\n')
      .map((line) => line.split('|'));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A message without its last octets. */
function cut(message: Uint8Array, octets: number): Uint8Array {
  const shorter = message.slice(0, -octets);
  new DataView(shorter.buffer).setUint32(1, shorter.length);
  return shorter;
}

describe('tshark', () => {
  it('reads every message without a complaint, as what it is', () => {
    const down = { kind: 'remote-notification', message: sample.NOTIFICATION } as const;
    const inVrf = peer6({ rd: RD, vrf: 'a' });
    const table = { vrf: undefined, rd: undefined, asn: 65001, routerId: 0xc000_0201 };
    const out = new BmpExporter({
      views: new Set(['loc-rib']),
      ...{ systemName: 'pe1', systemDescription: 'Sealane' },
    });
    out.process({ kind: 'connected' }, NOON);
    const [locRib] = out.process({ kind: 'table-up', table, families: 5 }, NOON);
    const rows = dissect(
      [
        bmp.initiation({ name: 'pe1', description: 'Sealane' }),
        bmp.peerUp(NOON, peer(), sample.OPEN_SENT, sample.OPEN_RECEIVED),
        bmp.peerUp(NOON, inVrf, sample.OPEN_SENT, sample.OPEN_RECEIVED),
        bmp.routeMonitoring(NOON, peer(), 'adj-in-pre', sample.UPDATE_AS4),
        bmp.routeMonitoring(NOON, peer(), 'adj-in-pre', sample.UPDATE_VPN),
        bmp.routeMonitoring(NOON, peer(), 'adj-out-post', sample.END_OF_RIB_VPN),
        bmp.statistics(NOON, peer(), { rejectedByPolicy: 5, adjRibIn: 9 }),
        bmp.peerDown(NOON, peer(), down),
        // tshark 4.0 takes the TLVs behind the OPENs for a BGP message: the name of the table is cut off.
        cut(locRib?.kind === 'send' ? locRib.message : new Uint8Array(), 4 + 'global'.length),
        bmp.locRibMonitoring(NOON, table, sample.UPDATE_AS4),
        bmp.locRibDown(NOON, table),
        bmp.termination('administrativelyClosed'),
      ],
      ...['bmp.type', 'bmp.length', 'bmp.peer.type', 'bmp.peer.asn', 'bmp.peer.id'],
      ...['bgp.type', 'bgp.nlri_prefix', 'bgp.mp_reach_nlri_ipv4_prefix'],
    );
    expect(rows.map(([malformed]) => malformed)).toEqual(rows.map(() => ''));
    expect(rows.map(([, expert]) => expert)).toEqual(rows.map(() => ''));
    const [one, two, own] = [
      ['0', '65001', '192.0.2.11'],
      ['1', '4200000000', '192.0.2.12'],
      ['3', '65001', '192.0.2.1'],
    ] as const;
    const none = ['', '', ''];
    const both = '10.1.0.0,10.2.3.0';
    expect(rows.map((row) => row.slice(2, 9))).toEqual([
      ['4', '24', ...none, '', ''],
      ['3', '166', ...one, '1,1', ''],
      ['3', '166', ...two, '1,1', ''],
      ['0', '116', ...one, '2', both],
      ['0', '130', ...one, '2', ''],
      ['0', '77', ...one, '2', ''],
      ['1', '72', ...one, '', ''],
      ['2', '74', ...one, '3', ''],
      ['3', '166', ...own, '1,1', ''],
      ['0', '116', ...own, '2', both],
      ['2', '59', ...own, '', ''],
      ['5', '12', ...none, '', ''],
    ]);
    expect(rows[4]?.slice(9)).toEqual(['10.9.0.0']);
  });

  it('reads path identifiers as the OPENs of Peer Up say', () => {
    const sender = peer({ addPathReceive: sample.ADD_PATH_IPV4 });
    const rows = dissect(
      [
        bmp.peerUp(NOON, sender, sample.OPEN_ADD_PATH, sample.OPEN_ADD_PATH),
        bmp.routeMonitoring(NOON, sender, 'adj-in-pre', sample.UPDATE_ADD_PATH),
      ],
      ...['bgp.nlri_path_id', 'bgp.nlri_prefix'],
    );
    expect(rows.at(-1)).toEqual(['', '', '1,2', '10.1.0.0,10.1.0.0']);
  });
});

// ---- Who is told what ----------------------------------------------------------------------------

describe('the exporter', () => {
  const make = (...views: BmpView[]) =>
    new BmpExporter({ views: new Set(views), systemName: 'pe1', systemDescription: 'Sealane' });

  /** Types of what is sent, and what is asked for. */
  const said = (outputs: readonly BmpOutput[]): string[] =>
    outputs.map((output) =>
      output.kind === 'send'
        ? (['routes', 'statistics', 'down', 'up', 'initiation', 'termination'][
            output.message[5]!
          ] ?? '')
        : `snapshot ${output.of === 'peer' ? `${output.peer} ${output.view}` : (output.vrf ?? 'global')}`,
    );

  const up = (from = peer()): BmpInput => ({
    ...{ kind: 'peer-up', peer: from, sent: sample.OPEN_SENT, received: sample.OPEN_RECEIVED },
  });
  const update = (direction: 'in' | 'out', message = sample.UPDATE_AS4): BmpInput => ({
    ...{ kind: 'message', peer: 1, direction, message },
  });
  const table = { vrf: 'a', rd: RD, asn: 65001, routerId: 1 };

  it('tells a station that connects who is up, and asks for their tables', () => {
    const exporter = make('adj-in-pre');
    expect(exporter.process(up(), NOON)).toEqual([]);
    expect(exporter.process(up(peer6()), NOON)).toEqual([]);
    expect(exporter.process(update('in'), NOON)).toEqual([]);
    const everything = ['initiation', 'up', 'snapshot 1 adj-in-pre', 'up', 'snapshot 2 adj-in-pre'];
    expect(said(exporter.process({ kind: 'connected' }, NOON))).toEqual(everything);
    exporter.process({ kind: 'disconnected' }, NOON);
    expect(exporter.process(update('in'), NOON)).toEqual([]);
    expect(said(exporter.process({ kind: 'connected' }, NOON))).toEqual(everything);
  });

  it('remembers OPENs as they were, whatever becomes of the buffer', () => {
    const exporter = make('adj-in-pre');
    const buffer = Uint8Array.from(sample.OPEN_SENT);
    exporter.process({ kind: 'peer-up', peer: peer(), sent: buffer, received: buffer }, NOON);
    buffer.fill(0);
    const [, message] = exporter.process({ kind: 'connected' }, NOON);
    expect(message).toEqual({
      kind: 'send',
      message: bmp.peerUp(NOON, peer(), sample.OPEN_SENT, sample.OPEN_SENT),
    });
  });

  it('mirrors what happens, UPDATEs alone, in the views asked for', () => {
    const one = make('adj-in-pre');
    one.process({ kind: 'connected' }, NOON);
    expect(said(one.process(up(), NOON))).toEqual(['up']);
    expect(one.process(update('in'), NOON)).toEqual([
      { kind: 'send', message: bmp.routeMonitoring(NOON, peer(), 'adj-in-pre', sample.UPDATE_AS4) },
    ]);
    expect(one.process(update('out'), NOON)).toEqual([]);
    expect(one.process(update('in', sample.KEEPALIVE), NOON)).toEqual([]);
    const both = make('adj-in-pre', 'adj-out-post');
    both.process({ kind: 'connected' }, NOON);
    both.process(up(), NOON);
    expect(both.process(update('out'), NOON)).toEqual([
      {
        kind: 'send',
        message: bmp.routeMonitoring(NOON, peer(), 'adj-out-post', sample.UPDATE_AS4),
      },
    ]);
  });

  it('a piece of a table has the time it was received, and goes only where it was asked for', () => {
    const exporter = make('adj-in-pre');
    exporter.process({ kind: 'connected' }, NOON);
    exporter.process(up(), NOON);
    const piece = {
      kind: 'routes',
      peer: 1,
      view: 'adj-in-pre',
      update: sample.UPDATE_VPN,
    } as const;
    expect(exporter.process({ ...piece, received: 5_000_001 }, NOON)).toEqual([
      {
        kind: 'send',
        message: bmp.routeMonitoring(5_000_001, peer(), 'adj-in-pre', sample.UPDATE_VPN),
      },
    ]);
    expect(exporter.process({ ...piece, view: 'adj-out-post' }, NOON)).toEqual([]);
    expect(exporter.process({ ...piece, peer: 9 }, NOON)).toEqual([]);
  });

  it('knows one session per peer: up again means down before', () => {
    const exporter = make('adj-in-pre');
    exporter.process({ kind: 'connected' }, NOON);
    exporter.process(up(), NOON);
    expect(said(exporter.process(up(), NOON))).toEqual(['down', 'up']);
    const down = { kind: 'peer-down', peer: 1, down: { kind: 'remote' } } as const;
    expect(said(exporter.process(down, NOON))).toEqual(['down']);
    expect(exporter.process(down, NOON)).toEqual([]);
    expect([...exporter.peers]).toEqual([]);
  });

  it('tells tables to who wants Loc-RIBs, and nothing of sessions to who wants nothing else', () => {
    const exporter = make('loc-rib');
    exporter.process(up(), NOON);
    exporter.process({ kind: 'table-up', table, families: 1 }, NOON);
    expect(said(exporter.process({ kind: 'connected' }, NOON))).toEqual([
      'initiation',
      'up',
      'snapshot a',
    ]);
    expect(exporter.process(update('in'), NOON)).toEqual([]);
    const change = { kind: 'table-update', vrf: 'a', update: sample.UPDATE_AS4 } as const;
    expect(said(exporter.process(change, NOON))).toEqual(['routes']);
    expect(exporter.process({ ...change, vrf: 'b' }, NOON)).toEqual([]);
    expect(said(exporter.process({ kind: 'table-down', vrf: 'a' }, NOON))).toEqual(['down']);
    expect(exporter.process(change, NOON)).toEqual([]);
    const other = make('adj-in-pre');
    other.process({ kind: 'connected' }, NOON);
    expect(other.process({ kind: 'table-up', table, families: 1 }, NOON)).toEqual([]);
  });

  it('says nothing after its goodbye', () => {
    const exporter = make('adj-in-pre');
    exporter.process({ kind: 'connected' }, NOON);
    exporter.process(up(), NOON);
    expect(
      said(exporter.process({ kind: 'stop', reason: 'administrativelyClosed' }, NOON)),
    ).toEqual(['termination']);
    expect(exporter.process(update('in'), NOON)).toEqual([]);
  });
});
