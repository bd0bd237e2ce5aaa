// SPDX-License-Identifier: Apache-2.0
/** IkeCrypto on node:crypto, with a pool of threads for what is heavy. */
import { KE_METHODS, type KeMethodId } from './algorithms.js';
import type { Cancellation, IkeCrypto, KeyExchanges, Signatures } from './api.js';
import { intAuth, pskAuth, signedOctets } from './auth.js';
import { answerSeedBytes, clampSeed, isPrivateValue, offerSeedBytes } from './groups.js';
import { perform, secretsOf, type Job, type Output } from './jobs.js';
import { childKeys, ikeKeys, initialSkeyseed, mixPpk, nextSkeyseed } from './kdf.js';
import { createOpener, createSealer } from './protect.js';
import type { Random } from './random.js';
import { ok, type Result } from './result.js';
import { wipe } from './secret.js';
import { SCHEMES } from './signatures.js';

/** Where heavy jobs go: a CryptoPool. Takes the job's secrets over. */
export interface JobRunner {
  run(job: Job, signal?: Cancellation): Promise<Result<Output>>;
}

/** @param random a cryptographic source: node:crypto's randomBytes */
export function createNodeCrypto(pool: JobRunner, random: Random): IkeCrypto {
  const run = async (job: Job, signal?: Cancellation): Promise<Result<readonly Buffer[]>> => {
    const result = isHeavy(job) ? await pool.run(job, signal) : here(job);
    return result.ok ? ok(result.value.map(asBuffer)) : result;
  };
  return {
    random,
    exchanges: keyExchanges(run, random),
    signatures: signatures(run),
    kdf: {
      ...{ initialSkeyseed, nextSkeyseed, ikeKeys, mixPpk, childKeys },
      ...{ signedOctets, intAuth, pskAuth },
    },
    sealer: (suite, keys, firstIv = 0n) => createSealer(suite, keys, { random, firstIv }),
    opener: createOpener,
  };
}

type Run = (job: Job, signal?: Cancellation) => Promise<Result<readonly Buffer[]>>;

/**
 * What takes longer than handing it to a thread and back (about 0.1 ms): all but X25519, P-256,
 * Ed25519 and checking RSA signatures of usual sizes.
 */
export function isHeavy(job: Job): boolean {
  switch (job.kind) {
    case 'offer':
    case 'agree':
    case 'answer':
      return job.method !== 19 && job.method !== 31;
    case 'sign':
    case 'verify': {
      const { modulusLength = 0, namedCurve } = job.key.asymmetricKeyDetails ?? {};
      const { kind } = SCHEMES[job.scheme];
      if (kind === 'ed25519') return false;
      if (kind === 'ecdsa') return namedCurve !== 'prime256v1';
      return job.kind === 'sign' || modulusLength > 4096;
    }
  }
}

function here(job: Job): Result<Output> {
  const result = perform(job);
  wipe(...secretsOf(job));
  return result;
}

/** What comes from another thread is no Buffer; what was done here stays the object that it is. */
const asBuffer = (octets: Uint8Array): Buffer =>
  Buffer.isBuffer(octets)
    ? octets
    : Buffer.from(octets.buffer, octets.byteOffset, octets.byteLength);

function keyExchanges(run: Run, random: Random): KeyExchanges {
  return {
    async start(method, signal) {
      const seed = drawSeed(method, offerSeedBytes(KE_METHODS[method]), random);
      const result = await run({ kind: 'offer', method, seed }, signal);
      if (!result.ok) return result;
      const [publicData, secret] = two(result.value);
      return ok({ publicData, secret });
    },
    async finish(method, secret, data, signal) {
      const result = await run({ kind: 'agree', method, secret, data }, signal);
      return result.ok ? ok(one(result.value)) : result;
    },
    async respond(method, data, signal) {
      const seed = drawSeed(method, answerSeedBytes(KE_METHODS[method]), random);
      const result = await run({ kind: 'answer', method, seed, data }, signal);
      if (!result.ok) return result;
      const [publicData, shared] = two(result.value);
      return ok({ publicData, shared });
    },
  };
}

function signatures(run: Run): Signatures {
  return {
    async sign(scheme, key, octets, signal) {
      const result = await run({ kind: 'sign', scheme, key, octets }, signal);
      return result.ok ? ok(one(result.value)) : result;
    },
    async verify(scheme, key, octets, signature, signal) {
      const result = await run({ kind: 'verify', scheme, key, octets, signature }, signal);
      return result.ok ? ok(true) : result;
    },
  };
}

/** A draw that is no private value has a chance of 2^-32 at most: many in a row are no chance. */
const MOST_DRAWS = 16;

function drawSeed(id: KeMethodId, length: number, random: Random): Buffer {
  const method = KE_METHODS[id];
  for (let draws = 0; draws < MOST_DRAWS; draws++) {
    const seed = random(length);
    clampSeed(method, seed);
    if (isPrivateValue(method, seed)) return seed;
  }
  throw new Error('the source of randomness is broken');
}

function one([first]: readonly Buffer[]): Buffer {
  if (first === undefined) throw new TypeError('an operation without a result');
  return first;
}

function two([first, second]: readonly Buffer[]): readonly [Buffer, Buffer] {
  if (first === undefined || second === undefined) throw new TypeError('half a result');
  return [first, second];
}
