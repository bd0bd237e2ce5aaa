// SPDX-License-Identifier: Apache-2.0
/** Opening as it mostly is: IKE_SA_INIT and IKE_AUTH, with a child SA. */
import { describe, expect, it } from 'vitest';
import { lost } from '../sa/plane.js';
import { ADDRESSES6, opened, setupOf, World } from './bench.js';
import { parsePrefix } from '../../../../src/lib/ip.js';

describe('a plain opening', () => {
  it('two exchanges, then both have the same keys and a child SA that carries', async () => {
    const world = new World();
    const { a, b } = world;
    const ike = a.open();
    // a --- IKE_SA_INIT: SAi1, KEi, Ni, N(NAT_DETECTION_*), ... --> b
    // a <-- IKE_SA_INIT: SAr1, KEr, Nr, N(...) --- b
    // a --- IKE_AUTH: SK {IDi, AUTH, IDr, SAi2, TSi, TSr} --> b
    // a <-- IKE_AUTH: SK {IDr, AUTH, SAr2, TSi, TSr} --- b
    await world.time.pass(0);
    const [ours, theirs] = [opened(ike), opened(b.responded[0])];
    expect(world.wire.map(({ from }) => from).join('')).toBe('abab');
    expect(ours.skD).toEqual(theirs.skD);
    expect(ours.skD.some((octet) => octet !== 0)).toBe(true);
    expect([ours.role, theirs.role]).toEqual(['initiator', 'responder']);
    expect(ours.responderSpi).toBe(theirs.responderSpi);
    expect(ours.keyExchanges).toEqual(['x25519']);
    expect(ours.identity).toMatchObject({
      method: 'psk',
      sp: 'sp-a',
      address: b.path.local.address,
    });
    expect(theirs.identity).toMatchObject({ method: 'psk', address: a.path.local.address });
    expect(ours.child?.inboundSpi).toBe(theirs.child?.outboundSpi);
    expect([lost(a.plane, b.plane), lost(b.plane, a.plane)]).toEqual([[], []]);
    // B's is its owner's to use: A has no keys before it has read the answer.
    expect([a.plane.active.size, b.plane.active.size]).toEqual([1, 0]);
    expect(a.counted()).toEqual({ child_sas_opened: 1 });
    expect(b.counted()).toEqual({ child_sas_opened: 1 });
    expect(world.time.pending).toBe(0);
  });

  it('over IPv6', async () => {
    const prefix = parsePrefix('2001:db8::/32');
    if (prefix === undefined) throw new Error('no prefix');
    const psks = [{ name: 'six', prefix, key: Buffer.from('another secret') }];
    const host = { addresses: ADDRESSES6, setup: setupOf('', { ranges: [prefix], psks }) };
    const world = new World(host, host);
    const ike = world.a.open();
    await world.time.pass(0);
    const [ours, theirs] = [opened(ike), opened(world.b.responded[0])];
    expect(ours.skD).toEqual(theirs.skD);
    expect(theirs.identity).toMatchObject({ address: ADDRESSES6.a, anchor: 'six' });
    expect(ours.features).toMatchObject({ natLocal: false, natRemote: false });
    expect(lost(world.a.plane, world.b.plane)).toEqual([]);
  });
});
