// SPDX-License-Identifier: Apache-2.0
/** Agreeing on a child SA: both sides in one process, and what either must refuse. */
import { randomBytes } from 'node:crypto';
import { beforeEach, describe, expect, it } from 'vitest';
import { createChildAgreement } from '../../../../src/ike/child/agreement.js';
import type { AgreedChild, BringUp, ChildAnswer } from '../../../../src/ike/child/api.js';
import type { ChildInstall, ChildPolicy, ChildSink } from '../../../../src/ike/child/types.js';
import { VPN_ID_NOTIFY } from '../../../../src/ike/child/vpn-id.js';
import { NOTIFY } from '../../../../src/ike/codec/names/notify.js';
import type { Payload, PayloadOf } from '../../../../src/ike/codec/payload.js';
import { INTEGRITY, PRFS } from '../../../../src/ike/crypto/algorithms.js';
import { ESP_CIPHERS } from '../../../../src/ike/negotiation/esp-ciphers.js';
import { bad, type Outcome } from '../../../../src/ike/types.js';
import { Bench } from '../channel/bench.js';
import { ADDRESS, GCM, Plane, policyOf } from '../sa/plane.js';

const bench = new Bench();
const { env } = bench.initiator;
const agreement = createChildAgreement(env);
const PFS = { ...GCM, ke: [31, 19] as const };
const VPN = { application: 1, vpnId: new Uint8Array(7) };
const [ours, theirs] = [policyOf(ADDRESS.a, ADDRESS.b), policyOf(ADDRESS.b, ADDRESS.a)];
const policies = (more: Parameters<typeof policyOf>[2]): [ChildPolicy, ChildPolicy] => [
  policyOf(ADDRESS.a, ADDRESS.b, more),
  policyOf(ADDRESS.b, ADDRESS.a, more),
];

let planes: { a: Plane; b: Plane };
beforeEach(() => {
  planes = { a: new Plane(bench.time, 0x1000), b: new Plane(bench.time, 0x2000) };
});

const value = <T>(outcome: Outcome<T>): T => {
  if (!outcome.ok) throw new Error(`${outcome.failure.code}: ${outcome.failure.reason}`);
  return outcome.value;
};
const codeOf = (outcome: Outcome<unknown>): string => (outcome.ok ? 'ok' : outcome.failure.code);

const notifies = (payloads: readonly Payload[]): number[] =>
  payloads.flatMap((payload) => (payload.kind === 'N' ? [payload.notify] : []));
const without = (payloads: readonly Payload[], type: number): Payload[] =>
  payloads.filter((payload) => payload.kind !== 'N' || payload.notify !== type);
const ke = (method: number): PayloadOf<'KE'> => ({ kind: 'KE', method, data: new Uint8Array(32) });

/** A offers, B answers, A concludes. */
function agree(
  [a, b]: readonly [ChildPolicy, ChildPolicy],
  withKe = false,
  vpnId = false,
  resource = 0,
): { a: AgreedChild; b: ChildAnswer } {
  const offer = agreement.offer(planes.a, a, withKe, vpnId, resource);
  const answer = value(agreement.answer(planes.b, [b], offer.payloads, { withKe, vpnId }));
  return { a: value(agreement.conclude(offer, answer.payloads, withKe)), b: answer };
}

/** What becomes of A's offer, changed on its way. */
const answered = (
  change: (payloads: readonly Payload[]) => readonly Payload[],
  b: readonly ChildPolicy[],
  { a = ours, withKe = false, vpnId = false, resource = 0, taken = [] as number[] } = {},
): Outcome<ChildAnswer> => {
  const offer = agreement.offer(planes.a, a, withKe, vpnId, resource);
  const how = { withKe, vpnId, taken: () => new Set(taken) };
  return agreement.answer(planes.b, b, change(offer.payloads), how);
};
/** SA_RESOURCE_INFO with other data. */
const saying =
  (data: Uint8Array) =>
  (payloads: readonly Payload[]): Payload[] =>
    payloads.map((p) =>
      p.kind === 'N' && p.notify === NOTIFY.SA_RESOURCE_INFO ? { ...p, data } : p,
    );
/** What becomes of B's answer, changed on its way. */
const concluded = (
  change: (payloads: readonly Payload[]) => readonly Payload[],
  [a, b]: readonly [ChildPolicy, ChildPolicy] = [ours, theirs],
  vpnId = false,
): Outcome<AgreedChild> => {
  const offer = agreement.offer(planes.a, a, false, vpnId, 0);
  const answer = value(agreement.answer(planes.b, [b], offer.payloads, { withKe: false, vpnId }));
  return agreement.conclude(offer, change(answer.payloads), false);
};
const as = (payloads: readonly Payload[]): readonly Payload[] => payloads;

function bringUp(
  sink: ChildSink,
  role: BringUp['role'],
  shared: readonly Uint8Array[] = [],
): BringUp {
  return {
    ...{ env, sink, role, shared, prf: PRFS.sha256, skD: Buffer.alloc(32, 7) },
    nonces: { initiator: Buffer.alloc(32, 1), responder: Buffer.alloc(32, 2) },
    ...{ keyExchanges: [], path: bench.initiator.channel.path, udpEncapsulation: false },
    peer: {
      ...{ address: ADDRESS.b, sp: 'one', method: 'psk', subject: '', anchor: 'psk' },
      validUntil: undefined,
    },
    replaces: undefined,
  };
}

describe('two that agree', () => {
  it('on transport mode, with keys that fit each other', async () => {
    const { a, b } = agree([ours, theirs]);
    // A                                   B
    // USE_TRANSPORT_MODE, SA, TSi, TSr -->
    //                                  <-- the same
    expect(notifies(b.payloads)).toEqual([
      NOTIFY.USE_TRANSPORT_MODE,
      NOTIFY.ESP_TFC_PADDING_NOT_SUPPORTED,
    ]);
    expect(a).toMatchObject({ inboundSpi: 0x1000, outboundSpi: 0x2000, resource: 0 });
    expect(b.agreed).toMatchObject({ inboundSpi: 0x2000, outboundSpi: 0x1000, resource: 0 });
    expect(a.local).toEqual(ours.local);
    expect(b.agreed.remote).toEqual(ours.local);
    const shared = [randomBytes(32)];
    const up = [
      value(await agreement.bringUp(a, bringUp(planes.a, 'initiator', shared))),
      value(await agreement.bringUp(b.agreed, bringUp(planes.b, 'responder', shared))),
    ];
    const [one, other] = [planes.a.inbound.get(0x1000)!, planes.b.inbound.get(0x2000)!];
    expect(one.outboundKeys).toBe(other.inboundKeys);
    expect(one.inboundKeys).toBe(other.outboundKeys);
    expect(one.inboundKeys).not.toBe(one.outboundKeys);
    expect(one.inboundKeys).toHaveLength(2 * (16 + 4));
    expect(up.map(({ isOurs }) => isOurs)).toEqual([true, false]);
    expect(up[0]!.nonces.map((nonce) => nonce[0])).toEqual([1, 2]);
  });

  it('wipes keys when they are installed, and when they are not', async () => {
    for (const works of [true, false]) {
      const { a } = agree([ours, theirs]);
      let seen: ChildInstall | undefined;
      const sink: ChildSink = {
        ...{ allocateSpi: () => 0, releaseSpi: () => undefined, usage: () => undefined },
        ...{ activate: () => Promise.resolve(), remove: () => undefined },
        install: (child) => {
          seen = child;
          expect(child.inboundKeys.encryption.some((octet) => octet !== 0)).toBe(true);
          return Promise.resolve(
            works ? { ok: true, value: undefined } : bad('INTERNAL', 'us', 'no'),
          );
        },
      };
      expect((await agreement.bringUp(a, bringUp(sink, 'initiator'))).ok).toBe(works);
      for (const { encryption } of [seen!.inboundKeys, seen!.outboundKeys]) {
        expect(encryption.every((octet) => octet === 0)).toBe(true);
      }
    }
  });

  it('on HMAC and NULL: the authenticate service', async () => {
    const proposal = {
      ...GCM,
      ciphers: [ESP_CIPHERS.null],
      integrity: [INTEGRITY.sha256],
    };
    const { a } = agree(policies({ proposals: [proposal] }));
    value(await agreement.bringUp(a, bringUp(planes.a, 'initiator')));
    expect(planes.a.inbound.get(0x1000)!.inboundKeys).toHaveLength(2 * 32);
  });

  it('on a resource (RFC 9611), and on an application (docs/ike-vpn-id.md)', () => {
    const { a, b } = agree(policies({ resources: 3, vpn: VPN }), false, true, 2);
    expect([a.resource, b.agreed.resource]).toEqual([2, 2]);
    expect(notifies(b.payloads)).toEqual([
      NOTIFY.USE_TRANSPORT_MODE,
      NOTIFY.ESP_TFC_PADDING_NOT_SUPPORTED,
      NOTIFY.SA_RESOURCE_INFO,
      VPN_ID_NOTIFY,
    ]);
    // To a peer that does not know the notify, the first application goes without it.
    expect(notifies(agree(policies({ vpn: VPN })).b.payloads)).not.toContain(VPN_ID_NOTIFY);
  });
});

describe('a responder refuses', () => {
  it.each([
    [
      'tunnel mode',
      (p: readonly Payload[]) => without(p, NOTIFY.USE_TRANSPORT_MODE),
      'NO_PROPOSAL_CHOSEN',
    ],
    ['no SA', (p: readonly Payload[]) => p.filter(({ kind }) => kind !== 'SA'), 'INVALID_SYNTAX'],
    ['no TSi', (p: readonly Payload[]) => p.filter(({ kind }) => kind !== 'TSi'), 'INVALID_SYNTAX'],
    ['no TSr', (p: readonly Payload[]) => p.filter(({ kind }) => kind !== 'TSr'), 'INVALID_SYNTAX'],
  ])('%s', (_, change, code) => {
    expect(codeOf(answered(change, [theirs]))).toBe(code);
    expect(planes.b.reserved.size).toBe(0);
  });

  it('no more further ones than a peer may make, which are more than we want (RFC 9611)', () => {
    const most = { ...theirs, resources: 1, mostResources: 3 };
    expect(codeOf(answered(as, [most], { resource: 2, taken: [0, 1] }))).toBe('ok');
    const full = answered(as, [most], { resource: 3, taken: [0, 1, 2] });
    expect(codeOf(full)).toBe('TS_MAX_QUEUE');
  });

  it.each([
    ['as said', [0, 0, 0, 2], [0], 2],
    ['as said, of no other', [0, 0, 0, 2], [0, 1, 3], 2],
    ['another, as there is one of that', [0, 0, 0, 2], [0, 2], 1],
    ['another, as 0 is of the first', [0, 0, 0, 0], [0, 1], 2],
    ['another, as we have no such', [0, 0, 0, 9], [0], 1],
    ['any, as nothing is said', [], [0, 1], 2],
    ['any, as it is said in other words', [...new TextEncoder().encode('cpu-0')], [0], 1],
  ])('but takes one whose resource is %s', (_, data, taken, resource) => {
    const most = { ...theirs, resources: 1, mostResources: 4 };
    const change = saying(Uint8Array.from(data));
    const { agreed } = value(answered(change, [most], { resource: 1, taken }));
    expect(agreed.resource).toBe(resource);
  });

  it('what replaces one has its resource, whether the peer says it or not, or says how many we want', () => {
    const offer = agreement.offer(planes.a, ours, true, false, 0);
    const how = { withKe: true, vpnId: false, replaces: 5 };
    const answer = value(agreement.answer(planes.b, [theirs], offer.payloads, how));
    expect(answer.agreed.resource).toBe(5);
    // Who says nothing of resources is told nothing of them.
    expect(notifies(answer.payloads)).not.toContain(NOTIFY.SA_RESOURCE_INFO);
    const numbered = agreement.offer(planes.a, ours, true, false, 5);
    const said = value(agreement.answer(planes.b, [theirs], numbered.payloads, how));
    expect(notifies(said.payloads)).toContain(NOTIFY.SA_RESOURCE_INFO);
  });

  it('other traffic, other algorithms, further resources', () => {
    const gmac = { ...GCM, ciphers: [ESP_CIPHERS['aes-128-gmac']] };
    const [a] = policies({ protocol: 137 });
    expect(codeOf(answered(as, [theirs], { a }))).toBe('TS_UNACCEPTABLE');
    expect(codeOf(answered(as, []))).toBe('TS_UNACCEPTABLE');
    const [, b] = policies({ proposals: [gmac] });
    expect(codeOf(answered(as, [b]))).toBe('NO_PROPOSAL_CHOSEN');
    expect(codeOf(answered(as, [theirs], { resource: 1 }))).toBe('TS_MAX_QUEUE');
    expect(codeOf(answered(saying(new Uint8Array(0)), [theirs], { resource: 1 }))).toBe(
      'TS_MAX_QUEUE',
    );
    expect(planes.b.reserved.size).toBe(0);
  });

  it('an application that is not its own, by docs/ike-vpn-id.md', () => {
    const link = { application: 2, vpnId: Uint8Array.of(0, 0, 1, 0, 0, 0, 9) };
    const other = { ...link, vpnId: Uint8Array.of(0, 0, 1, 0, 0, 0, 8) };
    const [a, b] = policies({ vpn: link });
    const both = { a, vpnId: true };
    expect(codeOf(answered(as, [b], both))).toBe('ok');
    expect(codeOf(answered(as, [{ ...b, vpn: other }], both))).toBe('TS_UNACCEPTABLE');
    expect(codeOf(answered(as, [theirs], both))).toBe('TS_UNACCEPTABLE');
    const cut = (p: readonly Payload[]): readonly Payload[] => without(p, VPN_ID_NOTIFY);
    expect(codeOf(answered(cut, [b], both))).toBe('TS_UNACCEPTABLE');
    // Whoever knows the notify and leaves it out does not mean application 1 either.
    expect(codeOf(answered(cut, [{ ...b, vpn: VPN }], both))).toBe('TS_UNACCEPTABLE');
    expect(codeOf(answered(cut, [{ ...b, vpn: VPN }], { a }))).toBe('ok');
    const twice = (p: readonly Payload[]): readonly Payload[] => [
      ...p,
      ...p.filter((one) => one.kind === 'N'),
    ];
    expect(codeOf(answered(twice, [b], both))).toBe('INVALID_SYNTAX');
  });

  it('another group, saying which one it wants', () => {
    const [a, b] = policies({ proposals: [PFS] });
    const withKe = (...more: Payload[]) =>
      answered((p) => [...p, ...more], [b], { a, withKe: true });
    expect(codeOf(withKe(ke(31)))).toBe('ok');
    for (const outcome of [withKe(ke(19)), withKe()]) {
      expect(outcome).toMatchObject({
        failure: { code: 'INVALID_KE_PAYLOAD', data: Uint8Array.of(0, 31) },
      });
    }
    // Without PFS in the offer, where it is not asked for, a KE payload means nothing.
    expect(codeOf(answered((p) => [...p, ke(19)], [theirs]))).toBe('ok');
  });

  it('takes the first policy that fits', () => {
    const [a, b] = policies({ service: 'second' });
    const outcome = answered(as, [policyOf(ADDRESS.b, ADDRESS.a, { protocol: 137 }), b, theirs], {
      a,
    });
    expect(value(outcome).agreed.policy.service).toBe('second');
  });
});

describe('an initiator refuses', () => {
  it('tunnel mode where it asked for transport mode, and the other way round', () => {
    expect(codeOf(concluded((p) => without(p, NOTIFY.USE_TRANSPORT_MODE)))).toBe('POLICY');
    const both = policies({ mode: 'tunnel' });
    expect(codeOf(concluded(as, both))).toBe('ok');
    const mode: Payload = {
      ...{ kind: 'N', protocol: 0, spi: new Uint8Array(0), data: new Uint8Array(0) },
      notify: NOTIFY.USE_TRANSPORT_MODE,
    };
    expect(codeOf(concluded((p) => [...p, mode], both))).toBe('POLICY');
  });

  it('half an answer, one that was not offered, or for something else', () => {
    for (const kind of ['SA', 'TSi', 'TSr']) {
      expect(codeOf(concluded((p) => p.filter((one) => one.kind !== kind)))).toBe('INVALID_SYNTAX');
    }
    const wide = (p: readonly Payload[]): Payload[] =>
      p.map((one) =>
        one.kind === 'TSr'
          ? {
              ...one,
              selectors: one.selectors.map((ts) => ({ ...ts, ipProtocol: 0 })),
            }
          : one,
      );
    expect(codeOf(concluded(wide))).toBe('TS_UNACCEPTABLE');
    const both = policies({ vpn: VPN });
    expect(codeOf(concluded(as, both, true))).toBe('ok');
    expect(codeOf(concluded((p) => without(p, VPN_ID_NOTIFY), both, true))).toBe('POLICY');
    const link = policies({ vpn: { ...VPN, application: 2 } });
    const offer = agreement.offer(planes.a, link[0], false, false, 0);
    const how = { withKe: false, vpnId: false };
    const answer = value(agreement.answer(planes.b, [theirs], offer.payloads, how));
    expect(codeOf(agreement.conclude(offer, answer.payloads, false))).toBe('POLICY');
  });
});
