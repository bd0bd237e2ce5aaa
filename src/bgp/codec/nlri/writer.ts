// SPDX-License-Identifier: Apache-2.0
/** Writes NLRI; the layouts are those of reader.ts. */
import type { ByteWriter } from '../bytes.js';
import { FAMILIES, type FamilyId, type Nlri, NLRI_MODE, type NlriMode } from '../types.js';
import { WITHDRAWN_LABEL } from './reader.js';

/** Families with labels: SAFI 4 and 128. */
const hasLabels = (family: FamilyId): boolean =>
  FAMILIES[family].safi === 4 || FAMILIES[family].safi === 128;

/**
 * How the next NLRI of a run are written. Kept apart from the numbers of each, so that they are worked out
 * once a run.
 */
export class NlriWriter {
  private readonly labelled: boolean;
  /** Octets of the key that do not count in Nlri.length: the RD. */
  private readonly rdBits: number;

  private readonly mode: NlriMode;

  constructor(family: FamilyId, mode: NlriMode) {
    this.mode = mode;
    this.labelled = hasLabels(family);
    this.rdBits = FAMILIES[family].safi === 128 ? 64 : 0;
  }

  /** Octets that `write` would write; -1: it cannot be said in this mode (a stack of labels). */
  size(nlri: Nlri): number {
    const labels = this.labels(nlri);
    if (labels < 0) return -1;
    const path = (this.mode & NLRI_MODE.addPath) === 0 ? 0 : 4;
    return path + 1 + 3 * labels + nlri.keyBytes;
  }

  private labels(nlri: Nlri): number {
    if (!this.labelled) return 0;
    if ((this.mode & NLRI_MODE.withdrawn) !== 0 || nlri.labelCount <= 1) return 1;
    return (this.mode & NLRI_MODE.labelStack) === 0 ? -1 : nlri.labelCount;
  }

  /**
   * Writes the NLRI whose key is in `keys`; a stack of more than one label is in `labels`. Call size() first.
   */
  write(out: ByteWriter, nlri: Nlri, keys: Uint8Array, labels: Uint8Array): void {
    const count = this.labels(nlri);
    if ((this.mode & NLRI_MODE.addPath) !== 0) out.u32(nlri.pathId);
    out.u8(24 * count + this.rdBits + nlri.length);
    if (count > 1) {
      for (let i = 0; i < count; i++) {
        const at = nlri.labelsAt + 3 * i;
        // The S bit is in the last label alone.
        out.copy(labels, at, at + 2);
        out.u8(((labels[at + 2] ?? 0) & 0xf0) | (i === count - 1 ? 1 : 0));
      }
    } else if (count === 1) {
      const withdrawn = (this.mode & NLRI_MODE.withdrawn) !== 0;
      out.u24(withdrawn ? WITHDRAWN_LABEL : (nlri.label << 4) | 1);
    }
    out.copy(keys, nlri.keyAt, nlri.keyAt + nlri.keyBytes);
  }
}
