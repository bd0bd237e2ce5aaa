// SPDX-License-Identifier: Apache-2.0
/**
 * A router of the core that has a smaller link says so, and is believed; others say so, and are not (policy-model 21).
 * The messages that are true are Linux's own.
 */
import { readFileSync, rmSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../../scripts/lib/lab.js';
import { startCapture } from '../../interop/linux-pe/wire.js';
import { icmpAbout } from '../../lib/too-big.js';
import { dissect } from '../../lib/tshark.js';
import { explainVrf } from './explain-cli.js';
import { PLAN, RoutedCore, SMALL_LINK, type Family } from './routed-core.js';

/** Outer IP, ESP 8, IV 8, GRE 4, label 4, trailer 2, ICV 16. */
const AROUND: Readonly<Record<Family, number>> = { 4: 62, 6: 82 };
const AGE = 25;
const THERE = '10.2.0.2';
/** What is not of late any more: twice SL_SENT_TICK_NS of sa_index.h. */
const LONG_AGO_MS = 11_000;

let core: RoutedCore;

/** The tunnel follows what is known a moment later: both are waited for. */
async function becomes(mtu: number, pathMtu: number, timeoutMs?: number): Promise<void> {
  await eventually(
    `packets of ${mtu} bytes fit, ${pathMtu} outside`,
    async () => {
      const row = await core.tunnel();
      return row.mtu === mtu && row.pathMtu === pathMtu ? true : undefined;
    },
    timeoutMs,
  );
}

async function aged(outer: number): Promise<void> {
  await becomes(outer, 0, (AGE + 20) * 1000);
}

/** 2 MB by TCP from CE 1 to CE 2. */
async function transfer(): Promise<void> {
  const { net } = core;
  const [file, log] = [`${net.run}/received`, `${net.run}/nc.log`];
  rmSync(file, { force: true });
  const listener = net.lab.start(
    net.ce(2),
    ['sh', '-c', `exec nc.openbsd -4 -l 5001 >${file}`],
    log,
  );
  await eventually('nc listens', async () =>
    (await net.lab.must(net.ce(2), ['ss', '-Hltn', 'sport = :5001'])) === '' ? undefined : true,
  );
  const send = `head -c 2000000 /dev/urandom >${net.run}/sent; nc.openbsd -N -w 20 ${THERE} 5001 <${net.run}/sent`;
  await net.lab.must(net.ce(1), ['sh', '-c', send], { timeoutMs: 60_000 });
  await eventually('nc ends', () => (listener.exitCode === null ? undefined : true));
  expect(readFileSync(file).equals(readFileSync(`${net.run}/sent`))).toBe(true);
}

describe.each<Family>([4, 6])('over IPv%i', (family) => {
  const outer = 1500 - AROUND[family];
  const inner = SMALL_LINK - AROUND[family];
  const { tunnel, router } = PLAN[family];
  const said = (quoted: Uint8Array, mtu: number, more: object = {}): Buffer =>
    icmpAbout({ source: router[1], destination: tunnel[1], quoted, mtu, ...more });

  beforeAll(async () => {
    core = await RoutedCore.open(`pmtu${family}`, family, AGE);
    await core.up();
  });
  afterAll(async () => {
    await core.close();
  });

  it('TCP of a customer goes on with what the router says, and the CE is told what fits', async () => {
    expect(await core.tunnel()).toMatchObject({ mtu: outer, pathMtu: 0, pathMtuSource: '' });
    const { net } = core;
    const capture = await startCapture({ netns: net.ce(1), nic: 'eth0' }, `${net.run}/ce1.pcap`);
    await transfer();
    const told = await dissect(await capture.stop(), ['ip.src', 'icmp.mtu'], {
      filter: 'icmp.type==3 and icmp.code==4',
    });
    // first what the interface of PE 1 takes, then what the core does
    const values = [...new Set(told.map((row) => Number(row['icmp.mtu'])))];
    expect(values).toEqual([outer, inner]);
    const row = await core.tunnel();
    expect(row).toMatchObject({ mtu: inner, pathMtu: SMALL_LINK, pathMtuSource: 'icmp' });
    expect(Date.parse(row.pathMtuExpires) - Date.parse(row.pathMtuSince)).toBe(AGE * 1000);
    const learnt = await net.lab.must(net.ce(1), ['ip', 'route', 'get', THERE]);
    expect(learnt).toContain(`mtu ${inner}`);
    // those that came while it was known already, and nothing else
    expect(Object.keys(await core.refused()).filter((name) => name !== 'too_big_rate')).toEqual([]);
    expect(net.logText(1)).toContain('the core passes no larger packets');
  });

  it('it is explained, ages, and is learnt anew', async () => {
    const { net } = core;
    const asked = { netns: net.pe(1), socket: `${net.run}/pe1/control.sock` };
    const explained = await explainVrf(net.lab, asked, 'A', THERE);
    expect(explained.find(({ step }) => step === 'path MTU')?.what).toMatch(
      /^1400 bytes outside, as the core said by ICMP; until 20/,
    );
    await aged(outer);
    const rows = await explainVrf(net.lab, asked, 'A', THERE);
    expect(rows.map(({ step }) => step)).not.toContain('path MTU');
    expect(await core.tunnel()).toMatchObject({ mtu: outer, pathMtuSource: '', pathMtuSince: '' });
    await net.lab.must(net.ce(1), ['ip', '-4', 'route', 'flush', 'cache']);
    const large = ['-M', 'do', '-s', String(outer - 28)];
    expect(await net.ping(1, THERE, { count: 1, more: large })).toBe(0);
    await becomes(inner, SMALL_LINK);
    const fits = ['-M', 'do', '-s', String(inner - 28)];
    expect(await net.ping(1, THERE, { count: 2, more: fits })).toBe(2);
    const { stdout } = await net.lab.exec(net.ce(1), [
      ...['ping', '-n', '-c', '1', '-W', '1', '-M', 'do', '-s', String(inner - 27), THERE],
    ]);
    expect(stdout).toContain(`(mtu = ${inner})`);
  });

  describe('from an outsider', () => {
    beforeAll(async () => {
      await aged(outer);
    }, 60_000);

    /** Nothing has changed, and it was counted for this reason alone, so often. */
    async function expectRefused(
      packets: readonly Uint8Array[],
      reason: string | undefined,
      from: 'router' | 'customer' = 'router',
    ): Promise<void> {
      const before = await core.refused();
      const wanted =
        reason === undefined
          ? before
          : { ...before, [reason]: (before[reason] ?? 0) + packets.length };
      await core.send(from, packets);
      await eventually('it is counted', async () =>
        reason === undefined || (await core.refused())[reason] === wanted[reason]
          ? true
          : undefined,
      );
      expect(await core.refused()).toEqual(wanted);
      expect(await core.tunnel()).toMatchObject({ mtu: outer, pathMtu: 0, state: 'up' });
      expect(await core.net.ping(1, THERE, { count: 1 })).toBe(1);
    }

    const esp = family === 4 ? 20 : 40;
    const changed = (packet: Uint8Array, at: number): Buffer => {
      const copy = Buffer.from(packet);
      copy.writeUInt8(copy.readUInt8(at) ^ 1, at);
      return copy;
    };

    it('with another SPI', async () => {
      const seen = await core.observed();
      await expectRefused([said(changed(seen, esp), 1300)], 'too_big_no_sa');
    });

    it('with other addresses', async () => {
      const seen = await core.observed();
      await expectRefused([said(changed(seen, esp - 1), 1300)], 'too_big_no_sa');
      await expectRefused([said(changed(seen, family === 4 ? 15 : 23), 1300)], 'too_big_address');
    });

    it('with a number that was not sent', async () => {
      const seen = await core.observed();
      const ahead = Buffer.from(seen);
      ahead.writeUInt32BE(ahead.readUInt32BE(esp + 4) + 1000, esp + 4);
      await expectRefused([said(ahead, 1300)], 'too_big_sequence');
    });

    it('below the floor, or as large as the packet', async () => {
      const seen = await core.observed();
      await expectRefused([said(seen, 1279)], 'too_big_floor');
      await expectRefused([said(seen, seen.length)], 'too_big_size');
    });

    it('with a packet of long ago', async () => {
      const seen = await core.observed();
      await new Promise((wake) => setTimeout(wake, LONG_AGO_MS));
      await expectRefused([said(seen, 1300)], 'too_big_sequence');
    });

    it('other errors change nothing, whatever they quote', async () => {
      const seen = await core.observed();
      const kinds =
        family === 4
          ? [[3, 0], [3, 1], [3, 3], [3, 13], [4, 0], [11, 0], [12, 0]] // prettier-ignore
          : [[1, 0], [1, 3], [3, 0], [4, 0], [4, 1]]; // prettier-ignore
      const packets = kinds.map(([type, code]) => said(seen, 0, { type, code }));
      await expectRefused(packets, undefined);
      const sas = await core.net.show(1, 'sas');
      expect(sas.every(({ ready }) => ready)).toBe(true);
    });

    it('a customer’s concern the customer’s VRF alone (policy-model 19)', async () => {
      const seen = await core.observed();
      const about = [said(seen, 1300), said(seen, 1300, { destination: '10.1.0.1' })];
      const [six = Buffer.alloc(0)] = about;
      const packets = family === 4 ? about : [six];
      await expectRefused(packets, undefined, 'customer');
    });

    it('who has seen a packet is believed, once a second, and not below the floor', async () => {
      const seen = await core.observed();
      const before = (await core.refused())['too_big_rate'] ?? 0;
      await core.send(
        'router',
        Array.from({ length: 21 }, () => said(seen, 1300)),
      );
      await eventually('they are counted', async () =>
        (await core.refused())['too_big_rate'] === before + 20 ? true : undefined,
      );
      await becomes(1300 - AROUND[family], 1300);
      await aged(outer);
    });
  });
});
