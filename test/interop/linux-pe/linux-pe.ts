// SPDX-License-Identifier: Apache-2.0
/**
 * A real Linux kernel as the other PE: MPLS-in-GRE or MPLS-in-IP, in ESP transport mode with manual SAs or in clear,
 * VRFs with static labels, customer hosts. It runs as a User Mode Linux guest on interfaces of a network namespace.
 * README.md says what Linux does and does not do. Needs root.
 */
import { spawn } from 'node:child_process';
import { randomBytes, randomInt } from 'node:crypto';
import { fileURLToPath } from 'node:url';

/** ESP transforms; the number is the key length in bits. The tag or ICV is always 128 bits. */
export type EspSuite =
  | 'aes-gcm-128'
  | 'aes-gcm-256'
  | 'aes-gmac-128'
  | 'aes-gmac-256'
  | 'aes-cbc-128-hmac-sha256'
  | 'aes-cbc-256-hmac-sha256'
  | 'aes-cbc-256-hmac-sha384'
  | 'aes-cbc-256-hmac-sha512'
  | 'chacha20-poly1305'
  | 'null-hmac-sha256';

/** Octets of key material per suite: `key` includes the 4 salt octets of GCM and GMAC at its end. */
export const keyOctets: Readonly<Record<EspSuite, { key: number; authKey: number }>> = {
  'aes-gcm-128': { key: 20, authKey: 0 },
  'aes-gcm-256': { key: 36, authKey: 0 },
  'aes-gmac-128': { key: 20, authKey: 0 },
  'aes-gmac-256': { key: 36, authKey: 0 },
  'aes-cbc-128-hmac-sha256': { key: 16, authKey: 32 },
  'aes-cbc-256-hmac-sha256': { key: 32, authKey: 32 },
  'aes-cbc-256-hmac-sha384': { key: 32, authKey: 48 },
  'aes-cbc-256-hmac-sha512': { key: 32, authKey: 64 },
  'chacha20-poly1305': { key: 36, authKey: 0 },
  'null-hmac-sha256': { key: 0, authKey: 32 },
};

/** One direction of traffic: a transport-mode SA whose keys both ends are given. */
export interface ManualSa {
  /** Outer source and destination address; whether it is in- or outbound follows from whose they are. */
  readonly src: string;
  readonly dst: string;
  /** 256 to 2³² − 1. */
  readonly spi: number;
  readonly suite: EspSuite;
  /** Encryption key, for GCM and GMAC with the salt at its end (RFC 4106); empty for NULL. */
  readonly key: Uint8Array;
  /** Integrity key of the HMAC suites, else empty. */
  readonly authKey: Uint8Array;
  /** Packets; default 32. Linux takes at most 4096. */
  readonly replayWindow?: number;
  /** 64-bit extended sequence numbers; default false. */
  readonly esn?: boolean;
}

/** An address of this PE inside a tunnel and one routed into the tunnel, both of one family. */
export interface InnerAddresses {
  readonly local: string;
  /** Next hop of what is sent. Not the tunnel's `remote` (a loop); the other PE need not have it. */
  readonly nextHop: string;
}

export interface LinuxTunnel {
  /** Name of the device, at most 15 characters. */
  readonly name: string;
  /** MPLS-in-GRE, or MPLS-in-IP (protocol 137). */
  readonly encap: 'gre' | 'ip';
  /**
   * `esp`: sent and accepted only inside an SA of `sas`. `clear`: never in one. `ike`: as the policies of an IKE
   * daemon in the guest say, nothing before it has any.
   */
  readonly protection: 'esp' | 'clear' | 'ike';
  /** Outer addresses, both IPv4 or both IPv6. `local` is put on lo too. */
  readonly local: string;
  readonly remote: string;
  /** At most one of each family; one of the family of every prefix sent. */
  readonly inner: readonly InnerAddresses[];
  /** MTU of the tunnel device in octets, label included, outer headers and ESP not; default 1400. */
  readonly mtu?: number;
  /** More words for `ip link add`, such as `ttl 17`, `tos 0x20`, `nopmtudisc`, `csum`, `key 5`. */
  readonly options?: string;
}

export interface LinuxVrf {
  /** Name of the device, at most 13 characters (`v-NAME` leads to its customer host). */
  readonly name: string;
  /** Number of its routing table, 1 to 2³² − 1 but for 253 to 255; unique in the guest. */
  readonly table: number;
  /** Customer host in the guest's namespace `ce-NAME`: its address and the PE's, one pair for each family. */
  readonly customer?: readonly { readonly pe: string; readonly host: string }[];
  /** NICs of the guest in this VRF, with their addresses (ADDRESS/LENGTH). */
  readonly ports?: readonly { readonly nic: string; readonly addresses: readonly string[] }[];
  /** Labels that lead to a lookup in this VRF, 16 to 2²⁰ − 1; the guest takes them from any tunnel. */
  readonly labelsIn: readonly number[];
  /** What is sent to the other PE: prefix, the label it gave, the tunnel's name. */
  readonly routes: readonly {
    readonly prefix: string;
    readonly label: number;
    readonly tunnel: string;
  }[];
}

export interface LinuxPeConfig {
  /** Underlay addresses (ADDRESS/LENGTH) of the guest's NICs, with a default gateway where one is needed. */
  readonly underlay: readonly {
    readonly nic: string;
    readonly address: string;
    readonly gateway?: string;
  }[];
  readonly sas: readonly ManualSa[];
  readonly tunnels: readonly LinuxTunnel[];
  readonly vrfs: readonly LinuxVrf[];
  /** Shell lines run last, with the functions of guest/lib.sh. */
  readonly extra?: readonly string[];
}

export interface LinuxPeOptions {
  /** Unique among the guests that run at a time (letters, digits, `.`, `_`, `-`), at most 30 characters. */
  readonly name: string;
  /** Network namespace of the interfaces, `-` for the current one. */
  readonly netns: string;
  /** Interfaces that become the guest's NICs under the same names; MACs are derived from both names if not given. */
  readonly nics: readonly (string | { readonly name: string; readonly mac: string })[];
  readonly config: LinuxPeConfig;
  /** The guest's memory in MiB; default 128. */
  readonly memory?: number;
  /** Milliseconds until it must have booted; default 200,000. */
  readonly bootTimeout?: number;
}

export interface CommandResult {
  /** Exit status; 124: timed out, 125: the guest is down. */
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface LinuxPe {
  readonly name: string;
  /** The folder that the guest has as /peer: ours to write to, removed with the guest. */
  readonly folder: string;
  /** Runs a shell script as root in the guest and returns its stdout; rejects when it fails or takes longer than `timeout` ms (120,000). */
  exec(script: string, timeout?: number): Promise<string>;
  /** The same, but any exit status is an answer. */
  run(script: string, timeout?: number): Promise<CommandResult>;
  /** Adds SAs beside those that are there (Linux sends on the newest). */
  addSas(sas: readonly ManualSa[]): Promise<void>;
  deleteSas(sas: readonly ManualSa[]): Promise<void>;
  /** Counters of /proc/net/xfrm_stat that are not 0: what IPsec dropped, by reason. */
  ipsecDrops(): Promise<Record<string, number>>;
  /** Powers the guest off and forgets its keys; nothing when it is down. */
  stop(): Promise<void>;
}

const here = fileURLToPath(new URL('.', import.meta.url));

const umlFolder = (): string =>
  process.env['UML_DIR'] ?? fileURLToPath(new URL('../../../build/uml', import.meta.url));

/** Runs a program with this stdin; the environment is ours and `env`. */
function runProgram(
  file: string,
  args: readonly string[],
  stdin: string,
  env: Readonly<Record<string, string>>,
): Promise<CommandResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, {
      env: { ...process.env, ...env },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    child.on('error', reject);
    child.on('close', (code, signal) => {
      resolve({
        status: code ?? 1,
        stdout,
        stderr: signal === null ? stderr : `${stderr}killed by ${signal}\n`,
      });
    });
    child.stdin.on('error', () => undefined); // ended before it read all: its status tells
    child.stdin.end(stdin);
  });
}

function checked(what: string, result: CommandResult): string {
  if (result.status !== 0) {
    throw new Error(
      `${what} failed (${String(result.status)}):\n${result.stdout}${result.stderr}`.trimEnd(),
    );
  }
  return result.stdout;
}

/** One shell word. */
function quote(word: string): string {
  return /^[\w.:/@%+=,-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

const line = (...words: readonly (string | number)[]): string =>
  words.map((word) => quote(String(word))).join(' ');

const hex = (octets: Uint8Array): string => Buffer.from(octets).toString('hex');

const spiWord = (spi: number): string => `0x${spi.toString(16).padStart(8, '0')}`;

function saLine(sa: ManualSa): string {
  const octets = keyOctets[sa.suite];
  if (sa.key.length !== octets.key || sa.authKey.length !== octets.authKey) {
    throw new Error(
      `SA ${spiWord(sa.spi)}: ${sa.suite} takes keys of ${String(octets.key)} and ${String(octets.authKey)} octets, ` +
        `not ${String(sa.key.length)} and ${String(sa.authKey.length)}`,
    );
  }
  const key = octets.authKey > 0 ? `${hex(sa.key)}:${hex(sa.authKey)}` : hex(sa.key);
  const esn = sa.esn === true ? ['flag', 'esn'] : [];
  return line(
    'sa',
    sa.src,
    sa.dst,
    spiWord(sa.spi),
    sa.suite,
    key,
    'replay-window',
    sa.replayWindow ?? 32,
    ...esn,
  );
}

/** The configuration file of the guest (README.md). It holds the keys: mode 0600 wherever it is written. */
export function renderConfig(config: LinuxPeConfig): string {
  const lines = config.underlay.map(({ nic, address, gateway }) =>
    line('wan', nic, address, ...(gateway === undefined ? [] : [gateway])),
  );
  lines.push(...config.sas.map(saLine));
  for (const tunnel of config.tunnels) {
    const { name, encap, protection, local, remote, inner, mtu, options } = tunnel;
    const words = (options ?? '').split(/\s+/).filter((word) => word !== '');
    lines.push(line('tunnel', name, encap, protection, local, remote, mtu ?? 1400, ...words));
    lines.push(
      ...inner.map((addresses) => line('inner', name, addresses.local, addresses.nextHop)),
    );
  }
  for (const { name, table, customer, ports, labelsIn, routes } of config.vrfs) {
    lines.push(line('vrf', name, table));
    lines.push(...(customer ?? []).map(({ pe, host }) => line('customer', name, pe, host)));
    lines.push(
      ...(ports ?? []).map(({ nic, addresses }) => line('attach', name, nic, ...addresses)),
    );
    lines.push(...labelsIn.map((label) => line('vpn_in', name, label)));
    lines.push(
      ...routes.map(({ prefix, label, tunnel }) => line('vpn_out', name, prefix, label, tunnel)),
    );
  }
  if (config.extra !== undefined) lines.push('apply', ...config.extra);
  return `${lines.join('\n')}\n`;
}

/** An SA from `src` to `dst` with a random SPI and fresh keys, or with the `fields` given. */
export function randomSa(
  src: string,
  dst: string,
  suite: EspSuite,
  fields: Partial<Pick<ManualSa, 'spi' | 'replayWindow' | 'esn'>> = {},
): ManualSa {
  const octets = keyOctets[suite];
  return {
    src,
    dst,
    suite,
    spi: randomInt(0x10000, 0x1_0000_0000),
    key: randomBytes(octets.key),
    authKey: randomBytes(octets.authKey),
    ...fields,
  };
}

/** Gets the guest kernel and the tools where missing (setup.sh); at most a few ms when all is there. */
export async function setUp(): Promise<void> {
  checked('setup.sh', await runProgram(`${here}setup.sh`, [], '', {}));
}

/**
 * Boots a guest and returns when it is configured, in 3 to 6 s. It dies with this process, and takes the place of one
 * with the same name whose owner has died.
 */
export async function bootLinuxPe(options: LinuxPeOptions): Promise<LinuxPe> {
  const { name, netns, nics, config, memory = 128, bootTimeout = 200_000 } = options;
  await setUp();
  const pe = (
    verb: string,
    args: readonly string[],
    stdin: string,
    env: Readonly<Record<string, string>> = {},
  ) => runProgram(`${here}pe.sh`, [verb, name, ...args], stdin, env);
  const ports = nics.map((nic) => (typeof nic === 'string' ? nic : `${nic.name}/${nic.mac}`));
  const env = {
    LINUX_PE_OWNER: String(process.pid),
    LINUX_PE_MEM: `${String(memory)}M`,
    LINUX_PE_BOOT_TIMEOUT: String(Math.ceil(bootTimeout / 1000)),
  };
  checked(`booting ${name}`, await pe('up', ['-', netns, ...ports], renderConfig(config), env));

  const run = (script: string, timeout = 120_000): Promise<CommandResult> =>
    pe('exec', [], `${script}\n`, { LINUX_PE_TIMEOUT: String(Math.ceil(timeout / 1000)) });
  const exec = async (script: string, timeout?: number): Promise<string> =>
    checked(`${name}: ${script.split('\n', 1)[0] ?? ''}`, await run(script, timeout));
  return {
    name,
    folder: `${process.env['LINUX_PE_STATE'] ?? `${umlFolder()}/run`}/${name}`,
    exec,
    run,
    async addSas(sas) {
      // the first line is what an error shows: no key in it
      await exec(['# add SAs', ...sas.map(saLine), 'apply'].join('\n'));
    },
    async deleteSas(sas) {
      await exec(
        [...sas.map((sa) => line('sa_del', sa.src, sa.dst, spiWord(sa.spi))), 'apply'].join('\n'),
      );
    },
    async ipsecDrops() {
      const rows = (await exec('while read -r k v; do echo "$k $v"; done </proc/net/xfrm_stat'))
        .trim()
        .split('\n');
      const counters = rows
        .map((row) => row.split(' '))
        .map(([key = '', value = '0']) => [key, Number(value)] as const);
      return Object.fromEntries(counters.filter(([, value]) => value !== 0));
    },
    async stop() {
      checked(`stopping ${name}`, await pe('down', [], ''));
    },
  };
}
