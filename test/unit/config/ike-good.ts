// SPDX-License-Identifier: Apache-2.0
/** A correct `ike` section, for the PE of good.ts. */
import { expect } from 'vitest';
import type { Ike, IkeProvider } from '../../../src/config/types.js';
import { good, told, type Draft, type Told } from './good.js';

type Mutable<T> = T extends object ? { -readonly [K in keyof T]: Mutable<T[K]> } : T;
export type IkeDraft = Mutable<Omit<Ike, 'providers'>> & {
  providers: Record<string, Mutable<IkeProvider>>;
};

/** With something of everything. */
export const ike = (): IkeDraft => ({
  proposals: ['aes256gcm16-prfsha384-x25519-ke1_mlkem768', 'aes128-sha256-modp2048'],
  esp: { encrypt: ['aes256gcm16'], authenticate: [] },
  credentials: {
    pe1: {
      certificate: '/etc/sealane/pe1.pem',
      key: '/etc/sealane/pe1.key',
      sps: ['north'],
      ocspResponse: '/etc/sealane/pe1.ocsp',
      rsaPadding: 'pkcs1',
    },
  },
  providers: {
    north: {
      ranges: ['192.0.2.0/24', '2001:db8::/64'],
      anchors: { root: { file: '/etc/sealane/north.pem' } },
      intermediates: ['/etc/sealane/north-issuing.pem'],
      crls: ['/etc/sealane/north.crl'],
      revocation: 'required',
      askOcsp: true,
      ocspMaxAge: 3600,
      methods: ['ecdsa', 'psk'],
      psks: { lab: { remote: '192.0.2.128/25', file: '/etc/sealane/lab.psk' } },
      ppk: { id: 'north-2026', file: '/etc/sealane/north.ppk', required: false },
    },
    south: {
      ranges: ['198.18.0.0/15'],
      psks: { pe9: { remote: '198.18.0.9', file: '/etc/sealane/pe9.psk' } },
      nat: 'allow',
      proposals: ['aes256gcm16-prfsha384-ecp384'],
      esp: { encrypt: ['aes256gcm16-ecp384'] },
    },
  },
  lifetimes: { ike: { seconds: 0 }, child: { seconds: 600, bytes: 0, packets: 1000 }, jitter: 0 },
  reauthentication: 0,
  dpd: 10,
  retransmission: { firstMs: 200, factor: 1.5, tries: 3, jitter: 0.2 },
  fragmentBytes: 0,
  window: 8,
  limits: { cookieAbove: 0, halfOpen: 10, halfOpenPerPeer: 1, halfOpenTimeout: 5 },
});

/** The good configuration with the good section, both changed. */
export function toldOfIke(change: (draft: IkeDraft, whole: Draft) => void): Told {
  const whole = good();
  const draft = ike();
  change(draft, whole);
  return told({ ...whole, ike: draft });
}

/** Expects exactly these mistakes, and no warning. */
export function expectIkeMistakes(
  change: (draft: IkeDraft, whole: Draft) => void,
  ...errors: string[]
): void {
  expect(toldOfIke(change)).toEqual({ errors, warnings: [] });
}
