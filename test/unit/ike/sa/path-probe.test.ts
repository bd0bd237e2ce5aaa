// SPDX-License-Identifier: Apache-2.0
/** The question how large a path MTU probe was that came, and its answer. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  announcesPathProbes,
  PATH_PROBE_NOTIFY,
  pathProbeAnswer,
  pathProbeAsked,
  pathProbeQuestion,
  pathProbeSaid,
  pathProbeVendorPayload,
} from '../../../../src/ike/child/path-probe.js';
import { SaBench } from './bench.js';

const PROBE = { spi: 0xfedcba98, round: 0x01020304 };

describe('the notify', () => {
  it('is as the document says', () => {
    const question = pathProbeQuestion(PROBE);
    expect(Buffer.from(question.data).toString('hex')).toBe('fedcba9801020304');
    expect([question.notify, question.protocol, question.spi.length]).toEqual([42_686, 0, 0]);
    const answer = pathProbeAnswer(PROBE, 1400);
    expect(Buffer.from(answer.data).toString('hex')).toBe('fedcba980102030400000578');
    expect(pathProbeAsked([question])).toEqual(PROBE);
    expect(pathProbeSaid([answer], PROBE)).toBe(1400);
  });

  it('of another size, SPI or round says nothing', () => {
    const answer = pathProbeAnswer(PROBE, 1400);
    expect(pathProbeAsked([answer])).toBeUndefined();
    expect(pathProbeSaid([pathProbeQuestion(PROBE)], PROBE)).toBeUndefined();
    expect(pathProbeSaid([answer], { ...PROBE, spi: 1 })).toBeUndefined();
    expect(pathProbeSaid([answer], { ...PROBE, round: 1 })).toBeUndefined();
    for (let length = 0; length < 12; length++) {
      const cut = { ...answer, data: answer.data.subarray(0, length) };
      expect(pathProbeSaid([cut], PROBE)).toBeUndefined();
      if (length !== 8) expect(pathProbeAsked([cut])).toBeUndefined();
    }
    expect(pathProbeAsked([{ ...pathProbeQuestion(PROBE), notify: 42_685 }])).toBeUndefined();
  });

  it('its announcement is the hash of the text, as the document says', () => {
    const url = new URL('../../../../docs/adr/0032-path-mtu-probes.md', import.meta.url);
    const document = readFileSync(url, 'utf8');
    const text = /ASCII text `([^`]+)`/.exec(document)?.[1] ?? '';
    const hash = createHash('sha256').update(text).digest().subarray(0, 16);
    const ours = pathProbeVendorPayload();
    expect(Buffer.from(ours.data)).toEqual(hash);
    expect(document).toContain(hash.toString('hex'));
    expect(document).toContain(`**${PATH_PROBE_NOTIFY}**`);
    expect(announcesPathProbes([ours])).toBe(true);
    expect(announcesPathProbes([])).toBe(false);
    expect(announcesPathProbes([{ kind: 'V', data: ours.data.subarray(0, 15) }])).toBe(false);
  });
});

describe('between two IKE SAs', () => {
  async function up(bench: SaBench): Promise<{ readonly spi: number; readonly peers: number }> {
    await bench.child();
    const [child] = bench.a.sa.children;
    return { spi: child?.outboundSpi ?? 0, peers: child?.inboundSpi ?? 0 };
  }
  async function answered<T>(bench: SaBench, asked: Promise<T>): Promise<T> {
    await bench.time.pass(20_000);
    return asked;
  }

  it('the peer says what came of this round, by this child SA', async () => {
    const bench = new SaBench();
    bench.weather = { loss: 0, doubling: 0, delay: 30 };
    const { spi } = await up(bench);
    const ask = (round: number): Promise<number | undefined> =>
      answered(bench, bench.a.sa.askProbe({ spi, round }));
    expect(await ask(5)).toBe(0);
    bench.b.plane.probes.set(spi, { round: 5, bytes: 1400 });
    expect(await ask(5)).toBe(1400);
    expect(await ask(6)).toBe(0);
    expect(bench.b.sa.phase).toBe('established');
  });

  it('not of a child SA that is not one of this IKE SA', async () => {
    const bench = new SaBench();
    bench.weather = { loss: 0, doubling: 0, delay: 30 };
    const { peers } = await up(bench);
    bench.b.plane.probes.set(4711, { round: 5, bytes: 1400 });
    bench.b.plane.probes.set(peers, { round: 5, bytes: 1400 });
    const [other, own] = [
      bench.a.sa.askProbe({ spi: 4711, round: 5 }),
      bench.a.sa.askProbe({ spi: peers, round: 5 }),
    ];
    expect(await answered(bench, other)).toBeUndefined();
    expect(await own).toBeUndefined();
  });

  it('a question that is lost is asked again, and its answer is right', async () => {
    const bench = new SaBench();
    bench.weather = { loss: 0.3, doubling: 0.2, delay: 30 };
    const { spi } = await up(bench);
    bench.b.plane.probes.set(spi, { round: 5, bytes: 1400 });
    const asked = Array.from({ length: 5 }, () => bench.a.sa.askProbe({ spi, round: 5 }));
    await bench.time.pass(120_000);
    expect(await Promise.all(asked)).toEqual([1400, 1400, 1400, 1400, 1400]);
  });

  it('of a rekeyed IKE SA the new one is asked, and what waited goes on there', async () => {
    const bench = new SaBench();
    bench.weather = { loss: 0, doubling: 0, delay: 30 };
    const { spi } = await up(bench);
    bench.b.plane.probes.set(spi, { round: 5, bytes: 1400 });
    const rekeyed = bench.a.sa.rekeyIke();
    const waits = bench.a.sa.askProbe({ spi, round: 5 });
    await bench.time.pass(20_000);
    expect((await rekeyed).ok).toBe(true);
    expect(await waits).toBe(1400);
    expect(await answered(bench, bench.a.sa.askProbe({ spi, round: 5 }))).toBe(1400);
  });

  it('an IKE SA that ends says nothing', async () => {
    const bench = new SaBench();
    bench.weather = { loss: 1, doubling: 0, delay: 30 };
    const asked = bench.a.sa.askProbe({ spi: 1, round: 5 });
    bench.a.sa.abandon('a test', false);
    expect(await asked).toBeUndefined();
    expect(await bench.a.sa.askProbe({ spi: 1, round: 5 })).toBeUndefined();
  });

  it('a peer that does not announce it is not asked', async () => {
    const bench = new SaBench();
    const features = { ...bench.a.sa.open.features, pathProbes: false };
    const deaf = new SaBench({ open: { features } });
    deaf.weather = { loss: 0, doubling: 0, delay: 30 };
    const { spi } = await up(deaf);
    let sent = 0;
    const { send } = deaf.a.env;
    Object.assign(deaf.a.env, {
      send: (...all: Parameters<typeof send>) => {
        sent++;
        send(...all);
      },
    });
    expect(await answered(deaf, deaf.a.sa.askProbe({ spi, round: 5 }))).toBeUndefined();
    expect(sent).toBe(0);
  });
});
