// SPDX-License-Identifier: Apache-2.0
/** decode(encode(x)) is x, for payloads of every kind with any content that the wire has room for. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { isFault } from '../../../../src/ike/codec/fault.js';
import { decodeMessage, encodeMessage } from '../../../../src/ike/codec/message.js';
import type { Payload, PayloadKind } from '../../../../src/ike/codec/payload.js';
import { SHA256_RSA } from './samples.js';

const octet = fc.integer({ min: 0, max: 0xff });
const word = fc.integer({ min: 0, max: 0xffff });
const long = fc.integer({ min: 0, max: 0xffffffff });
const some = (minLength: number, maxLength = minLength) =>
  // A plain copy, of no subclass and with memory of its own, so that equality is of octets.
  fc.uint8Array({ minLength, maxLength }).map((octets) => new Uint8Array(octets));
const data = some(0, 80);

const attribute = fc.record({
  type: fc.integer({ min: 0, max: 0x7fff }).filter((type) => type !== 14),
  value: fc.oneof(word, some(0, 20)),
});
const transform = fc
  .record({
    type: octet,
    id: word,
    keyLength: fc.option(word, { nil: undefined }),
    attributes: fc.array(attribute, { maxLength: 4 }),
  })
  .map(({ keyLength, ...rest }) => (keyLength === undefined ? rest : { ...rest, keyLength }));
const protocolAndSpi = fc.oneof(
  fc.record({ protocol: fc.constant(1), spi: fc.oneof(some(0), some(8)) }),
  fc.record({ protocol: fc.constantFrom(2, 3), spi: some(4) }),
  fc.record({ protocol: fc.integer({ min: 4, max: 255 }), spi: some(0, 255) }),
);
const proposals = fc
  .tuple(
    octet,
    fc.array(fc.tuple(protocolAndSpi, fc.array(transform, { maxLength: 8 })), {
      minLength: 1,
      maxLength: 5,
    }),
  )
  .map(([first, all]) =>
    all.map(([head, transforms], i) => ({
      number: Math.min(first, 255 - all.length + 1) + i,
      ...head,
      transforms,
    })),
  );
const range = (tsType: 7 | 8, size: number) =>
  fc.record({
    tsType: fc.constant(tsType),
    ipProtocol: octet,
    startPort: word,
    endPort: word,
    startAddress: some(size),
    endAddress: some(size),
  });
const selectors = fc.array(
  fc.oneof(
    range(7, 4),
    range(8, 16),
    fc.record({ tsType: fc.integer({ min: 9, max: 255 }), second: octet, data: some(0, 40) }),
  ),
  { minLength: 1, maxLength: 6 },
);
const identity = fc
  .oneof(
    fc.record({ idType: fc.constant(1), data: some(4) }),
    fc.record({ idType: fc.constant(5), data: some(16) }),
    fc.record({ idType: fc.constantFrom(2, 3, 9, 10, 11, 13, 200), data }),
  )
  .chain((id) => fc.integer({ min: 0, max: 0xffffff }).map((reserved) => ({ ...id, reserved })));
const authentication = fc.oneof(
  fc.record({ method: octet.filter((method) => method !== 14), data }),
  fc.record({ method: fc.constant(14), algorithm: fc.constant(SHA256_RSA), data }),
);

const of = <K extends PayloadKind, Body extends object>(kind: K, body: fc.Arbitrary<Body>) =>
  body.map((value) => ({ kind, ...value }));

const payload: fc.Arbitrary<Payload> = fc.oneof(
  of('SA', fc.record({ proposals })),
  of('KE', fc.record({ method: word, data })),
  of('IDi', identity),
  of('IDr', identity),
  of('CERT', fc.record({ encoding: octet, data })),
  of('CERTREQ', fc.record({ encoding: fc.constantFrom(4, 12, 13, 14), authorities: some(60) })),
  of('CERTREQ', fc.record({ encoding: fc.constantFrom(1, 7, 15), authorities: data })),
  of('AUTH', authentication),
  of('Nonce', fc.record({ data: some(16, 256) })),
  of('N', fc.record({ protocol: octet, spi: some(0, 8), notify: word, data })),
  of('D', fc.record({ protocol: fc.constant(1), spis: fc.constant([]) })),
  of('D', fc.record({ protocol: fc.constantFrom(2, 3), spis: fc.array(long) })),
  of('V', fc.record({ data })),
  of('TSi', fc.record({ selectors })),
  of('TSr', fc.record({ selectors })),
  of(
    'CP',
    fc.record({
      cfgType: octet,
      attributes: fc.array(
        fc.record({ type: fc.integer({ min: 0, max: 0x7fff }), value: some(0, 20) }),
      ),
    }),
  ),
  of('EAP', fc.record({ data })),
  fc.record({
    kind: fc.constant('unknown' as const),
    type: fc.oneof(
      fc.integer({ min: 1, max: 32 }),
      fc.integer({ min: 49, max: 52 }),
      fc.integer({ min: 54, max: 255 }),
    ),
    critical: fc.constant(false),
    data,
  }),
);
const lastOne: fc.Arbitrary<readonly Payload[]> = fc.oneof(
  fc.constant([]),
  of('SK', fc.record({ firstInner: octet, body: data })).map((sk) => [sk]),
  fc.tuple(word, word, octet, data).map(([a, b, first, body]): readonly Payload[] => {
    const number = Math.max(1, Math.min(a, b));
    const total = Math.max(number, a, b);
    return [{ kind: 'SKF', firstInner: number === 1 ? first : 0, number, total, body }];
  }),
);
const header = fc.record({
  initiatorSpi: fc.bigInt({ min: 1n, max: (1n << 64n) - 1n }),
  responderSpi: fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
  exchange: octet,
  initiator: fc.boolean(),
  response: fc.boolean(),
  messageId: long,
});

it('decode(encode(x)) is x, wherever it lies in memory', () => {
  fc.assert(
    fc.property(
      ...([header, fc.array(payload, { maxLength: 8 }), lastOne, octet] as const),
      (head, list, last, lead) => {
        const payloads = [...list, ...last];
        const { octets, protection } = encodeMessage(head, payloads);
        const memory = new Uint8Array(octets.length + lead + 3).fill(0xff);
        memory.set(octets, lead);
        const read = decodeMessage(memory, lead, lead + octets.length);
        if (isFault(read)) throw new Error(`${read.reason} at ${read.offset - lead}`);
        expect(read.payloads).toEqual(payloads);
        expect(read.header).toEqual({
          ...head,
          ...{ major: 2, minor: 0, higherVersion: false, length: octets.length },
          firstPayload: octets[16],
        });
        if (protection === undefined) {
          expect(read.protection).toBeUndefined();
        } else {
          const { headerAt, bodyAt, end } = protection;
          const shifted = { headerAt: headerAt + lead, bodyAt: bodyAt + lead, end: end + lead };
          expect(read.protection).toEqual(shifted);
        }
        expect(encodeMessage(read.header, read.payloads)).toEqual(encodeMessage(head, payloads));
      },
    ),
    { seed: 20261122, numRuns: 2000 },
  );
});
