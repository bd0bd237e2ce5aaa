// SPDX-License-Identifier: Apache-2.0
/** LSPs, transport labels and labels that are swapped or popped, as rows. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { AcceptSet, LabelRow, Tables, Version } from '../../../src/forwarding/addon/api.js';
import { coreInterface, DESTINATION, refusal, Segments, SOURCE } from './helpers.js';

let segments: Segments;
let tables: Tables;
let port: number;
beforeEach(() => {
  segments = new Segments();
  tables = segments.open();
  port = tables.putInterface(coreInterface());
});
afterEach(() => {
  tables.close();
  segments.remove();
});
function reopen(): void {
  tables.close();
  tables = segments.open();
}

const MACS = [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1] as const;
const ethernet = Uint8Array.of(...MACS, 0x88, 0x47);
const tagged = Uint8Array.of(...MACS, 0x81, 0, 0, 7, 0x88, 0x47);
type Lsp = Extract<Version, { kind: 'lsp' }>;
const lsp = (header: Partial<Lsp['header']> = {}, rest: Partial<Lsp> = {}): Version => ({
  ...{ kind: 'lsp', interface: port, mtu: 1492, dscpCopy: false, ...rest },
  header: { ethernet, labels: [16, 1_048_575], ttl: 255, dscp: 40, ...header },
});
const tunnel = (labels: readonly number[], from: Uint8Array = ethernet): Version => ({
  ...{ kind: 'tunnel', interface: port, protection: 'tunnel', encapsulation: 'gre', mtu: 1400 },
  ...{ sa: 0, dscpCopy: false, ecnCopy: false },
  header: {
    ...{ ethernet: from, source: SOURCE, destination: DESTINATION },
    ...{ ttl: 64, dscp: 10, flowLabel: 0, labels },
  },
});
const eight = [16, 17, 18, 19, 20, 21, 22, 23];

describe('next hops', () => {
  it('are given back as they were set, also to the next writer', () => {
    const slot = tables.nexthop('n');
    for (const version of [
      ...[lsp(), lsp({ labels: eight }), lsp({ ethernet: tagged, labels: [0] })],
      ...[lsp({ dscp: 0 }, { dscpCopy: true }), tunnel([16]), tunnel(eight, tagged)],
    ]) {
      tables.setNexthop(slot, version);
      expect(tables.nexthops()).toMatchObject([{ name: 'n', active: version }]);
      reopen();
      expect(tables.nexthops()).toMatchObject([{ name: 'n', active: version }]);
    }
    // TTL and DSCP are the transport labels': without one, nothing has them
    tables.setNexthop(slot, lsp({ labels: [] }));
    const empty = { kind: 'lsp', mtu: 1492, header: { ethernet, labels: [] } };
    expect(tables.nexthops()).toMatchObject([{ active: empty }]);
    expect(
      refusal(() => {
        tables.removeInterface(port);
      }),
    ).toBe('IN_USE');
  });

  it('refuse what no template holds or no wire carries', () => {
    const slot = tables.nexthop('n');
    const ip4 = Uint8Array.of(...MACS, 8, 0);
    const wrong: Version[] = [
      lsp({ labels: [...eight, 24] }),
      ...[1, 3, 4, 15].map((label) => lsp({ labels: [label] })),
      lsp({ ethernet: ip4 }),
      lsp({ ttl: 0 }),
      lsp({ dscp: 64 }),
      lsp({}, { mtu: 0 }),
      tunnel([16], ip4),
      tunnel([], ethernet),
      tunnel([...eight, 24]),
      tunnel([3]),
    ];
    for (const version of wrong) {
      const set = (): void => {
        tables.setNexthop(slot, version);
      };
      expect(refusal(set), JSON.stringify(version)).toBe('BAD_ARGUMENT');
    }
    expect(tables.nexthops()).toEqual([{ id: slot, name: 'n', version: 0 }]);
  });
});

describe('labels', () => {
  it('that are swapped hold their next hop, those that are popped nothing', () => {
    const nexthop = tables.nexthop('n');
    const accept = tables.acceptSet({ secured: [], clear: ['mpls'] });
    const rows: LabelRow[] = [
      { label: 16, action: 'swap', target: nexthop, out: 1_048_575, accept },
      { label: 17, action: 'pop', target: 0, accept },
    ];
    for (const row of rows) tables.setLabel(row);
    for (let i = 0; i < 2; i++) {
      expect(tables.labels()).toEqual(rows);
      expect(
        refusal(() => {
          tables.removeNexthop(nexthop);
        }),
      ).toBe('IN_USE');
      reopen();
    }
    for (const { label } of rows) tables.clearLabel(label);
    tables.removeNexthop(nexthop);
  });

  it.each([
    [{ label: 16, action: 'swap', target: 7, out: 16, accept: 0 }, 'NOT_FOUND'],
    [{ label: 16, action: 'swap', target: 1, accept: 0 }, 'BAD_ARGUMENT'],
    [{ label: 16, action: 'swap', target: 1, out: 3, accept: 0 }, 'BAD_ARGUMENT'],
    [{ label: 16, action: 'swap', target: 1, out: 1_048_576, accept: 0 }, 'BAD_ARGUMENT'],
    [{ label: 16, action: 'pop', target: 1, accept: 0 }, 'BAD_ARGUMENT'],
    [{ label: 16, action: 'vrf', target: 0, out: 16, accept: 0 }, 'BAD_ARGUMENT'],
  ] as const)('refuse %j', (row, code) => {
    expect(tables.nexthop('n')).toBe(1);
    expect(
      refusal(() => {
        tables.setLabel(row);
      }),
    ).toBe(code);
    expect(tables.labels()).toEqual([]);
  });
});

describe('accepted sets that name an interface', () => {
  const set: AcceptSet = { secured: [], clear: [], mplsInterface: 'asbr' };
  const other = (mtu = 1500): number =>
    tables.putInterface({ ...coreInterface('asbr'), vlan: 5, mtu, mplsOtherSp: true });
  const shown = (id: number): string | undefined =>
    tables.acceptSets().find((row) => row.id === id)?.mplsInterface;

  it('need it to be there, and are others for other interfaces', () => {
    expect(refusal(() => tables.acceptSet(set))).toBe('NOT_FOUND');
    other();
    const id = tables.acceptSet(set);
    expect(tables.acceptSet(set)).toBe(id);
    expect(tables.acceptSet({ ...set, mplsInterface: 'core0' })).not.toBe(id);
    expect(tables.acceptSets()).toContainEqual({ ...set, id });
  });

  it('follow it to a new row, over a restart too, and mean nothing once it is gone', () => {
    const first = other();
    const id = tables.acceptSet(set);
    tables.setLabel({ label: 16, action: 'pop', target: 0, accept: id });
    const second = other(1400);
    expect(second).not.toBe(first);
    tables.removeInterface(first);
    expect(shown(id)).toBe('asbr');
    reopen();
    expect(shown(id)).toBe('asbr');
    expect(tables.acceptSet(set)).toBe(id);
    tables.removeInterface(second);
    expect(shown(id)).toBeUndefined();
    reopen();
    expect(shown(id)).toBeUndefined();
    // another interface of that name does not bring the old set back to life
    other();
    expect(tables.acceptSet(set)).not.toBe(id);
    expect(shown(id)).toBeUndefined();
  });
});
