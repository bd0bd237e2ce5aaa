// SPDX-License-Identifier: Apache-2.0
/** From a file to a checked configuration; `sealane check` and what `run` and `reload` begin with. */
import { stat } from 'node:fs/promises';
import { neighboursOf } from './bgp/resolve.js';
import { formatIssue, formatPath, WHOLE, type Issue, type Path } from './issues.js';
import { loadFile, type LoadError, type LoadOptions } from './load.js';
import type { Config } from './types.js';
import { validateConfig } from './validate.js';

export type ReadConfig =
  | { readonly ok: true; readonly config: Config; readonly warnings: readonly Issue[] }
  | {
      readonly ok: false;
      /** Absent: the file could be loaded and says something wrong. */
      readonly load?: LoadError;
      readonly issues: readonly Issue[];
      readonly warnings: readonly Issue[];
    };

/** Loads and checks a configuration file. Never throws. */
export async function readConfig(path: string, options: LoadOptions = {}): Promise<ReadConfig> {
  const loaded = await loadFile(path, options);
  if (!loaded.ok) {
    return { ok: false, load: loaded.error, issues: loaded.error.issues, warnings: [] };
  }
  const checked = validateConfig(loaded.value);
  if (!checked.ok) return checked;
  const files = await fileWarnings(checked.config);
  return { ...checked, warnings: [...checked.warnings, ...files] };
}

/** Files may be made later, so what is wrong with them now is a warning; none is opened. */
async function fileWarnings(config: Config): Promise<readonly Issue[]> {
  const found: Issue[] = [];
  for (const { path, file, remedy } of keyFiles(config)) {
    const reason = await keyFileFault(file);
    if (reason !== undefined) found.push({ path, value: 'not shown', reason, remedy });
  }
  for (const { path, file, remedy } of certificateFiles(config)) {
    const there = await stat(file).then(
      () => true,
      () => false,
    );
    if (!there) {
      found.push({ path, value: JSON.stringify(file), reason: 'no such file yet', remedy });
    }
  }
  return found;
}

interface KeyFile {
  readonly path: string;
  readonly file: string;
  readonly remedy: string;
}

function keyFiles(config: Config): KeyFile[] {
  const ofSas = Object.entries(config.manualSas ?? {}).map(([name, { keyFile }]) => ({
    path: formatPath(['manualSas', name, 'keyFile']),
    file: keyFile,
    remedy: 'sealane lab keygen --algorithm ALGORITHM --out FILE',
  }));
  const remedy = 'a file with the key alone, mode 0600';
  // Templates are merged in: a file named by one is found with each neighbour that has it.
  const ofNeighbours = neighboursOf(config).flatMap((neighbour) => {
    const { address, prefix, vrf, md5KeyFile, tcpAo } = neighbour;
    const section = vrf === undefined ? ['bgp'] : ['vrfs', vrf, 'bgp'];
    const table = address === undefined ? 'dynamicNeighbours' : 'neighbours';
    const at = [...section, table, address ?? prefix ?? ''];
    const md5 = { path: formatPath([...at, 'md5KeyFile']), file: md5KeyFile, remedy };
    const ao = { path: formatPath([...at, 'tcpAo', 'keyFile']), file: tcpAo?.keyFile, remedy };
    return [md5, ao].flatMap(({ file, ...rest }) =>
      file === undefined ? [] : [{ ...rest, file }],
    );
  });
  return [...ofSas, ...ofNeighbours, ...ikeKeyFiles(config)];
}

function ikeKeyFiles({ ike }: Config): KeyFile[] {
  const remedy = 'a file with the key alone, mode 0600';
  const at = (path: Path, file: string): KeyFile => ({ path: formatPath(path), file, remedy });
  const credentials = Object.entries(ike?.credentials ?? {}).map(([name, { key }]) =>
    at(['ike', 'credentials', name, 'key'], key),
  );
  const ofProviders = Object.entries(ike?.providers ?? {}).flatMap(([sp, { psks, ppk }]) => {
    const path: Path = ['ike', 'providers', sp];
    const shared = Object.entries(psks ?? {}).map(([name, { file }]) =>
      at([...path, 'psks', name, 'file'], file),
    );
    return ppk === undefined ? shared : [...shared, at([...path, 'ppk', 'file'], ppk.file)];
  });
  return [...credentials, ...ofProviders];
}

/** Files of certificates are no secret: they have to be there. */
function certificateFiles({ ike }: Config): KeyFile[] {
  const at = (path: Path, file: string | undefined): KeyFile[] =>
    file === undefined ? [] : [{ path: formatPath(path), file, remedy: 'check its path' }];
  const list = (path: Path, files: readonly string[] = []): KeyFile[] =>
    files.flatMap((file, i) => at([...path, i], file));
  const credentials = Object.entries(ike?.credentials ?? {}).flatMap(([name, given]) => {
    const path: Path = ['ike', 'credentials', name];
    return [
      ...at([...path, 'certificate'], given.certificate),
      ...at([...path, 'ocspResponse'], given.ocspResponse),
    ];
  });
  const ofProviders = Object.entries(ike?.providers ?? {}).flatMap(([sp, provider]) => {
    const path: Path = ['ike', 'providers', sp];
    const anchors = Object.entries(provider.anchors ?? {}).flatMap(([name, { file }]) =>
      at([...path, 'anchors', name, 'file'], file),
    );
    return [
      ...anchors,
      ...list([...path, 'intermediates'], provider.intermediates),
      ...list([...path, 'crls'], provider.crls),
    ];
  });
  return [...credentials, ...ofProviders];
}

async function keyFileFault(path: string): Promise<string | undefined> {
  try {
    const { mode } = await stat(path);
    return (mode & 0o077) === 0 ? undefined : 'others may use the key file';
  } catch {
    return 'no such key file yet';
  }
}

/** `sealane check`: exit codes of docs/cli.md. */
export const CHECK_EXIT = { ok: 0, invalid: 3 } as const;

/** Where `sealane check` writes. */
export interface CheckOutput {
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
}

/**
 * Checks a file and says what is wrong with it: every mistake a line on stderr, or with `json` one
 * array of {severity, path, value, reason, remedy} on stdout. Returns the exit code.
 */
export async function checkFile(
  path: string,
  to: CheckOutput,
  options: { readonly json?: boolean } = {},
): Promise<number> {
  const result = await readConfig(path, { onOutput: to.err });
  const issues = result.ok ? [] : problemsOf(result);
  if (options.json === true) {
    const rows = [
      ...issues.map((found) => ({ severity: 'error', ...found })),
      ...result.warnings.map((found) => ({ severity: 'warning', ...found })),
    ];
    to.out(`${JSON.stringify(rows)}\n`);
  } else {
    for (const found of issues) to.err(`error: ${formatIssue(found)}\n`);
    for (const found of result.warnings) to.err(`warning: ${formatIssue(found)}\n`);
    if (result.ok) to.out(`${path}: ${summary(result.config)}\n`);
    else to.err(`${path}: ${issues.length} mistake${issues.length === 1 ? '' : 's'}\n`);
  }
  return result.ok ? CHECK_EXIT.ok : CHECK_EXIT.invalid;
}

/** The load error, if any, as an issue of the whole, before those of its parts. */
export function problemsOf(result: Extract<ReadConfig, { ok: false }>): readonly Issue[] {
  if (result.load === undefined) return result.issues;
  const { message, remedy } = result.load;
  const whole = { path: WHOLE, value: '', reason: message, remedy };
  return [whole, ...result.issues];
}

function summary(config: Config): string {
  const count = (table: object | undefined, one: string, many = `${one}s`): string => {
    const size = Object.keys(table ?? {}).length;
    return `${size} ${size === 1 ? one : many}`;
  };
  const parts = [
    count(config.interfaces, 'interface'),
    count(config.vrfs, 'VRF'),
    count(config.tunnels, 'tunnel'),
    count(config.manualSas, 'manual SA'),
    ...(config.ike === undefined ? [] : [count(config.ike.providers, 'SP by IKE', 'SPs by IKE')]),
  ];
  return `instance ${config.instance} is correct: ${parts.join(', ')}`;
}
