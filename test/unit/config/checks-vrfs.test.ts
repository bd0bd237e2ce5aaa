// SPDX-License-Identifier: Apache-2.0
/** Routes, imports and exports of VRFs. */
import { describe, it } from 'vitest';
import type { StaticRoute } from '../../../src/config/types.js';
import { expectMistakes, expectWarnings, put, type Draft } from './good.js';

const add = (draft: Draft, ...routes: StaticRoute[]): void => {
  draft.vrfs['a']!.routes!.push(...routes);
};

describe('routes', () => {
  it('are one per prefix', () => {
    expectMistakes((draft) => {
      add(
        draft,
        { prefix: '10.9.0.0/16', discard: 'silent' },
        { prefix: '10.9.0.0/17', discard: 'silent' },
      );
    }, 'vrfs.a.routes[4].prefix: a second route for this prefix, beside vrfs.a.routes[3] ("10.9.0.0/16"): one route per prefix');
  });

  it('do not repeat what is connected or our own', () => {
    expectMistakes(
      (draft) => {
        add(
          draft,
          { prefix: '10.1.0.0/24', discard: 'silent' },
          { prefix: '10.255.0.1/32', discard: 'silent' },
        );
      },
      'vrfs.a.routes[4].prefix: a connected subnet already: 10.1.0.1/24 of interfaces["ce-a"].addresses[0] ("10.1.0.0/24"): remove the route',
      'vrfs.a.routes[5].prefix: an own address already: 10.255.0.1/32 of vrfs.a.addresses[0] ("10.255.0.1/32"): remove the route',
    );
  });

  it('lead to tunnels that exist', () => {
    expectMistakes((draft) => {
      add(draft, { prefix: '10.4.0.0/16', tunnel: 'pe', label: 17 });
    }, 'vrfs.a.routes[4].tunnel: no such tunnel ("pe"): did you mean "pe2"? known tunnels: pe2, pe3');
  });

  it.each([
    ['2001:db8:a::2', "not an address of the prefix's family, IPv4", 'an IPv4 next hop'],
    [
      '10.1.0.1',
      'an own address: 10.1.0.1/24 of interfaces["ce-a"].addresses[0]',
      "the neighbour's address",
    ],
    [
      '10.255.0.1',
      'an own address: 10.255.0.1/32 of vrfs.a.addresses[0]',
      "the neighbour's address",
    ],
    ['10.6.0.1', 'in no connected subnet of VRF "a"', 'an address in 10.1.0.0/24, 2001:db8:a::/64'],
  ])('lead to a neighbour: %s does not', (via, reason, remedy) => {
    expectMistakes((draft) => {
      add(draft, { prefix: '10.4.0.0/16', via });
    }, `vrfs.a.routes[4].via: ${reason} ("${via}"): ${remedy}`);
  });

  it('to a link-local neighbour name the interface', () => {
    expectMistakes((draft) => {
      add(draft, { prefix: '2001:db8:77::/48', via: 'fe80::9' });
    }, 'vrfs.a.routes[4].via: a link-local next hop on no interface ("fe80::9"): add interface: "ce-a"');
  });

  it('name an interface of their VRF', () => {
    expectMistakes(
      (draft) => {
        add(
          draft,
          { prefix: '10.4.0.0/16', via: '10.1.0.2', interface: 'ce-b' },
          { prefix: '10.5.0.0/16', via: '10.1.0.2', interface: 'core0' },
          { prefix: '10.6.0.0/16', via: '10.1.0.2', interface: 'ce-c' },
          { prefix: '10.7.0.0/16', via: '10.1.0.2', interface: 'ce-a' },
        );
      },
      'vrfs.a.routes[6].interface: no such interface ("ce-c"): did you mean "ce-a"? known interfaces: core0, ce-a, ce-b',
      'vrfs.a.routes[4].interface: not an interface of VRF "a" ("ce-b"): one of: "ce-a"',
      'vrfs.a.routes[5].interface: not an interface of VRF "a" ("core0"): one of: "ce-a"',
    );
  });

  it('reach the neighbour by the interface they name', () => {
    expectMistakes((draft) => {
      draft.interfaces['ce-c'] = {
        role: 'ce',
        vrf: 'a',
        device: { kernel: 'third' },
        addresses: ['10.8.0.1/24'],
      };
      add(draft, { prefix: '10.4.0.0/16', via: '10.1.0.2', interface: 'ce-c' });
    }, 'vrfs.a.routes[4].via: in no connected subnet of interface "ce-c" ("10.1.0.2"): an address in 10.8.0.0/24');
  });

  it('are not judged by an interface that is itself broken', () => {
    expectMistakes((draft) => {
      put(draft, 'interfaces.ce-a.vlan', 0);
      add(draft, { prefix: '10.4.0.0/16', via: '10.66.0.2', interface: 'ce-a' });
    }, 'interfaces["ce-a"].vlan: less than 1 (0): a VLAN id, 1..4094');
  });
});

describe('imports', () => {
  it('come from other VRFs that exist, once each', () => {
    expectMistakes(
      (draft) => {
        draft.interfaces['ce-b']!.addresses = ['10.20.0.1/24'];
        draft.vrfs['b']!.importsFrom = ['a', 'b', 'c', 'a'];
      },
      'vrfs.b.importsFrom[2]: no such VRF ("c"): did you mean "a"? known VRFs: a, b',
      'vrfs.b.importsFrom[1]: a VRF imports nothing from itself ("b"): remove it',
      'vrfs.b.importsFrom[3]: named twice ("a"): remove one',
    );
  });

  it('of a subnet that the VRF has itself, or gets from another, are warned of', () => {
    expectWarnings(
      (draft) => {
        draft.vrfs['c'] = { importsFrom: ['a', 'b'] };
        draft.vrfs['b']!.importsFrom = ['a'];
      },
      'vrfs.b.importsFrom[0]: 10.1.0.1/24 of interfaces["ce-a"].addresses[0] is hidden by the same subnet of VRF "b" itself ("a"): use subnets that do not overlap in VRFs that import each other',
      'vrfs.c.importsFrom[1]: 10.1.0.1/24 of interfaces["ce-b"].addresses[0] is hidden by the same subnet of VRF "a" ("b"): use subnets that do not overlap in VRFs that import each other',
    );
  });
});

describe('export rules', () => {
  it('have names of their own within the VRF', () => {
    expectMistakes((draft) => {
      draft.vrfs['a']!.exports!.push({ name: 'inside', protections: ['encrypt'], label: 1001 });
      draft.vrfs['b']!.exports![0]!.name = 'inside';
    }, 'vrfs.a.exports[2].name: another rule of this VRF has this name ("inside"): a name of its own');
  });

  it('name SPs that are configured', () => {
    expectMistakes(
      (draft) => {
        draft.vrfs['a']!.exports![0]!.toSps = ['north', 'suoth', 'west'];
      },
      'vrfs.a.exports[0].toSps[1]: no such SP ("suoth"): did you mean "south"? known SPs: north, south',
      'vrfs.a.exports[0].toSps[2]: no such SP ("west"): known SPs: north, south',
    );
  });

  it('name each word once', () => {
    expectMistakes(
      (draft) => {
        draft.vrfs['a']!.exports![0]!.protections = ['encrypt', 'authenticate', 'encrypt'];
        draft.vrfs['a']!.exports![0]!.toSps = [];
        draft.vrfs['a']!.exports![1]!.encapsulations = ['ip', 'ip'];
      },
      'vrfs.a.exports[0].protections[2]: named twice ("encrypt"): remove one',
      'vrfs.a.exports[0].toSps: empty list ([]): name at least one',
      'vrfs.a.exports[1].encapsulations[1]: named twice ("ip"): remove one',
    );
  });

  it('do not ask for protection and for none', () => {
    expectMistakes((draft) => {
      draft.vrfs['a']!.exports![1]!.protections = ['encrypt', 'mpls', 'tunnel'];
    }, 'vrfs.a.exports[1].clearInsideOwnSp: protection is asked of other SPs, yet "tunnel" and "mpls" ask for none (true): protections: encrypt, authenticate or both; or remove it');
  });

  it('spare the own SP only where there is another', () => {
    const line =
      'vrfs.a.exports[1].clearInsideOwnSp: no other SP is named, of which protection would be asked (true): name it in toSps, or remove clearInsideOwnSp';
    expectMistakes((draft) => {
      draft.vrfs['a']!.exports![1]!.toSps = ['north'];
    }, line);
    expectMistakes((draft) => {
      Reflect.deleteProperty(draft.vrfs['a']!.exports![1]!, 'toSps');
    }, line);
  });

  it('accept in clear what some core interface lets in, or are warned of', () => {
    const core = (draft: Draft): void => {
      put(draft, 'interfaces.core0.mpls', 'off');
      put(draft, 'interfaces.core0.acceptClear', ['gre']);
    };
    expectWarnings(
      (draft) => {
        core(draft);
        draft.vrfs['b']!.exports![0]!.encapsulations = ['ip'];
        draft.vrfs['b']!.exports!.push({ name: 'plain', protections: ['mpls'], label: 1004 });
      },
      'vrfs.a.exports[1].clearInsideOwnSp: accepts plain MPLS, which no core interface lets in (true): mpls: "own-sp" on a core interface',
      'vrfs.b.exports[0].protections: accepts MPLS-in-GRE/IP in clear, which no core interface lets in (["tunnel"]): acceptClear with "ip" on a core interface',
      'vrfs.b.exports[1].protections: accepts plain MPLS, which no core interface lets in (["mpls"]): mpls: "own-sp" on a core interface',
    );
    expectWarnings((draft) => {
      core(draft);
    }, 'vrfs.a.exports[1].clearInsideOwnSp: accepts plain MPLS, which no core interface lets in (true): mpls: "own-sp" on a core interface');
  });

  it('to a CE lead to a neighbour', () => {
    expectMistakes((draft) => {
      draft.vrfs['a']!.exports![1]!.labelFor = { ce: '10.1.1.2' };
    }, 'vrfs.a.exports[1].labelFor.ce: in no connected subnet of VRF "a" ("10.1.1.2"): an address in 10.1.0.0/24, 2001:db8:a::/64');
    expectMistakes((draft) => {
      draft.vrfs['a']!.exports![1]!.labelFor = { ce: '10.1.0.1' };
    }, 'vrfs.a.exports[1].labelFor.ce: an own address: 10.1.0.1/24 of interfaces["ce-a"].addresses[0] ("10.1.0.1"): the neighbour\'s address');
  });
});

describe('labels (policy-model 1)', () => {
  const shared = (meaning: string): string =>
    `vrfs.a.exports[0] uses the label for something else: ${meaning}`;
  const remedy = 'a label of its own: only equal VRF, class and target share one';
  const inside = 'VRF "a" lookup encrypt to north by gre,ip';

  it('are shared by rules of equal VRF, class and target, however they are written', () => {
    expectMistakes((draft) => {
      draft.vrfs['a']!.exports!.push({
        name: 'same',
        protections: ['encrypt'],
        toSps: ['north'],
        encapsulations: ['ip', 'gre'],
        clearInsideOwnSp: false,
        label: 1001,
        labelFor: 'vrf',
      });
    });
  });

  it.each([
    ['protection', { protections: ['encrypt', 'authenticate'] }],
    ['SPs', { toSps: ['north', 'south'] }],
    ['encapsulation', { encapsulations: ['gre'] }],
    ['target', { labelFor: { ce: '10.1.0.2' } }],
  ] as const)('are not shared by another %s', (_, other) => {
    expectMistakes(
      (draft) => {
        const rule = { name: 'x', protections: ['encrypt'], label: 1001, ...other };
        put(draft, 'vrfs.a.exports.2', rule);
      },
      `vrfs.a.exports[2].label: ${shared(inside)} (1001): ${remedy}`,
    );
  });

  it('are not shared by two VRFs', () => {
    expectMistakes(
      (draft) => {
        draft.vrfs['b']!.exports![0] = { name: 'x', protections: ['encrypt'], label: 1001 };
      },
      `vrfs.b.exports[0].label: ${shared(inside)} (1001): ${remedy}`,
    );
  });
});

describe('exported prefixes', () => {
  const remedy = 'a prefix that holds a subnet, own address or static route to a CE';
  it('hold a route of the VRF that is not from a tunnel', () => {
    expectMistakes(
      (draft) => {
        draft.vrfs['a']!.exports![0]!.prefixes = [
          ...['10.1.0.0/24', '10.255.0.0/16', '10.3.0.0/24', '10.9.0.0/16', '2001:db8:f::/48'],
          ...['0.0.0.0/0', '10.2.0.0/24', '10.3.0.0/25', '10.77.0.0/16', '2001:db8:b::/48'],
        ];
      },
      ...['10.2.0.0/24', '10.3.0.0/25', '10.77.0.0/16', '2001:db8:b::/48'].map(
        (prefix, i) =>
          `vrfs.a.exports[0].prefixes[${i + 6}]: no route of VRF "a" lies inside ("${prefix}"): ${remedy}`,
      ),
    );
  });

  it('may hold what another VRF lends', () => {
    expectMistakes((draft) => {
      draft.interfaces['ce-b']!.addresses = ['10.20.0.1/24'];
      draft.vrfs['b']!.importsFrom = ['a'];
      draft.vrfs['b']!.exports![0]!.prefixes = ['10.1.0.0/24', '10.3.0.0/24', '10.2.0.0/24'];
    }, `vrfs.b.exports[0].prefixes[2]: no route of VRF "b" lies inside ("10.2.0.0/24"): ${remedy}`);
  });

  it('have no host bits', () => {
    expectMistakes((draft) => {
      draft.vrfs['a']!.exports![0]!.prefixes = ['10.1.0.1/24'];
    }, 'vrfs.a.exports[0].prefixes[0]: prefix with host bits set ("10.1.0.1/24"): "10.1.0.0/24"');
  });
});
