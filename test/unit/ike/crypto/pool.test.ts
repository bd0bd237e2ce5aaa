// SPDX-License-Identifier: Apache-2.0
/** The pool of threads, and the whole IkeCrypto on it. */
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { afterEach, describe, expect, it } from 'vitest';
import {
  CIPHERS,
  KE_METHODS,
  PRFS,
  type KeMethodId,
} from '../../../../src/ike/crypto/algorithms.js';
import type { Job } from '../../../../src/ike/crypto/jobs.js';
import { createNodeCrypto, isHeavy } from '../../../../src/ike/crypto/node-crypto.js';
import { CryptoPool } from '../../../../src/ike/crypto/pool-driver.js';
import type { Result } from '../../../../src/ike/crypto/result.js';

const pools: CryptoPool[] = [];
const newPool = (threads: number, queue: number) => {
  const pool = new CryptoPool({ threads, queue });
  pools.push(pool);
  return pool;
};
afterEach(async () => {
  for (const pool of pools.splice(0)) await pool.close();
});
const value = <T>(result: Result<T>): T => {
  if (!result.ok) throw new Error(result.error.code);
  return result.value;
};
const offerJob = (): Extract<Job, { kind: 'offer' }> => ({
  kind: 'offer',
  method: 16,
  seed: randomBytes(KE_METHODS[16].privateBytes),
});
const zeros = (bytes: Uint8Array) => bytes.every((octet) => octet === 0);

describe('CryptoPool', () => {
  it('does at most so many jobs at once, keeps so many, refuses more, and does all it took', async () => {
    const pool = newPool(2, 3);
    const jobs = Array.from({ length: 7 }, offerJob);
    const results = jobs.map((job) => pool.run(job));
    expect(pool.counts).toEqual({ threads: 2, waiting: 3, underWay: 2 });
    expect(jobs.every(({ seed }) => zeros(seed))).toBe(true); // taken over, or refused and wiped
    const codes = (await Promise.all(results)).map((result) =>
      result.ok ? result.value.length : result.error.code,
    );
    expect(codes).toEqual([2, 2, 2, 2, 2, 'BUSY', 'BUSY']);
    expect(pool.counts).toEqual({ threads: 2, waiting: 0, underWay: 0 });
  });

  it('cancels what waits, what is under way, and what comes too late', async () => {
    const pool = newPool(1, 2);
    const controllers = [new AbortController(), new AbortController(), new AbortController()];
    const [underWay, waiting, after] = controllers;
    const first = pool.run(offerJob(), underWay!.signal);
    const second = pool.run(offerJob(), waiting!.signal);
    const third = pool.run(offerJob(), after!.signal);
    underWay!.abort();
    waiting!.abort();
    expect(pool.counts).toMatchObject({ waiting: 1, underWay: 1 });
    const cancelled = { ok: false, error: { code: 'CANCELLED' } };
    expect(await first).toMatchObject(cancelled);
    expect(await second).toMatchObject(cancelled);
    expect(value(await third)).toHaveLength(2);
    after!.abort(); // done already: nothing happens
    expect(await pool.run(offerJob(), waiting!.signal)).toMatchObject(cancelled);
    expect(value(await pool.run(offerJob()))).toHaveLength(2);
  });

  it('a job that kills its thread fails alone', async () => {
    const pool = newPool(1, 4);
    const fatal = pool.run({ ...offerJob(), method: 19, seed: Buffer.alloc(32) }); // no private value
    const next = pool.run(offerJob());
    expect(await fatal).toMatchObject({ ok: false, error: { code: 'WORKER' } });
    expect(value(await next)).toHaveLength(2);
    expect(pool.counts).toEqual({ threads: 1, waiting: 0, underWay: 0 });
  });

  it('bounds, cancels and closes signatures as well, which take no thread of its own', async () => {
    const pool = newPool(1, 1);
    const { privateKey: key } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const octets = Buffer.from('octets');
    const signJob = { kind: 'sign', scheme: 'pss-sha256', key, octets } as const;
    const controller = new AbortController();
    const results = [
      pool.run(signJob),
      pool.run(signJob, controller.signal),
      pool.run(signJob),
    ] as const;
    controller.abort();
    expect(value(await results[0])).toHaveLength(1);
    expect(await results[1]).toMatchObject({ ok: false, error: { code: 'CANCELLED' } });
    expect(await results[2]).toMatchObject({ ok: false, error: { code: 'BUSY' } });
    expect(pool.counts.threads).toBe(0);
    const cancelled = await pool.run(signJob, controller.signal);
    expect(cancelled).toMatchObject({ ok: false, error: { code: 'CANCELLED' } });
    const last = pool.run(signJob);
    await pool.close();
    const closed = { ok: false, error: { code: 'WORKER' } };
    expect(await last).toMatchObject(closed);
    expect(await pool.run(signJob)).toMatchObject(closed);
  });

  it('answers everything when it is closed', async () => {
    const pool = newPool(1, 4);
    const results = [pool.run(offerJob()), pool.run(offerJob())];
    await pool.close();
    const late = offerJob();
    results.push(pool.run(late));
    for (const result of await Promise.all(results)) {
      expect(result).toMatchObject({ ok: false, error: { code: 'WORKER' } });
    }
    expect(zeros(late.seed)).toBe(true);
    expect(pool.counts.threads).toBe(0);
  });
});

describe('IkeCrypto', () => {
  it('every key exchange, here or in a thread', async () => {
    const crypto = createNodeCrypto(newPool(1, 16), randomBytes);
    for (const { id } of Object.values(KE_METHODS)) {
      const method: KeMethodId = id;
      const { publicData, secret } = value(await crypto.exchanges.start(method));
      const theirs = value(await crypto.exchanges.respond(method, publicData));
      const shared = value(await crypto.exchanges.finish(method, secret, theirs.publicData));
      expect(shared).toEqual(theirs.shared);
      expect(zeros(shared)).toBe(false);
      expect(zeros(secret)).toBe(true); // taken over
      const bad = Buffer.alloc(KE_METHODS[method].initiatorBytes - 1);
      expect(await crypto.exchanges.respond(method, bad)).toMatchObject({
        error: { code: 'LENGTH' },
      });
    }
  });

  it('signatures, here or with libuv', async () => {
    const crypto = createNodeCrypto(newPool(1, 16), randomBytes);
    const octets = Buffer.from('octets');
    const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const big = generateKeyPairSync('ec', { namedCurve: 'P-521' });
    const ed = generateKeyPairSync('ed25519');
    const all = [
      ['pss-sha256', privateKey, publicKey],
      ['ecdsa-521', big.privateKey, big.publicKey],
      ['ed25519', ed.privateKey, ed.publicKey],
    ] as const;
    for (const [scheme, mine, theirs] of all) {
      const signature = value(await crypto.signatures.sign(scheme, mine, octets));
      expect(await crypto.signatures.verify(scheme, theirs, octets, signature)).toEqual({
        ok: true,
        value: true,
      });
      const wrong = await crypto.signatures.verify(scheme, theirs, Buffer.from('other'), signature);
      expect(wrong).toMatchObject({ ok: false, error: { code: 'SIGNATURE' } });
    }
  });

  it('an SA from nonces to a message', async () => {
    const crypto = createNodeCrypto(newPool(1, 16), randomBytes);
    const suite = { prf: PRFS.sha256, cipher: CIPHERS['aes-256-gcm'] };
    const nonces = { initiator: crypto.random(32), responder: crypto.random(32) };
    const spis = { initiator: crypto.random(8), responder: crypto.random(8) };
    const { publicData, secret } = value(await crypto.exchanges.start(31));
    const { publicData: answer, shared } = value(await crypto.exchanges.respond(31, publicData));
    const mine = value(await crypto.exchanges.finish(31, secret, answer));
    const keys = [mine, shared].map((ke) =>
      crypto.kdf.ikeKeys(suite, crypto.kdf.initialSkeyseed(suite.prf, nonces, ke), nonces, spis),
    );
    const [i, r] = [keys[0]!, keys[1]!];
    const header = Buffer.from('header');
    const sealed = crypto.sealer(suite, { encryption: i.ei, integrity: i.ai }).seal(header, header);
    const opener = crypto.opener(suite, { encryption: r.ei, integrity: r.ai });
    expect(value(opener.open(header, value(sealed)))).toEqual(header);
  });

  it('draws again what is no private value, and gives up on a broken source', async () => {
    const draws = [Buffer.alloc(32), Buffer.alloc(32, 0xff), Buffer.alloc(32, 1)];
    const crypto = createNodeCrypto(newPool(1, 1), () => draws.shift() ?? Buffer.alloc(32));
    expect(value(await crypto.exchanges.start(19)).secret).toEqual(Buffer.alloc(32, 1));
    await expect(crypto.exchanges.start(19)).rejects.toThrow('randomness is broken');
  });

  it('only what is quick is done on the spot', () => {
    const seed = Buffer.alloc(1);
    const heavy = Object.values(KE_METHODS)
      .filter(({ id: method }) => isHeavy({ kind: 'offer', method, seed }))
      .map(({ id }) => id);
    expect(heavy).toEqual([14, 15, 16, 20, 21, 35, 36, 37]);
    const { privateKey: key } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    expect(isHeavy({ kind: 'sign', scheme: 'pss-sha256', key, octets: seed })).toBe(true);
  });
});
