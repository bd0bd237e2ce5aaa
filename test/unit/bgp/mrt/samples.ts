// SPDX-License-Identifier: Apache-2.0
/**
 * Messages and peers for MRT and BMP. The octets of the messages are written down from the diagrams of
 * the RFCs named at each, not made by our own codec; tshark, bgpdump and OpenBGPD read them in the tests.
 */
import { FAMILY, type FamilySet } from '../../../../src/bgp/codec/types.js';
import type { MonitoredPeer } from '../../../../src/bgp/monitor.js';
import { parseAddress } from '../../../../src/lib/ip.js';

export const bytes = (hex: string): Uint8Array =>
  Uint8Array.from(Buffer.from(hex.replaceAll(/[^0-9a-f]/g, ''), 'hex'));

const MARKER = 'ffffffffffffffffffffffffffffffff';

/**
 * RFC 4271 §4.2: version 4, AS 65001, hold 90, 192.0.2.x; capabilities (RFC 5492): multiprotocol VPNv4
 * and IPv4, 4-octet AS 65001 (RFC 6793).
 */
export const OPEN_SENT = bytes(
  `${MARKER} 0031 01 04 fde9 005a c0000201 14 02 12 0104 00010080 0104 00010001 4104 0000fde9`,
);
export const OPEN_RECEIVED = bytes(
  `${MARKER} 0031 01 04 fde9 005a c000020b 14 02 12 0104 00010080 0104 00010001 4104 0000fde9`,
);
/** As OPEN_RECEIVED, and ADD-PATH for IPv4 both ways (RFC 7911 §4). */
export const OPEN_ADD_PATH = bytes(
  `${MARKER} 0037 01 04 fde9 005a c000020b 1a 02 18 0104 00010080 0104 00010001 4104 0000fde9 4504 00010103`,
);

/** RFC 4271 §4.5: Cease / Administrative Shutdown (RFC 4486), "bye" (RFC 9003). */
export const NOTIFICATION = bytes(`${MARKER} 0019 03 06 02 03 627965`);

export const KEEPALIVE = bytes(`${MARKER} 0013 04`);

/** 10.1.0.0/16 and 10.2.3.0/24, path 65100 4200000000 (4 octets each), next hop 192.0.2.7, MED 5, 65001:100. */
export const UPDATE_AS4 = bytes(
  `${MARKER} 0044 02 0000 0026 400101 00 40020a 02 02 0000fe4c fa56ea00 400304 c0000207
   800404 00000005 c00804 fde90064  100a01 180a0203`,
);
/** The same with 2 octets per AS number and no large one: path 65100 65101. */
export const UPDATE_AS2 = bytes(
  `${MARKER} 0032 02 0000 0014 400101 02 400206 02 02 fe4c fe4d 400304 c0000207  100a01 180a0203`,
);
/** 10.1.0.0/16 with path identifiers 1 and 2 (RFC 7911 §3). */
export const UPDATE_ADD_PATH = bytes(
  `${MARKER} 0039 02 0000 0014 400101 00 400206 02 01 0000fe4c 400304 c0000207
   00000001 100a01 00000002 100a01`,
);
/** VPNv4 (RFC 4364 §4.3): RD 65001:1, label 1000, 10.9.0.0/16, next hop 0:192.0.2.7, target:65001:1. */
export const UPDATE_VPN = bytes(
  `${MARKER} 0052 02 0000 003b 400101 00 400200 400504 00000064 c01008 0002fde900000001
   800e 1f 0001 80 0c 0000000000000000c0000207 00 68 003e81 0000fde900000001 0a09`,
);
/** End-of-RIB (RFC 4724 §2) of VPNv4. */
export const END_OF_RIB_VPN = bytes(`${MARKER} 001d 02 0000 0006 800f03 000180`);

const NONE: FamilySet = 0;
const IPV4: FamilySet = 1 << FAMILY.ipv4Unicast;
const VPNV4: FamilySet = 1 << FAMILY.vpnv4;

export function peer(changes: Partial<MonitoredPeer> = {}): MonitoredPeer {
  return {
    ...{ id: 1, vrf: undefined, rd: undefined, port: 179, localPort: 40_001 },
    address: parseAddress('192.0.2.11')!,
    localAddress: parseAddress('192.0.2.1')!,
    ...{ asn: 65001, localAsn: 65001, routerId: 0xc000_020b, as4: true },
    ...{ addPathReceive: NONE, addPathSend: NONE, families: IPV4 | VPNV4 },
    ...changes,
  };
}

export const peer6 = (changes: Partial<MonitoredPeer> = {}): MonitoredPeer =>
  peer({
    id: 2,
    address: parseAddress('2001:db8::12')!,
    localAddress: parseAddress('2001:db8::1')!,
    ...{ asn: 4_200_000_000, routerId: 0xc000_020c },
    ...changes,
  });

export const ADD_PATH_IPV4 = IPV4;

/** 2026-03-01 12:00:00.123456 UTC in microseconds. */
export const NOON = Date.UTC(2026, 2, 1, 12) * 1000 + 123_456;
