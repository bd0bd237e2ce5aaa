// SPDX-License-Identifier: Apache-2.0
/**
 * `sealane explain label`: what a label means to packets that arrive, and which of them. Acceptance is asked of
 * the worker's own code (Tables.refusal), on the row that the worker reads.
 */
import type { Arrival, InterfaceRow, LabelRow } from '../../forwarding/addon/api.js';
import { suggest } from '../../lib/suggest.js';
import type { ExplainArrival, ExplainLabel, ExplainRow } from '../../rpc/backend.js';
import { ControlError } from '../../rpc/errors.js';
import type { InForce } from '../instance.js';
import { acceptWords, labelRows } from '../show-rows.js';
import { explainWorker, inForceOf } from './destination.js';
import { type Refusal, Steps } from './steps.js';
import { encapsulationWord, explainWay, type ExplainSource } from './way.js';

export interface ExplainLabelSource extends ExplainSource {
  readonly routeLabels: ExplainSource['routeLabels'] & {
    /** What a value means or meant until lately. */
    readonly taken: (label: number) => string | undefined;
  };
}

/** One way of arriving, with the SP's name. */
interface Way extends Omit<ExplainArrival, 'protection'> {
  readonly protection: Arrival['protection'];
  readonly spTable: number;
  /** Of plain MPLS of another SP: the interface it comes in by. */
  readonly on?: Pick<InterfaceRow, 'name'> & { readonly id: number };
}

const CLEAR: readonly ExplainArrival[] = [
  { protection: 'tunnel', encapsulation: 'gre', sp: '' },
  { protection: 'tunnel', encapsulation: 'ip', sp: '' },
  { protection: 'mpls', encapsulation: 'none', sp: '' },
];

function allWays({ tables }: ExplainSource, { plan }: InForce): Way[] {
  const secured = Object.entries(plan.sps.state.assigned).flatMap(([sp, spTable]) =>
    (['encrypt', 'authenticate'] as const).flatMap((protection) =>
      (['gre', 'ip'] as const).map((encapsulation) => ({ protection, encapsulation, sp, spTable })),
    ),
  );
  const others = tables.interfaces().filter(({ mplsOtherSp }) => mplsOtherSp);
  return [
    ...secured,
    ...CLEAR.map((one) => ({ ...one, spTable: 0 })),
    ...others.map((on): Way => ({
      protection: 'mpls-other-sp',
      encapsulation: 'none',
      sp: '',
      spTable: 0,
      on,
    })),
  ];
}

const wayWords = ({ protection, encapsulation, sp, on }: Way): string => {
  if (on !== undefined) return `plain MPLS of another SP on ${on.name}`;
  if (protection === 'mpls') return 'plain MPLS of our own SP';
  const how = encapsulationWord(encapsulation);
  return sp === '' ? `${how} in clear` : `${protection}, ${how}, from SP ${sp}`;
};

/** How an interface keeps such packets from the label lookup. */
const DOORS: Readonly<
  Record<string, { readonly drop: string; readonly open: (row: InterfaceRow) => boolean }>
> = {
  'tunnel gre': { drop: 'gre_clear', open: ({ acceptGre }) => acceptGre },
  'tunnel ip': { drop: 'mpls_in_ip_clear', open: ({ acceptIp }) => acceptIp },
  'mpls none': { drop: 'mpls_not_accepted', open: ({ mplsOwnSp }) => mplsOwnSp },
};

/** Why such a packet does not get as far as the label lookup, on any core interface. */
function doorRefusal(source: ExplainSource, way: Way): Refusal | undefined {
  const door = DOORS[`${way.protection} ${way.encapsulation}`];
  if (door === undefined) return undefined;
  const core = source.tables.interfaces().filter(({ role }) => role === 'core');
  if (core.some(door.open)) return undefined;
  return { why: 'no core interface accepts that', drop: door.drop };
}

const WHY: Readonly<Record<string, string>> = {
  label_protected: 'the label is not for packets in clear',
  label_wrong_sp: 'the label was not exported to that SP',
  label_wrong_protection: 'the label was exported for another protection',
  label_wrong_encap: 'the label was exported for another encapsulation',
  label_not_advertised: 'the label was not advertised on that interface',
};

function refusalOf(source: ExplainSource, row: LabelRow, way: Way): Refusal | undefined {
  const door = doorRefusal(source, way);
  if (door !== undefined) return door;
  if (row.action === 'pop' && way.encapsulation !== 'none') {
    return { why: 'a transport label is none of a VPN', drop: 'label_unknown' };
  }
  const { protection, encapsulation, spTable, on } = way;
  const arrival: Arrival = { protection, encapsulation, spTable, interface: on?.id ?? 0 };
  const drop = source.tables.refusal(row.accept, arrival);
  return drop === undefined ? undefined : { why: WHY[drop] ?? '', drop };
}

/** Throws NOT_FOUND for an SP that has no label table. */
export function explainLabel(
  source: ExplainLabelSource,
  { label, arrival }: ExplainLabel,
): ExplainRow[] {
  const inForce = inForceOf(source);
  const asked = arrival && wayOf(inForce, arrival);
  const steps = new Steps();
  const runs = explainWorker(source, steps);
  const row = source.tables.labelRow(label);
  if (row === undefined) {
    explainUnused(source, inForce, { label, asked }, steps);
    return steps.rows;
  }
  explainMeaning(source, inForce, row, steps);
  for (const way of allWays(source, inForce)) {
    const refusal = refusalOf(source, row, way);
    if (refusal === undefined) steps.good('arrival', wayWords(way));
    else steps.bad('arrival', wayWords(way), refusal);
  }
  if (asked === undefined) return steps.rows;
  const why = runs ? refusalOf(source, row, asked) : { why: 'no worker runs', drop: '' };
  if (why !== undefined) steps.verdict(`dropped, if it comes as ${wayWords(asked)}`, why);
  else explainTarget(source, inForce, row, wayWords(asked), steps);
  return steps.rows;
}

function wayOf({ plan }: InForce, arrival: ExplainArrival): Way {
  const { protection } = arrival;
  if (protection === 'tunnel' || protection === 'mpls') return { ...arrival, spTable: 0 };
  const sp = arrival.sp === '' ? plan.sps.own : arrival.sp;
  const spTable = plan.sps.table(sp);
  if (spTable !== undefined) return { ...arrival, sp, spTable };
  const remedy = suggest(sp, Object.keys(plan.sps.state.assigned), 'SPs');
  throw new ControlError('NOT_FOUND', `SP "${sp}" has no label table`, { remedy });
}

/** Nothing accepts it, whatever it comes in. */
function explainUnused(
  source: ExplainLabelSource,
  { plan }: InForce,
  { label, asked }: { readonly label: number; readonly asked: Way | undefined },
  steps: Steps,
): void {
  const before = source.routeLabels.taken(label) ?? plan.labelRegister.labels[String(label)]?.text;
  const meant = before === undefined ? '' : `in quarantine; it meant: ${before}`;
  steps.fact('label', `${label} means nothing here`, label < 16 ? 'reserved (RFC 3032)' : meant);
  const door = asked && doorRefusal(source, asked);
  steps.verdict('dropped', door ?? { why: 'no such label', drop: 'label_unknown' });
}

function explainMeaning(
  source: ExplainSource,
  inForce: InForce,
  row: LabelRow,
  steps: Steps,
): void {
  const { label, action, target } = row;
  const known = [...labelRows(source)].find((one) => one.label === label);
  const leads = {
    vrf: () => `a lookup in VRF ${known?.vrf ?? `row ${target}`}`,
    nexthop: () => `straight to ${source.tables.nexthopRow(target)?.name ?? `row ${target}`}`,
    swap: () =>
      `swapped for ${row.out ?? 0}, on to ${source.tables.nexthopRow(target)?.name ?? ''}`,
    pop: () => 'a transport label: what is under it goes on as if it had come without',
  }[action]();
  const stale = known === undefined && action !== 'swap' && action !== 'pop';
  steps.fact(
    'label',
    `${label}: ${leads}`,
    stale ? 'of before a restart; nobody asked for it yet' : '',
  );
  if (known !== undefined) steps.fact('export rules', known.rules === '' ? 'none' : known.rules);
  steps.fact('accepts', acceptWords(source, inForce).get(row.accept) ?? 'nothing');
  const { packets } = source.tables.labelCounters(label);
  steps.fact('counter', `${packets} packets accepted`);
}

function explainTarget(
  source: ExplainSource,
  inForce: InForce,
  row: LabelRow,
  words: string,
  steps: Steps,
): void {
  steps.good('accepted', words);
  switch (row.action) {
    case 'vrf': {
      const vrf = source.tables.vrfs().find(({ id }) => id === row.target)?.name ?? '';
      const why = `the route found in VRF ${vrf} has to be exported to such packets, too`;
      steps.fact('route', why, 'else: route_not_exported_this_way; see: sealane explain vrf');
      steps.verdict(`goes on to a lookup in VRF ${vrf}`);
      return;
    }
    case 'pop':
      steps.verdict('what is under the label is looked at next');
      return;
    case 'nexthop':
    case 'swap': {
      const active = source.tables.nexthopRow(row.target)?.active;
      const vrf = active !== undefined && 'vrf' in active ? active.vrf : 0;
      explainWay(source, inForce, { nexthop: row.target, label: row.out ?? 0, vrf }, steps);
    }
  }
}
