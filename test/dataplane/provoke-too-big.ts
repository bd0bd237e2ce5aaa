// SPDX-License-Identifier: Apache-2.0
/** Messages of the core's routers about tunnel packets that are not believed (policy-model 21): see provoke.ts. */
import { ETHERTYPE, ethernet, ip, PROTOCOL } from '../lib/packets.js';
import { espBytes, icmpAbout } from '../lib/too-big.js';
import { LOCAL, MAC, REMOTE, THERE, type Pe, type Sa } from './pe.js';
import { cePacket, COUNT, fromCe, type Provocation, type Provoke } from './provoke.js';

const ROUTER = '198.51.100.9';
const FLOOR = 1280;

/** An outbound SA that has just sent numbers 1 to COUNT. */
async function sending(pe: Pe, randomSpi = true): Promise<Sa> {
  const { tables } = pe.harness;
  tables.setPathMtuFloor(FLOOR);
  const sa = await pe.sa('out', { randomSpi });
  const tunnel = pe.tunnel({ encapsulation: 'gre', family: 4, sa });
  pe.route('a', THERE[4], tunnel, { label: pe.newLabel() });
  await pe.run({ ce: Array.from({ length: COUNT }, () => fromCe(cePacket(THERE[4]))) });
  return sa;
}

interface About {
  readonly spi: number;
  readonly sequence?: number;
  readonly source?: string;
  readonly mtu?: number;
  readonly payload?: Uint8Array;
  readonly protocol?: number;
}

function frame({ spi, sequence = COUNT, source = LOCAL[4], mtu = 1400, ...rest }: About): Buffer {
  const { payload = espBytes(spi, sequence), protocol = PROTOCOL.esp } = rest;
  const quoted = ip({ source, destination: REMOTE[4], protocol, payload });
  const said = icmpAbout({ source: ROUTER, destination: LOCAL[4], quoted, mtu });
  const macs = { destination: MAC.peCore, source: MAC.p };
  return ethernet({ ...macs, type: ETHERTYPE.ip4, payload: said });
}

const thrice = (about: About): Provocation => ({
  input: { core: Array.from({ length: COUNT }, () => frame(about)) },
});

export const TOO_BIG: Readonly<Record<string, Provoke>> = {
  too_big_quote: async (pe) => {
    const { spi } = (await sending(pe)).row;
    return thrice({ spi, payload: espBytes(spi, COUNT).subarray(0, 7) });
  },
  too_big_clear: () => thrice({ spi: 0, protocol: PROTOCOL.gre }),
  too_big_no_sa: async (pe) => thrice({ spi: ((await sending(pe)).row.spi ^ 1) >>> 0 }),
  too_big_address: async (pe) => thrice({ spi: (await sending(pe)).row.spi, source: ROUTER }),
  too_big_spi: async (pe) => thrice({ spi: (await sending(pe, false)).row.spi }),
  too_big_sequence: async (pe) => thrice({ spi: (await sending(pe)).row.spi, sequence: COUNT + 1 }),
  too_big_floor: async (pe) => thrice({ spi: (await sending(pe)).row.spi, mtu: FLOOR - 1 }),
  too_big_size: async (pe) => thrice({ spi: (await sending(pe)).row.spi, mtu: 1428 }),
  // the first one is believed
  too_big_rate: async (pe) => {
    const about = { spi: (await sending(pe)).row.spi };
    return { input: { core: Array.from({ length: COUNT + 1 }, () => frame(about)) } };
  },
};
