// SPDX-License-Identifier: Apache-2.0
/** IKE of the sample backend. */
import type * as backend from '../../../src/rpc/backend.js';

export const sas: readonly backend.IkeSaRow[] = [
  {
    ...{ initiatorSpi: '0x0102030405060708', responderSpi: '0x1112131415161718' },
    ...{ role: 'initiator', state: 'established', local: '192.0.2.1', remote: '192.0.2.2' },
    ...{ localPort: 500, remotePort: 500, sp: 'example', identity: 'CN=pe2' },
    ...{ authentication: 'ecdsa', suite: 'ENCR_AES_GCM_16-256/PRF_HMAC_SHA2_256' },
    ...{ keyExchanges: 'x25519 mlkem768', ppk: false, openedAt: '2026-01-02T03:04:05.000Z' },
    ...{ rekeyAt: '2026-01-02T07:04:05.000Z', reauthAt: '', lastHeardMs: 1200n, children: 1 },
  },
];

export const children: readonly backend.IkeChildRow[] = [
  {
    ...{ service: 'encrypt/gre', state: 'up', local: '192.0.2.1', remote: '192.0.2.2' },
    ...{ inboundSpi: '0x5a3ca012', outboundSpi: '0x01020304', suite: 'ENCR_AES_GCM_16-128' },
    ...{ keyExchanges: '', createdAt: '2026-01-02T03:04:05.000Z', rekeyAt: '', resource: 0 },
    ikeSpi: '0x0102030405060708',
  },
];

export const counters: readonly backend.IkeCounterRow[] = [
  { name: 'ike_sas_opened', text: 'IKE SAs that were authenticated', count: 1n },
  { name: 'auth_failed', text: 'AUTH payloads that do not verify', count: 0n },
];

export interface SampleIke extends Pick<
  backend.ControlBackend,
  'ikeSas' | 'ikeChildren' | 'ikeCounters' | 'commandIke'
> {
  readonly commands: backend.IkeCommand[];
  /** What a command answers. */
  met: () => Promise<number>;
}

export function sampleIke(): SampleIke {
  const it: SampleIke = {
    commands: [],
    met: async () => Promise.resolve(1),
    ikeSas: () => sas,
    ikeChildren: () => children,
    ikeCounters: () => counters,
    async commandIke(command) {
      it.commands.push(command);
      return it.met();
    },
  };
  return it;
}
