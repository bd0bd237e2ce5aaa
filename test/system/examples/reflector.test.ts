// SPDX-License-Identifier: Apache-2.0
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { missing } from '../../lib/bgp-peers.js';
import { Example } from './example.js';

const absent = missing('frr');
let example: Example;
beforeAll(async () => {
  if (absent !== undefined) return;
  example = await Example.up('reflector', ['refl-rr', 'refl-c1', 'refl-c2']);
}, 400_000);
afterAll(async () => {
  if (absent === undefined) await example.close();
});

/** What a client has for a prefix, once it has anything. */
async function detail(client: 1 | 2, family: string, prefix: string): Promise<string> {
  const netns = `refl-c${client}`;
  const vtysh = ['vtysh', '--vty_socket', `${example.folder}/${netns}`, '-d', 'bgpd', '-c'];
  return example.until(`${prefix} at ${netns}`, async () => {
    const asked = [...vtysh, `show bgp ${family} vpn ${prefix}`];
    const { stdout } = await example.lab.exec(netns, asked);
    return stdout.includes('Originator') ? stdout : undefined;
  });
}

describe.skipIf(absent !== undefined)('examples/reflector', () => {
  it.each([
    [1, 2],
    [2, 1],
  ] as const)('tells client %i the routes of client %i', async (client, other) => {
    for (const [family, prefix, label] of [
      ['ipv4', `10.${other}.0.0/24`, `100${other}`],
      ['ipv6', `2001:db8:b:${other}::/64`, `200${other}`],
    ] as const) {
      const text = await detail(client, family, prefix);
      expect(text).toContain(`Originator: 192.0.2.${other}, Cluster list: 192.0.2.9`);
      expect(text).toContain('RT:65001:100');
      expect(text).toMatch(new RegExp(`Remote label: ${label}\\b`));
    }
  });

  it('has no interface and no VRF', async () => {
    expect(await example.show('rr', 'interfaces')).toEqual([]);
    expect(await example.show('rr', 'vrfs')).toEqual([]);
  });
});
