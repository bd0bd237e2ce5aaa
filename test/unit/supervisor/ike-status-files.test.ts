// SPDX-License-Identifier: Apache-2.0
/** CRLs and OCSP responses that change on disk; and a configuration whose credentials do not fit together. */
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Ike } from '../../../src/config/ike/types.js';
import type { Config } from '../../../src/config/types.js';
import { createAuthenticator } from '../../../src/ike/auth/authenticator.js';
import { createLogger } from '../../../src/lib/log.js';
import { planIke } from '../../../src/supervisor/ike-plan.js';
import { StatusFiles } from '../../../src/supervisor/ike-status-files.js';
import { crl, issue, ocspResponse, revoke, type Ca, type Issued } from '../../lib/pki.js';
import { AB } from '../ike/auth/certified.js';
import { authenticate, certificates, World, type Peer } from '../ike/auth/peers.js';
import { Yard } from '../ike/auth/yard.js';
import { VirtualTime } from './virtual-time.js';

const MINUTE = 60_000;

const yard = new Yard();
let files = 0;
function file(content: string | Uint8Array): string {
  const path = join(yard.folder, `status${String(files++)}`);
  writeFileSync(path, content, { mode: 0o600 });
  return path;
}

let ca: Ca;
let leaf: Issued;
let time: VirtualTime;
let log: string[];
let watch: StatusFiles | undefined;
beforeEach(() => {
  ca = yard.ca();
  leaf = issue(ca, { name: 'pe1', ip: ['192.0.2.1'] });
  time = new VirtualTime();
  log = [];
});
afterEach(() => {
  watch?.end();
  watch = undefined;
});

const configOf = (ike: Ike): Config => ({
  ...{ instance: 'pe', ownSp: 'sp-a', core: { tunnelAddresses: ['192.0.2.1'] } },
  ...{ interfaces: {}, vrfs: {}, ike },
});
const trusting = (more: Partial<Ike['providers'][string]>): Ike => ({
  providers: {
    'sp-a': {
      ...{ ranges: ['192.0.2.0/24'], anchors: { root: { file: file(ca.pem) } } },
      ...{ revocation: 'required', ...more },
    },
  },
});

interface Watching extends Peer {
  /** Files that were read since the last question, those of the beginning not counted. */
  readonly reads: () => number;
  /** A minute passes, and what follows from it. */
  readonly look: () => Promise<void>;
}

/** What the supervisor has of a configuration, and looks at. Files are read at once, so that no real time is needed. */
async function watching(ike: Ike): Promise<Watching> {
  const world = new World();
  const plan = await planIke(configOf(ike), certificates);
  if (plan === undefined) throw new Error('no IKE');
  const authenticator = createAuthenticator(plan.auth, world.env, certificates);
  let reads = 0;
  watch = new StatusFiles({
    ...{ timers: time, certificates },
    log: createLogger({ write: (line) => log.push(line), now: () => '' }, 'debug'),
    changed: (setup) => {
      authenticator.reload(setup);
    },
    read: (path) => {
      reads++;
      return Promise.resolve().then(() => readFileSync(path));
    },
    signature: (path) =>
      Promise.resolve().then(() => {
        try {
          return readFileSync(path).toString('latin1');
        } catch {
          return 'absent';
        }
      }),
  });
  watch.begin(ike, plan);
  return {
    ...{ world, authenticator },
    reads: () => {
      const all = reads;
      reads = 0;
      return all;
    },
    look: () => time.pass(MINUTE),
  };
}

const prover = async (more: Partial<NonNullable<Ike['credentials']>[string]> = {}) =>
  watching({
    ...trusting({}),
    credentials: { own: { certificate: file(leaf.pem), key: leaf.files.key, ...more } },
  });

describe('files of certificate status', () => {
  it('a new CRL counts within a minute, without a reload', async () => {
    const from = await prover();
    const path = file(crl(ca));
    const to = await watching(trusting({ crls: [path] }));
    const ok = async (): Promise<boolean> => (await authenticate(from, to, AB)).ok;
    expect(await ok()).toBe(true);
    revoke(ca, leaf);
    writeFileSync(path, crl(ca));
    expect(await ok()).toBe(true);
    await to.look();
    expect(await ok()).toBe(false);
    expect(to.world.counted).toEqual({ cert_revoked: 1 });
    expect(log).toHaveLength(1);
    expect(log[0]).toContain(`certificate status read anew file=${path}`);
    // Nothing is read that has not changed.
    to.reads();
    await to.look();
    expect(to.reads()).toBe(0);
  });

  it.each(['garbage', 'no CRL', 'absent'])(
    'one that is of no use changes nothing: %s',
    async (how) => {
      const from = await prover();
      revoke(ca, leaf);
      const [path, other] = [file(crl(ca)), file(crl(yard.root))];
      const to = await watching(trusting({ crls: [path, other] }));
      if (how === 'garbage') {
        writeFileSync(path, '-----BEGIN X509 CRL-----\nMAA=\n-----END X509 CRL-----\n');
      } else if (how === 'no CRL') {
        writeFileSync(path, leaf.pem);
      } else {
        rmSync(path);
      }
      for (let i = 0; i < 3; i++) await to.look();
      expect((await authenticate(from, to, AB)).ok).toBe(false);
      expect(to.world.counted).toEqual({ cert_revoked: 1 });
      // Said once, with the file's name.
      expect(log).toHaveLength(1);
      expect(log[0]).toContain('what was read before counts');
      expect(log[0]).toContain(path);
      // The other file is looked at all the same, and this one when it is right again.
      writeFileSync(other, crl(yard.root));
      writeFileSync(path, crl(ca));
      await to.look();
      expect(log.slice(1).every((line) => line.includes('read anew'))).toBe(true);
      expect(log.length).toBeGreaterThan(1);
    },
  );

  it('a new OCSP response of ours is shown to who asks', async () => {
    const path = file(ocspResponse(ca, leaf));
    const from = await prover({ ocspResponse: path });
    const sent = watch;
    const to = await watching(trusting({ askOcsp: true }));
    expect((await authenticate(from, to, AB)).ok).toBe(true);
    revoke(ca, leaf);
    writeFileSync(path, ocspResponse(ca, leaf));
    await from.look();
    expect((await authenticate(from, to, AB)).ok).toBe(false);
    expect(to.world.counted).toEqual({ cert_revoked: 1 });
    writeFileSync(path, 'no response');
    await from.look();
    expect(log.at(-1)).toContain('is no OCSP response');
    sent?.end();
  });

  it('preshared keys go on with newer CRLs, and nothing is looked at when it has ended', async () => {
    const path = file(crl(ca));
    const psks = { all: { remote: '192.0.2.0/24', file: file('a preshared key of many octets') } };
    const both = await watching(trusting({ crls: [path], psks, methods: ['psk'] }));
    writeFileSync(path, crl(ca, { nextUpdate: new Date(Date.now() + 7_200_000) }));
    await both.look();
    expect(log).toHaveLength(1);
    expect((await authenticate(both, both, AB)).ok).toBe(true);
    watch?.end();
    both.reads();
    writeFileSync(path, crl(ca, { nextUpdate: new Date(Date.now() + 9_200_000) }));
    await both.look();
    expect(both.reads()).toBe(0);
  });
});

describe('on a real file system', () => {
  it('a file that another takes the place of is read anew, one that was only read is not', async () => {
    const path = file(crl(ca));
    const ike = trusting({ crls: [path] });
    const plan = await planIke(configOf(ike), certificates);
    let changes = 0;
    watch = new StatusFiles({
      ...{ timers: time, certificates },
      log: createLogger({ write: (line) => log.push(line), now: () => '' }, 'debug'),
      changed: () => {
        changes++;
      },
    });
    watch.begin(ike, plan!);
    /** A minute passes; the timer of the next one says that all is read. */
    const look = async (): Promise<void> => {
      const from = time.timers;
      await time.pass(MINUTE);
      while (time.timers < from) await time.settle();
    };
    await look();
    readFileSync(path);
    await look();
    expect([changes, log]).toEqual([0, []]);
    renameSync(file(crl(ca, { nextUpdate: new Date(Date.now() + 7_200_000) })), path);
    await look();
    expect(changes).toBe(1);
    rmSync(path);
    await look();
    expect(log.at(-1)).toContain(`${path} does not exist`);
    expect(changes).toBe(1);
  });
});

describe('a configuration that authentication cannot work with is refused before anything is changed', () => {
  const own = (more: object): Ike => ({
    ...trusting({}),
    credentials: { own: { certificate: file(leaf.pem), key: leaf.files.key, ...more } },
  });

  it.each<[string, () => Ike, RegExp]>([
    ['a key of another certificate', () => own({ key: yard.root.files.key }), /not that of the/],
    ["a CA's certificate", () => own({ certificate: file(ca.pem), key: ca.files.key }), /a CA's/],
    ['no OCSP response', () => own({ ocspResponse: file('nothing') }), /OCSP response/],
    ['a CRL that is none', () => trusting({ crls: [file(Uint8Array.of(0x30, 0))] }), /CRL 1/],
  ])('%s', async (_, ike, why) => {
    const planned = planIke(configOf(ike()), certificates);
    await expect(planned).rejects.toMatchObject({ name: 'SupervisorError', code: 'KEY' });
    await expect(planned).rejects.toThrow(why);
    await expect(planned).rejects.not.toThrow(/PRIVATE/);
  });

  it('one that it can work with is not', async () => {
    expect((await planIke(configOf(own({})), certificates))?.auth.credentials).toHaveLength(1);
  });
});
