// SPDX-License-Identifier: Apache-2.0
/** Captures by tcpdump, read by tshark: neither knows anything of Sealane. */
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import type { ChildProcess } from 'node:child_process';
import { eventually, outcome, type Lab } from '../lib/lab.js';

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

export interface EspKey {
  readonly family: 4 | 6;
  readonly source: string;
  readonly destination: string;
  readonly spi: number;
  /** tshark's name of the algorithm. */
  readonly encryption: string;
  readonly keyAndSalt: Uint8Array;
}

/**
 * Wireshark's ESP table in a profile folder of mode 0700: keys are in a file, never in arguments.
 */
export function writeProfile(directory: string, keys: readonly EspKey[]): void {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const rows = keys.map((k) =>
    [
      k.family === 4 ? 'IPv4' : 'IPv6',
      k.source,
      k.destination,
      `0x${k.spi.toString(16).padStart(8, '0')}`,
      k.encryption,
      `0x${Buffer.from(k.keyAndSalt).toString('hex')}`,
      'NULL',
      '',
    ]
      .map((field) => `"${field}"`)
      .join(','),
  );
  writeFileSync(`${directory}/esp_sa`, `${rows.join('\n')}\n`, { mode: 0o600 });
}

/** Runs tshark on a capture; with a profile of keys it decrypts ESP. */
export async function tshark(
  file: string,
  args: readonly string[],
  profile?: string,
): Promise<string> {
  const decrypt = [
    '-o',
    'esp.enable_encryption_decode:TRUE',
    '-o',
    'esp.do_esp_sequence_analysis:FALSE',
  ];
  const { code, stdout, stderr } = await outcome(
    ['tshark', '-n', '-r', file, ...(profile === undefined ? [] : decrypt), ...args],
    {
      env: { ...process.env, ...(profile === undefined ? {} : { WIRESHARK_CONFIG_DIR: profile }) },
    },
  );
  if (code !== 0) throw new Error(`tshark on ${file}: exit ${String(code)}: ${stderr}`);
  return stdout;
}

/** Number of packets that match a display filter. */
export async function count(file: string, filter: string, profile?: string): Promise<number> {
  const lines = await tshark(file, ['-Y', filter, '-T', 'fields', '-e', 'frame.number'], profile);
  return lines.split('\n').filter((line) => line !== '').length;
}

/** How often `needle` occurs in the bytes of a capture file. */
export function occurrences(file: string, needle: Uint8Array): number {
  const bytes = readFileSync(file);
  let found = 0;
  for (let at = bytes.indexOf(needle); at >= 0; at = bytes.indexOf(needle, at + 1)) found++;
  return found;
}
