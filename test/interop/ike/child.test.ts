// SPDX-License-Identifier: Apache-2.0
/**
 * Child SAs with strongSwan and the Linux kernel behind it: every ESP suite, protocols 47 and 137, rekeys under
 * traffic, ends that go and come back.
 */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { eventually } from '../../../scripts/lib/lab.js';
import { dissect } from '../../lib/tshark.js';
import { type ConnectionOptions, OURS, swanctlConf, THEIRS } from './bed.js';
import { type Encap, ENCAPS, pingOf, pongIn, PROTOCOLS } from './guest-bed.js';
import { Flow } from './flow.js';
import { GuestEnds, SECRET, SUITE, type Us } from './guest-ends.js';
import type { IkeHost, WantedChild } from './host.js';
import type { EspEnd, Recorded } from './recording-sink.js';
import type { PolicyOptions } from './settings.js';

const ends = new GuestEnds('ihc');
const { absent } = ends;
const ENCRYPTING = [
  ...['aes128gcm16', 'aes256gcm16-esn', 'chacha20poly1305'],
  ...['aes128-sha256', 'aes256-sha384', 'aes256-sha512-esn'],
];
const AUTHENTICATING = ['aes128gmac', 'aes256gmac-esn', 'null-sha256'];

const configOf = (
  esp: Readonly<Partial<Record<Encap, string>>>,
  more: Partial<ConnectionOptions> = {},
) =>
  swanctlConf({
    ...{ local: THEIRS, remote: OURS, proposals: SUITE, auth: { psk: SECRET } },
    children: ENCAPS.flatMap((encap) => {
      const proposals = esp[encap];
      const protocol = String(PROTOCOLS[encap]);
      return proposals === undefined ? [] : [{ name: encap, protocol, esp: proposals }];
    }),
    ...more,
  });

const prepare = (
  esp: Readonly<Partial<Record<Encap, readonly string[]>>>,
  more: Partial<PolicyOptions> = {},
): Promise<Us> => {
  const children = ENCAPS.flatMap((encap) => {
    const words = esp[encap];
    return words === undefined ? [] : [{ service: encap, protocol: PROTOCOLS[encap], esp: words }];
  });
  return ends.begin({ children, ...more }, { debugKeys: `${ends.bed.guest.folder}/keys` });
};

/** The child SA of this service that carries traffic. */
async function active(us: IkeHost, service: string): Promise<Recorded> {
  const probe = (): Recorded | undefined =>
    us.sink.active.findLast(({ install }) => install.policy.service === service);
  try {
    return await eventually(`a child SA ${service}`, probe, 20_000);
  } catch (error) {
    throw new Error(`${us.report()}\n${ends.bed.charon.readableLog()}`, { cause: error });
  }
}

/** Either end asks for the child SA. */
async function bringUp(
  { us, policy }: Us,
  service: Encap,
  by: 'us' | 'them',
): Promise<{ readonly child: Recorded; readonly wanted: WantedChild | undefined }> {
  if (by === 'us') {
    const wanted = us.want(service, policy);
    return { child: await active(us, service), wanted };
  }
  const { code, stdout, stderr } = await ends.bed.charon.initiate('child', service);
  if (code !== 0) throw new Error(`${stdout}${stderr}\n${us.report()}`);
  return { child: await active(us, service), wanted: undefined };
}

/** Pings the guest's customer `count` times through whatever child SA is active; how many answers came. */
async function pings(us: IkeHost, esp: EspEnd, encap: Encap, count = 3): Promise<number> {
  const seen = new Set<number>();
  const collect = async (): Promise<void> => {
    for (const { payload } of await esp.take()) {
      const sequence = pongIn(encap, payload);
      if (sequence !== undefined) seen.add(sequence);
    }
  };
  for (let sequence = 1; sequence <= count; sequence++) {
    await esp.send(await active(us, encap), pingOf(encap, sequence));
    await collect();
  }
  const done = async (): Promise<true | undefined> => {
    await collect();
    return seen.size === count ? true : undefined;
  };
  await eventually('all answers', done, 5000).catch(() => undefined);
  return seen.size;
}

const hex = (key: Buffer): string => (key.length === 0 ? '' : `0x${key.toString('hex')}`);

/** The kernel's SA of this direction has these keys. */
async function expectKeys(spi: number, keys: Recorded['inbound']): Promise<void> {
  const text = await ends.bed.guest
    .exec(`ip xfrm state get src ${OURS} dst ${THEIRS} proto esp spi ${String(spi)} ||
    ip xfrm state get src ${THEIRS} dst ${OURS} proto esp spi ${String(spi)}`);
  for (const key of [keys.encryption, keys.integrity]) expect(text).toContain(hex(key));
  expect(text).toContain('mode transport');
}

describe.skipIf(absent !== undefined)('suites of ESP', () => {
  const cases = [
    ...ENCRYPTING.map((suite) => ({ suite, all: ENCRYPTING })),
    ...AUTHENTICATING.map((suite) => ({ suite, all: AUTHENTICATING })),
  ].flatMap((one) => (['us', 'them'] as const).map((by) => ({ ...one, by })));
  test.each(cases)('$suite, begun by $by', async ({ suite, all, by }) => {
    if (loaded !== all) await ends.bed.charon.load(configOf({ gre: all.join(',') }));
    loaded = all;
    const ours = await prepare({ gre: [suite] });
    const { child } = await bringUp(ours, 'gre', by);
    const { install } = child;
    expect(install).toMatchObject({ udpEncapsulation: false, replaces: undefined });
    expect(install.suite.esn).toBe(suite.endsWith('-esn'));
    await expectKeys(install.inboundSpi, child.inbound);
    await expectKeys(install.outboundSpi, child.outbound);
    if (/gcm|gmac/.test(suite)) expect(await pings(ours.us, ours.esp, 'gre')).toBe(3);
    expect(ours.us.sink.faults).toEqual([]);
  });
  let loaded: readonly string[] = [];
});

describe.skipIf(absent !== undefined)('child SAs', () => {
  const both = ['us', 'them'] as const;

  test.each(both)('protocols 47 and 137 on one IKE SA, begun by %s', async (by) => {
    await ends.bed.charon.load(configOf({ gre: 'aes128gcm16', ip: 'aes256gcm16-x25519' }));
    const ours = await prepare({ gre: ['aes128gcm16'], ip: ['aes256gcm16-x25519'] });
    for (const encap of ENCAPS) await bringUp(ours, encap, by);
    for (const encap of ENCAPS) expect(await pings(ours.us, ours.esp, encap)).toBe(3);
    expect(ours.us.established()).toHaveLength(1);
    expect(await ends.bed.charon.established()).toMatchObject([{ children: [{}, {}] }]);
    // The second one has a key exchange of its own (PFS).
    const rows = ours.us.rows().flatMap(({ children }) => children);
    expect(rows.find(({ service }) => service === 'ip')?.keyExchanges).toEqual(['x25519']);
  });

  test('an IKE SA without a child SA (RFC 6023), then one', async () => {
    await ends.bed.charon.load(configOf({ gre: 'aes128gcm16' }));
    const ours = await prepare({ gre: ['aes128gcm16'] });
    expect(await ours.us.initiate()).toEqual({ ok: true, value: 1 });
    expect(ours.us.sink.live).toEqual([]);
    await bringUp(ours, 'gre', 'us');
    expect(await pings(ours.us, ours.esp, 'gre')).toBe(3);
    expect(ours.us.count('ike_sas_opened')).toBe(1);
  });

  test('rekeys by both ends, of child SAs and of IKE SAs, under traffic', async () => {
    await ends.bed.charon.load(configOf({ gre: 'aes128gcm16-x25519' }));
    const ours = await prepare({ gre: ['aes128gcm16-x25519'] });
    const { us, esp } = ours;
    await bringUp(ours, 'gre', 'us');
    const flow = new Flow(us, esp, 'gre');
    const capture = await ends.bed.wire.capture();
    for (let round = 0; round < 2; round++) {
      for (const rekey of [
        () => us.manager.rekey({}, 'child'),
        () => ends.bed.charon.rekey('child', 'gre'),
        () => us.manager.rekey({}, 'ike'),
        () => ends.bed.charon.rekey('ike', 'pe'),
      ]) {
        const before = us.sink.children.size + us.count('ike_sas_rekeyed');
        await rekey();
        await eventually('rekeyed', () =>
          us.sink.children.size + us.count('ike_sas_rekeyed') > before ? true : undefined,
        );
      }
    }
    const { sent, received } = await flow.stop();
    expect(sent).toBeGreaterThan(50);
    expect(received).toBe(sent);
    expect(us.sink.children.size).toBe(5);
    expect(us.sink.live).toHaveLength(1);
    expect(us.sink.faults).toEqual([]);
    // tshark reads all of it by what we write down for it (--debug-keys).
    const rows = await dissect(
      await capture.stop(),
      ['isakmp.exchangetype', 'isakmp.typepayload', '_ws.malformed', '_ws.expert.message'],
      {
        filter: 'isakmp',
        ikeSas: readFileSync(`${ends.bed.guest.folder}/keys/ikev2_decryption_table`, 'utf8')
          .trim()
          .split('\n'),
      },
    );
    const creations = rows.filter((row) => row['isakmp.exchangetype'] === '36');
    expect(creations).toHaveLength(16);
    for (const row of creations) expect(row['isakmp.typepayload']).toMatch(/^46,.*33,/);
    expect(rows.map((row) => row['_ws.malformed'] + row['_ws.expert.message']).join('')).toBe('');
  });

  test('RFC 9611 with a peer that does not know it: several alike, each rekeyed by either end', async () => {
    await ends.bed.charon.load(configOf({ gre: 'aes128gcm16' }));
    const esp = ['aes128gcm16'];
    const children = [{ service: 'gre', protocol: PROTOCOLS.gre, esp, resources: 3 }];
    const { us, policy, esp: plane } = await ends.begin({ children }, {});
    us.want('gre', policy);
    const three = (): readonly Recorded[] | undefined => {
      const live = us.sink.active.filter(({ isRemoved }) => !isRemoved);
      const resources = live.map(({ install }) => install.resource).sort();
      return JSON.stringify(resources) === '[0,1,2]' ? live : undefined;
    };
    const every = async (): Promise<readonly Recorded[]> => {
      const live = await eventually('one child SA of each resource', three, 20_000);
      for (const [i, child] of live.entries()) {
        await plane.send(child, pingOf('gre', i + 1));
        const came = await eventually(`an answer to the child SA of number ${i}`, async () => {
          const seqs = (await plane.take()).map(({ payload }) => pongIn('gre', payload));
          return seqs.includes(i + 1) ? true : undefined;
        });
        expect(came).toBe(true);
      }
      return live;
    };
    const first = await every();
    await ends.bed.charon.rekey('child', 'gre');
    await eventually('rekeyed by the peer', () =>
      first.every(({ isRemoved }) => isRemoved) ? true : undefined,
    );
    const second = await every();
    expect((await us.manager.rekey({}, 'child')).ok).toBe(true);
    await eventually('rekeyed by us', () =>
      second.every(({ isRemoved }) => isRemoved) ? true : undefined,
    );
    await every();
    // Nobody deletes one as a duplicate, and nobody asks for more.
    await new Promise((wake) => setTimeout(wake, 3000));
    await every();
    expect(us.sink.children.size).toBe(9);
    expect(us.sink.faults).toEqual([]);
    // What it has replaced it keeps for some seconds.
    await ends.bed.charon.until('three child SAs', ([sa]) => {
      const installed = sa?.children.filter(({ fields }) => fields['state'] === 'INSTALLED');
      return installed?.length === 3;
    });
  });

  test.each(both)('deleted by %s: a child SA, then the IKE SA', async (by) => {
    await ends.bed.charon.load(configOf({ gre: 'aes128gcm16' }));
    const ours = await prepare({ gre: ['aes128gcm16'] });
    const { us } = ours;
    const { child } = await bringUp(ours, 'gre', 'them');
    if (by === 'us') await us.manager.terminate({ service: 'gre' });
    else await ends.bed.charon.terminate('child', 'gre');
    await us.until('no child SA', () => child.isRemoved);
    await ends.bed.charon.until('no child SA', ([sa]) => sa?.children.length === 0);
    if (by === 'us') await us.manager.terminate({});
    else await ends.bed.charon.terminate('ike', 'pe');
    await us.until('no IKE SA', () => us.established().length === 0);
    await ends.bed.charon.until('no IKE SA', (sas) => sas.length === 0);
  });
});
