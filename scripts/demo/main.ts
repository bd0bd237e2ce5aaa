// SPDX-License-Identifier: Apache-2.0
/**
 * npm run demo [-- --json] [-- --keep]
 *
 * Two PEs, two VPNs with overlapping addresses, a router between that eavesdrops and attacks. Ends
 * with a report and a non-zero exit status when anything was not as expected.
 */
import { mkdirSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Lab } from '../lib/lab.js';
import { attackAll } from './attacks.js';
import { Capture } from './captures.js';
import { Checks } from './checks.js';
import { agreed, makeCertificates, rekeys, rogueComesIn, spiOfA, writtenKeys } from './ike.js';
import { journey } from './journey.js';
import { drops, SEALANE, startPe, tunnelsUp, type PeProcess } from './pe.js';
import { routesByBgp } from './routes.js';
import { render, type Findings } from './report.js';
import { addCoreRoutes, build, KEYS, LAB, RUN, SEGMENTS, SITES, TRANSIT } from './topology.js';
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
const begun = performance.now();

function progress(line: string): void {
  const seconds = ((performance.now() - begun) / 1000).toFixed(1).padStart(5);
  process.stderr.write(`[${seconds} s] ${line}\n`);
}

interface Started {
  readonly pe1: PeProcess;
  readonly pe2: PeProcess;
  readonly transit: PeProcess;
}

async function startAll(lab: Lab): Promise<Started> {
  makeCertificates();
  const pes = {
    pe1: startPe(lab, 'pe1', { keys: `${KEYS}/pe1` }),
    pe2: startPe(lab, 'pe2'),
    transit: startPe(lab, 'transit', { config: 'transit-forged', keys: `${KEYS}/transit` }),
  };
  await Promise.all((['pe1', 'pe2', 'transit'] as const).map((name) => addCoreRoutes(lab, name)));
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
  progress('certificates, PE1, PE2, and a PE of another provider');
  const pes = await startAll(lab);
  progress('routes and labels by BGP');
  const labelOfA = await routesByBgp(checks, pes);
  await warmUp(lab);
  const wire = await Capture.start(lab, 'p', 'to-pe1', `${CAPTURES}/eavesdropper.pcap`);
  progress('pings in both VPNs');
  const captures = [wire.file, ...(await reachability(lab, CAPTURES, checks))];
  await agreed(checks, pes);
  await isolation(lab, checks);
  await traceroute(lab, checks);
  progress('one packet at each hop');
  // It has no AES-GMAC, so VPN B's SAs are of no use to tshark.
  const way = await journey(lab, CAPTURES, checks, writtenKeys(`${KEYS}/pe1`), labelOfA);
  await wire.stop();
  const seen = await eavesdropper(wire.file, checks);
  progress('a TCP transfer');
  const throughput = await transfer(lab, CAPTURES, checks);
  progress('rekeys under traffic');
  await rekeys(lab, checks, pes);
  progress('attacks');
  await rogueComesIn(checks, pes.transit, pes.pe2);
  await tamper(lab, checks, pes.pe2);
  const toReplay = await Capture.start(lab, 'p', 'to-pe2', `${CAPTURES}/replay.pcap`, 'esp');
  await ping(lab, SITES.a1, SITES.a2.address4, 25);
  await toReplay.stop();
  const { spi, sequence } = await spiOfA(pes);
  const rogue = writtenKeys(`${KEYS}/transit`).findLast(({ source }) => source === TRANSIT.tunnel4);
  if (rogue === undefined) throw new Error('the rogue PE has no SA');
  const attacked = await attackAll(lab, CAPTURES, checks, {
    ...{ pes, labelOfA, spi, sequence },
    capture: toReplay.file,
    rogueSpi: rogue.spi,
    rogueKey: rogue.key,
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
