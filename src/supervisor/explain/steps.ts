// SPDX-License-Identifier: Apache-2.0
/** What `sealane explain` says, one thing after another. */
import type { ExplainRow } from '../../rpc/backend.js';

/** Why a packet would not go on, and the counter (name of drop_reasons.h; empty: none) that would rise. */
export interface Refusal {
  readonly why: string;
  readonly drop: string;
}

export class Steps {
  readonly rows: ExplainRow[] = [];
  /** Of a route with several ways, from 1; 0: what follows concerns all. */
  way = 0;

  /** Something that is so. */
  fact(step: string, what: string, why = ''): void {
    this.rows.push({ way: this.way, step, what, ok: undefined, why, drop: '' });
  }

  /** Something that has to be so, and is. */
  good(step: string, what: string): void {
    this.rows.push({ way: this.way, step, what, ok: true, why: '', drop: '' });
  }

  /** Something that would have to be so. */
  bad(step: string, what: string, { why, drop }: Refusal = { why: '', drop: '' }): void {
    this.rows.push({ way: this.way, step, what, ok: false, why, drop });
  }

  /** The end of a way. */
  verdict(what: string, refusal?: Refusal): void {
    if (refusal === undefined) this.good('verdict', what);
    else this.bad('verdict', what, refusal);
  }
}
