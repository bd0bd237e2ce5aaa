#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Writes suite_kat.h: ESP packets by all suites and with extended sequence numbers, by other implementations.

Made by Scapy's IPsec where it can (it knows extended sequence numbers of AEADs alone, and no AES-GMAC), else
by the Python package `cryptography` (OpenSSL) and the few lines below from RFC 4303 2.2.1 and RFC 4543 3.3.
The ChaCha20-Poly1305 packet of RFC 7634 appendix A is copied from there, and checked against OpenSSL.

    /usr/bin/python3 dpdk-app/test/vectors/suites.py

The output is committed; running it again must not change it.
"""
import hashlib
import hmac
import os

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from scapy.layers.inet import IP
from scapy.layers.ipsec import ESP, SecurityAssociation
from scapy.packet import Raw, raw

HERE = os.path.dirname(os.path.abspath(__file__))
SPI = 0x1F2E3D4C
# algorithm of tables.h: Scapy's cipher, its key, salt; integrity, its key
SUITES = {
    1: ("AES-GCM", 16, 4, None, 0),
    2: ("AES-GCM", 32, 4, None, 0),
    3: ("GMAC", 16, 4, None, 0),
    4: ("GMAC", 32, 4, None, 0),
    5: ("CHACHA20-POLY1305", 32, 4, None, 0),
    6: ("AES-CBC", 16, 0, "SHA2-256-128", 32),
    7: ("AES-CBC", 16, 0, "SHA2-384-192", 48),
    8: ("AES-CBC", 16, 0, "SHA2-512-256", 64),
    9: ("AES-CBC", 32, 0, "SHA2-256-128", 32),
    10: ("AES-CBC", 32, 0, "SHA2-384-192", 48),
    11: ("AES-CBC", 32, 0, "SHA2-512-256", 64),
    12: ("NULL", 0, 0, "SHA2-256-128", 32),
    13: ("NULL", 0, 0, "SHA2-384-192", 48),
    14: ("NULL", 0, 0, "SHA2-512-256", 64),
}
LENGTHS = (0, 13, 14, 15, 64, 300)
RFC7634 = {
    "key": bytes(range(0x80, 0xA0)),
    "salt": "a0a1a2a3",
    "head": "01020304" "00000005" "1011121314151617",
    "plain": "45000054a6f200004001e778c6336405c000020508005b7a3a080000553bec100007362708090a0b0c0d0e0f"
    "101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f3031323334353637" "01020204",
    "sealed": "24039428b97f417e3c13753a4f05087b67c352e6a7fab1b982d466ef407ae5c614ee8099d52844eb61aa95df"
    "ab4c02f72aa71e7c4c4f64c9befe2facc638e8f3cbec163fac469b502773f6fb94e664da9165b82829f641e0"
    "76aaa8266b7fb0f7b11b369907e1ad43",
}


def stream(label, length):
    """Known bytes, not secret."""
    return hashlib.shake_256(f"sealane suite vector {label}".encode()).digest(length)


def trailer(payload, align):
    padding = -(len(payload) + 2) % align
    return bytes(range(1, padding + 1)) + bytes([padding, 47])


def by_scapy(suite, keys, salt, high, low, iv, payload):
    """Scapy seals a GRE packet's payload in transport mode; ESP is what is behind its IP header."""
    cipher, cipher_key, _, integrity, _ = suite
    sa = SecurityAssociation(
        ESP,
        spi=SPI,
        crypt_algo=cipher,
        crypt_key=keys[:cipher_key] + salt,
        auth_algo=integrity,
        auth_key=keys[cipher_key:],
        esn_en=high is not None,
        esn=high or 0,
    )
    packet = IP(src="192.0.2.1", dst="192.0.2.2", proto=47) / Raw(payload)
    return raw(sa.encrypt(packet, seq_num=low, iv=iv)[ESP])


def by_hand(suite, keys, salt, high, low, iv, payload):
    """GMAC, and HMAC with extended sequence numbers."""
    cipher, cipher_key, _, integrity, _ = suite
    head = SPI.to_bytes(4, "big") + low.to_bytes(4, "big")
    plain = payload + trailer(payload, 16 if cipher == "AES-CBC" else 4)
    extended = b"" if high is None else high.to_bytes(4, "big")
    if cipher == "GMAC":
        aad = head[:4] + extended + head[4:] + iv + plain
        return head + iv + plain + AESGCM(keys).encrypt(salt + iv, b"", aad)
    if cipher == "AES-CBC":
        block = Cipher(algorithms.AES(keys[:cipher_key]), modes.CBC(iv)).encryptor()
        plain = block.update(plain) + block.finalize()
    bits, icv = (int(part) for part in integrity.split("-")[1:])
    mac = hmac.new(keys[cipher_key:], head + iv + plain + extended, f"sha{bits}").digest()
    return head + iv + plain + mac[: icv // 8]


def rows():
    for algorithm, suite in SUITES.items():
        cipher, cipher_key, salt_bytes, integrity, integrity_key = suite
        keys = stream(f"{algorithm} keys", cipher_key + integrity_key)
        salt = stream(f"{algorithm} salt", salt_bytes)
        iv_bytes = {"AES-CBC": 16, "NULL": 0}.get(cipher, 8)
        for high in (None, 0, 7):
            if algorithm < 5 and high is None:
                continue  # esp_kat.h
            for length in LENGTHS:
                low = 0xFFFFFF00 + length % 256
                iv = stream(f"{algorithm} {high} {length} iv", iv_bytes)
                payload = stream(f"{algorithm} {high} {length}", length)
                args = (suite, keys, salt, high, low, iv, payload)
                hand_made = cipher == "GMAC" or (integrity and high is not None)
                sealed = by_hand(*args) if hand_made else by_scapy(*args)
                if integrity and high is None:
                    assert sealed == by_hand(*args)  # so that by_hand() is worth something
                plain = sealed[: 8 + iv_bytes] + payload + trailer(payload, 16 if cipher == "AES-CBC" else 4)
                yield algorithm, high, keys, salt, plain, sealed
    rfc = RFC7634
    head, plain = bytes.fromhex(rfc["head"]), bytes.fromhex(rfc["plain"])
    nonce = bytes.fromhex(rfc["salt"]) + head[8:]
    assert ChaCha20Poly1305(rfc["key"]).encrypt(nonce, plain, head[:8]).hex() == rfc["sealed"]
    yield 5, None, rfc["key"], bytes.fromhex(rfc["salt"]), head + plain, head + bytes.fromhex(rfc["sealed"])


if __name__ == "__main__":
    with open(os.path.join(HERE, "suite_kat.h"), "w", encoding="ascii") as out:
        out.write("/* SPDX-License-Identifier: Apache-2.0 */\n")
        out.write("/* Written by suites.py: do not edit. The last one is from RFC 7634 appendix A. */\n/* clang-format off */\n")
        out.write("#ifndef SEALANE_TEST_SUITE_KAT_H\n#define SEALANE_TEST_SUITE_KAT_H\n\n#include <stdint.h>\n\n")
        out.write("struct suite_kat {\n\tuint8_t algorithm, esn;\n\tuint32_t high;\n\tconst char *key, *salt;\n")
        out.write("\tconst char *plain;  /* SPI, sequence, IV, payload, trailer */\n\tconst char *sealed; /* and ICV */\n};\n\n")
        out.write("static const struct suite_kat suite_kats[] = {\n")
        for algorithm, high, *texts in rows():
            out.write(f"\t{{{algorithm}, {int(high is not None)}, {high or 0}, ")
            out.write(",\n\t ".join(f'"{t.hex()}"' for t in texts) + "},\n")
        out.write("};\n\n#endif\n")
