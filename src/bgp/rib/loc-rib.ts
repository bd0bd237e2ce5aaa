// SPDX-License-Identifier: Apache-2.0
/**
 * The Loc-RIB of a routing table in the form of UPDATEs (RFC 9069 §5.4): the best route of each net, with
 * 4-octet AS numbers and without path identifiers.
 */
import { encodeAttributes } from '../codec/attributes/encode.js';
import { newNlri } from '../codec/nlri/reader.js';
import { FAMILY, type FamilyId, type FamilySet, type UpdateContext } from '../codec/types.js';
import { UpdateWriter } from '../codec/update-writer.js';
import type { Core } from './core.js';
import { stackOctets } from './label-stacks.js';
import type { NetId, NetTable } from './net-table.js';
import { BEST, IMPORT } from './path-store.js';
import { CORE, familyOfScope, scopeOf, shapeOf, type VrfId, vrfOfScope } from './scope.js';

const ALL: FamilySet = 0x7f;
/** Everything can be said: for readers that are no neighbours. */
export const COMPLETE: UpdateContext = {
  ...{ ibgp: true, as4: true, maxMessage: 65_535, families: ALL },
  ...{ addPathReceive: 0, addPathSend: 0, extendedNextHop: ALL, multipleLabels: ALL },
};
const CORE_FAMILIES: readonly FamilyId[] = [0, 1, 2, 3, 4, 5, 6];
const VRF_FAMILIES: readonly FamilyId[] = [FAMILY.ipv4Unicast, FAMILY.ipv6Unicast];

/** Families that a table has. */
export const familiesOfTable = (vrf: VrfId): readonly FamilyId[] =>
  vrf === CORE ? CORE_FAMILIES : VRF_FAMILIES;

export class LocRib {
  readonly #core: Core;
  readonly #writer = new UpdateWriter(COMPLETE);
  readonly #nlri = newNlri();
  readonly #key = new Uint8Array(24);

  constructor(core: Core) {
    this.#core = core;
  }

  vrfOf(table: NetTable, net: NetId): VrfId {
    return vrfOfScope(table.scope(net));
  }

  /** An UPDATE with the best route of a net, or its withdrawal. */
  update(table: NetTable, net: NetId): Uint8Array {
    this.#write(table, net, true);
    return this.#writer.take();
  }

  /** Everything in a table as it is when each piece is asked for, then End-of-RIB of each family. */
  *contents(vrf: VrfId): Generator<Uint8Array> {
    const families = familiesOfTable(vrf);
    for (const family of families) {
      const table = this.#core.nets.of(family);
      const scope = scopeOf(vrf, family);
      for (let net = 1; net < table.limit; net++) {
        if (table.scope(net) !== scope) continue;
        this.#write(table, net, false);
        const update = this.#writer.take();
        if (update.length > 0) yield update;
      }
    }
    for (const family of families) {
      this.#writer.endOfRib(family);
      yield this.#writer.take();
    }
  }

  #write(table: NetTable, net: NetId, withdraw: boolean): void {
    const { paths, attributes, labels } = this.#core;
    const family = familyOfScope(table.scope(net));
    const first = table.firstPath(net);
    const best = first !== 0 && paths.has(first, BEST) ? first : 0;
    if (best === 0 && !withdraw) return;
    const { rdBytes, prefixBytes } = shapeOf(family);
    table.copyKey(net, this.#key, 0);
    const nlri = this.#nlri;
    nlri.length = table.length(net);
    nlri.keyAt = 0;
    nlri.keyBytes = rdBytes + ((nlri.length + 7) >> 3);
    if (best === 0) {
      this.#writer.withdrawing(family);
      this.#writer.add(nlri, this.#key);
      return;
    }
    const source = paths.has(best, IMPORT) ? paths.source(best) : best;
    const stack = labels.labels(paths.label(source));
    nlri.label = stack[0] ?? 0;
    nlri.labelsAt = 0;
    nlri.labelCount = stack.length;
    const set = attributes.decoded(paths.attributes(best));
    // A route of our own has no next hop yet: the unspecified address.
    const nextHop = set.nextHop ?? new Uint8Array(prefixBytes === 16 ? 16 : 4);
    this.#writer.announcing(family, encodeAttributes(set, COMPLETE), nextHop);
    this.#writer.add(nlri, this.#key, stackOctets(stack));
  }
}
