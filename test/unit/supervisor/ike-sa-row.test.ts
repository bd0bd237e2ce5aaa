// SPDX-License-Identifier: Apache-2.0
import { expect, describe, it } from 'vitest';
import type { ChildInstall } from '../../../src/ike/child/types.js';
import { INTEGRITY } from '../../../src/ike/crypto/algorithms.js';
import { ESP_CIPHERS, type EspCipherName } from '../../../src/ike/negotiation/esp-ciphers.js';
import type { EspCipher, Selector } from '../../../src/ike/negotiation/types.js';
import { parseAddress } from '../../../src/lib/ip.js';
import {
  algorithmOf,
  inboundRow,
  outboundRow,
  overheadOf,
  refusal,
} from '../../../src/supervisor/ike-sa-row.js';

const LOCAL = parseAddress('192.0.2.1')!;
const REMOTE = parseAddress('192.0.2.2')!;
const GCM: EspCipher = ESP_CIPHERS['aes-128-gcm'];
const only = (address: Uint8Array): Selector => ({
  ...{ start: address, end: address, protocol: 47, startPort: 0, endPort: 65_535 },
});
const POLICY: ChildInstall['policy'] = {
  ...{ service: 'encrypt/gre', mode: 'transport', proposals: [], resources: 1 },
  ...{ local: [only(LOCAL)], remote: [only(REMOTE)] },
  lifetimes: {
    ...{ softSeconds: 0, hardSeconds: 0, softBytes: 0n, hardBytes: 0n },
    ...{ softPackets: 0n, hardPackets: 5000n, jitter: 0 },
  },
};

function child(inboundSpi: number, more: Partial<ChildInstall> = {}): ChildInstall {
  const keys = { encryption: Buffer.alloc(20), integrity: Buffer.alloc(0) };
  return {
    policy: POLICY,
    peer: {
      ...{ address: REMOTE, sp: 'own', method: 'psk', subject: '', anchor: 'a' },
      validUntil: undefined,
    },
    path: { local: { address: LOCAL, port: 500 }, remote: { address: REMOTE, port: 500 } },
    udpEncapsulation: false,
    suite: { cipher: GCM, integrity: undefined, esn: false },
    ...{ inboundSpi, outboundSpi: 0x2000_0000, local: POLICY.local, remote: POLICY.remote },
    ...{ inboundKeys: keys, outboundKeys: keys, resource: 0, replaces: undefined },
    ...more,
  };
}

describe('algorithms of the worker', () => {
  it.each([
    [20, 128, 'aes-gcm-128'],
    [20, 256, 'aes-gcm-256'],
    [21, 128, 'aes-gmac-128'],
    [21, 256, 'aes-gmac-256'],
    [20, 192, undefined],
    [12, 128, undefined],
    [28, undefined, 'chacha20-poly1305'],
    [11, undefined, undefined],
  ])('transform %i with %s bits', (id, keyBits, algorithm) => {
    const suite = { cipher: { ...GCM, id, keyBits }, integrity: undefined, esn: false };
    expect(algorithmOf(suite)).toBe(algorithm);
  });

  it.each([256, 384, 512] as const)('with HMAC-SHA-%i', (bits) => {
    const integrity = INTEGRITY[`sha${bits}`];
    const of = (cipher: EspCipherName): string | undefined =>
      algorithmOf({ cipher: ESP_CIPHERS[cipher], integrity, esn: true });
    expect(of('aes-128-cbc')).toBe(`aes-cbc-128-sha-${bits}`);
    expect(of('aes-256-cbc')).toBe(`aes-cbc-256-sha-${bits}`);
    expect(of('null')).toBe(`null-sha-${bits}`);
    expect(of('aes-128-gcm')).toBeUndefined();
  });
});

describe('rows of a child SA', () => {
  it('have its limits, its window and extended sequence numbers', () => {
    const policy = {
      ...POLICY,
      replayWindow: 4096,
      lifetimes: { ...POLICY.lifetimes, hardBytes: 7_000_000n },
    };
    const suite = { cipher: GCM, integrity: undefined, esn: true };
    const given = child(0x1000, { policy, suite });
    expect(outboundRow(given)).toMatchObject({
      ...{ esn: true, byteLimit: 7_000_000n, packetLimit: 5000n, replayWindow: 0 },
    });
    expect(inboundRow(given, 1)).toMatchObject({ esn: true, packetLimit: 0n, replayWindow: 4096 });
  });

  it('have an SPI that nobody can guess towards the peer, who chose it', () => {
    expect(outboundRow(child(0x1000)).randomSpi).toBe(true);
    expect(inboundRow(child(0x1000), 1).randomSpi).toBeUndefined();
  });

  it('have the ports of ESP in UDP as packets of their direction have them', () => {
    const path = {
      local: { address: LOCAL, port: 4500 },
      remote: { address: REMOTE, port: 61_234 },
    };
    const given = child(0x1000, { path, udpEncapsulation: true });
    expect(outboundRow(given).udp).toEqual({ source: 4500, destination: 61_234 });
    expect(inboundRow(given, 1).udp).toEqual({ source: 61_234, destination: 4500 });
    expect(outboundRow(child(0x1001, { path })).udp).toBeUndefined();
    expect(overheadOf(outboundRow(given))).toEqual({ iv: 8, icv: 16, align: 4, inUdp: true });
  });

  it('are not made of ESP in UDP over IPv6, whose UDP checksum nobody makes', () => {
    const [local, remote] = [parseAddress('2001:db8::1')!, parseAddress('2001:db8::2')!];
    const six = {
      path: { local: { address: local, port: 4500 }, remote: { address: remote, port: 4500 } },
      ...{ local: [only(local)], remote: [only(remote)] },
    };
    expect(refusal(child(0x1000, six))).toBeUndefined();
    expect(refusal(child(0x1000, { ...six, udpEncapsulation: true }))).toMatch(/IPv6/);
  });
});
