// SPDX-License-Identifier: Apache-2.0
/** What happens to a running network: rekeys, a change of policy, deaths. Streams of all VPNs cross meanwhile. */
import { eventually, type Lab } from '../lib/lab.js';
import type { Checks } from './checks.js';
import type { Probe, Timeline, TimelineEvent } from './findings.js';
import { configFile, disconnect, running, sealane, show, startPe, type Pes } from './pe.js';
import { PER_SECOND, Probes, type Stream } from './probes.js';
import { saBetween } from './sas.js';
import { KEYS, NODES, site, type PeName } from './topology.js';

const STREAMS: readonly Stream[] = [
  { vpn: 'A', to: 2 },
  { vpn: 'B', to: 2 },
  { vpn: 'C', to: 2 },
  { vpn: 'C', to: 3 },
];

type Happened = Omit<TimelineEvent, 'losses' | 'ok'> & {
  readonly requirement: string;
  readonly ok: boolean;
};

interface Step {
  readonly id: string;
  readonly title: string;
  readonly requirement: string;
  readonly mustBeZero: boolean;
  /** What was found, and whether it is as it should be, losses aside. */
  readonly act: () => Promise<{ readonly detail: string; readonly ok: boolean }>;
}

const wait = (ms: number): Promise<void> => new Promise((wake) => setTimeout(wake, ms));
const REKEYS = 6;
const ENDS = [
  ['pe1', 'pe2'],
  ['pe2', 'pe1'],
  ['pe1', 'pe3'],
  ['pe3', 'pe1'],
] as const satisfies readonly (readonly [PeName, PeName])[];

/** Child SAs and IKE SAs, from both ends of each pair of PEs that a stream crosses. */
async function rekey(pes: Pes): Promise<{ detail: string; ok: boolean }> {
  const before = (await saBetween(pes, 'pe1', 'pe2')).spi;
  for (let i = 0; i < REKEYS; i++) {
    const [pe, peer] = ENDS[i % ENDS.length] ?? ENDS[0];
    const kind = i % 3 === 2 ? '--ike' : '--child';
    await sealane(pes[pe], 'ike', 'rekey', '--remote', NODES[peer].loopback, kind);
  }
  const after = (await saBetween(pes, 'pe1', 'pe2')).spi;
  const detail = `${String(REKEYS)} times, child SAs and IKE SAs, by either end, SPI 0x${before.toString(16)} -> 0x${after.toString(16)}`;
  return { detail, ok: after !== before && after !== 0 };
}

/** How PE1 sends to VPN C's site behind PE2. */
async function wayOfC(pes: Pes): Promise<{ protection: string; label: number }> {
  const { lan4 } = site('C', 2);
  const route = (await show(pes.pe1, 'routes', { vrf: 'C' })).find(({ prefix }) => prefix === lan4);
  const tunnel = (await show(pes.pe1, 'tunnels')).find(({ name }) => name === route?.tunnel);
  return { protection: tunnel?.protection ?? 'none', label: route?.label ?? 0 };
}

async function tighten(pes: Pes): Promise<{ detail: string; ok: boolean }> {
  const before = await wayOfC(pes);
  await sealane(pes.pe2, 'reload', configFile('pe2-tightened'));
  const after = await eventually('PE1 to encrypt for VPN C', async () => {
    const way = await wayOfC(pes);
    return way.protection === 'encrypt' ? way : undefined;
  }).catch(() => wayOfC(pes));
  const detail = `PE2 now asks for encryption inside north: ${before.protection}, label ${String(before.label)} -> ${after.protection}, label ${String(after.label)}`;
  return { detail, ok: before.protection === 'tunnel' && after.protection === 'encrypt' };
}

/** Pids of the supervisor in a PE's namespace and of its worker. */
async function pids(pes: Pes, name: PeName): Promise<{ supervisor: number; worker: number }> {
  const worker = (await show(pes[name], 'workers'))[0]?.pid ?? 0;
  return { supervisor: pes[name].child.pid ?? 0, worker };
}

interface Bed {
  readonly lab: Lab;
  readonly probes: Probes;
  pes: Pes;
}

async function killSupervisor(bed: Bed): Promise<{ detail: string; ok: boolean }> {
  const before = await pids(bed.pes, 'pe2');
  bed.pes.pe2.child.kill('SIGKILL');
  await wait(1000);
  await disconnect();
  const pe2 = startPe(bed.lab, 'pe2', { config: 'pe2-tightened', keys: `${KEYS}/pe2` });
  bed.pes = { ...bed.pes, pe2 };
  await running(pe2);
  await settled(bed.pes);
  const after = await pids(bed.pes, 'pe2');
  const detail = `kill -9 of pid ${String(before.supervisor)}; its worker, pid ${String(before.worker)}, forwards on, and is found again by pid ${String(after.supervisor)}`;
  return { detail, ok: after.worker === before.worker && after.worker !== 0 };
}

async function replaceWorker(bed: Bed): Promise<{ detail: string; ok: boolean }> {
  const before = await pids(bed.pes, 'pe2');
  const detail = (await sealane(bed.pes.pe2, 'worker', 'restart')).trim();
  const after = await pids(bed.pes, 'pe2');
  const isAnother = after.worker !== before.worker && after.worker !== 0;
  return { detail, ok: isAnother && after.supervisor === before.supervisor };
}

async function killWorker(bed: Bed): Promise<{ detail: string; ok: boolean }> {
  const before = await pids(bed.pes, 'pe2');
  process.kill(before.worker, 'SIGKILL');
  await eventually('another worker', async () => {
    const rows = await show(bed.pes.pe2, 'workers');
    const other = rows.some(({ state, pid }) => state === 'running' && pid !== before.worker);
    return other ? true : undefined;
  });
  const back = await bed.probes.answered(30_000);
  const after = await pids(bed.pes, 'pe2');
  const detail = `kill -9 of pid ${String(before.worker)}; its supervisor starts pid ${String(after.worker)}, with the same SAs and labels`;
  return { detail, ok: back && after.supervisor === before.supervisor };
}

async function killBoth(bed: Bed): Promise<{ detail: string; ok: boolean }> {
  const before = await pids(bed.pes, 'pe2');
  bed.pes.pe2.child.kill('SIGKILL');
  process.kill(before.worker, 'SIGKILL');
  await wait(1000);
  await disconnect();
  const pe2 = startPe(bed.lab, 'pe2', { config: 'pe2-tightened', keys: `${KEYS}/pe2` });
  bed.pes = { ...bed.pes, pe2 };
  await running(pe2);
  const back = await bed.probes.answered(60_000);
  await settled(bed.pes);
  return { detail: 'supervisor and worker of PE2 killed, started again a second later', ok: back };
}

/** Waits until PE2's sessions are up again. */
async function settled(pes: Pes): Promise<void> {
  await eventually("PE2's BGP sessions", async () => {
    const rows = await show(pes.pe2, 'bgp summary').catch(() => []);
    return rows.length > 0 && rows.every(({ state }) => state === 'established') ? true : undefined;
  });
}

function steps(bed: Bed): Step[] {
  return [
    {
      ...{ id: 'rekey', title: 'SAs rekeyed by both ends', requirement: 'P9', mustBeZero: true },
      act: () => rekey(bed.pes),
    },
    {
      ...{ id: 'tighten', title: "VPN C's policy tightened", requirement: 'P5', mustBeZero: true },
      act: () => tighten(bed.pes),
    },
    {
      ...{ id: 'supervisor-killed', title: 'Supervisor of PE2 killed' },
      ...{ requirement: 'P9', mustBeZero: true },
      act: () => killSupervisor(bed),
    },
    {
      ...{ id: 'worker-replaced', title: 'Worker of PE2 replaced by another' },
      ...{ requirement: 'P9', mustBeZero: true },
      act: () => replaceWorker(bed),
    },
    {
      ...{ id: 'worker-killed', title: 'Worker of PE2 killed' },
      ...{ requirement: 'P9', mustBeZero: false },
      act: () => killWorker(bed),
    },
    {
      ...{ id: 'pe-killed', title: 'PE2 killed, both processes' },
      ...{ requirement: 'P9', mustBeZero: false },
      act: () => killBoth(bed),
    },
  ];
}

/** Losses belong to the event in whose time they fall; what is lost outside of any is nobody's and must be nothing. */
function attribute(event: Happened, probes: readonly Probe[]): TimelineEvent {
  const losses = probes.map(
    ({ lost }) => lost.filter((at) => at >= event.begin && at < event.end).length,
  );
  const total = losses.reduce((sum, n) => sum + n, 0);
  const { id, title, begin, end, mustBeZero, detail } = event;
  return {
    ...{ id, title, begin, end, mustBeZero, losses, detail },
    ok: event.ok && (!mustBeZero || total === 0),
  };
}

function report(
  checks: Checks,
  probes: readonly Probe[],
  happened: readonly Happened[],
): TimelineEvent[] {
  const events = happened.map((event) => attribute(event, probes));
  events.forEach((event, i) => {
    const lost = probes.map(({ name }, p) => `${name} ${String(event.losses[p] ?? 0)}`);
    checks.add(
      `event-${event.id}`,
      happened[i]?.requirement ?? '',
      event.ok,
      `${event.detail}; in ${(event.end - event.begin).toFixed(1)} s lost, at ${String(PER_SECOND)} packets a second: ${lost.join(', ')}`,
    );
  });
  const outside = probes.map(
    ({ lost }) => lost.filter((at) => !events.some((e) => at >= e.begin && at < e.end)).length,
  );
  checks.add(
    'event-between',
    'P9',
    outside.every((n) => n === 0),
    `lost while nothing happened: ${outside.join(', ')} of ${probes.map(({ sent }) => String(sent)).join(', ')}`,
  );
  return events;
}

/** Runs all of it; the PEs afterwards, one of which is another process, are in `pes`. */
export async function happenings(
  lab: Lab,
  checks: Checks,
  before: Pes,
  progress: (line: string) => void,
): Promise<{ timeline: Timeline; pes: Pes }> {
  const probes = await Probes.start(lab, STREAMS);
  const bed: Bed = { lab, probes, pes: before };
  const happened: Happened[] = [];
  for (const { act, ...step } of steps(bed)) {
    await wait(1500);
    progress(`  ${step.title}`);
    const begin = probes.now();
    const result = await act().catch((error: unknown) => ({
      ...{ detail: error instanceof Error ? error.message : String(error), ok: false },
    }));
    await wait(500);
    happened.push({ ...step, ...result, begin, end: probes.now() });
  }
  await wait(1500);
  const seconds = probes.now();
  const found = await probes.stop();
  const events = report(checks, found, happened);
  return { timeline: { seconds, perSecond: PER_SECOND, probes: found, events }, pes: bed.pes };
}
