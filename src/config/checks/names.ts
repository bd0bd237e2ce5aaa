// SPDX-License-Identifier: Apache-2.0
/** Names: keys of tables, namespaces, SPs, and how many of each there may be. */
import { suggest } from '../../lib/suggest.js';
import { singleDevices, tapNetns, vrfNetns } from '../defaults.js';
import { LONGEST } from '../common-schema.js';
import { MAX_SPS } from '../schema.js';
import { nameMistake } from '../scalars.js';
import type { Context } from './context.js';

/** Rows of the shared tables (dpdk-app/include/sealane/layout.h); row 0 stands for none. */
const MAX_INTERFACE_ROWS = 4095;
const MAX_VRF_ROWS = 4095;
const MAX_SA_ROWS = 131_071; // per direction

/** Loopback, the two that are no interface in /proc/sys/net/ipv4/conf, and a VRF's host interface. */
const RESERVED_INTERFACES = new Set(['lo', 'all', 'default', 'sealane0']);

export function checkNames(ctx: Context): void {
  checkKeys(ctx);
  checkCounts(ctx);
  checkSps(ctx);
  checkNamespaces(ctx);
  checkTapNames(ctx);
}

function checkKeys(ctx: Context): void {
  const longest = { interfaces: LONGEST.interface, vrfs: LONGEST.entity } as const;
  for (const table of ['interfaces', 'vrfs', 'tunnels', 'manualSas'] as const) {
    for (const name of ctx.names(table)) {
      const most = table === 'interfaces' ? longest.interfaces : longest.vrfs;
      const mistake = nameMistake(name, most);
      if (mistake !== undefined) ctx.failKey([table, name], mistake);
      else if (table === 'interfaces' && RESERVED_INTERFACES.has(name)) {
        ctx.failKey([table, name], {
          reason: 'a name with a meaning of its own',
          remedy: 'another name',
        });
      }
    }
  }
}

function checkCounts(ctx: Context): void {
  const count = (table: 'interfaces' | 'vrfs'): number => ctx.names(table).length;
  const limit = (path: string, given: number, most: number, what: string): void => {
    if (given <= most) return;
    ctx.fail([path], { reason: `${given} ${what}`, remedy: `at most ${most}` });
  };
  limit('vrfs', count('vrfs'), MAX_VRF_ROWS, 'VRFs');
  // Each VRF has a host interface beside the configured ones.
  const rows = count('interfaces') + count('vrfs');
  limit('interfaces', rows, MAX_INTERFACE_ROWS, 'interfaces, one per VRF included');
  const sas = Object.values(ctx.config.manualSas ?? {});
  for (const direction of ['in', 'out']) {
    const given = sas.filter((sa) => sa.direction === direction).length;
    limit('manualSas', given, MAX_SA_ROWS, `SAs of direction "${direction}"`);
  }
}

function checkSps(ctx: Context): void {
  const { ownSp, otherSps = [] } = ctx.config;
  otherSps.forEach((sp, i) => {
    const path = ['otherSps', i];
    if (sp === ownSp && ctx.whole('ownSp')) {
      ctx.fail(path, { reason: 'this is the own SP', remedy: 'remove it here' });
    } else if (otherSps.indexOf(sp) < i) {
      ctx.fail(path, { reason: 'named twice', remedy: 'remove one' });
    }
  });
  for (const sp of Object.keys(ctx.config.sps ?? {})) {
    if (sp === ownSp || otherSps.includes(sp)) continue;
    if (!ctx.whole('ownSp') || !ctx.whole('otherSps')) continue;
    const known = [ownSp, ...otherSps];
    ctx.failKey(['sps', sp], { reason: 'no such SP', remedy: suggest(sp, known, 'SPs') });
  }
  checkSpNumbers(ctx);
  const others = MAX_SPS - 1;
  if (otherSps.length > others) {
    const reason = `${otherSps.length} other SPs`;
    ctx.fail(['otherSps'], { reason, remedy: `at most ${others}: each has a label table` });
  }
}

/** A number is one SP's, or a route for one would be told to another. */
function checkSpNumbers(ctx: Context): void {
  const users = new Map<number, string>();
  for (const [sp, { number, asns = [] }] of Object.entries(ctx.config.sps ?? {})) {
    for (const one of new Set([...(number === undefined ? [] : [number]), ...asns])) {
      const user = users.get(one);
      if (user === undefined) users.set(one, sp);
      else {
        const reason = `${one} is a number of SP "${user}" too`;
        ctx.failKey(['sps', sp], { reason, remedy: 'numbers of its own for each SP' });
      }
    }
  }
}

/** Each VRF has a namespace of its own: two routing tables cannot share one. */
function checkNamespaces(ctx: Context): void {
  const users = new Map<string, string>();
  if (ctx.config.core.netns !== undefined) users.set(ctx.config.core.netns, 'the core');
  for (const [vrf, { netns }] of Object.entries(ctx.config.vrfs ?? {})) {
    const name = vrfNetns(ctx.config, vrf);
    const user = users.get(name);
    if (user === undefined) {
      users.set(name, `VRF "${vrf}"`);
      continue;
    }
    ctx.fail(netns === undefined ? ['vrfs', vrf] : ['vrfs', vrf, 'netns'], {
      reason: `namespace "${name}" is used by ${user}`,
      remedy: 'a namespace of its own for each VRF and for the core',
    });
  }
}

/** An interface appears in its namespace under its own name; the device under it may be there too. */
function checkTapNames(ctx: Context): void {
  const interfaces = Object.entries(ctx.config.interfaces);
  const devices = new Map<string, string>();
  for (const [name, { device }] of interfaces) {
    for (const one of singleDevices(device)) {
      if ('kernel' in one) devices.set(`${one.netns ?? ''} ${one.kernel}`, name);
    }
  }
  for (const [name, configured] of interfaces) {
    const user = devices.get(`${tapNetns(ctx.config, configured) ?? ''} ${name}`);
    if (user === undefined) continue;
    ctx.failKey(['interfaces', name], {
      reason: `the device of interface "${user}" has this name in the same namespace`,
      remedy: 'another name for the interface: it appears beside its device',
    });
  }
}
