// SPDX-License-Identifier: Apache-2.0
/**
 * 2,000 peers that come at once, and again at once when all have restarted: a PE as an operator runs it, real
 * sockets, real threads. It never locks up, has no more half-open IKE SAs than it may, and each peer is up in the end
 * with one IKE SA and one pair of child SAs.
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { eventually, outcome } from '../../scripts/lib/lab.js';
import type { Config } from '../../src/config/types.js';
import { IkePes } from '../system/ike/ike-pes.js';
import { initiateAll, type LoadReport, type LoadSa } from './ike-load.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const PEERS = 2000;
/** Of the two that let all come: on a machine that does much else they take minutes. */
const COME_MS = 900_000;
/** Far fewer than come. */
const HALF_OPEN = { cookieAbove: 100, halfOpen: 400 };
const PSK = 'a preshared key of this test alone';

let pes: IkePes;
const delayFile = (): string => `${pes.net.run}/loop-delay`;

/** PE 1 without tunnels of its own: whoever is in 10.64.0.0/16 may come. */
function config(): Config {
  const { tunnels, vrfs = {}, ike, ...rest } = pes.config(1);
  const psk = ike?.providers['example']?.psks?.['all'];
  if (tunnels === undefined || psk === undefined) throw new Error('the lab is another one');
  const prefix = '10.64.0.0/16';
  return {
    ...rest,
    vrfs: { A: { ...vrfs['A'], routes: [] } },
    ike: {
      // They have no answer for who asks whether they live.
      ...{ dpd: 3600, limits: HALF_OPEN },
      providers: { example: { ranges: [prefix], psks: { all: { ...psk, remote: prefix } } } },
    },
  };
}

beforeAll(async () => {
  pes = await IkePes.open('ikrc', { proof: 'psk' });
  const { net } = pes;
  const { lab } = net;
  await lab.ip(net.pe(2), ['addr add 192.0.2.2/24 dev wan', 'route add local 10.64.0.0/16 dev lo']);
  net.write(1, config());
  const probe = `${root}test/lib/loop-delay.mjs`;
  net.start(1, {
    ...process.env,
    ...{ NODE_OPTIONS: `--import=${probe}`, LOOP_DELAY_FILE: delayFile() },
  });
  await eventually('the PE listens', async () => {
    const rows = await net.show(1, 'workers').catch(() => []);
    return rows.length > 0 ? true : undefined;
  });
  await eventually('a way back', async () => {
    const route = ['ip', 'route', 'replace', '10.64.0.0/16', 'via', '192.0.2.2'];
    return (await lab.exec(net.pe(1), route)).code === 0 ? true : undefined;
  });
});
afterAll(async () => {
  await pes.close();
});

interface Shown {
  readonly state: string;
  readonly role: string;
  readonly remote: string;
  readonly initiatorSpi: string;
}

async function cli<T>(...words: readonly string[]): Promise<T> {
  const socket = `${pes.net.run}/pe1/control.sock`;
  const argv = ['node', `${root}build/js/cli/main.js`, '--socket', socket, 'show', 'ike'];
  const { code, stdout, stderr } = await outcome([...argv, ...words, '--json']);
  if (code !== 0) throw new Error(`show ike ${words.join(' ')}: exit ${String(code)}: ${stderr}`);
  return JSON.parse(stdout) as T;
}

/** Asks again and again, as an operator and without a pause, until told to stop. */
class Operator {
  /** Answers to the CLI, and the slowest, ms; most of that is a program's start on a busy machine. */
  asked = 0;
  slowest = 0;
  /** Answers to a client that stays, and the slowest, ms. */
  listed = 0;
  slowestList = 0;
  mostHalfOpen = 0;
  #isOver = false;
  readonly #done = Promise.all([this.#ask(), this.#list()]);

  async #ask(): Promise<void> {
    while (!this.#isOver) {
      const at = performance.now();
      this.#look(await cli<Shown[]>());
      // None at first: what has not happened yet is not listed.
      expect(Array.isArray(await cli<unknown[]>('counters'))).toBe(true);
      this.asked += 2;
      this.slowest = Math.max(this.slowest, (performance.now() - at) / 2);
    }
  }

  async #list(): Promise<void> {
    while (!this.#isOver) {
      const at = performance.now();
      this.#look(await pes.sas(1));
      this.listed++;
      this.slowestList = Math.max(this.slowestList, performance.now() - at);
    }
  }

  #look(sas: readonly { readonly state: string }[]): void {
    const opening = sas.filter(({ state }) => state === 'opening').length;
    this.mostHalfOpen = Math.max(this.mostHalfOpen, opening);
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await this.#done;
  }
}

const hex = (value: number | bigint, digits: number): string =>
  `0x${value.toString(16).padStart(digits, '0')}`;

/** Of two long lists, so that a failure can be read. */
function expectSame(what: string, got: readonly string[], wanted: readonly string[]): void {
  const [has, wants] = [new Set(got), new Set(wanted)];
  const twice = got.length - has.size;
  const missing = wanted.filter((one) => !has.has(one)).slice(0, 5);
  const unwanted = got.filter((one) => !wants.has(one)).slice(0, 5);
  expect({ what, count: got.length, twice, missing, unwanted }).toEqual({
    ...{ what, count: wanted.length, twice: 0, missing: [], unwanted: [] },
  });
}

/** What the PE has is what the peers have, and nothing else. */
async function expectExactly(peers: readonly LoadSa[]): Promise<void> {
  const sas = await pes.sas(1);
  expect(sas.filter(({ state }) => state !== 'established')).toEqual([]);
  expectSame(
    'IKE SAs',
    sas.map((sa) => `${sa.remote} ${sa.initiatorSpi}`),
    peers.map((peer) => `${peer.address} ${hex(peer.initiatorSpi, 16)}`),
  );
  expectSame(
    'child SAs',
    (await pes.children(1)).map((one) => `${one.remote} ${one.inboundSpi} ${one.outboundSpi}`),
    peers.map((peer) => `${peer.address} ${hex(peer.outboundSpi, 8)} ${hex(peer.inboundSpi, 8)}`),
  );
  // The data plane's rows: those, both ways, when the grace time of what was replaced is over.
  const rows = await eventually('two rows to a peer', async () => {
    const all = await pes.net.show(1, 'sas');
    return all.length === 2 * peers.length && all.every(({ ready }) => ready) ? all : undefined;
  });
  const inbound = rows.filter(({ direction }) => direction === 'in');
  expectSame(
    'inbound rows',
    inbound.map(({ spi }) => spi),
    peers.map(({ outboundSpi }) => hex(outboundSpi, 8)),
  );
}

async function allCome(initialContact: boolean): Promise<LoadReport> {
  const { net } = pes;
  const operator = new Operator();
  const settings = { first: '10.64.0.1', count: PEERS, remote: '192.0.2.1', psk: PSK };
  const report = await initiateAll(net.lab, net.pe(2), net.run, { ...settings, initialContact });
  await operator.stop();
  const counters = await pes.counters(1);
  const worst = readFileSync(delayFile(), 'utf8');
  const { seconds, retransmitted, cookies, restarted } = report;
  const figures = {
    ...{ seconds: Math.round(seconds), cookies, retransmitted, restarted },
    limited: counters.get('init_limited') ?? 0,
    ...{ halfOpen: operator.mostHalfOpen, answers: operator.asked + operator.listed },
    ...{ slowestMs: Math.round(operator.slowestList), slowestCliMs: Math.round(operator.slowest) },
    worstLoopDelayMs: Number(worst),
  };
  process.stderr.write(`${initialContact ? 'again' : 'first'}: ${JSON.stringify(figures)}\n`);
  expect({ opened: report.opened, why: report.why }).toEqual({ opened: PEERS, why: {} });
  expect(operator.mostHalfOpen).toBeLessThanOrEqual(HALF_OPEN.halfOpen);
  // It was asked while there was something to hold it up.
  expect(operator.asked).toBeGreaterThan(1);
  expect(cookies).toBeGreaterThan(0);
  return report;
}

let before: LoadReport;

it('2,000 at once: all are up, and nothing is twice', { timeout: COME_MS }, async () => {
  before = await allCome(false);
  await expectExactly(before.sas);
  expect((await pes.counters(1)).get('ike_sas_opened')).toBe(PEERS);
});

const AGAIN = 'all restart and come again at once: the new ones are there, the old ones are not';
it(AGAIN, { timeout: COME_MS }, async () => {
  const after = await allCome(true);
  await expectExactly(after.sas);
  const counters = await pes.counters(1);
  expect(counters.get('ike_sas_opened')).toBe(2 * PEERS);
  expect(counters.get('ike_sas_closed')).toBe(PEERS);
  expect(counters.get('child_sas_closed')).toBe(PEERS);
  before = after;
});

it('the PE is killed and comes back: it goes on with all of them', async () => {
  const { net } = pes;
  await net.killSupervisor(1);
  net.start(1);
  await eventually('all are known again', async () => {
    const rows = await pes.sas(1).catch(() => []);
    return rows.length === PEERS ? true : undefined;
  });
  await expectExactly(before.sas);
});
