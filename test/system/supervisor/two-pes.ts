// SPDX-License-Identifier: Apache-2.0
/**
 * Two PEs as an operator runs them, each in a namespace, back to back in the core:
 *
 *   NAMEce1 ---- NAMEpe1 ======== wan, 192.0.2.0/24 ======== NAMEpe2 ---- NAMEce2
 *   10.1.0.2     10.1.0.1   MPLS-in-GRE in ESP, both ways      10.2.0.1    10.2.0.2
 *
 * VRF A on both, own addresses 10.255.0.1 and 10.255.0.2. Everything is prefixed by NAME, so that
 * labs may live side by side. Switched, the core is a bridge in the namespace NAMEcore, and other
 * people's routers join it.
 */
import type { ChildProcess } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { rowsOf, withClient } from '../../../scripts/lib/control.js';
import { eventually, Lab, type Outcome } from '../../../scripts/lib/lab.js';
import type { Config } from '../../../src/config/types.js';
import { writeKeyFile } from '../../../src/lib/key-file.js';
import type { Client, ShowFilter, Topic, TopicRows } from '../../../src/rpc/client.js';
import { readPcap } from '../../lib/pcap.js';

const root = fileURLToPath(new URL('../../..', import.meta.url));
export const MAIN = ['node', `${root}build/js/main.js`];

export type End = 1 | 2;
export const otherEnd = (end: End): End => (end === 1 ? 2 : 1);

function isStandby(pid: string, run: string): boolean {
  try {
    const argv = readFileSync(`/proc/${pid}/cmdline`, 'latin1').split('\0');
    return argv.includes('--standby') && argv.some((word) => word.startsWith(run));
  } catch {
    return false; // no process, or gone
  }
}

export class TwoPes {
  readonly lab: Lab;
  readonly name: string;
  /** Runtime and state directories, keys, logs. */
  readonly run: string;
  readonly segments: string;
  readonly #supervisors = new Map<End, ChildProcess>();

  private constructor(lab: Lab, name: string) {
    this.lab = lab;
    this.name = name;
    this.run = `/run/sealane-test/${name}`;
    this.segments = `/dev/shm/sealane-test/${name}`;
  }

  /** Namespaces, links and keys; no PE runs yet. `name`: at most 5 characters. */
  static async open(name: string, { switched = false } = {}): Promise<TwoPes> {
    const it = new TwoPes(await Lab.open(`test-${name}`), name);
    for (const folder of [it.run, it.segments]) {
      rmSync(folder, { recursive: true, force: true });
      mkdirSync(folder, { recursive: true, mode: 0o700 });
    }
    for (const end of [1, 2] as const) {
      await it.lab.namespace(it.pe(end));
      await it.lab.namespace(it.ce(end));
      it.lab.own(it.vrfNetns(end));
    }
    if (switched) await it.#switch();
    else await it.lab.link(it.pe(1), 'wan', it.pe(2), 'wan');
    for (const end of [1, 2] as const) {
      await it.lab.link(it.pe(end), 'cust', it.ce(end), 'eth0');
      await it.lab.ip(it.ce(end), [
        `addr add 10.${end}.0.2/24 dev eth0`,
        `addr add 2001:db8:a:${end}::2/64 dev eth0 nodad`,
        `route add default via 10.${end}.0.1`,
        `-6 route add default via 2001:db8:a:${end}::1`,
      ]);
    }
    await it.newKeys();
    return it;
  }

  async #switch(): Promise<void> {
    await this.lab.namespace(this.core);
    await this.lab.ip(this.core, ['link add br0 type bridge', 'link set br0 up']);
    for (const end of [1, 2] as const) await this.#join(this.pe(end), `pe${end}`);
  }

  async #join(netns: string, port: string): Promise<void> {
    await this.lab.link(netns, 'wan', this.core, port);
    await this.lab.ip(this.core, [`link set ${port} master br0`]);
  }

  /**
   * Another router of a switched core, 192.0.2.NUMBER on its interface `wan`: its namespace. A PE gives the
   * interface its address by itself.
   */
  async router(number: number, { pe = false } = {}): Promise<string> {
    const netns = `${this.name}r${number}`;
    await this.lab.namespace(netns);
    await this.#join(netns, `r${number}`);
    if (pe) this.lab.own(`${netns}-A`);
    else await this.lab.ip(netns, [`addr add 192.0.2.${number}/24 dev wan`]);
    return netns;
  }

  /** A key file of its own for each direction. */
  async newKeys(): Promise<void> {
    for (const file of [this.key(1), this.key(2)]) {
      rmSync(file, { force: true });
      await writeKeyFile(file, 'aes-gcm-128');
    }
  }

  /** Namespace of the bridge of a switched core. */
  get core(): string {
    return `${this.name}core`;
  }
  pe(end: End): string {
    return `${this.name}pe${end}`;
  }
  ce(end: End): string {
    return `${this.name}ce${end}`;
  }
  vrfNetns(end: End): string {
    return `${this.pe(end)}-A`;
  }
  /** Of the SA that this end sends with. */
  key(end: End): string {
    return `${this.run}/key-from-${end}`;
  }
  log(end: End): string {
    return `${this.run}/pe${end}.log`;
  }
  spi(from: End): number {
    return 0x51a0_0000 + from;
  }

  config(end: End): Config {
    const other = otherEnd(end);
    const sa = {
      ...{ local: `192.0.2.${end}`, remote: `192.0.2.${other}`, encapsulation: 'gre' as const },
      algorithm: 'aes-gcm-128' as const,
    };
    return {
      instance: this.pe(end),
      lab: { manualSas: true },
      runtimeDirectory: `${this.run}/pe${end}`,
      stateDirectory: `${this.run}/pe${end}/state`,
      segmentDirectory: `${this.segments}/pe${end}`,
      worker: { memoryMb: 64 },
      ownSp: 'example',
      core: { tunnelAddresses: [`192.0.2.${end}`] },
      interfaces: {
        core0: { role: 'core', device: { kernel: 'wan' }, addresses: [`192.0.2.${end}/24`] },
        'ce-a': {
          ...{ role: 'ce', vrf: 'A', device: { kernel: 'cust' } },
          addresses: [`10.${end}.0.1/24`, `2001:db8:a:${end}::1/64`],
        },
      },
      vrfs: {
        A: {
          addresses: [`10.255.0.${end}/32`],
          routes: [`10.${other}.0.0/24`, `10.255.0.${other}/32`, `2001:db8:a:${other}::/64`].map(
            (prefix) => ({ prefix, tunnel: 'peer', label: 1000 + other }),
          ),
          exports: [{ name: 'all', protections: ['encrypt'], label: 1000 + end }],
        },
      },
      tunnels: {
        peer: {
          local: sa.local,
          remote: sa.remote,
          protection: 'encrypt',
          encapsulation: 'gre',
          sa: 'out',
        },
      },
      manualSas: {
        out: { ...sa, direction: 'out', spi: this.spi(end), keyFile: this.key(end) },
        in: { ...sa, direction: 'in', spi: this.spi(other), keyFile: this.key(other) },
      },
    };
  }

  /** Writes the configuration file of an end and returns its path. */
  write(end: End, config: Config = this.config(end)): string {
    const path = `${this.run}/pe${end}.json`;
    writeFileSync(path, JSON.stringify(config));
    return path;
  }

  /** Starts a supervisor with the file that was written last; returns at once. */
  start(
    end: End,
    env: NodeJS.ProcessEnv = process.env,
    options: readonly string[] = [],
  ): ChildProcess {
    const file = `${this.run}/pe${end}.json`;
    const argv = [...MAIN, 'run', file, '--log-level', 'debug', ...options];
    const child = this.lab.start(this.pe(end), argv, this.log(end), env);
    this.#supervisors.set(end, child);
    return child;
  }

  /** Runs a supervisor that is expected to end by itself. */
  async runToEnd(end: End, file: string, env: NodeJS.ProcessEnv = process.env): Promise<Outcome> {
    return this.lab.exec(this.pe(end), [...MAIN, 'run', file], { timeoutMs: 60_000, env });
  }

  supervisor(end: End): ChildProcess {
    const child = this.#supervisors.get(end);
    if (child === undefined) throw new Error(`no supervisor of PE ${end} was started`);
    return child;
  }

  /** kill -9; resolves when it is gone. */
  async killSupervisor(end: End): Promise<void> {
    const child = this.supervisor(end);
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await gone;
  }

  /** Starts both and waits until the tunnels are up. */
  async up(): Promise<void> {
    for (const end of [1, 2] as const) {
      this.write(end);
      this.start(end);
    }
    for (const end of [1, 2] as const) await this.tunnelUp(end);
  }

  async tunnelUp(end: End): Promise<void> {
    await eventually(`tunnel of PE ${end} up`, async () => {
      const child = this.supervisor(end);
      if (child.exitCode !== null || child.signalCode !== null) {
        throw new Error(`PE ${end} ended:\n${this.logText(end)}`);
      }
      const rows = await this.show(end, 'tunnels').catch(() => []);
      return rows.length > 0 && rows.every(({ state }) => state === 'up') ? true : undefined;
    });
  }

  logText(end: End): string {
    return readFileSync(this.log(end), 'utf8');
  }

  async client<T>(end: End, use: (client: Client) => Promise<T>): Promise<T> {
    return withClient(`${this.run}/pe${end}/control.sock`, use);
  }

  async show<T extends Topic>(
    end: End,
    topic: T,
    filter: ShowFilter = {},
  ): Promise<TopicRows[T][]> {
    return this.client(end, async (client) => rowsOf(client, topic, filter));
  }

  async workerPid(end: End): Promise<number> {
    const [row] = await this.show(end, 'workers');
    return row?.pid ?? 0;
  }

  /** kill -9 of the next worker that stands by, as soon as it is there. To be called before it is started. */
  async killStandby(end: End): Promise<void> {
    const standbys = (): string[] =>
      readdirSync('/proc').filter((pid) => isStandby(pid, `${this.run}/pe${end}`));
    // The worker may have begun as one, and so may the one before, which is still about to end.
    const before = new Set(standbys());
    await eventually('a standby runs', async () => {
      const found = standbys().find((pid) => !before.has(pid));
      if (found !== undefined) process.kill(Number(found), 'SIGKILL');
      return Promise.resolve(found === undefined ? undefined : true);
    });
  }

  async drops(end: End): Promise<Map<string, bigint>> {
    return new Map((await this.show(end, 'drops')).map(({ reason, packets }) => [reason, packets]));
  }

  /** Received replies of `count` echo requests from a CE, one each `intervalMs`. */
  async ping(
    from: End,
    to: string,
    { count = 3, intervalMs = 20, more = [] as readonly string[] } = {},
  ): Promise<number> {
    const argv = [
      'ping',
      '-q',
      '-c',
      `${count}`,
      '-i',
      `${intervalMs / 1000}`,
      '-W',
      '1',
      ...more,
      to,
    ];
    const { stdout } = await this.lab.exec(this.ce(from), argv);
    return Number(/(\d+) received/.exec(stdout)?.[1] ?? 0);
  }

  /** Asks until an answer comes: neighbours are resolved then. */
  async reach(from: End, to: string, timeoutMs = 15_000): Promise<void> {
    await eventually(
      `answer of ${to}`,
      async () => ((await this.ping(from, to, { count: 1 })) === 1 ? true : undefined),
      timeoutMs,
    );
  }

  /**
   * Frames that each end's core interface receives while `during` runs: what a PE sends passes by the
   * packet taps of its own interface (PACKET_QDISC_BYPASS) and is seen where it arrives.
   */
  async capture(during: () => Promise<void>): Promise<Record<End, Buffer[]>> {
    const taps = { 1: await this.#tap(1), 2: await this.#tap(2) };
    try {
      await during();
      await new Promise((wake) => setTimeout(wake, 200));
    } finally {
      await taps[1].stop();
      await taps[2].stop();
    }
    return { 1: taps[1].frames(), 2: taps[2].frames() };
  }

  async #tap(end: End): Promise<{ stop: () => Promise<void>; frames: () => Buffer[] }> {
    const file = `${this.run}/core${end}.pcap`;
    const log = `${this.run}/tcpdump${end}.log`;
    for (const old of [file, log]) rmSync(old, { force: true });
    const argv = [
      ...['tcpdump', '--immediate-mode', '-U', '-Z', 'root', '-s', '0'],
      ...['-Q', 'in', '-ni', 'wan', '-w', file],
    ];
    const tcpdump = this.lab.start(this.pe(end), argv, log);
    await eventually('tcpdump listens', () =>
      readFileSync(log, 'utf8').includes('listening on') ? true : undefined,
    );
    return {
      stop: async () => this.lab.stop(tcpdump, 'SIGINT'),
      frames: () => readPcap(readFileSync(file)),
    };
  }

  async close(): Promise<void> {
    await this.lab.close();
    for (const folder of [this.run, this.segments]) {
      rmSync(folder, { recursive: true, force: true });
    }
  }
}
