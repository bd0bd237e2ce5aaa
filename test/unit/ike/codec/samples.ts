// SPDX-License-Identifier: Apache-2.0
/** Payloads of every kind, and the recorded messages. */
import { readFileSync } from 'node:fs';
import type { HeaderFields } from '../../../../src/ike/codec/header.js';
import type { Payload } from '../../../../src/ike/codec/payload.js';

export const bytes = (text: string) => new Uint8Array(Buffer.from(text.replace(/\s/g, ''), 'hex'));
export const text = (octets: Uint8Array) => Buffer.from(octets).toString('hex');
const ascii = (words: string) => new Uint8Array(Buffer.from(words, 'latin1'));

const vectors = (name: string): unknown =>
  JSON.parse(readFileSync(new URL(`../../../vectors/ike/${name}`, import.meta.url), 'utf8'));

export interface Recorded {
  /** charon's summary in its log. */
  readonly said: string;
  readonly octets: string;
  /** What is in SK. */
  readonly inner?: string;
}

export const strongswan = (vectors('strongswan.json') as { messages: readonly Recorded[] })
  .messages;
export const scapy = vectors('scapy.json') as {
  readonly messages: Readonly<Record<string, string>>;
  readonly names: Readonly<Record<string, Readonly<Record<string, string>>>>;
};

export const HEADER: HeaderFields = {
  initiatorSpi: 0x1122334455667788n,
  responderSpi: 0x99aabbccddeeff00n,
  exchange: 35,
  initiator: true,
  response: false,
  messageId: 7,
};

/** sha256WithRSAEncryption, RFC 7427 §A.1.2. */
export const SHA256_RSA = bytes('300d06092a864886f70d01010b0500');

const none = { attributes: [] } as const;

/** Every kind but those that end a chain, with everything a body may have. */
export const EVERYTHING: readonly Payload[] = [
  {
    kind: 'SA',
    proposals: [
      {
        ...{ number: 1, protocol: 1, spi: bytes('0102030405060708') },
        transforms: [
          { type: 1, id: 20, keyLength: 256, attributes: [] },
          { type: 2, id: 5, ...none },
          { type: 4, id: 31, ...none },
          { type: 6, id: 36, ...none },
          { type: 12, id: 0, ...none },
        ],
      },
      {
        ...{ number: 2, protocol: 3, spi: bytes('c0ffee01') },
        transforms: [
          { type: 1, id: 12, keyLength: 128, attributes: [] },
          { type: 3, id: 12, ...none },
          { type: 5, id: 1, ...none },
        ],
      },
    ],
  },
  { kind: 'KE', method: 31, data: new Uint8Array(32).fill(9) },
  { kind: 'IDi', idType: 2, reserved: 0, data: ascii('pe1.example.net') },
  { kind: 'IDr', idType: 5, reserved: 0, data: bytes('20010db8000000000000000000000001') },
  { kind: 'CERT', encoding: 12, data: ascii('01234567890123456789http://example.net/c') },
  { kind: 'CERTREQ', encoding: 4, authorities: new Uint8Array(40).fill(5) },
  { kind: 'AUTH', method: 14, algorithm: SHA256_RSA, data: new Uint8Array(256).fill(7) },
  { kind: 'Nonce', data: new Uint8Array(32).fill(3) },
  { kind: 'N', protocol: 3, spi: bytes('c0ffee01'), notify: 16393, data: new Uint8Array() },
  { kind: 'N', protocol: 0, spi: new Uint8Array(), notify: 16431, data: bytes('00020003') },
  { kind: 'D', protocol: 3, spis: [0xc0ffee01, 0x00000100] },
  { kind: 'V', data: ascii('Sealane') },
  {
    kind: 'TSi',
    selectors: [
      {
        ...{ tsType: 7, ipProtocol: 47, startPort: 0, endPort: 65535 },
        ...{ startAddress: bytes('c0000201'), endAddress: bytes('c0000207') },
      },
    ],
  },
  {
    kind: 'TSr',
    selectors: [
      {
        ...{ tsType: 8, ipProtocol: 137, startPort: 65535, endPort: 0 },
        startAddress: bytes('20010db8000000000000000000000001'),
        endAddress: bytes('20010db80000000000000000000000ff'),
      },
      {
        ...{ tsType: 7, ipProtocol: 0, startPort: 0, endPort: 65535 },
        ...{ startAddress: bytes('c0000201'), endAddress: bytes('c0000201') },
      },
    ],
  },
  { kind: 'CP', cfgType: 1, attributes: [{ type: 1, value: bytes('0a000001') }] },
  { kind: 'EAP', data: bytes('01230005 01') },
];
