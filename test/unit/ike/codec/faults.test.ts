// SPDX-License-Identifier: Apache-2.0
/** What is refused, by which notify and where; what is not; and what the encoder throws at. */
import { describe, expect, it } from 'vitest';
import { decodeChain, encodeChain } from '../../../../src/ike/codec/chain.js';
import { FAULT, isFault } from '../../../../src/ike/codec/fault.js';
import { decodeHeader, type IkeHeader } from '../../../../src/ike/codec/header.js';
import { LIMITS } from '../../../../src/ike/codec/limits.js';
import { decodeMessage, encodeMessage } from '../../../../src/ike/codec/message.js';
import {
  isErrorNotify,
  isPrivateNotify,
  notifyName,
} from '../../../../src/ike/codec/names/notify.js';
import { payloadName } from '../../../../src/ike/codec/names/registries.js';
import { transformName, transformTypeName } from '../../../../src/ike/codec/names/transforms.js';
import type { Payload } from '../../../../src/ike/codec/payload.js';
import { authorityHashes } from '../../../../src/ike/codec/payloads/certificate-request.js';
import { bytes, HEADER, SHA256_RSA } from './samples.js';

const { invalidSyntax, invalidMajorVersion, unsupportedCriticalPayload } = FAULT;

/** One payload's body, behind a generic header of the right length. */
function readBody(type: number, body: string) {
  const octets = bytes(`00000000${body}`);
  new DataView(octets.buffer).setUint16(2, octets.length);
  return decodeChain(octets, type, 0, octets.length);
}

describe('header', () => {
  const good = encodeMessage(HEADER, []).octets;
  const changed = (at: number, value: number) => {
    const octets = good.slice();
    octets[at] = value;
    return decodeMessage(octets, 0, octets.length);
  };

  it.each([
    ['IKEv1', 17, 0x10, invalidMajorVersion, 17],
    ['major version 3', 17, 0x30, invalidMajorVersion, 17],
    ['a length that is too long', 27, 29, invalidSyntax, 24],
    ['a length that is too short', 27, 27, invalidSyntax, 24],
    ['a first payload that is not there', 16, 33, invalidSyntax, 28],
  ])('%s', (_what, at, value, fault, offset) => {
    expect(changed(at, value)).toMatchObject({ fault, offset });
  });

  it("initiator's SPI 0", () => {
    const octets = good.slice().fill(0, 0, 8);
    expect(decodeMessage(octets, 0, 28)).toMatchObject({ fault: invalidSyntax, offset: 0 });
  });

  it('minor versions and reserved flags change nothing', () => {
    expect(changed(17, 0x2f)).toMatchObject({ header: { minor: 15 }, payloads: [] });
    expect(changed(19, 0xcf)).toMatchObject({ header: { initiator: true, response: false } });
  });

  it('is read whatever the version is, so that it can be answered', () => {
    const octets = good.slice();
    octets[17] = 0x30;
    const header = decodeHeader(octets, 0, octets.length) as IkeHeader;
    expect(header).toMatchObject({ initiatorSpi: HEADER.initiatorSpi, major: 3, messageId: 7 });
  });
});

describe('payloads that are refused', () => {
  const transform = '00000008 02000005';
  it.each([
    ['SA without a proposal', 33, '', 4],
    ['proposal longer than the payload', 33, `00000011 01010001 ${transform}`, 6],
    ['proposal marked as not the last', 33, `02000010 01010001 ${transform}`, 4],
    ['more transforms than said', 33, `00000010 01010000 ${transform}`, 12],
    ['fewer transforms than said', 33, `00000010 01010002 ${transform}`, 12],
    ['transform marked as not the last', 33, '00000010 01010001 03000008 02000005', 12],
    ['ESP with an SPI of 8 octets', 33, `00000018 01030801 0000000000000000 ${transform}`, 10],
    ['SPI longer than the proposal', 33, '00000008 0104ff00', 10],
    ['proposals 1 and 3', 33, `02000010 01010001${transform} 00000010 03010001${transform}`, 24],
    ['Key Length in the long form', 33, '00000016 01010001 0000000e 01000014 000e0002 0100', 20],
    ['two Key Lengths', 33, '00000018 01010001 00000010 01000014 800e0100 800e0080', 24],
    ['attribute cut off', 33, '00000012 01010001 0000000a 01000014 800e', 20],
    ['KE of 3 octets', 34, '001f00', 4],
    ['ID_IPV4_ADDR of 5 octets', 35, '01000000 c000020100', 4],
    ['empty CERT', 37, '', 4],
    ['CERTREQ with half a hash', 38, '04 0102030405', 5],
    ['Digital Signature without a length', 39, '0e000000', 8],
    ['AlgorithmIdentifier behind the end', 39, '0e000000 10 300d06092a864886f70d01010b0500', 8],
    ['AlgorithmIdentifier that is no SEQUENCE', 39, '0e000000 02 0500', 8],
    ['AlgorithmIdentifier of another length', 39, '0e000000 04 30010500 aa', 8],
    ['nonce of 15 octets', 40, '00'.repeat(15), 4],
    ['nonce of 257 octets', 40, '00'.repeat(257), 4],
    ['Notify with half an SPI', 41, '03040001 c0ff', 5],
    ['Delete of an IKE SA by its SPI', 42, '01080001 0102030405060708', 5],
    ['Delete with one SPI of two', 42, '03040002 c0ffee01', 6],
    ['TS with none', 44, '00000000', 4],
    ['TS with one of two', 44, '02000000 07000010 0000ffff c0000201 c0000201', 4],
    ['TS with one too many', 44, '00000000 07000010 0000ffff c0000201 c0000201', 8],
    ['IPv4 range of the length of IPv6', 45, `01000000 07000028 ${'00'.repeat(36)}`, 10],
    ['fragment 0', 53, '00000003', 4],
    ['fragment 4 of 3', 53, '00040003', 4],
    ['CP attribute behind the end', 47, '01000000 00010005 0a000001', 10],
  ])('%s', (_what, type, body, offset) => {
    expect(readBody(type, body)).toMatchObject({ fault: invalidSyntax, offset });
  });

  it('a later fragment that names a payload', () => {
    const octets = bytes('23000008 00020003');
    expect(decodeChain(octets, 53, 0, 8)).toMatchObject({ fault: invalidSyntax, offset: 4 });
  });

  it('a critical one of unknown type, by that type', () => {
    const octets = bytes('c8000005 aa  00800006 0102');
    const answer = decodeChain(octets, 43, 0, octets.length);
    expect(answer).toMatchObject({
      fault: unsupportedCriticalPayload,
      data: Uint8Array.of(200),
      offset: 5,
    });
  });

  it('more than the limits', () => {
    const many = LIMITS.payloads + 1;
    const octets = new Uint8Array(4 * many);
    for (let i = 0; i < many; i++) octets.set([i === many - 1 ? 0 : 43, 0, 0, 4], 4 * i);
    const answer = decodeChain(octets, 43, 0, octets.length);
    expect(answer).toMatchObject({ fault: invalidSyntax, offset: 4 * LIMITS.payloads });
    const fewer = octets.slice(4);
    expect(decodeChain(fewer, 43, 0, fewer.length)).toMatchObject({ payloads: { length: 128 } });
    const count = LIMITS.configurationAttributes + 1;
    expect(readBody(47, `01000000${'00010000'.repeat(count)}`)).toMatchObject({
      fault: invalidSyntax,
      offset: 8 + 4 * LIMITS.configurationAttributes,
    });
  });
});

describe('payloads that are taken', () => {
  it('unknown ones are kept, and the critical bit of a known one means nothing', () => {
    const octets = bytes('28000006 0102  00800014 00112233445566778899aabbccddeeff');
    expect(decodeChain(octets, 200, 0, octets.length)).toEqual({
      payloads: [
        { kind: 'unknown', type: 200, critical: false, data: bytes('0102') },
        { kind: 'Nonce', data: bytes('00112233445566778899aabbccddeeff') },
      ],
    });
  });

  it('octet strings are views of what was given', () => {
    const octets = bytes('00000014 00112233445566778899aabbccddeeff');
    const chain = decodeChain(octets, 40, 0, octets.length);
    if (isFault(chain)) throw new Error(chain.reason);
    octets[4] = 0xff;
    expect(chain.payloads).toMatchObject([{ data: { 0: 0xff } }]);
  });

  it('hashes of a certificate request one by one', () => {
    const authorities = Uint8Array.from({ length: 40 }, (_, i) => i);
    const hashes = authorityHashes({ encoding: 4, authorities });
    expect(hashes.map(([first]) => first)).toEqual([0, 20]);
    expect(authorityHashes({ encoding: 7, authorities })).toEqual([]);
  });
});

describe('the encoder throws at', () => {
  const nothing = new Uint8Array();
  const transforms = Array.from({ length: 256 }, () => ({ type: 2, id: 5, attributes: [] }));
  const proposal = { number: 1, protocol: 1, spi: nothing, transforms: [] };
  const cases: readonly (readonly [string, readonly Payload[]])[] = [
    ['a payload of 64 KiB', [{ kind: 'V', data: new Uint8Array(65532) }]],
    [
      'a payload behind SK',
      [
        { kind: 'SK', firstInner: 0, body: nothing },
        { kind: 'V', data: nothing },
      ],
    ],
    ['a known type as unknown', [{ kind: 'unknown', type: 41, critical: false, data: nothing }]],
    ['256 transforms', [{ kind: 'SA', proposals: [{ ...proposal, transforms }] }]],
    ['no proposal', [{ kind: 'SA', proposals: [] }]],
    ['proposals 1 and 1', [{ kind: 'SA', proposals: [proposal, proposal] }]],
    ['ESP without an SPI', [{ kind: 'SA', proposals: [{ ...proposal, protocol: 3 }] }]],
    ['a short nonce', [{ kind: 'Nonce', data: new Uint8Array(15) }]],
    ['method 14 without its algorithm', [{ kind: 'AUTH', method: 14, data: nothing }]],
    ['method 2 with one', [{ kind: 'AUTH', method: 2, algorithm: SHA256_RSA, data: nothing }]],
    ['the SPI of an IKE SA', [{ kind: 'D', protocol: 1, spis: [1] }]],
    ['no selectors', [{ kind: 'TSi', selectors: [] }]],
    ['fragment 2 of 1', [{ kind: 'SKF', firstInner: 0, number: 2, total: 1, body: nothing }]],
    ['129 payloads', Array.from({ length: 129 }, () => ({ kind: 'V', data: nothing }) as const)],
  ];
  it.each(cases)('%s', (_what, payloads) => {
    expect(() => encodeChain(payloads)).toThrow(RangeError);
  });

  it("an initiator's SPI of 0", () => {
    expect(() => encodeMessage({ ...HEADER, initiatorSpi: 0n }, [])).toThrow(RangeError);
  });
});

describe('names', () => {
  it('of numbers with and without one', () => {
    expect(notifyName(44)).toBe('CHILD_SA_NOT_FOUND');
    expect(notifyName(50)).toBe('error notify 50');
    expect(notifyName(8192)).toBe('private error notify 8192');
    expect(notifyName(20000)).toBe('status notify 20000');
    expect(notifyName(40960)).toBe('private status notify 40960');
    expect([8191, 8192, 16383, 16384, 40959, 40960].map(isPrivateNotify)).toEqual([
      ...[false, true, true, false, false, true],
    ]);
    expect([16383, 16384].map(isErrorNotify)).toEqual([true, false]);
    expect(transformName(7, 37)).toBe('ml-kem-1024');
    expect(transformName(1, 99)).toBe('ENCR 99');
    expect(transformTypeName(99)).toBe('transform type 99');
    expect(payloadName(53)).toBe('SKF');
  });
});
