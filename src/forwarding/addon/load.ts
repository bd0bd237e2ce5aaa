// SPDX-License-Identifier: Apache-2.0
/** Loads the native addon; the only place that does. */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

import type { Addon, SaRow, SegmentPaths, Tables } from './api.js';

/** The native side leaves SHA-256 to node:crypto. */
interface NativeTables extends Omit<Tables, 'addSa'> {
  addSa(direction: 'out' | 'in', row: SaRow, key: Uint8Array, keyCheck: bigint): number;
}
interface NativeAddon extends Omit<Addon, 'openTables'> {
  openTables(paths: SegmentPaths): NativeTables;
}

/** Where the product is, seen from src/forwarding/addon and from build/js/forwarding/addon. */
const PLACES = [
  '../../../build/addon/Release/sealane.node',
  '../../../addon/Release/sealane.node',
].map((place) => fileURLToPath(new URL(place, import.meta.url)));

function isNativeAddon(loaded: unknown): loaded is NativeAddon {
  return (
    typeof loaded === 'object' &&
    loaded !== null &&
    'openTables' in loaded &&
    typeof loaded.openTables === 'function' &&
    'kernel' in loaded &&
    'certificates' in loaded &&
    'crypto' in loaded &&
    'layoutVersion' in loaded
  );
}

/**
 * First 8 bytes, big-endian, of SHA-256(key || salt): what tells keys apart without keeping them.
 * 0 means "no key" in the segments, so a digest that begins with zeros counts as 1, as in the worker.
 */
export function keyCheck(keyAndSalt: Uint8Array): bigint {
  const check = createHash('sha256').update(keyAndSalt).digest().readBigUInt64BE();
  return check === 0n ? 1n : check;
}

function openTables(native: NativeAddon, paths: SegmentPaths): Tables {
  const tables = native.openTables(paths);
  const add = tables.addSa.bind(tables);
  return Object.assign(tables, {
    addSa: (direction: 'out' | 'in', row: SaRow, key: Uint8Array): number =>
      add(direction, row, key, keyCheck(key)),
  });
}

/** SEALANE_ADDON names another build of it (the sanitizer builds of the tests). */
function findAddon(): string {
  const built = process.env['SEALANE_ADDON'] ?? PLACES.find((place) => existsSync(place));
  if (built !== undefined) return built;
  throw new Error(`the native addon is not built (looked for ${PLACES.join(', ')}): npm run build`);
}

/** Throws when the addon was not built (npm run build:addon) or is not ours. */
export function loadAddon(): Addon {
  const path = findAddon();
  const native: unknown = createRequire(import.meta.url)(path);
  if (!isNativeAddon(native)) throw new Error(`${path} is not the Sealane addon`);
  return {
    openTables: (paths) => openTables(native, paths),
    kernel: native.kernel,
    certificates: native.certificates,
    crypto: native.crypto,
    layoutVersion: native.layoutVersion,
  };
}
