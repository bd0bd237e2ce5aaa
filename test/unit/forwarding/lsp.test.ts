// SPDX-License-Identifier: Apache-2.0
/** LSPs and transport labels: from core.lsps and a core route to the next hop's version. */
import { describe, expect, it } from 'vitest';
import type { Config, CoreInterface, Tunnel } from '../../../src/config/types.js';
import { forwardingModel } from '../../../src/forwarding/model.js';
import { lspMtu, tunnelMtu } from '../../../src/forwarding/mtu.js';
import { espOverhead } from '../../../src/lib/esp-suites.js';
import type { CoreRoute } from '../../../src/forwarding/overlay.js';
import { versionKey } from '../../../src/forwarding/version-row.js';
import { BASE, bytes, FACTS, mac, project } from './fixture.js';

const hex = (of: Uint8Array): string => Buffer.from(of).toString('hex');
const LSP: Tunnel = {
  ...{ local: '192.0.2.1', remote: '192.0.2.2', protection: 'mpls', encapsulation: 'none' },
};
const config = (tunnel: Tunnel): Config => ({ ...BASE, tunnels: { ...BASE.tunnels, x: tunnel } });
const route = (labels?: readonly number[]): CoreRoute => ({
  ...{ interface: 'core0', nextHop: bytes('198.51.100.2'), metric: 5 },
  ...(labels && { labels }),
});
function nexthop(tunnel: Tunnel, labels?: readonly number[]) {
  const coreRoutes = new Map([...FACTS.coreRoutes, ['x', route(labels)]]);
  return project(config(tunnel), { ...FACTS, coreRoutes }).overlay.nexthops.get('tunnel/x')!;
}

describe('a tunnel of plain MPLS', () => {
  it('is the stack towards its far end, without anything else', () => {
    expect(nexthop(LSP, [100, 200])).toEqual({
      ...{ name: 'tunnel/x', via: bytes('198.51.100.2'), metric: 5 },
      ...{ remote: bytes('192.0.2.2'), labels: [100, 200] },
      version: {
        ...{ kind: 'lsp', interface: 'core0', mtu: 1488, dscpCopy: true },
        header: {
          ethernet: Uint8Array.of(...mac(0x11), ...mac(1), 0x88, 0x47),
          ...{ labels: [100, 200], ttl: 255, dscp: 0 },
        },
      },
    });
    const marked = nexthop({ ...LSP, dscp: 46, ttl: 9 }, []);
    expect(marked.version).toMatchObject({
      ...{ kind: 'lsp', mtu: 1496, dscpCopy: false, header: { labels: [], ttl: 9, dscp: 46 } },
    });
  });

  it('to our own SP does not leave by an interface of another, any other tunnel may', () => {
    const core0 = { ...BASE.interfaces['core0']!, mpls: 'other-sp' } as CoreInterface;
    const to = (tunnel: Tunnel, isOwnSp: boolean) => {
      const coreRoutes = new Map([...FACTS.coreRoutes, ['x', route([100])]]);
      const facts = { ...FACTS, coreRoutes, isOwnSp: () => isOwnSp };
      const interfaces = { ...BASE.interfaces, core0 };
      return project({ ...config(tunnel), interfaces }, facts).overlay.nexthops.get('tunnel/x')!;
    };
    const why =
      '192.0.2.2 is of our own SP, and core0 leads to another: plain MPLS does not leave by it';
    expect(to(LSP, true)).toEqual({ name: 'tunnel/x', version: undefined, why });
    expect(to(LSP, false).version).toMatchObject({ kind: 'lsp' });
    const tunnel: Tunnel = { ...LSP, protection: 'tunnel', encapsulation: 'gre' };
    expect(to(tunnel, true).version).toMatchObject({ kind: 'tunnel' });
  });

  it('is unusable where the core knows no LSP, and never something else (policy-model 8)', () => {
    const down = nexthop(LSP);
    expect(down.version).toBeUndefined();
    expect(down.why).toBe('the core knows no LSP to 192.0.2.2');
  });
});

describe('transport labels above the outer header (P3)', () => {
  it.each([
    ['192.0.2.1', '192.0.2.2', 4, 1440],
    ['2001:db8::1', '2001:db8::2', 6, 1420],
  ] as const)('from %s to %s', (local, remote, family, mtu) => {
    const tunnel = { local, remote, protection: 'tunnel', encapsulation: 'gre' } as const;
    const plain = nexthop(tunnel).version!;
    const labelled = nexthop(tunnel, [16, 17, 18]).version!;
    if (plain.kind !== 'tunnel' || labelled.kind !== 'tunnel') throw new Error('no tunnels');
    expect(hex(plain.header.ethernet).slice(24)).toBe(family === 4 ? '0800' : '86dd');
    expect(hex(labelled.header.ethernet).slice(24)).toBe('8847');
    expect([plain.header.labels, labelled.header.labels]).toEqual([undefined, [16, 17, 18]]);
    expect(labelled.mtu).toBe(mtu + 20);
    expect(plain.mtu - labelled.mtu).toBe(12);
    // an LSP without labels: as plain IP
    expect(nexthop(tunnel, []).version).toEqual(plain);
  });

  it('count in the MTU, with ESP too', () => {
    for (let n = 0; n <= 8; n++) {
      expect(tunnelMtu(1500, 4, 'gre', espOverhead('aes-gcm-128', false), n)).toBe(1438 - 4 * n);
      expect(tunnelMtu(1500, 6, 'ip', undefined, n)).toBe(1456 - 4 * n);
      expect(lspMtu(1500, n)).toBe(1496 - 4 * n);
    }
    expect(lspMtu(10, 8)).toBe(0);
  });
});

describe('versions', () => {
  it('differ by stack, TTL and TC, where there is something that has them', () => {
    const base = { kind: 'lsp', interface: 1, mtu: 1400, dscpCopy: false } as const;
    const key = (labels: number[], ttl = 255, dscp = 0, dscpCopy = false): string =>
      versionKey({ ...base, dscpCopy, header: { ethernet: bytes('::1'), labels, ttl, dscp } });
    const keys = [key([16]), key([17]), key([16, 17]), key([16], 9), key([16], 255, 46), key([])];
    expect(new Set(keys).size).toBe(keys.length);
    // what a row says of the DSCP is the class selector; without labels neither is in it
    expect(key([16], 255, 46)).toBe(key([16], 255, 40));
    expect(key([16], 255, 46, true)).toBe(key([16], 255, 0, true));
    expect(key([], 7, 46)).toBe(key([], 0, 0));
  });
});

describe('the configuration', () => {
  const lsps = { '192.0.2.0/24': { via: '198.51.100.2', labels: [3] } };
  const core = { ...BASE.core, lsps, transportLabels: [30, 31] };

  it('says which LSPs there are; implicit null is no label', () => {
    const model = forwardingModel({ ...BASE, core });
    expect(model.problems).toEqual([]);
    expect(model.lsps).toMatchObject([
      { interface: 'core0', via: bytes('198.51.100.2'), labels: [], forIp: false },
    ]);
  });

  it('has a row for each transport label, that opens plain MPLS of the own SP alone', () => {
    const { labels } = project({ ...BASE, core }).rows;
    for (const label of [30, 31]) {
      expect(labels.get(label)).toEqual({
        ...{ label, action: 'pop', accept: { secured: [], clear: ['mpls'] } },
      });
    }
  });
});
