// SPDX-License-Identifier: Apache-2.0
/** strongSwan in two Linux kernels: ESP in transport mode around GRE and protocol 137, which the host's kernel cannot. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Charon, guestSite, missingStrongswan } from '../../lib/strongswan.js';
import { bootLinuxPe, type LinuxPe } from '../linux-pe/linux-pe.js';
import { dissect, makeWire, type Wire } from '../linux-pe/wire.js';
import { OURS, swanctlConf, THEIRS } from './bed.js';

const absent = missingStrongswan();
const sides = [
  { local: OURS, remote: THEIRS, n: 1, far: 2 },
  { local: THEIRS, remote: OURS, n: 2, far: 1 },
] as const;
const encaps = ['gre', 'ip'] as const;

let wire: Wire;
const guests: LinuxPe[] = [];
const charons: Charon[] = [];

beforeAll(async () => {
  if (absent !== undefined) return;
  wire = await makeWire('isg');
  await Promise.all(
    sides.map(async ({ local, remote, n, far }, i) => {
      const { netns, nic } = i === 0 ? wire.a : wire.b;
      const tunnels = encaps.map((encap, t) => ({
        ...{ name: `t${String(t)}`, encap, protection: 'ike' as const, local, remote },
        inner: [
          {
            local: `10.255.${String(t)}.${String(n)}`,
            nextHop: `10.255.${String(t)}.${String(far)}`,
          },
        ],
      }));
      const vrfs = encaps.map((encap, t) => ({
        ...{ name: encap, table: 10 + t, labelsIn: [1000 * n + t] },
        customer: [
          { pe: `10.${String(n)}.${String(t)}.1/24`, host: `10.${String(n)}.${String(t)}.2/24` },
        ],
        routes: [
          {
            prefix: `10.${String(far)}.${String(t)}.0/24`,
            ...{ label: 1000 * far + t, tunnel: `t${String(t)}` },
          },
        ],
      }));
      const guest = await bootLinuxPe({
        ...{ name: netns, netns, nics: [nic] },
        config: { underlay: [{ nic, address: `${local}/24` }], sas: [], tunnels, vrfs },
      });
      guests[i] = guest;
      const charon = await Charon.start(guestSite(guest));
      charons[i] = charon;
      await charon.load(
        swanctlConf({
          ...{ local, remote, proposals: 'aes128gcm16-prfsha256-x25519' },
          auth: { psk: 'not a secret' },
          children: [
            { name: 'gre', protocol: 'gre', esp: 'aes128gcm16-esn' },
            { name: 'ip', protocol: '137', esp: 'aes256gmac-ecp256' },
          ],
        }),
      );
    }),
  );
}, 300_000);
afterAll(async () => {
  if (absent !== undefined) return;
  await Promise.all(guests.map(async (guest) => guest.stop()));
  await wire.remove();
});

const ping = (encap: 'gre' | 'ip'): string => {
  const t = encaps.indexOf(encap);
  return `ip netns exec ce-${encap} ping -q -c 3 -i 0.2 -W 1 10.2.${String(t)}.2`;
};

describe.skipIf(absent !== undefined)('strongSwan in two guests', () => {
  test.each(encaps)('%s: nothing without an SA, all of it inside ESP with one', async (encap) => {
    const [guest] = guests;
    const [charon] = charons;
    expect((await guest!.run(ping(encap))).status).toBe(1);
    const { code, stdout, stderr } = await charon!.initiate('child', encap);
    expect({ code, said: code === 0 ? '' : stdout + stderr }).toEqual({ code: 0, said: '' });
    const capture = await wire.capture();
    await guest!.exec(ping(encap));
    const rows = await dissect(await capture.stop(), ['frame.protocols', 'esp.spi']);
    const [sa] = await charon!.established();
    const child = sa!.children.find(({ fields }) => fields['name'] === encap);
    expect(child?.fields).toMatchObject({ state: 'INSTALLED', mode: 'TRANSPORT' });
    const spis = [child!.fields['spi-in'], child!.fields['spi-out']].map((spi) => `0x${spi!}`);
    const esp = rows.filter((row) => row['frame.protocols'] !== 'eth:ethertype:arp');
    expect(new Set(esp.map((row) => row['frame.protocols']))).toEqual(
      new Set(['eth:ethertype:ip:esp']),
    );
    expect(new Set(esp.map((row) => row['esp.spi']))).toEqual(new Set(spis));
    expect(esp).toHaveLength(6);
  });

  test('a rekey of a child SA', async () => {
    const [charon] = charons;
    const before = (await charon!.established())[0]!.children.find(
      (c) => c.fields['name'] === 'gre',
    );
    await charon!.rekey('child', 'gre');
    const [sa] = await charon!.until('rekeyed', ([first]) => {
      const live = first?.children.filter((child) => child.fields['name'] === 'gre') ?? [];
      return live.length === 1 && live[0]!.fields['spi-in'] !== before!.fields['spi-in'];
    });
    expect(sa?.children).toHaveLength(2);
    await guests[0]!.exec(ping('gre'));
  });
});
