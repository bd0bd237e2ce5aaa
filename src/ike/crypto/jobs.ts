// SPDX-License-Identifier: Apache-2.0
/** The operations that may run in another thread, as plain data. Secret: `seed`, `secret`, `shared`. */
import type { KeyObject } from 'node:crypto';
import { KE_METHODS, type KeMethodId } from './algorithms.js';
import { agree, answer, offer } from './groups.js';
import { ok, type Result } from './result.js';
import { signLater, signOctets, verifyLater, verifyOctets, type SchemeName } from './signatures.js';

export type Job = ExchangeJob | SignatureJob;

export type ExchangeJob =
  | { readonly kind: 'offer'; readonly method: KeMethodId; readonly seed: Uint8Array }
  | {
      readonly kind: 'agree';
      readonly method: KeMethodId;
      readonly secret: Uint8Array;
      readonly data: Uint8Array;
    }
  | {
      readonly kind: 'answer';
      readonly method: KeMethodId;
      readonly seed: Uint8Array;
      readonly data: Uint8Array;
    };

export type SignatureJob =
  | {
      readonly kind: 'sign';
      readonly scheme: SchemeName;
      readonly key: KeyObject;
      readonly octets: Uint8Array;
    }
  | {
      readonly kind: 'verify';
      readonly scheme: SchemeName;
      readonly key: KeyObject;
      readonly octets: Uint8Array;
      readonly signature: Uint8Array;
    };

/**
 * Up to two octet strings: offer gives [public data, secret], answer [public data, shared secret],
 * agree [shared secret], sign [signature value], verify [].
 */
export type Output = readonly Uint8Array[];

/** Does a job here and now. */
export function perform(job: Job): Result<Output> {
  switch (job.kind) {
    case 'offer': {
      const { publicData, secret } = offer(KE_METHODS[job.method], job.seed);
      return ok([publicData, secret]);
    }
    case 'agree':
      return map(agree(KE_METHODS[job.method], job.secret, job.data), (shared) => [shared]);
    case 'answer':
      return map(answer(KE_METHODS[job.method], job.seed, job.data), (both) => [
        both.publicData,
        both.shared,
      ]);
    case 'sign':
      return map(signOctets(job.scheme, job.key, job.octets), (signature) => [signature]);
    case 'verify':
      return map(verifyOctets(job.scheme, job.key, job.octets, job.signature), () => []);
  }
}

/** The same on a thread of libuv's pool, which needs no copy of the key. */
export async function performLater(job: SignatureJob): Promise<Result<Output>> {
  const { scheme, key, octets } = job;
  if (job.kind === 'sign') {
    return map(await signLater(scheme, key, octets), (signature) => [signature]);
  }
  return map(await verifyLater(scheme, key, octets, job.signature), () => []);
}

/** What of a job is to be zeroed when it is done. */
export function secretsOf(job: Job): readonly Uint8Array[] {
  switch (job.kind) {
    case 'offer':
    case 'answer':
      return [job.seed];
    case 'agree':
      return [job.secret];
    case 'sign':
    case 'verify':
      return [];
  }
}

const map = <T>(result: Result<T>, change: (value: T) => Output): Result<Output> =>
  result.ok ? ok(change(result.value)) : result;
