// SPDX-License-Identifier: Apache-2.0
/**
 * A data plane that remembers what it was told, and says so when it was told something that cannot be. With
 * {@link EspEnd} it also carries packets: AES-GCM and AES-GMAC, in transport mode.
 */
import { randomInt } from 'node:crypto';
import type { ChildInstall, ChildSink, ChildUsage } from '../../../src/ike/child/types.js';
import { good, type Outcome } from '../../../src/ike/types.js';
import { formatAddress } from '../../../src/lib/ip.js';
import { inNetns } from '../../../scripts/lib/lab.js';
import { JsonChild } from '../../dataplane/json-child.js';
import { openEsp, sealEsp, type EspKey, type OpenedEsp } from '../../lib/esp.js';

export interface Recorded {
  readonly install: ChildInstall;
  /** Copies: IKE wipes its own. Encryption key and salt, integrity key. */
  readonly inbound: { readonly encryption: Buffer; readonly integrity: Buffer };
  readonly outbound: { readonly encryption: Buffer; readonly integrity: Buffer };
  isActive: boolean;
  isRemoved: boolean;
  /** Milliseconds of performance.now(): removed ones take packets until then. */
  takesUntil: number;
  /** Packets. */
  sent: number;
  received: number;
}

const copied = (keys: ChildInstall['inboundKeys']): Recorded['inbound'] => ({
  encryption: Buffer.from(keys.encryption),
  integrity: Buffer.from(keys.integrity),
});

export class RecordingSink implements ChildSink {
  /** By inbound SPI, in the order of their installation; removed ones stay. */
  readonly children = new Map<number, Recorded>();
  /** What should not have happened. */
  readonly faults: string[] = [];
  readonly #allocated = new Set<number>();

  /** Those that were not removed. */
  get live(): Recorded[] {
    return [...this.children.values()].filter(({ isRemoved }) => !isRemoved);
  }
  /** Those that packets leave by: the newest of each service. */
  get active(): Recorded[] {
    return this.live.filter(({ isActive }) => isActive);
  }
  /** SPIs that were given out, and neither installed nor released. */
  get unused(): number {
    return this.#allocated.size;
  }

  allocateSpi(): number {
    for (;;) {
      const spi = randomInt(0x10000, 0x1_0000_0000);
      if (this.#allocated.has(spi) || this.children.has(spi)) continue;
      this.#allocated.add(spi);
      return spi;
    }
  }
  releaseSpi(spi: number): void {
    if (!this.#allocated.delete(spi)) this.faults.push(`released ${String(spi)}, not given out`);
  }
  install(install: ChildInstall): Promise<Outcome<void>> {
    const { inboundSpi } = install;
    if (!this.#allocated.delete(inboundSpi)) this.faults.push(`installed ${String(inboundSpi)}`);
    this.children.set(inboundSpi, {
      ...{ install, inbound: copied(install.inboundKeys), outbound: copied(install.outboundKeys) },
      ...{ isActive: false, isRemoved: false, takesUntil: Infinity, sent: 0, received: 0 },
    });
    return Promise.resolve(good(undefined));
  }
  activate(inboundSpi: number): Promise<void> {
    const child = this.children.get(inboundSpi);
    if (child === undefined || child.isRemoved) this.faults.push(`activated ${String(inboundSpi)}`);
    else child.isActive = true;
    return Promise.resolve();
  }
  remove(inboundSpi: number, graceMs: number): void {
    const child = this.children.get(inboundSpi);
    if (child === undefined || child.isRemoved) this.faults.push(`removed ${String(inboundSpi)}`);
    else {
      const takesUntil = performance.now() + graceMs;
      Object.assign(child, { isRemoved: true, isActive: false, takesUntil });
    }
  }
  usage(inboundSpi: number): ChildUsage | undefined {
    const child = this.children.get(inboundSpi);
    if (child === undefined || child.isRemoved) return undefined;
    return {
      ...{ inboundPackets: BigInt(child.received), inboundBytes: BigInt(child.received * 100) },
      ...{ outboundPackets: BigInt(child.sent), outboundBytes: BigInt(child.sent * 100) },
    };
  }
}

interface Answer {
  readonly error?: string;
  readonly packets?: readonly (readonly [string, string])[];
}

const espKey = (spi: number, recorded: Recorded, key: Uint8Array): EspKey => {
  const { cipher } = recorded.install.suite;
  if (cipher.id !== 20 && cipher.id !== 21) throw new Error(`no packets with ${cipher.name} here`);
  return { spi, key, authenticateOnly: cipher.id === 21 };
};

/** Sends and receives the packets of a sink's child SAs in a namespace. */
export class EspEnd {
  readonly #sink: RecordingSink;
  readonly #child: JsonChild<Answer>;
  /** ESP of no SA that is alive, by SPI, or with a wrong ICV. */
  readonly strays: string[] = [];

  constructor(netns: string, sink: RecordingSink) {
    this.#sink = sink;
    const script = new URL('raw_esp.py', import.meta.url).pathname;
    this.#child = new JsonChild('raw_esp.py', inNetns(netns, ['/usr/bin/python3', script]));
  }

  async open(local: string): Promise<void> {
    await this.#child.ask({ op: 'open', local });
  }

  /** Sends by a child SA; `payload` is what stands behind the outer IP header in clear. */
  async send(child: Recorded, payload: Uint8Array): Promise<void> {
    const { path, outboundSpi, suite, local } = child.install;
    const packet = sealEsp(
      espKey(outboundSpi, child, child.outbound.encryption),
      ++child.sent,
      payload,
      local[0]?.protocol ?? 0,
      suite.esn ? { high: 0 } : {},
    );
    await this.#child.ask({
      op: 'send',
      local: formatAddress(path.local.address),
      remote: formatAddress(path.remote.address),
      packets: [packet.toString('hex')],
    });
  }

  /** What came by live child SAs since the last time, opened. */
  async take(): Promise<(OpenedEsp & { readonly child: Recorded })[]> {
    const { packets = [] } = await this.#child.ask({ op: 'take' });
    return packets.flatMap(([source, hex]) => {
      const esp = Buffer.from(hex, 'hex');
      const child = this.#sink.children.get(esp.readUInt32BE(0));
      if (child === undefined || performance.now() > child.takesUntil) {
        this.strays.push(`${source}: SPI ${esp.toString('hex', 0, 4)}`);
        return [];
      }
      const { inboundSpi, suite } = child.install;
      const key = espKey(inboundSpi, child, child.inbound.encryption);
      try {
        const opened = openEsp(key, esp, suite.esn ? 0 : undefined);
        child.received++;
        return [{ ...opened, child }];
      } catch {
        this.strays.push(`${source}: wrong ICV, SPI ${esp.toString('hex', 0, 4)}`);
        return [];
      }
    });
  }

  close(): Promise<void> {
    return this.#child.close();
  }
}
