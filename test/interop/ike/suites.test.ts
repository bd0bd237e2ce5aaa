// SPDX-License-Identifier: Apache-2.0
/** Every suite and group of IKE with strongSwan, begun by either end, and what both read of it. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { Charon, hostSite, missingStrongswan } from '../../lib/strongswan.js';
import {
  type Bed,
  type ConnectionOptions,
  type IkeRow,
  openBed,
  OURS,
  OURS6,
  swanctlConf,
  THEIRS,
  THEIRS6,
} from './bed.js';
import { type HostOptions, IkeHost } from './host.js';
import { peerPolicy, type PolicyOptions, pskSetup } from './settings.js';

const absent = missingStrongswan();
const SECRET = 'not a secret';

let bed: Bed;
let charon: Charon;
let host: IkeHost | undefined;

beforeAll(async () => {
  if (absent !== undefined) return;
  bed = await openBed('ihs');
  charon = await Charon.start(hostSite(bed.lab, bed.them, `${bed.folder}/charon`), {
    settings: ['cookie_threshold = 1'],
  });
});
afterEach(async () => {
  await host?.stop();
  host = undefined;
});
afterAll(async () => {
  if (absent === undefined) await bed.close();
});

interface Ends {
  readonly ours: string;
  readonly theirs: string;
}
const IP4: Ends = { ours: OURS, theirs: THEIRS };
const IP6: Ends = { ours: OURS6, theirs: THEIRS6 };

/** Proposals of both ends; charon has only IKE SAs here. */
async function prepare(
  ours: readonly string[],
  theirs: readonly string[],
  more: {
    readonly ends?: Ends;
    readonly policy?: Partial<PolicyOptions>;
    readonly theirs?: Partial<ConnectionOptions>;
    readonly host?: Partial<HostOptions>;
    /** More of swanctl.conf's secrets. */
    readonly secrets?: string;
  } = {},
): Promise<IkeHost> {
  const ends = more.ends ?? IP4;
  const config = swanctlConf({
    ...{ local: ends.theirs, remote: ends.ours, childless: 'force' },
    ...{ proposals: theirs.join(','), auth: { psk: SECRET } },
    ...more.theirs,
  });
  await charon.load(`${config}${more.secrets ?? ''}`);
  host = new IkeHost({
    ...{ netns: bed.us, auth: pskSetup(SECRET), ...more.host },
    policy: peerPolicy({ proposals: ours, ...more.policy }),
  });
  return host;
}

/** One end begins; both have an IKE SA then, and it is the same. */
async function open(us: IkeHost, by: 'us' | 'them', ends = IP4): Promise<Record<string, string>> {
  const begun =
    by === 'us' ? us.initiate(ends.ours, ends.theirs) : charon.initiate('ike', 'pe', 10);
  const outcome = await begun;
  const isGood = 'ok' in outcome ? outcome.ok : outcome.code === 0;
  if (!isGood) throw new Error(`${JSON.stringify(outcome)}\n${us.report()}`);
  const sa = await us.opened();
  const [theirs] = await charon.until(
    'established',
    ([first]) => first?.fields['state'] === 'ESTABLISHED',
  );
  const fields = theirs?.fields ?? {};
  expect(BigInt(`0x${fields['initiator-spi'] ?? ''}`)).toBe(sa.initiatorSpi);
  expect(BigInt(`0x${fields['responder-spi'] ?? ''}`)).toBe(sa.responderSpi);
  expect(sa.role).toBe(by === 'us' ? 'initiator' : 'responder');
  return { ...fields };
}

/** Both ends have one IKE SA, the same and another than before: strongSwan's fields of it. */
async function same(us: IkeHost, before: string | undefined): Promise<Record<string, string>> {
  const [theirs] = await charon.until(
    'one IKE SA, another one',
    (all) => all.length === 1 && all[0]?.fields['initiator-spi'] !== before,
  );
  const fields = theirs?.fields ?? {};
  const spi = BigInt(`0x${fields['initiator-spi'] ?? ''}`);
  await us.until('the same', () => us.established().every((row) => row.initiatorSpi === spi));
  expect(us.established()).toHaveLength(1);
  return { ...fields };
}

const marksOf = (rows: readonly IkeRow[]): string[] =>
  rows.map(({ marks }) => marks).filter((mark) => mark !== '');
const exchangesOf = (rows: readonly IkeRow[]): string =>
  rows.map((row) => row['isakmp.exchangetype']).join(' ');
const notifiesOf = (row: IkeRow | undefined): string[] =>
  (row?.['isakmp.notify.msgtype'] ?? '').split(',');

describe.skipIf(absent !== undefined)('suites', () => {
  const suites = [
    'aes128gcm16-prfsha256-x25519',
    'aes256gcm16-prfsha384-ecp384',
    'chacha20poly1305-prfsha512-ecp521',
    'aes128-sha256-ecp256',
    'aes256-sha384-prfsha512-modp2048',
    'aes256-sha512-prfsha384-modp3072',
    'aes128gcm16-prfsha512-modp4096',
  ];
  const cases = suites.flatMap((suite) => (['us', 'them'] as const).map((by) => ({ suite, by })));
  test.each(cases)(
    '$suite, begun by $by, rekeyed by both, deleted by $by',
    async ({ suite, by }) => {
      const us = await prepare([suite], [suite]);
      const { rows, closed } = await bed.recorded(
        async () => {
          let sa = await open(us, by);
          for (const rekey of [
            () => us.manager.rekey({}, 'ike'),
            () => charon.rekey('ike', 'pe'),
          ]) {
            await rekey();
            const before = sa['initiator-spi'];
            sa = await same(us, before);
          }
          if (by === 'us') expect(await us.manager.terminate({})).toEqual({ ok: true, value: 1 });
          else await charon.terminate('ike', 'pe');
          await charon.until('none', (sas) => sas.length === 0);
          await us.until('none', () => us.established().length === 0);
        },
        () => charon.keys(),
      );
      expect(marksOf(rows)).toEqual([]);
      expect(exchangesOf(rows.filter((row) => row['isakmp.exchangetype'] !== '37'))).toBe(
        '34 34 35 35 36 36 36 36',
      );
      const isChaCha = suite.startsWith('chacha');
      expect([...closed.values()]).toEqual(isChaCha ? Array(3).fill('chacha20-poly1305') : []);
      expect(us.sink.faults).toEqual([]);
    },
  );
});

describe.skipIf(absent !== undefined)('opening', () => {
  const GCM = 'aes128gcm16-prfsha256-x25519';

  test.each(['us', 'them'] as const)('over IPv6, begun by %s', async (by) => {
    const us = await prepare([GCM], [GCM], { ends: IP6 });
    const fields = await open(us, by, IP6);
    expect(fields['remote-id']).toBe(OURS6);
  });

  test.each(['us', 'them'] as const)('INVALID_KE_PAYLOAD, begun by %s', async (by) => {
    const both = ['aes128gcm16-prfsha256-x25519-ecp384'];
    const one = ['aes128gcm16-prfsha256-ecp384'];
    const us = by === 'us' ? await prepare(both, one) : await prepare(one, both);
    const { rows } = await bed.recorded(
      () => open(us, by),
      () => charon.keys(),
    );
    expect(marksOf(rows)).toEqual([]);
    expect(exchangesOf(rows)).toBe('34 34 34 34 35 35');
    expect(notifiesOf(rows[1])).toEqual(['17']);
    expect(us.rows()[0]?.keyExchanges).toEqual(['ecp384']);
    expect(us.count('init_invalid_ke')).toBe(by === 'us' ? 0 : 1);
  });

  test.each(['us', 'them'] as const)('nothing in common, begun by %s', async (by) => {
    const us = await prepare([GCM], ['aes256gcm16-prfsha384-ecp384']);
    if (by === 'us') {
      expect(await us.initiate()).toMatchObject({
        failure: { code: 'NO_PROPOSAL_CHOSEN', by: 'peer' },
      });
    } else {
      expect((await charon.initiate('ike', 'pe', 10)).stdout).toContain('NO_PROP');
      expect(us.count('init_no_proposal')).toBe(1);
    }
    expect(await charon.established()).toEqual([]);
  });

  test.each(['us', 'them'] as const)(
    'of several proposals the first of the responder that the other has, begun by %s',
    async (by) => {
      const cbc = 'aes128-sha256-x25519';
      const us = await prepare(['aes256gcm16-prfsha384-ecp521', cbc, GCM], [GCM, cbc]);
      const chosen = by === 'us' ? 'AES_GCM_16' : 'AES_CBC';
      expect(await open(us, by)).toMatchObject({ 'encr-alg': chosen });
    },
  );

  test.each(['us', 'them'] as const)('another preshared key, begun by %s', async (by) => {
    const us = await prepare([GCM], [GCM], { theirs: { auth: { psk: 'another' } } });
    if (by === 'us') {
      expect(await us.initiate()).toMatchObject({
        failure: { code: 'AUTHENTICATION_FAILED', by: 'peer' },
      });
    } else {
      const { stdout, stderr } = await charon.initiate('ike', 'pe', 10);
      expect(stdout + stderr).toContain('AUTHENTICATION_FAILED');
    }
    const [failed, refused] = [us.count('auth_failed'), us.count('peer_refused_us')];
    expect([failed, refused]).toEqual(by === 'us' ? [0, 1] : [1, 0]);
    expect(await charon.established()).toEqual([]);
  });

  test('a cookie that we ask for', async () => {
    // Above its threshold of 0 half-open ones ours asks for a cookie; what it costs is another round trip.
    const us = await prepare([GCM], [GCM], { host: { halfOpen: { cookieAbove: 0 } } });
    const ours = await bed.recorded(
      () => open(us, 'them'),
      () => charon.keys(),
    );
    expect(marksOf(ours.rows)).toEqual([]);
    expect(exchangesOf(ours.rows)).toBe('34 34 34 34 35 35');
    expect(notifiesOf(ours.rows[1])).toEqual(['16390']);
    expect(us.count('init_cookies_sent')).toBe(1);
  });

  test('a cookie that charon asks for', async () => {
    // One half-open IKE SA is its threshold: that of an address whose IKE_AUTH requests get lost.
    const other = '192.0.2.3';
    await bed.lab.ip(bed.us, [`addr replace ${other}/24 dev wan0`]);
    await bed.lab.must(bed.us, ['nft', '-f', '-'], {
      input: `table ip lost {
        chain out {
          type filter hook output priority 0
          ip saddr ${other} meta l4proto udp @th,208,8 35 drop
        }
      }\n`,
    });
    const us = await prepare([GCM], [GCM], {
      theirs: { remote: `${OURS},${other}`, remoteId: OURS },
      host: { addresses: [OURS, other] },
    });
    const half = us.initiate(other, THEIRS);
    await charon.until('half open', (sas) => sas.length === 1);
    const { rows } = await bed.recorded(
      async () => {
        expect(await us.initiate()).toEqual({ ok: true, value: 1 });
      },
      () => charon.keys(),
    );
    await us.stop();
    host = undefined;
    expect((await half).ok).toBe(false);
    await bed.lab.must(bed.us, ['nft', 'delete', 'table', 'ip', 'lost']);
    await charon.forget();
    expect(marksOf(rows)).toEqual([]);
    expect(exchangesOf(rows)).toMatch(/^34 34 34 34 35 35/);
    expect(notifiesOf(rows[1])).toEqual(['16390']);
  });

  test.each(['us', 'them'] as const)(
    'a postquantum preshared key (RFC 8784), begun by %s',
    async (by) => {
      const key = '000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f';
      const ppk = { id: Buffer.from('our-ppk'), key: Buffer.from(key, 'hex'), required: true };
      const us = await prepare([GCM], [GCM], {
        policy: { ppk },
        theirs: { lines: ['ppk_id = our-ppk', 'ppk_required = yes'] },
        secrets: `secrets { ppk-1 { id = our-ppk\n secret = 0x${key} } }\n`,
      });
      await open(us, by);
      expect(us.rows()[0]?.isPpkUsed).toBe(true);
    },
  );
});
