// SPDX-License-Identifier: Apache-2.0
/**
 * The kernel's neighbour tables, one for IPv4 and one for IPv6, are shared by all namespaces of a machine.
 * Above gc_thresh2 entries are thrown out, managed ones included, and above gc_thresh3 (1024 as
 * delivered) none is made: hosts of one customer would cost another its next hops.
 */
import type { Kernel } from '../lib/kernel-api.js';
import { errnoOf } from './errors.js';

const WANTED = { gc_thresh2: 32_768, gc_thresh3: 65_536 } as const;

/**
 * Raises both limits where they are lower. Only the machine's first namespace has them; returns what an
 * operator should do when it is out of reach.
 */
export function raiseNeighbourLimits(kernel: Kernel): string | undefined {
  // Our own may be the first one; else PID 1's is, unless this is a container.
  for (const path of [undefined, '/proc/1/ns/net']) {
    if (tryNamespace(kernel, path)) return undefined;
  }
  return (
    'the limits of the neighbour tables cannot be raised from here; with more than some hundred ' +
    `neighbours set on the host, for ipv4 and ipv6: net.ipv4.neigh.default.gc_thresh2=${WANTED.gc_thresh2} ` +
    `and gc_thresh3=${WANTED.gc_thresh3}`
  );
}

function tryNamespace(kernel: Kernel, path: string | undefined): boolean {
  let netns: number | undefined;
  try {
    netns = kernel.openNetns(path);
    for (const family of ['ipv4', 'ipv6']) {
      for (const [name, wanted] of Object.entries(WANTED)) {
        const sysctl = `${family}/neigh/default/${name}`;
        if (Number(kernel.readSysctl(netns, sysctl)) < wanted) {
          kernel.writeSysctl(netns, sysctl, String(wanted));
        }
      }
    }
    return true;
  } catch (error) {
    if (['ENOENT', 'EACCES', 'EPERM', 'EROFS'].includes(errnoOf(error) ?? '')) return false;
    throw error;
  } finally {
    if (netns !== undefined) kernel.closeDescriptor(netns);
  }
}
