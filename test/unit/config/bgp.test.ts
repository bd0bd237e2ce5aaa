// SPDX-License-Identifier: Apache-2.0
/** The bgp sections: what is accepted, what is refused in which words. */
import { describe, expect, it } from 'vitest';
import { PolicyCompiler } from '../../../src/bgp/policy/compile.js';
import { validateConfig } from '../../../src/config/validate.js';
import { format } from '../bgp/policy/fixture.js';
import { goodBgp, putBgp } from './bgp-good.js';
import { put, told } from './good.js';

describe('a correct configuration', () => {
  it('is accepted as it is, also from JSON', () => {
    expect(told(goodBgp())).toEqual({ errors: [], warnings: [] });
    const result = validateConfig(JSON.parse(JSON.stringify(goodBgp())));
    expect(result).toMatchObject({ ok: true, config: goodBgp() });
  });

  it('compiles: what validation lets through, the compiler takes', () => {
    const { bgp } = goodBgp();
    const compiler = new PolicyCompiler(bgp, format);
    for (const name of Object.keys(bgp.policies!)) {
      expect(compiler.compile(name, 65001).usesPrefix).toBe(true);
    }
    expect(compiler.weakenings).toEqual([]);
  });

  it('needs little', () => {
    const draft = goodBgp();
    draft.bgp = { asn: 1, routerId: '0.0.0.1' };
    draft.vrfs['a']!.bgp = { rd: '1:1' };
    expect(told(draft)).toEqual({ errors: [], warnings: [] });
  });
});

/** Path, value put there, and the one line it gives after the path. */
const cases: readonly (readonly [path: string, value: unknown, line: string])[] = [
  [
    'bgp.asn',
    0,
    'not an AS number that a router can have (0): an AS number, 1..4294967294, but not 23456 or 65535',
  ],
  [
    'bgp.asn',
    23456,
    'not an AS number that a router can have (23456): an AS number, 1..4294967294, but not 23456 or 65535',
  ],
  [
    'bgp.asn',
    '65001',
    'expected a number, got a string ("65001"): an AS number, 1..4294967294, but not 23456 or 65535',
  ],
  ['bgp.routerId', '0.0.0.0', 'not a router id ("0.0.0.0"): e.g. "192.0.2.1"'],
  ['bgp.routerId', undefined, 'missing: give a router id'],
  ['bgp.clusterId', '2001:db8::1', 'not a router id ("2001:db8::1"): e.g. "192.0.2.1"'],
  [
    'bgp.routeTargetConstrain',
    true,
    'unknown key: did you mean "routeTargetConstraint"? known keys: asn, routerId, clusterId, port, ebgpRequiresPolicy, alwaysCompareMed, routeTargetConstraint, keepAllVpnRoutes, ...',
  ],
  ['bgp.maximumPaths.ibgp', 0, 'less than 1 (0): paths, 1..16'],
  ['bgp.prefixLists.private.0.ge', 5, 'not a length inside 10.0.0.0/8 (5): 8 <= ge <= le <= 32'],
  ['bgp.prefixLists.private.1.le', 15, 'no prefix is of 16..15 bits (15): 12 <= ge <= le <= 32'],
  [
    'bgp.prefixLists.private.0.prefix',
    '10.0.0.1/8',
    'prefix with host bits set ("10.0.0.1/8"): "10.0.0.0/8"',
  ],
  [
    'bgp.policies.own.rules.0.then',
    'allow',
    'no such choice ("allow"): known choices: accept, reject, next',
  ],
  [
    'bgp.policies.own.rules.0.when',
    { comunity: ['1:1'] },
    'says none of the ways ({"comunity":["1:1"]}): give one of: all, any, not, prefix, family, rd, nextHop, community, largeCommunity, extendedCommunity, asPathContains, asPathOrigin, asPathNeighbour, asPathLength, asPath, origin, med, localPref, fromAsn, fromAddress, local, ipsec',
  ],
  [
    'bgp.policies.from-south.rules.0.when.prefix',
    'privat',
    'no such prefix list ("privat"): did you mean "private"? known prefix lists: private',
  ],
  [
    'bgp.policies.from-south.rules.0.when.prefix',
    7,
    'a number means nothing here (7): give the name of a prefix list, or a list of { prefix, ge?, le? }',
  ],
  [
    'bgp.policies.from-south.rules.1.when.all.0.asPath.0',
    '(1|2)*',
    'not a pattern of an AS path ("(1|2)*"): e.g. "65001 .*", "[65001 65002]+" or "" for the empty path',
  ],
  [
    'bgp.policies.from-south.rules.1.when.all.1.not.med.atLeast',
    -1,
    'less than 0 (-1): a number, 0..4294967295',
  ],
  ['bgp.policies.from-south.rules.1.when.all.1.not.med.atMost', 4, undefined as never],
  [
    'bgp.policies.from-south.rules.1.do.1.prepend.times',
    26,
    'more than 25 (26): how often it is prepended, 1..25',
  ],
  [
    'bgp.policies.from-south.rules.2.when.any.0.extendedCommunity.0',
    '65001:7',
    'not an extended community or pattern ("65001:7"): e.g. "target:65001:100", "target:65001:*" or "origin:*"',
  ],
  [
    'bgp.policies.from-south.rules.1.do.4.setExtendedCommunities.0',
    '0x8307000000000001',
    'an IPsec community by its octets (policy-model 13) ("0x8307000000000001"): set.ipsec({ protections: [...] })',
  ],
  [
    'bgp.policies.from-south.rules.1.do.4.setExtendedCommunities.0',
    '0x0002fde900000007',
    'not in its usual form ("0x0002fde900000007"): "target:65001:7"',
  ],
  [
    'bgp.policies.from-south.rules.2.do.0.ipsec.protections',
    [],
    'empty list ([]): name at least one',
  ],
  [
    'bgp.policies.from-south.rules.2.do.0.ipsec.protections.0',
    'mpls',
    'no such choice ("mpls"): known choices: encrypt, authenticate, tunnel',
  ],
  [
    'bgp.policies.from-south.rules.2.do.0.weaken',
    false,
    'only true means something here (false): true, or remove it',
  ],
  ['bgp.policies.from-south.rules.2.do.0', { removeIpsec: true }, undefined as never],
  [
    'bgp.policies.from-south.rules.2.do.1.nextHop',
    'self',
    'not an address as next hop ("self"): e.g. "192.0.2.1", or "peer"',
  ],
  ['bgp.neighbours.192.0.2.13.policyIn', 'from-sout', undefined as never],
  [
    'vrfs.a.bgp.rd',
    '65001',
    'not a route distinguisher ("65001"): e.g. "65001:1", "192.0.2.1:1" or "4200000000:1"',
  ],
  [
    'vrfs.b.bgp.rd',
    '65001:11',
    'vrfs.a.bgp.exports[1].rd has this route distinguisher ("65001:11"): one of its own for each VRF',
  ],
  [
    'vrfs.b.bgp.importTargets.0',
    'target:65001:2',
    'a route target with its word ("target:65001:2"): "65001:2"',
  ],
  [
    'vrfs.a.bgp.imports.1.fromSps.0',
    'sout',
    'no such SP ("sout"): did you mean "south"? known SPs: north, south',
  ],
  [
    'vrfs.a.bgp.imports.1.unsignalled',
    'tunnel',
    'below the floor, "encrypt" ("tunnel"): "encrypt", or leave it out',
  ],
  ['vrfs.a.bgp.imports.1.name', 'own', 'another rule has this name ("own"): a name of its own'],
  ['vrfs.a.bgp.exports.1.toSps', undefined, undefined as never],
  ['vrfs.a.bgp.networks.1.prefix', '10.1.0.0/16', 'named twice ("10.1.0.0/16"): remove one'],
  [
    'vrfs.a.bgp.networks.0.policy',
    'owm',
    'no such policy ("owm"): did you mean "own"? known policies: own, from-south',
  ],
  [
    'vrfs.a.bgp.redistribute.static',
    'yes',
    'a string means nothing here ("yes"): give true, false or { policy: NAME }',
  ],
  [
    'bgp.bmp.station.address',
    '0.0.0.0',
    'unspecified address ("0.0.0.0"): an address that a host can have',
  ],
  [
    'bgp.mrt.one.file',
    '/var/log/bgp.%Y%m%d.%H%M%S',
    'bgp.mrt.all.file is written there ("/var/log/bgp.%Y%m%d.%H%M%S"): a file of its own',
  ],
  [
    'bgp.mrt.one.neighbours.0',
    '192.0.2.99',
    'no such neighbour ("192.0.2.99"): the address of a neighbour, or leave it out for all',
  ],
];

const mistakes = (path: string, value: unknown): readonly string[] => {
  const draft = goodBgp();
  putBgp(draft, path, value);
  return told(draft).errors;
};

describe('one wrong value gives one line', () => {
  it.each(cases.filter(([, , line]) => typeof line === 'string'))(
    '%s = %j',
    (path, value, line) => {
      const errors = mistakes(path, value);
      expect(errors).toHaveLength(1);
      expect(errors[0]?.replace(/^\S+: /, '')).toBe(line);
    },
  );

  it.each<[string, unknown, RegExp]>([
    [
      'bgp.policies.from-south.rules.1.when.all.1.not.med.atMost',
      4,
      /\.not\.med\.atLeast: more than atMost, 4: no number is both \(5\): at most 4$/,
    ],
    [
      'bgp.policies.from-south.rules.2.do.0',
      { removeIpsec: true },
      /\.do\[0\]\.weaken: missing: give true$/,
    ],
    [
      'bgp.neighbours.192.0.2.13.policyIn',
      'from-sout',
      /^bgp\.neighbours\["192\.0\.2\.13"\]\.policyIn: no such policy \("from-sout"\): did you mean/,
    ],
    [
      'vrfs.a.bgp.exports.1.toSps',
      undefined,
      /^vrfs\.a\.bgp\.exports\[1\]\.clearInsideOwnSp: no other SP is named/,
    ],
    ['bgp.neighbours.192.0.2.13.asn', undefined, /\.asn: no AS number: here or in its template$/],
    ['bgp.neighbours.192.0.2.13.asn', 'external', /\.asn: several AS numbers go with a range/],
    ['bgp.neighbours.192.0.2.13.ttlSecurity', 1, /\.multihop: not with ttlSecurity: /],
    [
      'bgp.neighbours.192.0.2.13.routeReflectorClient',
      true,
      /external \(AS 65200\), and this is for internal/,
    ],
    [
      'bgp.neighbours.192.0.2.11.asOverride',
      true,
      /internal \(AS 65001\), and this is for external/,
    ],
    [
      'bgp.neighbours.2001:db8::12.md5KeyFile',
      '/keys/x',
      /\.md5KeyFile: not with tcpAo.* \(not shown\)/,
    ],
    ['bgp.neighbours.192.0.2.13.sp', 'nix', /\.sp: no such SP/],
    ['bgp.neighbours.192.0.2.13.sp', undefined, /not said which SP .*"\w+" or "south"/],
    ['bgp.neighbours.192.0.2.11.sp', 'south', /internal, of the own SP/],
    ['vrfs.a.bgp.neighbours.10.1.0.2.sp', 'south', /a CE, of no SP/],
    ['bgp.neighbours.192.0.2.13.template', 'nix', /\.template: no such template/],
    ['bgp.neighbours.192.0.2.13.interface', 'core0', /an interface says nothing more/],
    ['bgp.neighbours.192.0.2.13.localAddress', '2001:db8::1', /the neighbour's is an IPv4 address/],
    ['bgp.neighbours.192.0.2.13.families', {}, /\.families: no address family/],
    [
      'bgp.neighbours.192.0.2.13.families',
      { 'ipv4-unicast': { addPathLimit: 2 } },
      /limits paths sent/,
    ],
    [
      'bgp.neighbours.192.0.2.13.families',
      { 'vpnv6-unicast': { extendedNextHop: true } },
      /usual ones/,
    ],
    ['bgp.neighbours.192.0.2.13.timers', { hold: 2 }, /RFC 4271 §4\.2.*: 0, or 3\.\.65535/],
    ['bgp.neighbours.192.0.2.13.timers', { keepalive: 90 }, /not less than the hold time, 90/],
    ['bgp.neighbours.192.0.2.13.timers', { connectRetry: 500 }, /more than connectRetryMax/],
    [
      'bgp.neighbours.192.0.2.13.gracefulRestart',
      true,
      /true says nothing more than leaving it out/,
    ],
    ['bgp.neighbours.192.0.2.13.shutdown', 'ä'.repeat(128), /text of 256 octets .*RFC 9003/],
    ['bgp.neighbours.192.0.2.13.siteOfOrigin', '65001', /not a site of origin/],
    [
      'vrfs.a.bgp.neighbours.fe80::2.interface',
      undefined,
      /a link-local neighbour without interface/,
    ],
    ['vrfs.a.bgp.neighbours.fe80::2.interface', 'ce-b', /an interface of VRF "b"/],
    ['vrfs.a.bgp.neighbours.fe80::2.interface', 'ce-c', /no such interface .*did you mean "ce-a"/],
    ['vrfs.a.bgp.neighbours.10.1.0.2.families', { 'vpnv4-unicast': {} }, /exchanged in the core/],
    ['vrfs.a.bgp.neighbours.10.1.0.2.families', { 'ipv4-labelled': {} }, /neither RD nor label/],
    ['vrfs.a.bgp.dynamicNeighbours.10.1.0.0/24.asn', [65110, 0], /\.asn\[1\]: not an AS number/],
  ])('%s = %j', (path, value, line) => {
    const errors = mistakes(path, value);
    expect(errors).toHaveLength(1);
    expect(errors[0]).toMatch(line);
  });

  it.each<[string, string, RegExp]>([
    ['neighbours', '192.0.2.1', /our own address \(core\.tunnelAddresses\)/],
    ['neighbours', '198.51.100.1', /our own address \(interfaces\.core0\.addresses\[0\]\)/],
    ['neighbours', '2001:DB8::5', /not in its usual form/],
    ['neighbours', 'reflector', /not an IP address/],
    ['dynamicNeighbours', '10.0.0.1/8', /prefix with host bits set/],
    ['templates', 'a b', /name with characters/],
  ])('%s["%s"]', (table, key, line) => {
    const draft = goodBgp();
    Reflect.set(Reflect.get(draft.bgp, table) as object, key, { asn: 65001 });
    const { errors } = told(draft);
    expect(errors).toHaveLength(1);
    expect(errors[0]).toMatch(line);
  });

  it('a dump of tables is written into files for each VRF too', () => {
    const draft = goodBgp();
    draft.bgp.mrt = {
      one: { file: '/var/log/one.b', what: 'messages' },
      tables: { file: '/var/log/one', what: 'tables' },
    };
    expect(told(draft).errors).toEqual([
      expect.stringMatching(/^bgp\.mrt\.tables\.file: bgp\.mrt\.one\.file is written there/),
    ]);
    draft.bgp.mrt = { tables: { file: '/var/log/one', what: 'tables' } };
    expect(told(draft).errors).toEqual([]);
  });

  it('a VRF that speaks BGP needs the section of the whole', () => {
    const draft = goodBgp();
    Reflect.deleteProperty(draft, 'bgp');
    draft.vrfs['a']!.bgp = { rd: '1:1' };
    expect(told(draft).errors).toEqual(
      ['a', 'b'].map(
        (vrf) =>
          `vrfs.${vrf}.bgp: no \`bgp\` of the whole says AS number and router id: bgp: { asn, routerId }`,
      ),
    );
  });

  it('the short form has the name "default"', () => {
    const draft = goodBgp();
    draft.vrfs['b']!.bgp!.imports = [{ name: 'default', targets: ['1:1'] }];
    expect(told(draft).errors).toEqual([
      'vrfs.b.bgp.imports[0].name: the name of the short form ("default"): a name of its own',
    ]);
  });

  it('says everything at once, and one mistake does not hide another', () => {
    const draft = goodBgp();
    put(draft, 'bgp.asn', 0);
    put(draft, 'bgp.policies.from-south.rules.1.when.all.0.asPath.0', '(');
    putBgp(draft, 'bgp.neighbours.192.0.2.13.policyOut', 'nix');
    put(draft, 'vrfs.b.bgp.rd', 'x');
    expect(told(draft).errors.map((line) => line.split(': ')[0])).toEqual([
      'vrfs.b.bgp.rd',
      'bgp.asn',
      'bgp.policies["from-south"].rules[1].when.all[0].asPath[0]',
      'bgp.neighbours["192.0.2.13"].policyOut',
    ]);
  });
});

describe('keys', () => {
  const SECRET = 'correct horse battery staple';
  it.each([
    ['bgp.neighbours.192.0.2.13.md5KeyFile', SECRET],
    ['bgp.neighbours.192.0.2.13.md5Key', SECRET],
    ['bgp.neighbours.192.0.2.13.tcpAo', SECRET],
    ['bgp.neighbours.2001:db8::12.tcpAo.keyFile', SECRET],
    ['bgp.neighbours.2001:db8::12.tcpAo.key', SECRET],
    ['vrfs.a.bgp.neighbours.10.1.0.2.md5KeyFile', SECRET],
    ['bgp.templates.ce.md5KeyFile', [SECRET]],
    ['bgp.neighbours', [{ md5KeyFile: SECRET }]],
  ])('in the wrong place are not shown: %s', (path, value) => {
    const draft = goodBgp();
    putBgp(draft, path, value);
    const { errors, warnings } = told(draft);
    expect(errors.length).toBeGreaterThan(0);
    expect([...errors, ...warnings].join('\n')).not.toContain('horse');
  });
});

describe('warnings', () => {
  it('RFC 8212: an external neighbour without policies', () => {
    const draft = goodBgp();
    Reflect.deleteProperty(draft.bgp.neighbours!['192.0.2.13']!, 'policyIn');
    Reflect.deleteProperty(draft.bgp.neighbours!['192.0.2.13']!, 'policyOut');
    const at = 'bgp.neighbours["192.0.2.13"].policy';
    expect(told(draft)).toEqual({
      errors: [],
      warnings: [
        `${at}In: takes nothing from this external neighbour without a policy (RFC 8212): a policy, or ebgpRequiresPolicy: false`,
        `${at}Out: gives nothing to this external neighbour without a policy (RFC 8212): a policy, or ebgpRequiresPolicy: false`,
      ],
    });
    draft.bgp.ebgpRequiresPolicy = false;
    expect(told(draft).warnings).toEqual([]);
  });

  it('rules that mean nothing', () => {
    const draft = goodBgp();
    draft.bgp.policies!['own'] = {
      rules: [{ do: [{ med: 1 }], then: 'reject' }, { then: 'reject' }],
    };
    expect(told(draft).warnings).toEqual([
      'bgp.policies.own.rules[0].do: changes to a route that is then rejected ([{"med":1}]): remove them, or "accept" or "next"',
      'bgp.policies.own.rules[0].then: decides every route: the 1 rules after it are never reached ("reject"): a condition, or this rule last',
      'bgp.policies.own: no rule accepts, and what none decides is rejected: rejects everything: a rule that accepts, or otherwise: "accept"',
    ]);
  });
});
