import { describe, expect, it } from 'vitest';
import type { Config, Tunnel } from '../../../src/config/types.js';
import { ethernetHeader, linkLocalOf, tunnelFlowLabel } from '../../../src/forwarding/headers.js';
import type { Facts, TunnelSa } from '../../../src/forwarding/overlay.js';
import { acceptKey } from '../../../src/forwarding/rows.js';
import { formatAddress } from '../../../src/lib/ip.js';
import { BASE, bytes, FACTS, mac, project, routeFor } from './fixture.js';
import { espOverhead } from '../../../src/lib/esp-suites.js';

const all = project();
const at = (vrf: string, prefix: string) => routeFor(all, vrf, prefix);
const nexthop = (name: string) => all.overlay.nexthops.get(name) ?? all.rows.nexthops.get(name);
const hex = (b: Uint8Array) => Buffer.from(b).toString('hex');

describe('routes of the configuration', () => {
  it('receives own addresses, and in IPv4 the ends of the subnet', () => {
    for (const own of ['10.1.0.1/32', '10.1.0.0/32', '10.1.0.255/32', '2001:db8:a::1/128']) {
      expect(at('A', own), own).toMatchObject({ nexthop: 'local/A/ce-a', owner: 'local' });
    }
    expect(at('A', '10.255.0.1/32')).toMatchObject({ nexthop: 'local/A', owner: 'local' });
    expect(at('A', '2001:db8:a::/128')).toBeUndefined();
  });

  it('gleans connected subnets', () => {
    expect(at('A', '10.1.0.0/24')).toMatchObject({ nexthop: 'glean/ce-a', owner: 'connected' });
    expect(at('A', '2001:db8:a::/64')).toMatchObject({ nexthop: 'glean/ce-a' });
  });

  it('does not take the ends of a /31 for broadcast addresses', () => {
    const interfaces = {
      ...BASE.interfaces,
      'ce-a': { ...BASE.interfaces['ce-a']!, addresses: ['10.1.0.0/31'] },
    };
    const p2p = project({ ...BASE, vrfs: { A: {} }, interfaces });
    expect(routeFor(p2p, 'A', '10.1.0.0/32')).toMatchObject({ owner: 'local' });
    expect(routeFor(p2p, 'A', '10.1.0.1/32')).toBeUndefined();
    expect(routeFor(p2p, 'A', '10.1.0.0/31')).toMatchObject({ nexthop: 'glean/ce-a' });
  });

  it('leads static routes to a CE, a tunnel, or nowhere', () => {
    expect(at('A', '10.7.0.0/16')).toMatchObject({ nexthop: 'ce/A/ce-a/10.1.0.7', label: 0 });
    expect(at('A', '10.2.0.0/24')).toMatchObject({ nexthop: 'tunnel/t4', label: 2001 });
    expect(at('B', '10.2.0.0/24')).toMatchObject({ nexthop: 'tunnel/t6', label: 2002 });
    expect(at('A', '10.66.0.0/16')).toMatchObject({ nexthop: 'discard/A/unreachable' });
    const discard = { kind: 'drop', vrf: 'A', reason: 'unreachable', icmpUnreachable: true };
    expect(nexthop('discard/A/unreachable')?.version).toEqual(discard);
    expect(nexthop('discard/A/silent')?.version).toMatchObject({
      reason: 'blackhole',
      icmpUnreachable: false,
    });
  });

  it('gives a route the classes by which it is exported, and one towards a tunnel none', () => {
    const encrypt = 'encrypt/gre:1 encrypt/ip:1';
    expect(acceptKey(at('A', '10.1.0.0/24')!.accept)).toBe(encrypt);
    expect(acceptKey(at('A', '10.1.0.1/32')!.accept)).toBe(encrypt);
    expect(acceptKey(at('A', '10.255.0.1/32')!.accept)).toBe(encrypt);
    expect(acceptKey(at('A', '10.7.0.0/16')!.accept)).toBe('authenticate/gre:1 authenticate/ip:1');
    expect(acceptKey(at('A', '10.2.0.0/24')!.accept)).toBe('');
    expect(acceptKey(at('A', '2001:db8:a::/64')!.accept)).toBe('');
    expect(acceptKey(at('B', '10.1.0.0/24')!.accept)).toBe('');
  });

  it('never exports what leads to a tunnel, even where a rule matches everything', () => {
    const vrfs = {
      ...BASE.vrfs,
      B: { ...BASE.vrfs!['B'], exports: [{ name: 'all', protections: ['tunnel'], label: 77 }] },
    };
    const open = project({ ...BASE, vrfs } as Config);
    expect(acceptKey(routeFor(open, 'B', '10.2.0.0/24')!.accept)).toBe('');
    expect(acceptKey(routeFor(open, 'B', '10.1.0.0/24')!.accept)).not.toBe('');
  });

  it('lends connected and CE routes to a VRF that imports them, with the next hops of the lender (P2)', () => {
    expect(at('C', '10.1.0.0/24')).toMatchObject({ nexthop: 'glean/ce-a', imported: true });
    expect(at('C', '10.7.0.0/16')).toMatchObject({ nexthop: 'ce/A/ce-a/10.1.0.7' });
    expect(at('C', '10.1.0.7/32')).toMatchObject({
      nexthop: 'ce/A/ce-a/10.1.0.7',
      owner: 'neighbour',
    });
    expect(at('C', '10.2.0.0/24')).toBeUndefined();
    expect(acceptKey(at('C', '10.1.0.0/24')!.accept)).toBe('');
  });

  it('prefers what the VRF has itself to what it borrows', () => {
    const vrfs = { ...BASE.vrfs, B: { ...BASE.vrfs!['B'], importsFrom: ['A'] } };
    const both = project({ ...BASE, vrfs });
    expect(routeFor(both, 'B', '10.1.0.0/24')).toMatchObject({
      nexthop: 'glean/ce-b',
      imported: false,
    });
    expect(routeFor(both, 'B', '10.1.0.7/32')).toMatchObject({ nexthop: 'ce/B/ce-b/10.1.0.7' });
    expect(routeFor(both, 'B', '10.7.0.0/16')).toMatchObject({ nexthop: 'ce/A/ce-a/10.1.0.7' });
  });

  it('receives in the core its own addresses and nothing else (policy-model 19)', () => {
    const core = [...all.rows.routes].filter(({ vrf }) => vrf === '');
    expect(core.every(({ owner }) => owner === 'local')).toBe(true);
    expect(core.map(({ prefix }) => formatAddress(prefix.address)).sort()).toEqual([
      ...[
        '192.0.2.1',
        '198.51.100.0',
        '198.51.100.1',
        '198.51.100.3',
        '2001:db8:0:1::1',
        '2001:db8::1',
      ],
    ]);
  });
});

describe('rows of VRFs, interfaces and labels', () => {
  it('describes interfaces, two VLANs of one port with one MAC', () => {
    expect(all.rows.interfaces.get('ce-a')).toMatchObject({
      port: 'kernel cust@',
      vlan: 10,
      mtu: 1400,
      vrf: 'A',
      mac: mac(2),
    });
    expect(all.rows.interfaces.get('ce-b')).toMatchObject({
      port: 'kernel cust@',
      vlan: 20,
      mac: mac(2),
    });
    const core = all.rows.interfaces.get('core0')!;
    expect(core).toMatchObject({
      role: 'core',
      vrf: '',
      acceptGre: true,
      acceptIp: false,
      mplsOwnSp: true,
    });
    expect(formatAddress(core.linkLocal6!)).toBe('fe80::ff:fe00:1');
  });

  it('has no rows for a port that does not exist yet', () => {
    const half = project(BASE, { ...FACTS, macs: new Map([['kernel wan@', mac(1)]]) });
    expect([...half.rows.interfaces.keys()].sort()).toEqual([
      'core0',
      'host/A',
      'host/B',
      'host/C',
    ]);
    expect(half.overlay.nexthops.get('ce/A/ce-a/10.1.0.7')!.why).toContain('no port');
  });

  it('takes ICMP sources from the VRF, else from its interfaces', () => {
    expect(formatAddress(all.rows.vrfs.get('A')!.icmpSource4!)).toBe('10.255.0.1');
    expect(formatAddress(all.rows.vrfs.get('A')!.icmpSource6!)).toBe('2001:db8:a::1');
    expect(all.rows.vrfs.get('C')).toMatchObject({
      ...{ ttlUniform: true, tcUniform: false, dscp: 10, clampMss: true },
    });
    expect(all.rows.vrfs.get('A')).toMatchObject({ ttlUniform: false, tcUniform: false });
    expect(all.rows.vrfs.get('A')).not.toHaveProperty('dscp');
    expect(all.rows.vrfs.get('C')!.icmpSource4).toBeUndefined();
  });

  it('leads labels to a VRF or straight to a CE', () => {
    expect(all.rows.labels.get(1001)).toMatchObject({ action: 'vrf', target: 'A' });
    expect(all.rows.labels.get(1002)).toMatchObject({
      action: 'nexthop',
      target: 'ce/A/ce-a/10.1.0.7',
    });
  });
});

describe('overlay', () => {
  it('makes host routes of on-link neighbours only', () => {
    expect(at('A', '10.1.0.7/32')).toMatchObject({
      owner: 'neighbour',
      nexthop: 'ce/A/ce-a/10.1.0.7',
    });
    expect(at('A', '2001:db8:a::9/128')).toMatchObject({ nexthop: 'ce/A/ce-a/2001:db8:a::9' });
    expect(at('A', 'fe80::9/128')).toBeUndefined();
    expect(at('', '198.51.100.2/32')).toBeUndefined();
  });

  it('rewrites an adjacency with the VLAN tag and the interface MTU', () => {
    const version = nexthop('ce/A/ce-a/10.1.0.7')!.version!;
    expect(version).toMatchObject({ kind: 'adjacency', interface: 'ce-a', vrf: 'A', mtu: 1400 });
    expect(version.kind === 'adjacency' && hex(version.header)).toBe(
      `${hex(mac(0x21))}${hex(mac(2))}8100000a0800`,
    );
  });

  it('keeps equal addresses of two VRFs apart', () => {
    const other = nexthop('ce/B/ce-b/10.1.0.7')!.version!;
    expect(other.kind === 'adjacency' && hex(other.header)).toBe(
      `${hex(mac(0x31))}${hex(mac(2))}810000140800`,
    );
  });

  it('takes what the core has said of the way between two tunnel addresses, and no more than its interface', () => {
    const mtus = (pathMtu: Facts['pathMtu']): (number | undefined)[] =>
      ['tunnel/t4', 'tunnel/t6'].map((name) => {
        const version = project(BASE, { ...FACTS, pathMtu }).overlay.nexthops.get(name)?.version;
        return version?.kind === 'tunnel' ? version.mtu : undefined;
      });
    expect(mtus(() => undefined)).toEqual([1438, 1456]);
    // 62 bytes around the packet in ESP; the other tunnel has other addresses
    const [remote] = [BASE.tunnels?.['t4']?.remote];
    const of4: Facts['pathMtu'] = (ends) =>
      formatAddress(ends.remote) === remote ? 1400 : undefined;
    expect(mtus(of4)).toEqual([1338, 1456]);
    expect(mtus(() => 9000)).toEqual([1438, 1456]);
  });

  it('builds a tunnel from core route, neighbour and SA', () => {
    const version = nexthop('tunnel/t4')!.version!;
    expect(version).toMatchObject({
      ...{ kind: 'tunnel', interface: 'core0', sa: 'out4@1234abcd', mtu: 1438, dscpCopy: true },
      header: { spi: 0x1234abcd, ttl: 64, dscp: 0, flowLabel: 0 },
    });
    const plain = nexthop('tunnel/t6')!.version!;
    expect(plain).toMatchObject({
      sa: undefined,
      mtu: 1456,
      dscpCopy: false,
      header: { dscp: 46, ttl: 200 },
    });
    expect(plain.kind === 'tunnel' && plain.header.spi).toBeUndefined();
    expect(plain.kind === 'tunnel' && plain.header.flowLabel).toBeGreaterThan(0);
    expect(plain.kind === 'tunnel' && hex(plain.header.ethernet)).toBe(
      `${hex(mac(0x12))}${hex(mac(1))}86dd`,
    );
  });

  it.each([
    ['no route looked up', { coreRoutes: new Map() }, 'not looked up'],
    ['unreachable', { coreRoutes: new Map([['t4', { unreachable: 'no route' }]]) }, 'no route'],
    [
      'out of a CE interface',
      { coreRoutes: new Map([['t4', { interface: 'ce-a', nextHop: bytes('10.1.0.7') }]]) },
      'no core interface',
    ],
    ['silent neighbour', { neighbours: [] }, '198.51.100.2 does not answer'],
    ['SA not installed', { readySas: new Set<string>() }, 'SA out4@1234abcd is not installed'],
  ])('is unusable and says why: %s', (_, facts, why) => {
    const down = project(BASE, { ...FACTS, ...facts }).overlay.nexthops.get('tunnel/t4')!;
    expect(down.version).toBeUndefined();
    expect(down.why).toContain(why);
  });

  it('takes the SA that IKE has now, and drops and asks for one while there is none', () => {
    const t4: Tunnel = { ...BASE.tunnels!['t4']! };
    Reflect.deleteProperty(t4, 'sa');
    const config = { ...BASE, manualSas: {}, tunnels: { ...BASE.tunnels, t4 } };
    const row = 'ike/encrypt/gre/192.0.2.2@0a0b0c0d';
    const tunnel = (sa: TunnelSa | undefined, ready = [row]) =>
      project(config, {
        ...FACTS,
        readySas: new Set(ready),
        ikeSas: new Map(sa && [['t4', sa]]),
      }).overlay.nexthops.get('tunnel/t4')!;
    const missing = { kind: 'drop', vrf: '', reason: 'sa_missing', icmpUnreachable: false };
    expect(tunnel(undefined)).toMatchObject({ sa: 'untried', version: missing, metric: 5 });
    expect(tunnel({ state: 'pending', why: 'wait' })).toMatchObject({
      ...{ sa: 'pending', why: 'wait', version: missing },
    });
    expect(tunnel({ state: 'failed', why: 'AUTHENTICATION_FAILED' })).toMatchObject({
      ...{ sa: 'failed', why: 'AUTHENTICATION_FAILED', version: missing },
    });
    const esp = espOverhead('aes-gcm-128', false);
    const up = tunnel({ state: 'up', row, spi: 0x77, esp });
    expect(up).toMatchObject({
      ...{ sa: 'up', version: { kind: 'tunnel', sa: row, header: { spi: 0x77 } } },
    });
    expect(up.why).toBeUndefined();
    expect(tunnel({ state: 'up', row, spi: 0x77, esp }, [])).toMatchObject({
      ...{ version: undefined, why: `SA ${row} is not installed` },
    });
  });

  it('never falls back to a weaker protection when the SA is missing (policy-model 8)', () => {
    const facts = { ...FACTS, readySas: new Set<string>() };
    const { nexthops } = project(BASE, facts).overlay;
    const protections = [...nexthops.values()].flatMap(({ version }) =>
      version?.kind === 'tunnel' ? [version.protection] : [],
    );
    expect(protections).toEqual(['tunnel']); // t6, which is configured without IPsec
  });
});

describe('headers', () => {
  it('are Ethernet II, tagged where asked', () => {
    expect(hex(ethernetHeader(mac(1), mac(2), { vlan: 0 }, 6))).toBe(
      '02000000000102000000000286dd',
    );
    expect(hex(ethernetHeader(mac(1), mac(2), { vlan: 4094 }, 4))).toBe(
      '02000000000102000000000281000ffe0800',
    );
  });
  it.each([
    [0x88a8, '88a8'],
    [0x8100, '8100'],
  ] as const)('have a second tag in front of the other (type %i)', (type, text) => {
    const tags = { vlan: 200, serviceTag: { vlan: 100, type } };
    expect(hex(ethernetHeader(mac(1), mac(2), tags, 'mpls'))).toBe(
      `020000000001020000000002${text}0064810000c88847`,
    );
  });
  it('have flow labels of 20 bits that differ by SA', () => {
    const labels = [1, 2, 3, 4].map((spi) => tunnelFlowLabel(bytes('::1'), bytes('::2'), spi));
    expect(new Set(labels).size).toBe(4);
    expect(labels.every((label) => label > 0 && label <= 0xfffff)).toBe(true);
    // the worker's, of an SA that is not the template's: dpdk-app/test/eal_shares.c
    const [ours, theirs] = [bytes('2001:db8:f::1'), bytes('2001:db8:f::2')];
    expect(tunnelFlowLabel(ours, theirs, 0x21436587)).toBe(0x6778f);
  });
  it('make link-local addresses as RFC 4291 appendix A has it', () => {
    expect(formatAddress(linkLocalOf(Uint8Array.of(0x34, 0x56, 0x78, 0x9a, 0xbc, 0xde)))).toBe(
      'fe80::3656:78ff:fe9a:bcde',
    );
  });
});
