// SPDX-License-Identifier: Apache-2.0
/** Every suite and group of IKE with strongSwan, begun by either end, and what both read of it. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { Charon, hostSite, missingStrongswan } from '../../lib/strongswan.js';
import { type Bed, openBed, OURS, OURS6, swanctlConf, THEIRS, THEIRS6 } from './bed.js';
import { IkeHost } from './host.js';
import { peerPolicy, pskSetup } from './settings.js';

const absent = missingStrongswan();
const SECRET = 'not a secret';

let bed: Bed;
let charon: Charon;
let host: IkeHost | undefined;

beforeAll(async () => {
  if (absent !== undefined) return;
  bed = await openBed('ihs');
  charon = await Charon.start(hostSite(bed.lab, bed.them, `${bed.folder}/charon`));
});
afterEach(async () => {
  await host?.close();
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
  ends = IP4,
): Promise<IkeHost> {
  await charon.load(
    swanctlConf({
      ...{ local: ends.theirs, remote: ends.ours, childless: 'force' },
      ...{ proposals: theirs.join(','), auth: { psk: SECRET } },
    }),
  );
  host = new IkeHost(bed.us, peerPolicy({ proposals: ours }), pskSetup(SECRET));
  return host;
}

/** One end begins; both have an IKE SA then, and it is the same. */
async function open(us: IkeHost, by: 'us' | 'them', ends = IP4): Promise<Record<string, string>> {
  if (by === 'us') us.initiate(ends.ours, ends.theirs);
  else {
    const { code, stdout, stderr } = await charon.initiate('ike', 'pe');
    expect({ code, said: code === 0 ? '' : stdout + stderr }).toEqual({ code: 0, said: '' });
  }
  const sa = await us.opened();
  const [theirs] = await charon.until('established', ([first]) =>
    first?.fields['state'] === 'ESTABLISHED');
  const fields = theirs?.fields ?? {};
  expect(BigInt(`0x${fields['initiator-spi'] ?? ''}`)).toBe(sa.initiatorSpi);
  expect(BigInt(`0x${fields['responder-spi'] ?? ''}`)).toBe(sa.responderSpi);
  expect(sa.role).toBe(by === 'us' ? 'initiator' : 'responder');
  return { ...fields };
}

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
  test.each(cases)('$suite, begun by $by', async ({ suite, by }) => {
    const us = await prepare([suite], [suite]);
    const { rows, closed } = await bed.recorded(
      () => open(us, by),
      () => charon.keys(),
    );
    expect(rows.map(({ marks }) => marks).filter((mark) => mark !== '')).toEqual([]);
    expect(rows.map((row) => row['isakmp.exchangetype'])).toEqual(['34', '34', '35', '35']);
    expect([...closed.values()]).toEqual(suite.startsWith('chacha') ? ['chacha20-poly1305'] : []);
  });
});
