// SPDX-License-Identifier: Apache-2.0
/**
 * A policy changed under traffic (policy-model 24, 25): PE 2 exports its customer's routes by one class after
 * another while PE 1 sends it a packet each millisecond, and an outsider in the core sends labels of protected
 * classes in clear all the time.
 */
import type { ChildProcess } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../../scripts/lib/lab.js';
import type { Config, Protection } from '../../../src/config/types.js';
import type { TopicRows } from '../../../src/rpc/client.js';
import { IkePes } from '../ike/ike-pes.js';
import { Stream } from '../ike/traffic.js';
import { otherEnd, type End } from '../supervisor/two-pes.js';

const TARGETS = ['65001:100'];
const TIMING = { announce: 5, grace: 4 };
/** Where something is done in each step. */
const SLOW = { announce: 12, grace: 6 };
/** Of changes that may lose something. */
const AT_ONCE = { announce: 0, grace: 0 };
/** The first label of the pool: that of the class that PE 2 begins with, and of no protected one. */
const FIRST = 24_000;
const LABELS = 16;
const PORT = 9200;

let pes: IkePes;
let outsider: string;

function config(end: End, protection: Protection, tightening = TIMING): Config {
  const { interfaces, ...base } = pes.config(end);
  const core = interfaces['core0'];
  if (core?.role !== 'core') throw new Error('the lab has no core interface');
  // Each restart of the other end within a minute would have it wait twice as long, up to two minutes.
  const neighbour = { asn: 65001, timers: { connectRetry: 1, connectRetryMax: 1 } };
  return {
    ...base,
    interfaces: { ...interfaces, core0: { ...core, acceptClear: ['gre', 'ip'] } },
    tunnels: {},
    bgp: {
      ...{ asn: 65001, routerId: `192.0.2.${end}`, tightening },
      neighbours: { [`192.0.2.${otherEnd(end)}`]: neighbour },
    },
    vrfs: {
      A: {
        addresses: [`10.255.0.${end}/32`],
        bgp: {
          rd: `65001:${end}`,
          importTargets: TARGETS,
          exports: [{ name: 'all', targets: TARGETS, protections: [protection] }],
          redistribute: { connected: true },
        },
      },
    },
  };
}

beforeAll(async () => {
  pes = await IkePes.open('vtig', { proof: 'psk' });
  outsider = await pes.net.router(9);
  for (const end of [1, 2] as const) {
    pes.net.write(end, config(end, end === 1 ? 'encrypt' : 'tunnel'));
    pes.net.start(end);
  }
}, 120_000);
afterAll(async () => {
  await pes.close();
});

async function reload(protection: Protection, tightening = TIMING): Promise<void> {
  const path = pes.net.write(2, config(2, protection, tightening));
  await pes.net.client(2, async (client) => client.reload(path, false));
}

async function route(): Promise<TopicRows['routes'] | undefined> {
  const rows = await pes.net.show(1, 'routes').catch(() => []);
  return rows.find((row) => row.vrf === 'A' && row.prefix === '10.2.0.0/24');
}

/** Waits until PE 1 sends by this protection, and says with which label. */
async function sendsBy(protection: Protection): Promise<number> {
  const found = await eventually(
    `PE 1 sends by ${protection}`,
    async () => {
      for (const end of [1, 2] as const) {
        if (pes.net.supervisor(end).exitCode !== null) throw new Error(pes.net.logText(end));
      }
      const row = await route();
      return row?.tunnel === `pe/192.0.2.2/${protection}/gre` && row.usable ? row : undefined;
    },
    120_000,
  );
  return Number(found.label);
}

const transitions = async (): Promise<TopicRows['transitions'][]> =>
  pes.net.show(2, 'transitions').catch(() => []);

const inStep = async (step: string): Promise<TopicRows['transitions']> =>
  eventually(
    `step ${step}`,
    async () => (await transitions()).find((row) => row.step === step),
    120_000,
  );

/** Of a supervisor whose configuration is in force: one that starts shows nothing yet. */
const settled = async (): Promise<true> =>
  eventually(
    'no change is under way',
    async () => {
      const labels = await pes.net.show(2, 'labels').catch(() => []);
      const rows = await pes.net.show(2, 'transitions').catch(() => undefined);
      return labels.length > 0 && rows?.length === 0 ? true : undefined;
    },
    120_000,
  );

// ---- The outsider ----------------------------------------------------------------------------------

/** UDP to the customer behind PE 2 in MPLS-in-GRE, in clear; each label in turn. Prints how many were sent. */
const SENDER = (labels: string, count: number): string => `
import signal, socket, struct, time
s = socket.socket(socket.AF_INET, socket.SOCK_RAW, 47)
over = False
def end(*_):
    global over
    over = True
signal.signal(signal.SIGTERM, end)
def inner():
    udp = struct.pack(">HHHH", 9, ${PORT}, 8 + 20, 0) + b"x" * 20
    head = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0,
                       bytes([10, 1, 0, 9]), bytes([10, 2, 0, 2]))
    total = sum(struct.unpack(">10H", head))
    total = (total & 0xffff) + (total >> 16)
    total = (total & 0xffff) + (total >> 16)
    return head[:10] + struct.pack(">H", 0xffff - total) + head[12:] + udp
packet, sent, count = inner(), 0, ${count}
while not over and (count == 0 or sent < count):
    for label in ${labels}:
        s.sendto(struct.pack(">HHI", 0, 0x8847, label << 12 | 0x140) + packet, ("192.0.2.2", 0))
        sent += 1
        time.sleep(0.002)
print("sent %d" % sent, flush=True)
`;

const RECEIVER = `
import signal, socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("0.0.0.0", ${PORT}))
count = 0
def end(*_):
    print("received %d" % count, flush=True)
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
print("ready", flush=True)
while True:
    s.recv(2048)
    count += 1
`;

class Listener {
  readonly #log = `${pes.net.run}/listener.log`;
  #child: ChildProcess | undefined;

  async start(): Promise<void> {
    rmSync(this.#log, { force: true });
    const argv = ['/usr/bin/python3', '-c', RECEIVER];
    this.#child = pes.net.lab.start(pes.net.ce(2), argv, this.#log);
    await eventually('the listener listens', () =>
      readFileSync(this.#log, 'utf8').includes('ready') ? true : undefined,
    );
  }

  async stop(): Promise<number> {
    await new Promise((wake) => setTimeout(wake, 500));
    if (this.#child !== undefined) await pes.net.lab.stop(this.#child, 'SIGTERM');
    return Number(/^received (\d+)$/m.exec(readFileSync(this.#log, 'utf8'))?.[1]);
  }
}

class Outsider {
  readonly #log = `${pes.net.run}/outsider.log`;
  readonly #child: ChildProcess;

  constructor(labels: string) {
    rmSync(this.#log, { force: true });
    const argv = ['/usr/bin/python3', '-c', SENDER(labels, 0)];
    this.#child = pes.net.lab.start(outsider, argv, this.#log);
  }

  /** How many it sent. */
  async stop(): Promise<bigint> {
    await pes.net.lab.stop(this.#child, 'SIGTERM');
    return BigInt(/^sent (\d+)$/m.exec(readFileSync(this.#log, 'utf8'))?.[1] ?? -1);
  }
}

/** Sends so many packets by one label in clear: how many arrived. */
async function probe(label: number, count: number): Promise<number> {
  const listener = new Listener();
  await listener.start();
  await pes.net.lab.must(outsider, ['/usr/bin/python3', '-c', SENDER(`[${label}]`, count)]);
  return listener.stop();
}

async function dropped(...reasons: readonly string[]): Promise<bigint> {
  const drops = await pes.net.drops(2);
  return reasons.reduce((sum, reason) => sum + (drops.get(reason) ?? 0n), 0n);
}

/** Both ways of dropping a label that is protected, or not in use (any more, or yet). */
const REFUSED = ['label_protected', 'label_unknown'] as const;

/** Traffic, and the outsider with every label but the one that is exported in clear, while `work` runs. */
async function watched(work: () => Promise<void>): Promise<void> {
  const { net } = pes;
  const listener = new Listener();
  await listener.start();
  const before = await dropped(...REFUSED);
  const drops = { 1: await net.drops(1), 2: await net.drops(2) };
  const probing = new Outsider(`range(${FIRST + 1}, ${FIRST + LABELS})`);
  const stream = await Stream.start(net, 1);
  await work();
  const { sent, received, twice } = await stream.stop();
  const probes = await probing.stop();
  expect(await listener.stop()).toBe(0);
  expect(sent).toBeGreaterThan(5_000);
  const risen: string[] = [];
  for (const end of [1, 2] as const) {
    for (const [reason, packets] of await net.drops(end)) {
      const more = packets - (drops[end].get(reason) ?? 0n);
      const isProbe = end === 2 && REFUSED.some((one) => one === reason);
      if (more > 0n && !isProbe) risen.push(`PE ${end} ${reason} ${more}`);
    }
  }
  expect({ lost: sent - received, twice, risen }).toEqual({ lost: 0, twice: 0, risen: [] });
  expect(probes).toBeGreaterThan(1_000n);
  expect((await dropped(...REFUSED)) - before).toBe(probes);
}

describe('a policy that is changed under traffic (policy-model 24)', () => {
  it('begins in clear, and takes clear packets', async () => {
    expect(await sendsBy('tunnel')).toBe(FIRST);
    await pes.net.reach(1, '10.2.0.2', 60_000);
    expect(await probe(FIRST, 20)).toBe(20);
  }, 180_000);

  it('from tunnel to encrypt, authenticate and encrypt loses nothing and lets nothing in', async () => {
    await watched(async () => {
      await reload('encrypt');
      expect(await inStep('announce')).toMatchObject({
        ...{ vrf: 'A', rule: 'all', labels: String(FIRST) },
        ...{ from: 'tunnel in gre,ip to example', to: 'encrypt in gre,ip to example' },
      });
      // By the old label already: it takes IPsec unasked.
      expect(await sendsBy('encrypt')).toBe(FIRST);
      expect((await transitions()).map(({ step }) => step)).toEqual(['announce']);
      await inStep('grace');
      await settled();
      expect(await sendsBy('encrypt')).not.toBe(FIRST);
      for (const next of ['authenticate', 'encrypt'] as const) {
        const before = await sendsBy(next === 'encrypt' ? 'authenticate' : 'encrypt');
        await reload(next);
        await inStep('grace');
        await settled();
        expect(await sendsBy(next)).not.toBe(before);
      }
    });
    // The old label is in quarantine.
    const unknown = await dropped('label_unknown');
    expect(await probe(FIRST, 20)).toBe(0);
    expect((await dropped('label_unknown')) - unknown).toBe(20n);
  }, 400_000);

  it('loses nothing when the supervisor of the egress is killed in each step', async () => {
    await reload('tunnel', AT_ONCE);
    await sendsBy('tunnel');
    await settled();
    await pes.net.reach(1, '10.2.0.2', 60_000);
    expect(await probe(FIRST, 20)).toBe(20);
    await watched(async () => {
      await reload('encrypt', SLOW);
      await inStep('announce');
      await pes.net.killSupervisor(2);
      pes.net.start(2);
      const { secondsLeft } = await inStep('announce');
      expect(secondsLeft).toBeLessThanOrEqual(SLOW.announce);
      await inStep('grace');
      await pes.net.killSupervisor(2);
      pes.net.start(2);
      await settled();
      await sendsBy('encrypt');
    });
    expect(await probe(FIRST, 20)).toBe(0);
  }, 400_000);

  it('restarted with a stricter configuration keeps no clear label past the grace time (25)', async () => {
    await reload('tunnel', AT_ONCE);
    await sendsBy('tunnel');
    await settled();
    // With a file of its own a supervisor starts after a stop alone.
    const ended = new Promise((resolve) => pes.net.supervisor(2).once('exit', resolve));
    await pes.net.client(2, async (client) => client.stop(false));
    await ended;
    pes.net.write(2, config(2, 'encrypt', SLOW));
    const since = Date.now();
    pes.net.start(2);
    await inStep('announce');
    await pes.net.reach(1, '10.2.0.2', 60_000);
    expect(await probe(FIRST, 20)).toBe(20);
    await settled();
    expect(Date.now() - since).toBeLessThan(300_000);
    const unknown = await dropped('label_unknown');
    expect(await probe(FIRST, 20)).toBe(0);
    expect((await dropped('label_unknown')) - unknown).toBe(20n);
  }, 400_000);
});

describe('tighten now', () => {
  it('drops and counts what still comes by the old label', async () => {
    await reload('tunnel', AT_ONCE);
    await sendsBy('tunnel');
    await settled();
    await reload('encrypt', { announce: 600, grace: 600 });
    await inStep('announce');
    expect(await probe(FIRST, 20)).toBe(20);
    const ended = await pes.net.client(2, async (client) => client.tightenNow('A', 'all'));
    expect(ended).toHaveLength(1);
    expect(await transitions()).toEqual([]);
    const before = await dropped('label_unknown');
    expect(await probe(FIRST, 50)).toBe(0);
    expect((await dropped('label_unknown')) - before).toBe(50n);
    await sendsBy('encrypt');
    await pes.net.reach(1, '10.2.0.2', 60_000);
    expect(await pes.net.client(2, async (client) => client.tightenNow('', ''))).toEqual([]);
  }, 400_000);
});
