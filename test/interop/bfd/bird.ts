// SPDX-License-Identifier: Apache-2.0
/** BIRD's bfd protocol at the far end of a bed. */
import type { ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { eventually } from '../../../scripts/lib/lab.js';
import { LINK_LOCAL, MULTI4, MULTI6, SINGLE4, SINGLE6, type Bed } from './bed.js';

const BIRD = '/usr/sbin/bird';
export const birdIsThere = existsSync(BIRD);

/** Name, the path as the bed's sessions take it, and our address as BIRD names the session. */
export const PATHS = [
  ['IPv4', { ...SINGLE4, interface: 'hop' }, '10.77.0.1'],
  ['IPv6', { ...SINGLE6, interface: 'hop' }, 'fd77::1'],
  ['IPv6 link-local', { ...LINK_LOCAL, interface: 'hop' }, 'fe80::77:1'],
  ['multihop IPv4', MULTI4, '10.77.1.1'],
  ['multihop IPv6', MULTI6, 'fd77:1::1'],
] as const;

function config(intervalMs: number, mult: number, authentication: string): string {
  const each = `interval ${String(intervalMs)} ms;`;
  const timers = `min rx ${each} min tx ${each} idle tx interval 1 s; multiplier ${String(mult)};`;
  return `
router id 10.77.1.2;
protocol device {}
protocol bfd watch {
  interface "hop" { ${timers} ${authentication} };
  multihop { ${timers} ${authentication} };
  neighbor 10.77.0.1 dev "hop" local 10.77.0.2;
  neighbor fd77::1 dev "hop" local fd77::2;
  neighbor fe80::77:1 dev "hop" local fe80::77:2;
  neighbor 10.77.1.1 local 10.77.1.2 multihop on;
  neighbor fd77:1::1 local fd77:1::2 multihop on;
}
`;
}

export interface BirdOptions {
  readonly intervalMs?: number;
  readonly mult?: number;
  /** Statements of an interface block. */
  readonly authentication?: string;
}

export class Bird {
  readonly #bed: Bed;
  readonly child: ChildProcess;

  private constructor(bed: Bed, child: ChildProcess) {
    this.#bed = bed;
    this.child = child;
  }

  static async start(bed: Bed, options: BirdOptions = {}): Promise<Bird> {
    const { intervalMs = 300, mult = 3, authentication = '' } = options;
    const file = bed.write('bird.conf', config(intervalMs, mult, authentication));
    const argv = [BIRD, '-f', '-c', file, '-s', bed.path('bird.ctl'), '-P', bed.path('bird.pid')];
    const bird = new Bird(bed, bed.lab.start(bed.peer, argv, bed.path('bird.log')));
    await eventually('BIRD answers', async () => {
      const { code } = await bed.lab.exec(bed.peer, bird.#tool('status'));
      return code === 0 ? true : undefined;
    });
    return bird;
  }

  #tool(...what: readonly string[]): string[] {
    return ['birdc', '-s', this.#bed.path('bird.ctl'), 'show', ...what];
  }

  /** Its row of the session with an address: state (Up, Init, Down, AdminDown) and since when. */
  async session(address: string): Promise<{ state: string; since: string } | undefined> {
    const text = await this.#bed.lab.must(this.#bed.peer, this.#tool('bfd', 'sessions'));
    const line = text.split('\n').find((row) => row.startsWith(`${address} `));
    const [, , state = '', since = ''] = line?.trim().split(/\s+/) ?? [];
    return line === undefined ? undefined : { state, since };
  }
  async state(address: string): Promise<string | undefined> {
    return (await this.session(address))?.state;
  }
  async until(address: string, state: string, ms = 30_000): Promise<void> {
    await eventually(
      `BIRD says ${state}`,
      async () => ((await this.state(address)) === state ? true : undefined),
      ms,
    );
  }
  async stop(): Promise<void> {
    await this.#bed.lab.stop(this.child);
  }
}
