// SPDX-License-Identifier: Apache-2.0
/** Captures by tcpdump, read by tshark: neither knows anything of Sealane. */
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import type { ChildProcess } from 'node:child_process';
import { dissect } from '../../test/lib/tshark.js';
import { eventually, type Lab } from '../lib/lab.js';

/** A running capture of one interface. */
export class Capture {
  readonly file: string;
  readonly #lab: Lab;
  readonly #child: ChildProcess;

  private constructor(lab: Lab, file: string, child: ChildProcess) {
    this.#lab = lab;
    this.file = file;
    this.#child = child;
  }

  /** Starts tcpdump and returns once it listens. `filter` is a pcap expression. */
  static async start(
    lab: Lab,
    netns: string,
    interfaceName: string,
    file: string,
    filter = '',
  ): Promise<Capture> {
    const log = `${file}.log`;
    writeFileSync(log, '');
    const argv = [
      'tcpdump',
      '--immediate-mode',
      '-i',
      interfaceName,
      '-U',
      '-n',
      '-s',
      '0',
      '-w',
      file,
    ];
    const child = lab.start(netns, filter === '' ? argv : [...argv, filter], log);
    await eventually(`tcpdump on ${interfaceName} in ${netns}`, () =>
      readFileSync(log, 'utf8').includes('listening on') ? true : undefined,
    );
    return new Capture(lab, file, child);
  }

  /** Waits until nothing has been written for a moment, then ends the capture. */
  async stop(): Promise<void> {
    let size = -1;
    for (;;) {
      const now = statSync(this.file, { throwIfNoEntry: false })?.size ?? 0;
      if (now === size) break;
      size = now;
      await new Promise((wake) => setTimeout(wake, 200));
    }
    await this.#lab.stop(this.#child, 'SIGINT');
  }
}

/** Number of packets that match a display filter of tshark. */
export async function count(file: string, filter: string): Promise<number> {
  return (await dissect(file, ['frame.number'], { filter })).length;
}

/** How often `needle` occurs in the bytes of a capture file. */
export function occurrences(file: string, needle: Uint8Array): number {
  const bytes = readFileSync(file);
  let found = 0;
  for (let at = bytes.indexOf(needle); at >= 0; at = bytes.indexOf(needle, at + 1)) found++;
  return found;
}
