// SPDX-License-Identifier: Apache-2.0
/**
 * The demo as a user runs it: its contract on standard output, that a killed run breaks nothing, and its page as a
 * browser shows it. The demo is run once; everything here looks at what came of that run.
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Findings } from '../../../scripts/demo/findings.js';
import { eventually, outcome, type Outcome } from '../../../scripts/lib/lab.js';
import { Browser } from './browser.js';
import { inspect, WINDOWS } from './inspect.js';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const DEMO = ['node', `${root}scripts/lib/run-ts.mjs`, `${root}scripts/demo/main.ts`];
const PAGE = `${root}build/demo/report.html`;

interface Report {
  readonly ok: boolean;
  readonly checks: Findings['checks'];
  readonly captures: readonly string[];
  readonly throughput: Readonly<Record<string, number>>;
}

let ended: Outcome;
let findings: Findings;

const found = (): Findings =>
  JSON.parse(readFileSync(`${root}build/demo/findings.json`, 'utf8')) as Findings;

describe('the demo', () => {
  beforeAll(async () => {
    const [program = '', ...args] = DEMO;
    const killed = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'] });
    let said = '';
    killed.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
    await eventually('the pings', () => (said.includes('ok   ping') ? true : undefined), 240_000);
    killed.kill('SIGKILL');
    ended = await outcome([...DEMO, '--json'], { timeoutMs: 600_000 });
    findings = found();
  }, 900_000);
  afterAll(async () => {
    await outcome([...DEMO, '--stop']);
  });

  test('after a run killed in the middle, every check passes, and nothing is left', async () => {
    const { code, stdout, stderr } = ended;
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
    expect(left).not.toMatch(/^(pe[123]|p[12]|rr|rogue-[ns]|ce-[abc][123])\b/m);
  });

  test('covers every VPN, every case of P §2.7 and everything of P15, by all attackers', () => {
    expect(findings.policies).toHaveLength(18);
    const sections = new Set(findings.attacks.map(({ section }) => section));
    const wanted = ['a', 'b.i', 'b.ii', 'b.iii', 'spoofed', 'replayed', 'modified', 'misrouted'];
    expect([...sections].sort()).toEqual([...wanted].sort());
    expect(new Set(findings.attacks.map(({ by }) => by)).size).toBe(4);
    for (const attack of findings.attacks) {
      expect([attack.risen, attack.delivered], attack.id).toEqual([attack.sent, 0]);
    }
    expect(findings.timeline.events.map(({ id }) => id)).toEqual([
      ...['rekey', 'tighten', 'supervisor-killed', 'worker-replaced', 'worker-killed', 'pe-killed'],
    ]);
  });

  test('an unknown argument is refused', async () => {
    const { code, stderr } = await outcome([...DEMO, '--jsno']);
    expect(code).toBe(2);
    expect(stderr).toContain('--jsno');
  });
});

describe('its page in a browser', () => {
  let browser: Browser;
  const folder = mkdtempSync(`${tmpdir()}/page-`);
  beforeAll(() => {
    findings = found(); // of the run above
    browser = Browser.start();
  });
  afterAll(async () => {
    await browser.close();
    rmSync(folder, { recursive: true, force: true });
  });

  test.each(WINDOWS)('is whole, $width wide and $scheme', async (window) => {
    expect(await inspect(browser, PAGE, findings, window)).toEqual([]);
  });

  /** What is found when something is put in place of something else. */
  async function broken(find: string | RegExp, replacement: string): Promise<string> {
    const text = readFileSync(PAGE, 'utf8');
    const other = text.replace(find, replacement);
    expect(other).not.toBe(text);
    const file = `${folder}/broken.html`;
    writeFileSync(file, other);
    const problems = await inspect(browser, file, findings, { width: 400, scheme: 'dark' });
    return problems.join('\n');
  }

  test.each([
    [
      'a picture from elsewhere',
      '</main>',
      '<img src="http://192.0.2.200/x.png"></main>',
      'complaint:',
    ],
    ['a script', '</main>', '<script>console.log(1)</script></main>', 'complaint:'],
    ['a wide line', '</main>', '<p style="width:2000px">x</p></main>', 'overflow:'],
    [
      'a check that is hidden',
      '<tr class="check">',
      '<tr class="check" hidden>',
      'not to be seen:',
    ],
    [
      'a table without caption',
      /<caption[^]*?<\/caption/,
      '<caption></caption',
      'table: no caption',
    ],
    ['a picture without words', /<desc [^]*?<\/desc/, '<desc></desc', 'svg: no desc'],
    ['one scheme for all', '@media (prefers-color-scheme: dark)', '@media print', 'scheme:'],
    ['grey on grey', '--quiet: #a3adb6', '--quiet: #40484e', 'contrast:'],
    ['a heading too deep', '<h2', '<h4></h4><h2', 'headings:'],
  ])('%s is noticed', async (_, find, replacement, problem) => {
    expect(await broken(find, replacement)).toContain(problem);
  });

  test('a check that is missing is noticed', async () => {
    const [first] = findings.checks;
    expect(await broken(`>${first?.id ?? ''}<`, '><')).toContain(
      `not to be seen: ${first?.id ?? ''}`,
    );
  });
});
