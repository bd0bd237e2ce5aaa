// SPDX-License-Identifier: Apache-2.0
/** Sealane at end b of a wire whose end a a Linux PE is given: its folders, its processes, its command line. */
import type { ChildProcess } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Lab, outcome } from '../../../scripts/lib/lab.js';
import type { Config } from '../../../src/config/types.js';
import { type Ca, issue, type Issued, makeCa } from '../../lib/pki.js';
import { makeWire, type Wire } from './wire.js';

const MAIN = fileURLToPath(new URL('../../../build/js/main.js', import.meta.url));
const CLI = fileURLToPath(new URL('../../../build/js/cli/main.js', import.meta.url));

/** Tunnel addresses of the two. */
export const [SEALANE, LINUX] = ['192.0.2.1', '192.0.2.2'];

export interface Pki {
  readonly root: Ca;
  readonly ours: Issued;
  readonly theirs: Issued;
}

export class Beside {
  readonly name: string;
  readonly dir: string;
  readonly lab: Lab;
  /** Captures are taken at end a: what Sealane sends bypasses those at its own end. */
  readonly wire: Wire;
  supervisor: ChildProcess | undefined;

  private constructor(name: string, lab: Lab, wire: Wire) {
    this.name = name;
    this.lab = lab;
    this.wire = wire;
    this.dir = mkdtempSync(`/dev/shm/sealane-${name}-`);
    for (const sub of ['run', 'state', 'segments', 'pki']) {
      mkdirSync(`${this.dir}/${sub}`, { mode: 0o700 });
    }
  }

  /** `name`: of namespaces and devices, short. */
  static async open(name: string): Promise<Beside> {
    const lab = await Lab.open(`sealane-${name}`);
    return new Beside(name, lab, await makeWire(name));
  }

  /** One CA, a certificate for each of the two. */
  pki(): Pki {
    const root = makeCa(`${this.dir}/pki`, 'root');
    const [ours, theirs] = [
      issue(root, { name: 'sealane', ip: [SEALANE] }),
      issue(root, { name: 'linux', ip: [LINUX] }),
    ];
    return { root, ours, theirs };
  }

  /** Without VRFs, BGP and IKE. */
  base(): Config {
    return {
      instance: this.name,
      runtimeDirectory: `${this.dir}/run`,
      stateDirectory: `${this.dir}/state`,
      segmentDirectory: `${this.dir}/segments`,
      worker: { memoryMb: 128 },
      ownSp: 'here',
      core: { tunnelAddresses: [SEALANE] },
      interfaces: {
        core0: { role: 'core', device: { kernel: 'wan0' }, addresses: [`${SEALANE}/24`] },
      },
    };
  }

  /** `ike` for a PE of our own SP with a certificate of the CA. */
  ike({ root, ours }: Pki): NonNullable<Config['ike']> {
    const anchors = { root: { file: root.files.certificate } };
    return {
      credentials: { own: { certificate: ours.files.certificate, key: ours.files.key } },
      providers: { here: { ranges: ['192.0.2.0/24'], anchors } },
    };
  }

  /** Without a configuration: with that of the last time. */
  start(config?: Config, ...more: readonly string[]): void {
    const file = `${this.dir}/config.json`;
    if (config !== undefined) writeFileSync(file, JSON.stringify(config));
    const argv = ['node', MAIN, 'run', file, ...more];
    this.supervisor = this.lab.start(this.wire.b.netns, argv, `${this.dir}/sealane.log`);
  }

  cli(...words: readonly string[]): ReturnType<typeof outcome> {
    return outcome(['node', CLI, '--socket', `${this.dir}/run/control.sock`, ...words]);
  }

  /** Rows of a topic; undefined while nobody answers. */
  async show<Row>(...topic: readonly string[]): Promise<Row[] | undefined> {
    const { code, stdout } = await this.cli('show', ...topic, '--json');
    return code === 0 ? (JSON.parse(stdout) as Row[]) : undefined;
  }

  /** The end of its log. */
  said(): string {
    return readFileSync(`${this.dir}/sealane.log`, 'utf8').slice(-5000);
  }

  /** `linux`: stopped before its wire goes. */
  async close(linux: { stop: () => Promise<unknown> } | undefined): Promise<void> {
    // The worker outlives its supervisor by design: it is told to stop.
    await this.cli('stop');
    await linux?.stop();
    await this.lab.close();
    await this.wire.remove();
    rmSync(this.dir, { recursive: true, force: true });
  }
}
