// SPDX-License-Identifier: Apache-2.0
/** `sealane show bgp` and `sealane bgp` in this process, against a control server in this one. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runCommand } from '../../../src/cli/program.js';
import { startControlServer, type RunningControlServer } from '../../../src/rpc/server.js';
import { sampleBackend, type SampleBackend } from '../rpc/sample-backend.js';

let folder: string;
let server: RunningControlServer;
let backend: SampleBackend;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bgp-cmd-'));
  backend = sampleBackend();
  server = await startControlServer({ socketPath: join(folder, 'control.sock'), backend });
});
afterEach(async () => {
  await server.close();
  await rm(folder, { recursive: true, force: true });
});

async function sealane(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  let out = '';
  let err = '';
  const all = ['--socket', join(folder, 'control.sock'), ...args];
  const code = await runCommand(all, '1.2.3', {
    out: async (text) => {
      out += text;
      return Promise.resolve();
    },
    err: (text) => {
      err += text;
    },
    width: 120,
  });
  return { code, out, err };
}

async function json(...args: string[]): Promise<Record<string, unknown>[]> {
  const { code, out, err } = await sealane(...args, '--json');
  expect([code, err]).toEqual([0, '']);
  return JSON.parse(out) as Record<string, unknown>[];
}

describe('sealane show bgp', () => {
  it('summary is a line per session', async () => {
    const { code, out } = await sealane('show', 'bgp', 'summary');
    expect(code).toBe(0);
    const lines = out.split('\n').map((line) => line.replace(/ {2,}/g, ' | '));
    expect(lines).toEqual([
      'NEIGHBOR | VRF | AS | STATE | UPTIME s | RECEIVED | ACCEPTED | SENT | MSG IN | MSG OUT | LAST ERROR',
      '192.0.2.2 | - | 65001 | established | 90 | 5 | 4 | 3 | 12 | 11 | -',
      expect.stringMatching(
        /^10\.1\.0\.2%a \| a \| external \| shutdown \| - \| 0 \| 0 \| 0 \| 0 \| 0 \| Cease/,
      ),
      ...lines.slice(3),
    ]);
    expect(await json('show', 'bgp', 'summary', '--vrf', 'a')).toMatchObject([
      { neighbor: '10.1.0.2%a', uptimeSeconds: null, state: 'shutdown' },
    ]);
  });

  it('neighbors are all, of a name, of a prefix they come out of', async () => {
    expect(await json('show', 'bgp', 'neighbors')).toHaveLength(1);
    expect(await json('show', 'bgp', 'neighbors', '192.0.2.2')).toHaveLength(1);
    expect(await json('show', 'bgp', 'neighbors', '192.0.2.0/24')).toHaveLength(1);
    expect(await json('show', 'bgp', 'neighbors', '--neighbor', '10.1.0.2%a')).toEqual([]);
    expect(await sealane('show', 'bgp', 'neighbors', '192.0.2.3')).toEqual({
      ...{ code: 5, out: '' },
      err:
        'sealane: no BGP neighbour "192.0.2.3": did you mean "192.0.2.2"? known neighbours: ' +
        '192.0.2.2, 192.0.2.0/24, 10.1.0.2%a\n',
    });
  });

  it('neighbors --detail is a paragraph of what there is to say', async () => {
    const { out } = await sealane('show', 'bgp', 'neighbors', '--detail');
    expect(out).toMatch(/^neighbor {2,}192\.0\.2\.2\n/);
    expect(out).toMatch(/^keepalive time s {2,}3\.3$/m);
    expect(out).toMatch(/^error octets {2,}0000$/m);
    expect(out).not.toMatch(/^stale/m);
  });

  it('routes take a prefix and all filters', async () => {
    const rows = await json('show', 'bgp', 'routes');
    expect(rows).toHaveLength(3);
    expect(rows[0]).toMatchObject({ med: null, localPref: 100, asPath: '65100 {1 2}' });
    await json('show', 'bgp', 'routes', '10.2.0.0/24', '--vrf', 'a', '--family', 'vpnv4-unicast');
    await json('show', 'bgp', 'routes', '--prefix', '2001:db8::/32', '--neighbor', '192.0.2.2');
    expect(backend.bgp.filters).toEqual([
      {},
      {
        ...{ vrf: 'a', family: 'vpnv4-unicast' },
        prefix: expect.objectContaining({
          address: Uint8Array.of(10, 2, 0, 0),
          length: 24,
        }) as unknown,
      },
      {
        ...{ neighbor: '192.0.2.2', longer: true },
        prefix: expect.objectContaining({ length: 32 }) as unknown,
      },
    ]);
    expect(await json('show', 'bgp', 'routes', '--limit', '2')).toHaveLength(2);
  });

  it('routes --detail has an empty line between two paths', async () => {
    const { out } = await sealane('show', 'bgp', 'routes', '--detail');
    const paths = out.split('\n\n');
    expect(paths).toHaveLength(3);
    expect(paths[2]).toMatch(/^extended communities +target:65001:100 ipsec:encrypt:gre,ip$/m);
  });

  it.each([
    [['show', 'bgp'], 2, 'nothing called "bgp" to show: '],
    [
      ['show', 'bgp', 'sumary'],
      2,
      'nothing called "bgp sumary" to show: did you mean "bgp summary"?',
    ],
    [['show', 'bgp', 'summary', 'x'], 2, '"x" means nothing behind bgp summary: '],
    [['show', 'bgp', 'routes', '::/0', 'x'], 2, '"x" means nothing behind bgp routes: '],
    [['show', 'vrfs', 'a'], 2, '"a" means nothing behind vrfs: '],
    [['show', 'bgp', 'summary', '--detail'], 2, '--detail means nothing for bgp summary: '],
    [['show', 'routes', '--family', 'vpnv4-unicast'], 2, '--family means nothing for routes: '],
    [['show', 'bgp', 'routes', '10.2.0.0'], 2, '"10.2.0.0" is no prefix: '],
    [['show', 'bgp', 'routes', '10.2.0.1/24'], 2, '"10.2.0.1/24" has host bits set: '],
    [['show', 'bgp', 'routes', '::/0', '--prefix', '::/0'], 2, 'one prefix and those inside '],
    [
      ['show', 'bgp', 'routes', '--family', 'vpn-unicast'],
      2,
      'no address family "vpn-unicast": did ',
    ],
    [['show', 'bgp', 'routes', '--neighbor', 'x'], 5, 'no BGP neighbour "x": '],
    [['show', 'bgp', 'routes', '--vrf', 'x'], 5, 'no VRF "x": '],
  ])('refuses %j', async (args, code, words) => {
    const result = await sealane(...args);
    expect(result).toMatchObject({ code, out: '' });
    expect(result.err.slice(0, `sealane: ${words}`.length)).toBe(`sealane: ${words}`);
    expect(backend.bgp.filters).toEqual([]);
  });
});

describe('sealane bgp clear', () => {
  it('ends the sessions of a neighbour, or of all', async () => {
    expect(await sealane('bgp', 'clear', '192.0.2.2')).toEqual({
      ...{ code: 0, out: '192.0.2.2 cleared\n', err: '' },
    });
    expect(await sealane('bgp', 'clear', 'all', '--soft')).toEqual({
      ...{ code: 0, out: '192.0.2.2 asked for its routes again\n', err: '' },
    });
    expect(backend.bgp.clears).toEqual([
      { name: '192.0.2.2', soft: undefined },
      { name: undefined, soft: 'in' },
    ]);
  });

  it.each([
    ['in', 'asked for its routes again'],
    ['out', 'sent our routes again'],
    ['both', 'asked for its routes and sent ours again'],
  ])('--soft %s', async (way, words) => {
    expect(await sealane('bgp', 'clear', '192.0.2.2', '--soft', way)).toEqual({
      ...{ code: 0, out: `192.0.2.2 ${words}\n`, err: '' },
    });
    expect(backend.bgp.clears).toEqual([{ name: '192.0.2.2', soft: way }]);
    expect((await sealane('bgp', 'clear', '192.0.2.2', '--soft', 'up')).code).toBe(2);
  });

  it('tells of those that could not be, and fails if that is all', async () => {
    const deaf = { neighbor: '10.1.0.2%a', cleared: false, reason: 'configured to stay down' };
    backend.bgp.cleared = [...backend.bgp.cleared, deaf];
    expect(await sealane('bgp', 'clear', 'all')).toEqual({
      ...{ code: 0, out: '192.0.2.2 cleared\n' },
      err: 'not cleared: 10.1.0.2%a: configured to stay down\n',
    });
    backend.bgp.cleared = [deaf];
    expect(await sealane('bgp', 'clear', '10.1.0.2%a')).toMatchObject({
      ...{ code: 1, out: '' },
      err: expect.stringContaining('sealane: nothing was cleared: ') as unknown,
    });
    const { code, out } = await sealane('bgp', 'clear', '10.1.0.2%a', '--json');
    expect([code, JSON.parse(out)]).toEqual([1, [deaf]]);
  });

  it('of a prefix nobody has come out of yet clears nothing', async () => {
    backend.bgp.cleared = [];
    expect(await sealane('bgp', 'clear', '192.0.2.0/24')).toEqual({
      ...{ code: 0, out: 'no sessions to clear\n', err: '' },
    });
  });

  it('knows no neighbour that is not there', async () => {
    expect(await sealane('bgp', 'clear', '192.0.2.9')).toMatchObject({ code: 5, out: '' });
    expect((await sealane('bgp', 'clear')).code).toBe(2);
    expect(backend.bgp.clears).toEqual([]);
  });
});

describe('sealane bgp dump', () => {
  it('names the files and their records; the supervisor has another working directory', async () => {
    const path = resolve('tables.mrt');
    expect(await sealane('bgp', 'dump', 'tables.mrt')).toEqual({
      ...{ code: 0, out: `${path} 3 records\n`, err: '' },
    });
    expect((await sealane('bgp', 'dump')).code).toBe(2);
  });
});

describe('sealane bgp neighbor', () => {
  it('shuts a neighbour down, with or without words, and starts it', async () => {
    const down = '192.0.2.2 shut down until the next start, restart or reload\n';
    expect(
      await sealane('bgp', 'neighbor', '192.0.2.2', 'shutdown', '--message', 'new cables'),
    ).toEqual({ code: 0, out: down, err: '' });
    expect((await sealane('bgp', 'neighbor', '192.0.2.2', 'shutdown')).out).toBe(down);
    expect((await sealane('bgp', 'neighbor', '192.0.2.2', 'start')).out).toBe(
      '192.0.2.2 started\n',
    );
    expect(backend.bgp.changes).toEqual([
      { name: '192.0.2.2', shutdown: 'new cables' },
      { name: '192.0.2.2', shutdown: '' },
      { name: '192.0.2.2', shutdown: undefined },
    ]);
    backend.bgp.sessions = [];
    const none = await sealane('bgp', 'neighbor', '192.0.2.0/24', 'start');
    expect(none).toEqual({ code: 0, out: 'no sessions to start\n', err: '' });
  });

  it.each([
    ['a neighbour that is not there', 5, ['192.0.2.9', 'shutdown']],
    ['all of them', 5, ['all', 'shutdown']],
    ['another action', 2, ['192.0.2.2', 'stop']],
    ['words for nobody', 2, ['192.0.2.2', 'start', '--message', 'hello']],
    ['too many words (RFC 9003)', 2, ['192.0.2.2', 'shutdown', '--message', 'ü'.repeat(128)]],
  ])('refuses %s', async (_, code, args) => {
    expect(await sealane('bgp', 'neighbor', ...args)).toMatchObject({ code, out: '' });
    expect(backend.bgp.changes).toEqual([]);
  });
});

describe('changes of export classes', () => {
  it('are rows with what is left of their step', async () => {
    expect(await json('show', 'transitions')).toMatchObject([
      { vrf: 'a', step: 'announce', secondsLeft: 12, labels: '24000', recentPackets: 3 },
      { vrf: 'b', step: 'telling', secondsLeft: null, labels: '24001 24002' },
    ]);
    expect(await json('show', 'transitions', '--vrf', 'b')).toHaveLength(1);
    expect((await sealane('show', 'transitions', '--vrf', 'x')).code).toBe(5);
  });

  it('end at once, all or those of a VRF and rule', async () => {
    const done = (out: string) => ({ code: 0, out, err: '' });
    expect(await sealane('bgp', 'tighten', 'now')).toEqual(done('ended: any any\n'));
    expect(await sealane('bgp', 'tighten', 'now', '--vrf', 'a', '--rule', 'all')).toEqual(
      done('ended: a all\n'),
    );
    expect(await sealane('bgp', 'tighten', 'now', '--vrf', 'b')).toEqual(
      done('no change of an export class is under way\n'),
    );
    expect((await sealane('bgp', 'tighten', 'now', '--vrf', 'x')).code).toBe(5);
  });
});
