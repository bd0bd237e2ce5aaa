// SPDX-License-Identifier: Apache-2.0
/**
 * All IKE SAs of a PE. The parts: Intake says what a datagram is for, Peer what is to be done between two addresses,
 * Core ties both to the machines below; Operators is for the CLI.
 */
import type { IkeCounter } from '../counters.js';
import { IKE_COUNTERS } from '../counters.js';
import type { IkePolicy } from '../policy.js';
import type { IkeSa } from '../sa/api.js';
import type { IkeManager } from './api.js';
import { Core } from './core.js';
import type { IkeCounters, ManagerDeps } from './deps.js';
import { isUsable } from './duplicates.js';
import { Intake } from './intake.js';
import { Operators } from './operators.js';
import { restoreAll } from './restore.js';

/** IKE SAs that are deleted in one slice when all are. */
const CLOSED_AT_ONCE = 64;

type Numbers = Record<IkeCounter, number>;
const hasAll = (numbers: Partial<Numbers>): numbers is Numbers =>
  Object.keys(IKE_COUNTERS).every((name) => name in numbers);

export function createIkeCounters(): IkeCounters {
  const numbers: Partial<Numbers> = Object.fromEntries(
    Object.keys(IKE_COUNTERS).map((name) => [name, 0]),
  );
  if (!hasAll(numbers)) throw new TypeError('a counter without a number');
  return {
    count: (counter) => {
      numbers[counter] += 1;
    },
    read: () => ({ ...numbers }),
  };
}

/** Goes on with the IKE SAs that are in the store, before it returns. */
export function createIkeManager(deps: ManagerDeps): IkeManager {
  const core = new Core(deps);
  const intake = new Intake(core);
  const operators = new Operators(core);
  if (deps.store !== undefined) restoreAll(core, deps.store);
  return {
    setPolicy(policy) {
      setPolicy(core, policy);
    },
    receive(datagram) {
      if (!core.isOver) intake.receive(datagram);
    },
    want({ local, remote, policy }, onChange) {
      const peer = core.peer(local.slice(), remote.slice());
      return peer.want(policy, onChange);
    },
    hurry(local, remote, service) {
      core.peerIfAny(local, remote)?.hurry(service);
    },
    prober: (local, remote, spi) => proberOf(core, local, remote, spi),
    initiate: (selection) => operators.initiate(selection),
    terminate: (selection) => operators.terminate(selection),
    rekey: (selection, what) => operators.rekey(selection, what),
    rows: (after, most) => operators.rows(after, most),
    counters: () => deps.counters.read(),
    stop: (withinMs) => stop(core, withinMs),
    detach() {
      detach(core);
    },
  };
}

function proberOf(
  core: Core,
  local: Uint8Array,
  remote: Uint8Array,
  spi: number,
): ReturnType<IkeManager['prober']> {
  const sas = [...(core.peerIfAny(local, remote)?.sas.keys() ?? [])];
  const sa = sas.find(
    (one) => isUsable(one) && one.children.some(({ outboundSpi }) => outboundSpi === spi),
  );
  if (sa?.open.features.pathProbes !== true) return undefined;
  return (round) => sa.askProbe({ spi, round });
}

function setPolicy(core: Core, policy: IkePolicy): void {
  core.policy = policy;
  const { authenticator } = core.deps;
  for (const peer of core.peers.values()) {
    core.slices.push(() => {
      peer.setPolicy(authenticator.admits({ local: peer.local, remote: peer.remote }).ok);
    });
  }
  // Half open ones are of no peer yet: whoever is still welcome comes again.
  for (const [, entry] of [...core.tables.entries()]) {
    if (entry.kind !== 'opening' || entry.role !== 'responder') continue;
    if (policy.forPeer(entry.remote) === undefined) entry.opening.close();
  }
}

/** Datagrams are taken until the end: they are the answers that it waits for. */
async function stop(core: Core, withinMs: number): Promise<void> {
  const { timers } = core.env;
  core.endPeers();
  const all = [...core.tables.sas()];
  const time = { isUp: false };
  let late = (): void => undefined;
  const deadline = new Promise<void>((resolve) => {
    late = timers.after(withinMs, () => {
      time.isUp = true;
      resolve();
    });
  });
  const closing: Promise<void>[] = [];
  for (let at = 0; at < all.length && !time.isUp; at += CLOSED_AT_ONCE) {
    for (const sa of all.slice(at, at + CLOSED_AT_ONCE)) closing.push(sa.close('shutting down'));
    await new Promise<void>((resolve) => {
      timers.after(0, resolve);
    });
  }
  await Promise.race([Promise.all(closing), deadline]);
  late();
  end(core, (sa) => {
    sa.abandon('shut down', false);
  });
}

function detach(core: Core): void {
  const { saver } = core;
  core.endPeers();
  // What becomes of them here is nothing that the next supervisor should know.
  core.saver = undefined;
  end(core, (sa) => {
    saver?.save(sa);
    sa.abandon('handed over', true);
  });
  saver?.close();
}

function end(core: Core, each: (sa: IkeSa) => void): void {
  core.close();
  for (const sa of [...core.tables.sas()]) each(sa);
  core.saver?.close();
  core.wipe();
}
