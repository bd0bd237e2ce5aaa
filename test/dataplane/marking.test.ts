// SPDX-License-Identifier: Apache-2.0
/**
 * Congestion notification out of tunnels and across swapped labels (RFC 6040), and the core's map of classes
 * (RFC 3270). What goes into tunnels is looked at in ingress.test.ts and mpls-out.test.ts.
 */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { innerPacket, mplsFrame, toCe, tunnelFrame, type Inner } from './frames.js';
import { ANY, ENCAPSULATIONS, FAMILIES, HERE, Pe, THERE, type Family } from './pe.js';
import { labelEntry } from '../lib/packets.js';

const [NOT_ECT, ECT1, ECT0, CE] = [0, 1, 2, 3] as const;
/** RFC 6040 figure 4: by inner, then by outer codepoint. */
const FIGURE_4: readonly (readonly [number, number, number | 'drop'])[] = [
  [NOT_ECT, NOT_ECT, NOT_ECT],
  [NOT_ECT, ECT0, NOT_ECT],
  [NOT_ECT, ECT1, NOT_ECT],
  [NOT_ECT, CE, 'drop'],
  [ECT0, NOT_ECT, ECT0],
  [ECT0, ECT0, ECT0],
  [ECT0, ECT1, ECT1],
  [ECT0, CE, CE],
  [ECT1, NOT_ECT, ECT1],
  [ECT1, ECT0, ECT1],
  [ECT1, ECT1, ECT1],
  [ECT1, CE, CE],
  [CE, NOT_ECT, CE],
  [CE, ECT0, CE],
  [CE, ECT1, CE],
  [CE, CE, CE],
];
const EF = 46;
const SELECTORS = Uint8Array.from({ length: 64 }, (_, dscp) => dscp >> 3);

let pe: Pe;
let label: number;
beforeAll(async () => {
  pe = await Pe.start('marking');
  label = pe.label('vrf', pe.vrfs.a, ANY);
});
afterAll(async () => {
  await pe.close();
});
afterEach(() => {
  pe.harness.tables.setTrafficClasses(SELECTORS);
  pe.setVrf('a', {});
});

const inner = (family: Family, rest: Partial<Inner>): Inner => ({
  ...{ family, source: THERE[family], destination: HERE[family] },
  ...rest,
});

async function run(frames: readonly Buffer[]): Promise<{ ce: string[]; drops: object }> {
  const { out, drops } = await pe.run({ core: frames });
  expect(Object.keys(out).filter((place) => place !== 'ce')).toEqual([]);
  return { ce: (out['ce'] ?? []).map((frame) => frame.toString('hex')), drops };
}

describe.each(FAMILIES)('congestion out of a tunnel over IPv%i', (family) => {
  it.each(ENCAPSULATIONS)('MPLS-in-%s, all that RFC 6040 figure 4 says', async (encapsulation) => {
    for (const sa of [await pe.sa('in', { family, encapsulation }), undefined]) {
      for (const carried of FAMILIES) {
        const frames = FIGURE_4.map(([inside, outside], i) =>
          tunnelFrame({
            ...{ encapsulation, family, direction: 'in', label, ecn: outside, dscp: 8 },
            ...(sa === undefined ? { vlan: 20 } : { sa, sequence: i + 1 + carried * 100 }),
            packet: innerPacket(inner(carried, { tos: (EF << 2) | inside })),
          }),
        );
        const want = FIGURE_4.flatMap(([, , left]) =>
          left === 'drop'
            ? []
            : [
                toCe(innerPacket(inner(carried, { ttl: 32, tos: (EF << 2) | left }))).toString(
                  'hex',
                ),
              ],
        );
        expect(await run(frames)).toEqual({ ce: want, drops: { ecn_not_ect: 1 } });
      }
    }
  });
});

describe('a swapped label', () => {
  const OUT = 777;
  const through = async (
    nexthop: number,
    ecn: number,
  ): Promise<{ core: string[]; drops: object }> => {
    const packet = innerPacket(inner(4, {}));
    const spec = { encapsulation: 'gre', family: 4, direction: 'in', packet, labelTtl: 9 } as const;
    const swap = pe.swap(nexthop, OUT, ANY);
    const { out, drops } = await pe.run({
      core: [tunnelFrame({ ...spec, label: swap, tc: 3, ecn, vlan: 20 })],
    });
    return { core: (out['core'] ?? []).map((frame) => frame.toString('hex')), drops };
  };

  it('carries congestion from tunnel to tunnel', async () => {
    for (const family of FAMILIES) {
      for (const ecn of [NOT_ECT, ECT0, ECT1, CE]) {
        const tunnel = { encapsulation: 'ip', family, dscpCopy: true, ecnCopy: true } as const;
        const want = tunnelFrame({
          ...{ encapsulation: 'ip', family, direction: 'out', label: OUT, labelTtl: 8, tc: 3 },
          ...{ dscp: 24, ecn, packet: innerPacket(inner(4, {})) },
        });
        expect(await through(pe.tunnel(tunnel), ecn)).toEqual({
          ...{ core: [want.toString('hex')], drops: {} },
        });
      }
    }
  });

  it('drops what the next tunnel could not tell, and nothing else', async () => {
    const ways = [
      pe.tunnel({ encapsulation: 'gre', family: 4, dscpCopy: true }),
      pe.nexthop(pe.lspVersion({ labels: [99] })),
    ];
    for (const way of ways) {
      expect(await through(way, CE)).toEqual({ core: [], drops: { ecn_not_ect: 1 } });
      for (const ecn of [NOT_ECT, ECT0, ECT1]) {
        const { core, drops } = await through(way, ecn);
        expect([core.length, drops]).toEqual([1, {}]);
      }
    }
  });
});

describe('the core’s map of classes', () => {
  const map = (): Uint8Array => {
    const classes = SELECTORS.slice();
    classes[EF] = 6;
    classes[48] = 7;
    return classes;
  };
  const arrive = async (tc: number, dscp: number): Promise<number> => {
    pe.harness.tables.setTrafficClasses(map());
    pe.setVrf('a', { tcUniform: true });
    const packet = innerPacket(inner(4, { tos: dscp << 2 }));
    const frame = tunnelFrame({
      ...{ encapsulation: 'ip', family: 4, direction: 'in', label, tc, vlan: 20, packet },
    });
    const { out, drops } = await pe.run({ core: [frame] });
    expect(drops).toEqual({});
    return (out['ce']?.[0]?.[15] ?? 0) >> 2;
  };

  it('says in the uniform model which DSCP a class stands for', async () => {
    expect(await arrive(6, EF)).toBe(EF); // of that class already
    expect(await arrive(6, 10)).toBe(EF); // its class selector is of class 7 here, EF the lowest of class 6
    expect(await arrive(7, 10)).toBe(56); // the class selector
    expect(await arrive(5, EF)).toBe(40);
  });

  it('leaves plain MPLS without an outer header alone', async () => {
    const packet = innerPacket(inner(4, { tos: (EF << 2) | ECT0 }));
    const stack = Buffer.concat([labelEntry(label, { tc: 7 }), packet]);
    const { ce } = await run([mplsFrame(stack, 20)]);
    const want = toCe(innerPacket(inner(4, { ttl: 32, tos: (EF << 2) | ECT0 })));
    expect(ce).toEqual([want.toString('hex')]);
  });
});
