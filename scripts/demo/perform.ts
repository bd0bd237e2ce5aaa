// SPDX-License-Identifier: Apache-2.0
/** The demo from the first packet to the last. */
import type { Lab } from '../lib/lab.js';
import { attackAll, labelsOf, tamper } from './attacks.js';
import { Capture } from './captures.js';
import { makeCertificates } from './certificates.js';
import type { Checks } from './checks.js';
import { isolation, ping, reachability, routesAtCes, traceroute, transfer } from './customers.js';
import { eavesdropper } from './eavesdropper.js';
import { happenings } from './events.js';
import type { AttackResult, DropRow, Findings } from './findings.js';
import { journeys } from './journey.js';
import { configFile, running, sealane, show, startPe, type PeProcess, type Pes } from './pe.js';
import { policies } from './policy.js';
import { startCes, startReflector } from './routers.js';
import { agreed, knownSas, refused, rogueSa, saBetween } from './sas.js';
import { addCoreRoute, KEYS, NODES, PES, site, type PeName, type RogueName } from './topology.js';
import { readWire } from './wire.js';

interface Started {
  readonly pes: Pes;
  readonly rogues: Readonly<Record<RogueName, PeProcess<RogueName>>>;
}

const keys = (name: string): { keys: string } => ({ keys: `${KEYS}/${name}` });

async function startAll(lab: Lab): Promise<Started> {
  makeCertificates();
  const pe = <Name extends PeName>(name: Name): PeProcess<Name> => startPe(lab, name, keys(name));
  const pes = { pe1: pe('pe1'), pe2: pe('pe2'), pe3: pe('pe3') };
  const rogues = {
    'rogue-n': startPe(lab, 'rogue-n', keys('rogue-n')),
    'rogue-s': startPe(lab, 'rogue-s', { config: 'rogue-s-forged', ...keys('rogue-s') }),
  };
  await Promise.all([
    ...[...PES, 'rogue-n' as const, 'rogue-s' as const].map((name) => addCoreRoute(lab, name)),
    startCes(lab),
    startReflector(lab),
  ]);
  await Promise.all([...Object.values(pes), ...Object.values(rogues)].map(running));
  return { pes, rogues };
}

/** Captures of the core from the beginning: in front of each PE, and between the providers. */
async function tap(lab: Lab, dir: string): Promise<Record<PeName | 'border', Capture>> {
  const at = (netns: string, link: string): Promise<Capture> =>
    Capture.start(lab, netns, link, `${dir}/core-${netns}-${link}.pcap`);
  const [pe1, pe2, pe3, border] = await Promise.all([
    at('p1', 'to-pe1'),
    at('p1', 'to-pe2'),
    at('p2', 'to-pe3'),
    at('p1', 'to-p2'),
  ]);
  return { pe1, pe2, pe3, border };
}

/** ESP of one SA, captured on its way into the core, and the SA. */
async function toReplay(
  lab: Lab,
  dir: string,
  pes: Pes,
  to: 'pe2' | 'pe3',
): Promise<{ spi: number; sequence: number; capture: string }> {
  const capture = await Capture.start(lab, 'p1', 'to-pe1', `${dir}/replay-${to}.pcap`, 'esp');
  await ping(lab, site('A', 1), site('A', to === 'pe2' ? 2 : 3).address4, 25, ['-i', '0.02']);
  await capture.stop();
  return { ...(await saBetween(pes, 'pe1', to)), capture: capture.file };
}

async function attack(
  lab: Lab,
  dir: string,
  checks: Checks,
  { pes, rogues }: Started,
): Promise<{ results: AttackResult[]; files: string[] }> {
  await refused(checks, rogues['rogue-s'], pes.pe2);
  await sealane(rogues['rogue-s'], 'reload', configFile('rogue-s'));
  const keyed = await Promise.all(
    (['rogue-n', 'rogue-s'] as const).map(async (name) => {
      const { spi, key } = await rogueSa(rogues[name]);
      return { name, spi, key };
    }),
  );
  await tamper(lab, checks, pes.pe2);
  const elsewhere = await toReplay(lab, dir, pes, 'pe3');
  const own = await toReplay(lab, dir, pes, 'pe2');
  const found = await attackAll(lab, dir, checks, pes.pe2, {
    ...{ labels: await labelsOf(pes.pe2), ...own, rogues: keyed },
    elsewhere: { spi: elsewhere.spi, capture: elsewhere.capture },
  });
  const last = await ping(lab, site('A', 1), site('A', 2).address4, 5);
  const detail = `${String(last.received)}/5 answered`;
  checks.add('ping-after-attacks', 'P15', last.received === 5, detail);
  return { results: found.results, files: [own.capture, elsewhere.capture, ...found.files] };
}

async function allDrops(pes: Pes): Promise<DropRow[]> {
  const rows: DropRow[] = [];
  for (const pe of Object.values(pes)) {
    for (const { reason, text, packets } of await show(pe, 'drops')) {
      rows.push({ pe: pe.name, reason, text, packets: Number(packets) });
    }
  }
  return rows;
}

/** What is seen while nobody attacks. */
async function observe(
  lab: Lab,
  dir: string,
  checks: Checks,
  pes: Pes,
  taps: Record<PeName | 'border', Capture>,
): Promise<Pick<Findings, 'policies' | 'journeys' | 'seen' | 'captures'>> {
  await routesAtCes(lab, checks);
  await reachability(lab, checks);
  await agreed(checks, pes);
  const alone = await isolation(lab, dir, checks);
  await traceroute(lab, checks);
  const way = await journeys(lab, dir, checks);
  await Promise.all(Object.values(taps).map((capture) => capture.stop()));
  const sas = knownSas();
  const read = (name: PeName | 'border') => readWire(taps[name].file, sas);
  const [pe1, pe2, pe3, border] = await Promise.all([
    read('pe1'),
    read('pe2'),
    read('pe3'),
    read('border'),
  ]);
  const rows = await policies(checks, pes, { pe1, pe2, pe3 });
  const north = { files: [taps.pe1.file, taps.pe2.file], packets: [...pe1, ...pe2] };
  const seen = eavesdropper(
    checks,
    { name: "Inside north, on PE1's and PE2's links", ...north },
    { name: 'Between the providers', files: [taps.border.file], packets: border },
  );
  const captures = [...Object.values(taps).map(({ file }) => file), ...alone, ...way.files];
  return { policies: rows, journeys: way.journeys, seen, captures };
}

export async function perform(
  lab: Lab,
  dir: string,
  checks: Checks,
  progress: (line: string) => void,
): Promise<Findings> {
  const taps = await tap(lab, dir);
  progress('certificates; five PEs, nine customers, a reflector');
  const started = await startAll(lab);
  progress(`routes, policies, SAs: all of it by BGP and IKE, from PE1 (${NODES.pe1.loopback}) on`);
  const observed = await observe(lab, dir, checks, started.pes, taps);
  progress('a TCP transfer');
  const throughput = await transfer(lab, dir, checks);
  progress('attacks');
  const attacked = await attack(lab, dir, checks, started);
  for (const rogue of Object.values(started.rogues)) await lab.stop(rogue.child, 'SIGINT');
  const drops = await allDrops(started.pes);
  progress('what may happen to a running network');
  const { timeline } = await happenings(lab, checks, started.pes, progress);
  return {
    ...{ ok: checks.ok, checks: checks.list, throughput, drops, timeline, ...observed },
    attacks: attacked.results,
    captures: [...observed.captures, ...attacked.files],
  };
}
