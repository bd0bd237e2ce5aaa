// SPDX-License-Identifier: Apache-2.0
/**
 * Key exchanges. Known answers: RFC 5903 §8 (ECP), RFC 7748 §6.1 (X25519); MODP against arithmetic on
 * BigInts. Then what RFC 6989 and RFC 8031 refuse: values out of range, points off the curve or at
 * infinity, points of small order.
 */
import { createHash, ECDH, getDiffieHellman, randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { KE_METHODS, keMethodById, type KeMethod } from '../../../../src/ike/crypto/algorithms.js';
import {
  agree,
  answer,
  answerSeedBytes,
  clampSeed,
  isPrivateValue,
  offer,
  offerSeedBytes,
} from '../../../../src/ike/crypto/groups.js';
import { hex } from './hex.js';

const ALL: readonly KeMethod[] = Object.values(KE_METHODS);
const seedOf = (method: KeMethod, length: number) => {
  const seed = randomBytes(length);
  clampSeed(method, seed);
  return seed;
};
const toBig = (bytes: Uint8Array) => BigInt(`0x${Buffer.from(bytes).toString('hex')}`);
const toBytes = (number: bigint, length: number) =>
  hex(number.toString(16).padStart(2 * length, '0'));

describe.each(ALL)('$name', (method) => {
  it('both sides come to one secret, in the lengths of the table', () => {
    const mine = offer(method, seedOf(method, offerSeedBytes(method)));
    expect(mine.publicData).toHaveLength(method.initiatorBytes);
    const theirs = answer(method, seedOf(method, answerSeedBytes(method)), mine.publicData);
    if (!theirs.ok) throw new Error(theirs.error.code);
    expect(theirs.value.publicData).toHaveLength(method.responderBytes);
    expect(theirs.value.shared).toHaveLength(method.sharedBytes);
    expect(agree(method, mine.secret, theirs.value.publicData)).toEqual({
      ok: true,
      value: theirs.value.shared,
    });
  });

  it('refuses data of another length', () => {
    const seed = seedOf(method, offerSeedBytes(method));
    const mine = offer(method, seed);
    const wrong = { ok: false, error: { code: 'LENGTH' } };
    for (const change of [-1, 1]) {
      const toMe = Buffer.alloc(method.responderBytes + change, 1);
      expect(agree(method, mine.secret, toMe)).toMatchObject(wrong);
      const toThem = Buffer.alloc(method.initiatorBytes + change, 1);
      const theirSeed = seedOf(method, answerSeedBytes(method));
      expect(answer(method, theirSeed, toThem)).toMatchObject(wrong);
    }
  });
});

it('nothing but these exists: no group 1, 2, 5, 22-24, nor one without a use', () => {
  expect(ALL.map(({ id }) => id)).toEqual([14, 15, 16, 19, 20, 21, 31, 35, 36, 37]);
  expect(keMethodById(2)).toBeUndefined();
  expect(keMethodById(31)).toBe(KE_METHODS[31]);
});

describe('RFC 5903 §8', () => {
  it('8.1: both public values and the secret of the 256-bit group', () => {
    const i = hex('C88F01F510D9AC3F70A292DAA2316DE544E9AAB8AFE84049C62A9C57862D1433');
    const r = hex('C6EF9C5D78AE012A011164ACB397CE2088685D8F06BF9BE0B283AB46476BEE53');
    const gi = hex(`DAD0B65394221CF9B051E1FECA5787D098DFE637FC90B9EF945D0C3772581180
      5271A0461CDB8252D61F1C456FA3E59AB1F45B33ACCF5F58389E0577B8990BB3`);
    const gr = hex(`D12DFB5289C8D4F81208B70270398C342296970A0BCCB74C736FC7554494BF63
      56FBF3CA366CC23E8157854C13C58D6AAC23F046ADA30F8353E74F33039872AB`);
    const girx = hex('D6840F6B42F6EDAFD13116E0E12565202FEF8E9ECE7DCE03812464D04B9442DE');
    expect(offer(KE_METHODS[19], i).publicData).toEqual(gi);
    expect(agree(KE_METHODS[19], i, gr)).toEqual({ ok: true, value: girx });
    expect(answer(KE_METHODS[19], r, gi)).toEqual({
      ok: true,
      value: { publicData: gr, shared: girx },
    });
  });

  it.each([
    [
      20,
      '099F3C7034D4A2C699884D73A375A67F7624EF7C6B3C0F160647B67414DCE655E35B538041E649EE3FAEF896783AB194',
      '41CB0779B4BDB85D47846725FBEC3C9430FAB46CC8DC5060855CC9BDA0AA2942E0308312916B8ED2960E4BD55A7448FC',
      '11187331C279962D93D604243FD592CB9D0A926F422E47187521287E7156C5C4D603135569B9E9D09CF5D4A270F59746',
    ],
    [
      21,
      `0037ADE9319A89F4DABDB3EF411AACCCA5123C61ACAB57B5393DCE47608172A0
       95AA85A30FE1C2952C6771D937BA9777F5957B2639BAB072462F68C27A57382D4A52`,
      `0145BA99A847AF43793FDD0E872E7CDFA16BE30FDC780F97BCCC3F078380201E
       9C677D600B343757A3BDBF2A3163E4C2F869CCA7458AA4A4EFFC311F5CB151685EB9`,
      `01144C7D79AE6956BC8EDB8E7C787C4521CB086FA64407F97894E5E6B2D79B04
       D1427E73CA4BAA240A34786859810C06B3C715A3A8CC3151F2BEE417996D19F3DDEA`,
    ],
  ] as const)('8.2 and 8.3: the secret of group %i, from both sides', (id, i, r, girx) => {
    const method = KE_METHODS[id];
    const gr = offer(method, hex(r)).publicData;
    expect(agree(method, hex(i), gr)).toEqual({ ok: true, value: hex(girx) });
    const gi = offer(method, hex(i)).publicData;
    expect(answer(method, hex(r), gi)).toMatchObject({ value: { shared: hex(girx) } });
  });
});

it('RFC 7748 §6.1: X25519', () => {
  const a = hex('77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a');
  const b = hex('5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb');
  const publicA = hex('8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a');
  const publicB = hex('de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f');
  const shared = hex('4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742');
  expect(offer(KE_METHODS[31], a).publicData).toEqual(publicA);
  expect(answer(KE_METHODS[31], b, publicA)).toEqual({
    ok: true,
    value: { publicData: publicB, shared },
  });
  expect(agree(KE_METHODS[31], a, publicB)).toEqual({ ok: true, value: shared });
});

const refused = { ok: false, error: { code: 'PUBLIC_VALUE' } };

describe.each([KE_METHODS[14], KE_METHODS[15], KE_METHODS[16]])(
  '$name, RFC 6989 §2.1',
  (method) => {
    const p = toBig(getDiffieHellman(method.group).getPrime());
    const length = method.initiatorBytes;
    const power = (base: bigint, exponent: bigint) => {
      let [result, square] = [1n, base];
      for (let rest = exponent; rest > 0n; rest >>= 1n) {
        if (rest & 1n) result = (result * square) % p;
        square = (square * square) % p;
      }
      return result;
    };

    it('is arithmetic modulo the prime of RFC 3526, to base 2', () => {
      // RFC 3526: p = 2^n - 2^(n-64) - 1 + 2^64 * { [2^(n-130) pi] + k }: its ends are ones.
      expect(p.toString(16)).toMatch(/^f{16}c90fdaa2.*f{16}$/);
      const [x, y] = [randomBytes(method.privateBytes), randomBytes(method.privateBytes)];
      const gx = power(2n, toBig(x));
      expect(toBig(offer(method, x).publicData)).toBe(gx);
      expect(answer(method, y, toBytes(gx, length))).toEqual({
        ok: true,
        value: {
          publicData: toBytes(power(2n, toBig(y)), length),
          shared: toBytes(power(gx, toBig(y)), length),
        },
      });
    });

    it.each([0n, 1n, p - 1n, p, p + 1n, (1n << BigInt(8 * length)) - 1n])(
      'refuses value %#',
      (y) => {
        const x = seedOf(method, method.privateBytes);
        expect(answer(method, x, toBytes(y, length))).toMatchObject(refused);
        expect(agree(method, x, toBytes(y, length))).toMatchObject(refused);
      },
    );

    it('takes 2 and p - 2, the ends of the range', () => {
      const x = seedOf(method, method.privateBytes);
      expect(agree(method, x, toBytes(2n, length)).ok).toBe(true);
      expect(agree(method, x, toBytes(p - 2n, length)).ok).toBe(true);
    });
  },
);

const FIELDS = {
  prime256v1: 2n ** 256n - 2n ** 224n + 2n ** 192n + 2n ** 96n - 1n,
  secp384r1: 2n ** 384n - 2n ** 128n - 2n ** 96n + 2n ** 32n - 1n,
  secp521r1: 2n ** 521n - 1n,
} as const;

describe.each([KE_METHODS[19], KE_METHODS[20], KE_METHODS[21]])(
  '$name, RFC 6989 §2.3',
  (method) => {
    const seed = seedOf(method, method.privateBytes);
    const good = offer(method, seedOf(method, method.privateBytes)).publicData;
    const field = method.sharedBytes;
    const p = FIELDS[method.curve];
    const half = (at: 0 | 1) => good.subarray(at * field, (at + 1) * field);
    const point = (x: bigint, y: bigint) => Buffer.concat([toBytes(x, field), toBytes(y, field)]);

    it.each([
      ['off the curve', Buffer.concat([half(0), toBytes(toBig(half(1)) ^ 1n, field)])],
      ['x and y swapped', Buffer.concat([half(1), half(0)])],
      ['infinity as zeros', Buffer.alloc(2 * field)],
      ['p, p', point(p, p)],
      ['x of p', point(p, toBig(half(1)))],
      ['y of p', point(toBig(half(0)), p)],
      ['ones', Buffer.alloc(2 * field, 0xff)],
      ['1, 1', point(1n, 1n)],
    ])('refuses a point: %s', (_name, data) => {
      expect(agree(method, seed, data)).toMatchObject(refused);
      expect(answer(method, seed, data)).toMatchObject(refused);
    });

    it('refuses x without y, and a compressed point', () => {
      const length = { ok: false, error: { code: 'LENGTH' } };
      expect(agree(method, seed, half(0))).toMatchObject(length);
      const whole = Buffer.concat([Buffer.from([4]), good]);
      const compressed = ECDH.convertKey(whole, method.curve, undefined, undefined, 'compressed');
      expect(agree(method, seed, Buffer.from(compressed))).toMatchObject(length);
      expect(agree(method, seed, whole)).toMatchObject(length);
    });

    it('private values are above 0 and below the order', () => {
      expect(isPrivateValue(method, Buffer.alloc(method.privateBytes))).toBe(false);
      expect(isPrivateValue(method, Buffer.alloc(method.privateBytes, 0xff))).toBe(false);
      const one = toBytes(1n, method.privateBytes);
      expect(isPrivateValue(method, one)).toBe(true);
      // The largest that passes is the order less one: OpenSSL, which knows the order, takes it and
      // refuses the next.
      let [low, high] = [1n, 1n << BigInt(8 * method.privateBytes)];
      while (high - low > 1n) {
        const middle = (low + high) / 2n;
        if (isPrivateValue(method, toBytes(middle, method.privateBytes))) low = middle;
        else high = middle;
      }
      expect(() => offer(method, toBytes(low, method.privateBytes))).not.toThrow();
      expect(() => offer(method, toBytes(low + 1n, method.privateBytes))).toThrow();
    });
  },
);

describe('X25519, RFC 8031 §5 and RFC 7748 §6.1', () => {
  // All points whose order divides 8, with the encodings above p (Wycheproof's list).
  it.each([
    '0000000000000000000000000000000000000000000000000000000000000000',
    '0100000000000000000000000000000000000000000000000000000000000000',
    'e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800',
    '5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157',
    'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
    'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
    'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
    '0000000000000000000000000000000000000000000000000000000000000080',
  ])('refuses %s', (data) => {
    const seed = randomBytes(32);
    expect(agree(KE_METHODS[31], seed, hex(data))).toMatchObject(refused);
    expect(answer(KE_METHODS[31], seed, hex(data))).toMatchObject(refused);
  });
});

/** SHAKE-128 read piece by piece; Node gives the whole output at once. */
class Shake {
  #at = 0;
  readonly #stream: Buffer;
  constructor(length: number) {
    this.#stream = createHash('shake128', { outputLength: length }).digest();
  }
  read(length: number): Buffer {
    this.#at += length;
    return this.#stream.subarray(this.#at - length, this.#at);
  }
}

describe('ML-KEM (FIPS 203)', () => {
  // Go's crypto/mlkem publishes the value for ML-KEM-768 (TestAccumulated, 100 cases): a SHAKE-128
  // stream gives d | z, m and a random ciphertext; all results are hashed. For 512 and 1024 there is
  // no published value of the final standard; these are what PQClean, kyber-py and CIRCL agree upon.
  it.each([
    [35, '86b1b4703b8ffef6f7f3290c6dbce4ad954498a0673ded401a94828e8c519a59'],
    [36, '1114b1b6699ed191734fa339376afa7e285c9e6acf6ff0177d346696ce564415'],
    [37, '800018fec3e2723f73f1d657fe239b4d5d8782efaade297e8cd448e54cc2ac00'],
  ] as const)('method %i: 100 accumulated known answers', (id, expected) => {
    const method = KE_METHODS[id];
    const stream = new Shake(100 * (64 + 32 + method.responderBytes));
    const all = createHash('shake128', { outputLength: 32 });
    for (let n = 0; n < 100; n++) {
      const { publicData, secret } = offer(method, stream.read(64));
      const theirs = answer(method, stream.read(32), publicData);
      if (!theirs.ok) throw new Error(theirs.error.code);
      const mine = agree(method, secret, theirs.value.publicData);
      expect(mine).toEqual({ ok: true, value: theirs.value.shared });
      const rejected = agree(method, secret, stream.read(method.responderBytes));
      if (!rejected.ok) throw new Error(rejected.error.code);
      all.update(publicData).update(theirs.value.publicData);
      all.update(theirs.value.shared).update(rejected.value);
    }
    expect(all.digest('hex')).toBe(expected);
  });

  it.each([KE_METHODS[35], KE_METHODS[36], KE_METHODS[37]])(
    '$name: refuses an encapsulation key with a number of q or more (§7.2)',
    (method) => {
      const { publicData } = offer(method, randomBytes(64));
      const q = Buffer.from(publicData);
      q.writeUInt8(3329 & 0xff, 0); // the first 12 bits, little-endian
      q.writeUInt8((q.readUInt8(1) & 0xf0) | (3329 >> 8), 1);
      expect(answer(method, randomBytes(32), q)).toMatchObject(refused);
      q.writeUInt8(3328 & 0xff, 0);
      q.writeUInt8((q.readUInt8(1) & 0xf0) | (3328 >> 8), 1);
      expect(answer(method, randomBytes(32), q).ok).toBe(true);
    },
  );
});
