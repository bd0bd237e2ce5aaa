// SPDX-License-Identifier: Apache-2.0
/** Who says how the routes of an export rule are protected: the rule, or the PE. */
import { expect, it } from 'vitest';
import { goodBgp } from './bgp-good.js';
import { told } from './good.js';

it('an export rule states its class as a whole, or the PE does', () => {
  const draft = goodBgp();
  const rules = draft.vrfs['a']!.bgp!.exports!;
  Reflect.deleteProperty(rules[0]!, 'protections');
  expect(told(draft).errors).toEqual([
    expect.stringMatching(/exports\[0\]\.protections: missing, and no bgp\.exportClass says/),
  ]);
  draft.bgp.exportClass = { protections: ['encrypt'], toSps: ['south'] };
  expect(told(draft).errors).toEqual([]);
  Reflect.deleteProperty(rules[1]!, 'protections');
  expect(told(draft).errors.map((line) => line.slice(0, line.indexOf(':')))).toEqual(
    ['toSps', 'encapsulations', 'clearInsideOwnSp'].map((key) => `vrfs.a.bgp.exports[1].${key}`),
  );
  draft.bgp.exportClass = { protections: ['mpls'], toSps: ['suoth'], clearInsideOwnSp: true };
  expect(told(draft).errors).toContainEqual(
    expect.stringMatching(/^bgp\.exportClass\.toSps\[0\]: no such SP/),
  );
  expect(told(draft).errors).toContainEqual(
    expect.stringMatching(/^bgp\.exportClass\.clearInsideOwnSp: protection is asked of other SPs/),
  );
});
