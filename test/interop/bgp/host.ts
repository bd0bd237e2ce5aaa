// SPDX-License-Identifier: Apache-2.0
/** Our sessions in a namespace of a lab, run by the test process, with a RIB that only remembers. */
import { eventually } from '../../../scripts/lib/lab.js';
import type { FamilyId, FamilySet } from '../../../src/bgp/codec/types.js';
import type { NeighborConfig } from '../../../src/bgp/session/config.js';
import { BgpSpeaker } from '../../../src/bgp/session/speaker.js';
import type { SessionView } from '../../../src/bgp/session/view.js';
import type { EstablishedPeer, PeerId, RouteSink, SessionEnd } from '../../../src/bgp/types.js';
import { createLogger } from '../../../src/lib/log.js';
import { kernel } from '../../system/kernel/support.js';

/** A RIB's ears. */
export class Ears implements RouteSink {
  readonly up: EstablishedPeer[] = [];
  readonly down: { readonly peer: PeerId; readonly end: SessionEnd }[] = [];
  readonly updates: Uint8Array[] = [];
  readonly refreshes: { readonly family: FamilyId; readonly subtype: number }[] = [];
  writableCount = 0;

  established(peer: EstablishedPeer): void {
    this.up.push(peer);
  }
  update(_peer: PeerId, bytes: Uint8Array, start: number, end: number): { kind: 'ok' } {
    this.updates.push(bytes.slice(start, end));
    return { kind: 'ok' };
  }
  refresh(_peer: PeerId, family: FamilyId, subtype: 0 | 1 | 2): void {
    this.refreshes.push({ family, subtype });
  }
  ended(peer: PeerId, end: SessionEnd): void {
    this.down.push({ peer, end });
  }
  writable(): void {
    this.writableCount++;
  }
}

export class Host {
  readonly ears = new Ears();
  readonly lines: string[] = [];
  readonly speaker: BgpSpeaker;
  readonly #netns: number;
  readonly #identity: { readonly asn: number; readonly routerId: number };
  restart: { restarting: boolean; forwarding: FamilySet } = { restarting: false, forwarding: 0 };

  constructor(netns: string, asn = 65001, routerId = 0x0a000001) {
    this.#netns = kernel.openNetns(`/run/netns/${netns}`);
    this.#identity = { asn, routerId };
    this.speaker = new BgpSpeaker({
      kernel,
      netnsOf: () => this.#netns,
      sink: this.ears,
      log: createLogger({
        write: (line) => this.lines.push(line),
        now: () => new Date().toISOString(),
      }),
      restart: () => this.restart,
      random: Math.random,
    });
  }

  apply(...neighbors: NeighborConfig[]): void {
    this.speaker.apply(this.#identity, neighbors);
  }

  view(name: string): SessionView | undefined {
    return this.speaker.show().find((view) => view.name === name);
  }

  async established(name: string, timeoutMs = 60_000): Promise<SessionView> {
    try {
      return await eventually(
        `session with ${name}`,
        () => {
          const view = this.view(name);
          return view?.state === 'established' ? view : undefined;
        },
        timeoutMs,
      );
    } catch (error) {
      throw new Error(`${String(error)}\n${this.lines.join('\n')}`, { cause: error });
    }
  }

  down(name: string, timeoutMs = 60_000): Promise<true> {
    return eventually(
      `session with ${name} down`,
      () => (this.view(name)?.state === 'established' ? undefined : true),
      timeoutMs,
    );
  }

  close(): void {
    this.speaker.stop({ text: '' });
    kernel.closeDescriptor(this.#netns);
  }
}
