// SPDX-License-Identifier: Apache-2.0
/** Our IKE as the benchmark's subject: the process of ike-pe.mjs. */
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { eventually } from '../scripts/lib/lab.js';
import { type Authentication, type IkeBed, lineOf, PSK, SUBJECT } from './ike-bed.js';

const PE = fileURLToPath(new URL('ike-pe.mjs', import.meta.url));

/** What it says of itself, after a garbage collection. */
export interface OurReport {
  readonly sas: number;
  /** KiB. */
  readonly rss: number;
  readonly heap: number;
  readonly counters: Readonly<Record<string, number>>;
}

export interface OurSubject {
  readonly pid: number;
  readonly report: () => Promise<OurReport>;
  /** Initiates to the (next) addresses that it was started with. */
  readonly initiate: () => void;
  readonly stop: () => Promise<void>;
}

export interface OurOptions {
  readonly kem?: boolean;
  readonly child?: boolean;
  /** To whom it initiates; the first `pauseAfter` of them when told so, the others when told so again. */
  readonly remotes?: readonly string[];
  readonly pauseAfter?: number;
}

export async function startOurs(
  bed: IkeBed,
  authentication: Authentication,
  options: OurOptions = {},
): Promise<OurSubject> {
  const nth = String(bed.next());
  const log = `${bed.folder}/ours${nth}.log`;
  const file = `${bed.folder}/ours${nth}.json`;
  const proof = authentication === 'psk' ? { psk: PSK } : certified(bed, authentication);
  const common = { address: SUBJECT, netns: bed.subject, remotes: [], pauseAfter: 0, ...options };
  writeFileSync(file, JSON.stringify({ ...common, ...proof }));
  const argv = ['node', '--expose-gc', PE, file];
  const child = bed.lab.start(bed.subject, argv, log);
  await eventually('our IKE runs', () => {
    const text = readFileSync(log, 'utf8');
    if (child.exitCode !== null) throw new Error(text);
    return text.includes('ready') ? true : undefined;
  });
  let asked = 0;
  return {
    pid: child.pid ?? 0,
    stop: () => bed.lab.stop(child),
    initiate: () => child.kill('SIGHUP'),
    report: async () => {
      child.kill('SIGUSR2');
      const which = asked++;
      return JSON.parse(await eventually('a report', () => lineOf(log, which))) as OurReport;
    },
  };
}

function certified(bed: IkeBed, kind: 'ecdsa' | 'rsa'): object {
  const { root, own } = bed.certificates(kind);
  return { root: root.certificate, certificate: own.certificate, key: own.key };
}
