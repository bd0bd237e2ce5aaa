// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';
import { ipsecCommunityFormat } from '../../../../src/bgp/codec/communities/ipsec.js';
import { PolicyCompiler } from '../../../../src/bgp/policy/compile.js';
import type { ExportQuestion } from '../../../../src/bgp/rib/api.js';
import type {
  BgpExportRule,
  Config,
  ExportClass,
  ExportRule,
  VrfBgp,
} from '../../../../src/config/types.js';
import type { GatewayModel } from '../../../../src/forwarding/model.js';
import { parseAddress } from '../../../../src/lib/ip.js';
import { acceptSetOf } from '../../../../src/vpn/accept.js';
import { Ingress } from '../../../../src/vpn/bgp/ingress.js';
import { capability } from './capable.js';
import { vrfRib } from '../../../../src/vpn/bgp/vrfs.js';
import { NO_LABELS, planLabels } from '../../../../src/vpn/label-plan.js';
import type { LabelWish } from '../../../../src/vpn/label-wish.js';
import { NO_SP_TABLES, SpTables } from '../../../../src/vpn/sp-tables.js';

const sps = SpTables.assign(NO_SP_TABLES, 'own', ['b'])!;
const CE: GatewayModel = { vrf: 'A', interface: 'ce-a', address: parseAddress('10.9.0.2')! };
const ASKED = 77_777;

const rule = (over: Partial<BgpExportRule> = {}): BgpExportRule & ExportClass => ({
  ...{ name: 'r', targets: ['65001:1'], protections: ['encrypt'] },
  ...over,
});

/** What the first rule answers for 10.1.0.0/16, what it asked for, and the VRF's label of its class. */
function answer(
  bgp: Partial<VrfBgp> & { readonly statics?: readonly ExportRule[] },
  gateway: GatewayModel | 'unreachable' | undefined,
) {
  const { statics, ...section } = bgp;
  const config: Config = {
    ...{ instance: 'pe', ownSp: 'own', otherSps: ['b'], core: { tunnelAddresses: [] } },
    ...{ interfaces: {}, bgp: { asn: 65001, routerId: '192.0.2.1' } },
    vrfs: { A: { bgp: { rd: '65001:1', ...section }, ...(statics && { exports: statics }) } },
  };
  const { labels, conflicts } = planLabels(config, sps, NO_LABELS, 1000);
  expect(conflicts).toEqual([]);
  const wishes: LabelWish[] = [];
  const ipsec = ipsecCommunityFormat();
  const rib = vrfRib(
    {
      ...{ config, sps, labels, ipsec, policies: new PolicyCompiler({}, ipsec) },
      ...{ ingress: new Ingress(capability()), nextHop: parseAddress('192.0.2.1')! },
      gateway: () => gateway,
      routeLabels: {
        ask: (wish) => {
          wishes.push(wish);
          return ASKED;
        },
      },
    },
    5,
    'A',
  );
  const question: ExportQuestion = {
    ...{ vrf: 5, family: 0, prefix: parseAddress('10.1.0.0')!, length: 16, from: undefined },
    attributes: { origin: 0, asPath: [] },
  };
  const planned = labels.find(({ rules }) => rules.includes('bgp/r'))?.label;
  return { label: rib.exports[0]!.label(question), wish: wishes[0], planned };
}

describe('the label of an exported route', () => {
  it('per VRF: that of the VRF and class, whatever the route leads to', () => {
    const { label, wish, planned } = answer({ exports: [rule()] }, CE);
    expect(label).toBe(planned);
    expect(planned).toBeDefined();
    expect(wish).toBeUndefined();
  });

  it('per CE: one to the CE, else that of the VRF', () => {
    const exports = [rule({ labelPer: 'ce' })];
    const { label, wish } = answer({ exports }, CE);
    expect(label).toBe(ASKED);
    expect(wish).toEqual({
      text: 'CE 10.9.0.2 on ce-a of VRF A, encrypt in gre,ip to own',
      ...{ vrf: 'A', rule: 'bgp/r', gateway: CE, accept: acceptSetOf(exports[0]!, sps) },
    });
    const own = answer({ exports }, undefined);
    expect(own.label).toBe(own.planned);
    expect(own.wish).toBeUndefined();
  });

  it('per prefix: one of its own, to its CE or into the VRF', () => {
    const exports = [
      rule({ labelPer: 'prefix', protections: ['tunnel'], encapsulations: ['gre'] }),
    ];
    const text = 'prefix 10.1.0.0/16 of VRF A, tunnel in gre to own';
    const accept = acceptSetOf(exports[0]!, sps);
    expect(answer({ exports }, CE).wish).toMatchObject({ text, gateway: CE, accept });
    const own = answer({ exports }, undefined);
    expect(own.wish).toMatchObject({ text, gateway: undefined, accept });
    expect(own.label).toBe(ASKED);
    expect(own.planned).toBeUndefined();
  });

  it('is none towards a CE on no interface', () => {
    for (const labelPer of ['ce', 'prefix'] as const) {
      const { label, wish } = answer({ exports: [rule()], labelPer }, 'unreachable');
      expect([label, wish]).toEqual([undefined, undefined]);
    }
  });
});

describe('a label does not lead past the class of other prefixes (policy-model 2)', () => {
  const clear: ExportRule = { name: 's', protections: ['tunnel'], label: 100 };
  const some = { prefixes: ['10.0.0.0/8'] };

  it.each<[string, readonly BgpExportRule[], readonly ExportRule[], boolean]>([
    ['one rule for all prefixes', [rule()], [], true],
    ['a rule for some prefixes alone', [rule(some)], [], false],
    ['a wider rule for all beside it', [rule(some)], [clear], true],
    ['a wider rule for some', [rule()], [{ ...clear, ...some }], true],
    ['a narrower rule for all', [rule({ protections: ['tunnel'], ...some })], [], false],
    [
      'clear text for some, encrypted for all',
      [rule({ protections: ['tunnel'], ...some }), rule({ name: 'all' })],
      [],
      false,
    ],
    ['another SP', [rule({ toSps: ['b'], ...some }), rule({ name: 'all' })], [], false],
  ])('%s: straight to the CE', (_, exports, statics, direct) => {
    const perPrefix = answer({ exports, statics, labelPer: 'prefix' }, CE);
    expect(perPrefix.wish?.gateway).toEqual(direct ? CE : undefined);
    const perCe = answer({ exports, statics, labelPer: 'ce' }, CE);
    expect(perCe.label).toBe(direct ? ASKED : perCe.planned);
  });
});
