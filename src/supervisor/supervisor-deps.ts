// SPDX-License-Identifier: Apache-2.0
/** What a supervisor is given by its process. */
import type { Config } from '../config/types.js';
import type { Addon } from '../forwarding/addon/api.js';
import type { Kernel } from '../lib/kernel-api.js';
import type { Logger } from '../lib/log.js';
import type { DebugKeys } from './debug-keys.js';
import type { KernelPort, KernelPortEvents } from './kernel-port.js';
import type { InstancePaths } from './paths.js';

export interface SupervisorDeps {
  readonly addon: Addon;
  readonly paths: InstancePaths;
  readonly workerProgram: string;
  /** The run before ended with a stop that took everything down. */
  readonly wasStopped: boolean;
  readonly log: Logger;
  readonly kernelPort: (kernel: Kernel, events: KernelPortEvents) => KernelPort;
  /** Makes a configuration the one that a restart loads. */
  readonly store: (config: Config) => Promise<void>;
  /** Seconds since 1970. */
  readonly clock: () => number;
  readonly debugKeys: DebugKeys | undefined;
  /** The supervisor cannot do its work any more: end it and leave the worker. */
  readonly onFatal: () => void;
}
