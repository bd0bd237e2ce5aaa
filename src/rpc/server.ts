// SPDX-License-Identifier: Apache-2.0
/** The control socket: gRPC over a unix socket that only this user can open. */
import { chmod, lstat, mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Server, ServerCredentials } from '@grpc/grpc-js';
import type { ControlBackend } from './backend.js';
import { ControlError } from './errors.js';
import { ControlService } from './gen/control.js';
import { controlService } from './service.js';

export interface ControlServerOptions {
  /** Its folder is made if need be, 0700. A stale socket there is replaced. */
  readonly socketPath: string;
  readonly backend: ControlBackend;
  /** A reader that takes nothing for so long is given up; default 30 s. */
  readonly stallMs?: number;
  /** Told about defects behind a call, for the log. */
  readonly onDefect?: (error: unknown) => void;
}

export interface RunningControlServer {
  readonly socketPath: string;
  /** Lets calls under way end, for a second; then ends them. Removes the socket. */
  close(): Promise<void>;
}

/** sun_path holds 108 bytes with its NUL; the socket is made under a longer name first. */
const MAX_SOCKET_PATH = 94;
const CLOSE_GRACE_MS = 1000;
const DEFAULT_STALL_MS = 30_000;

/**
 * Requests are small and few; a client that opens more than it needs waits. Keepalive finds clients
 * whose process is gone without closing.
 */
const SERVER_OPTIONS = {
  'grpc.max_receive_message_length': 64 * 1024,
  'grpc.max_concurrent_streams': 32,
  'grpc.keepalive_time_ms': 60_000,
  'grpc.keepalive_timeout_ms': 20_000,
};

/** Throws {@link ControlError} UNAVAILABLE when the socket cannot be made. */
export async function startControlServer(
  options: ControlServerOptions,
): Promise<RunningControlServer> {
  const { socketPath, backend } = options;
  if (Buffer.byteLength(socketPath) > MAX_SOCKET_PATH) {
    throw new ControlError(
      'UNAVAILABLE',
      `the path of the control socket is too long: ${socketPath}`,
      {
        remedy: `runtimeDirectory of at most ${MAX_SOCKET_PATH - '/control.sock'.length} bytes`,
      },
    );
  }
  const server = new Server(SERVER_OPTIONS);
  server.addService(
    ControlService,
    controlService(backend, {
      stallMs: options.stallMs ?? DEFAULT_STALL_MS,
      onDefect: options.onDefect ?? (() => undefined),
    }),
  );
  try {
    await listen(server, socketPath);
  } catch (error) {
    server.forceShutdown();
    const words = error instanceof Error ? error.message : 'unknown error';
    throw new ControlError('UNAVAILABLE', `cannot listen on ${socketPath}: ${words}`, {
      remedy: 'check the folder and its permissions',
      cause: error,
    });
  }
  const inode = (await lstat(socketPath)).ino;
  return { socketPath, close: async () => close(server, socketPath, inode) };
}

/**
 * A socket gets its mode only after it is bound, and who connects in between stays connected. So it
 * is bound in a folder that nobody else can enter, and renamed into place, which also replaces what a
 * killed supervisor left.
 */
async function listen(server: Server, socketPath: string): Promise<void> {
  const folder = dirname(socketPath);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const closed = await mkdtemp(join(folder, '.c-')); // mode 0700
  try {
    const path = join(closed, 's');
    await new Promise<void>((resolve, reject) => {
      server.bindAsync(`unix:${path}`, ServerCredentials.createInsecure(), (error) => {
        if (error === null) resolve();
        else reject(error);
      });
    });
    await chmod(path, 0o600);
    await rename(path, socketPath);
  } finally {
    await rm(closed, { recursive: true, force: true });
  }
}

async function close(server: Server, socketPath: string, inode: number): Promise<void> {
  await new Promise<void>((resolve) => {
    const timer = setTimeout(() => {
      server.forceShutdown();
      resolve();
    }, CLOSE_GRACE_MS);
    server.tryShutdown(() => {
      clearTimeout(timer);
      resolve();
    });
  });
  // A successor may have put its own there already.
  const present = await lstat(socketPath).catch(() => undefined);
  if (present?.ino === inode) await rm(socketPath, { force: true });
}
