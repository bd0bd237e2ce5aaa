import { describe, expect, it } from 'vitest';
import type { Config } from '../../../src/config/types.js';
import type { PortInfo } from '../../../src/rpc/gen/worker.js';
import { instancePaths } from '../../../src/supervisor/paths.js';
import { devargs, portsDiffer, type WantedPort } from '../../../src/supervisor/ports.js';
import { missingCapabilities } from '../../../src/supervisor/privileges.js';
import { workerArguments } from '../../../src/supervisor/worker-process.js';
import { BASE } from '../forwarding/fixture.js';

describe('device arguments', () => {
  it.each([
    [{ kernel: 'eth0' }, 'net_af_packet7,iface=eth0'],
    [{ kernel: 'eth0', driver: 'af_xdp' as const }, 'net_af_xdp7,iface=eth0'],
    [{ pci: '0000:03:00.0' }, '0000:03:00.0'],
    [{ pci: '0000:03:00.0', options: 'rx_desc=1024' }, '0000:03:00.0,rx_desc=1024'],
    [{ vdev: 'net_memif0,role=client' }, 'net_memif0,role=client'],
    [{ lag: [{ kernel: 'eth0' }] }, 'lag,rate=fast;net_af_packet7_0,iface=eth0'],
    [
      {
        lag: [{ kernel: 'eth0', driver: 'af_xdp' as const }, { pci: '0000:03:00.0' }],
        lacpRate: 'slow' as const,
      },
      'lag,rate=slow;net_af_xdp7_0,iface=eth0;0000:03:00.0',
    ],
  ])('of %j', (device, expected) => {
    expect(devargs(7, device)).toBe(expected);
  });
});

describe('whether a worker has the ports that are wanted', () => {
  const wanted: WantedPort[] = [
    {
      id: 1,
      model: { name: 'kernel a@', device: { kernel: 'a' }, mtu: 1500 },
      devargs: 'x,iface=a',
    },
  ];
  const live = (over: Partial<PortInfo> = {}): PortInfo => ({
    ...{ port: 1, name: 'kernel a@', devargs: 'x,iface=a', driver: '', mtu: 1500, linkUp: true },
    ...{ mac: Buffer.alloc(6), noOffloads: false, offloads: 'vlan-strip' },
    ...over,
  });
  it.each([
    ['the same', [live()], false],
    ['a larger MTU', [live({ mtu: 9000 })], false],
    ['a smaller MTU', [live({ mtu: 1400 })], true],
    ['another device', [live({ devargs: 'x,iface=b' })], true],
    ['one without offloads', [live({ noOffloads: true })], true],
    ['of a driver that offers none', [live({ offloads: '' })], false],
    ['another id', [live({ port: 2 })], true],
    ['one more', [live(), live({ port: 2 })], true],
    ['none', [], true],
  ])('%s', (_, ports, differ) => {
    expect(portsDiffer(wanted, ports)).toBe(differ);
  });
});

describe('arguments of the worker', () => {
  const paths = instancePaths(BASE);
  const of = (worker: Config['worker'], interfaces = BASE.interfaces) =>
    workerArguments({ ...BASE, worker, interfaces } as Config, paths).join(' ');

  it('names every file, sizes buffers for the largest MTU', () => {
    const text = of({});
    expect(text).toContain(
      '--tables /dev/shm/sealane/pe1/tables --state /dev/shm/sealane/pe1/state',
    );
    expect(text).toContain('--memory-mb 256 --max-mtu 1900 --huge auto --idle adaptive');
    expect(text).not.toContain('--pci');
    const jumbo = { ...BASE.interfaces, core0: { ...BASE.interfaces['core0']!, mtu: 9000 } };
    expect(of({}, jumbo)).toContain('--max-mtu 9000');
  });

  it('has more memory for more packet threads, where the configuration does not say', () => {
    expect(of({ lcores: 4 })).toContain('--memory-mb 256 ');
    expect(of({ lcores: 8 })).toContain('--memory-mb 512 ');
    expect(of({ lcores: 8, memoryMb: 300 })).toContain('--memory-mb 300 ');
  });

  it('passes on what is configured, EAL arguments as they are and last', () => {
    const text = of({
      memoryMb: 64,
      hugepages: 'require',
      idle: 'poll',
      cpus: '2-3',
      eal: ['-a', 'x'],
    });
    expect(text).toContain('--memory-mb 64');
    expect(text).toContain('--huge on --idle poll');
    expect(text).toContain('--lcore-map (0-1)@(2-3)');
    expect(text.endsWith(' -- -a x')).toBe(true);
  });

  it('lets EAL scan the PCI bus only where a PCI device is configured', () => {
    const nic = {
      ...BASE.interfaces,
      core0: { ...BASE.interfaces['core0']!, device: { pci: '0000:03:00.0' } },
    };
    expect(of({}, nic)).toContain(' --pci ');
    const lag = {
      ...BASE.interfaces,
      core0: {
        ...BASE.interfaces['core0']!,
        device: { lag: [{ kernel: 'eth0' }, { pci: '0000:03:00.0' }] },
      },
    };
    expect(of({}, lag)).toContain(' --pci ');
  });
});

it('finds missing capabilities in /proc/PID/status', () => {
  expect(missingCapabilities('CapEff:\t000001ffffffffff\n')).toEqual([]);
  expect(missingCapabilities('CapEff:\t0000000000000000\n')).toEqual([
    ...['CAP_NET_ADMIN', 'CAP_NET_RAW', 'CAP_SYS_ADMIN'],
  ]);
  expect(missingCapabilities('CapEff:\t0000000000203000\n')).toEqual([]);
  expect(missingCapabilities('CapEff:\t0000000000202000\n')).toEqual(['CAP_NET_ADMIN']);
});
