// SPDX-License-Identifier: Apache-2.0
/**
 * What of an attribute set decides into which VRFs a VPN route goes and how it may be reached: its
 * extended communities and tunnel encapsulation, interned. Thousands of attribute sets share one; what was
 * worked out for it (importers, RTC matches) is kept with its number.
 */
import { sameOctets } from './octets.js';

interface VpnKey {
  readonly text: string;
  readonly communities: Uint8Array;
  readonly tunnel: Uint8Array;
  references: number;
  readonly serial: number;
  /** The route targets among the extended communities. */
  readonly targets: readonly bigint[];
  /** See {@link isScoped}. */
  readonly scoped: boolean;
}

/** Two-octet AS, IPv4 and four-octet AS forms (RFC 4360 §3.1, 3.2, RFC 5668), sub-type 2: route target. */
export const isRouteTarget = (high: number): boolean => {
  const type = high >>> 8;
  return (type === 0 || type === 1 || type === 2) && (high & 0xff) === 2;
};

export class VpnKeys {
  readonly #keys: (VpnKey | undefined)[] = [undefined];
  readonly #ids = new Map<string, number>();
  readonly #free: number[] = [];
  #serial = 0;
  /** The one asked for last: routes come in runs of one set of communities. */
  #last = 0;

  get live(): number {
    return this.#ids.size;
  }

  /**
   * The number for these octets, with a reference; 0 when there are none. `communities` is the value of
   * the Extended Communities attribute, `tunnel` that of Tunnel Encapsulation.
   */
  acquire(communities: Uint8Array, tunnel: Uint8Array): number {
    if (communities.length === 0 && tunnel.length === 0) return 0;
    const last = this.#keys[this.#last];
    const same = last !== undefined && sameOctets(last.communities, communities);
    if (same && sameOctets(last.tunnel, tunnel)) {
      last.references++;
      return this.#last;
    }
    const text = `${latin1(communities)}|${latin1(tunnel)}`;
    let id = this.#ids.get(text);
    if (id === undefined) {
      id = this.#free.pop() ?? this.#keys.length;
      this.#keys[id] = {
        text,
        communities: communities.slice(),
        tunnel: tunnel.slice(),
        references: 0,
        serial: ++this.#serial,
        targets: routeTargetsOf(communities),
        scoped: isScoped(communities),
      };
      this.#ids.set(text, id);
    }
    const key = this.#keys[id];
    if (key !== undefined) key.references++;
    this.#last = id;
    return id;
  }

  /** True when that was the last reference: what is kept beside the number is void. */
  release(id: number): boolean {
    const key = this.#keys[id];
    if (key === undefined || --key.references > 0) return false;
    this.#ids.delete(key.text);
    this.#keys[id] = undefined;
    this.#free.push(id);
    return true;
  }

  /** Never used again for others, unlike the number. */
  serial(id: number): number {
    return this.#keys[id]?.serial ?? 0;
  }

  targets(id: number): readonly bigint[] {
    return this.#keys[id]?.targets ?? [];
  }

  /** Whether where the route was originated may decide how it is used. */
  isScoped(id: number): boolean {
    return this.#keys[id]?.scoped ?? false;
  }
}

/** Type of the IPsec Extended Community; its bit for a scope, in octet 3 (docs/ipsec-extended-community.md §2). */
const IPSEC_TYPE = 0x83;
const SCOPE = 0x80;

/** Some IPsec community, whatever its sub-type, asks only ingresses outside of an SP. */
function isScoped(communities: Uint8Array): boolean {
  for (let at = 0; at + 8 <= communities.length; at += 8) {
    if (communities[at] === IPSEC_TYPE && ((communities[at + 3] ?? 0) & SCOPE) !== 0) return true;
  }
  return false;
}

const latin1 = (octets: Uint8Array): string =>
  Buffer.from(octets.buffer, octets.byteOffset, octets.length).toString('latin1');

function routeTargetsOf(communities: Uint8Array): bigint[] {
  const view = new DataView(communities.buffer, communities.byteOffset, communities.length);
  const targets: bigint[] = [];
  for (let at = 0; at + 8 <= communities.length; at += 8) {
    if (isRouteTarget(view.getUint16(at))) targets.push(view.getBigUint64(at));
  }
  return targets;
}
