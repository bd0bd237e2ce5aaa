// SPDX-License-Identifier: Apache-2.0
/**
 * What happens to labels of routes, on its way to disk: what is noted in one turn of the event loop, or while the disk
 * works, is one write. Labels are handed on when the disk has them, some at a time.
 */
import type { Scheduler } from '../bgp/rib/api.js';
import type { Logger } from '../lib/log.js';
import type { LabelRecord, RouteLabelRegister } from './label-register.js';

const RETRY_MS = 1_000;
/** Labels handed on at once: a millisecond for their rows. */
const ROWS = 256;
/** Records of the journal beyond which it is written anew, beside some for each label. */
const JOURNAL_SLACK = 10_000;

/** Where records are kept. A promise is kept once they are on disk; `replace` is all or nothing. */
export interface LabelJournal {
  /** Records in it. */
  readonly length: number;
  append(records: readonly LabelRecord[]): Promise<void>;
  replace(records: readonly LabelRecord[]): Promise<void>;
}

export interface LabelWriterPorts<Label> {
  readonly journal: LabelJournal;
  readonly register: Pick<RouteLabelRegister, 'records' | 'size'>;
  readonly scheduler: Scheduler;
  readonly log: Logger;
  /** The disk has these: makes them ready, unless it has no use for them any more. */
  readonly written: (labels: readonly Label[]) => void;
}

export class LabelWriter<Label extends { readonly ready: boolean }> {
  readonly #ports: LabelWriterPorts<Label>;
  #records: LabelRecord[] = [];
  #fresh: Label[] = [];
  #writing = false;
  #rewrite = false;
  #closed = false;

  constructor(ports: LabelWriterPorts<Label>) {
    this.#ports = ports;
  }

  /** `fresh`: the label that is handed on when this is on disk. */
  note(record: LabelRecord, fresh?: Label): void {
    this.#records.push(record);
    if (fresh !== undefined) this.#fresh.push(fresh);
    this.#writeSoon();
  }

  /** Nothing more is written or handed on. */
  close(): void {
    this.#closed = true;
  }

  #writeSoon(): void {
    if (this.#writing || this.#closed) return;
    this.#writing = true;
    this.#ports.scheduler.soon(() => {
      this.#write()
        .then(() => {
          this.#writing = false;
          if (this.#records.length > 0) this.#writeSoon();
        })
        .catch((error: unknown) => {
          this.#failed(error);
        });
    });
  }

  /** Until it can be written nothing new is advertised; what is keeps its label. */
  #failed(error: unknown): void {
    this.#rewrite = true;
    this.#ports.log.error('labels of routes cannot be stored', { why: String(error) });
    this.#ports.scheduler.after(RETRY_MS, () => {
      this.#writing = false;
      this.#writeSoon();
    });
  }

  async #write(): Promise<void> {
    const { journal, register, written } = this.#ports;
    const records = this.#records;
    const fresh = this.#fresh;
    this.#records = [];
    this.#fresh = [];
    try {
      if (this.#rewrite || journal.length > 4 * register.size + JOURNAL_SLACK) {
        await journal.replace(register.records());
        this.#rewrite = false;
      } else {
        await journal.append(records);
      }
      for (let at = 0; at < fresh.length && !this.#closed; at += ROWS) {
        if (at > 0) await this.#pause();
        written(fresh.slice(at, at + ROWS));
      }
    } catch (error) {
      // A rewrite says everything, so the records need not be kept.
      this.#fresh = [...fresh.filter(({ ready }) => !ready), ...this.#fresh];
      throw error;
    }
  }

  async #pause(): Promise<void> {
    return new Promise((resume) => {
      this.#ports.scheduler.soon(resume);
    });
  }
}
