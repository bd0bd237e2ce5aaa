// SPDX-License-Identifier: Apache-2.0
/** From the configuration to sessions and RIB: nothing that an operator says is lost on the way. */
import { describe, expect, it } from 'vitest';
import { ipsecCommunityFormat } from '../../../../src/bgp/codec/communities/ipsec.js';
import { FAMILY } from '../../../../src/bgp/codec/types.js';
import { PolicyCompiler, REJECT_ALL } from '../../../../src/bgp/policy/compile.js';
import type { NeighbourRib } from '../../../../src/bgp/rib/peers.js';
import { resolveNeighbor } from '../../../../src/bgp/session/config.js';
import type { Transit } from '../../../../src/bgp/rib/transit.js';
import type { EstablishedPeer } from '../../../../src/bgp/types.js';
import { formatPrefix, parseAddress } from '../../../../src/lib/ip.js';
import { forwardingModel } from '../../../../src/forwarding/model.js';
import { spNumbers } from '../../../../src/config/sp-numbers.js';
import { ownRoutes } from '../../../../src/vpn/bgp/local-routes.js';
import { neighbourRib, neighbours, type Surroundings } from '../../../../src/vpn/bgp/neighbours.js';
import { goodBgp, type BgpDraft } from '../../config/bgp-good.js';

const SPEAKER = { asn: 65001, routerId: 0xc000_0201 };

const compiler = ({ bgp }: BgpDraft): PolicyCompiler =>
  new PolicyCompiler(bgp, ipsecCommunityFormat(bgp.ipsecCommunitySubType));

const around = (draft: BgpDraft): Surroundings => ({
  ...draft,
  ...{ numbers: spNumbers(draft), transit: () => undefined },
});

function rib(draft: BgpDraft, name: string): NeighbourRib {
  const { options } = neighbours(draft).get(name)!;
  return neighbourRib(around(draft), options, peerOf(name, options.vrf), compiler(draft));
}

function peerOf(name: string, vrf: string | undefined): EstablishedPeer {
  return {
    ...{ id: 1, name, configured: name, vrf, kind: 'ebgp', asn: 65100 },
    ...{ address: parseAddress('10.1.0.2')!, localAddress: parseAddress('10.1.0.1')! },
    ...{ localAsn: 65001, routerId: 1, routeRefresh: true, enhancedRefresh: true },
    ...{ forwardingKept: 0, awaitEndOfRib: 0 },
    context: {
      ...{ ibgp: false, as4: true, maxMessage: 4096, families: 1 << FAMILY.ipv4Unicast },
      ...{ addPathReceive: 0, addPathSend: 0, extendedNextHop: 0 },
    },
  };
}

describe('a neighbour of the configuration', () => {
  it('inside a VRF meets a router with the id of the VRF', () => {
    const all = neighbours(goodBgp());
    const idTowards = (name: string): number =>
      resolveNeighbor(all.get(name)!.session, SPEAKER).routerId;
    expect(idTowards('10.1.0.2%a')).toBe(0x0a01_0001);
    expect(idTowards('10.1.0.0/24%a')).toBe(0x0a01_0001);
    expect(idTowards('192.0.2.11')).toBe(SPEAKER.routerId);
  });

  it('is treated by the RIB as it says', () => {
    const draft = goodBgp();
    expect(rib(draft, '10.1.0.2%a')).toMatchObject({
      ...{ passVpn: ['color'], asOverride: true, allowAsIn: 1 },
      siteOfOrigin: 0x0003_fde9_0000_0064n,
    });
    expect(rib(draft, '192.0.2.13')).toMatchObject({ removePrivateAs: 'replace', sp: 'south' });
    expect(rib(draft, '10.1.0.2%a').sp).toBeUndefined();
    expect(rib(draft, '192.0.2.11').prefixLimits).toEqual({
      [FAMILY.vpnv4]: { routes: 1_000_000, warnAt: 90, action: 'warn' },
    });
  });

  it('without a policy: internal ones pass unchanged and unseen, external ones not at all', () => {
    const draft = goodBgp();
    const { options } = neighbours(draft).get('192.0.2.11')!;
    const peer = (kind: 'ibgp' | 'ebgp'): EstablishedPeer => ({
      ...{ id: 1, name: 'x', configured: 'x', vrf: undefined, kind, asn: 65001 },
      ...{ address: new Uint8Array(4), localAddress: new Uint8Array(4), localAsn: 65001 },
      ...{ routerId: 1, routeRefresh: true, enhancedRefresh: true },
      ...{ forwardingKept: 0, awaitEndOfRib: 0 },
      context: {
        ...{ ibgp: kind === 'ibgp', as4: true, maxMessage: 4096, families: 1 },
        ...{ addPathReceive: 0, addPathSend: 0, extendedNextHop: 0 },
      },
    });
    const bare = Object.fromEntries(
      Object.entries(options).filter(([key]) => !key.startsWith('policy')),
    );
    const of = (kind: 'ibgp' | 'ebgp'): NeighbourRib =>
      neighbourRib(around(draft), bare, peer(kind), compiler(draft));
    expect(of('ibgp').policyIn).toBeUndefined();
    expect(of('ibgp').policyOut).toBeUndefined();
    expect(of('ebgp').policyIn).toBe(REJECT_ALL);
    expect(of('ebgp').policyOut).toBe(REJECT_ALL);
  });

  it('is passed VPN routes of others by border routers alone', () => {
    const transit = { key: 'mine' } as Transit;
    const of = (keepAllVpnRoutes: boolean): NeighbourRib => {
      const draft = goodBgp();
      draft.bgp.keepAllVpnRoutes = keepAllVpnRoutes;
      const { options } = neighbours(draft).get('192.0.2.13')!;
      const surroundings = { ...around(draft), transit: () => transit };
      return neighbourRib(surroundings, options, peerOf('192.0.2.13', undefined), compiler(draft));
    };
    expect(of(false).transit).toBeUndefined();
    expect(of(true).transit).toBe(transit);
  });

  it('shares what it is sent only with those whose policy says the same', () => {
    const draft = goodBgp();
    const before = rib(draft, '192.0.2.13').policyOutKey;
    expect(rib(draft, '10.1.0.2%a').policyOutKey).toBe(before);
    expect(rib(goodBgp(), '192.0.2.13').policyOutKey).toBe(before);
    // Another text under the same name is another policy.
    draft.bgp.policies!['own']!.otherwise = 'accept';
    expect(rib(draft, '192.0.2.13').policyOutKey).not.toBe(before);
    const list = goodBgp();
    list.bgp.prefixLists!['private']!.push({ prefix: '192.168.0.0/16' });
    expect(rib(list, '192.0.2.13').policyOutKey).not.toBe(before);
    expect(rib(draft, '192.0.2.11').policyOutKey).not.toBe(before);
  });
});

describe('routes of our own', () => {
  it('are those of network statements in the core and in VRFs, and what is redistributed', () => {
    const draft = goodBgp();
    draft.bgp.networks!.push({ prefix: '2001:db8:ffff::/48', policy: 'from-south' });
    const ids: Readonly<Record<string, number>> = { a: 7 };
    const all = ownRoutes(draft, forwardingModel(draft), (name) => ids[name], compiler(draft));
    const found = [...all.values()].map(
      ({ route: { vrf, family, prefix, length, source } }) =>
        `${vrf} ${family} ${formatPrefix({ address: prefix, length })} ${source}`,
    );
    expect(found.filter((route) => route.startsWith('0 '))).toEqual([
      '0 0 203.0.113.0/24 1',
      '0 1 2001:db8:ffff::/48 1',
    ]);
    expect(found).toContain('7 0 10.1.0.0/16 1');
    expect(found).toContain('7 0 10.1.0.0/24 2');
    expect(found.every((route) => /^[07] /.test(route))).toBe(true);
  });
});
