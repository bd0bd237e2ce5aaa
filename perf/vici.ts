// SPDX-License-Identifier: Apache-2.0
/**
 * strongSwan's control protocol, as much as it takes to give charon connections and to initiate them without a
 * process for each: packets | length 4 | type 1 | name length 1 | name | message |, in which a message is sections,
 * key-value pairs and lists.
 */
import { connect, type Socket } from 'node:net';

export type ViciValue = string | readonly string[] | { readonly [name: string]: ViciValue };

const REQUEST = 0;
const RESPONSE = 1;
const [SECTION_START, SECTION_END, KEY_VALUE, LIST_START, LIST_ITEM, LIST_END] = [1, 2, 3, 4, 5, 6];

const named = (text: string): Buffer => Buffer.from([text.length, ...Buffer.from(text)]);
function sized(text: string): Buffer {
  const size = Buffer.alloc(2);
  size.writeUInt16BE(Buffer.byteLength(text));
  return Buffer.concat([size, Buffer.from(text)]);
}

function encode(message: Readonly<Record<string, ViciValue>>): Buffer {
  const parts: Buffer[] = [];
  for (const [name, value] of Object.entries(message)) {
    if (typeof value === 'string') {
      parts.push(Buffer.of(KEY_VALUE), named(name), sized(value));
    } else if (isList(value)) {
      parts.push(Buffer.of(LIST_START), named(name));
      for (const item of value) parts.push(Buffer.of(LIST_ITEM), sized(item));
      parts.push(Buffer.of(LIST_END));
    } else {
      parts.push(Buffer.of(SECTION_START), named(name), encode(value), Buffer.of(SECTION_END));
    }
  }
  return Buffer.concat(parts);
}

const isList = (value: ViciValue): value is readonly string[] => Array.isArray(value);

export class Vici {
  readonly #socket: Socket;
  #received = Buffer.alloc(0);
  readonly #waiting: ((answer: Buffer) => void)[] = [];

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (data) => {
      this.#received = Buffer.concat([this.#received, data]);
      this.#take();
    });
  }

  static open(path: string): Promise<Vici> {
    return new Promise((resolve, reject) => {
      const socket = connect(path);
      socket.once('error', reject);
      socket.once('connect', () => {
        resolve(new Vici(socket));
      });
    });
  }

  #take(): void {
    while (this.#received.length >= 4) {
      const size = this.#received.readUInt32BE(0);
      if (this.#received.length < 4 + size) return;
      const packet = this.#received.subarray(4, 4 + size);
      this.#received = this.#received.subarray(4 + size);
      if (packet[0] === RESPONSE) this.#waiting.shift()?.(packet.subarray(1));
    }
  }

  /** Sends a command; the answer is its octets, of which no more is asked than whether it says no. */
  async command(name: string, message: Readonly<Record<string, ViciValue>>): Promise<void> {
    const body = Buffer.concat([Buffer.of(REQUEST), named(name), encode(message)]);
    const size = Buffer.alloc(4);
    size.writeUInt32BE(body.length);
    const answer = new Promise<Buffer>((resolve) => this.#waiting.push(resolve));
    this.#socket.write(Buffer.concat([size, body]));
    const text = (await answer).toString('latin1');
    if (text.includes('success') && text.includes('no') && text.includes('errmsg')) {
      throw new Error(`${name}: ${text.replaceAll(/[^ -~]+/g, ' ')}`);
    }
  }

  close(): void {
    this.#socket.destroy();
  }
}
