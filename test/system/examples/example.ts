// SPDX-License-Identifier: Apache-2.0
/**
 * The labs of examples/, brought up and down by their own scripts, from their own files; only the folder of keys and logs
 * is a temporary one (SEALANE_EXAMPLES, as their READMEs say).
 */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { eventually, Lab, outcome } from '../../../scripts/lib/lab.js';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));

export class Example {
  readonly lab: Lab;
  readonly #script: string;
  readonly #env: NodeJS.ProcessEnv;
  /** Its keys and logs. */
  readonly folder: string;

  private constructor(lab: Lab, name: string, root: string) {
    this.lab = lab;
    this.#script = `${ROOT}examples/${name}/lab.sh`;
    this.#env = { ...process.env, SEALANE_EXAMPLES: root };
    this.folder = `${root}/${name}`;
  }

  /** Brings the example of this folder up; `namespaces` are those it makes. */
  static async up(name: string, namespaces: readonly string[]): Promise<Example> {
    const lab = await Lab.open(`example-${name}`);
    for (const netns of namespaces) lab.own(netns);
    const it = new Example(lab, name, mkdtempSync(`${tmpdir()}/sealane-example-`));
    const { code, stdout, stderr } = await it.#run('up');
    if (code !== 0) {
      const said = `${stdout}${stderr}${it.logs()}`;
      await it.close();
      throw new Error(`lab.sh up of ${name}: ${String(code)}:\n${said}`);
    }
    return it;
  }

  #run(verb: 'up' | 'down') {
    return outcome(['bash', this.#script, verb], { env: this.#env, timeoutMs: 300_000 });
  }

  /** The end of every log. */
  logs(): string {
    if (!existsSync(this.folder)) return '';
    const files = readdirSync(this.folder).filter((file) => file.endsWith('.log'));
    return files
      .map((file) => `--- ${file}\n${readFileSync(`${this.folder}/${file}`, 'utf8').slice(-3000)}`)
      .join('\n');
  }

  /** What `show TOPIC` of an instance lists, once it answers. */
  async show(instance: string, ...topic: readonly string[]): Promise<Record<string, unknown>[]> {
    const cli = ['node', `${ROOT}build/js/cli/main.js`, '--instance', instance, 'show', ...topic];
    return this.until(`${instance} shows ${topic.join(' ')}`, async () => {
      const { code, stdout } = await outcome([...cli, '--json']);
      return code === 0 ? (JSON.parse(stdout) as Record<string, unknown>[]) : undefined;
    });
  }

  /** Waits as {@link eventually}, and tells the logs when it was for nothing. */
  async until<T>(what: string, probe: () => Promise<T | undefined>): Promise<T> {
    try {
      return await eventually(what, probe);
    } catch (error) {
      throw new Error(`${what}:\n${this.logs()}`, { cause: error });
    }
  }

  /** Pings until an answer comes, then ten times: how many of these were answered. */
  async pings(netns: string, to: string, ...more: readonly string[]): Promise<number> {
    const ping = async (count: number): Promise<number> => {
      const argv = ['ping', '-q', '-c', `${count}`, '-i', '0.05', '-W', '2', ...more, to];
      const { stdout } = await this.lab.exec(netns, argv);
      return Number(/(\d+) received/.exec(stdout)?.[1] ?? 0);
    };
    await this.until(`${to} answers ${netns}`, async () =>
      (await ping(1)) === 1 ? true : undefined,
    );
    return ping(10);
  }

  /** By its own script; rejects when that leaves anything of it. */
  async close(): Promise<void> {
    const { code, stdout, stderr } = await this.#run('down');
    const left = existsSync(this.folder);
    await this.lab.close();
    rmSync(this.#env['SEALANE_EXAMPLES'] ?? '', { recursive: true, force: true });
    if (code !== 0 || left) throw new Error(`lab.sh down: ${String(code)}: ${stdout}${stderr}`);
  }
}
