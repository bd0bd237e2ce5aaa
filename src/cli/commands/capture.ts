// SPDX-License-Identifier: Apache-2.0
/** `sealane capture`. */
import { once } from 'node:events';
import { createWriteStream, type WriteStream } from 'node:fs';
import { chmod, stat } from 'node:fs/promises';
import type { CaptureRequest, RunningCapture } from '../../rpc/capture-client.js';
import { ControlError } from '../../rpc/errors.js';
import { CaptureFile } from '../capture-file.js';
import { compileFilter } from '../filter.js';
import { ReaderGone, type Output } from '../output.js';
import { withClient, type Selection } from '../select.js';

export interface CaptureOptions {
  readonly interface?: string;
  readonly drops?: boolean;
  readonly vrf?: string;
  readonly before?: string;
  readonly after?: string;
  readonly filter?: string;
  readonly write: string;
  readonly snapLength: number;
  readonly count: number;
  readonly bytes: number;
  readonly seconds: number;
}

const CRYPTO = 'crypto';
/** Why it ended, in words; another worker is no end anybody wished for. */
const ENDS: Readonly<Record<string, string>> = {
  packets: 'as many packets as --count says',
  bytes: 'as many octets as --bytes says',
  seconds: 'as many seconds as --seconds says',
  stopped: 'ended by the user',
};

/** Throws INVALID_ARGUMENT and what the supervisor refuses; UNAVAILABLE when it goes. The file is whole then, too. */
export async function capture(
  options: CaptureOptions,
  version: string,
  selection: Selection,
  output: Output,
): Promise<void> {
  const request = await requestOf(options, output);
  const file = new CaptureFile(options.snapLength);
  await withClient(selection, async (client) => {
    const running = client.capture(request);
    const interrupted = endOnSignal(running);
    try {
      const ended = await write(running, file, options.write, version, output);
      output.err(`${summary(file)}: ${ENDS[ended] ?? ended}\n`);
      if (ended !== 'worker') return;
      throw new Error('the worker died or was replaced: the capture ended with it');
    } catch (error) {
      if (!(error instanceof ReaderGone)) throw error;
      output.err(`${summary(file)}: nobody reads any more\n`);
    } finally {
      interrupted.forget();
    }
  });
}

function summary(file: CaptureFile): string {
  return `${file.packets} packets captured, ${file.lost} lost because there was no room`;
}

/** Ctrl-C ends the capture and lets what was taken come; a second one ends the process. */
function endOnSignal(running: RunningCapture): { forget: () => void } {
  const end = (): void => {
    forget();
    running.end();
  };
  const forget = (): void => {
    process.off('SIGINT', end);
    process.off('SIGTERM', end);
  };
  process.on('SIGINT', end);
  process.on('SIGTERM', end);
  return { forget };
}

/** Why it ended. The file is made once the capture has begun, so that a refused one leaves none. */
async function write(
  running: RunningCapture,
  file: CaptureFile,
  path: string,
  version: string,
  output: Output,
): Promise<string> {
  let sink: Sink | undefined;
  try {
    for await (const reply of running.replies) {
      if (sink === undefined) {
        sink = await openSink(path);
        await sink.write(file.begin(version));
        output.err('capturing; Ctrl-C ends it\n');
      }
      await sink.write(file.add(reply));
      if (reply.ended !== '') return reply.ended;
    }
    throw new ControlError('UNAVAILABLE', 'the supervisor ended the capture');
  } finally {
    await sink?.end(file.end(BigInt(Date.now()) * 1_000_000n));
  }
}

interface Sink {
  readonly write: (bytes: Uint8Array) => Promise<void>;
  readonly end: (bytes: Uint8Array) => Promise<void>;
}

async function openSink(path: string): Promise<Sink> {
  return path === '-' ? standardOutput() : fileSink(path);
}

function standardOutput(): Sink {
  let gone = false;
  process.stdout.on('error', () => {
    gone = true;
  });
  const put = async (bytes: Uint8Array): Promise<void> =>
    new Promise((resolve, reject) => {
      if (gone) {
        reject(new ReaderGone());
        return;
      }
      process.stdout.write(bytes, (error) => {
        if (error) reject(new ReaderGone());
        else resolve();
      });
    });
  const end = async (bytes: Uint8Array): Promise<void> => {
    if (!gone) await put(bytes);
  };
  return { write: put, end };
}

/** Mode 0600, also of a file that was there: packets of customers are nobody else's business. */
async function fileSink(path: string): Promise<Sink> {
  const stream = createWriteStream(path, { mode: 0o600 });
  try {
    await once(stream, 'open');
    if ((await stat(path)).isFile()) await chmod(path, 0o600);
  } catch (error) {
    const words = error instanceof Error ? error.message : 'unknown error';
    throw new ControlError('INVALID_ARGUMENT', `cannot write ${path}: ${words}`, {
      remedy: 'give another file with -w',
    });
  }
  return {
    write: async (bytes) => append(stream, bytes),
    end: async (bytes) => {
      await append(stream, bytes);
      stream.end();
      await once(stream, 'close');
    },
  };
}

async function append(stream: WriteStream, bytes: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.write(bytes, (error) => {
      if (error) reject(error);
      else resolve();
    });
  });
}

/** Throws INVALID_ARGUMENT. */
async function requestOf(options: CaptureOptions, output: Output): Promise<CaptureRequest> {
  const { interface: name = '', drops = false, vrf = '' } = options;
  const crypto = cryptoOf(options);
  const links = { ethernet: crypto !== 'before', ip: drops || crypto === 'before' };
  return {
    ...{ interface: name, drops, vrf, crypto, snapLength: options.snapLength },
    ...{ packets: BigInt(options.count), bytes: BigInt(options.bytes), seconds: options.seconds },
    ...(await filters(options.filter ?? '', links, output)),
  };
}

function cryptoOf({ vrf, before, after }: CaptureOptions): 'before' | 'after' | '' {
  for (const [word, name] of [
    [before, '--before'],
    [after, '--after'],
  ] as const) {
    if (word !== undefined && word !== CRYPTO) {
      throw new ControlError('INVALID_ARGUMENT', `${name} what?`, { remedy: `${name} ${CRYPTO}` });
    }
  }
  if (before !== undefined && after !== undefined) {
    throw new ControlError('INVALID_ARGUMENT', '--before and --after exclude each other');
  }
  if (vrf === undefined && (before ?? after) !== undefined) {
    throw new ControlError('INVALID_ARGUMENT', '--before and --after are for --vrf');
  }
  if (vrf === undefined) return '';
  return after === undefined ? 'before' : 'after';
}

/** A packet that matches nothing: what has no Ethernet header, where the expression asks for one. */
const NOTHING = [6n << 48n];

async function filters(
  expression: string,
  links: { readonly ethernet: boolean; readonly ip: boolean },
  output: Output,
): Promise<Pick<CaptureRequest, 'ethernetFilter' | 'ipFilter'>> {
  if (expression === '') return { ethernetFilter: [], ipFilter: [] };
  const ethernetFilter = links.ethernet ? await compileFilter(expression, 'ethernet') : [];
  if (!links.ip) return { ethernetFilter: [...ethernetFilter], ipFilter: [] };
  try {
    const ipFilter = [...(await compileFilter(expression, 'ip'))];
    return { ethernetFilter: [...ethernetFilter], ipFilter };
  } catch (error) {
    if (!links.ethernet) throw error;
    output.err('the filter asks for Ethernet: packets that are shown without it do not match\n');
    return { ethernetFilter: [...ethernetFilter], ipFilter: NOTHING };
  }
}
