// SPDX-License-Identifier: Apache-2.0
/** Client of wire.py: raw sockets inside a test's namespace, and Scapy. */
import { fileURLToPath } from 'node:url';
import { inNetns } from '../../scripts/lib/lab.js';
import { JsonChild } from './json-child.js';

/** A layer of Scapy and its fields, or `['Raw', hex]`. */
export type Layer = readonly [string, Readonly<Record<string, unknown>> | string];
export type Stack = readonly Layer[];

/** A layer as Scapy read it: `layer` is its name, byte fields are hexadecimal. */
export type ReadLayer = Readonly<Record<string, string | number | null>>;

/** For Scapy: AES-GCM alone. */
export interface ScapySa {
  readonly spi: number;
  readonly key: Uint8Array;
}

interface Answer {
  readonly error?: string;
  readonly frames?: unknown;
  readonly packets?: readonly string[];
  readonly layers?: readonly (readonly ReadLayer[])[];
  readonly sent?: number;
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const bytes = (text: string): Buffer => Buffer.from(text, 'hex');
const saOf = ({ spi, key }: ScapySa): object => ({ spi, key: hex(key) });

export class Wire {
  readonly #child: JsonChild<Answer>;

  constructor(netns: string) {
    const script = fileURLToPath(new URL('./wire.py', import.meta.url));
    this.#child = new JsonChild('wire.py', inNetns(netns, ['/usr/bin/python3', '-B', script]));
  }

  /** Listens on interfaces from now on. */
  async open(interfaces: readonly string[]): Promise<void> {
    await this.#child.ask({ op: 'open', interfaces });
  }
  async send(frames: readonly (readonly [string, Uint8Array])[]): Promise<void> {
    await this.#child.ask({
      op: 'send',
      frames: frames.map(([name, frame]) => [name, hex(frame)]),
    });
  }
  /** Frames that have arrived since the last call, by interface. */
  async take(): Promise<Map<string, Buffer[]>> {
    const { frames } = await this.#child.ask({ op: 'take' });
    const lists = Object.entries(frames as Record<string, string[]>);
    return new Map(lists.map(([name, list]) => [name, list.map(bytes)]));
  }
  /** Sends the frames over and over, `gapUs` microseconds apart, until {@link calm}. */
  async flood(name: string, frames: readonly Uint8Array[], gapUs: number): Promise<void> {
    await this.#child.ask({ op: 'flood', name, frames: frames.map(hex), gap_us: gapUs });
  }
  async calm(): Promise<number> {
    return (await this.#child.ask({ op: 'calm' })).sent ?? 0;
  }

  /** Built by Scapy, lengths and checksums included. */
  async build(packets: readonly Stack[]): Promise<Buffer[]> {
    const { frames } = await this.#child.ask({ op: 'build', packets });
    return (frames as string[]).map(bytes);
  }
  /** Frames whose IP packet `packet` is put into ESP transport mode by Scapy. */
  async seal(
    packets: readonly { ethernet: Stack; packet: Stack; sa: ScapySa; sequence: number }[],
  ): Promise<Buffer[]> {
    const list = packets.map((one) => ({ ...one, sa: saOf(one.sa) }));
    const { frames } = await this.#child.ask({ op: 'seal', packets: list });
    return (frames as string[]).map(bytes);
  }
  /** IP packets out of frames with ESP, verified and decrypted by Scapy; rejects when one does not verify. */
  async openEsp(packets: readonly { frame: Uint8Array; sa: ScapySa }[]): Promise<Buffer[]> {
    const list = packets.map(({ frame, sa }) => ({ frame: hex(frame), sa: saOf(sa) }));
    const { packets: opened } = await this.#child.ask({ op: 'open_esp', packets: list });
    return (opened ?? []).map(bytes);
  }
  /** IPv4 fragments as the datagrams they make, put together by Scapy. */
  async join(packets: readonly Uint8Array[]): Promise<Buffer[]> {
    const { frames } = await this.#child.ask({ op: 'join', packets: packets.map(hex) });
    return (frames as string[]).map(bytes);
  }
  /** Layers as Scapy reads them; `first` is the outermost. */
  async dissect(
    frames: readonly (readonly [first: string, frame: Uint8Array])[],
  ): Promise<readonly (readonly ReadLayer[])[]> {
    const list = frames.map(([first, frame]) => [first, hex(frame)]);
    return (await this.#child.ask({ op: 'dissect', frames: list })).layers ?? [];
  }

  async close(): Promise<void> {
    await this.#child.close();
  }
}
