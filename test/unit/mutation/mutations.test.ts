// SPDX-License-Identifier: Apache-2.0
/** The mutations that `npm run test:mutation` tries still speak of the sources as they are. */
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { IKE_MUTATIONS } from '../../mutation/ike.js';
import { problem } from '../../mutation/locate.js';
import type { Mutation } from '../../mutation/mutation.js';
import { MUTATIONS } from '../../mutation/mutations.js';
import { X509_MUTATIONS } from '../../mutation/x509.js';

const dpdkApp = fileURLToPath(new URL('../../../dpdk-app', import.meta.url));

it.each(MUTATIONS.map((mutation) => [`${mutation.file}: ${mutation.what}`, mutation] as const))(
  '%s',
  (_, mutation) => {
    expect(problem(dpdkApp, mutation)).toBeUndefined();
    expect(mutation.tests.length).toBeGreaterThan(0);
    expect(mutation.replacement).not.toBe(mutation.text);
  },
);

const pathOf = (file: string): string =>
  fileURLToPath(new URL(`../../../${file}`, import.meta.url));

/** It is of one place in the file, changes it, and somebody is to notice. */
function expectAimed(path: string, { text, replacement, tests }: Mutation): void {
  expect(readFileSync(pathOf(path), 'utf8').split(text)).toHaveLength(2);
  expect(replacement).not.toBe(text);
  expect(tests.length).toBeGreaterThan(0);
}

it.each(
  IKE_MUTATIONS.map((mutation) => [`ike/${mutation.file}: ${mutation.what}`, mutation] as const),
)('%s', (_, mutation) => {
  const { tests } = mutation;
  expectAimed(`src/ike/${mutation.file}`, mutation);
  expect(tests.filter((test) => !existsSync(pathOf(`test/unit/ike/${test}`)))).toEqual([]);
});

/** Whether a test file has a title that begins so, be it that of a test.each. */
function hasTitle(source: string, title: string): boolean {
  const literals = [...source.matchAll(/'((?:[^'\\\n]|\\.)*)'|"([^"\n]*)"/g)].map(
    ([, single, double]) => single ?? double ?? '',
  );
  const name = title.replace(/: $/, '');
  return literals.some((literal) => {
    if (literal.startsWith(name)) return true;
    const parts = literal.split('%s').map((part) => part.replace(/\W/g, '\\$&'));
    return /\w/.test(parts.join('')) && new RegExp(`^${parts.join('.+')}$`).test(name);
  });
}

it.each(
  X509_MUTATIONS.map((mutation) => [`addon/${mutation.file}: ${mutation.what}`, mutation] as const),
)('%s', (_, mutation) => {
  expectAimed(`addon/src/${mutation.file}`, mutation);
  const stale = mutation.tests.filter((test) => {
    const [name = '', title = ''] = test.split(/: (.*)/s);
    return !hasTitle(readFileSync(pathOf(`test/unit/${name}`), 'utf8'), title);
  });
  expect(stale).toEqual([]);
});
