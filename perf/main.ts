// SPDX-License-Identifier: Apache-2.0
/**
 * npm run perf -- BENCH [--json] [--quick] [--accept]
 *
 * Runs a benchmark, prints a table, and compares it with perf/results/BENCH.json: exit status 1 when a
 * ratio is worse than the noise explains. If none is, or with --accept, BENCH.json and BENCH.svg are
 * written anew (not with --quick). With --json stdout is one object `{ bench, machine, runs, rows }`.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { bgp } from './bgp.js';
import { compare, readCommitted } from './compare.js';
import { convergence } from './convergence.js';
import { dataplane } from './dataplane.js';
import { fib } from './fib.js';
import { ike } from './ike.js';
import { memif } from './memif.js';
import { plot } from './plot.js';
import { printTable, type Result } from './result.js';
import { start } from './start.js';
import { vpnSpi } from './vpn-spi.js';

const BENCHES: Readonly<Record<string, (quick: boolean) => Promise<Result>>> = {
  dataplane,
  memif,
  fib,
  bgp,
  ike,
  start,
  convergence,
  'vpn-spi': () => Promise.resolve(vpnSpi()),
};

const FLAGS = ['--json', '--quick', '--accept'];
const RESULTS = fileURLToPath(new URL('results', import.meta.url));

/** Say what changed since the committed result. True: nothing got worse. */
function judge(result: Result): boolean {
  const committed = readCommitted(`${RESULTS}/${result.bench}.json`);
  if (committed === undefined) return true;
  const { worse, better, judged, otherMachine } = compare(committed, result);
  const note = otherMachine === undefined ? '' : `, which is of another machine (${otherMachine})`;
  process.stderr.write(
    `perf: ${result.bench}: of ${String(judged)} ratios ${String(worse.length)} worse, ` +
      `${String(better)} better than the committed result${note}\n`,
  );
  for (const line of worse) process.stderr.write(`  worse: ${line}\n`);
  return worse.length === 0;
}

async function save(result: Result): Promise<void> {
  mkdirSync(RESULTS, { recursive: true });
  writeFileSync(`${RESULTS}/${result.bench}.json`, `${JSON.stringify(result, null, 1)}\n`);
  writeFileSync(`${RESULTS}/${result.bench}.svg`, await plot(result));
}

async function main(argv: readonly string[]): Promise<number> {
  const names = argv.filter((a) => !a.startsWith('--'));
  const flags = argv.filter((a) => a.startsWith('--'));
  const unknown = [
    ...names.filter((n) => !Object.hasOwn(BENCHES, n)),
    ...flags.filter((f) => !FLAGS.includes(f)),
  ];
  if (unknown.length > 0 || names.length > 1) {
    const known = Object.keys(BENCHES).join(' | ');
    process.stderr.write(`usage: npm run perf -- [${known}] [--json] [--quick] [--accept]\n`);
    return 2;
  }
  let good = true;
  for (const [name, bench] of Object.entries(BENCHES)) {
    if (names.length === 1 && names[0] !== name) continue;
    process.stderr.write(`perf: ${name}\n`);
    const result = await bench(flags.includes('--quick'));
    if (flags.includes('--json')) process.stdout.write(`${JSON.stringify(result)}\n`);
    else printTable(result);
    const held = judge(result);
    good &&= held;
    if (flags.includes('--quick')) continue;
    if (held || flags.includes('--accept')) await save(result);
    else process.stderr.write(`perf: ${name}: not saved; --accept does so all the same\n`);
  }
  return good || flags.includes('--accept') ? 0 : 1;
}

process.exitCode = await main(process.argv.slice(2));
