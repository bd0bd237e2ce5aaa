// SPDX-License-Identifier: Apache-2.0
/**
 * Manual SAs, for labs: keys come from files that an operator made. Brings the SA rows to what the
 * configuration says. A row is identified by name and SPI; what else differs needs another row.
 *
 *   plan      reads key files, judges every key, changes nothing
 *   install   ledger `reserved` → rows → worker expands keys → ledger `used` → inbound SPIs reachable
 *   retire    removes rows that are not wanted
 */
import { createHash } from 'node:crypto';
import { DEFAULT_REPLAY_WINDOW } from '../config/defaults.js';
import type { Config, ManualSa } from '../config/types.js';
import type { LiveSa, Tables, VpnSaRow } from '../forwarding/addon/api.js';
import { keyCheck } from '../forwarding/addon/load.js';
import { saRowName } from '../forwarding/model.js';
import { equalBytes, parseAddress } from '../lib/ip.js';
import { readKeyFile } from '../lib/key-file.js';
import { OWN_SP_TABLE, type SpTables } from '../vpn/sp-tables.js';
import { oneLine, SupervisorError } from './errors.js';
import { judgeKey, record, type Ledger } from './key-ledger.js';
import type { SaDirection as Direction, SaRows } from './sa-rows.js';

const REMEDY = 'make new key files with `sealane lab keygen`, one per direction, on both PEs';

interface KeyName {
  /** SHA-256 of key and salt, hex. */
  readonly digest: string;
  /** Row name. */
  readonly sa: string;
}

interface PlannedSa {
  readonly direction: Direction;
  readonly row: VpnSaRow;
  /** Key and salt; secret, wiped once the row is written. */
  readonly keying: Uint8Array;
  /** SHA-256 of `keying`, hex. */
  readonly digest: string;
}

export interface SaPlan {
  readonly add: readonly PlannedSa[];
  /** Keys of rows that stay. */
  readonly keep: readonly KeyName[];
  /** Live rows to remove before their successors can be written: same SPI, other attributes. */
  readonly replace: readonly { readonly direction: Direction; readonly name: string }[];
  /** Row names wanted, by direction. */
  readonly wanted: Readonly<Record<Direction, ReadonlySet<string>>>;
}

/** Forgets the keys of a plan that will not be carried out. */
export function wipe(plan: Pick<SaPlan, 'add'>): void {
  for (const { keying } of plan.add) keying.fill(0);
}

export interface LedgerStore {
  read(): Ledger;
  /** On disk when it returns. */
  write(ledger: Ledger): void;
}

export interface ManualSaDeps {
  readonly tables: Tables;
  readonly rows: SaRows;
  /** Whether a row, by its name, is somebody else's: it is left alone. */
  readonly isForeign: (name: string) => boolean;
  readonly ledger: LedgerStore;
  readonly readKey?: typeof readKeyFile;
}

function sameAttributes(live: LiveSa, row: VpnSaRow): boolean {
  return (
    live.application !== 'bgp' &&
    live.spi === row.spi &&
    live.algorithm === row.algorithm &&
    live.encapsulation === row.encapsulation &&
    live.spTable === row.spTable &&
    live.replayWindow === row.replayWindow &&
    live.packetLimit === row.packetLimit &&
    live.esn === row.esn &&
    equalBytes(live.source, row.source) &&
    equalBytes(live.destination, row.destination)
  );
}

function saRow(name: string, sa: ManualSa, sps: SpTables): VpnSaRow {
  const local = parseAddress(sa.local) ?? new Uint8Array(4);
  const remote = parseAddress(sa.remote) ?? new Uint8Array(4);
  const inbound = sa.direction === 'in';
  const spTable = sa.sp === undefined ? OWN_SP_TABLE : sps.table(sa.sp);
  if (spTable === undefined) {
    throw new SupervisorError(
      'KEY',
      `SA ${name}: SP ${String(sa.sp)} is not configured`,
      'add it to otherSps',
    );
  }
  return {
    name: saRowName(name, sa.spi),
    spi: sa.spi,
    algorithm: sa.algorithm,
    source: inbound ? remote : local,
    destination: inbound ? local : remote,
    encapsulation: sa.encapsulation,
    spTable: inbound ? spTable : 0,
    replayWindow: inbound ? (sa.replayWindow ?? DEFAULT_REPLAY_WINDOW) : 0,
    packetLimit: 0n,
    esn: sa.esn ?? false,
  };
}

export class ManualSas {
  readonly #tables: Tables;
  readonly #rows: SaRows;
  readonly #isForeign: (name: string) => boolean;
  readonly #ledger: LedgerStore;
  readonly #readKey: typeof readKeyFile;
  readonly #epoch: string;
  readonly #reachable = new Set<number>();

  constructor(deps: ManualSaDeps) {
    this.#tables = deps.tables;
    this.#rows = deps.rows;
    this.#isForeign = deps.isForeign;
    this.#ledger = deps.ledger;
    this.#readKey = deps.readKey ?? readKeyFile;
    this.#epoch = deps.tables.epoch.toString(16);
  }

  /** Throws KEY when a key file is unusable or a key was used before; nothing has changed then. */
  async plan(config: Config, sps: SpTables): Promise<SaPlan> {
    const ledger = this.#ledger.read();
    const add: PlannedSa[] = [];
    const keep: KeyName[] = [];
    const replace: { direction: Direction; name: string }[] = [];
    const wanted = { in: new Set<string>(), out: new Set<string>() };
    const digests = new Map<string, string>();
    try {
      for (const [name, sa] of Object.entries(config.manualSas ?? {})) {
        const row = saRow(name, sa, sps);
        const { direction } = sa;
        const { keying, digest } = await this.#key(name, sa);
        const planned = { direction, row, keying, digest };
        const twin = digests.get(digest);
        digests.set(digest, name);
        const live = this.#tables.sas(direction).find((one) => one.name === row.name);
        const verdict = judgeKey(ledger, digest, this.#epoch, isLive(live, row, keying));
        wanted[direction].add(row.name);
        if (verdict.ok && verdict.action === 'keep') {
          keying.fill(0);
          keep.push({ digest, sa: row.name });
        } else {
          add.push(planned);
        }
        if (twin !== undefined) throw sharedKey(name, twin);
        if (!verdict.ok) throw new SupervisorError('KEY', `SA ${name}: ${verdict.reason}`, REMEDY);
        if (verdict.action === 'add' && live !== undefined) {
          replace.push({ direction, name: live.name });
        }
      }
    } catch (error) {
      wipe({ add });
      throw error;
    }
    return { add, keep, replace, wanted };
  }

  async #key(name: string, sa: ManualSa): Promise<{ keying: Uint8Array; digest: string }> {
    const material = await this.#readKey(sa.keyFile).catch((error: unknown) => {
      throw new SupervisorError('KEY', `SA ${name}: ${oneLine(error)}`, '');
    });
    if (material.algorithm !== sa.algorithm) {
      material.keying.fill(0);
      const what = `SA ${name}: ${sa.keyFile} holds a key for ${material.algorithm}, not ${sa.algorithm}`;
      throw new SupervisorError('KEY', what, REMEDY);
    }
    const digest = createHash('sha256').update(material.keying).digest('hex');
    return { keying: material.keying, digest };
  }

  /**
   * Writes the rows and has the worker install them. `installer` is absent while no worker runs: it
   * expands the keys of live rows when it starts, and {@link activate} is called then.
   */
  async install(
    plan: SaPlan,
    installer: ((out: readonly number[], inbound: readonly number[]) => Promise<void>) | undefined,
  ): Promise<void> {
    for (const { direction, name } of plan.replace) this.#remove(direction, name);
    const keys = plan.add.map(({ digest, row }) => ({ digest, sa: row.name }));
    if (keys.length > 0) this.#record(keys, false);
    const ids: Record<Direction, number[]> = { in: [], out: [] };
    try {
      for (const { direction, row, keying } of plan.add) {
        ids[direction].push(this.#rows.add(direction, row, keying));
      }
    } finally {
      wipe(plan);
    }
    // Rows that stay are recorded too: a supervisor killed right here before has not done so.
    this.#record([...keys, ...plan.keep], true);
    if (installer !== undefined && keys.length > 0) await installer(ids.out, ids.in);
    this.activate();
  }

  #record(keys: readonly KeyName[], used: boolean): void {
    const ledger = this.#ledger.read();
    const news = keys.filter(({ digest }) => ledger[digest]?.used !== true);
    if (news.length > 0) this.#ledger.write(record(ledger, news, this.#epoch, used));
  }

  /** Makes inbound SAs that the worker has installed reachable by their SPI. */
  activate(): void {
    for (const { id, name } of this.#tables.sas('in')) {
      if (this.#isForeign(name)) continue;
      if (this.#reachable.has(id) || !this.#tables.saState('in', id).ready) continue;
      this.#tables.activateSa(id);
      this.#reachable.add(id);
    }
  }

  /** Removes rows that the configuration does not name; after nothing refers to them. */
  retire(wanted: SaPlan['wanted']): number {
    let removed = 0;
    for (const direction of ['out', 'in'] as const) {
      for (const { name } of this.#tables.sas(direction)) {
        if (wanted[direction].has(name) || this.#isForeign(name)) continue;
        this.#remove(direction, name);
        removed++;
      }
    }
    return removed;
  }

  #remove(direction: Direction, name: string): void {
    const id = this.#rows.id(direction, name);
    this.#rows.remove(direction, name);
    if (direction === 'in' && id !== undefined) this.#reachable.delete(id);
  }
}

function isLive(live: LiveSa | undefined, row: VpnSaRow, keying: Uint8Array): boolean {
  return live !== undefined && sameAttributes(live, row) && live.keyCheck === keyCheck(keying);
}

function sharedKey(name: string, twin: string): SupervisorError {
  return new SupervisorError('KEY', `SAs ${twin} and ${name} have the same key`, REMEDY);
}
