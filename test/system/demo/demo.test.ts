// SPDX-License-Identifier: Apache-2.0
/** The demo as a user runs it: its contract on standard output, and that a killed run breaks nothing. */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import { eventually, outcome } from '../../../scripts/lib/lab.js';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const DEMO = ['node', `${root}scripts/lib/run-ts.mjs`, `${root}scripts/demo/main.ts`];

interface Report {
  readonly ok: boolean;
  readonly checks: readonly {
    readonly id: string;
    readonly requirement: string;
    readonly ok: boolean;
    readonly detail: string;
  }[];
  readonly captures: readonly string[];
  readonly throughput: Readonly<Record<string, number>>;
}

afterAll(async () => {
  await outcome([...DEMO, '--stop']);
});

describe('the demo', () => {
  test('a run killed in the middle leaves nothing that breaks the next; every check passes', async () => {
    const [program = '', ...args] = DEMO;
    const killed = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'] });
    let said = '';
    killed.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
    await eventually('the pings', () => (said.includes('ok   ping') ? true : undefined), 240_000);
    killed.kill('SIGKILL');

    const { code, stdout, stderr } = await outcome([...DEMO, '--json'], { timeoutMs: 400_000 });
    const report = JSON.parse(stdout) as Report;
    expect(report.checks.filter((check) => !check.ok)).toEqual([]);
    expect(code, stderr).toBe(0);
    expect(report.ok).toBe(true);
    expect(stdout.trim().split('\n')).toHaveLength(1);
    expect(Object.keys(report).sort()).toEqual(['captures', 'checks', 'ok', 'throughput']);
    expect(new Set(report.checks.map((check) => check.id)).size).toBe(report.checks.length);
    for (const check of report.checks) expect(check.requirement).toMatch(/^P\d+( P\d+)*$/);
    for (const file of report.captures) expect(existsSync(file), file).toBe(true);
    expect(report.throughput['tcpMbps']).toBeGreaterThan(0);

    const left = (await outcome(['ip', 'netns', 'list'])).stdout;
    expect(left).not.toMatch(/^(pe[12]|p|ce-[ab][12])\b/m);
  }, 700_000);

  test('an unknown argument is refused', async () => {
    const { code, stderr } = await outcome([...DEMO, '--jsno']);
    expect(code).toBe(2);
    expect(stderr).toContain('--jsno');
  });
});
