# SPDX-License-Identifier: Apache-2.0
"""Writes scapy.json: IKEv2 messages as Scapy's contrib module builds them, and the names it has for numbers.

    /usr/bin/python3 test/vectors/ike/scapy_vectors.py

Scapy has no Delete payload with SPIs and no attributes but Key Length, and its lengths are
wrong for an ID, an IPv6 selector and a Notify with an SPI: those are given.
"""
import json
import os

from scapy.config import conf
from scapy.contrib import ikev2 as m

KEY = bytes(range(1, 33))
NONCE = bytes(range(100, 132))


def transform(kind, number, bits=None):
    if bits is None:
        return m.IKEv2_payload_Transform(transform_type=kind, transform_id=number, length=8)
    return m.IKEv2_payload_Transform(transform_type=kind, transform_id=number, length=12, key_length=bits)


def chained(layers, more):
    """Transforms or proposals one behind the other, with Last Substruc as RFC 7296 3.3 has it."""
    for layer in layers[:-1]:
        layer.next_payload = more
    layers[-1].next_payload = 0
    packet = layers[0]
    for layer in layers[1:]:
        packet = packet / layer
    return packet


def proposal(number, protocol, transforms, spi=b''):
    return m.IKEv2_payload_Proposal(
        proposal=number, proto=protocol, SPI=spi, SPIsize=len(spi), trans_nb=len(transforms),
        trans=chained(transforms, 3))


TYPES = {
    'KE': 34, 'IDi': 35, 'IDr': 36, 'CERTREQ': 38, 'AUTH': 39, 'Nonce': 40, 'Notify': 41, 'VendorID': 43,
    'SA': 33, 'TSi': 44, 'TSr': 45,
}


def linked(packet):
    """Sets every Next Payload, which Scapy does for the header only; those of SK and SKF are given."""
    layer = packet
    while layer.payload:
        if 'payload' in type(layer).__name__:
            layer.next_payload = TYPES[type(layer.payload).__name__.rsplit('_', 1)[-1]]
        layer = layer.payload
    if layer.next_payload is None:
        layer.next_payload = 0
    return packet


def header(exchange, flags, identifier, responder=b'\0' * 8):
    return m.IKEv2(init_SPI=b'\x11\x22\x33\x44\x55\x66\x77\x88', resp_SPI=responder, exch_type=exchange,
                   flags=flags, id=identifier)


sa = m.IKEv2_payload_SA(prop=chained([
    proposal(1, 1, [transform(1, 20, 256), transform(2, 5), transform(4, 31), transform(6, 36)]),
    proposal(2, 1, [transform(1, 12, 128), transform(3, 12), transform(2, 5), transform(4, 19)]),
], 2))
esp = m.IKEv2_payload_SA(prop=proposal(1, 3, [transform(1, 20, 128), transform(5, 1)], b'\xc0\xff\xee\x01'))
four = m.IPv4TrafficSelector(IP_protocol_ID=47, start_port=0, end_port=65535,
                             starting_address_v4='192.0.2.1', ending_address_v4='192.0.2.1')
six = m.IPv6TrafficSelector(length=40, IP_protocol_ID=137, start_port=65535, end_port=0,
                            starting_address_v6='2001:db8::1', ending_address_v6='2001:db8::ff')

MESSAGES = {
    'init': header(34, 8, 0) / sa
            / m.IKEv2_payload_KE(group=31, load=KEY) / m.IKEv2_payload_Nonce(load=NONCE)
            / m.IKEv2_payload_Notify(type=16388, load=b'\xaa' * 20)
            / m.IKEv2_payload_VendorID(vendorID=b'Sealane'),
    'auth': header(35, 8, 1, b'\x99' * 8)
            / m.IKEv2_payload_IDi(IDtype=2, ID=b'pe1.example.net', length=23)
            / m.IKEv2_payload_IDr(IDtype=1, ID='192.0.2.2', length=12)
            / m.IKEv2_payload_CERTREQ(cert_type=4, cert_data=b'\x05' * 40)
            / m.IKEv2_payload_AUTH(auth_type=2, load=b'\x77' * 32) / esp
            / m.IKEv2_payload_TSi(traffic_selector=[four]) / m.IKEv2_payload_TSr(traffic_selector=[four, six]),
    'fragment': header(35, 0x28, 1, b'\x99' * 8)
            / m.IKEv2_payload_Encrypted_Fragment(next_payload=36, frag_number=1, frag_total=3, load=b'\x42' * 64),
    'encrypted': header(37, 8, 2, b'\x99' * 8) / m.IKEv2_payload_Encrypted(next_payload=42, load=b'\x43' * 48),
    'refusal': header(36, 0x20, 0xfffffffe, b'\x99' * 8)
            / m.IKEv2_payload_Notify(length=12, proto=3, SPI=b'\xc0\xff\xee\x01', type=44),
}


def named(table):
    return {str(number): name for number, name in table.items()}


NAMES = {
    'notify': named(m.IKEv2NotifyMessageTypes),
    'authentication': named(m.IKEv2AuthenticationTypes),
    'certificate': named(m.IKEv2CertificateEncodings),
    'trafficSelector': named(m.IKEv2TrafficSelectorTypes),
    'cfgType': named(m.IKEv2ConfigurationPayloadCFGTypes),
    'cfgAttribute': named(m.IKEv2ConfigurationAttributeTypes),
}

if __name__ == '__main__':
    here = os.path.dirname(os.path.abspath(__file__))
    with open(os.path.join(here, 'scapy.json'), 'w', encoding='utf8') as out:
        content = {
            'from': f'Scapy {conf.version}',
            'messages': {name: bytes(linked(packet)).hex() for name, packet in MESSAGES.items()},
            'names': NAMES,
        }
        json.dump(content, out, indent=2)
        out.write('\n')
