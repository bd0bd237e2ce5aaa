// SPDX-License-Identifier: Apache-2.0
/**
 * Two service providers with a CA each, and an exchange between them:
 *
 *   NAMEce1 -- NAMEpe1 -- core of X -- NAMEax            NAMEay -- core of Y -- NAMEpe2 -- NAMEce2
 *   10.1.0.2   192.0.2.1              192.0.2.10        203.0.113.10      203.0.113.2      10.2.0.2
 *                                         \                /
 *                                       exchange, 198.51.100.0/24: .10, .20; rogue .66, outsider .99
 *
 * X is AS 65001, Y AS 65002. The cores' own routing is static: each border router knows the other's core by way of the
 * exchange. Each router is a supervisor and a worker in a namespace of its own.
 */
import type { ChildProcess } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { show, withClient } from '../../../scripts/lib/control.js';
import { eventually, Lab } from '../../../scripts/lib/lab.js';
import type { Bgp, Config, Interface, VrfBgp } from '../../../src/config/types.js';
import type { Topic, TopicRows } from '../../../src/rpc/client.js';
import { issue, makeCa, type Ca } from '../../lib/pki.js';
import { readPcap } from '../../lib/pcap.js';
import { MAIN } from '../supervisor/two-pes.js';

export type Sp = 'x' | 'y';
export type Router = 'pe1' | 'pe3' | 'ax' | 'ay' | 'pe2' | 'rx' | 'ry' | 'rogue';
type Pe = 'pe1' | 'pe2' | 'pe3' | 'rogue';
/** Third octet of a PE's customer. */
const CUSTOMER: Readonly<Record<Pe, number>> = { pe1: 1, pe2: 2, pe3: 3, rogue: 9 };
const isPe = (router: Router): router is Pe => router in CUSTOMER;

interface Place {
  readonly sp: Sp;
  /** Where its tunnels end. */
  readonly tunnel: string;
  /** Interfaces in the core, by the LAN they are on. */
  readonly lans: Readonly<Partial<Record<Lan, readonly string[]>>>;
}
export type Lan = 'x' | 'y' | 'exch';

export const PLACES: Readonly<Record<Router, Place>> = {
  pe1: { sp: 'x', tunnel: '192.0.2.1', lans: { x: ['192.0.2.1/24'] } },
  ax: {
    ...{ sp: 'x', tunnel: '192.0.2.10' },
    lans: { x: ['192.0.2.10/24'], exch: ['198.51.100.10/24'] },
  },
  ay: {
    ...{ sp: 'y', tunnel: '203.0.113.10' },
    lans: { y: ['203.0.113.10/24'], exch: ['198.51.100.20/24'] },
  },
  pe3: { sp: 'x', tunnel: '192.0.2.3', lans: { x: ['192.0.2.3/24'] } },
  rx: { sp: 'x', tunnel: '192.0.2.30', lans: { x: ['192.0.2.30/24'] } },
  ry: { sp: 'y', tunnel: '203.0.113.30', lans: { y: ['203.0.113.30/24'] } },
  pe2: { sp: 'y', tunnel: '203.0.113.2', lans: { y: ['203.0.113.2/24'] } },
  // A PE of Y with a good certificate, on the exchange: what it sends comes straight to X.
  rogue: {
    ...{ sp: 'y', tunnel: '203.0.113.66' },
    lans: { exch: ['198.51.100.66/24', '203.0.113.66/32'] },
  },
};
export const ASN: Readonly<Record<Sp, number>> = { x: 65_001, y: 65_002 };
const RANGES: Readonly<Record<Sp, string>> = { x: '192.0.2.0/24', y: '203.0.113.0/24' };
/** Routes of the core that nothing in it tells: by router. */
const STATIC: Readonly<Record<Router, readonly string[]>> = {
  pe1: ['203.0.113.0/24 via 192.0.2.10'],
  pe3: [],
  rx: ['203.0.113.0/24 via 192.0.2.10'],
  ry: ['192.0.2.0/24 via 203.0.113.10'],
  pe2: ['192.0.2.0/24 via 203.0.113.10'],
  ax: ['203.0.113.66/32 via 198.51.100.66', '203.0.113.0/24 via 198.51.100.20'],
  ay: ['192.0.2.0/24 via 198.51.100.10'],
  rogue: ['192.0.2.0/24 via 198.51.100.10'],
};
export const TARGETS = ['65001:100'];

/** Of frames: the EtherType, of IPv4 its protocol, as "ip 50". */
export const kinds = (frames: readonly Buffer[]): string[] =>
  frames.map((frame) => {
    const type = frame.readUInt16BE(12);
    return type === 0x0800 ? `ip ${frame.readUInt8(23)}` : `0x${type.toString(16)}`;
  });

export class Providers {
  readonly lab: Lab;
  readonly name: string;
  readonly run: string;
  readonly #segments: string;
  readonly #cas: Readonly<Record<Sp, Ca>>;
  readonly #supervisors = new Map<Router, ChildProcess>();

  private constructor(lab: Lab, name: string) {
    this.lab = lab;
    this.name = name;
    this.run = `/run/sealane-test/${name}`;
    this.#segments = `/dev/shm/sealane-test/${name}`;
    for (const folder of [this.run, this.#segments]) {
      rmSync(folder, { recursive: true, force: true });
      mkdirSync(folder, { recursive: true, mode: 0o700 });
    }
    this.#cas = { x: makeCa(this.run, 'x'), y: makeCa(this.run, 'y') };
  }

  /**
   * Namespaces, links and certificates; no router runs yet. `name`: at most 5 characters. `plain`: the border routers
   * are plain IP routers of the kernel.
   */
  static async open(name: string, routers: readonly Router[], plain = false): Promise<Providers> {
    const it = new Providers(await Lab.open(`test-${name}`), name);
    const { lab } = it;
    for (const lan of ['x', 'y', 'exch'] as const) {
      await lab.namespace(it.netns(lan));
      await lab.ip(it.netns(lan), ['link add br0 type bridge', 'link set br0 up']);
    }
    for (const router of [...routers, 'rogue'] as const) await it.#place(router);
    if (plain) for (const router of ['ax', 'ay'] as const) await it.#plainRouter(router);
    await lab.namespace(it.netns('out'));
    await it.#join('out', 'exch', 'eth0');
    await lab.ip(it.netns('out'), [
      'addr add 198.51.100.99/24 dev eth0',
      'route add 192.0.2.0/24 via 198.51.100.10',
      'route add 203.0.113.0/24 via 198.51.100.20',
    ]);
    return it;
  }

  netns(of: string): string {
    return `${this.name}${of}`;
  }

  async #join(of: string, lan: Lan, device: string): Promise<void> {
    await this.lab.link(this.netns(of), device, this.netns(lan), of);
    await this.lab.ip(this.netns(lan), [`link set ${of} master br0`]);
  }

  async #place(router: Router): Promise<void> {
    const { sp, tunnel, lans } = PLACES[router];
    await this.lab.namespace(this.netns(router));
    this.lab.own(`${this.netns(router)}-A`);
    for (const lan of Object.keys(lans) as Lan[]) await this.#join(router, lan, `dev${lan}`);
    issue(this.#cas[sp], { name: router, ip: [tunnel] });
    if (isPe(router)) await this.#customer(router);
  }

  async #plainRouter(router: 'ax' | 'ay'): Promise<void> {
    const { lans } = PLACES[router];
    const netns = this.netns(router);
    await this.lab.namespace(netns);
    for (const [lan, addresses] of Object.entries(lans) as [Lan, readonly string[]][]) {
      await this.#join(router, lan, `dev${lan}`);
      await this.lab.ip(
        netns,
        addresses.map((one) => `addr add ${one} dev dev${lan}`),
      );
    }
    await this.lab.must(netns, ['sysctl', '-qw', 'net.ipv4.ip_forward=1']);
    await this.lab.ip(
      netns,
      STATIC[router].map((route) => `route add ${route}`),
    );
  }

  async #customer(router: Pe): Promise<void> {
    const number = CUSTOMER[router];
    const ce = `ce${number}`;
    await this.lab.namespace(this.netns(ce));
    await this.lab.link(this.netns(router), 'cust', this.netns(ce), 'eth0');
    await this.lab.ip(this.netns(ce), [
      `addr add 10.${number}.0.2/24 dev eth0`,
      `route add default via 10.${number}.0.1`,
    ]);
  }

  // ---- Configurations ------------------------------------------------------------------------------

  /** What all routers have; without BGP and VRFs. */
  base(router: Router): Config {
    const { sp, tunnel, lans } = PLACES[router];
    const other = sp === 'x' ? 'y' : 'x';
    const certificate = `${this.#cas[sp].folder}/${router}`;
    const provider = (of: Sp) => ({
      ranges: [RANGES[of]],
      anchors: { root: { file: this.#cas[of].files.certificate } },
    });
    const interfaces = Object.entries(lans).map(([lan, addresses]): [string, Interface] => [
      `core-${lan}`,
      { role: 'core', device: { kernel: `dev${lan}` }, addresses },
    ]);
    return {
      instance: this.netns(router),
      runtimeDirectory: `${this.run}/${router}`,
      stateDirectory: `${this.run}/${router}/state`,
      segmentDirectory: `${this.#segments}/${router}`,
      worker: { memoryMb: 64 },
      ...{ ownSp: sp, otherSps: [other] },
      sps: { x: { number: ASN.x }, y: { number: ASN.y } },
      core: { tunnelAddresses: [tunnel] },
      interfaces: Object.fromEntries(interfaces),
      ike: {
        credentials: {
          own: { certificate: `${certificate}.pem`, key: `${certificate}.key` },
        },
        providers: { x: provider('x'), y: provider('y') },
      },
    };
  }

  bgp(router: Router, neighbours: NonNullable<Bgp['neighbours']>, more: Partial<Bgp> = {}): Bgp {
    const timers = { connectRetry: 1 };
    return {
      ...{ asn: ASN[PLACES[router].sp], routerId: PLACES[router].tunnel },
      ebgpRequiresPolicy: false,
      neighbours: Object.fromEntries(
        Object.entries(neighbours).map(([address, one]) => [address, { timers, ...one }]),
      ),
      ...more,
    };
  }

  /** A PE with VRF A and its customer. */
  pe(router: Pe, bgp: Bgp | undefined, vrf: Partial<VrfBgp>): Config {
    const base = this.base(router);
    const number = CUSTOMER[router];
    const rd = `${ASN[PLACES[router].sp]}:${number}`;
    return {
      ...base,
      ...(bgp && { bgp }),
      interfaces: {
        ...base.interfaces,
        'ce-a': {
          ...{ role: 'ce', vrf: 'A', device: { kernel: 'cust' } },
          addresses: [`10.${number}.0.1/24`],
        },
      },
      vrfs: {
        A: {
          addresses: [`10.255.0.${number}/32`],
          ...(bgp && { bgp: { rd, redistribute: { connected: true }, ...vrf } }),
        },
      },
    };
  }

  // ---- Running -------------------------------------------------------------------------------------

  #file(router: Router): string {
    return `${this.run}/${router}.json`;
  }
  #log(router: Router): string {
    return `${this.run}/${router}.log`;
  }
  logText(router: Router): string {
    return readFileSync(this.#log(router), 'utf8');
  }

  start(router: Router, config?: Config): void {
    if (config !== undefined) writeFileSync(this.#file(router), JSON.stringify(config));
    const argv = [...MAIN, 'run', this.#file(router), '--log-level', 'debug'];
    this.#supervisors.set(router, this.lab.start(this.netns(router), argv, this.#log(router)));
  }

  /** Starts a router and, once its interfaces are there, gives its core the routes it needs. */
  async up(router: Router, config: Config): Promise<void> {
    this.start(router, config);
    for (const route of STATIC[router]) {
      await eventually(`route ${route} of ${router}`, async () => {
        this.#check(router);
        const argv = ['ip', 'route', 'replace', ...route.split(' ')];
        const { code } = await this.lab.exec(this.netns(router), argv);
        return code === 0 ? true : undefined;
      });
    }
  }

  async reload(router: Router, config: Config): Promise<void> {
    writeFileSync(this.#file(router), JSON.stringify(config));
    await withClient(this.#socket(router), async (client) =>
      client.reload(this.#file(router), false),
    );
  }

  #socket(router: Router): string {
    return `${this.run}/${router}/control.sock`;
  }

  #check(router: Router): void {
    const child = this.#supervisors.get(router);
    if (child === undefined || (child.exitCode === null && child.signalCode === null)) return;
    throw new Error(`${router} ended:\n${this.logText(router)}`);
  }

  /** kill -9; resolves when it is gone. */
  async killSupervisor(router: Router): Promise<void> {
    const child = this.#supervisors.get(router);
    if (child === undefined) throw new Error(`${router} does not run`);
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await gone;
  }

  async show<T extends Topic>(router: Router, topic: T): Promise<TopicRows[T][]> {
    this.#check(router);
    return show(this.#socket(router), topic);
  }

  async drops(router: Router): Promise<Map<string, bigint>> {
    const rows = await this.show(router, 'drops');
    return new Map(rows.map(({ reason, packets }) => [reason, packets]));
  }

  /** The route of VRF A to a prefix, once it can be used. */
  async route(router: Router, prefix: string): Promise<TopicRows['routes']> {
    return eventually(`${router} has a way to ${prefix}`, async () => {
      const rows = await this.show(router, 'routes').catch(() => []);
      this.#check(router);
      return rows.find((row) => row.vrf === 'A' && row.prefix === prefix && row.usable);
    });
  }

  /** Received replies of `count` echo requests. */
  async ping(ce: string, to: string, count = 3, intervalMs = 20): Promise<number> {
    const argv = ['ping', '-q', '-c', `${count}`, '-i', `${intervalMs / 1000}`, '-W', '1', to];
    const { stdout } = await this.lab.exec(this.netns(ce), argv);
    return Number(/(\d+) received/.exec(stdout)?.[1] ?? 0);
  }

  async reach(ce: string, to: string): Promise<void> {
    await eventually(`answer of ${to}`, async () =>
      (await this.ping(ce, to, 1)) === 1 ? true : undefined,
    );
  }

  /** Frames on a port of a LAN or of a customer while `during` runs. */
  async capture(
    of: Lan | `ce${number}`,
    port: string,
    during: () => Promise<unknown>,
  ): Promise<Buffer[]> {
    const file = `${this.run}/${of}-${port}.pcap`;
    const log = `${this.run}/tcpdump-${of}-${port}.log`;
    for (const old of [file, log]) rmSync(old, { force: true });
    const argv = [
      'tcpdump',
      '--immediate-mode',
      '-U',
      '-Z',
      'root',
      '-s',
      '0',
      '-ni',
      port,
      '-w',
      file,
    ];
    const tcpdump = this.lab.start(this.netns(of), argv, log);
    await eventually('tcpdump listens', () =>
      readFileSync(log, 'utf8').includes('listening on') ? true : undefined,
    );
    await during();
    await new Promise((wake) => setTimeout(wake, 200));
    await this.lab.stop(tcpdump, 'SIGINT');
    return readPcap(readFileSync(file));
  }

  /**
   * The other SP's PE on the exchange sets up an SA with a router of X, as its certificate lets it: its customer's packets for
   * the customer of PE 1 go there with the label from then on.
   */
  async rogue(
    router: 'pe1' | 'ax',
    label: number,
    protection: 'encrypt' | 'authenticate' = 'encrypt',
  ): Promise<void> {
    const config = this.pe('rogue', undefined, {});
    const to = { local: PLACES.rogue.tunnel, remote: PLACES[router].tunnel };
    const routes = [{ prefix: '10.1.0.0/24', tunnel: 'victim', label }];
    await this.up('rogue', {
      ...config,
      tunnels: { victim: { ...to, protection, encapsulation: 'gre' } },
      vrfs: { A: { ...config.vrfs?.['A'], routes } },
    });
    await eventually('the rogue has its SA', async () => {
      await this.ping('ce9', '10.1.0.2', 1);
      const rows = await this.show('rogue', 'tunnels').catch(() => []);
      return rows[0]?.state === 'up' ? true : undefined;
    });
    // What was held for the SA has gone.
    await this.ping('ce9', '10.1.0.2', 1);
  }

  /**
   * By how many packets a router's counter rises while `during` runs. Nothing may arrive at the customer of PE 1, whose
   * interface is watched.
   */
  async dropped(router: Router, reason: string, during: () => Promise<unknown>): Promise<number> {
    const before = (await this.drops(router)).get(reason) ?? 0n;
    const frames = await this.capture('ce1', 'eth0', during);
    const after = (await this.drops(router)).get(reason) ?? 0n;
    const delivered = frames.filter((frame) => frame.readUInt16BE(12) === 0x0800);
    if (delivered.length > 0) throw new Error(`${delivered.length} packets were delivered`);
    return Number(after - before);
  }

  async close(): Promise<void> {
    await this.lab.close();
    for (const folder of [this.run, this.#segments]) {
      rmSync(folder, { recursive: true, force: true });
    }
  }
}
