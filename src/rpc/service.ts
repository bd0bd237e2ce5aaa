// SPDX-License-Identifier: Apache-2.0
/** The service of control.proto on top of a {@link ControlBackend}. */
import type { sendUnaryData, ServerUnaryCall, ServerWritableStream } from '@grpc/grpc-js';
import type { ControlBackend, Rows } from './backend.js';
import { captureHandler } from './capture.js';
import type * as pb from './gen/control.js';
import {
  bgpRouteFilter,
  checkBgpNeighbor,
  checkShutdown,
  checkVrf,
  dumpPath,
  explainLabelRequest,
  explainRouteRequest,
  ikeCommand,
  reloadRequest,
  routeFilter,
  softClear,
  testPolicyRequest,
} from './requests.js';
import { pump } from './stream.js';
import { toControlError, toDetail, toStatus } from './wire-errors.js';

export interface ServiceOptions {
  readonly stallMs: number;
  /** Told about errors that are defects: code INTERNAL. */
  readonly onDefect: (error: unknown) => void;
}

export function controlService(backend: ControlBackend, options: ServiceOptions): pb.ControlServer {
  const failure = failureStatus(options);
  const { unary, stream } = handlers(options, failure);
  const inVrf =
    <K extends string, Row extends Readonly<Record<K, string>>>(rows: () => Rows<Row>, key: K) =>
    async ({ vrf }: pb.ShowInVrfRequest): Promise<Rows<Row>> => {
      await checkVrf(backend, vrf);
      return vrf === '' ? rows() : filter(rows(), (row) => row[key] === vrf);
    };
  return {
    status: unary(() => status(backend)),
    reload: unary(async (request) => reload(backend, request)),
    testPolicy: unary(async (request) => testPolicy(backend, request)),
    stop: unary(({ keepWorker }: pb.StopRequest) => {
      backend.stop({ keepWorker });
      return {};
    }),
    showInterfaces: stream(
      inVrf(() => backend.interfaces(), 'vrf'),
      wrap,
    ),
    showVrfs: stream(
      inVrf(() => backend.vrfs(), 'name'),
      wrap,
    ),
    showRoutes: stream(
      async (request: pb.ShowRoutesRequest) => backend.routes(await routeFilter(backend, request)),
      wrap,
    ),
    showLabels: stream(
      inVrf(() => backend.labels(), 'vrf'),
      wrap,
    ),
    showTunnels: stream(() => backend.tunnels(), wrap),
    showSas: stream(() => backend.sas(), wrap),
    showDrops: stream(
      ({ all }: pb.ShowDropsRequest) =>
        all ? backend.drops() : filter(backend.drops(), ({ packets }) => packets > 0n),
      wrap,
    ),
    showPorts: stream(() => backend.ports(), wrap),
    showQueues: stream(
      inVrf(() => backend.queues(), 'vrf'),
      wrap,
    ),
    showPolicers: stream(
      inVrf(() => backend.policers(), 'vrf'),
      wrap,
    ),
    showLags: stream(async () => backend.lags(), wrap),
    showWorkers: stream(() => backend.workers(), wrap),
    restartWorker: unary(async () => ({ ...(await backend.restartWorker()) })),
    ...bgpHandlers(backend, { unary, stream }),
    ...ikeHandlers(backend, { unary, stream }),
    ...explainHandlers(backend, { unary }),
    capture: captureHandler(backend, options.stallMs, failure),
  };
}

type BgpHandlers = Pick<
  pb.ControlServer,
  | 'showBgpSummary'
  | 'showBgpNeighbors'
  | 'showBgpRoutes'
  | 'clearBgp'
  | 'setBgpNeighbor'
  | 'dumpBgp'
  | 'showTransitions'
  | 'tightenNow'
>;

function bgpHandlers(backend: ControlBackend, { unary, stream }: Handlers): BgpHandlers {
  return {
    showBgpSummary: stream(async ({ vrf }: pb.ShowInVrfRequest) => {
      await checkVrf(backend, vrf);
      return filter(backend.bgpSummary(), (row) => vrf === '' || row.vrf === vrf);
    }, wrap),
    showBgpNeighbors: stream(async ({ vrf, name }: pb.ShowBgpNeighborsRequest) => {
      await checkVrf(backend, vrf);
      checkBgpNeighbor(backend, name);
      return filter(
        backend.bgpNeighbors(),
        (row) =>
          (vrf === '' || row.vrf === vrf) &&
          (name === '' || row.neighbor === name || row.configured === name),
      );
    }, wrap),
    showBgpRoutes: stream(
      async (request: pb.ShowBgpRoutesRequest) =>
        backend.bgpRoutes(await bgpRouteFilter(backend, request)),
      wrap,
    ),
    clearBgp: unary(({ name, soft, direction }: pb.ClearBgpRequest) => {
      checkBgpNeighbor(backend, name);
      const how = soft ? softClear(direction) : undefined;
      const rows = backend.clearBgp(name === '' ? undefined : name, how);
      return { rows: rows.map((row) => ({ ...row })) };
    }),
    setBgpNeighbor: unary(({ name, shutdown, message }: pb.SetBgpNeighborRequest) => {
      checkBgpNeighbor(backend, name);
      checkShutdown(name, message);
      return { sessions: [...backend.setBgpNeighbor(name, shutdown ? message : undefined)] };
    }),
    showTransitions: stream(async ({ vrf }: pb.ShowInVrfRequest) => {
      await checkVrf(backend, vrf);
      return filter(backend.transitions(), (row) => vrf === '' || row.vrf === vrf);
    }, wrap),
    tightenNow: unary(async ({ vrf, rule }: pb.TightenNowRequest) => {
      await checkVrf(backend, vrf);
      const named = (word: string): string | undefined => (word === '' ? undefined : word);
      return { ended: [...(await backend.tightenNow(named(vrf), named(rule)))] };
    }),
    dumpBgp: unary(async (request: pb.DumpBgpRequest) => {
      const files = await backend.dumpBgp(dumpPath(request));
      return { files: files.map((file) => ({ ...file })) };
    }),
  };
}

type IkeHandlers = Pick<
  pb.ControlServer,
  'showIkeSas' | 'showIkeChildren' | 'showIkeCounters' | 'commandIke'
>;

function ikeHandlers(backend: ControlBackend, { unary, stream }: Handlers): IkeHandlers {
  return {
    showIkeSas: stream(() => backend.ikeSas(), wrap),
    showIkeChildren: stream(() => backend.ikeChildren(), wrap),
    showIkeCounters: stream(
      ({ all }: pb.ShowIkeCountersRequest) =>
        filter(backend.ikeCounters(), ({ count }) => all || count > 0n),
      wrap,
    ),
    commandIke: unary(async (request: pb.CommandIkeRequest) => ({
      count: await backend.commandIke(ikeCommand(request)),
    })),
  };
}

function explainHandlers(
  backend: ControlBackend,
  { unary }: Pick<Handlers, 'unary'>,
): Pick<pb.ControlServer, 'explainRoute' | 'explainLabel'> {
  return {
    explainRoute: unary(async (request: pb.ExplainRouteRequest) => ({
      rows: [...backend.explainRoute(await explainRouteRequest(backend, request))],
    })),
    explainLabel: unary((request: pb.ExplainLabelRequest) => ({
      rows: [...backend.explainLabel(explainLabelRequest(request))],
    })),
  };
}

const wrap = <Row>(rows: Row[]): { rows: Row[] } => ({ rows });

async function* filter<Row>(rows: Rows<Row>, keep: (row: Row) => boolean): AsyncGenerator<Row> {
  for await (const row of rows) if (keep(row)) yield row;
}

async function reload(backend: ControlBackend, request: pb.ReloadRequest): Promise<pb.ReloadReply> {
  try {
    const result = await backend.reload(reloadRequest(request));
    return {
      ...result,
      changes: result.changes.map((change) => ({ ...change })),
      warnings: result.warnings.map((warning) => ({ ...warning })),
      restarted: [...result.restarted],
      error: undefined,
    };
  } catch (error) {
    const refused = toControlError(error);
    if (refused.code === 'INTERNAL') throw error;
    return {
      ...{ changes: [], warnings: [], applied: false, restarted: [], configDigest: '' },
      error: toDetail(refused),
    };
  }
}

function status(backend: ControlBackend): pb.StatusReply {
  const { warnings, ...rest } = backend.status();
  return { ...rest, warnings: [...warnings] };
}

async function testPolicy(
  backend: ControlBackend,
  request: pb.TestPolicyRequest,
): Promise<pb.TestPolicyReply> {
  const { rules, result, ...rest } = await backend.testPolicy(testPolicyRequest(request));
  return {
    ...rest,
    rules: rules.map((step) => ({ ...step, changes: [...step.changes] })),
    result: [...result],
  };
}

interface Handlers {
  readonly unary: <Request, Reply>(
    answer: (request: Request) => Reply | Promise<Reply>,
  ) => (call: ServerUnaryCall<Request, Reply>, callback: sendUnaryData<Reply>) => void;
  readonly stream: <Request, Row, Reply>(
    rows: (request: Request) => Rows<Row> | Promise<Rows<Row>>,
    make: (rows: Row[]) => Reply,
  ) => (call: ServerWritableStream<Request, Reply>) => void;
}

type Failure = (error: unknown) => ReturnType<typeof toStatus>;

function failureStatus({ onDefect }: ServiceOptions): Failure {
  return (error) => {
    if (toControlError(error).code === 'INTERNAL') onDefect(error);
    return toStatus(error);
  };
}

/** Every handler ends its call exactly once, with a reply or a status; none lets an error out. */
function handlers({ stallMs }: ServiceOptions, failure: Failure): Handlers {
  return {
    unary: (answer) => (call, callback) => {
      const run = async (): Promise<void> => {
        try {
          callback(null, await answer(call.request));
        } catch (error) {
          callback(failure(error));
        }
      };
      void run();
    },
    stream: (rows, make) => (call) => {
      const limit = limitOf(call.request);
      const run = async (): Promise<void> => {
        try {
          await pump(call, await rows(call.request), make, { stallMs, limit });
          call.end();
        } catch (error) {
          call.emit('error', failure(error));
        }
      };
      // gRPC's own errors (the client is gone) end the call; without a listener they end the process.
      call.on('error', () => undefined);
      void run();
    },
  };
}

function limitOf(request: unknown): number {
  const given =
    typeof request === 'object' && request !== null && 'limit' in request ? request.limit : 0n;
  return typeof given === 'bigint' && given <= Number.MAX_SAFE_INTEGER ? Number(given) : 0;
}
