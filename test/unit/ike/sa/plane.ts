// SPDX-License-Identifier: Apache-2.0
/**
 * A data plane without packets: it knows which child SAs take traffic and by which one each service's traffic leaves,
 * and with which keys. Two of them tell whether anything that one sends would be lost.
 */
import type {
  ChildInstall,
  ChildPolicy,
  ChildSink,
  ProbeSeen,
  ChildUsage,
} from '../../../../src/ike/child/types.js';
import { ESP_CIPHERS } from '../../../../src/ike/negotiation/esp-ciphers.js';
import { selectorOf } from '../../../../src/ike/negotiation/selectors.js';
import type { EspProposal } from '../../../../src/ike/negotiation/types.js';
import { bad, good, type Outcome, type Timers } from '../../../../src/ike/types.js';

export interface Installed extends Omit<ChildInstall, 'inboundKeys' | 'outboundKeys'> {
  readonly inboundKeys: string;
  readonly outboundKeys: string;
}

const hexOf = ({ encryption, integrity }: ChildInstall['inboundKeys']): string =>
  Buffer.concat([encryption, integrity]).toString('hex');

export class Plane implements ChildSink {
  /** What arrives with these SPIs is taken. */
  readonly inbound = new Map<number, Installed>();
  /** By service and resource: the child SA by which traffic leaves. */
  readonly active = new Map<string, Installed>();
  /** Everything that was ever installed. */
  readonly ever: Installed[] = [];
  readonly reserved = new Set<number>();
  readonly used = new Map<number, ChildUsage>();
  /** After each change of what is sent or taken. */
  onChange: () => void = () => undefined;
  /** The next installations fail, in this way. */
  failures = 0;
  failureCode: 'INTERNAL' | 'BUSY' = 'INTERNAL';
  #nextSpi: number;

  readonly timers: Timers;

  constructor(timers: Timers, firstSpi: number) {
    this.timers = timers;
    this.#nextSpi = firstSpi;
  }

  allocateSpi(): number {
    const spi = this.#nextSpi++;
    this.reserved.add(spi);
    return spi;
  }

  releaseSpi(spi: number): void {
    if (!this.reserved.delete(spi)) throw new Error(`SPI ${spi} released but not allocated`);
    if (this.inbound.has(spi)) throw new Error(`SPI ${spi} released but installed`);
  }

  install(child: ChildInstall): Promise<Outcome<void>> {
    if (this.failures > 0) {
      this.failures -= 1;
      return Promise.resolve(bad(this.failureCode, 'us', 'no room'));
    }
    if (!this.reserved.has(child.inboundSpi)) throw new Error('installed with an SPI of nobody');
    const inboundKeys = hexOf(child.inboundKeys);
    const installed = { ...child, inboundKeys, outboundKeys: hexOf(child.outboundKeys) };
    return Promise.resolve().then(() => {
      this.inbound.set(child.inboundSpi, installed);
      this.ever.push(installed);
      return good(undefined);
    });
  }

  activate(inboundSpi: number): Promise<void> {
    const child = this.inbound.get(inboundSpi);
    if (child === undefined) throw new Error(`${inboundSpi} is not installed`);
    this.active.set(keyOf(child), child);
    this.onChange();
    return Promise.resolve();
  }

  remove(inboundSpi: number, graceMs: number): void {
    const child = this.inbound.get(inboundSpi);
    if (child === undefined) throw new Error(`${inboundSpi} is not installed`);
    if (this.active.get(keyOf(child)) === child) this.active.delete(keyOf(child));
    this.reserved.delete(inboundSpi);
    this.onChange();
    this.timers.after(graceMs, () => {
      this.inbound.delete(inboundSpi);
      this.onChange();
    });
  }

  /** Path MTU probes that have come, by inbound SPI. */
  readonly probes = new Map<number, ProbeSeen>();

  probeSeen(inboundSpi: number): ProbeSeen | undefined {
    return this.probes.get(inboundSpi);
  }

  usage(inboundSpi: number): ChildUsage | undefined {
    return this.inbound.has(inboundSpi) ? (this.used.get(inboundSpi) ?? NOTHING) : undefined;
  }

  /** Traffic of a child SA so far. */
  carry(inboundSpi: number, inboundPackets: bigint, outboundPackets = 0n): void {
    this.used.set(inboundSpi, {
      ...{ inboundPackets, inboundBytes: inboundPackets * 100n },
      ...{ outboundPackets, outboundBytes: outboundPackets * 100n },
    });
  }

  /** SPIs that are neither free nor given back after a while: what is installed and not removed. */
  get live(): number[] {
    return [...this.inbound.keys()].filter((spi) => this.reserved.has(spi));
  }
}

const NOTHING: ChildUsage = {
  ...{ inboundPackets: 0n, inboundBytes: 0n },
  ...{ outboundPackets: 0n, outboundBytes: 0n },
};

export const keyOf = ({ policy, resource }: Pick<Installed, 'policy' | 'resource'>): string =>
  `${policy.service}#${resource}`;

/** What `from` sends now and `to` would drop: services, or nothing. */
export function lost(from: Plane, to: Plane): string[] {
  return [...from.active.values()]
    .filter((child) => {
      const there = to.inbound.get(child.outboundSpi);
      return there?.inboundKeys !== child.outboundKeys;
    })
    .map(keyOf);
}

const LIFETIMES: ChildPolicy['lifetimes'] = {
  ...{ softSeconds: 0, hardSeconds: 0, softBytes: 0n, hardBytes: 0n },
  ...{ softPackets: 0n, hardPackets: 0n, jitter: 0 },
};

export const GCM: EspProposal = {
  ciphers: [ESP_CIPHERS['aes-128-gcm']],
  ...{ integrity: [], esn: [true], ke: [], additional: [] },
};

export const ADDRESS = { a: Uint8Array.of(192, 0, 2, 1), b: Uint8Array.of(192, 0, 2, 2) };

/** "encrypt/gre" between two addresses. */
export function policyOf(
  local: Uint8Array,
  remote: Uint8Array,
  more: Partial<ChildPolicy> & { readonly protocol?: number } = {},
): ChildPolicy {
  const { protocol = 47, ...rest } = more;
  return {
    ...{ service: 'encrypt/gre', mode: 'transport', proposals: [GCM], resources: 1 },
    local: [selectorOf(local, protocol)],
    remote: [selectorOf(remote, protocol)],
    ...{ lifetimes: LIFETIMES, ...rest },
  };
}

export { LIFETIMES };
