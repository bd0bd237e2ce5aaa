// SPDX-License-Identifier: Apache-2.0
/** The `ike` section: values, references, and who may be authenticated how (policy-model 14, 16). */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { readConfig } from '../../../src/config/check.js';
import { diffConfigs, formatChange } from '../../../src/config/diff.js';
import {
  DEFAULT_ESP,
  DEFAULT_IKE,
  DEFAULT_IKE_PROPOSALS,
  ikeMethodsOf,
} from '../../../src/config/ike/defaults.js';
import { ikeSchema } from '../../../src/config/ike/schema.js';
import { formatIssue } from '../../../src/config/issues.js';
import { good, put, told } from './good.js';
import { expectIkeMistakes, ike, toldOfIke } from './ike-good.js';

it('takes something of everything, and next to nothing', () => {
  expectIkeMistakes(() => undefined);
  expect(told({ ...good(), ike: { providers: {} } })).toEqual({ errors: [], warnings: [] });
});

it('has the defaults that docs/configuration.md says', async () => {
  const text = await readFile(new URL('../../../docs/configuration.md', import.meta.url), 'utf8');
  const [hybrid = '', classical = ''] = DEFAULT_IKE_PROPOSALS;
  expect(text).toContain(`proposals         ${hybrid}\n`);
  expect(hybrid).toBe(`${classical}-ke1_mlkem768`);
  expect(text).toContain(`esp.encrypt       ${DEFAULT_ESP.encrypt.join()}\n`);
  expect(text).toContain(`esp.authenticate  ${DEFAULT_ESP.authenticate.join()}\n`);
  const { limits, retransmission, ...single } = DEFAULT_IKE;
  for (const [key, value] of [
    ...(['reauthentication', 'dpd', 'fragmentBytes', 'window', 'ocspMaxAge'] as const).map(
      (name) => [name, single[name]] as const,
    ),
    ['ike.seconds', single.ikeSeconds] as const,
    ['child.seconds', single.childSeconds] as const,
    ['child.bytes', single.childBytes] as const,
    ['child.packets', single.childPackets] as const,
  ]) {
    expect(text).toContain(`| \`${key}\` | ${value} |`);
  }
  for (const [key, value] of [...Object.entries(limits), ...Object.entries(retransmission)]) {
    expect(text).toContain(`\`${key}\` (${value})`);
  }
});

it('has defaults that it would take itself', () => {
  const ike_ = { proposals: DEFAULT_IKE_PROPOSALS, esp: DEFAULT_ESP, providers: {} };
  expect(ikeSchema.safeParse(ike_)).toMatchObject({ success: true });
  const some = { file: '/x' };
  expect(ikeMethodsOf({ ranges: [], anchors: { some } })).toEqual(['ed25519', 'ecdsa', 'rsa']);
  expect(ikeMethodsOf({ ranges: [], psks: { some: { ...some, remote: 'x' } } })).toEqual(['psk']);
});

describe('proposals', () => {
  it.each([
    ['proposals', '3des-sha256-modp2048', '"3des" is too weak (RFC 8247)', 'remove it'],
    ['proposals', 'aes256gcm16-x25519', 'no PRF', 'e.g. "prfsha384"'],
    [
      'esp.encrypt',
      'aes128gmac',
      'does not encrypt (policy-model 16)',
      'e.g. "aes128gcm16-x25519"',
    ],
    [
      'esp.authenticate',
      'aes128gcm16',
      'encrypts, which "authenticate" must not (policy-model 16)',
      'e.g. "aes128gmac"',
    ],
    [
      'esp.encrypt',
      'aes128gcm16-aes128gmac',
      'ciphers that encrypt beside ciphers that do not (policy-model 16)',
      'one or the other',
    ],
    [
      'esp.encrypt',
      'null-sha256',
      'does not encrypt (policy-model 16)',
      'e.g. "aes128gcm16-x25519"',
    ],
    [
      'esp.authenticate',
      'aes128-sha256',
      'encrypts, which "authenticate" must not (policy-model 16)',
      'e.g. "aes128gmac"',
    ],
  ])('%s: %s', (path, text, reason, remedy) => {
    for (const under of ['', 'providers.north.']) {
      const steps = `${under}${path}`;
      expectIkeMistakes(
        (draft) => {
          if (under !== '') draft.providers['north']!.esp = {};
          put(draft, steps, [text]);
        },
        `ike.${steps}[0]: ${reason} (${JSON.stringify(text)}): ${remedy}`,
      );
    }
  });

  it('are each named once, and IKE has some', () => {
    expectIkeMistakes(
      (draft) => {
        draft.proposals = ['aes128-sha256-x25519', 'aes128-sha256-x25519'];
        draft.providers['south']!.proposals = [];
      },
      'ike.proposals[1]: named twice ("aes128-sha256-x25519"): remove one',
      'ike.providers.south.proposals: empty list ([]): name at least one',
    );
  });
});

describe('values', () => {
  it.each([
    ['fragmentBytes', 575, 'less than 576', '0, or octets of an IP packet, 576..65535'],
    ['dpd', 0, 'less than 1', 'silence in seconds, 1..86400'],
    ['window', 65, 'more than 64', 'requests, 1..64'],
    ['retransmission.factor', 0.9, 'less than 1', 'a factor, 1..4'],
    ['retransmission.tries', 0, 'less than 1', 'transmissions, 1..20'],
    ['lifetimes.jitter', 0.6, 'more than 0.5', 'a share, 0..0.5'],
    ['lifetimes.ike.seconds', 9, 'less than 10', '0, or a lifetime, 10..2592000 seconds'],
    ['lifetimes.child.packets', 0, 'less than 1000', 'packets, 1000..4000000000'],
    ['lifetimes.child.bytes', 5, 'less than 1000000', '0, or bytes, 1000000 or more'],
    ['limits.halfOpen', 0, 'less than 1', 'half-open IKE SAs, 1..1000000'],
    ['reauthentication', 5, 'less than 60', '0, or a time, 60..31536000 seconds'],
    ['providers.north.ranges', [], 'empty list', 'name at least one'],
    ['providers.south.nat', 'on', 'no such choice', 'known choices: refuse, allow'],
  ])('%s: %j', (path, value, reason, remedy) => {
    expectIkeMistakes(
      (draft) => {
        put(draft, path, value);
      },
      `ike.${path}: ${reason} (${JSON.stringify(value)}): ${remedy}`,
    );
  });

  it('cookies come before dropping', () => {
    expectIkeMistakes((draft) => {
      draft.limits = { cookieAbove: 10, halfOpen: 10 };
    }, 'ike.limits.cookieAbove: no cookie is ever asked for before IKE SAs are dropped (10): less than 10');
  });

  it('never shows what may be a key in the wrong place', () => {
    const { errors } = toldOfIke((draft) => {
      put(draft, 'providers.south.psks.pe9', 'correct horse');
      put(draft, 'providers.north.psks.lab.file', 'battery staple');
      put(draft, 'providers.north.ppk.file', 'xkcd');
      put(draft, 'providers.north.ppk.id', '');
      put(draft, 'credentials.pe1.key', '-----BEGIN PRIVATE KEY-----');
      put(draft, 'credentials.pe1.certificate', { key: 'tr0ub4dor' });
      put(draft, 'esp', [{ psks: 'in a list' }]);
    });
    expect(errors.join('\n')).not.toMatch(/horse|staple|xkcd|PRIVATE|tr0ub4dor|in a list/);
    expect(errors.filter((line) => line.includes('(not shown)'))).toHaveLength(7);
  });
});

describe('service providers', () => {
  it('are SPs, and so are those of credentials', () => {
    expectIkeMistakes(
      (draft) => {
        draft.providers['souht'] = draft.providers['south']!;
        Reflect.deleteProperty(draft.providers, 'south');
        draft.credentials!['pe1']!.sps = ['north', 'noth'];
      },
      'ike.credentials.pe1.sps[1]: no such SP ("noth"): did you mean "north"? known SPs: north, south',
      'ike.providers.souht: no such SP ("souht"): did you mean "south"? known SPs: north, south',
    );
  });

  it('do not overlap: an address belongs to one (policy-model 14)', () => {
    expectIkeMistakes(
      (draft) => {
        draft.providers['south']!.ranges = ['198.18.0.0/15', '192.0.2.192/26', '2001:db8::/32'];
      },
      'ike.providers.south.ranges[2]: holds 2001:db8::1, one of our own tunnel addresses ("2001:db8::/32"): narrower ranges',
      'ike.providers.south.ranges[1]: overlaps 192.0.2.0/24 of SP "north" (policy-model 14) ("192.0.2.192/26"): each address in the ranges of one SP',
      'ike.providers.north.ranges[1]: overlaps 2001:db8::/32 of SP "south" (policy-model 14) ("2001:db8::/64"): each address in the ranges of one SP',
    );
  });

  it('may say a range twice, which means nothing', () => {
    expect(
      toldOfIke((draft) => {
        draft.providers['south']!.ranges = ['198.18.0.0/15', '198.18.5.0/24'];
      }),
    ).toEqual({
      errors: [],
      warnings: [
        'ike.providers.south.ranges[1]: 198.18.0.0/15 holds it already ("198.18.5.0/24"): remove one',
      ],
    });
  });

  it('have preshared keys for their own addresses, one per peer', () => {
    expectIkeMistakes(
      (draft) => {
        const { south, north } = draft.providers;
        south!.psks!['stray'] = { remote: '192.0.2.5', file: '/etc/sealane/stray.psk' };
        south!.psks!['twice'] = { remote: '198.18.0.9/32', file: '/etc/sealane/twice.psk' };
        south!.psks!['nested'] = { remote: '198.18.0.0/24', file: '/etc/sealane/nested.psk' };
        north!.psks!['bits'] = { remote: '192.0.2.5/24', file: '/etc/sealane/bits.psk' };
      },
      'ike.providers.north.psks.bits.remote: prefix with host bits set (not shown): "192.0.2.0/24"',
      'ike.providers.south.psks.stray.remote: 192.0.2.5 is not in the ranges of SP "south" (policy-model 14) (not shown): within 198.18.0.0/15',
      'ike.providers.south.psks.twice.remote: ike.providers.south.psks.pe9.remote is the same (not shown): one key per peer',
    );
  });

  it('do not share anchors, nor keys', () => {
    expectIkeMistakes(
      (draft) => {
        const { south } = draft.providers;
        south!.anchors = { root: { file: '/etc/sealane/../sealane/north.pem' } };
        south!.psks!['pe9']!.file = '/etc/sealane/lab.psk';
        south!.psks!['pe8'] = { remote: '198.18.0.8', file: '/etc/sealane/pe1.key' };
        south!.ppk = { id: 'south', file: '/etc/sealane/north.ppk' };
      },
      'ike.providers.south.anchors.root.file: ike.providers.north.anchors.root.file names the same file ("/etc/sealane/../sealane/north.pem"): a file of its own',
      'ike.providers.south.psks.pe9.file: ike.providers.north.psks.lab.file names the same file (not shown): a file of its own',
      'ike.providers.south.psks.pe8.file: ike.credentials.pe1.key names the same file (not shown): a file of its own',
      'ike.providers.south.ppk.file: ike.providers.north.ppk.file names the same file (not shown): a file of its own',
    );
  });

  it('may give several peers the same key', () => {
    expectIkeMistakes((draft) => {
      draft.providers['south']!.psks!['pe8'] = {
        ...{ remote: '198.18.0.8', file: '/etc/sealane/pe9.psk' },
      };
    });
  });

  it('can be authenticated in all the ways that are asked for', () => {
    expectIkeMistakes(
      (draft) => {
        draft.providers['south']!.methods = ['rsa'];
        draft.providers['north']!.methods = ['psk'];
        draft.providers['north']!.anchors = {};
        draft.providers['north']!.psks = {};
      },
      'ike.providers.north.methods: "psk" without a preshared key (["psk"]): psks: { NAME: { remote, file } }',
      'ike.providers.south.methods: "rsa" without a trust anchor (["rsa"]): anchors: { NAME: { file } }',
    );
    expectIkeMistakes(
      (draft) => {
        draft.providers['south']!.psks = {};
        draft.providers['north']!.methods = ['ecdsa'];
        draft.providers['north']!.psks = {};
        draft.credentials!['pe1']!.sps = ['south'];
      },
      'ike.providers.north: no credential to show to PEs of this SP: ike: { credentials: { NAME: { certificate, key } } }',
      'ike.providers.south: nobody of this SP can be authenticated: anchors: { NAME: { file } }, or psks',
    );
  });

  it('should not have what is never used', () => {
    expect(
      toldOfIke((draft) => {
        draft.providers['north']!.methods = ['rsa'];
        draft.providers['south']!.methods = ['psk'];
        draft.providers['south']!.anchors = { root: { file: '/etc/sealane/south.pem' } };
      }),
    ).toEqual({
      errors: [],
      warnings: [
        'ike.providers.north.methods: preshared keys that are never used (["rsa"]): add "psk"',
        'ike.providers.south.methods: trust anchors, but no method with certificates (["psk"]): add "rsa", "ecdsa" or "ed25519"',
      ],
    });
  });

  it('should be there for the SPs that routes are imported from', () => {
    const rule = { name: 'x', targets: ['65001:1'] };
    expect(
      toldOfIke((draft, whole) => {
        Reflect.deleteProperty(draft.providers, 'south');
        whole.bgp = { asn: 65001, routerId: '192.0.2.1' };
        whole.vrfs['a']!.bgp = {
          rd: '65001:1',
          imports: [
            { ...rule, fromSps: ['north', 'south'] },
            { ...rule, name: 'y', fromSps: ['south'], floor: 'mpls' },
          ],
        };
      }),
    ).toEqual({
      errors: [],
      warnings: [
        'vrfs.a.bgp.imports[0].fromSps[1]: ike.providers has no such SP: its routes stay unusable without an SA ("south"): ike: { providers: { "south": { ranges, ... } } }',
      ],
    });
  });

  it('have names for what they have', () => {
    expectIkeMistakes(
      (draft) => {
        draft.credentials!['a b'] = { certificate: '/a.pem', key: '/a.key' };
        draft.providers['south']!.psks![''] = { remote: '198.18.0.1', file: '/b.psk' };
        draft.providers['north']!.anchors!['-'] = { file: '/c.pem' };
      },
      'ike.credentials["a b"]: name with characters that are not allowed ("a b"): letters, digits, "-", "_" and "."; a letter or digit first',
      'ike.providers.north.anchors["-"]: name with characters that are not allowed ("-"): letters, digits, "-", "_" and "."; a letter or digit first',
      'ike.providers.south.psks[""]: empty name (not shown): 1..32 characters',
    );
  });
});

describe('files', () => {
  it('are looked for; keys must not be readable by others', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'n1-ike-'));
    onTestFinished(() => rm(folder, { recursive: true }));
    const file = async (name: string, mode: number): Promise<string> => {
      const path = join(folder, name);
      await writeFile(path, 'x', { mode });
      return path;
    };
    const config = {
      ...good(),
      ike: {
        credentials: {
          a: { certificate: await file('a.pem', 0o644), key: await file('a.key', 0o644) },
          b: { certificate: join(folder, 'b.pem'), key: join(folder, 'b.key') },
        },
        providers: {
          north: {
            ranges: ['192.0.2.0/24'],
            anchors: { root: { file: join(folder, 'root.pem') } },
            crls: [await file('crl', 0o644), join(folder, 'other.crl')],
            psks: { x: { remote: '192.0.2.7', file: await file('x.psk', 0o640) } },
            ppk: { id: 'x', file: await file('x.ppk', 0o600) },
          },
        },
      },
    };
    const path = join(folder, 'pe.json');
    await writeFile(path, JSON.stringify(config));
    const read = await readConfig(path);
    expect(read.ok).toBe(true);
    const lines = read.warnings.map(formatIssue).filter((line) => line.startsWith('ike'));
    expect(lines.map((line) => line.replaceAll(folder, ''))).toEqual([
      'ike.credentials.a.key: others may use the key file (not shown): a file with the key alone, mode 0600',
      'ike.credentials.b.key: no such key file yet (not shown): a file with the key alone, mode 0600',
      'ike.providers.north.psks.x.file: others may use the key file (not shown): a file with the key alone, mode 0600',
      'ike.credentials.b.certificate: no such file yet ("/b.pem"): check its path',
      'ike.providers.north.anchors.root.file: no such file yet ("/root.pem"): check its path',
      'ike.providers.north.crls[1]: no such file yet ("/other.crl"): check its path',
    ]);
  });
});

it('changes live, entry by entry', () => {
  const before = { ...good(), ike: ike() };
  const after = { ...good(), ike: ike() };
  after.ike.providers['south']!.ranges = ['198.19.0.0/16', '198.18.0.0/15'];
  Reflect.deleteProperty(after.ike.providers['north']!, 'ppk');
  after.ike.dpd = 11;
  const { changes, effect } = diffConfigs(before, after);
  expect(effect).toBe('live');
  expect(changes.map(formatChange).sort()).toEqual([
    '+ ike.providers.south.ranges["\\"198.19.0.0/16\\""]: "198.19.0.0/16"',
    '- ike.providers.north.ppk: {"file":"/etc/sealane/north.ppk","id":"north-2026","required":false}',
    '~ ike.dpd: 10 -> 11',
  ]);
});
