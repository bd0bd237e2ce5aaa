// SPDX-License-Identifier: Apache-2.0
/** Spoofed, replayed, modified and cut packets (P15): dropped, counted by reason, and without effect on the SA. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Algorithm } from '../../src/forwarding/addon/api.js';
import { sealEsp } from '../lib/esp.js';
import { PROTOCOL } from '../lib/packets.js';
import { carried, coreFrame, innerPacket, toCe, tunnelFrame } from './frames.js';
import { ANY, FAMILIES, HERE, LOCAL, Pe, REMOTE, THERE, type Family, type Sa } from './pe.js';

let pe: Pe;
let label: number;
beforeAll(async () => {
  pe = await Pe.start('hostile');
  label = pe.label('vrf', pe.vrfs.a, ANY);
});
afterAll(async () => {
  await pe.close();
});

const packet = innerPacket({ family: 4, source: THERE[4], destination: HERE[4], size: 20 });
const delivered = toCe(
  innerPacket({ family: 4, source: THERE[4], destination: HERE[4], size: 20, ttl: 32 }),
);
const inside = (): Buffer => carried({ encapsulation: 'gre', label, packet });
const good = (sa: Sa, sequence: number): Buffer =>
  tunnelFrame({
    ...{ encapsulation: 'gre', family: sa.family, direction: 'in', label, sa, sequence, packet },
  });
const outer = (family: Family): { direction: 'in'; family: Family; protocol: number } => ({
  ...{ direction: 'in', family, protocol: PROTOCOL.esp },
});

/** Nothing of it gets through, and the SA is as if it had never come. */
async function refused(sa: Sa, frames: readonly Buffer[]): Promise<Record<string, number>> {
  const before = pe.saState('in', sa);
  const { out, drops } = await pe.run({ core: frames });
  expect(out).toEqual({});
  const { sequence, packets, bytes } = pe.saState('in', sa);
  expect([sequence, packets, bytes]).toEqual([before.sequence, before.packets, before.bytes]);
  return drops;
}

async function accepted(sa: Sa, sequence: number): Promise<void> {
  const { out, drops } = await pe.run({ core: [good(sa, sequence)] });
  expect([drops, out]).toEqual([{}, { ce: [delivered] }]);
}

const CASES: readonly (readonly [Family, Algorithm])[] = FAMILIES.flatMap((family) =>
  (['aes-gcm-128', 'aes-gcm-256', 'aes-gmac-128', 'aes-gmac-256'] as const).map(
    (algorithm) => [family, algorithm] as const,
  ),
);

describe.each(CASES)('IPv%i, %s', (family, algorithm) => {
  const head = family === 4 ? 34 : 54;

  it('one bit flipped in any byte of ESP', async () => {
    const sa = await pe.sa('in', { family, algorithm });
    const frame = good(sa, 7);
    const flipped = Array.from({ length: frame.length - head }, (_, i) => {
      const copy = Buffer.from(frame);
      copy.writeUInt8(copy.readUInt8(head + i) ^ (1 << (i % 8)), head + i);
      return copy;
    });
    // the first four bytes are the SPI
    const want = { esp_unknown_spi: 4, esp_auth_failed: flipped.length - 4 };
    expect(await refused(sa, flipped)).toEqual(want);
    expect(pe.saState('in', sa).authFailed).toBe(BigInt(flipped.length - 4));
    await accepted(sa, 7);
  });

  it('cut at every length, with an outer header that agrees and with one that does not', async () => {
    const sa = await pe.sa('in', { family, algorithm });
    const frame = good(sa, 7);
    const esp = frame.subarray(head);
    const cut = Array.from({ length: esp.length }, (_, n) =>
      coreFrame(esp.subarray(0, n), outer(family)),
    );
    // SPI, sequence, IV, pad length, next header, ICV: 34 bytes at least
    const want = { esp_truncated: 34, esp_auth_failed: esp.length - 34 };
    expect(await refused(sa, cut)).toEqual(want);
    const short = Array.from({ length: frame.length - 14 }, (_, n) => frame.subarray(0, 14 + n));
    const header = family === 4 ? 'ip4_header' : 'ip6_header';
    expect(await refused(sa, short)).toEqual({ [header]: short.length });
    await accepted(sa, 7);
  });
});

describe('spoofed', () => {
  it.each(FAMILIES)('IPv%i: another source or destination than the SA’s', async (family) => {
    const sa = await pe.sa('in', { family });
    const other = family === 4 ? '192.0.2.77' : '2001:db8:f::77';
    const esp = sealEsp(sa.esp, 1, inside(), PROTOCOL.gre);
    const from = coreFrame(esp, { ...outer(family), source: other });
    expect(await refused(sa, [from])).toEqual({ esp_outer_address: 1 });
    // to nobody here, and to another address of this PE
    const to = coreFrame(esp, { ...outer(family), destination: other });
    expect(await refused(sa, [to])).toEqual({ core_transit: 1 });
    const receive = { kind: 'receive', interface: pe.interfaces.core, vrf: 0 } as const;
    pe.route('core', other, pe.nexthop(receive));
    expect(await refused(sa, [to])).toEqual({ esp_outer_address: 1 });
    // both ends exchanged: reflected
    const back = coreFrame(esp, {
      ...{ ...outer(family), source: LOCAL[family], destination: REMOTE[family] },
    });
    expect(await refused(sa, [back])).toEqual({ core_transit: 1 });
    // the SPI of an SA of the other family
    const wrong = family === 4 ? 6 : 4;
    expect(await refused(sa, [coreFrame(esp, outer(wrong))])).toEqual({ esp_outer_address: 1 });
    await accepted(sa, 1);
  });

  it('an SPI of nobody, also one that shares the table slot of a live SA', async () => {
    const sa = await pe.sa('in');
    const spis = [0, 1, 255, (sa.row.spi ^ 0x8000_0000) >>> 0, (sa.row.spi ^ 0x10_0000) >>> 0];
    const frames = spis.map((spi) =>
      coreFrame(sealEsp({ ...sa.esp, spi }, 1, inside(), PROTOCOL.gre), outer(4)),
    );
    expect(await refused(sa, frames)).toEqual({ esp_unknown_spi: spis.length });
  });

  it('another key under the right SPI, and AES-GMAC under the key of AES-GCM', async () => {
    const sa = await pe.sa('in');
    const other = await pe.sa('in');
    const frames = [
      sealEsp({ ...other.esp, spi: sa.row.spi }, 1, inside(), PROTOCOL.gre),
      sealEsp({ ...sa.esp, authenticateOnly: true }, 2, inside(), PROTOCOL.gre),
      // with a high half of an extended sequence number, which was not negotiated
      sealEsp(sa.esp, 3, inside(), PROTOCOL.gre, { high: 0 }),
    ].map((esp) => coreFrame(esp, outer(4)));
    expect(await refused(sa, frames)).toEqual({ esp_auth_failed: 3 });
  });

  it('an SA that was removed', async () => {
    const sa = await pe.sa('in');
    await accepted(sa, 1);
    pe.harness.tables.removeSa('in', sa.id);
    const { out, drops } = await pe.run({ core: [good(sa, 2)] });
    expect([out, drops]).toEqual([{}, { esp_unknown_spi: 1 }]);
  });

  it('an SA that is installed and not activated', async () => {
    const sa = await pe.sa('in', { activate: false });
    expect(await refused(sa, [good(sa, 1)])).toEqual({ esp_unknown_spi: 1 });
    pe.harness.tables.activateSa(sa.id);
    await accepted(sa, 1);
  });
});

describe('replayed', () => {
  it.each([64, 1024, 4096])('window of %i packets', async (window) => {
    const sa = await pe.sa('in', { replayWindow: window });
    const highest = 3 * window + 5;
    await accepted(sa, highest);
    expect(await refused(sa, [good(sa, highest)])).toEqual({ esp_replayed: 1 });
    // the left edge, from both sides
    await accepted(sa, highest - window + 1);
    expect(await refused(sa, [good(sa, highest - window)])).toEqual({ esp_replayed: 1 });
    expect(await refused(sa, [good(sa, highest - window + 1)])).toEqual({ esp_replayed: 1 });
    // the window slides: what was inside is outside
    await accepted(sa, highest + 10);
    expect(await refused(sa, [good(sa, highest - window + 10)])).toEqual({ esp_replayed: 1 });
    await accepted(sa, highest - window + 11);
    expect(pe.saState('in', sa)).toMatchObject({ packets: 4n, replayed: 4n });
  });

  it('twice within one burst', async () => {
    const sa = await pe.sa('in');
    const frame = good(sa, 1);
    const { out, drops } = await pe.run({ core: Array.from({ length: 20 }, () => frame) });
    expect([out, drops]).toEqual([{ ce: [delivered] }, { esp_replayed: 19 }]);
  });

  it('each of a window, in any order, exactly once', async () => {
    const sa = await pe.sa('in', { replayWindow: 256 });
    // 1..256 in an order that visits them all (77 and 256 are coprime), then all of them again
    const order = Array.from({ length: 256 }, (_, i) => ((i * 77) % 256) + 1);
    const once = await pe.run({ core: order.map((sequence) => good(sa, sequence)) });
    expect([once.drops, once.out['ce']?.length]).toEqual([{}, 256]);
    const again = await refused(
      sa,
      order.map((sequence) => good(sa, sequence)),
    );
    expect(again).toEqual({ esp_replayed: 256 });
  });

  it('a forged number does not move the window', async () => {
    const sa = await pe.sa('in', { replayWindow: 64 });
    await accepted(sa, 100);
    const forged = good(sa, 0xffff_fff0);
    forged.writeUInt8(forged.readUInt8(60) ^ 1, 60);
    expect(await refused(sa, [forged])).toEqual({ esp_auth_failed: 1 });
    await accepted(sa, 90);
  });

  it('number 0 is never accepted, the last one is, and then nothing newer', async () => {
    const sa = await pe.sa('in', { replayWindow: 64 });
    expect(await refused(sa, [good(sa, 0)])).toEqual({ esp_replayed: 1 });
    await accepted(sa, 0xffff_ffff);
    expect(await refused(sa, [good(sa, 0xffff_ffff), good(sa, 1)])).toEqual({ esp_replayed: 2 });
    const off = await pe.sa('in', { replayWindow: 0 });
    expect(await refused(off, [good(off, 0)])).toEqual({ esp_replayed: 1 });
  });

  it('with the window off an equal packet passes', async () => {
    const sa = await pe.sa('in', { replayWindow: 0 });
    await accepted(sa, 5);
    await accepted(sa, 5);
  });

  it('after a kill of the worker what was seen is still seen', async () => {
    const sa = await pe.sa('in');
    await accepted(sa, 2000);
    await accepted(sa, 1500);
    await pe.harness.killWorker();
    await pe.harness.startWorker();
    await pe.bringUp();
    expect(await refused(sa, [good(sa, 2000), good(sa, 1500), good(sa, 976)])).toEqual({
      ...{ esp_replayed: 3 },
    });
    await accepted(sa, 1499);
    await accepted(sa, 977);
    await accepted(sa, 2001);
  });
});
