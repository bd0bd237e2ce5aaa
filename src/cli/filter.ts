// SPDX-License-Identifier: Apache-2.0
/**
 * Filter expressions (pcap-filter(7)) into classic BPF, by a program of its own: libpcap's compiler may look
 * names up and take long, and belongs into no process that has keys.
 */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { ControlError } from '../rpc/errors.js';

const TIMEOUT_MS = 10_000;
const MAX_INSTRUCTIONS = 1024;

export type FilterLink = 'ethernet' | 'ip';

/** SEALANE_FILTER, or where the build puts it. */
function filterProgram(): string {
  const named = process.env['SEALANE_FILTER'];
  if (named !== undefined && named !== '') return named;
  const built = import.meta.url.endsWith('.js')
    ? '../../dpdk-app/sealane-filter'
    : '../../build/dpdk-app/sealane-filter';
  return fileURLToPath(new URL(built, import.meta.url));
}

/** Instructions, each as a word (proto/worker.proto). Throws INVALID_ARGUMENT, which names the expression. */
export async function compileFilter(
  expression: string,
  link: FilterLink,
): Promise<readonly bigint[]> {
  const { status, stdout, stderr } = await runFilter(expression, link);
  if (status === 1) throw wrong(expression, stderr.trim());
  const program = stdout.split('\n').filter((line) => line !== '');
  if (status !== 0 || program.length === 0) {
    throw new ControlError('INTERNAL', `the filter compiler does not run: ${stderr.trim()}`, {
      remedy: 'run scripts/build.sh',
    });
  }
  if (program.length > MAX_INSTRUCTIONS) {
    throw wrong(expression, `it takes ${program.length} instructions, ${MAX_INSTRUCTIONS} may be`);
  }
  return program.map(instruction);
}

function wrong(expression: string, why: string): ControlError {
  return new ControlError('INVALID_ARGUMENT', `--filter '${expression}': ${why}`, {
    remedy: 'see pcap-filter(7)',
  });
}

interface Outcome {
  readonly status: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

async function runFilter(expression: string, link: FilterLink): Promise<Outcome> {
  return new Promise((resolve) => {
    const options = { timeout: TIMEOUT_MS, killSignal: 'SIGKILL' as const };
    const child = execFile(filterProgram(), [link], options, (error, stdout, stderr) => {
      const code = error === null ? 0 : error.code;
      const late = error?.killed === true ? `nothing within ${TIMEOUT_MS / 1000} s` : '';
      const words = [stderr, late, typeof code === 'number' ? '' : (error?.message ?? '')];
      const status = late !== '' ? 1 : typeof code === 'number' ? code : undefined;
      resolve({ status, stdout, stderr: words.find((text) => text !== '') ?? '' });
    });
    // It may have ended before it read.
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(expression);
  });
}

/** "code jt jf k". */
function instruction(line: string): bigint {
  const [code = 0n, jt = 0n, jf = 0n, k = 0n] = line.split(' ').map(BigInt);
  return (code << 48n) | (jt << 40n) | (jf << 32n) | k;
}
