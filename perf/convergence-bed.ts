// SPDX-License-Identifier: Apache-2.0
/**
 * What convergence is measured on: PEs as an operator runs them, a GoBGP CE behind two of them, and a stream.
 *
 *                                +-- slcpe2 -- 10.2.0.0/24 -- eth0 \
 *   slcce1 -- slcpe1 -- core ----+                                  slcce2, AS 64512, 10.50.0.0/24
 *   10.1.0.2                     +-- slcpe3 -- 10.3.0.0/24 -- eth1 /
 *
 * PE n is 192.0.2.n. Nothing is configured of tunnels and SAs: they come of routes. PE 1 exports nothing, so that there is no
 * SA before the CE has announced something.
 */
import type { ChildProcess } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { rowsOf, withClient } from '../scripts/lib/control.js';
import { eventually, Lab } from '../scripts/lib/lab.js';
import type { BgpNeighbour, Config, Protection } from '../src/config/types.js';
import type { Client, Topic, TopicRows } from '../src/rpc/client.js';
import { ControlError } from '../src/rpc/errors.js';
import { startBgpPeer, type BgpPeer } from '../test/lib/bgp-peers.js';
import { issue, makeCa, type Ca } from '../test/lib/pki.js';
import { events, readTimedPcap, STREAM_PORT, type Event } from './convergence-wire.js';

const MAIN = fileURLToPath(new URL('../build/js/main.js', import.meta.url));
const RUN = '/run/sealane-perf/slc';
const SEGMENTS = '/dev/shm/sealane-perf/slc';
const TARGETS = ['65001:100'];
export const PREFIX = '10.50.0.0/24';
export const PREFIX_OCTETS = [10, 50, 0];
export const CE = '10.2.0.2';
export const core = (pe: Pe): string => `192.0.2.${String(pe)}`;

export type Pe = 1 | 2 | 3;

/** What the runs vary. */
export interface PeOptions {
  /** Of the site's routes. */
  readonly protection: Protection;
  /** Of all sessions in the core. */
  readonly session: Partial<BgpNeighbour>;
  /** Seconds: bgp.tightening. */
  readonly announce: number;
  readonly grace: number;
}

/** A packet each millisecond with its number; at SIGTERM prints how many. */
const SENDER = `
import signal, socket, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
n, over = 0, False
def end(*_):
    global over
    over = True
signal.signal(signal.SIGTERM, end)
while not over:
    s.sendto(b"%012d" % n + b"x" * 100, ("10.50.0.1", ${String(STREAM_PORT)}))
    n += 1
    time.sleep(0.001)
print("sent %d" % n, flush=True)
`;

const CORE_FILTER =
  'udp port 500 or udp port 3784 or udp port 4784 or ip proto 50 or ip proto 47 or tcp port 179';
const SITE_FILTER = `udp dst port ${String(STREAM_PORT)} or tcp port 179`;

export type Link = 'core' | 'pe2' | 'pe3';
export type Wire = Readonly<Record<Link, readonly Event[]>>;

export class ConvergenceBed {
  readonly lab: Lab;
  readonly #ca: Ca;
  readonly #supervisors = new Map<Pe, ChildProcess>();
  #ce: BgpPeer | undefined;
  #files = 0;

  private constructor(lab: Lab) {
    this.lab = lab;
    this.#ca = makeCa(RUN, 'root');
  }

  static async open(): Promise<ConvergenceBed> {
    for (const folder of [RUN, SEGMENTS]) {
      rmSync(folder, { recursive: true, force: true });
      mkdirSync(folder, { recursive: true, mode: 0o700 });
    }
    const bed = new ConvergenceBed(await Lab.open('perf-convergence'));
    try {
      await bed.#topology();
      return bed;
    } catch (error) {
      await bed.close();
      throw error;
    }
  }

  async #topology(): Promise<void> {
    const { lab } = this;
    for (const name of ['slccore', 'slcce1', 'slcce2']) await lab.namespace(name);
    await lab.ip('slccore', ['link add br0 type bridge', 'link set br0 up']);
    for (const pe of [1, 2, 3] as const) {
      const netns = `slcpe${String(pe)}`;
      await lab.namespace(netns);
      lab.own(`${netns}-A`);
      await lab.link(netns, 'wan', 'slccore', `pe${String(pe)}`);
      await lab.ip('slccore', [`link set pe${String(pe)} master br0`]);
      const [ce, device] = pe === 1 ? ['slcce1', 'eth0'] : ['slcce2', `eth${String(pe - 2)}`];
      await lab.link(netns, 'cust', ce, device);
      await lab.ip(ce, [`addr add 10.${String(pe)}.0.2/24 dev ${device}`]);
      issue(this.#ca, { name: `pe${String(pe)}`, ip: [core(pe)] });
    }
    await lab.ip('slcce1', ['route add default via 10.1.0.1']);
    await lab.ip('slcce2', ['route add local 10.50.0.0/24 dev lo']);
  }

  async startCe(): Promise<void> {
    const neighbour = (pe: Pe): string =>
      `[[neighbors]]\n[neighbors.config]\nneighbor-address = "10.${String(pe)}.0.1"\npeer-as = 65001\n`;
    this.#ce = await startBgpPeer(this.lab, 'gobgp', {
      ...{ netns: 'slcce2', name: 'ce', folder: RUN },
      config: `[global.config]\nas = 64512\nrouter-id = "10.2.0.2"\n${neighbour(2)}${neighbour(3)}`,
    });
  }

  #peer(): BgpPeer {
    if (this.#ce === undefined) throw new Error('the CE does not run');
    return this.#ce;
  }
  async announce(): Promise<void> {
    await this.#peer().command(`global rib add ${PREFIX}`);
  }
  async withdraw(): Promise<void> {
    await this.#peer().command(`global rib del ${PREFIX}`);
  }
  async ceIsUp(pe: 2 | 3): Promise<void> {
    await this.#peer().waitEstablished(`10.${String(pe)}.0.1`, 120_000);
  }

  // ---- PEs -----------------------------------------------------------------------------------------

  #config(pe: Pe, options: PeOptions): Config {
    const name = `slcpe${String(pe)}`;
    const number = String(pe);
    const certificate = `${this.#ca.folder}/pe${number}`;
    const neighbour: BgpNeighbour = {
      ...{ asn: 65_001, localAddress: core(pe), families: { 'vpnv4-unicast': {} } },
      ...options.session,
      timers: { connectRetry: 1, connectRetryMax: 2, ...options.session.timers },
    };
    const others = pe === 1 ? ([2, 3] as const) : ([1] as const);
    const ce = { asn: 64_512, timers: { connectRetry: 1, connectRetryMax: 2 } };
    return {
      instance: name,
      runtimeDirectory: `${RUN}/${name}`,
      stateDirectory: `${RUN}/${name}/state`,
      segmentDirectory: `${SEGMENTS}/${name}`,
      worker: { memoryMb: 64 },
      ownSp: 'example',
      core: { tunnelAddresses: [core(pe)] },
      interfaces: {
        core0: { role: 'core', device: { kernel: 'wan' }, addresses: [`${core(pe)}/24`] },
        'ce-a': {
          ...{ role: 'ce', vrf: 'A', device: { kernel: 'cust' } },
          addresses: [`10.${number}.0.1/24`],
        },
      },
      ike: {
        credentials: { own: { certificate: `${certificate}.pem`, key: `${certificate}.key` } },
        providers: {
          example: {
            ranges: ['192.0.2.0/24'],
            anchors: { root: { file: this.#ca.files.certificate } },
          },
        },
      },
      bgp: {
        ...{ asn: 65_001, routerId: core(pe), ebgpRequiresPolicy: false },
        tightening: { announce: options.announce, grace: options.grace },
        neighbours: Object.fromEntries(others.map((other) => [core(other), neighbour])),
      },
      vrfs: {
        A: {
          bgp: {
            rd: `65001:${number}`,
            imports: [{ name: 'all', targets: TARGETS, floor: 'tunnel', preferProtected: false }],
            ...(pe > 1 && {
              exports: [{ name: 'all', targets: TARGETS, protections: [options.protection] }],
              neighbours: { [`10.${number}.0.2`]: ce },
            }),
          },
        },
      },
    };
  }

  configure(pe: Pe, options: PeOptions): string {
    const file = `${RUN}/pe${String(pe)}.json`;
    const config = this.#config(pe, options);
    const wan = config.interfaces['core0'];
    if (wan?.role !== 'core') throw new Error('no core interface');
    const clear = { ...wan, acceptClear: ['gre'] as const };
    const interfaces = { ...config.interfaces, core0: clear };
    writeFileSync(file, JSON.stringify({ ...config, interfaces }));
    return file;
  }

  start(pe: Pe): void {
    const argv = ['node', MAIN, 'run', `${RUN}/pe${String(pe)}.json`];
    const log = `${RUN}/pe${String(pe)}.log`;
    this.#supervisors.set(pe, this.lab.start(`slcpe${String(pe)}`, argv, log));
  }

  async reload(pe: Pe, options: PeOptions): Promise<void> {
    const file = this.configure(pe, options);
    await eventually(`PE ${String(pe)} takes its configuration`, async () => {
      try {
        await this.#client(pe, (client) => client.reload(file, false));
        return true;
      } catch (error) {
        // It has just come back, and is at the one it had.
        if (error instanceof ControlError && error.code === 'BUSY') return undefined;
        throw error;
      }
    });
  }

  /** Both processes at once, kill -9. */
  async kill(pe: Pe): Promise<void> {
    const child = this.#supervisors.get(pe);
    const [worker] = await this.show(pe, 'workers');
    if (child === undefined || worker === undefined) throw new Error(`PE ${String(pe)} is away`);
    const gone = new Promise((resolve) => child.once('exit', resolve));
    process.kill(worker.pid, 'SIGKILL');
    child.kill('SIGKILL');
    await gone;
  }

  /** It has come back, and can be told things. */
  async answers(pe: Pe): Promise<void> {
    await eventually(`PE ${String(pe)} answers`, async () => {
      const rows = await this.show(pe, 'workers').catch(() => []);
      return rows.length > 0 ? true : undefined;
    });
  }

  /** The core's side of a PE's link: the others notice nothing but silence. */
  async link(pe: Pe, state: 'up' | 'down'): Promise<void> {
    await this.lab.ip('slccore', [`link set pe${String(pe)} ${state}`]);
  }

  async #client<T>(pe: Pe, use: (client: Client) => Promise<T>): Promise<T> {
    const child = this.#supervisors.get(pe);
    if (child?.exitCode !== null) {
      throw new Error(readFileSync(`${RUN}/pe${String(pe)}.log`, 'utf8').slice(-4000));
    }
    return withClient(`${RUN}/slcpe${String(pe)}/control.sock`, use);
  }

  async show<T extends Topic>(pe: Pe, topic: T): Promise<TopicRows[T][]> {
    return this.#client(pe, async (client) => rowsOf(client, topic));
  }

  /** PE 1 and this PE have their session; of PE 2 and 3 also the one with the CE. */
  async sessionUp(pe: 2 | 3): Promise<void> {
    await this.ceIsUp(pe);
    await eventually(`BGP of PE 1 with PE ${String(pe)}`, async () => {
      const rows = await this.show(1, 'bgp summary').catch(() => []);
      const is = rows.some((row) => row.neighbor === core(pe) && row.state === 'established');
      return is ? true : undefined;
    });
  }

  /** How PE 1 sends to the site: the tunnel's name; undefined: not at all. */
  async way(): Promise<string | undefined> {
    const rows = await this.show(1, 'routes');
    return rows.find((row) => row.vrf === 'A' && row.prefix === PREFIX && row.usable)?.tunnel;
  }

  async wayIs(tunnel: string | undefined): Promise<void> {
    await eventually(`PE 1 sends by ${tunnel ?? 'nothing'}`, async () => {
      const now = await this.way().catch(() => 'nobody answers');
      return now === tunnel ? true : undefined;
    });
  }

  /** No change of a policy is under way. */
  async settled(pe: Pe): Promise<void> {
    await eventually('no change is under way', async () => {
      const rows = await this.show(pe, 'transitions').catch(() => undefined);
      return rows?.length === 0 ? true : undefined;
    });
  }

  async bfdUp(pe: 2 | 3): Promise<void> {
    await eventually(`BFD of PE 1 with PE ${String(pe)}`, async () => {
      const rows = await this.show(1, 'bgp neighbors').catch(() => []);
      return rows.some((row) => row.address === core(pe) && row.bfd === 'up') ? true : undefined;
    });
  }

  /** PE 1 has child SAs with these, and nobody else. */
  async childrenAre(pes: readonly Pe[]): Promise<void> {
    let remotes: ReadonlySet<string> = new Set();
    await eventually(`SAs with ${pes.join(', ')}`, async () => {
      const rows = await this.show(1, 'ike children').catch(() => []);
      remotes = new Set(rows.map(({ remote }) => remote));
      const isSo = remotes.size === pes.length && pes.every((pe) => remotes.has(core(pe)));
      return isSo ? true : undefined;
    }).catch((error: unknown) => {
      throw new Error(`PE 1 has SAs with ${[...remotes].join(', ')}`, { cause: error });
    });
  }

  /**
   * PE 1 from nothing: no routes, tunnels, SAs. (A tunnel stays for a minute after its last route has gone, so waiting would do
   * as well.) The sessions with these PEs are up again.
   */
  async afresh(options: PeOptions, ...others: readonly (2 | 3)[]): Promise<void> {
    const child = this.#supervisors.get(1);
    if (child !== undefined) {
      const ended = new Promise((resolve) => child.once('exit', resolve));
      await this.#client(1, (client) => client.stop(false));
      await ended;
      // With its tables it would be a PE that restarts, and wait for all its neighbours' routes (RFC 4724 §4.1).
      for (const folder of [`${RUN}/slcpe1`, `${SEGMENTS}/slcpe1`]) {
        rmSync(folder, { recursive: true, force: true });
      }
    }
    this.configure(1, options);
    this.start(1);
    for (const pe of others) await this.sessionUp(pe);
  }

  /** PE 1 has the site's route by this PE, used or not. */
  async knows(pe: 2 | 3): Promise<void> {
    await eventually(`route of PE ${String(pe)}`, async () => {
      const rows = await this.show(1, 'bgp routes').catch(() => []);
      const is = rows.some((row) => row.prefix === PREFIX && row.nextHop === core(pe));
      return is ? true : undefined;
    });
  }

  // ---- The stream and the captures ------------------------------------------------------------------

  async #tap(netns: string, device: string, filter: string) {
    const file = `${RUN}/tap${String(++this.#files)}.pcap`;
    const argv = ['tcpdump', '--immediate-mode', '-U', '-Z', 'root', '-s', '0', '-B', '16384'];
    const log = `${file}.log`;
    const child = this.lab.start(netns, [...argv, '-ni', device, '-w', file, filter], log);
    await eventually('tcpdump listens', () =>
      readFileSync(log, 'utf8').includes('listening on') ? true : undefined,
    );
    return async (): Promise<readonly Event[]> => {
      await this.lab.stop(child, 'SIGINT');
      // What the kernel could not keep would look like loss.
      if (!/^0 packets dropped by kernel$/m.test(readFileSync(log, 'utf8'))) {
        throw new Error(`the capture is not whole: ${readFileSync(log, 'utf8')}`);
      }
      return events(readTimedPcap(readFileSync(file)));
    };
  }

  /** What is on the wires, and how many packets the stream had, while `during` runs. */
  async watched(during: () => Promise<void>): Promise<{ wire: Wire; sent: number }> {
    const taps = {
      core: await this.#tap('slccore', 'pe1', CORE_FILTER),
      pe2: await this.#tap('slcce2', 'eth0', SITE_FILTER),
      pe3: await this.#tap('slcce2', 'eth1', SITE_FILTER),
    };
    const log = `${RUN}/sender${String(++this.#files)}.log`;
    const sender = this.lab.start('slcce1', ['/usr/bin/python3', '-c', SENDER], log);
    let sent = NaN;
    try {
      await during();
    } finally {
      await this.lab.stop(sender);
      if (existsSync(log)) sent = Number(/^sent (\d+)$/m.exec(readFileSync(log, 'utf8'))?.[1]);
      await new Promise((wake) => setTimeout(wake, 300));
    }
    return {
      sent,
      wire: { core: await taps.core(), pe2: await taps.pe2(), pe3: await taps.pe3() },
    };
  }

  async close(): Promise<void> {
    await this.lab.close();
    for (const folder of [RUN, SEGMENTS]) rmSync(folder, { recursive: true, force: true });
  }
}
