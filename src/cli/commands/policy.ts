// SPDX-License-Identifier: Apache-2.0
/** `sealane bgp policy test`: a route in words through a policy, rule by rule. */
import { resolve } from 'node:path';
import type { TestPolicyReply } from '../../rpc/client.js';
import { POLICY_TEST_COLUMNS } from '../columns.js';
import type { Output } from '../output.js';
import { columnList, jsonRow } from '../render.js';
import { withClient, type Selection } from '../select.js';

export interface PolicyTestOptions {
  /** The policies of this file rather than those in force. */
  readonly file?: string;
  readonly json?: boolean;
}

export async function testPolicy(
  policy: string,
  route: readonly string[],
  options: PolicyTestOptions,
  selection: Selection,
  output: Output,
): Promise<void> {
  const path = options.file === undefined ? '' : resolve(options.file);
  const reply = await withClient(selection, async (client) =>
    client.testPolicy(policy, route, path),
  );
  const trace = reply.rules.flatMap(ruleLines);
  const { accepted, because } = reply;
  const result = reply.result.join(' ');
  if (options.json === true) {
    const row = { policy, accepted, because, result, trace: trace.join('\n') };
    await output.out(`[${jsonRow(row, columnList(POLICY_TEST_COLUMNS))}]\n`);
    return;
  }
  const outcome = `${accepted ? 'accepted' : 'rejected'}: ${because}`;
  const lines = [...trace, outcome, ...(accepted ? [`    ${result}`] : [])];
  await output.out(lines.map((line) => `${line}\n`).join(''));
}

/** `rule 2 "no private space": matched, reject`, and a line for each change. */
function ruleLines(step: TestPolicyReply['rules'][number]): string[] {
  const { rule, name, matched, then, changes } = step;
  const label = name === '' ? `rule ${rule}` : `rule ${rule} "${name}"`;
  return [
    `${label}: ${matched ? `matched, ${then}` : 'no match'}`,
    ...changes.map((change) => `    ${change}`),
  ];
}
