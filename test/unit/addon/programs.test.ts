// SPDX-License-Identifier: Apache-2.0
/** The C++ test programs of addon/test, which are built with the addon. */
import { execFile, spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';

const repository = new URL('../../../', import.meta.url);
const addon =
  process.env['SEALANE_ADDON'] ??
  fileURLToPath(new URL('build/addon/Release/sealane.node', repository));

/** The programs carry the sanitizers' runtime themselves where they have it. */
const environment = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => name !== 'LD_PRELOAD'),
);

async function run(program: string, ...argv: string[]): Promise<string> {
  const path = join(dirname(addon), '../test', program);
  const { stdout } = await promisify(execFile)(path, argv, { env: environment });
  return stdout;
}

describe('tries', { timeout: 300_000 }, () => {
  it('answer as a plain model does, after every one of 12,000 changes', async () => {
    expect(await run('fib_model')).toMatch(/^ok: 30 rounds/m);
  });

  it('do so with direct tables that come and go with a few dozen routes', async () => {
    expect(await run('fib_model', '', '8', '32:80')).toMatch(/^ok: 8 rounds/m);
  });

  it('give concurrent readers answers that were right during the lookup', async () => {
    expect(await run('fib_concurrent', '', '40000')).toMatch(/^ok: 40000 changes/m);
  });

  it('do so while direct tables are built beside them, linked, and taken down', async () => {
    expect(await run('fib_concurrent', '', '9000', '64:224')).toMatch(/^ok: 9000 changes/m);
  });

  it('give back what an unfinished direct table has, and keep one that is read', async () => {
    expect(await run('fib_room')).toBe('ok\n');
  });

  it('grow to 2^24 slots and shrink without a call of 50 ms; the longest are printed', async () => {
    const json: unknown = JSON.parse(await run('fib_grow'));
    process.stdout.write(`fib_grow: ${JSON.stringify(json)}\n`);
    expect(json).toMatchObject({ routes: 300_000 });
  });

  it('bear 100,000 changes a second; what lookups cost meanwhile is printed', async () => {
    const json: unknown = JSON.parse(await run('fib_updates', '200000', '100000', '2'));
    process.stdout.write(`fib_updates: ${JSON.stringify(json)}\n`);
    expect(json).toMatchObject({ routes: 200_000 });
  });

  it('hold a million routes; what that costs is printed', async () => {
    const json: unknown = JSON.parse(await run('fib_bench', '1000000', '200000'));
    process.stdout.write(`fib_bench: ${JSON.stringify(json)}\n`);
    expect(json).toMatchObject({ ipv4: { prefixes: 1_000_000 }, ipv6: { prefixes: 200_000 } });
  });
});

describe('segment', { timeout: 300_000 }, () => {
  it('is whole after each of 120 deaths of its writer', async () => {
    expect(await run('writer_killed')).toMatch(/^ok: 120 lives/m);
  });

  it('is whole when a writer of direct tables dies, 40 times', async () => {
    expect(await run('writer_killed', '', '40', '20:60')).toMatch(/^ok: 40 lives/m);
  });

  it('refuses what its tmpfs has no room for, and stays usable', async () => {
    expect(await run('space')).toMatch(/^ok: \d+ routes fitted/m);
  });

  it('shares next-hop groups, gives them back in time, and finds them again', async () => {
    expect(await run('groups')).toBe('ok\n');
  });

  it('gives nothing back that a worker may still read, and keeps keys apart', async () => {
    expect(await run('worker_side')).toBe('ok\n');
  });
});

describe('all tables at once', { timeout: 300_000 }, () => {
  it('lead packets to their customer or to a drop that a change explains, while they change', async () => {
    const said = await run('tables_torture', 'race', '', '5');
    process.stdout.write(`tables_torture: ${said}`);
    expect(said).toMatch(/^ok: \d+ changes/m);
  });

  it('do so through 100 deaths of their writer, whose successor finds them sound', async () => {
    const said = await run('tables_torture', 'kill', '', '100');
    process.stdout.write(`tables_torture: ${said}`);
    expect(said).toMatch(/^ok: 100 deaths/m);
  });

  it('at rest, three million packets in every suite leave memory, buffers and rings as they were', async () => {
    const said = await run('tables_torture', 'flat', '', '3');
    process.stdout.write(`tables_torture: ${said}`);
    expect(said).toMatch(/^ok: \d+ packets, half out, half in/m);
  });
});

describe('templates', () => {
  it('are what Scapy builds', async () => {
    const ours = await run('template_dump');
    const script = fileURLToPath(new URL('test/unit/addon/templates.py', repository));
    const { stdout: scapy } = spawnSync('/usr/bin/python3', [script], {
      input: ours,
      encoding: 'utf8',
    });
    const objects = (text: string): Record<string, unknown>[] =>
      text
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as Record<string, unknown>);
    const expected = objects(scapy);
    expect(expected).toHaveLength(16);
    objects(ours).forEach((one, i) => {
      expect(one).toMatchObject(expected[i] ?? {});
    });
  });
});

describe('certificates', { timeout: 300_000 }, () => {
  it('are judged, 20,000 damaged ones among them, also by four threads; what one costs is printed', async () => {
    const said = await run('x509');
    process.stdout.write(said);
    expect(said).toMatch(/^ok: \d+ us of CPU per path/);
  });
});
