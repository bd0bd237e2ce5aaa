// SPDX-License-Identifier: Apache-2.0
/** Host policies: no instant in clear, neither at start, nor at a change, nor after a restart. */
import { mkdtempSync, rmSync } from 'node:fs';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { BgpSaRow, Tables } from '../../../src/forwarding/addon/api.js';
import { loadAddon } from '../../../src/forwarding/addon/load.js';
import { parseAddress } from '../../../src/lib/ip.js';
import { HostPolicies, hostPolicyKey } from '../../../src/supervisor/host-policies.js';
import { SaRows } from '../../../src/supervisor/sa-rows.js';
import { VirtualTime } from './virtual-time.js';

const A = { local: '192.0.2.1', remote: '198.51.100.2', sp: 'east' };
const B = { local: '2001:db8::1', remote: '2001:db8:e::2', sp: 'east' };
const bytes = (text: string): Uint8Array => parseAddress(text)!;

let folder: string;
let tables: Tables;
let rows: SaRows;
let time: VirtualTime;
let current: { toPort: string | undefined; fromPort: string | undefined };
let policies: HostPolicies;

const open = (): void => {
  tables = loadAddon().openTables({ tables: `${folder}/tables`, state: `${folder}/state` });
};
const begin = (): void => {
  rows = new SaRows(tables);
  policies = new HostPolicies({
    ...{ tables, rows, timers: time },
    sas: () => ({ currentBgp: (local) => (local.length === 4 ? current : NONE) }),
  });
};
const NONE = { toPort: undefined, fromPort: undefined };
let keys = 0;
function addSa(name: string, more: Partial<BgpSaRow> = {}): number {
  const key = new Uint8Array(20).fill(++keys);
  return rows.add(
    'out',
    {
      ...{ name, spi: 1000 + keys, algorithm: 'aes-gcm-128', application: 'bgp' },
      ...{ source: bytes(A.local), destination: bytes(A.remote), sourcePort: 0 },
      ...{ destinationPort: 0, spTable: 0, replayWindow: 0, packetLimit: 0n, ...more },
    },
    key,
  );
}

beforeEach(() => {
  folder = mkdtempSync('/dev/shm/sealane-host-policies-');
  time = new VirtualTime();
  current = NONE;
  open();
  begin();
});
afterEach(() => {
  policies.close();
  tables.close();
  rmSync(folder, { recursive: true });
});

const live = (): string[] =>
  tables
    .hostPolicies()
    .map(
      ({ remote, toPort, fromPort }) =>
        `${Buffer.from(remote).toString('hex')} ${toPort} ${fromPort}`,
    )
    .sort();
const HEX_A = 'c6336402';
const HEX_B = '20010db8000e00000000000000000002';

it('are rows that drop until there is an SA, follow it, and drop again when it goes', () => {
  policies.install([A, B]);
  expect(live()).toEqual([`${HEX_B} 0 0`, `${HEX_A} 0 0`]);
  const one = addSa('one');
  current = { toPort: 'one', fromPort: 'one' };
  policies.follow();
  expect(live()).toContain(`${HEX_A} ${one} ${one}`);
  expect(() => {
    tables.removeSa('out', one);
  }).toThrow(/has next hops/);
  const two = addSa('two');
  current = { toPort: 'two', fromPort: 'one' };
  policies.follow();
  expect(live()).toContain(`${HEX_A} ${two} ${one}`);
  current = NONE;
  policies.follow();
  expect(live()).toContain(`${HEX_A} 0 0`);
  tables.removeSa('out', one);
  expect(live()).toContain(`${HEX_B} 0 0`);
});

it('follow alone when they are named, and nobody else is asked for', () => {
  policies.install([A, B]);
  const one = addSa('one');
  current = { toPort: 'one', fromPort: 'one' };
  policies.followOnly([hostPolicyKey(bytes(B.local), bytes(B.remote)), '192.0.2.1 203.0.113.1']);
  expect(live()).toEqual([`${HEX_B} 0 0`, `${HEX_A} 0 0`]);
  policies.followOnly([hostPolicyKey(bytes(A.local), bytes(A.remote))]);
  expect(live()).toContain(`${HEX_A} ${one} ${one}`);
});

it('stay for a while after nobody wants them, so that what BGP had still to say does not leave in clear', async () => {
  policies.install([A, B]);
  policies.retire([B]);
  await time.pass(4_999);
  expect(live()).toHaveLength(2);
  await time.pass(1);
  expect(live()).toEqual([`${HEX_B} 0 0`]);
  // Wanted again before it was gone.
  policies.retire([]);
  policies.install([B]);
  await time.pass(60_000);
  expect(live()).toEqual([`${HEX_B} 0 0`]);
});

it('are found again by the next supervisor with their SAs, also in the middle of leaving', async () => {
  policies.install([A, B]);
  const one = addSa('one');
  current = { toPort: 'one', fromPort: 'one' };
  policies.follow();
  policies.retire([A]);
  policies.close();
  tables.close();
  open();
  begin();
  // Without the segment that counted for its sequence numbers an SA is not used on.
  expect(live()).toEqual([`${HEX_B} 0 0`, `${HEX_A} 0 0`]);
  expect(one).toBeGreaterThan(0);
  policies.install([A]);
  policies.retire([A]);
  await time.pass(10_000);
  expect(live()).toEqual([`${HEX_A} 0 0`]);
});

it('refuse SAs of another pair, another application, or for the other side', () => {
  const id = tables.putHostPolicy({ local: bytes(A.local), remote: bytes(A.remote) });
  expect(tables.putHostPolicy({ local: bytes(A.local), remote: bytes(A.remote) })).toBe(id);
  const set = (sa: number) => () => {
    tables.setHostPolicySas(id, { toPort: sa, fromPort: 0 });
  };
  expect(set(99)).toThrow(/does not exist/);
  expect(set(addSa('other', { destination: bytes('198.51.100.3') }))).toThrow(/not for BGP/);
  const server = addSa('server', { sourcePort: 179 });
  expect(set(server)).toThrow(/not negotiated for this side/);
  tables.setHostPolicySas(id, { toPort: 0, fromPort: server });
  const vpn = tables.addSa(
    'out',
    {
      ...{ name: 'vpn', spi: 5000, algorithm: 'aes-gcm-128', encapsulation: 'gre' },
      ...{ source: bytes(A.local), destination: bytes(A.remote) },
      ...{ spTable: 0, replayWindow: 0, packetLimit: 0n },
    },
    new Uint8Array(20).fill(250),
  );
  expect(set(vpn)).toThrow(/not for BGP/);
  expect(live()).toEqual([`${HEX_A} 0 ${server}`]);
});

it('are a thousand and 23 at most', () => {
  for (let i = 1; i < 1024; i++) {
    tables.putHostPolicy({ local: bytes(A.local), remote: Uint8Array.of(10, 0, i >> 8, i & 255) });
  }
  expect(() => tables.putHostPolicy({ local: bytes(A.local), remote: bytes(A.remote) })).toThrow(
    expect.objectContaining({ code: 'TABLE_FULL' }) as Error,
  );
  expect(tables.hostPolicies()).toHaveLength(1023);
});

it('are no place for an SA of BGP that only authenticates, has a label table or an encapsulation', () => {
  const bad = (more: object) => () => addSa('bad', more);
  expect(bad({ algorithm: 'aes-gmac-128' })).toThrow(/encrypts/);
  expect(bad({ spTable: 1 })).toThrow();
});
