// SPDX-License-Identifier: Apache-2.0
import { createHash } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Tables, Version } from '../../../src/forwarding/addon/api.js';
import {
  coreInterface,
  DESTINATION,
  freshKey,
  inboundSa,
  outboundSa,
  refusal,
  Segments,
  SOURCE,
  vrf,
} from './helpers.js';

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

const MAC = Uint8Array.of(2, 0, 0, 0, 0, 2);
const ethernet = Uint8Array.of(...MAC, 2, 0, 0, 0, 0, 1, 8, 0);

function tunnel(
  overrides: Partial<Extract<Version, { kind: 'tunnel' }>> & { interface: number },
): Version {
  return {
    ...{ kind: 'tunnel', protection: 'tunnel', encapsulation: 'gre', mtu: 1400, sa: 0 },
    dscpCopy: false,
    ecnCopy: false,
    header: { ethernet, source: SOURCE, destination: DESTINATION, ttl: 64, dscp: 10, flowLabel: 0 },
    ...overrides,
  };
}

describe('next hops', () => {
  it('give back every kind of version as it was set', () => {
    const port = tables.putInterface(coreInterface());
    const id = vrf(tables, 'a');
    const sa = tables.addSa('out', outboundSa('sa', 0x1000), freshKey());
    const header = { ethernet, source: SOURCE, destination: DESTINATION, ttl: 64, flowLabel: 0 };
    const versions: Version[] = [
      { kind: 'drop', reason: 'unreachable', icmpUnreachable: true, vrf: id },
      { kind: 'receive', interface: port, vrf: id },
      { kind: 'glean', interface: port, vrf: id },
      {
        kind: 'adjacency',
        interface: port,
        vrf: id,
        neighbour: SOURCE,
        mtu: 1500,
        header: ethernet,
      },
      tunnel({ interface: port }),
      tunnel({
        interface: port,
        encapsulation: 'ip',
        dscpCopy: true,
        ecnCopy: true,
        header: { ...header, dscp: 0 },
      }),
      tunnel({
        interface: port,
        protection: 'encrypt',
        sa,
        header: { ...header, dscp: 1, spi: 0x1000 },
      }),
    ];
    const slot = tables.nexthop('n');
    for (const version of versions) {
      tables.setNexthop(slot, version);
      expect(tables.nexthops()).toMatchObject([{ id: slot, name: 'n', active: version }]);
    }
    reopen();
    expect(tables.nexthops()).toMatchObject([{ id: slot, name: 'n' }]);
    tables.setNexthop(slot, undefined);
    expect(tables.nexthops()).toEqual([{ id: slot, name: 'n', version: 0 }]);
  });

  it('hold their interface and SA in use', () => {
    const port = tables.putInterface(coreInterface());
    const sa = tables.addSa('out', outboundSa('sa', 0x1000), freshKey());
    const slot = tables.nexthop('n');
    const header = { ethernet, source: SOURCE, destination: DESTINATION, ttl: 64, dscp: 0 };
    tables.setNexthop(
      slot,
      tunnel({
        interface: port,
        protection: 'encrypt',
        sa,
        header: { ...header, flowLabel: 0, spi: 0x1000 },
      }),
    );
    expect(
      refusal(() => {
        tables.removeInterface(port);
      }),
    ).toBe('IN_USE');
    expect(
      refusal(() => {
        tables.removeSa('out', sa);
      }),
    ).toBe('IN_USE');
    tables.setNexthop(slot, tunnel({ interface: port }));
    tables.removeSa('out', sa);
    tables.setNexthop(slot, undefined);
    tables.removeInterface(port);
  });

  it('refuse a tunnel that does not say what its SA does', () => {
    const port = tables.putInterface(coreInterface());
    const sa = tables.addSa('out', outboundSa('sa', 0x1000), freshKey());
    const slot = tables.nexthop('n');
    const header = { ethernet, source: SOURCE, destination: DESTINATION, ttl: 64, dscp: 0 };
    const good = { ...header, flowLabel: 0, spi: 0x1000 };
    const wrong: Version[] = [
      tunnel({ interface: port, protection: 'authenticate', sa, header: good }),
      tunnel({ interface: port, protection: 'encrypt', encapsulation: 'ip', sa, header: good }),
      tunnel({ interface: port, protection: 'encrypt', sa, header: { ...good, spi: 0x1001 } }),
      tunnel({
        interface: port,
        protection: 'encrypt',
        sa,
        header: { ...good, destination: SOURCE },
      }),
      tunnel({ interface: port, protection: 'encrypt', sa }),
      tunnel({ interface: port, protection: 'encrypt', header: good }),
      tunnel({ interface: port, protection: 'tunnel', sa, header: good }),
      tunnel({ interface: port, header: { ...header, flowLabel: 0, ttl: 0 } }),
      tunnel({ interface: port, header: { ...header, flowLabel: 1 } }),
      tunnel({ interface: port, header: { ...header, flowLabel: 0, ethernet: MAC } }),
    ];
    for (const version of wrong) {
      expect(
        refusal(() => {
          tables.setNexthop(slot, version);
        }),
      ).toBe('BAD_ARGUMENT');
    }
    expect(
      refusal(() => {
        tables.setNexthop(slot, tunnel({ interface: port + 1 }));
      }),
    ).toBe('NOT_FOUND');
    expect(tables.nexthops()).toEqual([{ id: slot, name: 'n', version: 0 }]);
  });
});

describe('SAs', () => {
  it('are listed without their keys, with generations that rise', () => {
    const key = freshKey(36);
    const row = { ...outboundSa('one', 0x1000), algorithm: 'aes-gcm-256' } as const;
    const id = tables.addSa('out', row, key);
    const other = tables.addSa('in', inboundSa('two', 0x1000), freshKey());
    const [out] = tables.sas('out');
    const [inbound] = tables.sas('in');
    expect(out).toMatchObject({ ...row, id });
    expect(inbound).toMatchObject({ ...inboundSa('two', 0x1000), id: other });
    expect(inbound!.generation).toBeGreaterThan(out!.generation);
    expect(out!.keyCheck).toBe(createHash('sha256').update(key).digest().readBigUInt64BE());
    expect(Object.keys(out!)).not.toContain('key');
    expect(tables.saState('out', id)).toEqual({
      ...{ ready: false, sequence: 0n, packets: 0n, bytes: 0n, replayed: 0n, authFailed: 0n },
      ...{ probeRound: 0, probeBytes: 0 },
    });
    tables.removeSa('out', id);
    expect(tables.sas('out')).toEqual([]);
    const again = tables.addSa('out', outboundSa('three', 0x1000), freshKey());
    expect(tables.sas('out')[0]).toMatchObject({ id: again });
    expect(tables.sas('out')[0]!.generation).toBeGreaterThan(inbound!.generation);
  });

  it('never take a key twice, in either direction, after removal or a restart', () => {
    const key = freshKey();
    const id = tables.addSa('out', outboundSa('one', 0x1000), key);
    const attempts = (): (string | undefined)[] => [
      refusal(() => tables.addSa('out', outboundSa('two', 0x2000), key)),
      refusal(() => tables.addSa('in', inboundSa('two', 0x2000), key)),
    ];
    expect(attempts()).toEqual(['KEY_REUSED', 'KEY_REUSED']);
    reopen();
    expect(attempts()).toEqual(['KEY_REUSED', 'KEY_REUSED']);
    if (tables.sas('out').length > 0) tables.removeSa('out', id);
    expect(attempts()).toEqual(['KEY_REUSED', 'KEY_REUSED']);
  });

  it('share neither SPI nor slot', () => {
    tables.addSa('in', inboundSa('one', 0x0012_3456), freshKey());
    for (const spi of [0x0012_3456, 0xfff2_3456]) {
      const add = (): number => tables.addSa('in', inboundSa('two', spi), freshKey());
      expect(refusal(add)).toBe('SPI_TAKEN');
    }
    tables.addSa('in', inboundSa('two', 0x0012_3457), freshKey());
  });

  it('are not reachable before the worker has installed them', () => {
    const id = tables.addSa('in', inboundSa('one', 0x1000), freshKey());
    expect(
      refusal(() => {
        tables.activateSa(id);
      }),
    ).toBe('NOT_FOUND');
  });

  it.each([
    ['SPI', { spi: 255 }],
    ['label table', { spTable: 0 }],
    ['replay window', { replayWindow: 65 }],
    ['packet limit', { packetLimit: 1n }],
    ['addresses', { source: new Uint8Array(16) }],
  ])('refuse a wrong %s', (_, wrong) => {
    const row = { ...inboundSa('one', 0x1000), ...wrong };
    expect(refusal(() => tables.addSa('in', row, freshKey()))).toBe('BAD_ARGUMENT');
  });

  it('refuse keys of another length, and say nothing of their bytes', () => {
    const key = Buffer.from('0123456789abcdef012');
    let said = '';
    try {
      tables.addSa('in', inboundSa('one', 0x1000), key);
    } catch (error) {
      said = `${String(error)} ${JSON.stringify(error)} ${(error as Error).stack ?? ''}`;
    }
    expect(said).toContain('20 bytes');
    expect(said).not.toContain('0123456789');
    expect(said).not.toContain(key.toString('hex'));
  });
});
