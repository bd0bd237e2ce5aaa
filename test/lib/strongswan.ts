// SPDX-License-Identifier: Apache-2.0
/**
 * strongSwan's IKE daemon, as many instances as wanted: each with a folder of its own for configuration,
 * credentials, vici socket and log. It runs in a namespace of this machine, whose kernel has no ESP (IKE SAs
 * only: `childless = force`), or in a User Mode Linux guest, whose kernel has.
 */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { eventually, type Lab, type Outcome } from '../../scripts/lib/lab.js';
import type { LinuxPe } from '../interop/linux-pe/linux-pe.js';
import { charonKeys, type IkeKeys } from './ike-keys.js';

const DAEMON = '/usr/sbin/charon-systemd';
const CONTROL = '/usr/sbin/swanctl';
/** swanctl complains of folders that are not there. */
const FOLDERS = [
  ...['x509', 'x509ca', 'x509ocsp', 'x509aa', 'x509ac', 'x509crl', 'pubkey', 'private'],
  ...['rsa', 'ecdsa', 'bliss', 'pkcs8', 'pkcs12'],
];
const PLUGINS = [
  ...['random', 'nonce', 'openssl', 'curve25519', 'chapoly', 'gcm', 'kdf', 'hmac', 'aes', 'sha1'],
  ...['sha2', 'pem', 'pkcs1', 'pkcs8', 'x509', 'pubkey', 'revocation', 'constraints'],
  ...['socket-default', 'kernel-netlink', 'vici', 'gmp', 'mgf1', 'curl'],
];

/** Why tests with strongSwan cannot run here; undefined: they can. */
export function missingStrongswan(): string | undefined {
  return [DAEMON, CONTROL].find((file) => !existsSync(file))?.concat(' is not installed');
}

/** Where an instance runs. */
export interface CharonSite {
  /** The instance's folder, as it sees it and as we see it. */
  readonly inside: string;
  readonly outside: string;
  /** vici's socket, as the instance sees it. */
  readonly socket: string;
  /** Runs a program beside it. */
  exec(argv: readonly string[], env: Record<string, string>, timeoutMs: number): Promise<Outcome>;
  /** Starts the daemon; the answer ends it. */
  start(
    argv: readonly string[],
    env: Record<string, string>,
  ): Promise<(signal: NodeJS.Signals) => Promise<void>>;
}

/** In a namespace of a lab; `folder` is one for this instance alone, and is made. */
export function hostSite(lab: Lab, netns: string, folder: string): CharonSite {
  return {
    inside: folder,
    outside: folder,
    socket: `${folder}/vici`,
    exec: (argv, env, timeoutMs) =>
      lab.exec(netns, argv, { env: { ...process.env, ...env }, timeoutMs }),
    start: (argv, env) => {
      const child = lab.start(netns, argv, `${folder}/output`, { ...process.env, ...env });
      return Promise.resolve((signal) => lab.stop(child, signal));
    },
  };
}

const assignments = (env: Record<string, string>): string =>
  Object.entries(env)
    .map(([name, value]) => `${name}=${value}`)
    .join(' ');
const quoted = (argv: readonly string[]): string =>
  argv.map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(' ');

/** In a guest, below the folder that the guest shares with us. Sockets must be on its own file system. */
export function guestSite(guest: LinuxPe, name = 'charon'): CharonSite {
  const run = async (script: string, timeoutMs: number): Promise<Outcome> => {
    const { status, stdout, stderr } = await guest.run(script, timeoutMs);
    return { code: status, stdout, stderr };
  };
  return {
    inside: `/peer/${name}`,
    outside: `${guest.folder}/${name}`,
    socket: `/run/${name}.vici`,
    exec: (argv, env, timeoutMs) => run(`${assignments(env)} ${quoted(argv)}`, timeoutMs),
    start: async (argv, env) => {
      const said = await run(
        `${assignments(env)} ${quoted(argv)} >/peer/${name}/output 2>&1 </dev/null & echo $!`,
        20_000,
      );
      const pid = said.stdout.trim();
      if (!/^\d+$/.test(pid)) throw new Error(`charon in ${guest.name}: ${said.stderr}`);
      return async (signal) => {
        // A zombie of the guest's shell still has a folder in /proc, but no command line.
        await run(
          `kill -${signal.slice(3)} ${pid} || exit 0
           until ! [ -s /proc/${pid}/cmdline ]; do sleep 0.05; done`,
          20_000,
        );
      };
    },
  };
}

export interface CharonOptions {
  /** More lines of the daemon's section of strongswan.conf. */
  readonly settings?: readonly string[];
  /** Log level of IKE: 4 has the keys in it. Default 4. */
  readonly logLevel?: number;
}

/** A list that swanctl prints, with sections inside of sections. */
export interface Section {
  readonly fields: Readonly<Record<string, string>>;
  readonly sections: ReadonlyMap<string, Section>;
}

/** swanctl --pretty: `name {`, `key = value`, `key = [`, one value a line, `]`, `}`. */
export function parsePretty(text: string): { readonly name: string; readonly section: Section }[] {
  interface Open {
    name: string;
    fields: Record<string, string>;
    sections: Map<string, Section>;
  }
  const top: Open = { name: '', fields: {}, sections: new Map() };
  const open = [top];
  const done: { name: string; section: Section }[] = [];
  for (const line of text.split('\n').map((row) => row.trim())) {
    const current = open.at(-1) ?? top;
    const begins = /^(.*) \{$/.exec(line)?.[1];
    const [, key, value] = /^(\S+) = (.*)$/.exec(line) ?? [];
    if (begins !== undefined) open.push({ name: begins, fields: {}, sections: new Map() });
    else if (line === '}' && open.length > 1) {
      open.pop();
      const { name, ...section } = current;
      (open.at(-1) ?? top).sections.set(name, section);
      if (open.length === 1) done.push({ name, section });
    } else if (key !== undefined && value !== undefined) current.fields[key] = value;
  }
  return done;
}

export interface CharonChild {
  readonly name: string;
  readonly fields: Readonly<Record<string, string>>;
}
/** An IKE SA as swanctl lists it: `state`, `initiator-spi`, `encr-alg`, `dh-group` and so on. */
export interface CharonSa {
  readonly connection: string;
  readonly fields: Readonly<Record<string, string>>;
  readonly children: readonly CharonChild[];
}

export class Charon {
  readonly site: CharonSite;
  readonly #options: CharonOptions;
  #end: ((signal: NodeJS.Signals) => Promise<void>) | undefined;

  private constructor(site: CharonSite, options: CharonOptions) {
    this.site = site;
    this.#options = options;
  }

  /** Starts the daemon and waits until it answers. */
  static async start(site: CharonSite, options: CharonOptions = {}): Promise<Charon> {
    const charon = new Charon(site, options);
    await charon.restart();
    return charon;
  }

  #write(file: string, content: string | Uint8Array): void {
    const path = `${this.site.outside}/${file}`;
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    writeFileSync(path, content, { mode: 0o600 });
  }

  /** Starts it (again), knowing nothing: {@link load} has to follow. */
  async restart(settings = this.#options.settings ?? []): Promise<void> {
    const { site } = this;
    this.#write(
      'strongswan.conf',
      `charon-systemd {
         load = ${PLUGINS.join(' ')}
         filelog { log {
           path = ${site.inside}/log
           time_format = %T
           flush_line = yes
           default = 1
           ike = ${String(this.#options.logLevel ?? 4)}
         } }
         plugins { vici { socket = unix://${site.socket} } }
         ${settings.join('\n')}
       }\n`,
    );
    this.#end = await site.start([DAEMON], { STRONGSWAN_CONF: `${site.inside}/strongswan.conf` });
    await eventually('charon answers', async () => {
      const { code } = await this.#swanctl(['--stats']);
      return code === 0 ? true : undefined;
    });
  }

  #swanctl(args: readonly string[], timeoutMs = 60_000): Promise<Outcome> {
    const { inside, socket } = this.site;
    const env = { SWANCTL_DIR: `${inside}/swanctl`, STRONGSWAN_CONF: `${inside}/strongswan.conf` };
    return this.site.exec([CONTROL, ...args, '--uri', `unix://${socket}`], env, timeoutMs);
  }

  /** swanctl with these arguments; throws with what it says when it fails. */
  async swanctl(args: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await this.#swanctl(args);
    if (code !== 0) throw new Error(`swanctl ${args.join(' ')}: ${stdout}${stderr}`);
    return stdout;
  }

  /**
   * Replaces configuration and credentials: the text of swanctl.conf, and files below its folder, such as
   * 'x509ca/root.pem', 'x509/own.pem', 'private/own.pem', 'x509crl/root.crl'.
   */
  async load(config: string, files: Readonly<Record<string, string | Uint8Array>> = {}) {
    const folder = `${this.site.outside}/swanctl`;
    rmSync(folder, { recursive: true, force: true });
    for (const name of FOLDERS) mkdirSync(`${folder}/${name}`, { recursive: true, mode: 0o700 });
    this.#write('swanctl/swanctl.conf', config);
    for (const [name, content] of Object.entries(files)) this.#write(`swanctl/${name}`, content);
    await this.swanctl(['--load-all', '--clear', '--noprompt']);
  }

  /** Sets up an IKE SA, or a child SA of this name; never rejects because it fails. */
  initiate(what: 'ike' | 'child', name: string, timeoutS = 20): Promise<Outcome> {
    return this.#swanctl(['--initiate', `--${what}`, name, '--timeout', String(timeoutS)]);
  }

  rekey(what: 'ike' | 'child', name: string): Promise<string> {
    return this.swanctl(['--rekey', `--${what}`, name]);
  }

  reauthenticate(name: string): Promise<string> {
    return this.swanctl(['--rekey', '--reauth', '--ike', name]);
  }

  /** Deletes all SAs of this name; well if there are none. */
  async terminate(what: 'ike' | 'child', name: string): Promise<void> {
    const { code, stdout, stderr } = await this.#swanctl(
      ['--terminate', `--${what}`, name, '--timeout', '10'],
      20_000,
    );
    const said = `${stdout}${stderr}`;
    if (code !== 0 && !said.includes('no matching SAs')) throw new Error(`terminate: ${said}`);
  }

  /** Gives up all SAs, whose peers may be gone. */
  async forget(): Promise<void> {
    for (const { fields } of await this.sas()) {
      await this.#swanctl(['--terminate', '--ike-id', fields['uniqueid'] ?? '0', '--force']);
    }
    await this.until('no SAs', (sas) => sas.length === 0);
  }

  async sas(): Promise<CharonSa[]> {
    const lists = parsePretty(await this.swanctl(['--list-sas', '--pretty']));
    return lists.flatMap(({ section }) =>
      [...section.sections].map(([connection, { fields, sections }]) => {
        const children = [...(sections.get('child-sas')?.sections ?? [])];
        return {
          ...{ connection, fields },
          children: children.map(([name, child]) => ({ name, fields: child.fields })),
        };
      }),
    );
  }

  /** IKE SAs that are established. */
  async established(): Promise<CharonSa[]> {
    return (await this.sas()).filter(({ fields }) => fields['state'] === 'ESTABLISHED');
  }

  /** Waits until `good` holds for its SAs, and returns them. */
  async until(
    what: string,
    good: (sas: readonly CharonSa[]) => boolean,
    timeoutMs = 30_000,
  ): Promise<readonly CharonSa[]> {
    let last: readonly CharonSa[] = [];
    const probe = async (): Promise<readonly CharonSa[] | undefined> => {
      last = await this.sas();
      return good(last) ? last : undefined;
    };
    try {
      return await eventually(what, probe, timeoutMs);
    } catch (error) {
      const shown = JSON.stringify(last);
      throw new Error(`charon: ${what}: ${shown}\n${this.readableLog()}`, { cause: error });
    }
  }

  log(): string {
    const file = `${this.site.outside}/log`;
    return existsSync(file) ? readFileSync(file, 'latin1') : '';
  }

  /** The end of its log without the dumps of octets. */
  readableLog(lines = 60): string {
    const rows = this.log().split('\n');
    const shown = rows.filter(
      (row) => !/\] +\d+: ([0-9A-F]{2} )+/.test(row) && !row.includes('=>'),
    );
    return shown.slice(-lines).join('\n');
  }

  /** Waits until the log, from `from` on, has this; returns the match. */
  logged(pattern: RegExp, from = 0, timeoutMs = 30_000): Promise<RegExpExecArray> {
    const probe = (): RegExpExecArray | undefined =>
      pattern.exec(this.log().slice(from)) ?? undefined;
    return eventually(`charon logs ${String(pattern)}`, probe, timeoutMs);
  }

  /** Keys of all its IKE SAs since its start, in order; without SPIs, which the log does not say. */
  keys(): IkeKeys[] {
    return charonKeys(this.log());
  }

  /** SIGTERM: deletes its SAs at its peers. SIGKILL: forgets them. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    await this.#end?.(signal);
    this.#end = undefined;
  }
}
