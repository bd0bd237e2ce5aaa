// SPDX-License-Identifier: Apache-2.0
/**
 * npm run perf -- BENCH [--json] [--quick]
 *
 * Runs a benchmark, writes perf/results/BENCH.json and BENCH.svg, and prints a table; with --json
 * stdout is one object `{ bench, machine, runs, rows }`.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { bgp } from './bgp.js';
import { convergence } from './convergence.js';
import { dataplane } from './dataplane.js';
import { fib } from './fib.js';
import { ike } from './ike.js';
import { plot } from './plot.js';
import { printTable, type Result } from './result.js';
import { vpnSpi } from './vpn-spi.js';

const BENCHES: Readonly<Record<string, (quick: boolean) => Promise<Result>>> = {
  dataplane,
  fib,
  bgp,
  ike,
  convergence,
  'vpn-spi': () => Promise.resolve(vpnSpi()),
};

async function main(argv: readonly string[]): Promise<number> {
  const names = argv.filter((a) => !a.startsWith('--'));
  const flags = argv.filter((a) => a.startsWith('--'));
  const unknown = [
    ...names.filter((n) => !Object.hasOwn(BENCHES, n)),
    ...flags.filter((f) => f !== '--json' && f !== '--quick'),
  ];
  if (unknown.length > 0 || names.length > 1) {
    const known = Object.keys(BENCHES).join(' | ');
    process.stderr.write(`usage: npm run perf -- [${known}] [--json] [--quick]\n`);
    return 2;
  }
  const results = fileURLToPath(new URL('results', import.meta.url));
  for (const [name, bench] of Object.entries(BENCHES)) {
    if (names.length === 1 && names[0] !== name) continue;
    process.stderr.write(`perf: ${name}\n`);
    const result = await bench(flags.includes('--quick'));
    if (!flags.includes('--quick')) {
      mkdirSync(results, { recursive: true });
      writeFileSync(`${results}/${name}.json`, `${JSON.stringify(result, null, 1)}\n`);
      writeFileSync(`${results}/${name}.svg`, await plot(result));
    }
    if (flags.includes('--json')) process.stdout.write(`${JSON.stringify(result)}\n`);
    else printTable(result);
  }
  return 0;
}

process.exitCode = await main(process.argv.slice(2));
