// SPDX-License-Identifier: Apache-2.0
/** Configuration files, loaded as `sealane` loads them: in a child process. */
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkFile, readConfig } from '../../../src/config/check.js';
import { findJsonFault } from '../../../src/config/json-error.js';
import { loadFile, type LoadOptions, type LoadResult } from '../../../src/config/load.js';
import { good, type Draft } from './good.js';

let folder: string;
beforeAll(async () => {
  // Far from the repository: no node_modules above it.
  folder = await mkdtemp(join(tmpdir(), 'd1-load-'));
});
afterAll(async () => {
  await rm(folder, { recursive: true });
});

async function file(name: string, text: string): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, text);
  return path;
}

async function load(name: string, text: string, options?: LoadOptions): Promise<LoadResult> {
  return loadFile(await file(name, text), options);
}

const failed = (code: string, message: string, more: object = {}): object => ({
  ok: false,
  error: { code, message, issues: [], ...more },
});

describe('loadFile', { timeout: 60_000 }, () => {
  it('runs TypeScript with imports, of sealane and of its own', async () => {
    await file(
      'sites.ts',
      `interface Site { readonly n: number }
       export const subnet = ({ n }: Site): string => \`10.\${n}.0.1/24\`;`,
    );
    const result = await load(
      'good.ts',
      `import { defineConfig, kernelInterface, pci, vdev, via, overTunnel, discard } from 'sealane';
       import type { Config } from 'sealane';
       import { subnet } from './sites.js';
       const n: number = await Promise.resolve(7);
       export default defineConfig({
         instance: 'pe1', ownSp: 'x', core: { tunnelAddresses: [] }, lab: undefined,
         interfaces: {
           a: { role: 'core', device: kernelInterface('eth0', { netns: 'n' }), addresses: [subnet({ n })] },
           b: { role: 'core', device: pci('0000:03:00.0'), addresses: [] },
           c: { role: 'core', device: vdev('net_null0'), addresses: [] },
         },
         vrfs: { v: { routes: [
           via('10.8.0.0/16', '10.7.0.2'), ...overTunnel(['10.9.0.0/16'], 't', 99), discard('::/0'),
         ] } },
       } satisfies Config);`,
    );
    expect(result).toEqual({
      ok: true,
      value: {
        ...{ instance: 'pe1', ownSp: 'x', core: { tunnelAddresses: [] } },
        interfaces: {
          a: { role: 'core', device: { kernel: 'eth0', netns: 'n' }, addresses: ['10.7.0.1/24'] },
          b: { role: 'core', device: { pci: '0000:03:00.0' }, addresses: [] },
          c: { role: 'core', device: { vdev: 'net_null0' }, addresses: [] },
        },
        vrfs: {
          v: {
            routes: [
              { prefix: '10.8.0.0/16', via: '10.7.0.2' },
              { prefix: '10.9.0.0/16', tunnel: 't', label: 99 },
              { prefix: '::/0', discard: 'silent' },
            ],
          },
        },
      },
    });
  });

  it('reads an edited file anew', async () => {
    expect(await load('twice.ts', 'export default { n: 1 };')).toEqual({
      ok: true,
      value: { n: 1 },
    });
    expect(await load('twice.ts', 'export default { n: 2 };')).toEqual({
      ok: true,
      value: { n: 2 },
    });
  });

  it('tells where the syntax is wrong', async () => {
    const text = 'export default {\n  a: 1,\n  b: ]\n};\n';
    expect(await load('syntax.ts', text)).toEqual(
      failed('SYNTAX', `${folder}/syntax.ts:3:5: Unexpected token`, {
        remedy: 'correct the syntax',
      }),
    );
  });

  it('tells where it threw, also in an import', async () => {
    const inner =
      'interface X { a: 1 }\n\nexport function f(): void {\n  throw new RangeError("no\\nsuch");\n}';
    await file('inner.ts', inner);
    expect(
      await load('throws.ts', "import { f } from './inner.js';\nf();\nexport default {};"),
    ).toMatchObject(failed('THREW', `${folder}/inner.ts:4: RangeError: no such`));
    expect(
      await load('type.ts', 'const x: any = undefined;\n\nexport default { a: x.b };'),
    ).toMatchObject(
      failed(
        'THREW',
        `${folder}/type.ts:3: TypeError: Cannot read properties of undefined (reading 'b')`,
      ),
    );
    expect(await load('word.ts', 'throw "up";')).toMatchObject(
      failed('THREW', `${folder}/word.ts: threw string, not an Error`),
    );
  });

  it('tells which import is missing, and where', async () => {
    const text = "\nimport { a } from './nowhere.js';\nexport default { a };";
    expect(await load('missing.ts', text)).toMatchObject(
      failed('THREW', `${folder}/missing.ts:2: cannot find module "./nowhere.js"`),
    );
  });

  it('stops an endless loop, and one that waits for ever', async () => {
    const options = { timeoutMs: 4000 };
    const text = `not finished after 4 s`;
    const [loop, wait] = await Promise.all([
      load('loop.ts', 'for (;;) {}', options),
      load('wait.ts', 'setInterval(() => {}, 1e6); await new Promise(() => {});', options),
    ]);
    expect(loop).toMatchObject(failed('TIMEOUT', `${folder}/loop.ts: ${text}`));
    expect(wait).toMatchObject(failed('TIMEOUT', `${folder}/wait.ts: ${text}`));
  });

  it('ends what the file started, and does not wait for it', async () => {
    const pid = join(folder, 'pid');
    const text = `import { spawn } from 'node:child_process';
      import { writeFileSync } from 'node:fs';
      const child = spawn('sleep', ['300'], { stdio: 'inherit' });
      writeFileSync(${JSON.stringify(pid)}, String(child.pid));
      export default {};`;
    expect(await load('spawns.ts', text)).toEqual({ ok: true, value: {} });
    const started = Number(await readFile(pid, 'utf8'));
    for (let i = 0; i < 50 && alive(started); i++) await sleep(20);
    expect(alive(started)).toBe(false);
  });

  it('cannot be ended by the file', async () => {
    expect(await load('exits.ts', 'console.log("bye"); process.exit(0);')).toMatchObject(
      failed(
        'CRASHED',
        `${folder}/exits.ts: the process ended (exit code 0) without a configuration; its last words: bye`,
      ),
    );
    expect(
      await load('kills.ts', 'process.kill(process.pid, "SIGKILL"); await new Promise(() => {});'),
    ).toMatchObject(
      failed(
        'CRASHED',
        `${folder}/kills.ts: the process ended (signal SIGKILL) without a configuration`,
      ),
    );
  });

  it('gives what the file prints', async () => {
    let printed = '';
    const onOutput = (text: string): void => {
      printed += text;
    };
    const text = 'console.log("out"); console.error("err"); export default {};';
    expect(await load('prints.ts', text, { onOutput })).toEqual({ ok: true, value: {} });
    expect(printed).toBe('out\nerr\n');
  });

  it('is not stuck by a file that prints without end, nor fooled by a result of its making', async () => {
    const text = `import { writeSync } from 'node:fs';
      for (let i = 0; i < 300; i++) console.log('x'.repeat(4096));
      writeSync(3, '{"ok": false, "error": 5}');
      export default {};`;
    expect(await load('fools.ts', text)).toMatchObject({ ok: false, error: { code: 'CRASHED' } });
  });

  it('refuses what is not plain data, with its path', async () => {
    const result = await load(
      'classes.ts',
      `class Site { a = 1 }
       const cycle: any = { list: [] }; cycle.list.push(cycle);
       export default {
         f() { return 1; }, g: () => 1, when: new Date(0), site: new Site(), cycle, n: NaN,
         big: 5n, list: [1, , 3], map: new Map(), [Symbol('s')]: 1, get got() { return 1; },
         later: Promise.resolve(1), undef: undefined, nil: null,
       };`,
    );
    const issues = result.ok
      ? []
      : result.error.issues.map(({ path, reason }) => `${path}: ${reason}`);
    expect(result).toMatchObject({ ok: false, error: { code: 'NOT_PLAIN' } });
    expect(issues.map((line) => line.replace('not plain data: ', ''))).toEqual([
      'f: the function f',
      'g: the function g',
      'when: an instance of Date',
      'site: an instance of Site',
      'cycle.list[0]: a cycle: the value contains itself',
      'n: the number NaN',
      'big: a bigint',
      'list[1]: undefined',
      'map: an instance of Map',
      'got: a getter or setter',
      'later: an instance of Promise',
      '["Symbol(s)"]: a symbol as key',
    ]);
  });

  it('wants a default export', async () => {
    const remedy = 'end it with: export default defineConfig({ ... })';
    expect(await load('named.ts', 'export const config = {};')).toEqual(
      failed('NO_EXPORT', `${folder}/named.ts: exports no default`, { remedy }),
    );
  });

  it('carries a large configuration', async () => {
    const text = `export default { routes: Array.from({ length: 50_000 }, (_, i) => ({ i, text: 'x'.repeat(50) })) };`;
    const result = await load('large.ts', text);
    expect(result).toMatchObject({ ok: true });
    if (result.ok) expect(result.value).toHaveProperty('routes.49999.i', 49_999);
  });

  it('says when there is no such file, or it is a folder', async () => {
    const path = join(folder, 'none.ts');
    expect(await loadFile(path)).toMatchObject(
      failed('NOT_FOUND', `no configuration file ${path}`),
    );
    const sub = join(folder, 'sub.ts');
    await mkdir(sub);
    expect(await loadFile(sub)).toMatchObject(failed('UNREADABLE', `${sub}: not a file`));
  });
});

/** A process that has ended and was not collected by anybody is not alive. */
function alive(pid: number): boolean {
  try {
    return !/^\d+ \(.*\) [ZX]/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}

describe('JSON', () => {
  it('is read, not run', async () => {
    expect(await load('good.json', '{"instance": "x"}')).toEqual({
      ok: true,
      value: { instance: 'x' },
    });
  });

  it.each([
    ['{\n "a": 1,\n}', '3:1: "}" after a comma'],
    ['{"a": tru}', '1:7: no value'],
    ['{"a" 1}', '1:6: expected ":"'],
    ["{'a': 1}", '1:2: expected a key in double quotes'],
    ['[1 2]', '1:4: expected "," or "]"'],
    ['{"a": "b\n"}', '1:9: not allowed in a string'],
    ['{"a": "b', '1:9: the string does not end'],
    ['{"a": 1} x', '1:10: something follows the value'],
    ['', '1:1: the text ends here'],
    ['[01]', '1:3: expected "," or "]"'],
  ])('%j is wrong at %s', async (text, place) => {
    expect(await load('bad.json', text)).toMatchObject(
      failed('SYNTAX', `${folder}/bad.json:${place}`),
    );
  });

  it('finds a fault exactly where JSON.parse does', () => {
    const piece = fc.constantFrom(
      '{',
      '}',
      '[',
      ']',
      ',',
      ':',
      '"a"',
      '"',
      '1',
      '-',
      'true',
      ' ',
      '\\u12',
      '\n',
      '.5',
      'e3',
    );
    const text = fc.oneof(
      fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join('')),
      fc.jsonValue().map((value) => JSON.stringify(value, undefined, 1)),
      fc.string(),
    );
    fc.assert(
      fc.property(text, (candidate) => {
        let right = true;
        try {
          JSON.parse(candidate);
        } catch {
          right = false;
        }
        expect(findJsonFault(candidate) === undefined).toBe(right);
      }),
      { numRuns: 3000 },
    );
  });

  it('that is nested without end is a fault, not a crash', () => {
    expect(findJsonFault('['.repeat(100_000))?.reason).toBe('nested too deep');
  });
});

// ---- `sealane check` ------------------------------------------------------------------------------

async function check(
  path: string,
  json: boolean,
): Promise<{ code: number; out: string; err: string }> {
  let out = '';
  let err = '';
  const to = {
    out: (text: string): void => {
      out += text;
    },
    err: (text: string): void => {
      err += text;
    },
  };
  return { code: await checkFile(path, to, { json }), out, err };
}

describe('checkFile', () => {
  const write = async (name: string, draft: Draft): Promise<string> =>
    file(name, JSON.stringify(draft));

  /** The good configuration with key files that are there. */
  async function complete(): Promise<Draft> {
    const draft = good();
    draft.manualSas['pe2-out']!.keyFile = await file('k1', 'secret');
    draft.manualSas['pe2-in']!.keyFile = await file('k2', 'secret');
    await chmod(join(folder, 'k1'), 0o600);
    await chmod(join(folder, 'k2'), 0o600);
    return draft;
  }
  const lab =
    'manualSas: manual SAs are in use: no rekeying, no authentication of the peer: for a lab only';

  it('says that a configuration is correct, and what it holds', async () => {
    const path = await write('check.json', await complete());
    expect(await check(path, false)).toEqual({
      code: 0,
      out: `${path}: instance pe1 is correct: 3 interfaces, 2 VRFs, 2 tunnels, 2 manual SAs\n`,
      err: `warning: ${lab}\n`,
    });
  });

  it('warns of key files that are missing or open to others, without opening them', async () => {
    const draft = await complete();
    await chmod(join(folder, 'k1'), 0o640);
    draft.manualSas['pe2-in']!.keyFile = join(folder, 'k3');
    const { code, err } = await check(await write('keys.json', draft), false);
    expect(code).toBe(0);
    const remedy = 'sealane lab keygen --algorithm ALGORITHM --out FILE';
    expect(err.split('\n').slice(1, 3)).toEqual([
      `warning: manualSas["pe2-out"].keyFile: others may use the key file (not shown): ${remedy}`,
      `warning: manualSas["pe2-in"].keyFile: no such key file yet (not shown): ${remedy}`,
    ]);
  });

  it('gives every mistake a line, and exit code 3', async () => {
    const draft = good();
    draft.instance = 'PE';
    draft.tunnels['pe3']!.ttl = 0;
    const path = await write('wrong.json', draft);
    const { code, out, err } = await check(path, false);
    expect([code, out]).toEqual([3, '']);
    expect(err.split('\n')).toEqual([
      'error: instance: not the name of an instance ("PE"): 1..12 characters a-z, 0-9, "-"; a letter or digit first',
      'error: tunnels.pe3.ttl: less than 1 (0): TTL or hop limit, 1..255',
      `warning: ${lab}`,
      `${path}: 2 mistakes`,
      '',
    ]);
  });

  it('with json gives one array, whatever happens', async () => {
    const draft = good();
    draft.tunnels['pe3']!.ttl = 0;
    const wrong = await check(await write('wrong.json', draft), true);
    expect(wrong.code).toBe(3);
    expect(JSON.parse(wrong.out)).toEqual([
      {
        ...{ severity: 'error', path: 'tunnels.pe3.ttl', value: '0' },
        ...{ reason: 'less than 1', remedy: 'TTL or hop limit, 1..255' },
      },
      expect.objectContaining({ severity: 'warning', path: 'manualSas' }),
    ]);
    const missing = await check(join(folder, 'none.ts'), true);
    expect(missing.code).toBe(3);
    expect(JSON.parse(missing.out)).toMatchObject([
      { severity: 'error', reason: `no configuration file ${folder}/none.ts` },
    ]);
  });

  it('accepts the examples', async () => {
    const examples = fileURLToPath(new URL('../../../examples/', import.meta.url));
    const names = (await readdir(examples, { recursive: true })).filter((name) =>
      name.endsWith('.config.ts'),
    );
    expect(names).toContain('two-pe/pe1.config.ts');
    for (const name of names) {
      const read = await readConfig(`${examples}${name}`);
      expect(read.ok ? [] : read.issues, name).toEqual([]);
      // Manual SAs, and files of keys that a lab makes when it is brought up.
      const expected = /^(manualSas|ike\.(credentials|providers))\b/;
      const others = read.ok ? read.warnings.filter(({ path }) => !expected.test(path)) : [];
      expect(others, name).toEqual([]);
    }
  }, 120_000);
});
