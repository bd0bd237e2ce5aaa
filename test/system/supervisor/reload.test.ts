import { writeFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Config, ManualSa } from '../../../src/config/types.js';
import { writeKeyFile } from '../../../src/lib/key-file.js';
import type { ReloadReply } from '../../../src/rpc/client.js';
import { otherEnd, TwoPes, type End } from './two-pes.js';

let net: TwoPes;
beforeAll(async () => {
  net = await TwoPes.open('rld');
  await net.up();
  await net.reach(1, '10.2.0.2');
});
afterAll(async () => {
  await net.close();
});

async function reload(end: End, config: Config, dryRun = false): Promise<ReloadReply> {
  const path = net.write(end, config);
  const reply = await net.client(end, async (client) => client.reload(path, dryRun));
  if (reply.applied) inForce.set(end, config);
  return reply;
}

/** What was applied last, by end. */
const inForce = new Map<End, Config>();

/** What the supervisor said it wrote when a configuration last came into force. */
const lastChanges = (end: End): string =>
  net
    .logText(end)
    .split('\n')
    .findLast((line) => line.includes('configuration in force')) ?? '';

const vrfA = (config: Config) => config.vrfs!['A']!;
function withRoute(config: Config, prefix: string, label: number): Config {
  const routes = [...(vrfA(config).routes ?? []), { prefix, tunnel: 'peer', label }];
  return { ...config, vrfs: { ...config.vrfs, A: { ...vrfA(config), routes } } };
}

it('a new route is one new row, and nothing else is touched', async () => {
  const flood = net.ping(1, '10.2.0.2', { count: 300, intervalMs: 5 });
  const reply = await reload(1, withRoute(net.config(1), '10.77.0.0/16', 1002));
  expect(reply).toMatchObject({ applied: true, restarted: [] });
  expect(reply.changes.map(({ kind }) => kind)).toEqual(['added']);
  expect(lastChanges(1)).toMatch(/ vrfs=0 interfaces=0 nexthops=0 labels=0 routes=1 confirmed=0/);
  const routes = await net.show(1, 'routes');
  expect(routes.find(({ prefix }) => prefix === '10.77.0.0/16')).toMatchObject({ label: 1002 });
  expect(await flood).toBe(300);
});

it('a changed and a removed route are one row each', async () => {
  await reload(1, withRoute(net.config(1), '10.77.0.0/16', 4242));
  expect(lastChanges(1)).toMatch(/ nexthops=0 labels=0 routes=1 /);
  await reload(1, net.config(1));
  expect(lastChanges(1)).toMatch(/ nexthops=0 labels=0 routes=1 /);
  const routes = await net.show(1, 'routes');
  expect(routes.some(({ prefix }) => prefix === '10.77.0.0/16')).toBe(false);
});

it('a dry run says what would change and changes nothing', async () => {
  const before = lastChanges(1);
  const reply = await reload(1, withRoute(net.config(1), '10.78.0.0/16', 1002), true);
  expect(reply).toMatchObject({ applied: false });
  expect(reply.changes).toHaveLength(1);
  expect(lastChanges(1)).toBe(before);
  expect(await reload(1, net.config(1))).toMatchObject({ applied: false, changes: [] });
});

it('a configuration that is wrong is refused as a whole', async () => {
  const wrong = withRoute(net.config(1), '10.79.0.0/16', 1002);
  const bad = { ...wrong, ownSp: 7, nonsense: true } as unknown as Config;
  await expect(reload(1, bad)).rejects.toMatchObject({ code: 'INVALID_CONFIG' });
  const file = `${net.run}/broken.json`;
  writeFileSync(file, '{');
  await expect(net.client(1, async (c) => c.reload(file, false))).rejects.toMatchObject({
    code: 'CONFIG_LOAD',
  });
  expect((await net.show(1, 'routes')).some(({ prefix }) => prefix === '10.79.0.0/16')).toBe(false);
});

it('a label keeps its meaning: no class in place, no other use while in quarantine', async () => {
  const base = net.config(1);
  const exporting = (exports: NonNullable<Config['vrfs']>[string]['exports']): Config => ({
    ...base,
    vrfs: { A: { ...vrfA(base), exports: exports ?? [] } },
  });
  const own = vrfA(base).exports!;
  const weaker = exporting([{ name: 'all', protections: ['tunnel'], label: 1001 }]);
  await expect(reload(1, weaker)).rejects.toThrow(/label 1001 is in use with another meaning/);
  const second = {
    name: 'second',
    protections: ['authenticate' as const],
    label: 1500,
    prefixes: ['10.1.0.0/24'],
  };
  await reload(1, exporting([...own, second]));
  await reload(1, base);
  const reused = exporting([...own, { ...second, protections: ['tunnel'] }]);
  await expect(reload(1, reused)).rejects.toThrow(/label 1500 was freed/);
  expect((await net.show(1, 'labels')).map(({ label }) => label)).toEqual([1001]);
  expect(await net.ping(1, '10.2.0.2')).toBe(3);
});

it('a new port takes another worker, and says so; its VRF comes and goes with its namespace', async () => {
  await net.lab.link(net.pe(1), 'cust2', net.ce(1), 'eth1');
  const base = net.config(1);
  const second: Config = {
    ...base,
    interfaces: {
      ...base.interfaces,
      'ce-b': { role: 'ce', vrf: 'B', device: { kernel: 'cust2' }, addresses: ['10.1.0.1/24'] },
    },
    vrfs: { ...base.vrfs, B: {} },
  };
  const worker = await net.workerPid(1);
  expect(await reload(1, second)).toMatchObject({ applied: true, restarted: ['worker'] });
  expect(await net.workerPid(1)).not.toBe(worker);
  await net.reach(1, '10.2.0.2');
  const inB = await net.lab.must(`${net.pe(1)}-B`, ['ip', '-br', 'addr', 'show', 'ce-b']);
  expect(inB).toContain('10.1.0.1/24');
  expect((await net.show(1, 'vrfs')).map(({ name }) => name)).toEqual(['A', 'B']);

  expect(await reload(1, base)).toMatchObject({ applied: true, restarted: ['worker'] });
  expect((await net.lab.exec(`${net.pe(1)}-B`, ['true'])).code).not.toBe(0);
  const { stdout } = await net.lab.exec(net.pe(1), ['nft', 'list', 'tables']);
  expect(stdout).not.toContain('cust2');
  expect((await net.show(1, 'vrfs')).map(({ name }) => name)).toEqual(['A']);
  await net.reach(1, '10.2.0.2');
});

it('SAs are changed make before break: not a packet is lost; a key is never taken twice', async () => {
  const sa = (end: End, direction: 'in' | 'out', from: End): ManualSa => ({
    ...net.config(end).manualSas![direction]!,
    ...{ spi: 0x6b00_0010 + from, keyFile: `${net.run}/new-key-from-${from}` },
  });
  for (const from of [1, 2] as const) {
    await writeKeyFile(`${net.run}/new-key-from-${from}`, 'aes-gcm-128');
  }
  const stages = (end: End): Config[] => {
    const base = net.config(end);
    const old = base.manualSas!;
    const in2 = sa(end, 'in', otherEnd(end));
    const out2 = sa(end, 'out', end);
    const tunnels = { peer: { ...base.tunnels!['peer']!, sa: 'out2' } };
    return [
      { ...base, manualSas: { ...old, in2 } },
      { ...base, manualSas: { ...old, in2, out2 }, tunnels },
      { ...base, manualSas: { in2, out2 }, tunnels },
    ];
  };
  const flood = net.ping(1, '10.2.0.2', { count: 1600, intervalMs: 5 });
  for (const stage of [0, 1, 2]) {
    for (const end of [1, 2] as const) await reload(end, stages(end)[stage]!);
  }
  expect(lastChanges(1)).toMatch(/ nexthops=0 labels=0 routes=0 /);
  expect(await flood).toBe(1600);
  const rows = await net.show(1, 'sas');
  expect(rows.map(({ name, spi, ready }) => [name, spi, ready])).toEqual([
    ['in2', '0x6b000012', true],
    ['out2', '0x6b000011', true],
  ]);
  // The old key was used, and its row is gone.
  await expect(reload(1, net.config(1))).rejects.toThrow(/its key has been used before/);
  expect(await net.ping(1, '10.2.0.2')).toBe(3);
});

it.each([
  ['before a worker is touched', { kernel: 'nosuch' }],
  ['in the worker that is to go on', { vdev: 'net_nosuch0' }],
])('a change that fails %s leaves the old configuration in force', async (_, device) => {
  const base = inForce.get(1)!;
  const broken: Config = {
    ...base,
    interfaces: {
      ...base.interfaces,
      'ce-x': { role: 'ce', vrf: 'A', device, addresses: ['10.9.0.1/24'] },
    },
  };
  const worker = await net.workerPid(1);
  await expect(reload(1, broken)).rejects.toMatchObject({ code: 'APPLY_FAILED' });
  expect(await net.workerPid(1)).toBe(worker);
  const status = await net.client(1, async (client) => client.status());
  expect(status).toMatchObject({ state: 'running', interfaces: 2, workerState: 'running' });
  expect((await net.show(1, 'interfaces')).map(({ name }) => name)).not.toContain('ce-x');
  await net.reach(1, '10.2.0.2');
});

it('a restart takes the committed configuration, not an edited file', async () => {
  const digest = (await net.client(1, async (client) => client.status())).configDigest;
  await net.killSupervisor(1);
  net.write(1, { ...net.config(1), ownSp: 'edited' });
  net.start(1);
  await net.tunnelUp(1);
  expect(net.logText(1)).toContain('the file differs from the committed configuration');
  expect((await net.client(1, async (client) => client.status())).configDigest).toBe(digest);
});
