// SPDX-License-Identifier: Apache-2.0
// Certificates by the thousand for the load generator: written as DER here, since a program for each would take
// longer than the benchmark. Each names one address (IP SAN) and has the key usage of a PE's.
import { Buffer } from 'node:buffer';
import { createPrivateKey, generateKeyPairSync, randomBytes, sign } from 'node:crypto';

function tlv(tag, ...contents) {
  const inside = Buffer.concat(contents);
  const { length } = inside;
  const size =
    length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...size]), inside]);
}
const sequence = (...contents) => tlv(0x30, ...contents);
const der = (hex) => Buffer.from(hex, 'hex');
const utcTime = (date) =>
  tlv(0x17, Buffer.from(`${date.toISOString().replaceAll(/[-:T]/g, '').slice(2, 14)}Z`));
const extension = (oid, critical, value) =>
  sequence(tlv(0x06, der(oid)), ...(critical ? [der('0101ff')] : []), tlv(0x04, value));

/** [start, end) of the elements inside of the one at `at`. */
function elements(bytes, at) {
  const header = (p) => {
    const first = bytes[p + 1];
    if (first < 128) return { body: p + 2, end: p + 2 + first };
    const count = first & 0x7f;
    const length = bytes.readUIntBE(p + 2, count);
    return { body: p + 2 + count, end: p + 2 + count + length };
  };
  const { body, end } = header(at);
  const found = [];
  for (let p = body; p < end; p = header(p).end) found.push([p, header(p).end]);
  return found;
}

const ECDSA_SHA256 = sequence(der('06082a8648ce3d040302'));
const RSA_SHA256 = sequence(der('06092a864886f70d01010b'), der('0500'));

/** Of a CA: subjectKeyIdentifier, of 20 octets. */
function keyIdOf(certificate) {
  const begin = der('0603551d0e04160414');
  const at = certificate.indexOf(begin);
  if (at < 0) throw new Error('a CA without a subjectKeyIdentifier');
  return certificate.subarray(at + begin.length, at + begin.length + 20);
}

/** @param authority {certificateDer, keyPem} of a root */
export function issuer({ certificateDer, keyPem }) {
  const bytes = Buffer.from(certificateDer);
  const [tbsAt] = elements(bytes, 0)[0];
  const fields = elements(bytes, tbsAt);
  // [0] version, serial, algorithm, issuer, validity, subject: of a root issuer and subject are the same.
  const name = bytes.subarray(...fields[3]);
  const keyId = keyIdOf(bytes);
  const key = createPrivateKey(keyPem);
  const algorithm = key.asymmetricKeyType === 'rsa' ? RSA_SHA256 : ECDSA_SHA256;
  const now = Date.now();
  const validity = sequence(utcTime(new Date(now - 3_600_000)), utcTime(new Date(now + 864e5)));
  return (publicKey, address) => {
    const serial = randomBytes(12);
    serial[0] = 1;
    const tbs = sequence(
      der('a003020102'),
      tlv(0x02, serial),
      ...[algorithm, name, validity],
      sequence(tlv(0x31, sequence(der('0603550403'), tlv(0x0c, Buffer.from(address))))),
      publicKey.export({ format: 'der', type: 'spki' }),
      tlv(
        0xa3,
        sequence(
          extension('551d0f', true, der('03020780')), // digitalSignature
          extension('551d23', false, sequence(tlv(0x80, keyId))),
          extension('551d25', false, sequence(der('06082b06010505070311'))), // id-kp-ipsecIKE
          extension(
            '551d11',
            false,
            sequence(tlv(0x87, Buffer.from(address.split('.').map(Number)))),
          ),
        ),
      ),
    );
    const signature = sign('sha256', tbs, key);
    return sequence(tbs, algorithm, tlv(0x03, Buffer.from([0]), signature));
  };
}

/** A key and certificate for each address; RSA keys, which take long to make, are one for all. */
export function clients(kind, authority, addresses) {
  const issue = issuer(authority);
  const rsa = kind === 'rsa' ? generateKeyPairSync('rsa', { modulusLength: 2048 }) : undefined;
  return addresses.map((address) => {
    const { publicKey, privateKey } =
      rsa ?? generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
    return { key: privateKey, certificate: issue(publicKey, address) };
  });
}
