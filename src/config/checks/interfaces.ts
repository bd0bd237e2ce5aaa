// SPDX-License-Identifier: Apache-2.0
/** Interfaces: their devices, VLANs, VRFs and addresses. */
import { equalBytes, formatAddress, hostPrefix, networkOf, parseAddress } from '../../lib/ip.js';
import { DEFAULT_LACP_RATE, deviceKey } from '../defaults.js';
import { overlapsOf, PrefixIndex } from '../prefix-index.js';
import type { Device, Interface, Lag } from '../types.js';
import type { Context, OwnPrefix } from './context.js';
import { checkLags } from './lags.js';

const MAX_PORTS = 255;

export function checkInterfaces(ctx: Context): void {
  checkDevices(ctx);
  checkLags(ctx);
  checkAddresses(ctx, undefined);
  // VRFs that were cut out still have interfaces.
  for (const vrf of ctx.names('vrfs')) checkAddresses(ctx, vrf);
  checkTunnelAddresses(ctx);
}

function checkDevices(ctx: Context): void {
  const ports = new Map<string, { name: string; device: Device }>();
  const vlans = new Map<string, string>();
  for (const [name, configured] of Object.entries(ctx.config.interfaces)) {
    const { device, vlan, serviceVlan } = configured;
    checkTags(ctx, name, configured);
    const key = deviceKey(device);
    const first = ports.get(key);
    if (first === undefined) ports.set(key, { name, device });
    else if (attributes(first.device) !== attributes(device)) {
      ctx.fail(['interfaces', name, 'device'], {
        reason: `interface "${first.name}" describes the same device in another way`,
        remedy: 'the same driver, options and offloads for all interfaces of a device',
      });
    }
    const place = `${key} ${serviceVlan ?? 0} ${vlan ?? 0}`;
    const other = vlans.get(place);
    if (other === undefined) vlans.set(place, name);
    else {
      ctx.fail(['interfaces', name, vlan === undefined ? 'device' : 'vlan'], {
        reason: `interface "${other}" has the same device and VLAN`,
        remedy: 'a VLAN of its own, or another device',
      });
    }
  }
  if (ports.size > MAX_PORTS) {
    const reason = `${ports.size} devices`;
    ctx.fail(['interfaces'], { reason, remedy: `at most ${MAX_PORTS}` });
  }
}

function checkTags(ctx: Context, name: string, configured: Interface): void {
  const { vlan, serviceVlan, serviceTag } = configured;
  if (serviceTag !== undefined && serviceVlan === undefined) {
    ctx.fail(['interfaces', name, 'serviceTag'], {
      reason: 'there is no service VLAN',
      remedy: 'add serviceVlan, or leave this out',
    });
  }
  if (serviceVlan !== undefined && vlan === undefined) {
    ctx.fail(['interfaces', name, 'serviceVlan'], {
      reason: 'there is no VLAN within it',
      remedy: 'add vlan; for frames with one tag, vlan alone',
    });
  }
}

/** What must be equal where the key is. */
function attributes(device: Device): string {
  return `${String(device.offloads ?? true)} ${driverAttributes(device)}`;
}

function driverAttributes(device: Device): string {
  if ('kernel' in device) return device.driver ?? 'af_packet';
  if ('lag' in device) return lagAttributes(device);
  return 'pci' in device ? (device.options ?? '') : device.vdev;
}

function lagAttributes({ lag, lacpRate = DEFAULT_LACP_RATE }: Lag): string {
  return [lacpRate, ...lag.flatMap((one) => [deviceKey(one), attributes(one)])].join(';');
}

/** Own subnets and addresses of one routing table do not overlap. */
function checkAddresses(ctx: Context, vrf: string | undefined): void {
  for (const { outer, inner } of overlapsOf(ctx.ownPrefixes(vrf))) {
    const where = `${outer.text} of ${ctx.at(outer.path)}`;
    if (equalBytes(outer.prefix.address, inner.prefix.address)) {
      const reason = `the same address as ${where}`;
      ctx.fail(inner.path, { reason, remedy: 'an address of its own' });
    } else if (!secondary(outer, inner)) {
      const remedy = 'subnets of one routing table must not overlap';
      ctx.fail(inner.path, { reason: `overlaps ${where}`, remedy });
    }
  }
}

/** Another address in the same subnet of the same interface. */
function secondary(a: OwnPrefix, b: OwnPrefix): boolean {
  return (
    a.interface !== undefined &&
    a.interface === b.interface &&
    a.prefix.length === b.prefix.length &&
    equalBytes(networkOf(a.prefix).address, networkOf(b.prefix).address)
  );
}

function checkTunnelAddresses(ctx: Context): void {
  const { tunnelAddresses } = ctx.config.core;
  const subnets = new PrefixIndex<OwnPrefix[]>();
  for (const own of ctx.ownPrefixes(undefined)) {
    const here = subnets.get(own.prefix) ?? [];
    here.push(own);
    subnets.add(own.prefix, here);
  }
  tunnelAddresses.forEach((text, i) => {
    const path = ['core', 'tunnelAddresses', i];
    if (tunnelAddresses.indexOf(text) < i) {
      ctx.fail(path, { reason: 'named twice', remedy: 'remove one' });
    }
    const address = parseAddress(text);
    const host = address === undefined ? undefined : hostPrefix(address);
    const [own] = host === undefined ? [] : subnets.holding(host);
    const [first] = own ?? [];
    if (own === undefined || first === undefined || address === undefined) return;
    if (own.some(({ prefix }) => equalBytes(prefix.address, address))) return;
    ctx.fail(path, {
      reason: `in the subnet ${first.text} of ${ctx.at(first.path)}, but not its own address`,
      remedy: `${formatAddress(first.prefix.address)}, or an address outside all subnets`,
    });
  });
}
