// SPDX-License-Identifier: Apache-2.0
/**
 * The UDP sockets of IKE: ports 500 and 4500 of each local tunnel address, in one network namespace. Marks and
 * unmarks what goes over port 4500; that this belongs to the socket, not to the peer's port, is RFC 7296 §2.23.
 */
import { formatAddress } from '../../lib/ip.js';
import type { Logger } from '../../lib/log.js';
import type { UdpSocket, UdpSockets } from '../../lib/udp-sockets.js';
import type { IkeCounter } from '../counters.js';
import type { Datagram, Path, Timers } from '../types.js';
import { eachRecord, KEEPALIVE, kindOfMarked, MARKER_LENGTH, withMarker } from './records.js';

/**
 * 50,000 IKE_SA_INIT requests of 500 octets, as the kernel counts them (about 1.3 KB each), for some 130 ms in
 * which the event loop is busy with something else.
 */
const RECEIVE_BYTES = 8 << 20;
const RETRY_MS = 5_000;
/** Failures to send are logged so often at most: a network that is down fails each one. */
const COMPLAIN_MS = 60_000;

export interface IkePorts {
  readonly plain: number;
  readonly marked: number;
}

export const IKE_PORTS: IkePorts = { plain: 500, marked: 4500 };

export interface IkeTransportDeps {
  readonly sockets: UdpSockets;
  /** Descriptor of the namespace that the tunnel addresses are in. */
  readonly netns: number;
  readonly timers: Timers;
  readonly log: Logger;
  readonly count: (counter: IkeCounter) => void;
  /** The octets are a view of a whole batch: who keeps them for long copies them. */
  readonly onDatagram: (datagram: Datagram) => void;
  /** Default {@link IKE_PORTS}. */
  readonly ports?: IkePorts;
}

interface Place {
  readonly address: Uint8Array;
  readonly port: number;
  readonly marked: boolean;
  socket: UdpSocket | undefined;
  /** Ends the waiting for another attempt to open it. */
  retry: (() => void) | undefined;
  complained: boolean;
}

/** Bound, not bound (yet), and why. */
export interface IkeSocketRow {
  readonly address: Uint8Array;
  readonly port: number;
  readonly isOpen: boolean;
  /** Datagrams that came while the kernel's buffer was full. */
  readonly dropped: number;
}

const keyOf = (address: Uint8Array, port: number): string =>
  `${Buffer.from(address).toString('latin1')}${String(port)}`;

export class IkeTransport {
  readonly #deps: IkeTransportDeps;
  readonly #ports: IkePorts;
  readonly #places = new Map<string, Place>();
  #complainedAt = -Infinity;

  constructor(deps: IkeTransportDeps) {
    this.#deps = deps;
    this.#ports = deps.ports ?? IKE_PORTS;
  }

  /** Listens on these local addresses, and on no other any more. What cannot be opened is tried again. */
  apply(addresses: readonly Uint8Array[]): void {
    const wanted = new Map<string, Place>();
    for (const address of addresses) {
      for (const [port, marked] of [
        [this.#ports.plain, false],
        [this.#ports.marked, true],
      ] as const) {
        const state = { socket: undefined, retry: undefined, complained: false };
        wanted.set(keyOf(address, port), { address: address.slice(), port, marked, ...state });
      }
    }
    for (const [key, place] of this.#places) if (!wanted.has(key)) this.#drop(key, place);
    for (const [key, place] of wanted) {
      if (this.#places.has(key)) continue;
      this.#places.set(key, place);
      this.#open(place);
    }
  }

  /** Sends a message from the socket that `path.local` names; without such a socket it is lost. */
  send(path: Path, octets: Uint8Array): void {
    const place = this.#places.get(keyOf(path.local.address, path.local.port));
    this.#send(place, path, place?.marked === true ? withMarker(octets) : octets);
  }

  /** RFC 3948 §2.3: keeps the mapping of a NAT in front of us. Only from port 4500. */
  keepalive(path: Path): void {
    const place = this.#places.get(keyOf(path.local.address, path.local.port));
    if (place?.marked !== true) return;
    this.#deps.count('tx_keepalives');
    this.#send(place, path, KEEPALIVE);
  }

  rows(): IkeSocketRow[] {
    return [...this.#places.values()].map(({ address, port, socket }) => ({
      address,
      port,
      isOpen: socket !== undefined,
      dropped: socket?.dropped() ?? 0,
    }));
  }

  close(): void {
    for (const [key, place] of this.#places) this.#drop(key, place);
  }

  #drop(key: string, place: Place): void {
    this.#places.delete(key);
    place.retry?.();
    place.socket?.close();
    place.socket = undefined;
  }

  #open(place: Place): void {
    const { sockets, netns, timers, log } = this.#deps;
    const { address: local, port, marked } = place;
    const where = { address: formatAddress(local), port };
    place.retry = undefined;
    try {
      place.socket = sockets.udpSocket(
        {
          ...{ netns, local, port, receiveBytes: RECEIVE_BYTES },
          lanes: marked ? 'ike-marked' : 'ike',
        },
        (records) => {
          this.#received(place, records);
        },
      );
      log.info('listening for IKE', where);
      place.complained = false;
    } catch (error) {
      // The address may not be there yet, or another daemon may go.
      const reason = error instanceof Error ? error.message : String(error);
      if (!place.complained) log.warning('cannot listen for IKE', { ...where, reason });
      place.complained = true;
      place.retry = timers.after(RETRY_MS, () => {
        this.#open(place);
      });
    }
  }

  #received(place: Place, records: Uint8Array): void {
    const { count, onDatagram } = this.#deps;
    const local = { address: place.address, port: place.port };
    eachRecord(records, place.address.length, (address, port, octets) => {
      // Closed by what one before it in the batch has led to.
      if (place.socket === undefined) return;
      count('rx_datagrams');
      const kind = place.marked ? kindOfMarked(octets) : 'ike';
      if (kind === 'ike') {
        const message = place.marked ? octets.subarray(MARKER_LENGTH) : octets;
        onDatagram({ local, remote: { address, port }, octets: message });
      } else if (kind === 'esp') count('rx_esp_in_udp');
      else count(kind === 'keepalive' ? 'rx_keepalives' : 'rx_malformed');
    });
  }

  /** What is lost here is sent again like what is lost elsewhere. */
  #send(place: Place | undefined, path: Path, octets: Uint8Array): void {
    const { address, port } = path.remote;
    const usable = place?.socket !== undefined && place.address.length === address.length;
    const failure = usable ? place.socket?.send(octets, address, port) : 'no socket';
    if (failure === undefined) return;
    this.#deps.count('tx_failed');
    const now = this.#deps.timers.now();
    if (now - this.#complainedAt < COMPLAIN_MS) return;
    this.#complainedAt = now;
    this.#deps.log.warning('cannot send an IKE message', {
      from: formatAddress(path.local.address),
      to: formatAddress(address),
      reason: failure,
    });
  }
}
