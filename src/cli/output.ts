// SPDX-License-Identifier: Apache-2.0
/** Where the CLI writes. Injected, so that a test can run a command without a process. */

export interface Output {
  /** Resolves when there is room for more; rejects with {@link ReaderGone} when nobody reads. */
  readonly out: (text: string) => Promise<void>;
  readonly err: (text: string) => void;
  /** Characters of a line of stdout. */
  readonly width: number;
}

/** Readable on paper and in a mail as well. */
const DEFAULT_WIDTH = 120;

/** The reader of stdout has gone, e.g. `sealane show routes | head`: an end, not an error. */
export class ReaderGone extends Error {
  override readonly name = 'ReaderGone';
}

export function processOutput(): Output {
  let gone = false;
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    // Whatever it is, there is no way left to say it.
    gone = true;
    if (error.code !== 'EPIPE') process.exitCode = 1;
  });
  return {
    out: async (text) =>
      new Promise((resolve, reject) => {
        if (gone) reject(new ReaderGone());
        else if (process.stdout.write(text)) resolve();
        else {
          process.stdout.once('drain', resolve);
          process.stdout.once('error', () => {
            reject(new ReaderGone());
          });
        }
      }),
    err: (text) => {
      process.stderr.write(text);
    },
    width: process.stdout.isTTY ? Math.max(60, process.stdout.columns) : DEFAULT_WIDTH,
  };
}

/** Writes pieces in portions: a system call per row would be most of the work. */
export async function writeAll(
  output: Output,
  pieces: AsyncIterable<string>,
  portion = 32 * 1024,
): Promise<void> {
  let text = '';
  for await (const piece of pieces) {
    text += piece;
    if (text.length < portion) continue;
    await output.out(text);
    text = '';
  }
  if (text !== '') await output.out(text);
}
