// SPDX-License-Identifier: Apache-2.0
/** What the supervisor must be allowed to do, checked before anything is touched. */
import { readFileSync } from 'node:fs';
import { SupervisorError } from './errors.js';

/** Bits of linux/capability.h. */
const NEEDED: Readonly<Record<string, bigint>> = {
  CAP_NET_ADMIN: 12n, // namespaces, TAPs, addresses, nftables
  CAP_NET_RAW: 13n, // the worker's packet sockets
  CAP_SYS_ADMIN: 21n, // setns
};

/** Names of capabilities that the text of /proc/PID/status lacks. */
export function missingCapabilities(status: string): string[] {
  const effective = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? '0'}`);
  return Object.entries(NEEDED)
    .filter(([, bit]) => (effective & (1n << bit)) === 0n)
    .map(([name]) => name);
}

/** Throws PRIVILEGE. */
export function checkPrivileges(): void {
  const missing = missingCapabilities(readFileSync('/proc/self/status', 'utf8'));
  if (missing.length === 0) return;
  throw new SupervisorError(
    'PRIVILEGE',
    `missing privilege: ${missing.join(', ')}`,
    'run as root, or give the service these capabilities',
  );
}
