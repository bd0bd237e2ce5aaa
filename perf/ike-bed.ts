// SPDX-License-Identifier: Apache-2.0
/** Two namespaces: the process that is measured in one, the load generator in the other; and what a process takes. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { eventually, type Lab } from '../scripts/lib/lab.js';
import { makeCa, issue } from '../test/lib/pki.js';

const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
const LOAD_MS = 900_000;

export const SUBJECT = '10.9.0.1';
const LOADER = '10.9.0.2';
export const PSK = 'a preshared key of the benchmark, 0123456789';

export type Authentication = 'psk' | 'ecdsa' | 'rsa';

/** What the load generator says of itself. */
export interface LoadReport {
  readonly opened: number;
  readonly failed: number;
  readonly retransmitted: number;
  readonly cookies: number;
  readonly why: Readonly<Record<string, number>>;
  readonly seconds: number;
  /** Of each that was opened. */
  readonly ms: readonly number[];
}

export interface LoadSettings {
  /** Addresses from this one on: each has one IKE SA. */
  readonly first: string;
  readonly count: number;
  readonly authentication: Authentication;
  readonly kem?: boolean;
  readonly child?: boolean;
  readonly concurrency?: number;
  readonly pauseMs?: number;
}

/** User and system time of a process, seconds. */
export function cpuOf(pid: number): number {
  const stat = readFileSync(`/proc/${String(pid)}/stat`, 'latin1');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

/** Resident memory now, KiB. */
export function rssOf(pid: number): number {
  const status = readFileSync(`/proc/${String(pid)}/status`, 'latin1');
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? NaN);
}

export const pause = (ms: number): Promise<void> => new Promise((wake) => setTimeout(wake, ms));

/** Until it has had nothing to do for a second. */
export async function quiet(pid: number): Promise<void> {
  for (let before = cpuOf(pid); ;) {
    await pause(1000);
    const now = cpuOf(pid);
    if (now - before < 0.03) return;
    before = now;
  }
}

export interface Certificates {
  readonly root: { readonly pem: string; readonly certificate: string; readonly key: string };
  /** Of the process that is measured. */
  readonly own: { readonly pem: string; readonly certificate: string; readonly key: string };
}

export class IkeBed {
  readonly lab: Lab;
  readonly folder: string;
  readonly subject = 'slb-ike-a';
  readonly loader = 'slb-ike-b';
  readonly #certificates = new Map<Authentication, Certificates>();
  #count = 0;

  private constructor(lab: Lab, folder: string) {
    this.lab = lab;
    this.folder = folder;
  }

  /** 10.64.0.0/10 are the loader's addresses; 10.192.0.0/10 lead to it and are nobody's. */
  static async make(lab: Lab, folder: string): Promise<IkeBed> {
    const bed = new IkeBed(lab, folder);
    await lab.namespace(bed.subject);
    await lab.namespace(bed.loader);
    await lab.link(bed.subject, 'wan', bed.loader, 'wan');
    await lab.ip(bed.subject, [
      'link set wan mtu 9000',
      `addr add ${SUBJECT}/24 dev wan`,
      `route add 10.64.0.0/10 via ${LOADER}`,
      `route add 10.192.0.0/10 via ${LOADER}`,
    ]);
    await lab.ip(bed.loader, [
      'link set wan mtu 9000',
      `addr add ${LOADER}/24 dev wan`,
      'route add local 10.64.0.0/10 dev lo',
    ]);
    await lab.must(bed.subject, ['sysctl', '-qw', 'net.core.rmem_max=33554432']).catch(() => '');
    return bed;
  }

  certificates(authentication: Authentication): Certificates {
    const known = this.#certificates.get(authentication);
    if (known !== undefined) return known;
    const key = authentication === 'rsa' ? 'rsa-2048' : 'p256';
    const folder = `${this.folder}/${authentication}`;
    mkdirSync(folder, { recursive: true });
    const root = makeCa(folder, 'root', { key });
    const own = issue(root, { name: 'own', ip: [SUBJECT], key });
    const files = ({ pem, files: { certificate, key: file } }: typeof own) => ({
      ...{ pem, certificate, key: file },
    });
    const made = { root: files(root), own: files(own) };
    this.#certificates.set(authentication, made);
    return made;
  }

  #settings({ authentication, ...rest }: LoadSettings): string {
    const file = `${this.folder}/load${String(this.#count++)}.json`;
    const common = { port: 500, remote: { address: SUBJECT, port: 500 }, ...rest };
    const settings =
      authentication === 'psk'
        ? { ...common, psk: PSK }
        : { ...common, ...this.#certified(authentication) };
    writeFileSync(file, JSON.stringify(settings));
    return file;
  }

  #certified(kind: 'ecdsa' | 'rsa'): object {
    const { root } = this.certificates(kind);
    const der = `${this.folder}/${kind}.der`;
    const body = /-----BEGIN [^-]+-----([^-]+)-----END/.exec(root.pem)?.[1] ?? '';
    writeFileSync(der, Buffer.from(body, 'base64'));
    const scheme = kind === 'rsa' ? 'pkcs1-sha256' : 'ecdsa-sha256';
    return { scheme, kind, authority: { certificate: der, key: root.key } };
  }

  /** IKE SAs from the loader to the subject. */
  async initiate(settings: LoadSettings): Promise<LoadReport> {
    const log = `${this.folder}/initiate${String(this.#count++)}.log`;
    const argv = ['node', here('ike-load.mjs'), 'initiate', this.#settings(settings)];
    const child = this.lab.start(this.loader, argv, log);
    try {
      const text = await eventually(
        'the load is done',
        () => {
          if (child.exitCode !== null && child.exitCode !== 0) {
            throw new Error(readFileSync(log, 'utf8').slice(-2000));
          }
          return lineOf(log);
        },
        LOAD_MS,
      );
      return JSON.parse(text) as LoadReport;
    } finally {
      await this.lab.stop(child);
    }
  }

  /** Answers on its addresses. */
  async respond(settings: LoadSettings): Promise<Responder> {
    const log = `${this.folder}/respond${String(this.#count++)}.log`;
    const argv = ['node', here('ike-load.mjs'), 'respond', this.#settings(settings)];
    const child = this.lab.start(this.loader, argv, log);
    await eventually(
      'the load generator answers',
      () => (readFileSync(log, 'utf8').includes('ready') ? true : undefined),
      LOAD_MS,
    );
    let asked = 0;
    return {
      stop: () => this.lab.stop(child),
      opened: async () => {
        child.kill('SIGUSR2');
        const nth = asked++;
        const text = await eventually('a report', () => lineOf(log, nth), LOAD_MS);
        return (JSON.parse(text) as { opened: number }).opened;
      },
    };
  }

  /** Spoofed IKE_SA_INIT requests, so many a second, until stopped. */
  flood(perSecond: number): { readonly stop: () => Promise<number> } {
    const log = `${this.folder}/flood${String(this.#count++)}.log`;
    const argv = ['python3', here('ike-flood.py'), 'wan', SUBJECT, String(perSecond)];
    const child = this.lab.start(this.loader, argv, log);
    return {
      stop: async () => {
        await this.lab.stop(child, 'SIGINT');
        const text = lineOf(log);
        if (text === undefined) throw new Error(readFileSync(log, 'utf8'));
        return (JSON.parse(text) as { perSecond: number }).perSecond;
      },
    };
  }

  next(): number {
    return this.#count++;
  }
}

export interface Responder {
  readonly opened: () => Promise<number>;
  readonly stop: () => Promise<void>;
}

export const lineOf = (log: string, nth = 0): string | undefined =>
  readFileSync(log, 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('{') && line.endsWith('}'))[nth];
