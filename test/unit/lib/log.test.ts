import { describe, expect, it } from 'vitest';
import { createLogger, formatLine } from '../../../src/lib/log.js';

describe('log', () => {
  it('is one line whatever the values are', () => {
    const line = formatLine('T', 'notice', 'worker', 'started\nforged', {
      pid: 7,
      why: 'a "b"\nc',
      path: '/run/x',
      none: undefined,
      esc: '\u001b[2J',
    });
    expect(line).toBe(
      'T notice worker: started\\nforged pid=7 why="a \\"b\\"\\nc" path=/run/x esc="\\u001b[2J"',
    );
  });

  it('writes the level asked for and graver ones', () => {
    const lines: string[] = [];
    const log = createLogger({ write: (l) => lines.push(l), now: () => 'T' }, 'notice');
    log.error('a');
    log.info('b');
    log.area('x').notice('c');
    expect(lines).toEqual(['T error sealane: a', 'T notice x: c']);
  });
});
