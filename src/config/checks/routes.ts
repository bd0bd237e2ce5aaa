// SPDX-License-Identifier: Apache-2.0
/** Static routes of VRFs and what VRFs import from each other. */
import {
  equalBytes,
  familyOf,
  formatPrefix,
  isLinkLocal,
  networkOf,
  parseAddress,
  parsePrefix,
  type Prefix,
} from '../../lib/ip.js';
import type { Path } from '../issues.js';
import { PrefixIndex } from '../prefix-index.js';
import type { StaticRoute, Vrf } from '../types.js';
import type { Context, OwnPrefix } from './context.js';

/** Subnets and own addresses of one VRF. */
export interface VrfPrefixes {
  readonly own: readonly OwnPrefix[];
  /** By network: interfaces' subnets and the addresses beside them. */
  readonly networks: PrefixIndex<OwnPrefix>;
}

export function vrfPrefixes(ctx: Context, vrf: string): VrfPrefixes {
  const own = ctx.ownPrefixes(vrf);
  const networks = new PrefixIndex<OwnPrefix>();
  for (const each of own) networks.add(each.prefix, each);
  return { own, networks };
}

export function checkRoutes(ctx: Context): void {
  for (const [name, vrf] of Object.entries(ctx.config.vrfs ?? {})) {
    const prefixes = vrfPrefixes(ctx, name);
    checkVrfRoutes(ctx, name, vrf, prefixes);
    checkImports(ctx, name, vrf, prefixes);
  }
}

function checkVrfRoutes(ctx: Context, name: string, vrf: Vrf, prefixes: VrfPrefixes): void {
  const seen = new PrefixIndex<Path>();
  (vrf.routes ?? []).forEach((route, i) => {
    const path: Path = ['vrfs', name, 'routes', i];
    const prefix = parsePrefix(route.prefix);
    if (prefix === undefined) return;
    const first = seen.add(prefix, path);
    const own = prefixes.networks.get(prefix);
    if (first !== undefined) {
      const reason = `a second route for this prefix, beside ${ctx.at(first)}`;
      ctx.fail([...path, 'prefix'], { reason, remedy: 'one route per prefix' });
    } else if (own !== undefined) {
      const what = own.interface === undefined ? 'an own address' : 'a connected subnet';
      const reason = `${what} already: ${own.text} of ${ctx.at(own.path)}`;
      ctx.fail([...path, 'prefix'], { reason, remedy: 'remove the route' });
    }
    if ('via' in route) checkGateway(ctx, { name, path, prefix, route }, prefixes);
  });
}

interface GatewayRoute {
  readonly name: string;
  readonly path: Path;
  readonly prefix: Prefix;
  readonly route: Extract<StaticRoute, { via: string }>;
}

function checkGateway(ctx: Context, at: GatewayRoute, prefixes: VrfPrefixes): void {
  const { name, path, prefix, route } = at;
  const address = parseAddress(route.via);
  if (address === undefined) return;
  if (familyOf(address) !== prefix.family) {
    const reason = `not an address of the prefix's family, IPv${prefix.family}`;
    ctx.fail([...path, 'via'], { reason, remedy: `an IPv${prefix.family} next hop` });
    return;
  }
  if (route.interface !== undefined && !interfaceOfVrf(ctx, at, route.interface)) return;
  if (!isLinkLocal(address)) {
    checkReachable(ctx, [...path, 'via'], { vrf: name, address, ...only(route) }, prefixes);
  } else if (route.interface === undefined) {
    const reason = 'a link-local next hop on no interface';
    ctx.fail([...path, 'via'], { reason, remedy: `add interface: ${ceNames(ctx, name)}` });
  }
}

function only(route: GatewayRoute['route']): { interface?: string } {
  return route.interface === undefined ? {} : { interface: route.interface };
}

const ceNames = (ctx: Context, vrf: string): string => {
  const names = ctx.ceInterfaces(vrf).map(([name]) => `"${name}"`);
  return names.length === 0 ? '(this VRF has none)' : names.join(' or ');
};

function interfaceOfVrf(ctx: Context, { name, path }: GatewayRoute, used: string): boolean {
  const at = [...path, 'interface'];
  const configured = ctx.config.interfaces[used];
  if (configured === undefined) return false; // unknown or cut out: that has its own issue
  if (configured.role === 'ce' && configured.vrf === name) return true;
  const reason = `not an interface of VRF "${name}"`;
  ctx.fail(at, { reason, remedy: `one of: ${ceNames(ctx, name)}` });
  return false;
}

/** A CE's address must be a neighbour's: in a connected subnet, and not our own. */
export function checkReachable(
  ctx: Context,
  path: Path,
  ce: { readonly vrf: string; readonly address: Uint8Array; readonly interface?: string },
  prefixes: VrfPrefixes,
): void {
  const own = prefixes.own.find(({ prefix }) => equalBytes(prefix.address, ce.address));
  if (own !== undefined) {
    const reason = `an own address: ${own.text} of ${ctx.at(own.path)}`;
    ctx.fail(path, { reason, remedy: "the neighbour's address" });
    return;
  }
  // An interface that was cut out may be the one that reaches it.
  if (!ctx.whole('interfaces')) return;
  const subnet = prefixes.networks.longest(ce.address);
  const reached =
    subnet?.interface !== undefined &&
    (ce.interface === undefined || subnet.interface === ce.interface);
  if (reached) return;
  const where = ce.interface === undefined ? `VRF "${ce.vrf}"` : `interface "${ce.interface}"`;
  const subnets = prefixes.own
    .filter((each) => each.interface !== undefined)
    .filter((each) => ce.interface === undefined || each.interface === ce.interface)
    .map(({ prefix }) => formatPrefix(networkOf(prefix)));
  const remedy =
    subnets.length === 0
      ? 'give the interface an address there'
      : `an address in ${subnets.join(', ')}`;
  ctx.fail(path, { reason: `in no connected subnet of ${where}`, remedy });
}

function checkImports(ctx: Context, name: string, vrf: Vrf, prefixes: VrfPrefixes): void {
  const imports = vrf.importsFrom ?? [];
  const known = new PrefixIndex<string>();
  for (const own of prefixes.own) known.add(own.prefix, `VRF "${name}" itself`);
  imports.forEach((from, i) => {
    const path: Path = ['vrfs', name, 'importsFrom', i];
    if (from === name) {
      ctx.fail(path, { reason: 'a VRF imports nothing from itself', remedy: 'remove it' });
    } else if (imports.indexOf(from) < i) {
      ctx.fail(path, { reason: 'named twice', remedy: 'remove one' });
    } else {
      warnAmbiguous(ctx, path, from, known);
    }
  });
}

/** The same subnet in both VRFs is allowed, and hides one of them from this VRF. */
function warnAmbiguous(ctx: Context, path: Path, from: string, known: PrefixIndex<string>): void {
  for (const own of ctx.ownPrefixes(from)) {
    const holder = known.add(own.prefix, `VRF "${from}"`);
    if (holder === undefined || holder === `VRF "${from}"`) continue;
    ctx.warn(path, {
      reason: `${own.text} of ${ctx.at(own.path)} is hidden by the same subnet of ${holder}`,
      remedy: 'use subnets that do not overlap in VRFs that import each other',
    });
  }
}
