// SPDX-License-Identifier: Apache-2.0
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { AcceptSet, Tables } from '../../../src/forwarding/addon/api.js';
import { batch, coreInterface, ip4, refusal, Segments, vrf } from './helpers.js';

let segments: Segments;
let tables: Tables;
beforeEach(() => {
  segments = new Segments();
  tables = segments.open();
});
afterEach(() => {
  tables.close();
  segments.remove();
});

/** Closes and opens again, as a new supervisor does. */
function reopen(): void {
  tables.close();
  tables = segments.open();
}

describe('the traffic classes of the core', () => {
  it('are the class selectors until they are set, and stay', () => {
    const classes = Uint8Array.from({ length: 64 }, (_, dscp) => dscp >> 3);
    expect(tables.trafficClasses()).toEqual(classes);
    classes[46] = 7;
    tables.setTrafficClasses(classes);
    expect(tables.trafficClasses()).toEqual(classes);
    reopen();
    expect(tables.trafficClasses()).toEqual(classes);
  });

  it('are 0..7, for every DSCP', () => {
    for (const bad of [new Uint8Array(63), new Uint8Array(65), new Uint8Array(64).fill(8, 63)]) {
      expect(
        refusal(() => {
          tables.setTrafficClasses(bad);
        }),
      ).toBe('BAD_ARGUMENT');
    }
  });
});

it('the floor of path MTUs is a number of bytes that an IP header can tell', () => {
  for (const good of [0, 1280, 65_535]) tables.setPathMtuFloor(good);
  for (const bad of [-1, 65_536, 1.5]) {
    expect(
      refusal(() => {
        tables.setPathMtuFloor(bad);
      }),
    ).toBe('BAD_ARGUMENT');
  }
});

describe('VRFs', () => {
  it('are found by name, changed in place, and listed with the core', () => {
    const id = vrf(tables, 'a');
    expect(vrf(tables, 'a')).toBe(id);
    expect(vrf(tables, '')).toBe(0);
    const row = {
      ...{ name: 'a', ttlUniform: true, tcUniform: true, clampMss: true, hostInterface: 0 },
      icmpSource4: ip4(10, 0, 0, 1),
      icmpSource6: Uint8Array.of(0x20, 1, ...new Uint8Array(13), 1),
    };
    expect(tables.putVrf({ ...row, dscp: 0 })).toBe(id);
    expect(tables.vrfs()[1]).toEqual({ ...row, dscp: 0, id });
    expect(tables.putVrf({ ...row, dscp: 63 })).toBe(id);
    expect(tables.vrfs()[1]).toEqual({ ...row, dscp: 63, id });
    expect(tables.putVrf(row)).toBe(id);
    const live = [
      { id: 0, name: '', ttlUniform: false, tcUniform: false, clampMss: false, hostInterface: 0 },
      { ...row, id },
    ];
    expect(tables.vrfs()).toEqual(live);
    reopen();
    expect(tables.vrfs()).toEqual(live);
  });

  it('stay while anything refers to them', () => {
    const id = vrf(tables, 'a');
    const nexthop = tables.nexthop('n');
    const route = { address: ip4(10, 0, 0, 0), length: 8 };
    tables.applyRoutes(batch(id, 4, [{ ...route, nexthop }]));
    expect(
      refusal(() => {
        tables.removeVrf(id);
      }),
    ).toBe('IN_USE');
    tables.applyRoutes(batch(id, 4, [{ ...route, nexthop: undefined }]));
    const port = tables.putInterface({ ...coreInterface('i'), role: 'ce', vrf: id });
    expect(
      refusal(() => {
        tables.removeVrf(id);
      }),
    ).toBe('IN_USE');
    tables.removeInterface(port);
    tables.setLabel({ label: 100, action: 'vrf', target: id, accept: 0 });
    expect(
      refusal(() => {
        tables.removeVrf(id);
      }),
    ).toBe('IN_USE');
    reopen();
    expect(
      refusal(() => {
        tables.removeVrf(id);
      }),
    ).toBe('IN_USE');
    tables.clearLabel(100);
    tables.removeVrf(id);
    expect(tables.vrfs().map(({ name }) => name)).toEqual(['']);
    expect(
      refusal(() => {
        tables.removeVrf(id);
      }),
    ).toBe('NOT_FOUND');
    expect(
      refusal(() => {
        tables.removeVrf(0);
      }),
    ).toBe('IN_USE');
  });
});

describe('interfaces and ports', () => {
  it('have a tag in front of their VLAN’s, which makes another row', () => {
    const row = { ...coreInterface('core0'), vlan: 7 };
    const plain = tables.putInterface(row);
    const ids = ([0x88a8, 0x8100] as const).map((type) => {
      const tagged = { ...row, serviceTag: { vlan: 4094, type } };
      const id = tables.putInterface(tagged);
      expect(tables.putInterface(tagged)).toBe(id);
      expect(tables.interfaces()).toContainEqual({ ...tagged, id });
      return id;
    });
    expect(new Set([plain, ...ids]).size).toBe(3);
  });

  it.each([
    [{ vlan: 7, serviceTag: { vlan: 0, type: 0x88a8 } }],
    [{ vlan: 7, serviceTag: { vlan: 4095, type: 0x88a8 } }],
    [{ vlan: 7, serviceTag: { vlan: 1, type: 0x9100 as 0x8100 } }],
    [{ vlan: 0, serviceTag: { vlan: 1, type: 0x88a8 } }],
  ] as const)('refuse %j', (tags) => {
    expect(refusal(() => tables.putInterface({ ...coreInterface('core0'), ...tags }))).toBe(
      'BAD_ARGUMENT',
    );
    expect(tables.interfaces()).toEqual([]);
  });

  it('keep their row when flags or addresses change, and get another otherwise', () => {
    const port = tables.portId('eth0');
    expect(tables.portId('eth0')).toBe(port);
    const row = coreInterface('core0', port);
    const id = tables.putInterface(row);
    const changed = { ...row, acceptGre: true, address4: ip4(192, 0, 2, 9) };
    expect(tables.putInterface(changed)).toBe(id);
    expect(tables.interfaces()).toEqual([{ ...changed, id }]);
    const other = tables.putInterface({ ...changed, mtu: 9000 });
    expect(other).not.toBe(id);
    expect(tables.interfaces()).toHaveLength(2);
    expect(
      refusal(() => {
        tables.releasePort(port);
      }),
    ).toBe('IN_USE');
    reopen();
    expect(tables.ports()).toEqual([{ id: port, name: 'eth0' }]);
    expect(
      refusal(() => {
        tables.releasePort(port);
      }),
    ).toBe('IN_USE');
    tables.removeInterface(id);
    tables.removeInterface(other);
    tables.releasePort(port);
    expect(tables.ports()).toEqual([]);
  });

  it('go from the VRF whose host interface they were', () => {
    const host = tables.putInterface({ ...coreInterface('host'), role: 'host' });
    const row = {
      name: 'a',
      ttlUniform: false,
      tcUniform: false,
      clampMss: false,
      hostInterface: host,
    };
    tables.putVrf(row);
    tables.removeInterface(host);
    expect(tables.vrfs()[1]).toMatchObject({ hostInterface: 0 });
    expect(refusal(() => tables.putVrf(row))).toBe('NOT_FOUND');
  });
});

describe('accepted sets', () => {
  const set: AcceptSet = {
    secured: [{ protection: 'encrypt', encapsulation: 'gre', sps: [1, 63] }],
    clear: ['mpls', 'mpls-own-sp'],
  };

  it('are shared by content; one that accepts nothing is 0', () => {
    const id = tables.acceptSet(set);
    const shuffled: AcceptSet = {
      secured: [
        { protection: 'encrypt', encapsulation: 'gre', sps: [63] },
        { protection: 'encrypt', encapsulation: 'gre', sps: [1, 1] },
        { protection: 'authenticate', encapsulation: 'ip', sps: [] },
      ],
      clear: ['mpls-own-sp', 'mpls'],
    };
    expect(tables.acceptSet(shuffled)).toBe(id);
    expect(tables.acceptSet({ secured: [], clear: [] })).toBe(0);
    expect(tables.acceptSet({ secured: [], clear: ['gre'] })).not.toBe(id);
    expect(tables.acceptSets()).toContainEqual({ ...set, id });
  });

  it('survive a new writer while something refers to them', () => {
    const id = tables.acceptSet(set);
    tables.setLabel({ label: 16, action: 'vrf', target: 0, accept: id });
    tables.acceptSet({ secured: [], clear: ['ip'] });
    reopen();
    expect(tables.acceptSets()).toEqual([{ ...set, id }]);
    expect(tables.acceptSet(set)).toBe(id);
  });

  it.each([[0], [64], [-1], [1.5]])('refuse secured table %d', (sp) => {
    const wrong: AcceptSet = {
      secured: [{ protection: 'encrypt', encapsulation: 'gre', sps: [sp] }],
      clear: [],
    };
    expect(refusal(() => tables.acceptSet(wrong))).toBe('BAD_ARGUMENT');
  });
});

describe('labels', () => {
  it('name a VRF or a next hop and an accepted set, all of them live', () => {
    const id = vrf(tables, 'a');
    const nexthop = tables.nexthop('ce');
    const accept = tables.acceptSet({ secured: [], clear: ['mpls'] });
    const rows = [
      { label: 16, action: 'vrf', target: id, accept },
      { label: 1_048_575, action: 'nexthop', target: nexthop, accept: 0 },
    ] as const;
    for (const row of rows) tables.setLabel(row);
    expect(tables.labels()).toEqual(rows);
    expect(
      refusal(() => {
        tables.removeNexthop(nexthop);
      }),
    ).toBe('IN_USE');
    reopen();
    expect(tables.labels()).toEqual(rows);
    expect(
      refusal(() => {
        tables.removeNexthop(nexthop);
      }),
    ).toBe('IN_USE');
    tables.clearLabel(1_048_575);
    tables.removeNexthop(nexthop);
    expect(
      refusal(() => {
        tables.clearLabel(1_048_575);
      }),
    ).toBe('NOT_FOUND');
  });

  it('can be read one by one', () => {
    const id = vrf(tables, 'a');
    const row = { label: 16, action: 'vrf', target: id, accept: 0 } as const;
    tables.setLabel(row);
    expect([tables.labelRow(16), tables.labelRow(17)]).toEqual([row, undefined]);
    expect(refusal(() => tables.labelRow(1_048_576))).toBe('BAD_ARGUMENT');
    const nexthop = tables.nexthop('ce');
    expect(tables.nexthopRow(nexthop)).toEqual({ id: nexthop, name: 'ce', version: 0 });
    tables.setNexthop(nexthop, {
      ...{ kind: 'drop', vrf: id, reason: 'blackhole', icmpUnreachable: false },
    });
    expect(tables.nexthopRow(nexthop)).toEqual(tables.nexthops()[0]);
    tables.removeNexthop(nexthop);
    for (const gone of [nexthop, 0, 7, 2 ** 32 - 1]) {
      expect(tables.nexthopRow(gone)).toBeUndefined();
    }
  });

  it('refuse by the worker’s own code', () => {
    const set = tables.acceptSet({
      secured: [{ protection: 'encrypt', encapsulation: 'gre', sps: [1] }],
      clear: [],
    });
    const came = { protection: 'encrypt', encapsulation: 'gre', spTable: 1, interface: 0 } as const;
    expect(tables.refusal(set, came)).toBeUndefined();
    expect(tables.refusal(set, { ...came, spTable: 2 })).toBe('label_wrong_sp');
    expect(tables.refusal(set, { ...came, encapsulation: 'ip' })).toBe('label_wrong_encap');
    const other = { ...came, protection: 'authenticate' } as const;
    expect(tables.refusal(set, other)).toBe('label_wrong_protection');
    const clear = { ...came, protection: 'tunnel', spTable: 0 } as const;
    expect(tables.refusal(set, clear)).toBe('label_protected');
    for (const none of [0, 65_535]) expect(tables.refusal(none, came)).toBe('label_wrong_sp');
    expect(refusal(() => tables.refusal(set, { ...came, spTable: 64 }))).toBe('BAD_ARGUMENT');
  });

  it.each([
    [{ label: 15, action: 'vrf', target: 0, accept: 0 }, 'BAD_ARGUMENT'],
    [{ label: 1_048_576, action: 'vrf', target: 0, accept: 0 }, 'BAD_ARGUMENT'],
    [{ label: 16, action: 'vrf', target: 7, accept: 0 }, 'NOT_FOUND'],
    [{ label: 16, action: 'nexthop', target: 7, accept: 0 }, 'NOT_FOUND'],
    [{ label: 16, action: 'vrf', target: 0, accept: 7 }, 'NOT_FOUND'],
  ] as const)('refuse %j', (row, code) => {
    expect(
      refusal(() => {
        tables.setLabel(row);
      }),
    ).toBe(code);
    expect(tables.labels()).toEqual([]);
  });
});

describe('the rest', () => {
  it('keeps the configuration digest', () => {
    const digest = Uint8Array.from({ length: 32 }, (_, i) => i);
    expect(tables.configDigest()).toEqual(new Uint8Array(32));
    tables.setConfigDigest(digest);
    reopen();
    expect(tables.configDigest()).toEqual(digest);
    expect(
      refusal(() => {
        tables.setConfigDigest(new Uint8Array(31));
      }),
    ).toBe('BAD_ARGUMENT');
  });

  it('counts zero without a worker', () => {
    const NO_BUFFERS = { size: 0n, free: 0n, least: 0n };
    expect(tables.worker()).toEqual({
      pools: [NO_BUFFERS, NO_BUFFERS],
      ...{ alive: false, pid: 0, starts: 0n, controlHeartbeatNs: 0n, lcores: [] },
    });
    const drops = tables.drops();
    expect(drops.length).toBeGreaterThan(50);
    expect(drops[0]).toEqual({
      reason: 'rx_truncated',
      text: 'frame shorter than its headers say',
      packets: 0n,
    });
    expect(tables.vrfCounters(0)).toMatchObject({ fromCePackets: 0n });
    expect(tables.labelCounters(16)).toEqual({ packets: 0n, bytes: 0n });
    expect(refusal(() => tables.interfaceCounters(1))).toBe('NOT_FOUND');
    expect(refusal(() => tables.portCounters(1))).toBe('NOT_FOUND');
    expect(tables.portCounters(tables.portId('wire'))).toEqual({
      ...{ rxPackets: 0n, rxMissed: 0n, rxErrors: 0n, rxNoBuffer: 0n },
      ...{ txPackets: 0n, txFull: 0n, txErrors: 0n },
    });
    expect(refusal(() => tables.portCounters(256))).toBe('NOT_FOUND');
    expect(tables.memory().map(({ table }) => table)).toContain('fib_node');
  });
});
