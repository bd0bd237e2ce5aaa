// SPDX-License-Identifier: Apache-2.0
/**
 * The attacks of the demo. Each passes only when its named drop counter rose by exactly the packets
 * sent and no marked packet reached a customer.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { eventually, inNetns, type Lab } from '../lib/lab.js';
import type { Checks } from './checks.js';
import { Capture, occurrences } from './captures.js';
import { drops, type PeProcess } from './pe.js';
import { PES, SITES, type PeName } from './topology.js';

const EACH = 20;

interface Attack {
  readonly id: string;
  readonly requirement: string;
  readonly text: string;
  readonly counter: string;
  readonly at: PeName;
  readonly from: { readonly netns: string; readonly link: string };
  readonly job: Readonly<Record<string, unknown>>;
}

const fromCore = { netns: 'p', link: 'to-pe2' };
const inner = { inner_src: SITES.a1.address4, inner_dst: SITES.a2.address4 };
const asPe1 = { outer_src: PES.pe1.tunnel4, outer_dst: PES.pe2.tunnel4 };

const core = { at: 'pe2', from: fromCore } as const;

/** What an outsider tries in clear, on the path and from a customer's site; `label`: VPN A's. */
function inClear(label: number): Attack[] {
  return [
    {
      ...core,
      id: 'attack-plain-mpls',
      requirement: 'P13',
      text: "plain MPLS with VPN A's label",
      counter: 'label_protected',
      job: { kind: 'plain_mpls', label, ...inner },
    },
    {
      ...core,
      id: 'attack-mpls-in-gre',
      requirement: 'P13',
      text: "MPLS-in-GRE in clear with VPN A's label, from PE1's address",
      counter: 'label_protected',
      job: { kind: 'mpls_in_gre', label, ...inner, ...asPe1 },
    },
    {
      ...core,
      id: 'attack-mpls-in-ip',
      requirement: 'P13',
      text: "MPLS-in-IP in clear with VPN A's label, from PE1's address",
      counter: 'label_protected',
      job: { kind: 'mpls_in_ip', label, ...inner, ...asPe1 },
    },
    {
      id: 'attack-mpls-from-ce',
      requirement: 'P13',
      text: "plain MPLS with VPN A's label from the customer of VPN B",
      counter: 'mpls_not_accepted',
      at: 'pe2',
      from: { netns: 'ce-b2', link: 'eth0' },
      job: { kind: 'plain_mpls', label, ...inner },
    },
  ];
}

/** What an outsider on the path tries with ESP; `capture` holds what PE1 sent to PE2. */
function withEsp(spi: number, sequence: number, capture: string): Attack[] {
  return [
    {
      ...core,
      id: 'attack-forged-esp',
      requirement: 'P15',
      text: "ESP forged without the key, on PE1's SA",
      counter: 'esp_auth_failed',
      job: { kind: 'forged_esp', spi, sequence: sequence + 1000, ...asPe1 },
    },
    {
      ...core,
      id: 'attack-unknown-spi',
      requirement: 'P15',
      text: 'ESP with an SPI of no SA',
      counter: 'esp_unknown_spi',
      job: { kind: 'forged_esp', spi: (spi ^ 0x0055_5555) >>> 0, sequence: 1, ...asPe1 },
    },
    {
      ...core,
      id: 'attack-replay',
      requirement: 'P15',
      text: "PE1's own ESP packets once more",
      counter: 'esp_replayed',
      job: { kind: 'replayed', spi, capture },
    },
    {
      ...core,
      id: 'attack-bit-flip',
      requirement: 'P15',
      text: "PE1's ESP packets, one bit of the sequence number changed",
      counter: 'esp_auth_failed',
      job: { kind: 'bit_flipped', spi, capture },
    },
    {
      ...core,
      id: 'attack-other-source',
      requirement: 'P15',
      text: "PE1's ESP packets from another outer address",
      counter: 'esp_outer_address',
      job: { kind: 'replayed_from_elsewhere', spi, capture, outer_src: '192.0.2.99' },
    },
  ];
}

/** What a PE of another provider tries that holds a good SA with PE2. */
function rogue(spi: number, key: Uint8Array, label: number): Attack[] {
  const common = { at: 'pe2', from: fromCore, requirement: 'P14' } as const;
  const sender = { outer_src: '192.0.2.66', outer_dst: PES.pe2.tunnel4 };
  const keyed = { kind: 'keyed_esp', spi, key: Buffer.from(key).toString('hex'), ...inner };
  return [
    {
      ...common,
      id: 'attack-rogue-pe',
      text: 'a keyed PE of provider "transit" uses VPN A\'s label',
      counter: 'label_wrong_sp',
      job: { ...keyed, ...sender, label, sequence: 1 },
    },
    {
      ...common,
      id: 'attack-rogue-pe-unknown-label',
      text: 'the same PE guesses a label',
      counter: 'label_unknown',
      job: { ...keyed, ...sender, label: 3001, sequence: 1000 },
    },
    {
      ...common,
      id: 'attack-rogue-pe-as-pe1',
      text: "the same PE sends its SA's packets from PE1's address",
      counter: 'esp_outer_address',
      job: { ...keyed, ...asPe1, label, sequence: 2000 },
    },
  ];
}

async function macOf(lab: Lab, netns: string, link: string): Promise<string> {
  const out = await lab.must(netns, ['ip', '-j', 'link', 'show', 'dev', link]);
  const [first] = JSON.parse(out) as { address: string }[];
  if (first === undefined) throw new Error(`no interface ${link} in ${netns}`);
  return first.address;
}

/** One attacker program per place it sends from: starting Scapy takes longer than an attack. */
class Attackers {
  readonly #lab: Lab;
  readonly #running = new Map<string, { child: ChildProcess; lines: AsyncIterator<string> }>();

  constructor(lab: Lab) {
    this.#lab = lab;
  }

  #at(netns: string): { child: ChildProcess; lines: AsyncIterator<string> } {
    const known = this.#running.get(netns);
    if (known !== undefined) return known;
    const script = fileURLToPath(new URL('attacker.py', import.meta.url));
    const [program = '', ...args] = inNetns(netns, ['/usr/bin/python3', script]);
    const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const started = { child, lines };
    this.#running.set(netns, started);
    return started;
  }

  /** Sends an attack's frames; returns how many. */
  async launch(attack: Attack, marker: string): Promise<number> {
    const { netns, link } = attack.from;
    const peLink = netns === 'p' ? 'wan' : `to-${netns}`;
    const job = {
      ...attack.job,
      marker,
      count: EACH,
      interface: link,
      src_mac: await macOf(this.#lab, netns, link),
      dst_mac: await macOf(this.#lab, attack.at, peLink),
    };
    const { child, lines } = this.#at(netns);
    child.stdin?.write(`${JSON.stringify(job)}\n`);
    const answer = await lines.next();
    if (answer.done === true) throw new Error(`the attacker in ${netns} ended`);
    return (JSON.parse(answer.value) as { sent: number }).sent;
  }

  close(): void {
    for (const { child } of this.#running.values()) child.stdin?.end();
  }
}

export interface AttackInput {
  readonly pes: Readonly<Record<PeName, PeProcess>>;
  /** That PE2 gave VPN A. */
  readonly labelOfA: number;
  readonly spi: number;
  readonly sequence: number;
  readonly capture: string;
  readonly rogueSpi: number;
  readonly rogueKey: Uint8Array;
}

/** Runs all attacks one after another, with a capture at every customer of PE2. */
export async function attackAll(
  lab: Lab,
  directory: string,
  checks: Checks,
  input: AttackInput,
): Promise<string[]> {
  const sites = [SITES.a2, SITES.b2];
  const captures = await Promise.all(
    sites.map((s) => Capture.start(lab, s.netns, 'eth0', `${directory}/attack-${s.netns}.pcap`)),
  );
  const all = [
    ...inClear(input.labelOfA),
    ...withEsp(input.spi, input.sequence, input.capture),
    ...rogue(input.rogueSpi, input.rogueKey, input.labelOfA),
  ];
  const attackers = new Attackers(lab);
  const results: { attack: Attack; sent: number; risen: number; others: string; marker: string }[] =
    [];
  for (const attack of all) {
    const marker = `SEALANE-${attack.id}-`;
    const before = await drops(lab, input.pes[attack.at]);
    const sent = await attackers.launch(attack, marker);
    const delta = async (): Promise<Map<string, number>> => {
      const after = await drops(lab, input.pes[attack.at]);
      return new Map([...after].map(([k, v]) => [k, v - (before.get(k) ?? 0)]));
    };
    await eventually(
      `${attack.id} to be counted`,
      async () => {
        const risen = (await delta()).get(attack.counter) ?? 0;
        return risen >= sent ? true : undefined;
      },
      3000,
    ).catch(() => undefined);
    const after = await delta();
    const others = [...after].filter(([k, v]) => v !== 0 && k !== attack.counter);
    results.push({
      attack,
      sent,
      risen: after.get(attack.counter) ?? 0,
      others: others.map(([k, v]) => `${k} +${String(v)}`).join(', '),
      marker,
    });
  }
  attackers.close();
  await Promise.all(captures.map((c) => c.stop()));
  for (const { attack, sent, risen, others, marker } of results) {
    const delivered = captures
      // the customer of VPN B sends its own attack from its own interface
      .filter((_, i) => sites[i]?.netns !== attack.from.netns)
      .reduce((sum, c) => sum + occurrences(c.file, Buffer.from(marker)), 0);
    checks.add(
      attack.id,
      attack.requirement,
      sent === EACH && risen === sent && delivered === 0,
      `${attack.text}: ${String(sent)} sent, ${attack.counter} +${String(risen)}, ` +
        `${String(delivered)} delivered${others === '' ? '' : ` (also ${others})`}`,
    );
  }
  return captures.map((c) => c.file);
}
