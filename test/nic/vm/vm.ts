// SPDX-License-Identifier: Apache-2.0
/**
 * A machine with emulated PCI NICs (QEMU without KVM, Debian's kernel) whose NICs belong to user space: what runs in it
 * drives them by a real poll-mode driver. Its root is this machine's file system, read-only under a tmpfs, so that what
 * was built here runs there; /host is a folder that both may write to. Each NIC is at the end of a TAP device. Needs
 * root and scripts/packages/nic.
 */
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { eventually, type Lab, type Outcome } from '../../../scripts/lib/lab.js';

const here = fileURLToPath(new URL('.', import.meta.url));
const build = fileURLToPath(new URL('../../../build/vm', import.meta.url));

/** What the NICs are emulated as: QEMU's name of the device. */
export type Model = 'e1000e' | 'e1000' | 'virtio-net-pci' | 'vmxnet3';

export interface VmNic {
  /** Name of the TAP device that it is the other end of. */
  readonly tap: string;
  /** Namespace of that, up there when the machine has booted. */
  readonly netns: string;
  readonly mac: string;
}

export interface VmOptions {
  readonly lab: Lab;
  /** A new folder for this machine alone; the machine has it as /host. */
  readonly folder: string;
  readonly model: Model;
  /** Kernel driver that hands NICs to user space; vfio-pci comes with an emulated IOMMU. */
  readonly bind: 'uio_pci_generic' | 'vfio-pci';
  /** Of the TAP devices. */
  readonly mtu: number;
  /** At most 8. The first is at PCI address {@link nicAddress}(0), and so on. */
  readonly nics: readonly VmNic[];
}

/** PCI address of the NIC of this number in the machine. */
export const nicAddress = (n: number): string => `0000:00:${(16 + n).toString(16)}.0`;

const HUGEPAGES = 160;
const MEMORY_MB = 1280;
const BOOT_TIMEOUT_MS = 180_000;

export interface Vm {
  /** Runs a shell script as root in it. */
  run(script: string, timeoutMs?: number): Promise<Outcome>;
  /** The same; rejects when it fails. */
  must(script: string, timeoutMs?: number): Promise<string>;
  /** Plugs the cable of a NIC in, or out. */
  setLink(nic: number, up: boolean): Promise<void>;
  /** Milliseconds that it took to boot. */
  readonly bootMs: number;
  /** What it said on its console. */
  console(): string;
  stop(): Promise<void>;
}

function command({ folder, model, bind, nics }: VmOptions): string[] {
  const iommu = bind === 'vfio-pci';
  const virtio = model === 'virtio-net-pci' ? ',disable-legacy=on' : '';
  const behind = iommu && virtio !== '' ? ',iommu_platform=on' : '';
  const shared = (tag: string, path: string, more: string): string[] => [
    ...['-fsdev', `local,id=${tag},path=${path},security_model=none,multidevs=remap${more}`],
    ...['-device', `virtio-9p-pci,fsdev=${tag},mount_tag=${tag}`],
  ];
  const kernel = [
    ...['console=ttyS0', 'quiet', 'panic=-1', 'net.ifnames=0', `hugepages=${String(HUGEPAGES)}`],
    ...(iommu ? ['intel_iommu=on'] : []),
    ...[`VM_BIND=${bind}`, `VM_INIT=${here}guest-init`],
  ];
  return [
    ...['nice', '-n', '5', 'qemu-system-x86_64'],
    ...['-nodefaults', '-display', 'none', '-no-reboot', '-accel', 'tcg', '-cpu', 'max'],
    ...['-machine', iommu ? 'q35,kernel-irqchip=split' : 'q35'],
    ...(iommu ? ['-device', 'intel-iommu,intremap=on,caching-mode=on'] : []),
    ...['-smp', '2', '-m', String(MEMORY_MB)],
    ...['-kernel', `${build}/vmlinux`, '-initrd', `${build}/initramfs`],
    ...['-append', kernel.join(' ')],
    ...['-serial', `file:${folder}/console`],
    ...['-chardev', `socket,id=commands,path=${folder}/commands,server=on,wait=off`],
    ...['-serial', 'chardev:commands'],
    ...['-qmp', `unix:${folder}/monitor,server=on,wait=off`],
    ...nics.flatMap(({ tap, mac }, n) => [
      ...['-netdev', `tap,id=net${String(n)},ifname=${tap},script=no,downscript=no`],
      '-device',
      `${model},id=nic${String(n)},netdev=net${String(n)},mac=${mac},addr=0x${(16 + n).toString(16)},romfile=${virtio}${behind}`,
    ]),
    ...shared('root', '/', ',readonly=on'),
    ...shared('modules', realpathSync(`${build}/modules`), ',readonly=on'),
    ...shared('host', folder, ''),
  ];
}

/** A TAP device without offloads: frames of wire size with whole checksums, nothing of the kernel's own. */
async function makeTap(lab: Lab, netns: string, tap: string, mtu: number): Promise<void> {
  await lab.ip(netns, [`tuntap add ${tap} mode tap`]);
  await lab.must(netns, ['sysctl', '-qw', `net.ipv6.conf.${tap}.disable_ipv6=1`]);
  const off = ['tx', 'off', 'tso', 'off', 'gso', 'off', 'gro', 'off'];
  await lab.exec(netns, ['ethtool', '-K', tap, ...off]);
  await lab.ip(netns, [`link set ${tap} mtu ${String(mtu)} up`]);
}

/** QEMU opens devices of one namespace only; one that is open may be moved. */
async function moveTap(lab: Lab, from: string, { tap, netns }: VmNic): Promise<void> {
  if (netns === from) return;
  await lab.ip(from, [`link set ${tap} netns ${netns}`]);
  await lab.ip(netns, [`link set ${tap} up`]);
}

/** Lines that come over a socket, each to whoever waits for it. */
class Lines {
  readonly socket: Socket;
  #text = '';
  readonly #waiting: ((line: string) => boolean)[] = [];

  constructor(socket: Socket) {
    this.socket = socket;
    socket.setEncoding('utf8').on('data', (text: string) => {
      const lines = `${this.#text}${text}`.split(/\r?\n/);
      this.#text = lines.pop() ?? '';
      for (const line of lines) {
        const found = this.#waiting.findIndex((takes) => takes(line));
        if (found >= 0) this.#waiting.splice(found, 1);
      }
    });
  }

  /** The next line that `read` makes something of. */
  next<T>(
    what: string,
    read: (line: string) => T | undefined,
    timeoutMs: number,
    broken: () => string | undefined = () => undefined,
  ): Promise<T> {
    let value: T | undefined;
    this.#waiting.push((line) => (value = read(line)) !== undefined);
    const probe = (): T | undefined => {
      const why = broken();
      if (value === undefined && why !== undefined) throw new Error(`${what}: ${why}`);
      return value;
    };
    return eventually(what, probe, timeoutMs);
  }
}

async function socketAt(path: string): Promise<Lines> {
  await eventually(`QEMU makes ${path}`, () => (existsSync(path) ? true : undefined), 20_000);
  const socket = connect(path);
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve).once('error', reject);
  });
  socket.on('error', () => undefined); // QEMU has ended: whoever waits is told
  return new Lines(socket);
}

/** Gets the kernel where it is missing (setup.sh). */
export async function setUp(): Promise<void> {
  await promisify(execFile)('bash', [`${here}setup.sh`]);
}

/** Boots it and returns when it takes commands, in some ten seconds. It ends with the lab. */
export async function bootVm(options: VmOptions): Promise<Vm> {
  const { lab, folder, mtu, nics } = options;
  await setUp();
  mkdirSync(`${folder}/cmd`, { recursive: true, mode: 0o700 });
  const home = nics[0]?.netns;
  if (home === undefined) throw new Error('a machine without NICs');
  for (const { tap } of nics) await makeTap(lab, home, tap, mtu);
  const started = Date.now();
  const qemu = lab.start(home, command(options), `${folder}/qemu.log`);
  const console = (): string =>
    ['console', 'qemu.log']
      .map((name) => `${folder}/${name}`)
      .map((file) => (existsSync(file) ? readFileSync(file, 'latin1').slice(-4000) : ''))
      .join('\n');
  const ended = (): string | undefined =>
    qemu.exitCode === null && qemu.signalCode === null ? undefined : `it ended:\n${console()}`;
  const commands = await socketAt(`${folder}/commands`);
  const ready = (line: string): true | undefined => (line.endsWith('ready') ? true : undefined);
  await commands.next('the machine boots', ready, BOOT_TIMEOUT_MS, ended);
  const bootMs = Date.now() - started;
  for (const nic of nics) await moveTap(lab, home, nic);
  const monitor = await socketAt(`${folder}/monitor`);
  const ask = async (execute: string, args: object = {}): Promise<void> => {
    const answer = (line: string): string | undefined =>
      /^\{"(return|error)"/.test(line) ? line : undefined;
    const said = monitor.next(execute, answer, 20_000, ended);
    monitor.socket.write(`${JSON.stringify({ execute, arguments: args })}\n`);
    if ((await said).startsWith('{"error"')) throw new Error(`${execute}: ${await said}`);
  };
  await ask('qmp_capabilities');

  let count = 0;
  const run = async (script: string, timeoutMs = 120_000): Promise<Outcome> => {
    const name = String(++count);
    const file = `${folder}/cmd/${name}`;
    writeFileSync(file, script, { mode: 0o600 });
    const status = (line: string): number | undefined =>
      line.startsWith(`${name} `) ? Number(line.slice(name.length + 1)) : undefined;
    const done = commands.next(`"${script}" in the machine`, status, timeoutMs, ended);
    commands.socket.write(`${name}\n`);
    const code = await done;
    const [stdout, stderr] = ['out', 'err'].map((kind) => readFileSync(`${file}.${kind}`, 'utf8'));
    for (const kind of ['', '.out', '.err']) rmSync(`${file}${kind}`);
    return { code, stdout: stdout ?? '', stderr: stderr ?? '' };
  };
  return {
    run,
    must: async (script, timeoutMs) => {
      const { code, stdout, stderr } = await run(script, timeoutMs);
      if (code !== 0) throw new Error(`"${script}" in the machine: ${stdout}${stderr}`);
      return stdout;
    },
    setLink: (nic, up) => ask('set_link', { name: `nic${String(nic)}`, up }),
    bootMs,
    console,
    stop: () => {
      commands.socket.destroy();
      monitor.socket.destroy();
      return lab.stop(qemu);
    },
  };
}
