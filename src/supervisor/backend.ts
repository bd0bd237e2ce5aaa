// SPDX-License-Identifier: Apache-2.0
/** What the control socket offers: showing, reloading, stopping. */
import { tryPolicy } from '../bgp/policy/try-policy.js';
import { configDigestHex } from '../config/canonical.js';
import { problemsOf, readConfig } from '../config/check.js';
import { diffConfigs, type Diff } from '../config/diff.js';
import { formatIssue, type Issue } from '../config/issues.js';
import type { Config } from '../config/types.js';
import type { MultipathStatus } from '../forwarding/addon/api.js';
import type {
  ControlBackend,
  ReloadRequest,
  ReloadResult,
  RouteFilter,
  Rows,
  Status,
  TestPolicyRequest,
  TestPolicyResult,
} from '../rpc/backend.js';
import type * as rows from '../rpc/backend.js';
import { ControlError } from '../rpc/errors.js';
import { bgpProtection } from './bgp-protection.js';
import { messageOf, oneLine, remedyOf, SupervisorError } from './errors.js';
import type { Prepared } from './commit.js';
import { Captures } from './captures.js';
import { lagRows } from './show-lags.js';
import { dumpBgp } from './dump-bgp.js';
import { explainRoute } from './explain/destination.js';
import { explainLabel } from './explain/label.js';
import { BGP_FAMILIES, bgpNeighborRows, bgpSummaryRows, clearBgp } from './show-bgp.js';
import { bgpRouteRows } from './show-bgp-routes.js';
import { portRows } from './show-ports.js';
import { policerRows, queueRows } from './show-qos.js';
import { routeRows } from './show-routes.js';
import { commandIke, ikeChildRows, ikeCounterRows, ikeSaRows } from './show-ike.js';
import { interfaceRows, labelRows, saRows, tunnelRows, vrfRows } from './show-rows.js';
import type { Supervisor } from './supervisor.js';

export interface BackendDeps {
  readonly supervisor: Supervisor;
  readonly version: string;
  /** Where the configuration in force came from; empty: the committed one at a restart. */
  readonly source: { file: string; warnings: readonly Issue[] };
  /** Ends the process's work; returns at once. */
  readonly stop: (options: { readonly keepWorker: boolean }) => void;
}

export class Backend implements ControlBackend {
  readonly #deps: BackendDeps;
  readonly #since = process.hrtime.bigint();
  readonly #captures: Captures;
  #generation = 0n;

  constructor(deps: BackendDeps) {
    this.#deps = deps;
    const { supervisor } = deps;
    this.#captures = new Captures(supervisor.tables, () => supervisor.worker.client);
  }

  /** A configuration came into force. */
  committed(): void {
    this.#generation++;
  }

  status(): Status {
    const { supervisor, version, source } = this.#deps;
    const { instance, tables } = supervisor;
    const config = instance.inForce?.plan.config;
    const worker = tables.worker();
    const tunnels = [...tunnelRows(supervisor)];
    return {
      ...{ instance: config?.instance ?? '', version, pid: process.pid },
      ...{ state: supervisor.state, reason: supervisor.reason },
      uptimeSeconds: (process.hrtime.bigint() - this.#since) / 1_000_000_000n,
      ...{ configFile: source.file, configDigest: config ? configDigestHex(config) : '' },
      ...{ configGeneration: this.#generation, workerPid: worker.alive ? worker.pid : 0 },
      ...{ workerState: supervisor.workerRows.health().state, workerStarts: worker.starts },
      interfaces: Object.keys(config?.interfaces ?? {}).length,
      vrfs: Object.keys(config?.vrfs ?? {}).length,
      routes: this.#routes(),
      labels: (instance.inForce?.rows.labels.size ?? 0) + supervisor.routeLabels.live,
      tunnels: tunnels.length,
      tunnelsUsable: tunnels.filter(({ state }) => state === 'up').length,
      warnings: [
        ...source.warnings.map(formatIssue),
        ...multipathWarnings(tables.multipath()),
        ...supervisor.exports.words,
      ],
    };
  }

  #routes(): bigint {
    const { tables, instance } = this.#deps.supervisor;
    const ids = [...instance.reconciler.live.vrfs.values()].map(({ id }) => id);
    const counts = ids.map((id) => tables.routeCount(id, 4) + tables.routeCount(id, 6));
    return BigInt(counts.reduce((sum, count) => sum + count, 0));
  }

  interfaces(): Rows<rows.InterfaceRow> {
    return interfaceRows(this.#deps.supervisor);
  }
  vrfs(): Rows<rows.VrfRow> {
    return vrfRows(this.#deps.supervisor);
  }
  routes(filter: RouteFilter): Rows<rows.RouteRow> {
    return routeRows(this.#deps.supervisor, filter);
  }
  labels(): Rows<rows.LabelRow> {
    return labelRows(this.#deps.supervisor);
  }
  tunnels(): Rows<rows.TunnelRow> {
    return tunnelRows(this.#deps.supervisor);
  }
  sas(): Rows<rows.SaRow> {
    return saRows(this.#deps.supervisor);
  }
  drops(): Rows<rows.DropRow> {
    return this.#deps.supervisor.tables.drops();
  }
  ports(): Rows<rows.PortRow> {
    return portRows(this.#deps.supervisor);
  }
  queues(): Rows<rows.QueueRow> {
    return queueRows(this.#deps.supervisor);
  }
  async lags(): Promise<Rows<rows.LagRow>> {
    return lagRows(this.#deps.supervisor);
  }
  policers(): Rows<rows.PolicerRow> {
    return policerRows(this.#deps.supervisor);
  }
  workers(): Rows<rows.WorkerRow> {
    return this.#deps.supervisor.workerRows.rows();
  }

  transitions(): Rows<rows.TransitionRow> {
    return this.#deps.supervisor.exports.rows();
  }
  async tightenNow(vrf?: string, rule?: string): Promise<readonly string[]> {
    const filter = { ...(vrf !== undefined && { vrf }), ...(rule !== undefined && { rule }) };
    return asControlError(async () => this.#deps.supervisor.exports.endNow(filter));
  }

  ikeSas(): Rows<rows.IkeSaRow> {
    return ikeSaRows(this.#deps.supervisor.ike.manager);
  }
  ikeChildren(): Rows<rows.IkeChildRow> {
    return ikeChildRows(this.#deps.supervisor.ike.manager);
  }
  ikeCounters(): Rows<rows.IkeCounterRow> {
    return ikeCounterRows(this.#deps.supervisor.ike.manager);
  }
  async commandIke(command: rows.IkeCommand): Promise<number> {
    return commandIke(this.#deps.supervisor.ike.manager, command);
  }

  explainRoute(question: rows.ExplainRoute): readonly rows.ExplainRow[] {
    return explainRoute(this.#deps.supervisor, question);
  }
  explainLabel(question: rows.ExplainLabel): readonly rows.ExplainRow[] {
    return explainLabel(this.#deps.supervisor, question);
  }

  bgpSummary(): Rows<rows.BgpSummaryRow> {
    return bgpSummaryRows(this.#deps.supervisor.bgp.view());
  }
  bgpNeighbors(): Rows<rows.BgpNeighborRow> {
    const { supervisor } = this.#deps;
    return bgpNeighborRows(supervisor.bgp.view(), (address) => bgpProtection(supervisor, address));
  }
  bgpRoutes(filter: rows.BgpRouteFilter): Rows<rows.BgpRouteRow> {
    return bgpRouteRows(this.#deps.supervisor.bgp.view(), filter);
  }
  bgpNeighborNames(): readonly string[] {
    const { bgp } = this.#deps.supervisor;
    const sessions = bgp.view()?.speaker.show() ?? [];
    return [...new Set([...bgp.neighbours.keys(), ...sessions.map(({ name }) => name)])];
  }
  bgpFamilyNames(): readonly string[] {
    return BGP_FAMILIES;
  }
  clearBgp(
    name: string | undefined,
    soft: rows.SoftClear | undefined,
  ): readonly rows.BgpClearRow[] {
    return clearBgp(this.#deps.supervisor.bgp.view(), name, soft);
  }
  setBgpNeighbor(name: string, shutdown: string | undefined): readonly string[] {
    return this.#deps.supervisor.bgp.setNeighbour(name, shutdown);
  }

  async dumpBgp(path: string): Promise<readonly rows.DumpedBgpFile[]> {
    return dumpBgp(this.#deps.supervisor.bgp, path);
  }

  async reload({ path, dryRun }: ReloadRequest): Promise<ReloadResult> {
    const { supervisor, source } = this.#deps;
    const before = supervisor.instance.inForce?.plan.config;
    if (before === undefined || supervisor.busy) {
      throw new ControlError('BUSY', 'another change is under way', { remedy: 'try again' });
    }
    const { config, warnings } = await loadChecked(path);
    const diff = diffConfigs(before, config);
    refuseInstanceRestart(diff);
    const apply = !dryRun && diff.changes.length > 0;
    const prepared = await asControlError(async () =>
      apply ? supervisor.change(config) : supervisor.tryChange(config),
    );
    if (apply) {
      Object.assign(source, { file: path, warnings });
      this.committed();
    }
    return {
      ...{ changes: diff.changes, warnings, applied: apply },
      restarted: restarted(prepared, diff),
      configDigest: configDigestHex(config),
    };
  }

  async testPolicy({ policy, route, path }: TestPolicyRequest): Promise<TestPolicyResult> {
    const config =
      path === undefined
        ? this.#deps.supervisor.instance.inForce?.plan.config
        : (await loadChecked(path)).config;
    if (config === undefined) {
      throw new ControlError('BUSY', 'no configuration is in force yet', { remedy: 'try again' });
    }
    const tried = tryPolicy(config, policy, route);
    if (!('message' in tried)) return tried;
    throw new ControlError(tried.code, tried.message, { remedy: tried.remedy });
  }

  capture(order: rows.CaptureOrder, reader: rows.CaptureReader): AsyncIterable<rows.CaptureReply> {
    return this.#captures.run(order, reader);
  }

  async restartWorker(): Promise<rows.RestartedWorker> {
    const { supervisor } = this.#deps;
    const { pid: before } = supervisor.tables.worker();
    const { lossy, milliseconds } = await asControlError(async () => supervisor.restartWorker());
    const { pid } = supervisor.tables.worker();
    return { pid, before, milliseconds, lossy: lossy ?? '' };
  }

  stop(options: { readonly keepWorker: boolean }): void {
    this.#deps.stop(options);
  }
}

function restarted(prepared: Prepared, diff: Diff): string[] {
  return diff.changes.length > 0 && prepared.restartsWorker ? ['worker'] : [];
}

function multipathWarnings({ groups, fallbacks }: MultipathStatus): string[] {
  if (fallbacks === 0) return [];
  const why = `no room for another set of ways beside the ${groups} in use`;
  return [`${fallbacks} times a route with several ways was given its best way alone: ${why}`];
}

async function loadChecked(path: string): Promise<{ config: Config; warnings: readonly Issue[] }> {
  const read = await readConfig(path);
  if (read.ok) return read;
  const { load } = read;
  if (load !== undefined) {
    throw new ControlError('CONFIG_LOAD', load.message, {
      remedy: load.remedy,
      issues: read.issues,
    });
  }
  const issues = problemsOf(read);
  const message = `${path}: ${issues.length} mistake${issues.length === 1 ? '' : 's'}`;
  throw new ControlError('INVALID_CONFIG', message, { issues });
}

function refuseInstanceRestart(diff: Diff): void {
  const change = diff.changes.find(({ effect }) => effect === 'instance-restart');
  if (change === undefined) return;
  throw new ControlError('INVALID_CONFIG', `${change.path} cannot be changed while running`, {
    remedy: 'run `sealane stop`, then `sealane run` with the new configuration',
  });
}

/** What refuses a plan is a mistake of the configuration; what fails later is the machine's. */
async function asControlError<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const refused =
      error instanceof SupervisorError && ['CONFIG', 'LABELS', 'KEY'].includes(error.code);
    const code = refused ? 'INVALID_CONFIG' : 'APPLY_FAILED';
    throw new ControlError(code, messageOf(error), {
      remedy: remedyOf(error),
      cause: oneLine(error),
    });
  }
}
