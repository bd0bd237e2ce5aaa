// SPDX-License-Identifier: Apache-2.0
/**
 * UDP sockets for IKE, in any namespace and read in batches: Node's own take one event, and the text of an
 * address, for each datagram. They are the native addon's work as the rest of kernel-api.ts is, and part of its
 * Kernel.
 */

/**
 * Datagrams are sorted by the kernel into receive buffers of their own, so that a flood of one kind does not
 * crowd out the others: those of exchanges that are under way, IKE_SA_INIT requests that begin with a notify (a
 * cookie), all else. 'ike-marked': IKE behind a non-ESP marker (RFC 3948 §2.2).
 */
export type UdpLanes = 'ike' | 'ike-marked';

export interface UdpSocketOptions {
  readonly netns: number;
  /** 4 or 16 bytes. */
  readonly local: Uint8Array;
  /** 0: any. */
  readonly port: number;
  readonly lanes?: UdpLanes;
  /** Of each lane's receive buffer; default the system's. */
  readonly receiveBytes?: number;
}

export interface UdpSocket {
  /** The port that it is bound to. */
  readonly port: number;
  /**
   * Sends at once; undefined, or the name of the errno: EAGAIN (no room), or what the network has against it
   * (ENETUNREACH, EPERM, …). Nothing is queued. Throws CLOSED, and BAD_ARGUMENT for an address of another family.
   */
  send(data: Uint8Array, address: Uint8Array, port: number): string | undefined;
  /** Datagrams that came while a receive buffer was full. */
  dropped(): number;
  /** No event comes after this. */
  close(): void;
}

export interface UdpSockets {
  /**
   * Binds a socket in a namespace: traffic class CS6; IPv4 packets are sent without DF, IPv6 ones are cut to 1280
   * octets, and no ICMP message changes either or is an error here. errno EADDRINUSE: another IKE daemon runs there.
   *
   * `onBatch` is given `count` records, each | length 2 | port 2 | address 4 or 16 | octets |, integers in network
   * order, at most 64: behind it the event loop has its turn. The buffer is the receiver's.
   */
  udpSocket(
    options: UdpSocketOptions,
    onBatch: (records: Uint8Array, count: number) => void,
  ): UdpSocket;
}
