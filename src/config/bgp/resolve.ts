// SPDX-License-Identifier: Apache-2.0
/** The `bgp` sections with templates, short forms and defaults filled in: what is wired to sessions and RIB. */
import { parseAddress, parsePrefix } from '../../lib/ip.js';
import type { Config, ExportClass } from '../types.js';
import type {
  Bgp,
  BgpDynamicNeighbours,
  BgpExportRule,
  BgpFamilies,
  BgpImportRule,
  BgpNeighbour,
  BgpNeighbourOptions,
  VrfBgp,
} from './types.js';

/**
 * A neighbour or a range of them, its template merged in. The fields of its session are those of
 * src/bgp/session/config.ts.
 */
export interface ConfiguredNeighbour extends BgpNeighbourOptions {
  /** Exactly one of both. */
  readonly address?: string;
  readonly prefix?: string;
  readonly prefixLimit?: number;
  readonly interface?: string;
  /** undefined: in the core's routing table. */
  readonly vrf?: string;
  /** Our router id there; default that of the whole. */
  readonly routerId?: string;
  readonly asn: number | readonly number[] | 'external';
  readonly families: BgpFamilies;
}

/** In the order of the configuration, the core's first. Expects a checked configuration. */
export function neighboursOf(config: Config): readonly ConfiguredNeighbour[] {
  const { bgp, vrfs = {} } = config;
  if (bgp === undefined) return [];
  return [
    ...neighboursIn(bgp, bgp, undefined),
    ...Object.entries(vrfs).flatMap(([vrf, { bgp: section }]) =>
      section === undefined ? [] : neighboursIn(bgp, section, vrf),
    ),
  ];
}

type Section = Pick<VrfBgp, 'neighbours' | 'dynamicNeighbours' | 'routerId'>;

function neighboursIn(
  bgp: Bgp,
  { neighbours = {}, dynamicNeighbours = {}, routerId }: Section,
  vrf: string | undefined,
): ConfiguredNeighbour[] {
  const at = vrf === undefined ? {} : { vrf, ...(routerId !== undefined && { routerId }) };
  return [
    ...Object.entries(neighbours).map(([address, given]) =>
      complete(bgp, given, { address, ...at }),
    ),
    ...Object.entries(dynamicNeighbours).map(([prefix, given]) =>
      complete(bgp, given, { prefix, ...at }),
    ),
  ];
}

function complete(
  bgp: Bgp,
  given: BgpNeighbour | BgpDynamicNeighbours,
  where: Pick<ConfiguredNeighbour, 'address' | 'prefix' | 'vrf' | 'routerId'>,
): ConfiguredNeighbour {
  const { asn, families, ...rest } = mergeTemplate(bgp, given);
  if (asn === undefined) {
    throw new Error(`neighbour ${where.address ?? where.prefix ?? ''} without an AS number`);
  }
  return { ...rest, ...where, asn, families: families ?? defaultFamilies(bgp, where) };
}

/** What the neighbour does not say itself is its template's. */
export function mergeTemplate<N extends BgpNeighbour | BgpDynamicNeighbours>(
  bgp: Pick<Bgp, 'templates'>,
  given: N,
): N {
  const { template } = given;
  const found = template === undefined ? undefined : bgp.templates?.[template];
  return { ...found, ...given };
}

function defaultFamilies(
  bgp: Bgp,
  { address, prefix, vrf }: Pick<ConfiguredNeighbour, 'address' | 'prefix' | 'vrf'>,
): BgpFamilies {
  if (vrf === undefined) {
    const core = { 'vpnv4-unicast': {}, 'vpnv6-unicast': {} };
    return bgp.routeTargetConstraint === false ? core : { ...core, 'route-target': {} };
  }
  const bytes = address === undefined ? parsePrefix(prefix ?? '')?.address : parseAddress(address);
  return bytes?.length === 4 ? { 'ipv4-unicast': {} } : { 'ipv6-unicast': {} };
}

/** Whether the session is internal: the neighbour's AS number is the one we show it. */
export function isInternal(
  neighbour: Pick<BgpNeighbourOptions, 'asn' | 'localAsn'>,
  bgp: Pick<Bgp, 'asn'>,
): boolean {
  return neighbour.asn === (neighbour.localAsn ?? bgp.asn);
}

// ---- VRFs ----------------------------------------------------------------------------------------

const DEFAULT_RULE = 'default';

/** The short form, then the rules; `fromSps` filled in. */
export function importRulesOf(
  vrf: VrfBgp,
  ownSp: string,
): readonly (BgpImportRule & Required<Pick<BgpImportRule, 'fromSps' | 'preferProtected'>>)[] {
  const short = vrf.importTargets;
  const rules: readonly BgpImportRule[] = [
    ...(short === undefined ? [] : [{ name: DEFAULT_RULE, targets: short }]),
    ...(vrf.imports ?? []),
  ];
  return rules.map((rule) => ({ fromSps: [ownSp], preferProtected: true, ...rule }));
}

/** With class, RD and label mode filled in. */
export type ResolvedExportRule = BgpExportRule &
  ExportClass &
  Required<Pick<BgpExportRule, 'rd' | 'labelPer'>>;

/** The short form, then the rules. `ofPe`: `bgp.exportClass`; without it encrypted packets alone are accepted. */
export function exportRulesOf(
  vrf: VrfBgp,
  ofPe: ExportClass = { protections: ['encrypt'] },
): readonly ResolvedExportRule[] {
  const short = vrf.exportTargets;
  const rules: readonly BgpExportRule[] = [
    ...(short === undefined ? [] : [{ name: DEFAULT_RULE, targets: short }]),
    ...(vrf.exports ?? []),
  ];
  const { rd, labelPer = 'vrf' } = vrf;
  return rules.map(({ protections, ...rule }) => ({
    ...{ rd, labelPer, ...rule },
    ...(protections === undefined ? ofPe : { protections }),
  }));
}
