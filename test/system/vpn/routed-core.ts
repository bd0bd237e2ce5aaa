// SPDX-License-Identifier: Apache-2.0
/**
 * The two PEs of test/system/supervisor/two-pes.ts with IKE, and between them a router, which is Linux. Its link to
 * PE 2 takes smaller packets than PE 1 knows of:
 *
 *   ce1 --- pe1 198.51.100.1 ======== .2 core .6 ==== 1400 bytes ==== 198.51.100.5 pe2 --- ce2
 *
 * The tunnel addresses are further ones: 192.0.2.1 and .2, or 2001:db8:f::1 and ::2.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { eventually } from '../../../scripts/lib/lab.js';
import type { Config } from '../../../src/config/types.js';
import type { TopicRows } from '../../../src/rpc/client.js';
import { startCapture } from '../../interop/linux-pe/wire.js';
import { macBytes } from '../../lib/packets.js';
import { readPcap } from '../../lib/pcap.js';
import { otherEnd, TwoPes, type End } from '../supervisor/two-pes.js';

export type Family = 4 | 6;
export const SMALL_LINK = 1400;

interface Plan {
  readonly tunnel: Readonly<Record<End, string>>;
  /** Of a PE and of the router, on their link. */
  readonly own: Readonly<Record<End, string>>;
  readonly router: Readonly<Record<End, string>>;
  readonly length: number;
  readonly ranges: string;
}
export const PLAN: Readonly<Record<Family, Plan>> = {
  4: {
    tunnel: { 1: '192.0.2.1', 2: '192.0.2.2' },
    own: { 1: '198.51.100.1', 2: '198.51.100.5' },
    router: { 1: '198.51.100.2', 2: '198.51.100.6' },
    ...{ length: 30, ranges: '192.0.2.0/24' },
  },
  6: {
    tunnel: { 1: '2001:db8:f::1', 2: '2001:db8:f::2' },
    own: { 1: '2001:db8:c:1::1', 2: '2001:db8:c:2::1' },
    router: { 1: '2001:db8:c:1::2', 2: '2001:db8:c:2::2' },
    ...{ length: 64, ranges: '2001:db8:f::/64' },
  },
};

export class RoutedCore {
  readonly net: TwoPes;
  readonly family: Family;
  /** core.pathMtu.probes of both PEs, as {@link RoutedCore.config} has it. */
  probes: NonNullable<Config['core']['pathMtu']>['probes'];
  readonly #age: number;

  private constructor(net: TwoPes, family: Family, age: number) {
    this.net = net;
    this.family = family;
    this.#age = age;
  }

  /** `age`: seconds that a path MTU is kept. */
  static async open(name: string, family: Family, age: number): Promise<RoutedCore> {
    const it = new RoutedCore(await TwoPes.open(name, { switched: true }), family, age);
    const { net } = it;
    const { tunnel, router, length } = PLAN[family];
    const all = 'net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1'.split(' ');
    await net.lab.must(net.core, ['sysctl', '-qw', ...all]);
    const host = family === 4 ? '32' : '128';
    const nodad = family === 4 ? '' : ' nodad';
    for (const end of [1, 2] as const) {
      await net.lab.ip(net.core, [
        `link set pe${end} nomaster`,
        `addr add ${router[end]}/${length} dev pe${end}${nodad}`,
        `route add ${tunnel[end]}/${host} via ${PLAN[family].own[end]}`,
      ]);
      await net.lab.ip(net.pe(end), [`addr add ${tunnel[end]}/${host} dev lo${nodad}`]);
    }
    await net.lab.ip(net.core, [`link set pe2 mtu ${SMALL_LINK}`]);
    mkdirSync(`${net.run}/pki`, { recursive: true, mode: 0o700 });
    writeFileSync(`${net.run}/pki/psk`, 'a preshared key of this test alone\n', { mode: 0o600 });
    return it;
  }

  /** Folder with the keys of a PE's SAs, as tshark reads them. */
  keys(end: End): string {
    return `${this.net.run}/keys${end}`;
  }

  config(end: End): Config {
    const plan = PLAN[this.family];
    const { tunnels = {}, ...rest } = this.net.config(end);
    const { peer } = tunnels;
    if (peer === undefined) throw new Error('the lab has no tunnel');
    const { protection, encapsulation } = peer;
    const ends = { local: plan.tunnel[end], remote: plan.tunnel[otherEnd(end)] };
    const { probes } = this;
    const pathMtu = { age: this.#age, ...(probes && { probes }) };
    const config: Config = {
      ...rest,
      core: { tunnelAddresses: [plan.tunnel[end]], pathMtu },
      interfaces: {
        ...rest.interfaces,
        core0: {
          ...{ role: 'core', device: { kernel: 'wan' } },
          addresses: [`${plan.own[end]}/${plan.length}`],
        },
      },
      tunnels: { peer: { ...ends, protection, encapsulation } },
      ike: {
        providers: {
          example: {
            ranges: [plan.ranges],
            psks: { all: { remote: plan.ranges, file: `${this.net.run}/pki/psk` } },
          },
        },
      },
    };
    Reflect.deleteProperty(config, 'lab');
    Reflect.deleteProperty(config, 'manualSas');
    return config;
  }

  async up(): Promise<void> {
    const { net, family } = this;
    const plan = PLAN[family];
    for (const end of [1, 2] as const) {
      net.write(end, this.config(end));
      net.start(end, process.env, ['--debug-keys', this.keys(end)]);
    }
    for (const end of [1, 2] as const) {
      const route = `-${family} route replace ${plan.ranges} via ${plan.router[end]} src ${plan.tunnel[end]}`;
      await eventually('the core interface is there', async () => {
        const { code } = await net.lab.exec(net.pe(end), ['ip', ...route.split(' ')]);
        return code === 0 ? true : undefined;
      });
    }
    for (const end of [1, 2] as const) await net.tunnelUp(end);
    await net.reach(1, '10.2.0.2');
  }

  async tunnel(end: End = 1): Promise<TopicRows['tunnels']> {
    const [row] = await this.net.show(end, 'tunnels');
    if (row === undefined) throw new Error(`PE ${end} has no tunnel`);
    return row;
  }

  /** PE 1's counters of messages that are not believed, only those that are not 0. */
  async refused(): Promise<Record<string, number>> {
    const all = [...(await this.net.drops(1))].map(
      ([name, count]) => [name, Number(count)] as const,
    );
    return Object.fromEntries(
      all.filter(([name, count]) => name.startsWith('too_big_') && count > 0),
    );
  }

  /** An IP packet in ESP that PE 1 has sent just now, as the router saw it. */
  async observed(size = 1250): Promise<Buffer> {
    const { net, family } = this;
    const capture = await startCapture({ netns: net.core, nic: 'pe1' }, `${net.run}/observed.pcap`);
    await net.ping(1, '10.2.0.2', { count: 2, more: ['-s', String(size)] });
    const frames = readPcap(readFileSync(await capture.stop()));
    const packets = frames.map((frame) => frame.subarray(14));
    // ESP, from the address that ends in 1
    const [protocol, source] = family === 4 ? [9, 15] : [6, 23];
    const isOurs = (packet: Buffer): boolean => packet[protocol] === 50 && packet[source] === 1;
    const last = packets.filter((packet) => packet.length > size && isOurs(packet)).at(-1);
    if (last === undefined) throw new Error('the router saw no ESP of PE 1');
    return last;
  }

  /** Sends IP packets to PE 1, from the router or from the customer. */
  async send(from: 'router' | 'customer', packets: readonly Uint8Array[]): Promise<void> {
    const { net } = this;
    const name = from === 'router' ? 'core0' : 'ce-a';
    const mac = (await net.show(1, 'interfaces')).find((row) => row.name === name)?.mac ?? '';
    const script = [
      'import socket,sys',
      's=socket.socket(socket.AF_PACKET,socket.SOCK_RAW)',
      's.bind((sys.argv[1],0))',
      'for line in open(sys.argv[2]): s.send(bytes.fromhex(line))',
    ].join('\n');
    const frames = packets.map((packet) => {
      const type = (packet[0] ?? 0) >> 4 === 4 ? '0800' : '86dd';
      const head = Buffer.concat([macBytes(mac), macBytes('02:00:00:00:99:01')]);
      return `${head.toString('hex')}${type}${Buffer.from(packet).toString('hex')}`;
    });
    writeFileSync(`${net.run}/frames`, frames.join('\n'));
    const [netns, nic] = from === 'router' ? [net.core, 'pe1'] : [net.ce(1), 'eth0'];
    await net.lab.must(netns, ['python3', '-c', script, nic, `${net.run}/frames`]);
  }

  async close(): Promise<void> {
    await this.net.close();
  }
}
