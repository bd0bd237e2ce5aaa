// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';
import { scanAttributes } from '../../../../src/bgp/codec/attributes/scan.js';
import { newAttributeScan } from '../../../../src/bgp/codec/attributes/types.js';
import { newNlri, readNlri } from '../../../../src/bgp/codec/nlri/reader.js';
import { FAMILY, type UpdateContext, type UpdateSplit } from '../../../../src/bgp/codec/types.js';
import {
  attributesLength,
  copyAttributes,
  isNotification,
  splitUpdate,
} from '../../../../src/bgp/codec/update-split.js';
import { attribute, CONTEXT, EMPTY_PATH, ORIGIN, text, update } from './build.js';

const context = CONTEXT;

function split(body: Uint8Array, change: Partial<UpdateContext> = {}): UpdateSplit {
  const answer = splitUpdate(body, 0, body.length, { ...context, ...change });
  if (isNotification(answer)) throw new Error(answer.reason);
  return answer;
}

function attributes(of: UpdateSplit): string {
  const octets = new Uint8Array(attributesLength(of));
  expect(copyAttributes(of, octets, 0)).toBe(octets.length);
  return Buffer.from(octets).toString('hex');
}

// VPNv4 routes with labels 16 and 17 and RD 0:65001:1; laid out from RFC 4364 §4.3 and RFC 4760 §3.
const REACH_HEAD = '0001 80 0c 0000000000000000 c0000201 00';
const SHORT = '70 000101 0000fde900000001 0a0101';
const HOST = '78 000111 0000fde900000001 0a010203';
const vpnUpdate = (nlri: string) =>
  update({ attributes: [ORIGIN, EMPTY_PATH, attribute(0x90, 14, REACH_HEAD + nlri)] });

describe('splitUpdate', () => {
  it('finds VPN routes in place', () => {
    const body = vpnUpdate(SHORT + HOST);
    const found = split(body);
    expect(found.announced).toHaveLength(1);
    const run = found.announced[0]!;
    expect(run).toMatchObject({ family: FAMILY.vpnv4, classic: false, mode: 0 });
    const nlri = newNlri();
    const second = readNlri(run, body, run.start, nlri);
    expect(nlri).toMatchObject({ label: 16, labelCount: 1, keyBytes: 11, length: 24 });
    expect(text(body.subarray(nlri.keyAt, nlri.keyAt + 11))).toBe('0000fde9000000010a0101');
    expect(readNlri(run, body, second, nlri)).toBe(run.end);
    expect(nlri).toMatchObject({ label: 17, keyBytes: 12, length: 32 });
  });

  it('leaves attributes that do not depend on the routes', () => {
    const two = attributes(split(vpnUpdate(SHORT + HOST)));
    expect(attributes(split(vpnUpdate(SHORT)))).toBe(two);
    expect(two).toBe(ORIGIN + EMPTY_PATH + attribute(0x90, 14, REACH_HEAD).replace(/\s/g, ''));
  });

  it('leaves attributes that can be scanned', () => {
    const found = split(vpnUpdate(SHORT));
    const octets = new Uint8Array(attributesLength(found));
    copyAttributes(found, octets, 0);
    const scan = newAttributeScan();
    expect(scanAttributes(octets, 0, octets.length, { context, classic: false }, scan)).toEqual([]);
    const { at, length } = scan.nextHop;
    expect([...octets.subarray(at, at + length)]).toEqual([192, 0, 2, 1]);
    expect(scan).toMatchObject({ origin: 0, asPathHops: 0, hasMed: false });
  });
});
