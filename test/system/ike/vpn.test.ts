// SPDX-License-Identifier: Apache-2.0
/** A VPN whose SAs come by IKE, as two PEs are run: preshared keys, certificates, and the wrong ones. */
import { rmSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import { eventually } from '../../../scripts/lib/lab.js';
import type { End } from '../supervisor/two-pes.js';
import { IkePes, type Proof } from './ike-pes.js';

let pes: IkePes;
afterEach(async () => {
  await pes.close();
});

/** EtherType IPv4, protocol: what a frame on the core carries. */
const protocolOf = (frame: Buffer): number =>
  frame.readUInt16BE(12) === 0x0800 ? frame.readUInt8(23) : -1;
const ESP = 50;
const GRE = 47;

describe.each<Proof>(['psk', 'certificates'])('with %s', (proof) => {
  it('a CE reaches the other through SAs that were agreed on, and nothing else carries its packets', async () => {
    pes = await IkePes.open('ikvp', { proof });
    await pes.up();
    const { net } = pes;
    await pes.settled();
    for (const end of [1, 2] as const) {
      const [sa] = await pes.sas(end);
      expect(sa).toMatchObject({ state: 'established', sp: 'example', children: 1 });
      expect(sa?.authentication).toBe(proof === 'psk' ? 'psk' : 'ecdsa');
      // By default a KEM behind the classical one.
      expect(sa?.keyExchanges).toBe('x25519 mlkem768');
      const [tunnel] = await net.show(end, 'tunnels');
      expect(tunnel).toMatchObject({ state: 'up', reason: '' });
      // Both ends begin at once: one of the two that may come of it goes.
      const rows = await eventually('one SA each way', async () => {
        const all = await net.show(end, 'sas');
        return all.length === 2 ? all : undefined;
      });
      expect(rows.map(({ name, direction }) => [name, direction])).toEqual([
        [tunnel?.sa, 'out'],
        [tunnel?.sa, 'in'],
      ]);
      expect(rows).toMatchObject([
        { protection: 'encrypt', encapsulation: 'gre', ready: true, sp: '' },
        { protection: 'encrypt', encapsulation: 'gre', ready: true, sp: 'example' },
      ]);
    }
    const frames = await net.capture(async () => {
      expect(await net.ping(1, '10.2.0.2', { count: 5 })).toBe(5);
    });
    for (const end of [1, 2] as const) {
      const seen = frames[end].map(protocolOf);
      expect(seen.filter((protocol) => protocol === ESP).length).toBeGreaterThanOrEqual(5);
      expect(seen).not.toContain(GRE);
    }
  });
});

it('a reload with a key of another certificate is refused before anything has changed', async () => {
  pes = await IkePes.open('ikrl', { proof: 'certificates' });
  await pes.up();
  await pes.settled();
  const { net } = pes;
  const before = await net.show(1, 'sas');
  const { ike, ...rest } = pes.config(1);
  const { certificate } = pes.certificateFiles(1, 'example');
  const key = `${pes.certificate(2, 'example')}.key`;
  // With a route that would be there if half of it were applied.
  const [vrf] = Object.values(rest.vrfs ?? {});
  const routes = [...(vrf?.routes ?? []), { prefix: '10.99.0.0/24', tunnel: 'peer', label: 1002 }];
  const wrong = net.write(1, {
    ...rest,
    vrfs: { A: { ...vrf, routes } },
    ike: { providers: {}, ...ike, credentials: { own: { certificate, key } } },
  });
  const from = net.logText(1).length;
  for (const dryRun of [true, false]) {
    await expect(net.client(1, async (client) => client.reload(wrong, dryRun))).rejects.toThrow(
      /credential own: the key is not that of the certificate/,
    );
  }
  expect(net.logText(1).slice(from)).not.toMatch(/going back|configuration in force/);
  expect(await net.show(1, 'sas')).toEqual(before);
  expect((await net.show(1, 'routes')).map(({ prefix }) => prefix)).not.toContain('10.99.0.0/24');
  expect(await net.ping(1, '10.2.0.2', { count: 3 })).toBe(3);
});

describe('a peer that is not who it should be', () => {
  /** Both run, and no SA comes of it; what the first end counts then. */
  async function refused(second: End): Promise<Map<string, number>> {
    const { net } = pes;
    for (const end of [1, 2] as const) {
      net.write(end, pes.config(end, end === second ? 'other' : 'example'));
      net.start(end);
    }
    const [tunnel] = await eventually('the tunnel has failed', async () => {
      const rows = await net.show(1, 'tunnels').catch(() => []);
      return rows[0]?.state === 'failed' ? rows : undefined;
    });
    expect(tunnel?.reason).toMatch(/^IKE: /);
    const frames = await net.capture(async () => {
      expect(await net.ping(1, '10.2.0.2', { count: 20 })).toBe(0);
    });
    for (const end of [1, 2] as const) {
      const seen = frames[end].map(protocolOf);
      expect([seen.includes(ESP), seen.includes(GRE)]).toEqual([false, false]);
    }
    // The impostor trusts us and has SAs until it is told that we do not trust it.
    expect(await net.show(1, 'sas')).toEqual([]);
    expect(Number((await net.drops(1)).get('sa_missing'))).toBeGreaterThan(0);
    const [route] = (await net.show(1, 'routes')).filter((row) => row.prefix === '10.2.0.0/24');
    expect(route).toMatchObject({ usable: false });
    return pes.counters(1);
  }

  it('a certificate of another authority: no SA, a counter, nothing in clear', async () => {
    pes = await IkePes.open('ikwc', { proof: 'certificates' });
    pes.certify(2, 'other');
    const counters = await refused(2);
    expect(counters.get('cert_untrusted')).toBeGreaterThan(0);
  });

  it('a certificate that names another address: no SA, a counter, nothing in clear', async () => {
    pes = await IkePes.open('ikwa', { proof: 'certificates' });
    const path = pes.certificate(2, 'example');
    rmSync(`${path}.pem`);
    pes.certify(2, 'example', ['192.0.2.77']);
    const { net } = pes;
    for (const end of [1, 2] as const) {
      net.write(end, pes.config(end));
      net.start(end);
    }
    await eventually('the tunnel has failed', async () => {
      const rows = await net.show(1, 'tunnels').catch(() => []);
      return rows[0]?.state === 'failed' ? true : undefined;
    });
    expect(await net.show(1, 'sas')).toEqual([]);
  });
});
