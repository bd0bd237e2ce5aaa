// SPDX-License-Identifier: Apache-2.0
/**
 * Other people's BGP speakers (FRR, GoBGP, BIRD) in namespaces of a lab: started with a configuration
 * given as text, asked by their own command-line tools, waited for by polling.
 *
 * Each instance keeps its configuration, sockets and log in a folder of its own, so any number of the
 * same kind runs at once; the lab ends their processes.
 */
import type { ChildProcess } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { eventually, type Lab } from '../../scripts/lib/lab.js';

export type BgpImplementation = 'frr' | 'gobgp' | 'bird';

const PROGRAMS: Readonly<Record<BgpImplementation, string>> = {
  frr: '/usr/lib/frr/bgpd',
  gobgp: '/usr/bin/gobgpd',
  bird: '/usr/sbin/bird',
};

/** Why a test that needs this implementation cannot run; undefined: it can. */
export function missing(implementation: BgpImplementation): string | undefined {
  const program = PROGRAMS[implementation];
  return existsSync(program) ? undefined : `${program} is not installed`;
}

export interface PeerOptions {
  readonly netns: string;
  /** Names the instance's folder below the lab's; one per instance. */
  readonly name: string;
  /** The configuration in the implementation's own language. */
  readonly config: string;
  /** Existing folder for the instance's own (a temporary one of the test). */
  readonly folder: string;
  /** More arguments for the daemon, e.g. ['-r'] of gobgpd after a restart. */
  readonly args?: readonly string[];
  /** A command in front of the daemon's that becomes it. */
  readonly wrap?: readonly string[];
}

/** A running daemon. */
export interface BgpPeer {
  readonly implementation: BgpImplementation;
  readonly netns: string;
  readonly child: ChildProcess;
  /** The daemon itself: `child` may be a wrapper of it. */
  readonly pid: number;
  readonly folder: string;
  /** Runs vtysh -c / gobgp / birdc; throws with the tool's error output. */
  command(text: string): Promise<string>;
  /** State of the session with this address, lower case, e.g. 'established'; undefined: not known. */
  state(address: string): Promise<string | undefined>;
  waitEstablished(address: string, timeoutMs?: number): Promise<void>;
  waitDown(address: string, timeoutMs?: number): Promise<void>;
  log(): string;
  /** Ends it by SIGTERM or another signal and waits. */
  stop(signal?: NodeJS.Signals): Promise<void>;
}

interface Kind {
  readonly argv: (folder: string, args: readonly string[]) => string[];
  readonly tool: (folder: string, text: string) => string[];
  /** Answers when the daemon is ready. */
  readonly probe: string;
  readonly state: (peer: BgpPeer, address: string) => Promise<string | undefined>;
}

/** One peer of FRR's `show bgp neighbors A json`, as far as it is read here. */
type FrrNeighbours = Readonly<Record<string, { readonly bgpState?: string }>>;
interface GobgpNeighbour {
  readonly state?: { readonly neighbor_address?: string; readonly session_state?: number };
}
const GOBGP_STATES = ['unknown', 'idle', 'connect', 'active', 'opensent', 'openconfirm'];

const KINDS: Readonly<Record<BgpImplementation, Kind>> = {
  frr: {
    // -n, -Z: neither the kernel's routes nor zebra. -S: stays root, which owns the folder.
    argv: (folder, args) => [
      ...[PROGRAMS.frr, '-f', `${folder}/bgpd.conf`, '-i', `${folder}/bgpd.pid`, '-S'],
      ...['--vty_socket', folder, '-A', '127.0.0.1', '-P', '0', '-z', `${folder}/zserv.api`],
      ...(args.includes('zebra') ? [] : ['-n', '-Z']),
      ...args.filter((arg) => arg !== 'zebra'),
    ],
    tool: (folder, text) => ['vtysh', '--vty_socket', folder, '-d', 'bgpd', '-c', text],
    probe: 'show version',
    state: async (peer, address) => {
      const text = await peer.command(`show bgp neighbors ${address} json`);
      const neighbours = JSON.parse(text) as FrrNeighbours;
      return neighbours[address]?.bgpState?.toLowerCase();
    },
  },
  gobgp: {
    argv: (folder, args) => [
      ...[PROGRAMS.gobgp, '-f', `${folder}/gobgpd.toml`, '-l', 'debug', '-p'],
      ...['--api-hosts', `unix://${folder}/api.sock`, '--pprof-disable', ...args],
    ],
    tool: (folder, text) => [
      ...['gobgp', '--target', `unix://${folder}/api.sock`],
      ...text.split(' ').filter((word) => word !== ''),
    ],
    probe: 'global',
    state: async (peer, address) => {
      const text = await peer.command('neighbor -j');
      const all = JSON.parse(text) as readonly GobgpNeighbour[];
      const found = all.find(({ state }) => state?.neighbor_address === address)?.state;
      const number = found?.session_state ?? 0;
      return found === undefined ? undefined : (GOBGP_STATES[number] ?? 'established');
    },
  },
  bird: {
    argv: (folder, args) => [
      ...[PROGRAMS.bird, '-f', '-c', `${folder}/bird.conf`, '-s', `${folder}/bird.ctl`],
      ...['-P', `${folder}/bird.pid`, ...args],
    ],
    tool: (folder, text) => ['birdc', '-s', `${folder}/bird.ctl`, ...text.split(' ')],
    probe: 'show status',
    state: async (peer, address) => {
      const text = await peer.command('show protocols all');
      // Blocks of a protocol begin in column 0; "BGP state:" and "Neighbor address:" stand inside.
      for (const block of text.split(/\n(?=\S)/)) {
        if (/Neighbor address:\s+(\S+)/.exec(block)?.[1]?.split('%')[0] !== address) continue;
        return /BGP state:\s+(\S+)/.exec(block)?.[1]?.toLowerCase();
      }
      return undefined;
    },
  },
};

const CONFIG_FILE: Readonly<Record<BgpImplementation, string>> = {
  frr: 'bgpd.conf',
  gobgp: 'gobgpd.toml',
  bird: 'bird.conf',
};

/**
 * Starts a daemon and waits until it answers its tool. For FRR the argument 'zebra' in `args` leaves
 * out -n and -Z: a zebra of the caller's own is then expected at FOLDER/NAME/zserv.api.
 */
export async function startBgpPeer(
  lab: Lab,
  implementation: BgpImplementation,
  options: PeerOptions,
): Promise<BgpPeer> {
  const { netns } = options;
  const kind = KINDS[implementation];
  const folder = `${options.folder}/${options.name}`;
  mkdirSync(folder, { recursive: true, mode: 0o755 });
  rmSync(`${folder}/api.sock`, { force: true }); // a killed gobgpd leaves it behind
  writeFileSync(`${folder}/${CONFIG_FILE[implementation]}`, options.config, { mode: 0o600 });
  const logFile = `${folder}/log`;
  const argv = [...(options.wrap ?? []), ...kind.argv(folder, options.args ?? [])];
  const child = lab.start(netns, argv, logFile);
  const log = (): string => (existsSync(logFile) ? readFileSync(logFile, 'utf8') : '');
  const peer: BgpPeer = {
    implementation,
    netns,
    child,
    folder,
    get pid() {
      // nsenter becomes the program it is given: the same process.
      if (child.pid === undefined) throw new Error(`${implementation} was not started`);
      return child.pid;
    },
    command: (text) => lab.must(netns, kind.tool(folder, text)),
    state: (address) => kind.state(peer, address),
    waitEstablished: (address, timeoutMs) => waitFor(peer, address, true, timeoutMs),
    waitDown: (address, timeoutMs) => waitFor(peer, address, false, timeoutMs),
    log,
    stop: (signal) => lab.stop(child, signal),
  };
  await eventually(`${implementation} answers`, async () => {
    if (child.exitCode !== null) throw new Error(`${implementation} ended: ${log()}`);
    const { code } = await lab.exec(netns, kind.tool(folder, kind.probe));
    return code === 0 ? true : undefined;
  });
  return peer;
}

async function waitFor(
  peer: BgpPeer,
  address: string,
  up: boolean,
  timeoutMs = 60_000,
): Promise<void> {
  let last: string | undefined;
  try {
    await eventually(
      `${peer.implementation} ${address}`,
      async () => {
        last = await peer.state(address);
        return (last === 'established') === up ? true : undefined;
      },
      timeoutMs,
    );
  } catch (error) {
    const state = `last state ${last ?? 'unknown'}; its log:\n${peer.log().slice(-4000)}`;
    throw new Error(`${peer.implementation}, session with ${address}: ${state}`, { cause: error });
  }
}
