// SPDX-License-Identifier: Apache-2.0
/** Keeps the listening sockets as the plan wants them; one that cannot be opened is tried again. */
import { formatAddress } from '../../lib/ip.js';
import type { Kernel, TcpConnection, TcpListener, TcpMd5Key } from '../../lib/kernel-api.js';
import type { Logger } from '../../lib/log.js';
import type { ListenPlace } from './listen-plan.js';

const RETRY_MS = 5_000;

export interface ListenerDeps {
  readonly kernel: Kernel;
  /** Descriptor of a VRF's namespace, or of the core's. */
  readonly netnsOf: (vrf: string | undefined) => number;
  readonly port: number;
  readonly log: Logger;
  /** The receiver owns the descriptor. */
  readonly onConnection: (place: ListenPlace, connection: TcpConnection) => void;
}

interface Listening {
  readonly place: ListenPlace;
  listener: TcpListener | undefined;
  retry: NodeJS.Timeout | undefined;
  keys: readonly TcpMd5Key[];
  complained: boolean;
}

const scopeOf = ({ peer, prefixLength }: TcpMd5Key): string =>
  `${formatAddress(peer)}/${prefixLength ?? 8 * peer.length}`;

export class Listeners {
  readonly #deps: ListenerDeps;
  readonly #open = new Map<string, Listening>();

  constructor(deps: ListenerDeps) {
    this.#deps = deps;
  }

  /** Opens what is new, closes what is no longer wanted, sets the keys of the rest. */
  apply(places: readonly ListenPlace[], keysOf: (place: ListenPlace) => TcpMd5Key[]): void {
    const wanted = new Map(places.map((place) => [place.key, place]));
    for (const [key, listening] of this.#open) {
      // A segment size is the socket's for life.
      if (wanted.get(key)?.maxSegment !== listening.place.maxSegment || !wanted.has(key)) {
        this.#close(key, listening);
      }
    }
    for (const [key, place] of wanted) {
      const keys = keysOf(place);
      const open = this.#open.get(key);
      if (open !== undefined) {
        this.#rekey(open, keys);
        continue;
      }
      const listening = { place, keys, complained: false, listener: undefined, retry: undefined };
      this.#open.set(key, listening);
      this.#listen(listening);
    }
  }

  close(): void {
    for (const [key, listening] of this.#open) this.#close(key, listening);
  }

  /** Addresses that cannot be listened on now, with %VRF behind them inside a VRF. */
  failing(): readonly string[] {
    return [...this.#open.values()]
      .filter(({ listener }) => listener === undefined)
      .map(
        ({ place: { local, vrf } }) => formatAddress(local) + (vrf === undefined ? '' : `%${vrf}`),
      );
  }

  #listen(listening: Listening): void {
    const { kernel, netnsOf, port, log, onConnection } = this.#deps;
    const { place } = listening;
    listening.retry = undefined;
    try {
      listening.listener = kernel.listenTcp(
        // A SYN-ACK has to reach peers under GTSM, too; each connection gets its own TTL after.
        {
          ...{ netns: netnsOf(place.vrf), local: place.local, port, ttl: 255 },
          ...(place.maxSegment === undefined ? {} : { maxSegment: place.maxSegment }),
          md5Keys: listening.keys,
        },
        {
          onConnection: (connection) => {
            onConnection(place, connection);
          },
          onError: (reason) => {
            listening.listener = undefined;
            this.#fail(listening, reason);
          },
        },
      );
      if (listening.complained) log.notice('listening again', { address: place.key });
      listening.complained = false;
    } catch (error) {
      this.#fail(listening, error instanceof Error ? error.message : String(error));
    }
  }

  #fail(listening: Listening, reason: string): void {
    if (!listening.complained) {
      this.#deps.log.warning('cannot listen; trying again', {
        ...{ address: formatAddress(listening.place.local), vrf: listening.place.vrf, reason },
      });
    }
    listening.complained = true;
    listening.retry = setTimeout(() => {
      this.#listen(listening);
    }, RETRY_MS);
  }

  #rekey(listening: Listening, keys: readonly TcpMd5Key[]): void {
    const scopes = new Set(keys.map(scopeOf));
    const gone = listening.keys.filter((key) => !scopes.has(scopeOf(key)));
    listening.keys = keys;
    try {
      for (const key of gone) listening.listener?.setMd5({ ...key, key: new Uint8Array(0) });
      for (const key of keys) listening.listener?.setMd5(key);
    } catch (error) {
      // Without the right keys it must not go on listening.
      listening.listener?.close();
      listening.listener = undefined;
      clearTimeout(listening.retry);
      this.#fail(listening, error instanceof Error ? error.message : String(error));
    }
  }

  #close(key: string, listening: Listening): void {
    clearTimeout(listening.retry);
    listening.listener?.close();
    this.#open.delete(key);
  }
}
