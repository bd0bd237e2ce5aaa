// SPDX-License-Identifier: Apache-2.0
/** DPDK's testpmd on one CPU and one virtual device, told what to do by its command line. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { eventually } from '../scripts/lib/lab.js';

export class Testpmd {
  readonly #child: ChildProcess;
  #said = '';
  #isReady = false;

  constructor(cpu: string, vdev: string, mode: string) {
    const eal = [
      ...['--no-huge', '-m', '256', '--no-pci', '--iova-mode=va', '--no-shconf', '--no-telemetry'],
      ...['--lcores', `0@${cpu},1@${cpu}`, '--log-level', '4', '--vdev', vdev],
    ];
    const own = ['--nb-cores=1', '--burst=32', '--total-num-mbufs=16384', '--port-topology=loop'];
    this.#child = spawn(
      'setpriv',
      [
        // Lines as they are said: its prompt does not wait for what is buffered.
        ...['--pdeathsig', 'KILL', 'stdbuf', '-oL', 'dpdk-testpmd', ...eal],
        ...['--', '-i', `--forward-mode=${mode}`, ...own],
      ],
      { stdio: ['pipe', 'pipe', 'pipe'] },
    );
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => (this.#said += text));
    }
    this.#child.stdin?.on('error', () => undefined);
  }

  /** What it says to a command, until its next prompt. Throws when it ends, or does not answer. */
  async ask(command: string): Promise<string> {
    if (!this.#isReady) await this.#prompt('its first prompt');
    this.#isReady = true;
    this.#said = '';
    this.#child.stdin?.write(`${command}\n`);
    await this.#prompt(command);
    return this.#said;
  }

  async #prompt(what: string): Promise<void> {
    await eventually(
      `testpmd: ${what}`,
      () => {
        if (this.#child.exitCode !== null) throw new Error(`testpmd ended: ${this.#said}`);
        return this.#said.endsWith('testpmd> ') ? true : undefined;
      },
      30_000,
    );
  }

  async waitForLink(): Promise<void> {
    await eventually(
      'memif is connected',
      async () =>
        (await this.ask('show port info 0')).includes('Link status: up') ? true : undefined,
      30_000,
    );
  }

  async received(): Promise<{ packets: number; atMs: number }> {
    const said = await this.ask('show port stats 0');
    const atMs = performance.now();
    const packets = /RX-packets:\s*(\d+)/.exec(said)?.[1];
    if (packets === undefined) throw new Error(`testpmd says no statistics: ${said}`);
    return { packets: Number(packets), atMs };
  }

  async end(): Promise<void> {
    if (this.#child.exitCode !== null) return;
    const exit = once(this.#child, 'exit');
    this.#child.stdin?.end('quit\n');
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), 5000);
    await exit;
    clearTimeout(timer);
  }
}
