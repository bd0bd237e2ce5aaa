// SPDX-License-Identifier: Apache-2.0
/** Flows sent in a lab, and where each arrives: for routes with several ways. */
import { readFileSync } from 'node:fs';
import { eventually, type Lab } from '../../../scripts/lib/lab.js';
import { readPcap } from '../../lib/pcap.js';

/** Destination port of the flows: nothing else in the labs has it. */
const PORT = 9000;
const FIRST_SOURCE = 20_000;
/** Of the source port in a frame: Ethernet 14, IPv4 20. */
const SOURCE_AT = 34;

/** Where each flow arrived, by source port. */
export type Arrivals = ReadonlyMap<number, string>;

/** Flows that arrived at a place. */
export const countAt = (arrivals: Arrivals, place: string): number =>
  [...arrivals.values()].filter((one) => one === place).length;

export interface Tap {
  readonly frames: () => Buffer[];
  readonly stop: () => Promise<void>;
}

export interface FlowsFrom {
  readonly netns: string;
  readonly address: string;
  /** The first three octets of the /24 that they go to: 200 of its hosts. */
  readonly to: string;
}

export interface Place {
  readonly netns: string;
  readonly device: string;
}

export class FlowLab {
  readonly #lab: Lab;
  readonly #folder: string;
  #taps = 0;

  /** `folder`: for captures. */
  constructor(lab: Lab, folder: string) {
    this.#lab = lab;
    this.#folder = folder;
  }

  /** Records the frames with this filter that an interface takes in. */
  async tap({ netns, device }: Place, filter: string): Promise<Tap> {
    const file = `${this.#folder}/tap${++this.#taps}.pcap`;
    const log = `${file}.log`;
    const argv = ['tcpdump', '--immediate-mode', '-U', '-Z', 'root', '-s', '0', '-Q', 'in'];
    const child = this.#lab.start(netns, [...argv, '-ni', device, '-w', file, filter], log);
    await eventually('tcpdump listens', () =>
      readFileSync(log, 'utf8').includes('listening on') ? true : undefined,
    );
    return {
      frames: () => readPcap(readFileSync(file)),
      stop: async () => this.#lab.stop(child, 'SIGINT'),
    };
  }

  /** Sends a packet of each of `count` flows and says at which place each arrived. All must arrive. */
  async send(
    from: FlowsFrom,
    places: Readonly<Record<string, Place>>,
    count: number,
  ): Promise<Arrivals> {
    const taps: [string, Tap][] = [];
    try {
      for (const [name, place] of Object.entries(places)) {
        taps.push([name, await this.tap(place, `udp dst port ${PORT}`)]);
      }
      await this.#send(from, count);
      return await eventually(`${count} flows arrive`, () => arrivalsAt(taps, count), 30_000);
    } finally {
      for (const [, tap] of taps) await tap.stop();
    }
  }

  async #send({ netns, address, to }: FlowsFrom, count: number): Promise<void> {
    const script = [
      'import socket, time',
      `for n in range(${count}):`,
      '    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)',
      `    s.bind(("${address}", ${FIRST_SOURCE} + n))`,
      `    s.sendto(b"flow %d" % n, ("${to}.%d" % (1 + n % 200), ${PORT}))`,
      '    s.close()',
      '    time.sleep(0.001)',
    ];
    await this.#lab.must(netns, ['/usr/bin/python3', '-c', script.join('\n')]);
  }
}

/** undefined: not all are there. */
function arrivalsAt(
  taps: readonly (readonly [string, Tap])[],
  count: number,
): Arrivals | undefined {
  const found = new Map<number, string>();
  for (const [name, tap] of taps) {
    for (const frame of tap.frames()) found.set(frame.readUInt16BE(SOURCE_AT), name);
  }
  return found.size === count ? found : undefined;
}
