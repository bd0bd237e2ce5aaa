// SPDX-License-Identifier: Apache-2.0
/** Names, namespaces, devices, addresses and the worker, against each other. */
import { describe, expect, it } from 'vitest';
import type { SingleDevice } from '../../../src/config/types.js';
import { expectMistakes, expectWarnings, good, put, told, type Draft } from './good.js';

const rename = (draft: Draft, from: string, to: string): void => {
  draft.interfaces[to] = draft.interfaces[from]!;
  Reflect.deleteProperty(draft.interfaces, from);
};

describe('names', () => {
  const words = 'letters, digits, "-", "_" and "."; a letter or digit first';
  it.each([
    ['sixteen-chars-00', '["sixteen-chars-00"]', 'name of 16 characters', 'at most 15'],
    ['a/b', '["a/b"]', 'name with characters that are not allowed', words],
    ['', '[""]', 'empty name', '1..15 characters'],
    ['..', '[".."]', 'name with characters that are not allowed', words],
    ['lo', '.lo', 'a name with a meaning of its own', 'another name'],
    ['all', '.all', 'a name with a meaning of its own', 'another name'],
    ['sealane0', '.sealane0', 'a name with a meaning of its own', 'another name'],
  ])('of an interface: %j', (name, path, reason, remedy) => {
    expectMistakes(
      (draft) => {
        rename(draft, 'core0', name);
      },
      `interfaces${path}: ${reason} (${JSON.stringify(name)}): ${remedy}`,
    );
  });

  it('fifteen bytes are allowed', () => {
    expectMistakes((draft) => {
      rename(draft, 'core0', 'fifteen-chars-0');
    });
  });

  it('of VRFs, tunnels and SAs', () => {
    expectMistakes(
      (draft) => {
        draft.vrfs['x y'] = {};
        draft.tunnels['-t'] = draft.tunnels['pe3']!;
        draft.manualSas['s'.repeat(33)] = {
          ...draft.manualSas['pe2-in']!,
          spi: 999,
          keyFile: '/k',
        };
      },
      `vrfs["x y"]: name with characters that are not allowed ("x y"): ${words}`,
      `tunnels["-t"]: name with characters that are not allowed ("-t"): ${words}`,
      `manualSas.${'s'.repeat(33)}: name of 33 characters (not shown): at most 32`,
    );
  });

  it('an interface may not be called like a device beside it', () => {
    expectMistakes((draft) => {
      rename(draft, 'core0', 'wan');
      rename(draft, 'ce-b', 'cust'); // its TAP is in the namespace of VRF b
    }, 'interfaces.wan: the device of interface "wan" has this name in the same namespace ("wan"): ' + 'another name for the interface: it appears beside its device');
    expectMistakes((draft) => {
      rename(draft, 'core0', 'wan');
      draft.core.netns = 'backbone';
    });
    expectMistakes((draft) => {
      draft.interfaces['ce-a']!.device = { kernel: 'ce-a', netns: 'pe1-a' };
    }, 'interfaces["ce-a"]: the device of interface "ce-a" has this name in the same namespace ("ce-a"): ' + 'another name for the interface: it appears beside its device');
  });
});

describe('SPs', () => {
  it('are named once, the own one not among the others', () => {
    expectMistakes(
      (draft) => {
        draft.otherSps = ['south', 'north', 'south'];
      },
      'otherSps[1]: this is the own SP ("north"): remove it here',
      'otherSps[2]: named twice ("south"): remove one',
    );
  });

  it('are at most 63, the own one included', () => {
    const others = Array.from({ length: 63 }, (_, i) => `sp${i}`);
    const shown = JSON.stringify(['south', ...others.slice(1)]).slice(0, 77);
    expectMistakes((draft) => {
      draft.otherSps = ['south', ...others.slice(2)];
    });
    expectMistakes((draft) => {
      draft.otherSps = ['south', ...others.slice(1)];
    }, `otherSps: 63 other SPs (${shown}...): at most 62: each has a label table`);
  });
});

describe('namespaces', () => {
  const remedy = 'a namespace of its own for each VRF and for the core';
  it('are not shared between VRFs', () => {
    expectMistakes((draft) => {
      draft.vrfs['b']!.netns = 'pe1-a';
    }, `vrfs.b.netns: namespace "pe1-a" is used by VRF "a" ("pe1-a"): ${remedy}`);
    expectMistakes((draft) => {
      draft.vrfs['a']!.netns = 'pe1-b';
    }, `vrfs.b: namespace "pe1-b" is used by VRF "a": ${remedy}`);
  });
  it('are not shared with the core', () => {
    expectMistakes((draft) => {
      draft.core.netns = 'pe1-a';
    }, `vrfs.a: namespace "pe1-a" is used by the core: ${remedy}`);
  });
});

describe('devices', () => {
  it('carry each VLAN once', () => {
    expectMistakes((draft) => {
      draft.interfaces['ce-b']!.vlan = 10;
    }, 'interfaces["ce-b"].vlan: interface "ce-a" has the same device and VLAN (10): a VLAN of its own, or another device');
    expectMistakes((draft) => {
      draft.interfaces['ce-b']!.device = { kernel: 'wan' };
      Reflect.deleteProperty(draft.interfaces['ce-b']!, 'vlan');
    }, 'interfaces["ce-b"].device: interface "core0" has the same device and VLAN: a VLAN of its own, or another device');
  });

  it('carry each VLAN once in each service VLAN', () => {
    expectMistakes((draft) => {
      Object.assign(draft.interfaces['ce-b']!, { vlan: 10, serviceVlan: 100 });
    });
    expectMistakes((draft) => {
      Object.assign(draft.interfaces['ce-a']!, { serviceVlan: 100, serviceTag: '802.1q' });
      Object.assign(draft.interfaces['ce-b']!, { vlan: 10, serviceVlan: 100 });
    }, 'interfaces["ce-b"].vlan: interface "ce-a" has the same device and VLAN (10): a VLAN of its own, or another device');
  });

  it('have a VLAN within a service VLAN, and a service VLAN where its tag is named', () => {
    expectMistakes((draft) => {
      draft.interfaces['core0']!.serviceVlan = 7;
    }, 'interfaces.core0.serviceVlan: there is no VLAN within it (7): add vlan; for frames with one tag, vlan alone');
    expectMistakes((draft) => {
      draft.interfaces['ce-a']!.serviceTag = '802.1q';
    }, 'interfaces["ce-a"].serviceTag: there is no service VLAN ("802.1q"): add serviceVlan, or leave this out');
  });

  it('of the same name in two namespaces are two', () => {
    expectMistakes((draft) => {
      draft.interfaces['ce-b']!.vlan = 10;
      draft.interfaces['ce-b']!.device = { kernel: 'cust', netns: 'elsewhere' };
    });
  });

  const twice =
    'describes the same device in another way: the same driver, options and offloads for all interfaces of a device';

  const members = (draft: Draft, ...lag: SingleDevice[]): void => {
    draft.interfaces['core0']!.device = { lag };
  };
  it('may be groups of others', () => {
    expectMistakes((draft) => {
      members(draft, { kernel: 'wan' }, { kernel: 'wan1' }, { pci: '0000:03:00.0' });
      // A second interface on the same group, by a VLAN.
      const device = draft.interfaces['core0']!.device;
      Object.assign(draft.interfaces['ce-b']!, { device, vlan: 30 });
    });
  });

  const alone = 'a member belongs to one group, and carries no interface or VLAN of its own';
  it.each<[string, SingleDevice[], string]>([
    ['no member', [], ': a group without members ([]): 1..8 devices'],
    [
      'nine members',
      Array.from('123456789', (kernel) => ({ kernel })),
      ': 9 members ([{"kernel":"1"},{"kernel":"2"},{"kernel":"3"},{"kernel":"4"},{"kernel":"5"},{...): 1..8 devices',
    ],
    ['a member twice', [{ kernel: 'w' }, { kernel: 'w' }], '[1]: named twice: remove one'],
    [
      'a port by itself',
      [{ kernel: 'w' }, { kernel: 'cust' }],
      `[1]: interface "ce-b" has this device by itself: ${alone}`,
    ],
    [
      'two namespaces',
      [{ kernel: 'w' }, { pci: '0000:03:00.0' }, { kernel: 'x', netns: 'far' }],
      '[2]: in another namespace than the other kernel interfaces of the group: all of them in one namespace',
    ],
    [
      'arguments that end the member',
      [{ vdev: 'net_null0,x=1;y' }],
      '[0]: a ";" in its arguments: arguments without it',
    ],
  ])('are no group with %s', (_, lag, mistake) => {
    expectMistakes((draft) => {
      members(draft, ...lag);
    }, `interfaces.core0.device.lag${mistake}`);
  });

  it('are members of one group', () => {
    expectMistakes((draft) => {
      members(draft, { kernel: 'wan' }, { kernel: 'wan1' });
      draft.interfaces['ce-b']!.device = { lag: [{ kernel: 'wan2' }, { kernel: 'wan1' }] };
    }, `interfaces["ce-b"].device.lag[1]: interface "core0" has it in another group: ${alone}`);
  });

  it('are groups of the same members and rate for all interfaces of it', () => {
    expectMistakes((draft) => {
      members(draft, { kernel: 'wan' }, { kernel: 'wan1' });
      const device = { lag: [{ kernel: 'wan' }, { kernel: 'wan1' }], lacpRate: 'slow' } as const;
      Object.assign(draft.interfaces['ce-b']!, { device, vlan: 30 });
    }, `interfaces["ce-b"].device: interface "core0" ${twice}`);
  });

  it.each<[string, SingleDevice]>([
    ['another member', { kernel: 'wan2' }],
    ['a member with another driver', { kernel: 'wan1', driver: 'af_xdp' }],
  ])('are no group with %s for another interface of it', (_, second) => {
    expectMistakes((draft) => {
      members(draft, { kernel: 'wan' }, { kernel: 'wan1' });
      const device = { lag: [{ kernel: 'wan' }, second] };
      Object.assign(draft.interfaces['ce-b']!, { device, vlan: 30 });
    }, `interfaces["ce-b"].device: interface "core0" ${twice}`);
  });

  it('are a group of the default rate, named or not', () => {
    expectMistakes((draft) => {
      members(draft, { kernel: 'wan' }, { kernel: 'wan1' });
      const device = { lag: [{ kernel: 'wan' }, { kernel: 'wan1' }], lacpRate: 'fast' } as const;
      Object.assign(draft.interfaces['ce-b']!, { device, vlan: 30 });
    });
  });

  it('are kernel interfaces of one namespace, whatever stands before them', () => {
    expectMistakes((draft) => {
      const netns = 'links';
      members(draft, { pci: '0000:03:00.0' }, { kernel: 'wan1', netns }, { kernel: 'wan2', netns });
    });
  });

  it('have names that no interface beside them has', () => {
    expectMistakes((draft) => {
      members(draft, { kernel: 'wan' }, { kernel: 'core0' });
    }, 'interfaces.core0: the device of interface "core0" has this name in the same namespace ("core0"): another name for the interface: it appears beside its device');
  });

  it.each([
    [{ kernel: 'cust' }, { kernel: 'cust', driver: 'af_xdp' }],
    [{ pci: '0000:03:00.0' }, { pci: '0000:03:00.0', options: 'rx_desc=1024' }],
    [{ vdev: 'net_null0,size=64' }, { vdev: 'net_null0' }],
    [{ pci: '0000:03:00.0' }, { pci: '0000:03:00.0', offloads: false }],
  ] as const)('are described in one way: %j', (first, second) => {
    expectMistakes((draft) => {
      draft.interfaces['ce-a']!.device = first;
      draft.interfaces['ce-b']!.device = second;
    }, `interfaces["ce-b"].device: interface "ce-a" ${twice}`);
  });

  it('of the default driver and with offloads, named or not, are the same', () => {
    expectMistakes((draft) => {
      draft.interfaces['ce-b']!.device = { kernel: 'cust', driver: 'af_packet', offloads: true };
    });
  });

  it('are at most 255', () => {
    expectMistakes((draft) => {
      for (let i = 0; i < 254; i++) {
        const device = { kernel: `nic${i}` };
        draft.interfaces[`if${i}`] = { role: 'core', device, addresses: [] };
      }
    }, 'interfaces: 256 devices: at most 255');
  });
});

it('rows of the shared tables are limited', () => {
  expectMistakes((draft) => {
    for (let i = 0; i < 4091; i++) {
      const device = { kernel: `nic${i % 200}` };
      const vlan = 1 + Math.floor(i / 200);
      draft.interfaces[`if${i}`] = { role: 'core', device, vlan, addresses: [] };
    }
  }, 'interfaces: 4096 interfaces, one per VRF included: at most 4095');
});

describe('an unknown VRF', () => {
  it('of an interface', () => {
    expectMistakes((draft) => {
      put(draft, 'interfaces.ce-b.vrf', 'c');
    }, 'interfaces["ce-b"].vrf: no such VRF ("c"): did you mean "a"? known VRFs: a, b');
  });
  it('where there is none', () => {
    const draft = good();
    put(draft, 'vrfs', undefined);
    expect(told(draft).errors).toEqual([
      'interfaces["ce-a"].vrf: no such VRF ("a"): there are no VRFs',
      'interfaces["ce-b"].vrf: no such VRF ("b"): there are no VRFs',
    ]);
  });
});

describe('addresses', () => {
  const apart = 'subnets of one routing table must not overlap';
  it('overlap between VRFs, and between a VRF and the core, as they like', () => {
    expectMistakes((draft) => {
      draft.interfaces['ce-b']!.addresses = [
        ...draft.interfaces['core0']!.addresses,
        ...draft.interfaces['ce-a']!.addresses,
        '192.0.2.1/32',
      ];
    });
  });

  it('of two interfaces of a VRF do not overlap', () => {
    expectMistakes(
      (draft) => {
        put(draft, 'interfaces.ce-b.vrf', 'a');
        draft.interfaces['ce-b']!.addresses = ['10.1.0.129/25', '2001:db8:b::1/32', '10.7.0.1/24'];
      },
      `interfaces["ce-b"].addresses[0]: overlaps 10.1.0.1/24 of interfaces["ce-a"].addresses[0] ("10.1.0.129/25"): ${
        apart
      }`,
      `interfaces["ce-a"].addresses[1]: overlaps 2001:db8:b::1/32 of interfaces["ce-b"].addresses[1] ("2001:db8:a::1/64"): ${
        apart
      }`,
    );
  });

  it('are each on one interface', () => {
    expectMistakes((draft) => {
      put(draft, 'interfaces.ce-b.vrf', 'a');
      draft.interfaces['ce-b']!.addresses = ['10.1.0.1/24'];
    }, 'interfaces["ce-b"].addresses[0]: the same address as 10.1.0.1/24 of interfaces["ce-a"].addresses[0] ("10.1.0.1/24"): an address of its own');
  });

  it('of one interface may share a subnet, but not repeat', () => {
    expectMistakes((draft) => {
      draft.interfaces['ce-a']!.addresses = ['10.1.0.1/24', '10.1.0.2/24'];
      draft.vrfs['a']!.routes = [];
      draft.vrfs['a']!.exports = [];
    });
    expectMistakes((draft) => {
      draft.interfaces['ce-b']!.addresses = ['10.1.0.1/24', '10.1.0.1/25'];
    }, 'interfaces["ce-b"].addresses[1]: the same address as 10.1.0.1/24 of interfaces["ce-b"].addresses[0] ("10.1.0.1/25"): an address of its own');
    expectMistakes((draft) => {
      draft.interfaces['ce-b']!.addresses = ['10.1.0.1/24', '10.1.0.2/25'];
    }, `interfaces["ce-b"].addresses[1]: overlaps 10.1.0.1/24 of interfaces["ce-b"].addresses[0] ("10.1.0.2/25"): ${apart}`);
  });

  it('beside the interfaces lie outside their subnets', () => {
    expectMistakes((draft) => {
      draft.vrfs['a']!.addresses = ['10.1.0.200/32'];
    }, `vrfs.a.addresses[0]: overlaps 10.1.0.1/24 of interfaces["ce-a"].addresses[0] ("10.1.0.200/32"): ${apart}`);
  });

  it('of the core follow the same rules', () => {
    expectMistakes((draft) => {
      draft.interfaces['core1'] = {
        role: 'core',
        device: { pci: '0000:03:00.0' },
        addresses: ['198.51.100.2/30'],
      };
    }, `interfaces.core1.addresses[0]: overlaps 198.51.100.1/30 of interfaces.core0.addresses[0] ("198.51.100.2/30"): ${apart}`);
  });
});

describe('tunnel addresses', () => {
  it('may be an interface address, not its neighbour', () => {
    expectMistakes((draft) => {
      draft.core.tunnelAddresses.push('198.51.100.1');
    });
    expectMistakes(
      (draft) => {
        draft.core.tunnelAddresses.push('198.51.100.2', '2001:db8::1');
      },
      'core.tunnelAddresses[2]: in the subnet 198.51.100.1/30 of interfaces.core0.addresses[0], but not its own address ("198.51.100.2"): 198.51.100.1, or an address outside all subnets',
      'core.tunnelAddresses[3]: named twice ("2001:db8::1"): remove one',
    );
  });
  it('have no prefix length', () => {
    expectMistakes((draft) => {
      draft.core.tunnelAddresses.push('203.0.113.1/32');
    }, 'core.tunnelAddresses[2]: not an IP address ("203.0.113.1/32"): without prefix length here');
  });
});

describe('the worker', () => {
  it('has one packet-path thread or several', () => {
    expectWarnings((draft) => {
      draft.worker = { lcores: 3, cpus: '2-4' };
    });
  });

  it.each([
    ['--vdev=net_null0', 'device: { vdev: "..." } of an interface: ports are made while running'],
    ['--vdev', 'device: { vdev: "..." } of an interface: ports are made while running'],
    ['--file-prefix=x', 'instance: each has a prefix of its own'],
    ['--proc-type=secondary', 'nothing: a worker is always a primary process'],
    ['--lcores=0-1', 'worker.cpus: threads are mapped to CPUs by it'],
    ['-l', 'worker.cpus: threads are mapped to CPUs by it'],
    ['-l0-1', 'worker.cpus: threads are mapped to CPUs by it'],
    ['-c3', 'worker.cpus: threads are mapped to CPUs by it'],
  ])('does not take the EAL argument %s', (argument, instead) => {
    expectMistakes((draft) => {
      draft.worker = { eal: ['--log-level=7', argument] };
    }, `worker.eal[1]: an EAL option that Sealane sets itself ("${argument}"): use ${instead}`);
  });
});
