// SPDX-License-Identifier: Apache-2.0
/** What is in the exchanges of an IKE SA: groups, additional key exchanges, notifies; and what must be refused. */
import { describe, expect, it } from 'vitest';
import { NOTIFY } from '../../../../src/ike/codec/names/notify.js';
import type { Payload, PayloadOf } from '../../../../src/ike/codec/payload.js';
import type { Answered } from '../../../../src/ike/channel/api.js';
import { type EspProposal, KE_NONE } from '../../../../src/ike/negotiation/types.js';
import { notify, notifyOfChild } from '../../../../src/ike/exchange/notifies.js';
import { IKE, must, type Name, SaBench } from './bench.js';
import { GCM, keyOf, policyOf } from './plane.js';

const PFS: EspProposal = { ...GCM, ke: [31] };
const policy = (proposal: EspProposal, more: Parameters<typeof policyOf>[2] = {}) => ({
  children: (local: Uint8Array, remote: Uint8Array) => [
    policyOf(local, remote, { ...more, proposals: [proposal] }),
  ],
});

/** A request of `side` that no exchange of ours would make. */
async function ask(
  bench: SaBench,
  side: Name,
  exchange: number,
  payloads: readonly Payload[],
): Promise<Answered> {
  const answered = bench[side].sa.open.channel.request(exchange, payloads);
  await bench.time.pass(10);
  return answered;
}

const errors = (answered: Answered): number[] =>
  answered.ok
    ? answered.response.payloads.flatMap((one) => (one.kind === 'N' ? [one.notify] : []))
    : [];

/** What A offers for a child SA, without nonce; the SPI is not given back. */
const offer = (bench: SaBench): readonly Payload[] =>
  bench.a.env.agreement.offer(bench.a.plane, bench.policyOf('a'), true, false, 0).payloads;
const NONCE: PayloadOf<'Nonce'> = { kind: 'Nonce', data: Buffer.alloc(32, 9) };

const keysAgree = ({ a, b }: SaBench): boolean => {
  const [one, other] = [[...a.plane.active.values()][0]!, [...b.plane.active.values()][0]!];
  return one.inboundKeys === other.outboundKeys && one.outboundKeys === other.inboundKeys;
};
/** Exchange types and directions of everything that was sent: "36> 36<". */
const flow = ({ sent }: SaBench): string =>
  sent.map(({ from, octets }) => `${octets[18]}${from === 'a' ? '>' : '<'}`).join(' ');

describe('key exchanges', () => {
  it('a child SA with PFS', async () => {
    const bench = new SaBench({ policy: policy(PFS) });
    const child = await bench.child();
    expect(child.keyExchanges).toEqual(['x25519']);
    expect(keysAgree(bench)).toBe(true);
    expect(flow(bench)).toBe('36> 36<');
  });

  it('the group that the responder wants, if it was offered', async () => {
    const bench = new SaBench({
      policies: {
        a: policy({ ...GCM, ke: [31, 19] }),
        b: policy({ ...GCM, ke: [19] }),
      },
    });
    // A                          B
    // {SA Ni KEi(31) TS}     -->
    //                        <-- {N(INVALID_KE_PAYLOAD)(19)}
    // {SA Ni KEi(19) TS}     -->
    //                        <-- {SA Nr KEr TS}
    const child = await bench.child();
    expect(child.keyExchanges).toEqual(['ecp256']);
    expect(keysAgree(bench)).toBe(true);
    expect(flow(bench)).toBe('36> 36< 36> 36<');
    expect(bench.a.plane.reserved.size).toBe(1);
  });

  it('no group, where one side has none and the other can do without', async () => {
    const bench = new SaBench({
      policies: { a: policy({ ...GCM, ke: [31, KE_NONE] }), b: policy(GCM) },
    });
    expect((await bench.child()).keyExchanges).toEqual([]);
    expect(keysAgree(bench)).toBe(true);
  });

  it('additional ones, by IKE_FOLLOWUP_KE (RFC 9370)', async () => {
    const hybrid: EspProposal = { ...PFS, additional: [[36], [19]] };
    const bench = new SaBench({ policy: policy(hybrid) });
    const { a, b } = bench;
    bench.mode = 'hand';
    const made = a.sa.want(bench.policyOf('a'), 0);
    await bench.rest();
    // A                                     B
    // CREATE_CHILD_SA {SA Ni KEi TS}    -->
    await bench.deliver('a');
    expect(b.rows).toEqual([]);
    //                                   <-- {SA Nr KEr TS N(ADDITIONAL_KEY_EXCHANGE)(link1)}
    await bench.deliver('b');
    // IKE_FOLLOWUP_KE {KEi(1) N(link1)} -->
    await bench.deliver('a');
    expect(b.rows).toEqual([]);
    //                                   <-- {KEr(1) N(link2)}
    await bench.deliver('b');
    // IKE_FOLLOWUP_KE {KEi(2) N(link2)} -->
    await bench.deliver('a');
    expect(b.rows).toEqual(['2000 live']);
    //                                   <-- {KEr(2)}
    await bench.deliver('b');
    expect(a.rows).toEqual(['1000 live']);
    expect(must(await made).keyExchanges).toEqual(['x25519', 'mlkem768', 'ecp256']);
    await bench.time.pass(1000);
    expect(keysAgree(bench)).toBe(true);
    expect(flow(bench)).toBe('36> 36< 44> 44< 44> 44<');
  });

  it('an IKE SA with additional ones; both ends have the same keys', async () => {
    const bench = new SaBench({ policy: { proposals: [{ ...IKE, additional: [[36]] }] } });
    await bench.child();
    const made = bench.a.sa.rekeyIke();
    await bench.time.pass(1000);
    expect(must(await made).open.keyExchanges).toEqual(['x25519', 'mlkem768']);
    expect(bench.a.sa.open.skD).toEqual(bench.b.sa.open.skD);
    const child = bench.b.sa.rekeyChild(0x2000);
    await bench.time.pass(1000);
    expect((await child).ok).toBe(true);
    expect(keysAgree(bench)).toBe(true);
  });

  it('both ends rekey with additional ones at once', async () => {
    const hybrid: EspProposal = { ...PFS, additional: [[19]] };
    for (const seed of [1, 2, 3, 4]) {
      const bench = new SaBench({ seed, policy: policy(hybrid) });
      await bench.child();
      const losses = bench.watchLosses();
      bench.weather = { loss: 0, doubling: 0, delay: 50 };
      const made = [bench.a.sa.rekeyChild(0x1000), bench.b.sa.rekeyChild(0x2000)];
      await bench.time.pass(30_000);
      expect((await Promise.all(made)).map(({ ok }) => ok)).toEqual([true, true]);
      expect([bench.a.rows.length, bench.b.rows.length]).toEqual([1, 1]);
      expect(keysAgree(bench)).toBe(true);
      expect(losses).toEqual([]);
    }
  });

  it('a link of nobody, and one that has waited too long', async () => {
    const hybrid: EspProposal = { ...PFS, additional: [[19]] };
    const bench = new SaBench({ policy: policy(hybrid) });
    const { b } = bench;
    const started = await bench.a.env.crypto.exchanges.start(31);
    const data = started.ok ? started.value.publicData : Buffer.alloc(0);
    const ke: Payload = { kind: 'KE', method: 31, data };
    const link = notify(NOTIFY.ADDITIONAL_KEY_EXCHANGE, Buffer.alloc(16));
    expect(errors(await ask(bench, 'a', 44, [ke, link]))).toEqual([NOTIFY.STATE_NOT_FOUND]);
    const begun = await ask(bench, 'a', 36, [...offer(bench), NONCE, ke]);
    expect(errors(begun)).toContain(NOTIFY.ADDITIONAL_KEY_EXCHANGE);
    expect(b.plane.reserved.size).toBe(1);
    await bench.time.pass(61_000);
    expect(b.plane.reserved.size).toBe(0);
    const late = (begun.ok ? begun.response.payloads : []).find(
      (one): one is PayloadOf<'N'> =>
        one.kind === 'N' && one.notify === NOTIFY.ADDITIONAL_KEY_EXCHANGE,
    );
    expect(errors(await ask(bench, 'a', 44, [ke, late!]))).toEqual([NOTIFY.STATE_NOT_FOUND]);
    // No more than a few wait.
    const codes: number[][] = [];
    for (let i = 0; i < 3; i++) {
      codes.push(errors(await ask(bench, 'a', 36, [...offer(bench), NONCE, ke])));
    }
    expect(codes[2]).toEqual([NOTIFY.TEMPORARY_FAILURE]);
    expect(b.plane.reserved.size).toBe(2);
  });

  it('a public value that must not be used ends the IKE SA (RFC 7296 §2.21.3)', async () => {
    const bench = new SaBench({ policy: policy(PFS) });
    const ke: Payload = { kind: 'KE', method: 31, data: new Uint8Array(32) };
    const answer = await ask(bench, 'a', 36, [...offer(bench), NONCE, ke]);
    expect(errors(answer)).toEqual([NOTIFY.INVALID_SYNTAX]);
    expect(bench.b.count('ke_refused')).toBe(1);
    expect(bench.b.told).toEqual(['closed INVALID_SYNTAX']);
    expect(bench.b.plane.reserved.size).toBe(0);
  });
});

describe('what is refused', () => {
  it('a child SA that no policy is for, and the others go on', async () => {
    const bench = new SaBench({ children: [{ service: 'other', protocol: 137 }] });
    await bench.child();
    const b = bench.b.sa;
    b.setPolicy({ ...b.open.policy, children: () => [bench.policyOf('b')] });
    const made = bench.a.sa.want(bench.policyOf('a', 1), 0);
    await bench.time.pass(1000);
    expect(await made).toMatchObject({ failure: { code: 'TS_UNACCEPTABLE', by: 'peer' } });
    expect([bench.a.rows, bench.b.rows]).toEqual([['1000 live'], ['2000 live']]);
    expect(bench.a.plane.reserved.size).toBe(1);
    expect(bench.b.count('child_ts_unacceptable')).toBe(1);
  });

  it('an answer in tunnel mode: deleted at the peer', async () => {
    const bench = new SaBench({ policies: { b: policy(GCM, { mode: 'tunnel' }) } });
    // A                                  B
    // {N(USE_TRANSPORT_MODE) SA Ni TS} -->
    //                                  <-- {SA Nr TS}
    // INFORMATIONAL {D}                -->
    //                                  <-- {D}
    const made = bench.a.sa.want(bench.policyOf('a'), 0);
    await bench.time.pass(1000);
    expect(await made).toMatchObject({ failure: { code: 'POLICY', by: 'us' } });
    expect(flow(bench)).toBe('36> 36< 37> 37<');
    await bench.time.pass(10_000);
    for (const { rows, plane } of [bench.a, bench.b]) {
      expect([rows.length, plane.inbound.size, plane.reserved.size]).toEqual([0, 0, 0]);
    }
  });

  it('a child SA for which there is no room in the data plane', async () => {
    const bench = new SaBench();
    bench.b.plane.failures = 1;
    const made = bench.a.sa.want(bench.policyOf('a'), 0);
    await bench.time.pass(10);
    expect(bench.b.plane.reserved.size).toBe(0);
    await bench.time.pass(10_000); // it passes: asked again
    expect((await made).ok).toBe(true);
    bench.a.plane.failures = 1;
    const again = bench.a.sa.rekeyChild(0x1001);
    await bench.time.pass(1000);
    expect(await again).toMatchObject({ failure: { code: 'INTERNAL' } });
    expect([bench.a.rows, bench.b.rows]).toEqual([['1001 live'], ['2001 live']]);
    expect(bench.losses).toEqual([]);
  });

  it('a peer with too many child SAs in the data plane: no further ones, and what it has is rekeyed later', async () => {
    const bench = new SaBench();
    await bench.child();
    Object.assign(bench.b.plane, { failures: 1, failureCode: 'BUSY' });
    const answered = ask(bench, 'a', 36, [...offer(bench), NONCE]);
    expect(errors(await answered)).toEqual([NOTIFY.NO_ADDITIONAL_SAS]);
    bench.b.plane.failures = 1;
    const again = bench.a.sa.rekeyChild(0x1000);
    await bench.time.pass(100);
    // CREATE_CHILD_SA {N(REKEY_SA) SA Ni TS} -->
    //                                        <-- {N(TEMPORARY_FAILURE)}
    expect([bench.a.rows, bench.b.rows]).toEqual([['1000 live'], ['2000 live']]);
    await bench.time.pass(10_000); // there is room
    expect((await again).ok).toBe(true);
    expect(bench.b.counts.get('child_sas_limited')).toBe(2);
    expect(bench.losses).toEqual([]);
  });

  it('the 65th child SA; and a peer that takes no more is left for another IKE SA', async () => {
    const bench = new SaBench({ children: [{ service: 'many', protocol: 137, resources: 100 }] });
    await bench.child();
    const [one] = bench.a.sa.children;
    for (let i = 0; i < 63; i++) await bench.child('a', 1, i);
    const made = bench.a.sa.want(bench.policyOf('a', 1), 64);
    await bench.time.pass(1000);
    expect(await made).toMatchObject({ failure: { code: 'NO_ADDITIONAL_SAS', by: 'peer' } });
    // What is there is rekeyed all the same.
    const again = bench.a.sa.rekeyChild(one!.inboundSpi);
    await bench.time.pass(1000);
    expect((await again).ok).toBe(true);
  });

  it('a request without nonce, or without what a child SA needs', async () => {
    for (const payloads of [
      (all: readonly Payload[]) => [...all],
      (all: readonly Payload[]) => [...all.filter(({ kind }) => kind !== 'TSr'), NONCE],
    ]) {
      const bench = new SaBench();
      const answer = await ask(bench, 'a', 36, payloads(offer(bench)));
      expect(errors(answer)).toEqual([NOTIFY.INVALID_SYNTAX]);
      expect(bench.b.told).toEqual(['closed INVALID_SYNTAX']);
    }
  });

  it('rekeying a child SA of nobody', async () => {
    const bench = new SaBench();
    const rekey = notifyOfChild(NOTIFY.REKEY_SA, 77);
    const answer = await ask(bench, 'a', 36, [rekey, ...offer(bench), NONCE]);
    expect(answer).toMatchObject({
      response: {
        payloads: [
          { notify: NOTIFY.CHILD_SA_NOT_FOUND, protocol: 3, spi: Uint8Array.of(0, 0, 0, 77) },
        ],
      },
    });
  });

  it('a child SA that only we know of is made anew (RFC 7296 §2.25)', async () => {
    const bench = new SaBench();
    await bench.child();
    // B loses it without a word.
    const lost = bench.b.sa.open.channel.onRequest;
    bench.b.sa.open.channel.onRequest = (request) => {
      const { message } = request;
      const isRekey =
        'payloads' in message &&
        message.payloads.some((one) => one.kind === 'N' && one.notify === NOTIFY.REKEY_SA);
      if (isRekey) {
        bench.b.sa.open.channel.respond(message, [
          notifyOfChild(NOTIFY.CHILD_SA_NOT_FOUND, 0x1000),
        ]);
      } else lost(request);
    };
    const made = bench.a.sa.rekeyChild(0x1000);
    await bench.time.pass(1000);
    expect(must(await made).inboundSpi).toBe(0x1002);
    expect(bench.a.rows).toEqual(['1002 live']);
    expect(bench.a.told).toEqual(['up 1000', 'rekeyed 1000 1002']);
  });
});

describe('what is not understood', () => {
  it('unknown notifies and payloads are ignored', async () => {
    const bench = new SaBench();
    const odd: Payload[] = [
      notify(40_999, Buffer.from('x')),
      notify(8200),
      { kind: 'unknown', type: 200, critical: false, data: new Uint8Array(3) },
    ];
    const answer = await ask(bench, 'a', 37, odd);
    expect(answer).toMatchObject({ ok: true, response: { payloads: [] } });
    expect(bench.b.told).toEqual([]);
    const { a } = bench;
    const request = a.sa.open.channel.request(36, [...odd, ...offer(bench), NONCE]);
    await bench.time.pass(10);
    expect(errors(await request)).toEqual([
      NOTIFY.USE_TRANSPORT_MODE,
      NOTIFY.ESP_TFC_PADDING_NOT_SUPPORTED,
    ]);
  });

  it('a critical payload of an unknown type is answered, and the IKE SA goes on', async () => {
    const bench = new SaBench();
    const odd: Payload = { kind: 'unknown', type: 200, critical: true, data: new Uint8Array(3) };
    const answer = await ask(bench, 'a', 37, [odd]);
    expect(answer).toMatchObject({
      response: {
        payloads: [{ notify: NOTIFY.UNSUPPORTED_CRITICAL_PAYLOAD, data: Uint8Array.of(200) }],
      },
    });
    expect(bench.b.told).toEqual([]);
    await bench.child();
    expect(bench.losses).toEqual([]);
  });

  it('an exchange that has no place here ends it', async () => {
    const bench = new SaBench();
    const answer = await ask(bench, 'a', 35, []);
    expect(errors(answer)).toEqual([NOTIFY.INVALID_SYNTAX]);
    expect(bench.b.told).toEqual(['closed INVALID_SYNTAX']);
  });

  it('an INVALID_SPI and the like change nothing (policy-model 21)', async () => {
    const bench = new SaBench();
    await bench.child();
    await ask(bench, 'a', 37, [notify(NOTIFY.INVALID_SPI, Buffer.of(0, 0, 0x20, 0))]);
    await ask(bench, 'a', 37, [notify(NOTIFY.INVALID_SELECTORS, Buffer.alloc(40))]);
    expect(bench.b.rows).toEqual(['2000 live']);
  });

  it('AUTHENTICATION_FAILED behind IKE_AUTH ends it', async () => {
    const bench = new SaBench();
    await bench.child();
    const answer = await ask(bench, 'a', 37, [notify(NOTIFY.AUTHENTICATION_FAILED)]);
    expect(answer).toMatchObject({ ok: true, response: { payloads: [] } });
    expect(bench.b.told.slice(-2)).toEqual([
      'down 2000 AUTHENTICATION_FAILED',
      'closed AUTHENTICATION_FAILED',
    ]);
  });
});

it('a child SA per resource (RFC 9611), each rekeyed by itself', async () => {
  const bench = new SaBench({ children: [{ service: 'many', protocol: 137, resources: 3 }] });
  for (const resource of [0, 1, 2]) await bench.child('a', 1, resource);
  expect([...bench.b.plane.active.keys()]).toEqual(['many#0', 'many#1', 'many#2']);
  const [, second] = bench.a.sa.children;
  const made = bench.a.sa.rekeyChild(second!.inboundSpi);
  await bench.time.pass(1000);
  expect(must(await made).resource).toBe(1);
  expect([...bench.b.plane.active.values()].map(keyOf)).toEqual(['many#0', 'many#1', 'many#2']);
  expect(bench.losses).toEqual([]);
});
