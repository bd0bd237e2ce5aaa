// SPDX-License-Identifier: Apache-2.0
/** Going on with the IKE SAs of the supervisor before this one (ADR 13). */
import { formatAddress } from '../../lib/ip.js';
import { wipe } from '../crypto/secret.js';
import type { IkeSaState } from '../sa/api.js';
import type { Core } from './core.js';
import { isAllowed } from './allowed.js';
import type { Lineage } from './duplicates.js';
import { decodeKept, type Remains, type SaStore, wipeState } from './persist.js';
import { ownSpiOf } from './tables.js';

/** How long a child SA of an IKE SA that could not be gone on with stays without another one, at most. */
const ORPHAN_MOST_MS = 600_000;

/** Before the first datagram is taken: an SPI that is not restored yet is answered as lost. */
export function restoreAll(core: Core, store: SaStore): void {
  const broken: Remains[] = [];
  let restored = 0;
  // Older than whatever comes now.
  const before = core.env.timers.now() - 1;
  for (const octets of store.load()) {
    const kept = decodeKept(octets, store.epoch);
    wipe(octets);
    if (kept === undefined) continue;
    const { state, remains } = kept;
    core.saver?.found(ownSpiOf(remains.open));
    if (state !== undefined && restoreOne(core, state, kept.lineage, before)) restored++;
    else broken.push(remains);
    if (state !== undefined) wipeState(state);
  }
  // Whatever one that goes on carries as well needs no successor.
  for (const remains of broken) {
    keepChildren(core, remains);
    core.saver?.remove(ownSpiOf(remains.open));
  }
  if (restored + broken.length === 0) return;
  core.env.log.notice('IKE SAs of the supervisor before', { restored, reopened: broken.length });
}

function restoreOne(
  core: Core,
  state: IkeSaState,
  lineage: Lineage | undefined,
  before: number,
): boolean {
  const { local, remote } = state.open.path;
  const policy = core.policyOf(remote.address);
  if (policy === undefined || !isAllowed(policy, state.open)) return false;
  const sa = core.sas.restore(state, policy);
  if (sa === 'reopen') return false;
  // Which of two stays is judged as it was before, and as the peer judges it.
  const { role, initiatorSpi } = sa.open;
  const openedBy = role === 'initiator' ? 'us' : 'peer';
  core.adopt(
    sa,
    {
      ...(lineage ?? { openedBy, firstSpi: initiatorSpi }),
      startedAt: Math.min(lineage?.startedAt ?? before, before),
      openedAt: Math.min(lineage?.openedAt ?? before, before),
    },
    { local: local.address, remote: remote.address },
  );
  for (const { child } of state.children) {
    const isThere = core.deps.sink.adopt?.(child.inboundSpi) ?? true;
    // Replaced, so that the peer sends by one that we can read.
    if (!isThere) void sa.rekeyChild(child.inboundSpi);
  }
  return true;
}

/** The traffic of child SAs goes on until another IKE SA carries it, unless the rules do not allow it any more. */
function keepChildren(core: Core, { open, children }: Remains): void {
  const { local, remote } = open.path;
  const policy = core.policyOf(remote.address);
  if (policy?.sp !== open.identity.sp) return;
  const services = policy.children(local.address, remote.address).map(({ service }) => service);
  const peer = core.peer(local.address, remote.address);
  core.env.log.info('opening an IKE SA anew', { peer: formatAddress(remote.address) });
  for (const { child, hardMs = ORPHAN_MOST_MS } of children) {
    if (services.includes(child.policy.service)) {
      peer.adoptOrphan(child, Math.min(hardMs, ORPHAN_MOST_MS));
    }
  }
}
