// SPDX-License-Identifier: Apache-2.0
/**
 * Two PEs of two providers, EBGP between their tunnel addresses, which has to be inside an ESP transport SA:
 *
 *   NAMEpe1, SP west, AS 65001 ==== 192.0.2.0/24, a bridge ==== NAMEpe2, SP east, AS 65002
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { eventually } from '../../../scripts/lib/lab.js';
import type { BgpNeighbour, Config } from '../../../src/config/types.js';
import type { TopicRows } from '../../../src/rpc/client.js';
import { otherEnd, TwoPes, type End } from '../supervisor/two-pes.js';

const SPS = { 1: 'west', 2: 'east' } as const;

export class ProtectedPes {
  readonly net: TwoPes;

  private constructor(net: TwoPes) {
    this.net = net;
  }

  /** `name`: at most 5 characters. No PE runs yet. */
  static async open(name: string): Promise<ProtectedPes> {
    const it = new ProtectedPes(await TwoPes.open(name, { switched: true }));
    mkdirSync(it.#folder, { recursive: true, mode: 0o700 });
    writeFileSync(it.#psk, 'a preshared key of this test alone\n', { mode: 0o600 });
    return it;
  }

  get #folder(): string {
    return `${this.net.run}/ike`;
  }
  get #psk(): string {
    return `${this.#folder}/psk`;
  }

  config(end: End, session: Partial<BgpNeighbour> = {}): Config {
    const base = this.net.config(end);
    const other = otherEnd(end);
    const remote = `192.0.2.${other}`;
    const targets = ['65001:100'];
    const config = {
      ...base,
      ...{ ownSp: SPS[end], otherSps: [SPS[other]] },
      bgp: {
        ...{ asn: 65000 + end, routerId: `192.0.2.${end}`, ebgpRequiresPolicy: false },
        neighbours: {
          [remote]: {
            ...{ asn: 65000 + other, sp: SPS[other], localAddress: `192.0.2.${end}` },
            timers: { connectRetry: 1, connectRetryMax: 2, hold: 30 },
            ...session,
          },
        },
      },
      ike: {
        providers: {
          [SPS[other]]: {
            ranges: [`${remote}/32`],
            psks: { all: { remote: `${remote}/32`, file: this.#psk } },
          },
        },
      },
      vrfs: {
        A: {
          addresses: [`10.255.0.${end}/32`],
          bgp: {
            rd: `65001:${end}`,
            imports: [{ name: 'all', targets, fromSps: [SPS[1], SPS[2]] }],
            exports: [
              { name: 'all', targets, protections: ['encrypt' as const], toSps: [SPS[1], SPS[2]] },
            ],
            redistribute: { connected: true },
          },
        },
      },
    };
    for (const gone of ['lab', 'manualSas', 'tunnels']) Reflect.deleteProperty(config, gone);
    return config;
  }

  start(end: End, session: Partial<BgpNeighbour> = {}): void {
    this.net.write(end, this.config(end, session));
    this.net.start(end);
  }

  async neighbour(end: End): Promise<TopicRows['bgp neighbors'] | undefined> {
    const [row] = await this.net.show(end, 'bgp neighbors').catch(() => []);
    return row;
  }

  async established(end: End): Promise<TopicRows['bgp neighbors']> {
    return eventually(
      `session of PE ${end}`,
      async () => {
        const child = this.net.supervisor(end);
        if (child.exitCode !== null) throw new Error(this.net.logText(end));
        const row = await this.neighbour(end);
        return row?.state === 'established' ? row : undefined;
      },
      120_000,
    );
  }

  async bgpChildren(end: End): Promise<TopicRows['ike children'][]> {
    const rows = await this.net.show(end, 'ike children').catch(() => []);
    return rows.filter(({ service }) => service === 'bgp');
  }

  async reload(end: End, session: Partial<BgpNeighbour>): Promise<void> {
    const path = this.net.write(end, this.config(end, session));
    await this.net.client(end, async (client) => client.reload(path, false));
  }

  async close(): Promise<void> {
    await this.net.close();
  }
}

/** What a core link carried: IP protocol of each packet, and for TCP its ports. */
export interface Seen {
  readonly esp: number;
  /** "SOURCE > DESTINATION" of TCP in clear. */
  readonly tcp: readonly string[];
}

/** Ethernet frames with IPv4, as a capture on a core interface has them. */
export function seen(frames: readonly Buffer[]): Seen {
  let esp = 0;
  const tcp: string[] = [];
  for (const frame of frames) {
    if (frame.length < 34 || frame.readUInt16BE(12) !== 0x0800) continue;
    const protocol = frame[23];
    if (protocol === 50) esp++;
    const at = 14 + 4 * ((frame[14] ?? 0) & 15);
    if (protocol !== 6 || frame.length < at + 4) continue;
    const [from, to] = [26, 30].map((offset) => [...frame.subarray(offset, offset + 4)].join('.'));
    tcp.push(`${from ?? ''}:${frame.readUInt16BE(at)} > ${to ?? ''}:${frame.readUInt16BE(at + 2)}`);
  }
  return { esp, tcp };
}
