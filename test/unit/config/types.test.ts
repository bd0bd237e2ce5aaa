// SPDX-License-Identifier: Apache-2.0
/** What an editor says about a configuration: the compiler, on files that are right and wrong. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../../../', import.meta.url));
let folder: string;

/** Each a part of `interfaces.core0` or of the whole, and the error it must give; none: it is right. */
const CASES: readonly (readonly [
  name: string,
  core0: string,
  rest: string,
  error: RegExp | undefined,
])[] = [
  ['right', '', '', undefined],
  ['vlan', 'vlan: 5,', '', undefined],
  ['wrong-type', "vlan: '5',", '', /TS2322: Type 'string' is not assignable to type 'number'/],
  [
    'unknown-key',
    'adresses: [],',
    '',
    /TS2561: .*'adresses' does not exist .* Did you mean to write 'addresses'/,
  ],
  ['other-role', "vrf: 'a',", '', /TS2353: .*'vrf' does not exist/],
  ['wrong-word', "mpls: 'on',", '', /TS2820|TS2322: Type '"on"' is not assignable/],
  [
    'unknown-table',
    '',
    'tunnel: {},',
    /TS2561: .*'tunnel' does not exist .* Did you mean to write 'tunnels'/,
  ],
];

const source = (core0: string, rest: string): string => `
import { defineConfig, kernelInterface } from 'sealane';
export default defineConfig({
  instance: 'pe1', ownSp: 's', core: { tunnelAddresses: [] }, ${rest}
  interfaces: { core0: { role: 'core', device: kernelInterface('eth0'), addresses: [], ${core0} } },
});
`;

let found: ReadonlyMap<string, readonly string[]>;

beforeAll(async () => {
  await mkdir(join(root, 'build'), { recursive: true });
  folder = await mkdtemp(join(root, 'build', 'd1-types-'));
  const files = CASES.map(([name]) => join(folder, `${name}.ts`));
  for (const [i, [, core0, rest]] of CASES.entries()) {
    await writeFile(files[i] ?? '', source(core0, rest));
  }
  const program = ts.createProgram(files, {
    ...{ noEmit: true, strict: true, skipLibCheck: true, exactOptionalPropertyTypes: true },
    ...{ target: ts.ScriptTarget.ES2023, module: ts.ModuleKind.NodeNext },
    ...{ moduleResolution: ts.ModuleResolutionKind.NodeNext, types: [] },
    paths: { sealane: [join(root, 'src/config/index.ts')] },
  });
  found = new Map(
    CASES.map(([name], i) => {
      const file = program.getSourceFile(files[i] ?? '');
      const words = ts
        .getPreEmitDiagnostics(program, file)
        .map(
          ({ code, messageText }) =>
            `TS${code}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`,
        );
      return [name, words];
    }),
  );
}, 120_000);
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

describe('defineConfig in an editor', () => {
  it.each(CASES)('%s', (name, _core0, _rest, error) => {
    const words = found.get(name) ?? [];
    if (error === undefined) expect(words).toEqual([]);
    else expect(words.join('\n')).toMatch(error);
  });
});
