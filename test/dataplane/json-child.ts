// SPDX-License-Identifier: Apache-2.0
/** A program that answers each JSON line on its stdin by one on its stdout. */
import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';

export class JsonChild<Answer extends { readonly error?: string }> {
  readonly #child: ChildProcess;
  readonly #name: string;
  readonly #waiting: { resolve: (answer: Answer) => void; reject: (error: Error) => void }[] = [];
  #stderr = '';

  constructor(name: string, argv: readonly string[]) {
    this.#name = name;
    const [program = '', ...rest] = argv;
    const child = spawn(program, rest, { stdio: ['pipe', 'pipe', 'pipe'] });
    this.#child = child;
    child.stderr.setEncoding('utf8').on('data', (text: string) => (this.#stderr += text));
    child.stdin.on('error', () => undefined); // seen as its end
    createInterface({ input: child.stdout }).on('line', (line) => {
      this.#answered(JSON.parse(line) as Answer);
    });
    child.on('close', () => {
      for (const { reject } of this.#waiting.splice(0)) reject(this.#ended());
    });
  }

  #ended(): Error {
    return new Error(`${this.#name} ended: ${this.#stderr}`);
  }

  #answered(answer: Answer): void {
    const next = this.#waiting.shift();
    if (answer.error === undefined) next?.resolve(answer);
    else next?.reject(new Error(`${this.#name}: ${answer.error}`));
  }

  /** Rejects when the program says "error", or has ended. */
  async ask(request: object): Promise<Answer> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) throw this.#ended();
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.#child.stdin?.write(`${JSON.stringify(request)}\n`);
    });
  }

  /** Closes its stdin and waits for its end. */
  async close(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const gone = new Promise((resolve) => this.#child.once('close', resolve));
    this.#child.stdin?.end();
    await gone;
  }
}
