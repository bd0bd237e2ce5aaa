// SPDX-License-Identifier: Apache-2.0
/** What the demo expects, and whether it came true. */

export interface Check {
  readonly id: string;
  /** Ids of the requirements shown, e.g. "P13". */
  readonly requirement: string;
  readonly ok: boolean;
  readonly detail: string;
}

export class Checks {
  readonly list: Check[] = [];
  readonly #progress: (line: string) => void;

  constructor(progress: (line: string) => void) {
    this.#progress = progress;
  }

  add(id: string, requirement: string, ok: boolean, detail: string): void {
    this.list.push({ id, requirement, ok, detail });
    this.#progress(`  ${ok ? 'ok  ' : 'FAIL'} ${id}: ${detail}`);
  }

  get ok(): boolean {
    return this.list.length > 0 && this.list.every((check) => check.ok);
  }
}
