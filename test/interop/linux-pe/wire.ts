// SPDX-License-Identifier: Apache-2.0
/**
 * A wire between two network namespaces and what crossed it: a veth pair and tcpdump. Needs root.
 */
import { spawn, execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { dissect as dissectWith, type TsharkSa } from '../../lib/tshark.js';
import type { ManualSa } from './linux-pe.js';

const execute = promisify(execFile);

export interface WireEnd {
  /** Namespace of its own. */
  readonly netns: string;
  /** Interface in it. */
  readonly nic: string;
}

export interface Capture {
  /** Stops and returns the file; rejects when frames were lost. */
  stop(): Promise<string>;
}

export interface Wire {
  readonly a: WireEnd;
  readonly b: WireEnd;
  /** Starts to record both directions, as end `a` has them, into a pcap file; resolves when it records. */
  capture(): Promise<Capture>;
  /** Removes the namespaces and the captures. */
  remove(): Promise<void>;
}

const ip = (...args: readonly string[]): Promise<unknown> => execute('ip', args);

const captureFolder = (prefix: string, pid: string): string => join(tmpdir(), `${prefix}-${pid}`);

/** Removes what runs that were killed have left: namespaces PREFIX-PID-END and captures of processes that are gone. */
async function removeStale(prefix: string): Promise<void> {
  const { stdout } = await execute('ip', ['netns', 'list']);
  for (const [name = ''] of stdout.split('\n').map((row) => row.split(' '))) {
    if (!name.startsWith(`${prefix}-`)) continue;
    const pid = /^(\d+)-[ab]$/.exec(name.slice(prefix.length + 1))?.[1];
    if (pid === undefined || existsSync(`/proc/${pid}`)) continue;
    await ip('netns', 'delete', name);
    await rm(captureFolder(prefix, pid), { recursive: true, force: true });
  }
}

/**
 * Makes namespaces PREFIX-PID-a and -b joined by a veth pair without offloads: a guest or a poll-mode program on a raw
 * socket gets frames of wire size with whole checksums. `mtu` in octets. One wire of a prefix per process at a time.
 */
export async function makeWire(prefix: string, nic = 'wan0', mtu = 1500): Promise<Wire> {
  await removeStale(prefix);
  const [a, b] = (['a', 'b'] as const).map((end) => ({
    netns: `${prefix}-${String(process.pid)}-${end}`,
    nic,
  }));
  if (a === undefined || b === undefined) throw new Error('unreachable');
  const folder = captureFolder(prefix, String(process.pid));
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { mode: 0o700 });
  await ip('netns', 'add', a.netns);
  await ip('netns', 'add', b.netns);
  const size = ['mtu', String(mtu)];
  await ip(
    'link',
    'add',
    nic,
    ...size,
    'netns',
    a.netns,
    'type',
    'veth',
    'peer',
    'name',
    nic,
    ...size,
    'netns',
    b.netns,
  );
  for (const { netns } of [a, b]) {
    const inside = (...words: readonly string[]): Promise<unknown> =>
      ip('netns', 'exec', netns, ...words);
    await inside('sysctl', '-qw', `net.ipv6.conf.${nic}.disable_ipv6=1`);
    await inside(
      'ethtool',
      '-K',
      nic,
      ...['tx', 'rx', 'tso', 'gso', 'gro'].flatMap((feature) => [feature, 'off']),
    );
    await ip('-n', netns, 'link', 'set', nic, 'up');
  }
  let captures = 0;
  return {
    a,
    b,
    capture: () => startCapture(a, join(folder, `${String(++captures)}.pcap`)),
    async remove() {
      await ip('netns', 'delete', a.netns);
      await ip('netns', 'delete', b.netns);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Starts to record what an interface sends and receives into a pcap file; resolves when it records. */
export function startCapture(end: WireEnd, file: string): Promise<Capture> {
  // --immediate-mode: else frames wait up to a second in the kernel. It dies with this process.
  const tcpdump = 'setpriv --pdeathsig TERM tcpdump --immediate-mode -U -n -s 0 -B 16384 -Z root';
  const args = ['netns', 'exec', end.netns, ...tcpdump.split(' '), '-i', end.nic, '-w', file];
  const child = spawn('ip', args, { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  const ended = new Promise<void>((resolve) =>
    child.once('close', () => {
      resolve();
    }),
  );
  const stop = async (): Promise<string> => {
    await new Promise((resolve) => setTimeout(resolve, 200));
    child.kill('SIGINT');
    await ended;
    if (!/\b0 packets dropped by kernel/.test(said)) throw new Error(`tcpdump: ${said}`);
    return file;
  };
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', () => {
      reject(new Error(`tcpdump: ${said}`));
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      said += text;
      if (said.includes('listening on')) resolve({ stop });
    });
  });
}

/** As tshark's table has it; AES-GMAC (use openGmac of gmac.ts) and ChaCha20-Poly1305 are not in it. */
function tsharkSas(sas: readonly ManualSa[]): TsharkSa[] {
  return sas.flatMap((sa) => {
    const { src: source, dst: destination, spi, suite, key, authKey: integrityKey } = sa;
    if (suite.startsWith('aes-gmac') || suite.startsWith('chacha20')) return [];
    const cipher = suite.startsWith('aes-gcm')
      ? 'aes-gcm'
      : suite.startsWith('aes-cbc')
        ? 'aes-cbc'
        : 'null';
    return [{ source, destination, spi, cipher, key, integrityKey }];
  });
}

/** {@link dissectWith} with the keys of manual SAs. */
export async function dissect<Field extends string>(
  file: string,
  fields: readonly Field[],
  options: { readonly sas?: readonly ManualSa[]; readonly filter?: string } = {},
): Promise<Record<Field, string>[]> {
  return dissectWith(file, fields, { ...options, sas: tsharkSas(options.sas ?? []) });
}
