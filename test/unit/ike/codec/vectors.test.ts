// SPDX-License-Identifier: Apache-2.0
/** Messages that others made: an exchange of two charons, and Scapy's. */
import { describe, expect, it } from 'vitest';
import { decodeChain, encodeChain } from '../../../../src/ike/codec/chain.js';
import { isFault } from '../../../../src/ike/codec/fault.js';
import {
  decodeMessage,
  encodeMessage,
  type IkeMessage,
} from '../../../../src/ike/codec/message.js';
import { NOTIFY, notifyName } from '../../../../src/ike/codec/names/notify.js';
import {
  AUTH_METHOD_NAMES,
  CFG_ATTRIBUTE_NAMES,
  CFG_TYPE_NAMES,
  exchangeName,
  TS_TYPE_NAMES,
} from '../../../../src/ike/codec/names/registries.js';
import { transformName } from '../../../../src/ike/codec/names/transforms.js';
import type { Payload } from '../../../../src/ike/codec/payload.js';
import { bytes, scapy, strongswan, text } from './samples.js';

function read(hex: string): IkeMessage {
  const octets = bytes(hex);
  const message = decodeMessage(octets, 0, octets.length);
  if (isFault(message)) throw new Error(`${message.reason} at ${message.offset}`);
  return message;
}

function readInner(hex: string, first: number): readonly Payload[] {
  const octets = bytes(hex);
  const chain = decodeChain(octets, first, 0, octets.length);
  if (isFault(chain)) throw new Error(`${chain.reason} at ${chain.offset}`);
  return chain.payloads;
}

/** charon's words for what our names say (its notify.c). */
const CHARON_WORDS: Readonly<Record<string, string>> = {
  NAT_DETECTION_SOURCE_IP: 'NATD_S_IP',
  NAT_DETECTION_DESTINATION_IP: 'NATD_D_IP',
  IKEV2_FRAGMENTATION_SUPPORTED: 'FRAG_SUP',
  SIGNATURE_HASH_ALGORITHMS: 'HASH_ALG',
  REDIRECT_SUPPORTED: 'REDIR_SUP',
  CHILDLESS_IKEV2_SUPPORTED: 'CHDLESS_SUP',
  MULTIPLE_AUTH_SUPPORTED: 'MULT_AUTH',
  INITIAL_CONTACT: 'INIT_CONTACT',
  USE_TRANSPORT_MODE: 'USE_TRANSP',
  MOBIKE_SUPPORTED: 'MOBIKE_SUP',
  NO_ADDITIONAL_ADDRESSES: 'NO_ADD_ADDR',
  EAP_ONLY_AUTHENTICATION: 'EAP_ONLY',
  IKEV2_MESSAGE_ID_SYNC_SUPPORTED: 'MSG_ID_SYN_SUP',
  NO_PROPOSAL_CHOSEN: 'NO_PROP',
};

/** Our decoding in charon's words. */
function charonSays({ header }: IkeMessage, payloads: readonly Payload[]): string {
  const words = payloads.map((payload) => {
    if (payload.kind === 'N') return `N(${CHARON_WORDS[notifyName(payload.notify)] ?? '?'})`;
    return payload.kind === 'Nonce' ? 'No' : payload.kind;
  });
  const direction = header.response ? 'response' : 'request';
  const list = [...words, ''].join(' ');
  return `${exchangeName(header.exchange)} ${direction} ${header.messageId} [ ${list}]`;
}

function proposalsOf(payloads: readonly Payload[]): string[] {
  const sa = payloads.find(({ kind }) => kind === 'SA');
  if (sa?.kind !== 'SA') throw new Error('no SA payload');
  return sa.proposals.map(({ number, protocol, spi, transforms }) => {
    const names = transforms.map(
      ({ type, id, keyLength }) =>
        transformName(type, id) + (keyLength === undefined ? '' : ` ${keyLength}`),
    );
    return `${number} ${protocol} ${text(spi)}: ${names.join(', ')}`;
  });
}

describe('strongSwan 5.9.8', () => {
  it.each(strongswan)('$said', ({ said, octets, inner }) => {
    const message = read(octets);
    const { header, payloads, protection } = message;
    const [last] = payloads.slice(-1);
    if (inner === undefined) {
      expect(charonSays(message, payloads)).toBe(said);
      expect(protection).toBeUndefined();
    } else {
      if (last?.kind !== 'SK') throw new Error('not protected');
      const within = readInner(inner, last.firstInner);
      expect(charonSays(message, within)).toBe(said);
      expect(encodeChain(within)).toEqual({ first: last.firstInner, octets: bytes(inner) });
      expect(protection).toEqual({ headerAt: 28, bodyAt: 32, end: octets.length / 2 });
    }
    expect(header.initiatorSpi).toBe(0x431e5c119a565908n);
    expect(header.initiator).toBe(!header.response);
    expect(text(encodeMessage(header, payloads).octets)).toBe(octets);
  });

  it('the proposals of the request, as configured', () => {
    expect(proposalsOf(read(strongswan[0]!.octets).payloads)).toEqual([
      '1 1 : ENCR_AES_CBC 128, AUTH_HMAC_SHA2_256_128, PRF_HMAC_SHA2_256, 256-bit random ECP group, Curve25519',
      '2 1 : ENCR_AES_GCM_16 256, ENCR_AES_GCM_16 128, PRF_HMAC_SHA2_384, PRF_HMAC_SHA2_256, Curve25519, 384-bit random ECP group, 3072-bit MODP Group',
      '3 1 : ENCR_CHACHA20_POLY1305, PRF_HMAC_SHA2_512, Curve25519',
    ]);
  });

  it('identities, selectors and the child offer inside IKE_AUTH, as configured', () => {
    const within = readInner(strongswan[2]!.inner ?? '', 35);
    const named = (kind: string) => within.find((payload) => payload.kind === kind);
    expect(named('IDi')).toMatchObject({ idType: 2, data: bytes('612e6578616d706c652e6e6574') });
    expect(named('AUTH')).toMatchObject({ method: 2, data: { length: 32 } });
    expect(proposalsOf(within).map((line) => line.replace(/ [0-9a-f]{8}:/, ' SPI:'))).toEqual([
      '1 3 SPI: ENCR_AES_GCM_16 256, Extended Sequence Numbers, No Extended Sequence Numbers',
      '2 3 SPI: ENCR_AES_CBC 128, AUTH_HMAC_SHA2_256_128, No Extended Sequence Numbers',
    ]);
    const range = { tsType: 7, ipProtocol: 47, startPort: 0, endPort: 65535 };
    const only = (address: string) => [
      { ...range, startAddress: bytes(address), endAddress: bytes(address) },
    ];
    expect(named('TSi')).toEqual({ kind: 'TSi', selectors: only('c0000201') });
    expect(named('TSr')).toEqual({ kind: 'TSr', selectors: only('c0000202') });
  });
});

describe('Scapy', () => {
  const shown = (name: string) => read(scapy.messages[name] ?? '');

  it.each(Object.keys(scapy.messages))('%s is encoded to the same octets', (name) => {
    const { header, payloads } = shown(name);
    expect(text(encodeMessage(header, payloads).octets)).toBe(scapy.messages[name]);
  });

  it('init', () => {
    const { header, payloads } = shown('init');
    expect(header).toMatchObject({ initiatorSpi: 0x1122334455667788n, responderSpi: 0n });
    expect(proposalsOf(payloads)).toEqual([
      '1 1 : ENCR_AES_GCM_16 256, PRF_HMAC_SHA2_256, Curve25519, ml-kem-768',
      '2 1 : ENCR_AES_CBC 128, AUTH_HMAC_SHA2_256_128, PRF_HMAC_SHA2_256, 256-bit random ECP group',
    ]);
    expect(payloads.slice(1)).toEqual([
      { kind: 'KE', method: 31, data: Uint8Array.from({ length: 32 }, (_, i) => i + 1) },
      { kind: 'Nonce', data: Uint8Array.from({ length: 32 }, (_, i) => i + 100) },
      {
        ...{ kind: 'N', protocol: 0, spi: new Uint8Array(), notify: 16388 },
        data: new Uint8Array(20).fill(0xaa),
      },
      { kind: 'V', data: new Uint8Array(Buffer.from('Sealane')) },
    ]);
  });

  it('auth', () => {
    const { payloads } = shown('auth');
    expect(payloads.map(({ kind }) => kind).join(' ')).toBe('IDi IDr CERTREQ AUTH SA TSi TSr');
    const [, , , , , , tsr] = payloads;
    expect(tsr).toEqual({
      kind: 'TSr',
      selectors: [
        {
          ...{ tsType: 7, ipProtocol: 47, startPort: 0, endPort: 65535 },
          ...{ startAddress: bytes('c0000201'), endAddress: bytes('c0000201') },
        },
        {
          ...{ tsType: 8, ipProtocol: 137, startPort: 65535, endPort: 0 },
          startAddress: bytes('20010db8000000000000000000000001'),
          endAddress: bytes('20010db80000000000000000000000ff'),
        },
      ],
    });
  });

  it('fragment and encrypted: where the protected body lies', () => {
    const fragment = shown('fragment');
    expect(fragment.protection).toEqual({ headerAt: 28, bodyAt: 36, end: 100 });
    expect(fragment.payloads).toMatchObject([{ firstInner: 36, number: 1, total: 3 }]);
    const whole = shown('encrypted');
    expect(whole.protection).toEqual({ headerAt: 28, bodyAt: 32, end: 80 });
    expect(whole.payloads).toMatchObject([{ firstInner: 42, body: { length: 48 } }]);
  });

  it('calls every notify type it knows as we do', () => {
    const ours = Object.fromEntries(Object.entries(NOTIFY).map(([name, type]) => [type, name]));
    const theirs = Object.entries(scapy.names['notify'] ?? {});
    expect(theirs.length).toBeGreaterThan(60);
    const others = theirs.filter(([type, name]) => ours[Number(type)] !== name);
    // Its name before RFC 9838.
    expect(others).toEqual([['16429', 'SENDER_REQUEST_ID']]);
  });

  it.each([
    ['authentication', AUTH_METHOD_NAMES],
    ['trafficSelector', TS_TYPE_NAMES],
    ['cfgType', CFG_TYPE_NAMES],
    ['cfgAttribute', CFG_ATTRIBUTE_NAMES],
  ] as const)('calls every %s it knows as we do', (table, ours) => {
    const theirs = Object.entries(scapy.names[table] ?? {});
    expect(theirs.length).toBeGreaterThan(2);
    const others = theirs.filter(([number, name]) => ours[Number(number)] !== name);
    expect(others.filter(([, name]) => name !== 'Reserved')).toEqual([]);
  });
});
