// SPDX-License-Identifier: Apache-2.0
/** Tables on a tmpfs directory of their own, and short ways to fill them. */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';

import type {
  AddonError,
  InterfaceRow,
  RouteBatch,
  SaRow,
  Tables,
} from '../../../src/forwarding/addon/api.js';
import { loadAddon } from '../../../src/forwarding/addon/load.js';

export const addon = loadAddon();

export class Segments {
  readonly directory = mkdtempSync('/dev/shm/sealane-addon-test-');
  readonly tables = join(this.directory, 'tables');
  readonly state = join(this.directory, 'state');

  open(): Tables {
    return addon.openTables({ tables: this.tables, state: this.state });
  }
  remove(): void {
    rmSync(this.directory, { recursive: true, force: true });
  }
}

export function coreInterface(name = 'core0', port = 0): InterfaceRow {
  return {
    ...{ name, role: 'core', vrf: 0, port, vlan: 0, mtu: 1500 },
    mac: Uint8Array.of(2, 0, 0, 0, 0, 1),
    ...{ acceptGre: false, acceptIp: false, mplsOwnSp: false, mplsOtherSp: false },
  };
}

export function vrf(tables: Tables, name: string): number {
  return tables.putVrf({
    name,
    ttlUniform: false,
    tcUniform: false,
    clampMss: false,
    hostInterface: 0,
  });
}

export const SOURCE = Uint8Array.of(192, 0, 2, 1);
export const DESTINATION = Uint8Array.of(192, 0, 2, 2);

export function outboundSa(name: string, spi: number, encapsulation: 'gre' | 'ip' = 'gre'): SaRow {
  return {
    ...{ name, spi, algorithm: 'aes-gcm-128', encapsulation, spTable: 0, replayWindow: 0 },
    ...{ source: SOURCE, destination: DESTINATION, packetLimit: 0n },
  };
}

export function inboundSa(name: string, spi: number): SaRow {
  return {
    ...{ name, spi, algorithm: 'aes-gcm-128', encapsulation: 'gre', spTable: 1 },
    ...{ source: DESTINATION, destination: SOURCE, packetLimit: 0n, replayWindow: 1024 },
  };
}

export const freshKey = (bytes = 20): Uint8Array => new Uint8Array(randomBytes(bytes));

export interface Change {
  readonly address: Uint8Array;
  readonly length: number;
  /** undefined: remove. */
  readonly nexthop: number | undefined;
  readonly label?: number;
  readonly accept?: number;
  readonly owner?: number;
}

export function batch(vrfId: number, family: 4 | 6, changes: readonly Change[]): RouteBatch {
  const width = family === 4 ? 4 : 16;
  const addresses = new Uint8Array(changes.length * width);
  changes.forEach((change, i) => {
    addresses.set(change.address, i * width);
  });
  return {
    ...{ vrf: vrfId, family, count: changes.length, addresses },
    remove: Uint8Array.from(changes, ({ nexthop }) => (nexthop === undefined ? 1 : 0)),
    lengths: Uint8Array.from(changes, ({ length }) => length),
    nexthops: Uint32Array.from(changes, ({ nexthop }) => nexthop ?? 0),
    labels: Uint32Array.from(changes, ({ label }) => label ?? 0),
    accepts: Uint16Array.from(changes, ({ accept }) => accept ?? 0),
    owners: Uint8Array.from(changes, ({ owner }) => owner ?? 1),
  };
}

export const ip4 = (...bytes: number[]): Uint8Array => Uint8Array.from(bytes);

/** Code of the refusal that `action` throws; undefined when it does not throw. */
export function refusal(action: () => unknown): string | undefined {
  try {
    action();
  } catch (error) {
    return (error as AddonError).code;
  }
  return undefined;
}
