import { describe, expect, it } from 'vitest';
import type { NeighbourEntry, NeighbourWatcher } from '../../../src/kernel/neighbours.js';
import { NeighbourKeeper } from '../../../src/supervisor/neighbour-keeper.js';
import { makePlan } from '../../../src/supervisor/plan.js';
import { NO_EXPORT_STATES } from '../../../src/vpn/export-changes.js';
import { NO_LABELS } from '../../../src/vpn/label-plan.js';
import { NO_SP_TABLES } from '../../../src/vpn/sp-tables.js';
import { BASE, bytes, mac } from '../forwarding/fixture.js';
import { formatAddress } from '../../../src/lib/ip.js';

const MEMORY = { labels: NO_LABELS, spTables: NO_SP_TABLES, exports: NO_EXPORT_STATES };
const plan = makePlan(BASE, MEMORY, 0);

function setUp() {
  const asked: string[] = [];
  const note = (what: string) => (name: string, address: Uint8Array) => {
    asked.push(`${what} ${name} ${formatAddress(address)}`);
  };
  const watcher = {
    manage: note('manage'),
    unmanage: note('unmanage'),
    probe: note('probe'),
    entries: (): NeighbourEntry[] => [],
  };
  const clock = { now: 0 };
  const keeper = new NeighbourKeeper(
    (name) =>
      plan.model.interfaces.has(name) ? (watcher as unknown as NeighbourWatcher) : undefined,
    () => clock.now,
  );
  keeper.require(plan);
  const taken = () => asked.splice(0);
  return { keeper, taken, clock };
}

const entry = (name: string, address: string, known: boolean): NeighbourEntry => ({
  ...{ interface: name, address: bytes(address), state: known ? 'reachable' : 'failed' },
  ...(known ? { mac: mac(9) } : {}),
});

describe('neighbour keeper', () => {
  it('keeps gateways of the configuration resolved', () => {
    expect(setUp().taken()).toEqual(['manage ce-a 10.1.0.7']);
  });

  it('lets go of a gateway that the next plan does not have', () => {
    const { keeper, taken } = setUp();
    taken();
    keeper.require(makePlan({ ...BASE, vrfs: { A: {}, B: {} } }, MEMORY, 0));
    expect(taken()).toEqual(['unmanage ce-a 10.1.0.7']);
  });

  it('keeps a host that answers, as long as it answers', () => {
    const { keeper, taken } = setUp();
    taken();
    keeper.changed(entry('ce-a', '10.1.0.50', true));
    keeper.changed(entry('ce-a', '10.1.0.50', true));
    expect(taken()).toEqual(['manage ce-a 10.1.0.50']);
    keeper.changed(entry('ce-a', '10.1.0.50', false));
    expect(taken()).toEqual(['unmanage ce-a 10.1.0.50']);
    keeper.changed(entry('ce-a', '10.1.0.51', false));
    expect(taken()).toEqual([]);
  });

  it('never lets go of a gateway because it does not answer', () => {
    const { keeper, taken } = setUp();
    taken();
    keeper.changed(entry('ce-a', '10.1.0.7', true));
    keeper.changed(entry('ce-a', '10.1.0.7', false));
    expect(taken()).toEqual([]);
  });

  it('asks for on-link hosts of CE interfaces only, never for ourselves', () => {
    const { keeper, taken } = setUp();
    taken();
    for (const [name, address] of [
      ['ce-a', '10.9.0.1'],
      ['ce-a', '10.1.0.1'],
      ['core0', '198.51.100.2'],
      ['nosuch', '10.1.0.9'],
    ] as const) {
      keeper.probe(name, bytes(address));
    }
    expect(taken()).toEqual([]);
    keeper.probe('ce-a', bytes('10.1.0.9'));
    keeper.probe('ce-a', bytes('2001:db8:a::77'));
    expect(taken()).toEqual(['probe ce-a 10.1.0.9', 'probe ce-a 2001:db8:a::77']);
  });

  it('limits questions per interface: a scan of the subnet must not fill the kernel’s table', () => {
    const { keeper, taken, clock } = setUp();
    taken();
    for (let i = 0; i < 1000; i++) {
      keeper.probe('ce-a', bytes(`2001:db8:a::${(i + 2).toString(16)}`));
    }
    expect(taken()).toHaveLength(100);
    keeper.probe('ce-b', bytes('10.1.0.9'));
    expect(taken()).toHaveLength(1);
    clock.now += 1;
    for (let i = 0; i < 1000; i++) {
      keeper.probe('ce-a', bytes(`2001:db8:a::${(i + 2).toString(16)}`));
    }
    expect(taken()).toHaveLength(50);
  });

  it('limits learnt hosts per interface', () => {
    const { keeper, taken } = setUp();
    taken();
    for (let i = 0; i < 5000; i++) {
      keeper.changed(entry('ce-a', `2001:db8:a::${(i + 2).toString(16)}`, true));
    }
    expect(taken()).toHaveLength(4096);
  });
});
