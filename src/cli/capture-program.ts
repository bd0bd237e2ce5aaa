// SPDX-License-Identifier: Apache-2.0
/** `sealane capture` and its options. */
import { InvalidArgumentError, type Command } from 'commander';
import { capture, type CaptureOptions } from './commands/capture.js';
import type { Output } from './output.js';
import type { Selection } from './select.js';

const MAX_SNAP = 16_384;
const MAX_SECONDS = 0xffff_ffff;
const DEFAULTS = { packets: 1_000_000, bytes: 1024 ** 3, seconds: 3600 } as const;

const HELP = `
Where, one of:
  --interface ce-a              frames it receives and sends
  --drops                       packets that are dropped, the reason as a comment of each
  --vrf A [--before crypto]     packets of a VRF to and from tunnels, with their VPN label
  --vrf A --after crypto        the same as frames on the wire

  sealane capture --drops --filter 'host 10.1.0.2' -w drops.pcapng
  sealane capture --interface core0 -w - | wireshark -k -i -`;

export function addCapture(program: Command, version: string, output: Output): void {
  program
    .command('capture')
    .description('write packets of the data plane to a pcapng file, until Ctrl-C or a limit')
    .option('--interface <name>', 'of this interface')
    .option('--drops', 'those that are dropped')
    .option('--vrf <name>', 'of this VRF, to and from tunnels')
    .option('--before <crypto>', 'with --vrf: as they go into ESP and come out of it (default)')
    .option('--after <crypto>', 'with --vrf: as they are on the wire')
    .option('--filter <expression>', 'only what matches, as in pcap-filter(7)')
    .requiredOption('-w, --write <file>', 'where to; - is standard output')
    .option('--snap-length <octets>', 'kept of a packet', within(MAX_SNAP), MAX_SNAP)
    .option('--count <packets>', 'end after so many', within(), DEFAULTS.packets)
    .option('--bytes <octets>', 'end after so many octets of packets', within(), DEFAULTS.bytes)
    .option('--seconds <n>', 'end after so long', within(MAX_SECONDS), DEFAULTS.seconds)
    .addHelpText('after', HELP)
    .action(async (options: CaptureOptions) => {
      await capture(options, version, program.opts<Selection>(), output);
    });
}

function within(most = Number.MAX_SAFE_INTEGER): (word: string) => number {
  return (word) => {
    const value = /^[1-9][0-9]{0,15}$/.test(word) ? Number(word) : 0;
    if (value >= 1 && value <= most) return value;
    throw new InvalidArgumentError(`Give a whole number from 1 to ${most}.`);
  };
}
