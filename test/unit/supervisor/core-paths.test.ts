// SPDX-License-Identifier: Apache-2.0
/** Ways through the core: by the kernel's routes, or by the LSP of the longest prefix. */
import { beforeEach, expect, it } from 'vitest';
import type { LspModel, TunnelModel } from '../../../src/forwarding/model.js';
import type { Resolution } from '../../../src/kernel/routes.js';
import { formatAddress, parseAddress, parsePrefix } from '../../../src/lib/ip.js';
import { CorePaths } from '../../../src/supervisor/core-paths.js';

const bytes = (text: string): Uint8Array => parseAddress(text)!;
const tunnel = (remote: string, protection: TunnelModel['protection']): TunnelModel => ({
  ...{ name: `${remote} ${protection}`, local: bytes('192.0.2.1'), remote: bytes(remote) },
  ...{ protection, encapsulation: protection === 'mpls' ? 'none' : 'gre' },
  ...{ dscp: 'copy', ecn: 'compatibility', ttl: 64, sa: undefined },
});
const lsp = (prefix: string, labels: number[], forIp = false): LspModel => ({
  ...{ prefix: parsePrefix(prefix)!, interface: 'core1', via: bytes('10.0.0.9'), labels, forIp },
});
const REACHABLE: Resolution = {
  ...{ kind: 'reachable', interface: 'core0', index: 4, nextHop: bytes('10.0.0.1'), metric: 20 },
};
const UNREACHABLE: Resolution = { kind: 'unreachable', reason: 'no route' };
const BY_IP = { interface: 'core0', nextHop: bytes('10.0.0.1'), metric: 20 };
const byLsp = (labels: number[], metric = 20) => ({
  ...{ interface: 'core1', nextHop: bytes('10.0.0.9'), metric, labels },
});

let resolution: Resolution;
let held: Set<string>;
let paths: CorePaths;
beforeEach(() => {
  resolution = REACHABLE;
  held = new Set();
  const key = (name: string, address: Uint8Array): string => `${name} ${formatAddress(address)}`;
  paths = new CorePaths(
    {
      track: (_: Uint8Array, onChange: (found: Resolution) => void) => {
        queueMicrotask(() => {
          onChange(resolution);
        });
        return () => undefined;
      },
    } as never,
    {
      manage: (name: string, address: Uint8Array) => held.add(key(name, address)),
      unmanage: (name: string, address: Uint8Array) => held.delete(key(name, address)),
    } as never,
    () => undefined,
  );
});

async function follow(tunnels: readonly TunnelModel[], lsps: readonly LspModel[] = []) {
  await paths.follow(new Map(tunnels.map((one) => [one.name, one])), lsps);
  return [...paths.current().values()];
}

const IP = tunnel('192.0.2.2', 'tunnel');
const LSP = tunnel('192.0.2.2', 'mpls');

it('are the kernel’s, where no LSP is for the tunnel', async () => {
  const lsps = [lsp('192.0.2.2/32', [100]), lsp('198.51.100.0/24', [7], true)];
  expect(await follow([IP], lsps)).toEqual([BY_IP]);
  expect(held).toEqual(new Set(['core0 10.0.0.1']));
});

it('are the LSP’s of the longest prefix, and of equal ones the first', async () => {
  const lsps = [
    ...[lsp('192.0.2.0/24', [1000]), lsp('192.0.2.2/32', [100, 200]), lsp('192.0.2.2/32', [9])],
    lsp('0.0.0.0/0', [5], true),
  ];
  expect(await follow([LSP, tunnel('192.0.2.77', 'mpls')], lsps)).toEqual([
    byLsp([100, 200]),
    byLsp([1000]),
  ]);
  // the longest counts, though a shorter one is for IP
  expect(await follow([IP], lsps)).toEqual([BY_IP]);
});

it('carry tunnels of IP where the LSP is for them, and keep its next hop resolved', async () => {
  const protections = ['encrypt', 'authenticate', 'tunnel', 'mpls'] as const;
  const tunnels = protections.map((protection) => tunnel('192.0.2.2', protection));
  const lsps = [lsp('192.0.2.2/32', [], true)];
  expect(await follow(tunnels, lsps)).toEqual(protections.map(() => byLsp([])));
  expect(held).toEqual(new Set(['core1 10.0.0.9']));
  // and without it, at once the kernel's again
  const routes = await follow(tunnels, []);
  expect(routes).toEqual(protections.map(() => BY_IP));
  expect(held).toEqual(new Set(['core0 10.0.0.1']));
});

it('by an LSP need no IP route to the far end; without one nothing is invented', async () => {
  resolution = UNREACHABLE;
  expect(await follow([LSP, IP], [lsp('192.0.2.2/32', [100])])).toEqual([
    byLsp([100], 0),
    { unreachable: 'no way to 192.0.2.2: no route' },
  ]);
  expect(await follow([LSP, IP])).toEqual([
    { unreachable: 'no way to 192.0.2.2: no route' },
    { unreachable: 'no way to 192.0.2.2: no route' },
  ]);
  expect(held).toEqual(new Set());
});

it('follow a tunnel that becomes one of another protection', async () => {
  const lsps = [lsp('192.0.2.2/32', [100])];
  const as = async (protection: TunnelModel['protection']) =>
    follow([{ ...tunnel('192.0.2.2', protection), name: 'x' }], lsps);
  expect(await as('tunnel')).toEqual([BY_IP]);
  expect(await as('mpls')).toEqual([byLsp([100])]);
  expect(await as('encrypt')).toEqual([BY_IP]);
});

it('look at one tunnel for each answer, and keep a next hop as long as any tunnel goes by it', async () => {
  const answers: ((found: Resolution) => void)[] = [];
  let looks = 0;
  let managed = 0;
  const many = new CorePaths(
    {
      track: (_: Uint8Array, onChange: (found: Resolution) => void) => {
        answers.push(onChange);
        return () => undefined;
      },
    } as never,
    { manage: () => managed++, unmanage: () => managed-- } as never,
    () => undefined,
  );
  const end = (i: number): string => `198.18.${String(i >> 8)}.${String(i & 255)}`;
  const tunnels = Array.from({ length: 10_000 }, (_, i): TunnelModel => {
    const one = tunnel(end(i), 'tunnel');
    // How often a tunnel's way is worked out.
    const { protection } = one;
    return Object.defineProperty({ ...one }, 'protection', {
      enumerable: true,
      get: () => {
        looks++;
        return protection;
      },
    });
  });
  const following = many.follow(new Map(tunnels.map((one) => [one.name, one])));
  looks = 0;
  for (const answer of answers) answer(REACHABLE);
  await following;
  // Once when the answer came, once when all had: a hundred million when each looks at all.
  expect(looks).toBeLessThanOrEqual(2 * tunnels.length);
  expect(managed).toBe(1);
  for (const answer of answers.slice(1)) answer(UNREACHABLE);
  expect(managed).toBe(1);
  answers[0]!(UNREACHABLE);
  expect(managed).toBe(0);
  answers[0]!(REACHABLE);
  expect(managed).toBe(1);
  await many.follow(new Map());
  expect(managed).toBe(0);
});
