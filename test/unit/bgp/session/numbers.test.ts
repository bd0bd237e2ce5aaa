// SPDX-License-Identifier: Apache-2.0
/** Numbers of peers: the RIB has 65535, and whoever may connect must not be able to use them up. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { NeighborConfig } from '../../../../src/bgp/session/config.js';
import { BgpSpeaker } from '../../../../src/bgp/session/speaker.js';
import type { Kernel, TcpListenerEvents } from '../../../../src/lib/kernel-api.js';

const silent = (): void => undefined;
const log = {
  ...{ error: silent, warning: silent, notice: silent, info: silent, debug: silent },
  area: () => log,
};
const sink = {
  ...{ established: silent, refresh: silent, ended: silent, writable: silent },
  update: () => ({ kind: 'ok' }) as const,
};

/** A speaker whose connections fail as soon as they are there: none is ever established. */
function speaker(): { made: BgpSpeaker; connect: (remote: number) => void } {
  let events: TcpListenerEvents | undefined;
  const kernel = {
    listenTcp: (_: unknown, given: TcpListenerEvents) => {
      events = given;
      return { close: silent, setMd5: silent };
    },
    setTcpHops: () => {
      throw new Error('gone already');
    },
    closeDescriptor: silent,
  } as unknown as Kernel;
  const made = new BgpSpeaker({
    ...{ kernel, netnsOf: () => 0, sink, log, random: () => 0.5 },
    restart: () => ({ restarting: false, forwarding: 0 }),
  });
  const connect = (remote: number): void => {
    events?.onConnection({
      ...{ fd: 9, remote: Uint8Array.of(10, 0, 0, remote), local: Uint8Array.of(10, 0, 0, 1) },
      ...{ remotePort: 4000, localPort: 179, synTtl: 255 },
    });
  };
  return { made, connect };
}

const identity = { asn: 65000, routerId: 1 };
const range: NeighborConfig = { prefix: '10.0.0.0/24', asn: 'external' };

describe('numbers of peers', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it('are free again when a peer out of a prefix never came up', () => {
    const { made, connect } = speaker();
    made.apply(identity, [range]);
    for (let round = 0; round < 50; round++) {
      connect(round + 2);
      expect(made.show().map(({ id }) => id)).toEqual([1]);
      vi.advanceTimersByTime(60_000);
      expect(made.show()).toEqual([]);
    }
    made.stop('restart');
  });

  it('are free again when a neighbour goes from the configuration that never came up', () => {
    const { made } = speaker();
    for (let round = 0; round < 50; round++) {
      made.apply(identity, [{ address: `10.0.0.${round + 2}`, asn: 65001, passive: true }]);
      expect(made.show().map(({ id }) => id)).toEqual([1]);
      made.apply(identity, []);
    }
    made.stop('restart');
  });
});
