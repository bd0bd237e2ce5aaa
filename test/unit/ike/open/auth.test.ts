// SPDX-License-Identifier: Apache-2.0
/** IKE_AUTH: the child SA or none, refusals, terms, and closing at any moment. */
import { describe, expect, it } from 'vitest';
import { NOTIFY } from '../../../../src/ike/codec/names/notify.js';
import type { Payload } from '../../../../src/ike/codec/payload.js';
import { notifyOf, numberNotify } from '../../../../src/ike/open/payloads.js';
import { policyOf } from '../sa/plane.js';
import { failed, type HostOptions, opened, setupOf, World } from './bench.js';

const IKE_AUTH = 35;
/** Says other payloads in IKE_AUTH. */
const inAuth =
  (
    change: (payloads: readonly Payload[]) => readonly Payload[],
  ): NonNullable<HostOptions['says']> =>
  (exchange, payloads) =>
    exchange === IKE_AUTH ? change(payloads) : payloads;
const without = (...kinds: Payload['kind'][]) =>
  inAuth((payloads) => payloads.filter(({ kind }) => !kinds.includes(kind)));
const withMore = (...more: Payload[]) => inAuth((payloads) => [...payloads, ...more]);

/** Nothing is left of it in either data plane. */
const nothingLeft = ({ a, b, time }: World): void => {
  expect([a.plane.live, b.plane.live]).toEqual([[], []]);
  expect([a.plane.reserved.size, b.plane.reserved.size]).toEqual([0, 0]);
  expect(time.pending).toBe(0);
};

describe('the child SA of IKE_AUTH', () => {
  it('childless (RFC 6023) when none is asked for', async () => {
    const world = new World();
    const ike = world.a.open({ child: undefined });
    // a --- SK {IDi, AUTH, IDr} --> b and back, without SA, TSi, TSr
    await world.time.pass(0);
    const theirs = opened(world.b.responded[0]);
    expect(opened(ike).skD).toEqual(theirs.skD);
    expect([opened(ike).child, theirs.child]).toEqual([undefined, undefined]);
    expect(opened(ike).childFailure).toBeUndefined();
    expect(opened(ike).features.childless).toBe(true);
    nothingLeft(world);
  });

  it('one is made after all for a responder that must have one', async () => {
    const world = new World(
      {},
      {
        says: (_, payloads) =>
          payloads.filter(
            (each) => each.kind !== 'N' || each.notify !== NOTIFY.CHILDLESS_IKEV2_SUPPORTED,
          ),
      },
    );
    const ike = world.a.open({ child: undefined });
    await world.time.pass(0);
    expect(opened(ike).child?.policy.service).toBe('encrypt/gre');
  });

  it('refused: the IKE SA is up, and both know why', async () => {
    const world = new World({}, { policy: { children: () => [] } });
    const ike = world.a.open();
    // a <-- SK {IDr, AUTH, N(TS_UNACCEPTABLE)} --- b
    await world.time.pass(0);
    const theirs = opened(world.b.responded[0]);
    expect(opened(ike).skD).toEqual(theirs.skD);
    expect(opened(ike)).toMatchObject({
      child: undefined,
      childFailure: { code: 'TS_UNACCEPTABLE', by: 'peer' },
    });
    expect(theirs.childFailure).toMatchObject({ code: 'TS_UNACCEPTABLE', by: 'us' });
    nothingLeft(world);
  });

  it('no common algorithm: NO_PROPOSAL_CHOSEN', async () => {
    const world = new World(
      {},
      {
        policy: {
          children: (local, remote) => [policyOf(local, remote, { proposals: [] })],
        },
      },
    );
    const ike = world.a.open();
    await world.time.pass(0);
    expect(opened(ike).childFailure).toMatchObject({ code: 'NO_PROPOSAL_CHOSEN', by: 'peer' });
    nothingLeft(world);
  });

  it("the responder's data plane has no room: NO_PROPOSAL_CHOSEN, the IKE SA is up", async () => {
    const world = new World();
    world.b.plane.failures = 1;
    const ike = world.a.open();
    await world.time.pass(0);
    expect(opened(ike).childFailure).toMatchObject({ code: 'NO_PROPOSAL_CHOSEN', by: 'peer' });
    expect(opened(world.b.responded[0]).childFailure?.code).toBe('INTERNAL');
    nothingLeft(world);
  });

  it('the initiator has too many child SAs at the responder: NO_ADDITIONAL_SAS, the IKE SA is up', async () => {
    const world = new World();
    Object.assign(world.b.plane, { failures: 1, failureCode: 'BUSY' });
    const ike = world.a.open();
    await world.time.pass(0);
    expect(opened(ike).childFailure).toMatchObject({ code: 'NO_ADDITIONAL_SAS', by: 'peer' });
    expect(opened(world.b.responded[0]).childFailure?.code).toBe('BUSY');
    expect(world.b.counted()).toMatchObject({ child_sas_limited: 1 });
    nothingLeft(world);
  });

  it("the initiator's data plane has no room: the responder is told to delete", async () => {
    const world = new World();
    world.a.plane.failures = 1;
    const ike = world.a.open();
    await world.time.pass(0);
    expect(opened(ike)).toMatchObject({ child: undefined, childFailure: { code: 'INTERNAL' } });
    const [told] = world.b.requests;
    if (told?.fault !== undefined) throw new Error();
    const spi = opened(world.b.responded[0]).child?.outboundSpi;
    expect(told?.message.payloads).toEqual([{ kind: 'D', protocol: 3, spis: [spi] }]);
  });

  it('takes packets at the responder before its answer leaves, and leaves sending to its owner', async () => {
    const world = new World();
    const { plane } = world.b;
    const seen: string[] = [];
    world.tamper = (carried, n) => {
      if (n === 3) seen.push(`installed ${plane.inbound.size}, active ${plane.active.size}`);
      return [carried];
    };
    world.a.open();
    await world.time.pass(0);
    expect(seen).toEqual(['installed 1, active 0']);
    expect(plane.active.size).toBe(0);
    expect(world.a.plane.active.size).toBe(1);
  });
});

describe('who does not prove itself', () => {
  it('the initiator has another key: AUTHENTICATION_FAILED, and nothing is left', async () => {
    const world = new World({ setup: setupOf('another') }, { setup: setupOf('one secret') });
    const ike = world.a.open();
    // a <-- SK {N(AUTHENTICATION_FAILED)} --- b
    await world.time.pass(0);
    expect(failed(ike)).toMatchObject({ code: 'AUTHENTICATION_FAILED', by: 'peer' });
    expect(world.a.counted()).toEqual({ peer_refused_us: 1 });
    expect(world.b.counted()).toEqual({ auth_failed: 1 });
    await world.time.pass(1500);
    expect(failed(world.b.responded[0])).toMatchObject({ code: 'AUTHENTICATION_FAILED', by: 'us' });
    nothingLeft(world);
  });

  it('its refusal is sent again when it was lost', async () => {
    const world = new World({ setup: setupOf('another') });
    world.tamper = (carried, n) => (n === 3 ? [] : [carried]);
    const ike = world.a.open();
    await world.time.pass(600);
    expect(failed(ike)).toMatchObject({ code: 'AUTHENTICATION_FAILED', by: 'peer' });
    expect(world.b.counted()).toEqual({ auth_failed: 1, rx_retransmitted: 1 });
  });

  it('the responder has another key: it is told in an INFORMATIONAL (RFC 7296 §2.21.2)', async () => {
    const spoil = inAuth((payloads) =>
      payloads.map((each) =>
        each.kind === 'AUTH' ? { ...each, data: each.data.map((octet) => octet ^ 1) } : each,
      ),
    );
    const world = new World({}, { says: spoil });
    const ike = world.a.open();
    // a --- IKE_AUTH --> b and back;  a --- INFORMATIONAL SK {N(AUTHENTICATION_FAILED)} --> b and back
    await world.time.pass(0);
    expect(failed(ike)).toMatchObject({ code: 'AUTHENTICATION_FAILED', by: 'us' });
    expect(world.a.counted()).toEqual({ auth_failed: 1 });
    const [told] = world.b.requests;
    if (told?.fault !== undefined) throw new Error();
    expect(told?.message.payloads).toMatchObject([{ notify: NOTIFY.AUTHENTICATION_FAILED }]);
    expect([world.a.plane.live, world.a.plane.reserved.size, world.time.pending]).toEqual([
      [],
      0,
      0,
    ]);
  });

  it('it is not waited for for long when it does not answer that', async () => {
    const world = new World({}, { says: without('AUTH') });
    world.tamper = (carried, n) => (n < 4 ? [carried] : []);
    const ike = world.a.open();
    await world.time.pass(1499);
    expect(ike.outcome).toBeUndefined();
    await world.time.pass(1);
    expect(failed(ike)).toMatchObject({ code: 'AUTHENTICATION_FAILED', by: 'us' });
    expect(world.time.pending).toBe(0);
  });

  it('EAP, an IKE_AUTH without AUTH, is refused', async () => {
    const world = new World({ says: without('AUTH') });
    const ike = world.a.open();
    await world.time.pass(0);
    expect(failed(ike)).toMatchObject({ code: 'AUTHENTICATION_FAILED', by: 'peer' });
    expect(world.b.counted()).toEqual({ auth_method_refused: 1 });
  });

  it('a responder that wants EAP is refused', async () => {
    const eap: Payload = { kind: 'EAP', data: Uint8Array.of(1, 1, 0, 5, 1) };
    const world = new World(
      {},
      { says: inAuth((payloads) => [...payloads.filter(({ kind }) => kind !== 'AUTH'), eap]) },
    );
    const ike = world.a.open();
    await world.time.pass(0);
    expect(failed(ike)).toMatchObject({ code: 'AUTHENTICATION_FAILED', by: 'us' });
    expect(world.a.counted()).toEqual({ auth_method_refused: 1 });
  });

  it.each([
    ['another address', [1, Uint8Array.of(192, 0, 2, 77)] as const],
    ['a name', [2, Buffer.from('pe2.example.net')] as const],
  ])('an initiator that wants to talk to %s is refused', async (_name, [idType, data]) => {
    const world = new World({
      says: inAuth((payloads) =>
        payloads.map((each) => (each.kind === 'IDr' ? { ...each, idType, data } : each)),
      ),
    });
    const ike = world.a.open();
    await world.time.pass(0);
    expect(failed(ike)).toMatchObject({ code: 'AUTHENTICATION_FAILED', by: 'peer' });
    expect(world.b.counted()).toMatchObject({ auth_identity_refused: 1 });
  });

  it('an address that is in no SP’s range is not even asked', async () => {
    const world = new World({ setup: { sps: [], credentials: [] } });
    const ike = world.a.open();
    await world.time.pass(0);
    expect(failed(ike)).toMatchObject({ code: 'POLICY', by: 'us' });
    expect(world.wire).toHaveLength(0);
  });

  it('REDIRECT instead of a child SA ends it with a Delete (RFC 5685)', async () => {
    const redirect = notifyOf(NOTIFY.REDIRECT, Uint8Array.of(1, 4, 192, 0, 2, 9));
    const world = new World({}, { says: withMore(redirect) });
    const ike = world.a.open();
    await world.time.pass(0);
    expect(failed(ike)).toMatchObject({ code: 'REDIRECT', by: 'peer' });
    expect(world.a.counted()).toEqual({ redirect_refused: 1 });
    const [told] = world.b.requests;
    if (told?.fault !== undefined) throw new Error();
    expect(told?.message.payloads).toEqual([{ kind: 'D', protocol: 1, spis: [] }]);
  });
});

describe('payloads that nobody knows', () => {
  const unknown = (critical: boolean): Payload => ({
    ...{ kind: 'unknown', type: 201, critical, data: Uint8Array.of(1) },
  });

  it('are skipped when they are not critical, and so is CP', async () => {
    const cp: Payload = { kind: 'CP', cfgType: 1, attributes: [] };
    const more = [unknown(false), notifyOf(50_000), cp];
    const world = new World({ says: withMore(...more) }, { says: withMore(unknown(false)) });
    const ike = world.a.open();
    await world.time.pass(0);
    expect(opened(ike).child).toBeDefined();
  });

  it('of a request, critical: UNSUPPORTED_CRITICAL_PAYLOAD', async () => {
    const world = new World({ says: withMore(unknown(true)) });
    const ike = world.a.open();
    await world.time.pass(2000);
    expect(failed(ike)).toMatchObject({ code: 'UNSUPPORTED_CRITICAL_PAYLOAD', by: 'peer' });
    expect(failed(world.b.responded[0])).toMatchObject({
      code: 'UNSUPPORTED_CRITICAL_PAYLOAD',
      by: 'us',
    });
    nothingLeft(world);
  });

  it('of a response, critical: it is not open', async () => {
    const world = new World({}, { says: withMore(unknown(true)) });
    const ike = world.a.open();
    await world.time.pass(2000);
    expect(failed(ike)).toMatchObject({ code: 'UNSUPPORTED_CRITICAL_PAYLOAD', by: 'us' });
    expect([world.a.plane.live, world.a.plane.reserved.size]).toEqual([[], 0]);
  });
});

describe('terms', () => {
  it('windows, tokens, initial contact', async () => {
    const world = new World({ policy: { window: 4 } }, { policy: { window: 300 } });
    const ike = world.a.open({ initialContact: () => true });
    await world.time.pass(0);
    const [ours, theirs] = [opened(ike), opened(world.b.responded[0])];
    expect([ours.isInitialContact, theirs.isInitialContact]).toEqual([false, true]);
    expect([ours.features.window, theirs.features.window]).toEqual([256, 4]);
    expect([ours.channel.peerWindow, ours.channel.ownWindow]).toEqual([256, 4]);
    expect([theirs.channel.peerWindow, theirs.channel.ownWindow]).toEqual([4, 300]);
    expect(Buffer.from(ours.features.qcdToken ?? []).toString()).toMatch(/^b token of/);
    expect(Buffer.from(theirs.features.qcdToken ?? []).toString()).toMatch(/^a token of/);
  });

  it('a window of 0 and a token of the wrong size are not believed', async () => {
    const says = inAuth((payloads) => [
      ...payloads.filter(
        (each) => each.kind !== 'N' || each.notify !== NOTIFY.QUICK_CRASH_DETECTION,
      ),
      numberNotify(NOTIFY.SET_WINDOW_SIZE, 0),
      notifyOf(NOTIFY.QUICK_CRASH_DETECTION, new Uint8Array(15)),
    ]);
    const world = new World({}, { says });
    const ike = world.a.open();
    await world.time.pass(0);
    expect(opened(ike).features).toMatchObject({ window: 1, qcdToken: undefined });
  });

  it('AUTH_LIFETIME (RFC 4478) is said by the responder', async () => {
    const world = new World({ policy: { reauthSeconds: 60 } }, { policy: { reauthSeconds: 3600 } });
    const ike = world.a.open();
    await world.time.pass(0);
    expect(opened(ike).peerAuthLifetime).toBe(3600);
    expect(opened(world.b.responded[0]).peerAuthLifetime).toBeUndefined();
  });
});
