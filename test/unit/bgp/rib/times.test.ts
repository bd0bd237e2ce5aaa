// SPDX-License-Identifier: Apache-2.0
/** How long a path is there as it is: `age` of what is shown, in whole seconds. */
import { describe, expect, it } from 'vitest';
import { FAMILY, type FamilyId } from '../../../../src/bgp/codec/types.js';
import { attributes, ip, Lab, rd, target, type TestRoute } from './lab.js';

const VPN: TestRoute = { family: FAMILY.vpnv4, rd: rd(1), prefix: '10.1.0.0', length: 24 };
const OWN = { vrf: 0, family: FAMILY.ipv4Unicast, prefix: ip('10.9.0.0'), length: 24, source: 1 };

/** Of all routes of a table, in the order of their neighbours. */
function ages(lab: Lab, vrf = 0, family: FamilyId = FAMILY.ipv4Unicast): number[] {
  const { routes } = lab.rib.queries.page({ vrf, family }, 0, 1000);
  return [...routes].sort((a, b) => (a.peer ?? 0) - (b.peer ?? 0)).map(({ age }) => age);
}

describe('the age of a path', () => {
  it('begins when it comes, and again with each change, but not when it is told again', () => {
    const lab = new Lab();
    const route = { prefix: '10.1.0.0', length: 24 };
    lab.up(1);
    lab.pass(90_000);
    lab.announce(1, [route], attributes());
    expect(ages(lab)).toEqual([0]);
    lab.pass(2500);
    expect(ages(lab)).toEqual([2]);
    lab.announce(1, [route], attributes());
    expect(ages(lab)).toEqual([2]);
    lab.announce(1, [route], attributes({ med: 7 }));
    expect(ages(lab)).toEqual([0]);
    lab.pass(3000);
    lab.withdraw(1, [route]);
    lab.announce(1, [route], attributes({ med: 7 }));
    lab.pass(4000);
    expect(ages(lab)).toEqual([4]);
  });

  it('is of a path alone, not of all to its prefix, and goes on while it is stale', () => {
    const lab = new Lab();
    const route = { prefix: '10.1.0.0', length: 24 };
    lab.up(1);
    lab.up(2);
    lab.announce(1, [route], attributes());
    lab.pass(5000);
    lab.announce(2, [route], attributes());
    lab.pass(1000);
    expect(ages(lab)).toEqual([6, 1]);
    lab.down(1, { keepStale: 1 << FAMILY.ipv4Unicast, restartTime: 60 });
    lab.pass(10_000);
    lab.up(1);
    lab.announce(1, [route], attributes());
    lab.pass(1000);
    expect(ages(lab)).toEqual([17, 12]);
  });

  it('is known of our own routes', () => {
    const lab = new Lab();
    lab.pass(1_000_000);
    lab.rib.originate(OWN, { origin: 0, asPath: [] });
    lab.pass(8000);
    expect(ages(lab)).toEqual([8]);
  });

  it('is in a VRF that of the VPN route', () => {
    const lab = new Lab();
    lab.up(1);
    lab.announce(1, [VPN], attributes({ extendedCommunities: [target(1)] }));
    lab.pass(5000);
    lab.vrf(7, { importTargets: [target(1)] });
    lab.pass(4000);
    expect(ages(lab, 7)).toEqual([9]);
    lab.announce(1, [VPN], attributes({ med: 1, extendedCommunities: [target(1)] }));
    lab.pass(2000);
    expect(ages(lab, 7)).toEqual([2]);
  });
});
