// SPDX-License-Identifier: Apache-2.0
/**
 * The netlink codec against what a kernel sent (test/vectors/netlink/kernel.json) and what `ip -j` said of
 * the same namespace at the same time.
 */
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeAddress, encodeAddress } from '../../../src/kernel/codec/address.js';
import { AttributeWriter, decodeAttributes } from '../../../src/kernel/codec/attribute.js';
import { NLM_F, NLMSG, NUD, RTN } from '../../../src/kernel/codec/constants.js';
import { decodeLink, encodeSetLink } from '../../../src/kernel/codec/link.js';
import {
  decodeDone,
  decodeError,
  decodeMessages,
  encodeMessage,
  type NetlinkMessage,
} from '../../../src/kernel/codec/message.js';
import {
  decodeNeighbour,
  encodeResolve,
  isUsable,
  type Neighbour,
} from '../../../src/kernel/codec/neighbour.js';
import { decodeRoute, encodeDeviceRoute, type Route } from '../../../src/kernel/codec/route.js';
import { formatAddress, parseAddress, parsePrefix } from '../../../src/lib/ip.js';

type Rows = readonly Readonly<Record<string, unknown>>[];
type Datagrams = 'links' | 'addresses' | 'neighbours' | 'routes4' | 'routes6' | 'match';
type Captured = Record<Datagrams | 'refused' | 'refusedWithText', string[]> &
  Record<'ipLinks' | 'ipAddresses' | 'ipNeighbours' | 'ipRoutes4' | 'ipRoutes6', Rows>;

const file = new URL('../../vectors/netlink/kernel.json', import.meta.url);
const captured = JSON.parse(readFileSync(file, 'utf8')) as Captured;

function messagesOf(datagrams: readonly string[]): readonly NetlinkMessage[] {
  return datagrams.flatMap((hex) => {
    const messages = decodeMessages(Buffer.from(hex, 'hex'));
    expect(messages, 'well-formed').toBeDefined();
    return messages ?? [];
  });
}

/** The dump's entries; its end must be there and say that all is well. */
function dumped<T>(what: Datagrams, decode: (payload: Uint8Array) => T | undefined): T[] {
  const messages = messagesOf(captured[what]);
  const last = messages.at(-1);
  expect(last?.type).toBe(NLMSG.DONE);
  expect(last && decodeDone(last)).toEqual({ errno: 0 });
  return messages.slice(0, -1).map(({ payload }) => {
    const entry = decode(payload);
    expect(entry, Buffer.from(payload).toString('hex')).toBeDefined();
    return entry!;
  });
}

const macText = (mac: Uint8Array | undefined): string | undefined =>
  mac && Array.from(mac, (byte) => byte.toString(16).padStart(2, '0')).join(':');
const nameOf = new Map(captured.ipLinks.map((row) => [row['ifindex'] as number, row['ifname']]));
const bytes = (text: string): Uint8Array => parseAddress(text)!;

describe('what the kernel sends', () => {
  test('links', () => {
    const modes = ['eui64', 'none', 'stable_secret', 'random'];
    const ours = dumped('links', decodeLink).map((link) => ({
      ...{ ifindex: link.index, ifname: link.name, mtu: link.mtu, address: macText(link.mac) },
      master: link.master === undefined ? undefined : nameOf.get(link.master),
      kind: link.kind,
      qdisc: link.qdisc,
      addrgenmode: modes[link.addrGenMode ?? -1],
      up: link.up,
      carrier: link.carrier,
    }));
    const theirs = captured.ipLinks.map((row) => ({
      ...{ ifindex: row['ifindex'], ifname: row['ifname'], mtu: row['mtu'] },
      ...{ address: row['address'], master: row['master'] },
      kind: (row['linkinfo'] as { info_kind?: string } | undefined)?.info_kind,
      qdisc: row['qdisc'],
      addrgenmode: row['inet6_addr_gen_mode'],
      up: (row['flags'] as string[]).includes('UP'),
      carrier: (row['flags'] as string[]).includes('LOWER_UP'),
    }));
    expect(ours).toEqual(theirs);
    expect(ours.length).toBeGreaterThanOrEqual(6);
    expect(ours.some(({ carrier, up }) => up && !carrier)).toBe(true);
    const macvlan = dumped('links', decodeLink).find(({ kind }) => kind === 'macvlan');
    expect(nameOf.get(macvlan?.lower ?? 0)).toBe('c0');
  });

  test('addresses', () => {
    const ours = dumped('addresses', decodeAddress).map(
      ({ index, prefix, scope }) =>
        `${index} ${formatAddress(prefix.address)}/${prefix.length} ${scope}`,
    );
    const scopes: Record<string, number> = { global: 0, link: 253, host: 254 };
    const theirs = captured.ipAddresses.flatMap((row) =>
      (row['addr_info'] as { local: string; prefixlen: number; scope: string }[]).map(
        ({ local, prefixlen, scope }) =>
          `${row['ifindex'] as number} ${local}/${prefixlen} ${scopes[scope] ?? -1}`,
      ),
    );
    expect(ours.sort()).toEqual(theirs.sort());
    expect(ours).toContainEqual(expect.stringContaining('10.5.1.1/32')); // own, not the peer's
  });

  test('neighbours', () => {
    const stateOf = new Map<number, string>(Object.entries(NUD).map(([name, bit]) => [bit, name]));
    const ours = dumped('neighbours', decodeNeighbour).map((neighbour) =>
      [
        ...[nameOf.get(neighbour.index), formatAddress(neighbour.address)],
        ...[macText(neighbour.mac), stateOf.get(neighbour.state), neighbour.managed],
      ].join(' '),
    );
    const theirs = captured.ipNeighbours.map((row) =>
      [
        ...[row['dev'], row['dst'], row['lladdr']],
        ...[(row['state'] as string[])[0], 'managed' in row],
      ].join(' '),
    );
    expect(ours.sort()).toEqual(theirs.sort());
    expect(ours.filter((text) => text.endsWith('true'))).toHaveLength(1);
  });

  test.each([
    ['routes4', 'ipRoutes4', 4],
    ['routes6', 'ipRoutes6', 6],
  ] as const)('%s', (what, rows, family) => {
    const ours = dumped(what, decodeRoute).map((route) => describeRoute(route));
    const theirs = captured[rows].map((row) => describeRow(row, family));
    expect(ours.sort()).toEqual(theirs.sort());
  });

  test('the route that matches', () => {
    const [answer, ack] = messagesOf(captured.match);
    const route = decodeRoute(answer!.payload)!;
    expect(route).toMatchObject({ type: RTN.UNICAST, metric: 77, mtu: 1280, table: 254 });
    expect(formatAddress(route.nextHops[0]!.gateway!)).toBe('10.5.0.9');
    expect(decodeError(ack!)).toEqual({ errno: 0 });
  });

  test('refusals, with and without the words of an extended ack', () => {
    const [withText] = messagesOf(captured.refusedWithText);
    expect(decodeError(withText!) ?? decodeDone(withText!)).toBeDefined();
    const result = withText!.type === NLMSG.ERROR ? decodeError(withText!) : decodeDone(withText!);
    expect(result).toEqual({ errno: 22, text: 'Invalid values in header for link dump request' });
    const [refused] = messagesOf(captured.refused);
    expect(decodeError(refused!)).toEqual({ errno: 19 });
  });
});

function describeRoute(route: Route): string {
  const hops = route.nextHops.map(({ index, gateway, weight, flags }) =>
    [gateway && formatAddress(gateway), nameOf.get(index), weight, (flags & 16) !== 0].join(),
  );
  const { destination, table, protocol, scope, type, metric, mtu, source } = route;
  return [
    ...[`${formatAddress(destination.address)}/${destination.length}`, `table ${table}`],
    ...[`proto ${protocol} scope ${scope} type ${type} metric ${metric} mtu ${mtu ?? 0}`],
    ...[source && formatAddress(source), ...hops],
  ].join(' ');
}

/** The same of a row of `ip -j -N -d route`. */
function describeRow(row: Readonly<Record<string, unknown>>, family: 4 | 6): string {
  const text = row['dst'] as string;
  const zero = family === 4 ? '0.0.0.0/0' : '::/0';
  const bits = family === 4 ? 32 : 128;
  const destination = text === 'default' ? zero : text.includes('/') ? text : `${text}/${bits}`;
  const hop = (from: Readonly<Record<string, unknown>>): string => {
    const via = (from['via'] as { host: string } | undefined)?.host;
    const down = (from['flags'] as string[]).includes('linkdown');
    return [from['gateway'] ?? via, from['dev'], from['weight'] ?? 1, down].join();
  };
  const nexthops = row['nexthops'] as Rows | undefined;
  const hops = nexthops?.map(hop) ?? ('dev' in row ? [hop(row)] : []);
  const mtu = (row['metrics'] as { mtu?: number }[] | undefined)?.[0]?.mtu ?? 0;
  const { table, protocol, scope, type } = row as Record<string, string>;
  const metric = (row['metric'] as number | undefined) ?? 0;
  return [
    ...[destination, `table ${table}`],
    ...[`proto ${protocol} scope ${scope} type ${type} metric ${metric} mtu ${mtu}`],
    ...[row['prefsrc'], ...hops],
  ].join(' ');
}

describe('what we send', () => {
  test('is read back by our decoders', () => {
    const prefix = parsePrefix('10.1.2.3/24')!;
    expect(decodeAddress(encodeAddress(7, prefix))).toMatchObject({ index: 7, prefix, scope: 0 });
    const prefix6 = parsePrefix('fe80::1/64')!;
    const address6 = decodeAddress(encodeAddress(7, prefix6));
    expect(address6).toMatchObject({ index: 7, prefix: prefix6, scope: 253, flags: 2 });
    const neighbour = decodeNeighbour(encodeResolve(9, bytes('2001:db8::1'), true));
    expect(neighbour).toMatchObject({ index: 9, address: bytes('2001:db8::1'), managed: true });
    const destination = parsePrefix('192.0.2.0/24')!;
    const source = bytes('192.0.2.1');
    const route = decodeRoute(encodeDeviceRoute({ destination, index: 3, metric: 5, source }));
    expect(route).toMatchObject({ destination, metric: 5, source, nextHops: [{ index: 3 }] });
  });

  test('has the bytes of linux/netlink.h', () => {
    const payload = encodeSetLink(2, { up: true, mtu: 1400, addrGenMode: 1 });
    const message = encodeMessage({ type: 16, flags: 5, sequence: 0x01020304, payload });
    expect(Buffer.from(message).toString('hex')).toBe(
      '38000000' +
        '1000' +
        '0500' +
        '04030201' +
        '00000000' + // nlmsghdr
        '00000000' +
        '02000000' +
        '01000000' +
        '01000000' + // ifinfomsg
        '0800' +
        '0400' +
        '78050000' + // IFLA_MTU
        '1000' +
        '1a80' +
        '0c00' +
        '0a80' +
        '0500' +
        '0800' +
        '01000000', // AF_SPEC, INET6, mode
    );
  });
});

describe('malformed input', () => {
  const decoders = [decodeLink, decodeAddress, decodeNeighbour, decodeRoute];
  const real = (['links', 'addresses', 'neighbours', 'routes4', 'routes6'] as const).flatMap(
    (what) => messagesOf(captured[what]).map(({ payload }) => payload),
  );

  test('never throws and never reads beyond its end, whatever the bytes', () => {
    const input = fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      fc
        .tuple(fc.constantFrom(...real), fc.nat(), fc.nat(), fc.nat(255))
        .map(([payload, cut, at, value]) => {
          const copy = payload.slice(0, cut % (payload.length + 1));
          if (copy.length > 0) copy[at % copy.length] = value;
          return copy;
        }),
    );
    fc.assert(
      fc.property(input, (data) => {
        // Exactly as long as the data: a read beyond would be seen as an exception of DataView.
        const exact = new Uint8Array(new Uint8Array(data).buffer);
        for (const decode of decoders) decode(exact);
        decodeMessages(exact);
        const message = { type: 2, flags: NLM_F.ACK_TLVS, sequence: 0, port: 0, payload: exact };
        decodeError(message);
        decodeDone(message);
      }),
      { numRuns: 5000 },
    );
  });

  test('is refused where a length does not fit', () => {
    const message = encodeMessage({ type: 16, flags: 0, sequence: 1, payload: new Uint8Array(4) });
    expect(decodeMessages(message)).toHaveLength(1);
    expect(decodeMessages(message.subarray(0, 18))).toBeUndefined();
    expect(
      decodeMessages(Uint8Array.of(15, 0, 0, 0, ...new Array<number>(12).fill(0))),
    ).toBeUndefined();
    expect(decodeMessages(message.subarray(0, 8))).toBeUndefined();
    const attributes = new AttributeWriter().u32(1, 7).finish();
    expect(decodeAttributes(attributes)?.size).toBe(1);
    expect(decodeAttributes(attributes.subarray(0, 7))).toBeUndefined();
    expect(decodeAttributes(Uint8Array.of(3, 0, 0, 0))).toBeUndefined();
  });

  test('wrong families, lengths and address sizes give nothing', () => {
    const good = encodeAddress(1, parsePrefix('10.0.0.1/24')!);
    const wrong = Uint8Array.from(good);
    wrong[0] = 10; // AF_INET6 with 4 bytes of address
    expect(decodeAddress(wrong)).toBeUndefined();
    wrong[0] = 2;
    wrong[1] = 33;
    expect(decodeAddress(wrong)).toBeUndefined();
    const bridge = encodeSetLink(1, { up: true });
    bridge[0] = 7; // AF_BRIDGE: a port's message, not the link's
    expect(decodeLink(bridge)).toBeUndefined();
    const proxy = encodeResolve(1, bytes('10.0.0.1'), false);
    proxy[0] = 7;
    expect(decodeNeighbour(proxy)).toBeUndefined();
  });
});

test('only a valid state with a link address is usable', () => {
  const base = { index: 1, address: bytes('10.0.0.1'), managed: false };
  const mac = new Uint8Array(6);
  const usable = (neighbour: Neighbour): boolean => isUsable(neighbour);
  const valid: readonly number[] = [NUD.REACHABLE, NUD.STALE, NUD.DELAY, NUD.PROBE, NUD.PERMANENT];
  for (const state of Object.values(NUD)) {
    expect(usable({ ...base, mac, state }), String(state)).toBe(
      valid.includes(state) || state === NUD.NOARP,
    );
    expect(usable({ ...base, state })).toBe(false);
  }
});
