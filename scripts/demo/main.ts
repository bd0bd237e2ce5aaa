// SPDX-License-Identifier: Apache-2.0
/**
 * npm run demo [-- --json] [-- --keep]
 *
 * Two PEs, two VPNs with overlapping addresses, a router between that eavesdrops and attacks. Ends
 * with a report and a non-zero exit status when anything was not as expected.
 */
import { mkdirSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { readKeyFile } from '../../src/lib/key-file.js';
import type { TsharkSa } from '../../test/lib/tshark.js';
import { Lab, outcome } from '../lib/lab.js';
import { attackAll } from './attacks.js';
import { Capture } from './captures.js';
import { Checks } from './checks.js';
import { journey } from './journey.js';
import { drops, SEALANE, show, startPe, tunnelsUp, type PeProcess } from './pe.js';
import { routesByBgp } from './routes.js';
import { render, type Findings } from './report.js';
import {
  addCoreRoutes,
  build,
  KEYS,
  LAB,
  PES,
  RUN,
  SEGMENTS,
  SITES,
  type PeName,
} from './topology.js';
import {
  eavesdropper,
  isolation,
  ping,
  reachability,
  tamper,
  traceroute,
  transfer,
} from './traffic.js';

const CAPTURES = fileURLToPath(new URL('../../build/demo', import.meta.url));
const SPI_A_TO_PE2 = 0x5a3c_a012;
const SPI_A_TO_PE1 = 0x7c41_a021;
const SPI_TRANSIT = 0x3b77_f022;
const begun = performance.now();

function progress(line: string): void {
  const seconds = ((performance.now() - begun) / 1000).toFixed(1).padStart(5);
  process.stderr.write(`[${seconds} s] ${line}\n`);
}

/** One key per direction and service, made for this run alone. */
async function makeKeys(): Promise<void> {
  mkdirSync(KEYS, { recursive: true, mode: 0o700 });
  for (const [name, algorithm] of [
    ['a-1to2', 'aes-gcm-128'],
    ['a-2to1', 'aes-gcm-128'],
    ['b-1to2', 'aes-gmac-128'],
    ['b-2to1', 'aes-gmac-128'],
    ['transit-to2', 'aes-gcm-128'],
  ] as const) {
    const argv = [
      ...SEALANE,
      'lab',
      'keygen',
      '--algorithm',
      algorithm,
      '--out',
      `${KEYS}/${name}`,
    ];
    const { code, stderr } = await outcome(argv);
    if (code !== 0) throw new Error(`sealane lab keygen: ${stderr}`);
  }
}

async function startAll(lab: Lab): Promise<{ pe1: PeProcess; pe2: PeProcess }> {
  await makeKeys();
  const pes = { pe1: startPe(lab, 'pe1'), pe2: startPe(lab, 'pe2') };
  await Promise.all([addCoreRoutes(lab, 'pe1'), addCoreRoutes(lab, 'pe2')]);
  await Promise.all([tunnelsUp(pes.pe1), tunnelsUp(pes.pe2)]);
  return pes;
}

/** A first packet may meet an unresolved neighbour: those are asked for before anything counts. */
async function warmUp(lab: Lab): Promise<void> {
  for (const s of Object.values(SITES)) {
    await ping(lab, s, s.gateway4, 2);
    await ping(lab, s, s.gateway6, 2);
  }
}

/** VPN A's SAs for tshark. It has no AES-GMAC, so VPN B's are of no use to it. */
async function encryptedSas(): Promise<TsharkSa[]> {
  const sa = async (spi: number, from: PeName, to: PeName, file: string): Promise<TsharkSa> => ({
    source: PES[from].tunnel4,
    destination: PES[to].tunnel4,
    spi,
    cipher: 'aes-gcm',
    key: (await readKeyFile(`${KEYS}/${file}`)).keying,
  });
  return [
    await sa(SPI_A_TO_PE2, 'pe1', 'pe2', 'a-1to2'),
    await sa(SPI_A_TO_PE1, 'pe2', 'pe1', 'a-2to1'),
  ];
}

async function allDrops(pes: readonly PeProcess[], lab: Lab): Promise<Findings['drops']> {
  const rows = [];
  for (const pe of pes) {
    for (const [reason, packets] of await drops(lab, pe)) {
      if (packets > 0) rows.push({ pe: pe.name, reason, packets });
    }
  }
  return rows;
}

async function perform(lab: Lab): Promise<Findings & { readonly ok: boolean }> {
  const checks = new Checks(progress);
  progress('starting PE1 and PE2');
  const pes = await startAll(lab);
  progress('routes and labels by BGP');
  const labelOfA = await routesByBgp(checks, pes);
  await warmUp(lab);
  const wire = await Capture.start(lab, 'p', 'to-pe1', `${CAPTURES}/eavesdropper.pcap`);
  progress('pings in both VPNs');
  const captures = [wire.file, ...(await reachability(lab, CAPTURES, checks))];
  await isolation(lab, checks);
  await traceroute(lab, checks);
  progress('one packet at each hop');
  const way = await journey(lab, CAPTURES, checks, await encryptedSas(), labelOfA);
  await wire.stop();
  const seen = await eavesdropper(wire.file, checks);
  progress('a TCP transfer');
  const throughput = await transfer(lab, CAPTURES, checks);
  progress('attacks');
  await tamper(lab, checks, pes.pe2);
  const toReplay = await Capture.start(lab, 'p', 'to-pe2', `${CAPTURES}/replay.pcap`, 'esp');
  await ping(lab, SITES.a1, SITES.a2.address4, 25);
  await toReplay.stop();
  const sas = await show(pes.pe2, 'sas');
  const sequence = Number(sas.find((s) => s['name'] === 'a-in')?.['sequence'] ?? 0);
  const attacked = await attackAll(lab, CAPTURES, checks, {
    ...{ pes, labelOfA, spi: SPI_A_TO_PE2 },
    sequence,
    capture: toReplay.file,
    rogueSpi: SPI_TRANSIT,
    rogueKey: (await readKeyFile(`${KEYS}/transit-to2`)).keying,
  });
  const last = await ping(lab, SITES.a1, SITES.a2.address4, 5);
  checks.add(
    'ping-after-attacks',
    'P15',
    last.received === 5,
    `${String(last.received)}/5 answered`,
  );
  return {
    ok: checks.ok,
    checks: checks.list,
    hops: way.hops,
    seen,
    drops: await allDrops([pes.pe1, pes.pe2], lab),
    throughput,
    captures: [...captures, ...way.files, toReplay.file, ...attacked],
  };
}

/** What the PEs keep in files: sockets, logs, keys, shared segments. */
function clearFiles(): void {
  for (const directory of [RUN, SEGMENTS]) rmSync(directory, { recursive: true, force: true });
}

function lookAround(): string {
  const cli = `${SEALANE.join(' ')} --socket ${RUN}/pe1/control.sock`;
  return [
    '',
    'Left running. To look around:',
    `  ${cli} show tunnels        (also interfaces, vrfs, routes, labels, sas, drops, workers; pe2 alike)`,
    `  ip netns exec ce-a1 ping ${SITES.a2.address4}`,
    '  ip netns exec p tcpdump -ni to-pe2',
    `  ip netns exec pe1-A ping ${SITES.a2.address4}     (from the PE's own VRF)`,
    `  tail ${RUN}/pe1.log`,
    'To end it:',
    '  npm run demo -- --stop',
    '',
  ].join('\n');
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
  const json = argv.includes('--json');
  rmSync(CAPTURES, { recursive: true, force: true });
  mkdirSync(CAPTURES, { recursive: true });
  progress('building the network');
  const lab = await build();
  const end = (): void => void lab.close().finally(() => process.exit(130));
  process.once('SIGINT', end);
  process.once('SIGTERM', end);
  let ok = false;
  try {
    const found = await perform(lab);
    ok = found.ok;
    const { checks, captures, throughput } = found;
    (json ? process.stderr : process.stdout).write(render(found));
    if (json) process.stdout.write(`${JSON.stringify({ ok, checks, captures, throughput })}\n`);
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error);
    progress(`the demo could not go on: ${detail}`);
    const checks = [{ id: 'demo-ran', requirement: '', ok: false, detail }];
    if (json) {
      process.stdout.write(`${JSON.stringify({ ok, checks, captures: [], throughput: {} })}\n`);
    }
  }
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
