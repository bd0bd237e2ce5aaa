// SPDX-License-Identifier: Apache-2.0
/** What every check of the second pass works with. */
import { parsePrefix, type Prefix } from '../../lib/ip.js';
import { formatPath, issue, valueAt, type Issue, type Mistake, type Path } from '../issues.js';
import type { Structure } from '../structure.js';
import type { CeInterface, Config, CoreInterface, Interface } from '../types.js';

export type Table = 'interfaces' | 'vrfs' | 'tunnels' | 'manualSas';

/** A subnet or address that a PE has in one routing table. */
export interface OwnPrefix {
  readonly path: Path;
  /** Host bits set. */
  readonly prefix: Prefix;
  readonly text: string;
  /** Whose subnet it is; undefined: an address beside the interfaces. */
  readonly interface: string | undefined;
}

export class Context {
  readonly config: Config;
  readonly issues: Issue[] = [];
  readonly warnings: Issue[] = [];
  /** What the user wrote. */
  readonly raw: unknown;
  readonly #structure: Structure;
  // Made at first use: every VRF asks, and looking through all interfaces each time would be quadratic.
  #ceInterfaces: ReturnType<typeof groupCe> | undefined;
  #coreInterfaces: readonly CoreInterface[] | undefined;
  readonly #ownPrefixes = new Map<string | undefined, readonly OwnPrefix[]>();

  constructor(raw: unknown, config: Config, structure: Structure) {
    this.raw = raw;
    this.config = config;
    this.#structure = structure;
  }

  fail(path: Path, mistake: Mistake): void {
    this.issues.push(this.#issue(path, mistake));
  }

  warn(path: Path, mistake: Mistake): void {
    this.warnings.push(this.#issue(path, mistake));
  }

  /** Of a key rather than its value: the last step of the path is what is shown. */
  failKey(path: Path, mistake: Mistake): void {
    const original = this.#structure.original(path);
    this.issues.push(issue(original, original.at(-1), mistake));
  }

  /** For paths through {@link raw} rather than {@link config}. */
  failAsWritten(path: Path, mistake: Mistake): void {
    this.issues.push(issue(path, valueAt(this.raw, path), mistake));
  }

  #issue(path: Path, mistake: Mistake): Issue {
    const original = this.#structure.original(path);
    const value = valueAt(this.raw, original);
    // A whole entry says less than its path.
    const shown = typeof value === 'object' && !Array.isArray(value) ? undefined : value;
    return issue(original, shown, mistake);
  }

  /** A path as the user wrote it, for use inside a sentence. */
  at(path: Path): string {
    return formatPath(this.#structure.original(path));
  }

  /** Nothing was cut out at, under or above this path: conclusions from what is missing there hold. */
  whole(...path: Path): boolean {
    return this.#structure.whole(this.#structure.original(path));
  }

  /** Whether the value at this path of {@link raw} has an issue of its own. */
  brokenAt(path: Path): boolean {
    return this.#structure.brokenAt(path);
  }

  /** Every name of a table, also of entries that were cut out. */
  names(table: Table): readonly string[] {
    const entries = valueAt(this.raw, [table]);
    return typeof entries === 'object' && entries !== null ? Object.keys(entries) : [];
  }

  ceInterfaces(vrf: string): readonly (readonly [name: string, configured: CeInterface])[] {
    this.#ceInterfaces ??= groupCe(this.config);
    return this.#ceInterfaces.get(vrf) ?? [];
  }

  coreInterfaces(): readonly CoreInterface[] {
    this.#coreInterfaces ??= Object.values(this.config.interfaces).flatMap((configured) =>
      configured.role === 'core' ? [configured] : [],
    );
    return this.#coreInterfaces;
  }

  /** Own prefixes of a VRF, or of the core's routing table (undefined), tunnel addresses left out. */
  ownPrefixes(vrf: string | undefined): readonly OwnPrefix[] {
    let found = this.#ownPrefixes.get(vrf);
    if (found === undefined) {
      const beside = vrf === undefined ? [] : (this.config.vrfs?.[vrf]?.addresses ?? []);
      found = [
        ...own(['vrfs', vrf ?? '', 'addresses'], beside, undefined),
        ...this.#interfacesOf(vrf).flatMap(([name, { addresses }]) =>
          own(['interfaces', name, 'addresses'], addresses, name),
        ),
      ];
      this.#ownPrefixes.set(vrf, found);
    }
    return found;
  }

  #interfacesOf(vrf: string | undefined): readonly (readonly [string, Interface])[] {
    if (vrf !== undefined) return this.ceInterfaces(vrf);
    return Object.entries(this.config.interfaces).filter(([, { role }]) => role === 'core');
  }
}

function groupCe(config: Config): ReadonlyMap<string, readonly (readonly [string, CeInterface])[]> {
  const groups = new Map<string, (readonly [string, CeInterface])[]>();
  for (const [name, configured] of Object.entries(config.interfaces)) {
    if (configured.role !== 'ce') continue;
    const group = groups.get(configured.vrf) ?? [];
    group.push([name, configured]);
    groups.set(configured.vrf, group);
  }
  return groups;
}

function own(path: Path, texts: readonly string[], name: string | undefined): OwnPrefix[] {
  return texts.flatMap((text, i) => {
    const prefix = parsePrefix(text);
    return prefix === undefined ? [] : [{ path: [...path, i], prefix, text, interface: name }];
  });
}
