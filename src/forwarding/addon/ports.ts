// SPDX-License-Identifier: Apache-2.0
/** What the worker's control thread counts in segment `state`: ports and packet buffers. */

/** Frames, as a port's driver and the kernel count, over all workers there were. */
export interface PortCounters {
  readonly rxPackets: bigint;
  readonly rxMissed: bigint; // lost: receive ring full
  readonly rxErrors: bigint; // lost: damaged
  readonly rxNoBuffer: bigint; // times that the driver found no packet buffer
  readonly txPackets: bigint;
  readonly txFull: bigint; // dropped: transmit ring full
  readonly txErrors: bigint; // taken by the driver, and lost
}

export interface PacketPool {
  readonly size: bigint;
  readonly free: bigint;
  readonly least: bigint; // free ones when there were fewest, since the worker began
}
