// SPDX-License-Identifier: Apache-2.0
/** What the PEs tell each other by BGP: routes, labels, and how packets are to be protected. */
import { eventually } from '../lib/lab.js';
import type { Checks } from './checks.js';
import { show, type PeProcess } from './pe.js';
import type { PeName } from './topology.js';

type Row = Readonly<Record<string, unknown>>;

/** By VRF: what PE1 must have learnt from PE2. */
const EXPECTED = [
  { vrf: 'A', prefix: '10.2.0.0/24', tunnel: 'pe2-encrypted' },
  { vrf: 'A', prefix: '2001:db8:a:2::/64', tunnel: 'pe2-encrypted' },
  { vrf: 'B', prefix: '10.2.0.0/24', tunnel: 'pe2-authenticated' },
  { vrf: 'B', prefix: '2001:db8:a:2::/64', tunnel: 'pe2-authenticated' },
  { vrf: 'B', prefix: '10.9.0.0/24', tunnel: 'pe2-authenticated' },
] as const;

const learnt = (rows: readonly Row[]): Row[] => rows.filter((row) => row['owner'] === 'bgp');

/** Waits for both directions; checks PE1's against PE2's labels. Returns the label of VPN A at PE2. */
export async function routesByBgp(
  checks: Checks,
  pes: Readonly<Record<PeName, PeProcess>>,
): Promise<number> {
  const there = (rows: readonly Row[]): Row[] =>
    EXPECTED.flatMap(({ vrf, prefix }) =>
      learnt(rows).filter((row) => row['vrf'] === vrf && row['prefix'] === prefix),
    );
  const rows = await eventually('routes of PE2 at PE1', async () => {
    const found = there(await show(pes.pe1, 'routes'));
    return found.length === EXPECTED.length ? found : undefined;
  });
  await eventually('routes of PE1 at PE2', async () =>
    learnt(await show(pes.pe2, 'routes')).length >= 4 ? true : undefined,
  );
  const labels = new Map(
    (await show(pes.pe2, 'labels')).map((row) => [Number(row['label']), String(row['accept'])]),
  );
  const right = EXPECTED.every((expected, i) => {
    const row = rows[i];
    const accepts = labels.get(Number(row?.['label'])) ?? '';
    const protection = expected.vrf === 'A' ? 'encrypt' : 'authenticate';
    return row?.['tunnel'] === expected.tunnel && accepts.startsWith(protection);
  });
  const words = rows.map(
    (row) =>
      `${String(row['vrf'])} ${String(row['prefix'])} label ${String(row['label'])} by ${String(row['tunnel'])}`,
  );
  checks.add('bgp-routes', 'P4 P6', right, `PE1 learnt from PE2: ${words.join('; ')}`);
  return Number(rows[0]?.['label'] ?? 0);
}
