// SPDX-License-Identifier: Apache-2.0
/** Corners of what UPDATEs carry; octets are laid out from the RFCs. */
import { describe, expect, it } from 'vitest';
import { countAsn } from '../../../../src/bgp/codec/attributes/as-path.js';
import { encodeAttributes } from '../../../../src/bgp/codec/attributes/encode.js';
import { scanAttributes } from '../../../../src/bgp/codec/attributes/scan.js';
import { newAttributeScan } from '../../../../src/bgp/codec/attributes/types.js';
import { familySet } from '../../../../src/bgp/codec/families.js';
import { newNlri, nlriReader } from '../../../../src/bgp/codec/nlri/reader.js';
import { FAMILY, NLRI_MODE } from '../../../../src/bgp/codec/types.js';
import { UpdateWriter } from '../../../../src/bgp/codec/update-writer.js';
import { attribute, bytes, CONTEXT, text } from './build.js';
import { readUpdate } from './read.js';

describe('NLRI', () => {
  const read = (family: 0 | 2 | 4 | 6, mode: number, hex: string) => {
    const octets = bytes(hex);
    const nlri = newNlri();
    const next = nlriReader(family)(mode, octets, 0, octets.length, nlri);
    return { next, ...nlri, key: text(octets.subarray(nlri.keyAt, nlri.keyAt + nlri.keyBytes)) };
  };

  it('sets the bits behind the prefix to zero', () => {
    expect(read(FAMILY.ipv4Unicast, 0, '0a ffff').key).toBe('ffc0');
    expect(read(FAMILY.ipv4Unicast, 0, '10 ffff').key).toBe('ffff');
    expect(read(FAMILY.vpnv4, 0, '59 000101 0000fde900000001 ff').key).toBe('0000fde90000000180');
  });

  it('has one label, whatever its S bit, unless more were agreed to (RFC 8277 §2.2, 2.3)', () => {
    const two = '38 000100 000111 0a';
    expect(read(FAMILY.ipv4Labelled, 0, two)).toMatchObject({ label: 16, length: 32 });
    const stack = read(FAMILY.ipv4Labelled, NLRI_MODE.labelStack, two);
    expect(stack).toMatchObject({ label: 16, labelCount: 2, labelsAt: 1, length: 8, key: '0a' });
    expect(read(FAMILY.ipv4Labelled, NLRI_MODE.labelStack, '38 000100 000110 0a').next).toBe(-1);
  });

  it('takes the label of a withdrawal for what it says (RFC 8277 §2.4)', () => {
    const mode = NLRI_MODE.withdrawn | NLRI_MODE.labelStack;
    const rd = '0000fde900000001';
    expect(read(FAMILY.vpnv4, mode, `60 800000 ${rd} 0a`)).toMatchObject({ label: 0x800000 });
    expect(read(FAMILY.vpnv4, mode, `60 000000 ${rd} 0a`)).toMatchObject({ label: 0, length: 8 });
    expect(read(FAMILY.vpnv4, mode, `60 000641 ${rd} 0a`)).toMatchObject({ label: 100 });
    // As a label of a route it is an ordinary number.
    expect(read(FAMILY.vpnv4, 0, `60 800000 ${rd} 0a`)).toMatchObject({ label: 0x80000 });
  });

  it('of the default route target has no key', () => {
    expect(read(FAMILY.routeTarget, 0, '00')).toMatchObject({ next: 1, keyBytes: 0, length: 0 });
  });

  it('writes stacks of labels only to who takes them', () => {
    const nlri = { ...newNlri(), labelCount: 2, labelsAt: 0, keyBytes: 1, length: 8 };
    // S bits as they may come; the last label's is the only one that is sent.
    const labels = bytes('000101 000110');
    const octets = encodeAttributes({ origin: 0, asPath: [] }, CONTEXT);
    const family = FAMILY.ipv4Labelled;
    const one = new UpdateWriter(CONTEXT);
    one.announcing(family, octets, bytes('c0000201'));
    expect(one.add(nlri, bytes('0a'), labels)).toBe(false);
    expect(one.take()).toHaveLength(0);
    const many = new UpdateWriter({ ...CONTEXT, multipleLabels: familySet([family]) });
    many.announcing(family, octets, bytes('c0000201'));
    expect(many.add(nlri, bytes('0a'), labels)).toBe(true);
    expect(text(many.take())).toContain('380001000001110a');
  });

  it('is not written when it does not fit beside the attributes', () => {
    const others = [{ flags: 0xe0, type: 250, value: new Uint8Array(4096 - 23 - 40) }];
    const octets = encodeAttributes({ origin: 0, asPath: [], others }, CONTEXT);
    const writer = new UpdateWriter(CONTEXT);
    writer.announcing(FAMILY.vpnv4, octets, bytes('c0000201'));
    const key = bytes('0000fde9000000010a');
    expect(writer.add({ ...newNlri(), labelCount: 1, keyBytes: 9, length: 8 }, key)).toBe(false);
    expect(writer.take()).toHaveLength(0);
    expect(() => new UpdateWriter(CONTEXT).add(newNlri(), key)).toThrow('neither');
  });
});

describe('AS numbers of 2-octet peers (RFC 6793)', () => {
  const context = { ...CONTEXT, as4: false };
  const pathOf = (path2: string, path4: string, ...more: string[]) => {
    const octets = bytes(
      [
        attribute(0x40, 1, '00'),
        attribute(0x40, 2, path2),
        attribute(0x40, 3, 'c0000201'),
        ...more,
        attribute(0xc0, 17, path4),
      ].join(''),
    );
    const scan = newAttributeScan();
    const faults = scanAttributes(octets, 0, octets.length, { context, classic: true }, scan);
    expect(faults).toEqual([]);
    const list = octets.length.toString(16).padStart(4, '0');
    const read = readUpdate(bytes(`0000 ${list} ${text(octets)} 080a`), context);
    const shown = read.attributes?.asPath.map(({ type, asns }) => `${type}:${asns.join()}`);
    const loops = countAsn(octets, scan, 4200000000);
    const { asPathHops: hops, neighbourAs, originAs } = scan;
    return { path: shown?.join(' '), hops, neighbourAs, originAs, loops };
  };
  const big = 'fa56ea00';

  it('takes the leading part of AS_PATH and then AS4_PATH (§4.2.3)', () => {
    expect(pathOf('0203 fde9 5ba0 1b6a', `0202 ${big} 00001b6a`)).toEqual({
      path: '2:65001,4200000000,7018',
      ...{ hops: 3, neighbourAs: 65001, originAs: 7018, loops: 1 },
    });
    expect(pathOf('0201 5ba0', `0201 ${big}`)).toEqual({
      path: '2:4200000000',
      ...{ hops: 1, neighbourAs: 4200000000, originAs: 4200000000, loops: 1 },
    });
  });

  it('counts a set as one', () => {
    expect(pathOf('0202 fde9 5ba0 0102 0001 0002', `0201 ${big} 0102 00000001 00000002`)).toEqual({
      path: '2:65001,4200000000 1:1,2',
      ...{ hops: 3, neighbourAs: 65001, originAs: 0, loops: 1 },
    });
  });

  it('ignores an AS4_PATH that is longer than AS_PATH', () => {
    expect(pathOf('0201 fde9', `0202 ${big} 00001b6a`)).toEqual({
      path: '2:65001',
      ...{ hops: 1, neighbourAs: 65001, originAs: 65001, loops: 0 },
    });
  });

  it('ignores it when AGGREGATOR was made by another speaker on the way', () => {
    const aggregators = [attribute(0xc0, 7, '1b6ac0000207'), attribute(0xc0, 18, `${big}c0000208`)];
    expect(pathOf('0202 fde9 5ba0', `0201 ${big}`, ...aggregators)).toMatchObject({
      path: '2:65001,23456',
    });
  });

  it('keeps leading confederation segments and drops those in AS4_PATH', () => {
    expect(pathOf('0301 fdea 0202 fde9 5ba0', `0301 0000fdeb 0201 ${big}`)).toMatchObject({
      path: '3:65002 2:65001,4200000000',
      ...{ hops: 2, neighbourAs: 65001 },
    });
  });

  it('writes no AS4_PATH when all numbers fit, and confederation segments in AS_PATH alone', () => {
    const small = encodeAttributes({ origin: 0, asPath: [{ type: 2, asns: [1] }] }, context);
    expect(text(small)).toBe(attribute(0x40, 1, '00') + attribute(0x40, 2, '02010001'));
    const asPath = [
      { type: 3, asns: [65002] },
      { type: 2, asns: [4200000000] },
    ] as const;
    expect(text(encodeAttributes({ origin: 0, asPath }, context))).toBe(
      attribute(0x40, 1, '00') +
        attribute(0x40, 2, '0301fdea02015ba0') +
        attribute(0xc0, 17, `0201${big}`),
    );
  });
});

describe('encodeAttributes', () => {
  it('makes several segments of more than 255 AS numbers', () => {
    const asns = Array.from({ length: 300 }, (_, i) => i + 1);
    const octets = encodeAttributes({ origin: 0, asPath: [{ type: 2, asns }] }, CONTEXT);
    const whole = Buffer.from(octets);
    // Extended length: 2 + 255 * 4 + 2 + 45 * 4.
    expect(whole.subarray(4, 8).toString('hex')).toBe('500204b4');
    expect([whole[8], whole[9], whole[10 + 1020], whole[11 + 1020]]).toEqual([2, 255, 2, 45]);
  });

  it('sorts raw attributes in and keeps the Partial bit', () => {
    const octets = encodeAttributes(
      {
        ...{ origin: 0, asPath: [], communities: [1], largeCommunities: [[1, 2, 3]] },
        others: [
          { flags: 0xe0, type: 250, value: bytes('01') },
          { flags: 0xe0, type: 20, value: bytes('02') },
        ],
        partial: [8],
      },
      CONTEXT,
    );
    expect(text(octets)).toBe(
      [
        ...[attribute(0x40, 1, '00'), attribute(0x40, 2, '')],
        ...[attribute(0xe0, 8, '00000001'), attribute(0xe0, 20, '02')],
        ...[attribute(0xc0, 32, '000000010000000200000003'), attribute(0xe0, 250, '01')],
      ].join(''),
    );
    const list = octets.length.toString(16).padStart(4, '0');
    const read = readUpdate(bytes(`0000 ${list} ${text(octets)}`), CONTEXT);
    expect(read.outcome).toBe('ok');
  });

  it('sets the Partial bit on what is not understood, and keeps that of others', () => {
    const parts = [
      ...[attribute(0x40, 1, '00'), attribute(0x40, 2, ''), attribute(0x40, 3, 'c0000201')],
      ...[attribute(0xe0, 8, '00000001'), attribute(0xd0, 250, '07'), attribute(0x80, 251, '08')],
    ].join('');
    const list = (parts.length / 2).toString(16).padStart(4, '0');
    expect(readUpdate(bytes(`0000 ${list} ${parts} 080a`), CONTEXT).attributes).toMatchObject({
      partial: [8],
      others: [{ flags: 0xe0, type: 250, value: bytes('07') }],
    });
  });
});
