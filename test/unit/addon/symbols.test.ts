// SPDX-License-Identifier: Apache-2.0
/** The OpenSSL inside of the addon and the one inside of Node do not see each other. */
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';

const addon =
  process.env['SEALANE_ADDON'] ??
  fileURLToPath(new URL('../../../build/addon/Release/sealane.node', import.meta.url));

/** Without versions (`name@GLIBC_2.4`). */
function symbols(file: string, ...options: readonly string[]): ReadonlySet<string> {
  const listed = execFileSync('nm', ['--format=posix', ...options, file], {
    encoding: 'utf8',
    maxBuffer: 1 << 28,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  return new Set(listed.split('\n').flatMap((line) => /^([^\s@:[]+)/.exec(line)?.[1] ?? []));
}

const both = (a: ReadonlySet<string>, b: ReadonlySet<string>): readonly string[] =>
  [...a].filter((name) => b.has(name));

describe('symbols', () => {
  const archive = execFileSync('cc', ['-print-file-name=libcrypto.a'], { encoding: 'utf8' }).trim();
  const library = symbols(archive, '--extern-only', '--defined-only');
  const wanted = symbols(addon, '--dynamic', '--undefined-only');
  const given = symbols(addon, '--dynamic', '--defined-only');

  test('are listed', () => {
    expect(library.has('X509_verify_cert')).toBe(true);
    expect(wanted.has('napi_create_function')).toBe(true);
    expect([...given].length).toBeGreaterThan(0);
  });

  test('of libcrypto: the addon takes none from Node', () => {
    expect(both(wanted, library)).toEqual([]);
  });

  test('of libcrypto: the addon offers none', () => {
    expect(both(given, library)).toEqual([]);
  });
});
