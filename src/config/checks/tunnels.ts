// SPDX-License-Identifier: Apache-2.0
/** Tunnels to other PEs, and the SA each uses (policy-model 15, 16). */
import { encrypts } from '../../lib/esp-suites.js';
import { familyOf, formatAddress, parseAddress } from '../../lib/ip.js';
import { suggest } from '../../lib/suggest.js';
import { valueAt, type Path } from '../issues.js';
import type { ManualSa, Tunnel } from '../types.js';
import type { Context } from './context.js';
import { IkeReach } from './ike-reach.js';

export function checkTunnels(ctx: Context): void {
  const tunnels = Object.entries(ctx.config.tunnels ?? {});
  const reach = new IkeReach(ctx.config.ike);
  for (const [name, tunnel] of tunnels) {
    const path: Path = ['tunnels', name];
    checkEnds(ctx, path, tunnel);
    checkSa(ctx, path, tunnel, reach);
  }
  const core = Object.values(ctx.config.interfaces).some(({ role }) => role === 'core');
  if (tunnels.length > 0 && !core && ctx.whole('interfaces')) {
    const remedy = 'give one interface role: "core"';
    ctx.fail(['tunnels'], { reason: 'no core interface to leave by', remedy });
  }
}

/** The two outer addresses of a tunnel or SA, as this PE sees them. */
export function checkEnds(
  ctx: Context,
  path: Path,
  { local, remote }: { readonly local: string; readonly remote: string },
): void {
  const { tunnelAddresses } = ctx.config.core;
  if (!tunnelAddresses.includes(local) && ctx.whole('core')) {
    const remedy = suggest(local, tunnelAddresses, 'tunnel addresses');
    ctx.fail([...path, 'local'], { reason: 'not one of core.tunnelAddresses', remedy });
  }
  const source = parseAddress(local);
  const destination = parseAddress(remote);
  if (source === undefined || destination === undefined) return;
  const at = [...path, 'remote'];
  if (familyOf(source) !== familyOf(destination)) {
    const family = familyOf(source) ?? '';
    ctx.fail(at, { reason: 'not of the family of "local"', remedy: `an IPv${family} address` });
  } else if (isOwn(ctx, remote)) {
    ctx.fail(at, { reason: "one of this PE's own addresses", remedy: "the other PE's address" });
  }
}

function isOwn(ctx: Context, address: string): boolean {
  if (ctx.config.core.tunnelAddresses.includes(address)) return true;
  return ctx.ownPrefixes(undefined).some(({ prefix }) => formatAddress(prefix.address) === address);
}

function checkSa(ctx: Context, path: Path, tunnel: Tunnel, reach: IkeReach): void {
  const at = [...path, 'sa'];
  if (tunnel.protection === 'tunnel' || tunnel.protection === 'mpls') {
    if (tunnel.sa === undefined) return;
    const remedy = 'remove it, or protection: "encrypt" or "authenticate"';
    ctx.fail(at, { reason: `protection "${tunnel.protection}" uses no SA`, remedy });
  } else if (tunnel.sa === undefined && valueAt(ctx.raw, ['ike']) !== undefined) {
    const mistake = ctx.whole('ike') ? reach.mistakeOf(tunnel) : undefined;
    if (mistake !== undefined) ctx.fail([...path, mistake.key], mistake);
  } else if (tunnel.sa === undefined) {
    const outbound = Object.entries(ctx.config.manualSas ?? {})
      .filter(([, sa]) => mismatches(tunnel, sa).length === 0)
      .map(([name]) => `"${name}"`);
    const remedy =
      outbound.length === 0
        ? '`ike` sets it up, or name an outbound SA of manualSas'
        : outbound.join(' or ');
    ctx.fail(at, { reason: `missing: protection "${tunnel.protection}" needs an SA`, remedy });
  } else {
    const sa = ctx.config.manualSas?.[tunnel.sa];
    for (const mistake of sa === undefined ? [] : mismatches(tunnel, sa)) ctx.fail(at, mistake);
  }
}

/** Why an SA does not fit a protected tunnel. */
function mismatches(tunnel: Tunnel, sa: ManualSa): { reason: string; remedy: string }[] {
  const found: { reason: string; remedy: string }[] = [];
  if (sa.direction !== 'out') {
    found.push({ reason: 'an inbound SA', remedy: 'an SA with direction: "out"' });
  }
  for (const key of ['local', 'remote', 'encapsulation'] as const) {
    if (sa[key] === tunnel[key]) continue;
    const reason = `the SA has ${key} "${sa[key]}", the tunnel "${tunnel[key]}"`;
    found.push({ reason, remedy: 'equal ones' });
  }
  if (encrypts(sa.algorithm) !== (tunnel.protection === 'encrypt')) {
    const does = tunnel.protection === 'encrypt' ? 'does not encrypt' : 'encrypts';
    const example = tunnel.protection === 'encrypt' ? 'aes-gcm-128' : 'aes-gmac-128';
    found.push({
      reason: `protection is "${tunnel.protection}", and the SA's ${sa.algorithm} ${does}`,
      remedy: `an SA with another algorithm, e.g. ${example}`,
    });
  }
  return found;
}
