// SPDX-License-Identifier: Apache-2.0
import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { isFault } from '../../../../src/ike/codec/fault.js';
import { decodeHeader } from '../../../../src/ike/codec/header.js';
import { encodeMessage } from '../../../../src/ike/codec/message.js';
import { NOTIFY } from '../../../../src/ike/codec/names/notify.js';
import type { Payload } from '../../../../src/ike/codec/payload.js';
import { CookieJar } from '../../../../src/ike/exchange/ike-sa-init-cookies.js';
import { notifyOf } from '../../../../src/ike/open/payloads.js';

const LIFE = 60_000;
const [HERE, THERE] = [Uint8Array.of(192, 0, 2, 1), Uint8Array.of(192, 0, 2, 9)];

function world() {
  const clock = { ms: 5000 };
  const jar = new CookieJar({ random: randomBytes }, { now: () => clock.ms });
  return { clock, jar };
}

interface Made {
  readonly nonce?: Uint8Array;
  readonly cookie?: Uint8Array | undefined;
  readonly initiatorSpi?: bigint;
  readonly before?: readonly Payload[];
}

const NONCE = new Uint8Array(32).fill(7);

function request({ nonce = NONCE, cookie, initiatorSpi = 1n, before = [] }: Made = {}) {
  const { octets } = encodeMessage(
    {
      ...{ initiatorSpi, responderSpi: 0n, exchange: 34, initiator: true },
      ...{ response: false, messageId: 0 },
    },
    [
      ...(cookie === undefined ? [] : [notifyOf(NOTIFY.COOKIE, cookie)]),
      ...before,
      { kind: 'Nonce', data: nonce },
    ],
  );
  const header = decodeHeader(octets, 0, octets.length);
  if (isFault(header)) throw new Error(header.reason);
  return [octets, header] as const;
}

describe('CookieJar', () => {
  it('knows its own cookie, for the same SPI, address and nonce only', () => {
    const { jar } = world();
    const cookie = jar.make(...request(), HERE);
    expect(cookie).toHaveLength(17);
    expect(jar.check(...request(), HERE)).toBe('none');
    expect(jar.check(...request({ cookie }), HERE)).toBe('right');
    expect(jar.check(...request({ cookie }), THERE)).toBe('wrong');
    expect(jar.check(...request({ cookie, initiatorSpi: 2n }), HERE)).toBe('wrong');
    expect(jar.check(...request({ cookie, nonce: new Uint8Array(32) }), HERE)).toBe('wrong');
    expect(world().jar.check(...request({ cookie }), HERE)).toBe('wrong');
  });

  it.each([0, 1, 16])('no bit of it may be changed, octet %i', (at) => {
    const { jar } = world();
    const cookie = Uint8Array.from(jar.make(...request(), HERE) ?? []);
    cookie[at] = (cookie[at] ?? 0) ^ 0x80;
    expect(jar.check(...request({ cookie }), HERE)).toBe('wrong');
  });

  it('is good for one life at least, for two at most', () => {
    const { jar, clock } = world();
    clock.ms += LIFE - 1;
    const cookie = jar.make(...request(), HERE);
    clock.ms += LIFE;
    expect(jar.check(...request({ cookie }), HERE)).toBe('right');
    clock.ms += LIFE;
    expect(jar.check(...request({ cookie }), HERE)).toBe('wrong');
  });

  it('is not good for ever when nobody asks in between', () => {
    const { jar, clock } = world();
    const cookie = jar.make(...request(), HERE);
    clock.ms += 2 * LIFE;
    expect(jar.check(...request({ cookie }), HERE)).toBe('wrong');
  });

  it('generations of 256 lives ago are others', () => {
    const { jar, clock } = world();
    const cookie = jar.make(...request(), HERE);
    for (let i = 0; i < 256; i++) {
      clock.ms += LIFE;
      jar.make(...request(), HERE);
    }
    expect(jar.check(...request({ cookie }), HERE)).toBe('wrong');
  });

  it('is the first payload (RFC 7296 §2.6)', () => {
    const { jar } = world();
    const cookie = jar.make(...request(), HERE) ?? new Uint8Array();
    const before = [notifyOf(NOTIFY.USE_PPK), notifyOf(NOTIFY.COOKIE, cookie)];
    expect(jar.check(...request({ before }), HERE)).toBe('none');
  });

  it('whatever comes, nothing is thrown and nothing is read outside', () => {
    const { jar } = world();
    const [octets, header] = request({ cookie: randomBytes(17) });
    for (let end = 28; end < octets.length; end++) {
      expect(jar.check(octets.subarray(0, end), header, HERE)).toBe('unreadable');
      expect(jar.make(octets.subarray(0, end), header, HERE)).toBeUndefined();
    }
    for (let at = 28; at < octets.length; at++) {
      for (const value of [0, 1, 0x7f, 0xff]) {
        const changed = Uint8Array.from(octets);
        changed[at] = value;
        expect(['none', 'wrong', 'unreadable']).toContain(jar.check(changed, header, HERE));
      }
    }
  });
});
