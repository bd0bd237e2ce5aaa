// SPDX-License-Identifier: Apache-2.0
/** Going on with the IKE SAs of the supervisor before this one (ADR 13). */
import { formatAddress } from '../../lib/ip.js';
import { wipe } from '../crypto/secret.js';
import type { IkeSaState } from '../sa/api.js';
import type { Core } from './core.js';
import { isAllowed } from './allowed.js';
import { decodeKept, type Remains, type SaStore, wipeState } from './persist.js';
import { ownSpiOf } from './tables.js';

/** How long a child SA of an IKE SA that could not be gone on with stays without another one, at most. */
const ORPHAN_MOST_MS = 600_000;

/** What arrives for a child SA that no IKE SA has any more is taken for so long. */
const GRACE_MS = 30_000;

/** Before the first datagram is taken: an SPI that is not restored yet is answered as lost. */
export function restoreAll(core: Core, store: SaStore): void {
  const broken: Remains[] = [];
  const carried = new Set<number>();
  let restored = 0;
  for (const octets of store.load()) {
    const kept = decodeKept(octets, store.epoch);
    wipe(octets);
    if (kept === undefined) continue;
    const { state, remains } = kept;
    core.saver?.found(ownSpiOf(remains.open));
    if (state !== undefined && restoreOne(core, state)) {
      restored++;
      for (const { child } of state.children) carried.add(child.inboundSpi);
    } else broken.push(remains);
    if (state !== undefined) wipeState(state);
  }
  // Whatever one that goes on carries as well needs no successor.
  for (const remains of broken) {
    for (const spi of keepChildren(core, remains)) carried.add(spi);
    core.saver?.remove(ownSpiOf(remains.open));
  }
  core.deps.sink.retain?.(carried, GRACE_MS);
  if (restored + broken.length === 0) return;
  core.env.log.notice('IKE SAs of the supervisor before', { restored, reopened: broken.length });
}

function restoreOne(core: Core, state: IkeSaState): boolean {
  const { local, remote } = state.open.path;
  const policy = core.policyOf(remote.address);
  if (policy === undefined || !isAllowed(policy, state.open)) return false;
  const sa = core.sas.restore(state, policy);
  if (sa === 'reopen') return false;
  // Older than whatever comes now.
  const before = core.env.timers.now() - 1;
  const { role, initiatorSpi } = sa.open;
  const openedBy = role === 'initiator' ? 'us' : 'peer';
  const lineage = {
    openedBy,
    firstSpi: initiatorSpi,
    startedAt: before,
    openedAt: before,
  } as const;
  core.adopt(sa, lineage, sa.open, { local: local.address, remote: remote.address });
  return true;
}

/**
 * The traffic of child SAs goes on until another IKE SA carries it, unless the rules do not allow it any more.
 * Which ones those are.
 */
function keepChildren(core: Core, { open, children }: Remains): number[] {
  const { local, remote } = open.path;
  const policy = core.policyOf(remote.address);
  if (policy?.sp !== open.identity.sp) return [];
  const services = policy.children(local.address, remote.address).map(({ service }) => service);
  const allowed = children.filter(({ child }) => services.includes(child.policy.service));
  const peer = core.peer(local.address, remote.address);
  core.env.log.info('opening an IKE SA anew', { peer: formatAddress(remote.address) });
  return allowed
    .filter(({ child, hardMs }) =>
      peer.adoptOrphan(child, Math.min(hardMs ?? ORPHAN_MOST_MS, ORPHAN_MOST_MS)),
    )
    .map(({ child }) => child.inboundSpi);
}
