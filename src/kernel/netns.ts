// SPDX-License-Identifier: Apache-2.0
/**
 * Named network namespaces, made so that `ip netns exec NAME …` works for an operator.
 *
 * A namespace is ours when the state file says so *and* it is still the one we made: the file holds the
 * inode of each and the boot it was made in. The intention is written before the namespace is made, so a
 * supervisor killed in between finds its own again; a namespace made by somebody else is never removed.
 */
import {
  mkdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { runCommand } from './command.js';
import { KernelPartError } from './errors.js';

const DIRECTORY = '/run/netns';

interface State {
  readonly boot: string;
  /** Inode by name; null: about to be made. */
  readonly namespaces: Readonly<Record<string, number | null>>;
}

export function namespacePath(name: string): string {
  return `${DIRECTORY}/${name}`;
}

function inodeOf(name: string): number | undefined {
  return statSync(namespacePath(name), { throwIfNoEntry: false })?.ino;
}

export class NamespaceRegistry {
  readonly #stateFile: string;
  readonly #boot = readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
  readonly #owned: Map<string, number | null>;

  /** Reads what an earlier run has made; a file that is missing, damaged or of another boot owns nothing. */
  constructor(stateFile: string) {
    this.#stateFile = stateFile;
    const state = readState(stateFile);
    const entries = state?.boot === this.#boot ? Object.entries(state.namespaces) : [];
    this.#owned = new Map(entries);
  }

  /** Names of ours that exist. */
  owned(): readonly string[] {
    return [...this.#owned.keys()].filter((name) => this.isOurs(name));
  }

  isOurs(name: string): boolean {
    const recorded = this.#owned.get(name);
    const inode = inodeOf(name);
    return inode !== undefined && (recorded === null || recorded === inode);
  }

  /**
   * Makes the namespace, or finds it made. One that is not ours is used as it is with
   * `mayBeForeign`, else refused with NETNS_FOREIGN.
   */
  async ensure(
    name: string,
    options: { readonly mayBeForeign?: boolean } = {},
  ): Promise<'created' | 'ours' | 'foreign'> {
    const inode = inodeOf(name);
    if (inode !== undefined) {
      if (this.isOurs(name)) {
        this.#record(name, inode);
        return 'ours';
      }
      if (options.mayBeForeign === true) return 'foreign';
      throw new KernelPartError(
        'NETNS_FOREIGN',
        `network namespace ${name} exists and was not made by this instance`,
        `choose another name, or remove it: ip netns del ${name}`,
      );
    }
    this.#record(name, null);
    await runCommand('ip', ['netns', 'add', name]);
    this.#record(name, inodeOf(name) ?? null);
    return 'created';
  }

  /** Removes the name if it is ours. Processes inside keep the namespace alive without its name. */
  async remove(name: string): Promise<void> {
    if (this.isOurs(name)) await runCommand('ip', ['netns', 'del', name]);
    this.#owned.delete(name);
    this.#save();
  }

  #record(name: string, inode: number | null): void {
    if (this.#owned.get(name) === inode && this.#owned.has(name)) return;
    this.#owned.set(name, inode);
    this.#save();
  }

  #save(): void {
    const state: State = { boot: this.#boot, namespaces: Object.fromEntries(this.#owned) };
    mkdirSync(dirname(this.#stateFile), { recursive: true, mode: 0o700 });
    const fresh = `${this.#stateFile}.new`;
    writeFileSync(fresh, JSON.stringify(state), { mode: 0o600 });
    renameSync(fresh, this.#stateFile);
  }
}

function readState(file: string): State | undefined {
  try {
    const value: unknown = JSON.parse(readFileSync(file, 'utf8'));
    return isState(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isState(value: unknown): value is State {
  if (typeof value !== 'object' || value === null) return false;
  if (!('boot' in value) || typeof value.boot !== 'string' || !('namespaces' in value)) {
    return false;
  }
  const { namespaces } = value;
  if (typeof namespaces !== 'object' || namespaces === null) return false;
  return Object.values(namespaces).every((inode) => inode === null || typeof inode === 'number');
}

/**
 * Why namespaces made here would not be seen by an operator, if so: in a private mount namespace (`ip netns
 * exec` makes one) their names are mounted for this process and its children alone.
 */
export function namespaceVisibilityProblem(): string | undefined {
  const withInit = sharesMountsWithInit();
  if (withInit === true) return undefined;
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8').trim().split('\n').map(parseMount);
  const holder = mounts
    .filter(({ point }) => point === '/' || `${DIRECTORY}/`.startsWith(`${point}/`))
    .reduce((best, mount) => (mount.point.length >= best.point.length ? mount : best));
  const has = (kind: string): boolean => holder.options.some((text) => text.startsWith(kind));
  // A shared mount passes new mounts on to its peers, a slave gives none to its master; a private one is
  // the ordinary case of a container, whose PID 1 may be out of sight.
  if (!has('master:') && (has('shared:') || withInit === undefined)) return undefined;
  return (
    'this process has its own mount namespace: the network namespaces it makes are invisible outside; ' +
    'start it with `nsenter --net=/run/netns/NAME` instead of `ip netns exec NAME`'
  );
}

/** undefined: not allowed to look at PID 1. */
function sharesMountsWithInit(): boolean | undefined {
  try {
    return readlinkSync('/proc/self/ns/mnt') === readlinkSync('/proc/1/ns/mnt');
  } catch {
    return undefined;
  }
}

/** Fields of /proc/PID/mountinfo: 5 is the mount point, 7 up to "-" are optional (propagation). */
function parseMount(line: string): { point: string; options: readonly string[] } {
  const fields = line.split(' ');
  return { point: fields[4] ?? '', options: fields.slice(6, fields.indexOf('-')) };
}
