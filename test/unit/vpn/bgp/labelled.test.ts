// SPDX-License-Identifier: Apache-2.0
/** LSPs by labelled unicast (RFC 8277): what of the routes of neighbours becomes a stack of labels, and what we tell. */
import { describe, expect, it } from 'vitest';
import { FAMILY } from '../../../../src/bgp/codec/types.js';
import type { InterfaceModel, LspModel } from '../../../../src/forwarding/model.js';
import { formatAddress, formatPrefix, parseAddress, parsePrefix } from '../../../../src/lib/ip.js';
import { LabelledUnicast } from '../../../../src/vpn/bgp/labelled.js';
import { attributes, contextOf, ip, Lab } from '../../bgp/rib/lab.js';

const LABELLED = 1 << FAMILY.ipv4Labelled;
const core = {
  name: 'core0',
  role: 'core',
  addresses: [parsePrefix('192.0.2.1/24')!],
} as unknown as InterfaceModel;
const interfaces = new Map([['core0', core]]);

const fixed: LspModel = {
  ...{ prefix: parsePrefix('198.51.100.7/32')!, interface: 'core0', via: ip('192.0.2.9') },
  ...{ labels: [500], forIp: false },
};

class Net {
  readonly labelled = new LabelledUnicast();
  readonly lab = new Lab({
    retainVpn: false,
    labelled: (route) => {
      this.labelled.decided(route, () => 'own');
    },
  });
  readonly peer = this.lab.up(1, { context: contextOf({ families: LABELLED }) });

  hears(prefix: string, label: number, nextHop: string): void {
    const route = { family: FAMILY.ipv4Labelled, prefix, length: 32, label };
    this.lab.announce(1, [route], attributes({ nextHop: ip(nextHop) }));
    this.lab.settle();
  }
  forgets(prefix: string): void {
    this.lab.withdraw(1, [{ family: FAMILY.ipv4Labelled, prefix, length: 32 }]);
    this.lab.settle();
  }

  /** "PREFIX: LABELS via ADDRESS". */
  lsps(): string[] {
    return [...this.labelled.working({ interfaces, lsps: [fixed] }, false)]
      .flatMap((lsp) => lsp ?? [])
      .map(({ prefix, labels, via, interface: out }) => {
        expect(out).toBe('core0');
        return `${formatPrefix(prefix)}: ${labels.join(' ')} via ${formatAddress(via)}`;
      });
  }
}

describe('a labelled route of another SP', () => {
  const labelled = (): string[] => {
    const learnt = new LabelledUnicast();
    const spOf = (address: string): string => (address.startsWith('203.0.113.') ? 'b' : 'own');
    for (const text of ['203.0.113.1/32', '192.0.2.7/32', '203.0.113.0/24', '0.0.0.0/0']) {
      const prefix = parsePrefix(text)!;
      const route = { prefix, labels: [1001], nextHop: ip('192.0.2.2'), toldBySp: 'b' };
      learnt.decided(route, spOf);
    }
    const lsps = [...learnt.working({ interfaces, lsps: [] }, false)];
    return lsps.flatMap((lsp) => (lsp === undefined ? [] : formatPrefix(lsp.prefix)));
  };

  it('is a way to its own routers, one by one, and never to ours', () => {
    expect(labelled()).toEqual(['203.0.113.1/32']);
  });
});

describe('a labelled route', () => {
  it('from a router on the link is an LSP with its label, or none with implicit null', () => {
    const net = new Net();
    net.hears('203.0.113.1', 1001, '192.0.2.2');
    net.hears('203.0.113.2', 3, '192.0.2.3');
    expect(net.lsps()).toEqual([
      '203.0.113.1/32: 1001 via 192.0.2.2',
      '203.0.113.2/32:  via 192.0.2.3',
    ]);
    net.forgets('203.0.113.1');
    expect(net.lsps()).toEqual(['203.0.113.2/32:  via 192.0.2.3']);
  });

  it('goes on top of the LSP to its next hop, static or told', () => {
    const net = new Net();
    net.hears('203.0.113.1', 1001, '198.51.100.7');
    net.hears('198.51.100.8', 2001, '192.0.2.2');
    net.hears('203.0.113.2', 1002, '198.51.100.8');
    expect(net.lsps().sort()).toEqual([
      '198.51.100.8/32: 2001 via 192.0.2.2',
      '203.0.113.1/32: 500 1001 via 192.0.2.9',
      '203.0.113.2/32: 2001 1002 via 192.0.2.2',
    ]);
  });

  it('is no LSP where its next hop is reached by IP alone, or in a circle', () => {
    const net = new Net();
    net.hears('203.0.113.1', 1001, '198.51.100.99');
    net.hears('203.0.113.2', 1002, '203.0.113.3');
    net.hears('203.0.113.3', 1003, '203.0.113.2');
    expect(net.lsps()).toEqual([]);
  });

  it('with a reserved label is none', () => {
    const net = new Net();
    net.hears('203.0.113.1', 2, '192.0.2.2'); // explicit null of the other family
    net.hears('203.0.113.2', 15, '192.0.2.2');
    net.hears('203.0.113.3', 1, '192.0.2.2');
    expect(net.lsps()).toEqual([]);
  });

  it('with explicit null has that label, also under others (RFC 4182)', () => {
    const net = new Net();
    net.hears('203.0.113.1', 0, '192.0.2.2');
    net.hears('203.0.113.2', 0, '198.51.100.7');
    expect(net.lsps()).toEqual([
      '203.0.113.1/32: 0 via 192.0.2.2',
      '203.0.113.2/32: 500 0 via 192.0.2.9',
    ]);
  });
});

describe('our tunnel addresses', () => {
  const own = [parseAddress('192.0.2.1')!];

  it.each([
    ['implicit-null' as const, 3],
    ['explicit-null' as const, 0],
    [777, 777],
  ])('are told with %s', (announce, label) => {
    const net = new Net();
    net.labelled.update(net.lab.rib, { announce }, own);
    net.lab.settle();
    const held = net.peer.holds.get('192.0.2.1/32');
    expect(held?.label).toBe(label);
    expect(formatAddress(held!.attributes.nextHop!)).toBe('10.0.0.1');
    // They are no LSP of ours.
    expect(net.lsps()).toEqual([]);
    net.labelled.update(net.lab.rib, {}, own);
    net.lab.settle();
    expect(net.peer.holds.size).toBe(0);
  });
});
