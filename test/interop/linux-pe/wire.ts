// SPDX-License-Identifier: Apache-2.0
/**
 * A wire between two network namespaces, what crossed it, and what was inside: a veth pair, tcpdump, and tshark with
 * the keys of manual SAs. Needs root.
 */
import { spawn, execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { EspSuite, ManualSa } from './linux-pe.js';

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

function startCapture(end: WireEnd, file: string): Promise<Capture> {
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

/** What tshark calls them. It has no AES-GMAC for ESP: use openGmac of gmac.ts. */
const tsharkNames: Readonly<
  Record<Exclude<EspSuite, `aes-gmac-${string}`>, readonly [string, string]>
> = {
  'aes-gcm-128': ['AES-GCM with 16 octet ICV [RFC4106]', 'NULL'],
  'aes-gcm-256': ['AES-GCM with 16 octet ICV [RFC4106]', 'NULL'],
  'aes-cbc-128-hmac-sha256': ['AES-CBC [RFC3602]', 'HMAC-SHA-256-128 [RFC4868]'],
  'aes-cbc-256-hmac-sha256': ['AES-CBC [RFC3602]', 'HMAC-SHA-256-128 [RFC4868]'],
  'null-hmac-sha256': ['NULL', 'HMAC-SHA-256-128 [RFC4868]'],
};

const hexKey = (key: Uint8Array): string =>
  key.length === 0 ? '' : `0x${Buffer.from(key).toString('hex')}`;

function uatRow(sa: ManualSa): string[] {
  if (sa.suite === 'aes-gmac-128' || sa.suite === 'aes-gmac-256') return [];
  const protocol = sa.src.includes(':') ? 'IPv6' : 'IPv4';
  const fields = [protocol, sa.src, sa.dst, `0x${sa.spi.toString(16).padStart(8, '0')}`];
  const [encryption, integrity] = tsharkNames[sa.suite];
  return [
    [...fields, encryption, hexKey(sa.key), integrity, hexKey(sa.authKey)]
      .map((field) => `"${field}"`)
      .join(','),
  ];
}

/**
 * Dissects a capture, opening ESP with the keys of `sas`: of each frame that matches the display filter, the values of
 * the fields (tshark's names; all occurrences joined by commas, outermost first; '' where the frame has none). The keys
 * go through a file of mode 0600, not through tshark's arguments.
 */
export async function dissect<Field extends string>(
  file: string,
  fields: readonly Field[],
  options: { readonly sas?: readonly ManualSa[]; readonly filter?: string } = {},
): Promise<Record<Field, string>[]> {
  const folder = await mkdtemp(join(tmpdir(), 'tshark-'));
  try {
    const rows = (options.sas ?? []).flatMap(uatRow).map((row) => `${row}\n`);
    await writeFile(join(folder, 'esp_sa'), rows.join(''), { mode: 0o600 });
    const preferences = [
      'esp.enable_encryption_decode: TRUE',
      'esp.enable_authentication_check: TRUE',
    ];
    await writeFile(join(folder, 'preferences'), `${preferences.join('\n')}\n`);
    const args = [
      '-r',
      file,
      ...(options.filter === undefined ? [] : ['-Y', options.filter]),
      '-T',
      'fields',
    ];
    const { stdout } = await execute(
      'tshark',
      [...args, ...fields.flatMap((field) => ['-e', field])],
      {
        env: { ...process.env, WIRESHARK_CONFIG_DIR: folder },
        maxBuffer: 1 << 28,
      },
    );
    return stdout
      .split('\n')
      .slice(0, -1)
      .map((row) => row.split('\t'))
      .map(
        (values) =>
          Object.fromEntries(fields.map((field, i) => [field, values[i] ?? ''])) as Record<
            Field,
            string
          >,
      );
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
