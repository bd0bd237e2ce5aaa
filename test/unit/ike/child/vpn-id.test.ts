// SPDX-License-Identifier: Apache-2.0
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  announcesVpnId,
  findVpnId,
  isSameVpn,
  VPN_ID_NOTIFY,
  vpnIdPayload,
  vpnIdVendorPayload,
} from '../../../../src/ike/child/vpn-id.js';
import { isFault } from '../../../../src/ike/codec/fault.js';
import { isErrorNotify, isPrivateNotify } from '../../../../src/ike/codec/names/notify.js';
import type { Payload } from '../../../../src/ike/codec/payload.js';

const vpnId = Buffer.from('00005e00000102', 'hex');
const notify = (data: string): Payload => ({
  ...{ kind: 'N', protocol: 0, spi: new Uint8Array(0) },
  ...{ notify: VPN_ID_NOTIFY, data: Buffer.from(data, 'hex') },
});

describe('the VPN-ID notify (docs/ike-vpn-id.md)', () => {
  it('is laid out as the document draws it', () => {
    const payload = vpnIdPayload({ application: 0x0102, vpnId });
    expect(Buffer.from(payload.data).toString('hex')).toBe('010200000000005e00000102');
    expect(payload).toMatchObject({ protocol: 0, notify: VPN_ID_NOTIFY });
    expect(isPrivateNotify(VPN_ID_NOTIFY) && !isErrorNotify(VPN_ID_NOTIFY)).toBe(true);
  });

  it('is found among others; reserved octets mean nothing', () => {
    const nonce: Payload = { kind: 'Nonce', data: new Uint8Array(16) };
    expect(findVpnId([nonce])).toBeUndefined();
    const found = findVpnId([nonce, notify('0002ffffff00005e00000102')]);
    expect(found).toEqual({ application: 2, vpnId: Uint8Array.from(vpnId) });
  });

  it.each([
    ['too short', [notify('000100000000005e000001')]],
    ['too long', [notify('000100000000005e0000010200')]],
    ['application 0', [notify('000000000000005e00000102')]],
    ['twice', [notify('000100000000005e00000102'), notify('000100000000005e00000102')]],
  ])('is refused: %s', (_name, payloads) => {
    expect(isFault(findVpnId(payloads) ?? {})).toBe(true);
  });

  it('throws for what cannot be sent', () => {
    expect(() => vpnIdPayload({ application: 0, vpnId })).toThrow(RangeError);
    expect(() => vpnIdPayload({ application: 0x10000, vpnId })).toThrow(RangeError);
    expect(() => vpnIdPayload({ application: 1, vpnId: new Uint8Array(6) })).toThrow(RangeError);
  });

  it('compares application and VPN', () => {
    const other = Uint8Array.from(vpnId);
    other[6] = 3;
    expect(isSameVpn(undefined, undefined)).toBe(true);
    expect(isSameVpn({ application: 1, vpnId }, undefined)).toBe(false);
    expect(isSameVpn({ application: 1, vpnId }, { application: 1, vpnId })).toBe(true);
    expect(isSameVpn({ application: 1, vpnId }, { application: 2, vpnId })).toBe(false);
    expect(isSameVpn({ application: 1, vpnId }, { application: 1, vpnId: other })).toBe(false);
  });
});

describe('its announcement', () => {
  const document = readFileSync(new URL('../../../../docs/ike-vpn-id.md', import.meta.url), 'utf8');

  it('is the hash of the text, as the document says', () => {
    const text = /ASCII text `([^`]+)`/.exec(document)?.[1] ?? '';
    const hash = createHash('sha256').update(text).digest().subarray(0, 16);
    expect(Buffer.from(vpnIdVendorPayload().data)).toEqual(hash);
    expect(document).toContain(`\n${hash.toString('hex')}\n`);
    expect(document).toContain(`**${VPN_ID_NOTIFY}**`);
  });

  it('is recognised exactly', () => {
    const ours = vpnIdVendorPayload();
    expect(announcesVpnId([ours])).toBe(true);
    expect(announcesVpnId([])).toBe(false);
    expect(announcesVpnId([{ kind: 'V', data: ours.data.subarray(0, 15) }])).toBe(false);
  });
});
