// SPDX-License-Identifier: Apache-2.0
/** Which BFD sessions BGP's neighbours have, and what a failure leads to. */
import { describe, expect, it } from 'vitest';
import type { EstablishedPeer } from '../../../../src/bgp/types.js';
import type { BgpNeighbourOptions } from '../../../../src/config/types.js';
import { formatAddress, parseAddress } from '../../../../src/lib/ip.js';
import { createLogger } from '../../../../src/lib/log.js';
import {
  NeighbourBfd,
  type BfdNews,
  type BfdTarget,
  type BfdTerms,
} from '../../../../src/vpn/bgp/bfd.js';
import { neighbours } from '../../../../src/vpn/bgp/neighbours.js';
import { goodBgp } from '../../config/bgp-good.js';

interface Session {
  readonly target: BfdTarget;
  readonly news: (news: BfdNews) => void;
  terms: BfdTerms;
}

/** Runs nothing, and keeps what it was asked for. */
class Port {
  readonly sessions = new Map<string, Session>();
  readonly failed: string[] = [];
  readonly lines: string[] = [];
  readonly bfd = new NeighbourBfd(
    {
      add: (target, terms, news) => {
        const { local, remote, vrf = 'core', multihop } = target;
        const hops = multihop ? 'multihop' : 'single-hop';
        const device = target.interface === undefined ? '' : `%${target.interface}`;
        const name = `${vrf} ${formatAddress(local)}${device} ${formatAddress(remote)} ${hops}`;
        if (this.sessions.has(name)) throw new Error('there is one already');
        const session = { target, terms, news };
        this.sessions.set(name, session);
        return {
          change: (changed) => {
            session.terms = changed;
          },
          remove: () => this.sessions.delete(name),
        };
      },
      removeOthers: () => undefined,
    },
    { failed: (name, independent) => this.failed.push(`${name} ${independent}`) },
    createLogger({ write: (line) => this.lines.push(line), now: () => '' }),
  );

  get names(): readonly string[] {
    return [...this.sessions.keys()];
  }

  hears(name: string, news: Partial<BfdNews>): void {
    const none = { state: 'down', failed: false, remoteIndependent: true, problem: undefined };
    this.sessions.get(name)!.news({ ...none, ...news });
  }
}

const peer = (
  address: string,
  more: Partial<EstablishedPeer> & { readonly local?: string } = {},
): EstablishedPeer => {
  const { local = '192.0.2.1', ...rest } = more;
  return {
    ...{ id: 1, name: address, configured: address, vrf: undefined, kind: 'ibgp', asn: 65001 },
    ...{ address: parseAddress(address)!, localAddress: parseAddress(local)!, localAsn: 65001 },
    ...{ routerId: 1, routeRefresh: true, enhancedRefresh: true, forwardingKept: 0 },
    awaitEndOfRib: 0,
    context: {
      ...{ ibgp: true, as4: true, maxMessage: 4096, families: 1 },
      ...{ addPathReceive: 0, addPathSend: 0, extendedNextHop: 0 },
    },
    ...rest,
  };
};

/** All neighbours of a configuration, as changed. */
function configured(
  change: (all: Readonly<Record<string, BgpNeighbourOptions>>) => void = () => undefined,
): ReturnType<typeof neighbours> {
  const draft = goodBgp();
  const ce = draft.bgp.templates!['ce']!;
  Reflect.deleteProperty(ce, 'shutdown');
  change({ ...draft.bgp.neighbours, ...draft.vrfs['a']!.bgp!.neighbours, ce });
  return neighbours(draft);
}

const REFLECTOR = 'core 192.0.2.1 192.0.2.11 multihop';
const CE = 'a 10.1.0.1 10.1.0.2 single-hop';
const ce = peer('10.1.0.2', {
  ...{ id: 2, name: '10.1.0.2%a', configured: '10.1.0.2%a', vrf: 'a', local: '10.1.0.1' },
  kind: 'ebgp',
});

describe('sessions of neighbours', () => {
  it('begin with the addresses BGP has found, multihop for IBGP, and only where asked for', () => {
    const port = new Port();
    const all = configured();
    port.bfd.established(peer('192.0.2.11'), all.get('192.0.2.11')!);
    port.bfd.established(ce, all.get('10.1.0.2%a')!);
    port.bfd.established(peer('2001:db8::12', { local: '2001:db8::1' }), all.get('2001:db8::12')!);
    const linkLocal = { name: 'fe80::2%a', configured: 'fe80::2%a', vrf: 'a', local: 'fe80::1' };
    port.bfd.established(
      peer('fe80::2', { ...linkLocal, kind: 'ebgp' as const }),
      all.get('fe80::2%a')!,
    );
    expect(port.names).toEqual([REFLECTOR, CE, 'a fe80::1%ce-a fe80::2 single-hop']);
    expect(port.sessions.get(REFLECTOR)!.terms).toEqual({
      ...{ desiredMinTxUs: 300_000, requiredMinRxUs: 300_000, detectMult: 3 },
    });
    expect(port.sessions.get(CE)!.terms).toEqual({
      ...{ desiredMinTxUs: 100_000, requiredMinRxUs: 300_000, detectMult: 5 },
    });
  });

  it('stay while BGP is down, and move when its own address does', () => {
    const port = new Port();
    const neighbour = configured().get('192.0.2.11')!;
    port.bfd.established(peer('192.0.2.11'), neighbour);
    const [before] = port.sessions.values();
    port.bfd.forgotten(1);
    port.bfd.established(peer('192.0.2.11'), neighbour);
    expect([...port.sessions.values()]).toEqual([before]);
    expect(port.sessions.get(REFLECTOR)).toBe(before);
    port.bfd.established(peer('192.0.2.11', { local: '192.0.2.9' }), neighbour);
    expect(port.names).toEqual(['core 192.0.2.9 192.0.2.11 multihop']);
  });

  it('of a prefix go with their peer', () => {
    const port = new Port();
    const all = configured();
    const dynamic = {
      name: '10.1.0.7%a',
      configured: '10.1.0.0/24%a',
      vrf: 'a',
      local: '10.1.0.1',
    };
    const seven = peer('10.1.0.7', { ...dynamic, id: 7, kind: 'ebgp' });
    port.bfd.established(seven, all.get('10.1.0.0/24%a')!);
    port.bfd.established(ce, all.get('10.1.0.2%a')!);
    port.bfd.forgotten(2);
    expect(port.names).toHaveLength(2);
    port.bfd.forgotten(7);
    expect(port.names).toEqual([CE]);
  });

  it('follow the configuration without going down, and end with it', () => {
    const port = new Port();
    port.bfd.established(peer('192.0.2.11'), configured().get('192.0.2.11')!);
    const session = port.sessions.get(REFLECTOR);
    port.bfd.apply(configured((all) => Reflect.set(all['192.0.2.11']!, 'bfd', { minRx: 50 })));
    expect(port.sessions.get(REFLECTOR)).toBe(session);
    expect(session?.terms.requiredMinRxUs).toBe(50_000);
    port.bfd.apply(configured((all) => Reflect.set(all['192.0.2.11']!, 'shutdown', true)));
    expect(port.names).toEqual([]);
    port.bfd.established(peer('192.0.2.11'), configured().get('192.0.2.11')!);
    port.bfd.apply(configured((all) => Reflect.set(all['192.0.2.11']!, 'bfd', false)));
    expect(port.names).toEqual([]);
    port.bfd.established(peer('192.0.2.11'), configured().get('192.0.2.11')!);
    port.bfd.apply(new Map());
    expect(port.names).toEqual([]);
  });
});

describe('a failure', () => {
  it('is told with whether the neighbour shares its fate; going up and administrative ends are not', () => {
    const port = new Port();
    port.bfd.established(peer('192.0.2.11'), configured().get('192.0.2.11')!);
    port.hears(REFLECTOR, { state: 'up' });
    expect(port.bfd.state('192.0.2.11')).toBe('up');
    port.hears(REFLECTOR, { state: 'down' });
    expect(port.failed).toEqual([]);
    port.hears(REFLECTOR, { state: 'down', failed: true });
    port.hears(REFLECTOR, { state: 'up', failed: true, remoteIndependent: false });
    expect(port.failed).toEqual(['192.0.2.11 true', '192.0.2.11 false']);
    expect(port.lines.filter((line) => line.includes('failed=true'))).toHaveLength(2);
  });

  it('of a session that was ended is nobody’s any more', () => {
    const port = new Port();
    port.bfd.established(peer('192.0.2.11'), configured().get('192.0.2.11')!);
    const { news } = port.sessions.get(REFLECTOR)!;
    port.bfd.removeAll();
    news({ state: 'down', failed: true, remoteIndependent: true, problem: undefined });
    expect(port.failed).toEqual([]);
  });

  it('to have a session at all is told once, and is no failure', () => {
    const port = new Port();
    const neighbour = configured().get('192.0.2.11')!;
    port.bfd.established(peer('192.0.2.11'), neighbour);
    port.bfd.established(peer('192.0.2.11', { id: 9, name: '192.0.2.11%b' }), neighbour);
    expect(port.lines.join()).toContain('no BFD for a neighbour');
    port.hears(REFLECTOR, { state: 'unknown', problem: 'EADDRINUSE' });
    expect(port.failed).toEqual([]);
  });
});
