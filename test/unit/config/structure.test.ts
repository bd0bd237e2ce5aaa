// SPDX-License-Identifier: Apache-2.0
/** Each value alone: what the schema refuses, and in which words. */
import { describe, expect, it } from 'vitest';
import { validateConfig } from '../../../src/config/validate.js';
import { formatPath } from '../../../src/config/issues.js';
import { expectMistakes, good, put, told } from './good.js';

describe('a correct configuration', () => {
  it('is accepted as it is, and frozen', () => {
    const result = validateConfig(good());
    expect(result).toMatchObject({ ok: true, config: good() });
    expect(told(good())).toEqual({ errors: [], warnings: [] });
    if (result.ok) {
      expect(Object.isFrozen(result.config)).toBe(true);
      expect(Object.isFrozen(result.config.vrfs?.['a']?.routes)).toBe(true);
    }
  });

  it('needs little', () => {
    const least = { instance: 'x', ownSp: 'y', core: { tunnelAddresses: [] }, interfaces: {} };
    expect(told(least)).toEqual({ errors: [], warnings: [] });
  });
});

describe('what is no configuration', () => {
  it.each([
    [undefined, '(configuration)', 'not plain data: undefined'],
    [null, '(configuration)', 'expected an object, got null'],
    ['x', '(configuration)', 'expected an object, got a string'],
    [[], '(configuration)', 'expected an object, got a list'],
  ])('%j', (input, path, reason) => {
    const result = validateConfig(input);
    expect(result.ok).toBe(false);
    if (!result.ok) expect(result.issues).toMatchObject([{ path, reason }]);
  });

  it('says all that an empty object lacks', () => {
    expect(told({}).errors).toEqual([
      'instance: missing: give a name',
      'ownSp: missing: give a name',
      'core: missing: give an object: { ... }',
      'interfaces: missing: give an object of entries by name: { name: { ... } }',
    ]);
  });

  it('has functions, instances, cycles', () => {
    const cycle: Record<string, unknown> = {};
    cycle['again'] = { cycle };
    const draft = { ...good(), when: new Date(), worker: () => 1, lab: cycle, ownSp: NaN };
    expect(told(draft).errors).toEqual([
      'lab.again.cycle: not plain data: a cycle: the value contains itself: give data without cycles',
      'ownSp: not plain data: the number NaN: give a finite number',
      'when: not plain data: an instance of Date: give a string',
      'worker: not plain data: the function worker: call it, or give what it would return',
    ]);
  });
});

const instanceWords =
  'not the name of an instance ("%"): 1..12 characters a-z, 0-9, "-"; a letter or digit first';
const nameWords =
  'name with characters that are not allowed ("%"): letters, digits, "-", "_" and "."; a letter or digit first';
const dirWords = 'not an absolute path ("%"): begin with "/"';
const kernelWords =
  'not the name of a kernel interface ("%"): 1..15 characters, no "/", ":" or white space';

/** Path, value put there, and the one line it gives. */
const cases: readonly (readonly [path: string, value: unknown, line: string])[] = [
  ...['PE1', '', '-a', 'thirteen-long', 'a_b', 'ä'].map(
    (bad) => ['instance', bad, instanceWords.replace('%', bad)] as const,
  ),
  ['instance', 5, instanceWords.replace('"%"', '5')],
  ['ownSp', 'a b', nameWords.replace('%', 'a b')],
  ['otherSps', 'south', 'expected a list, got a string ("south"): give a list: [ ... ]'],
  ['otherSps.0', '', 'empty name (""): 1..32 characters'],
  ['otherSps.0', 'x'.repeat(33), `name of 33 characters ("${'x'.repeat(33)}"): at most 32`],
  ['lab.manualSas', 'yes', 'expected true or false, got a string ("yes"): e.g. true'],
  ['runtimeDirectory', 'run', dirWords.replace('%', 'run')],
  ['stateDirectory', './x', dirWords.replace('%', './x')],
  ['segmentDirectory', '', dirWords.replace('%', '')],
  ['segmentDirectory', '/a\0b', 'path with a NUL byte ("/a\\u0000b"): remove it'],
  ['worker', [], 'expected an object, got a list ([]): give an object: { ... }'],
  ['core.netns', 'a/b', nameWords.replace('%', 'a/b')],
  ['core.tunnelAddresses', undefined, 'missing: give a list: [ ... ]'],
  [
    'interfaces',
    [],
    'expected an object of entries by name, got a list ([]): give an object of entries by name: { name: { ... } }',
  ],
  [
    'interfaces.core0.role',
    'cor',
    'no such choice ("cor"): did you mean "core"? known choices: ce, core',
  ],
  ['interfaces.core0.role', undefined, 'missing: give "ce" or "core"'],
  ['interfaces.ce-a.role', 7, 'expected a word, got a number (7): e.g. "ce"'],
  ['interfaces.core0.vlan', 0, 'less than 1 (0): a VLAN id, 1..4094'],
  ['interfaces.core0.vlan', 4095, 'more than 4094 (4095): a VLAN id, 1..4094'],
  ['interfaces.core0.vlan', 1.5, 'not a whole number (1.5): a VLAN id, 1..4094'],
  ['interfaces.core0.serviceVlan', 4095, 'more than 4094 (4095): a VLAN id, 1..4094'],
  ['interfaces.core0.vlan', '5', 'expected a number, got a string ("5"): e.g. 1'],
  ['interfaces.core0.mtu', 1279, 'less than 1280 (1279): largest IP packet in bytes, 1280..9216'],
  ['interfaces.core0.mtu', 9217, 'more than 9216 (9217): largest IP packet in bytes, 1280..9216'],
  ['interfaces.core0.mpls', 'on', 'no such choice ("on"): known choices: off, own-sp, other-sp'],
  [
    'interfaces.core0.acceptClear.0',
    'gpe',
    'no such choice ("gpe"): did you mean "gre"? known choices: gre, ip',
  ],
  ['interfaces.core0.addresses', undefined, 'missing: give a list: [ ... ]'],
  [
    'interfaces.core0.device',
    'eth0',
    'expected an object, got a string ("eth0"): give an object: { ... }',
  ],
  [
    'interfaces.core0.device',
    {},
    'says none of the ways ({}): give one of: kernel, pci, vdev, lag',
  ],
  [
    'interfaces.core0.device.driver',
    'xdp',
    'no such choice ("xdp"): known choices: af_packet, af_xdp',
  ],
  [
    'interfaces.core0.device.netns',
    'x'.repeat(65),
    `name of 65 characters ("${'x'.repeat(65)}"): at most 64`,
  ],
  ...['', 'sixteen-chars-00', 'a/b', 'a b', '..', 'a:0'].map(
    (bad) => ['interfaces.core0.device.kernel', bad, kernelWords.replace('%', bad)] as const,
  ),
  [
    'vrfs.a.ttl',
    'pip',
    'no such choice ("pip"): did you mean "pipe"? known choices: pipe, uniform',
  ],
  ['vrfs.a.trafficClass', null, 'expected a word, got null (null): e.g. "pipe"'],
  ['vrfs.a.dscp', 64, 'more than 63 (64): a DSCP, 0..63'],
  ['vrfs.a.netns', '.x', nameWords.replace('%', '.x')],
  ['vrfs.a.routes.0.label', 15, 'less than 16 (15): a label, 16..1048575'],
  ['vrfs.a.routes.0.label', 1_048_576, 'more than 1048575 (1048576): a label, 16..1048575'],
  [
    'vrfs.a.routes.0.prefix',
    '10.2.0.1/24',
    'prefix with host bits set ("10.2.0.1/24"): "10.2.0.0/24"',
  ],
  ['vrfs.a.routes.0.prefix', '10.2.0.0', 'prefix length missing ("10.2.0.0"): e.g. "10.2.0.0/32"'],
  [
    'vrfs.a.routes.0.prefix',
    '10.2.0.0/33',
    'not ADDRESS/LENGTH ("10.2.0.0/33"): e.g. "10.1.0.0/24" or "2001:db8:1::/64"',
  ],
  [
    'vrfs.a.routes.0.prefix',
    '2001:DB8::/32',
    'not in its usual form (RFC 5952) ("2001:DB8::/32"): "2001:db8::/32"',
  ],
  ['vrfs.a.routes.3.discard', true, 'expected a word, got a boolean (true): e.g. "silent"'],
  [
    'vrfs.a.routes.1.via',
    '10.1.0.2/24',
    'not an IP address ("10.1.0.2/24"): without prefix length here',
  ],
  ['vrfs.a.exports.0.protections', [], 'empty list ([]): name at least one'],
  [
    'vrfs.a.exports.0.protections.0',
    'encrypted',
    'no such choice ("encrypted"): did you mean "encrypt"? known choices: encrypt, authenticate, tunnel, mpls',
  ],
  ['vrfs.a.exports.0.label', 3, 'less than 16 (3): a label, 16..1048575'],
  ['vrfs.a.exports.0.labelFor', 'ce', 'no such choice ("ce"): "vrf" or { ce: ADDRESS }'],
  ['tunnels.pe3.ecn', 'copy', 'no such choice ("copy"): known choices: normal, compatibility'],
  ['tunnels.pe3.dscp', 64, 'no DSCP (64): "copy" or a whole number 0..63'],
  ['tunnels.pe3.dscp', 'inner', 'no DSCP ("inner"): "copy" or a whole number 0..63'],
  ['tunnels.pe3.ttl', 0, 'less than 1 (0): TTL or hop limit, 1..255'],
  ['tunnels.pe3.ttl', 256, 'more than 255 (256): TTL or hop limit, 1..255'],
  [
    'tunnels.pe3.protection',
    'ipsec',
    'no such choice ("ipsec"): known choices: encrypt, authenticate, tunnel, mpls',
  ],
  ['tunnels.pe3.remote', '224.0.0.1', 'multicast address ("224.0.0.1"): a unicast address'],
  [
    'tunnels.pe3.remote',
    'fe80::1',
    'link-local address ("fe80::1"): link-local addresses are made by themselves: give a routable one',
  ],
  [
    'tunnels.pe3.remote',
    '::ffff:1.2.3.4',
    'ipv4-mapped address ("::ffff:1.2.3.4"): write IPv4 addresses as IPv4',
  ],
  ['manualSas.pe2-in.spi', 255, 'less than 256 (255): an SPI, 256..4294967295'],
  [
    'manualSas.pe2-in.spi',
    4_294_967_296,
    'more than 4294967295 (4294967296): an SPI, 256..4294967295',
  ],
  [
    'manualSas.pe2-in.replayWindow',
    100,
    'no replay window (100): packets: a multiple of 64, 64..4096',
  ],
  ['manualSas.pe2-in.replayWindow', 0, 'no replay window (0): packets: a multiple of 64, 64..4096'],
  [
    'manualSas.pe2-in.replayWindow',
    4160,
    'no replay window (4160): packets: a multiple of 64, 64..4096',
  ],
  [
    'manualSas.pe2-in.direction',
    'inn',
    'no such choice ("inn"): did you mean "in"? known choices: in, out',
  ],
  [
    'manualSas.pe2-in.algorithm',
    'aes-cbc-128',
    'no such choice ("aes-cbc-128"): did you mean "aes-gcm-128"? known choices: aes-gcm-128, aes-gcm-256, aes-gmac-128, aes-gmac-256, chacha20-poly1305, aes-cbc-128-sha-256, aes-cbc-128-sha-384, aes-cbc-128-sha-512, ...',
  ],
];
const written = (path: string): string =>
  formatPath(path.split('.').map((step) => (/^\d+$/.test(step) ? Number(step) : step)));

describe('a wrong value', () => {
  // What refers to a part that is broken is not reported for that: one line each.
  it.each(cases)('%s = %j', (path, value, line) => {
    const draft = good();
    put(draft, path, value);
    expect(told(draft)).toEqual({ errors: [`${written(path)}: ${line}`], warnings: [] });
  });

  it.each([
    ['3:00.0', 'DOMAIN:BUS:DEVICE.FUNCTION, e.g. "0000:03:00.0"'],
    ['03:00.0', '"0000:03:00.0"'],
    ['0000:0A:1F.7', '"0000:0a:1f.7"'],
    ['0000:0a:2f.0', 'DOMAIN:BUS:DEVICE.FUNCTION, e.g. "0000:03:00.0"'],
    ['0000:0a:00.8', 'DOMAIN:BUS:DEVICE.FUNCTION, e.g. "0000:03:00.0"'],
  ])('PCI address %s', (pci, right) => {
    expectMistakes((draft) => {
      draft.interfaces['core0']!.device = { pci };
    }, `interfaces.core0.device.pci: not a full PCI address in lower case ("${pci}"): ${right}`);
  });

  it.each(['', 'net_memif0, role=client', 'NET_null0', ',x', 'net_null0\n'])('vdev %j', (vdev) => {
    expectMistakes(
      (draft) => {
        draft.interfaces['core0']!.device = { vdev };
      },
      `interfaces.core0.device.vdev: not a DPDK device argument (${JSON.stringify(vdev)}): ` +
        'DRIVER_N[,KEY=VALUE...], no white space',
    );
  });

  it.each(['net_null0', 'net_memif0,role=client,socket=/run/m.sock', 'net_tap_x'])(
    'vdev %s is right',
    (vdev) => {
      expectMistakes((draft) => {
        draft.interfaces['core0']!.device = { vdev };
      });
    },
  );

  it.each([
    ['2-1', false],
    ['', false],
    ['1,', false],
    ['0-', false],
    ['a', false],
    ['0', true],
    ['2-3,5', true],
  ])('cpus "%s" right: %s', (cpus, right) => {
    const line = `worker.cpus: not a list of CPUs ("${cpus}"): numbers and ranges, e.g. "2-3,5"`;
    expectMistakes(
      (draft) => {
        draft.worker = { cpus };
      },
      ...(right ? [] : [line]),
    );
  });

  it.each([
    [
      '10.1.0.0/24',
      'the address of the subnet itself',
      'the address of this PE in it, host bits included',
    ],
    ['10.1.0.255/24', 'the broadcast address of the subnet', 'an address of a host'],
    [
      '2001:db8:9::/64',
      'the address of the subnet itself',
      'the address of this PE in it, host bits included',
    ],
    ['10.7.0.1/0', 'prefix length 0', 'the length of the subnet'],
    ['127.0.0.1/8', 'loopback address', 'an address that others can reach'],
    ['0.1.2.3/8', 'unspecified address', 'an address that a host can have'],
    ['255.255.255.255/32', 'broadcast address', 'a unicast address'],
    ['2001:db8:9:0::1/64', 'not in its usual form (RFC 5952)', '"2001:db8:9::1/64"'],
  ])('own address %s', (own, reason, remedy) => {
    expectMistakes((draft) => {
      draft.interfaces['core0']!.addresses = [own];
    }, `interfaces.core0.addresses[0]: ${reason} ("${own}"): ${remedy}`);
  });

  it.each(['10.7.0.0/31', '10.7.0.1/31', '10.7.0.1/32', '2001:db8:9::/127', '2001:db8:9::1/128'])(
    'own address %s is right (RFC 3021, RFC 6164)',
    (own) => {
      expectMistakes((draft) => {
        draft.interfaces['core0']!.addresses = [own];
      });
    },
  );
});

describe('keys', () => {
  it('are known, or the nearest is named', () => {
    const draft = { ...good(), interface: {}, vfrs: {}, zzz: 'secret' };
    put(draft, 'interfaces.core0.adresses', ['10.0.0.1/24']);
    put(draft, 'tunnels.pe3.TTL', 5);
    const known =
      'instance, lab, runtimeDirectory, stateDirectory, segmentDirectory, worker, ownSp, otherSps, ...';
    expect(told(draft).errors).toEqual([
      'interfaces.core0.adresses: unknown key: did you mean "addresses"? known keys: ' +
        'device, vlan, serviceVlan, serviceTag, addresses, mtu, role, mpls, ...',
      'tunnels.pe3.TTL: unknown key: did you mean "ttl"? known keys: ' +
        'local, remote, protection, encapsulation, dscp, ecn, ttl, sa',
      `interface: unknown key: did you mean "interfaces"? known keys: ${known}`,
      `vfrs: unknown key: did you mean "vrfs"? known keys: ${known}`,
      `zzz: unknown key: known keys: ${known}`,
    ]);
  });

  it('of another way are reported as such', () => {
    expectMistakes(
      (draft) => {
        put(draft, 'interfaces.core0.device.pci', '0000:03:00.0');
        put(draft, 'interfaces.core0.device.vdev', 'net_null0');
        put(draft, 'vrfs.a.routes.0.via', '10.1.0.2');
      },
      'interfaces.core0.device.pci: does not go with "kernel" ("0000:03:00.0"): give one of: kernel, pci, vdev, lag',
      'interfaces.core0.device.vdev: does not go with "kernel" ("net_null0"): give one of: kernel, pci, vdev, lag',
      'vrfs.a.routes[0].tunnel: does not go with "via" ("pe2"): give one of: via, tunnel, discard',
      'vrfs.a.routes[0].label: unknown key: known keys: prefix, via, interface',
    );
  });

  it('named __proto__ are refused', () => {
    const draft: unknown = JSON.parse('{"interfaces": {"__proto__": {"role": "ce"}}}');
    expect(told(draft).errors).toEqual([
      'interfaces.__proto__: not plain data: the key "__proto__": use another name',
    ]);
  });
});

describe('every mistake at once', () => {
  it('in all parts, those of lists at the place where the user wrote them', () => {
    expectMistakes(
      (draft) => {
        put(draft, 'vrfs.a.routes.0.label', 'x');
        put(draft, 'vrfs.a.routes.2.via', 5);
        draft.vrfs['a']!.routes!.push(
          { prefix: '10.3.0.0/24', discard: 'silent' },
          { prefix: '10.4.0.0/24', tunnel: 'pe9', label: 17 },
        );
        put(draft, 'vrfs.a.exports.0.label', 1);
        draft.vrfs['a']!.exports!.push({ name: 'x', protections: ['encrypt'], label: 1002 });
        draft.tunnels['pe3']!.local = '192.0.2.9';
        put(draft, 'tunnels.pe2.sa', 'pe2-in');
        put(draft, 'manualSas.pe2-out.remote', '192.0.2.0/24');
      },
      'vrfs.a.routes[0].label: expected a number, got a string ("x"): e.g. 16',
      'vrfs.a.routes[2].via: expected an IP address, got a number (5): e.g. "192.0.2.1"',
      'vrfs.a.exports[0].label: less than 16 (1): a label, 16..1048575',
      'manualSas["pe2-out"].remote: not an IP address ("192.0.2.0/24"): without prefix length here',
      'vrfs.a.routes[5].tunnel: no such tunnel ("pe9"): did you mean "pe2"? known tunnels: pe2, pe3',
      'vrfs.a.routes[4].prefix: a second route for this prefix, beside vrfs.a.routes[1] ("10.3.0.0/24"): one route per prefix',
      'vrfs.a.exports[2].label: vrfs.a.exports[1] uses the label for something else: VRF "a" CE 10.1.0.2 authenticate,encrypt to south by gre clear inside the own SP (1002): a label of its own: only equal VRF, class and target share one',
      'tunnels.pe2.sa: an inbound SA ("pe2-in"): an SA with direction: "out"',
      'tunnels.pe3.local: not one of core.tunnelAddresses ("192.0.2.9"): did you mean "192.0.2.1"? known tunnel addresses: 192.0.2.1, 2001:db8::1',
      'tunnels.pe3.remote: not of the family of "local" ("2001:db8::3"): an IPv4 address',
    );
  });

  it('in one entry: its own values and what it refers to', () => {
    expectMistakes(
      (draft) => {
        put(draft, 'interfaces.ce-a.mtu', 1);
        put(draft, 'interfaces.ce-a.vrf', 'aa');
        put(draft, 'interfaces.ce-a.device', { kernel: 'a/b', driver: 'x' });
      },
      'interfaces["ce-a"].device.kernel: not the name of a kernel interface ("a/b"): 1..15 characters, no "/", ":" or white space',
      'interfaces["ce-a"].device.driver: no such choice ("x"): known choices: af_packet, af_xdp',
      'interfaces["ce-a"].mtu: less than 1280 (1): largest IP packet in bytes, 1280..9216',
      'interfaces["ce-a"].vrf: no such VRF ("aa"): did you mean "a"? known VRFs: a, b',
    );
  });
});

describe('secrets', () => {
  const key = '00112233445566778899aabbccddeeff';
  it.each([
    ['manualSas.pe2-in.key', key],
    ['manualSas.pe2-in.keyFile', key],
    ['manualSas.pe2-in.keyFile', { hex: key }],
    ['manualSas.pe2-in.salt', [key]],
    ['manualSas.pe2-in', key],
    ['manualSas', key],
    ['psk', key],
  ])('in the wrong place are not shown: %s', (path, value) => {
    const draft = good();
    put(draft, path, value);
    const { errors } = told(draft);
    expect(errors).not.toEqual([]);
    expect(errors.join()).not.toContain(key);
  });
});
