// SPDX-License-Identifier: Apache-2.0
/**
 * Which neighbours the kernel is asked to resolve, and to keep resolved. The fast path refreshes
 * nothing, so whatever has a host route must be kept: gateways of the configuration and of routing protocols always, others
 * (hosts on a CE's subnet that packets asked for) as long as they answer.
 *
 * Anyone may send to addresses that nobody has, so questions are limited per interface; the kernel's
 * neighbour table is one for all namespaces.
 */
import type { GatewayModel, InterfaceModel } from '../forwarding/model.js';
import type { NeighbourEntry, NeighbourWatcher } from '../kernel/neighbours.js';
import { covers, equalBytes, formatAddress, hostPrefix } from '../lib/ip.js';
import type { Plan } from './plan.js';

/** Hosts of one interface kept resolved because packets asked for them. */
const MAX_LEARNT = 4096;
const PROBES_PER_SECOND = 50;
const PROBE_BURST = 100;

interface Bucket {
  tokens: number;
  at: number;
}

export class NeighbourKeeper {
  readonly #watcherOf: (interfaceName: string) => NeighbourWatcher | undefined;
  readonly #now: () => number;
  #plan: Plan | undefined;
  #gateways = new Map<string, GatewayModel>();
  #learntGateways: readonly GatewayModel[] = [];
  /** Learnt hosts kept resolved, by interface. */
  readonly #learnt = new Map<string, Set<string>>();
  readonly #buckets = new Map<string, Bucket>();

  /** `now`: seconds, monotonic. */
  constructor(
    watcherOf: (interfaceName: string) => NeighbourWatcher | undefined,
    now: () => number = () => performance.now() / 1000,
  ) {
    this.#watcherOf = watcherOf;
    this.#now = now;
  }

  /** Next hops that routing protocols learnt, beside those of the plan. */
  follow(learnt: readonly GatewayModel[]): void {
    this.#learntGateways = learnt;
    if (this.#plan !== undefined) this.require(this.#plan);
  }

  /** Keeps the plan's gateways and the learnt ones resolved, and those of before no longer. */
  require(plan: Plan): void {
    this.#plan = plan;
    const all = [...plan.gateways, ...this.#learntGateways];
    const wanted = new Map(all.map((gateway) => [keyOf(gateway), gateway]));
    for (const [key, { interface: name, address }] of this.#gateways) {
      if (!wanted.has(key)) this.#watcherOf(name)?.unmanage(name, address);
    }
    this.#gateways = wanted;
    for (const { interface: name, address } of wanted.values()) {
      this.#watcherOf(name)?.manage(name, address);
    }
    for (const name of plan.model.interfaces.keys()) {
      for (const entry of this.#watcherOf(name)?.entries() ?? []) {
        if (entry.interface === name) this.changed(entry);
      }
    }
  }

  #onLink(name: string, address: Uint8Array): InterfaceModel | undefined {
    const model = this.#plan?.model.interfaces.get(name);
    const host = hostPrefix(address);
    if (model?.role !== 'ce' || host === undefined) return undefined;
    const own = model.addresses.some((one) => equalBytes(one.address, address));
    return !own && model.addresses.some((one) => covers(one, host)) ? model : undefined;
  }

  /** A neighbour appeared, changed or went. */
  changed(entry: NeighbourEntry): void {
    const { interface: name, address, mac } = entry;
    if (this.#onLink(name, address) === undefined || this.#gateways.has(keyOf(entry))) return;
    const learnt = this.#learnt.get(name) ?? new Set<string>();
    const text = formatAddress(address);
    if (mac === undefined) {
      if (learnt.delete(text)) this.#watcherOf(name)?.unmanage(name, address);
    } else if (!learnt.has(text) && learnt.size < MAX_LEARNT) {
      learnt.add(text);
      this.#watcherOf(name)?.manage(name, address);
    }
    this.#learnt.set(name, learnt);
  }

  /** A packet waits for this address. */
  probe(name: string, address: Uint8Array): void {
    if (this.#onLink(name, address) === undefined || !this.#take(name)) return;
    this.#watcherOf(name)?.probe(name, address);
  }

  #take(name: string): boolean {
    const now = this.#now();
    const bucket = this.#buckets.get(name) ?? { tokens: PROBE_BURST, at: now };
    const tokens = Math.min(PROBE_BURST, bucket.tokens + (now - bucket.at) * PROBES_PER_SECOND);
    const granted = tokens >= 1;
    this.#buckets.set(name, { tokens: granted ? tokens - 1 : tokens, at: now });
    return granted;
  }
}

const keyOf = (one: { readonly interface: string; readonly address: Uint8Array }): string =>
  `${one.interface} ${formatAddress(one.address)}`;
