// SPDX-License-Identifier: Apache-2.0
/** A correct configuration with something of everything, and what a changed one is told. */
import { expect } from 'vitest';
import { formatIssue } from '../../../src/config/issues.js';
import type * as config from '../../../src/config/types.js';
import { validateConfig } from '../../../src/config/validate.js';

/** A Config whose parts tests may change. */
export type Draft = Mutable<config.Config> & {
  interfaces: Record<string, Mutable<config.Interface>>;
  vrfs: Record<string, Mutable<config.Vrf>>;
  tunnels: Record<string, Mutable<config.Tunnel>>;
  manualSas: Record<string, Mutable<config.ManualSa>>;
};
type Mutable<T> = T extends object ? { -readonly [K in keyof T]: Mutable<T[K]> } : T;

export function good(): Draft {
  return {
    instance: 'pe1',
    lab: { manualSas: true },
    ownSp: 'north',
    otherSps: ['south'],
    core: { tunnelAddresses: ['192.0.2.1', '2001:db8::1'] },
    interfaces: {
      core0: {
        role: 'core',
        device: { kernel: 'wan' },
        addresses: ['198.51.100.1/30', '2001:db8:0:1::1/64'],
        mpls: 'own-sp',
        acceptClear: ['gre', 'ip'],
      },
      'ce-a': {
        role: 'ce',
        vrf: 'a',
        device: { kernel: 'cust' },
        vlan: 10,
        addresses: ['10.1.0.1/24', '2001:db8:a::1/64'],
      },
      'ce-b': {
        role: 'ce',
        vrf: 'b',
        device: { kernel: 'cust' },
        vlan: 20,
        addresses: ['10.1.0.1/24'],
      },
    },
    vrfs: {
      a: {
        addresses: ['10.255.0.1/32'],
        routes: [
          { prefix: '10.2.0.0/24', tunnel: 'pe2', label: 2001 },
          { prefix: '10.3.0.0/24', via: '10.1.0.2' },
          { prefix: '2001:db8:f::/48', via: 'fe80::2', interface: 'ce-a' },
          { prefix: '10.9.0.0/16', discard: 'unreachable' },
        ],
        exports: [
          { name: 'inside', protections: ['encrypt'], label: 1001 },
          {
            name: 'others',
            protections: ['encrypt', 'authenticate'],
            toSps: ['south'],
            encapsulations: ['gre'],
            clearInsideOwnSp: true,
            prefixes: ['10.3.0.0/16'],
            label: 1002,
            labelFor: { ce: '10.1.0.2' },
          },
        ],
      },
      b: { importsFrom: [], exports: [{ name: 'all', protections: ['tunnel'], label: 1003 }] },
    },
    tunnels: {
      pe2: {
        local: '192.0.2.1',
        remote: '192.0.2.2',
        protection: 'encrypt',
        encapsulation: 'gre',
        sa: 'pe2-out',
      },
      pe3: {
        local: '2001:db8::1',
        remote: '2001:db8::3',
        protection: 'tunnel',
        encapsulation: 'ip',
        dscp: 46,
        ttl: 32,
      },
    },
    manualSas: {
      'pe2-out': {
        direction: 'out',
        local: '192.0.2.1',
        remote: '192.0.2.2',
        encapsulation: 'gre',
        algorithm: 'aes-gcm-128',
        spi: 0x1000_0001,
        keyFile: '/keys/1to2',
      },
      'pe2-in': {
        direction: 'in',
        local: '192.0.2.1',
        remote: '192.0.2.2',
        encapsulation: 'gre',
        algorithm: 'aes-gcm-128',
        spi: 0x1000_0002,
        keyFile: '/keys/2to1',
        replayWindow: 128,
      },
    },
  };
}

/** Of the neighbour of bgp-good.ts that is of another SP and has no SA. */
const IN_CLEAR =
  'bgp.neighbours["192.0.2.13"].ipsec: BGP with SP "south" goes in clear: whoever is on the way can read and reset it ("off"): ipsec: "require"';
/** Of every configuration with manual SAs; not repeated in each test. */
const LAB =
  'manualSas: manual SAs are in use: no rekeying, no authentication of the peer: for a lab only';
const EXPECTED: readonly string[] = [LAB, IN_CLEAR];

export interface Told {
  readonly errors: readonly string[];
  readonly warnings: readonly string[];
}

/** Every mistake and warning, a line each. */
export function told(input: unknown): Told {
  const result = validateConfig(input);
  const errors = result.ok ? [] : result.issues.map(formatIssue);
  const warnings = result.warnings.map(formatIssue).filter((line) => !EXPECTED.includes(line));
  return { errors, warnings };
}

/** Changes the good configuration and expects exactly these mistakes, and no warning. */
export function expectMistakes(change: (draft: Draft) => void, ...errors: string[]): void {
  const draft = good();
  change(draft);
  expect(told(draft)).toEqual({ errors, warnings: [] });
}

/** The same for warnings alone. */
export function expectWarnings(change: (draft: Draft) => void, ...warnings: string[]): void {
  const draft = good();
  change(draft);
  expect(told(draft)).toEqual({ errors: [], warnings });
}

/** Puts any value anywhere, as a file without types can. */
export function put(draft: object, path: string, value: unknown): void {
  const steps = path.split('.');
  const last = steps.pop() ?? '';
  let at: object = draft;
  for (const step of steps) {
    const next: unknown = Reflect.get(at, step);
    if (typeof next !== 'object' || next === null) throw new Error(`no ${step} in ${path}`);
    at = next;
  }
  if (value === undefined) Reflect.deleteProperty(at, last);
  else Reflect.set(at, last, value);
}
