import { describe, expect, it } from 'vitest';
import { checkLedger, judgeKey, record, type Ledger } from '../../../src/supervisor/key-ledger.js';

const EPOCH = 'e1';
const add = { ok: true, action: 'add' };
const keep = { ok: true, action: 'keep' };

describe('a key belongs to one row for life (policy-model 22)', () => {
  const reserved = record({}, [{ digest: 'k', sa: 'out' }], EPOCH, false);
  const used = record(reserved, [{ digest: 'k', sa: 'out' }], EPOCH, true);

  it('is new: may be added', () => {
    expect(judgeKey({}, 'k', EPOCH, false)).toEqual(add);
  });

  it('is live in its row: stays, whatever the ledger has kept', () => {
    for (const ledger of [{}, reserved, used]) {
      expect(judgeKey(ledger, 'k', EPOCH, true)).toEqual(keep);
    }
  });

  it('was reserved but never used: may be added again, also to new segments', () => {
    expect(judgeKey(reserved, 'k', EPOCH, false)).toEqual(add);
    expect(judgeKey(reserved, 'k', 'e2', false)).toEqual(add);
  });

  it('was used and its row is gone: refused within the epoch', () => {
    const verdict = judgeKey(used, 'k', EPOCH, false);
    expect(verdict.ok).toBe(false);
    expect(!verdict.ok && verdict.reason).toContain('SA out');
  });

  it('was counted for by segments that are gone: refused', () => {
    const verdict = judgeKey(used, 'k', 'e2', false);
    expect(!verdict.ok && verdict.reason).toContain('segments that counted for it are gone');
  });

  it('says nothing about other keys', () => {
    expect(judgeKey(used, 'other', EPOCH, false)).toEqual(add);
    expect(judgeKey(used, 'constructor', EPOCH, false)).toEqual(add);
  });
});

it('reads what it wrote, and nothing that is no ledger', () => {
  const ledger: Ledger = record({}, [{ digest: 'k', sa: 'out' }], EPOCH, true);
  expect(checkLedger(JSON.parse(JSON.stringify(ledger)))).toEqual(ledger);
  for (const bad of [
    null,
    [],
    1,
    { k: 1 },
    { k: { epoch: 'e', sa: 's' } },
    { k: { epoch: 1, sa: 's', used: true } },
  ]) {
    expect(checkLedger(bad), JSON.stringify(bad)).toBeUndefined();
  }
});
