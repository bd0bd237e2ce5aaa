// SPDX-License-Identifier: Apache-2.0
/** From a version by name to one by row id, and when two versions are the same. */
import type { Version } from './addon/api.js';
import type { DesiredVersion } from './rows.js';

/** Row ids by name; undefined: no such row is live. */
export interface RowIds {
  vrf(name: string): number | undefined;
  interface(name: string): number | undefined;
  /** Outbound SAs. */
  sa(name: string): number | undefined;
}

/** undefined when a row it names is not live: the next hop is unusable until it is. */
export function resolveVersion(desired: DesiredVersion, ids: RowIds): Version | undefined {
  if (desired.kind === 'drop') {
    const vrf = ids.vrf(desired.vrf);
    return vrf === undefined ? undefined : { ...desired, vrf };
  }
  const out = ids.interface(desired.interface);
  if (out === undefined) return undefined;
  if (desired.kind === 'tunnel') {
    const sa = desired.sa === undefined ? 0 : ids.sa(desired.sa);
    return sa === undefined ? undefined : { ...desired, interface: out, sa };
  }
  if (desired.kind === 'lsp') return { ...desired, interface: out };
  const vrf = ids.vrf(desired.vrf);
  return vrf === undefined ? undefined : { ...desired, interface: out, vrf };
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

/** Equal for versions that forward alike; the order of fields does not matter. */
export function versionKey(version: Version): string {
  switch (version.kind) {
    case 'drop':
      return ['drop', version.vrf, version.reason, version.icmpUnreachable].join(' ');
    case 'receive':
    case 'glean':
      return [version.kind, version.vrf, version.interface].join(' ');
    case 'adjacency': {
      const { vrf, interface: out, mtu, neighbour, header } = version;
      return ['adjacency', vrf, out, mtu, hex(neighbour), hex(header)].join(' ');
    }
    case 'tunnel': {
      const { interface: out, protection, encapsulation, mtu, sa, header } = version;
      const { dscpCopy, ecnCopy } = version;
      const own = ['tunnel', out, protection, encapsulation, mtu, sa, dscpCopy, ecnCopy];
      const outer = [header.ethernet, header.source, header.destination].map(hex);
      const dscp = dscpCopy ? 0 : header.dscp;
      const labels = header.labels?.join('/') ?? '';
      const rest = [header.ttl, dscp, header.flowLabel, header.spi ?? '-', labels];
      return [...own, ...outer, ...rest].join(' ');
    }
    case 'lsp': {
      const { interface: out, mtu, dscpCopy, header } = version;
      const own = ['lsp', out, mtu, dscpCopy, hex(header.ethernet)];
      // TTL and TC are the transport labels'; without one nothing has them.
      if (header.labels.length === 0) return own.join(' ');
      const tc = dscpCopy ? 0 : header.dscp >> 3;
      return [...own, header.labels.join('/'), header.ttl, tc].join(' ');
    }
  }
}
