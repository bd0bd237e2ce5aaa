// SPDX-License-Identifier: Apache-2.0
/**
 * Runs the attacks. Each passes only when its named drop counter rose by exactly the packets sent and no
 * marked packet reached a customer.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { eventually, inNetns, type Lab } from '../lib/lab.js';
import {
  attacks,
  lawful,
  type Attack,
  type AttackInput,
  type Labels,
  type Lawful,
} from './attack-list.js';
import { Capture, occurrences } from './captures.js';
import type { Checks } from './checks.js';
import { ping } from './customers.js';
import type { AttackResult } from './findings.js';
import { drops, show, type PeProcess } from './pe.js';
import { NODES, site, SITES } from './topology.js';

const EACH = 20;

/** What the packets of one carry, and those of no other. */
const markerOf = ({ id }: { readonly id: string }): string => `SEALANE<${id}>`;

async function macOf(lab: Lab, netns: string, link: string): Promise<string> {
  const out = await lab.must(netns, ['ip', '-j', 'link', 'show', 'dev', link]);
  const [first] = JSON.parse(out) as { address: string }[];
  if (first === undefined) throw new Error(`no interface ${link} in ${netns}`);
  return first.address;
}

interface Program {
  readonly child: ChildProcess;
  readonly lines: AsyncIterator<string>;
}

/** One attacker program per place it sends from: starting Scapy takes longer than an attack. */
class Attackers {
  readonly #lab: Lab;
  readonly #running = new Map<string, Program>();
  readonly #macs = new Map<string, Promise<string>>();
  /** By SPI of a rogue's SA: the next sequence number. */
  readonly #sequences = new Map<unknown, number>();

  constructor(lab: Lab) {
    this.#lab = lab;
  }

  #at(netns: string): Program {
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

  #mac(netns: string, link: string): Promise<string> {
    const key = `${netns} ${link}`;
    const found = this.#macs.get(key) ?? macOf(this.#lab, netns, link);
    this.#macs.set(key, found);
    return found;
  }

  /** The sequence number that a rogue's packets begin with: anew, or those sent last once more. */
  #sequence({ spi, repeat }: Readonly<Record<string, unknown>>): number {
    const next = this.#sequences.get(spi) ?? 1000;
    if (repeat === true) return next - EACH;
    this.#sequences.set(spi, next + EACH);
    return next;
  }

  /** Sends frames; returns how many. */
  async launch({ from, to, job }: Attack | Lawful, marker: string): Promise<number> {
    const whole = {
      ...(job['kind'] === 'keyed_esp' && { sequence: this.#sequence(job) }),
      ...job,
      ...{ marker, count: EACH, interface: from.link },
      src_mac: await this.#mac(from.netns, from.link),
      dst_mac: await this.#mac('pe2', to),
    };
    const { child, lines } = this.#at(from.netns);
    child.stdin?.write(`${JSON.stringify(whole)}\n`);
    const answer = await lines.next();
    if (answer.done === true) throw new Error(`the attacker in ${from.netns} ended`);
    return (JSON.parse(answer.value) as { sent: number }).sent;
  }

  close(): void {
    for (const { child } of this.#running.values()) child.stdin?.end();
  }
}

/** PE2's labels, as BGP gave them. */
export async function labelsOf(pe2: PeProcess): Promise<Labels> {
  const rows = await show(pe2, 'labels');
  const label = (vrf: string, rule: string): number => {
    const row = rows.find((r) => r.vrf === vrf && r.rules.split(/[ ,]+/).includes(`bgp/${rule}`));
    if (row === undefined) throw new Error(`pe2 has no label for ${vrf} ${rule}`);
    return row.label;
  };
  return {
    ...{ a: label('A', 'encrypted'), b: label('B', 'authenticated') },
    ...{ cInside: label('C', 'inside'), cBetween: label('C', 'between') },
    ...{ cPlain: label('C', 'plain'), cScoped: label('C', 'scoped') },
  };
}

interface Launched {
  readonly attack: Attack;
  readonly marker: string;
  readonly sent: number;
  readonly risen: number;
  readonly others: string;
}

async function launch(attackers: Attackers, attack: Attack, pe2: PeProcess): Promise<Launched> {
  const marker = markerOf(attack);
  const before = await drops(pe2);
  const sent = await attackers.launch(attack, marker);
  const delta = async (): Promise<Map<string, number>> =>
    new Map([...(await drops(pe2))].map(([k, v]) => [k, v - (before.get(k) ?? 0)]));
  await eventually(
    `${attack.id} to be counted`,
    async () => (((await delta()).get(attack.counter) ?? 0) >= sent ? true : undefined),
    3000,
  ).catch(() => undefined);
  const after = await delta();
  const others = [...after].filter(([k, v]) => v !== 0 && k !== attack.counter);
  return {
    ...{ attack, marker, sent, risen: after.get(attack.counter) ?? 0 },
    others: others.map(([k, v]) => `${k} +${String(v)}`).join(', '),
  };
}

const customersOfPe2 = SITES.filter(({ pe }) => pe === 'pe2');

/** Markers at the customers of PE2, but for where they were sent from. */
function delivered(captures: readonly Capture[], marker: string, from: string): number {
  return captures
    .filter((_, i) => customersOfPe2[i]?.netns !== from)
    .reduce((sum, { file }) => sum + occurrences(file, Buffer.from(marker)), 0);
}

/** Runs all attacks one after another, with a capture at every customer of PE2. */
export async function attackAll(
  lab: Lab,
  directory: string,
  checks: Checks,
  pe2: PeProcess,
  input: AttackInput,
): Promise<{ results: AttackResult[]; files: string[] }> {
  const captures = await Promise.all(
    customersOfPe2.map(({ netns }) =>
      Capture.start(lab, netns, 'eth0', `${directory}/attack-${netns}.pcap`),
    ),
  );
  const attackers = new Attackers(lab);
  const launched: Launched[] = [];
  const taken: (Lawful & { sent: number })[] = [];
  for (const attack of attacks(input)) launched.push(await launch(attackers, attack, pe2));
  for (const one of lawful(input)) {
    taken.push({ ...one, sent: await attackers.launch(one, markerOf(one)) });
  }
  attackers.close();
  await Promise.all(captures.map((capture) => capture.stop()));
  const results = launched.map(({ attack, marker, sent, risen, others }): AttackResult => {
    const { id, requirement, by, section, text, counter } = attack;
    const reached = delivered(captures, marker, attack.from.netns);
    const ok = sent === EACH && risen === sent && reached === 0;
    return {
      ...{ id: `attack-${id}`, requirement, by, section, text, counter, sent, risen },
      ...{ delivered: reached, others, ok },
    };
  });
  for (const r of results) {
    checks.add(
      r.id,
      r.requirement,
      r.ok,
      `${r.by}: ${r.text}: ${String(r.sent)} sent, ${r.counter} +${String(r.risen)}, ` +
        `${String(r.delivered)} delivered${r.others === '' ? '' : ` (also ${r.others})`}`,
    );
  }
  for (const one of taken) {
    const { id, text, sent, from } = one;
    const reached = delivered(captures, markerOf(one), from.netns);
    // The customer answers each echo request with the same marker, on the same interface.
    checks.add(
      id,
      'P13',
      sent === EACH && reached >= EACH,
      `${text}: ${String(sent)} sent, seen ${String(reached)} times at the customer`,
    );
  }
  return { results, files: captures.map(({ file }) => file) };
}

/** Packets changed on their way by the router: none delivered, each counted. */
export async function tamper(lab: Lab, checks: Checks, pe2: PeProcess): Promise<void> {
  const [from, to] = [site('A', 1), site('A', 2)];
  const before = await drops(pe2);
  const rule = `ip protocol esp ip saddr ${NODES.pe1.loopback} ip daddr ${NODES.pe2.loopback} @th,256,32 set 0x5a5a5a5a`;
  await lab.must('p1', ['nft', '-f', '-'], {
    input: `table ip demo {\n chain tamper {\n type filter hook forward priority 0;\n ${rule}\n }\n}\n`,
  });
  const r = await ping(lab, from, to.address4, 10, ['-W', '1']);
  await lab.must('p1', ['nft', 'delete', 'table', 'ip', 'demo']);
  const delta =
    ((await drops(pe2)).get('esp_auth_failed') ?? 0) - (before.get('esp_auth_failed') ?? 0);
  const after = await ping(lab, from, to.address4, 3);
  checks.add(
    'attack-modified-in-transit',
    'P15',
    r.received === 0 && delta === 10 && after.received === 3,
    `10 packets changed by the router: ${String(r.received)} answered, esp_auth_failed +${String(delta)}; then ${String(after.received)}/3 answered`,
  );
}
