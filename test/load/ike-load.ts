// SPDX-License-Identifier: Apache-2.0
/** Many initiators at once: the benchmark's load generator, which has machines of its own, as a process. */
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { eventually, type Lab } from '../../scripts/lib/lab.js';

const LOAD = fileURLToPath(new URL('../../perf/ike-load.mjs', import.meta.url));
/** The limit of last resort, of a machine that has much else to do: nothing but a lock-up comes to it. */
const PERSIST_MS = 480_000;
const LOAD_MS = 600_000;
/**
 * Whom the limit of half-open IKE SAs shuts out tries again, not all at the same moment; and who gets no answer for more
 * than a minute begins anew, as PEs do: on a busy machine the PE may not have come to all of them, and its half-open
 * ones end after 30 s.
 */
const PATIENCE = {
  waits: [1000, 1500, 2000, ...Array.from({ length: 20 }, () => 4000)],
  ...{ jitter: 0.4, persistMs: PERSIST_MS },
};

/** What the load generator is told: see perf/ike-load.mjs. */
export interface LoadSettings {
  /** Addresses from this one on: each has one IKE SA. */
  readonly first: string;
  readonly count: number;
  readonly remote: string;
  readonly psk: string;
  readonly initialContact: boolean;
}

/** One IKE SA of an initiator. */
export interface LoadSa {
  readonly address: string;
  readonly initiatorSpi: bigint;
  readonly inboundSpi: number;
  readonly outboundSpi: number;
}

export interface LoadReport {
  readonly opened: number;
  readonly failed: number;
  readonly retransmitted: number;
  readonly cookies: number;
  /** Times that one was given up and begun anew. */
  readonly restarted: number;
  readonly why: Readonly<Record<string, number>>;
  readonly seconds: number;
  readonly sas: readonly LoadSa[];
}

type Told = Omit<LoadReport, 'sas'> & {
  readonly sas: readonly (readonly [string, string, number, number])[];
};

/** All at once, each with X25519 and ML-KEM-768 and a child SA for GRE; resolves when each is up or has given up. */
export async function initiateAll(
  lab: Lab,
  netns: string,
  folder: string,
  settings: LoadSettings,
): Promise<LoadReport> {
  const name = `${folder}/load-${settings.initialContact ? 'again' : 'first'}`;
  const told = {
    ...settings,
    ...{ port: 500, remote: { address: settings.remote, port: 500 } },
    ...{ concurrency: settings.count, kem: true, child: true, list: true, ...PATIENCE },
  };
  writeFileSync(`${name}.json`, JSON.stringify(told), { mode: 0o600 });
  const child = lab.start(netns, ['node', LOAD, 'initiate', `${name}.json`], `${name}.log`);
  const line = await eventually(
    'all have tried',
    () => {
      const text = readFileSync(`${name}.log`, 'utf8');
      if (child.exitCode !== null && child.exitCode !== 0) throw new Error(text.slice(-2000));
      return text.split('\n').find((one) => one.startsWith('{') && one.endsWith('}'));
    },
    LOAD_MS,
  );
  const { sas, ...counts } = JSON.parse(line) as Told;
  return {
    ...counts,
    sas: sas.map(([address, spi, inboundSpi, outboundSpi]) => ({
      ...{ address, initiatorSpi: BigInt(spi), inboundSpi, outboundSpi },
    })),
  };
}
