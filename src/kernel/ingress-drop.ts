// SPDX-License-Identifier: Apache-2.0
/**
 * The nftables table that drops all an interface receives: one table of ours per interface, family
 * netdev, a chain at the device's ingress hook with policy drop and one rule that counts.
 */
import { runCommand } from './command.js';

/** Letters and digits as they are, anything else as _XX: nftables names take no more. */
export function tableOf(interfaceName: string): string {
  const bytes = [...new TextEncoder().encode(interfaceName)];
  const safe = bytes.map((byte) => {
    const character = String.fromCharCode(byte);
    return /[A-Za-z0-9]/.test(character) ? character : `_${byte.toString(16).padStart(2, '0')}`;
  });
  return `sealane_${safe.join('')}`;
}

/** Replaces what is there in one transaction: there is no instant without a drop. */
export async function installIngressDrop(netns: number, interfaceName: string): Promise<void> {
  const table = tableOf(interfaceName);
  const input = `
    add table netdev ${table}
    delete table netdev ${table}
    table netdev ${table} {
      chain ingress {
        type filter hook ingress device "${interfaceName}" priority -500; policy drop;
        counter drop
      }
    }`;
  await runCommand('nft', ['-f', '-'], { netns, input });
}

export async function removeIngressDrop(netns: number, interfaceName: string): Promise<void> {
  const table = tableOf(interfaceName);
  const input = `add table netdev ${table}\ndelete table netdev ${table}`;
  await runCommand('nft', ['-f', '-'], { netns, input });
}

/** Whether there is a table of ours for the interface, in whatever state. */
export async function hasIngressDrop(netns: number, interfaceName: string): Promise<boolean> {
  try {
    await runCommand('nft', ['list', 'table', 'netdev', tableOf(interfaceName)], { netns });
    return true;
  } catch {
    return false;
  }
}

/** What is wrong with the drop; undefined: it is in force. */
export async function ingressDropProblem(
  netns: number,
  interfaceName: string,
): Promise<string | undefined> {
  const table = tableOf(interfaceName);
  let listing: string;
  try {
    listing = await runCommand('nft', ['list', 'table', 'netdev', table], { netns });
  } catch {
    return 'the nftables drop is missing';
  }
  // Text, not JSON: nft 1.0.6 leaves the device out of its JSON.
  const present = listing
    .replace(/counter packets \d+ bytes \d+/g, 'counter')
    .replace(/\bdevices = \{ ("[^"]*") \}/, 'device $1')
    .replace(/\s+/g, ' ')
    .trim();
  const wanted =
    `table netdev ${table} { chain ingress { ` +
    `type filter hook ingress device "${interfaceName}" priority -500; policy drop; counter drop } }`;
  return present === wanted ? undefined : 'the nftables drop is not the one that was installed';
}
