// SPDX-License-Identifier: Apache-2.0
/** Ratios as a picture: one bar per case, a rule at 1 (as fast as the reference). */
import { parse, View } from 'vega';
import { compile, type TopLevelSpec } from 'vega-lite';
import type { Result } from './result.js';

export async function plot(result: Result): Promise<string> {
  // A case with several references has a bar for each.
  const several = new Set(result.rows.map((r) => r.case)).size < result.rows.length;
  const values = result.rows.map((r) => ({
    case: several ? `${r.case} / ${r.reference}` : r.case,
    ratio: r.ratio,
    low: r.ratioRange[0],
    high: r.ratioRange[1],
  }));
  const y = { field: 'case', type: 'nominal', sort: null, title: null } as const;
  const spec: TopLevelSpec = {
    title: `${result.bench}: cost / reference (${String(result.runs)} runs, median, range)`,
    width: 520,
    data: { values },
    layer: [
      {
        mark: { type: 'bar', color: '#4c78a8' },
        encoding: {
          y,
          x: { field: 'ratio', type: 'quantitative', title: 'ratio, lower is better' },
        },
      },
      {
        mark: { type: 'rule', color: '#222' },
        encoding: { y, x: { field: 'low', type: 'quantitative' }, x2: { field: 'high' } },
      },
      {
        mark: { type: 'rule', color: '#e45756', strokeDash: [4, 3] },
        encoding: { x: { datum: 1 } },
      },
      {
        mark: { type: 'text', align: 'left', dx: 6 },
        encoding: {
          y,
          x: { field: 'high', type: 'quantitative' },
          text: { field: 'ratio', type: 'quantitative', format: '.2f' },
        },
      },
    ],
  };
  return new View(parse(compile(spec).spec)).toSVG();
}
