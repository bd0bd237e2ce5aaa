// SPDX-License-Identifier: Apache-2.0
/**
 * A RIB with hand-driven time and sessions that keep what they were sent. What neighbours hold is read back
 * from the octets as a neighbour would.
 */
import { decodeAttributes } from '../../../../src/bgp/codec/attributes/decode.js';
import { encodeAttributes } from '../../../../src/bgp/codec/attributes/encode.js';
import { FAMILY_IDS, hasFamily } from '../../../../src/bgp/codec/families.js';
import { newNlri, nlriReader } from '../../../../src/bgp/codec/nlri/reader.js';
import {
  FAMILIES,
  FAMILY,
  type FamilyId,
  type Nlri,
  type NlriRun,
  type Notification,
  type PathAttributes,
  type UpdateContext,
} from '../../../../src/bgp/codec/types.js';
import { UpdateWriter } from '../../../../src/bgp/codec/update-writer.js';
import {
  attributesLength,
  copyAttributes,
  isNotification,
  splitUpdate,
} from '../../../../src/bgp/codec/update-split.js';
import type {
  FibBatch,
  LabelledRoute,
  LabelUses,
  RibOptions,
  VrfRib,
} from '../../../../src/bgp/rib/api.js';
import { DEFAULT_DECISION } from '../../../../src/bgp/rib/decision.js';
import type { NextHopKey, NextHopState } from '../../../../src/bgp/rib/next-hops.js';
import type { NeighbourRib } from '../../../../src/bgp/rib/peers.js';
import { Rib } from '../../../../src/bgp/rib/rib.js';
import { shapeOf } from '../../../../src/bgp/rib/scope.js';
import type { EstablishedPeer, SessionEnd, UpdateOutcome } from '../../../../src/bgp/types.js';
import { formatAddress, parseAddress } from '../../../../src/lib/ip.js';

export const ip = (text: string): Uint8Array => parseAddress(text)!;
export const OPEN: NeighbourRib = { policyIn: undefined, policyOut: undefined, policyOutKey: '' };
/** Two-octet AS route target 65000:N. */
export const target = (number: number): bigint => 0x0002_fde8_0000_0000n | BigInt(number);
/** Type 0 route distinguisher 65000:N. */
export const rd = (number: number): bigint => 0x0000_fde8_0000_0000n | BigInt(number);

/** A route as a test writes it. */
export interface TestRoute {
  readonly family?: FamilyId;
  readonly rd?: bigint;
  readonly prefix: string;
  readonly length: number;
  readonly label?: number;
  readonly pathId?: number;
}

/** "65000:1 10.0.0.0/24", with "#ID" for ADD-PATH. */
export function nameOf(route: TestRoute): string {
  const distinguisher = route.rd === undefined ? '' : `${route.rd.toString(16)} `;
  const id = route.pathId === undefined ? '' : ` #${String(route.pathId)}`;
  return `${distinguisher}${route.prefix}/${String(route.length)}${id}`;
}

export function contextOf(over: Partial<UpdateContext> = {}): UpdateContext {
  return {
    ...{ ibgp: true, as4: true, maxMessage: 4096, families: 0x7f },
    ...{ addPathReceive: 0, addPathSend: 0, extendedNextHop: 0 },
    ...over,
  };
}

/** What a neighbour has been told, decoded. */
export interface Held {
  readonly attributes: PathAttributes;
  readonly label: number | undefined;
}

function keyOf(route: TestRoute): { key: Uint8Array; bytes: number } {
  const family = route.family ?? FAMILY.ipv4Unicast;
  const { rdBytes, prefixBytes } = shapeOf(family);
  const key = new Uint8Array(rdBytes + prefixBytes);
  if (rdBytes === 8) new DataView(key.buffer).setBigUint64(0, route.rd ?? 0n);
  key.set(ip(route.prefix), rdBytes);
  return { key, bytes: rdBytes + ((route.length + 7) >> 3) };
}

/** Bodies of UPDATEs. */
export function updateBodies(
  context: UpdateContext,
  routes: readonly TestRoute[],
  attributes: PathAttributes | undefined,
): Uint8Array[] {
  const family = routes[0]?.family ?? FAMILY.ipv4Unicast;
  // What we send is what the other end's context says it may receive.
  const writer = new UpdateWriter({ ...context, addPathSend: context.addPathReceive });
  if (attributes === undefined) writer.withdrawing(family);
  else writer.announcing(family, encodeAttributes(attributes, context), attributes.nextHop!);
  for (const route of routes) {
    const { key, bytes } = keyOf(route);
    const nlri: Nlri = {
      ...{ pathId: route.pathId ?? 0, label: route.label ?? 16, labelsAt: 0, labelCount: 1 },
      ...{ keyAt: 0, keyBytes: bytes, length: route.length },
    };
    if (!writer.add(nlri, key)) throw new Error('does not fit');
  }
  return bodies(writer.take());
}

export function bodies(messages: Uint8Array): Uint8Array[] {
  const found: Uint8Array[] = [];
  for (let at = 0; at < messages.length;) {
    const length = ((messages[at + 16] ?? 0) << 8) | (messages[at + 17] ?? 0);
    if (messages[at + 18] === 2) found.push(messages.slice(at + 19, at + length));
    at += length;
  }
  return found;
}

/** A neighbour: what it is told is applied to `holds` the way a router would. */
export class TestPeer {
  readonly info: EstablishedPeer;
  readonly holds = new Map<string, Held>();
  readonly endOfRib: FamilyId[] = [];
  /** Types of messages other than UPDATE, ROUTE-REFRESH with its subtype: "5/1". */
  readonly others: string[] = [];
  readonly withdrawnUnknown: string[] = [];
  readonly refreshRequests: FamilyId[] = [];
  closed: Notification | undefined;
  messages = 0;
  octets = 0;
  /** Accepts messages but says that its buffers are full. */
  full = false;
  up = false;

  constructor(info: EstablishedPeer) {
    this.info = info;
  }

  receive(messages: Uint8Array): void {
    for (let at = 0; at < messages.length;) {
      const length = ((messages[at + 16] ?? 0) << 8) | (messages[at + 17] ?? 0);
      const type = messages[at + 18];
      if (type === 2) this.#update(messages.slice(at + 19, at + length));
      else this.others.push(`${String(type)}/${String(messages[at + 21])}`);
      this.messages++;
      at += length;
    }
    this.octets += messages.length;
  }

  #update(body: Uint8Array): void {
    const context = { ...this.info.context, addPathReceive: this.info.context.addPathSend };
    const split = splitUpdate(body, 0, body.length, context);
    if (isNotification(split)) throw new Error(split.reason);
    if (split.faults.length > 0) throw new Error(split.faults[0]!.notification.reason);
    if (split.endOfRib !== -1) this.endOfRib.push(split.endOfRib);
    const octets = new Uint8Array(attributesLength(split));
    copyAttributes(split, octets, 0);
    for (const run of split.withdrawn) {
      for (const { name } of this.#read(body, run)) {
        if (!this.holds.delete(name)) this.withdrawnUnknown.push(name);
      }
    }
    for (const run of split.announced) {
      const environment = { context, classic: run.classic };
      const attributes = decodeAttributes(octets, 0, octets.length, environment);
      for (const { name, label } of this.#read(body, run)) {
        this.holds.set(name, { attributes, label });
      }
    }
  }

  #read(body: Uint8Array, run: NlriRun): { name: string; label: number | undefined }[] {
    const nlri = newNlri();
    const found = [];
    const { rdBytes, prefixBytes } = shapeOf(run.family);
    for (let at = run.start; at < run.end;) {
      at = nlriReader(run.family)(run.mode, body, at, run.end, nlri);
      if (at < 0) throw new Error('malformed NLRI sent');
      const key = new Uint8Array(rdBytes + prefixBytes);
      key.set(body.subarray(nlri.keyAt, nlri.keyAt + nlri.keyBytes));
      const name = nameOf({
        ...(rdBytes === 8 ? { rd: new DataView(key.buffer).getBigUint64(0) } : {}),
        prefix: formatAddress(key.slice(rdBytes)),
        length: nlri.length,
        ...((run.mode & 1) === 1 ? { pathId: nlri.pathId } : {}),
      });
      const labelled = FAMILIES[run.family].safi === 128 || FAMILIES[run.family].safi === 4;
      found.push({ name, label: labelled ? nlri.label : undefined });
    }
    return found;
  }
}

/** A route as the FIB has it: hops as "KIND ADDRESS label", best first. */
export type Fib = Map<string, string[]>;

export interface LabOptions extends Partial<RibOptions> {
  readonly neighbour?: (peer: EstablishedPeer) => NeighbourRib;
  readonly swapLabels?: LabelUses;
  readonly exportLabels?: LabelUses;
  readonly isForeignAs?: (asn: number) => boolean;
  readonly labelled?: (route: LabelledRoute) => void;
}

export class Lab {
  readonly rib: Rib;
  readonly peers = new Map<number, TestPeer>();
  readonly fib: Fib = new Map();
  readonly fibAttributes = new Map<string, PathAttributes>();
  readonly forgotten: number[] = [];
  readonly hops = new Map<number, NextHopKey>();
  /** What the tracker answers, by address; others are usable at cost 10. */
  readonly hopStates = new Map<string, NextHopState>();
  now = 0;
  readonly #slices: (() => void)[] = [];
  #timers: { at: number; action: () => void }[] = [];
  #neighbour: (peer: EstablishedPeer) => NeighbourRib;

  constructor(options: LabOptions = {}) {
    const { neighbour, swapLabels, exportLabels, isForeignAs, labelled, ...rib } = options;
    this.#neighbour = neighbour ?? (() => OPEN);
    this.rib = new Rib(
      {
        ...{ asn: 65000, routerId: 0x0a000001, clusterId: 0x0a000001, decision: DEFAULT_DECISION },
        ...{ retainVpn: true, sliceMs: 10, routeTargetWaitMs: 60_000 },
        ...rib,
      },
      {
        sessions: {
          send: (id, messages) => {
            const peer = this.peers.get(id)!;
            if (!peer.up) throw new Error('sent to a session that has ended');
            peer.receive(messages);
            return !peer.full;
          },
          close: (id, notification) => {
            this.peers.get(id)!.closed = notification;
          },
          requestRefresh: (id, family) => this.peers.get(id)!.refreshRequests.push(family),
        },
        clock: { now: () => this.now },
        scheduler: {
          soon: (slice) => this.#slices.push(slice),
          after: (ms, action) => {
            const timer = { at: this.now + ms, action };
            this.#timers.push(timer);
            return () => {
              this.#timers = this.#timers.filter((one) => one !== timer);
            };
          },
        },
        nextHops: {
          watch: (id, hop) => {
            this.hops.set(id, hop);
            const state = this.hopStates.get(formatAddress(hop.address));
            return state ?? { usable: true, metric: 10, rank: 0 };
          },
          unwatch: (id) => {
            this.hops.delete(id);
          },
        },
        fib: {
          apply: (batch) => {
            this.#apply(batch);
          },
        },
        log: silentLog,
        neighbour: (info) => this.#neighbour(info),
        forgotten: (id) => this.forgotten.push(id),
        ...(swapLabels ? { swapLabels } : {}),
        ...(exportLabels ? { exportLabels } : {}),
        ...(isForeignAs ? { isForeignAs } : {}),
        ...(labelled ? { labelled } : {}),
      },
    );
  }

  set neighbour(of: (peer: EstablishedPeer) => NeighbourRib) {
    this.#neighbour = of;
  }

  get timers(): number {
    return this.#timers.length;
  }

  /** Runs slices until none is asked for. */
  settle(): void {
    for (let turns = 0; this.#slices.length > 0; turns++) {
      if (turns > 100_000) throw new Error('does not come to rest');
      this.slice();
    }
  }

  /** One slice, if there is one. */
  slice(): void {
    this.#slices.shift()?.();
  }

  /** Lets time pass. */
  pass(ms: number): void {
    const end = this.now + ms;
    for (;;) {
      this.settle();
      const due = this.#timers.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
      if (due === undefined) break;
      this.now = due.at;
      this.#timers = this.#timers.filter((one) => one !== due);
      due.action();
    }
    this.now = end;
    this.settle();
  }

  /** A session comes up. */
  up(id: number, over: Partial<EstablishedPeer> = {}): TestPeer {
    const kind = over.kind ?? 'ibgp';
    const info: EstablishedPeer = {
      ...{ id, name: `peer${String(id)}`, configured: `peer${String(id)}`, vrf: undefined, kind },
      ...{ address: Uint8Array.of(10, 0, 1, id), localAddress: ip('10.0.0.1') },
      ...{ asn: kind === 'ibgp' ? 65000 : 65000 + id, localAsn: 65000, routerId: 0x0a000100 + id },
      ...{ context: contextOf({ ibgp: kind === 'ibgp' }), routeRefresh: true },
      ...{ enhancedRefresh: false, forwardingKept: 0, awaitEndOfRib: 0 },
      ...over,
    };
    const peer = new TestPeer(info);
    peer.up = true;
    this.peers.set(id, peer);
    this.rib.established(info);
    return peer;
  }

  down(id: number, end: Partial<SessionEnd> = {}): void {
    this.peers.get(id)!.up = false;
    this.rib.ended(id, { keepStale: 0, restartTime: 0, longLived: [], reason: 'test', ...end });
  }

  announce(id: number, routes: readonly TestRoute[], attributes: PathAttributes): UpdateOutcome {
    return this.#feed(id, updateBodies(this.peers.get(id)!.info.context, routes, attributes));
  }

  withdraw(id: number, routes: readonly TestRoute[]): UpdateOutcome {
    return this.#feed(id, updateBodies(this.peers.get(id)!.info.context, routes, undefined));
  }

  endOfRib(id: number, family: FamilyId): void {
    const writer = new UpdateWriter(this.peers.get(id)!.info.context);
    writer.endOfRib(family);
    this.#feed(id, bodies(writer.take()));
  }

  #feed(id: number, updates: readonly Uint8Array[]): UpdateOutcome {
    let outcome: UpdateOutcome = { kind: 'ok' };
    for (const body of updates) outcome = this.rib.update(id, body, 0, body.length);
    return outcome;
  }

  /** The tracker has news of an address, in whatever table; `protection`: of that way alone. */
  hop(address: string, state: Partial<NextHopState>, protection?: number): void {
    const now = { usable: true, metric: 10, rank: 0, ...state };
    if (protection === undefined) this.hopStates.set(address, now);
    for (const [id, hop] of this.hops) {
      if (protection !== undefined && hop.protection !== protection) continue;
      if (formatAddress(hop.address) === address) this.rib.nextHopChanged(id, now);
    }
  }

  vrf(id: number, over: Partial<VrfRib> = {}): void {
    this.rib.setVrf({
      ...{ id, name: `v${String(id)}`, importTargets: [], accept: undefined },
      ...{ importPolicy: undefined, exports: [] },
      ...over,
    });
  }

  /** "VRF PREFIX/LENGTH" to hops. */
  #apply(batch: FibBatch): void {
    const size = batch.family === 4 ? 4 : 16;
    const kinds = ['plain', 'vpn', 'local', 'leak'];
    const seen = new Set<string>();
    for (let i = 0; i < batch.count; i++) {
      const prefix = formatAddress(batch.prefixes.slice(i * size, (i + 1) * size));
      const name = `${String(batch.vrfs[i])} ${prefix}/${String(batch.lengths[i])}`;
      if (seen.has(name)) throw new Error(`${name} twice in a batch`);
      seen.add(name);
      const hops: string[] = [];
      const first = batch.firstHops[i] ?? 0;
      for (let at = first; at < first + (batch.hopCounts[i] ?? 0); at++) {
        const hop = this.rib.nextHop(batch.nextHops[at] ?? 0);
        const address = hop === undefined ? 'self' : formatAddress(hop.address);
        const labels = this.rib.labels(batch.labels[at] ?? 0).join('/');
        hops.push(`${kinds[batch.hopKinds[at] ?? 0] ?? '?'} ${address} ${labels}`.trim());
        this.fibAttributes.set(name, this.rib.attributes(batch.attributes[at] ?? 0));
      }
      if (hops.length > 0) this.fib.set(name, hops);
      else if (!this.fib.delete(name)) throw new Error(`${name} deleted but never there`);
    }
  }

  /** Everything that grows with routes is empty. */
  leftovers(): Record<string, number> {
    const {
      nets,
      paths,
      imports,
      attributeSets,
      addresses,
      vpnKeys,
      nextHops,
      labelStacks,
      waiting,
    } = this.rib.counts();
    return {
      nets,
      paths,
      imports,
      attributeSets,
      addresses,
      vpnKeys,
      nextHops,
      labelStacks,
      waiting,
    };
  }
}

export const NOTHING_LEFT = {
  ...{ nets: 0, paths: 0, imports: 0, attributeSets: 0, addresses: 0, vpnKeys: 0 },
  ...{ nextHops: 0, labelStacks: 0, waiting: 0 },
};

const silent = (): void => undefined;
const silentLog = {
  ...{ error: silent, warning: silent, notice: silent, info: silent, debug: silent },
  area: () => silentLog,
};

export const attributes = (over: Partial<PathAttributes> = {}): PathAttributes => ({
  ...{ origin: 0, asPath: [], nextHop: ip('192.0.2.2'), localPref: 100 },
  ...over,
});

export const familiesOf = (set: number): FamilyId[] =>
  FAMILY_IDS.filter((id) => hasFamily(set, id));
