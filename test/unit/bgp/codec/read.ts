// SPDX-License-Identifier: Apache-2.0
/** A whole UPDATE read the slow way, for comparison. */
import { decodeAttributes } from '../../../../src/bgp/codec/attributes/decode.js';
import { scanAttributes, severityOf } from '../../../../src/bgp/codec/attributes/scan.js';
import { newAttributeScan } from '../../../../src/bgp/codec/attributes/types.js';
import { newNlri, nlriFault, readNlri } from '../../../../src/bgp/codec/nlri/reader.js';
import {
  type AttributeFault,
  FAMILIES,
  type FamilyName,
  type NlriRun,
  type PathAttributes,
  type Severity,
  type UpdateContext,
} from '../../../../src/bgp/codec/types.js';
import {
  attributesLength,
  copyAttributes,
  isNotification,
  splitUpdate,
} from '../../../../src/bgp/codec/update-split.js';

export interface ReadUpdate {
  /** What RFC 7606 makes of it. */
  readonly outcome: Severity;
  readonly reasons: readonly string[];
  /** "vpnv4-unicast 7 [100] KEY/LENGTH": family, path identifier, labels, key in hexadecimal. */
  readonly announced: readonly string[];
  readonly withdrawn: readonly string[];
  readonly endOfRib?: FamilyName;
  readonly attributes?: PathAttributes;
  /** Attributes without NLRI. */
  readonly octets: Uint8Array;
}

const reset = (reason: string): ReadUpdate => ({
  ...{ outcome: 'reset', reasons: [reason], announced: [], withdrawn: [] },
  octets: new Uint8Array(0),
});

/** The runs as text; a string: what is wrong with one. */
function routesOf(runs: readonly NlriRun[], bytes: Uint8Array): string[] | string {
  const routes: string[] = [];
  const nlri = newNlri();
  for (const run of runs) {
    for (let at = run.start; at < run.end;) {
      const next = readNlri(run, bytes, at, nlri);
      if (next < 0) return nlriFault(run, bytes, at).reason;
      const key = Buffer.from(bytes.subarray(nlri.keyAt, nlri.keyAt + nlri.keyBytes));
      const labels = nlri.labelCount === 0 ? '' : ` [${nlri.label}]`;
      const path = (run.mode & 1) === 0 ? '' : ` ${nlri.pathId}`;
      const { name } = FAMILIES[run.family];
      routes.push(`${name}${path}${labels} ${key.toString('hex')}/${nlri.length}`);
      at = next;
    }
  }
  return routes;
}

/** The body of an UPDATE, from `start` on; it is copied before. */
export function readUpdate(message: Uint8Array, context: UpdateContext, start = 0): ReadUpdate {
  const bytes = message.slice(start);
  const split = splitUpdate(bytes, 0, bytes.length, context);
  if (isNotification(split)) return reset(split.reason);
  const withdrawn = routesOf(split.withdrawn, bytes);
  const announced = routesOf(split.announced, bytes);
  if (typeof withdrawn === 'string') return reset(withdrawn);
  if (typeof announced === 'string') return reset(announced);
  const octets = new Uint8Array(attributesLength(split));
  copyAttributes(split, octets, 0);
  let faults: readonly AttributeFault[] = split.faults;
  let attributes: PathAttributes | undefined;
  const [run] = split.announced;
  if (run !== undefined && severityOf(faults) !== 'withdraw') {
    const environment = { context, classic: run.classic };
    const found = scanAttributes(octets, 0, octets.length, environment, newAttributeScan());
    faults = [...faults, ...found];
    attributes = decodeAttributes(octets, 0, octets.length, environment);
  }
  return {
    outcome: severityOf(faults),
    reasons: faults.map(({ notification }) => notification.reason),
    ...{ announced, withdrawn, octets },
    ...(split.endOfRib === -1 ? {} : { endOfRib: FAMILIES[split.endOfRib].name }),
    ...(attributes === undefined ? {} : { attributes }),
  };
}
