// SPDX-License-Identifier: Apache-2.0
/** What the live tests of the kernel's part share: the addon, namespaces of their own, descriptors. */
import { readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Lab } from '../../../scripts/lib/lab.js';
import type { Kernel } from '../../../src/lib/kernel-api.js';
import { parseAddress, parsePrefix, type Prefix } from '../../../src/lib/ip.js';

const require = createRequire(import.meta.url);
const addon = require('../../../build/addon/Release/sealane.node') as { readonly kernel: Kernel };

export const kernel = addon.kernel;

export function ip(text: string): Uint8Array {
  const address = parseAddress(text);
  if (address === undefined) throw new Error(`not an address: ${text}`);
  return address;
}

export function prefix(text: string): Prefix {
  const result = parsePrefix(text);
  if (result === undefined) throw new Error(`not a prefix: ${text}`);
  return result;
}

export function mac(text: string): Uint8Array {
  return Uint8Array.from(text.split(':'), (byte) => Number.parseInt(byte, 16));
}

/** `ip -j ...` of a namespace. */
export async function ipJson<T>(lab: Lab, netns: string, argv: readonly string[]): Promise<T[]> {
  return JSON.parse((await lab.must(netns, ['ip', '-j', ...argv])) || '[]') as T[];
}

/** Descriptors of this process that are open now. */
export function openDescriptors(): number {
  return readdirSync('/proc/self/fd').length;
}

/** Lets the event loop run: what libuv closes late is closed then. */
export async function settle(ms = 20): Promise<void> {
  await new Promise((wake) => setTimeout(wake, ms));
}
