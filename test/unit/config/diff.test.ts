// SPDX-License-Identifier: Apache-2.0
/** What differs, and what applying it takes; the digest that says whether anything does. */
import fc from 'fast-check';
import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { canonicalJson, configDigest, configDigestHex } from '../../../src/config/canonical.js';
import { diffConfigs, formatChange, type Effect } from '../../../src/config/diff.js';
import type { Config } from '../../../src/config/types.js';
import { good, put, type Draft } from './good.js';

function diff(change: (draft: Draft) => void): { lines: string[]; effect: Effect } {
  const after = good();
  change(after);
  const { changes, effect } = diffConfigs(good(), after);
  return { lines: changes.map(formatChange), effect };
}

/** The same change the other way round, too. */
function expectDiff(change: (draft: Draft) => void, effect: Effect, ...lines: string[]): void {
  expect(diff(change)).toEqual({ lines, effect });
  const before = good();
  change(before);
  const back = diffConfigs(before, good());
  expect(back.effect).toBe(effect);
  expect(back.changes).toHaveLength(lines.length);
}

describe('diffConfigs', () => {
  it('finds nothing between equals, whatever the order of keys', () => {
    const { core, ...rest } = good();
    const reordered: Config = { core, ...rest };
    expect(diffConfigs(good(), reordered)).toEqual({ changes: [], effect: 'live' });
    expect(configDigestHex(reordered)).toBe(configDigestHex(good()));
  });

  it('tells entries that are new, gone or changed', () => {
    expectDiff(
      (draft) => {
        draft.tunnels['pe4'] = {
          ...{ local: '192.0.2.1', remote: '192.0.2.4' },
          ...{ protection: 'tunnel', encapsulation: 'gre' },
        };
        Reflect.deleteProperty(draft.tunnels, 'pe3');
        draft.tunnels['pe2']!.ttl = 9;
        draft.vrfs['a']!.ttl = 'uniform';
      },
      'live',
      '+ vrfs.a.ttl: "uniform"',
      '+ tunnels.pe2.ttl: 9',
      '- tunnels.pe3: {"dscp":46,"encapsulation":"ip","local":"2001:db8::1","protection":"tunnel","remote":"2001:db8::3","ttl":32}',
      '+ tunnels.pe4: {"encapsulation":"gre","local":"192.0.2.1","protection":"tunnel","remote":"192.0.2.4"}',
    );
  });

  it('knows routes by prefix: one put in front is one change', () => {
    expectDiff(
      (draft) => {
        draft.vrfs['a']!.routes!.unshift({ prefix: '10.77.0.0/16', discard: 'silent' });
      },
      'live',
      '+ vrfs.a.routes["10.77.0.0/16"]: {"discard":"silent","prefix":"10.77.0.0/16"}',
    );
    expectDiff((draft) => {
      draft.vrfs['a']!.routes!.reverse();
    }, 'live');
  });

  it('takes a route that goes another way as a whole', () => {
    expectDiff(
      (draft) => {
        draft.vrfs['a']!.routes![0] = { prefix: '10.2.0.0/24', discard: 'silent' };
        put(draft, 'vrfs.a.routes.1.via', '10.1.0.3');
      },
      'live',
      '~ vrfs.a.routes["10.2.0.0/24"]: {"label":2001,"prefix":"10.2.0.0/24","tunnel":"pe2"} -> {"discard":"silent","prefix":"10.2.0.0/24"}',
      '~ vrfs.a.routes["10.3.0.0/24"]: {"prefix":"10.3.0.0/24","via":"10.1.0.2"} -> {"prefix":"10.3.0.0/24","via":"10.1.0.3"}',
    );
  });

  it('knows export rules by name', () => {
    expectDiff(
      (draft) => {
        draft.vrfs['a']!.exports![0]!.label = 1009;
        draft.vrfs['a']!.exports!.reverse();
      },
      'live',
      '~ vrfs.a.exports.inside.label: 1001 -> 1009',
    );
  });

  it('takes other lists as one value: the first address is the source of ICMP errors', () => {
    expectDiff(
      (draft) => {
        draft.core.tunnelAddresses.reverse();
      },
      'live',
      '~ core.tunnelAddresses: ["192.0.2.1","2001:db8::1"] -> ["2001:db8::1","192.0.2.1"]',
    );
  });

  it('takes an interface of another role as another interface', () => {
    const { lines } = diff((draft) => {
      draft.interfaces['ce-b'] = {
        ...{ role: 'core', device: { kernel: 'cust' }, vlan: 20, addresses: [] },
      };
    });
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(
      /^~ interfaces\["ce-b"\]: \{"addresses":\["10.1.0.1\/24"\].* -> \{.*\}$/,
    );
  });

  it('is not confused by entries called like keys of lists', () => {
    const after = good();
    after.vrfs['routes'] = { routes: [{ prefix: '10.0.0.0/8', discard: 'silent' }] };
    const before = good();
    before.vrfs['routes'] = { routes: [] };
    expect(diffConfigs(before, after).changes.map(({ path }) => path)).toEqual([
      'vrfs.routes.routes["10.0.0.0/8"]',
    ]);
  });
});

describe('what a change takes', () => {
  it.each([
    ['instance', 'pe2'],
    ['runtimeDirectory', '/run/x'],
    ['stateDirectory', '/var/x'],
    ['segmentDirectory', '/dev/shm/x'],
    ['core.netns', 'backbone'],
    ['vrfs.a.netns', 'x'],
  ])('%s: a restart of the instance', (path, value) => {
    expect(
      diff((draft) => {
        put(draft, path, value);
      }).effect,
    ).toBe('instance-restart');
  });

  it.each([
    ['worker', { lcores: 2 }],
    ['interfaces.core0.device', { kernel: 'wan', driver: 'af_xdp' }],
    ['interfaces.core0.device', { pci: '0000:03:00.0' }],
    ['interfaces.core0.mtu', 9000],
    ['interfaces.ce-a.mtu', 1501],
  ])('%s = %j: a restart of the worker', (path, value) => {
    expect(
      diff((draft) => {
        put(draft, path, value);
      }).effect,
    ).toBe('worker-restart');
  });

  it.each([
    ['interfaces.ce-a.mtu', 1400], // ce-b still takes 1500 on the same port
    ['interfaces.ce-a.vlan', 11],
    ['interfaces.core0.acceptClear', []],
    ['interfaces.core0.addresses', []],
    ['core.tunnelAddresses', ['192.0.2.1']],
    ['otherSps', []],
    ['vrfs.c', {}],
    ['manualSas.pe2-in.spi', 4711],
    [
      'interfaces.new',
      { role: 'ce', vrf: 'a', device: { kernel: 'cust' }, vlan: 30, addresses: [] },
    ],
  ])('%s = %j: nothing, it is applied live', (path, value) => {
    expect(
      diff((draft) => {
        put(draft, path, value);
      }).effect,
    ).toBe('live');
  });

  it('a device more or less: a restart of the worker, said beside the interface alone', () => {
    const { lines, effect } = diff((draft) => {
      draft.interfaces['new'] = { role: 'core', device: { kernel: 'third' }, addresses: [] };
      draft.tunnels['pe3']!.ttl = 5;
      draft.interfaces['ce-a']!.vlan = 12;
    });
    expect(effect).toBe('worker-restart');
    expect(lines).toEqual([
      '~ interfaces["ce-a"].vlan: 10 -> 12',
      '+ interfaces.new: {"addresses":[],"device":{"kernel":"third"},"role":"core"}  [worker-restart]',
      '~ tunnels.pe3.ttl: 32 -> 5',
    ]);
  });

  it('a VLAN that makes its port larger: a restart of the worker', () => {
    const { lines } = diff((draft) => {
      const device = { kernel: 'cust' };
      draft.interfaces['big'] = { role: 'ce', vrf: 'a', device, vlan: 3, addresses: [], mtu: 9000 };
    });
    expect(lines).toEqual([
      expect.stringMatching(/^\+ interfaces\.big: .* {2}\[worker-restart\]$/),
    ]);
  });

  it('a first service VLAN on a port: a restart of the worker, for the room of its tag; a second one: nothing', () => {
    const stacked = (vlan: number): Draft['interfaces'][string] => ({
      ...{ role: 'ce', vrf: 'a', device: { kernel: 'cust' } },
      ...{ vlan, serviceVlan: 100, addresses: [] },
    });
    expect(
      diff((draft) => {
        draft.interfaces['first'] = stacked(3);
      }).effect,
    ).toBe('worker-restart');
    const before = good();
    before.interfaces['first'] = stacked(3);
    const after = structuredClone(before);
    after.interfaces['second'] = stacked(4);
    expect(diffConfigs(before, after).effect).toBe('live');
  });
});

describe('canonicalJson', () => {
  it('orders keys by code unit and leaves out what is undefined', () => {
    expect(canonicalJson({ b: 1, a: [{ z: null, y: 'ä"' }], B: undefined, 'a-': true })).toBe(
      '{"a":[{"y":"ä\\"","z":null}],"a-":true,"b":1}',
    );
  });

  it('reads back as the same value', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(JSON.parse(canonicalJson(value))).toEqual(JSON.parse(JSON.stringify(value)));
      }),
    );
  });

  it('has the SHA-256 that the canonical text has', () => {
    const text = canonicalJson(good());
    const expected = createHash('sha256').update(Buffer.from(text, 'utf8')).digest('hex');
    expect(configDigestHex(good())).toBe(expected);
    expect(configDigest(good())).toHaveLength(32);
    const other = good();
    other.tunnels['pe3']!.ttl = 33;
    expect(configDigestHex(other)).not.toBe(expected);
  });
});
