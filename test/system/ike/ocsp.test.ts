// SPDX-License-Identifier: Apache-2.0
/**
 * Certificate status within IKE (RFC 4806): two PEs as an operator runs them, each with the response that `openssl
 * ocsp` gives about its certificate, as a responder that is asked over HTTP (RFC 6960).
 */
import type { ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { eventually } from '../../../scripts/lib/lab.js';
import type { Config } from '../../../src/config/types.js';
import { revoke, type Issued } from '../../lib/pki.js';
import type { End } from '../supervisor/two-pes.js';
import { IkePes } from './ike-pes.js';

const PORT = '8888';

let pes: IkePes;
let responder: ChildProcess;

beforeEach(async () => {
  pes = await IkePes.open('ikoc', { proof: 'certificates' });
  await startResponder();
});
afterEach(async () => {
  await pes.close();
});

/** Answers about all that the authority has issued, by what its database says now. */
async function startResponder(): Promise<void> {
  const { lab, run, core } = pes.net;
  const ca = pes.ca('example');
  const log = `${run}/responder.log`;
  const argv = [
    ...['openssl', 'ocsp', '-port', PORT, '-index', `${ca.folder}/index.txt`],
    ...['-CA', ca.files.certificate, '-rsigner', ca.files.certificate, '-rkey', ca.files.key],
    ...['-nmin', '60'],
  ];
  responder = lab.start(core, argv, log);
  await eventually('the responder listens', () =>
    /waiting for OCSP client connections/i.test(readFileSync(log, 'utf8')) ? true : undefined,
  );
}

const responseFile = (end: End): string => `${pes.net.run}/pe${end}.ocsp`;

/** Asks the responder about an end's certificate, into that end's file; what openssl makes of the answer. */
async function fetchResponse(end: End): Promise<string> {
  const { certificate: issuer } = pes.ca('example').files;
  const said = await pes.net.lab.must(pes.net.core, [
    ...['openssl', 'ocsp', '-url', `http://127.0.0.1:${PORT}`, '-no_nonce', '-CAfile', issuer],
    ...['-issuer', issuer, '-cert', `${pes.certificate(end, 'example')}.pem`],
    ...['-respout', responseFile(end)],
  ]);
  return /: (good|revoked)/.exec(said)?.[1] ?? said;
}

/** Peers must show that their certificates are good. `shows`: the ends that have something to show. */
function config(end: End, shows: boolean): Config {
  const { ike, ...rest } = pes.config(end);
  const [own, provider] = [ike?.credentials?.['own'], ike?.providers['example']];
  if (own === undefined || provider === undefined) throw new Error('the lab is another one');
  return {
    ...rest,
    ike: {
      credentials: { own: { ...own, ...(shows && { ocspResponse: responseFile(end) }) } },
      providers: { example: { ...provider, revocation: 'required', askOcsp: true } },
    },
  };
}

function start(shows: Readonly<Record<End, boolean>>): void {
  for (const end of [1, 2] as const) {
    pes.net.write(end, config(end, shows[end]));
    pes.net.start(end);
  }
}

/** PE 1 refuses PE 2. */
async function refused(counter: string): Promise<void> {
  const { net } = pes;
  await eventually(`${counter} at PE 1`, async () => {
    const counters = await pes.counters(1).catch(() => undefined);
    return (counters?.get(counter) ?? 0) > 0 ? true : undefined;
  });
  expect(await net.show(1, 'sas')).toEqual([]);
  expect(await net.ping(1, '10.2.0.2', { count: 5 })).toBe(0);
}

const issued = (end: End): Pick<Issued, 'files'> => {
  const path = pes.certificate(end, 'example');
  return { files: { certificate: `${path}.pem`, key: `${path}.key` } };
};

it('responses say that both are good: the VPN is up', async () => {
  for (const end of [1, 2] as const) expect(await fetchResponse(end)).toBe('good');
  // Nobody asks it any more: what it said comes with IKE_AUTH.
  await pes.net.lab.stop(responder);
  start({ 1: true, 2: true });
  for (const end of [1, 2] as const) await pes.net.tunnelUp(end);
  await pes.net.reach(1, '10.2.0.2');
});

it('a response says that one is revoked: no SA, a counter', async () => {
  revoke(pes.ca('example'), issued(2));
  expect(await fetchResponse(1)).toBe('good');
  expect(await fetchResponse(2)).toBe('revoked');
  start({ 1: true, 2: true });
  await refused('cert_revoked');
});

it('one shows none, where a status is required: no SA, a counter', async () => {
  expect(await fetchResponse(1)).toBe('good');
  start({ 1: true, 2: false });
  await refused('cert_status_unknown');
});
