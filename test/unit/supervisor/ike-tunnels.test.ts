import { describe, expect, it } from 'vitest';
import type { TunnelModel } from '../../../src/forwarding/model.js';
import type { ChildPolicy } from '../../../src/ike/child/types.js';
import type { Wanted, WantedState } from '../../../src/ike/manager/api.js';
import type { IkePolicy } from '../../../src/ike/policy.js';
import { formatAddress, parseAddress } from '../../../src/lib/ip.js';
import { IkeTunnels } from '../../../src/supervisor/ike-tunnels.js';
import { espOverhead } from '../../../src/lib/esp-suites.js';

const tunnel = (name: string, more: Partial<TunnelModel> = {}): TunnelModel => ({
  ...{ name, local: parseAddress('192.0.2.1')!, remote: parseAddress('192.0.2.2')! },
  ...{
    protection: 'encrypt',
    encapsulation: 'gre',
    dscp: 'copy',
    ecn: 'compatibility',
    ttl: 64,
    sa: undefined,
  },
  ...more,
});

const child = (service: string): ChildPolicy => ({
  ...{ service, mode: 'transport', proposals: [], local: [], remote: [], resources: 1 },
  lifetimes: {
    ...{ softSeconds: 0, hardSeconds: 0, softBytes: 0n, hardBytes: 0n },
    ...{ softPackets: 0n, hardPackets: 0n, jitter: 0 },
  },
});

/** Allows encrypt/gre with 192.0.2.0/24. */
const policy: IkePolicy = {
  halfOpen: { cookieAbove: 1, most: 1, mostPerPeer: 1, expireMs: 1 },
  forPeer: (remote) =>
    formatAddress(remote).startsWith('192.0.2.')
      ? {
          ...{ sp: 'own', proposals: [], ppk: undefined, nat: 'refuse', fragmentBytes: 1280 },
          retransmission: { firstMs: 1, factor: 1, tries: 1, jitter: 0 },
          ...{ dpdMs: 1, lifetimes: child('').lifetimes, reauthSeconds: 0, window: 1 },
          children: () => [child('encrypt/gre')],
        }
      : undefined,
};

/** What was asked of the manager. */
class Manager {
  readonly wants = new Map<number, { wanted: Wanted; say: (state: WantedState) => void }>();
  readonly hurried: string[] = [];
  #last = 0;
  get asked(): number {
    return this.#last;
  }
  /** Never fewer than this many while configurations change. */
  least = Infinity;

  want(wanted: Wanted, say: (state: WantedState) => void): () => void {
    const id = ++this.#last;
    this.wants.set(id, { wanted, say });
    return () => {
      this.wants.delete(id);
      this.least = Math.min(this.least, this.wants.size);
    };
  }
  hurry(_: Uint8Array, remote: Uint8Array, service: string): void {
    this.hurried.push(`${formatAddress(remote)} ${service}`);
  }
  say(state: WantedState): void {
    for (const { say } of this.wants.values()) say(state);
  }
}

describe('SAs that tunnels want', () => {
  it('are wanted once for tunnels that share one, and as long as the configuration has one', () => {
    const manager = new Manager();
    const changes: string[] = [];
    const sas = { current: () => undefined };
    const tunnels = new IkeTunnels({ sas, changed: (key) => changes.push(key) });
    const [a, twin] = [tunnel('a'), tunnel('twin', { dscp: 10 })];
    expect(tunnels.states([a]).get('a')).toMatchObject({ state: 'untried' });
    tunnels.apply([a, twin, tunnel('clear', { protection: 'tunnel' })], manager, policy);
    expect(manager.wants.size).toBe(1);
    expect([...tunnels.states([a, twin])]).toMatchObject([
      ['a', { state: 'pending' }],
      ['twin', { state: 'pending' }],
    ]);
    manager.say({ state: 'failed', why: 'peer says AUTHENTICATION_FAILED' });
    expect(changes).toEqual(['192.0.2.1 192.0.2.2 encrypt gre']);
    expect(tunnels.states([a]).get('a')).toEqual({
      ...{ state: 'failed', why: 'IKE: peer says AUTHENTICATION_FAILED' },
    });
    // A reload neither lets go of the SA in between nor forgets how it stands.
    tunnels.apply([a], manager, { ...policy });
    expect(manager.least).toBe(1);
    expect(tunnels.states([a]).get('a')).toMatchObject({ state: 'failed' });
    tunnels.hurry(a);
    expect(manager.hurried).toEqual(['192.0.2.2 encrypt/gre']);
    tunnels.apply([a], manager, policy);
    changes.length = 0;
    tunnels.clear();
    expect(manager.wants.size).toBe(0);
    expect(changes).toEqual(['192.0.2.1 192.0.2.2 encrypt gre']);
    expect(tunnels.states([a]).get('a')).toMatchObject({ state: 'untried' });
    tunnels.apply([a], manager, policy);
    tunnels.apply([], manager, policy);
    expect(manager.wants.size).toBe(0);
  });

  it('are asked for once, however often tunnels come and go beside them', () => {
    const manager = new Manager();
    const changes: string[] = [];
    const sas = { current: () => undefined };
    const tunnels = new IkeTunnels({ sas, changed: (key) => changes.push(key) });
    const at = (n: number): TunnelModel =>
      tunnel(`t${String(n)}`, { remote: parseAddress(`192.0.2.${String(n)}`)! });
    const stranger = tunnel('s', { remote: parseAddress('198.51.100.9')! });
    const all = [stranger];
    for (let n = 2; n <= 101; n++) {
      all.push(at(n));
      tunnels.apply(all, manager, policy);
    }
    expect(manager.asked).toBe(100);
    expect(manager.wants.size).toBe(100);
    expect(changes).toHaveLength(1);
    tunnels.apply(all.slice(2), manager, policy);
    expect(manager.wants.size).toBe(99);
    expect(manager.asked).toBe(100);
    // Other rules: everybody is asked for by them.
    tunnels.apply(all, manager, { ...policy });
    expect(manager.asked).toBe(200);
    expect(manager.wants.size).toBe(100);
  });

  it('fail where no rule allows them, and nobody is asked (policy-model 8)', () => {
    const manager = new Manager();
    const sas = { current: () => undefined };
    const changes: string[] = [];
    const tunnels = new IkeTunnels({ sas, changed: (key) => changes.push(key) });
    const [stranger, other] = [
      tunnel('s', { remote: parseAddress('198.51.100.9')! }),
      tunnel('o', { protection: 'authenticate' }),
    ];
    tunnels.apply([stranger, other], manager, policy);
    expect(manager.wants.size).toBe(0);
    expect([...tunnels.states([stranger, other]).values()]).toEqual([
      { state: 'failed', why: 'no rule of ike allows encrypt/gre with 198.51.100.9' },
      { state: 'failed', why: 'no rule of ike allows authenticate/gre with 192.0.2.2' },
    ]);
    tunnels.hurry(stranger);
    expect(manager.hurried).toEqual([]);
    // Nobody says anything of them later.
    expect(changes).toEqual([
      '192.0.2.1 198.51.100.9 encrypt gre',
      '192.0.2.1 192.0.2.2 authenticate gre',
    ]);
  });

  it('count as up while rows carry them, whatever IKE is doing', () => {
    const manager = new Manager();
    const esp = espOverhead('aes-gcm-128', false);
    const sas = { current: () => ({ row: 'ike/x@1', spi: 7, esp }) };
    const tunnels = new IkeTunnels({ sas, changed: () => undefined });
    const a = tunnel('a');
    const up = { state: 'up', row: 'ike/x@1', spi: 7, esp };
    expect(tunnels.states([a]).get('a')).toEqual(up);
    tunnels.apply([a], manager, policy);
    manager.say({ state: 'failed', why: 'TIMEOUT' });
    expect(tunnels.states([a]).get('a')).toEqual(up);
  });
});
