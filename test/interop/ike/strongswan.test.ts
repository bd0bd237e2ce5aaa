// SPDX-License-Identifier: Apache-2.0
/** strongSwan with itself: that the harness can do what the tests with Sealane rely on. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { issue, makeCa } from '../../lib/pki.js';
import { Charon, hostSite, missingStrongswan } from '../../lib/strongswan.js';
import { type Bed, openBed, OURS, swanctlConf, THEIRS } from './bed.js';

let bed: Bed;
let a: Charon;
let b: Charon;

const absent = missingStrongswan();

beforeAll(async () => {
  if (absent !== undefined) return;
  bed = await openBed('iss');
  const site = (netns: string, name: string) => hostSite(bed.lab, netns, `${bed.folder}/${name}`);
  a = await Charon.start(site(bed.us, 'a'));
  b = await Charon.start(site(bed.them, 'b'));
});
afterAll(async () => {
  if (absent === undefined) await bed.close();
});

const ends = [
  { local: OURS, remote: THEIRS },
  { local: THEIRS, remote: OURS },
] as const;

describe.skipIf(absent !== undefined)('two charons', () => {
  const suites = ['aes128gcm16-prfsha256-x25519', 'aes256-sha384-prfsha512-ecp256'];
  test.each(suites)(
    'an IKE SA with a preshared key, %s: keys, rekey, delete',
    async (proposals) => {
      const [ours = '', theirs = ''] = ends.map((end) =>
        swanctlConf({ ...end, proposals, childless: 'force', auth: { psk: 'not a secret' } }),
      );
      await a.load(ours);
      await b.load(theirs);
      const { rows, closed } = await bed.recorded(
        async () => {
          expect((await a.initiate('ike', 'pe')).code).toBe(0);
          expect(await b.established()).toHaveLength(1);
          await a.rekey('ike', 'pe');
          const [sa] = await b.until('rekeyed', (sas) => sas.length === 1);
          const [same] = await a.established();
          expect(sa?.fields['initiator-spi']).toBe(same?.fields['initiator-spi']);
          await b.terminate('ike', 'pe');
          await a.until('gone', (sas) => sas.length === 0);
        },
        () => a.keys(),
      );
      expect([...closed]).toEqual([]);
      expect(rows.map(({ marks }) => marks).filter((mark) => mark !== '')).toEqual([]);
      // IKE_SA_INIT, IKE_AUTH, CREATE_CHILD_SA, the delete of the old SA and that of the new one
      expect(rows.map((row) => row['isakmp.exchangetype'])).toEqual(
        [34, 34, 35, 35, 36, 36, 37, 37, 37, 37].map(String),
      );
      expect(rows[2]?.['isakmp.typepayload']).toMatch(/^46,35,/); // SK, IDi
    },
  );

  test('certificates', async () => {
    const root = makeCa(bed.folder, 'root', { key: 'p256' });
    const [one, two] = ends.map(({ local }, i) =>
      issue(root, { name: `pe${String(i)}`, ip: [local], key: i === 0 ? 'ed25519' : 'rsa-2048' }),
    );
    for (const [charon, own, end] of [
      [a, one!, ends[0]],
      [b, two!, ends[1]],
    ] as const) {
      await charon.load(
        swanctlConf({
          ...end,
          proposals: 'chacha20poly1305-prfsha256-ecp384',
          childless: 'force',
          auth: { local: 'pubkey', remote: 'pubkey' },
          certificate: 'own.pem',
        }),
        {
          'x509ca/root.pem': root.pem,
          'x509/own.pem': own.pem,
          'private/own.pem': readFileSync(own.files.key),
        },
      );
    }
    const from = a.log().length;
    const { rows, closed } = await bed.recorded(
      async () => {
        const { code, stderr, stdout } = await a.initiate('ike', 'pe');
        expect({ code, said: code === 0 ? '' : stdout + stderr }).toEqual({ code: 0, said: '' });
      },
      () => a.keys(),
    );
    // Wireshark has no ChaCha20-Poly1305 for IKE; the keys were found all the same.
    expect([...closed.values()]).toEqual(['chacha20-poly1305']);
    expect(rows).toHaveLength(4);
    expect(a.log().slice(from)).toMatch(
      /authentication of '192.0.2.2' with RSA_EMSA_\w+ successful/,
    );
    await a.terminate('ike', 'pe');
  });

  test('one that is killed and comes back knows nothing', async () => {
    await b.stop('SIGKILL');
    await b.restart();
    expect(await b.sas()).toEqual([]);
  });
});
