// SPDX-License-Identifier: Apache-2.0
/** strongSwan's charon as the benchmark needs it: nothing logged, IKE SAs without children, its tables made large. */
import { mkdirSync, readFileSync } from 'node:fs';
import { Charon, hostSite } from '../test/lib/strongswan.js';
import { type Authentication, type IkeBed, pause, PSK, SUBJECT } from './ike-bed.js';
import { Vici } from './vici.js';

const PROPOSAL = 'aes128gcm16-prfsha256-x25519';
/** No limits of half-open IKE SAs; tables for ten thousand (the default of one bucket costs several times as much). */
const SETTINGS = (cookieThreshold: number, tableSize: number): string[] => [
  'filelog { log { default = -1',
  'ike = -1 } }',
  'syslog { daemon { default = -1 } }',
  `cookie_threshold = ${String(cookieThreshold)}`,
  'block_threshold = 0',
  'init_limit_half_open = 0',
  'reuse_ikesa = no',
  `ikesa_table_size = ${String(tableSize)}`,
  `ikesa_table_segments = ${tableSize > 16 ? '16' : '1'}`,
];

export interface CharonSubject {
  readonly pid: number;
  readonly stop: () => Promise<void>;
  /**
   * Initiates so many IKE SAs, in turn to these addresses. They are fewer: charon looks for a connection by its name in
   * a list of all, which is no cost of an IKE SA.
   */
  readonly initiate: (remotes: readonly string[], count: number) => Promise<void>;
  /** Gives it a connection for each. */
  readonly prepare: (remotes: readonly string[]) => Promise<void>;
}

export interface CharonOptions {
  /** Half-open IKE SAs above which a cookie is asked for; 0: never. */
  readonly cookieThreshold?: number;
  /** Buckets of its tables of IKE SAs. */
  readonly tableSize?: number;
}

export async function startCharon(
  bed: IkeBed,
  authentication: Authentication,
  { cookieThreshold = 0, tableSize = 16_384 }: CharonOptions = {},
): Promise<CharonSubject> {
  const folder = `${bed.folder}/charon${String(bed.next())}`;
  mkdirSync(folder, { recursive: true });
  const site = hostSite(bed.lab, bed.subject, folder);
  let pid = 0;
  const charon = await Charon.start(
    {
      ...site,
      start: (argv, env) => {
        const log = `${folder}/output`;
        const child = bed.lab.start(bed.subject, argv, log, { ...process.env, ...env });
        pid = child.pid ?? 0;
        return Promise.resolve((signal) => bed.lab.stop(child, signal));
      },
    },
    { settings: SETTINGS(cookieThreshold, tableSize), logLevel: 0 },
  );
  await charon.load(CONFIG(authentication), filesOf(bed, authentication));
  return {
    pid,
    stop: () => charon.stop('SIGKILL'),
    prepare: (remotes) => prepare(site.socket, remotes),
    initiate: (remotes, count) => initiate(site.socket, remotes, count),
  };
}

const side = (authentication: Authentication, id: string, more: string): string =>
  `{ auth = ${authentication === 'psk' ? 'psk' : 'pubkey'}
     id = ${id}
     ${authentication === 'psk' ? '' : more} }`;

const CONFIG = (authentication: Authentication): string =>
  `connections { in {
     version = 2
     local_addrs = ${SUBJECT}
     remote_addrs = %any
     proposals = ${PROPOSAL}
     unique = never
     mobike = no
     childless = allow
     rekey_time = 0
     reauth_time = 0
     dpd_delay = 0
     local ${side(authentication, SUBJECT, 'certs = own.pem')}
     remote ${side(authentication, '%any', 'cacerts = root.pem')}
   } }
   secrets { ike-all { secret = "${PSK}" } }\n`;

function filesOf(bed: IkeBed, authentication: Authentication): Record<string, string> {
  if (authentication === 'psk') return {};
  const { root, own } = bed.certificates(authentication);
  return {
    'x509ca/root.pem': root.pem,
    'x509/own.pem': own.pem,
    'private/own.pem': readFileSync(own.key, 'utf8'),
  };
}

async function prepare(socket: string, remotes: readonly string[]): Promise<void> {
  const vici = await Vici.open(socket);
  for (const remote of remotes) await vici.command('load-conn', connection(remote));
  vici.close();
}

async function initiate(socket: string, remotes: readonly string[], count: number): Promise<void> {
  const vici = await Vici.open(socket);
  for (let i = 0; i < count; i++) {
    const ike = nameOf(remotes[i % remotes.length] ?? '');
    await vici.command('initiate', { ike, timeout: '-1', 'init-limits': 'no' });
    if (i % 10 === 9) await pause(10);
  }
  vici.close();
}

const nameOf = (remote: string): string => `to-${remote.replaceAll('.', '-')}`;

/** By preshared key. */
const connection = (remote: string) => ({
  [nameOf(remote)]: {
    ...{ version: '2', mobike: 'no', childless: 'force', unique: 'never' },
    ...{ rekey_time: '0', reauth_time: '0', dpd_delay: '0' },
    ...{ local_addrs: [SUBJECT], remote_addrs: [remote], proposals: [PROPOSAL] },
    local: { auth: 'psk', id: SUBJECT },
    remote: { auth: 'psk', id: remote },
  },
});
