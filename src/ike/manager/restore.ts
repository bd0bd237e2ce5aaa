// SPDX-License-Identifier: Apache-2.0
/** Going on with the IKE SAs of the supervisor before this one (ADR 13). */
import { formatAddress } from '../../lib/ip.js';
import { wipe } from '../crypto/secret.js';
import type { IkeSaState } from '../sa/api.js';
import type { Core } from './core.js';
import { isAllowed } from './allowed.js';
import { decodeState, type SaStore } from './persist.js';
import { ownSpiOf } from './tables.js';

/** How long a child SA of an IKE SA that could not be gone on with stays without another one, at most. */
const ORPHAN_MOST_MS = 600_000;

function wipeState({ skD, channel }: IkeSaState): void {
  const { send, receive } = channel.keys;
  wipe(skD, send.encryption, send.integrity, receive.encryption, receive.integrity);
}

/** Before the first datagram is taken: an SPI that is not restored yet is answered as lost. */
export function restoreAll(core: Core, store: SaStore): void {
  const orphaned: IkeSaState[] = [];
  let restored = 0;
  for (const octets of store.load()) {
    const state = decodeState(octets, store.epoch);
    wipe(octets);
    if (state === undefined) continue;
    core.saver?.found(ownSpiOf(state.open));
    if (restoreOne(core, state)) restored++;
    else orphaned.push(state);
  }
  // Whatever one that goes on carries as well needs no successor.
  for (const state of orphaned) {
    keepChildren(core, state);
    core.saver?.remove(ownSpiOf(state.open));
    wipeState(state);
  }
  if (restored + orphaned.length === 0) return;
  core.env.log.notice('IKE SAs of the supervisor before', { restored, reopened: orphaned.length });
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

/** Their traffic goes on until another IKE SA carries it, unless nobody may have it any more. */
function keepChildren(core: Core, { open, children }: IkeSaState): void {
  const { local, remote } = open.path;
  const policy = core.policyOf(remote.address);
  const services = policy?.children(local.address, remote.address).map(({ service }) => service);
  for (const { child, replacedBy, hardMs = ORPHAN_MOST_MS } of children) {
    const isAllowedStill =
      policy?.sp === open.identity.sp && services?.includes(child.policy.service);
    if (replacedBy !== undefined || isAllowedStill !== true) {
      core.deps.sink.remove(child.inboundSpi, 0);
      continue;
    }
    const peer = core.peer(local.address, remote.address);
    peer.adoptOrphan(child, Math.max(0, Math.min(hardMs, ORPHAN_MOST_MS)));
  }
  core.env.log.notice('an IKE SA that cannot be gone on with', {
    peer: formatAddress(remote.address),
  });
}
