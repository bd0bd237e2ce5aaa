// SPDX-License-Identifier: Apache-2.0
/**
 * Sealane on emulated NICs and a Linux kernel as the other PE, with SAs of IKE by certificates and static labels:
 *
 *   ce (namespace)            machine (QEMU)                    guest (User Mode Linux)
 *   10.1.0.2  ce0 --- NIC 1 [ Sealane ] NIC 0 --- core0 --- core0 [ Linux, strongSwan ] customer inside
 *                           10.1.0.1    192.0.2.1         192.0.2.2                     10.2.0.2
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Lab, eventually, type Outcome } from '../../scripts/lib/lab.js';
import type { Config } from '../../src/config/types.js';
import { type Ca, issue, type Issued, makeCa } from '../lib/pki.js';
import { Charon, guestSite } from '../lib/strongswan.js';
import { swanctlConf } from '../interop/ike/bed.js';
import { bootLinuxPe, type LinuxPe } from '../interop/linux-pe/linux-pe.js';
import { startCapture } from '../interop/linux-pe/wire.js';
import { bootVm, type Model, nicAddress, type Vm, type VmOptions } from './vm/vm.js';

const MAIN = fileURLToPath(new URL('../../build/js/main.js', import.meta.url));
const CLI = fileURLToPath(new URL('../../build/js/cli/main.js', import.meta.url));

export const [SEALANE, LINUX] = ['192.0.2.1', '192.0.2.2'];
/** Customers. */
export const [OURS, THEIRS] = ['10.1.0.2', '10.2.0.2'];
/** Another VRF's interface on the customer NIC, and a host there. */
export const VLAN = 100;
export const TAGGED = { router: '10.3.0.1', host: '10.3.0.2' } as const;
/** Labels that lead to the VRF here and there. */
export const LABELS = { ours: 1000, theirs: 2000 } as const;
/** NICs of the machine. */
export const [CORE, CUSTOMER] = [0, 1];
const [WIRE, CE] = ['nic-wire', 'nic-ce'];
/** Of the core NIC: in frames on the wire it says that they are Sealane's. */
export const CORE_MAC = '02:00:5e:00:53:01';
export const CUSTOMER_MAC = '02:00:5e:00:53:02';
/**
 * Largest customer packet where the core carries `mtu` octets: IPv4 20, ESP 8, IV 8, ICV 16 (RFC 4106), of the rest the
 * largest multiple of 4 that holds GRE 4, label 4 and the trailer's 2.
 */
export const largest = (mtu: number): number => mtu - 20 - 8 - 8 - 16 - 2 - 4 - 4;

export interface Machine {
  readonly model: Model;
  readonly bind: VmOptions['bind'];
  /** Largest IP packet on both NICs. */
  readonly mtu: number;
}

export interface InterfaceRow {
  readonly name: string;
  readonly device: string;
  readonly link: 'up' | 'down' | 'unknown';
  readonly mac: string;
}

/** Node.js itself starts in ten seconds there, or a minute where others have the processors. */
const START_TIMEOUT_MS = 240_000;

const inMachine = (dir: string, file: string): string => file.replace(dir, '/host');

function configure(dir: string, mtu: number, { root, ours }: { root: Ca; ours: Issued }): Config {
  const anchors = { root: { file: inMachine(dir, root.files.certificate) } };
  const own = {
    certificate: inMachine(dir, ours.files.certificate),
    key: inMachine(dir, ours.files.key),
  };
  return {
    instance: 'nic',
    worker: { memoryMb: 128, hugepages: 'require' },
    ownSp: 'here',
    core: { tunnelAddresses: [SEALANE] },
    interfaces: {
      core0: {
        ...{ role: 'core', device: { pci: nicAddress(CORE) }, mtu },
        addresses: [`${SEALANE}/24`],
      },
      'ce-a': {
        ...{ role: 'ce', vrf: 'A', device: { pci: nicAddress(CUSTOMER) }, mtu },
        addresses: ['10.1.0.1/24'],
      },
      'ce-b': {
        ...{ role: 'ce', vrf: 'B', device: { pci: nicAddress(CUSTOMER) }, vlan: VLAN, mtu },
        addresses: [`${TAGGED.router}/24`],
      },
    },
    vrfs: {
      B: {},
      A: {
        routes: [{ prefix: '10.2.0.0/24', tunnel: 'linux', label: LABELS.theirs }],
        exports: [
          {
            ...{ name: 'all', label: LABELS.ours },
            ...{ protections: ['encrypt'], encapsulations: ['gre'] },
          },
        ],
      },
    },
    tunnels: {
      linux: { local: SEALANE, remote: LINUX, protection: 'encrypt', encapsulation: 'gre' },
    },
    ike: {
      credentials: { own },
      providers: { here: { ranges: ['192.0.2.0/24'], anchors } },
    },
  };
}

/** The other PE, on the TAP of the core NIC. */
async function bootGuest(mtu: number, root: Ca, own: Issued): Promise<[LinuxPe, Charon]> {
  const linux = await bootLinuxPe({
    ...{ name: 'nic-linux', netns: WIRE, nics: ['core0'] },
    config: {
      underlay: [{ nic: 'core0', address: `${LINUX}/24` }],
      sas: [],
      tunnels: [
        {
          ...{ name: 'gre1', encap: 'gre', protection: 'ike', local: LINUX, remote: SEALANE },
          inner: [{ local: '10.255.0.2', nextHop: '10.255.0.1' }],
          mtu: largest(mtu) + 4, // Linux counts the label
        },
      ],
      vrfs: [
        {
          ...{ name: 'A', table: 10, labelsIn: [LABELS.theirs] },
          customer: [{ pe: '10.2.0.1/24', host: `${THEIRS}/24` }],
          routes: [{ prefix: '10.1.0.0/24', label: LABELS.ours, tunnel: 'gre1' }],
        },
      ],
      extra: [
        `ip link set dev v-A mtu ${String(mtu)}`,
        `ip -n ce-A link set dev eth0 mtu ${String(mtu)}`,
      ],
    },
  });
  const charon = await Charon.start(guestSite(linux), { logLevel: 1 });
  await charon.load(
    swanctlConf({
      ...{ local: LINUX, remote: SEALANE, certificate: 'own.pem' },
      proposals: 'aes256gcm16-prfsha384-x25519-ecp256',
      auth: { local: 'pubkey', remote: 'pubkey' },
      children: [{ name: 'gre', protocol: '47', esp: 'aes256gcm16-aes128gcm16-x25519' }],
    }),
    {
      'x509ca/root.pem': root.pem,
      'x509/own.pem': own.pem,
      'private/own.pem': readFileSync(own.files.key),
    },
  );
  return [linux, charon];
}

export class Bed {
  readonly dir: string;
  readonly lab: Lab;
  readonly vm: Vm;
  readonly linux: LinuxPe;
  readonly charon: Charon;
  /** Capture of the core from before Sealane's start until a customer's packet had crossed. */
  beginning = '';
  #captures = 0;

  private constructor(dir: string, lab: Lab, vm: Vm, linux: LinuxPe, charon: Charon) {
    this.dir = dir;
    this.lab = lab;
    this.vm = vm;
    this.linux = linux;
    this.charon = charon;
  }

  /** Both PEs, Sealane not started. */
  static async open({ model, bind, mtu }: Machine): Promise<Bed> {
    const dir = mkdtempSync('/dev/shm/sealane-nic-');
    mkdirSync(`${dir}/pki`, { mode: 0o700 });
    const root = makeCa(`${dir}/pki`, 'root');
    const ours = issue(root, { name: 'sealane', ip: [SEALANE] });
    const theirs = issue(root, { name: 'linux', ip: [LINUX] });
    writeFileSync(`${dir}/config.json`, JSON.stringify(configure(dir, mtu, { root, ours })));
    const lab = await Lab.open('sealane-nic');
    try {
      await lab.namespace(WIRE);
      await lab.namespace(CE);
      const vm = await bootVm({
        ...{ lab, folder: dir, model, bind, mtu },
        nics: [
          { tap: 'core0', netns: WIRE, mac: CORE_MAC },
          { tap: 'ce0', netns: CE, mac: CUSTOMER_MAC },
        ],
      });
      await lab.ip(CE, [`addr add ${OURS}/24 dev ce0`, 'route add default via 10.1.0.1']);
      const [linux, charon] = await bootGuest(mtu, root, theirs);
      return new Bed(dir, lab, vm, linux, charon);
    } catch (error) {
      await lab.close();
      rmSync(dir, { recursive: true, force: true });
      throw error;
    }
  }

  /** Starts Sealane in the machine, and waits until a customer's packet has crossed and come back. */
  async start(): Promise<void> {
    const capture = await this.capture();
    await this.vm.must(
      `setsid ${process.execPath} ${MAIN} run /host/config.json --debug-keys /host/keys \\
         >/host/sealane.log 2>&1 </dev/null &`,
    );
    try {
      await this.answered(START_TIMEOUT_MS);
      this.beginning = await capture.stop();
    } catch (error) {
      const said = `${this.said().slice(-5000)}\n${this.vm.console()}\n${this.charon.readableLog()}`;
      throw new Error(`${String(error)}\n${said}`, { cause: error });
    }
  }

  /** Its log. */
  said(): string {
    return readFileSync(`${this.dir}/sealane.log`, 'utf8');
  }

  workerSaid(): Promise<string> {
    return this.vm.must('cat /run/sealane/nic/worker.log');
  }

  cli(...words: readonly string[]): Promise<Outcome> {
    return this.vm.run(`${process.execPath} ${CLI} --instance nic ${words.join(' ')}`);
  }

  async show<Row>(topic: string): Promise<Row[]> {
    const { code, stdout, stderr } = await this.cli('show', topic, '--json');
    if (code !== 0) throw new Error(`show ${topic}: ${stderr}`);
    return JSON.parse(stdout) as Row[];
  }

  fromUs(...words: readonly string[]): Promise<Outcome> {
    return this.lab.exec(CE, ['ping', '-W', '3', ...words, THEIRS], { timeoutMs: 120_000 });
  }

  async fromLinux(...words: readonly string[]): Promise<string> {
    const ping = ['ping', '-W', '3', ...words, OURS].join(' ');
    return (await this.linux.run(`ip netns exec ce-A ${ping}`)).stdout;
  }

  answered(timeoutMs = 90_000): Promise<true> {
    return eventually(
      'an answer of the customer behind Linux',
      async () => ((await this.fromUs('-c', '1')).code === 0 ? true : undefined),
      timeoutMs,
    );
  }

  /** A shell script where our customer is. */
  customer(script: string): Promise<Outcome> {
    return this.lab.exec(CE, ['sh', '-c', script], { timeoutMs: 120_000 });
  }

  /** Of both directions of the core. */
  capture(): ReturnType<typeof startCapture> {
    const file = `${this.dir}/capture-${String(++this.#captures)}.pcap`;
    return startCapture({ netns: WIRE, nic: 'core0' }, file);
  }

  /** Rows of a table of tshark that --debug-keys writes. */
  keys(table: 'esp_sa' | 'ikev2_decryption_table'): string[] {
    return readFileSync(`${this.dir}/keys/${table}`, 'utf8').trim().split('\n');
  }

  async close(): Promise<void> {
    await this.linux.stop();
    await this.vm.stop();
    await this.lab.close();
    rmSync(this.dir, { recursive: true, force: true });
  }
}
