// SPDX-License-Identifier: Apache-2.0
/**
 * A site behind two PEs, reached by the flows of a third PE's customer:
 *
 *                                +-- NAMEpe2 -- 10.2.0.0/24 -- eth0 \
 *   NAMEce1 -- NAMEpe1 -- core --+                                  NAMEce2   10.50.0.0/24
 *   10.1.0.2                     +-- NAMEr3  -- 10.3.0.0/24 -- eth1 /
 *
 * PE 2 and PE 3 (NAMEr3, 192.0.2.3) export 10.50.0.0/24 with an RD of their own each; each has an encrypted
 * tunnel to and from PE 1, and BGP with it alone, watched by BFD.
 */
import type { ChildProcess } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { show } from '../../../scripts/lib/control.js';
import { eventually } from '../../../scripts/lib/lab.js';
import type { Config } from '../../../src/config/types.js';
import { writeKeyFile } from '../../../src/lib/key-file.js';
import type { Topic, TopicRows } from '../../../src/rpc/client.js';
import { MAIN, TwoPes } from '../supervisor/two-pes.js';
import { FlowLab, type Arrivals } from './flows.js';

export const SITE = '10.50.0.0/24';

type Sa = NonNullable<Config['manualSas']>[string];
type Route = NonNullable<NonNullable<Config['vrfs']>[string]['routes']>[number];

export class ThreePes {
  readonly net: TwoPes;
  readonly #third: string;
  readonly #flows: FlowLab;
  #supervisor: ChildProcess | undefined;

  private constructor(net: TwoPes, third: string) {
    this.net = net;
    this.#third = third;
    this.#flows = new FlowLab(net.lab, net.run);
  }

  static async open(name: string, maximumPaths: number): Promise<ThreePes> {
    const net = await TwoPes.open(name, { switched: true });
    const third = await net.router(3, { pe: true });
    const it = new ThreePes(net, third);
    const { lab } = net;
    await lab.link(third, 'cust', net.ce(2), 'eth1');
    await lab.ip(net.ce(2), [
      'addr add 10.3.0.2/24 dev eth1',
      'route add local 10.50.0.0/24 dev lo',
    ]);
    // What comes by one PE may be answered by the other.
    for (const device of ['all', 'eth0', 'eth1']) {
      await lab.must(net.ce(2), ['sysctl', '-qw', `net.ipv4.conf.${device}.rp_filter=0`]);
    }
    for (const file of [it.#key(1), it.#key(3)]) {
      rmSync(file, { force: true });
      await writeKeyFile(file, 'aes-gcm-128');
    }
    net.write(1, it.config1(maximumPaths));
    net.write(2, it.#site(2));
    writeFileSync(it.#file, JSON.stringify(it.#site(3)));
    for (const end of [1, 2] as const) net.start(end);
    it.startThird();
    for (const end of [1, 2] as const) await net.tunnelUp(end);
    return it;
  }

  get #file(): string {
    return `${this.net.run}/r3.json`;
  }
  /** Of the SA that PE 1 or PE 3 sends with to the other. */
  #key(from: 1 | 3): string {
    return `${this.net.run}/key-third-from-${from}`;
  }

  /** The tunnel between PE 1 and PE 3, with its SAs, as one of them has it. */
  #thirdTunnel(own: 1 | 3): Pick<Config, 'tunnels' | 'manualSas'> {
    const other = own === 1 ? 3 : 1;
    const ends = {
      local: `192.0.2.${own}`,
      remote: `192.0.2.${other}`,
      encapsulation: 'gre',
    } as const;
    const sa = (direction: 'in' | 'out', from: 1 | 3): Sa => ({
      ...{ ...ends, algorithm: 'aes-gcm-128', direction },
      ...{ spi: 0x51b0_0000 + from, keyFile: this.#key(from) },
    });
    return {
      tunnels: { third: { ...ends, protection: 'encrypt', sa: 'third-out' } },
      manualSas: { 'third-out': sa('out', own), 'third-in': sa('in', other) },
    };
  }

  #bgp(number: number, peers: readonly number[]): NonNullable<Config['bgp']> {
    const neighbour = {
      ...{ asn: 65001, timers: { connectRetry: 1 } },
      bfd: { minTx: 200, minRx: 200, multiplier: 3 },
    };
    return {
      ...{ asn: 65001, routerId: `192.0.2.${number}` },
      neighbours: Object.fromEntries(peers.map((peer) => [`192.0.2.${peer}`, neighbour])),
    };
  }

  #vrfs(number: number, routes: readonly Route[]): NonNullable<Config['vrfs']> {
    const targets = ['65001:100'];
    const bgp = {
      ...{ rd: `65001:${number}`, importTargets: targets, exportTargets: targets },
      redistribute: { connected: true, static: true },
    };
    return { A: { addresses: [`10.255.0.${number}/32`], routes, bgp } };
  }

  config1(maximumPaths: number): Config {
    const { tunnels, manualSas, ...base } = this.net.config(1);
    const third = this.#thirdTunnel(1);
    return {
      ...base,
      tunnels: { ...tunnels, ...third.tunnels },
      manualSas: { ...manualSas, ...third.manualSas },
      bgp: { ...this.#bgp(1, [2, 3]), maximumPaths: { ibgp: maximumPaths } },
      vrfs: this.#vrfs(1, []),
    };
  }

  #site(number: 2 | 3): Config {
    const base = this.net.config(2);
    const common = {
      bgp: this.#bgp(number, [1]),
      vrfs: this.#vrfs(number, [{ prefix: SITE, via: `10.${number}.0.2` }]),
    };
    if (number === 2) return { ...base, ...common };
    const { run, segments } = this.net;
    return {
      ...{ ...base, ...this.#thirdTunnel(3), ...common, instance: this.#third },
      ...{ runtimeDirectory: `${run}/r3`, stateDirectory: `${run}/r3/state` },
      segmentDirectory: `${segments}/r3`,
      core: { tunnelAddresses: ['192.0.2.3'] },
      interfaces: {
        core0: { role: 'core', device: { kernel: 'wan' }, addresses: ['192.0.2.3/24'] },
        'ce-a': { role: 'ce', vrf: 'A', device: { kernel: 'cust' }, addresses: ['10.3.0.1/24'] },
      },
    };
  }

  startThird(): void {
    const argv = [...MAIN, 'run', this.#file, '--log-level', 'debug'];
    this.#supervisor = this.net.lab.start(this.#third, argv, `${this.net.run}/r3.log`);
  }

  /** PE 3 dies: both of its processes at once. */
  async killThird(): Promise<void> {
    const [row] = await this.#showThird('workers');
    const child = this.#supervisor;
    if (child === undefined || row === undefined) throw new Error('PE 3 does not run');
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    process.kill(row.pid, 'SIGKILL');
    await gone;
  }

  async #showThird<T extends Topic>(topic: T): Promise<TopicRows[T][]> {
    return show(`${this.net.run}/r3/control.sock`, topic);
  }

  /** Tunnels of the ways that PE 1 has to the site, once they are these. */
  async waysAre(tunnels: readonly string[]): Promise<void> {
    await eventually(`ways ${tunnels.join(', ')}`, async () => {
      const rows = await this.ways().catch(() => []);
      const usable = rows.filter((row) => row.usable).map(({ tunnel }) => tunnel);
      return usable.sort().join() === [...tunnels].sort().join() ? true : undefined;
    });
  }

  async ways(): Promise<TopicRows['routes'][]> {
    const rows = await this.net.show(1, 'routes');
    return rows.filter(
      ({ vrf, prefix, owner }) => vrf === 'A' && prefix === SITE && owner === 'bgp',
    );
  }

  /** A packet of each of `count` flows from CE 1 to the site: by which PE each arrived. All must arrive. */
  async flows(count: number): Promise<Arrivals> {
    const netns = this.net.ce(2);
    const places = { eth0: { netns, device: 'eth0' }, eth1: { netns, device: 'eth1' } };
    const from = { netns: this.net.ce(1), address: '10.1.0.2', to: '10.50.0' };
    return this.#flows.send(from, places, count);
  }

  /** ESP packets that PE 1 sends to PE `number` while `during` runs. */
  async espTo(number: 2 | 3, during: () => Promise<unknown>): Promise<number> {
    const place = { netns: this.net.core, device: 'pe1' };
    const tap = await this.#flows.tap(place, `ip proto 50 and dst host 192.0.2.${number}`);
    try {
      await during();
    } finally {
      await tap.stop();
    }
    return tap.frames().length;
  }

  async close(): Promise<void> {
    await this.net.close();
  }
}
