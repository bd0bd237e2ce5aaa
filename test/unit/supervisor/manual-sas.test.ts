import { mkdtempSync, rmSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Config, ManualSa } from '../../../src/config/types.js';
import type { Tables } from '../../../src/forwarding/addon/api.js';
import { loadAddon } from '../../../src/forwarding/addon/load.js';
import { readKeyFile, writeKeyFile } from '../../../src/lib/key-file.js';
import type { Ledger } from '../../../src/supervisor/key-ledger.js';
import { ChildSas } from '../../../src/supervisor/ike-sas.js';
import { SaRows } from '../../../src/supervisor/sa-rows.js';
import { ManualSas } from '../../../src/supervisor/manual-sas.js';
import { NO_SP_TABLES, SpTables } from '../../../src/vpn/sp-tables.js';
import { BASE } from '../forwarding/fixture.js';

/** Real tables, no worker: rows are written and never become ready. */
let folder: string;
let tables: Tables;
let ledger: { entries: Ledger; history: string[] };
let sas: ManualSas;

function open(): void {
  tables = loadAddon().openTables({ tables: `${folder}/tables`, state: `${folder}/state` });
  sas = new ManualSas({
    tables,
    rows: new SaRows(tables),
    isForeign: (name) => ChildSas.owns(name),
    ledger: {
      read: () => ledger.entries,
      write: (entries) => {
        ledger.entries = entries;
        const used = Object.values(entries).filter((entry) => entry.used).length;
        ledger.history.push(
          `${used}/${Object.keys(entries).length} used, ${tables.sas('out').length} rows`,
        );
      },
    },
  });
}
beforeEach(() => {
  folder = mkdtempSync('/dev/shm/sealane-sas-');
  ledger = { entries: {}, history: [] };
  open();
});
afterEach(() => {
  tables.close();
  rmSync(folder, { recursive: true });
});

const sps = SpTables.assign(NO_SP_TABLES, 'own', ['b'])!;
const sa = (over: Partial<ManualSa> = {}): ManualSa => ({
  ...{ direction: 'out', local: '192.0.2.1', remote: '192.0.2.2', encapsulation: 'gre' },
  ...{ algorithm: 'aes-gcm-128', spi: 0x1001, keyFile: `${folder}/key` },
  ...over,
});
const config = (manualSas: Record<string, ManualSa>): Config => ({ ...BASE, manualSas });
const apply = async (c: Config): Promise<void> => {
  const plan = await sas.plan(c, sps);
  await sas.install(plan, undefined);
  sas.retire(plan.wanted);
};

describe('manual SAs', () => {
  it('records a key before its row is written, and as used before anything can refer to it', async () => {
    await writeKeyFile(`${folder}/key`, 'aes-gcm-128');
    await apply(config({ out: sa() }));
    expect(ledger.history).toEqual(['0/1 used, 0 rows', '1/1 used, 1 rows']);
    expect(tables.sas('out')).toMatchObject([{ name: 'out@00001001', spi: 0x1001, spTable: 0 }]);
  });

  it('has wiped the key once its row is written', async () => {
    await writeKeyFile(`${folder}/key`, 'aes-gcm-128');
    const plan = await sas.plan(config({ out: sa() }), sps);
    expect(plan.add[0]!.keying.some((byte) => byte !== 0)).toBe(true);
    await sas.install(plan, undefined);
    expect(plan.add[0]!.keying.every((byte) => byte === 0)).toBe(true);
  });

  it('keeps a row that is right, and writes nothing', async () => {
    await writeKeyFile(`${folder}/key`, 'aes-gcm-128');
    await apply(config({ out: sa() }));
    const before = tables.sas('out');
    const written = ledger.history.length;
    await apply(config({ out: sa() }));
    expect(tables.sas('out')).toEqual(before);
    expect(ledger.history).toHaveLength(written);
  });

  it('has no use for rows whose state segment is gone: the addon drops them, the ledger refuses the key', async () => {
    await writeKeyFile(`${folder}/key`, 'aes-gcm-128');
    await apply(config({ out: sa() }));
    tables.close();
    open(); // no worker has made a state segment here
    expect(tables.sas('out')).toEqual([]);
    await expect(sas.plan(config({ out: sa() }), sps)).rejects.toMatchObject({ code: 'KEY' });
  });

  it('refuses a used key: other attributes, removed SA, lost segments (policy-model 22)', async () => {
    await writeKeyFile(`${folder}/key`, 'aes-gcm-128');
    await apply(config({ out: sa() }));
    const elsewhere = config({ out: sa({ spi: 0x2002 }) });
    await expect(sas.plan(elsewhere, sps)).rejects.toMatchObject({ code: 'KEY' });
    expect(tables.sas('out')).toHaveLength(1);
    await apply(config({}));
    expect(tables.sas('out')).toEqual([]);
    await expect(sas.plan(config({ out: sa() }), sps)).rejects.toThrow(/belongs to that SA/);
    tables.close();
    rmSync(`${folder}/tables`);
    open();
    await expect(sas.plan(config({ out: sa() }), sps)).rejects.toThrow(/segments .* are gone/);
  });

  it('leaves rows that IKE made alone', async () => {
    await writeKeyFile(`${folder}/key`, 'aes-gcm-128');
    await apply(config({ out: sa() }));
    const [row] = tables.sas('out');
    tables.addSa(
      'out',
      { ...row!, name: 'ike/encrypt/gre/192.0.2.2@00000300', spi: 768 },
      Buffer.alloc(20, 7),
    );
    await apply(config({}));
    expect(tables.sas('out')).toMatchObject([{ spi: 768 }]);
  });

  it('refuses one key for two SAs, and a key of another algorithm', async () => {
    await writeKeyFile(`${folder}/key`, 'aes-gcm-128');
    const shared = config({ out: sa(), in: sa({ direction: 'in', spi: 0x3003 }) });
    await expect(sas.plan(shared, sps)).rejects.toThrow(/have the same key/);
    const other = config({ out: sa({ algorithm: 'aes-gmac-128' }) });
    await expect(sas.plan(other, sps)).rejects.toThrow(
      /holds a key for aes-gcm-128, not aes-gmac-128/,
    );
    expect(tables.sas('out')).toEqual([]);
  });

  it('says nothing of a key in what it refuses', async () => {
    await writeKeyFile(`${folder}/key`, 'aes-gcm-128');
    const { keying } = await readKeyFile(`${folder}/key`);
    const hex = Buffer.from(keying).toString('hex');
    await apply(config({ out: sa() }));
    const error: unknown = await sas
      .plan(config({ out: sa({ spi: 1234 }) }), sps)
      .catch((e: unknown) => e);
    expect(`${String(error)} ${JSON.stringify(error)} ${JSON.stringify(ledger)}`).not.toContain(
      hex.slice(0, 32),
    );
  });

  it('turns addresses round by direction, and takes the table of the SP', async () => {
    await writeKeyFile(`${folder}/key`, 'aes-gcm-128');
    await apply(config({ in: sa({ direction: 'in', sp: 'b', replayWindow: 128 }) }));
    const [row] = tables.sas('in');
    expect(row).toMatchObject({ spTable: sps.table('b'), replayWindow: 128 });
    expect([...row!.source]).toEqual([192, 0, 2, 2]);
    expect([...row!.destination]).toEqual([192, 0, 2, 1]);
    const nobody = config({ in: sa({ direction: 'in', sp: 'nobody' }) });
    await expect(sas.plan(nobody, sps)).rejects.toThrow(/SP nobody is not configured/);
  });
});
