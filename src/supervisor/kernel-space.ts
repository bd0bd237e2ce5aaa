// SPDX-License-Identifier: Apache-2.0
/** One namespace of the PE: its devices, and who its neighbours are. */
import type { NamespaceContext } from '../kernel/device.js';
import { NamespaceMonitor } from '../kernel/monitor.js';
import { NeighbourWatcher, type NeighbourEntry } from '../kernel/neighbours.js';
import { namespacePath } from '../kernel/netns.js';
import type { Kernel } from '../lib/kernel-api.js';

export interface SpaceEvents {
  readonly onNeighbour: (entry: NeighbourEntry) => void;
  readonly onFault: (what: string) => void;
  readonly onBlind: (why: string) => void;
}

export class KernelSpace {
  /** undefined: the supervisor's own. */
  readonly name: string | undefined;
  readonly context: NamespaceContext;
  readonly monitor: NamespaceMonitor;
  readonly neighbours: NeighbourWatcher;

  private constructor(
    name: string | undefined,
    context: NamespaceContext,
    monitor: NamespaceMonitor,
    neighbours: NeighbourWatcher,
  ) {
    this.name = name;
    this.context = context;
    this.monitor = monitor;
    this.neighbours = neighbours;
  }

  /** Resolves when links, addresses and neighbours have been read once. */
  static async open(
    kernel: Kernel,
    name: string | undefined,
    events: SpaceEvents,
  ): Promise<KernelSpace> {
    const netns = kernel.openNetns(name === undefined ? undefined : namespacePath(name));
    try {
      const monitor = await NamespaceMonitor.open(kernel, netns);
      const where = name ?? 'our own namespace';
      monitor.listen({
        closed: (reason) => {
          events.onBlind(`netlink of ${where} has ended: ${reason}`);
        },
      });
      const neighbours = new NeighbourWatcher(monitor, {
        onChange: events.onNeighbour,
        onError: (error) => {
          events.onFault(`neighbours of ${where}: ${String(error)}`);
        },
      });
      const context = { kernel, netns, netlink: monitor.netlink };
      return new KernelSpace(name, context, monitor, neighbours);
    } catch (error) {
      kernel.closeDescriptor(netns);
      throw error;
    }
  }

  close(): void {
    this.neighbours.close();
    this.monitor.close();
    this.context.kernel.closeDescriptor(this.context.netns);
  }
}
