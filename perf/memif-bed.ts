// SPDX-License-Identifier: Apache-2.0
/**
 * A whole PE between two memif rings, and DPDK's testpmd at their other end, which sends as fast as it can and counts what
 * comes back:
 *
 *   testpmd (flowgen) --- memif ---+-- ce0: untagged          the PE: supervisor, worker, tables
 *   10.254.0.0 to 10.253.0.0 + n   |
 *              <-------------------+-- ce1: VLAN 30, or core0: VLAN 20
 *
 * testpmd's generator has addresses of its own, which the PE's port and routes are made for. The worker polls CPU 1, all
 * else is on CPU 0. As the limit of the rig another testpmd takes the PE's place and gives each frame back.
 */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { show } from '../scripts/lib/control.js';
import { eventually, Lab, outcome } from '../scripts/lib/lab.js';
import type { Config, StaticRoute } from '../src/config/types.js';
import { writeKeyFile } from '../src/lib/key-file.js';
import { Testpmd } from './testpmd.js';

const MAIN = fileURLToPath(new URL('../build/js/main.js', import.meta.url));
const CLI = fileURLToPath(new URL('../build/js/cli/main.js', import.meta.url));
const RUN = '/run/sealane-perf/slm';
const SEGMENTS = '/dev/shm/sealane-perf/slm';
const SOCKET = `${RUN}/memif.sock`;
const NETNS = 'slmpe';
/** flowgen.c of DPDK 22.11: all that it sends is to this MAC address, and to 1,024 addresses from 10.253.0.0 on. */
const FLOWGEN_TO = '00:01:02:03:04:01';
const FLOWGEN_PREFIX = '10.253.0.0/16';
/** Of those behind the PE, who say nothing. */
const NEIGHBOUR = '02:00:00:00:00:02';
const WORKER_CPU = '1';
const OTHER_CPU = '0';

/** What the PE does with the customer's packets. */
export type Work = 'plain' | 'gre' | 'out';

const ROUTES: Readonly<Record<Work, StaticRoute>> = {
  plain: { prefix: FLOWGEN_PREFIX, via: '10.30.0.2' },
  gre: { prefix: FLOWGEN_PREFIX, tunnel: 'clear', label: 2000 },
  out: { prefix: FLOWGEN_PREFIX, tunnel: 'sealed', label: 2000 },
};

function config(work: Work): Config {
  const memif = {
    vdev: `net_memif0,role=server,socket=${SOCKET},socket-abstract=no,mac=${FLOWGEN_TO}`,
  };
  const tunnel = { local: '192.0.2.1', remote: '192.0.2.2', encapsulation: 'gre' } as const;
  return {
    instance: NETNS,
    lab: { manualSas: true },
    runtimeDirectory: `${RUN}/pe`,
    stateDirectory: `${RUN}/pe/state`,
    segmentDirectory: SEGMENTS,
    worker: { memoryMb: 128, idle: 'poll', cpus: WORKER_CPU },
    ownSp: 'here',
    core: { tunnelAddresses: [tunnel.local] },
    interfaces: {
      ce0: { role: 'ce', vrf: 'a', device: memif, addresses: ['10.254.255.1/16'] },
      ce1: { role: 'ce', vrf: 'a', device: memif, vlan: 30, addresses: ['10.30.0.1/24'] },
      core0: { role: 'core', device: memif, vlan: 20, addresses: [`${tunnel.local}/24`] },
    },
    vrfs: { a: { routes: [ROUTES[work]] } },
    tunnels: {
      clear: { ...tunnel, protection: 'tunnel' },
      sealed: { ...tunnel, protection: 'encrypt', sa: 'out' },
    },
    manualSas: {
      out: {
        ...{ direction: 'out', spi: 0x1000, local: tunnel.local, remote: tunnel.remote },
        ...{ encapsulation: 'gre', algorithm: 'aes-gcm-128', keyFile: `${RUN}/key` },
      },
    },
  };
}

/** What a ring that is full costs, which is no fault where more is sent than can be taken. */
const FULL: readonly string[] = ['tx_full', 'rx_lost'];

const CONTROL = `${RUN}/pe/control.sock`;

/** What was dropped for another reason, as text. */
async function dropped(): Promise<string> {
  const rows = (await show(CONTROL, 'drops')).filter(({ reason }) => !FULL.includes(reason));
  return rows.map(({ reason, packets }) => `${reason} ${String(packets)}`).join(', ');
}

/** Packets until none is dropped any more: what is configured comes to the tables a little later. What was until then. */
async function settle(generator: Testpmd): Promise<string> {
  await generator.ask('start');
  const drops = await eventually('nothing is dropped', async () => {
    const before = await dropped();
    await sleep(500);
    return (await dropped()) === before ? before : undefined;
  });
  await generator.ask('stop');
  return drops;
}

const CLIENT = `net_memif0,role=client,socket=${SOCKET},socket-abstract=no`;

/** Nanoseconds for each packet that comes back, of frames of so many bytes (without FCS). */
async function timeOf(generator: Testpmd, bytes: number, seconds: number): Promise<number> {
  await generator.ask(`set txpkts ${String(bytes)}`);
  await generator.ask('start');
  await sleep(300);
  const from = await generator.received();
  await sleep(seconds * 1000);
  const to = await generator.received();
  await generator.ask('stop');
  if (to.packets === from.packets) throw new Error('nothing comes back');
  return ((to.atMs - from.atMs) * 1e6) / (to.packets - from.packets);
}

/** By frame size. */
export type Times = ReadonlyMap<number, number>;

/** `ready`: once there is a link. */
async function timesOf(
  sizes: readonly number[],
  seconds: number,
  ready?: (generator: Testpmd) => Promise<void>,
): Promise<Times> {
  const generator = new Testpmd(OTHER_CPU, CLIENT, 'flowgen');
  try {
    await generator.waitForLink();
    await ready?.(generator);
    const times = new Map<number, number>();
    for (const bytes of sizes) times.set(bytes, await timeOf(generator, bytes, seconds));
    return times;
  } finally {
    await generator.end();
  }
}

/** The rig with nothing in it. */
export async function limit(sizes: readonly number[], seconds: number): Promise<Times> {
  rmSync(SOCKET, { force: true });
  const other = new Testpmd(WORKER_CPU, CLIENT.replace('client', 'server'), 'io');
  try {
    await other.ask('start');
    return await timesOf(sizes, seconds);
  } finally {
    await other.end();
  }
}

export class MemifBed {
  readonly #lab: Lab;

  private constructor(lab: Lab) {
    this.#lab = lab;
  }

  static async open(): Promise<MemifBed> {
    for (const folder of [RUN, SEGMENTS]) {
      rmSync(folder, { recursive: true, force: true });
      mkdirSync(folder, { recursive: true, mode: 0o700 });
    }
    await writeKeyFile(`${RUN}/key`, 'aes-gcm-128');
    const lab = await Lab.open('perf-memif');
    await lab.namespace(NETNS);
    lab.own(`${NETNS}-a`);
    return new MemifBed(lab);
  }

  async close(): Promise<void> {
    await this.#lab.close();
  }

  /** Throws when a packet was dropped for another reason than that a ring was full. */
  async measure(work: Work, sizes: readonly number[], seconds: number): Promise<Times> {
    rmSync(SOCKET, { force: true });
    const file = `${RUN}/${work}.json`;
    writeFileSync(file, JSON.stringify(config(work)));
    const log = `${RUN}/${work}.log`;
    const argv = ['taskset', '-c', `${OTHER_CPU},${WORKER_CPU}`, 'node', MAIN, 'run', file];
    const pe = this.#lab.start(NETNS, argv, log);
    try {
      return await this.#times(sizes, seconds);
    } catch (error) {
      const said = readFileSync(log, 'utf8').slice(-4000);
      throw new Error(`${work}: ${String(error)}\n${said}`, { cause: error });
    } finally {
      // The worker ends, too.
      await outcome(['node', CLI, '--socket', `${RUN}/pe/control.sock`, 'stop']);
      await this.#lab.stop(pe);
    }
  }

  async #times(sizes: readonly number[], seconds: number): Promise<Times> {
    await eventually('the PE has its interfaces', async () => {
      const rows = await show(CONTROL, 'interfaces').catch(() => []);
      return rows.some(({ name }) => name === 'core0') ? true : undefined;
    });
    let before = '';
    const times = await timesOf(sizes, seconds, async (generator) => {
      await this.#ready();
      before = await settle(generator);
    });
    const after = await dropped();
    if (after !== before) throw new Error(`packets were dropped: ${before} -> ${after}`);
    return times;
  }

  /** Those behind the PE are known for good: they are nobody. */
  async #ready(): Promise<void> {
    const know = async (netns: string, address: string, device: string): Promise<void> =>
      this.#lab.ip(netns, [
        `neigh replace ${address} lladdr ${NEIGHBOUR} dev ${device} nud permanent`,
      ]);
    await eventually('the link is up', async () => {
      const rows = await show(CONTROL, 'interfaces');
      return rows.every(({ link }) => link === 'up') ? true : undefined;
    });
    await know(NETNS, '192.0.2.2', 'core0');
    await know(`${NETNS}-a`, '10.30.0.2', 'ce1');
    await eventually('the route is usable', async () => {
      const row = (await show(CONTROL, 'routes')).find(({ prefix }) => prefix === FLOWGEN_PREFIX);
      return row?.usable === true ? true : undefined;
    });
  }
}
