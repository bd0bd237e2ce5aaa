// SPDX-License-Identifier: Apache-2.0
/**
 * CRLs and OCSP responses come anew while we run: whoever fetches them writes them to the files that the configuration
 * names, and within a minute they count. A file that is not there any more, or has something else in it, changes
 * nothing but the log: what it said before counts, as long as it is current.
 */
import { stat } from 'node:fs/promises';
import type { Ike } from '../config/ike/types.js';
import { readStatusFile, statusOf, withStatus, type StatusKind } from '../ike/auth/load.js';
import { readIkeFile, type ReadFile } from '../ike/auth/read-file.js';
import type { AuthSetup } from '../ike/auth/setup.js';
import type { Timers } from '../ike/types.js';
import type { CertificateLibrary } from '../lib/certificate-api.js';
import type { Logger } from '../lib/log.js';
import { codeOf, oneLine } from './errors.js';
import type { IkePlan } from './ike-plan.js';

const LOOK_MS = 60_000;

export interface StatusFilesDeps {
  readonly timers: Timers;
  readonly log: Logger;
  readonly certificates: Pick<CertificateLibrary, 'faultOfCrl' | 'ocspUntil'>;
  /** Takes the setup from now on. */
  readonly changed: (setup: AuthSetup) => void;
  readonly read?: ReadFile;
  /** What differs when a file's content does. */
  readonly signature?: (path: string) => Promise<string>;
}

interface Watched {
  readonly kind: StatusKind;
  readonly path: string;
  /** undefined: it was read before we looked. */
  signature: string | undefined;
  ders: readonly Uint8Array[];
}

interface Current {
  readonly ike: Ike;
  readonly plan: Pick<IkePlan, 'auth'>;
  readonly files: readonly Watched[];
}

export class StatusFiles {
  readonly #deps: Required<StatusFilesDeps>;
  #current: Current | undefined;
  #cancel: () => void = () => undefined;

  constructor(deps: StatusFilesDeps) {
    this.#deps = { read: readIkeFile, signature: signatureOf, ...deps };
  }

  /** From now on looks at the files of this configuration, whose content `plan` has. */
  begin(ike: Ike, plan: Pick<IkePlan, 'auth' | 'status'>): void {
    this.end();
    const files = [...plan.status].map(([, { kind, path, ders }]) => ({
      ...{ kind, path, ders },
      signature: undefined,
    }));
    if (files.length === 0) return;
    this.#current = { ike, plan, files };
    this.#soon();
  }

  end(): void {
    this.#current = undefined;
    this.#cancel();
  }

  #soon(): void {
    this.#cancel = this.#deps.timers.after(LOOK_MS, () => {
      void this.#look();
    });
  }

  /** One file after the other: they may be large. */
  async #look(): Promise<void> {
    const current = this.#current;
    if (current === undefined) return;
    let isAnyNew = false;
    for (const file of current.files) {
      const isNew = await this.#refresh(file);
      // Another configuration is in force meanwhile.
      if (this.#current !== current) return;
      isAnyNew ||= isNew;
    }
    if (isAnyNew) this.#use(current);
    this.#soon();
  }

  async #refresh(file: Watched): Promise<boolean> {
    const { kind, path } = file;
    const { log, read, signature } = this.#deps;
    const now = await signature(path);
    if (now === file.signature) return false;
    file.signature = now;
    try {
      const ders = await readStatusFile(kind, path, read);
      const fault = this.#fault(kind, ders);
      if (fault !== undefined) throw new Error(`${path} ${fault}`);
      if (isSame(ders, file.ders)) return false;
      file.ders = ders;
      log.notice('certificate status read anew', { file: path });
      return true;
    } catch (error) {
      const why = oneLine(error);
      log.warning('certificate status cannot be read anew; what was read before counts', { why });
      return false;
    }
  }

  #fault(kind: StatusKind, ders: readonly Uint8Array[]): string | undefined {
    const { certificates } = this.#deps;
    const faults = ders.map((der) => {
      if (kind === 'crl') return certificates.faultOfCrl(der);
      return certificates.ocspUntil(der) === undefined ? 'is no OCSP response' : undefined;
    });
    return faults.find((fault) => fault !== undefined);
  }

  #use({ ike, plan, files }: Current): void {
    try {
      this.#deps.changed(withStatus(plan.auth, ike, statusOf(files)));
    } catch (error) {
      this.#deps.log.error('certificate status cannot be used', { why: oneLine(error) });
    }
  }
}

const isSame = (some: readonly Uint8Array[], others: readonly Uint8Array[]): boolean =>
  some.length === others.length &&
  some.every((one, i) => Buffer.compare(one, others[i] ?? new Uint8Array(0)) === 0);

async function signatureOf(path: string): Promise<string> {
  try {
    const { dev, ino, size, mtimeNs, ctimeNs } = await stat(path, { bigint: true });
    return [dev, ino, size, mtimeNs, ctimeNs].join(' ');
  } catch (error) {
    return codeOf(error) ?? 'unknown error';
  }
}
