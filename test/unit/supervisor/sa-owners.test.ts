import { describe, expect, it } from 'vitest';
import type { SaRow, VpnSaRow } from '../../../src/forwarding/addon/api.js';
import { SaOwners } from '../../../src/supervisor/sa-owners.js';

const sa = (peer: number, spi: number, over: Partial<VpnSaRow> = {}): SaRow => ({
  ...{ name: `ike/${peer}@${spi}`, spi, algorithm: 'aes-gcm-128', encapsulation: 'gre' },
  ...{ source: Uint8Array.of(192, 0, 2, 1), destination: Uint8Array.of(198, 51, 100, peer) },
  ...{ spTable: 0, replayWindow: 0, packetLimit: 0n },
  ...over,
});
const bgp = (peer: number, spi: number): SaRow => {
  const { name, algorithm, source, destination, replayWindow, packetLimit } = sa(peer, spi);
  return {
    ...{ name, spi, algorithm, source, destination, spTable: 0, replayWindow, packetLimit },
    ...{ application: 'bgp', sourcePort: 0, destinationPort: 179 },
  };
};

/** The thread of each row, added one after the other. */
function spread(owners: SaOwners, rows: readonly SaRow[], threads: number): readonly number[] {
  return rows.map((row) => {
    const worker = owners.choose(row, threads);
    owners.add({ ...row, worker });
    return worker;
  });
}

describe('owners of SAs (policy-model 23)', () => {
  it('are as many threads as there are, each with as many SAs as any', () => {
    const rows = [1, 2, 3, 4, 5, 6].map((peer) => sa(peer, 0x1000 + peer));
    expect(spread(new SaOwners([]), rows, 3)).toStrictEqual([0, 1, 2, 0, 1, 2]);
    expect(spread(new SaOwners([]), rows, 1)).toStrictEqual([0, 0, 0, 0, 0, 0]);
  });

  it('stay for the SA that follows, so that no packet overtakes another at a rekey', () => {
    const owners = new SaOwners([]);
    const rows = [sa(1, 1), sa(2, 2), sa(2, 3), sa(2, 4, { algorithm: 'aes-gcm-256' }), sa(3, 5)];
    expect(spread(owners, rows, 2)).toStrictEqual([0, 1, 1, 1, 0]);
    owners.remove(rows[1]!.name);
    expect(owners.choose(sa(2, 6), 2)).toBe(1);
  });

  it('differ by encapsulation and protection, which have SAs of their own (policy-model 16)', () => {
    const rows = [
      sa(1, 1),
      sa(1, 2, { encapsulation: 'ip' }),
      sa(1, 3, { algorithm: 'aes-gmac-128' }),
    ];
    expect(spread(new SaOwners([]), rows, 3)).toStrictEqual([0, 1, 2]);
  });

  it('get new SAs when their last one is gone', () => {
    const owners = new SaOwners([]);
    const rows = [sa(1, 1), sa(2, 2), sa(3, 3)];
    spread(owners, rows, 2);
    owners.remove(rows[0]!.name);
    owners.remove(rows[2]!.name);
    expect(owners.choose(sa(4, 4), 2)).toBe(0);
    owners.remove('nobody');
  });

  it('of BGP is the first thread, which has the kernel’s packets', () => {
    const owners = new SaOwners([]);
    expect(spread(owners, [sa(1, 1), bgp(1, 2), sa(2, 3), bgp(2, 4)], 2)).toStrictEqual([
      0, 0, 1, 0,
    ]);
  });

  it('of the resources of one service (RFC 9611) follow one another, from wherever the first has its own', () => {
    const owners = new SaOwners([]);
    const of = (peer: number, spi: number, resource: number): SaRow =>
      sa(peer, spi, { name: `ike/${peer}@${spi}`, resource });
    const rows = [of(1, 1, 0), of(1, 2, 1), of(1, 3, 2), of(2, 4, 0), of(2, 5, 1), of(2, 6, 2)];
    expect(spread(owners, rows, 3)).toStrictEqual([0, 1, 2, 1, 2, 0]);
    // Rekeyed: each has the thread of its own resource, in any order.
    const next = [of(2, 7, 2), of(1, 8, 1), of(2, 9, 0)];
    expect(spread(owners, next, 3)).toStrictEqual([0, 1, 1]);
    // More of them than threads, because the peer has more.
    expect(owners.choose(of(2, 10, 3), 3)).toBe(1);
    // A restart, and the first is gone.
    const again = new SaOwners([
      { ...of(2, 5, 1), worker: 2 },
      { ...of(2, 6, 2), worker: 0 },
    ]);
    expect(again.choose(of(2, 11, 0), 3)).toBe(1);
    const wrapped = new SaOwners([{ ...of(2, 6, 2), worker: 0 }]);
    expect([0, 1, 2].map((r) => wrapped.choose(of(2, 20 + r, r), 3))).toStrictEqual([1, 2, 0]);
  });

  it('go on after a restart, with fewer threads, too', () => {
    const rows = [
      { ...sa(1, 1), worker: 2 },
      { ...sa(2, 2), worker: 1 },
    ];
    const owners = new SaOwners(rows);
    expect(owners.choose(sa(1, 3), 3)).toBe(2);
    expect(owners.choose(sa(1, 4), 2)).toBe(0);
    expect(owners.choose(sa(3, 5), 3)).toBe(0);
  });
});
