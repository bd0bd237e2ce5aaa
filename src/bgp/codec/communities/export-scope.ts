// SPDX-License-Identifier: Apache-2.0
/**
 * The Export Scope Extended Community, as specified by docs/export-scope-community.md: the SPs that a VPN route is
 * exported to (policy-model 6), one community for each.
 *
 *      0                   1                   2                   3
 *      0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *     +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *     |  Type = 0x83  | Sub-Type=0x4a |   Critical    |   Reserved    |
 *     +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *     |                           SP Number                           |
 *     +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 */

const HEAD = 0x834an;

/** Whether it is one, understood or not. */
export const isExportScope = (community: bigint): boolean => community >> 48n === HEAD;

/** The community for an SP. Throws RangeError for a number that is not of 32 bits or is 0. */
export function exportScope(sp: number): bigint {
  if (!Number.isInteger(sp) || sp <= 0 || sp > 0xffff_ffff) throw new RangeError(`SP number ${sp}`);
  return (HEAD << 48n) | BigInt(sp);
}

/**
 * Numbers of the SPs a route with these communities is exported to; undefined: it does not say. A community that is
 * not understood names nobody, and still says that there is a limit.
 */
export function exportedTo(communities: readonly bigint[]): ReadonlySet<number> | undefined {
  let sps: Set<number> | undefined;
  for (const community of communities) {
    if (!isExportScope(community)) continue;
    sps ??= new Set();
    const critical = (community >> 40n) & 0xffn;
    const sp = Number(community & 0xffff_ffffn);
    if (critical === 0n && sp !== 0) sps.add(sp);
  }
  return sps;
}
