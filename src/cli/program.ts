// SPDX-License-Identifier: Apache-2.0
/** The commands of `sealane` and their options. */
import { Argument, Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { addCapture } from './capture-program.js';
import { reload, stop } from './commands/change.js';
import { clear, type ClearOptions } from './commands/clear.js';
import { dump } from './commands/dump.js';
import { explainLabel, explainVrf, type ExplainLabelOptions } from './commands/explain.js';
import { ike, type IkeOptions } from './commands/ike.js';
import { keygen } from './commands/keygen.js';
import { neighbor, NEIGHBOR_ACTIONS, type NeighborAction } from './commands/neighbor.js';
import { testPolicy, type PolicyTestOptions } from './commands/policy.js';
import { delegate } from './commands/process.js';
import { tightenNow, type TightenOptions } from './commands/tighten.js';
import { show, status, type ShowOptions } from './commands/show.js';
import { restartWorker } from './commands/worker.js';
import { TOPICS } from './columns.js';
import { errorLines, EXIT, exitCodeOf } from './errors.js';
import { ReaderGone, type Output } from './output.js';
import type { Selection } from './select.js';

interface RunOptions {
  readonly logLevel?: string;
  readonly debugKeys?: string;
}

const DEFAULT_FILE = './sealane.config.ts';
const LOG_LEVELS = ['error', 'warning', 'notice', 'info', 'debug'];

const EXIT_CODES = `
Exit status: 0 done, 1 failed, 2 usage, 3 the configuration is wrong, 4 no supervisor to talk to,
5 no such thing, 6 busy or timed out: try again.`;

const SHOW_BGP = `
Behind "bgp neighbors" the name of a neighbour may stand, behind "bgp routes" a prefix:
  sealane show bgp neighbors 192.0.2.2 --detail
  sealane show bgp routes 10.1.0.0/24 --vrf A`;

/** Runs one command; returns its exit code. Never throws. */
export async function runCommand(
  args: readonly string[],
  version: string,
  output: Output,
): Promise<number> {
  let exitCode: number = EXIT.ok;
  const program = makeProgram(version, output, (code) => {
    exitCode = code;
  });
  try {
    await program.parseAsync(args, { from: 'user' });
    return exitCode;
  } catch (error) {
    if (error instanceof ReaderGone) return EXIT.ok;
    // Commander has said it already; help and version are no errors.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    for (const line of errorLines(error)) output.err(`${line}\n`);
    return exitCodeOf(error);
  }
}

function makeProgram(version: string, output: Output, setExit: (code: number) => void): Command {
  const program = new Command('sealane')
    .description('BGP/MPLS VPNs over an IPsec-protected backbone')
    .version(version)
    .addOption(new Option('--instance <name>', 'the instance; default: the only one that runs'))
    .addOption(new Option('--socket <path>', 'its control socket, wherever that is'))
    .addHelpText('after', EXIT_CODES)
    .showHelpAfterError('(sealane --help says more)')
    // Before any command is added: they inherit both.
    .configureOutput({
      writeErr: (text) => {
        output.err(text);
      },
    })
    .exitOverride();
  addProcessCommands(program, setExit);
  addShow(program, output);
  addChanges(program, output);
  addBgp(program, output);
  addIke(program, output);
  addWorker(program, output);
  addExplain(program, output);
  addCapture(program, version, output);
  addLab(program, output);
  return program;
}

function addProcessCommands(program: Command, setExit: (code: number) => void): void {
  program
    .command('run')
    .description('run a PE in the foreground: the supervisor and its worker')
    .argument('[file]', `configuration; default ${DEFAULT_FILE}, with --instance what it committed`)
    .addOption(new Option('--log-level <level>').choices(LOG_LEVELS))
    .option('--debug-keys <folder>', "write the keys of all SAs there, as Wireshark's tables")
    .action(async (file: string | undefined, options: RunOptions) => {
      const { instance } = program.opts<Selection>();
      const config = file ?? (instance === undefined ? DEFAULT_FILE : undefined);
      setExit(
        await delegate([
          'run',
          ...(config === undefined ? [] : [config]),
          ...(instance === undefined ? [] : ['--instance', instance]),
          ...(options.logLevel === undefined ? [] : ['--log-level', options.logLevel]),
          ...(options.debugKeys === undefined ? [] : ['--debug-keys', options.debugKeys]),
        ]),
      );
    });
  program
    .command('check')
    .description('check a configuration: every mistake at once; changes nothing')
    .argument('[file]', 'configuration', DEFAULT_FILE)
    .option('--json', 'mistakes and warnings as a JSON array')
    .action(async (file: string, options: { json?: boolean }) => {
      setExit(await delegate(['check', file, ...(options.json === true ? ['--json'] : [])]));
    });
}

function addShow(program: Command, output: Output): void {
  program
    .command('status')
    .description('state of an instance in a few lines')
    .option('--json', 'as a JSON array of one object')
    .action(async (options: { json?: boolean }) => {
      await status(options, program.opts<Selection>(), output);
    });
  program
    .command('show')
    .description('show what is in force, and its counters')
    .argument('<topic...>', TOPICS.join(', '))
    .option('--json', 'as a JSON array of flat objects, all columns')
    .option('--wide', 'all columns')
    .option('--vrf <name>', 'interfaces, vrfs, routes, labels, transitions, bgp: of one VRF')
    .option('--prefix <prefix>', 'routes, bgp routes: inside this prefix')
    .option('--address <address>', 'routes: the longest match of this address')
    .option('--limit <n>', 'routes, bgp routes: at most so many', positive)
    .option('--neighbor <name>', 'bgp routes: learnt from this neighbour')
    .option('--family <name>', 'bgp routes: of this address family, e.g. vpnv4-unicast')
    .option('--detail', 'bgp neighbors, bgp routes, ike: a paragraph each, with everything')
    .option('--all', 'drops, ike counters: also what never happened')
    .addHelpText('after', SHOW_BGP)
    .action(async (topic: string[], options: ShowOptions) => {
      await show(topic, options, program.opts<Selection>(), output);
    });
}

function positive(word: string): number {
  if (!/^[1-9][0-9]{0,14}$/.test(word)) throw new InvalidArgumentError('Give a whole number.');
  return Number(word);
}

function addChanges(program: Command, output: Output): void {
  program
    .command('reload')
    .description('compare a configuration with the one in force, and apply it')
    .argument('[file]', 'configuration', DEFAULT_FILE)
    .option('--dry-run', 'compare only')
    .option('--json', 'the changes as a JSON array')
    .action(async (file: string, options: { dryRun?: boolean; json?: boolean }) => {
      await reload(file, options, program.opts<Selection>(), output);
    });
  program
    .command('stop')
    .description('stop an instance: supervisor and worker')
    .option('--keep-worker', 'leave the worker forwarding; `sealane run` takes it over again')
    .action(async (options: { keepWorker?: boolean }) => {
      await stop(options, program.opts<Selection>(), output);
    });
}

function addBgp(program: Command, output: Output): void {
  const bgp = program.command('bgp').description('BGP sessions and policies');
  bgp
    .command('clear')
    .description('end sessions and begin them again')
    .argument(
      '<neighbor>',
      'its address, %VRF behind it inside a VRF; a prefix of neighbours; or all',
    )
    .addOption(
      new Option(
        '--soft [way]',
        'keep the session; all routes are sent again (RFC 2918): its, ours',
      )
        .choices(['in', 'out', 'both'])
        .preset('in'),
    )
    .option('--json', 'as a JSON array, a session each')
    .action(async (name: string, options: ClearOptions) => {
      await clear(name, options, program.opts<Selection>(), output);
    });
  bgp
    .command('neighbor')
    .description('shut a neighbour down, or start it; until the next restart or reload')
    .argument('<neighbor>', 'as for clear, but not all')
    .addArgument(new Argument('<action>').choices(NEIGHBOR_ACTIONS))
    .option('--message <text>', 'told to its operator (RFC 9003)')
    .action(async (name: string, action: NeighborAction, options: { message?: string }) => {
      await neighbor(name, action, options, program.opts<Selection>(), output);
    });
  addTighten(program, bgp, output);
  bgp
    .command('dump')
    .description('write the tables as they are (MRT, RFC 6396); never over an existing file')
    .argument('<file>', "made by the supervisor; a VRF's table in FILE.VRF")
    .action(async (file: string) => {
      await dump(file, program.opts<Selection>(), output);
    });
  bgp
    .command('policy')
    .description('policies of the configuration')
    .command('test')
    .description('run a route through a policy, and say which rule did what; changes nothing')
    .argument('<policy>', 'its name')
    .argument('<route...>', 'a prefix, then KEY=VALUE, e.g. as-path=65100,65101 med=5')
    .option('--file <file>', 'of this configuration; default: the one in force')
    .option('--json', 'as a JSON array of one object')
    .action(async (policy: string, route: readonly string[], options: PolicyTestOptions) => {
      await testPolicy(policy, route, options, program.opts<Selection>(), output);
    });
}

function addTighten(program: Command, bgp: Command, output: Output): void {
  bgp
    .command('tighten')
    .description('changes of export classes that are under way (show transitions)')
    .command('now')
    .description(
      'end them at once: packets by old labels are dropped, and counted as label_unknown',
    )
    .option('--vrf <name>', 'of this VRF alone')
    .option('--rule <name>', 'of this export rule alone')
    .action(async (options: TightenOptions) => {
      await tightenNow(options, program.opts<Selection>(), output);
    });
}

const IKE_ACTIONS = {
  initiate: 'have child SAs that are wanted and not up set up now, without back-off',
  terminate: 'end IKE SAs and what belongs to them; what is still wanted comes up again',
  rekey: 'replace SAs; no packet is lost',
} as const;

function addIke(program: Command, output: Output): void {
  const parent = program.command('ike').description('IKE SAs and child SAs');
  for (const action of ['initiate', 'terminate', 'rekey'] as const) {
    const command = parent
      .command(action)
      .description(IKE_ACTIONS[action])
      .option('--remote <address>', 'with this peer')
      .option('--local <address>', 'of this tunnel address of ours')
      .option('--service <name>', 'that have a child SA of it, e.g. encrypt/gre')
      .option('--spi <spi>', "initiator's of an IKE SA, or inbound of a child SA: 0x...")
      .option('--all', 'every one');
    if (action === 'rekey') {
      command.option('--ike', 'the IKE SAs').option('--child', 'the child SAs (default)');
    }
    command.action(async (options: IkeOptions) => {
      await ike(action, options, program.opts<Selection>(), output);
    });
  }
}

function addWorker(program: Command, output: Output): void {
  program
    .command('worker')
    .description('the process that forwards packets')
    .command('restart')
    .description('have another one go on in its place, e.g. of a new build of the same layout')
    .action(async () => {
      await restartWorker(program.opts<Selection>(), output);
    });
}

function addExplain(program: Command, output: Output): void {
  const parent = program
    .command('explain')
    .description('what would happen to a packet, step by step, and why; changes nothing');
  parent
    .command('vrf')
    .description('a destination, from its route to the wire')
    .argument('<vrf>', 'its name')
    .argument('<address>', 'of the destination')
    .option('--json', 'as a JSON array of flat objects, a step each')
    .action(async (vrf: string, address: string, options: { json?: boolean }) => {
      await explainVrf(vrf, address, options, program.opts<Selection>(), output);
    });
  parent
    .command('label')
    .description('a VPN label, as other PEs send it to us')
    .argument('<label>', '0 to 1048575', label)
    .option('--from-sp <name>', "out of an SA of this SP; default, of an SA: our own SP's")
    .addOption(
      new Option('--protection <name>', 'how it comes; with --from-sp by default encrypt').choices([
        ...['encrypt', 'authenticate', 'tunnel', 'mpls'],
      ]),
    )
    .addOption(new Option('--encapsulation <name>', 'default gre').choices(['gre', 'ip']))
    .option('--json', 'as a JSON array of flat objects, a step each')
    .action(async (value: number, options: ExplainLabelOptions) => {
      await explainLabel(value, options, program.opts<Selection>(), output);
    });
}

function label(word: string): number {
  if (!/^[0-9]{1,7}$/.test(word)) throw new InvalidArgumentError('Give a whole number.');
  return Number(word);
}

function addLab(program: Command, output: Output): void {
  program
    .command('lab')
    .description('for labs only')
    .command('keygen')
    .description('make a key file for one direction of a manual SA (mode 0600, never overwritten)')
    .requiredOption('--algorithm <name>', 'e.g. aes-gcm-128')
    .requiredOption('--out <file>', 'file to make')
    .action(async (options: { algorithm: string; out: string }) => {
      await keygen(options.algorithm, options.out, output);
    });
}
