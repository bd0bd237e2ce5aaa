// SPDX-License-Identifier: Apache-2.0
/** What the machine is made of: negotiation, reduction, timing, the plan of listeners, key files. */
import { chmodSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { afterAll, describe, expect, test } from 'vitest';
import { notification, openError } from '../../../../src/bgp/codec/notification.js';
import { type NeighborConfig, resolveNeighbor } from '../../../../src/bgp/session/config.js';
import type { OpenFacts } from '../../../../src/bgp/session/fsm-types.js';
import { listenPlaces, neighborFor, serves } from '../../../../src/bgp/session/listen-plan.js';
import {
  isNotification,
  negotiate,
  NO_REDUCTION,
  ourOpen,
  survivor,
} from '../../../../src/bgp/session/negotiate.js';
import { ReceiveBuffer } from '../../../../src/bgp/session/receive-buffer.js';
import { reductionAfter } from '../../../../src/bgp/session/reduce.js';
import { readSecret } from '../../../../src/bgp/session/secret.js';
import { backOff, jitter } from '../../../../src/bgp/session/timing.js';
import { parseAddress } from '../../../../src/lib/ip.js';

const us = { routerId: 0x0a000001, asn: 65001 };
const quiet = { restarting: false, forwarding: 0 };
const neighbor = (config: Partial<NeighborConfig> = {}) =>
  resolveNeighbor({ address: '10.0.0.2', asn: 65002, ...config }, us);
const ip = (text: string): Uint8Array => parseAddress(text)!;

describe('negotiation', () => {
  const peer = (
    change: Partial<OpenFacts> = {},
    config: Partial<NeighborConfig> = {},
  ): OpenFacts => ({
    ...ourOpen(neighbor(config), 0x0a000002, quiet),
    asn: 65002,
    ...change,
  });
  const agree = (theirs: OpenFacts, config: Partial<NeighborConfig> = {}) => {
    const own = neighbor(config);
    return negotiate(own, ourOpen(own, us.routerId, quiet), theirs);
  };

  test.each([
    ['another AS', { asn: 65003 }, '2/2'],
    ['AS 0 (RFC 7607)', { asn: 0 }, '2/2'],
    ['AS_TRANS without the capability', { asn: 23456 }, '2/2'],
    ['version 3', { version: 3 }, '2/1'],
    ['identifier 0 (RFC 6286)', { routerId: 0 }, '2/3'],
    ['hold time 1', { holdTime: 1 }, '2/6'],
    ['hold time 2', { holdTime: 2 }, '2/6'],
    ['no family in common', { families: 0b10 }, '2/7'],
  ] as const)('refused: %s', (_, change, code) => {
    const result = agree(peer(change));
    expect(isNotification(result) && `${result.code}/${result.subcode}`).toBe(code);
  });

  test('our own identifier is wrong inside the AS, and right outside (RFC 6286)', () => {
    const same = { routerId: us.routerId };
    expect(isNotification(agree(peer({ ...same, asn: 65001 }), { asn: 65001 }))).toBe(true);
    expect(isNotification(agree(peer(same)))).toBe(false);
  });

  test('hold time: the smaller; 0 on either side means none', () => {
    for (const [ours, theirs, both] of [
      [90, 180, 90],
      [90, 3, 3],
      [0, 90, 0],
      [90, 0, 0],
    ] as const) {
      expect(agree(peer({ holdTime: theirs }), { timers: { hold: ours } })).toMatchObject({
        holdTime: both,
      });
    }
  });

  test('each direction of ADD-PATH needs the other’s consent (RFC 7911 §4)', () => {
    const families = {
      'ipv4-unicast': { addPath: 'both' },
      'vpnv4-unicast': { addPath: 'send' },
    } as const;
    const theirs = peer({ addPathSend: 0b101, addPathReceive: 0b100 }, { families });
    expect(agree(theirs, { families })).toMatchObject({
      context: { addPathReceive: 0b001, addPathSend: 0b100, families: 0b101 },
    });
  });

  test('extended messages, 4-octet AS and refresh are for two', () => {
    expect(agree(peer())).toMatchObject({
      ...{ context: { maxMessage: 65535, as4: true }, routeRefresh: true, enhancedRefresh: true },
    });
    const old = {
      extendedMessages: false,
      as4: false,
      routeRefresh: false,
      enhancedRefresh: false,
    };
    expect(agree(peer(old))).toMatchObject({
      ...{ context: { maxMessage: 4096, as4: false }, routeRefresh: false, enhancedRefresh: false },
    });
  });

  test('a neighbour out of a prefix: any other AS, or one of a list', () => {
    const any = { address: undefined, prefix: '10.0.0.0/24', asn: 'external' } as object;
    expect(isNotification(agree(peer({ asn: 64999 }), any))).toBe(false);
    expect(isNotification(agree(peer({ asn: 65001 }), any))).toBe(true);
    const list = { ...any, asn: [64512, 64513] };
    expect(isNotification(agree(peer({ asn: 64513 }), list))).toBe(false);
    expect(isNotification(agree(peer({ asn: 64514 }), list))).toBe(true);
  });

  test('the connection of the higher identifier stays, of equal ones that of the higher AS', () => {
    const ours = (routerId: number, asn: number): OpenFacts => ({ ...peer(), routerId, asn });
    const theirs = agree(peer({ routerId: 0xc0000001 }));
    if (isNotification(theirs)) throw new Error('refused');
    expect(survivor(ours(0xc0000002, 1), theirs)).toBe('out');
    expect(survivor(ours(0x0a000001, 99999), theirs)).toBe('in'); // unsigned: 0xc0... is not negative
    expect(survivor(ours(0xc0000001, 65003), theirs)).toBe('out');
    expect(survivor(ours(0xc0000001, 65001), theirs)).toBe('in');
  });
});

describe('what is left out after a refusal (RFC 5492)', () => {
  test('the capabilities named, except the families', () => {
    // | 1 len 4 ... | 64 len 2 ... | 73 len 0 |
    const data = Uint8Array.of(1, 4, 0, 1, 0, 1, 64, 2, 0, 120, 73, 0);
    const refused = openError('unsupportedCapability', 'no', data);
    const reduced = reductionAfter(NO_REDUCTION, refused, 1)!;
    expect([...reduced.codes]).toEqual([64, 73]);
    expect(ourOpen(neighbor(), 1, quiet, reduced).gracefulRestart).toBeUndefined();
    expect(reductionAfter(reduced, refused, 1)).toBeUndefined();
  });

  test('all of them, if IPv4 unicast is all that is wanted', () => {
    const refused = openError('unsupportedParameter', 'what is that');
    const reduced = reductionAfter(NO_REDUCTION, refused, 1)!;
    expect(ourOpen(neighbor(), 1, quiet, reduced)).toMatchObject({
      ...{ families: 1, as4: false, routeRefresh: false, extendedMessages: false },
    });
    expect(reductionAfter(NO_REDUCTION, refused, 0b100)).toBeUndefined();
    expect(reductionAfter(NO_REDUCTION, notification(6, 4, 'reset'), 1)).toBeUndefined();
  });
});

describe('timing', () => {
  test('jitter takes at most a quarter', () => {
    expect([jitter(1000, () => 0), jitter(1000, () => 0.999999)]).toEqual([750, 1000]);
  });
  test('back-off doubles up to a limit, and never overflows', () => {
    expect([0, 1, 2, 5, 4000].map((n) => backOff(5, n, 120))).toEqual([5, 10, 20, 120, 120]);
  });
});

describe('listeners', () => {
  const at = (config: object) => neighbor({ ...config });
  test('one place for each local address, one for all where any will do', () => {
    const places = (...configs: object[]) => listenPlaces(configs.map(at)).map(({ key }) => key);
    const one = { localAddress: '10.0.0.1' };
    expect(places(one, one, { localAddress: '10.0.0.9' })).toEqual(['|10.0.0.1', '|10.0.0.9']);
    expect(places(one, {})).toEqual(['|0.0.0.0']);
    expect(places(one, { vrf: 'red' }, { address: '2001:db8::2' })).toEqual([
      ...['|10.0.0.1', 'red|0.0.0.0', '|::'],
    ]);
  });

  test('each serves its own namespace, family and address', () => {
    const [place] = listenPlaces([at({ localAddress: '10.0.0.1' })]);
    expect(serves(place!, at({ localAddress: '10.0.0.1' }))).toBe(true);
    expect(serves(place!, at({ localAddress: '10.0.0.2' }))).toBe(false);
    expect(serves(place!, at({ localAddress: '10.0.0.1', vrf: 'red' }))).toBe(false);
    const [any] = listenPlaces([at({ vrf: 'red' })]);
    expect(serves(any!, at({ localAddress: '10.0.0.1', vrf: 'red' }))).toBe(true);
    expect(serves(any!, at({ address: '2001:db8::2', vrf: 'red' }))).toBe(false);
  });

  test('who may come in: the address before the longest prefix; GTSM by the SYN', () => {
    const all = [
      at({}),
      at({ address: undefined, prefix: '10.0.0.0/8' }),
      at({ address: undefined, prefix: '10.1.0.0/16', ttlSecurity: 1 }),
      at({ vrf: 'red', localAddress: '10.0.0.1' }),
    ];
    const who = (remote: string, vrf?: string, synTtl = 255, local = '10.0.0.1') =>
      neighborFor(all, { vrf, remote: ip(remote), local: ip(local), synTtl })?.name;
    expect(who('10.0.0.2')).toBe('10.0.0.2');
    expect(who('10.0.0.3')).toBe('10.0.0.0/8');
    expect(who('10.1.0.3')).toBe('10.1.0.0/16');
    expect(who('10.1.0.3', undefined, 254)).toBeUndefined();
    expect(who('192.0.2.1')).toBeUndefined();
    expect(who('10.0.0.2', 'red')).toBe('10.0.0.2%red');
    expect(who('10.0.0.2', 'red', 255, '10.0.0.9')).toBeUndefined();
    expect(who('10.0.0.3', 'red')).toBeUndefined();
  });
});

describe('configuration', () => {
  test.each([
    ['neither address nor prefix', { address: undefined }],
    ['both', { prefix: '10.0.0.0/8' }],
    ['hold time 2', { timers: { hold: 2 } }],
    ['no family', { families: {} }],
    ['no address', { address: '10.0.0.256' }],
  ])('what a checked configuration cannot hold throws: %s', (_, config) => {
    expect(() => neighbor(config as object)).toThrow(RangeError);
  });
});

describe('receive buffer', () => {
  test('a message may begin anywhere: there is always room for the rest of it', () => {
    const buffer = new ReceiveBuffer();
    let written = 0;
    let read = 0;
    // Reads of any size; all but a tail of any size up to a message is parsed after each.
    for (let i = 0; i < 2000; i++) {
      const offered = buffer.offer();
      expect(offered.length).toBeGreaterThanOrEqual(65535);
      const count = 1 + ((i * 7919) % offered.length);
      for (let j = 0; j < count; j += 997) offered[j] = (written + j) & 255;
      buffer.added(count);
      const tail = Math.min(buffer.end - buffer.start, (i * 104729) % 65535);
      const parsed = buffer.end - tail - buffer.start;
      expect(buffer.bytes[buffer.end - count]).toBe(written & 255);
      buffer.start += parsed;
      read += parsed;
      written += count;
      buffer.compact();
      expect(written - read).toBe(buffer.end - buffer.start);
    }
  });

  test('octets that are kept do not change with the next read', () => {
    const buffer = new ReceiveBuffer();
    buffer.offer()[0] = 1;
    const kept = buffer.bytes.slice(0, 1);
    buffer.offer()[0] = 2;
    expect(kept[0]).toBe(1);
  });
});

describe('key files', () => {
  const folder = mkdtempSync(`${tmpdir()}/slb-key-`);
  afterAll(() => {
    rmSync(folder, { recursive: true });
  });
  const file = (name: string, text: string, mode = 0o600): string => {
    const path = `${folder}/${name}`;
    writeFileSync(path, text);
    chmodSync(path, mode);
    return path;
  };

  test('the octets without the line end', () => {
    expect(Buffer.from(readSecret(file('a', 'swordfish\n'))).toString()).toBe('swordfish');
    expect(Buffer.from(readSecret(file('b', 'sword fish '))).toString()).toBe('sword fish ');
    expect(readSecret(file('c', 'x'.repeat(80)))).toHaveLength(80);
  });

  test('refused, without a word of what is in it', () => {
    symlinkSync(`${folder}/a`, `${folder}/link`);
    for (const [path, why] of [
      [file('open', 'swordfish', 0o640), /may be used by others/],
      [file('empty', '\n'), /1 to 80/],
      [file('long', 'swordfish'.repeat(9)), /1 to 80/],
      [`${folder}/link`, /cannot open/],
      [`${folder}/none`, /ENOENT/],
      [folder, /not a regular file/],
    ] as const) {
      expect(() => readSecret(path)).toThrow(why);
      expect(() => readSecret(path)).not.toThrow(/swordfish/);
    }
  });
});
