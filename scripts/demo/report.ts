// SPDX-License-Identifier: Apache-2.0
/** The demo's report for people. */
import type { Check } from './checks.js';
import type { Hop } from './journey.js';
import type { Throughput } from './traffic.js';
import { PICTURE } from './topology.js';

export interface Findings {
  readonly checks: readonly Check[];
  readonly hops: readonly Hop[];
  readonly seen: readonly string[];
  readonly drops: readonly {
    readonly pe: string;
    readonly reason: string;
    readonly packets: number;
  }[];
  readonly throughput: Throughput;
  readonly captures: readonly string[];
}

function heading(text: string): string {
  return `\n${text}\n${'-'.repeat(text.length)}`;
}

export function render(f: Findings): string {
  const lines: string[] = ['', 'SEALANE DEMO', PICTURE];
  lines.push(heading('One packet of VPN A at each hop (read by tshark, with the keys)'));
  for (const hop of f.hops) {
    lines.push(`  ${hop.where}`);
    for (const layer of hop.layers) lines.push(`      ${layer}`);
  }
  lines.push(heading('What the eavesdropper at p saw'));
  for (const line of f.seen) lines.push(`  ${line}`);
  lines.push(heading('Drops by reason'));
  for (const d of f.drops) {
    lines.push(`  ${d.pe}  ${d.reason.padEnd(24)} ${String(d.packets).padStart(6)}`);
  }
  lines.push(heading('Throughput'));
  lines.push(
    `  TCP through VPN A: ${String(f.throughput.tcpMbps)} Mbit/s over ${String(f.throughput.seconds)} s (AF_PACKET on veth, two PEs on this machine: shows function, not speed)`,
  );
  lines.push(heading('Checks'));
  for (const c of f.checks) {
    lines.push(`  ${c.ok ? 'ok  ' : 'FAIL'}  ${c.id}  [${c.requirement}]\n        ${c.detail}`);
  }
  lines.push(heading('Captures'));
  for (const file of f.captures) lines.push(`  ${file}`);
  const failed = f.checks.filter((c) => !c.ok).length;
  lines.push(
    '',
    failed === 0
      ? `All ${String(f.checks.length)} checks passed.`
      : `${String(failed)} of ${String(f.checks.length)} checks FAILED.`,
    '',
  );
  return lines.join('\n');
}
