// SPDX-License-Identifier: Apache-2.0
/** Where the files of an instance are. */
import type { Config } from '../config/types.js';

export interface InstancePaths {
  readonly runtime: string;
  readonly stateDirectory: string;
  readonly segments: string;
  /** Shared segments. */
  readonly tables: string;
  readonly state: string;
  readonly controlSocket: string;
  readonly workerSocket: string;
  readonly workerLog: string;
  /** What the worker and its libraries print. */
  readonly workerOutput: string;
  /** In the state directory. */
  readonly keyLedger: string;
  readonly labelRegister: string;
  readonly spTables: string;
}

export function instancePaths(
  config: Pick<Config, 'instance' | 'runtimeDirectory' | 'stateDirectory' | 'segmentDirectory'>,
): InstancePaths {
  const runtime = config.runtimeDirectory ?? `/run/sealane/${config.instance}`;
  const stateDirectory = config.stateDirectory ?? `/var/lib/sealane/${config.instance}`;
  const segments = config.segmentDirectory ?? `/dev/shm/sealane/${config.instance}`;
  return {
    ...{ runtime, stateDirectory, segments },
    tables: `${segments}/tables`,
    state: `${segments}/state`,
    controlSocket: `${runtime}/control.sock`,
    workerSocket: `${runtime}/worker.sock`,
    workerLog: `${runtime}/worker.log`,
    workerOutput: `${runtime}/worker.out`,
    keyLedger: `${stateDirectory}/keys.json`,
    labelRegister: `${stateDirectory}/labels.json`,
    spTables: `${stateDirectory}/sp-tables.json`,
  };
}
