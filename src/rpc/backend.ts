// SPDX-License-Identifier: Apache-2.0
/**
 * What the supervisor implements and the control server calls. Rows are the messages of
 * proto/control.proto with their words spelt out as unions; docs/cli.md documents every key.
 *
 * The server does the rest: it filters by VRF, cuts rows into messages, waits for slow readers and
 * gives the event loop its turn between chunks, so an implementation may be a plain generator. A
 * generator abandoned by its reader gets `return()`. What it shows is not one atomic snapshot.
 * Expected failures are thrown as {@link ControlError}.
 */
import type * as pb from './gen/control.js';
import type { ControlIssue } from './errors.js';

export type Rows<T> = Iterable<T> | AsyncIterable<T>;

type Narrow<T, N> = Readonly<Omit<T, keyof N> & N>;

export type InterfaceRow = Narrow<
  pb.InterfaceRow,
  { role: 'ce' | 'core' | 'host'; link: 'up' | 'down' | 'unknown' }
>;

export type VrfRow = Narrow<
  pb.VrfRow,
  { ttl: 'pipe' | 'uniform'; trafficClass: 'pipe' | 'short-pipe' | 'uniform' }
>;

export type RouteRow = Narrow<
  pb.RouteRow,
  {
    owner: 'static' | 'connected' | 'local' | 'neighbour' | 'tunnel' | 'bgp';
    nexthop: 'adjacency' | 'tunnel' | 'receive' | 'glean' | 'drop';
  }
>;

export type LabelRow = Narrow<pb.LabelRow, { action: 'vrf' | 'nexthop' | 'swap' | 'pop' }>;

export type TunnelRow = Narrow<
  pb.TunnelRow,
  {
    protection: 'encrypt' | 'authenticate' | 'tunnel' | 'mpls';
    encapsulation: 'gre' | 'ip' | 'none';
    state: 'up' | 'down' | 'untried' | 'pending' | 'failed';
  }
>;

export type SaRow = Narrow<
  pb.SaRow,
  {
    direction: 'in' | 'out';
    protection: 'encrypt' | 'authenticate';
    encapsulation: 'gre' | 'ip' | 'tcp';
  }
>;

export type TransitionRow = Narrow<pb.TransitionRow, { step: 'announce' | 'telling' | 'grace' }>;

/** Where a capture is made, and what bounds it. */
export type CaptureOrder = CaptureLimits &
  (
    | { readonly interface: string }
    | { readonly drops: true }
    | { readonly vrf: string; readonly crypto: 'before' | 'after' }
  );
export interface CaptureLimits {
  /** Octets kept of a packet. */
  readonly snapLength: number;
  readonly packets: bigint;
  readonly bytes: bigint;
  readonly seconds: number;
  /** Classic BPF, an instruction a word (proto/worker.proto); empty: everything. */
  readonly ethernetFilter: readonly bigint[];
  readonly ipFilter: readonly bigint[];
}
/** Whoever reads a capture, as things stand. */
export interface CaptureReader {
  /** end: no more packets, but those that were taken. gone: nothing more. */
  readonly wish: 'run' | 'end' | 'gone';
}
export type CapturedFrame = Readonly<pb.CapturedFrame>;
export interface CaptureReply {
  readonly frames: readonly CapturedFrame[];
  readonly lost: readonly Readonly<pb.CaptureLoss>[];
  readonly ended: string;
}

export type DropRow = Readonly<pb.DropRow>;

export type WorkerState = 'starting' | 'running' | 'stalled' | 'down';
export type PortRow = Narrow<pb.PortRow, { link: 'up' | 'down' | 'unknown' }>;
export type QueueRow = Narrow<pb.QueueRow, { kind: 'kernel' | 'priority' | 'weighted' }>;
export type LagRow = Narrow<pb.LagRow, { link: 'up' | 'down' }>;
export type PolicerRow = Narrow<pb.PolicerRow, { meter: 'srtcm' | 'trtcm' }>;

export type WorkerRow = Narrow<pb.WorkerRow, { state: WorkerState }>;

export type BgpState =
  'idle' | 'connect' | 'active' | 'open-sent' | 'open-confirm' | 'established' | 'shutdown';
export type BgpSummaryRow = Narrow<pb.BgpSummaryRow, { state: BgpState }>;
export type BgpNeighborRow = Narrow<
  pb.BgpNeighborRow,
  { state: BgpState; kind: 'ibgp' | 'ebgp' | ''; errorBy: 'us' | 'peer' | '' }
>;
export type BgpRouteRow = Narrow<
  pb.BgpRouteRow,
  {
    state: 'fresh' | 'stale' | 'long-lived' | 'dead';
    origin: 'igp' | 'egp' | 'incomplete';
  }
>;
export type BgpClearRow = Readonly<pb.BgpClearRow>;

export type IkeSaRow = Narrow<pb.IkeSaRow, { role: 'initiator' | 'responder' }>;
export type IkeChildRow = Readonly<pb.IkeChildRow>;
export type IkeCounterRow = Readonly<pb.IkeCounterRow>;
export type IkeAction = 'initiate' | 'terminate' | 'rekey';

/** Which SAs, and what to do with them; checked by the server. */
export interface IkeCommand {
  readonly action: IkeAction;
  /** Of rekey. */
  readonly what: 'ike' | 'child';
  /** 4 or 16 octets, network order. */
  readonly remote?: Uint8Array;
  readonly local?: Uint8Array;
  readonly service?: string;
  readonly spi?: bigint;
}
export type DumpedBgpFile = Readonly<pb.DumpedBgpFile>;
export type RestartedWorker = Readonly<pb.RestartWorkerReply>;
/** Whose routes: the neighbour's, ours, both ends'. */
export type SoftClear = 'in' | 'out' | 'both';

export type Status = Narrow<
  pb.StatusReply,
  {
    state: 'starting' | 'running' | 'degraded' | 'stopping';
    workerState: WorkerState;
    warnings: readonly string[];
  }
>;

/** Which routes; checked and normalised by the server. Absent: no restriction. */
export interface RouteFilter {
  /** A VRF that {@link ControlBackend.vrfs} lists. */
  readonly vrf?: string;
  /** Only routes inside this prefix, itself included. */
  readonly prefix?: RoutePrefix;
  /** Only the longest match of this address, per VRF. */
  readonly address?: Uint8Array; // 4 or 16 bytes, network order
}
export interface RoutePrefix {
  readonly address: Uint8Array; // 4 or 16 bytes, network order, host bits zero
  readonly length: number; // bits
}

/** Which routes of BGP; checked and normalised by the server. Absent: no restriction. */
export interface BgpRouteFilter {
  /** A VRF that {@link ControlBackend.vrfs} lists. */
  readonly vrf?: string;
  /** One of {@link ControlBackend.bgpFamilyNames}. */
  readonly family?: string;
  readonly prefix?: RoutePrefix;
  /** Also what is inside the prefix. */
  readonly longer?: true;
  /** One that {@link ControlBackend.bgpNeighborNames} lists. */
  readonly neighbor?: string;
}

export interface ExplainRoute {
  readonly vrf: string;
  readonly address: Uint8Array; // 4 or 16 bytes, network order
}
/** How a packet comes to the label lookup; checked by the server. */
export interface ExplainArrival {
  readonly protection: 'encrypt' | 'authenticate' | 'tunnel' | 'mpls';
  /** 'none': of plain MPLS alone. */
  readonly encapsulation: 'gre' | 'ip' | 'none';
  /** Of the SA; empty: it comes in clear, or out of an SA of our own SP. */
  readonly sp: string;
}
export interface ExplainLabel {
  readonly label: number; // 20 bits
  readonly arrival: ExplainArrival | undefined;
}
export type ExplainRow = Readonly<pb.ExplainRow>;

export interface ReloadRequest {
  /** Absolute path of a TypeScript or JSON file. */
  readonly path: string;
  /** Check and compare only. */
  readonly dryRun: boolean;
}
/** The same shape as `Change` of src/config/diff.ts. */
export type ConfigChange = Narrow<
  pb.ConfigChange,
  {
    kind: 'added' | 'removed' | 'changed';
    effect: 'live' | 'worker-restart' | 'instance-restart';
  }
>;
export interface ReloadResult {
  readonly changes: readonly ConfigChange[];
  readonly warnings: readonly ControlIssue[];
  readonly applied: boolean;
  /** What was (dry run: would be) restarted, e.g. "worker". */
  readonly restarted: readonly string[];
  readonly configDigest: string;
}

export interface TestPolicyRequest {
  readonly policy: string;
  /** A prefix, then words KEY=VALUE. */
  readonly route: readonly string[];
  /** Absolute path of a configuration; undefined: the one in force. */
  readonly path: string | undefined;
}
export interface PolicyStep {
  readonly rule: number;
  readonly name: string;
  readonly matched: boolean;
  readonly then: string;
  readonly changes: readonly string[];
}
export interface TestPolicyResult {
  readonly rules: readonly PolicyStep[];
  readonly accepted: boolean;
  readonly because: string;
  readonly result: readonly string[];
}

export interface ControlBackend {
  status(): Status;
  interfaces(): Rows<InterfaceRow>;
  vrfs(): Rows<VrfRow>;
  routes(filter: RouteFilter): Rows<RouteRow>;
  labels(): Rows<LabelRow>;
  tunnels(): Rows<TunnelRow>;
  sas(): Rows<SaRow>;
  /** Every reason, also those that never happened. */
  drops(): Rows<DropRow>;
  policers(): Rows<PolicerRow>;
  ports(): Rows<PortRow>;
  queues(): Rows<QueueRow>;
  /** Asked of the worker; none while it is down. */
  lags(): Promise<Rows<LagRow>>;
  workers(): Rows<WorkerRow>;
  bgpSummary(): Rows<BgpSummaryRow>;
  bgpNeighbors(): Rows<BgpNeighborRow>;
  bgpRoutes(filter: BgpRouteFilter): Rows<BgpRouteRow>;
  /** Of sessions, and of the prefixes that peers may come out of. */
  bgpNeighborNames(): readonly string[];
  bgpFamilyNames(): readonly string[];

  /**
   * Loads, checks, compares and (unless dry) applies a configuration.
   * Throws INVALID_CONFIG, CONFIG_LOAD, BUSY or APPLY_FAILED.
   */
  reload(request: ReloadRequest): Promise<ReloadResult>;
  /** Throws NOT_FOUND, INVALID_ARGUMENT, and for a file INVALID_CONFIG or CONFIG_LOAD. */
  testPolicy(request: TestPolicyRequest): Promise<TestPolicyResult>;
  /**
   * Ends the sessions of a neighbour (undefined: of all) and begins again; soft: keeps them and asks for all
   * routes again. A row per session. `name` is one that {@link ControlBackend.bgpNeighborNames} lists.
   */
  /** `soft`: routes cross again in these directions, and the session stays; undefined: it begins anew. */
  clearBgp(name: string | undefined, soft: SoftClear | undefined): readonly BgpClearRow[];
  /** Shuts a neighbour down (a text for its operator, or '') or starts it (undefined). Names of the sessions. */
  setBgpNeighbor(name: string, shutdown: string | undefined): readonly string[];
  /**
   * Writes all tables (MRT, RFC 6396) to an absolute path, those of VRFs to PATH.VRF, over no file that is
   * there. Throws NOT_FOUND without BGP, APPLY_FAILED for a file that cannot be made.
   */
  dumpBgp(path: string): Promise<readonly DumpedBgpFile[]>;
  /** Has another worker go on for the one that runs. Throws APPLY_FAILED. */
  restartWorker(): Promise<RestartedWorker>;
  /** Export rules on their way from one class to another. */
  transitions(): Rows<TransitionRow>;
  /** Ends those of a VRF and rule, or of any, at once; a line for each that ended. */
  tightenNow(vrf: string | undefined, rule: string | undefined): Promise<readonly string[]>;
  ikeSas(): Rows<IkeSaRow>;
  ikeChildren(): Rows<IkeChildRow>;
  /** Every counter, also those that are 0. */
  ikeCounters(): Rows<IkeCounterRow>;
  /** How many SAs it met. Throws NOT_FOUND without IKE, APPLY_FAILED when it came to nothing. */
  commandIke(command: IkeCommand): Promise<number>;
  /** `vrf`: one that {@link ControlBackend.vrfs} lists. */
  explainRoute(question: ExplainRoute): readonly ExplainRow[];
  /** Throws NOT_FOUND for an SP that is not known. */
  explainLabel(question: ExplainLabel): readonly ExplainRow[];
  /** Replies, the first of them (empty) when it has begun. Throws BUSY, UNAVAILABLE without a worker. */
  capture(order: CaptureOrder, reader: CaptureReader): AsyncIterable<CaptureReply>;
  /** Begins to stop and returns at once: the answer still has to leave by the control socket. */
  stop(options: { readonly keepWorker: boolean }): void;
}
