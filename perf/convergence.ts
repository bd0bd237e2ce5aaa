// SPDX-License-Identifier: Apache-2.0
/**
 * How long it takes until packets follow what has changed: a prefix announced at a CE, a policy changed at the egress, a PE that
 * fails with another beside it, many remote PEs at once. Everything is read from captures. README.md says more.
 */
import { ConvergenceBed, core, CE, PREFIX_OCTETS, type PeOptions } from './convergence-bed.js';
import { manyRemotes } from './convergence-many.js';
import {
  failure,
  type FailureParts,
  firstPacket,
  type FirstPacketParts,
  lost,
  policyChange,
  type PolicyParts,
} from './convergence-parts.js';
import { Durations } from './convergence-table.js';
import { pause } from './ike-bed.js';
import { machine, type Result } from './result.js';

interface Sizes {
  readonly runs: number;
  /** Remote PEs that appear at once, and in how many runs. */
  readonly remotes: readonly number[];
  readonly manyRuns: number;
}
const FULL: Sizes = { runs: 3, remotes: [1, 10, 100], manyRuns: 3 };
const QUICK: Sizes = { runs: 1, remotes: [1, 20], manyRuns: 1 };

/** Seconds. */
const TIGHTENING = { announce: 2, grace: 2 };
/** The defaults of `bfd: true`. */
const BFD_MS = 3 * 300;
const HOLD_S = 9;
const BASE: PeOptions = {
  ...{ protection: 'encrypt', session: {} },
  ...TIGHTENING,
};
const CAST = { ingress: core(1), egress: core(2), ce: CE, prefix: PREFIX_OCTETS };
const tunnelTo = (pe: 2 | 3, protection = 'encrypt'): string => `pe/${core(pe)}/${protection}/gre`;

const say = (what: string): void => {
  process.stderr.write(`  ${what}\n`);
};

/** (a) From nothing: no SA, no route; then the CE announces its prefix. */
async function prefixAnnounced(bed: ConvergenceBed): Promise<FirstPacketParts> {
  await bed.afresh(BASE, 2);
  await bed.wayIs(undefined);
  const { wire } = await bed.watched(async () => {
    // The stream runs, and is dropped: there is no route.
    await pause(300);
    await bed.announce();
    await bed.wayIs(tunnelTo(2));
    await pause(1000);
  });
  await bed.withdraw();
  return firstPacket(CAST, wire.core, wire.pe2);
}

interface Changed extends PolicyParts {
  /** From the command until the egress has done with it. */
  readonly done: number;
  readonly lost: number;
}

/** (b) The egress PE's configuration is reloaded while the stream runs. */
async function policyChanged(
  bed: ConvergenceBed,
  from: PeOptions['protection'],
  to: PeOptions['protection'],
): Promise<Changed> {
  await bed.reload(2, { ...BASE, protection: from });
  await bed.wayIs(tunnelTo(2, from));
  await bed.settled(2);
  const [sa] = await bed.show(1, 'ike children');
  const before = from === 'tunnel' || sa === undefined ? undefined : Number(sa.outboundSpi);
  let [began, done] = [NaN, NaN];
  const { wire, sent } = await bed.watched(async () => {
    await pause(500);
    began = Date.now();
    await bed.reload(2, { ...BASE, protection: to });
    await bed.wayIs(tunnelTo(2, to));
    await bed.settled(2);
    done = Date.now() - began;
    await pause(500);
  });
  return {
    ...policyChange(CAST, wire.core, began, before),
    ...{ done, lost: lost(sent, wire.pe2) },
  };
}

interface Failed extends FailureParts {
  readonly lost: number;
}

/** (c) PE 2, by which the stream goes, is cut off or killed; PE 3 has the site as well. */
async function peFails(
  bed: ConvergenceBed,
  options: PeOptions,
  how: 'link' | 'kill',
): Promise<Failed> {
  for (const pe of [1, 2, 3] as const) await bed.reload(pe, options);
  for (const pe of [2, 3] as const) await bed.sessionUp(pe);
  await bed.wayIs(tunnelTo(2));
  await bed.knows(3);
  if (options.session.bfd !== undefined) await bed.bfdUp(2);
  // Also with PE 3: SAs are there for each path that could be used.
  await bed.childrenAre([2, 3]);
  let began = NaN;
  const { wire, sent } = await bed.watched(async () => {
    await pause(1000);
    began = Date.now();
    await (how === 'kill' ? bed.kill(2) : bed.link(2, 'down'));
    await bed.wayIs(tunnelTo(3));
    await pause(1500);
  });
  if (how === 'kill') bed.start(2);
  else await bed.link(2, 'up');
  await bed.answers(2);
  const seen = { core: wire.core, old: wire.pe2, alternative: wire.pe3 };
  const parts = failure(core(1), { failed: core(2), other: core(3) }, seen, began);
  return { ...parts, lost: lost(sent, wire.pe2, wire.pe3) };
}

const FAILURES = [
  ['link away, BFD', { bfd: true }, 'link', BFD_MS],
  ['both processes killed, BFD', { bfd: true }, 'kill', BFD_MS],
  [
    `link away, hold time ${String(HOLD_S)} s`,
    // With graceful restart its routes would be kept for the restart time (RFC 8538).
    { timers: { hold: HOLD_S }, gracefulRestart: false },
    'link',
    1000 * HOLD_S,
  ],
] as const;

async function run(bed: ConvergenceBed, into: Durations, { runs }: Sizes): Promise<void> {
  for (const pe of [1, 2, 3] as const) bed.configure(pe, BASE);
  await bed.startCe();
  for (const pe of [1, 2] as const) bed.start(pe);
  await bed.sessionUp(2);
  for (let n = 0; n < runs; n++) into.firstPacket(await prefixAnnounced(bed));
  await bed.announce();
  for (let n = 0; n < runs; n++) {
    const limit = 1000 * (TIGHTENING.announce + TIGHTENING.grace);
    into.policy('tunnel to encrypt', await policyChanged(bed, 'tunnel', 'encrypt'), limit);
    into.policy(
      'encrypt to authenticate',
      await policyChanged(bed, 'encrypt', 'authenticate'),
      limit,
    );
  }
  await bed.reload(2, BASE);
  await bed.settled(2);
  bed.start(3);
  await bed.sessionUp(3);
  for (let n = 0; n < runs; n++) {
    for (const [name, session, how, detection] of FAILURES) {
      into.failure(name, await peFails(bed, { ...BASE, session }, how), detection);
    }
  }
}

export async function convergence(quick: boolean): Promise<Result> {
  const sizes = quick ? QUICK : FULL;
  const durations = new Durations(say);
  const bed = await ConvergenceBed.open();
  try {
    await run(bed, durations, sizes);
  } finally {
    await bed.close();
  }
  for (const count of sizes.remotes) {
    for (let n = 0; n < sizes.manyRuns; n++) durations.many(await manyRemotes(count));
  }
  durations.onPaper(1000);
  return {
    ...{ bench: 'convergence', machine: machine(), runs: sizes.runs },
    rows: durations.rows(),
  };
}
