// SPDX-License-Identifier: Apache-2.0
/** An IKE SA as others see it: rows for `show`, and what a restarted supervisor goes on with. */
import type { EspSuite } from '../negotiation/types.js';
import type { Suite } from '../crypto/algorithms.js';
import type { ChildRow, IkeSaRow } from '../manager/api.js';
import type { ChildSaState, IkeSaState } from './api.js';
import type { ChildEntry } from './child-entry.js';
import type { Reauthentication } from './reauthentication.js';
import type { WatchHost } from './watch.js';

export interface Seen extends WatchHost {
  readonly phase: string;
  readonly qcdToken: Uint8Array | undefined;
  readonly isPeerBusy: boolean;
}

const bits = (keyBits: number | undefined): string => (keyBits === undefined ? '' : `_${keyBits}`);

const nameOfSuite = (suite: Suite): string =>
  [
    suite.cipher.name + bits(suite.cipher.keyBits),
    ...('integrity' in suite ? [suite.integrity.name] : []),
    suite.prf.name,
  ].join('/');

const nameOfEsp = ({ cipher, integrity, esn }: EspSuite): string =>
  [
    cipher.name + bits(cipher.keyBits),
    ...(integrity === undefined ? [] : [integrity.name]),
    ...(esn ? ['ESN'] : []),
  ].join('/');

export function rowOf(sa: Seen): IkeSaRow {
  const { open, env, phase, limits, reauthenticateAt } = sa;
  const now = env.timers.now();
  /** On the wall clock. */
  const wall = (at: number | undefined): number | undefined =>
    at === undefined ? undefined : env.wallClock() + (at - now) / 1000;
  const { local, remote } = open.channel.path;
  const { identity } = open;
  return {
    ...{ initiatorSpi: open.initiatorSpi, responderSpi: open.responderSpi, role: open.role },
    ...{ state: phase, suite: nameOfSuite(open.suite), keyExchanges: open.keyExchanges },
    ...{ local: local.address, remote: remote.address, localPort: local.port },
    ...{ remotePort: remote.port, sp: identity.sp, authentication: identity.method },
    identity: identity.subject === '' ? identity.anchor : identity.subject,
    ...{ isPpkUsed: open.isPpkUsed, openedAt: open.openedAt },
    ...{ rekeyAt: wall(limits.softAt), reauthAt: wall(reauthenticateAt) },
    lastHeardMs: now - sa.lastAlive,
    children: sa.table.all.map((entry) => childRow(entry, wall)),
  };
}

function childRow(
  { child, phase, limits }: ChildEntry,
  wall: (at: number | undefined) => number | undefined,
): ChildRow {
  const { inboundSpi, outboundSpi, keyExchanges, createdAt, resource } = child;
  return {
    ...{ service: child.policy.service, state: phase, suite: nameOfEsp(child.suite) },
    ...{ inboundSpi, outboundSpi, keyExchanges, createdAt, resource, rekeyAt: wall(limits.softAt) },
  };
}

/** Of an established one. */
export function stateOf(sa: Seen, reauth: Reauthentication): IkeSaState {
  const { open, env, limits, table, own } = sa;
  const now = env.timers.now();
  const left = (at: number | undefined): number | undefined =>
    at === undefined ? undefined : Math.max(0, at - now);
  const isQuiet = (own.running ?? 'liveness') === 'liveness' && !sa.isPeerBusy;
  return {
    open: openState(open, sa),
    skD: Uint8Array.from(open.skD),
    channel: open.channel.state(),
    ownWindow: open.channel.ownWindow,
    children: table.all.map((entry) => childState(entry, left)),
    ...{ rekeyMs: left(limits.softAt), hardMs: left(limits.hardAt) },
    reauthenticateMs: left(reauth.plan?.at),
    reauthenticationReason: reauth.plan?.reason,
    wasReauthenticationAsked: reauth.isAsked,
    unauthenticatedMs: left(reauth.endsAt),
    pending: isQuiet ? (own.running === undefined ? 'nothing' : 'liveness') : 'exchange',
  };
}

function openState(open: Seen['open'], { qcdToken }: Seen): IkeSaState['open'] {
  const { role, initiatorSpi, responderSpi, suite, keyExchanges, identity, features } = open;
  const { openedAt, peerAuthLifetime, isPpkUsed, isInitialContact } = open;
  return {
    ...{ role, initiatorSpi, responderSpi, suite, keyExchanges, identity },
    ...{ openedAt, peerAuthLifetime, isPpkUsed, isInitialContact },
    features: { ...features, qcdToken },
    path: open.channel.path,
  };
}

function childState(
  { child, phase, isActive, limits, successor, ...rest }: ChildEntry,
  left: (at: number | undefined) => number | undefined,
): ChildSaState {
  const { isProven, deleter, isDuplicate, isSaid, isReplacementSaid } = rest;
  return {
    ...{ child, isActive, softMs: left(limits.softAt), hardMs: left(limits.hardAt) },
    phase: phase === 'rekeying' ? 'live' : phase,
    replacedBy: successor?.child.inboundSpi,
    ...{ isProven, deleter, isDuplicate, isSaid, isReplacementSaid },
  };
}
