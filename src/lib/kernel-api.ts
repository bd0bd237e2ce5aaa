// SPDX-License-Identifier: Apache-2.0
/**
 * Kernel work that Node cannot do, as the native addon offers it. Code that needs it takes a
 * {@link Kernel} by injection. Every call is synchronous, belongs to the process's main thread and
 * throws an AddonError: code KERNEL with the errno's name, BAD_ARGUMENT, NOT_FOUND, CLOSED, WRONG_THREAD.
 */
import type { BfdSockets } from './bfd-sockets.js';
import type { UdpSockets } from './udp-sockets.js';

/** A non-blocking datagram-like descriptor (seqpacket or netlink) watched by the event loop. */
export interface PolledSocket {
  /**
   * Sends one datagram; `descriptors` (at most 16, seqpacket only) go beside it and stay the caller's.
   * Returns false when the kernel's buffer is full: nothing was sent, `onWritable` tells when to retry.
   */
  send(data: Uint8Array, descriptors?: readonly number[]): boolean;
  /** No event comes after this. */
  close(): void;
}
export interface PolledSocketEvents {
  readonly onMessage: (data: Uint8Array) => void;
  /** Peer closed, or an error; called once, the socket is closed. */
  readonly onClose: (reason: string) => void;
  /** Netlink: the kernel dropped messages (ENOBUFS); what it had kept is delivered, the socket open. */
  readonly onOverrun?: () => void;
  /** Once after each refused `send`: there is room again. */
  readonly onWritable?: () => void;
}

/** What a network device does to frames on its own account. */
export type OffloadName = 'rxChecksum' | 'txChecksum' | 'tso' | 'gso' | 'gro' | 'lro';
export type Offloads = Readonly<Record<OffloadName, boolean>>;

/** Whose segments a key signs: one address, or all of a prefix. Addresses are 4 or 16 bytes. */
export interface TcpKeyScope {
  readonly peer: Uint8Array;
  /** Default all bits. */
  readonly prefixLength?: number;
}
/** RFC 2385: 1 to 80 bytes of key; none removes the key of this scope. Secret. */
export interface TcpMd5Key extends TcpKeyScope {
  readonly key: Uint8Array;
}
/** RFC 5925: 1 to 80 bytes of key; `algorithm` by the kernel's name, "hmac(sha1)" or "cmac(aes)". */
export interface TcpAoKey extends TcpKeyScope {
  readonly key: Uint8Array;
  readonly algorithm: string;
  readonly sendId: number;
  readonly receiveId: number;
}
export interface TcpHops {
  /** TTL or hop limit of what is sent, 1..255. */
  readonly ttl?: number;
  /** What arrives with less is dropped by the kernel (RFC 5082). */
  readonly minTtl?: number;
}
export interface TcpOptions extends TcpHops {
  readonly netns: number;
  /** Own address, zeros for any; its size decides the family. */
  readonly local: Uint8Array;
  /** Default 0: any. */
  readonly port?: number;
  /** Bound to this device, as link-local addresses need. */
  readonly interface?: string;
  /** Octets of a segment's data: larger ones are neither sent nor asked for. 88 to 32767; default the kernel's choice. */
  readonly maxSegment?: number;
  readonly md5Keys?: readonly TcpMd5Key[];
  /** errno ENOPROTOOPT: the kernel has no TCP-AO. */
  readonly aoKeys?: readonly TcpAoKey[];
}
export interface TcpConnection {
  /** The receiver's, who must close it. */
  readonly fd: number;
  readonly remote: Uint8Array;
  readonly remotePort: number;
  readonly local: Uint8Array;
  /** TTL of the peer's SYN: a peer under GTSM has to show 255 before its options are set. */
  readonly synTtl: number;
}
export interface TcpListener {
  /** For connections that come from now on. */
  setMd5(key: TcpMd5Key): void;
  close(): void;
}
export interface TcpListenerEvents {
  readonly onConnection: (connection: TcpConnection) => void;
  /** No descriptor left, or another failure of accept(2): the listener is closed. */
  readonly onError: (reason: string) => void;
}

/** `netns` is a descriptor of {@link Kernel.openNetns}. Descriptors are plain numbers owned by the caller. */
export interface Kernel extends BfdSockets, UdpSockets {
  /** Opens a namespace file (/run/netns/NAME or /proc/PID/ns/net); undefined = our own. */
  openNetns(path: string | undefined): number;
  closeDescriptor(fd: number): void;
  /**
   * Creates or re-opens a persistent multi-queue TAP (Ethernet) or TUN (IP) in a namespace, IFF_NO_PI.
   * Returns one queue: `attached` false leaves it detached (TUNSETQUEUE), holding the device's carrier.
   */
  openTap(options: {
    readonly netns: number;
    readonly name: string;
    readonly kind: 'tap' | 'tun';
    readonly mac?: Uint8Array;
    readonly attached: boolean;
  }): number;
  /** Ends a TAP's persistence: it goes with its last queue. One that is not there is no error. */
  removeTap(netns: number, name: string): void;
  /**
   * A NETLINK_ROUTE socket joined to `groups` (RTNLGRP_*). Only the kernel's messages arrive; answers to
   * this socket carry `port` in their nlmsg_pid.
   */
  openNetlink(
    netns: number,
    groups: readonly number[],
    events: PolledSocketEvents,
  ): PolledSocket & { readonly port: number };
  connectSeqpacket(
    path: string,
    events: PolledSocketEvents,
  ): PolledSocket & { readonly peerPid: number };
  /**
   * A bound, unconnected TCP socket with TCP_NODELAY and traffic class CS6, every option set before it
   * is bound: for `new net.Socket({ fd }).connect()`.
   */
  tcpSocket(options: TcpOptions): number;
  /** IPv6 listeners take no IPv4 connections. */
  listenTcp(options: TcpOptions, events: TcpListenerEvents): TcpListener;
  setTcpHops(fd: number, hops: TcpHops): void;
  hasTcpAo(): boolean;
  /** Writes /proc/sys/net/... of a namespace; `path` is relative: 'ipv4/conf/all/forwarding'. */
  writeSysctl(netns: number, path: string, value: string): void;
  /** The value without its line end. */
  readSysctl(netns: number, path: string): string;
  readOffloads(netns: number, interfaceName: string): Offloads;
  /** errno EOPNOTSUPP: this device cannot switch it. */
  writeOffload(netns: number, interfaceName: string, offload: OffloadName, enabled: boolean): void;
  /**
   * Waits for the end of a process without polling; `onExit` is called once. Raises NOT_FOUND for a PID
   * whose start time differs: it belongs to another process now.
   */
  watchProcess(pid: number, startTime: bigint, onExit: () => void): { close(): void };
  /** Field 22 of /proc/PID/stat, in clock ticks; undefined when the process is gone or a zombie. */
  processStartTime(pid: number): bigint | undefined;
  /**
   * Keeps this process's memory out of core dumps, and from every process without CAP_SYS_PTRACE
   * (PR_SET_DUMPABLE, RLIMIT_CORE). There is no way back.
   */
  hideMemory(): void;
}
