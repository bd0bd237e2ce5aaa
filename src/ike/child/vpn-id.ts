// SPDX-License-Identifier: Apache-2.0
/**
 * The notify that says what a child SA is for, and the Vendor ID that announces it: docs/ike-vpn-id.md.
 *
 *                         1                   2                   3
 *     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *    |          Application          |           RESERVED            |
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *    |   RESERVED    |     Organizationally Unique Identifier        |
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *    |                           VPN Index                           |
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *
 * OUI and VPN Index are the VPN-ID of RFC 2685; all zero: none.
 */
import { ByteWriter, u16 } from '../../lib/octets.js';
import { type IkeFault, invalidSyntax } from '../codec/fault.js';
import type { Payload, PayloadOf } from '../codec/payload.js';
import type { VpnId } from './types.js';

/** A status type of the private-use range. */
export const VPN_ID_NOTIFY = 42_685;

/** Values of Application that have a meaning; 0 is reserved, 32768 to 65535 are for private use. */
export const VPN_APPLICATION = { mplsVpn: 1, virtualLink: 2 } as const;

/** SHA-256 of "Sealane IKEv2 VPN-ID notify, version 1", its first 16 octets. */
const VENDOR_ID = Uint8Array.from([
  ...[0x60, 0x96, 0xa7, 0x0c, 0x69, 0x0b, 0x65, 0x9e],
  ...[0x60, 0x55, 0x14, 0x28, 0xe0, 0xfc, 0xd8, 0x99],
]);

const DATA_BYTES = 12;
const VPN_ID_AT = 5;
const VPN_ID_BYTES = 7;

/** For IKE_SA_INIT, both sides. */
export const vpnIdVendorPayload = (): PayloadOf<'V'> => ({
  kind: 'V',
  data: Uint8Array.from(VENDOR_ID),
});

/** Whether the sender of an IKE_SA_INIT message understands the notify. */
export const announcesVpnId = (payloads: readonly Payload[]): boolean =>
  payloads.some((payload) => payload.kind === 'V' && Buffer.compare(payload.data, VENDOR_ID) === 0);

/** Throws RangeError for what is no application or no VPN-ID. */
export function vpnIdPayload({ application, vpnId }: VpnId): PayloadOf<'N'> {
  if (!Number.isInteger(application) || application < 1 || application > 0xffff) {
    throw new RangeError(`application ${application}`);
  }
  if (vpnId.length !== VPN_ID_BYTES) throw new RangeError(`VPN-ID of ${vpnId.length} octets`);
  const writer = new ByteWriter(DATA_BYTES);
  writer.u16(application);
  writer.u24(0);
  writer.copy(vpnId);
  return {
    ...{ kind: 'N', protocol: 0, spi: new Uint8Array(0) },
    ...{ notify: VPN_ID_NOTIFY, data: writer.slice() },
  };
}

/**
 * The notify among the payloads of a request or response that is about one child SA. undefined: not there. More
 * than one, or one of another size, is a fault; reserved octets are ignored. `vpnId` is a copy (which slice() of a Buffer is not).
 */
export function findVpnId(payloads: readonly Payload[]): VpnId | IkeFault | undefined {
  const [first, second] = payloads.filter(
    (payload): payload is PayloadOf<'N'> =>
      payload.kind === 'N' && payload.notify === VPN_ID_NOTIFY,
  );
  if (first === undefined) return undefined;
  if (second !== undefined) return invalidSyntax(0, 'two VPN-ID notifies');
  const { data } = first;
  if (data.length !== DATA_BYTES) return invalidSyntax(0, `VPN-ID notify of ${data.length} octets`);
  const application = u16(data, 0);
  if (application === 0) return invalidSyntax(0, 'application 0');
  return {
    application,
    vpnId: Uint8Array.from(data.subarray(VPN_ID_AT, VPN_ID_AT + VPN_ID_BYTES)),
  };
}

/** The same application and the same VPN; undefined is only the same as undefined. */
export const isSameVpn = (one: VpnId | undefined, other: VpnId | undefined): boolean =>
  one === undefined || other === undefined
    ? one === other
    : one.application === other.application && Buffer.compare(one.vpnId, other.vpnId) === 0;
