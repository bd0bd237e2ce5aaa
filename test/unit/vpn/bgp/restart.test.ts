// SPDX-License-Identifier: Apache-2.0
/** When a restarted speaker chooses routes (RFC 4724 §4.1). */
import { describe, expect, it } from 'vitest';
import { FAMILY } from '../../../../src/bgp/codec/types.js';
import type { NeighborConfig } from '../../../../src/bgp/session/config.js';
import { Peer } from '../../../../src/bgp/rib/peers.js';
import {
  awaited,
  DEFERRED,
  goesByOldRoutes,
  Restart,
  TUNNELS_MS,
  type Awaited,
} from '../../../../src/vpn/bgp/restart.js';
import { OPEN } from '../../bgp/rib/lab.js';
import { contextOf, ip } from '../../bgp/rib/lab.js';

const bits = (...ids: number[]): number => ids.reduce((set, id) => set | (1 << id), 0);
const V4 = bits(FAMILY.ipv4Unicast, FAMILY.vpnv4, FAMILY.ipv4Labelled);
const V6 = DEFERRED & ~V4;
const up = (missing: number): Awaited => ({ up: true, missing, returnMs: 0 });
const down = (missing: number, returnMs: number): Awaited => ({ up: false, missing, returnMs });
const NOTHING = { select: 0, sweep: [] };
const LIMIT = 360_000;

describe('selection', () => {
  it('begins for an address family once every neighbour has said all of it', () => {
    const restart = new Restart(0, LIMIT);
    const ce = up(bits(FAMILY.ipv4Unicast));
    const reflector = up(bits(FAMILY.vpnv4, FAMILY.vpnv6));
    expect(restart.step(0, [ce, reflector], DEFERRED)).toEqual(NOTHING);
    // IPv6 is complete; VPNv4 alone is not what CEs are to be told.
    expect(restart.step(1, [ce, up(bits(FAMILY.vpnv4))], DEFERRED)).toEqual({
      select: V6,
      sweep: [],
    });
    expect(restart.step(2, [ce, up(0)], V4)).toEqual({ select: 0, sweep: [6] });
    expect(restart.step(3, [up(0), up(0)], V4)).toEqual({ select: V4, sweep: [] });
    expect(restart.over).toBe(false);
  });

  it('waits a while for the SAs of tunnels that routes now lead to', () => {
    const restart = new Restart(0, LIMIT);
    const step = (now: number, missing: number, pending: boolean): number =>
      restart.step(now, [up(missing)], DEFERRED, pending).select;
    // Nobody has said all: the time of the tunnels has not begun.
    expect(step(0, DEFERRED, true)).toBe(0);
    expect(step(60_000, V6, true)).toBe(0);
    expect(step(60_000 + TUNNELS_MS - 1, V6, true)).toBe(0);
    expect(step(60_000 + TUNNELS_MS, V6, true)).toBe(V4);
    expect(step(80_000, 0, true)).toBe(0);
    expect(step(80_100, 0, false)).toBe(V6);
  });

  it('waits for tunnels no longer than for neighbours, and not at all without deferral', () => {
    const restart = new Restart(0, LIMIT);
    expect(restart.step(LIMIT - 1, [up(0)], DEFERRED, true).select).toBe(0);
    expect(restart.step(LIMIT, [up(0)], DEFERRED, true).select).toBe(DEFERRED);
    expect(new Restart(0, 0).step(0, [up(0)], DEFERRED, true).select).toBe(DEFERRED);
  });

  it('leaves the rows of before until it has come to its end', () => {
    const restart = new Restart(1000, LIMIT);
    expect(restart.step(1000, [], DEFERRED)).toEqual({ select: DEFERRED, sweep: [] });
    expect(restart.step(1100, [], DEFERRED)).toEqual(NOTHING);
    expect(restart.step(1200, [], V6)).toEqual({ select: 0, sweep: [4] });
    expect(restart.over).toBe(false);
    expect(restart.step(1300, [], 0)).toEqual({ select: 0, sweep: [6] });
    expect(restart.over).toBe(true);
    expect(restart.step(1400, [], 0)).toEqual(NOTHING);
  });

  it('waits for who is away as long as our routes are kept there', () => {
    const restart = new Restart(5000, LIMIT);
    const away = [down(bits(FAMILY.vpnv4), 120_000)];
    expect(restart.step(5000, away, DEFERRED)).toEqual({ select: V6, sweep: [] });
    expect(restart.step(124_999, away, V4)).toEqual({ select: 0, sweep: [6] });
    expect(restart.step(125_000, away, V4)).toEqual({ select: V4, sweep: [] });
  });

  it('waits for nobody any more when the Selection_Deferral_Timer ends', () => {
    const restart = new Restart(0, 10_000);
    const silent = [up(DEFERRED), down(DEFERRED, 120_000)];
    expect(restart.step(9_999, silent, DEFERRED)).toEqual(NOTHING);
    expect(restart.step(10_000, silent, DEFERRED)).toEqual({ select: DEFERRED, sweep: [] });
    expect(restart.step(10_100, silent, 0)).toEqual({ select: 0, sweep: [4, 6] });
  });

  it('does not wait for who has restarted too; the rows of before do, until the timer ends', () => {
    const restarted = { ...up(0), later: bits(FAMILY.vpnv4) };
    for (const [end, neighbours] of [
      [2, [up(0)]],
      [LIMIT, [restarted]],
    ] as const) {
      const restart = new Restart(0, LIMIT);
      expect(restart.step(0, [restarted], DEFERRED)).toEqual({ select: DEFERRED, sweep: [] });
      expect(restart.step(1, [restarted], 0)).toEqual({ select: 0, sweep: [6] });
      expect(restart.over).toBe(false);
      expect(restart.step(end, neighbours, 0)).toEqual({ select: 0, sweep: [4] });
    }
  });

  it('does not wait at all without the timer; the rows of before do', () => {
    const restart = new Restart(0, 0);
    const silent = [up(DEFERRED)];
    expect(restart.step(0, silent, DEFERRED)).toEqual({ select: DEFERRED, sweep: [] });
    expect(restart.step(119_999, silent, 0)).toEqual(NOTHING);
    expect(restart.step(120_000, silent, 0)).toEqual({ select: 0, sweep: [4, 6] });
  });
});

describe('neighbours that are waited for', () => {
  const VPN = { 'vpnv4-unicast': {}, 'route-target': {} };
  const neighbour = (session: Partial<NeighborConfig>) => ({
    session: { address: '192.0.2.9', asn: 65001, families: VPN, ...session },
  });
  const peer = (awaitEndOfRib: number, configured = '192.0.2.9'): Peer =>
    new Peer(
      {
        ...{ id: 1, name: '192.0.2.9', configured, vrf: undefined, kind: 'ibgp' },
        ...{ address: ip('192.0.2.9'), localAddress: ip('192.0.2.1'), asn: 65001, localAsn: 65001 },
        ...{ routerId: 9, context: contextOf(), routeRefresh: true, enhancedRefresh: true },
        ...{ forwardingKept: 0, awaitEndOfRib },
      },
      OPEN,
    );
  const away = bits(FAMILY.vpnv4, FAMILY.routeTarget);

  it('are configured and away, for their restart time', () => {
    const of = (session: Partial<NeighborConfig>) =>
      awaited(new Map([['192.0.2.9', neighbour(session)]]), []);
    expect(of({})).toEqual([down(away, 120_000)]);
    expect(of({ gracefulRestart: { restartTime: 30 } })).toEqual([down(away, 30_000)]);
    expect(of({ gracefulRestart: false })).toEqual([]);
    expect(of({ shutdown: 'for work' })).toEqual([]);
    const rest = { asn: 65001, families: VPN };
    expect(awaited(new Map([['n', { session: { ...rest, prefix: '10.0.0.0/8' } }]]), [])).toEqual(
      [],
    );
  });

  it('are there and have not said all', () => {
    const all = new Map([['192.0.2.9', neighbour({})]]);
    const there = peer(away);
    expect(awaited(all, [undefined, there])).toEqual([up(away)]);
    there.endOfRib = bits(FAMILY.vpnv4);
    expect(awaited(all, [undefined, there])).toEqual([up(bits(FAMILY.routeTarget))]);
    there.up = false;
    expect(awaited(all, [undefined, there])).toEqual([down(away, 120_000)]);
    // It does not speak graceful restart, or has restarted itself.
    expect(awaited(all, [undefined, peer(0)])).toEqual([up(0)]);
    // One out of a prefix.
    expect(awaited(new Map(), [peer(away, '192.0.2.0/24')])).toEqual([up(away)]);
  });

  it('and away: they go by what they were told before, if that has labels', () => {
    expect(goesByOldRoutes([down(bits(FAMILY.vpnv4), 120_000), up(0)])).toBe(true);
    expect(goesByOldRoutes([down(bits(FAMILY.vpnv6), 120_000)])).toBe(true);
    // A CE; and one that is there, whom the RIB tells.
    expect(goesByOldRoutes([down(bits(FAMILY.ipv4Unicast), 120_000)])).toBe(false);
    expect(goesByOldRoutes([up(bits(FAMILY.vpnv4))])).toBe(false);
    expect(goesByOldRoutes([])).toBe(false);
  });
});
