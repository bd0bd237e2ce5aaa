// SPDX-License-Identifier: Apache-2.0
/** Classes and policers: what goes with what. */
import { dscpOf, dscpText } from '../../lib/dscp.js';
import { suggest } from '../../lib/suggest.js';
import { DEFAULT_CLASS, DEFAULT_MTU } from '../defaults.js';
import type { Path } from '../issues.js';
import { nameMistake } from '../scalars.js';
import type { Policer } from '../types.js';
import type { Context } from './context.js';

/** dpdk-app/include/sealane/layout.h: SL_MAX_CLASSES less the default class, SL_CLASS_NAME_LEN less its NUL. */
const MAX_CLASSES = 7;
const LONGEST_CLASS = 31;

export function checkQos(ctx: Context): void {
  checkClasses(ctx);
  for (const [name, configured] of Object.entries(ctx.config.interfaces)) {
    if (configured.role !== 'ce' || configured.police === undefined) continue;
    const { police, mtu = DEFAULT_MTU } = configured;
    const path = ['interfaces', name, 'police'];
    if (!('classes' in police)) {
      checkPolicer(ctx, path, police, mtu);
      continue;
    }
    for (const [named, policer] of Object.entries(police.classes)) {
      checkClassName(ctx, [...path, 'classes', named], named);
      checkPolicer(ctx, [...path, 'classes', named], policer, mtu);
    }
  }
}

function checkClasses(ctx: Context): void {
  const classes = ctx.config.classes ?? {};
  const names = Object.keys(classes);
  if (names.length > MAX_CLASSES) {
    const remedy = `at most ${MAX_CLASSES}, beside "${DEFAULT_CLASS}"`;
    ctx.fail(['classes'], { reason: `${names.length} classes`, remedy });
  }
  const owners = new Map<number, string>();
  for (const [name, { dscp }] of Object.entries(classes)) {
    const mistake = nameMistake(name, LONGEST_CLASS);
    if (mistake !== undefined) ctx.failKey(['classes', name], mistake);
    if (name === DEFAULT_CLASS) {
      const reason = 'this is the class of all that is in no other';
      ctx.failKey(['classes', name], { reason, remedy: 'another name' });
    }
    if (dscp.length === 0 && ctx.whole('classes', name)) {
      ctx.fail(['classes', name, 'dscp'], { reason: 'empty list', remedy: 'name at least one' });
    }
    dscp.forEach((word, i) => {
      const value = dscpOf(word);
      if (value === undefined) return;
      const owner = owners.get(value);
      owners.set(value, owner ?? name);
      if (owner === undefined) return;
      const reason = owner === name ? 'named twice' : `in class "${owner}" already`;
      const text = dscpText(value);
      ctx.fail(['classes', name, 'dscp', i], { reason, remedy: `${text} in one class, once` });
    });
  }
}

function checkClassName(ctx: Context, path: Path, name: string): void {
  const known = [DEFAULT_CLASS, ...Object.keys(ctx.config.classes ?? {})];
  if (known.includes(name) || !ctx.whole('classes')) return;
  ctx.failKey(path, { reason: 'no such class', remedy: suggest(name, known, 'classes') });
}

function checkPolicer(ctx: Context, path: Path, policer: Policer, mtu: number): void {
  // RFC 2697, RFC 2698 §2: a burst smaller than a packet lets no such packet through, ever.
  const atLeastMtu = (key: 'burst' | 'excessBurst' | 'peakBurst'): void => {
    const bytes = policer[key] ?? 0;
    if (bytes === 0 || bytes >= mtu) return;
    const reason = `less than the interface's MTU: larger packets would never conform`;
    ctx.fail([...path, key], { reason, remedy: `at least ${mtu}` });
  };
  atLeastMtu('burst');
  atLeastMtu('excessBurst');
  atLeastMtu('peakBurst');
  const { rate, peakRate, peakBurst, excessBurst } = policer;
  if (peakRate === undefined) {
    if (peakBurst === undefined) return;
    const reason = 'there is no peak rate it belongs to';
    ctx.fail([...path, 'peakBurst'], { reason, remedy: 'peakRate as well, or excessBurst' });
    return;
  }
  if (excessBurst !== undefined) {
    const reason = 'a meter of two rates (RFC 2698) has none';
    ctx.fail([...path, 'excessBurst'], { reason, remedy: 'peakBurst, or no peakRate' });
  }
  if (peakRate < rate) {
    ctx.fail([...path, 'peakRate'], { reason: 'less than the rate', remedy: `at least ${rate}` });
  }
  if (peakBurst === undefined && ctx.whole(...path)) {
    const reason = 'missing: peakRate has a burst of its own';
    ctx.fail([...path, 'peakBurst'], { reason, remedy: `bytes, at least ${mtu}` });
  }
}
