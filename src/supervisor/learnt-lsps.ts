// SPDX-License-Identifier: Apache-2.0
/**
 * LSPs that BGP has told of, and those of them that tunnels go by in a file beside the segments: the next hops there
 * are made of them, and a supervisor that starts again makes the same before BGP has told them anew.
 */
import { rmSync } from 'node:fs';
import { PrefixIndex } from '../config/prefix-index.js';
import type { LspModel } from '../forwarding/model.js';
import { formatAddress, formatPrefix, parseAddress, parsePrefix } from '../lib/ip.js';
import type { Logger } from '../lib/log.js';
import { isRecord, readState, writeState } from './state-file.js';

export class LearntLsps {
  readonly #file: string;
  readonly #log: Logger;
  #all: readonly LspModel[] = [];
  #index = new PrefixIndex<LspModel>();
  #remotes: readonly Uint8Array[] = [];
  /** What is in the file; undefined: not known. */
  #kept: string | undefined;

  constructor(file: string, log: Logger) {
    this.#file = file;
    this.#log = log;
  }

  get all(): readonly LspModel[] {
    return this.#all;
  }

  /** Those that the supervisor before us went by. */
  restore(): void {
    try {
      this.#take(readState(this.#file, parseLsps) ?? []);
    } catch (error) {
      this.#log.warning('LSPs of before the start are not known: BGP has to tell them first', {
        why: error instanceof Error ? error.message : String(error),
      });
    }
  }

  /** These there are now. They are in the file before anybody makes next hops of them. */
  set(lsps: readonly LspModel[]): void {
    this.#take(lsps);
    this.#keep();
  }

  /** Tunnels go to these far ends now. */
  follow(remotes: readonly Uint8Array[]): void {
    this.#remotes = remotes;
    this.#keep();
  }

  /** Nobody forwards any more. */
  forget(): void {
    rmSync(this.#file, { force: true });
    this.#kept = undefined;
  }

  #take(lsps: readonly LspModel[]): void {
    this.#all = lsps;
    this.#index = new PrefixIndex();
    for (const lsp of lsps) this.#index.add(lsp.prefix, lsp);
  }

  #keep(): void {
    const used = new Set<LspModel>();
    for (const remote of this.#remotes) {
      const lsp = this.#index.longest(remote);
      if (lsp !== undefined) used.add(lsp);
    }
    const written = [...used].map(writtenOf);
    const text = JSON.stringify(written);
    if (text === this.#kept) return;
    writeState(this.#file, written);
    this.#kept = text;
  }
}

const writtenOf = ({ prefix, interface: out, via, labels, forIp }: LspModel): object => ({
  ...{ prefix: formatPrefix(prefix), interface: out, via: formatAddress(via) },
  ...{ labels, forIp },
});

function parseLsps(value: unknown): readonly LspModel[] | undefined {
  if (!Array.isArray(value)) return undefined;
  const lsps = value.map(parseLsp);
  const whole = lsps.filter((lsp) => lsp !== undefined);
  return whole.length === lsps.length ? whole : undefined;
}

function parseLsp(value: unknown): LspModel | undefined {
  if (!isRecord(value)) return undefined;
  const { prefix, interface: out, via, labels, forIp } = value;
  const to = typeof prefix === 'string' ? parsePrefix(prefix) : undefined;
  const next = typeof via === 'string' ? parseAddress(via) : undefined;
  const stack: readonly unknown[] = Array.isArray(labels) ? labels : [undefined];
  const numbers = stack.filter((label) => typeof label === 'number');
  if (to === undefined || next === undefined || typeof out !== 'string') return undefined;
  if (numbers.length !== stack.length || typeof forIp !== 'boolean') return undefined;
  return { prefix: to, interface: out, via: next, labels: numbers, forIp };
}
