// SPDX-License-Identifier: Apache-2.0
/** Classes, policers and queues: from the configuration to the tables. */
import { DEFAULT_CLASS } from '../config/defaults.js';
import type * as config from '../config/types.js';
import { dscpOf } from '../lib/dscp.js';
import { equalBytes } from '../lib/ip.js';
import { egressOf, egressRow, frameBytes } from './egress.js';
import {
  ACTION_DROP,
  ACTION_PASS,
  MAX_CLASSES,
  POLICER_ALL,
  type ClassTable,
  type PolicerRow,
  type Tables,
} from './addon/api.js';

type Numbers = ReadonlyMap<string, number>;

/** Numbers by name: those that there are stay, new ones take the lowest that is free. */
export function classNumbers(before: readonly string[], wanted: readonly string[]): Numbers {
  const numbers = new Map([[DEFAULT_CLASS, 0]]);
  const free = new Set(Array.from({ length: MAX_CLASSES - 1 }, (_, i) => i + 1));
  const others = wanted.filter((name) => {
    const number = before.indexOf(name, 1);
    if (number < 1) return true;
    numbers.set(name, number);
    free.delete(number);
    return false;
  });
  for (const name of others) {
    const [lowest] = free;
    if (lowest === undefined) throw new Error(`more than ${MAX_CLASSES} classes`);
    numbers.set(name, lowest);
    free.delete(lowest);
  }
  return numbers;
}

export function classTable(numbers: Numbers, classes: config.Config['classes'] = {}): ClassTable {
  const classOfDscp = new Uint8Array(64);
  const names = Array.from({ length: MAX_CLASSES }, () => '');
  for (const [name, number] of numbers) {
    names[number] = name;
    for (const word of classes[name]?.dscp ?? []) classOfDscp[dscpOf(word) ?? 0] = number;
  }
  return { classOfDscp, names };
}

const actionOf = (action: config.PolicerAction): number => {
  if (typeof action === 'object') return dscpOf(action.dscp) ?? ACTION_PASS;
  return action === 'pass' ? ACTION_PASS : ACTION_DROP;
};

/** What happens to packets of each colour, defaults filled in. */
export function actionsOf(
  policer: config.Policer,
): Readonly<Record<'green' | 'yellow' | 'red', config.PolicerAction>> {
  const { green = 'pass', yellow = 'pass', red = 'drop' } = policer;
  return { green, yellow, red };
}

function policerRow(slot: number, from: config.Policer): PolicerRow {
  const { green, yellow, red } = actionsOf(from);
  return {
    slot,
    meter: from.peakRate === undefined ? 'srtcm' : 'trtcm',
    ...{ rate: BigInt(from.rate), burst: from.burst, peakRate: BigInt(from.peakRate ?? from.rate) },
    otherBurst: from.peakBurst ?? from.excessBurst ?? 0,
    colourAware: from.colourAware ?? false,
    actions: Uint8Array.of(actionOf(green), actionOf(yellow), actionOf(red)),
  };
}

/** Policers of an interface by the names of their classes; '' is that of all packets. */
export function policersOf(from: config.Interface): ReadonlyMap<string, config.Policer> {
  if (from.role !== 'ce' || from.police === undefined) return new Map();
  if ('classes' in from.police) return new Map(Object.entries(from.police.classes));
  return new Map([['', from.police]]);
}

export const slotOf = (name: string, numbers: Numbers): number | undefined =>
  name === '' ? POLICER_ALL : numbers.get(name);

/**
 * Brings classes, policers and queues to what the configuration says. Of packets that come meanwhile each is metered by old or
 * new values; none is lost for that. What buckets hold stays: a policer that is changed starts from it.
 */
export function applyQos(
  tables: Tables,
  from: config.Config,
  interfaceId: (name: string) => number | undefined,
): void {
  const before = tables.classes();
  const numbers = classNumbers(before.names, Object.keys(from.classes ?? {}));
  const wanted = classTable(numbers, from.classes);
  if (
    !equalBytes(before.classOfDscp, wanted.classOfDscp) ||
    before.names.some((name, i) => name !== wanted.names[i])
  ) {
    tables.setClasses(wanted);
  }
  for (const [name, configured] of Object.entries(from.interfaces)) {
    const id = interfaceId(name);
    if (id === undefined || configured.role !== 'ce') continue;
    const rows = [...policersOf(configured)].flatMap(([named, policer]) => {
      const slot = slotOf(named, numbers);
      return slot === undefined ? [] : [policerRow(slot, policer)];
    });
    tables.setPolicers(id, rows);
    const egress = egressOf(configured);
    tables.setQueues(id, egress && egressRow(egress, frameBytes(configured), numbers));
  }
}
