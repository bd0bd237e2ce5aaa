import { describe, expect, it } from 'vitest';
import type { Protection } from '../../../../src/config/types.js';
import type { TunnelModel } from '../../../../src/forwarding/model.js';
import { parseAddress } from '../../../../src/lib/ip.js';
import { NOT_BELIEVED } from '../../../../src/bgp/rib/api.js';
import { Ingress, NO_TUNNEL, type Signalled } from '../../../../src/vpn/bgp/ingress.js';

const REMOTE = parseAddress('192.0.2.2')!;
const OTHER = parseAddress('192.0.2.3')!;

const tunnel = (
  name: string,
  protection: TunnelModel['protection'],
  encapsulation: TunnelModel['encapsulation'] = 'gre',
): TunnelModel => ({
  ...{ name, protection, encapsulation, remote: REMOTE, local: parseAddress('192.0.2.1')! },
  ...{ dscp: 'copy', ttl: 64, sa: undefined },
});

const ALL = [tunnel('e', 'encrypt'), tunnel('a', 'authenticate', 'ip'), tunnel('t', 'tunnel')];

interface Terms {
  readonly floor?: Protection;
  readonly fromSps?: readonly string[];
  readonly sp?: string;
  readonly remote?: Uint8Array;
  readonly preferProtected?: boolean;
}

function choose(
  tunnels: readonly TunnelModel[],
  signalled: Signalled,
  { floor = 'mpls', sp = 'own', remote = REMOTE, ...given }: Terms = {},
): string | number {
  const ingress = new Ingress(tunnels, () => sp);
  const terms = { floor: () => floor, fromSps: ['own'], preferProtected: true, ...given };
  const choice = ingress.choose(remote, signalled, terms);
  return ingress.tunnel(remote, choice)?.name ?? choice;
}

const only = (...protections: ('encrypt' | 'authenticate' | 'tunnel')[]): Signalled => ({
  protections,
  encapsulations: ['gre', 'ip'],
});

describe('what protects packets towards a VPN route', () => {
  it('is the strongest of what the egress accepts', () => {
    expect(choose(ALL, only('tunnel', 'authenticate', 'encrypt'))).toBe('e');
    expect(choose(ALL, only('tunnel', 'authenticate'))).toBe('a');
    expect(choose(ALL, only('tunnel'))).toBe('t');
  });

  it('is never weaker than what the egress asks for, nor of another encapsulation', () => {
    expect(choose([tunnel('t', 'tunnel')], only('encrypt'))).toBe(NO_TUNNEL);
    expect(choose([tunnel('a', 'authenticate')], only('encrypt'))).toBe(NO_TUNNEL);
    const gre: Signalled = { protections: ['authenticate'], encapsulations: ['gre'] };
    expect(choose(ALL, gre)).toBe(NO_TUNNEL);
  });

  it('is never below the floor (policy-model 7)', () => {
    expect(choose(ALL, only('tunnel'), { floor: 'encrypt' })).toBe(NO_TUNNEL);
    expect(choose(ALL, only('tunnel', 'encrypt'), { floor: 'encrypt' })).toBe('e');
    expect(choose([tunnel('t', 'tunnel')], undefined, { floor: 'authenticate' })).toBe(NO_TUNNEL);
  });

  it('may be IPsec although nothing was signalled (P4)', () => {
    expect(choose(ALL, undefined)).toBe('e');
    expect(choose([tunnel('t', 'tunnel')], undefined)).toBe('t');
  });

  it('is nothing when the egress accepts nothing, and when no tunnel ends there', () => {
    expect(choose(ALL, { protections: [], encapsulations: [] })).toBe(NO_TUNNEL);
    expect(choose(ALL, only('encrypt'), { remote: OTHER })).toBe(NO_TUNNEL);
  });

  it('is nothing for an SP that the import rule does not name (policy-model 10)', () => {
    expect(choose(ALL, only('encrypt'), { sp: 'b' })).toBe(NOT_BELIEVED);
    expect(choose(ALL, only('encrypt'), { sp: 'b', fromSps: ['own', 'b'] })).toBe('e');
  });

  it('ranks protections, so that a protected path wins (policy-model 12)', () => {
    const ingress = new Ingress(ALL, () => 'own');
    const terms = { floor: () => 'mpls' as const, fromSps: ['own'], preferProtected: true };
    const rank = (signalled: Signalled): number =>
      ingress.rank(ingress.choose(REMOTE, signalled, terms));
    expect(rank(only('encrypt'))).toBeGreaterThan(rank(only('authenticate')));
    expect(rank(only('authenticate'))).toBeGreaterThan(rank(only('tunnel')));
    expect(ingress.why(NO_TUNNEL)).toMatch(/acceptable/);
    expect(ingress.rank(NO_TUNNEL)).toBe(0);
  });

  it('is no reason to prefer a path where the import rule says so (policy-model 12)', () => {
    const ingress = new Ingress(ALL, () => 'own');
    const terms = { floor: () => 'mpls' as const, fromSps: ['own'] };
    const [encrypt, authenticate, clear] = (['encrypt', 'authenticate', 'tunnel'] as const).map(
      (protection) => {
        const of = (preferProtected: boolean): number =>
          ingress.choose(REMOTE, only(protection), { ...terms, preferProtected });
        return { ranked: of(true), unranked: of(false) };
      },
    );
    const unranked = [encrypt!, authenticate!, clear!].map((one) => one.unranked);
    expect(new Set(unranked.map((choice) => ingress.rank(choice))).size).toBe(1);
    // Never before a path that a rule prefers for its protection.
    expect(ingress.rank(encrypt!.unranked)).toBeLessThan(ingress.rank(authenticate!.ranked));
    // Still different protections, which are never used together.
    expect(new Set(unranked.map((choice) => ingress.strength(choice))).size).toBe(3);
    expect(ingress.strength(encrypt!.unranked)).toBe(ingress.strength(encrypt!.ranked));
    for (const { ranked, unranked: choice } of [encrypt!, authenticate!, clear!]) {
      expect(ingress.tunnel(REMOTE, choice)).toBe(ingress.tunnel(REMOTE, ranked));
      expect(ingress.why(choice)).toBeUndefined();
    }
  });

  it('is never below the floor either then', () => {
    const preferProtected = false;
    expect(choose(ALL, only('tunnel'), { floor: 'encrypt', preferProtected })).toBe(NO_TUNNEL);
    expect(choose(ALL, only('tunnel', 'encrypt'), { floor: 'encrypt', preferProtected })).toBe('e');
    expect(choose(ALL, only('encrypt'), { sp: 'b', preferProtected })).toBe(NOT_BELIEVED);
  });
});
