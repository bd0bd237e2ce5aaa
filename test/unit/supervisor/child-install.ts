// SPDX-License-Identifier: Apache-2.0
/** A child SA between two PEs, as IKE hands it over. */
import { randomBytes } from 'node:crypto';
import type { TunnelModel } from '../../../src/forwarding/model.js';
import type { ChildInstall, ChildPolicy } from '../../../src/ike/child/types.js';
import type { EspCipher, Selector } from '../../../src/ike/negotiation/types.js';
import { parseAddress } from '../../../src/lib/ip.js';

export const LOCAL = parseAddress('192.0.2.1')!;
export const REMOTE = parseAddress('192.0.2.2')!;

export const TUNNEL: TunnelModel = {
  ...{ name: 'peer', local: LOCAL, remote: REMOTE, protection: 'encrypt', encapsulation: 'gre' },
  ...{ dscp: 'copy', ecn: 'compatibility', ttl: 64, sa: undefined },
};

export const only = (address: Uint8Array, protocol = 47): Selector => ({
  ...{ start: address, end: address, protocol, startPort: 0, endPort: 65535 },
});
export const GCM: EspCipher = {
  ...{ name: 'ENCR_AES_GCM_16', id: 20, keyBits: 128, keyBytes: 20, saltBytes: 4 },
  ...{ kind: 'aead' as const, encrypts: true },
};
export const POLICY: ChildPolicy = {
  ...{ service: 'encrypt/gre', mode: 'transport', proposals: [], resources: 1 },
  ...{ local: [only(LOCAL)], remote: [only(REMOTE)] },
  lifetimes: {
    ...{ softSeconds: 0, hardSeconds: 0, softBytes: 0n, hardBytes: 0n },
    ...{ softPackets: 0n, hardPackets: 5000n, jitter: 0 },
  },
};

export function child(inboundSpi: number, more: Partial<ChildInstall> = {}): ChildInstall {
  const direction = () => ({ encryption: randomBytes(20), integrity: Buffer.alloc(0) });
  return {
    policy: POLICY,
    peer: {
      ...{ address: REMOTE, sp: 'own', method: 'psk', subject: '', anchor: 'a' },
      validUntil: undefined,
    },
    path: { local: { address: LOCAL, port: 500 }, remote: { address: REMOTE, port: 500 } },
    udpEncapsulation: false,
    suite: { cipher: GCM, integrity: undefined, esn: false },
    ...{ inboundSpi, outboundSpi: 0x2000_0000 + (inboundSpi & 0xffff) },
    ...{ local: POLICY.local, remote: POLICY.remote },
    ...{ inboundKeys: direction(), outboundKeys: direction(), resource: 0, replaces: undefined },
    ...more,
  };
}
