// SPDX-License-Identifier: Apache-2.0
/**
 * UDP sockets for BFD (RFC 5881, 5883), which the worker uses. They are the native addon's work as the rest of
 * kernel-api.ts is, and part of its Kernel. Both return a descriptor that is the caller's.
 */
import type { Family } from './ip.js';

export interface BfdSockets {
  /**
   * Receives on UDP port 3784, or 4784 for `multihop`, on every address of the namespace in one family.
   * errno EADDRINUSE: another BFD daemon runs there.
   */
  openBfdListener(options: {
    readonly netns: number;
    readonly family: Family;
    readonly multihop: boolean;
  }): number;
  /**
   * Sends with TTL 255 from `local` (4 or 16 bytes) and a random free port of 49152 to 65535; on
   * `interface` alone if one is named, as a single hop and link-local addresses need.
   */
  openBfdSender(options: {
    readonly netns: number;
    readonly local: Uint8Array;
    readonly interface?: string;
  }): number;
}
