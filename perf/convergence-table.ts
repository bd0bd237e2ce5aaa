// SPDX-License-Identifier: Apache-2.0
/**
 * Durations of all runs, by case, as rows of a result. No other implementation does the same, so a row's reference is what
 * the duration is a part of, or what the configuration makes it take at least; what that is, the row says.
 */
import type { FailureParts, FirstPacketParts, PolicyParts } from './convergence-parts.js';
import { median, round, type Row } from './result.js';

interface Case {
  readonly reference: string;
  readonly ours: number[];
  readonly theirs: number[];
  readonly unit: string;
  readonly extra: Record<string, number>[];
}

const FIRST_PACKET: readonly (readonly [Exclude<keyof FirstPacketParts, 'whole'>, string])[] = [
  ['egressBgp', 'BGP at the egress, from the CE’s UPDATE to its own'],
  ['ingressBgp', 'BGP at the ingress, to IKE_SA_INIT'],
  ['ike', 'IKE_SA_INIT to IKE_AUTH'],
  ['rows', 'the SA in the tables, the packet held is sent'],
  ['delivery', 'through the core and the egress to the CE'],
];

/** Of remote PEs that appear at once. */
export interface ManyParts {
  readonly remotes: number;
  /** From the first UPDATE to the last. */
  readonly told: number;
  /** From the first UPDATE to the last answer of IKE_AUTH. */
  readonly agreed: number;
  /** From the first UPDATE until the last remote PE has got its first ESP packet. */
  readonly usable: number;
  /** The same, of the remote PE in the middle. */
  readonly half: number;
  /** User and system time of the supervisor, ms. */
  readonly cpu: number;
  /** Growth of its resident memory, KiB. */
  readonly memory: number;
}

/** What is measured for so many remote PEs, in the order of {@link reckoned}. */
const RECKONED = [
  ['usable', 'all are usable', 'ms'],
  ['cpu', 'CPU of the supervisor', 'ms'],
  ['memory', 'memory of the supervisor', 'KiB'],
] as const satisfies readonly (readonly [keyof ManyParts, string, string])[];

/**
 * What `count` remote PEs would take, on paper: the straight line through the medians of the two largest numbers that were
 * measured. undefined: there are no two.
 */
export function reckoned(
  measured: readonly ManyParts[],
  what: (typeof RECKONED)[number][0],
  count: number,
): { readonly each: number; readonly all: number; readonly measured: number } | undefined {
  const numbers = [...new Set(measured.map(({ remotes }) => remotes))].sort((a, b) => b - a);
  const [more, fewer] = numbers;
  if (more === undefined || fewer === undefined) return undefined;
  const at = (number: number): number =>
    median(measured.filter(({ remotes }) => remotes === number).map((one) => one[what]));
  const each = (at(more) - at(fewer)) / (more - fewer);
  return { each, all: at(more) + (count - more) * each, measured: at(more) };
}

export class Durations {
  readonly #say: (what: string) => void;
  readonly #cases = new Map<string, Case>();
  readonly #many: ManyParts[] = [];

  constructor(say: (what: string) => void) {
    this.#say = say;
  }

  #add(
    name: string,
    unit: string,
    reference: string,
    [ours, theirs]: readonly [number, number],
    extra: Record<string, number> = {},
  ): void {
    const known = this.#cases.get(name);
    const one = known ?? { reference, unit, ours: [], theirs: [], extra: [] };
    this.#cases.set(name, one);
    one.ours.push(ours);
    one.theirs.push(theirs);
    one.extra.push(extra);
    this.#say(`${name}: ${ours.toFixed(1)} ${unit} of ${theirs.toFixed(1)} (${reference})`);
  }

  firstPacket(parts: FirstPacketParts): void {
    const { whole } = parts;
    for (const [part, what] of FIRST_PACKET) {
      this.#add(`prefix: ${what}`, 'ms', 'the whole', [parts[part], whole]);
    }
    this.#add('prefix: from the CE’s UPDATE to the first packet at it', 'ms', 'the whole', [
      ...([whole, whole] as const),
    ]);
  }

  policy(
    name: string,
    parts: PolicyParts & { readonly done: number; readonly lost: number },
    limit: number,
  ): void {
    const of = 'announce + grace';
    const { told, firstNew, lastOld, done, lost } = parts;
    this.#add(`policy, ${name}: until told`, 'ms', of, [told, limit]);
    this.#add(`policy, ${name}: first packet by the new`, 'ms', of, [firstNew, limit]);
    this.#add(`policy, ${name}: last packet by the old`, 'ms', of, [lastOld, limit]);
    this.#add(`policy, ${name}: the old label is gone`, 'ms', of, [done, limit], { lost });
  }

  failure(name: string, parts: FailureParts & { readonly lost: number }, detection: number): void {
    const of = 'detection time';
    const add = (what: string, value: number): void => {
      this.#add(`PE fails, ${name}: ${what}`, 'ms', of, [value, detection]);
    };
    if (parts.detection !== undefined) add('detection', parts.detection);
    if (parts.change !== undefined) add('decision, tables, delivery', parts.change);
    this.#add(
      `PE fails, ${name}: first packet by the other`,
      ...(['ms', of, [parts.whole, detection], { lost: parts.lost }] as const),
    );
  }

  many(parts: ManyParts): void {
    this.#many.push(parts);
    const { remotes, told, agreed, usable, half, cpu, memory } = parts;
    const name = `${String(remotes)} remote PEs`;
    const of = 'until all are usable';
    this.#add(`${name}: all routes told`, 'ms', of, [told, usable]);
    this.#add(`${name}: half are usable`, 'ms', of, [half, usable]);
    this.#add(`${name}: all SAs agreed on`, 'ms', of, [agreed, usable]);
    this.#add(`${name}: all are usable`, 'ms', of, [usable, usable]);
    this.#add(`${name}: CPU of the supervisor`, 'ms', of, [cpu, usable]);
    this.#add(`${name}: memory of the supervisor`, 'KiB', '1 MiB for each', [
      memory,
      1024 * remotes,
    ]);
  }

  /** Rows of what was not measured. */
  onPaper(count: number): void {
    for (const [what, name, unit] of RECKONED) {
      const found = reckoned(this.#many, what, count);
      if (found === undefined) continue;
      const { each, all, measured } = found;
      this.#add(
        `${String(count)} remote PEs, on paper: ${name}`,
        ...([unit, 'the most measured', [all, measured], { each: round(each, 2) }] as const),
      );
    }
  }

  rows(): Row[] {
    return [...this.#cases].map(([name, { unit, reference, ours, theirs, extra }]) => {
      const ratios = ours.map((value, i) => value / (theirs[i] ?? NaN));
      const detail = extra.some((each) => Object.keys(each).length > 0) ? { perRun: extra } : {};
      return {
        ...{ case: name, ours: round(median(ours), 1), unit, reference },
        referenceValue: round(median(theirs), 1),
        ratio: round(median(ratios), 3),
        ratioRange: [round(Math.min(...ratios), 3), round(Math.max(...ratios), 3)] as const,
        ...{ range: [round(Math.min(...ours), 1), round(Math.max(...ours), 1)] },
        ...{ runs: ours.length, ...detail },
      };
    });
  }
}
