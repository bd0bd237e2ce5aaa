// SPDX-License-Identifier: Apache-2.0
/** A NAT between us and strongSwan, in front of either: refused unless the policy allows it (policy-model 15). */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { eventually } from '../../../scripts/lib/lab.js';
import { Charon, hostSite, missingStrongswan } from '../../lib/strongswan.js';
import { type Bed, HIDDEN, openBed, OURS, swanctlConf, THEIRS } from './bed.js';
import { IkeHost } from './host.js';
import { peerPolicy, pskSetup } from './settings.js';

const absent = missingStrongswan();
const SECRET = 'not a secret';
const SUITE = 'aes128gcm16-prfsha256-x25519';
const both = ['us', 'them'] as const;

describe.skipIf(absent !== undefined).each(both)('a NAT in front of %s', (hidden) => {
  const ourAddress = hidden === 'us' ? HIDDEN : OURS;
  let bed: Bed;
  let charon: Charon;
  let host: IkeHost | undefined;

  beforeAll(async () => {
    bed = await openBed(hidden === 'us' ? 'ihnu' : 'ihnt', hidden);
    charon = await Charon.start(hostSite(bed.lab, bed.them, `${bed.folder}/charon`), {
      settings: ['keep_alive = 1s'],
    });
    await charon.load(
      swanctlConf({
        ...{ local: hidden === 'them' ? HIDDEN : THEIRS, remote: OURS, childless: 'force' },
        // Identities are what the other end sees of a PE that is not hidden, or the tunnel address of one that is.
        ...{ localId: THEIRS, remoteId: ourAddress, proposals: SUITE, auth: { psk: SECRET } },
      }),
    );
  });
  afterEach(async () => {
    await host?.stop();
    host = undefined;
    await charon.forget();
  });
  afterAll(async () => {
    await bed.close();
  });

  const begin = (nat: 'refuse' | 'allow'): IkeHost => {
    host = new IkeHost({
      ...{ netns: bed.us, auth: pskSetup(SECRET), addresses: [ourAddress] },
      policy: peerPolicy({ proposals: [SUITE], nat }),
    });
    return host;
  };

  test.each(both)('refused, begun by %s', async (by) => {
    const us = begin('refuse');
    if (by === 'us') expect(await us.initiate(ourAddress)).toMatchObject({ ok: false });
    else expect((await charon.initiate('ike', 'pe', 5)).code).not.toBe(0);
    expect(us.count('nat_refused')).toBe(1);
    expect(us.established()).toEqual([]);
  });

  test.each(both)('allowed, begun by %s: port 4500, rekeys, keepalives', async (by) => {
    const us = begin('allow');
    if (by === 'us') expect(await us.initiate(ourAddress)).toEqual({ ok: true, value: 1 });
    else {
      const { code, stdout, stderr } = await charon.initiate('ike', 'pe', 15);
      if (code !== 0) throw new Error(`${stdout}${stderr}\n${us.report()}`);
    }
    const row = await us.opened();
    expect(row.localPort).toBe(4500);
    const [theirs] = await charon.established();
    expect(theirs?.fields[hidden === 'us' ? 'nat-remote' : 'nat-local']).toBe('yes');
    await us.manager.rekey({}, 'ike');
    await charon.until('rekeyed', (sas) => sas.length === 1);
    await charon.rekey('ike', 'pe');
    await charon.until('rekeyed', (sas) => sas.length === 1);
    await us.until('rekeyed twice', () => us.count('ike_sas_rekeyed') === 2);
    // Whoever is behind the NAT keeps its mapping: charon each second here, we as RFC 3948 §2.3 proposes.
    const counter = hidden === 'us' ? 'tx_keepalives' : 'rx_keepalives';
    if (hidden === 'them' || by === 'us') {
      await eventually('a keepalive', () => (us.count(counter) > 0 ? true : undefined), 40_000);
    }
    await charon.terminate('ike', 'pe');
    await us.until('none', () => us.established().length === 0);
  });
});
