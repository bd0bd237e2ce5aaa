// SPDX-License-Identifier: Apache-2.0
/**
 * Many remote PEs that appear at once: one PE as an operator runs it, a BGP session that tells it a route of each of so many
 * next hops, and behind each next hop an IKE responder with a certificate of its own. Those are one process
 * (ike-load.mjs): the protocols are real, the PEs are not.
 *
 *   slmce -- slmpe 10.9.0.1 -- wan -- slmload 10.9.0.2, 10.64.0.1 ...
 *   10.1.0.2                          BGP and IKE; ESP for them is seen on the wire
 */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { show } from '../scripts/lib/control.js';
import { eventually, Lab } from '../scripts/lib/lab.js';
import { ipsecCommunityFormat } from '../src/bgp/codec/communities/ipsec.js';
import type { Config } from '../src/config/types.js';
import { Client } from '../src/rpc/client.js';
import { issue, makeCa, type Ca } from '../test/lib/pki.js';
import { writeRemotes } from './bgp-feed.js';
import type { ManyParts } from './convergence-table.js';
import { EXCHANGE, events, readTimedPcap, type Event } from './convergence-wire.js';
import { cpuOf, lineOf, quiet, rssOf } from './ike-bed.js';

const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
const MAIN = here('../build/js/main.js');
const RUN = '/run/sealane-perf/slm';
const SEGMENTS = '/dev/shm/sealane-perf/slm';
const [SUBJECT, LOADER, FIRST] = ['10.9.0.1', '10.9.0.2', '10.64.0.1'];
const TARGET = '65000:1';

/** A packet to each site in turn, 1,000 in a second, until SIGTERM. */
const SENDER = (count: number): string => `
import socket, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
while True:
    for n in range(${String(count)}):
        s.sendto(b"x" * 100, ("10.%d.%d.1" % (100 + (n >> 8), n & 255), 9300))
        time.sleep(0.001)
`;

function configOf(ca: Ca): Config {
  const own = `${ca.folder}/own`;
  return {
    instance: 'slmpe',
    runtimeDirectory: `${RUN}/pe`,
    stateDirectory: `${RUN}/state`,
    segmentDirectory: SEGMENTS,
    worker: { memoryMb: 64 },
    ownSp: 'example',
    core: { tunnelAddresses: [SUBJECT], encapsulations: ['gre'] },
    interfaces: {
      core0: { role: 'core', device: { kernel: 'wan' }, addresses: [`${SUBJECT}/24`] },
      'ce-a': { role: 'ce', vrf: 'A', device: { kernel: 'cust' }, addresses: ['10.1.0.1/24'] },
    },
    ike: {
      // What the load generator has.
      proposals: ['aes128gcm16-prfsha256-x25519-ke1_mlkem768'],
      esp: { encrypt: ['aes128gcm16'] },
      // It has no answer for who asks whether it lives.
      dpd: 3600,
      credentials: { own: { certificate: `${own}.pem`, key: `${own}.key` } },
      providers: {
        example: {
          ranges: ['10.64.0.0/16', '10.9.0.0/24'],
          anchors: { root: { file: ca.files.certificate } },
        },
      },
    },
    bgp: {
      ...{ asn: 65_000, routerId: SUBJECT },
      neighbours: {
        [LOADER]: { asn: 65_000, passive: true, families: { 'vpnv4-unicast': {} } },
      },
    },
    vrfs: { A: { bgp: { rd: '65000:9999', importTargets: [TARGET] } } },
  };
}

class Bed {
  readonly lab: Lab;
  readonly #count: number;
  readonly #ca: Ca;

  constructor(lab: Lab, count: number) {
    this.lab = lab;
    this.#count = count;
    this.#ca = makeCa(RUN, 'root');
    issue(this.#ca, { name: 'own', ip: [SUBJECT] });
  }

  async topology(): Promise<void> {
    const { lab } = this;
    for (const name of ['slmpe', 'slmload', 'slmce']) await lab.namespace(name);
    lab.own('slmpe-A');
    await lab.link('slmpe', 'wan', 'slmload', 'wan');
    await lab.link('slmpe', 'cust', 'slmce', 'eth0');
    await lab.ip('slmload', [
      `addr add ${LOADER}/24 dev wan`,
      'route add local 10.64.0.0/16 dev lo',
    ]);
    await lab.ip('slmce', ['addr add 10.1.0.2/24 dev eth0', 'route add default via 10.1.0.1']);
  }

  /** Answers on an address for each remote PE. */
  async responders(): Promise<{ readonly childSpis: () => Promise<Map<string, number>> }> {
    const der = `${RUN}/root.der`;
    writeFileSync(der, this.#ca.der);
    const settings = {
      ...{ first: FIRST, count: this.#count, port: 500, kem: true, child: true, list: true },
      ...{ scheme: 'ecdsa-sha256', kind: 'ecdsa' },
      authority: { certificate: der, key: this.#ca.files.key },
    };
    writeFileSync(`${RUN}/load.json`, JSON.stringify(settings), { mode: 0o600 });
    const log = `${RUN}/load.log`;
    const argv = ['node', here('ike-load.mjs'), 'respond', `${RUN}/load.json`];
    const child = this.lab.start('slmload', argv, log);
    await eventually('the responders listen', () => {
      if (child.exitCode !== null) throw new Error(readFileSync(log, 'utf8'));
      return readFileSync(log, 'utf8').includes('ready') ? true : undefined;
    });
    return {
      childSpis: async () => {
        child.kill('SIGUSR2');
        const text = await eventually('a report', () => lineOf(log));
        const { children } = JSON.parse(text) as { children: [string, number][] };
        return new Map(children);
      },
    };
  }

  /** The PE, once it listens and reaches the others; its process id. */
  async pe(): Promise<number> {
    writeFileSync(`${RUN}/pe.json`, JSON.stringify(configOf(this.#ca)));
    const log = `${RUN}/pe.log`;
    const child = this.lab.start('slmpe', ['node', MAIN, 'run', `${RUN}/pe.json`], log);
    await eventually('the PE answers', async () => {
      if (child.exitCode !== null) throw new Error(readFileSync(log, 'utf8'));
      const client = await Client.open(`${RUN}/pe/control.sock`).catch(() => undefined);
      client?.close();
      return client && true;
    });
    await eventually('a way to the remote PEs', async () => {
      const route = ['ip', 'route', 'replace', '10.64.0.0/16', 'via', LOADER];
      return (await this.lab.exec('slmpe', route)).code === 0 ? true : undefined;
    });
    for (const [netns, to] of [
      ['slmload', SUBJECT],
      ['slmce', '10.1.0.1'],
    ] as const) {
      await eventually(`${to} answers`, async () => {
        const { code } = await this.lab.exec(netns, ['ping', '-c1', '-W1', to]);
        return code === 0 ? true : undefined;
      });
    }
    if (child.pid === undefined) throw new Error('the PE was not started');
    return child.pid;
  }

  /** Frames of the core while `during` runs. */
  async wire(during: () => Promise<void>): Promise<readonly Event[]> {
    const file = `${RUN}/wan.pcap`;
    const argv = ['tcpdump', '--immediate-mode', '-U', '-Z', 'root', '-s', '0', '-B', '32768'];
    const filter = 'udp port 500 or ip proto 50 or tcp port 179';
    const tap = this.lab.start(
      'slmload',
      [...argv, '-ni', 'wan', '-w', file, filter],
      `${file}.log`,
    );
    await eventually('tcpdump listens', () =>
      readFileSync(`${file}.log`, 'utf8').includes('listening on') ? true : undefined,
    );
    await during();
    await this.lab.stop(tap, 'SIGINT');
    const said = readFileSync(`${file}.log`, 'utf8');
    if (!/^0 packets dropped by kernel$/m.test(said)) throw new Error(said);
    return events(readTimedPcap(readFileSync(file)));
  }

  /** Opens the session and tells the routes. */
  tell(): void {
    writeRemotes(`${RUN}/feed`, {
      ...{ first: FIRST, count: this.#count },
      community: ipsecCommunityFormat().write({
        ...{ protections: ['encrypt'], encapsulations: ['gre'], onlyOutsideSp: undefined },
      }),
    });
    const argv = ['node', here('bgp-feeder.mjs'), LOADER, SUBJECT, `${RUN}/feed`];
    this.lab.start('slmload', argv, `${RUN}/feeder.log`);
  }

  stream(): void {
    const argv = ['/usr/bin/python3', '-c', SENDER(this.#count)];
    this.lab.start('slmce', argv, `${RUN}/sender.log`);
  }
}

/** Remote PEs that got ESP, with the time of the first packet and its SPI. */
function firstEsp(wire: readonly Event[]): Map<string, { at: number; spi: number }> {
  const found = new Map<string, { at: number; spi: number }>();
  for (const event of wire) {
    if (event.kind !== 'esp' || event.from !== SUBJECT || found.has(event.to)) continue;
    found.set(event.to, { at: event.at, spi: event.spi });
  }
  return found;
}

/** Throws unless each remote PE got ESP by the SA that it has. */
function checkSas(
  esp: ReadonlyMap<string, { readonly spi: number }>,
  children: ReadonlyMap<string, number>,
  count: number,
): void {
  const wrong = [...children].filter(([address, spi]) => esp.get(address)?.spi !== spi);
  if (children.size === count && wrong.length === 0) return;
  throw new Error(`${String(children.size)} SAs, ${String(wrong.length)} not used`);
}

function partsOf(count: number, wire: readonly Event[]) {
  const updates = wire.filter(({ kind, from }) => kind === 'update' && from === LOADER);
  const began = updates[0]?.at ?? NaN;
  const agreed = wire.findLast((event) => {
    return event.kind === 'ike' && event.exchange === EXCHANGE.auth && event.response;
  });
  const times = [...firstEsp(wire).values()].map(({ at }) => at - began).sort((a, b) => a - b);
  return {
    remotes: count,
    told: (updates.at(-1)?.at ?? NaN) - began,
    agreed: (agreed?.at ?? NaN) - began,
    usable: times.at(-1) ?? NaN,
    half: times[times.length >> 1] ?? NaN,
  };
}

const countOf = async (): Promise<number> =>
  (await show(`${RUN}/pe/control.sock`, 'tunnels')).filter(({ state }) => state === 'up').length;

/** `count` remote PEs, at most 10,000: from nothing until the last one has got a packet. */
export async function manyRemotes(count: number): Promise<ManyParts> {
  for (const folder of [RUN, SEGMENTS]) {
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  }
  const lab = await Lab.open('perf-remotes');
  try {
    const bed = new Bed(lab, count);
    await bed.topology();
    const pid = await bed.pe();
    const responders = await bed.responders();
    await quiet(pid);
    const before = { cpu: cpuOf(pid), memory: rssOf(pid) };
    const wire = await bed.wire(async () => {
      bed.stream();
      bed.tell();
      // Seldom, so that asking costs little of what is measured.
      await eventually(`${String(count)} tunnels up`, async () => {
        await new Promise((wake) => setTimeout(wake, 1000));
        return (await countOf()) === count ? true : undefined;
      });
      await new Promise((wake) => setTimeout(wake, 2 * count + 1000));
    });
    const cpu = 1000 * (cpuOf(pid) - before.cpu);
    const memory = rssOf(pid) - before.memory;
    checkSas(firstEsp(wire), await responders.childSpis(), count);
    return { ...partsOf(count, wire), cpu, memory };
  } finally {
    await lab.close();
    for (const folder of [RUN, SEGMENTS]) rmSync(folder, { recursive: true, force: true });
  }
}
