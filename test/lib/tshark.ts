// SPDX-License-Identifier: Apache-2.0
/** tshark with the keys of ESP SAs: a reader that knows nothing of Sealane. */
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const execute = promisify(execFile);

/** An SA as tshark's table has it. It has no AES-GMAC for ESP: see esp.ts. */
export interface TsharkSa {
  /** Outer addresses. */
  readonly source: string;
  readonly destination: string;
  readonly spi: number;
  readonly cipher: 'aes-gcm' | 'aes-cbc' | 'null';
  /** For AES-GCM with the salt at its end; empty for NULL. */
  readonly key: Uint8Array;
  /** Of HMAC-SHA-256-128; empty for none. */
  readonly integrityKey?: Uint8Array;
}

const PREFERENCES = [
  ...['esp.enable_encryption_decode', 'esp.enable_authentication_check'],
  ...['ip.check_checksum', 'udp.check_checksum'],
];

const CIPHERS = {
  'aes-gcm': 'AES-GCM with 16 octet ICV [RFC4106]',
  'aes-cbc': 'AES-CBC [RFC3602]',
  null: 'NULL',
} as const;

const hexKey = (key: Uint8Array): string =>
  key.length === 0 ? '' : `0x${Buffer.from(key).toString('hex')}`;

function tableRow(sa: TsharkSa): string {
  const { source, destination, integrityKey = new Uint8Array() } = sa;
  const integrity = integrityKey.length === 0 ? 'NULL' : 'HMAC-SHA-256-128 [RFC4868]';
  return [
    ...[source.includes(':') ? 'IPv6' : 'IPv4', source, destination],
    ...[`0x${sa.spi.toString(16).padStart(8, '0')}`, CIPHERS[sa.cipher], hexKey(sa.key)],
    ...[integrity, hexKey(integrityKey)],
  ]
    .map((field) => `"${field}"`)
    .join(',');
}

/**
 * Dissects a capture, opening ESP with the keys of `sas`: of each frame that matches the display filter, the
 * values of the fields (tshark's names; all occurrences joined by commas, outermost first; '' where the frame
 * has none). The keys go through a file of mode 0600, not through tshark's arguments.
 */
export async function dissect<Field extends string>(
  file: string,
  fields: readonly Field[],
  options: {
    readonly sas?: readonly TsharkSa[];
    /** Rows of tshark's table of ESP SAs, as --debug-keys writes them. */
    readonly espSas?: readonly string[];
    /** Rows of tshark's table of IKE SAs: see ike-tshark.ts. */
    readonly ikeSas?: readonly string[];
    readonly filter?: string;
    /** As after tshark's -d: "tcp.port==11019,bmp". */
    readonly decodeAs?: string;
  } = {},
): Promise<Record<Field, string>[]> {
  const folder = await mkdtemp(join(tmpdir(), 'tshark-'));
  try {
    const espRows = [...(options.sas ?? []).map(tableRow), ...(options.espSas ?? [])];
    const rows = espRows.map((row) => `${row}\n`);
    await writeFile(join(folder, 'esp_sa'), rows.join(''), { mode: 0o600 });
    const ikeRows = (options.ikeSas ?? []).map((row) => `${row}\n`);
    await writeFile(join(folder, 'ikev2_decryption_table'), ikeRows.join(''), { mode: 0o600 });
    await writeFile(
      join(folder, 'preferences'),
      PREFERENCES.map((name) => `${name}: TRUE\n`).join(''),
    );
    const filter = options.filter === undefined ? [] : ['-Y', options.filter];
    const decode = options.decodeAs === undefined ? [] : ['-d', options.decodeAs];
    const args = ['-r', file, ...decode, ...filter, '-T', 'fields'];
    const { stdout } = await execute(
      'tshark',
      [...args, ...fields.flatMap((field) => ['-e', field])],
      { env: { ...process.env, WIRESHARK_CONFIG_DIR: folder }, maxBuffer: 1 << 28 },
    );
    const lines = stdout.split('\n').slice(0, -1);
    return lines.map((line) => {
      const values = line.split('\t');
      const pairs = fields.map((field, i) => [field, values[i] ?? ''] as const);
      return Object.fromEntries(pairs) as Record<Field, string>;
    });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
