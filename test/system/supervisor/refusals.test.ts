import { closeSync, existsSync, openSync, readdirSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually, outcome } from '../../../scripts/lib/lab.js';
import type { Config } from '../../../src/config/types.js';
import { MAIN, TwoPes } from './two-pes.js';

let net: TwoPes;
beforeAll(async () => {
  net = await TwoPes.open('rfs');
});
afterAll(async () => {
  await net.close();
});

/** Runs PE 1, which must end by itself with one line that says why. */
async function refused(config: Config, env: NodeJS.ProcessEnv = process.env): Promise<string> {
  const file = `${net.run}/refused.json`;
  writeFileSync(file, JSON.stringify(config));
  const { code, stderr } = await net.runToEnd(1, file, env);
  const lines = stderr.split('\n').filter((line) => line.startsWith('sealane: '));
  expect(lines, stderr).toHaveLength(1);
  expect(code).not.toBe(0);
  expect(stderr).not.toMatch(/\n\s+at /); // no stack trace
  return lines[0]!;
}

const withCust = (config: Config, device: Config['interfaces'][string]['device']): Config => ({
  ...config,
  interfaces: { ...config.interfaces, 'ce-a': { ...config.interfaces['ce-a']!, device } },
});

/** A start that failed leaves nothing behind. */
async function nothingLeft(): Promise<void> {
  expect(existsSync(`/run/netns/${net.vrfNetns(1)}`)).toBe(false);
  const { stdout } = await net.lab.exec(net.pe(1), ['nft', 'list', 'tables']);
  expect(stdout).toBe('');
  const { code } = await outcome(['pgrep', '-f', `sealane-worker --instance-dir ${net.run}/pe1 `]);
  expect(code).toBe(1);
}

describe('one clear line with the remedy, and nothing left behind', () => {
  it('unknown kernel interface', async () => {
    expect(await refused(withCust(net.config(1), { kernel: 'nosuch' }))).toMatch(/nosuch/);
    await nothingLeft();
  });

  it('kernel interface that the kernel uses', async () => {
    await net.lab.ip(net.pe(1), ['addr add 172.16.0.1/24 dev cust']);
    const line = await refused(net.config(1));
    expect(line).toMatch(/cust has address 172\.16\.0\.1\/24.*ip addr flush dev cust/);
    await net.lab.ip(net.pe(1), ['addr flush dev cust']);
    await nothingLeft();
  });

  it('unknown PCI device', async () => {
    expect(await refused(withCust(net.config(1), { pci: '0000:fe:1f.7' }))).toMatch(
      /0000:fe:1f\.7/,
    );
    await nothingLeft();
  });

  // Machines without a PCI bus have no device that could be bound.
  const pci = existsSync('/sys/bus/pci/devices') ? readdirSync('/sys/bus/pci/devices') : [];
  const bound = pci.find((address) => existsSync(`/sys/bus/pci/devices/${address}/driver`));
  it.skipIf(bound === undefined)('PCI device still bound to the kernel', async () => {
    expect(await refused(withCust(net.config(1), { pci: bound! }))).toMatch(/bound to.*vfio-pci/);
    await nothingLeft();
  });

  it('hugepages that are required and missing', async () => {
    const worker = { memoryMb: 16_384, hugepages: 'require' as const };
    expect(await refused({ ...net.config(1), worker })).toMatch(/hugepages/);
    await nothingLeft();
  });

  it('an EAL argument that does not exist', async () => {
    const worker = { memoryMb: 64, eal: ['--nonsense'] };
    const line = await refused({ ...net.config(1), worker });
    expect(line).toMatch(/DPDK did not start.*worker\.eal.*unrecognized option '--nonsense'/);
    await nothingLeft();
  });

  it('missing privilege', async () => {
    const file = net.write(1);
    const argv = ['setpriv', '--bounding-set=-net_admin', ...MAIN, 'run', file];
    const { code, stderr } = await net.lab.exec(net.pe(1), argv);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^sealane: missing privilege: CAP_NET_ADMIN: run as root.*\n$/);
  });

  it('a worker program that is not there', async () => {
    const env = { ...process.env, SEALANE_WORKER: '/nowhere/sealane-worker' };
    expect(await refused(net.config(1), env)).toMatch(
      /no worker program \/nowhere\/sealane-worker: build it/,
    );
    await nothingLeft();
  });

  it('a worker that ends while starting', async () => {
    const env = { ...process.env, SEALANE_WORKER: '/bin/false' };
    expect(await refused(net.config(1), env)).toMatch(/the worker ended with status 1/);
    await nothingLeft();
  });

  it('a configuration with mistakes', async () => {
    const config = { ...net.config(1), ownSp: 5 } as unknown as Config;
    expect(await refused(config)).toMatch(/ownSp/);
  });

  it('a key file that others may read', async () => {
    await outcome(['chmod', '644', net.key(1)]);
    expect(await refused(net.config(1))).toMatch(/SA out: key file .* may be used by others/);
    await outcome(['chmod', '600', net.key(1)]);
    await nothingLeft();
  });
});

describe('hugepages that are gone when the worker takes them', () => {
  it('are done without', async () => {
    const worker =
      process.env['SEALANE_WORKER'] ?? join(process.cwd(), 'build/dpdk-app/sealane-worker');
    const program = `${net.run}/late.sh`;
    const lines = ['#!/bin/sh', 'case "$*" in *"--huge auto"*) exit 5;; esac'];
    writeFileSync(program, [...lines, `exec ${worker} "$@"`, ''].join('\n'), { mode: 0o755 });
    net.write(1);
    net.start(1, { ...process.env, SEALANE_WORKER: program });
    const row = await eventually('the worker runs', async () => {
      const [found] = await net.show(1, 'workers').catch(() => []);
      return found?.state === 'running' ? found : undefined;
    });
    expect(row.hugepages).toBe(false);
    expect(net.logText(1)).toMatch(/starting the worker with ordinary pages/);
    await net.client(1, async (client) => client.stop(false));
    await eventually('it has ended', () => net.supervisor(1).exitCode ?? undefined);
    await nothingLeft();
  });
});

describe('beside a running PE', () => {
  beforeAll(async () => {
    await net.up();
    await net.reach(1, '10.2.0.2');
  });

  it('a second supervisor is refused and disturbs nothing', async () => {
    const flood = net.ping(1, '10.2.0.2', { count: 200, intervalMs: 5 });
    expect(await refused(net.config(1))).toMatch(/another supervisor runs.*sealane reload/);
    expect(await flood).toBe(200);
    expect(await net.show(1, 'tunnels')).toHaveLength(1);
  });

  it('another instance cannot take an interface that is in use', async () => {
    const other: Config = {
      ...net.config(1),
      ...{ instance: 'rfsother', manualSas: {}, tunnels: {}, vrfs: { A: {} } },
      runtimeDirectory: `${net.run}/other`,
      stateDirectory: `${net.run}/other/state`,
      segmentDirectory: `${net.segments}/other`,
      interfaces: {
        'ce-x': { role: 'ce', vrf: 'A', device: { kernel: 'cust' }, addresses: ['10.9.0.1/24'] },
        'core-x': { role: 'core', device: { kernel: 'wan' }, addresses: ['198.51.100.9/24'] },
      },
      core: { tunnelAddresses: ['198.51.100.9'] },
    };
    expect(await refused(other)).toMatch(/(wan|cust).*in use/);
    expect(await net.ping(1, '10.2.0.2', { count: 5 })).toBe(5);
    const tables = await net.lab.must(net.pe(1), ['nft', 'list', 'tables']);
    expect(tables).toContain('sealane_cust');
  });
});

describe('after a stop', () => {
  it('everything is taken down, and interfaces are given back', async () => {
    const worker = await net.workerPid(1);
    const exit = new Promise((resolve) => net.supervisor(1).once('exit', resolve));
    await net.client(1, async (client) => client.stop(false));
    expect(await exit).toBe(0);
    expect(existsSync(`/proc/${worker}`)).toBe(false);
    await nothingLeft();
    const links = await net.lab.must(net.pe(1), ['ip', '-o', 'link']);
    expect(links).not.toMatch(/core0|ce-a/);
    const ipv6 = await net.lab.must(net.pe(1), ['sysctl', '-n', 'net.ipv6.conf.cust.disable_ipv6']);
    expect(ipv6.trim()).toBe('0');
  });

  it('the same keys may go on, because the segments have counted for them', async () => {
    net.start(1);
    await net.tunnelUp(1);
    await net.reach(1, '10.2.0.2');
    await net.client(1, async (client) => client.stop(false));
    await new Promise((resolve) => net.supervisor(1).once('exit', resolve));
  });

  it('segments of another layout are refused', async () => {
    const fd = openSync(`${net.segments}/pe1/tables`, 'r+');
    writeSync(fd, Uint8Array.of(99, 0, 0, 0), 0, 4, 8); // layout_version, behind the magic
    closeSync(fd);
    expect(await refused(net.config(1))).toMatch(/layout|version/);
  });

  it('keys are refused once the segments that counted for them are gone', async () => {
    await outcome(['rm', '-r', `${net.segments}/pe1`]);
    expect(await refused(net.config(1))).toMatch(
      /its key has been used before.*segments that counted for it are gone: make new key files/,
    );
    await nothingLeft();
  });
});
