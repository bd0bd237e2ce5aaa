// SPDX-License-Identifier: Apache-2.0
/**
 * npm run demo [-- --json] [-- --keep] [-- --stop]
 *
 * Two providers, three VPNs with the same addresses, an eavesdropper, an attacker and two rogue PEs. Ends with a report
 * (text, build/demo/report.html, build/demo/findings.json) and a non-zero exit status when anything was not as expected.
 */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Lab } from '../lib/lab.js';
import { Checks } from './checks.js';
import type { Findings } from './findings.js';
import { page } from './html/page.js';
import { disconnect, SEALANE } from './pe.js';
import { perform } from './perform.js';
import { render } from './report.js';
import { build, LAB, RUN, SEGMENTS, site } from './topology.js';

const OUTPUT = fileURLToPath(new URL('../../build/demo', import.meta.url));
const begun = performance.now();

function progress(line: string): void {
  const seconds = ((performance.now() - begun) / 1000).toFixed(1).padStart(5);
  process.stderr.write(`[${seconds} s] ${line}\n`);
}

/** What the PEs keep in files: sockets, logs, keys, shared segments. */
function clearFiles(): void {
  for (const directory of [RUN, SEGMENTS]) rmSync(directory, { recursive: true, force: true });
}

function lookAround(): string {
  const cli = `${SEALANE.join(' ')} --socket ${RUN}/pe1/control.sock`;
  const [from, to] = [site('A', 1), site('A', 2)];
  return [
    '',
    'Left running. To look around:',
    `  ${cli} show tunnels        (also bgp routes, routes, labels, sas, ike, drops; pe2, pe3 alike)`,
    `  ip netns exec ${from.netns} ping -I ${from.address4} ${to.address4}`,
    '  ip netns exec p1 tcpdump -ni to-pe2',
    `  vtysh --vty_socket ${RUN}/ce-a1 -d bgpd -c 'show bgp ipv4 unicast'`,
    `  gobgp --target unix://${RUN}/rr/api.sock global rib -a vpnv4`,
    `  tail ${RUN}/pe1.log`,
    'To end it:',
    '  npm run demo -- --stop',
    '',
  ].join('\n');
}

function write(findings: Findings): void {
  writeFileSync(`${OUTPUT}/findings.json`, `${JSON.stringify(findings, undefined, 1)}\n`);
  writeFileSync(`${OUTPUT}/report.html`, page(findings));
}

/** Runs the demo in a lab and prints its report; whether all was as expected. */
async function show(lab: Lab, json: boolean): Promise<boolean> {
  const checks = new Checks(progress);
  try {
    const found = await perform(lab, OUTPUT, checks, progress);
    write(found);
    (json ? process.stderr : process.stdout).write(render(found));
    const { ok, captures, throughput } = found;
    const report = { ok, checks: found.checks, captures, throughput };
    if (json) process.stdout.write(`${JSON.stringify(report)}\n`);
    progress(`as a page: ${OUTPUT}/report.html`);
    return ok;
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error);
    progress(`the demo could not go on: ${detail}`);
    const failed = [...checks.list, { id: 'demo-ran', requirement: '', ok: false, detail }];
    const report = { ok: false, checks: failed, captures: [], throughput: {} };
    if (json) process.stdout.write(`${JSON.stringify(report)}\n`);
    return false;
  }
}

async function main(argv: readonly string[]): Promise<number> {
  const unknown = argv.filter((a) => !['--json', '--keep', '--stop'].includes(a));
  if (unknown.length > 0) {
    process.stderr.write(
      `demo: unknown argument ${unknown.join(' ')}; known: --json --keep --stop\n`,
    );
    return 2;
  }
  if (argv.includes('--stop')) {
    await Lab.clear(LAB);
    clearFiles();
    return 0;
  }
  rmSync(OUTPUT, { recursive: true, force: true });
  mkdirSync(OUTPUT, { recursive: true });
  progress('building the network');
  const lab = await build();
  const end = (): void => void lab.close().finally(() => process.exit(130));
  process.once('SIGINT', end);
  process.once('SIGTERM', end);
  const ok = await show(lab, argv.includes('--json'));
  await disconnect();
  if (argv.includes('--keep')) {
    process.stderr.write(lookAround());
    lab.release();
  } else {
    await lab.close();
    clearFiles();
  }
  return ok ? 0 : 1;
}

process.exitCode = await main(process.argv.slice(2));
