// SPDX-License-Identifier: Apache-2.0
/**
 * Debian's Chromium without a window, told what to do by the DevTools protocol over two pipes: JSON messages, each
 * ended by a zero byte (--remote-debugging-pipe). No library and no port.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import type { Readable, Writable } from 'node:stream';
import { pathToFileURL } from 'node:url';

const PROGRAM = '/usr/bin/chromium';
const NEVER_ANSWERED_MS = 60_000;

interface Message {
  readonly id?: number;
  readonly method?: string;
  readonly params?: Readonly<Record<string, unknown>>;
  readonly result?: Readonly<Record<string, unknown>>;
  readonly error?: { readonly message: string };
  readonly sessionId?: string;
}

type Parameters = Readonly<Record<string, unknown>>;

export class Browser {
  readonly #child: ChildProcess;
  readonly #to: Writable;
  readonly #folder: string;
  readonly #waiting = new Map<number, (message: Message) => void>();
  readonly #listeners = new Set<(message: Message) => void>();
  #next = 1;
  #rest = Buffer.alloc(0);

  private constructor(child: ChildProcess, folder: string) {
    this.#child = child;
    this.#folder = folder;
    const [, , , to, from] = child.stdio;
    this.#to = to as Writable;
    this.#to.on('error', () => undefined);
    (from as Readable).on('data', (chunk: Buffer) => {
      this.#take(chunk);
    });
    child.once('error', (error) => {
      this.#end(error.message);
    });
    child.once('exit', () => {
      this.#end('the browser ended');
    });
  }

  /** Whoever waits for an answer is told why there is none. */
  #end(message: string): void {
    for (const done of this.#waiting.values()) done({ error: { message } });
    this.#waiting.clear();
  }

  static start(): Browser {
    const folder = mkdtempSync(`${tmpdir()}/chromium-`);
    const options = [
      ...['--headless=new', '--remote-debugging-pipe', `--user-data-dir=${folder}`],
      // As root there is no sandbox; the page is our own. Nothing is fetched or reported by the browser itself.
      ...['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--no-first-run'],
      ...['--disable-background-networking', '--disable-component-update', '--disable-sync'],
    ];
    const stdio = ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'] as const;
    const child = spawn(PROGRAM, options, { stdio: [...stdio], detached: true });
    return new Browser(child, folder);
  }

  #take(chunk: Buffer): void {
    this.#rest = Buffer.concat([this.#rest, chunk]);
    for (let end = this.#rest.indexOf(0); end >= 0; end = this.#rest.indexOf(0)) {
      const message = JSON.parse(this.#rest.subarray(0, end).toString()) as Message;
      this.#rest = this.#rest.subarray(end + 1);
      if (message.id === undefined) for (const listen of this.#listeners) listen(message);
      else this.#waiting.get(message.id)?.(message);
    }
  }

  /** Calls a method of the protocol; rejects with what the browser says is wrong. */
  async call(method: string, params: Parameters = {}, sessionId?: string): Promise<Parameters> {
    const id = this.#next++;
    const answer = new Promise<Message>((resolve) => this.#waiting.set(id, resolve));
    const timer = setTimeout(
      () => this.#waiting.get(id)?.({ error: { message: 'no answer' } }),
      NEVER_ANSWERED_MS,
    );
    this.#to.write(`${JSON.stringify({ id, method, params, sessionId })}\0`);
    const { error, result = {} } = await answer;
    clearTimeout(timer);
    this.#waiting.delete(id);
    if (error !== undefined) throw new Error(`${method}: ${error.message}`);
    return result;
  }

  listen(listener: (message: Message) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Opens a page as somebody with such a window would. */
  async open(file: string, window: Window): Promise<Page> {
    const { targetId } = await this.call('Target.createTarget', { url: 'about:blank' });
    const attached = await this.call('Target.attachToTarget', { targetId, flatten: true });
    const page = new Page(this, String(targetId), String(attached['sessionId']));
    await page.load(pathToFileURL(file).href, window);
    return page;
  }

  async close(): Promise<void> {
    const gone = new Promise((resolve) => this.#child.once('exit', resolve));
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      this.#child.kill('SIGKILL');
      await gone;
    }
    // Its children may write for a moment longer.
    rmSync(this.#folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
  }
}

export interface Window {
  readonly width: number;
  readonly scheme: 'light' | 'dark';
}

export class Page {
  readonly #browser: Browser;
  readonly #target: string;
  readonly #session: string;
  /** What the page complained of. */
  readonly complaints: string[] = [];
  /** Addresses it asked for, its own first. */
  readonly requests: string[] = [];

  constructor(browser: Browser, target: string, session: string) {
    this.#browser = browser;
    this.#target = target;
    this.#session = session;
  }

  #call(method: string, params: Parameters = {}): Promise<Parameters> {
    return this.#browser.call(method, params, this.#session);
  }

  async load(url: string, { width, scheme }: Window): Promise<void> {
    let loaded = (): void => undefined;
    const done = new Promise<void>((resolve) => (loaded = resolve));
    this.#browser.listen(({ method, params = {}, sessionId }) => {
      if (sessionId !== this.#session) return;
      if (method === 'Page.loadEventFired') loaded();
      if (method === 'Runtime.exceptionThrown') this.complaints.push(JSON.stringify(params));
      if (method === 'Runtime.consoleAPICalled') this.complaints.push(JSON.stringify(params));
      if (method === 'Log.entryAdded') this.complaints.push(JSON.stringify(params));
      if (method === 'Network.requestWillBeSent') {
        this.requests.push(String((params['request'] as { url?: string } | undefined)?.url));
      }
    });
    for (const domain of ['Page', 'Runtime', 'Log', 'Network']) {
      await this.#call(`${domain}.enable`);
    }
    await this.#call('Emulation.setDeviceMetricsOverride', {
      ...{ width, height: 900, deviceScaleFactor: 1, mobile: false },
    });
    await this.#call('Emulation.setEmulatedMedia', {
      features: [{ name: 'prefers-color-scheme', value: scheme }],
    });
    await this.#call('Page.navigate', { url });
    await done;
  }

  /** The value of an expression in the page; it has to be JSON. */
  async evaluate(expression: string): Promise<unknown> {
    const options = { expression, returnByValue: true, awaitPromise: true };
    const { result, exceptionDetails } = await this.#call('Runtime.evaluate', options);
    if (exceptionDetails !== undefined) throw new Error(JSON.stringify(exceptionDetails));
    return (result as { value?: unknown } | undefined)?.value;
  }

  /** The whole page as PNG. */
  async picture(): Promise<Buffer> {
    const options = { format: 'png', captureBeyondViewport: true };
    const { data } = await this.#call('Page.captureScreenshot', options);
    return Buffer.from(String(data), 'base64');
  }

  async close(): Promise<void> {
    await this.#browser.call('Target.closeTarget', { targetId: this.#target });
  }
}
