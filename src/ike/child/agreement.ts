// SPDX-License-Identifier: Apache-2.0
/**
 * ChildAgreement: what is said about a child SA in IKE_AUTH and CREATE_CHILD_SA, and what follows from it.
 *
 * Never used, whatever a peer says: IP compression (RFC 3173) and NON_FIRST_FRAGMENTS_ALSO (RFC 7296 §2.24.1 wants
 * both sides to agree); TFC padding (RFC 7296 §1.3.1) is not removed here, which is announced.
 */
import { u32 } from '../../lib/octets.js';
import { isFault } from '../codec/fault.js';
import { NOTIFY } from '../codec/names/notify.js';
import type { Payload, PayloadOf } from '../codec/payload.js';
import type { KeMethodId } from '../crypto/algorithms.js';
import {
  answerEsp,
  chooseEsp,
  concludeEsp,
  type EspChoice,
  offerEsp,
} from '../negotiation/esp-proposals.js';
import {
  concludePair,
  fromTrafficSelectors,
  narrowPair,
  type SelectorPair,
  toTrafficSelectors,
} from '../negotiation/selectors.js';
import { bad, good, type IkeEnvironment, type IkeFailure, type Outcome } from '../types.js';
import type { AgreedChild, Answering, ChildAgreement, ChildAnswer, ChildOffer } from './api.js';
import { bringUpChild } from './bring-up.js';
import type { ChildPolicy, ChildSink, VpnId } from './types.js';
import { findVpnId, isSameVpn, VPN_APPLICATION, VPN_ID_NOTIFY, vpnIdPayload } from './vpn-id.js';

const NOTHING = new Uint8Array(0);

const notify = (type: number, data: Uint8Array = NOTHING): PayloadOf<'N'> => ({
  kind: 'N',
  protocol: 0,
  spi: NOTHING,
  notify: type,
  data,
});

const findNotify = (payloads: readonly Payload[], type: number): PayloadOf<'N'> | undefined =>
  payloads.find(
    (payload): payload is PayloadOf<'N'> => payload.kind === 'N' && payload.notify === type,
  );

export function createChildAgreement(env: IkeEnvironment): ChildAgreement {
  return {
    offer,
    conclude: (made, payloads, withKe) => counted(env, conclude(made, payloads, withKe)),
    answer: (sink, policies, payloads, how) => counted(env, answer(sink, policies, payloads, how)),
    bringUp: async (agreed, with_) => counted(env, await bringUpChild(agreed, with_)),
  };
}

/** INVALID_KE_PAYLOAD is no failure: the peer asks again with the group that it is told. */
function counted<T>(env: IkeEnvironment, outcome: Outcome<T>): Outcome<T> {
  if (outcome.ok) return outcome;
  const { code } = outcome.failure;
  if (code === 'NO_PROPOSAL_CHOSEN') env.count('child_no_proposal');
  else if (code === 'TS_UNACCEPTABLE') env.count('child_ts_unacceptable');
  else if (code === 'BUSY') env.count('child_sas_limited');
  else if (code !== 'INVALID_KE_PAYLOAD') env.count('child_failed');
  return outcome;
}

/**
 * RFC 9611 §5.1: one notify per further child SA of the same selectors. Its data are ours to choose; the number of the
 * resource makes both ends speak of the same one. The first child SA, that anything may use, goes without.
 */
function resourceNotify(resource: number): PayloadOf<'N'>[] {
  if (resource === 0) return [];
  const data = new Uint8Array(4);
  new DataView(data.buffer).setUint32(0, resource);
  return [notify(NOTIFY.SA_RESOURCE_INFO, data)];
}

function notifiesOf(
  policy: ChildPolicy,
  vpn: VpnId | undefined,
  resource: number,
): PayloadOf<'N'>[] {
  return [
    ...(policy.mode === 'transport' ? [notify(NOTIFY.USE_TRANSPORT_MODE)] : []),
    notify(NOTIFY.ESP_TFC_PADDING_NOT_SUPPORTED),
    ...resourceNotify(resource),
    ...(vpn === undefined ? [] : [vpnIdPayload(vpn)]),
  ];
}

function offer(
  sink: ChildSink,
  policy: ChildPolicy,
  withKe: boolean,
  vpnId: boolean,
  resource: number,
): ChildOffer {
  const inboundSpi = sink.allocateSpi();
  const payloads: Payload[] = [
    ...notifiesOf(policy, vpnId ? policy.vpn : undefined, resource),
    { kind: 'SA', ...offerEsp(policy.proposals, inboundSpi, withKe) },
    { kind: 'TSi', ...toTrafficSelectors(policy.local) },
    { kind: 'TSr', ...toTrafficSelectors(policy.remote) },
  ];
  return { policy, inboundSpi, payloads };
}

interface Core {
  readonly sa: PayloadOf<'SA'>;
  readonly initiator: PayloadOf<'TSi'>;
  readonly responder: PayloadOf<'TSr'>;
}

/** The payloads without which there is no child SA. */
function coreOf(payloads: readonly Payload[]): Core | undefined {
  const sa = payloads.find((payload) => payload.kind === 'SA');
  const initiator = payloads.find((payload) => payload.kind === 'TSi');
  const responder = payloads.find((payload) => payload.kind === 'TSr');
  if (sa === undefined || initiator === undefined || responder === undefined) return undefined;
  return { sa, initiator, responder };
}

const incomplete = bad('INVALID_SYNTAX', 'us', 'no SA, TSi or TSr payload');

function conclude(
  { policy, inboundSpi, payloads: offered }: ChildOffer,
  payloads: readonly Payload[],
  withKe: boolean,
): Outcome<AgreedChild> {
  const core = coreOf(payloads);
  if (core === undefined) return incomplete;
  const mode = concludeMode(policy, offered, payloads);
  if (mode !== undefined) return { ok: false, failure: mode };
  const chosen = concludeEsp(core.sa, policy.proposals, withKe);
  if (!chosen.ok) return chosen;
  const answered = { local: core.initiator, remote: core.responder };
  const selectors = concludePair(answered, { local: policy.local, remote: policy.remote });
  if (!selectors.ok) return selectors;
  const { local, remote } = selectors.value;
  const resource = resourceOf(offered) ?? 0;
  const outboundSpi = chosen.value.spi;
  return good({
    ...{ policy, inboundSpi, outboundSpi, local, remote, resource },
    chosen: chosen.value,
  });
}

/** RFC 7296 §1.3.1: whoever wanted transport mode and did not get it deletes the child SA. */
function concludeMode(
  policy: ChildPolicy,
  offered: readonly Payload[],
  payloads: readonly Payload[],
): IkeFailure | undefined {
  const isTransport = findNotify(payloads, NOTIFY.USE_TRANSPORT_MODE) !== undefined;
  if (isTransport !== (policy.mode === 'transport')) {
    return bad('POLICY', 'us', `the peer answered in ${isTransport ? 'transport' : 'tunnel'} mode`)
      .failure;
  }
  const answered = findVpnId(payloads);
  if (answered !== undefined && isFault(answered)) {
    return bad('INVALID_SYNTAX', 'us', answered.reason).failure;
  }
  if (findNotify(offered, VPN_ID_NOTIFY) === undefined) {
    return isPlain(policy)
      ? undefined
      : bad('POLICY', 'us', 'the peer knows no VPN-ID notify').failure;
  }
  return isSameVpn(answered, policy.vpn)
    ? undefined
    : bad('POLICY', 'us', 'the peer answered for another application or VPN').failure;
}

/** Follows from its selectors alone (docs/ike-vpn-id.md, Use 4). */
const isPlain = ({ vpn }: ChildPolicy): boolean =>
  vpn === undefined || vpn.application === VPN_APPLICATION.mplsVpn;

/** undefined: SA_RESOURCE_INFO is not there; NaN: it is, and its data are no number of ours (RFC 9611 §5.1: opaque). */
function resourceOf(payloads: readonly Payload[]): number | undefined {
  const info = findNotify(payloads, NOTIFY.SA_RESOURCE_INFO);
  if (info === undefined) return undefined;
  return info.data.length === 4 ? u32(info.data, 0) : Number.NaN;
}

interface Asked extends SelectorPair {
  readonly core: Core;
  readonly isTransport: boolean;
  readonly vpn: VpnId | undefined;
  /** Whether the peer would have sent a VPN-ID. */
  readonly knowsVpnId: boolean;
  /** As of resourceOf(). */
  readonly said: number | undefined;
  /** Resource of what it replaces. */
  readonly replaces: number | undefined;
  readonly taken: (service: string) => ReadonlySet<number>;
  readonly withKe: boolean;
}

const NONE_TAKEN: ReadonlySet<number> = new Set();

/**
 * Which of our resources a child SA is of: a further one is of the one that the peer said, if we have such a one
 * and there is none of it yet, else of the first that is free: others number theirs in their own way. undefined: none is free.
 */
function resourceFor(policy: ChildPolicy, { said, replaces, taken }: Asked): number | undefined {
  // A peer that does not know of resources does not say them at a rekey either.
  if (replaces !== undefined || said === undefined) return replaces ?? 0;
  const has = taken(policy.service);
  const most = policy.mostResources ?? policy.resources;
  const free = Array.from({ length: most - 1 }, (_, i) => i + 1).filter((one) => !has.has(one));
  return free.includes(said) ? said : free[0];
}

function answer(
  sink: ChildSink,
  policies: readonly ChildPolicy[],
  payloads: readonly Payload[],
  { withKe, vpnId: knowsVpnId, replaces, taken = () => NONE_TAKEN }: Answering,
): Outcome<ChildAnswer> {
  const core = coreOf(payloads);
  if (core === undefined) return incomplete;
  const vpn = findVpnId(payloads);
  if (vpn !== undefined && isFault(vpn)) return bad('INVALID_SYNTAX', 'us', vpn.reason);
  const said = resourceOf(payloads);
  const asked: Asked = {
    ...{ core, vpn, knowsVpnId, withKe, said, replaces, taken },
    isTransport: findNotify(payloads, NOTIFY.USE_TRANSPORT_MODE) !== undefined,
    local: fromTrafficSelectors(core.responder),
    remote: fromTrafficSelectors(core.initiator),
  };
  const fitting = choosePolicy(policies, asked);
  if (!fitting.ok) return fitting;
  const { policy, choice, resource, local, remote } = fitting.value;
  const wrongKe = judgeKe(choice.chosen.ke, payloads);
  if (wrongKe !== undefined) return { ok: false, failure: wrongKe };
  const inboundSpi = sink.allocateSpi();
  const { chosen } = choice;
  return good({
    agreed: { policy, inboundSpi, outboundSpi: chosen.spi, chosen, local, remote, resource },
    payloads: [
      ...notifiesOf(
        policy,
        vpn === undefined ? undefined : policy.vpn,
        said === undefined ? 0 : resource,
      ),
      { kind: 'SA', ...answerEsp(choice, inboundSpi) },
      { kind: 'TSi', ...toTrafficSelectors(remote) },
      { kind: 'TSr', ...toTrafficSelectors(local) },
    ],
  });
}

interface Fitting extends SelectorPair {
  readonly policy: ChildPolicy;
  readonly choice: EspChoice;
  readonly resource: number;
}

/** The first policy that fits; else the reason of the one that came closest. */
function choosePolicy(policies: readonly ChildPolicy[], asked: Asked): Outcome<Fitting> {
  let closest = bad('TS_UNACCEPTABLE', 'us', 'no policy for this traffic');
  for (const policy of policies) {
    const fitting = fit(policy, asked);
    if (fitting.ok) return fitting;
    if (fitting.failure.code !== 'TS_UNACCEPTABLE') closest = fitting;
  }
  return closest;
}

function fit(policy: ChildPolicy, asked: Asked): Outcome<Fitting> {
  if (!vpnFits(policy, asked)) return bad('TS_UNACCEPTABLE', 'us', 'another application or VPN');
  const selectors = narrowPair(asked, policy);
  if (!selectors.ok) return selectors;
  if (policy.mode === 'transport' && !asked.isTransport) {
    return bad('NO_PROPOSAL_CHOSEN', 'us', 'tunnel mode offered where transport mode is the rule');
  }
  const resource = resourceFor(policy, asked);
  if (resource === undefined) {
    return bad('TS_MAX_QUEUE', 'us', 'no more child SAs of this kind');
  }
  const choice = chooseEsp(asked.core.sa, policy.proposals, asked.withKe);
  if (!choice.ok) return choice;
  return good({ policy, choice: choice.value, resource, ...selectors.value });
}

function vpnFits(policy: ChildPolicy, { vpn, knowsVpnId }: Asked): boolean {
  if (vpn !== undefined) return isSameVpn(vpn, policy.vpn);
  return knowsVpnId ? policy.vpn === undefined : isPlain(policy);
}

/** RFC 7296 §1.3: the KE payload has to be of the group that was chosen. */
function judgeKe(
  chosen: KeMethodId | undefined,
  payloads: readonly Payload[],
): IkeFailure | undefined {
  if (chosen === undefined) return undefined;
  const sent = payloads.find((payload) => payload.kind === 'KE')?.method;
  if (sent === chosen) return undefined;
  const { failure } = bad('INVALID_KE_PAYLOAD', 'us', `group ${sent ?? 'none'}, not ${chosen}`);
  return { ...failure, data: Uint8Array.of(chosen >> 8, chosen & 0xff) };
}
