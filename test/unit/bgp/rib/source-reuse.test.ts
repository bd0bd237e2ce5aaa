// SPDX-License-Identifier: Apache-2.0
/** The number of a neighbour is another's later: nothing that was worked out for the one counts for the other. */
import { expect, it } from 'vitest';
import { FAMILY } from '../../../../src/bgp/codec/types.js';
import type { Transit } from '../../../../src/bgp/rib/transit.js';
import { attributes, contextOf, ip, Lab, nameOf, OPEN, rd, target } from './lab.js';

const context = contextOf({ families: 1 << FAMILY.vpnv4 });
const route = (n: number) => ({
  ...{ family: FAMILY.vpnv4, rd: rd(1), prefix: `10.${String(n)}.0.0`, length: 16 },
  label: 1000 + n,
});
const same = attributes({ nextHop: ip('192.0.2.2'), extendedCommunities: [target(1)] });

it('what is told of a route says who originated it', () => {
  const lab = new Lab({ neighbour: () => ({ ...OPEN, routeReflectorClient: true }) });
  lab.up(1, { context });
  const hears = lab.up(2, { context });
  // Keeps the attributes in the store.
  lab.up(3, { context });
  lab.announce(3, [route(3)], same);
  const originator = (): number | undefined =>
    hears.holds.get(nameOf(route(1)))?.attributes.originatorId;
  lab.announce(1, [route(1)], same);
  lab.settle();
  expect(originator()).toBe(0x0a000101);
  lab.down(1);
  lab.settle();
  expect(originator()).toBeUndefined();
  lab.up(1, { context, routerId: 0x0a0000ff });
  lab.announce(1, [route(1)], same);
  lab.settle();
  expect(originator()).toBe(0x0a0000ff);
});

it('the way on of a route passed on is chosen for the neighbour it came from', () => {
  const asked: string[] = [];
  const transit: Transit = {
    ...{ key: 'x', nextHop: ip('192.0.2.1'), attributes: (told) => told, label: () => 40_000 },
    way: ({ from }) => {
      asked.push(from?.configured ?? '');
      return 1;
    },
  };
  const lab = new Lab({
    neighbour: ({ id }) => ({
      ...{ ...OPEN, routeReflectorClient: true },
      ...(id === 2 && { nextHop: 'self', transit }),
    }),
  });
  lab.up(1, { context });
  lab.up(2, { context });
  lab.up(3, { context });
  lab.announce(3, [route(3)], same);
  lab.announce(1, [route(1)], same);
  lab.settle();
  lab.down(1);
  lab.settle();
  expect(new Set(asked.splice(0))).toEqual(new Set(['peer1', 'peer3']));
  lab.up(1, { context, configured: 'another' });
  lab.announce(1, [route(1)], same);
  lab.settle();
  expect(asked).toContain('another');
});
