// SPDX-License-Identifier: Apache-2.0
/**
 * The restarting speaker of RFC 4724 §4.1, sans-I/O: when route selection may begin after the supervisor
 * was started on tables that forward already. Until then nothing is told to neighbours, who keep what they
 * had of us, and the rows of before stay in use.
 *
 *   held ──End-of-RIB from all, or time is up──► selected ──decided and told──► done: rows of before go
 *
 * A neighbour that says it has restarted itself may wait for us, so that selection does not wait for it; but rows of
 * before do, until its End-of-RIB or the same limit. (FRR says so for minutes after its start, restarted or not.)
 *
 * Routes may have been told with another protection meanwhile (policy-model 24). Tunnels are made as routes come, so
 * that selection waits for their SAs as well, for a while: the rows of before forward until there is another way.
 *
 * The families of one address family wait together: what a CE says becomes a VPN route and the other way
 * round, so that one without the other would be the partial set that is to be avoided. Route target
 * memberships never wait: they are ours alone, and neighbours wait for them before they send VPN routes.
 */
import { FAMILY_IDS, familyBit, familyName, familySet } from '../../bgp/codec/families.js';
import { FAMILY, type FamilySet } from '../../bgp/codec/types.js';
import type { Peer } from '../../bgp/rib/peers.js';
import type { Neighbour } from './neighbours.js';

export type IpVersion = 4 | 6;

/** What waits together. */
const MEMBERS: Readonly<Record<IpVersion, FamilySet>> = {
  4: familyBit(FAMILY.ipv4Unicast) | familyBit(FAMILY.vpnv4) | familyBit(FAMILY.ipv4Labelled),
  6: familyBit(FAMILY.ipv6Unicast) | familyBit(FAMILY.vpnv6) | familyBit(FAMILY.ipv6Labelled),
};
export const DEFERRED: FamilySet = MEMBERS[4] | MEMBERS[6];
const VERSIONS = [4, 6] as const;

/** Without deferral: how long rows of before wait for their neighbours at most, ms. */
const STALE_MS = 120_000;

/** How long selection waits at most for the SAs of tunnels that routes now lead to, ms. */
export const TUNNELS_MS = 10_000;

/** A neighbour as far as it is waited for. */
export interface Awaited {
  readonly up: boolean;
  /**
   * While up: families whose End-of-RIB it will send and has not sent; none for one that does not speak
   * graceful restart or has restarted itself, which waits for us. While down: its configured families.
   */
  readonly missing: FamilySet;
  /** The same of one that has restarted itself: selection does not wait for these, rows of before do. */
  readonly later?: FamilySet;
  /** How long it keeps our routes, ms from our start: who is not back by then is not waited for. */
  readonly returnMs: number;
}

/** Longest that a neighbour keeps our routes while we are away, s; see resolveNeighbor. */
const RESTART_TIME = 120;

/** The neighbours that are waited for, `configured` by name; those out of prefixes only while they are there. */
export function awaited(
  configured: ReadonlyMap<string, Pick<Neighbour, 'session'>>,
  peers: readonly (Peer | undefined)[],
): Awaited[] {
  const up = peers.flatMap((peer) => (peer?.up === true ? [peer] : []));
  const present = new Set(up.map(({ info }) => info.configured));
  const found: Awaited[] = up.map(({ info, endOfRib }) => ({
    ...{ up: true, returnMs: 0 },
    missing: info.awaitEndOfRib & ~endOfRib,
    ...(info.laterEndOfRib !== undefined && { later: info.laterEndOfRib & ~endOfRib }),
  }));
  for (const [name, { session }] of configured) {
    const { gracefulRestart = {}, shutdown = false, families = {} } = session;
    const expected = session.address !== undefined && shutdown === false;
    if (!expected || gracefulRestart === false || present.has(name)) continue;
    const missing = FAMILY_IDS.filter((id) => families[familyName(id)] !== undefined);
    const { restartTime = RESTART_TIME } = gracefulRestart;
    const returnMs = 1000 * restartTime;
    found.push({ up: false, returnMs, missing: familySet(missing) });
  }
  return found;
}

/** Families whose routes come with labels of ours that lead into VRFs. */
const WITH_LABELS = familyBit(FAMILY.vpnv4) | familyBit(FAMILY.vpnv6);

/**
 * Whether somebody away may still send by what an earlier session told it, and has not heard what is told now
 * (RFC 4724 §4.2: it keeps our routes as stale ones and forwards by them).
 */
export const goesByOldRoutes = (neighbours: readonly Awaited[]): boolean =>
  neighbours.some(({ up, missing }) => !up && (missing & WITH_LABELS) !== 0);

type Phase = 'held' | 'selected' | 'done';

/** What to do now. */
export interface RestartStep {
  /** Selection of these begins. */
  readonly select: FamilySet;
  /** The rows of before go. */
  readonly sweep: readonly IpVersion[];
}

export class Restart {
  readonly #startedAt: number;
  readonly #deferMs: number;
  readonly #phases: Record<IpVersion, Phase> = { 4: 'held', 6: 'held' };
  /** Since when nobody is waited for any more. */
  readonly #heardAt: Partial<Record<IpVersion, number>> = {};

  /** @param deferMs Selection_Deferral_Timer; 0: selection does not wait, only the rows of before do */
  constructor(now: number, deferMs: number) {
    this.#startedAt = now;
    this.#deferMs = deferMs;
  }

  get over(): boolean {
    return VERSIONS.every((version) => this.#phases[version] === 'done');
  }

  /**
   * @param selecting families whose selection has not come to its end yet, see Rib.selecting
   * @param pending tunnels that routes lead to have no SA yet
   */
  step(
    now: number,
    neighbours: readonly Awaited[],
    selecting: FamilySet,
    pending = false,
  ): RestartStep {
    const passed = now - this.#startedAt;
    const late = passed >= (this.#deferMs === 0 ? STALE_MS : this.#deferMs);
    let select: FamilySet = 0;
    const sweep: IpVersion[] = [];
    for (const version of VERSIONS) {
      const members = MEMBERS[version];
      const heard = late || neighbours.every((each) => hasSaidAll(each, members, passed));
      const phase = this.#phases[version];
      const begins = heard && (late || this.#isReady(version, now, pending));
      if (phase === 'held' && (begins || this.#deferMs === 0)) {
        this.#phases[version] = 'selected';
        select |= members;
      } else if (
        phase === 'selected' &&
        (selecting & members) === 0 &&
        (heard || this.#deferMs !== 0) &&
        (late || neighbours.every(({ later = 0 }) => (later & members) === 0))
      ) {
        this.#phases[version] = 'done';
        sweep.push(version);
      }
    }
    return { select, sweep };
  }

  #isReady(version: IpVersion, now: number, pending: boolean): boolean {
    const since = (this.#heardAt[version] ??= now);
    return !pending || now - since >= TUNNELS_MS;
  }
}

function hasSaidAll(
  { up, missing, returnMs }: Awaited,
  families: FamilySet,
  passed: number,
): boolean {
  return (missing & families) === 0 || (!up && passed >= returnMs);
}
