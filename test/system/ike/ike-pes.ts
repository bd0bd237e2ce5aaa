// SPDX-License-Identifier: Apache-2.0
/** The two PEs of test/system/supervisor/two-pes.ts, with IKE in the place of manual SAs. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { eventually } from '../../../scripts/lib/lab.js';
import type { Config, Ike } from '../../../src/config/types.js';
import type { TopicRows } from '../../../src/rpc/client.js';
import { issue, makeCa, type Ca } from '../../lib/pki.js';
import { otherEnd, TwoPes, type End } from '../supervisor/two-pes.js';

export type Proof = 'psk' | 'certificates';

/** Both ends; what a test varies. */
export interface IkePesOptions {
  readonly proof: Proof;
  /** More of the `ike` section. */
  readonly ike?: Partial<Ike>;
}

export class IkePes {
  readonly net: TwoPes;
  readonly #options: IkePesOptions;
  readonly #folder: string;
  /** Authorities by name. */
  readonly #cas = new Map<string, Ca>();

  private constructor(net: TwoPes, options: IkePesOptions) {
    this.net = net;
    this.#options = options;
    this.#folder = `${net.run}/pki`;
  }

  /** `name`: at most 5 characters. No PE runs yet. */
  static async open(name: string, options: IkePesOptions): Promise<IkePes> {
    const it = new IkePes(await TwoPes.open(name, { switched: true }), options);
    rmSync(it.#folder, { recursive: true, force: true });
    mkdirSync(it.#folder, { recursive: true, mode: 0o700 });
    writeFileSync(it.#psk, 'a preshared key of this test alone\n', { mode: 0o600 });
    if (options.proof === 'certificates') {
      for (const end of [1, 2] as const) it.certify(end, 'example');
    }
    return it;
  }

  get #psk(): string {
    return `${this.#folder}/psk`;
  }

  ca(name: string): Ca {
    const ca = this.#cas.get(name) ?? makeCa(this.#folder, name);
    this.#cas.set(name, ca);
    return ca;
  }

  /** A certificate for an end, by the authority of that name; its path without ending. */
  certify(end: End, by: string, addresses: readonly string[] = [`192.0.2.${end}`]): string {
    const name = `pe${end}`;
    issue(this.ca(by), { name, ip: addresses });
    return this.certificate(end, by);
  }

  certificate(end: End, by: string): string {
    return `${this.ca(by).folder}/pe${end}`;
  }

  /** `by`: the authority that the end's certificate is of. */
  ike(end: End, by = 'example'): Ike {
    const isPsk = this.#options.proof === 'psk';
    const file = this.certificateFiles(end, by);
    return {
      ...(isPsk ? {} : { credentials: { own: file } }),
      providers: {
        example: {
          ranges: ['192.0.2.0/24'],
          ...(isPsk
            ? { psks: { all: { remote: '192.0.2.0/24', file: this.#psk } } }
            : { anchors: { root: { file: this.ca('example').files.certificate } } }),
        },
      },
      ...this.#options.ike,
    };
  }

  certificateFiles(end: End, by: string): { certificate: string; key: string } {
    if (this.#options.proof === 'psk') return { certificate: '', key: '' };
    const path = this.certificate(end, by);
    return { certificate: `${path}.pem`, key: `${path}.key` };
  }

  config(end: End, by = 'example'): Config {
    const { net } = this;
    const { tunnels = {}, ...rest } = net.config(end);
    const { peer } = tunnels;
    if (peer === undefined) throw new Error('the lab has no tunnel');
    const { local, remote, protection, encapsulation } = peer;
    const config = {
      ...rest,
      tunnels: { peer: { local, remote, protection, encapsulation } },
      ike: this.ike(end, by),
    };
    Reflect.deleteProperty(config, 'lab');
    Reflect.deleteProperty(config, 'manualSas');
    return config;
  }

  /** Starts both and waits until their SAs are there. */
  async up(): Promise<void> {
    for (const end of [1, 2] as const) {
      this.net.write(end, this.config(end));
      this.net.start(end);
    }
    for (const end of [1, 2] as const) await this.net.tunnelUp(end);
    await this.net.reach(1, '10.2.0.2');
  }

  async sas(end: End): Promise<TopicRows['ike sas'][]> {
    return this.net.show(end, 'ike sas');
  }

  async children(end: End): Promise<TopicRows['ike children'][]> {
    return this.net.show(end, 'ike children');
  }

  async counters(end: End): Promise<Map<string, number>> {
    const rows = await this.net.show(end, 'ike counters');
    return new Map(rows.map(({ name, count }) => [name, Number(count)]));
  }

  /** Rekeys the child SA, or the IKE SA, from an end; returns when it is done. */
  async rekey(end: End, what: 'ike' | 'child'): Promise<number> {
    const remote = `192.0.2.${otherEnd(end)}`;
    const common = { local: '', service: '', spi: '' };
    return this.net.client(end, async (client) =>
      client.commandIke({ action: 'rekey', what, remote, ...common }),
    );
  }

  /** Waits until exactly one child SA is left, the same at both ends. */
  async settled(): Promise<void> {
    await eventually('one child SA, the same at both ends', async () => {
      const [one, two] = [await this.children(1), await this.children(2)];
      const [a, b] = [one[0], two[0]];
      const alone = one.length === 1 && two.length === 1;
      const same = a?.inboundSpi === b?.outboundSpi && a?.outboundSpi === b?.inboundSpi;
      return alone && same ? true : undefined;
    });
  }

  async close(): Promise<void> {
    await this.net.close();
  }
}
