// SPDX-License-Identifier: Apache-2.0
/**
 * The router of the core passes no large packets on and says nothing of it: what is too large vanishes, until probes find what passes.
 * tshark reads the probes and the questions about them by the keys that the PEs write down.
 */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../../scripts/lib/lab.js';
import { startCapture } from '../../interop/linux-pe/wire.js';
import { readPcap } from '../../lib/pcap.js';
import { dissect } from '../../lib/tshark.js';
import { explainVrf } from './explain-cli.js';
import { PLAN, RoutedCore, SMALL_LINK, type Family } from './routed-core.js';

/** Outer IP, ESP 8, IV 8, GRE 4, label 4, trailer 2, ICV 16. */
const AROUND: Readonly<Record<Family, number>> = { 4: 62, 6: 82 };
const THERE = '10.2.0.2';
/** Seconds, as short as the test may be. */
const PROBES = { interval: 2, raise: 8 };

const keyRows = (file: string): string[] => readFileSync(file, 'utf8').split('\n').filter(Boolean);

describe.each<Family>([4, 6])('over IPv%i', (family) => {
  const outer = 1500 - AROUND[family];
  const inner = SMALL_LINK - AROUND[family];
  let core: RoutedCore;

  /** Packets with DF of so many bytes that come back. */
  const large = async (bytes: number, count = 2): Promise<number> =>
    core.net.ping(1, THERE, { count, more: ['-M', 'do', '-s', String(bytes - 28)] });

  async function reload(): Promise<void> {
    for (const end of [1, 2] as const) {
      const file = core.net.write(end, core.config(end));
      await core.net.client(end, async (client) => client.reload(file, false));
    }
  }

  /** 0: all that the interface takes. The tunnel follows what is found a moment later: both are waited for. */
  async function known(path: number, state = 'complete'): Promise<void> {
    const fits = path === 0 ? outer : path - AROUND[family];
    await eventually(
      `the path MTU is ${path}`,
      async () => {
        const rows = [await core.tunnel(1), await core.tunnel(2)];
        return rows.every(
          ({ mtu, pathMtu, probing }) => mtu === fits && pathMtu === path && probing === state,
        )
          ? true
          : undefined;
      },
      40_000,
    );
  }

  /**
   * Both ways. By routes: what is larger than the *link* the router's interface would drop as it comes, and not as a
   * router.
   */
  async function narrow(mtu: number): Promise<void> {
    const { net } = core;
    const { tunnel, own } = PLAN[family];
    const lines = ([1, 2] as const).map(
      (end) => `-${family} route replace ${tunnel[end]} via ${own[end]} mtu lock ${mtu}`,
    );
    for (const line of lines) await net.lab.must(net.core, ['ip', ...line.split(' ')]);
    await net.lab.must(net.ce(1), ['ip', '-4', 'route', 'flush', 'cache']);
  }

  beforeAll(async () => {
    core = await RoutedCore.open(`prob${family}`, family, 600);
    const { net } = core;
    const nft = [
      'add table inet silent',
      'add chain inet silent out { type filter hook output priority 0; }',
      'add rule inet silent out icmp type destination-unreachable counter drop',
      'add rule inet silent out icmpv6 type packet-too-big counter drop',
    ];
    await net.lab.must(net.core, ['nft', nft.join('\n')]);
    await net.lab.ip(net.core, ['link set pe2 mtu 1500']);
    await narrow(SMALL_LINK);
    await core.up();
  });
  afterAll(async () => {
    await core.close();
  });

  it('without probes what is too large vanishes, and nobody is told', async () => {
    expect(await large(inner)).toBe(2);
    expect(await large(outer)).toBe(0);
    expect(await core.tunnel()).toMatchObject({
      mtu: outer,
      pathMtu: 0,
      probing: '',
      probesSent: 0n,
    });
    const rules = await core.net.lab.must(core.net.core, [
      'nft',
      'list',
      'table',
      'inet',
      'silent',
    ]);
    expect(rules).toMatch(/counter packets [1-9]/); // else it was not for want of the router's word
  });

  it('with probes it is found, and the CE is told what fits', async () => {
    const { net } = core;
    const capture = await startCapture({ netns: net.core, nic: 'pe1' }, `${net.run}/probes.pcap`);
    core.probes = PROBES;
    await reload();
    await known(SMALL_LINK);
    const file = await capture.stop();
    expect(await core.tunnel()).toMatchObject({
      ...{ mtu: inner, pathMtu: SMALL_LINK, pathMtuSource: 'probe', pathMtuExpires: '' },
    });
    expect(await large(inner)).toBe(2);
    const tooLarge = [
      'ping',
      '-n',
      '-c',
      '1',
      '-W',
      '1',
      '-M',
      'do',
      '-s',
      String(inner - 27),
      THERE,
    ];
    const { stdout } = await net.lab.exec(net.ce(1), tooLarge);
    expect(stdout).toContain(`(mtu = ${inner})`);
    // nothing was learnt by ICMP
    expect(await core.refused()).toEqual({});
    await expectProbes(file);
    const asked = { netns: net.pe(1), socket: `${net.run}/pe1/control.sock` };
    const steps = await explainVrf(net.lab, asked, 'A', THERE);
    expect(steps.find(({ step }) => step === 'path MTU')?.what).toBe(
      '1400 bytes outside, as probes found',
    );
  });

  /** What tshark sees of PE 1's probes, and of its questions. */
  async function expectProbes(file: string): Promise<void> {
    const from = family === 4 ? 'ip.src==192.0.2.1' : 'ipv6.src==2001:db8:f::1';
    const length = family === 4 ? 'ip.len' : 'ipv6.plen';
    const espSas = keyRows(`${core.keys(1)}/esp_sa`);
    const packets = await dissect(
      file,
      ['esp.spi', length, 'ip.flags.df', 'esp.icv_good', 'esp.decrypted_data'],
      { espSas, filter: `${from} and esp` },
    );
    // the round, zeros, no padding, and next header 59
    const isDummy = /^[0-9a-f]{8}0+003b$/;
    const dummies = packets.filter((row) => isDummy.test(row['esp.decrypted_data']));
    expect(dummies).toHaveLength(packets.length);
    expect(dummies.length).toBeGreaterThan(8);
    const header = family === 4 ? 0 : 40;
    const sizes = dummies.map((row) => Number(row[length]) + header);
    expect([Math.min(...sizes), Math.max(...sizes)]).toEqual([1280, 1500]);
    for (const row of dummies) {
      expect(row['esp.icv_good']).toBe('1');
      expect(row['ip.flags.df']).toBe(family === 4 ? '1' : '');
    }
    const { probesSent, probesConfirmed, probesLost } = await core.tunnel();
    expect(probesConfirmed + probesLost).toBeLessThanOrEqual(probesSent);
    expect(Number(probesSent)).toBeGreaterThanOrEqual(dummies.length);
    const ikeSas = keyRows(`${core.keys(1)}/ikev2_decryption_table`);
    const said = await dissect(file, ['isakmp.flag_r', 'isakmp.notify.data'], {
      ...{ ikeSas, filter: 'isakmp.notify.msgtype==42686' },
    });
    // questions of both, and answers that say what came
    const data = said.map((row) => row['isakmp.notify.data'].replaceAll(':', ''));
    const answers = data.filter((one) => one.length === 24);
    const spi = dummies[0]?.['esp.spi'].slice(2).padStart(8, '0') ?? '';
    const ours = answers.filter((one) => one.startsWith(spi));
    expect(data.some((one) => one.length === 16 && one.startsWith(spi))).toBe(true);
    const octets = ours.map((one) => parseInt(one.slice(16), 16));
    expect(Math.max(...octets)).toBe(SMALL_LINK);
  }

  it('a way that has become wider is found', async () => {
    await narrow(1500);
    await known(0);
    expect(await core.tunnel()).toMatchObject({ mtu: outer, pathMtuSource: '' });
    expect(await large(outer)).toBe(2);
  });

  it('one that becomes narrow is a black hole no longer than the interval and the search', async () => {
    await narrow(1360);
    expect(await large(outer, 1)).toBe(0);
    await known(1360);
    expect(await large(1360 - AROUND[family])).toBe(2);
    expect(core.net.logText(1)).toContain('packets of the path MTU pass no more');
  });

  it('probes that others send again, change or make up have no effect', async () => {
    const { net } = core;
    const capture = await startCapture({ netns: net.core, nic: 'pe1' }, `${net.run}/forged.pcap`);
    await new Promise((wake) => setTimeout(wake, 2 * PROBES.interval * 1000));
    const frames = readPcap(readFileSync(await capture.stop())).map((frame) => frame.subarray(14));
    // ESP of PE 2, as large as the path MTU
    const [protocol, source, esp] = family === 4 ? [9, 15, 20] : [6, 23, 40];
    const probe = frames.find((p) => p.length === 1360 && p[protocol] === 50 && p[source] === 2);
    if (probe === undefined) throw new Error('PE 2 has sent no probe');
    const changed = (at: number): Buffer => {
      const copy = Buffer.from(probe);
      copy.writeUInt8(copy.readUInt8(at) ^ 1, at);
      return copy;
    };
    /** A number that was not used yet. */
    const ahead = Buffer.from(probe);
    ahead.writeUInt32BE(ahead.readUInt32BE(esp + 4) + 500, esp + 4);
    const cases: readonly (readonly [string, Buffer])[] = [
      ['esp_replayed', probe],
      ['esp_auth_failed', ahead],
      ['esp_unknown_spi', changed(esp)],
      // of IPv4 the header's checksum would be wrong
      ...(family === 6 ? ([['esp_outer_address', changed(esp - 17)]] as const) : []),
    ];
    for (const [reason, packet] of cases) {
      const before = await net.drops(1);
      const dummies = before.get('esp_dummy');
      await core.send('router', [packet, packet, packet]);
      await eventually(`${reason} counts them`, async () =>
        (await net.drops(1)).get(reason) === (before.get(reason) ?? 0n) + 3n ? true : undefined,
      );
      // those of PE 2 go on to come, and nothing else does
      expect((await net.drops(1)).get('esp_dummy') ?? 0n).toBeGreaterThanOrEqual(dummies ?? 0n);
    }
    await new Promise((wake) => setTimeout(wake, 2 * PROBES.interval * 1000));
    for (const end of [1, 2] as const) {
      expect(await core.tunnel(end)).toMatchObject({ pathMtu: 1360, pathMtuSource: 'probe' });
    }
  });

  it('switched off, what was found is forgotten', async () => {
    core.probes = undefined;
    await reload();
    await known(0, '');
  });
});
