// SPDX-License-Identifier: Apache-2.0
/**
 * Keeps the kernel interfaces behind our ports deaf (policy-model 20), and remembers over restarts
 * what each was like before, so that the last stop gives it back as it was.
 */
import { singleDevices } from '../config/defaults.js';
import type { Device } from '../config/types.js';
import { deafProblems, makeDeaf, undoDeaf, type BeforeDeaf } from '../kernel/deaf.js';
import type { NamespaceContext } from '../kernel/device.js';
import { hasIngressDrop, tableOf as ingressTable } from '../kernel/ingress-drop.js';
import type { Logger } from '../lib/log.js';
import { messageOf, SupervisorError } from './errors.js';
import { isRecord, readState, writeState } from './state-file.js';

/** A kernel interface by namespace (undefined: our own) and name. */
export interface KernelInterface {
  readonly netns: string | undefined;
  readonly name: string;
}

export function kernelInterfaces(devices: Iterable<Device>): KernelInterface[] {
  return [...devices]
    .flatMap(singleDevices)
    .flatMap((device) =>
      'kernel' in device ? [{ netns: device.netns, name: device.kernel }] : [],
    );
}

export interface DeafGuardDeps {
  /** Context of a namespace, opened when first needed. */
  readonly context: (netns: string | undefined) => Promise<NamespaceContext>;
  /** Where the state of before is kept; goes with a reboot, as what it describes does. */
  readonly file: string;
  readonly log: Logger;
}

interface Remembered extends KernelInterface {
  /** Absent: claimed, and we were killed before it was recorded. */
  readonly before?: BeforeDeaf;
}

const keyOf = ({ netns, name }: KernelInterface): string => `${netns ?? ''}|${name}`;

export class DeafGuard {
  readonly #deps: DeafGuardDeps;
  readonly #deaf: Map<string, Remembered>;
  readonly #noted = new Set<string>();

  constructor(deps: DeafGuardDeps) {
    this.#deps = deps;
    const entries = readState(deps.file, checkRemembered) ?? [];
    this.#deaf = new Map(entries.map((entry) => [keyOf(entry), entry]));
  }

  /** Throws when one cannot be made deaf. */
  async deafen(interfaces: readonly KernelInterface[]): Promise<void> {
    for (const one of interfaces) {
      const context = await this.#deps.context(one.netns);
      const key = keyOf(one);
      const known = this.#deaf.get(key);
      if (known === undefined) await this.#claim(context, one);
      else if (known.before !== undefined && (await this.#problems(one)).length === 0) continue;
      const { before, notes } = await makeDeaf(context, one.name, known?.before);
      if (known?.before === undefined) this.#remember({ ...one, before });
      for (const note of notes) this.#note(`${one.name}: ${note}`);
    }
  }

  /**
   * Two instances must not share an interface: the one that stops would make it hear under the other.
   * The claim is on disk before anything is changed, so that a kill in between does not look like one
   * of another instance.
   */
  async #claim(context: NamespaceContext, one: KernelInterface): Promise<void> {
    if (await hasIngressDrop(context.netns, one.name)) {
      throw new SupervisorError(
        'DEVICE',
        `interface ${one.name} is in use by another instance, or left over by one`,
        `stop that instance; if there is none: nft delete table netdev ${ingressTable(one.name)}`,
      );
    }
    this.#remember(one);
  }

  #remember(entry: Remembered): void {
    this.#deaf.set(keyOf(entry), entry);
    this.#save();
  }

  #note(text: string): void {
    if (this.#noted.has(text)) return;
    this.#noted.add(text);
    this.#deps.log.info(text);
  }

  /** What is wrong, one line for each interface that hears. */
  async check(interfaces: readonly KernelInterface[]): Promise<readonly string[]> {
    const hearing: string[] = [];
    for (const one of interfaces) {
      const problems = await this.#problems(one);
      if (problems.length > 0) hearing.push(`interface ${one.name}: ${problems.join(', ')}`);
    }
    return hearing;
  }

  async #problems(one: KernelInterface): Promise<readonly string[]> {
    try {
      return await deafProblems(await this.#deps.context(one.netns), one.name);
    } catch (error) {
      // What cannot be looked at is not known to be deaf.
      return [messageOf(error)];
    }
  }

  /** Gives back all but these. */
  async undoExcept(kept: readonly KernelInterface[]): Promise<void> {
    const keep = new Set(kept.map(keyOf));
    for (const [key, one] of [...this.#deaf]) {
      if (keep.has(key)) continue;
      this.#deaf.delete(key);
      const { before } = one;
      if (before === undefined) continue;
      const last = ![...this.#deaf.values()].some(({ netns }) => netns === one.netns);
      try {
        const context = await this.#deps.context(one.netns);
        await undoDeaf(context, one.name, before, { last });
      } catch (error) {
        // An interface that was removed meanwhile needs nothing back.
        const why = messageOf(error);
        this.#deps.log.warning('could not give an interface back', { name: one.name, why });
      }
    }
    this.#save();
  }

  #save(): void {
    writeState(this.#deps.file, [...this.#deaf.values()]);
  }
}

function checkRemembered(value: unknown): Remembered[] | undefined {
  if (!Array.isArray(value)) return undefined;
  const entries: Remembered[] = [];
  for (const entry of value as unknown[]) {
    if (!isRecord(entry) || typeof entry['name'] !== 'string') return undefined;
    const { netns, before } = entry;
    if (netns !== undefined && typeof netns !== 'string') return undefined;
    if (before !== undefined && !isBefore(before)) return undefined;
    entries.push({ netns, name: entry['name'], ...(before && { before }) });
  }
  return entries;
}

function isBefore(value: unknown): value is BeforeDeaf {
  return (
    isRecord(value) &&
    typeof value['up'] === 'boolean' &&
    typeof value['addrGenMode'] === 'number' &&
    isRecord(value['sysctls']) &&
    isRecord(value['offloads'])
  );
}
