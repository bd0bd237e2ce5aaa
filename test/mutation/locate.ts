// SPDX-License-Identifier: Apache-2.0
/** From the list of mutations to the sources it speaks of. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Mutation } from './mutation.js';

/** One test function of a C test program. */
export interface CTest {
  /** dpdk-app/test/PROGRAM.c */
  readonly program: string;
  readonly name: string;
}

/** "eal_drops: TEST" is in the one program whose name begins with "eal_drops" and that has TEST; else why not. */
export function locate(dpdkApp: string, text: string): CTest | string {
  const tests = join(dpdkApp, 'test');
  const [prefix = '', name = ''] = text.split(': ');
  const programs = readdirSync(tests)
    .filter((file) => file.startsWith(prefix) && file.endsWith('.c'))
    .filter((file) =>
      readFileSync(join(tests, file), 'utf8').includes(`static void ${name}(void **`),
    )
    .map((file) => file.slice(0, -'.c'.length));
  const [program] = programs;
  return program === undefined || programs.length > 1
    ? `${text}: ${String(programs.length)} programs have it`
    : { program, name };
}

/** Why a mutation cannot be tried: its text is gone, or one of its tests; undefined when it can. */
export function problem(dpdkApp: string, mutation: Mutation): string | undefined {
  const source = readFileSync(join(dpdkApp, 'src', mutation.file), 'utf8');
  const found = source.split(mutation.text).length - 1;
  if (found !== 1) return `its text stands ${String(found)} times in ${mutation.file}`;
  return mutation.tests
    .map((test) => locate(dpdkApp, test))
    .find((test) => typeof test === 'string');
}
