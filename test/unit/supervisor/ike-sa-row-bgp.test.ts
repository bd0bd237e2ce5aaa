// SPDX-License-Identifier: Apache-2.0
/** Child SAs of BGP as rows: which selectors the worker carries, and what finds them (policy-model 17, 18). */
import { describe, expect, it } from 'vitest';
import type { Config } from '../../../src/config/types.js';
import type { ChildInstall } from '../../../src/ike/child/types.js';
import type { Selector } from '../../../src/ike/negotiation/types.js';
import { compileIkePolicy } from '../../../src/ike/policy-compile.js';
import { parseAddress } from '../../../src/lib/ip.js';
import { inboundRow, outboundRow, pairKeys, refusal } from '../../../src/supervisor/ike-sa-row.js';
import { protectedPairConfig } from './protected-config.js';

const LOCAL = parseAddress('192.0.2.1')!;
const REMOTE = parseAddress('198.51.100.2')!;
const config: Config = protectedPairConfig();

const children = (remote: Uint8Array) =>
  compileIkePolicy(config, new Map()).forPeer(remote)?.children(LOCAL, remote) ?? [];
const services = (remote: Uint8Array): string[] => children(remote).map(({ service }) => service);
const bgp = children(REMOTE).find(({ service }) => service === 'bgp')!;

const tcp = (address: Uint8Array, port?: number): Selector => ({
  ...{ start: address, end: address, protocol: 6 },
  ...(port === undefined ? { startPort: 0, endPort: 65_535 } : { startPort: port, endPort: port }),
});

function child(
  local: Selector[],
  remote: Selector[],
  more: Partial<ChildInstall> = {},
): ChildInstall {
  const keys = { encryption: Buffer.alloc(20), integrity: Buffer.alloc(0) };
  return {
    policy: bgp,
    peer: {
      ...{ address: REMOTE, sp: 'east', method: 'psk', subject: '', anchor: 'a' },
      validUntil: undefined,
    },
    path: { local: { address: LOCAL, port: 500 }, remote: { address: REMOTE, port: 500 } },
    udpEncapsulation: false,
    suite: { cipher: bgp.proposals[0]!.ciphers[0]!, integrity: undefined, esn: false },
    ...{ inboundSpi: 0x1000, outboundSpi: 0x2000, local, remote },
    ...{ inboundKeys: keys, outboundKeys: keys, resource: 0, replaces: undefined },
    ...more,
  };
}

describe('the child policy', () => {
  it('is there for a neighbour whose BGP has to be protected, and nobody else', () => {
    expect(services(REMOTE)).toContain('bgp');
    expect(services(parseAddress('198.51.100.3')!)).not.toContain('bgp');
    expect(bgp).toMatchObject({ mode: 'transport', resources: 1 });
    expect([bgp.local, bgp.remote]).toEqual([[tcp(LOCAL)], [tcp(REMOTE)]]);
    expect(bgp.proposals.flatMap(({ ciphers }) => ciphers).every(({ encrypts }) => encrypts)).toBe(
      true,
    );
  });
});

describe('rows', () => {
  it.each([
    ['either side', child([tcp(LOCAL)], [tcp(REMOTE)]), 0, 0, ['to-port', 'from-port']],
    ['the peer as server', child([tcp(LOCAL)], [tcp(REMOTE, 179)]), 0, 179, ['to-port']],
    ['us as server', child([tcp(LOCAL, 179)], [tcp(REMOTE)]), 179, 0, ['from-port']],
    [
      'a packet’s own selector in front',
      child([tcp(LOCAL, 179)], [tcp(REMOTE, 40_000), tcp(REMOTE)]),
      ...([179, 0, ['from-port']] as const),
    ],
  ])('are for %s', (_, one, local, remote, sides) => {
    expect(refusal(one)).toBeUndefined();
    const out = outboundRow(one);
    expect(out).toMatchObject({ application: 'bgp', sourcePort: local, destinationPort: remote });
    expect(out).not.toHaveProperty('encapsulation');
    expect(inboundRow(one, 7)).toMatchObject({
      ...{ application: 'bgp', sourcePort: remote, destinationPort: local },
      // Never a label table.
      ...{ spTable: 0, replayWindow: 1024 },
    });
    expect(pairKeys(out)).toEqual(sides.map((side) => `192.0.2.1 198.51.100.2 bgp ${side}`));
  });

  const gre: Selector = { ...tcp(LOCAL), protocol: 47 };
  const encrypt = children(REMOTE).find(({ service }) => service === 'encrypt/gre')!;
  it.each([
    ['other protocols', child([gre], [{ ...gre, start: REMOTE, end: REMOTE }])],
    ['another port', child([tcp(LOCAL)], [tcp(REMOTE, 22)])],
    ['179 at both ends', child([tcp(LOCAL, 179)], [tcp(REMOTE, 179)])],
    ['other addresses', child([tcp(REMOTE)], [tcp(LOCAL)])],
    ['TCP under the service of a VPN', child([tcp(LOCAL)], [tcp(REMOTE)], { policy: encrypt })],
  ])('are refused for %s', (_, one) => {
    expect(refusal(one)).toMatch(/selectors/);
  });
});
