// SPDX-License-Identifier: Apache-2.0
/** Ends that vanish, come back, or want to be authenticated anew: strongSwan in a Linux guest, and us. */
import { describe, expect, test } from 'vitest';
import { OURS, swanctlConf, THEIRS } from './bed.js';
import { Flow } from './flow.js';
import { PROTOCOLS } from './guest-bed.js';
import { GuestEnds, SECRET, SUITE, type Us } from './guest-ends.js';
import type { PolicyOptions } from './settings.js';

const ends = new GuestEnds('ihl');
const { absent } = ends;

const load = (lines: readonly string[] = []): Promise<void> =>
  ends.bed.charon.load(
    swanctlConf({
      ...{ local: THEIRS, remote: OURS, proposals: SUITE, auth: { psk: SECRET }, lines },
      children: [{ name: 'gre', protocol: 'gre', esp: 'aes128gcm16' }],
    }),
  );

const begin = (more: Partial<PolicyOptions> = {}): Promise<Us> =>
  ends.begin({
    children: [{ service: 'gre', protocol: PROTOCOLS.gre, esp: ['aes128gcm16'] }],
    retransmission: { firstMs: 300, factor: 1.2, tries: 4, jitter: 0 },
    ...more,
  });

/** Pings get through, now or soon. */
async function works({ us, esp }: Us): Promise<void> {
  const flow = new Flow(us, esp, 'gre');
  try {
    await flow.answered(3);
  } catch (error) {
    throw new Error(`${us.report()}\n${ends.bed.charon.readableLog()}`, { cause: error });
  } finally {
    await flow.stop();
  }
}

describe.skipIf(absent !== undefined)('dead peers', () => {
  test('the path is cut: we notice, and it comes back', async () => {
    await load();
    const ours = await begin({ dpdMs: 1000 });
    const { us, policy } = ours;
    const { states } = us.want('gre', policy);
    await works(ours);
    await ends.bed.cut(true);
    await us.until('no IKE SA', () => us.established().length === 0);
    expect(us.count('peers_dead')).toBe(1);
    expect(us.sink.live).toEqual([]);
    await us.until('failed', () => states.at(-1)?.state === 'failed');
    await ends.bed.cut(false);
    await us.until('up', () => states.at(-1)?.state === 'up');
    await works(ours);
  });

  test('the path is cut: strongSwan notices, and begins anew', async () => {
    await load(['dpd_delay = 1s']);
    const ours = await begin();
    const { us, policy } = ours;
    us.want('gre', policy);
    await works(ours);
    await ends.bed.cut(true);
    await ends.bed.charon.until('no IKE SA', (sas) => sas.length === 0);
    expect(us.established()).toHaveLength(1);
    await ends.bed.cut(false);
    // What it opens is all that it knows of: INITIAL_CONTACT (RFC 7296 §2.4).
    expect((await ends.bed.charon.initiate('child', 'gre')).code).toBe(0);
    await us.until('one IKE SA', () => us.established().length === 1);
    await works(ours);
  });

  test('strongSwan is killed and starts again', async () => {
    await load();
    const ours = await begin();
    const { us, policy } = ours;
    us.want('gre', policy);
    await works(ours);
    const before = us.established()[0]?.initiatorSpi;
    await ends.bed.charon.stop('SIGKILL');
    await ends.bed.charon.restart();
    await load();
    expect((await ends.bed.charon.initiate('child', 'gre')).code).toBe(0);
    await us.until('another IKE SA alone', () => {
      const [row, ...rest] = us.established();
      return rest.length === 0 && row !== undefined && row.initiatorSpi !== before;
    });
    await works(ours);
    expect(us.sink.faults).toEqual([]);
  });

  test('we vanish and come back', async () => {
    await load();
    const first = await begin();
    first.us.want('gre', first.policy);
    await works(first);
    await ends.vanish();
    const ours = await begin();
    ours.us.want('gre', ours.policy);
    await works(ours);
    // INITIAL_CONTACT: the data plane is another one.
    const sas = await ends.bed.charon.until('one IKE SA', (all) => all.length === 1);
    expect(sas[0]?.children).toHaveLength(1);
  });
});

describe.skipIf(absent !== undefined)('reauthentication', () => {
  test('by us, before the time is up, without loss', async () => {
    await load();
    const ours = await begin({ reauthSeconds: 6 });
    const { us, esp, policy } = ours;
    us.want('gre', policy);
    await works(ours);
    const flow = new Flow(us, esp, 'gre');
    await us.until('opened again', () => us.count('ike_sas_opened') >= 2);
    await us.until('the old one is closed', () => us.established().length === 1);
    const { sent, received } = await flow.stop();
    expect(received).toBe(sent);
    expect(us.sink.faults).toEqual([]);
  });

  test('by strongSwan, which deletes first', async () => {
    await load();
    const ours = await begin();
    const { us } = ours;
    expect((await ends.bed.charon.initiate('child', 'gre')).code).toBe(0);
    await works(ours);
    await ends.bed.charon.reauthenticate('pe');
    await us.until('opened again', () => us.count('ike_sas_opened') >= 2);
    await us.until('one IKE SA', () => us.established().length === 1);
    await works(ours);
  });
});
