// SPDX-License-Identifier: Apache-2.0
/** The demo's report for people, as text. */
import type { Findings, Journey, Timeline } from './findings.js';
import { PICTURE } from './topology.js';

function heading(text: string): string {
  return `\n${text}\n${'-'.repeat(text.length)}`;
}

function journeyLines({ title, hops }: Journey): string[] {
  const lines = [`  ${title}`];
  for (const { where, bytes, layers } of hops) {
    const parts = layers.map(
      (l) => `${l.name} ${String(l.bytes)}${l.cover === 'clear' ? '' : '*'}`,
    );
    lines.push(`    ${where.padEnd(16)} ${String(bytes).padStart(4)} bytes: ${parts.join(' | ')}`);
  }
  return lines;
}

function timelineLines({ probes, events, seconds, perSecond }: Timeline): string[] {
  const lines = [
    `  ${String(perSecond)} echo requests a second in each of: ${probes.map(({ name }) => name).join(', ')}; ${seconds.toFixed(0)} s`,
  ];
  for (const { title, begin, end, losses, mustBeZero } of events) {
    const time = `${begin.toFixed(1).padStart(5)} to ${end.toFixed(1).padStart(5)} s`;
    const must = mustBeZero ? '  (must be zero)' : '';
    lines.push(`  ${time}  ${title.padEnd(28)} lost ${losses.join(', ')}${must}`);
  }
  return lines;
}

export function render(f: Findings): string {
  const lines: string[] = ['', 'SEALANE DEMO', PICTURE];
  lines.push(heading('Policy: as signalled in BGP, as chosen by the ingress, as seen on the wire'));
  for (const p of f.policies) {
    lines.push(
      `  VPN ${p.vpn}  ${p.ingress} -> ${p.egress}  ${p.prefix.padEnd(12)} label ${p.label}`,
      `      ${p.signalled || 'nothing'}  =>  ${p.chosen}  =>  ${p.observed}`,
    );
  }
  lines.push(heading('One packet of each VPN at each hop, bytes (* in ESP)'));
  for (const journey of f.journeys) lines.push(...journeyLines(journey));
  lines.push(heading('What the eavesdropper saw'));
  for (const line of f.seen) lines.push(`  ${line}`);
  lines.push(heading('Attacks on PE2: packets sent, counter that rose, delivered'));
  for (const a of f.attacks) {
    lines.push(
      `  ${a.ok ? 'stopped' : 'FAILED '}  ${a.by.padEnd(19)} ${a.section.padEnd(9)} ${String(a.sent)} ${a.counter} +${String(a.risen)}, ${String(a.delivered)} delivered`,
      `           ${a.text}`,
    );
  }
  lines.push(heading('What happened to a running network, and what was lost'));
  lines.push(...timelineLines(f.timeline));
  lines.push(heading('Drops by reason'));
  for (const d of f.drops) {
    lines.push(`  ${d.pe}  ${d.reason.padEnd(28)} ${String(d.packets).padStart(6)}`);
  }
  lines.push(heading('Throughput'));
  lines.push(
    `  TCP through VPN A between the providers: ${String(f.throughput.tcpMbps)} Mbit/s over ${String(f.throughput.seconds)} s (AF_PACKET on veth, everything on this machine: shows function, not speed)`,
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
