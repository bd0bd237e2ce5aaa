// SPDX-License-Identifier: Apache-2.0
/** From the configuration to policies: defaults, who is who, and the child SAs between two addresses. */
import { describe, expect, it } from 'vitest';
import type { Config, Ike } from '../../../src/config/types.js';
import { validateConfig } from '../../../src/config/validate.js';
import { offerEsp } from '../../../src/ike/negotiation/esp-proposals.js';
import { formatEspProposal, formatIkeProposal } from '../../../src/ike/negotiation/text.js';
import { compileIkePolicy } from '../../../src/ike/policy-compile.js';
import type { IkePolicy, PeerPolicy } from '../../../src/ike/policy.js';
import { parseAddress } from '../../../src/lib/ip.js';
import { good } from '../config/good.js';
import { ike as everything } from '../config/ike-good.js';

const at = (text: string): Uint8Array => {
  const address = parseAddress(text);
  if (address === undefined) throw new Error(text);
  return address;
};

/** What validation makes of it: compile sees checked configurations only. */
function checked(ike?: Ike): Config {
  const result = validateConfig(ike === undefined ? good() : { ...good(), ike });
  if (!result.ok) throw new Error(JSON.stringify(result.issues));
  return result.config;
}
const PPK = new Uint8Array(32).fill(7);
const compile = (ike?: Ike): IkePolicy => compileIkePolicy(checked(ike), new Map([['north', PPK]]));
function peer(policy: IkePolicy, address: string): PeerPolicy {
  const found = policy.forPeer(at(address));
  if (found === undefined) throw new Error(`nobody at ${address}`);
  return found;
}
const plain: Ike = {
  credentials: { pe1: { certificate: '/pe1.pem', key: '/pe1.key' } },
  providers: {
    north: { ranges: ['192.0.2.0/24', '2001:db8::/64'], anchors: { root: { file: '/n.pem' } } },
  },
};

it('talks to nobody without `ike`', () => {
  const policy = compile();
  expect(policy.forPeer(at('192.0.2.2'))).toBeUndefined();
  expect(policy.halfOpen).toStrictEqual({
    ...{ cookieAbove: 200, most: 4000, mostPerPeer: 5, expireMs: 30_000 },
  });
});

describe('the defaults', () => {
  const policy = compile(plain);
  const north = peer(policy, '192.0.2.2');

  it('are hybrid first, classical second, and all that is offered can be', () => {
    expect(north.proposals.map(formatIkeProposal)).toStrictEqual([
      'aes256gcm16-aes128gcm16-chacha20poly1305-prfsha384-prfsha256-prfsha512-x25519-ecp256-ecp384-modp2048-ke1_mlkem768',
      'aes256gcm16-aes128gcm16-chacha20poly1305-prfsha384-prfsha256-prfsha512-x25519-ecp256-ecp384-modp2048',
    ]);
  });

  it('are what docs/configuration.md says', () => {
    const { children, proposals, ...rest } = north;
    expect(rest).toStrictEqual({
      ...{ sp: 'north', ppk: undefined, nat: 'refuse', fragmentBytes: 1280, dpdMs: 30_000 },
      retransmission: { firstMs: 1000, factor: 1.8, tries: 6, jitter: 0.1 },
      lifetimes: {
        ...{ softSeconds: 14_400, hardSeconds: 15_840, jitter: 0.1 },
        ...{ softBytes: 0n, hardBytes: 0n, softPackets: 0n, hardPackets: 0n },
      },
      ...{ reauthSeconds: 0, window: 4 },
    });
    expect(children(at('192.0.2.1'), at('192.0.2.2'))[0]?.lifetimes).toStrictEqual({
      ...{ softSeconds: 3600, hardSeconds: 3960, jitter: 0.1 },
      ...{ softBytes: 0n, hardBytes: 0n },
      ...{ softPackets: 3_000_000_000n, hardPackets: 3_750_000_000n },
    });
    expect(proposals).toHaveLength(2);
  });
});

describe('what is configured', () => {
  const policy = compile(everything());

  it('belongs to an SP by address', () => {
    const north = peer(policy, '192.0.2.77');
    const south = peer(policy, '198.18.0.9');
    expect([north.sp, north.nat, north.ppk]).toStrictEqual([
      ...['north', 'refuse'],
      { id: new TextEncoder().encode('north-2026'), key: PPK, required: false },
    ]);
    expect([south.sp, south.nat, south.ppk]).toStrictEqual(['south', 'allow', undefined]);
    expect(south.proposals.map(formatIkeProposal)).toStrictEqual(['aes256gcm16-prfsha384-ecp384']);
    expect(peer(policy, '2001:db8::ff').sp).toBe('north');
    for (const nobody of ['192.0.3.1', '198.20.0.0', '2001:db8:0:1::1', '::c000:24d']) {
      expect(policy.forPeer(at(nobody))).toBeUndefined();
    }
    expect(policy.forPeer(new Uint8Array(5))).toBeUndefined();
  });

  it('is taken as it is', () => {
    const { lifetimes, fragmentBytes, window, dpdMs, retransmission, children } = peer(
      policy,
      '192.0.2.77',
    );
    expect({ fragmentBytes, window, dpdMs, retransmission }).toStrictEqual({
      ...{ fragmentBytes: undefined, window: 8, dpdMs: 10_000 },
      retransmission: { firstMs: 200, factor: 1.5, tries: 3, jitter: 0.2 },
    });
    expect(lifetimes).toMatchObject({ softSeconds: 0, hardSeconds: 0, jitter: 0 });
    // `authenticate: []`, and the whole's `encrypt`.
    const services = children(at('192.0.2.1'), at('192.0.2.77'));
    expect(services.map(({ service }) => service)).toStrictEqual(['encrypt/gre', 'encrypt/ip']);
    expect(services[0]?.proposals.map(formatEspProposal)).toStrictEqual(['aes256gcm16-noesn']);
    expect(services[0]?.lifetimes).toStrictEqual({
      ...{ softSeconds: 600, hardSeconds: 660, jitter: 0, softBytes: 0n, hardBytes: 0n },
      ...{ softPackets: 1000n, hardPackets: 1250n },
    });
    // The SP's own `encrypt`; `authenticate` is the whole's, empty.
    const ofSouth = peer(policy, '198.18.0.9').children(at('192.0.2.1'), at('198.18.0.9'));
    expect(ofSouth.map(({ proposals }) => proposals.map(formatEspProposal))).toStrictEqual([
      ['aes256gcm16-ecp384-noesn'],
      ['aes256gcm16-ecp384-noesn'],
    ]);
  });

  it('never counts beyond the last sequence number', () => {
    const lifetimes = { child: { packets: 4_000_000_000 } };
    const [child] = peer(compile({ ...plain, lifetimes }), '192.0.2.2').children(
      at('192.0.2.1'),
      at('192.0.2.2'),
    );
    expect(child?.lifetimes.hardPackets).toBe(0xffff_ffffn);
  });

  it('is nothing without the postquantum preshared key that it names', () => {
    expect(() => compileIkePolicy(checked(everything()), new Map())).toThrow(
      'no postquantum preshared key for SP north',
    );
  });
});

describe('child SAs (policy-model 16)', () => {
  const { children } = peer(compile(plain), '192.0.2.2');

  it('are one for each protection and encapsulation, between the two addresses alone', () => {
    const local = at('192.0.2.1');
    const remote = at('192.0.2.2');
    const ports = { startPort: 0, endPort: 65_535 };
    const found = children(local, remote);
    expect(
      found.map(({ service, mode, local: ours, remote: theirs, resources, vpn }) => ({
        ...{ service, mode, ours, theirs, resources, vpn },
      })),
    ).toStrictEqual(
      (
        [
          ['encrypt/gre', 47],
          ['encrypt/ip', 137],
          ['authenticate/gre', 47],
          ['authenticate/ip', 137],
        ] as const
      ).map(([service, protocol]) => ({
        ...{ service, mode: 'transport', resources: 1, vpn: undefined },
        ours: [{ start: local, end: local, protocol, ...ports }],
        theirs: [{ start: remote, end: remote, protocol, ...ports }],
      })),
    );
  });

  it('are as many of each as there are packet threads, and the peer may make more (RFC 9611)', () => {
    const threads = (lcores?: number) => {
      const config = { ...checked(plain), ...(lcores !== undefined && { worker: { lcores } }) };
      const found = peer(compileIkePolicy(config, new Map()), '192.0.2.2').children;
      const all = found(at('192.0.2.1'), at('192.0.2.2'));
      return new Set(all.map(({ resources, mostResources }) => `${resources} of ${mostResources}`));
    };
    expect(threads()).toStrictEqual(new Set(['1 of 32']));
    expect(threads(4)).toStrictEqual(new Set(['4 of 32']));
  });

  it('encrypt, or do nothing but authenticate, and each offer can be made', () => {
    for (const { service, proposals } of children(at('2001:db8::1'), at('2001:db8::2'))) {
      const does = proposals.flatMap(({ ciphers }) => ciphers.map(({ encrypts }) => encrypts));
      expect(new Set(does)).toStrictEqual(new Set([service.startsWith('encrypt/')]));
      expect(offerEsp(proposals, 4096, true).proposals).not.toHaveLength(0);
    }
  });

  it('end at our own tunnel addresses, in one family', () => {
    expect(children(at('192.0.2.3'), at('192.0.2.2'))).toStrictEqual([]);
    expect(children(at('198.51.100.1'), at('192.0.2.2'))).toStrictEqual([]);
    expect(children(at('2001:db8::1'), at('192.0.2.2'))).toStrictEqual([]);
  });

  it('are never made of a proposal of the wrong kind, whoever let it through', () => {
    const wrong = { ...checked(plain), ike: { ...plain, esp: { encrypt: ['aes128gmac'] } } };
    expect(() => compileIkePolicy(wrong, new Map())).toThrow('aes128gmac does not encrypt alone');
    const other = { ...checked(plain), ike: { ...plain, esp: { authenticate: ['aes128gcm16'] } } };
    expect(() => compileIkePolicy(other, new Map())).toThrow('does not authenticate alone');
  });
});

it('finds peers among thousands of ranges without looking at each', () => {
  const ranges = Array.from({ length: 20_000 }, (_, i) => `10.${i >> 8}.${i & 255}.0/24`);
  const config = { ...checked(plain), ike: { providers: { north: { ranges } } } };
  const policy = compileIkePolicy(config, new Map());
  let reads = 0;
  const watched = new Proxy(at('10.77.255.9'), {
    get(target, key) {
      reads++;
      const value: unknown = Reflect.get(target, key);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
  expect(policy.forPeer(watched)?.sp).toBe('north');
  expect(reads).toBeLessThan(20);
});
