// SPDX-License-Identifier: Apache-2.0
/** Which tunnels IKE can set up SAs for, by what the `ike` section says. */
import { hostPrefix, parseAddress, parsePrefix, type Prefix } from '../../lib/ip.js';
import { ikeCredentialsFor, ikeMethodsOf } from '../ike/defaults.js';
import type { Ike, IkeProvider } from '../ike/types.js';
import type { Mistake } from '../issues.js';
import { PrefixIndex } from '../prefix-index.js';
import type { Tunnel } from '../types.js';

interface Reached {
  readonly sp: string;
  readonly provider: IkeProvider;
  /** By certificates: there are anchors, and something to show. */
  readonly byCertificate: boolean;
  readonly psks: PrefixIndex<true>;
}

export class IkeReach {
  readonly #ike: Ike | undefined;
  readonly #sps = new PrefixIndex<Reached>();

  constructor(ike: Ike | undefined) {
    this.#ike = ike;
    for (const [sp, provider] of Object.entries(ike?.providers ?? {})) {
      const reached = { sp, provider, ...reachOf(ike, sp, provider) };
      for (const text of provider.ranges) {
        const range = parsePrefix(text);
        if (range !== undefined) this.#sps.add(range, reached);
      }
    }
  }

  /** Why IKE cannot set up what a protected tunnel needs, and the key that says it; undefined: it can. */
  mistakeOf({
    remote,
    protection,
  }: Pick<Tunnel, 'remote' | 'protection'>):
    (Mistake & { readonly key: 'remote' | 'protection' }) | undefined {
    const address = parseAddress(remote);
    const host = address === undefined ? undefined : hostPrefix(address);
    if (address === undefined || host === undefined) return undefined;
    if (protection === 'tunnel' || protection === 'mpls') return undefined;
    const reached = this.#sps.longest(address);
    if (reached === undefined) {
      const reason = 'in no ranges of ike.providers: nobody to set up an SA with';
      return { key: 'remote', reason, remedy: 'ranges that hold it, or a manual SA' };
    }
    const offers = { ...this.#ike?.esp, ...reached.provider.esp }[protection];
    if (offers?.length === 0) {
      const reason = `no ESP proposals of SP "${reached.sp}" ${protection}`;
      return { key: 'protection', reason, remedy: `esp: { ${protection}: [...] }` };
    }
    if (canAuthenticate(reached, host)) return undefined;
    const reason = `no credential for SP "${reached.sp}", and no preshared key for this address`;
    const remedy = 'ike: { credentials: { NAME: { certificate, key } } }, or psks';
    return { key: 'remote', reason, remedy };
  }
}

function reachOf(
  ike: Ike | undefined,
  sp: string,
  provider: IkeProvider,
): Pick<Reached, 'byCertificate' | 'psks'> {
  const psks = new PrefixIndex<true>();
  for (const { remote } of Object.values(provider.psks ?? {})) {
    const prefix = parsePrefix(remote);
    if (prefix !== undefined) psks.add(prefix, true);
  }
  const byCertificate =
    ike !== undefined &&
    ikeMethodsOf(provider).some((method) => method !== 'psk') &&
    Object.keys(provider.anchors ?? {}).length > 0 &&
    ikeCredentialsFor(ike, sp).length > 0;
  return { byCertificate, psks };
}

function canAuthenticate({ provider, byCertificate, psks }: Reached, host: Prefix): boolean {
  const hasPsk = psks.longest(host.address) === true;
  return byCertificate || (hasPsk && ikeMethodsOf(provider).includes('psk'));
}
