// SPDX-License-Identifier: Apache-2.0
/** Where the files of an instance are. */
import { runtimeDirectory, segmentDirectory, stateDirectory } from '../config/defaults.js';
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
  /** Labels that come and go with routes. */
  readonly routeLabels: string;
  readonly spTables: string;
  /** How export rules pass from one class to another. */
  readonly exports: string;
  /** RFC 6290: what our tokens are made of. */
  readonly ikeSecret: string;
  /** Beside the segments, in memory: IKE SAs for the next supervisor. */
  readonly ikeSas: string;
}

export function instancePaths(config: Config): InstancePaths {
  const runtime = runtimeDirectory(config);
  const state = stateDirectory(config);
  const segments = segmentDirectory(config);
  return {
    ...{ runtime, stateDirectory: state, segments },
    tables: `${segments}/tables`,
    state: `${segments}/state`,
    controlSocket: `${runtime}/control.sock`,
    workerSocket: `${runtime}/worker.sock`,
    workerLog: `${runtime}/worker.log`,
    workerOutput: `${runtime}/worker.out`,
    keyLedger: `${state}/keys.json`,
    labelRegister: `${state}/labels.json`,
    routeLabels: `${state}/route-labels.journal`,
    spTables: `${state}/sp-tables.json`,
    exports: `${state}/exports.json`,
    ikeSecret: `${state}/ike-secret.json`,
    ikeSas: `${segments}/ike`,
  };
}
