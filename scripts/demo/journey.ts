// SPDX-License-Identifier: Apache-2.0
/** One packet's way through VPN A, its headers at each hop as tshark reads them. */
import type { Lab } from '../lib/lab.js';
import type { Checks } from './checks.js';
import { dissect, type TsharkSa } from '../../test/lib/tshark.js';
import { Capture } from './captures.js';
import { ping } from './traffic.js';
import { SITES } from './topology.js';

export interface Hop {
  readonly where: string;
  readonly layers: readonly string[];
}

const POINTS = [
  { where: 'ce-a1 sends', netns: 'ce-a1', link: 'eth0' },
  { where: 'pe1 -> p', netns: 'p', link: 'to-pe1' },
  { where: 'p -> pe2', netns: 'p', link: 'to-pe2' },
  { where: 'ce-a2 receives', netns: 'ce-a2', link: 'eth0' },
] as const;

const FIELDS = [
  'eth.src',
  'eth.dst',
  'ip.src',
  'ip.dst',
  'ip.ttl',
  'ip.proto',
  'ip.len',
  'esp.spi',
  'esp.sequence',
  'gre.proto',
  'mpls.label',
  'mpls.exp',
  'mpls.bottom',
  'mpls.ttl',
  'icmp.type',
] as const;

type Field = (typeof FIELDS)[number];

function describe(row: Readonly<Record<Field, string>>): string[] {
  const at = (field: Field, i = 0): string => row[field].split(',')[i] ?? '';
  const ip = (i: number): string =>
    `IPv4 ${at('ip.src', i)} -> ${at('ip.dst', i)}  ttl ${at('ip.ttl', i)}  proto ${at('ip.proto', i)}  len ${at('ip.len', i)}`;
  const layers = [`Ethernet ${at('eth.src')} -> ${at('eth.dst')}`, ip(0)];
  if (at('esp.spi') !== '') layers.push(`ESP spi ${at('esp.spi')}  sequence ${at('esp.sequence')}`);
  if (at('gre.proto') !== '') layers.push(`  GRE protocol ${at('gre.proto')}`);
  if (at('mpls.label') !== '') {
    layers.push(
      `  MPLS label ${at('mpls.label')}  tc ${at('mpls.exp')}  s ${at('mpls.bottom')}  ttl ${at('mpls.ttl')}`,
    );
  }
  if (at('ip.src', 1) !== '') layers.push(`  ${ip(1)}`);
  if (at('icmp.type') !== '') {
    const inner = at('ip.src', 1) === '' ? '' : '  ';
    layers.push(
      `${inner}ICMP ${at('icmp.type') === '8' ? 'echo request' : `type ${at('icmp.type')}`}`,
    );
  }
  return layers;
}

/** Sends one echo request and reads it at four points; `sas` have the keys, `label` is PE2's. */
export async function journey(
  lab: Lab,
  dir: string,
  checks: Checks,
  sas: readonly TsharkSa[],
  label: number,
): Promise<{ hops: Hop[]; files: string[] }> {
  const captures = await Promise.all(
    POINTS.map((p) => Capture.start(lab, p.netns, p.link, `${dir}/path-${p.netns}-${p.link}.pcap`)),
  );
  await ping(lab, SITES.a1, SITES.a2.address4, 1);
  await Promise.all(captures.map((c) => c.stop()));
  const hops: Hop[] = [];
  for (const [i, point] of POINTS.entries()) {
    const file = captures[i]?.file ?? '';
    const [first] = await dissect(file, FIELDS, { sas, filter: 'icmp.type == 8' });
    hops.push({ where: point.where, layers: first === undefined ? [] : describe(first) });
  }
  const wire = hops[1]?.layers.join(' | ') ?? '';
  checks.add(
    'tshark-decrypts',
    'P1 P12',
    /ESP .*GRE protocol 0x8847.*MPLS label .*s (1|True).*IPv4 10\.1\.0\.2 -> 10\.2\.0\.2.*echo request/.test(
      wire,
    ) &&
      wire.includes(`MPLS label ${String(label)} `) &&
      hops.every((h) => h.layers.length > 0),
    `with the keys tshark reads between pe1 and p: ${wire === '' ? 'nothing' : wire.replaceAll(/ +/g, ' ')}`,
  );
  return { hops, files: captures.map((c) => c.file) };
}
