// SPDX-License-Identifier: Apache-2.0
/** The two ends of tests with strongSwan in a guest: one bed for a file, another one of ours for each test. */
import { afterAll, afterEach, beforeAll } from 'vitest';
import type { PeerPolicy } from '../../../src/ike/policy.js';
import { missingStrongswan } from '../../lib/strongswan.js';
import { OURS } from './bed.js';
import { type GuestBed, openGuestBed } from './guest-bed.js';
import { IkeHost, type HostOptions } from './host.js';
import { EspEnd } from './recording-sink.js';
import { peerPolicy, type PolicyOptions, pskSetup } from './settings.js';

/** Of both ends. */
export const SECRET = 'not a secret';
export const SUITE = 'aes128gcm16-prfsha256-x25519';

/** Our end of a test. */
export interface Us {
  readonly us: IkeHost;
  readonly policy: PeerPolicy;
  readonly esp: EspEnd;
}

export class GuestEnds {
  /** Why there is no guest; undefined: there is one. */
  readonly absent = missingStrongswan();
  #bed: GuestBed | undefined;
  #us: Us | undefined;

  /** Once in a file, outside of tests. `prefix`: of the names of namespaces. */
  constructor(prefix: string) {
    beforeAll(async () => {
      if (this.absent !== undefined) return;
      this.#bed = await openGuestBed(prefix, {
        logLevel: 1,
        settings: ['retransmit_timeout = 0.5', 'retransmit_base = 1.2', 'retransmit_tries = 3'],
      });
    }, 300_000);
    afterEach(async () => {
      await this.#us?.us.stop();
      await this.#us?.esp.close();
      this.#us = undefined;
      await this.#bed?.charon.forget();
    });
    afterAll(async () => {
      await this.#bed?.close();
    });
  }

  get bed(): GuestBed {
    if (this.#bed === undefined) throw new Error('there is no guest');
    return this.#bed;
  }

  /** Ours, from now on. */
  async begin(
    more: Partial<PolicyOptions>,
    options: Partial<Pick<HostOptions, 'debugKeys'>> = {},
  ): Promise<Us> {
    const policy = peerPolicy({ proposals: [SUITE], ...more });
    const common = { netns: this.bed.us, policy, auth: pskSetup(SECRET), addresses: [OURS] };
    const us = new IkeHost({ ...common, ...options });
    const esp = new EspEnd(this.bed.us, us.sink);
    this.#us = { us, policy, esp };
    await esp.open(OURS);
    return this.#us;
  }

  /** Ours is no more, without a word to the peer. */
  async vanish(): Promise<void> {
    const ours = this.#us;
    this.#us = undefined;
    await ours?.us.vanish();
    await ours?.esp.close();
  }
}
