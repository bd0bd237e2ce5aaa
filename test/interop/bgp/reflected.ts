// SPDX-License-Identifier: Apache-2.0
/** Reflected VPN routes: made octet by octet, and as FRR, GoBGP and Sealane have them. */
import { encodeMessage, MESSAGE } from '../../../src/bgp/codec/message.js';
import type { BgpPeer } from '../../lib/bgp-peers.js';
import type { BgpPath, FrrPath } from './pe-net.js';

/** Octets of an IPv4 address in hexadecimal. */
export const hex = (address: string): string =>
  Buffer.from(address.split('.').map(Number)).toString('hex');

/** An attribute of less than 256 octets: flags and type, then the value. */
const attribute = (head: string, value: string): string =>
  head + (value.length / 2).toString(16).padStart(2, '0') + value;

/** 112 bits: label 3 octets, RD 65001:31, prefix of 24 bits. */
const vpnNlri = (label: string, prefix: string): string =>
  `70${label}0000fde90000001f${hex(prefix).slice(0, 6)}`;

function updateOf(attributes: string): Buffer {
  const length = (attributes.length / 2).toString(16).padStart(4, '0');
  return Buffer.from(
    encodeMessage(MESSAGE.update, Buffer.from(`0000${length}${attributes}`, 'hex')),
  );
}

/**
 * An UPDATE with one VPNv4 route, RD 65001:31, label 731, target 65001:100, of `extra` attributes beside
 * ORIGIN, AS_PATH and LOCAL_PREF (RFC 4271 §4.3, RFC 4760 §3, RFC 4364 §4.3.4; by hand).
 */
export function vpnUpdate(from: string, prefix: string, extra = ''): Buffer {
  const reach = `0001800c${'0'.repeat(16)}${hex(from)}00${vpnNlri('002db1', prefix)}`;
  const all = [
    ...[attribute('4001', '00'), attribute('4002', ''), attribute('4005', '00000064')],
    ...[attribute('800e', reach), attribute('c010', '0002fde900000064'), extra],
  ];
  return updateOf(all.join(''));
}

/** What takes that route back (RFC 4760 §4, RFC 8277 §2.4). */
export const vpnWithdrawal = (prefix: string): Buffer =>
  updateOf(attribute('800f', `000180${vpnNlri('800000', prefix)}`));

/** A reflected route as a client has it. */
export interface Reflected {
  readonly nextHop: string;
  readonly label: number;
  readonly originator: string;
  readonly clusters: readonly string[];
}

/** RFC 4724 §2: an MP_UNREACH_NLRI of VPNv4 without routes. */
export const VPN_END_OF_RIB = updateOf(attribute('800f', '000180'));

/** A route that came from its originator, by one cluster. */
export const reflected = (from: string, label: number, cluster: string): Reflected => ({
  ...{ nextHop: from, label, originator: from, clusters: [cluster] },
});

/** One path of GoBGP's table; attributes by type. */
export interface GobgpPath {
  readonly nlri: { readonly labels: readonly number[] };
  readonly attrs: readonly {
    readonly type: number;
    readonly value: unknown;
    readonly nexthop: string;
  }[];
  readonly 'neighbor-ip'?: string;
}

/** GoBGP's path of a route ("RD:prefix") that came by a neighbour; undefined: it has none. */
export async function gobgpPath(
  gobgp: BgpPeer,
  from: string,
  net: string,
  family: string,
): Promise<GobgpPath | undefined> {
  const text = await gobgp.command(`global rib -a ${family} -j`);
  const all = JSON.parse(text) as Readonly<Record<string, readonly GobgpPath[]>>;
  return all[net]?.find((path) => path['neighbor-ip'] === from);
}

export const attributeOf = ({ attrs }: GobgpPath, type: number): unknown =>
  attrs.find((one) => one.type === type)?.value;

export const ofGobgp = (path: GobgpPath): Readonly<Record<string, unknown>> => ({
  nextHop: path.attrs.find(({ type }) => type === 14)?.nexthop,
  label: path.nlri.labels[0],
  ...{ originator: attributeOf(path, 9), clusters: attributeOf(path, 10) },
});

export const ofFrr = ({
  nexthops,
  remoteLabel,
  originatorId,
  clusterList,
}: FrrPath): Readonly<Record<string, unknown>> => ({
  ...{ nextHop: nexthops[0]?.ip, label: remoteLabel },
  ...{ originator: originatorId, clusters: clusterList?.list },
});

export const ofPe = ({
  nextHop,
  label,
  originatorId,
  clusterList,
}: BgpPath): Readonly<Record<string, unknown>> => ({
  ...{ nextHop, label: Number(label), originator: originatorId },
  clusters: clusterList.split(' '),
});
