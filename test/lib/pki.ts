// SPDX-License-Identifier: Apache-2.0
/**
 * Certification authorities for tests, of the openssl program, in a folder that the caller makes and removes. Nothing
 * here is Sealane's own code: what is judged by it is judged by another's.
 *
 *   const root = makeCa(folder, 'sp-a');
 *   const pe1 = issue(root, { name: 'pe1', ip: ['192.0.2.1'] });
 *   writeFileSync(...); pe1.files.certificate, pe1.files.key: paths of PEM; pe1.der, pe1.pem
 *
 * All calls are synchronous: some 20 ms each, RSA keys 100 ms and more.
 */
import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** `openssl genpkey` of each. */
const KEYS = {
  p256: ['EC', 'ec_paramgen_curve:P-256'],
  p384: ['EC', 'ec_paramgen_curve:P-384'],
  p521: ['EC', 'ec_paramgen_curve:P-521'],
  'rsa-1024': ['RSA', 'rsa_keygen_bits:1024'],
  'rsa-2048': ['RSA', 'rsa_keygen_bits:2048'],
  'rsa-3072': ['RSA', 'rsa_keygen_bits:3072'],
  'rsa-pss-2048': ['RSA-PSS', 'rsa_keygen_bits:2048'],
  ed25519: ['ED25519'],
} as const satisfies Record<string, readonly [string, ...string[]]>;
export type KeyKind = keyof typeof KEYS;

/** id-kp-ipsecIKE (RFC 4945 §5.1.3.12). */
export const IPSEC_IKE = '1.3.6.1.5.5.7.3.17';

export interface CertificateOptions {
  /** commonName, and name of the files: one per issuer. */
  readonly name: string;
  /** Whole subject in openssl's form; default `/O=Sealane test/CN=NAME`. */
  readonly subject?: string;
  readonly key?: KeyKind;
  /** Another certificate's key (a path) instead of a new one. */
  readonly keyFile?: string;
  readonly digest?: 'sha1' | 'sha256' | 'sha384' | 'sha512';
  /** How the issuer signs, e.g. `rsa_pss_saltlen:digest` where its key is for RSA-PSS. */
  readonly sigopt?: string;
  /** Subject alternative names. */
  readonly ip?: readonly string[];
  readonly dns?: readonly string[];
  /** Comma-separated, as openssl writes them; '' leaves the extension out. */
  readonly eku?: string;
  readonly keyUsage?: string;
  readonly basicConstraints?: string;
  /** e.g. `critical,permitted;IP:192.0.2.0/255.255.255.0` */
  readonly nameConstraints?: string;
  /** false: neither subject nor authority key identifier. */
  readonly keyIds?: boolean;
  /** Further lines of the section of extensions, e.g. `1.2.3.4=critical,ASN1:NULL`. */
  readonly extensions?: readonly string[];
  /** Default: an hour ago, and `days` (30) later. */
  readonly notBefore?: Date;
  readonly notAfter?: Date;
  readonly days?: number;
}

export interface Issued {
  readonly name: string;
  readonly files: { readonly certificate: string; readonly key: string };
  readonly pem: string;
  readonly der: Buffer;
}

export interface Ca extends Issued {
  /** Its database and files. */
  readonly folder: string;
  /** Who certified it; undefined: itself. */
  readonly issuer: Ca | undefined;
}

function openssl(...args: readonly string[]): Buffer {
  return execFileSync('openssl', args, { stdio: ['ignore', 'pipe', 'pipe'] });
}

/** DER of the first PEM block in a text. */
export function derOf(pem: string): Buffer {
  const body = /-----BEGIN [^-]+-----([^-]+)-----END/.exec(pem)?.[1];
  if (body === undefined) throw new Error('no PEM block');
  return Buffer.from(body, 'base64');
}

/** A private key as a PKCS#8 PEM file of mode 0600. */
export function makeKey(file: string, kind: KeyKind): void {
  const [algorithm, ...options] = KEYS[kind];
  openssl(
    'genpkey',
    '-algorithm',
    algorithm,
    ...options.flatMap((o) => ['-pkeyopt', o]),
    '-out',
    file,
  );
  chmodSync(file, 0o600);
}

export interface CaOptions extends Omit<CertificateOptions, 'name'> {
  /** undefined: a root. */
  readonly issuer?: Ca;
  /** pathLenConstraint. */
  readonly pathLength?: number;
}

/** An authority in a folder `ca-NAME` of its own under `parent`. */
export function makeCa(parent: string, name: string, options: CaOptions = {}): Ca {
  const folder = join(parent, `ca-${name}`);
  mkdirSync(join(folder, 'issued'), { recursive: true });
  writeFileSync(join(folder, 'index.txt'), '');
  writeFileSync(join(folder, 'crlnumber'), '01\n');
  writeFileSync(join(folder, 'ca.cnf'), caConfig(folder));
  const { issuer, pathLength } = options;
  const limit = pathLength === undefined ? '' : `,pathlen:${pathLength}`;
  const certificate = certify(folder, issuer, {
    name,
    days: 3650,
    keyUsage: 'critical,keyCertSign,cRLSign,digitalSignature',
    basicConstraints: `critical,CA:true${limit}`,
    eku: '',
    ...options,
  });
  return { ...certificate, folder, issuer };
}

/** A certificate for an end entity: without options one that a PE may use, but for its addresses. */
export function issue(issuer: Ca, options: CertificateOptions): Issued {
  return certify(issuer.folder, issuer, {
    keyUsage: 'critical,digitalSignature',
    basicConstraints: 'critical,CA:false',
    eku: IPSEC_IKE,
    ...options,
  });
}

/** @param folder where the files go; without `issuer` the certificate is signed with its own key */
function certify(folder: string, issuer: Ca | undefined, options: CertificateOptions): Issued {
  const path = (ending: string): string => join(folder, `${options.name}.${ending}`);
  const files = { certificate: path('pem'), key: options.keyFile ?? path('key') };
  if (existsSync(files.certificate)) throw new Error(`${files.certificate} exists`);
  if (options.keyFile === undefined) makeKey(files.key, options.key ?? 'p256');
  const subject = options.subject ?? `/O=Sealane test/CN=${options.name}`;
  openssl('req', '-new', '-key', files.key, '-subj', subject, '-out', path('csr'));
  writeFileSync(path('ext'), extensions(issuer !== undefined, options));
  const notBefore = options.notBefore ?? new Date(Date.now() - 3_600_000);
  const notAfter =
    options.notAfter ?? new Date(notBefore.getTime() + (options.days ?? 30) * 86_400_000);
  const signer = issuer?.folder ?? folder;
  const args = ['-config', join(signer, 'ca.cnf'), '-batch', '-notext', '-preserveDN', '-in'];
  args.push(path('csr'), '-extfile', path('ext'), '-out', files.certificate);
  args.push('-startdate', asn1Time(notBefore), '-enddate', asn1Time(notAfter));
  if (options.digest !== undefined) args.push('-md', options.digest);
  if (options.sigopt !== undefined) args.push('-sigopt', options.sigopt);
  if (issuer === undefined) args.push('-selfsign', '-keyfile', files.key);
  else args.push('-cert', issuer.files.certificate, '-keyfile', issuer.files.key);
  openssl('ca', ...args);
  const pem = readFileSync(files.certificate, 'utf8');
  return { name: options.name, files, pem, der: derOf(pem) };
}

const caConfig = (folder: string): string => `
[ca]
default_ca = this
[this]
database = ${folder}/index.txt
new_certs_dir = ${folder}/issued
rand_serial = yes
crlnumber = ${folder}/crlnumber
default_md = default
default_days = 30
policy = any
unique_subject = no
copy_extensions = none
crl_extensions = whole
[any]
countryName = optional
organizationName = optional
commonName = optional
[whole]
authorityKeyIdentifier = keyid
[partial]
authorityKeyIdentifier = keyid
issuingDistributionPoint = critical, @point
[point]
onlyuser = TRUE
`;

function extensions(isIssued: boolean, options: CertificateOptions): string {
  const names = [
    ...(options.ip ?? []).map((address) => `IP:${address}`),
    ...(options.dns ?? []).map((name) => `DNS:${name}`),
  ];
  const wanted: readonly (readonly [string, string | undefined])[] = [
    ['basicConstraints', options.basicConstraints],
    ['keyUsage', options.keyUsage],
    ['extendedKeyUsage', options.eku],
    ['subjectAltName', names.join(',')],
    ['nameConstraints', options.nameConstraints],
    ['subjectKeyIdentifier', options.keyIds === false ? 'none' : 'hash'],
    ['authorityKeyIdentifier', options.keyIds === false ? 'none' : isIssued ? 'keyid' : undefined],
  ];
  const lines = wanted.flatMap(([name, value]) =>
    value === undefined || value === '' ? [] : [`${name}=${value}`],
  );
  return [...lines, ...(options.extensions ?? []), ''].join('\n');
}

/** YYYYMMDDHHMMSSZ */
const asn1Time = (time: Date): string => time.toISOString().replace(/[-:T]|\.\d+/g, '');

/** Enters a certificate of this authority as revoked; the next CRL and OCSP response say so. */
export function revoke(ca: Ca, certificate: Pick<Issued, 'files'>, reason = 'keyCompromise'): void {
  const file = certificate.files.certificate;
  openssl('ca', ...ownFiles(ca), '-revoke', file, '-crl_reason', reason);
}

/** The PEM of a CRL, valid from an hour ago for `hours` (default 24) if nothing else is said. */
export function crl(
  ca: Ca,
  options: {
    readonly lastUpdate?: Date;
    readonly nextUpdate?: Date;
    readonly digest?: string;
    /** One that speaks for end entities only, and says so in a critical extension. */
    readonly partial?: boolean;
  } = {},
): string {
  const lastUpdate = options.lastUpdate ?? new Date(Date.now() - 3_600_000);
  const nextUpdate = options.nextUpdate ?? new Date(lastUpdate.getTime() + 24 * 3_600_000);
  const times = ['-crl_lastupdate', asn1Time(lastUpdate), '-crl_nextupdate', asn1Time(nextUpdate)];
  const digest = options.digest === undefined ? [] : ['-md', options.digest];
  if (options.partial === true) digest.push('-crlexts', 'partial');
  return openssl('ca', ...ownFiles(ca), '-gencrl', ...times, ...digest).toString('utf8');
}

const ownFiles = (ca: Ca): readonly string[] => [
  ...['-config', join(ca.folder, 'ca.cnf'), '-cert', ca.files.certificate],
  ...['-keyfile', ca.files.key],
];

export interface OcspOptions {
  /** Default: the authority itself. */
  readonly signer?: Issued;
  /** Minutes until nextUpdate; 0: the response has none. */
  readonly minutes?: number;
  /** The response does not carry its signer's certificate. */
  readonly bare?: boolean;
  readonly badSignature?: boolean;
  readonly digest?: string;
}

/** DER of an OCSP response (RFC 6960) about a certificate, made now from the authority's database. */
export function ocspResponse(ca: Ca, certificate: Issued, options: OcspOptions = {}): Buffer {
  const { signer = ca, minutes = 60 } = options;
  const out = join(ca.folder, `${certificate.name}.ocsp`);
  const args = ['-index', join(ca.folder, 'index.txt'), '-CA', ca.files.certificate];
  args.push('-rsigner', signer.files.certificate, '-rkey', signer.files.key);
  args.push('-issuer', ca.files.certificate, '-cert', certificate.files.certificate);
  args.push('-no_nonce', '-respout', out, '-noverify');
  if (minutes > 0) args.push('-nmin', String(minutes));
  if (options.bare === true) args.push('-resp_no_certs');
  if (options.badSignature === true) args.push('-badsig');
  if (options.digest !== undefined) args.push('-rmd', options.digest);
  openssl('ocsp', ...args);
  return readFileSync(out);
}

/**
 * What `openssl verify` says of a path: undefined when it is good, else its words. The independent judge of our own
 * validation.
 * @param at the time to judge at, default now
 */
export function opensslVerify(
  anchors: readonly Issued[],
  leaf: Issued,
  options: {
    readonly intermediates?: readonly Issued[];
    /** One of each issuer of the path. */
    readonly crls?: readonly string[];
    readonly at?: Date;
    readonly purpose?: string;
  } = {},
): string | undefined {
  const bundle = (ending: string, pems: readonly string[]): string => {
    const file = `${leaf.files.certificate}.${ending}`;
    writeFileSync(file, pems.join('\n'));
    return file;
  };
  const pemsOf = (certificates: readonly Issued[]): readonly string[] =>
    certificates.map(({ pem }) => pem);
  const args = ['-x509_strict', '-auth_level', '2', '-no-CApath', '-no-CAstore'];
  args.push('-CAfile', bundle('anchors', pemsOf(anchors)));
  const { intermediates = [], crls = [], at, purpose } = options;
  if (intermediates.length > 0) args.push('-untrusted', bundle('untrusted', pemsOf(intermediates)));
  if (crls.length > 0) args.push('-crl_check_all', '-CRLfile', bundle('crls', crls));
  if (at !== undefined) args.push('-attime', String(Math.floor(at.getTime() / 1000)));
  if (purpose !== undefined) args.push('-purpose', purpose);
  try {
    openssl('verify', ...args, leaf.files.certificate);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : 'openssl verify failed';
  }
}
